//! All clusters against one Placement: who is selected, who is not and why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::conditions::{Outcome, misconfigured, satisfied, stamped};
use super::groups::{Group, groups};
use super::judge::assess;
use super::rank::{Ranking, rank};
use super::scope::Scope;
use super::surroundings::{Scores, Surroundings};
use super::verdict::{OutReason, Verdict};
use crate::api::ocm::cluster::{Condition, ManagedCluster};
use crate::api::ocm::placement::Placement;

/// The whole outcome of a Placement.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// Names of the selected clusters, sorted.
    pub selected: Vec<String>,
    /// The same in groups, at least one.
    pub groups: Vec<Group>,
    /// One verdict per cluster.
    pub verdicts: BTreeMap<String, Verdict>,
    /// The order of the clusters that could be selected, where `numberOfClusters` asks for one.
    pub ranking: Option<Ranking>,
    /// `PlacementMisconfigured` and `PlacementSatisfied` for `status.conditions`. When scheduling is
    /// disabled: what the Placement has already.
    pub conditions: Vec<Condition>,
    /// How many clusters `numberOfClusters` asks for beyond those found.
    pub unscheduled: usize,
    /// When a toleration or a score runs out: decide again then.
    pub requeue_at: Option<Timestamp>,
}

/// Decides for all clusters. `previous` are the clusters of the existing `PlacementDecision`s: they count more than others when
/// `numberOfClusters` cannot hold all, keep their place under `NoSelectIfNew` taints, and are kept while the Placement cannot be
/// evaluated.
pub fn decide<'a>(
    placement: &Placement,
    clusters: impl IntoIterator<Item = &'a ManagedCluster>,
    scope: &Scope,
    previous: &BTreeSet<String>,
    around: &Surroundings<'_>,
    now: Timestamp,
) -> Decisions {
    let mut verdicts = BTreeMap::new();
    let mut ends = BTreeMap::new();
    let mut feasible: BTreeMap<String, &ManagedCluster> = BTreeMap::new();
    let mut available = 0;
    for cluster in clusters {
        let name = &cluster.metadata.name;
        let assessment = assess(placement, cluster, scope, previous.contains(name), around, now);
        let deleting = cluster.metadata.deletion_timestamp.is_some();
        available += usize::from(!deleting && scope.set_holding(cluster).is_some());
        if assessment.verdict.is_in() {
            feasible.insert(name.clone(), cluster);
            ends.insert(name.clone(), assessment.until);
        }
        verdicts.insert(name.clone(), assessment.verdict);
    }

    let mut unscheduled = 0;
    let mut unjudged = None;
    let mut ranking = None;
    let limit = placement.spec.number_of_clusters.filter(|_| !scope.is_scheduling_disabled());
    match (limit, scope.misconfiguration()) {
        (_, Some(fault)) if !feasible.is_empty() => {
            unjudged = Some(format!(
                "the Placement is misconfigured, what it selected before is kept: {}",
                fault.message
            ));
        }
        (None, _) | (_, Some(_)) => {}
        (Some(limit), None) => {
            let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
            match around.scores {
                Scores::NotKnown(why) if scope.ranks_by_scores() => {
                    unjudged = Some(format!("clusters are selected by scores that are not known: {why}"));
                    feasible.retain(|name, _| {
                        let stays = previous.contains(name);
                        if !stays {
                            let reason = OutReason::ScoresNotKnown { why: why.to_owned() };
                            verdicts.insert(name.clone(), Verdict::Out(reason));
                        }
                        stays
                    });
                }
                Scores::NotKnown(_) | Scores::Known(_) => {
                    let candidates: Vec<&ManagedCluster> = feasible.values().copied().collect();
                    let ranked = rank(scope.weights(), &candidates, previous, around, now);
                    let mut order: Vec<String> = feasible.keys().cloned().collect();
                    ranked.sort(&mut order);
                    for name in order.drain(wanted.min(order.len())..) {
                        feasible.remove(&name);
                        verdicts.insert(name, Verdict::Out(OutReason::BeyondNumberOfClusters { limit }));
                    }
                    ranking = Some(ranked);
                }
            }
            unscheduled = wanted.saturating_sub(feasible.len());
        }
    }

    let outcome = Outcome {
        requested_sets: placement.spec.cluster_sets.clone(),
        eligible_sets: scope.eligible_sets(),
        bindings: scope.valid_bindings(),
        available,
        selected: feasible.len(),
        unscheduled,
        unjudged,
        note: note(&verdicts),
    };
    let recorded = &placement.status.conditions;
    let conditions = if scope.is_scheduling_disabled() {
        recorded.clone()
    } else {
        [misconfigured(scope.misconfiguration().or(scope.grouping_fault())), satisfied(&outcome)]
            .into_iter()
            .map(|condition| stamped(condition, recorded, now))
            .collect()
    };
    let ends = feasible.keys().filter_map(|name| ends.get(name).copied().flatten());
    let scores_end = ranking.as_ref().and_then(|ranking| ranking.until);
    let selected: Vec<&ManagedCluster> = feasible.values().copied().collect();
    Decisions {
        requeue_at: ends.chain(scores_end).min(),
        groups: groups(&placement.spec.decision_strategy.group_strategy, &selected),
        selected: feasible.into_keys().collect(),
        verdicts,
        ranking,
        conditions,
        unscheduled,
    }
}

/// Expressions that could not be evaluated for some cluster, for the condition.
fn note(verdicts: &BTreeMap<String, Verdict>) -> Option<String> {
    let mut faults = verdicts.iter().filter_map(|(name, verdict)| match verdict {
        Verdict::Out(OutReason::Expression { expression, problem }) => {
            Some(format!("cluster {name}: expression {expression}: {problem}"))
        }
        Verdict::In(_) | Verdict::Out(_) => None,
    });
    let first = faults.next()?;
    let more = faults.count();
    Some(if more == 0 { first } else { format!("{first}; and {more} more clusters") })
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
        let scope = scope(&placement, [], [&binding]);
        decide(&placement, &clusters, &scope, &previous, &Surroundings::NONE, at("2026-01-01T00:01:00.5Z"))
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
