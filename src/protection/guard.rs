//! Which deletions need an explicit opt-in: nothing that holds data, access to data or the machinery of both.

use crate::api::object::ObjectKey;
use crate::api::ocm::names::ALLOW_DESTRUCTIVE_ANNOTATION;

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
    fn the_reason_names_the_loss_and_the_way() {
        let DeletionVerdict::Held { why } = deletion(&key("v1", "Secret"), false) else { panic!("not held") };
        assert_eq!(
            why,
            "deleting it takes away the access to the backups; annotate the policy with \
             flotilla.dev/allow-destructive=\"true\" to delete it"
        );
    }
}
