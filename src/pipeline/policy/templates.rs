//! Whether a policy template may become a check on a cluster: what upstream's framework decides before a policy controller sees it.
//!
//! Takes the policy, one rendered definition and the state of its dependencies; gives the check, or what is said instead. The texts
//! are the framework's; what follows `template-error; ` and `Pending; ` in a status. Values of a definition are not quoted: they
//! may be secret.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::{self, Check, CheckError};
use super::dependencies::{self, Dependencies, DependencyState};
use crate::api::dns;
use crate::api::ocm::policy::{Dependency, Policy, RemediationAction};

const POLICY_GROUP: &str = "policy.open-cluster-management.io";
const CONSTRAINTS_GROUP: &str = "constraints.gatekeeper.sh";
const CONSTRAINT_TEMPLATES_GROUP: &str = "templates.gatekeeper.sh";
/// Groups of Kubernetes itself that have no dot; the others end with `.k8s.io`.
const KUBERNETES_GROUPS: [&str; 5] = ["", "apps", "autoscaling", "batch", "policy"];

/// What becomes of a policy template.
#[derive(Debug, Clone, PartialEq)]
pub enum Examined {
    /// It is checked.
    Check(Box<Check>),
    /// It is at fault.
    Error(String),
    /// The framework takes it, and the policy controller refuses its spec.
    Refused(String),
    /// It waits for dependencies.
    Pending {
        /// For which.
        text: String,
        /// Whether the policy takes that as compliant.
        ignored: bool,
    },
}

/// What is wrong with the templates of a policy taken together; it concerns all of them.
pub fn fault_of_all(policy: &Policy) -> Option<&'static str> {
    let mut names = BTreeSet::new();
    let mut all = policy
        .spec
        .policy_templates
        .iter()
        .filter_map(|template| checks::template_name(&template.object_definition));
    all.any(|name| !names.insert(name)).then_some("All policy-template names must be unique within a policy")
}

/// Examines the template at `index`. `definition` is it after the hub phase, `of_policy` and `extra` are canonical dependencies,
/// `parent` is the remediation action of the policy after the bindings' overrides.
pub fn examine(
    policy: &Policy,
    index: usize,
    definition: &Value,
    of_policy: &[Dependency],
    extra: &[Dependency],
    parent: Option<RemediationAction>,
    state: impl FnMut(&Dependency) -> DependencyState,
) -> Examined {
    let text = |field: &str| definition.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if kind.is_empty() {
        return Examined::Error(format!(
            "Failed to decode policy template with err: Object 'Kind' is missing in the template at index {index}"
        ));
    }
    if let Some(name) = dependencies::conflict(of_policy, extra) {
        return Examined::Error(format!(
            "Failed to decode policy template with err: dependency on {name} has conflicting compliance states"
        ));
    }
    let Some(name) = checks::template_name(definition) else {
        return Examined::Error(format!("Failed to parse or get name from policy template at index {index}"));
    };
    if let Some(fault) = fault_of_kind(api_version, kind) {
        return Examined::Error(fault);
    }
    match dependencies::check(of_policy, extra, state) {
        Dependencies::Satisfied => {}
        Dependencies::Pending(text) => {
            let ignored = policy.spec.policy_templates.get(index).is_some_and(|of| of.ignore_pending);
            return Examined::Pending { text, ignored };
        }
    }
    if !dns::is_subdomain(name) {
        return Examined::Error(format!(
            "Failed to create policy template: {kind}.{POLICY_GROUP} \"{name}\" is invalid: metadata.name: Invalid value: \
             \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
             must start and end with an alphanumeric character"
        ));
    }
    match checks::read(index, definition, parent) {
        Ok(check) => Examined::Check(Box::new(check)),
        Err(CheckError::Malformed { name, message }) => Examined::Error(format!(
            "Failed to create policy template: {kind}.{POLICY_GROUP} \"{name}\" is invalid: {message}"
        )),
        Err(error @ CheckError::NoRemediation) => Examined::Refused(error.to_string()),
        Err(error @ (CheckError::UnsupportedKind { .. } | CheckError::NoName { .. })) => {
            Examined::Error(error.to_string())
        }
    }
}

/// Only ConfigurationPolicies are checked here. Upstream tells kinds that its clusters do not know from kinds that it does not
/// take; a kind of Kubernetes itself is always known.
fn fault_of_kind(api_version: &str, kind: &str) -> Option<String> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if group == POLICY_GROUP && version == "v1" && kind == "ConfigurationPolicy" {
        return None;
    }
    let unmapped = |advice: &str, why: &str| format!("Mapping not found, {advice}: {why}");
    let unknown = format!("no policy controller for {api_version}, Kind={kind} runs here");
    Some(match group {
        CONSTRAINT_TEMPLATES_GROUP => unmapped("check if Gatekeeper is installed", &unknown),
        CONSTRAINTS_GROUP => unmapped("check if the required ConstraintTemplate has been deployed", &unknown),
        group if KUBERNETES_GROUPS.contains(&group) || group.ends_with(".k8s.io") => {
            format!("policy-template kind is not supported: {api_version}, Kind={kind}")
        }
        _ => unmapped("check if you have the CRD deployed", &unknown),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn said(definition: &Value) -> String {
        let policy: Policy =
            serde_json::from_value(json!({"spec": {"policy-templates": [{"objectDefinition": definition}]}}))
                .unwrap();
        match examine(&policy, 0, definition, &[], &[], None, |_| DependencyState::Absent) {
            Examined::Check(check) => format!("check {}", check.name),
            Examined::Error(text) | Examined::Pending { text, .. } => text,
            Examined::Refused(text) => format!("refused: {text}"),
        }
    }

    fn template(api_version: &str, kind: &str, name: &str) -> Value {
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name},
            "spec": {"remediationAction": "inform"}})
    }

    #[rstest]
    #[case(template("policy.open-cluster-management.io/v1", "ConfigurationPolicy", "a.b-1"), "check a.b-1")]
    #[case(
        json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
            "metadata": {"name": "a"}, "spec": {}}),
        "refused: Policy does not have a RemediationAction specified"
    )]
    #[case(json!({"metadata": {"name": "a"}}), "Failed to decode policy template with err: Object 'Kind' is missing")]
    #[case(json!({"kind": "ConfigurationPolicy"}), "Failed to parse or get name from policy template at index 0")]
    #[case(json!(7), "Failed to decode policy template with err: ")]
    #[case(
        template("policy.open-cluster-management.io/v1", "OperatorPolicy", "a"),
        "Mapping not found, check if you have the CRD deployed: "
    )]
    #[case(
        template("templates.gatekeeper.sh/v1", "ConstraintTemplate", "a"),
        "Mapping not found, check if Gatekeeper is installed: "
    )]
    #[case(
        template("apps/v1", "Deployment", "a"),
        "policy-template kind is not supported: apps/v1, Kind=Deployment"
    )]
    #[case(template("v1", "Pod", "a"), "policy-template kind is not supported: v1, Kind=Pod")]
    #[case(
        template("policy.open-cluster-management.io/v1", "ConfigurationPolicy", "A_b"),
        "Failed to create policy template: ConfigurationPolicy.policy.open-cluster-management.io \"A_b\" is invalid: "
    )]
    #[case(json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
        "metadata": {"name": "a"}, "spec": {"remediationAction": "inform", "severity": "dire"}}),
        "Failed to create policy template: ConfigurationPolicy.policy.open-cluster-management.io \"a\" is invalid: ")]
    fn what_is_said_of_a_template(#[case] definition: Value, #[case] expected: &str) {
        let said = said(&definition);
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn names_are_unique_within_a_policy() {
        let of = |names: &[&str]| {
            let templates: Vec<Value> =
                names.iter().map(|name| json!({"objectDefinition": {"metadata": {"name": name}}})).collect();
            let policy: Policy =
                serde_json::from_value(json!({"spec": {"policy-templates": templates}})).unwrap();
            fault_of_all(&policy)
        };
        assert_eq!(of(&["a", "b"]), None);
        assert_eq!(of(&["", ""]), None, "those without a name have a fault of their own");
        assert_eq!(of(&["a", "b", "a"]), Some("All policy-template names must be unique within a policy"));
    }
}
