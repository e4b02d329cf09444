//! The messages that the author of a ConfigurationPolicy words (`spec.customMessage`).

use serde_json::{Value, json};

use crate::api::ocm::configuration_policy_status::{ConfigurationCompliance, ConfigurationPolicyStatus};
use crate::pipeline::compare::{Redaction, redacted};
use crate::pipeline::compliance::status::Related;
use crate::pipeline::policy::checks::Check;
use crate::pipeline::render;

/// The message of a check for a status, given the ordinary one. In `sensitive` checks, objects show no values.
pub fn worded(
    check: &Check,
    sensitive: bool,
    status: &ConfigurationPolicyStatus,
    related: &[Related],
    ordinary: &str,
) -> String {
    let wanted = &check.policy.spec.custom_message;
    let template = match status.compliant {
        Some(ConfigurationCompliance::Compliant) => &wanted.compliant,
        Some(_) | None => &wanted.noncompliant,
    };
    if template.is_empty() {
        return ordinary.to_owned();
    }
    match render::message(template, &data(check, sensitive, status, related, ordinary)) {
        Ok(message) => message,
        Err(error) => format!("{ordinary} (failure processing the custom message: {error})"),
    }
}

/// `.DefaultMessage`, and `.Policy` with its status; related objects stand there in full, as far as they are known.
fn data(
    check: &Check,
    sensitive: bool,
    status: &ConfigurationPolicyStatus,
    related: &[Related],
    ordinary: &str,
) -> Value {
    let redaction = if sensitive { Redaction::Everything } else { Redaction::Secrets };
    let mut policy = check.definition.clone();
    // A status always has a form.
    let mut status = serde_json::to_value(status).unwrap_or_default();
    if let Some(objects) = status.get_mut("relatedObjects").and_then(Value::as_array_mut) {
        for (object, related) in objects.iter_mut().zip(related) {
            if let Some(current) = &related.current {
                object["object"] = redacted(current, redaction);
            }
        }
    }
    if let Some(policy) = policy.as_object_mut() {
        policy.insert("status".to_owned(), status);
    }
    json!({"DefaultMessage": ordinary, "Policy": policy})
}
