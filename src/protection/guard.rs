//! Which deletions need an explicit opt-in: nothing that holds data, access to data or the machinery of both.

use serde_json::Value;

use super::VELERO_GROUP;
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::names::{ALLOW_DESTRUCTIVE_ANNOTATION, RESTORE_FROM_LABEL};

/// Whether an object may be deleted on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionVerdict {
    /// It may.
    Allowed,
    /// It stays, and the reason is reported.
    Held {
        /// Why, and how to delete it after all.
        why: String,
    },
}

/// Judges the deletion of one object. `allow_destructive` is the opt-in by the annotation
/// `flotilla.dev/allow-destructive: "true"` on the policy.
pub fn deletion(key: &ObjectKey, allow_destructive: bool) -> DeletionVerdict {
    match loss(&key.gvk.group, &key.gvk.kind) {
        Some(loss) if !allow_destructive => DeletionVerdict::Held {
            why: format!(
                "deleting it {loss}; annotate the policy with \
                 {ALLOW_DESTRUCTIVE_ANNOTATION}=\"true\" to delete it"
            ),
        },
        Some(_) | None => DeletionVerdict::Allowed,
    }
}

/// Judges the deletion of an object that a policy made, on a cluster from which a user had all of it removed
/// ([`super::departure::Departure::Remove`]): the machinery of Velero may go, what holds data or access to data may not.
pub fn removal(key: &ObjectKey, allow_destructive: bool) -> DeletionVerdict {
    let is_machinery = matches!(
        (key.gvk.group.as_str(), key.gvk.kind.as_str()),
        (super::OADP_GROUP, "DataProtectionApplication")
            | ("operators.coreos.com", "Subscription" | "OperatorGroup")
    );
    if is_machinery { DeletionVerdict::Allowed } else { deletion(key, allow_destructive) }
}

/// Whether it is a storage location that was made to read another cluster's backups while one of them is restored. Whoever made it
/// may delete it: it is written to by nobody, the backups are that cluster's, and here are only copies of their records.
pub fn is_for_reading(object: &Manifest) -> bool {
    object.gvk().same_kind(VELERO_GROUP, "BackupStorageLocation")
        && object.label(RESTORE_FROM_LABEL).is_some()
        && object.text_at(&["spec", "accessMode"]) == Some("ReadOnly")
        && object.at(&["spec", "default"]) != Some(&Value::Bool(true))
}

/// What goes with an object of the kind; `None` when it can be made again from the policy.
fn loss(group: &str, kind: &str) -> Option<&'static str> {
    let loss = match (group, kind) {
        ("", "Namespace") | ("project.openshift.io", "Project") => "deletes everything in it",
        ("", "Secret") => "takes away the access to the backups",
        ("", "PersistentVolume" | "PersistentVolumeClaim") => "may delete the data on the volume",
        ("velero.io", "Backup") => {
            "takes it away from the cluster until Velero syncs it again, and never frees its space"
        }
        ("velero.io", "Restore") => "deletes its logs and results in the object storage",
        ("velero.io", "BackupStorageLocation" | "VolumeSnapshotLocation") => {
            "cuts the cluster off from its backups"
        }
        ("velero.io", "BackupRepository" | "ResticRepository") => {
            "makes Velero forget where the data of volumes is kept"
        }
        ("velero.io", "PodVolumeBackup" | "DataUpload") => "loses the link to the data of a backed-up volume",
        ("snapshot.storage.k8s.io", "VolumeSnapshot" | "VolumeSnapshotContent") => {
            "may delete the snapshot in the storage"
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => "deletes every object of the kind",
        ("oadp.openshift.io", "DataProtectionApplication") => "uninstalls Velero and its storage locations",
        ("oadp.openshift.io", "CloudStorage") => "may delete the bucket with all backups",
        (
            "operators.coreos.com",
            "Subscription" | "OperatorGroup" | "ClusterServiceVersion" | "CatalogSource",
        ) => "stops the operator that runs Velero",
        _ => return None,
    };
    Some(loss)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::object::GroupVersionKind;

    fn key(api_version: &str, kind: &str) -> ObjectKey {
        ObjectKey {
            gvk: GroupVersionKind::new(api_version, kind),
            namespace: Some("acm-app-backup".to_owned()),
            name: "x".to_owned(),
        }
    }

    #[test]
    fn what_holds_data_stays_without_an_opt_in() {
        for (api_version, kind, held) in [
            ("v1", "Namespace", true),
            ("v1", "Secret", true),
            ("v1", "PersistentVolume", true),
            ("v1", "PersistentVolumeClaim", true),
            ("velero.io/v1", "Backup", true),
            ("velero.io/v1", "Restore", true),
            ("velero.io/v1", "BackupStorageLocation", true),
            ("velero.io/v1", "VolumeSnapshotLocation", true),
            ("velero.io/v1", "BackupRepository", true),
            ("velero.io/v1", "PodVolumeBackup", true),
            ("velero.io/v2alpha1", "DataUpload", true),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", true),
            ("oadp.openshift.io/v1alpha1", "DataProtectionApplication", true),
            ("operators.coreos.com/v1alpha1", "Subscription", true),
            ("operators.coreos.com/v1", "OperatorGroup", true),
            ("operators.coreos.com/v1alpha1", "ClusterServiceVersion", true),
            ("operators.coreos.com/v1alpha1", "CatalogSource", true),
            ("velero.io/v1", "Schedule", false),
            ("v1", "ConfigMap", false),
            ("apps/v1", "Deployment", false),
            // Same kind, another group.
            ("messaging.knative.dev/v1", "Subscription", false),
        ] {
            let verdict = deletion(&key(api_version, kind), false);
            assert_eq!(matches!(verdict, DeletionVerdict::Held { .. }), held, "{api_version} {kind}");
            assert_eq!(deletion(&key(api_version, kind), true), DeletionVerdict::Allowed);
        }
    }

    #[test]
    fn only_a_location_that_reads_for_a_restore_may_go() {
        let location = |labels: serde_json::Value, spec: serde_json::Value| {
            Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
                "metadata": {"name": "x", "labels": labels}, "spec": spec}))
            .unwrap()
        };
        let marked = json!({"flotilla.dev/restore-from": "c1"});
        for (labels, spec, expected) in [
            (marked.clone(), json!({"accessMode": "ReadOnly"}), true),
            (marked.clone(), json!({"accessMode": "ReadOnly", "default": false}), true),
            (marked.clone(), json!({"accessMode": "ReadOnly", "default": true}), false),
            (marked.clone(), json!({"accessMode": "ReadWrite"}), false),
            (marked, json!({}), false),
            (json!({}), json!({"accessMode": "ReadOnly"}), false),
        ] {
            let location = location(labels, spec);
            assert_eq!(is_for_reading(&location), expected, "{:?}", location.to_value());
        }
        let other = Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"labels": {"flotilla.dev/restore-from": "c1"}}, "spec": {"accessMode": "ReadOnly"}}));
        assert!(!is_for_reading(&other.unwrap()));
    }

    #[test]
    fn the_reason_names_the_loss_and_the_way() {
        let DeletionVerdict::Held { why } = deletion(&key("v1", "Secret"), false) else { panic!("not held") };
        assert_eq!(
            why,
            "deleting it takes away the access to the backups; annotate the policy with \
             flotilla.dev/allow-destructive=\"true\" to delete it"
        );
    }
}
