//! Which placements a policy is bound to, directly or through a PolicySet, what the bindings override, and what of it stands in
//! the status of the root policy.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::ocm::policy::{
    PlacementBinding, PlacementStatusEntry, PolicyExclusion, PolicySet, RemediationAction,
};

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
    /// Clusters that the PolicySet excludes the policy from.
    pub excluded: BTreeSet<String>,
}

/// All bindings of one policy, sorted. Bindings to anything but a Placement are left out.
pub fn bindings_of<'a>(
    policy: &PolicyKey,
    bindings: impl Iterator<Item = &'a PlacementBinding>,
    sets: impl Iterator<Item = &'a PolicySet>,
) -> Vec<Bound> {
    let sets_with_policy: BTreeMap<&str, BTreeSet<String>> = sets
        .filter(|set| set.metadata.namespace == policy.namespace && set.spec.policies.contains(&policy.name))
        .map(|set| {
            let exclusions = set.spec.exclusions.iter().filter(|of| of.policy_name == policy.name);
            let clusters = exclusions.flat_map(|exclusion| exclusion.cluster_names.iter().cloned());
            (set.metadata.name.as_str(), clusters.collect())
        })
        .collect();
    let mut found: Vec<Bound> = bindings
        .filter(|binding| {
            binding.metadata.namespace == policy.namespace && binding.placement_ref.kind == "Placement"
        })
        .flat_map(|binding| {
            let sets_with_policy = &sets_with_policy;
            binding.subjects.iter().filter_map(move |subject| {
                let (policy_set, excluded) = match subject.kind.as_str() {
                    "Policy" if subject.name == policy.name => (None, BTreeSet::new()),
                    "PolicySet" => {
                        let excluded = sets_with_policy.get(subject.name.as_str())?;
                        (Some(subject.name.clone()), excluded.clone())
                    }
                    _ => return None,
                };
                Some(Bound {
                    binding: binding.metadata.name.clone(),
                    placement: binding.placement_ref.name.clone(),
                    policy_set,
                    enforce: binding.binding_overrides.remediation_action == Some(RemediationAction::Enforce),
                    restricted: binding.sub_filter == "restricted",
                    excluded,
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
pub fn placed(bindings: &[Bound], cluster: &str, selects_cluster: impl Fn(&str) -> bool) -> Placed {
    let reaching: Vec<&Bound> = bindings
        .iter()
        .filter(|bound| selects_cluster(&bound.placement) && !is_excluded(bindings, &bound.binding, cluster))
        .collect();
    if !reaching.iter().any(|bound| !bound.restricted) {
        Placed::No
    } else if reaching.iter().any(|bound| bound.enforce) {
        Placed::Enforced
    } else {
        Placed::Yes
    }
}

/// Whether a binding does not reach a cluster although its placement selects it: every way goes through PolicySets, and one of
/// them excludes the cluster.
fn is_excluded(bindings: &[Bound], binding: &str, cluster: &str) -> bool {
    let mut ways = bindings.iter().filter(|bound| bound.binding == binding);
    ways.clone().all(|way| way.policy_set.is_some()) && ways.any(|way| way.excluded.contains(cluster))
}

/// Which bindings exclude the policy from a cluster that their placement selects.
pub fn excluding<'a>(
    bindings: &'a [Bound],
    cluster: &'a str,
    selects_cluster: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = &'a Bound> + 'a {
    bindings.iter().filter(move |bound| {
        selects_cluster(&bound.placement) && is_excluded(bindings, &bound.binding, cluster)
    })
}

/// Names of the bindings that keep a policy on a cluster from which another binding excludes it; none where no binding does.
pub fn remaining<'a>(
    bindings: &'a [Bound],
    cluster: &str,
    selects_cluster: impl Fn(&str) -> bool,
) -> BTreeSet<&'a str> {
    let selecting = bindings.iter().filter(|bound| selects_cluster(&bound.placement));
    let (excluded, active): (BTreeSet<&str>, BTreeSet<&str>) = selecting
        .map(|bound| bound.binding.as_str())
        .partition(|binding| is_excluded(bindings, binding, cluster));
    if excluded.is_empty() { BTreeSet::new() } else { active }
}

/// `status.placement` of the root policy, sorted. `selected` are the clusters of a placement, `None` where there is no such
/// placement. A restricted binding shows where it reaches a cluster that another one places.
pub fn placement_status<'a>(
    bindings: &[Bound],
    disabled: bool,
    selected: impl Fn(&str) -> Option<&'a BTreeSet<String>>,
) -> Vec<PlacementStatusEntry> {
    let reaches = |bound: &Bound, cluster: &String| {
        selected(&bound.placement).is_some_and(|clusters| clusters.contains(cluster))
            && !is_excluded(bindings, &bound.binding, cluster)
    };
    let is_placed =
        |cluster: &String| bindings.iter().any(|bound| !bound.restricted && reaches(bound, cluster));
    let shows = |bound: &Bound| {
        !bound.restricted
            || (!disabled
                && selected(&bound.placement).is_some_and(|clusters| {
                    clusters.iter().any(|cluster| reaches(bound, cluster) && is_placed(cluster))
                }))
    };
    let mut entries: Vec<PlacementStatusEntry> = bindings
        .iter()
        .filter(|bound| shows(bound))
        .map(|bound| PlacementStatusEntry {
            placement_binding: bound.binding.clone(),
            placement: selected(&bound.placement).map(|_| bound.placement.clone()).unwrap_or_default(),
            placement_rule: String::new(),
            policy_set: bound.policy_set.clone().unwrap_or_default(),
            exclusions: bound
                .excluded
                .iter()
                .map(|cluster| PolicyExclusion { cluster_name: cluster.clone() })
                .collect(),
        })
        .collect();
    entries.sort();
    entries.dedup();
    entries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn binding(value: Value) -> PlacementBinding {
        serde_json::from_value(value).unwrap()
    }

    fn set(exclusions: &Value) -> PolicySet {
        serde_json::from_value(json!({"metadata": {"name": "acm-app-backup", "namespace": "p"},
            "spec": {"policies": ["install", "backup"], "exclusions": exclusions}}))
        .unwrap()
    }

    fn bind(name: &str, placement: &str, subjects: &[(&str, &str)], more: &Value) -> PlacementBinding {
        let subjects: Vec<Value> = subjects
            .iter()
            .map(|(kind, name)| json!({"kind": kind, "name": name, "apiGroup": "policy.open-cluster-management.io"}))
            .collect();
        let mut value = json!({"metadata": {"name": name, "namespace": "p"}, "subjects": subjects,
            "placementRef": {"kind": "Placement", "name": placement, "apiGroup": "cluster.open-cluster-management.io"}});
        for (field, of) in more.as_object().unwrap() {
            value[field] = of.clone();
        }
        binding(value)
    }

    const SET: (&str, &str) = ("PolicySet", "acm-app-backup");

    #[test]
    fn a_set_binds_its_policies_and_a_restricted_binding_never_places() {
        let set = set(&json!([]));
        let restricted =
            json!({"subFilter": "restricted", "bindingOverrides": {"remediationAction": "Enforce"}});
        let mut elsewhere = bind("b3", "one", &[("Policy", "backup")], &json!({}));
        elsewhere.metadata.namespace = "other".to_owned();
        let bindings = [
            bind("b1", "one", &[SET], &json!({})),
            bind("b2", "two", &[("Policy", "backup")], &restricted),
            elsewhere,
        ];
        let bound = bindings_of(&PolicyKey::new("p", "backup"), bindings.iter(), [set].iter());
        assert_eq!(bound.iter().map(|bound| bound.binding.as_str()).collect::<Vec<_>>(), ["b1", "b2"]);
        assert_eq!(bound[0].policy_set.as_deref(), Some("acm-app-backup"));
        assert_eq!(placed(&bound, "c", |placement| placement == "one"), Placed::Yes);
        assert_eq!(placed(&bound, "c", |placement| placement == "two"), Placed::No);
        assert_eq!(placed(&bound, "c", |_| true), Placed::Enforced);
    }

    #[test]
    fn an_exclusion_closes_the_way_through_its_set_alone() {
        let set = set(
            &json!([{"policyName": "backup", "clusterNames": ["c2"]}, {"policyName": "install", "clusterNames": ["c1"]}]),
        );
        let direct = ("Policy", "backup");
        let of = |bindings: &[PlacementBinding]| {
            bindings_of(&PolicyKey::new("p", "backup"), bindings.iter(), [set.clone()].iter())
        };
        let through_set = of(&[bind("b1", "one", &[SET], &json!({}))]);
        assert_eq!(placed(&through_set, "c1", |_| true), Placed::Yes);
        assert_eq!(placed(&through_set, "c2", |_| true), Placed::No);
        assert!(remaining(&through_set, "c1", |_| true).is_empty());
        let both = of(&[bind("b1", "one", &[SET], &json!({})), bind("b2", "two", &[direct], &json!({}))]);
        assert_eq!(placed(&both, "c2", |_| true), Placed::Yes);
        assert_eq!(placed(&both, "c2", |placement| placement == "one"), Placed::No);
        assert_eq!(remaining(&both, "c2", |_| true), BTreeSet::from(["b2"]));
        assert!(remaining(&both, "c1", |_| true).is_empty());
        let in_one = of(&[bind("b1", "one", &[SET, direct], &json!({}))]);
        assert_eq!(placed(&in_one, "c2", |_| true), Placed::Yes);
        assert_eq!(
            excluding(&both, "c2", |_| true).map(|bound| bound.binding.as_str()).collect::<Vec<_>>(),
            ["b1"]
        );
    }

    #[test]
    fn the_status_names_what_binds() {
        let bindings = [
            bind("b2", "two", &[("Policy", "backup")], &json!({"subFilter": "restricted"})),
            bind("b3", "gone", &[("Policy", "backup")], &json!({})),
            bind("b1", "one", &[SET], &json!({})),
        ];
        let set = set(&json!([{"policyName": "backup", "clusterNames": ["c9"]}]));
        let bound = bindings_of(&PolicyKey::new("p", "backup"), bindings.iter(), [set].iter());
        let status = |one: &[&str], two: &[&str], disabled: bool| {
            let clusters =
                |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
            let (one, two) = (clusters(one), clusters(two));
            let entries = placement_status(&bound, disabled, |placement| match placement {
                "one" => Some(&one),
                "two" => Some(&two),
                _ => None,
            });
            serde_json::to_value(entries).unwrap()
        };
        let through_set = json!({"placementBinding": "b1", "placement": "one", "policySet": "acm-app-backup",
            "exclusions": [{"clusterName": "c9"}]});
        let restricted = json!({"placementBinding": "b2", "placement": "two"});
        let gone = json!({"placementBinding": "b3"});
        assert_eq!(status(&["c1"], &["c1", "c2"], false), json!([through_set, restricted, gone]));
        assert_eq!(status(&["c1"], &["c2"], false), json!([through_set, gone]));
        assert_eq!(status(&["c9"], &["c9"], false), json!([through_set, gone]));
        assert_eq!(status(&["c1"], &["c1"], true), json!([through_set, gone]));
    }

    proptest! {
        #[test]
        fn the_order_of_bindings_and_sets_does_not_matter(
            bindings in prop::collection::vec((0_u8..4, 0_u8..3, 0_u8..3, any::<(bool, bool)>()), 0..6),
            reverse in any::<(bool, bool)>(),
        ) {
            let mut bindings: Vec<PlacementBinding> = bindings
                .into_iter()
                .map(|(name, placement, subject, (restricted, enforce))| {
                    let subject = [("Policy", "backup"), SET, ("PolicySet", "other")][usize::from(subject)];
                    let more = json!({"subFilter": if restricted { "restricted" } else { "" },
                        "bindingOverrides": {"remediationAction": enforce.then_some("enforce")}});
                    bind(&format!("b{name}"), &format!("p{placement}"), &[subject], &more)
                })
                .collect();
            let mut sets = [set(&json!([{"policyName": "backup", "clusterNames": ["c1"]}])), {
                let mut other = set(&json!([]));
                other.metadata.name = "other".to_owned();
                other
            }];
            let key = PolicyKey::new("p", "backup");
            let before = bindings_of(&key, bindings.iter(), sets.iter());
            if reverse.0 { bindings.reverse(); }
            if reverse.1 { sets.reverse(); }
            prop_assert_eq!(bindings_of(&key, bindings.iter(), sets.iter()), before);
        }
    }
}
