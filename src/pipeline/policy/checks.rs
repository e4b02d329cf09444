//! One policy template after the hub phase, as the check it is on a cluster.

use serde_json::Value;
use thiserror::Error;

use crate::api::ocm::configuration_policy::{ConfigurationPolicy, PruneObjectBehavior, Severity};
use crate::api::ocm::policy::{Policy, RemediationAction};

/// A policy template that cannot be a check. The texts follow the framework's `template-error`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckError {
    /// The kind is not one that Flotilla evaluates.
    #[error(
        "template-error; policy template {name:?} has kind {kind:?}: only ConfigurationPolicy is evaluated"
    )]
    UnsupportedKind {
        /// Name of the template.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// It has no name.
    #[error("template-error; Failed to parse or get name from policy template at index {index}")]
    NoName {
        /// Position in `policy-templates`.
        index: usize,
    },
    /// The definition is not a ConfigurationPolicy.
    #[error("template-error; policy template {name:?} cannot be read: {message}")]
    Malformed {
        /// Name of the template.
        name: String,
        /// What serde found.
        message: String,
    },
    /// Nobody says whether to inform or to enforce.
    #[error("Policy does not have a RemediationAction specified")]
    NoRemediation,
}

/// Whether a check may change the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remediation {
    /// Report only.
    Inform,
    /// Change the cluster.
    Enforce,
}

/// One ConfigurationPolicy to evaluate on a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub remediation: Remediation,
    /// How bad a violation is.
    pub severity: Option<Severity>,
    /// What becomes of objects that it created and no longer wants.
    pub prune: PruneObjectBehavior,
    /// The typed ConfigurationPolicy.
    pub policy: ConfigurationPolicy,
    /// The same as JSON, for the cluster phase.
    pub definition: Value,
}

/// The name of a policy template, resolved or not.
pub fn template_name(definition: &Value) -> Option<&str> {
    definition.get("metadata")?.get("name")?.as_str().filter(|name| !name.is_empty())
}

/// Reads a rendered definition. `parent` is the remediation action of the Policy after binding overrides.
pub fn read(
    index: usize,
    definition: &Value,
    parent: Option<RemediationAction>,
) -> Result<Check, CheckError> {
    let name = template_name(definition).ok_or(CheckError::NoName { index })?.to_owned();
    let kind = definition.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind != "ConfigurationPolicy" {
        return Err(CheckError::UnsupportedKind { name, kind: kind.to_owned() });
    }
    let policy: ConfigurationPolicy = serde_json::from_value(definition.clone())
        .map_err(|error| CheckError::Malformed { name: name.clone(), message: error.to_string() })?;
    let remediation = remediation(policy.spec.remediation_action, parent).ok_or(CheckError::NoRemediation)?;
    Ok(Check {
        name,
        remediation,
        severity: policy.spec.severity,
        prune: policy.spec.prune_object_behavior.unwrap_or(PruneObjectBehavior::None),
        policy,
        definition: definition.clone(),
    })
}

/// What a template may do that says `own` under a Policy that says `parent`; `None` where neither says anything.
pub fn remediation(own: Option<RemediationAction>, parent: Option<RemediationAction>) -> Option<Remediation> {
    match (own, parent) {
        (Some(RemediationAction::InformOnly), _)
        | (_, Some(RemediationAction::Inform | RemediationAction::InformOnly))
        | (Some(RemediationAction::Inform), None) => Some(Remediation::Inform),
        (_, Some(RemediationAction::Enforce)) | (Some(RemediationAction::Enforce), None) => {
            Some(Remediation::Enforce)
        }
        (None, None) => None,
    }
}

/// The remediation action that a Policy imposes on its templates, after a binding's override.
pub fn parent_remediation(policy: &Policy, enforced_by_binding: bool) -> Option<RemediationAction> {
    if enforced_by_binding { Some(RemediationAction::Enforce) } else { policy.spec.remediation_action }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(action: Option<&str>) -> Value {
        let mut spec = json!({"severity": "high", "pruneObjectBehavior": "DeleteIfCreated"});
        if let Some(action) = action {
            spec["remediationAction"] = json!(action);
        }
        json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
            "metadata": {"name": "a"}, "spec": spec})
    }

    #[test]
    fn the_parent_overrides_all_but_inform_only() {
        use RemediationAction::{Enforce, Inform};
        for (own, parent, expected) in [
            (Some("Enforce"), None, Remediation::Enforce),
            (Some("inform"), None, Remediation::Inform),
            (Some("inform"), Some(Enforce), Remediation::Enforce),
            (Some("enforce"), Some(Inform), Remediation::Inform),
            (Some("informonly"), Some(Enforce), Remediation::Inform),
            (None, Some(Enforce), Remediation::Enforce),
        ] {
            assert_eq!(
                read(0, &definition(own), parent).unwrap().remediation,
                expected,
                "{own:?} {parent:?}"
            );
        }
        assert_eq!(read(0, &definition(None), None), Err(CheckError::NoRemediation));
    }

    #[test]
    fn faults_name_the_template() {
        let mut wrong = definition(Some("enforce"));
        wrong["spec"]["severity"] = json!("dire");
        let message = read(0, &wrong, None).unwrap_err().to_string();
        assert!(
            message
                .starts_with("template-error; policy template \"a\" cannot be read: \"dire\" is not one of")
        );
        wrong["kind"] = json!("IamPolicy");
        assert!(matches!(read(0, &wrong, None), Err(CheckError::UnsupportedKind { .. })));
        assert_eq!(
            read(3, &json!({"kind": "ConfigurationPolicy"}), None),
            Err(CheckError::NoName { index: 3 })
        );
    }
}
