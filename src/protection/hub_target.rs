//! When the hub itself is backed up: the namespace that the hub's own backup feature claims.

use serde_json::Value;

use crate::api::object::{GroupVersionKind, Manifest};

/// The namespace that `MultiClusterHub` manages for its component `cluster-backup`.
pub const HUB_BACKUP_NAMESPACE: &str = "open-cluster-management-backup";
const COMPONENT: &str = "cluster-backup";
const GROUP: &str = "operator.open-cluster-management.io";
const KIND: &str = "MultiClusterHub";

/// The kind of the object by which Advanced Cluster Management is installed on a hub.
pub fn multi_cluster_hub() -> GroupVersionKind {
    GroupVersionKind::new(&format!("{GROUP}/v1"), KIND)
}

/// Why Velero must not be installed in `backup_namespace` of a cluster with these `MultiClusterHub` objects:
/// while the component `cluster-backup` is off, the hub's operator uninstalls OADP there and deletes the
/// namespace. The hub's operator would undo the policy, so this is found before anything is applied.
pub fn multi_cluster_hub_conflict<'a>(
    backup_namespace: &str,
    hubs: impl IntoIterator<Item = &'a Manifest>,
) -> Option<String> {
    if backup_namespace != HUB_BACKUP_NAMESPACE {
        return None;
    }
    let hub = hubs.into_iter().find(|hub| is_hub(hub) && !has_cluster_backup(hub))?;
    let name = hub.name().unwrap_or_default();
    let namespace = hub.namespace().unwrap_or_default();
    Some(format!(
        "backupNS is {HUB_BACKUP_NAMESPACE:?}, which MultiClusterHub {namespace}/{name} empties and deletes \
         while its component {COMPONENT} is off: enable {COMPONENT} in spec.overrides.components first, or \
         choose another backupNS"
    ))
}

fn is_hub(object: &Manifest) -> bool {
    object.gvk().same_kind(GROUP, KIND)
}

fn has_cluster_backup(hub: &Manifest) -> bool {
    hub.at(&["spec", "overrides", "components"]).and_then(Value::as_array).is_some_and(|components| {
        components.iter().any(|component| {
            component.get("name").and_then(Value::as_str) == Some(COMPONENT)
                && component.get("enabled").and_then(Value::as_bool) == Some(true)
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hubs_own_backup_must_be_on() {
        let hub = |components: Value| {
            Manifest::parse(json!({"apiVersion": "operator.open-cluster-management.io/v1",
                "kind": "MultiClusterHub", "metadata": {"name": "hub", "namespace": "ocm"},
                "spec": {"overrides": {"components": components}}}))
            .unwrap()
        };
        let off = hub(json!([{"name": "cluster-backup", "enabled": false}]));
        let on =
            hub(json!([{"name": "search", "enabled": true}, {"name": "cluster-backup", "enabled": true}]));
        let absent = hub(json!([]));
        for (namespace, hubs, conflict) in [
            ("open-cluster-management-backup", vec![off.clone()], true),
            ("open-cluster-management-backup", vec![absent], true),
            ("open-cluster-management-backup", vec![on], false),
            ("open-cluster-management-backup", vec![], false),
            ("acm-app-backup", vec![off], false),
        ] {
            assert_eq!(multi_cluster_hub_conflict(namespace, &hubs).is_some(), conflict);
        }
    }
}
