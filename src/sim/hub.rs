//! What Open Cluster Management does on a hub before anyone else acts: its webhook's default for `ManagedCluster`s, the
//! namespace of each managed cluster, the two cluster sets that are always there.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::store::Place;

const GROUP: &str = "cluster.open-cluster-management.io";
const SET_LABEL: &str = "cluster.open-cluster-management.io/clusterset";

/// The cluster sets that the registration controller makes.
pub(super) fn first_objects() -> [Value; 2] {
    let set = |name: &str, selector: Value| {
        json!({"apiVersion": format!("{GROUP}/v1beta2"), "kind": "ManagedClusterSet",
            "metadata": {"name": name}, "spec": {"clusterSelector": selector}})
    };
    [
        set("default", json!({"selectorType": "ExclusiveClusterSetLabel"})),
        set("global", json!({"selectorType": "LabelSelector", "labelSelector": {}})),
    ]
}

/// A ManagedCluster without a cluster set belongs to `default`.
pub(super) fn set_defaults(kind: &Kind, object: &mut Value) {
    if !kind.is(GROUP, "ManagedCluster") {
        return;
    }
    let labels = &mut object["metadata"]["labels"];
    if !labels.is_object() {
        *labels = json!({});
    }
    if labels[SET_LABEL].as_str().is_none_or(str::is_empty) {
        labels[SET_LABEL] = json!("default");
    }
}

/// The namespace that comes with a ManagedCluster.
pub(super) fn namespace_of(kind: &Kind, place: &Place) -> Option<Value> {
    kind.is(GROUP, "ManagedCluster").then(|| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.name,
            "labels": {"cluster.open-cluster-management.io/managedCluster": place.name}}})
    })
}
