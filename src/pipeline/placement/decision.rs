//! The PlacementDecision objects in which the hub writes a decision down.

use serde_json::{Value, json};

use crate::api::ocm::names::PLACEMENT_LABEL;
use crate::api::ocm::placement::Placement;

/// Upstream's limit of decisions per object.
const DECISIONS_PER_OBJECT: usize = 100;
const GROUP_NAME_LABEL: &str = "cluster.open-cluster-management.io/decision-group-name";
const GROUP_INDEX_LABEL: &str = "cluster.open-cluster-management.io/decision-group-index";

/// One PlacementDecision per hundred clusters, in the order given, and at least one. `status` is a
/// subresource: it is part of the value here and written separately.
pub fn decision_objects(placement: &Placement, selected: &[String]) -> Vec<Value> {
    let mut parts: Vec<&[String]> = selected.chunks(DECISIONS_PER_OBJECT).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    parts.into_iter().enumerate().map(|(index, part)| decision_object(placement, index + 1, part)).collect()
}

fn decision_object(placement: &Placement, number: usize, clusters: &[String]) -> Value {
    let metadata = &placement.metadata;
    let uid = metadata.other.get("uid").and_then(Value::as_str).unwrap_or_default();
    let decisions: Vec<Value> =
        clusters.iter().map(|name| json!({"clusterName": name, "reason": ""})).collect();
    json!({
        "apiVersion": "cluster.open-cluster-management.io/v1beta1",
        "kind": "PlacementDecision",
        "metadata": {
            "name": format!("{}-decision-{number}", metadata.name),
            "namespace": metadata.namespace,
            "labels": {
                PLACEMENT_LABEL: metadata.name,
                GROUP_NAME_LABEL: "",
                GROUP_INDEX_LABEL: "0",
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
