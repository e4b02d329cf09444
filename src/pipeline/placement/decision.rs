//! The PlacementDecision objects in which the hub writes a decision down, and the part of the Placement's status that
//! names them.

use serde_json::{Value, json};

use super::groups::Group;
use crate::api::ocm::names::PLACEMENT_LABEL;
use crate::api::ocm::placement::Placement;

/// Upstream's limit of decisions per object.
const DECISIONS_PER_OBJECT: usize = 100;
const GROUP_NAME_LABEL: &str = "cluster.open-cluster-management.io/decision-group-name";
const GROUP_INDEX_LABEL: &str = "cluster.open-cluster-management.io/decision-group-index";

/// One PlacementDecision per hundred clusters of a group, and at least one per group. `status` is a subresource: it is part
/// of the value here and written separately.
pub fn decision_objects(placement: &Placement, groups: &[Group]) -> Vec<Value> {
    let parts = groups.iter().enumerate().flat_map(|(index, group)| {
        chunks(group).into_iter().map(move |clusters| Part { index, group, clusters })
    });
    parts.enumerate().map(|(number, part)| decision_object(placement, number + 1, &part)).collect()
}

/// `status.decisionGroups`: each group with the names of its PlacementDecisions.
pub fn group_status(placement: &Placement, groups: &[Group]) -> Value {
    let mut number = 0;
    groups
        .iter()
        .enumerate()
        .map(|(index, group)| {
            let names: Vec<String> = chunks(group)
                .iter()
                .map(|_| {
                    number += 1;
                    object_name(placement, number)
                })
                .collect();
            json!({
                "decisionGroupIndex": index,
                "decisionGroupName": group.name,
                "decisions": names,
                "clusterCount": group.clusters.len(),
            })
        })
        .collect()
}

/// What one PlacementDecision holds.
struct Part<'a> {
    index: usize,
    group: &'a Group,
    clusters: &'a [String],
}

fn chunks(group: &Group) -> Vec<&[String]> {
    if group.clusters.is_empty() { vec![&[]] } else { group.clusters.chunks(DECISIONS_PER_OBJECT).collect() }
}

fn object_name(placement: &Placement, number: usize) -> String {
    format!("{}-decision-{number}", placement.metadata.name)
}

fn decision_object(placement: &Placement, number: usize, part: &Part<'_>) -> Value {
    let metadata = &placement.metadata;
    let uid = metadata.other.get("uid").and_then(Value::as_str).unwrap_or_default();
    let decisions: Vec<Value> =
        part.clusters.iter().map(|name| json!({"clusterName": name, "reason": ""})).collect();
    json!({
        "apiVersion": "cluster.open-cluster-management.io/v1beta1",
        "kind": "PlacementDecision",
        "metadata": {
            "name": object_name(placement, number),
            "namespace": metadata.namespace,
            "labels": {
                PLACEMENT_LABEL: metadata.name,
                GROUP_NAME_LABEL: part.group.name,
                GROUP_INDEX_LABEL: part.index.to_string(),
            },
            "ownerReferences": [{
                "apiVersion": "cluster.open-cluster-management.io/v1beta1",
                "kind": "Placement",
                "name": metadata.name,
                "uid": uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "status": {"decisions": decisions},
    })
}
