//! Which placements a policy is bound to, directly or through a PolicySet, and what the bindings override.

use crate::api::ocm::policy::{PlacementBinding, PlacementStatusEntry, PolicySet, RemediationAction};

use super::PolicyKey;

/// One way in which a policy is bound to a placement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound {
    /// Name of the PlacementBinding.
    pub binding: String,
    /// Name of the Placement, in the policy's namespace.
    pub placement: String,
    /// Name of the PolicySet, when bound through one.
    pub policy_set: Option<String>,
    /// `bindingOverrides.remediationAction: enforce`.
    pub enforce: bool,
    /// `subFilter: restricted`: overrides only, never places.
    pub restricted: bool,
}

impl Bound {
    /// The entry of `status.placement`.
    pub fn status_entry(&self) -> PlacementStatusEntry {
        PlacementStatusEntry {
            placement_binding: self.binding.clone(),
            placement: self.placement.clone(),
            placement_rule: String::new(),
            policy_set: self.policy_set.clone().unwrap_or_default(),
        }
    }
}

/// All bindings of one policy, sorted. Bindings to anything but a Placement are left out.
pub fn bindings_of<'a>(
    policy: &PolicyKey,
    bindings: impl Iterator<Item = &'a PlacementBinding>,
    sets: impl Iterator<Item = &'a PolicySet>,
) -> Vec<Bound> {
    let sets_with_policy: Vec<&str> = sets
        .filter(|set| set.metadata.namespace == policy.namespace && set.spec.policies.contains(&policy.name))
        .map(|set| set.metadata.name.as_str())
        .collect();
    let mut found: Vec<Bound> = bindings
        .filter(|binding| {
            binding.metadata.namespace == policy.namespace && binding.placement_ref.kind == "Placement"
        })
        .flat_map(|binding| {
            let sets_with_policy = &sets_with_policy;
            binding.subjects.iter().filter_map(move |subject| {
                let policy_set = match subject.kind.as_str() {
                    "Policy" if subject.name == policy.name => None,
                    "PolicySet" if sets_with_policy.contains(&subject.name.as_str()) => {
                        Some(subject.name.clone())
                    }
                    _ => return None,
                };
                Some(Bound {
                    binding: binding.metadata.name.clone(),
                    placement: binding.placement_ref.name.clone(),
                    policy_set,
                    enforce: binding.binding_overrides.remediation_action == Some(RemediationAction::Enforce),
                    restricted: binding.sub_filter == "restricted",
                })
            })
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// What the bindings make of one policy on one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// Not placed there.
    No,
    /// Placed, with the policy's own remediation action.
    Yes,
    /// Placed, and a binding makes it enforce.
    Enforced,
}

/// Whether a policy is placed on a cluster, given which placements select that cluster.
pub fn placed(bindings: &[Bound], selects_cluster: impl Fn(&str) -> bool) -> Placed {
    let selecting: Vec<&Bound> = bindings.iter().filter(|bound| selects_cluster(&bound.placement)).collect();
    if !selecting.iter().any(|bound| !bound.restricted) {
        Placed::No
    } else if selecting.iter().any(|bound| bound.enforce) {
        Placed::Enforced
    } else {
        Placed::Yes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn binding(value: serde_json::Value) -> PlacementBinding {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_set_binds_its_policies_and_a_restricted_binding_never_places() {
        let set: PolicySet =
            serde_json::from_value(json!({"metadata": {"name": "acm-app-backup", "namespace": "p"},
            "spec": {"policies": ["install", "backup"]}}))
            .unwrap();
        let bindings = [
            binding(json!({"metadata": {"name": "b1", "namespace": "p"},
                "placementRef": {"kind": "Placement", "name": "one", "apiGroup": ""},
                "subjects": [{"kind": "PolicySet", "name": "acm-app-backup", "apiGroup": ""}]})),
            binding(json!({"metadata": {"name": "b2", "namespace": "p"}, "subFilter": "restricted",
                "bindingOverrides": {"remediationAction": "enforce"},
                "placementRef": {"kind": "Placement", "name": "two", "apiGroup": ""},
                "subjects": [{"kind": "Policy", "name": "backup", "apiGroup": ""}]})),
            binding(json!({"metadata": {"name": "b3", "namespace": "other"},
                "placementRef": {"kind": "Placement", "name": "one", "apiGroup": ""},
                "subjects": [{"kind": "Policy", "name": "backup", "apiGroup": ""}]})),
        ];
        let bound = bindings_of(&PolicyKey::new("p", "backup"), bindings.iter(), [set].iter());
        assert_eq!(bound.iter().map(|bound| bound.binding.as_str()).collect::<Vec<_>>(), ["b1", "b2"]);
        assert_eq!(bound[0].policy_set.as_deref(), Some("acm-app-backup"));
        assert_eq!(placed(&bound, |placement| placement == "one"), Placed::Yes);
        assert_eq!(placed(&bound, |placement| placement == "two"), Placed::No);
        assert_eq!(placed(&bound, |_| true), Placed::Enforced);
    }
}
