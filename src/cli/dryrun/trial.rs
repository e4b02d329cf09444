//! One policy tried: the hub's code from the policy to its status, without the hub.
//!
//! Everything that decides stands in the pipeline. Here its steps are only put in order, with values instead of servers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::policies::Subject;
use super::report::{ObjectDiff, Trial};
use crate::api::ocm::configuration_policy::RecordDiff;
use crate::api::ocm::configuration_policy_status::{
    ConfigurationCompliance, ConfigurationPolicyStatus, ObjectResource,
};
use crate::controller::wording::worded;
use crate::pipeline::compare::{DIFF_LINES, Redaction, object_diff, truncate};
use crate::pipeline::compliance::status::{Assessment, Related};
use crate::pipeline::lint::fields;
use crate::pipeline::plan::assess::{self, Occasion};
use crate::pipeline::plan::check::{Entries, Situation, plan};
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::plan::target::ClusterFacts;
use crate::pipeline::plan::{CheckPlan, StepResult};
use crate::pipeline::policy::checks::{self, Check, CheckError};
use crate::pipeline::render::encryption::EncryptionKeys;
use crate::pipeline::render::lookup::{Lookup, Reference};
use crate::pipeline::render::{Ambient, ClusterContext, HubRendered, RenderError, Renderer};

/// Reason of the condition of a policy whose templates fail as a whole.
const TEMPLATE_ERROR: &str = "Error processing template";

/// What is known before a policy is tried.
pub(super) struct Surroundings<'a> {
    pub(super) renderer: &'a Renderer,
    /// Name of the cluster; may be empty.
    pub(super) cluster: &'a str,
    pub(super) claims: BTreeMap<String, String>,
    pub(super) ambient: Ambient,
    /// What decrypts the values that a hub encrypted.
    pub(super) encryption: Option<EncryptionKeys>,
    pub(super) observed: &'a dyn Lookup,
    pub(super) full_diffs: bool,
    /// Whether printed differences show what a status never does.
    pub(super) show_secrets: bool,
    pub(super) now: Timestamp,
}

/// A policy before its steps are taken.
pub(super) enum Prepared {
    /// These must be looked up first.
    Waiting(BTreeSet<Reference>),
    /// It failed as a whole.
    Failed {
        /// The check.
        check: Box<Check>,
        /// What is told.
        message: String,
    },
    /// A plan that informs only.
    Planned {
        /// The check.
        check: Box<Check>,
        /// The plan.
        plan: CheckPlan,
    },
}

/// Renders a policy for the cluster and plans it. `Err`: it is no policy.
pub(super) fn prepare(
    rendered: &Result<HubRendered, RenderError>,
    subject: &Subject,
    surroundings: &Surroundings<'_>,
) -> Result<Prepared, CheckError> {
    let source = match rendered {
        Ok(rendered) => &rendered.definition,
        Err(_) => &subject.definition,
    };
    let check = Box::new(checks::read(0, &informing(source), None)?);
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => return Ok(Prepared::Failed { check, message: error.to_string() }),
    };
    let context = ClusterContext {
        cluster: surroundings.cluster.to_owned(),
        claims: surroundings.claims.clone(),
        protected: rendered.protected.clone(),
        ambient: surroundings.ambient,
        encryption: surroundings.encryption.clone(),
    };
    let (resolved, asked) =
        surroundings.renderer.cluster_phase(&check.definition, &context, surroundings.observed);
    if !asked.not_yet_known.is_empty() {
        return Ok(Prepared::Waiting(asked.not_yet_known));
    }
    let resolved = match resolved {
        Ok(resolved) => resolved,
        // Its text quotes the template, which holds what the hub phase read from a Secret.
        Err(_) if rendered.sensitive => {
            let text = "the template failed; its error is withheld because it holds values of a Secret";
            return Ok(Prepared::Failed { check, message: text.to_owned() });
        }
        Err(error) => return Ok(Prepared::Failed { check, message: error.to_string() }),
    };
    let facts = ClusterFacts { name: surroundings.cluster.to_owned(), ..ClusterFacts::default() };
    let situation = Situation {
        observed: surroundings.observed,
        cluster: &facts,
        inventory: &Inventory::default(),
        allow_destructive: false,
        may_prune: false,
    };
    let entries = Entries {
        resolved: &resolved.object_templates,
        skipped: &resolved.skipped,
        sensitive: rendered.sensitive || resolved.sensitive,
        per_object: &|index, variables| {
            let (rendered, asked) = surroundings.renderer.object_template(
                &check.definition,
                index,
                variables,
                &context,
                surroundings.observed,
            );
            if asked.not_yet_known.is_empty() { Ok(rendered) } else { Err(asked.not_yet_known) }
        },
    };
    Ok(match plan(&check, &entries, &situation) {
        Ok(plan) => Prepared::Planned { check, plan },
        Err(waiting) => Prepared::Waiting(waiting.references),
    })
}

/// The policy as it is tried: it informs, and is evaluated again whatever comes of it. There is no admission, so words that an
/// API server would refuse mean what upstream's controller takes them for.
fn informing(definition: &Value) -> Value {
    let mut informing = definition.clone();
    if let Some(Value::Array(templates)) = informing.pointer_mut("/spec/object-templates") {
        for template in templates.iter_mut().filter_map(Value::as_object_mut) {
            let unknown: Vec<String> = template
                .iter()
                .filter(|(field, value)| value.is_string() && fields::invalid(field, value).is_some())
                .map(|(field, _)| field.clone())
                .collect();
            for field in unknown {
                match field.as_str() {
                    // All that is neither of the other two.
                    "complianceType" => template.insert(field, json!("musthave")),
                    "recordDiff" => template.insert(field, json!("None")),
                    _ => template.remove(&field),
                };
            }
        }
    }
    if let Some(spec) = informing.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("remediationAction".to_owned(), json!("inform"));
        spec.remove("evaluationInterval");
        // Nothing is pruned, and how bad it is changes nothing.
        for field in ["severity", "pruneObjectBehavior"] {
            if spec
                .get(field)
                .is_some_and(|value| value.is_string() && fields::invalid(field, value).is_some())
            {
                spec.remove(field);
            }
        }
    } else {
        informing["spec"] = json!({"remediationAction": "inform"});
    }
    informing
}

/// What comes of a policy that failed as a whole.
pub(super) fn failed(
    subject: &Subject,
    check: &Check,
    message: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Trial, serde_json::Error> {
    let assessment = with_occasion(check, true, surroundings, |occasion| {
        assess::unplanned(check, TEMPLATE_ERROR, message, occasion)
    });
    trial(subject, assessment, None, surroundings)
}

/// What comes of a plan whose steps came to these results.
pub(super) fn tried(
    subject: &Subject,
    check: &Check,
    plan: &CheckPlan,
    results: &[Vec<StepResult>],
    surroundings: &Surroundings<'_>,
) -> Result<Trial, serde_json::Error> {
    let assessment = with_occasion(check, plan.sensitive, surroundings, |occasion| {
        assess::assess(check, plan, results, occasion)
    });
    trial(subject, assessment, Some(plan), surroundings)
}

fn with_occasion(
    check: &Check,
    sensitive: bool,
    surroundings: &Surroundings<'_>,
    assess: impl FnOnce(&Occasion<'_>) -> Assessment,
) -> Assessment {
    assess(&Occasion {
        previous: &ConfigurationPolicyStatus::default(),
        generation: 1,
        wording: &|status, related, ordinary| worded(check, sensitive, status, related, ordinary),
        now: surroundings.now,
    })
}

fn trial(
    subject: &Subject,
    assessment: Assessment,
    plan: Option<&CheckPlan>,
    surroundings: &Surroundings<'_>,
) -> Result<Trial, serde_json::Error> {
    let sensitive = plan.is_some_and(|plan| plan.sensitive);
    let diffs: Vec<ObjectDiff> =
        assessment.related.iter().map(|related| object_diff_of(related, sensitive, surroundings)).collect();
    let mut status = assessment.status;
    if surroundings.full_diffs && !surroundings.show_secrets {
        for (object, diff) in status.related_objects.iter_mut().zip(&diffs) {
            if let Some(properties) = &mut object.properties {
                properties.diff.clone_from(&diff.diff);
            }
        }
    }
    let logged = plan.map(|plan| logged(plan, &assessment.related)).unwrap_or_default();
    Ok(Trial {
        policy: subject.title(),
        file: subject.file.clone(),
        compliant: status.compliant == Some(ConfigurationCompliance::Compliant),
        messages: assessment.messages,
        diffs,
        logged,
        notes: plan.map(|plan| plan.notes.clone()).unwrap_or_default(),
        status: serde_json::to_value(&status)?,
    })
}

/// The differences of templates that want them in the log.
fn logged(plan: &CheckPlan, related: &[Related]) -> Vec<ObjectDiff> {
    let wanted: Vec<ObjectResource> = plan
        .templates
        .iter()
        .filter(|template| template.record_diff == RecordDiff::Log)
        .flat_map(|template| &template.objects)
        .filter_map(|object| object.key.as_ref().map(ObjectResource::of))
        .collect();
    related
        .iter()
        .filter(|related| wanted.contains(&related.object.object))
        .filter_map(|related| {
            let (existing, updated) = (related.existing.as_ref()?, related.updated.as_ref()?);
            let redaction = redaction(plan.sensitive);
            Some(ObjectDiff {
                diff: object_diff(existing, updated, redaction),
                ..shown(related, String::new())
            })
        })
        .collect()
}

fn redaction(sensitive: bool) -> Redaction {
    if sensitive { Redaction::Everything } else { Redaction::Secrets }
}

fn shown(related: &Related, diff: String) -> ObjectDiff {
    let object = &related.object.object;
    let name = &object.metadata.name;
    ObjectDiff {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        object: match object.metadata.namespace.as_str() {
            "" => name.clone(),
            namespace => format!("{namespace}/{name}"),
        },
        diff,
    }
}

fn object_diff_of(related: &Related, sensitive: bool, surroundings: &Surroundings<'_>) -> ObjectDiff {
    let recorded =
        related.object.properties.as_ref().map(|properties| properties.diff.clone()).unwrap_or_default();
    shown(related, printed(related, recorded, sensitive, surroundings))
}

/// The difference as it is printed: more than the status holds, where that is wanted.
fn printed(related: &Related, recorded: String, sensitive: bool, surroundings: &Surroundings<'_>) -> String {
    let (Some(existing), Some(updated)) = (&related.existing, &related.updated) else { return recorded };
    let whole = object_diff(existing, updated, redaction(sensitive));
    // What is recorded may be something else than the difference: that it is withheld, for one.
    if truncate(&whole, DIFF_LINES) != recorded {
        return recorded;
    }
    let whole =
        if surroundings.show_secrets { object_diff(existing, updated, Redaction::Nothing) } else { whole };
    if surroundings.full_diffs { whole } else { truncate(&whole, DIFF_LINES) }
}
