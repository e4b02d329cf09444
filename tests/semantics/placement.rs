//! Section 4: which clusters a Placement selects.

use std::collections::{BTreeMap, BTreeSet};

use flotilla::api::ocm::cluster::{ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding};
use flotilla::api::ocm::placement::Placement;
use flotilla::pipeline::placement::surroundings::ScoreMap;
use flotilla::pipeline::placement::{Scores, Surroundings, decide, decision_objects, scope};
use serde_json::{Value, json};

use crate::rows::{Row, hold, of, same, within};

const SET_LABEL: &str = "cluster.open-cluster-management.io/clusterset";

/// A cluster of a row: in the set `all` unless it says another.
fn cluster(name: &str, said: &Value) -> ManagedCluster {
    let mut value = said.clone();
    if value.is_null() {
        value = json!({});
    }
    value["metadata"]["name"] = json!(name);
    if value["metadata"]["labels"][SET_LABEL].is_null() {
        value["metadata"]["labels"][SET_LABEL] = json!("all");
    }
    of(&value)
}

fn sets(row: &Row) -> Vec<ManagedClusterSet> {
    if !row.has("sets") {
        return vec![of(&json!({"metadata": {"name": "all"}}))];
    }
    row.list("sets").iter().map(of).collect()
}

/// A binding for every set that a row names.
fn bindings(row: &Row) -> Vec<ManagedClusterSetBinding> {
    let names: Vec<String> = if row.has("bound") { row.read("bound") } else { vec!["all".to_owned()] };
    let binding = |name: &String| {
        of(&json!({"metadata": {"name": name, "namespace": "ns"}, "spec": {"clusterSet": name}}))
    };
    names.iter().map(binding).collect()
}

fn judge(row: &Row) -> Result<(), String> {
    let mut placement: Placement = of(&json!({"metadata": {"name": "p", "namespace": "ns"},
        "spec": if row.has("spec") { row.get("spec").clone() } else { json!({}) }}));
    if row.has("annotations") {
        placement.metadata.annotations = row.read("annotations");
    }
    let clusters: Vec<ManagedCluster> = if let Some(count) = row.get("clusters").as_u64() {
        (0..count).map(|index| cluster(&format!("c{index:04}"), &Value::Null)).collect()
    } else {
        row.get("clusters").as_object().unwrap().iter().map(|(name, said)| cluster(name, said)).collect()
    };
    let scope = scope(&placement, &sets(row), &bindings(row));
    let now = row.text("now").unwrap_or("2026-01-01T12:00:00Z").parse().unwrap();
    let (scores, elsewhere) = (ScoreMap::new(), BTreeMap::new());
    let around = Surroundings { scores: Scores::Known(&scores), decided_elsewhere: &elsewhere };
    let previous: BTreeSet<String> = row.read("previous");
    let decisions = decide(&placement, &clusters, &scope, &previous, &around, now);
    if row.has("selected") {
        same("selected", &json!(decisions.selected), row.get("selected"))?;
    }
    let condition =
        |kind: &str| decisions.conditions.iter().find(|condition| condition.condition_type == kind);
    if row.has("satisfied") {
        let found = condition("PlacementSatisfied").map(|condition| condition.reason.clone());
        same("satisfied", &json!(found), row.get("satisfied"))?;
    }
    if row.has("misconfigured") {
        let found = condition("PlacementMisconfigured").map(|condition| condition.message.clone());
        same("misconfigured", &json!(found), row.get("misconfigured"))?;
    }
    if row.has("decisions") {
        let found = decision_objects(&placement, &decisions.groups);
        let found: Vec<Value> = found
            .iter()
            .map(|object| {
                let decided = object["status"]["decisions"].as_array().map_or(0, Vec::len);
                json!({"name": object["metadata"]["name"], "labels": object["metadata"]["labels"], "count": decided})
            })
            .collect();
        within("decisions", &json!(found), row.get("decisions"))?;
    }
    Ok(())
}

#[test]
fn placements_select() {
    let inputs = ["spec", "annotations", "clusters", "sets", "bound", "now", "previous"];
    hold("4-placement.yaml", &inputs, &["selected", "satisfied", "misconfigured", "decisions"], judge);
}
