//! One policy for one cluster as it is printed.

use serde::Serialize;
use serde_json::Value;

use crate::api::ocm::policy::ComplianceState;
use crate::cli::exit::Failure;
use crate::cli::messages::grouped;
use crate::cli::output::{Structured, document_text};
use crate::controller::evaluate::{CheckState, Evaluated};
use crate::pipeline::compliance::{Reason, compliance_of_message};
use crate::pipeline::plan::assess;
use crate::pipeline::plan::{CheckPlan, ObjectPlan, Step};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::checks::Remediation;
use crate::pipeline::render::lookup::Reference;

/// Said of a check that wants objects only once it finds others.
const NO_OBJECTS: &str = "no objects as things stand offline, where look-ups on the cluster find nothing";

/// Whether a policy could not be rendered in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errors {
    /// It could.
    None,
    /// It could not.
    Some,
}

/// What would be pushed to a cluster for a policy.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// The cluster.
    pub(super) cluster: String,
    /// `namespace/name`.
    pub(super) policy: String,
    /// The objects, in the order of the policy.
    pub(super) objects: Vec<Value>,
    /// Errors, what is held back, what was translated.
    pub(super) messages: Vec<String>,
    /// Whether some of the messages are errors.
    #[serde(skip)]
    pub(super) errors: Errors,
}

impl Entry {
    pub(super) fn new(cluster: &str, policy: &PolicyKey, evaluated: &Evaluated, show_secrets: bool) -> Self {
        let mut objects = Vec::new();
        let mut messages = Vec::new();
        let mut errors = Errors::None;
        for check in &evaluated.checks {
            let said = match &check.state {
                CheckState::Reported(message) => {
                    if compliance_of_message(message) == ComplianceState::NonCompliant {
                        errors = Errors::Some;
                    }
                    vec![message.clone()]
                }
                CheckState::Planned { check, plan } => {
                    if check.remediation == Remediation::Enforce {
                        let desired = planned(plan).filter_map(|object| object.desired.as_ref());
                        objects.extend(desired.map(|object| shown(object.to_value(), show_secrets)));
                    }
                    if planned(plan).any(is_error) {
                        errors = Errors::Some;
                    }
                    if check.remediation == Remediation::Enforce && plan.templates.is_empty() {
                        messages.push((check.name.clone(), NO_OBJECTS.to_owned()));
                    }
                    let tells = planned(plan).any(|object| is_error(object) || is_held(object));
                    tells
                        .then(|| assess::planned(plan))
                        .into_iter()
                        .chain(plan.notes.iter().cloned())
                        .collect()
                }
            };
            messages.extend(said.into_iter().map(|text| (check.name.clone(), text)));
        }
        Self {
            cluster: cluster.to_owned(),
            policy: policy.to_string(),
            objects,
            messages: grouped(messages).iter().map(ToString::to_string).collect(),
            errors,
        }
    }

    /// A policy that looks up what no file can tell.
    pub(super) fn unknown<'a>(
        cluster: &str,
        policy: &PolicyKey,
        references: impl Iterator<Item = &'a Reference>,
    ) -> Self {
        let kinds: Vec<String> = references.map(|reference| reference.gvk.to_string()).collect();
        Self {
            cluster: cluster.to_owned(),
            policy: policy.to_string(),
            objects: Vec::new(),
            messages: vec![format!(
                "it cannot be known offline what the look-ups find: {}",
                kinds.join(", ")
            )],
            errors: Errors::Some,
        }
    }
}

fn planned(plan: &CheckPlan) -> impl Iterator<Item = &ObjectPlan> {
    plan.templates.iter().flat_map(|template| &template.objects)
}

/// A template that gives no object, as opposed to an object that is merely not there yet.
fn is_error(object: &ObjectPlan) -> bool {
    !object.finding.compliant && matches!(object.finding.reason, Reason::Other { .. })
}

fn is_held(object: &ObjectPlan) -> bool {
    matches!(object.step, Step::Hold { .. })
}

/// The object without the values of Secrets, wherever they stand in it.
fn shown(value: Value, show_secrets: bool) -> Value {
    if show_secrets {
        return value;
    }
    match value {
        Value::Object(fields) => {
            let is_secret = fields.get("kind").and_then(Value::as_str) == Some("Secret");
            let shown = fields.into_iter().map(|(key, value)| {
                let hidden = is_secret && matches!(key.as_str(), "data" | "stringData");
                let value = if hidden { redacted(value) } else { shown(value, show_secrets) };
                (key, value)
            });
            Value::Object(shown.collect())
        }
        Value::Array(entries) => {
            Value::Array(entries.into_iter().map(|entry| shown(entry, show_secrets)).collect())
        }
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}

fn redacted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, redacted(value))).collect())
        }
        Value::Null => Value::Null,
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Value::String("<redacted>".to_owned())
        }
    }
}

/// All entries: a list in JSON; in YAML a document per object that kubectl can read, with comments that say whose it is.
pub(super) fn text(entries: &[Entry], format: Structured) -> Result<String, Failure> {
    match format {
        Structured::Json => document_text(&entries, Structured::Json),
        Structured::Yaml => entries.iter().map(yaml).collect(),
    }
}

fn yaml(entry: &Entry) -> Result<String, Failure> {
    let heading = format!("---\n# cluster: {}, policy: {}\n", entry.cluster, entry.policy);
    let mut text = heading.clone();
    for message in &entry.messages {
        for (index, line) in message.lines().enumerate() {
            let begin = if index == 0 { "# message: " } else { "#   " };
            text.push_str(begin);
            text.push_str(line);
            text.push('\n');
        }
    }
    for (index, object) in entry.objects.iter().enumerate() {
        if index > 0 {
            text.push_str(&heading);
        }
        text.push_str(&document_text(object, Structured::Yaml)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_secrets_are_hidden_wherever_they_stand() {
        let secret = json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "QQ=="}, "stringData": {"b": "c"}});
        let hidden = json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "<redacted>"},
            "stringData": {"b": "<redacted>"}});
        assert_eq!(shown(secret.clone(), false), hidden);
        assert_eq!(shown(secret.clone(), true), secret);
        let work = json!({"kind": "ManifestWork", "manifests": [secret]});
        assert_eq!(shown(work, false), json!({"kind": "ManifestWork", "manifests": [hidden]}));
    }

    #[test]
    fn yaml_says_whose_an_object_is() {
        let entry = Entry {
            cluster: "c1".to_owned(),
            policy: "ns/p".to_owned(),
            objects: vec![json!({"kind": "A"}), json!({"kind": "B"})],
            messages: vec!["check: one\ntwo".to_owned()],
            errors: Errors::None,
        };
        assert_eq!(
            text(&[entry], Structured::Yaml).unwrap(),
            "---\n# cluster: c1, policy: ns/p\n# message: check: one\n#   two\nkind: A\n---\n# cluster: c1, policy: ns/p\n\
             kind: B\n"
        );
    }
}
