//! The ladder of a Backup, what is in it, and what is refused.

use rstest::rstest;
use serde_json::{Value, json};

use super::{LADDER, app, backed_up, backup, stage};
use crate::sim::simulator::Trigger;
use crate::sim::velero::edit::{at, key, label, name, phase, remove, set, text, texts, truth};
use crate::sim::velero::stage::{PACMAN, Stage, velero};

fn stored_kinds(stage: &Stage, backup: &str) -> Vec<String> {
    let stored = &stage.storage.locations["flotilla-demo/apps"][backup];
    let mut kinds: Vec<String> =
        stored.contents.iter().map(|item| format!("{}/{}", text(item, &["kind"]), name(item))).collect();
    kinds.sort();
    kinds
}

#[test]
fn a_backup_climbs_every_rung() {
    let mut stage = stage(&["c1"]);
    stage.create("c1", backup("b1", json!({"includedNamespaces": ["pacman"]})));
    assert_eq!(stage.phases("c1", &velero("Backup", "b1")), LADDER);
    let done = stage.get("c1", &velero("Backup", "b1")).unwrap();
    assert_eq!(text(&done, &["spec", "storageLocation"]), "dpa-1");
    assert_eq!(label(&done, "velero.io/storage-location"), "dpa-1");
    assert_eq!(text(&done, &["spec", "ttl"]), "720h0m0s");
    assert_eq!(texts(&done, &["spec", "volumeSnapshotLocations"]), ["dpa-1"]);
    assert_eq!(text(&done, &["status", "expiration"]), "2026-12-21T10:00:30Z");
    assert_eq!(text(&done, &["status", "formatVersion"]), "1.1.0");
    assert_eq!(at(&done, &["status", "version"]), Some(&json!(1)));
    assert_eq!(at(&done, &["status", "volumeSnapshotsCompleted"]), Some(&json!(1)));
    assert_eq!(at(&done, &["status", "progress"]), Some(&json!({"totalItems": 9, "itemsBackedUp": 9})));
    assert_eq!(
        stored_kinds(&stage, "b1"),
        [
            "ConfigMap/scores",
            "Deployment/mongo",
            "Namespace/pacman",
            "PersistentVolume/pv-mongo",
            "PersistentVolumeClaim/mongo-storage",
            "Pod/migrate",
            "Pod/mongo-0",
            "Secret/mongo-users",
            "Service/mongo",
        ]
    );
}

#[test]
fn backups_run_one_at_a_time_in_their_order() {
    let mut stage = stage(&["c1"]);
    for name in ["b1", "b2", "b3"] {
        stage.create("c1", backup(name, json!({"includedNamespaces": ["pacman"]})));
    }
    let mut most_running = 0;
    let mut finished = Vec::new();
    for _ in 0..40 {
        stage.step("c1", Trigger::Change);
        let backups = stage.list("c1", "velero.io/v1", "Backup");
        let running = backups.iter().filter(|backup| ["ReadyToStart", "InProgress"].contains(&phase(backup)));
        most_running = most_running.max(running.count());
        for done in backups.iter().filter(|backup| phase(backup) == "Completed") {
            if !finished.contains(&name(done).to_owned()) {
                finished.push(name(done).to_owned());
            }
        }
    }
    assert_eq!(most_running, 1);
    assert_eq!(finished, ["b1", "b2", "b3"]);
}

#[test]
fn what_is_excluded_is_not_in_the_backup() {
    let mut stage = stage(&["c1"]);
    stage.edit("c1", &app("ConfigMap", "scores"), |object| {
        set(object, &["metadata", "labels", "velero.io/exclude-from-backup"], "true");
    });
    let spec =
        json!({"includedNamespaces": ["pac*"], "excludedResources": ["secrets", "po", "deployments.apps"]});
    backed_up(&mut stage, "b1", spec);
    assert_eq!(
        stored_kinds(&stage, "b1"),
        [
            "Namespace/pacman",
            "PersistentVolume/pv-mongo",
            "PersistentVolumeClaim/mongo-storage",
            "Service/mongo"
        ]
    );
    backed_up(&mut stage, "b2", json!({"labelSelector": {"matchLabels": {"app": "mongo"}}}));
    assert!(stored_kinds(&stage, "b2").contains(&"Deployment/mongo".to_owned()));
    assert!(!stored_kinds(&stage, "b2").contains(&"Secret/mongo-users".to_owned()));
    backed_up(&mut stage, "b3", json!({"includedNamespaces": ["pacman"], "includeClusterResources": false}));
    assert!(!stored_kinds(&stage, "b3").contains(&"PersistentVolume/pv-mongo".to_owned()));
}

#[test]
fn files_of_volumes_are_copied_by_kopia() {
    let mut stage = stage(&["c1"]);
    let done = backed_up(
        &mut stage,
        "b1",
        json!({"includedNamespaces": ["pacman"], "defaultVolumesToRestic": true, "snapshotVolumes": false}),
    );
    assert_eq!(truth(&done, &["spec", "defaultVolumesToFsBackup"]), Some(true));
    assert_eq!(at(&done, &["status", "volumeSnapshotsAttempted"]), None);
    let copies = stage.list("c1", "velero.io/v1", "PodVolumeBackup");
    let [copy] = copies.as_slice() else { panic!("one copy expected: {copies:?}") };
    assert_eq!(text(copy, &["spec", "uploaderType"]), "kopia");
    assert_eq!(text(copy, &["spec", "pod", "name"]), "mongo-0");
    assert_eq!(phase(copy), "Completed");
}

#[test]
fn without_a_node_agent_the_copy_fails_in_part() {
    let mut stage = stage(&["c1"]);
    let application =
        key("oadp.openshift.io/v1alpha1", "DataProtectionApplication", Some("velero-ns"), "dpa");
    stage.edit("c1", &application, |object| remove(object, &["spec", "configuration", "nodeAgent"]));
    stage.settle();
    let done = backed_up(
        &mut stage,
        "b1",
        json!({"includedNamespaces": ["pacman"], "defaultVolumesToFsBackup": true}),
    );
    assert_eq!(phase(&done), "PartiallyFailed");
    assert_eq!(at(&done, &["status", "errors"]), Some(&json!(1)));
}

#[test]
fn annotations_steer_the_outcome() {
    let mut stage = stage(&["c1"]);
    for (outcome, expected) in [("PartiallyFailed", "PartiallyFailed"), ("Failed", "Failed")] {
        let mut object = backup(&outcome.to_lowercase(), json!({"includedNamespaces": ["pacman"]}));
        set(&mut object, &["metadata", "annotations", "sim.flotilla.dev/outcome"], outcome);
        let key = velero("Backup", name(&object));
        stage.create("c1", object);
        assert_eq!(stage.phases("c1", &key).last().unwrap(), expected);
    }
    let mut held = backup("held", json!({"includedNamespaces": ["pacman"]}));
    set(&mut held, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"], "InProgress");
    stage.create("c1", held);
    stage.settle();
    let held = velero("Backup", "held");
    assert_eq!(phase(&stage.get("c1", &held).unwrap()), "InProgress");
    stage.edit("c1", &held, |object| {
        remove(object, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"]);
    });
    stage.settle();
    assert_eq!(phase(&stage.get("c1", &held).unwrap()), "Completed");
}

#[test]
fn a_server_that_starts_anew_fails_what_was_running() {
    let mut stage = stage(&["c1"]);
    let mut held = backup("held", json!({"includedNamespaces": ["pacman"]}));
    set(&mut held, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"], "InProgress");
    stage.create("c1", held);
    stage.settle();
    let pods = stage.list("c1", "v1", "Pod");
    let server = pods.iter().find(|pod| label(pod, "app.kubernetes.io/name") == "velero").unwrap();
    stage.delete("c1", key("v1", "Pod", Some("velero-ns"), name(server)));
    stage.settle();
    let failed = stage.get("c1", &velero("Backup", "held")).unwrap();
    assert_eq!(phase(&failed), "Failed");
    assert_eq!(
        text(&failed, &["status", "failureReason"]),
        "found a backup with status \"InProgress\" during the server starting, mark it as \"Failed\""
    );
}

#[rstest]
#[case(
    json!({"volumeSnapshotLocations": [""], "snapshotVolumes": false}),
    "a VolumeSnapshotLocation CRD for the location  with the name specified in the backup spec needs to be \
     created before this snapshot can be executed. Error: VolumeSnapshotLocation.velero.io \"\" not found"
)]
#[case(
    json!({"storageLocation": "nowhere"}),
    "an existing backup storage location was not specified at backup creation time and the default nowhere \
     was not found. Please address this issue (see `velero backup-location -h` for options) and create a \
     new backup. Error: BackupStorageLocation.velero.io \"nowhere\" not found"
)]
#[case(
    json!({"includedResources": ["pods"], "includedNamespaceScopedResources": ["secrets"]}),
    "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n\
     include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources \
     and exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together"
)]
#[case(
    json!({"includedResources": ["pods"], "excludedResources": ["pods"]}),
    "Invalid included/excluded resource lists: excludes list cannot contain an item in the includes list: \
     pods"
)]
#[case(
    json!({"includedNamespaces": ["*", "a"]}),
    "Invalid included/excluded namespace lists: includes list must either contain '*' only, or a non-empty \
     list of items"
)]
#[case(
    json!({"labelSelector": {"matchLabels": {"a": "b"}}, "orLabelSelectors": [{"matchLabels": {"a": "c"}}]}),
    "encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"
)]
fn backups_that_are_refused(#[case] spec: Value, #[case] fault: &str) {
    let mut stage = stage(&["c1"]);
    let refused = backed_up(&mut stage, "b1", spec);
    assert_eq!(phase(&refused), "FailedValidation");
    assert_eq!(texts(&refused, &["status", "validationErrors"]), [fault]);
    assert_eq!(text(&refused, &["status", "startTimestamp"]), "");
}

fn second_snapshot_location(name: &str) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "VolumeSnapshotLocation",
        "metadata": {"name": name, "namespace": "velero-ns"}, "spec": {"provider": "aws"},
    })
}

#[test]
fn several_snapshot_locations_of_one_provider_need_a_choice() {
    let mut stage = stage(&["c1"]);
    stage.create("c1", second_snapshot_location("west"));
    let refused = backed_up(&mut stage, "b1", json!({"snapshotVolumes": false}));
    assert_eq!(
        texts(&refused, &["status", "validationErrors"]),
        ["provider aws has more than one possible volume snapshot location, and none were specified \
             explicitly or as a default"]
    );
    let refused = backed_up(&mut stage, "b2", json!({"volumeSnapshotLocations": ["dpa-1", "west"]}));
    assert_eq!(
        texts(&refused, &["status", "validationErrors"]),
        ["more than one VolumeSnapshotLocation name specified for provider aws: west; unexpected name \
             was dpa-1"]
    );
    let done = backed_up(&mut stage, "b3", json!({"volumeSnapshotLocations": ["west"]}));
    assert_eq!(phase(&done), "Completed");
}

#[test]
fn two_clusters_cannot_write_the_same_backup() {
    let mut stage = stage(&["c1", "c2"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.create("c2", backup("b1", json!({})));
    stage.settle();
    let refused = stage.get("c2", &velero("Backup", "b1")).unwrap();
    assert_eq!(phase(&refused), "Failed");
    assert_eq!(
        text(&refused, &["status", "failureReason"]),
        "backup execution failed: backup already exists in object storage"
    );
}

#[test]
fn without_a_running_pod_nothing_moves() {
    let mut stage = Stage::new(&["c1"]);
    stage.create_all("c1", PACMAN);
    stage.create("c1", backup("b1", json!({})));
    stage.minute();
    assert_eq!(phase(&stage.get("c1", &velero("Backup", "b1")).unwrap()), "");
}

#[test]
fn writes_that_are_lost_are_made_again() {
    let mut stage = stage(&["c1"]);
    stage.create("c1", backup("b1", json!({"includedNamespaces": ["pacman"]})));
    for _ in 0..LADDER.len() {
        stage.step_in_vain("c1", Trigger::Change);
        stage.step("c1", Trigger::Change);
    }
    assert_eq!(phase(&stage.get("c1", &velero("Backup", "b1")).unwrap()), "Completed");
}
