//! From a plan and what came of it to the status of a check and its messages.
//!
//! A check that changed something says so twice: what was wrong, then what was done (`spec/ocm-semantics.md` 2.6).

use jiff::Timestamp;

use super::inventory::Entry;
use super::{CheckPlan, ObjectPlan, PruneAction, Step, StepResult, told};
use crate::api::object::ObjectKey;
use crate::api::ocm::configuration_policy_status::ConfigurationPolicyStatus;
use crate::pipeline::compare::same_after_dry_run;
use crate::pipeline::compliance::status::{
    self, Assessment, Circumstances, Never, Related, ordinary_wording,
};
use crate::pipeline::compliance::{TemplateVerdict, truncated};
use crate::pipeline::policy::checks::Check;

/// Reason of the condition of a check without object templates.
const NO_TEMPLATES: &str = "No object templates";

/// `evaluationInterval` of what is evaluated once.
const NEVER: &str = "never";

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

/// What surrounds the assessment of a check.
pub struct Occasion<'a> {
    /// The status before.
    pub previous: &'a ConfigurationPolicyStatus,
    /// `metadata.generation` of the ConfigurationPolicy, or what stands for it.
    pub generation: i64,
    /// The message that the policy's author wants for a status, given the ordinary one.
    pub wording: &'a (dyn Fn(&ConfigurationPolicyStatus, &[Related], &str) -> String + Sync),
    /// When.
    pub now: Timestamp,
}

/// The status of a check after its plan was pushed, and what was said on the way.
pub fn assess(
    check: &Check,
    plan: &CheckPlan,
    results: &[Vec<StepResult>],
    occasion: &Occasion<'_>,
) -> Assessment {
    of_plan(plan, results, never(check), occasion)
}

/// After which outcome the check is not evaluated again.
fn never(check: &Check) -> Never {
    let interval = &check.policy.spec.evaluation_interval;
    Never { compliant: interval.compliant == NEVER, noncompliant: interval.noncompliant == NEVER }
}

/// The status of a check that could not be planned: nothing was looked at, and nothing was done.
pub fn unplanned(check: &Check, reason: &str, message: &str, occasion: &Occasion<'_>) -> Assessment {
    let verdict =
        TemplateVerdict { compliant: false, reason: reason.to_owned(), message: message.to_owned() };
    status::assess(status::Report::Unexamined(verdict), &circumstances(never(check), &[], occasion))
}

/// The status of a check that is being deleted while what it made is not gone.
pub fn terminating(remaining: &[&Entry], occasion: &Occasion<'_>) -> Assessment {
    let described = remaining.iter().map(|entry| {
        let key = entry.key();
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let gvk = &key.gvk;
        format!("{}/{}, Kind={} \"{}\" in namespace {namespace}", gvk.group, gvk.version, gvk.kind, key.name)
    });
    status::assess(
        status::Report::Terminating(described.collect()),
        &circumstances(Never::default(), &[], occasion),
    )
}

/// What would come of the steps of a plan on a server that neither adds defaults nor refuses anything.
pub fn without_server(plan: &CheckPlan) -> Vec<Vec<StepResult>> {
    let result = |object: &ObjectPlan| match &object.step {
        Step::Probe { existing, merged, .. } if same_after_dry_run(existing, merged) => {
            StepResult::Unchanged(Box::new(merged.clone()))
        }
        Step::Probe { merged, .. } => StepResult::Differs(Box::new(merged.clone())),
        _ => StepResult::NotTaken,
    };
    plan.templates.iter().map(|template| template.objects.iter().map(result).collect()).collect()
}

/// The message of a check before anything was done, as `flotilla plan` and `flotilla render` show it.
pub fn planned(plan: &CheckPlan) -> String {
    let occasion = Occasion {
        previous: &ConfigurationPolicyStatus::default(),
        generation: 0,
        wording: &ordinary_wording,
        now: Timestamp::UNIX_EPOCH,
    };
    of_plan(plan, &[], Never::default(), &occasion).messages.pop().unwrap_or_default()
}

fn circumstances<'a>(never: Never, waiting: &'a [String], occasion: &'a Occasion<'a>) -> Circumstances<'a> {
    Circumstances {
        previous: occasion.previous,
        generation: occasion.generation,
        never,
        waiting,
        wording: occasion.wording,
        now: occasion.now,
    }
}

fn of_plan(
    plan: &CheckPlan,
    results: &[Vec<StepResult>],
    never: Never,
    occasion: &Occasion<'_>,
) -> Assessment {
    if plan.templates.is_empty() {
        let message =
            format!("{} contains no object templates to check, and thus has no violations", plan.name);
        let verdict = TemplateVerdict { compliant: true, reason: NO_TEMPLATES.to_owned(), message };
        return status::assess(status::Report::Whole(verdict), &circumstances(never, &[], occasion));
    }
    let mut waiting = Vec::new();
    let templates = plan
        .templates
        .iter()
        .enumerate()
        .map(|(index, template)| {
            let results = results.get(index).map_or(&[][..], Vec::as_slice);
            told::template(template, results, plan.sensitive, &mut waiting)
        })
        .collect();
    status::assess(status::Report::Templates(templates), &circumstances(never, &waiting, occasion))
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
            PruneAction::Delete | PruneAction::Leaving | PruneAction::Forget => None,
        })
        .collect()
}

/// Differences that go into the log instead of the status (`recordDiff: Log`), by object.
pub fn differences_to_log(plan: &CheckPlan, results: &[Vec<StepResult>]) -> Vec<(ObjectKey, String)> {
    let mut found = Vec::new();
    for (template, results) in plan.templates.iter().zip(results) {
        for (object, result) in template.objects.iter().zip(results) {
            let difference = told::difference_to_log(template, object, result, plan.sensitive);
            found.extend(object.key.clone().zip(difference));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::api::object::Manifest;
    use crate::api::ocm::configuration_policy::RecordDiff;
    use crate::pipeline::compliance::{Finding, Reason};
    use crate::pipeline::plan::{ObjectTemplatePlan, Recreation, Refusal};

    fn object(step: Step, compliant: bool, reason: Reason) -> ObjectPlan {
        let observed = match &step {
            Step::Update { existing, .. } | Step::Probe { existing, .. } => Some(Arc::clone(existing)),
            _ => None,
        };
        ObjectPlan {
            key: None,
            desired: Some(schedule("1h")),
            observed,
            named: Vec::new(),
            created: false,
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
            templates: vec![ObjectTemplatePlan {
                plural: "schedules".to_owned(),
                gvk: Some(schedule("1h").gvk()),
                record_diff: RecordDiff::InStatus,
                objects,
            }],
            prune: Vec::new(),
            claims: Vec::new(),
            notes: Vec::new(),
            sensitive: false,
        }
    }

    fn schedule(ttl: &str) -> Manifest {
        Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "spec": {"ttl": ttl},
            "metadata": {"name": "a", "namespace": "acm-app-backup", "uid": "u1", "resourceVersion": "7"}}))
        .unwrap()
    }

    fn told(plan: &CheckPlan, result: StepResult, previous: &ConfigurationPolicyStatus) -> Assessment {
        let occasion = Occasion {
            previous,
            generation: 1,
            wording: &ordinary_wording,
            now: "2024-05-06T07:08:09.123456Z".parse().unwrap(),
        };
        of_plan(plan, &[vec![result]], Never::default(), &occasion)
    }

    fn update(recreation: Recreation) -> CheckPlan {
        let step = Step::Update {
            existing: Arc::new(schedule("1h")),
            merged: schedule("2h"),
            status_mismatch: false,
            recreation,
        };
        plan(vec![object(step, false, Reason::FoundButDoesNotMatch)])
    }

    #[test]
    fn a_creation_is_told_twice_and_stands_in_the_status() {
        let create = Step::Create { desired: schedule("1h") };
        let plan = plan(vec![object(create, false, Reason::NotFoundButShouldExist)]);
        let nothing = ConfigurationPolicyStatus::default();
        let created = told(&plan, StepResult::Created(Box::new(schedule("1h"))), &nothing);
        let found = "NonCompliant; violation - schedules [a] not found in namespace acm-app-backup";
        let done =
            "Compliant; notification - schedules [a] was created successfully in namespace acm-app-backup";
        assert_eq!(created.messages, [found, done]);
        assert_eq!(
            serde_json::to_value(&created.status).unwrap(),
            json!({
                "compliant": "Compliant",
                "compliancyDetails": [{"Compliant": "Compliant", "Validity": {}, "conditions": [{
                    "type": "notification", "status": "True", "lastTransitionTime": "2024-05-06T07:08:09Z",
                    "reason": "K8s creation success",
                    "message": "schedules [a] was created successfully in namespace acm-app-backup"}]}],
                "relatedObjects": [{"compliant": "Compliant", "reason": "K8s creation success",
                    "object": {"apiVersion": "velero.io/v1", "kind": "Schedule",
                        "metadata": {"name": "a", "namespace": "acm-app-backup"}},
                    "properties": {"createdByPolicy": true, "uid": "u1"}}],
                "history": [{"lastTimestamp": "2024-05-06T07:08:09.123456Z", "message": done},
                    {"lastTimestamp": "2024-05-06T07:08:09.123456Z", "message": found}],
                "lastEvaluated": "2024-05-06T07:08:09Z",
                "lastEvaluatedGeneration": 1,
            })
        );
    }

    #[test]
    fn what_fails_again_is_told_once() {
        let create = Step::Create { desired: schedule("1h") };
        let plan = plan(vec![object(create, false, Reason::NotFoundButShouldExist)]);
        let refused = || StepResult::Refused { message: "no".to_owned(), refusal: Refusal::Other };
        let last = "NonCompliant; violation - schedules [a] in namespace acm-app-backup is missing, and cannot be \
            created, reason: `no`";
        let first = told(&plan, refused(), &ConfigurationPolicyStatus::default());
        assert_eq!(first.messages.len(), 2);
        assert_eq!(first.messages[1], last);
        let second = told(&plan, refused(), &first.status);
        assert_eq!(second.messages, [last]);
        assert_eq!(second.status.history, first.status.history);
    }

    #[test]
    fn an_update_shows_what_it_changed_and_keeps_it() {
        let plan_of_update = update(Recreation::Never);
        let nothing = ConfigurationPolicyStatus::default();
        let updated = told(&plan_of_update, StepResult::Updated(Box::new(schedule("2h"))), &nothing);
        let diff =
            |status: &ConfigurationPolicyStatus| status.related_objects[0].properties.clone().unwrap().diff;
        assert!(diff(&updated.status).contains("-  ttl: 1h\n+  ttl: 2h\n"), "{}", diff(&updated.status));
        let mut same = object(Step::Nothing, true, Reason::FoundAsExpected);
        same.observed = Some(Arc::new(schedule("2h")));
        let after = told(&plan(vec![same]), StepResult::NotTaken, &updated.status);
        assert_eq!(diff(&after.status), diff(&updated.status));
        let words: Vec<&str> = after.status.history.iter().map(|event| event.message.as_str()).collect();
        assert!(words[0].contains("found as specified") && words[1].contains("was updated successfully"));
        assert!(words[2].contains("found but not as specified"));
    }

    #[test]
    fn refusals_have_the_words_of_the_field() {
        let cases = [
            (
                Recreation::Never,
                Refusal::Content,
                1,
                "schedules [a] in namespace acm-app-backup cannot be updated, likely due to immutable fields not matching, \
                 you may set spec[\"object-templates\"][].recreateOption to recreate the object",
            ),
            (
                Recreation::Held("it is dear".to_owned()),
                Refusal::Content,
                1,
                "schedules [a] in namespace acm-app-backup cannot be updated, likely due to immutable fields not matching, \
                 it is not recreated: it is dear",
            ),
            (Recreation::Never, Refusal::UnknownField, 1, "Error validating the object a, the error is `E`"),
            (
                Recreation::Always,
                Refusal::Deletion,
                2,
                "schedules [a] in namespace acm-app-backup failed to delete when recreating with the error E",
            ),
            (
                Recreation::Always,
                Refusal::Recreation,
                2,
                "schedules [a] in namespace acm-app-backup failed to recreate with the error `E`",
            ),
            (
                Recreation::Never,
                Refusal::Other,
                2,
                "Error issuing a dry run update request for the object `a`, the error is `E`",
            ),
        ];
        for (recreation, refusal, count, text) in cases {
            let result = StepResult::Refused { message: "E".to_owned(), refusal };
            let told = told(&update(recreation), result, &ConfigurationPolicyStatus::default());
            assert_eq!(told.messages.len(), count, "{text}");
            assert_eq!(told.messages[count - 1], format!("NonCompliant; violation - {text}"));
            assert_eq!(told.status.related_objects[0].reason, "K8s update template error");
        }
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

    #[test]
    fn a_secret_stays_out_of_the_status() {
        let secret = |value: &str| {
            Manifest::parse(json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": value},
                "metadata": {"name": "a", "namespace": "acm-app-backup", "uid": "u1"}}))
            .unwrap()
        };
        for record in [RecordDiff::InStatus, RecordDiff::Censored, RecordDiff::Log, RecordDiff::None] {
            let step = Step::Probe {
                existing: Arc::new(secret("b2xk")),
                merged: secret("bmV3"),
                status_mismatch: false,
            };
            let mut plan = plan(vec![object(step, false, Reason::FoundButDoesNotMatch)]);
            plan.templates[0].record_diff = record;
            plan.templates[0].objects[0].key = secret("").key();
            let results = without_server(&plan);
            let told = told(&plan, results[0][0].clone(), &ConfigurationPolicyStatus::default());
            let text = serde_json::to_string(&told.status).unwrap();
            assert!(!text.contains("b2xk") && !text.contains("bmV3"), "{text}");
            assert_eq!(
                text.contains("redacted"),
                matches!(record, RecordDiff::InStatus | RecordDiff::Censored)
            );
            let logged = differences_to_log(&plan, &results);
            assert_eq!(logged.len(), usize::from(record == RecordDiff::Log));
            assert!(logged.iter().all(|(_, text)| text.contains("<redacted 2>") && !text.contains("bmV3")));
        }
    }
}
