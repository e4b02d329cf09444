//! Decision groups: the selected clusters in the groups that `spec.decisionStrategy` asks for.
//!
//! Takes the selected clusters and the strategy, gives groups in the order of their index, at least one. Source: upstream's
//! scheduling controller.

use std::collections::{BTreeMap, BTreeSet};

use super::requirements;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::placement::{DecisionGroup, GroupStrategy, IntOrText};

/// Clusters that are decided on together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// `groupName`; empty for clusters that no named group picks.
    pub name: String,
    /// Its clusters, sorted.
    pub clusters: Vec<String>,
}

/// What is wrong with the strategy, in upstream's words where it has some.
pub(super) fn fault(strategy: &GroupStrategy) -> Option<String> {
    let size = match &strategy.clusters_per_decision_group {
        Some(IntOrText::Text(text)) if percentage(text).is_none() => {
            Some(format!("{text} invalid type: string is not a percentage"))
        }
        Some(IntOrText::Text(_) | IntOrText::Int(_)) | None => None,
    };
    let in_group = || {
        strategy.decision_groups.iter().find_map(|group| {
            let selector = &group.group_cluster_selector;
            let error = requirements::fault(&selector.label_selector, &selector.claim_selector)?;
            Some(format!("decision group {:?}: {error}", group.group_name))
        })
    };
    size.or_else(in_group)
}

/// The groups of the selected clusters: the named ones in their order, each cluster in the first that picks it, then the rest.
/// A group with more clusters than `clustersPerDecisionGroup` becomes several of the same name. A strategy with a fault
/// groups nothing: all clusters stay in one group.
pub(super) fn groups(strategy: &GroupStrategy, selected: &[&ManagedCluster]) -> Vec<Group> {
    let mut rest: BTreeMap<&str, &ManagedCluster> =
        selected.iter().map(|cluster| (cluster.metadata.name.as_str(), *cluster)).collect();
    let mut groups = Vec::new();
    if fault(strategy).is_none() {
        let size = size(strategy.clusters_per_decision_group.as_ref(), rest.len());
        for group in &strategy.decision_groups {
            let picked: BTreeSet<&str> =
                rest.iter().filter(|(_, cluster)| picks(group, cluster)).map(|(name, _)| *name).collect();
            rest.retain(|name, _| !picked.contains(name));
            groups.extend(divided(&group.group_name, picked, size));
        }
        groups.extend(divided("", rest.into_keys(), size));
    } else {
        groups.extend(divided("", rest.into_keys(), usize::MAX));
    }
    if groups.is_empty() {
        groups.push(Group::default());
    }
    groups
}

fn picks(group: &DecisionGroup, cluster: &ManagedCluster) -> bool {
    let selector = &group.group_cluster_selector;
    let claims = requirements::reported(cluster);
    requirements::of(&selector.label_selector, &selector.claim_selector)
        .all(|(source, requirement)| requirement.matches(source.values(&cluster.metadata.labels, &claims)))
}

fn divided<'a>(name: &str, clusters: impl IntoIterator<Item = &'a str>, size: usize) -> Vec<Group> {
    let clusters: Vec<String> = clusters.into_iter().map(ToOwned::to_owned).collect();
    let parts = clusters.chunks(size.max(1));
    parts.map(|part| Group { name: name.to_owned(), clusters: part.to_vec() }).collect()
}

/// How many clusters a group may have; all, where the strategy says nothing of use.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a number of clusters, rounded up; casts from a float saturate"
)]
fn size(asked: Option<&IntOrText>, all: usize) -> usize {
    let size = match asked {
        None => 0,
        Some(IntOrText::Int(number)) => usize::try_from(*number).unwrap_or(0),
        Some(IntOrText::Text(text)) => {
            percentage(text).map_or(0, |share| (share / 100.0 * all as f64).ceil() as usize)
        }
    };
    if size == 0 || size > all { all } else { size }
}

fn percentage(text: &str) -> Option<f64> {
    text.strip_suffix('%')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn shown(strategy: Value, clusters: &[(&str, &str)]) -> Vec<String> {
        let strategy: GroupStrategy = serde_json::from_value(strategy).unwrap();
        let clusters: Vec<ManagedCluster> = clusters
            .iter()
            .map(|(name, stage)| {
                serde_json::from_value(json!({"metadata": {"name": name, "labels": {"stage": stage}},
                    "status": {"clusterClaims": [{"name": "stage", "value": stage}]}}))
                .unwrap()
            })
            .collect();
        let selected: Vec<&ManagedCluster> = clusters.iter().collect();
        let groups = groups(&strategy, &selected);
        groups.iter().map(|group| format!("{}:{}", group.name, group.clusters.join(","))).collect()
    }

    const FIVE: [(&str, &str); 5] =
        [("d", "prod"), ("a", "canary"), ("c", "prod"), ("b", "canary"), ("e", "test")];

    fn named(name: &str, stage: &str) -> Value {
        json!({"groupName": name, "groupClusterSelector": {"labelSelector": {"matchLabels": {"stage": stage}}}})
    }

    #[rstest]
    #[case(json!({}), &[":a,b,c,d,e"])]
    #[case(json!({"clustersPerDecisionGroup": 2}), &[":a,b", ":c,d", ":e"])]
    #[case(json!({"clustersPerDecisionGroup": "40%"}), &[":a,b", ":c,d", ":e"])]
    #[case(json!({"clustersPerDecisionGroup": "41%"}), &[":a,b,c", ":d,e"])]
    #[case(json!({"clustersPerDecisionGroup": "100%"}), &[":a,b,c,d,e"])]
    #[case(json!({"clustersPerDecisionGroup": 0}), &[":a,b,c,d,e"])]
    #[case(json!({"clustersPerDecisionGroup": -3}), &[":a,b,c,d,e"])]
    #[case(json!({"clustersPerDecisionGroup": "NaN%"}), &[":a,b,c,d,e"])]
    #[case(json!({"clustersPerDecisionGroup": "many"}), &[":a,b,c,d,e"])]
    #[case(json!({"decisionGroups": [named("canary", "canary"), named("late", "canary")]}),
        &["canary:a,b", ":c,d,e"])]
    #[case(json!({"decisionGroups": [named("prod", "prod"), named("canary", "canary")],
        "clustersPerDecisionGroup": 1}), &["prod:c", "prod:d", "canary:a", "canary:b", ":e"])]
    #[case(json!({"decisionGroups": [{"groupName": "all", "groupClusterSelector": {}}]}), &["all:a,b,c,d,e"])]
    #[case(json!({"decisionGroups": [{"groupName": "claimed", "groupClusterSelector": {"claimSelector":
        {"matchExpressions": [{"key": "stage", "operator": "In", "values": ["test"]}]}}}]}),
        &["claimed:e", ":a,b,c,d"])]
    #[case(json!({"decisionGroups": [{"groupName": "x", "groupClusterSelector": {"labelSelector":
        {"matchExpressions": [{"key": "stage", "operator": "In"}]}}}]}), &[":a,b,c,d,e"])]
    fn clusters_in_groups(#[case] strategy: Value, #[case] expected: &[&str]) {
        assert_eq!(shown(strategy, &FIVE), expected);
    }

    #[test]
    fn there_is_always_one_group() {
        assert_eq!(shown(json!({"decisionGroups": [named("canary", "canary")]}), &[]), [":"]);
    }
}
