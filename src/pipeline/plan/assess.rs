//! From a plan and what came of it to the messages of a check.
//!
//! A check that changed something says so twice: what was wrong, then what was done (`spec/ocm-semantics.md` 2.6).

use super::{CheckPlan, ObjectPlan, ObjectTemplatePlan, PruneAction, Step, StepResult};
use crate::pipeline::compliance::{
    Finding, Reason, TemplateVerdict, event_message, template_verdict, truncated,
};

/// Reason of the condition of a check without object templates.
const NO_TEMPLATES: &str = "No object templates";

/// `NonCompliant; violation - …`.
pub fn violation(text: &str) -> String {
    truncated(format!("NonCompliant; violation - {text}"))
}

/// `NonCompliant; template-error; …`. The text may already begin with `template-error; `.
pub fn template_error(text: &str) -> String {
    let text = text.strip_prefix("template-error; ").unwrap_or(text);
    truncated(format!("NonCompliant; template-error; {text}"))
}

/// `Pending; …`, or compliant where the policy ignores that.
pub fn pending(text: &str, ignore: bool) -> String {
    if ignore { format!("Compliant; {text} but ignorePending is true") } else { format!("Pending; {text}") }
}

/// The messages of a check before anything was done, as `flotilla plan` and `flotilla render` show it.
pub fn planned(plan: &CheckPlan) -> String {
    messages(plan, &|_, object| Report::of(object.finding.clone()))
}

/// The messages of a check after its plan was pushed, oldest first: one, or two when something was changed.
pub fn pushed(plan: &CheckPlan, results: &[Vec<StepResult>]) -> Vec<String> {
    let result =
        |template: usize, object: usize| results.get(template).and_then(|results| results.get(object));
    let changed = results.iter().flatten().any(|result| match result {
        StepResult::Created(_) | StepResult::Updated(_) | StepResult::Deleted => true,
        // A refusal changes nothing and says what was wrong: told alone, it fills no history when it is tried again.
        StepResult::Refused { .. }
        | StepResult::NotTaken
        | StepResult::Unchanged(_)
        | StepResult::Differs => false,
    });
    let after = messages(plan, &|(template, index), object| match result(template, index) {
        Some(result) => report(plan.templates.get(template), object, result),
        None => Report::of(object.finding.clone()),
    });
    if changed { vec![planned(plan), after] } else { vec![after] }
}

/// What is said of one object.
struct Report {
    finding: Finding,
    /// The check waits for something else; told as `Pending`.
    held: Option<String>,
}

impl Report {
    fn of(finding: Finding) -> Self {
        Self { finding, held: None }
    }
}

type Reporter<'a> = dyn Fn((usize, usize), &ObjectPlan) -> Report + 'a;

fn messages(plan: &CheckPlan, report: &Reporter<'_>) -> String {
    if plan.templates.is_empty() {
        return format!(
            "Compliant; notification - {} contains no object templates to check, and thus has no violations",
            plan.name
        );
    }
    let mut held = Vec::new();
    let verdicts: Vec<TemplateVerdict> = plan
        .templates
        .iter()
        .enumerate()
        .map(|(template, templates)| {
            let findings: Vec<Finding> = templates
                .objects
                .iter()
                .enumerate()
                .map(|(index, object)| {
                    let report = report((template, index), object);
                    let hold = match &object.step {
                        Step::Hold { message } => Some(message.clone()),
                        _ => report.held,
                    };
                    match (hold, object.finding.reason == Reason::NotFoundButShouldExist) {
                        (Some(message), true) => held.push(message),
                        (Some(message), false) => {
                            return with_note(report.finding, &templates.plural, &message);
                        }
                        (None, _) => {}
                    }
                    report.finding
                })
                .collect();
            verdict(&templates.plural, &findings)
        })
        .collect();
    if held.is_empty() {
        event_message(&verdicts)
    } else {
        truncated(format!("Pending; {}", held.join("; ")))
    }
}

fn verdict(plural: &str, findings: &[Finding]) -> TemplateVerdict {
    if findings.is_empty() {
        let message = "No objects were matched from the policy objectSelector".to_owned();
        return TemplateVerdict { compliant: true, reason: NO_TEMPLATES.to_owned(), message };
    }
    template_verdict(plural, findings)
}

/// The ordinary words of a finding, with a note behind them.
fn with_note(finding: Finding, plural: &str, note: &str) -> Finding {
    let said = template_verdict(plural, std::slice::from_ref(&finding)).message;
    Finding {
        message: Some(format!("{said} ({note})")),
        reason: Reason::Other { reason: finding.reason.condition_reason().to_owned() },
        ..finding
    }
}

fn report(template: Option<&ObjectTemplatePlan>, object: &ObjectPlan, result: &StepResult) -> Report {
    let found = |compliant, reason| {
        Report::of(Finding { compliant, reason, message: None, ..object.finding.clone() })
    };
    let plural = template.map(|template| template.plural.as_str()).unwrap_or_default();
    match result {
        StepResult::NotTaken | StepResult::Differs => Report::of(object.finding.clone()),
        StepResult::Created(_) if wants_status(object) => {
            let finding = object.finding.clone();
            let said = format!(
                "{} was created successfully, the status of the object will be verified in the next evaluation",
                place(plural, &finding)
            );
            let reason = Reason::Other { reason: "K8s creation success, status unchecked".to_owned() };
            Report::of(Finding { message: Some(said), reason, compliant: false, ..finding })
        }
        StepResult::Created(_) => found(true, Reason::Created),
        StepResult::Updated(_) | StepResult::Unchanged(_) if status_mismatch(object) => {
            found(false, Reason::FoundButDoesNotMatch)
        }
        StepResult::Updated(_) => found(true, Reason::Updated),
        StepResult::Unchanged(_) => found(true, Reason::FoundAsExpected),
        StepResult::Deleted => found(true, Reason::Deleted),
        StepResult::Refused { message, immutable, strict } => {
            let said = refusal(plural, object, message, *immutable, *strict);
            let reason = Reason::Other { reason: "K8s error".to_owned() };
            Report::of(Finding { message: Some(said), reason, compliant: false, ..object.finding.clone() })
        }
    }
}

fn wants_status(object: &ObjectPlan) -> bool {
    object.desired.as_ref().is_some_and(|desired| desired.at(&["status"]).is_some())
}

fn status_mismatch(object: &ObjectPlan) -> bool {
    match &object.step {
        Step::Update { status_mismatch, .. } | Step::Probe { status_mismatch, .. } => *status_mismatch,
        Step::Nothing | Step::Create { .. } | Step::Delete { .. } | Step::Hold { .. } => false,
    }
}

/// `schedules [a] in namespace b`.
fn place(plural: &str, finding: &Finding) -> String {
    let names = finding.names.join(", ");
    match &finding.namespace {
        Some(namespace) => format!("{plural} [{names}] in namespace {namespace}"),
        None => format!("{plural} [{names}]"),
    }
}

fn refusal(plural: &str, object: &ObjectPlan, message: &str, immutable: bool, strict: bool) -> String {
    let place = place(plural, &object.finding);
    let name = object.finding.names.join(", ");
    if strict {
        return format!("Error validating the object {name}, the error is `{message}`");
    }
    match &object.step {
        Step::Create { .. } => format!("{place} is missing, and cannot be created, reason: `{message}`"),
        Step::Delete { .. } => format!("{place} exists, and cannot be deleted, reason: `{message}`"),
        Step::Update { .. } if immutable => format!(
            "{place} cannot be updated, likely due to immutable fields not matching, you may set \
             spec[\"object-templates\"][].recreateOption to recreate the object"
        ),
        Step::Update { .. } => format!("Error updating the object `{name}`, the error is `{message}`"),
        Step::Probe { .. } | Step::Nothing | Step::Hold { .. } => {
            format!(
                "Error issuing a dry run update request for the object `{name}`, the error is `{message}`"
            )
        }
    }
}

/// What is kept although it is no longer wanted, for an Event.
pub fn kept(plan: &CheckPlan) -> Vec<String> {
    plan.prune
        .iter()
        .filter_map(|prune| match &prune.action {
            PruneAction::Hold(why) => Some(format!("{} is kept: {why}", prune.entry.key())),
            PruneAction::Unreadable(why) => {
                Some(format!("{} is kept until it can be read: {why}", prune.entry.key()))
            }
            PruneAction::Delete | PruneAction::Forget => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::object::Manifest;

    fn object(step: Step, compliant: bool, reason: Reason) -> ObjectPlan {
        ObjectPlan {
            key: None,
            desired: None,
            observed: None,
            finding: Finding {
                namespace: Some("acm-app-backup".to_owned()),
                names: vec!["a".to_owned()],
                compliant,
                reason,
                message: None,
            },
            step,
        }
    }

    fn plan(objects: Vec<ObjectPlan>) -> CheckPlan {
        CheckPlan {
            name: "create-schedule-resource".to_owned(),
            templates: vec![ObjectTemplatePlan { plural: "schedules".to_owned(), objects }],
            prune: Vec::new(),
            claims: Vec::new(),
            notes: Vec::new(),
            sensitive: false,
        }
    }

    fn manifest() -> Manifest {
        Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "a"}}))
            .unwrap()
    }

    #[test]
    fn a_creation_is_told_twice() {
        let create = Step::Create { desired: manifest() };
        let plan = plan(vec![object(create, false, Reason::NotFoundButShouldExist)]);
        assert_eq!(
            pushed(&plan, &[vec![StepResult::Created(Box::new(manifest()))]]),
            [
                "NonCompliant; violation - schedules [a] not found in namespace acm-app-backup",
                "Compliant; notification - schedules [a] was created successfully in namespace acm-app-backup"
            ]
        );
        let refused = StepResult::Refused { message: "no".to_owned(), immutable: false, strict: false };
        assert_eq!(
            pushed(&plan, &[vec![refused]]),
            [
                "NonCompliant; violation - schedules [a] in namespace acm-app-backup is missing, and cannot be created, \
             reason: `no`"
            ]
        );
    }

    #[test]
    fn a_held_restore_is_pending_and_a_held_deletion_is_a_violation() {
        let hold = |reason| object(Step::Hold { message: "wait".to_owned() }, false, reason);
        assert_eq!(planned(&plan(vec![hold(Reason::NotFoundButShouldExist)])), "Pending; wait");
        assert_eq!(
            planned(&plan(vec![hold(Reason::FoundButShouldNotExist)])),
            "NonCompliant; violation - schedules [a] found in namespace acm-app-backup (wait)"
        );
    }

    #[test]
    fn a_check_without_templates_is_compliant() {
        let mut empty = plan(Vec::new());
        empty.templates.clear();
        assert_eq!(
            planned(&empty),
            "Compliant; notification - create-schedule-resource contains no object templates to check, and thus has \
             no violations"
        );
    }
}
