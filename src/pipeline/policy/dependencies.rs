//! Dependencies: how they are written into the replicated policy, and whether they hold on a cluster.

use std::collections::BTreeMap;

use crate::api::ocm::policy::{ComplianceState, Dependency, RequiredCompliance};

const POLICY_GROUP: &str = "policy.open-cluster-management.io";

/// The dependencies as the replicated policy carries them: Policies by their replicated name, PolicySets expanded.
///
/// A missing PolicySet stays, with the root's namespace filled in; a name that already holds a dot is left alone.
pub fn canonical(
    dependencies: &[Dependency],
    root_namespace: &str,
    policies_of_set: impl Fn(&str, &str) -> Option<Vec<String>>,
) -> Vec<Dependency> {
    let mut canonical = Vec::new();
    for dependency in dependencies {
        let group = dependency.api_version.split('/').next().unwrap_or_default();
        let namespace =
            if dependency.namespace.is_empty() { root_namespace } else { dependency.namespace.as_str() };
        let replicated = |name: &str| Dependency {
            kind: "Policy".to_owned(),
            api_version: "policy.open-cluster-management.io/v1".to_owned(),
            name: format!("{namespace}.{name}"),
            namespace: String::new(),
            compliance: dependency.compliance,
        };
        match dependency.kind.as_str() {
            "Policy" if group == POLICY_GROUP => {
                if dependency.namespace.is_empty() && dependency.name.contains('.') {
                    canonical.push(dependency.clone());
                } else {
                    canonical.push(Dependency {
                        api_version: dependency.api_version.clone(),
                        ..replicated(&dependency.name)
                    });
                }
            }
            "PolicySet" if group == POLICY_GROUP => match policies_of_set(namespace, &dependency.name) {
                Some(policies) => canonical.extend(policies.iter().map(|policy| replicated(policy))),
                None => canonical.push(Dependency { namespace: namespace.to_owned(), ..dependency.clone() }),
            },
            _ => canonical.push(dependency.clone()),
        }
    }
    canonical
}

/// Whether the dependencies of a template hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependencies {
    /// All hold.
    Satisfied,
    /// Some do not; the text is the framework's, after `Pending; `.
    Pending(String),
    /// The same dependency is asked for in two states.
    Conflicting(String),
}

/// Checks canonical dependencies against the compliance known on the cluster, by `(kind, name)`.
pub fn check<'a>(
    dependencies: impl Iterator<Item = &'a Dependency>,
    compliance: impl Fn(&str, &str) -> Option<ComplianceState>,
) -> Dependencies {
    let mut wanted: BTreeMap<(&str, &str), RequiredCompliance> = BTreeMap::new();
    let mut pending = Vec::new();
    for dependency in dependencies {
        let identity = (dependency.kind.as_str(), dependency.name.as_str());
        match wanted.insert(identity, dependency.compliance) {
            Some(earlier) if earlier != dependency.compliance => {
                return Dependencies::Conflicting(format!(
                    "template-error; Failed to decode policy template with err: dependency on {} has conflicting \
                     compliance states",
                    dependency.name
                ));
            }
            Some(_) => continue,
            None => {}
        }
        if !compliance(identity.0, identity.1).is_some_and(|state| dependency.compliance.is_met_by(state)) {
            pending.push(format!("{} {}", dependency.kind, dependency.name));
        }
    }
    let are = match pending.len() {
        0 => return Dependencies::Satisfied,
        1 => "1 is".to_owned(),
        many => format!("{many} are"),
    };
    Dependencies::Pending(format!(
        "Dependencies were not satisfied: {are} still pending ({})",
        pending.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(kind: &str, name: &str, namespace: &str, compliance: RequiredCompliance) -> Dependency {
        Dependency {
            api_version: "policy.open-cluster-management.io/v1".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            compliance,
        }
    }

    #[test]
    fn a_pending_dependency_is_named_with_its_replicated_name() {
        let raw = [dependency("Policy", "oadp-hdr-app-install", "", RequiredCompliance::Compliant)];
        let canonical = canonical(&raw, "policies", |_, _| None);
        assert_eq!(canonical[0].name, "policies.oadp-hdr-app-install");
        assert_eq!(
            check(canonical.iter(), |_, _| Some(ComplianceState::NonCompliant)),
            Dependencies::Pending(
                "Dependencies were not satisfied: 1 is still pending (Policy policies.oadp-hdr-app-install)"
                    .to_owned()
            )
        );
        assert_eq!(check(canonical.iter(), |_, _| Some(ComplianceState::Compliant)), Dependencies::Satisfied);
    }

    #[test]
    fn two_states_of_one_dependency_conflict() {
        let both = [
            dependency("Policy", "a.b", "", RequiredCompliance::Compliant),
            dependency("Policy", "a.b", "", RequiredCompliance::NonCompliant),
        ];
        assert!(matches!(check(both.iter(), |_, _| None), Dependencies::Conflicting(_)));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "conformance data is a file")]
    fn canonical_names_follow_upstream_cases() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../shared/data/conformance/hub/canonicalize_dependencies.jsonl"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: {path} is absent");
            return;
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let input: Vec<Dependency> = serde_json::from_value(case["input"].clone()).unwrap();
            let expected: Vec<Dependency> = serde_json::from_value(case["expected"].clone()).unwrap();
            let actual = canonical(&input, case["root_namespace"].as_str().unwrap(), |namespace, name| {
                let sets = case["policysets"].as_array().unwrap();
                let set = sets.iter().find(|set| set["namespace"] == namespace && set["name"] == name)?;
                serde_json::from_value(set["policies"].clone()).ok()
            });
            assert_eq!(actual, expected, "{}", case["id"]);
        }
    }
}
