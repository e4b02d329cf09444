//! Dependencies: how they are written into the replicated policy, and whether they hold on a cluster.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::ocm::policy::{Dependency, RequiredCompliance};

const POLICY_GROUP: &str = "policy.open-cluster-management.io";
const POLICY_API: &str = "policy.open-cluster-management.io/v1";
const POLICY_SET_API: &str = "policy.open-cluster-management.io/v1beta1";
const CONSTRAINTS_GROUP: &str = "constraints.gatekeeper.sh";
const CONSTRAINT_TEMPLATES_GROUP: &str = "templates.gatekeeper.sh";

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
        let namespace =
            if dependency.namespace.is_empty() { root_namespace } else { dependency.namespace.as_str() };
        let replicated = |name: &str| Dependency {
            kind: "Policy".to_owned(),
            api_version: POLICY_API.to_owned(),
            name: format!("{namespace}.{name}"),
            namespace: String::new(),
            compliance: dependency.compliance,
        };
        match dependency.kind.as_str() {
            "Policy" if dependency.api_version == POLICY_API => {
                if dependency.namespace.is_empty() && dependency.name.contains('.') {
                    canonical.push(dependency.clone());
                } else {
                    canonical.push(Dependency {
                        api_version: dependency.api_version.clone(),
                        ..replicated(&dependency.name)
                    });
                }
            }
            "PolicySet" if dependency.api_version == POLICY_SET_API => {
                match policies_of_set(namespace, &dependency.name) {
                    Some(policies) => canonical.extend(policies.iter().map(|policy| replicated(policy))),
                    None => {
                        canonical.push(Dependency { namespace: namespace.to_owned(), ..dependency.clone() });
                    }
                }
            }
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
}

/// What a dependency is on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencyState {
    /// There is no such kind there, or the object says nothing of compliance.
    Unknown,
    /// The kind is there, the object is not.
    Absent,
    /// It says this of its compliance, in its own word.
    Says(String),
}

impl DependencyState {
    /// What an object of any kind says of its compliance; Gatekeeper's have no word for it.
    pub fn of_object(dependency: &Dependency, object: &Value) -> Self {
        let status = object.get("status");
        let said = match group_of(dependency) {
            CONSTRAINT_TEMPLATES_GROUP => Some("Compliant".to_owned()),
            CONSTRAINTS_GROUP => {
                status.and_then(|status| status.get("totalViolations")?.as_i64()).map(|violations| {
                    if violations == 0 { "Compliant".to_owned() } else { "NonCompliant".to_owned() }
                })
            }
            _ => status.and_then(|status| status.get("compliant")?.as_str()).map(ToOwned::to_owned),
        };
        said.map_or(Self::Unknown, Self::Says)
    }

    fn meets(&self, dependency: &Dependency) -> bool {
        match self {
            Self::Unknown => false,
            // A constraint template that is not there is not in force, which is what is asked for.
            Self::Absent => {
                group_of(dependency) == CONSTRAINT_TEMPLATES_GROUP
                    && dependency.compliance != RequiredCompliance::Compliant
            }
            Self::Says(word) => word == dependency.compliance.as_str(),
        }
    }
}

/// Whether a dependency is on a policy or one of its templates, whose compliance the hub knows by itself.
pub fn is_on_policy(dependency: &Dependency) -> bool {
    dependency.api_version == POLICY_API
        && matches!(dependency.kind.as_str(), "Policy" | "ConfigurationPolicy")
}

fn group_of(dependency: &Dependency) -> &str {
    dependency.api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Version, kind, namespace and name. A policy without a namespace is in the cluster's, like any other.
fn identity(dependency: &Dependency) -> (&str, &str, &str, &str) {
    let namespace = if group_of(dependency) == POLICY_GROUP { "" } else { dependency.namespace.as_str() };
    (&dependency.api_version, &dependency.kind, namespace, &dependency.name)
}

/// Each dependency once. Of two states that the policy itself asks for the first counts.
fn distinct<'a>(
    of_policy: &'a [Dependency],
    extra: &'a [Dependency],
) -> BTreeMap<(&'a str, &'a str, &'a str, &'a str), &'a Dependency> {
    let mut wanted = BTreeMap::new();
    for dependency in of_policy.iter().chain(extra) {
        wanted.entry(identity(dependency)).or_insert(dependency);
    }
    wanted
}

/// The name of a dependency that a template asks for in two states, one of which may be the policy's.
pub fn conflict<'a>(of_policy: &'a [Dependency], extra: &'a [Dependency]) -> Option<&'a str> {
    let wanted = distinct(of_policy, extra);
    let clash = |dependency: &&Dependency| {
        wanted.get(&identity(dependency)).is_some_and(|first| first.compliance != dependency.compliance)
    };
    extra.iter().find(clash).map(|dependency| dependency.name.as_str())
}

/// Checks canonical dependencies against what they are on the cluster.
pub fn check(
    of_policy: &[Dependency],
    extra: &[Dependency],
    mut state: impl FnMut(&Dependency) -> DependencyState,
) -> Dependencies {
    let mut pending: Vec<String> = distinct(of_policy, extra)
        .into_values()
        .filter(|dependency| !state(dependency).meets(dependency))
        .map(|dependency| format!("{} {}", dependency.kind, dependency.name))
        .collect();
    pending.sort();
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
        let says = |word: &'static str| move |_: &Dependency| DependencyState::Says(word.to_owned());
        assert_eq!(
            check(&canonical, &[], says("NonCompliant")),
            Dependencies::Pending(
                "Dependencies were not satisfied: 1 is still pending (Policy policies.oadp-hdr-app-install)"
                    .to_owned()
            )
        );
        assert_eq!(check(&canonical, &[], says("Compliant")), Dependencies::Satisfied);
    }

    #[test]
    fn those_that_wait_are_counted_once_and_sorted() {
        use RequiredCompliance::Compliant;
        let of_policy = [
            dependency("Policy", "p.b", "", Compliant),
            dependency("ConfigurationPolicy", "z", "c1", Compliant),
        ];
        let extra = [
            dependency("Policy", "p.b", "", Compliant),
            dependency("ConfigurationPolicy", "z", "", Compliant),
            dependency("Policy", "p.a", "", Compliant),
        ];
        assert_eq!(
            check(&of_policy, &extra, |_| DependencyState::Absent),
            Dependencies::Pending(
                "Dependencies were not satisfied: 3 are still pending (ConfigurationPolicy z, Policy p.a, Policy p.b)"
                    .to_owned()
            )
        );
    }

    #[test]
    fn two_states_of_one_dependency_conflict_where_a_template_asks_for_one() {
        use RequiredCompliance::{Compliant, NonCompliant};
        let compliant = dependency("Policy", "a.b", "", Compliant);
        let not = dependency("Policy", "a.b", "", NonCompliant);
        assert_eq!(conflict(std::slice::from_ref(&compliant), std::slice::from_ref(&not)), Some("a.b"));
        assert_eq!(conflict(&[], &[compliant.clone(), not.clone()]), Some("a.b"));
        let of_policy = [compliant.clone(), not];
        assert_eq!(conflict(&of_policy, &[]), None, "the framework takes the first");
        let says = |_: &Dependency| DependencyState::Says("Compliant".to_owned());
        assert_eq!(check(&of_policy, &[], says), Dependencies::Satisfied);
        let other_version = Dependency { api_version: "other/v1".to_owned(), ..compliant.clone() };
        assert_eq!(conflict(&[compliant], &[other_version]), None);
    }

    #[test]
    fn objects_of_any_kind_say_how_they_are() {
        use serde_json::json;
        let of = |api: &str, compliance, object: Option<Value>| {
            let dependency =
                Dependency { api_version: api.to_owned(), ..dependency("Any", "x", "", compliance) };
            let state = object
                .map_or(DependencyState::Absent, |object| DependencyState::of_object(&dependency, &object));
            check(&[dependency], &[], |_| state.clone()) == Dependencies::Satisfied
        };
        let yes = RequiredCompliance::Compliant;
        let no = RequiredCompliance::NonCompliant;
        assert!(of("a/v1", yes, Some(json!({"status": {"compliant": "Compliant"}}))));
        assert!(!of("a/v1", yes, Some(json!({"status": {}}))));
        assert!(!of("a/v1", no, None));
        assert!(of("templates.gatekeeper.sh/v1", yes, Some(json!({}))));
        assert!(of("templates.gatekeeper.sh/v1", no, None));
        assert!(of("constraints.gatekeeper.sh/v1beta1", no, Some(json!({"status": {"totalViolations": 2}}))));
        assert!(!of("constraints.gatekeeper.sh/v1beta1", yes, Some(json!({"status": {}}))));
    }

    #[test]
    fn only_the_apis_own_version_makes_a_policy_or_set() {
        let mut set = dependency("PolicySet", "s", "", RequiredCompliance::Compliant);
        assert_eq!(canonical(&[set.clone()], "p", |_, _| Some(vec!["a".to_owned()])), [set.clone()]);
        set.api_version = POLICY_SET_API.to_owned();
        let expanded = canonical(&[set.clone()], "p", |_, _| Some(vec!["a".to_owned()]));
        assert_eq!((expanded[0].kind.as_str(), expanded[0].name.as_str()), ("Policy", "p.a"));
        assert_eq!(canonical(&[set.clone()], "p", |_, _| None)[0].namespace, "p");
    }
}
