//! Upstream's own cases, read from the test data beside the repository, and laws that hold for any input.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::conditions::{Outcome, misconfigured, satisfied};
use super::scope::Misconfiguration;
use super::{Verdict, decide, decision_objects, judge, scope};
use crate::api::ocm::cluster::{Condition, ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding};
use crate::api::ocm::names::PLACEMENT_LABEL;
use crate::api::ocm::placement::{Placement, PlacementDecision};

/// Cases that are not covered, with the reason.
const NOT_COVERED: [(&str, &str); 6] = [
    ("cel-labels", "celSelector is not evaluated"),
    ("cel-claims", "celSelector is not evaluated"),
    ("cel-scores", "celSelector is not evaluated"),
    ("cel-multiple", "celSelector is not evaluated"),
    ("cel-and-label", "celSelector is not evaluated"),
    ("bind-per-group-percent", "decision groups are not made"),
];

#[derive(Deserialize)]
struct Case {
    id: String,
    placement: Placement,
    clusters: Vec<Value>,
    cluster_sets: Vec<ManagedClusterSet>,
    bindings: Vec<ManagedClusterSetBinding>,
    #[serde(default)]
    existing: Vec<Value>,
    now: Option<Timestamp>,
    expected_clusters: Option<Vec<String>>,
    expected_cluster_sets: Option<Vec<String>>,
    expected_decisions: Option<Vec<ExpectedDecision>>,
    unscheduled: Option<usize>,
    misconfigured: Option<String>,
    satisfied_reason: Option<String>,
    requeue_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ExpectedDecision {
    name: String,
    group_index: String,
    group_name: String,
    clusters: Option<Vec<String>>,
    count: Option<usize>,
}

fn rows(file: &str) -> Option<Vec<Value>> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/conformance/placement").join(file);
    #[expect(clippy::disallowed_methods, reason = "test data")]
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn clusters(values: &[Value]) -> Vec<ManagedCluster> {
    let mut clusters = Vec::new();
    for value in values {
        let Some(rule) = value.get("generate") else {
            clusters.push(serde_json::from_value(value.clone()).unwrap());
            continue;
        };
        let number = |field: &str| rule[field].as_u64().unwrap();
        for index in number("from")..=number("to") {
            let name = format!("{}{index}", rule["name_prefix"].as_str().unwrap());
            let cluster = json!({"metadata": {"name": name, "labels": rule["labels"]}});
            clusters.push(serde_json::from_value(cluster).unwrap());
        }
    }
    clusters
}

fn previous(case: &Case) -> BTreeSet<String> {
    case.existing
        .iter()
        .filter(|object| object["kind"] == "PlacementDecision")
        .map(|object| serde_json::from_value::<PlacementDecision>(object.clone()).unwrap())
        .filter(|decision| {
            decision.metadata.labels.get(PLACEMENT_LABEL) == Some(&case.placement.metadata.name)
        })
        .flat_map(|decision| decision.status.decisions)
        .map(|decision| decision.cluster_name)
        .collect()
}

fn check(case: &Case) {
    let id = &case.id;
    let clusters = clusters(&case.clusters);
    let scope = scope(&case.placement, &case.cluster_sets, &case.bindings);
    let now = case.now.unwrap_or(Timestamp::UNIX_EPOCH);
    let decisions = decide(&case.placement, &clusters, &scope, &previous(case), now);
    let condition = |index: usize| &decisions.conditions[index];
    if let Some(expected) = &case.expected_clusters {
        assert_eq!(&decisions.selected, expected, "{id}: {:?}", decisions.verdicts);
    }
    if let Some(expected) = &case.expected_cluster_sets {
        assert_eq!(&scope.eligible_sets(), expected, "{id}");
    }
    if let Some(expected) = case.unscheduled {
        assert_eq!(decisions.unscheduled, expected, "{id}");
    }
    match &case.misconfigured {
        Some(message) => assert_eq!(condition(0).message, format!("TaintToleration:{message}"), "{id}"),
        None => assert_eq!(condition(0).status, "False", "{id}"),
    }
    if let Some(reason) = &case.satisfied_reason {
        assert_eq!(&condition(1).reason, reason, "{id}");
    }
    if case.requeue_at.is_some() {
        assert_eq!(decisions.requeue_at, case.requeue_at, "{id}");
    }
    if let Some(expected) = &case.expected_decisions {
        let objects = decision_objects(&case.placement, &decisions.selected);
        assert_eq!(objects.len(), expected.len(), "{id}");
        for (object, expected) in objects.iter().zip(expected) {
            let decision: PlacementDecision = serde_json::from_value(object.clone()).unwrap();
            let labels = &decision.metadata.labels;
            let group =
                |part: &str| &labels[&format!("cluster.open-cluster-management.io/decision-group-{part}")];
            let names: Vec<_> =
                decision.status.decisions.iter().map(|decision| decision.cluster_name.clone()).collect();
            assert_eq!(decision.metadata.name, expected.name, "{id}");
            assert_eq!(labels[PLACEMENT_LABEL], case.placement.metadata.name, "{id}");
            assert_eq!(
                (group("index"), group("name")),
                (&expected.group_index, &expected.group_name),
                "{id}"
            );
            if let Some(expected) = &expected.clusters {
                assert_eq!(&names, expected, "{id}");
            }
            if let Some(expected) = expected.count {
                assert_eq!(names.len(), expected, "{id}");
            }
        }
    }
}

#[test]
fn upstreams_placement_cases_hold() {
    let Some(rows) = rows("cases.jsonl") else { return };
    let total = rows.len();
    let mut passed = 0;
    for row in rows {
        let case: Case = serde_json::from_value(row).unwrap();
        if NOT_COVERED.iter().any(|(id, _)| *id == case.id) {
            continue;
        }
        check(&case);
        passed += 1;
    }
    assert_eq!((total, passed), (48, 42));
}

#[test]
fn upstreams_condition_cases_hold() {
    let Some(rows) = rows("conditions.jsonl") else { return };
    let mut passed = 0;
    for row in rows {
        let condition: Condition = if let Some(status) = row.get("status") {
            let fault = (status["code"] == "Misconfigured").then(|| Misconfiguration {
                plugin: "plugin",
                message: status["message"].as_str().unwrap().to_owned(),
            });
            misconfigured(fault.as_ref())
        } else {
            let number = |field: &str| usize::try_from(row[field].as_u64().unwrap()).unwrap();
            let names = |field: &str| serde_json::from_value(row[field].clone()).unwrap();
            satisfied(&Outcome {
                requested_sets: names("clusterSetsInSpec"),
                eligible_sets: names("eligibleClusterSets"),
                bindings: number("numOfBindings"),
                available: number("numOfAvailableClusters"),
                selected: number("numOfFeasibleClusters"),
                unscheduled: number("numOfUnscheduledDecisions"),
                unjudged: None,
            })
        };
        let found = serde_json::to_value(condition).unwrap();
        for (field, expected) in row["expected"].as_object().unwrap() {
            assert_eq!(&found[field], expected, "{}: {field}", row["id"]);
        }
        passed += 1;
    }
    assert_eq!(passed, 8);
}

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
            decide(&placement, &clusters, &scope, &previous, now),
            decide(&placement, &shuffled, &scope, &previous, now)
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
        let decisions = decide(&placement, &clusters, &scope, &previous, now);
        for cluster in &clusters {
            let name = &cluster.metadata.name;
            let alone = judge(&placement, cluster, &scope, previous.contains(name), now);
            let together = &decisions.verdicts[name];
            prop_assert_eq!(together.is_in(), decisions.selected.contains(name));
            if placement.spec.number_of_clusters.is_none() {
                prop_assert_eq!(&alone, together);
            } else if !matches!(together, Verdict::Out(super::OutReason::BeyondNumberOfClusters { .. })) {
                prop_assert_eq!(&alone, together);
            }
        }
        // What was decided stays decided.
        let again: BTreeSet<String> = decisions.selected.iter().cloned().collect();
        prop_assert_eq!(&decide(&placement, &clusters, &scope, &again, now).selected, &decisions.selected);
    }
}
