//! Laws that hold for any Placement and any clusters.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::{OutReason, Surroundings, Verdict, decide, judge, scope};
use crate::api::ocm::cluster::{ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding};
use crate::api::ocm::placement::Placement;

fn any_placement() -> impl Strategy<Value = Placement> {
    let predicate = prop_oneof![
        Just(json!({"labelSelector": {"matchLabels": {"a": "1"}}})),
        Just(json!({"labelSelector": {"matchExpressions": [{"key": "b", "operator": "Exists"}]}})),
        Just(json!({"claimSelector": {"matchExpressions": [{"key": "c", "operator": "Exists"}]}})),
        Just(
            json!({"labelSelector": {"matchLabels": {"a": "1"}}, "celSelector": {"celExpressions": ["true"]}})
        ),
    ];
    let predicates = prop::collection::vec(
        predicate.prop_map(|selector| json!({"requiredClusterSelector": selector})),
        0..3,
    );
    let sets = prop::sample::subsequence(vec!["default", "blue", "gone"], 0..=3);
    let tolerations = prop::sample::subsequence(
        vec![
            json!({"key": "t", "operator": "Exists", "tolerationSeconds": 60}),
            json!({"key": "u", "value": "x"}),
        ],
        0..=2,
    );
    (predicates, sets, tolerations, prop::option::of(0_u32..4)).prop_map(
        |(predicates, sets, tolerations, limit)| {
            serde_json::from_value(json!({
                "metadata": {"name": "p", "namespace": "ns"},
                "spec": {"clusterSets": sets, "predicates": predicates, "tolerations": tolerations,
                    "numberOfClusters": limit}
            }))
            .unwrap()
        },
    )
}

fn any_clusters() -> impl Strategy<Value = Vec<ManagedCluster>> {
    let cluster =
        (any::<[bool; 6]>(), prop::sample::select(vec!["NoSelect", "NoSelectIfNew", "PreferNoSelect"]));
    prop::collection::vec(cluster, 0..8).prop_map(|clusters| {
        let build = |(index, ([a, b, c, blue, t, u], effect)): (usize, ([bool; 6], &str))| {
            let mut labels = serde_json::Map::new();
            let mut label = |set: bool, key: &str, value: &str| {
                if set {
                    labels.insert(key.to_owned(), json!(value));
                }
            };
            label(a, "a", "1");
            label(b, "b", "");
            label(blue, "cluster.open-cluster-management.io/clusterset", "blue");
            let claims = if c { json!([{"name": "c", "value": "1"}]) } else { json!([]) };
            let mut taints = Vec::new();
            if t {
                taints.push(json!({"key": "t", "effect": effect, "timeAdded": "1969-12-31T23:59:30Z"}));
            }
            if u {
                taints.push(json!({"key": "u", "value": "x", "effect": effect}));
            }
            serde_json::from_value(json!({
                "metadata": {"name": format!("c{index}"), "labels": labels},
                "spec": {"taints": taints}, "status": {"clusterClaims": claims}
            }))
            .unwrap()
        };
        clusters.into_iter().enumerate().map(build).collect()
    })
}

fn bindings() -> Vec<ManagedClusterSetBinding> {
    ["default", "blue"]
        .into_iter()
        .map(|name| {
            serde_json::from_value(
                json!({"metadata": {"name": name, "namespace": "ns"}, "spec": {"clusterSet": name}}),
            )
            .unwrap()
        })
        .collect()
}

proptest! {
    #[test]
    fn the_order_of_clusters_does_not_matter(
        placement in any_placement(),
        (clusters, shuffled) in any_clusters()
            .prop_flat_map(|clusters| (Just(clusters.clone()), Just(clusters).prop_shuffle())),
        previous in prop::collection::btree_set("c[0-7]", 0..4),
    ) {
        let blue: ManagedClusterSet = serde_json::from_value(json!({"metadata": {"name": "blue"}})).unwrap();
        let scope = scope(&placement, [&blue], &bindings());
        let now = Timestamp::UNIX_EPOCH;
        prop_assert_eq!(
            decide(&placement, &clusters, &scope, &previous, &Surroundings::NONE, now),
            decide(&placement, &shuffled, &scope, &previous, &Surroundings::NONE, now)
        );
    }

    #[test]
    fn one_cluster_is_judged_as_all_are(
        placement in any_placement(),
        clusters in any_clusters(),
        previous in prop::collection::btree_set("c[0-7]", 0..4),
    ) {
        let blue: ManagedClusterSet = serde_json::from_value(json!({"metadata": {"name": "blue"}})).unwrap();
        let scope = scope(&placement, [&blue], &bindings());
        let now = Timestamp::UNIX_EPOCH;
        let decisions = decide(&placement, &clusters, &scope, &previous, &Surroundings::NONE, now);
        for cluster in &clusters {
            let name = &cluster.metadata.name;
            let alone = judge(&placement, cluster, &scope, previous.contains(name), &Surroundings::NONE, now);
            let together = &decisions.verdicts[name];
            prop_assert_eq!(together.is_in(), decisions.selected.contains(name));
            if placement.spec.number_of_clusters.is_none() {
                prop_assert_eq!(&alone, together);
            } else if !matches!(together, Verdict::Out(OutReason::BeyondNumberOfClusters { .. })) {
                prop_assert_eq!(&alone, together);
            }
        }
        // What was decided stays decided.
        let again: BTreeSet<String> = decisions.selected.iter().cloned().collect();
        prop_assert_eq!(&decide(&placement, &clusters, &scope, &again, &Surroundings::NONE, now).selected, &decisions.selected);
    }

    #[test]
    fn deciding_twice_changes_nothing(
        clusters in any_clusters(),
        previous in prop::collection::btree_set("c[0-7]", 0..4),
        elsewhere in prop::collection::btree_map("c[0-7]", 1_usize..5, 0..6),
        limit in 0_u32..6,
        steady in 0_i32..=10,
        balance in -10_i32..=10,
    ) {
        let placement: Placement = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns"},
            "spec": {"numberOfClusters": limit, "prioritizerPolicy": {"configurations": [
                {"scoreCoordinate": {"builtIn": "Steady"}, "weight": steady},
                {"scoreCoordinate": {"builtIn": "Balance"}, "weight": balance},
            ]}}
        }))
        .unwrap();
        let scope = scope(&placement, [], &bindings());
        let around = Surroundings { decided_elsewhere: &elsewhere, ..Surroundings::NONE };
        let once = decide(&placement, &clusters, &scope, &previous, &around, Timestamp::UNIX_EPOCH);
        let selected: BTreeSet<String> = once.selected.iter().cloned().collect();
        let twice = decide(&placement, &clusters, &scope, &selected, &around, Timestamp::UNIX_EPOCH);
        prop_assert_eq!(&twice.selected, &once.selected);
        let grouped: Vec<&String> = once.groups.iter().flat_map(|group| &group.clusters).collect();
        prop_assert_eq!(grouped, once.selected.iter().collect::<Vec<_>>());
        prop_assert!(once.selected.len() <= limit as usize);
    }
}
