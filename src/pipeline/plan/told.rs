//! What is told of one object template: takes its plan and what came of the steps, gives findings in batches (what was
//! found, then what was done) and the related objects of the status.

use std::sync::Arc;

use super::object::UPDATE_ERROR;
use super::{ObjectPlan, ObjectTemplatePlan, Recreation, Refusal, Step, StepResult};
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::configuration_policy::RecordDiff;
use crate::api::ocm::configuration_policy_status::{
    ConfigurationCompliance, ObjectProperties, ObjectResource, RelatedObject,
};
use crate::pipeline::compare::{DIFF_LINES, Redaction, object_diff, truncate};
use crate::pipeline::compliance::status::{Related, TemplateReport};
use crate::pipeline::compliance::{Finding, Reason, template_verdict};

/// The name in the status where a template speaks of no single object.
const NO_NAME: &str = "-";

/// Shown instead of a difference that may hold secrets, in upstream's words.
const CENSORED: &str = "# The difference is redacted because it contains sensitive data. To override, the \
    spec[\"object-templates\"][].recordDiff field must be set to \"InStatus\" for the difference to be recorded in the policy \
    status. Consider existing access to the ConfigurationPolicy objects and the etcd encryption configuration before you \
    proceed with an override.";

/// What is told of a template. What keeps it waiting is added to `waiting`.
pub(super) fn template(
    plan: &ObjectTemplatePlan,
    results: &[StepResult],
    sensitive: bool,
    waiting: &mut Vec<String>,
) -> TemplateReport {
    let mut all: Vec<Vec<Finding>> = Vec::new();
    let mut related = Vec::new();
    for (index, object) in plan.objects.iter().enumerate() {
        let result = results.get(index).unwrap_or(&StepResult::NotTaken);
        let findings = findings(plan, object, result, waiting);
        if let Some(last) = findings.last() {
            related.extend(related_objects(plan, object, result, last, sensitive));
        }
        all.push(findings);
    }
    let length = all.iter().map(Vec::len).max().unwrap_or_default();
    let mut batches = vec![Vec::new(); length];
    for findings in all {
        // Aligned at the end: who has less to tell joins later.
        let skipped = length - findings.len();
        for (batch, finding) in batches.iter_mut().skip(skipped).zip(findings) {
            batch.push(finding);
        }
    }
    TemplateReport { resource: plan.plural.clone(), batches, related }
}

/// What is told of one object, oldest first.
fn findings(
    plan: &ObjectTemplatePlan,
    object: &ObjectPlan,
    result: &StepResult,
    waiting: &mut Vec<String>,
) -> Vec<Finding> {
    let before = object.finding.clone();
    let found = |compliant, reason| Finding { compliant, reason, message: None, ..before.clone() };
    let said = |reason: &str, message: String| Finding {
        compliant: false,
        reason: Reason::Other { reason: reason.to_owned() },
        message: Some(message),
        ..before.clone()
    };
    let differs = || found(false, Reason::FoundButDoesNotMatch);
    let place = || place(&plan.plural, &object.finding);
    match result {
        StepResult::NotTaken => match &object.step {
            Step::Hold { message } if before.reason == Reason::NotFoundButShouldExist => {
                waiting.push(message.clone());
                vec![before]
            }
            Step::Hold { message } => vec![with_note(before, &plan.plural, message)],
            _ if is_update_error(&before) => vec![differs(), before],
            _ => vec![before],
        },
        StepResult::Differs(_) => vec![before],
        StepResult::Created(_) if wants_status(object) => vec![
            before.clone(),
            said(
                "K8s creation success, status unchecked",
                format!(
                    "{} was created successfully, the status of the object will be verified in the next evaluation",
                    place()
                ),
            ),
        ],
        StepResult::Created(_) => vec![before.clone(), found(true, Reason::Created)],
        StepResult::Updated(_) | StepResult::Recreated(_) if status_mismatch(object) => {
            vec![differs(), differs()]
        }
        StepResult::Updated(_) | StepResult::Recreated(_) => vec![differs(), found(true, Reason::Updated)],
        StepResult::Unchanged(_) if status_mismatch(object) => vec![differs()],
        StepResult::Unchanged(_) => vec![found(true, Reason::FoundAsExpected)],
        StepResult::Deleted => vec![found(true, Reason::Deleted)],
        StepResult::NotGone => vec![
            differs(),
            said(
                UPDATE_ERROR,
                format!(
                    "{} timed out waiting for the object to delete during recreate, will retry on the next policy evaluation",
                    place()
                ),
            ),
        ],
        StepResult::Refused { message, refusal } => refused(plan, object, message, *refusal),
    }
}

/// What is told when the server refused.
fn refused(plan: &ObjectTemplatePlan, object: &ObjectPlan, message: &str, refusal: Refusal) -> Vec<Finding> {
    let before = object.finding.clone();
    let place = place(&plan.plural, &before);
    let name = before.names.join(", ");
    let said = |reason: &str, message: String| Finding {
        compliant: false,
        reason: Reason::Other { reason: reason.to_owned() },
        message: Some(message),
        ..before.clone()
    };
    let differs = Finding { reason: Reason::FoundButDoesNotMatch, message: None, ..before.clone() };
    match (&object.step, refusal) {
        (Step::Create { .. }, _) => {
            let text = format!("{place} is missing, and cannot be created, reason: `{message}`");
            vec![before.clone(), said("K8s creation error", text)]
        }
        (Step::Delete { .. }, _) => {
            let text = format!("{place} exists, and cannot be deleted, reason: `{message}`");
            vec![said("K8s deletion error", text)]
        }
        (_, Refusal::UnknownField) => {
            let text = format!("Error validating the object {name}, the error is `{message}`");
            vec![said(UPDATE_ERROR, text)]
        }
        (Step::Update { recreation, .. }, Refusal::Content) => {
            let advice = match recreation {
                Recreation::Held(why) => format!("it is not recreated: {why}"),
                Recreation::Never | Recreation::IfRequired | Recreation::Always => {
                    "you may set spec[\"object-templates\"][].recreateOption to recreate the object"
                        .to_owned()
                }
            };
            let text =
                format!("{place} cannot be updated, likely due to immutable fields not matching, {advice}");
            vec![said(UPDATE_ERROR, text)]
        }
        // The server confirms that it differs.
        (_, Refusal::Content) => vec![differs],
        (_, Refusal::Deletion) => {
            let text = format!("{place} failed to delete when recreating with the error {message}");
            vec![differs, said(UPDATE_ERROR, text)]
        }
        (_, Refusal::Recreation) => {
            let text = format!("{place} failed to recreate with the error `{message}`");
            vec![differs, said(UPDATE_ERROR, text)]
        }
        (_, Refusal::Other) => {
            let text = format!(
                "Error issuing a dry run update request for the object `{name}`, the error is `{message}`"
            );
            vec![differs, said(UPDATE_ERROR, text)]
        }
    }
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

fn is_update_error(finding: &Finding) -> bool {
    matches!(&finding.reason, Reason::Other { reason } if reason == UPDATE_ERROR)
}

fn wants_status(object: &ObjectPlan) -> bool {
    object.desired.as_ref().is_some_and(|desired| desired.at(&["status"]).is_some())
}

fn status_mismatch(object: &ObjectPlan) -> bool {
    match &object.step {
        Step::Update { status_mismatch, .. } | Step::Probe { status_mismatch, .. } => *status_mismatch,
        Step::StatusDiffers { .. } => true,
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

/// The objects that the status names for one plan.
fn related_objects(
    plan: &ObjectTemplatePlan,
    object: &ObjectPlan,
    result: &StepResult,
    last: &Finding,
    sensitive: bool,
) -> Vec<Related> {
    // A fault of the template or of the look is about no object.
    let (Some(gvk), false) =
        (&plan.gvk, matches!(&object.finding.reason, Reason::Other { reason } if reason != UPDATE_ERROR))
    else {
        return Vec::new();
    };
    let (existing, updated) = sides(object, result);
    let current = match result {
        StepResult::Created(server) | StepResult::Updated(server) | StepResult::Recreated(server) => {
            Some(Arc::new(server.as_ref().clone()))
        }
        StepResult::Deleted => None,
        StepResult::NotTaken
        | StepResult::Unchanged(_)
        | StepResult::Differs(_)
        | StepResult::NotGone
        | StepResult::Refused { .. } => existing.clone(),
    };
    let properties = properties(plan, object, result, existing.as_deref(), updated.as_deref(), sensitive);
    let names = match object.finding.names.as_slice() {
        [] => vec![NO_NAME.to_owned()],
        names => names.to_vec(),
    };
    names
        .into_iter()
        .map(|name| {
            let key = ObjectKey { gvk: gvk.clone(), namespace: object.finding.namespace.clone(), name };
            let is_it = |named: &&Arc<Manifest>| {
                !matches!(result, StepResult::Deleted) && named.name() == Some(key.name.as_str())
            };
            Related {
                object: RelatedObject {
                    object: ObjectResource::of(&key),
                    compliant: ConfigurationCompliance::of(last.compliant).as_str().to_owned(),
                    reason: last.reason.as_str().to_owned(),
                    properties: properties.clone(),
                },
                existing: existing.clone(),
                updated: updated.clone(),
                current: current.clone().or_else(|| object.named.iter().find(is_it).cloned()),
            }
        })
        .collect()
}

/// The object as it was found, and as it is or would be after the step; `None` where nothing differs.
fn sides(object: &ObjectPlan, result: &StepResult) -> (Option<Arc<Manifest>>, Option<Arc<Manifest>>) {
    let merged = match &object.step {
        Step::Update { merged, .. } | Step::Probe { merged, .. } | Step::StatusDiffers { merged } => {
            Some(merged)
        }
        Step::Nothing | Step::Create { .. } | Step::Delete { .. } | Step::Hold { .. } => None,
    };
    let updated = match result {
        StepResult::Updated(server) | StepResult::Differs(server) => Some(server.as_ref()),
        StepResult::NotTaken | StepResult::Refused { refusal: Refusal::Content, .. } => merged,
        StepResult::Unchanged(_) if status_mismatch(object) => merged,
        StepResult::Unchanged(_)
        | StepResult::Created(_)
        | StepResult::Recreated(_)
        | StepResult::NotGone
        | StepResult::Deleted
        | StepResult::Refused { .. } => None,
    };
    (object.observed.clone(), updated.cloned().map(Arc::new))
}

fn properties(
    plan: &ObjectTemplatePlan,
    object: &ObjectPlan,
    result: &StepResult,
    existing: Option<&Manifest>,
    updated: Option<&Manifest>,
    sensitive: bool,
) -> Option<ObjectProperties> {
    let uid = |object: &Manifest| object.uid().unwrap_or_default().to_owned();
    match (result, existing) {
        (StepResult::Created(server), _) => Some(ObjectProperties {
            created_by_policy: Some(true),
            uid: uid(server),
            ..ObjectProperties::default()
        }),
        (StepResult::Recreated(server), _) => Some(ObjectProperties {
            created_by_policy: Some(object.created),
            uid: uid(server),
            ..ObjectProperties::default()
        }),
        (_, Some(existing)) => Some(ObjectProperties {
            created_by_policy: Some(object.created),
            uid: uid(existing),
            diff: updated
                .map(|updated| shown(plan.record_diff, existing, updated, sensitive))
                .unwrap_or_default(),
            matches_after_dry_run: matches!(result, StepResult::Unchanged(_)) && !status_mismatch(object),
        }),
        (_, None) => None,
    }
}

/// A difference as `recordDiff` has it in the status. What is secret is redacted even where the template wants it shown.
fn shown(record: RecordDiff, existing: &Manifest, updated: &Manifest, sensitive: bool) -> String {
    match record {
        RecordDiff::None | RecordDiff::Log => String::new(),
        RecordDiff::Censored => CENSORED.to_owned(),
        RecordDiff::InStatus => difference(existing, updated, sensitive),
    }
}

fn difference(existing: &Manifest, updated: &Manifest, sensitive: bool) -> String {
    let redaction = if sensitive { Redaction::Everything } else { Redaction::Secrets };
    truncate(&object_diff(existing, updated, redaction), DIFF_LINES)
}

/// What differed, or differs, of an object whose template wants that in the log (`recordDiff: Log`), redacted as in the status.
pub(super) fn difference_to_log(
    plan: &ObjectTemplatePlan,
    object: &ObjectPlan,
    result: &StepResult,
    sensitive: bool,
) -> Option<String> {
    match (plan.record_diff, &object.step, result) {
        (RecordDiff::Log, Step::Update { existing, merged, .. }, StepResult::Updated(_))
        | (RecordDiff::Log, Step::Probe { existing, merged, .. }, StepResult::Differs(_)) => {
            Some(difference(existing, merged, sensitive))
        }
        _ => None,
    }
}
