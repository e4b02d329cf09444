//! The status of a policy set: takes what is known of its policies on the clusters that the set selects, gives its
//! compliance and the message for people.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::sorted_placement;
use crate::api::ocm::policy::{
    ClusterStatus, ComplianceState, PlacementStatusEntry, PolicySet, PolicySetStatus, SetStatusExclusion,
};

const EXCLUDED: &str = "One or more policies were excluded. For details, see status.exclusions.";

/// What is known of one policy of a set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PolicyInSet<'a> {
    /// There is no such policy.
    Missing,
    /// Its `spec.disabled` is true.
    Disabled,
    /// It is there, with this list of clusters (`status.status` of the root policy).
    Present(&'a [ClusterStatus]),
}

/// The status of a policy set. `policies` stand in the order of its spec, `placement` is what binds the set, `clusters`
/// are those that these bindings select: what its policies do elsewhere does not count. Fields of the status before that are
/// none of Flotilla's stay.
pub fn policy_set_status(
    set: &PolicySet,
    policies: &[(&str, PolicyInSet<'_>)],
    placement: &[PlacementStatusEntry],
    clusters: &BTreeSet<&str>,
) -> PolicySetStatus {
    let other = set.status.other.clone();
    if policies.is_empty() {
        return PolicySetStatus { other, ..PolicySetStatus::default() };
    }
    let (mut pending, mut disabled, mut unknown, mut deleted) = (vec![], vec![], vec![], vec![]);
    let mut worst = None;
    for (name, policy) in policies {
        match policy {
            PolicyInSet::Missing => deleted.push(*name),
            PolicyInSet::Disabled => disabled.push(*name),
            PolicyInSet::Present(reports) => {
                let selected = reports.iter().filter(|report| clusters.contains(report.clustername.as_str()));
                // The states are ordered from good to bad, and a cluster that is silent says nothing of the others.
                match selected.filter_map(|report| report.compliant).max() {
                    None => unknown.push(*name),
                    Some(state) => {
                        if state == ComplianceState::Pending {
                            pending.push(*name);
                        }
                        worst = worst.max(Some(state));
                    }
                }
            }
        }
    }
    let hidden = !unknown.is_empty();
    let exclusions = exclusions(set);
    PolicySetStatus {
        compliant: worst.filter(|_| !hidden),
        placement: sorted_placement(placement),
        status_message: message(
            &[
                ("Policies awaiting pending dependencies", pending),
                ("Disabled policies", disabled),
                ("No status provided while awaiting policy status", unknown),
                ("Deleted policies", deleted),
            ],
            !exclusions.is_empty(),
        ),
        exclusions,
        other,
    }
}

fn message(pieces: &[(&str, Vec<&str>)], excludes: bool) -> String {
    let mut said: Vec<String> = pieces
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(text, names)| format!("{text}: {}", names.join(", ")))
        .collect();
    if said.is_empty() {
        said.push("All policies are reporting status".to_owned());
    }
    if excludes {
        said.push(EXCLUDED.to_owned());
    }
    said.join("; ")
}

/// What the set excludes, by policy; an exclusion without clusters excludes nothing.
fn exclusions(set: &PolicySet) -> Vec<SetStatusExclusion> {
    let mut clusters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for exclusion in set.spec.exclusions.iter().filter(|exclusion| !exclusion.cluster_names.is_empty()) {
        let names = exclusion.cluster_names.iter().map(String::as_str);
        clusters.entry(&exclusion.policy_name).or_default().extend(names);
    }
    clusters
        .into_iter()
        .map(|(policy, clusters)| SetStatusExclusion {
            policy_name: policy.to_owned(),
            clusters: clusters.into_iter().map(ToOwned::to_owned).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(states: &[(&str, Option<ComplianceState>)]) -> Vec<ClusterStatus> {
        states
            .iter()
            .map(|(name, compliant)| ClusterStatus {
                clustername: (*name).to_owned(),
                clusternamespace: (*name).to_owned(),
                compliant: *compliant,
                remaining_bindings: Vec::new(),
            })
            .collect()
    }

    fn status(policies: &[(&str, PolicyInSet<'_>)], selected: &[&str]) -> PolicySetStatus {
        let selected = selected.iter().copied().collect();
        policy_set_status(&PolicySet::default(), policies, &[], &selected)
    }

    #[test]
    fn one_unknown_policy_hides_the_compliance() {
        let known = clusters(&[("c1", Some(ComplianceState::NonCompliant))]);
        let silent = clusters(&[("c1", None)]);
        let status =
            status(&[("a", PolicyInSet::Present(&known)), ("b", PolicyInSet::Present(&silent))], &["c1"]);
        assert_eq!(status.compliant, None);
        assert_eq!(status.status_message, "No status provided while awaiting policy status: b");
    }

    #[test]
    fn clusters_of_other_bindings_do_not_count() {
        let reports = clusters(&[
            ("c1", Some(ComplianceState::Compliant)),
            ("c2", Some(ComplianceState::NonCompliant)),
        ]);
        let status = status(&[("a", PolicyInSet::Present(&reports))], &["c1"]);
        assert_eq!(status.compliant, Some(ComplianceState::Compliant));
        assert_eq!(status.status_message, "All policies are reporting status");
    }

    #[test]
    fn a_violation_outweighs_a_pending_policy() {
        let waits = clusters(&[("c1", Some(ComplianceState::Pending))]);
        let fails = clusters(&[("c1", Some(ComplianceState::NonCompliant))]);
        let status =
            status(&[("a", PolicyInSet::Present(&waits)), ("b", PolicyInSet::Present(&fails))], &["c1"]);
        assert_eq!(status.compliant, Some(ComplianceState::NonCompliant));
        assert_eq!(status.status_message, "Policies awaiting pending dependencies: a");
    }

    #[test]
    fn a_silent_cluster_hides_nothing_of_the_others() {
        let some = clusters(&[("c1", Some(ComplianceState::Compliant)), ("c2", None)]);
        let status = status(&[("a", PolicyInSet::Present(&some))], &["c1", "c2"]);
        assert_eq!(status.compliant, Some(ComplianceState::Compliant));
        assert_eq!(status.status_message, "All policies are reporting status");
    }

    #[test]
    fn exclusions_are_told_by_policy() {
        let set: PolicySet =
            serde_json::from_value(serde_json::json!({"spec": {"policies": ["a"], "exclusions": [
            {"policyName": "b", "clusterNames": ["c2", "c1"]}, {"policyName": "a", "clusterNames": ["c3"]},
            {"policyName": "b", "clusterNames": ["c1"]}, {"policyName": "z", "clusterNames": []}]}}))
            .unwrap();
        let status = policy_set_status(&set, &[("a", PolicyInSet::Missing)], &[], &BTreeSet::new());
        assert_eq!(
            serde_json::to_value(status).unwrap(),
            serde_json::json!({
                "exclusions": [{"policyName": "a", "clusters": ["c3"]}, {"policyName": "b", "clusters": ["c1", "c2"]}],
                "statusMessage": "Deleted policies: a; One or more policies were excluded. For details, see status.exclusions."
            })
        );
    }
}
