//! All clusters against one Placement: who is selected, who is not and why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::conditions::{Outcome, misconfigured, satisfied, stamped};
use super::judge::assess;
use super::scope::Scope;
use super::verdict::{OutReason, Verdict};
use crate::api::ocm::cluster::{Condition, ManagedCluster};
use crate::api::ocm::placement::Placement;

/// The whole outcome of a Placement.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// Names of the selected clusters, sorted.
    pub selected: Vec<String>,
    /// One verdict per cluster.
    pub verdicts: BTreeMap<String, Verdict>,
    /// `PlacementMisconfigured` and `PlacementSatisfied` for `status.conditions`. When scheduling is
    /// disabled: what the Placement has already.
    pub conditions: Vec<Condition>,
    /// How many clusters `numberOfClusters` asks for beyond those found.
    pub unscheduled: usize,
    /// When a toleration runs out: decide again then.
    pub requeue_at: Option<Timestamp>,
}

/// Decides for all clusters. `previous` are the clusters of the existing `PlacementDecision`s: they are kept
/// before others when `numberOfClusters` cannot hold all, and keep their place under `NoSelectIfNew` taints.
pub fn decide<'a>(
    placement: &Placement,
    clusters: impl IntoIterator<Item = &'a ManagedCluster>,
    scope: &Scope,
    previous: &BTreeSet<String>,
    now: Timestamp,
) -> Decisions {
    let mut verdicts = BTreeMap::new();
    let mut ends = BTreeMap::new();
    let mut feasible = Vec::new();
    let mut available = 0;
    for cluster in clusters {
        let name = &cluster.metadata.name;
        let assessment = assess(placement, cluster, scope, previous.contains(name), now);
        let deleting = cluster.metadata.deletion_timestamp.is_some();
        available += usize::from(!deleting && scope.set_holding(cluster).is_some());
        if assessment.verdict.is_in() {
            feasible.push(name.clone());
            ends.insert(name.clone(), assessment.until);
        }
        verdicts.insert(name.clone(), assessment.verdict);
    }
    feasible.sort_by_cached_key(|name| (!previous.contains(name), name.clone()));

    let mut unscheduled = 0;
    if let Some(limit) = placement.spec.number_of_clusters.filter(|_| !scope.is_scheduling_disabled()) {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        for name in feasible.drain(wanted.min(feasible.len())..) {
            verdicts.insert(name, Verdict::Out(OutReason::BeyondNumberOfClusters { limit }));
        }
        if scope.misconfiguration().is_none() {
            unscheduled = wanted - feasible.len();
        }
    }
    feasible.sort();

    let uses_cel = verdicts.values().any(|verdict| *verdict == Verdict::Out(OutReason::UnsupportedCel));
    let outcome = Outcome {
        requested_sets: placement.spec.cluster_sets.clone(),
        eligible_sets: scope.eligible_sets(),
        bindings: scope.valid_bindings(),
        available,
        selected: feasible.len(),
        unscheduled,
        unjudged: uses_cel.then(|| OutReason::UnsupportedCel.to_string()),
    };
    let recorded = &placement.status.conditions;
    let conditions = if scope.is_scheduling_disabled() {
        recorded.clone()
    } else {
        [misconfigured(scope.misconfiguration()), satisfied(&outcome)]
            .into_iter()
            .map(|condition| stamped(condition, recorded, now))
            .collect()
    };
    Decisions {
        requeue_at: feasible.iter().filter_map(|name| ends.get(name).copied().flatten()).min(),
        selected: feasible,
        verdicts,
        conditions,
        unscheduled,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::scope::scope;
    use super::*;
    use crate::api::ocm::cluster::ManagedClusterSetBinding;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn run(placement: Value, clusters: &[Value], previous: &[&str]) -> Decisions {
        let placement: Placement = serde_json::from_value(placement).unwrap();
        let binding: ManagedClusterSetBinding = serde_json::from_value(
            json!({"metadata": {"name": "default", "namespace": "ns"}, "spec": {"clusterSet": "default"}}),
        )
        .unwrap();
        let clusters: Vec<ManagedCluster> =
            clusters.iter().map(|cluster| serde_json::from_value(cluster.clone()).unwrap()).collect();
        let previous = previous.iter().map(|name| (*name).to_owned()).collect();
        decide(
            &placement,
            &clusters,
            &scope(&placement, [], [&binding]),
            &previous,
            at("2026-01-01T00:01:00.5Z"),
        )
    }

    fn cluster(name: &str) -> Value {
        json!({"metadata": {"name": name}})
    }

    #[test]
    fn selected_clusters_stay_before_new_ones_come() {
        let placement =
            json!({"metadata": {"name": "p", "namespace": "ns"}, "spec": {"numberOfClusters": 2}});
        let clusters = [cluster("a"), cluster("b"), cluster("c")];
        let decisions = run(placement.clone(), &clusters, &["c"]);
        assert_eq!(decisions.selected, ["a", "c"]);
        assert_eq!(decisions.verdicts["b"], Verdict::Out(OutReason::BeyondNumberOfClusters { limit: 2 }));
        let decisions = run(placement, &clusters[..1], &[]);
        assert_eq!((decisions.unscheduled, decisions.selected.len()), (1, 1));
        assert_eq!(decisions.conditions[1].message, "1 cluster decisions unscheduled");
    }

    #[test]
    fn a_toleration_that_runs_out_says_when() {
        let placement = json!({"metadata": {"name": "p", "namespace": "ns"}, "spec": {"tolerations":
            [{"key": "t", "operator": "Exists", "tolerationSeconds": 90}]}});
        let tainted = |name: &str, added: &str| {
            json!({"metadata": {"name": name},
                "spec": {"taints": [{"key": "t", "effect": "NoSelect", "timeAdded": added}]}})
        };
        let clusters = [
            tainted("late", "2026-01-01T00:01:00Z"),
            tainted("early", "2026-01-01T00:00:00Z"),
            tainted("over", "2025-12-31T23:00:00Z"),
        ];
        let decisions = run(placement, &clusters, &[]);
        assert_eq!(decisions.selected, ["early", "late"]);
        assert_eq!(decisions.requeue_at, Some(at("2026-01-01T00:01:30Z")));
    }

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change() {
        let placement = json!({"metadata": {"name": "p", "namespace": "ns"}, "status": {"conditions": [
            {"type": "PlacementMisconfigured", "status": "False",
                "lastTransitionTime": "2025-01-01T00:00:00Z"},
            {"type": "PlacementSatisfied", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"}
        ]}});
        let conditions = run(placement, &[], &[]).conditions;
        assert_eq!(conditions[0].last_transition_time.as_deref(), Some("2025-01-01T00:00:00Z"));
        assert_eq!(conditions[1].reason, "AllManagedClusterSetsEmpty");
        assert_eq!(conditions[1].last_transition_time.as_deref(), Some("2026-01-01T00:01:00Z"));
    }

    #[test]
    fn decisions_written_by_hand_stand() {
        let placement = json!({"metadata": {"name": "p", "namespace": "ns", "annotations":
            {"cluster.open-cluster-management.io/experimental-scheduling-disable": "true"}},
            "spec": {"numberOfClusters": 0}});
        let decisions = run(placement, &[cluster("a"), cluster("b")], &["b"]);
        assert_eq!(decisions.selected, ["b"]);
        assert!(!decisions.verdicts["a"].is_deliberately_out());
        assert!(decisions.conditions.is_empty());
    }
}
