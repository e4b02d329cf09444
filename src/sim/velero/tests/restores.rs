//! What comes back, where, and what is refused.

use rstest::rstest;
use serde_json::{Value, json};

use super::{app, backed_up, minutely, restore, stage};
use crate::sim::velero::edit::{at, items, key, label, phase, set, text, texts};
use crate::sim::velero::stage::velero;

/// The app travels from one cluster to another through the bucket that they share.
#[test]
fn an_app_backed_up_on_one_cluster_is_restored_on_another() {
    let mut stage = stage(&["c1", "c2"]);
    stage.create("c1", minutely());
    stage.minute();
    let backup_name = "acm-app-dpa-1-c1-20261121100130";
    assert!(stage.get("c2", &velero("Backup", backup_name)).is_none(), "not before the next sync");
    stage.edit("c1", &velero("Schedule", "acm-app-dpa-1-c1"), |object| {
        set(object, &["spec", "paused"], true);
    });
    stage.minute();
    let synced = stage.get("c2", &velero("Backup", backup_name)).unwrap();
    assert_eq!(phase(&synced), "Completed");
    assert_eq!(label(&synced, "velero.io/schedule-name"), "acm-app-dpa-1-c1");
    assert_eq!(label(&synced, "cluster-name"), "c1");

    let spec = json!({"backupName": backup_name, "existingResourcePolicy": "update", "restorePVs": true,
        "excludedNamespaces": []});
    stage.create("c2", restore("restore-1", spec));
    let ladder = stage.phases("c2", &velero("Restore", "restore-1"));
    assert_eq!(ladder, ["", "InProgress", "Finalizing", "Completed"]);
    let done = stage.get("c2", &velero("Restore", "restore-1")).unwrap();
    assert_eq!(
        texts(&done, &["metadata", "finalizers"]),
        ["restores.velero.io/external-resources-finalizer"]
    );
    assert_eq!(text(&done, &["spec", "scheduleName"]), "acm-app-dpa-1-c1");
    assert_eq!(text(&done, &["spec", "itemOperationTimeout"]), "4h0m0s");
    assert_eq!(items(&done, &["spec", "excludedResources"]).len(), 9);
    assert_eq!((at(&done, &["status", "errors"]), at(&done, &["status", "warnings"])), (None, None));

    let scores = stage.get("c2", &app("ConfigMap", "scores")).unwrap();
    assert_eq!(text(&scores, &["data", "players"]), "3");
    assert_eq!(label(&scores, "velero.io/backup-name"), backup_name);
    assert_eq!(label(&scores, "velero.io/restore-name"), "restore-1");
    let namespace = stage.get("c2", &key("v1", "Namespace", None, "pacman")).unwrap();
    assert_eq!(text(&namespace, &["metadata", "annotations", "openshift.io/sa.scc.mcs"]), "s0:c26,c5");
    let pod = stage.get("c2", &app("Pod", "mongo-0")).unwrap();
    assert_eq!(at(&pod, &["status"]), None);
    assert_eq!(at(&pod, &["metadata", "ownerReferences"]), None);
    assert_eq!(text(&pod, &["spec", "nodeName"]), "");
    assert!(stage.get("c2", &app("Pod", "migrate")).is_none(), "what has finished is not started again");
    let volume = stage.get("c2", &key("v1", "PersistentVolume", None, "pv-mongo")).unwrap();
    assert_eq!(at(&volume, &["spec", "claimRef", "uid"]), None);
    let claim = stage.get("c2", &app("PersistentVolumeClaim", "mongo-storage")).unwrap();
    assert_eq!(text(&claim, &["spec", "volumeName"]), "pv-mongo");
    assert_eq!(text(&claim, &["metadata", "annotations", "pv.kubernetes.io/bind-completed"]), "");
    let service = stage.get("c2", &app("Service", "mongo")).unwrap();
    assert_eq!(at(&service, &["spec"]), Some(&json!({"ports": [{"port": 27017}]})));
    assert!(stage.list("c1", "velero.io/v1", "Restore").is_empty());
}

#[rstest]
#[case(
    json!({"backupName": "b1", "scheduleName": "s"}),
    &["Either a backup or schedule must be specified as a source for the restore, but not both"]
)]
#[case(json!({}), &["Either a backup or schedule must be specified as a source for the restore, but not \
 both"])]
#[case(
    json!({"backupName": "gone"}),
    &["Error retrieving backup: can't find backup velero-ns/gone: Backup.velero.io \"gone\" not found"]
)]
#[case(
    json!({"scheduleName": "s"}),
    &["No backups found for schedule", "No completed backups found for schedule"]
)]
#[case(json!({"backupName": "b1", "existingResourcePolicy": "replace"}), &["Invalid ExistingResourcePolicy: \
 replace"])]
#[case(
    json!({"backupName": "b1", "includedResources": ["nodes"]}),
    &["nodes are non-restorable resources",
      "Invalid included/excluded resource lists: excludes list cannot contain an item in the includes list: \
       nodes"]
)]
#[case(
    json!({"backupName": "b1", "includedNamespaces": ["a"], "excludedNamespaces": ["a"]}),
    &["Invalid included/excluded namespace lists: excludes list cannot contain an item in the includes \
     list: a"]
)]
#[case(
    json!({"backupName": "b1", "resourceModifier": {"kind": "configmap", "name": "m"}}),
    &["failed to get resource modifiers configmap velero-ns/m"]
)]
fn restores_that_are_refused(#[case] spec: Value, #[case] faults: &[&str]) {
    let mut stage = stage(&["c1"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.create("c1", restore("r", spec));
    stage.settle();
    let refused = stage.get("c1", &velero("Restore", "r")).unwrap();
    assert_eq!(phase(&refused), "FailedValidation");
    assert_eq!(texts(&refused, &["status", "validationErrors"]), faults);
}

#[test]
fn an_unavailable_location_gives_nothing_back() {
    let mut stage = stage(&["c1"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.edit("c1", &velero("BackupStorageLocation", "dpa-1"), |object| {
        set(object, &["metadata", "annotations", "sim.flotilla.dev/outcome"], "Unavailable");
    });
    stage.settle();
    stage.create("c1", restore("r", json!({"backupName": "b1"})));
    stage.settle();
    let refused = stage.get("c1", &velero("Restore", "r")).unwrap();
    assert_eq!(
        texts(&refused, &["status", "validationErrors"]),
        ["The BSL dpa-1 is unavailable, cannot retrieve the backup"]
    );
}

#[test]
fn a_restore_by_schedule_takes_the_newest_completed_backup() {
    let mut stage = stage(&["c1"]);
    stage.create("c1", minutely());
    stage.minute();
    stage.minute();
    stage.edit("c1", &velero("Schedule", "acm-app-dpa-1-c1"), |object| {
        set(object, &["metadata", "annotations", "sim.flotilla.dev/outcome"], "PartiallyFailed");
    });
    stage.minute();
    stage.create("c1", restore("r", json!({"scheduleName": "acm-app-dpa-1-c1"})));
    stage.settle();
    let done = stage.get("c1", &velero("Restore", "r")).unwrap();
    assert_eq!(text(&done, &["spec", "backupName"]), "acm-app-dpa-1-c1-20261121100230");
}

#[test]
fn existing_objects_are_kept_with_a_warning_or_updated() {
    let mut stage = stage(&["c1"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.edit("c1", &app("ConfigMap", "scores"), |object| {
        set(object, &["data", "players"], "4");
        set(object, &["data", "extra"], "x");
    });
    let only_maps = |policy: &str| {
        let mut spec = json!({"backupName": "b1", "includedResources": ["configmaps"]});
        if !policy.is_empty() {
            set(&mut spec, &["existingResourcePolicy"], policy);
        }
        spec
    };
    stage.create("c1", restore("keep", only_maps("")));
    stage.settle();
    let kept = stage.get("c1", &velero("Restore", "keep")).unwrap();
    assert_eq!((phase(&kept), at(&kept, &["status", "warnings"])), ("Completed", Some(&json!(1))));
    assert_eq!(text(&stage.get("c1", &app("ConfigMap", "scores")).unwrap(), &["data", "players"]), "4");

    stage.create("c1", restore("update", only_maps("update")));
    stage.settle();
    let updated = stage.get("c1", &app("ConfigMap", "scores")).unwrap();
    assert_eq!(at(&updated, &["data"]), Some(&json!({"players": "3"})));
    assert_eq!(label(&updated, "velero.io/restore-name"), "update");
    let again = stage.get("c1", &velero("Restore", "update")).unwrap();
    assert_eq!(at(&again, &["status", "warnings"]), None);
}

#[test]
fn namespaces_are_mapped_and_left_out() {
    let mut stage = stage(&["c1", "c2"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.minute();
    stage.create("c2", restore("none", json!({"backupName": "b1", "excludedNamespaces": ["pac*"]})));
    stage.settle();
    assert!(stage.get("c2", &key("v1", "Namespace", None, "pacman")).is_none());
    stage
        .create("c2", restore("moved", json!({"backupName": "b1", "namespaceMapping": {"pacman": "games"}})));
    stage.settle();
    assert!(stage.get("c2", &key("v1", "Namespace", None, "games")).is_some());
    assert!(stage.get("c2", &key("v1", "ConfigMap", Some("games"), "scores")).is_some());
    assert!(stage.get("c2", &app("ConfigMap", "scores")).is_none());
}

fn storage_class_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "velero-ns", "labels": {
            "velero.io/plugin-config": "", "velero.io/change-storage-class": "RestoreItemAction"}},
        "data": {"gp3": "thin"},
    })
}

#[test]
fn storage_classes_are_mapped_to_ones_that_exist() {
    let mut stage = stage(&["c1", "c2"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.minute();
    stage.create("c2", storage_class_map("map"));
    stage.create("c2", restore("r1", json!({"backupName": "b1"})));
    stage.settle();
    let failed = stage.get("c2", &velero("Restore", "r1")).unwrap();
    assert_eq!((phase(&failed), at(&failed, &["status", "errors"])), ("PartiallyFailed", Some(&json!(2))));

    let class =
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "thin"}});
    stage.create("c2", class);
    stage.create("c2", restore("r2", json!({"backupName": "b1"})));
    stage.settle();
    assert_eq!(phase(&stage.get("c2", &velero("Restore", "r2")).unwrap()), "Completed");
    let claim = stage.get("c2", &app("PersistentVolumeClaim", "mongo-storage")).unwrap();
    assert_eq!(text(&claim, &["spec", "storageClassName"]), "thin");

    stage.create("c2", storage_class_map("second"));
    stage.create("c2", restore("r3", json!({"backupName": "b1"})));
    stage.settle();
    assert_eq!(phase(&stage.get("c2", &velero("Restore", "r3")).unwrap()), "PartiallyFailed");
}

#[test]
fn volumes_without_snapshot_are_provisioned_anew() {
    let mut stage = stage(&["c1", "c2"]);
    let spec = json!({"includedNamespaces": ["pacman"], "defaultVolumesToFsBackup": true});
    backed_up(&mut stage, "b1", spec);
    stage.minute();
    assert_eq!(stage.list("c2", "velero.io/v1", "PodVolumeBackup").len(), 1, "synced too");
    stage.create("c2", restore("r", json!({"backupName": "b1"})));
    stage.settle();
    assert!(stage.get("c2", &key("v1", "PersistentVolume", None, "pv-mongo")).is_none());
    let claim = stage.get("c2", &app("PersistentVolumeClaim", "mongo-storage")).unwrap();
    assert_eq!(at(&claim, &["spec", "volumeName"]), None);
}

#[test]
fn a_restore_is_looked_at_once_and_lets_go_when_deleted() {
    let mut stage = stage(&["c1"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    let mut object = restore("r", json!({"backupName": "b1"}));
    set(&mut object, &["metadata", "annotations", "sim.flotilla.dev/outcome"], "PartiallyFailed");
    stage.create("c1", object);
    stage.settle();
    let key = velero("Restore", "r");
    assert_eq!(phase(&stage.get("c1", &key).unwrap()), "PartiallyFailed");
    stage.edit("c1", &key, |object| set(object, &["spec", "backupName"], "other"));
    stage.settle();
    assert_eq!(phase(&stage.get("c1", &key).unwrap()), "PartiallyFailed");
    stage.delete("c1", key.clone());
    stage.settle();
    assert!(stage.get("c1", &key).is_none());
    assert!(stage.get("c1", &app("ConfigMap", "scores")).is_some(), "restored objects stay");
}
