//! Velero on a stage: ladders, two clusters with one bucket, every validation text, expiry and deletion.

use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};

use super::edit::{at, items, key, label, name, phase, remove, set, text, texts, truth};
use super::stage::{INSTALL, PACMAN, Stage, velero};
use crate::api::object::ObjectKey;
use crate::sim::simulator::Trigger;

const LADDER: [&str; 6] = ["", "Queued", "ReadyToStart", "InProgress", "Finalizing", "Completed"];

fn stage(clusters: &[&str]) -> Stage {
    let mut stage = Stage::new(clusters);
    for cluster in clusters {
        stage.create_all(cluster, INSTALL);
    }
    stage.create_all("c1", PACMAN);
    stage.settle();
    stage
}

fn backup(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": name, "namespace": "velero-ns"}, "spec": spec,
    })
}

fn restore(name: &str, spec: Value) -> Value {
    let mut object = backup(name, spec);
    set(&mut object, &["kind"], "Restore");
    object
}

fn schedule(spec: Value) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {
            "name": "acm-app-dpa-1-c1", "namespace": "velero-ns",
            "labels": {"cluster-name": "c1", "cluster-id": "id-1"},
        },
        "spec": spec,
    })
}

fn minutely() -> Value {
    schedule(json!({
        "schedule": "*/1 * * * *",
        "template": {"includedNamespaces": ["pacman"], "ttl": "240h0m0s", "snapshotVolumes": true,
            "volumeSnapshotLocations": ["dpa-1"]},
    }))
}

/// Runs a backup on the first cluster to its end and gives it back.
fn backed_up(stage: &mut Stage, name: &str, spec: Value) -> Value {
    stage.create("c1", backup(name, spec));
    stage.settle();
    stage.get("c1", &velero("Backup", name)).unwrap()
}

fn stored_kinds(stage: &Stage, backup: &str) -> Vec<String> {
    let stored = &stage.storage.locations["flotilla-demo/apps"][backup];
    let mut kinds: Vec<String> =
        stored.contents.iter().map(|item| format!("{}/{}", text(item, &["kind"]), name(item))).collect();
    kinds.sort();
    kinds
}

fn app(kind: &str, name: &str) -> ObjectKey {
    key("v1", kind, Some("pacman"), name)
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
        remove(object, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"])
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

#[test]
fn a_schedule_makes_a_backup_each_minute() {
    let mut stage = stage(&["c1"]);
    let mut object = minutely();
    set(&mut object, &["metadata", "annotations", "team"], "games");
    stage.create("c1", object);
    stage.settle();
    let made = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(phase(&made), "Enabled");
    assert_eq!(truth(&made, &["spec", "skipImmediately"]), Some(false));
    assert!(stage.list("c1", "velero.io/v1", "Backup").is_empty(), "no run before the next slot");
    stage.minute();
    stage.minute();
    let backups = stage.list("c1", "velero.io/v1", "Backup");
    let names: Vec<&str> = backups.iter().map(name).collect();
    assert_eq!(names, ["acm-app-dpa-1-c1-20261121100130", "acm-app-dpa-1-c1-20261121100230"]);
    let made = &backups[0];
    assert_eq!(phase(made), "Completed");
    assert_eq!(label(made, "velero.io/schedule-name"), "acm-app-dpa-1-c1");
    assert_eq!((label(made, "cluster-name"), label(made, "cluster-id")), ("c1", "id-1"));
    assert_eq!(text(made, &["metadata", "annotations", "team"]), "games");
    let schedule = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(text(&schedule, &["status", "lastBackup"]), "2026-11-21T10:02:30Z");
}

#[test]
fn missed_slots_are_not_caught_up() {
    let mut stage = stage(&["c1"]);
    stage.create("c1", minutely());
    stage.settle();
    stage.pass(SignedDuration::from_hours(3));
    assert_eq!(stage.list("c1", "velero.io/v1", "Backup").len(), 1);
}

#[test]
fn no_run_begins_while_one_is_under_way_or_the_schedule_is_paused() {
    let mut stage = stage(&["c1"]);
    let mut object = minutely();
    set(&mut object, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"], "InProgress");
    stage.create("c1", object);
    stage.minute();
    stage.minute();
    assert_eq!(stage.list("c1", "velero.io/v1", "Backup").len(), 1);
    let backup = velero("Backup", "acm-app-dpa-1-c1-20261121100130");
    stage.edit("c1", &backup, |object| remove(object, &["metadata", "annotations"]));
    stage.edit("c1", &velero("Schedule", "acm-app-dpa-1-c1"), |object| {
        set(object, &["spec", "paused"], true);
    });
    stage.minute();
    assert_eq!(stage.list("c1", "velero.io/v1", "Backup").len(), 1);
}

#[test]
fn a_skipped_slot_is_noted() {
    let mut stage = stage(&["c1"]);
    let mut object = minutely();
    set(&mut object, &["spec", "schedule"], "0 * * * *");
    set(&mut object, &["spec", "skipImmediately"], true);
    stage.create("c1", object);
    stage.settle();
    let made = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(truth(&made, &["spec", "skipImmediately"]), Some(false));
    assert_eq!(text(&made, &["status", "lastSkipped"]), "2026-11-21T10:00:30Z");
}

#[rstest]
#[case("", "Schedule must be a non-empty valid Cron expression")]
#[case("0 * * *", "invalid schedule: expected exactly 5 fields, found 4: [0 * * *]")]
#[case("0 * * * 7", "invalid schedule: end of range (7) above maximum (6): 7")]
fn schedules_that_are_refused(#[case] cron: &str, #[case] fault: &str) {
    let mut stage = stage(&["c1"]);
    stage.create("c1", schedule(json!({"schedule": cron, "template": {}})));
    stage.settle();
    let refused = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(phase(&refused), "FailedValidation");
    assert_eq!(texts(&refused, &["status", "validationErrors"]), [fault]);
    stage.edit("c1", &velero("Schedule", "acm-app-dpa-1-c1"), |object| {
        set(object, &["spec", "schedule"], "@hourly");
    });
    stage.settle();
    let repaired = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(phase(&repaired), "Enabled");
    assert_eq!(at(&repaired, &["status", "validationErrors"]), None);
}

#[rstest]
#[case(
    json!({"volumeSnapshotLocations": [""], "snapshotVolumes": false}),
    "a VolumeSnapshotLocation CRD for the location  with the name specified in the backup spec needs to be created before \
     this snapshot can be executed. Error: VolumeSnapshotLocation.velero.io \"\" not found"
)]
#[case(
    json!({"storageLocation": "nowhere"}),
    "an existing backup storage location was not specified at backup creation time and the default nowhere was not found. \
     Please address this issue (see `velero backup-location -h` for options) and create a new backup. Error: \
     BackupStorageLocation.velero.io \"nowhere\" not found"
)]
#[case(
    json!({"includedResources": ["pods"], "includedNamespaceScopedResources": ["secrets"]}),
    "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n\
     include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources and \
     exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together"
)]
#[case(
    json!({"includedResources": ["pods"], "excludedResources": ["pods"]}),
    "Invalid included/excluded resource lists: excludes list cannot contain an item in the includes list: pods"
)]
#[case(
    json!({"includedNamespaces": ["*", "a"]}),
    "Invalid included/excluded namespace lists: includes list must either contain '*' only, or a non-empty list of items"
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
        [
            "provider aws has more than one possible volume snapshot location, and none were specified explicitly or as a \
          default"
        ]
    );
    let refused = backed_up(&mut stage, "b2", json!({"volumeSnapshotLocations": ["dpa-1", "west"]}));
    assert_eq!(
        texts(&refused, &["status", "validationErrors"]),
        [
            "more than one VolumeSnapshotLocation name specified for provider aws: west; unexpected name was dpa-1"
        ]
    );
    let done = backed_up(&mut stage, "b3", json!({"volumeSnapshotLocations": ["west"]}));
    assert_eq!(phase(&done), "Completed");
}

fn own_location(spec: Value) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
        "metadata": {"name": "own", "namespace": "velero-ns"}, "spec": spec,
    })
}

#[rstest]
#[case(
    json!({"provider": "aws", "objectStorage": {"bucket": "b"}, "credential": {"name": "none", "key": "cloud"}}),
    "BackupStorageLocation \"own\" is unavailable: unable to get credentials: unable to get key for secret: Secret \
     \"none\" not found"
)]
#[case(
    json!({"provider": "aws", "objectStorage": {"bucket": "a/b"}}),
    "BackupStorageLocation \"own\" is unavailable: backup storage location's bucket name \"a/b\" must not contain a '/' \
     (if using a prefix, put it in the 'Prefix' field instead)"
)]
#[case(
    json!({"provider": "minio", "objectStorage": {"bucket": "b"}}),
    "BackupStorageLocation \"own\" is unavailable: unable to locate ObjectStore plugin named velero.io/minio"
)]
fn locations_that_cannot_be_used(#[case] spec: Value, #[case] message: &str) {
    let mut stage = stage(&["c1"]);
    stage.create("c1", own_location(spec));
    stage.settle();
    let location = stage.get("c1", &velero("BackupStorageLocation", "own")).unwrap();
    assert_eq!(phase(&location), "Unavailable");
    assert_eq!(text(&location, &["status", "message"]), message);
    let refused = backed_up(&mut stage, "b1", json!({"storageLocation": "own"}));
    assert_eq!(
        texts(&refused, &["status", "validationErrors"]),
        ["backup can't be created because BackupStorageLocation own is in Unavailable status."]
    );
}

#[test]
fn a_read_only_location_takes_no_backup() {
    let mut stage = stage(&["c1"]);
    let spec = json!({"provider": "aws", "accessMode": "ReadOnly", "objectStorage": {"bucket": "b"}});
    stage.create("c1", own_location(spec));
    stage.settle();
    let refused = backed_up(&mut stage, "b1", json!({"storageLocation": "own"}));
    assert_eq!(
        texts(&refused, &["status", "validationErrors"]),
        ["backup can't be created because backup storage location own is currently in read-only mode"]
    );
}

#[test]
fn an_outage_shows_and_passes() {
    let mut stage = stage(&["c1"]);
    let location = velero("BackupStorageLocation", "dpa-1");
    stage.edit("c1", &location, |object| {
        set(object, &["metadata", "annotations", "sim.flotilla.dev/outcome"], "Unavailable");
    });
    stage.settle();
    assert_eq!(phase(&stage.get("c1", &location).unwrap()), "Unavailable");
    stage.edit("c1", &location, |object| {
        remove(object, &["metadata", "annotations", "sim.flotilla.dev/outcome"])
    });
    stage.settle();
    let healed = stage.get("c1", &location).unwrap();
    assert_eq!((phase(&healed), text(&healed, &["status", "message"])), ("Available", ""));
}

#[test]
fn times_of_a_location_move_with_the_minute_only() {
    let mut stage = stage(&["c1"]);
    let location = velero("BackupStorageLocation", "dpa-1");
    stage.now += SignedDuration::from_secs(20);
    stage.settle();
    let before = stage.get("c1", &location).unwrap();
    assert_eq!(text(&before, &["status", "lastValidationTime"]), "2026-11-21T10:00:30Z");
    assert_eq!(text(&before, &["status", "lastSyncedTime"]), "");
    stage.minute();
    let after = stage.get("c1", &location).unwrap();
    assert_eq!(text(&after, &["status", "lastValidationTime"]), "2026-11-21T10:01:50Z");
    assert_eq!(text(&after, &["status", "lastSyncedTime"]), "2026-11-21T10:01:50Z");
}

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

#[test]
fn sync_rewrites_the_location_and_drops_unknown_owners() {
    let mut stage = stage(&["c1", "c2"]);
    let mut object = minutely();
    set(&mut object, &["spec", "useOwnerReferencesInBackup"], true);
    stage.create("c1", object);
    stage.edit(
        "c2",
        &key("oadp.openshift.io/v1alpha1", "DataProtectionApplication", Some("velero-ns"), "dpa"),
        |object| set(object.pointer_mut("/spec/backupLocations/0").unwrap(), &["name"], "elsewhere"),
    );
    stage.minute();
    stage.minute();
    let backup_name = "acm-app-dpa-1-c1-20261121100130";
    let own = stage.get("c1", &velero("Backup", backup_name)).unwrap();
    assert_eq!(items(&own, &["metadata", "ownerReferences"]).len(), 1);
    let synced = stage.get("c2", &velero("Backup", backup_name)).unwrap();
    assert_eq!(at(&synced, &["metadata", "ownerReferences"]), None);
    assert_eq!(text(&synced, &["spec", "storageLocation"]), "elsewhere");
    assert_eq!(label(&synced, "velero.io/storage-location"), "elsewhere");
}

#[test]
fn unfinished_backups_are_not_synced_and_deleted_ones_come_back() {
    let mut stage = stage(&["c1", "c2"]);
    let mut held = backup("held", json!({"includedNamespaces": ["pacman"]}));
    set(&mut held, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"], "Finalizing");
    stage.create("c1", held);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.minute();
    assert!(stage.get("c2", &velero("Backup", "held")).is_none());
    assert!(stage.get("c2", &velero("Backup", "b1")).is_some());
    stage.delete("c1", velero("Backup", "b1"));
    stage.minute();
    assert!(stage.get("c1", &velero("Backup", "b1")).is_some(), "the bucket still holds it");
    stage.storage.locations.get_mut("flotilla-demo/apps").unwrap().remove("b1");
    stage.minute();
    assert!(stage.get("c1", &velero("Backup", "b1")).is_none(), "an orphan");
    assert!(stage.get("c2", &velero("Backup", "b1")).is_none(), "an orphan");
}

#[test]
fn two_clusters_cannot_write_the_same_backup() {
    let mut stage = stage(&["c1", "c2"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.create("c2", backup("b1", json!({})));
    stage.settle();
    let refused = stage.get("c2", &velero("Backup", "b1")).unwrap();
    assert_eq!(phase(&refused), "Failed");
    assert_eq!(text(&refused, &["status", "failureReason"]), "backup already exists in object storage");
}

#[rstest]
#[case(
    json!({"backupName": "b1", "scheduleName": "s"}),
    &["Either a backup or schedule must be specified as a source for the restore, but not both"]
)]
#[case(json!({}), &["Either a backup or schedule must be specified as a source for the restore, but not both"])]
#[case(
    json!({"backupName": "gone"}),
    &["Error retrieving backup: can't find backup velero-ns/gone: Backup.velero.io \"gone\" not found"]
)]
#[case(
    json!({"scheduleName": "s"}),
    &["No backups found for schedule", "No completed backups found for schedule"]
)]
#[case(json!({"backupName": "b1", "existingResourcePolicy": "replace"}), &["Invalid ExistingResourcePolicy: replace"])]
#[case(
    json!({"backupName": "b1", "includedResources": ["nodes"]}),
    &["nodes are non-restorable resources",
      "Invalid included/excluded resource lists: excludes list cannot contain an item in the includes list: nodes"]
)]
#[case(
    json!({"backupName": "b1", "includedNamespaces": ["a"], "excludedNamespaces": ["a"]}),
    &["Invalid included/excluded namespace lists: excludes list cannot contain an item in the includes list: a"]
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
    let spec =
        json!({"includedNamespaces": ["pacman"], "snapshotVolumes": false, "defaultVolumesToFsBackup": true});
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

fn deletion_request(backup_name: &str) -> Value {
    let mut object = backup("delete", json!({"backupName": backup_name}));
    set(&mut object, &["kind"], "DeleteBackupRequest");
    object
}

#[test]
fn a_deletion_takes_backup_data_and_restores() {
    let mut stage = stage(&["c1", "c2"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"]}));
    stage.create("c1", restore("r", json!({"backupName": "b1"})));
    stage.minute();
    stage.create("c1", deletion_request("b1"));
    let phases = stage.phases("c1", &velero("DeleteBackupRequest", "delete"));
    assert_eq!(phases, ["", "InProgress", "Processed", "gone"]);
    assert!(stage.get("c1", &velero("Backup", "b1")).is_none());
    assert!(stage.get("c1", &velero("Restore", "r")).is_none());
    assert!(stage.storage.locations["flotilla-demo/apps"].is_empty());
    stage.minute();
    assert!(stage.get("c2", &velero("Backup", "b1")).is_none(), "an orphan in the other cluster");
}

#[test]
fn deletions_that_are_refused() {
    let mut stage = stage(&["c1"]);
    let mut held = backup("held", json!({"includedNamespaces": ["pacman"]}));
    set(&mut held, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"], "InProgress");
    stage.create("c1", held);
    stage.settle();
    for (backup_name, fault) in [("held", "backup is still in progress"), ("gone", "backup not found")] {
        stage.create("c1", deletion_request(backup_name));
        stage.settle();
        let key = velero("DeleteBackupRequest", "delete");
        let refused = stage.get("c1", &key).unwrap();
        assert_eq!(phase(&refused), "Processed");
        assert_eq!(texts(&refused, &["status", "errors"]), [fault]);
        stage.delete("c1", key);
    }
    stage.create("c1", deletion_request("gone"));
    stage.settle();
    stage.pass(SignedDuration::from_hours(24));
    assert!(stage.get("c1", &velero("DeleteBackupRequest", "delete")).is_none(), "removed after a day");
}

#[test]
fn expired_backups_are_collected_each_hour() {
    let mut stage = stage(&["c1"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"], "ttl": "30m0s"}));
    stage.minute();
    assert!(
        stage.get("c1", &velero("Backup", "b1")).is_some(),
        "collected once at the start, when not yet expired"
    );
    stage.pass(SignedDuration::from_mins(50));
    assert!(stage.get("c1", &velero("Backup", "b1")).is_some(), "expired, not yet collected");
    stage.pass(SignedDuration::from_mins(10));
    assert!(stage.get("c1", &velero("Backup", "b1")).is_none());
    assert!(stage.storage.locations["flotilla-demo/apps"].is_empty());
}

#[test]
fn what_cannot_be_collected_is_marked() {
    let mut stage = stage(&["c1"]);
    backed_up(&mut stage, "b1", json!({"includedNamespaces": ["pacman"], "ttl": "30m0s"}));
    let application =
        key("oadp.openshift.io/v1alpha1", "DataProtectionApplication", Some("velero-ns"), "dpa");
    stage.edit("c1", &application, |object| {
        set(object.pointer_mut("/spec/backupLocations/0").unwrap(), &["velero", "accessMode"], "ReadOnly");
    });
    stage.settle();
    stage.pass(SignedDuration::from_hours(1));
    let marked = stage.get("c1", &velero("Backup", "b1")).unwrap();
    assert_eq!(label(&marked, "velero.io/gc-failure"), "BSLReadOnly");
}

#[test]
fn the_server_tells_its_version() {
    let mut stage = stage(&["c1"]);
    let mut request = backup("ask", json!({}));
    set(&mut request, &["kind"], "ServerStatusRequest");
    stage.create("c1", request);
    stage.settle();
    let answered = stage.get("c1", &velero("ServerStatusRequest", "ask")).unwrap();
    assert_eq!((phase(&answered), text(&answered, &["status", "serverVersion"])), ("Processed", "v1.18.1"));
    stage.minute();
    assert!(stage.get("c1", &velero("ServerStatusRequest", "ask")).is_none());
}

#[test]
fn without_a_running_pod_nothing_moves() {
    let mut stage = Stage::new(&["c1"]);
    stage.create_all("c1", PACMAN);
    stage.create("c1", backup("b1", json!({})));
    stage.minute();
    assert_eq!(phase(&stage.get("c1", &velero("Backup", "b1")).unwrap()), "");
}
