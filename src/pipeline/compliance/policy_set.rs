//! The status of a policy set: takes what is known of its policies on the clusters that the set selects, gives its
//! compliance and the message for people.

use std::collections::BTreeSet;

use super::policy::{RootTally, sorted_placement};
use crate::api::ocm::policy::{ClusterStatus, ComplianceState, PlacementStatusEntry, PolicySetStatus};

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
/// are those that these bindings select: what its policies do elsewhere does not count. Fields of `previous` that are
/// none of Flotilla's stay.
pub fn policy_set_status(
    previous: &PolicySetStatus,
    policies: &[(&str, PolicyInSet<'_>)],
    placement: &[PlacementStatusEntry],
    clusters: &BTreeSet<&str>,
) -> PolicySetStatus {
    let other = previous.other.clone();
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
                match compliance(selected) {
                    None => unknown.push(*name),
                    Some(state) => {
                        if state == ComplianceState::Pending {
                            pending.push(*name);
                        }
                        // The states are ordered from good to bad.
                        worst = worst.max(Some(state));
                    }
                }
            }
        }
    }
    let pieces = [
        ("Policies awaiting pending dependencies", pending),
        ("Disabled policies", disabled),
        ("No status provided while awaiting policy status", unknown.clone()),
        ("Deleted policies", deleted),
    ];
    let message = pieces
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(text, names)| format!("{text}: {}", names.join(", ")))
        .collect::<Vec<_>>()
        .join("; ");
    PolicySetStatus {
        compliant: worst.filter(|_| unknown.is_empty()),
        placement: sorted_placement(placement),
        status_message: if message.is_empty() {
            "All policies are reporting status".to_owned()
        } else {
            message
        },
        other,
    }
}

fn compliance<'a>(reports: impl Iterator<Item = &'a ClusterStatus>) -> Option<ComplianceState> {
    let mut tally = RootTally::default();
    for report in reports {
        tally.add(report.compliant);
    }
    tally.compliance()
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
            })
            .collect()
    }

    fn status(policies: &[(&str, PolicyInSet<'_>)], selected: &[&str]) -> PolicySetStatus {
        let selected = selected.iter().copied().collect();
        policy_set_status(&PolicySetStatus::default(), policies, &[], &selected)
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
}
