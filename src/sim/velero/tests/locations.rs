//! Storage locations and what clusters share through them.

use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};

use super::{backed_up, backup, minutely, stage};
use crate::sim::velero::edit::{at, items, key, label, phase, remove, set, text, texts};
use crate::sim::velero::stage::{Stage, velero};

#[expect(clippy::needless_pass_by_value, reason = "callers write the spec in place")]
fn own_location(spec: Value) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
        "metadata": {"name": "own", "namespace": "velero-ns"}, "spec": spec,
    })
}

#[rstest]
#[case(
    json!({"provider": "aws", "objectStorage": {"bucket": "b"}, "credential": {"name": "none", "key": "k"}}),
    "BackupStorageLocation \"own\" is unavailable: unable to get credentials: unable to get key for secret: \
     Secret \"none\" not found"
)]
#[case(
    json!({"provider": "aws", "objectStorage": {"bucket": "a/b"}}),
    "BackupStorageLocation \"own\" is unavailable: backup storage location's bucket name \"a/b\" must not \
     contain a '/' (if using a prefix, put it in the 'Prefix' field instead)"
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
        remove(object, &["metadata", "annotations", "sim.flotilla.dev/outcome"]);
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
fn a_location_has_its_own_period() {
    let mut stage = stage(&["c1"]);
    let application =
        key("oadp.openshift.io/v1alpha1", "DataProtectionApplication", Some("velero-ns"), "dpa");
    stage.edit("c1", &application, |object| {
        let location = object.pointer_mut("/spec/backupLocations/0/velero").unwrap();
        set(location, &["backupSyncPeriod"], "10m0s");
    });
    stage.minute();
    stage.minute();
    let synced = |stage: &Stage| {
        let location = stage.get("c1", &velero("BackupStorageLocation", "dpa-1")).unwrap();
        text(&location, &["status", "lastSyncedTime"]).to_owned()
    };
    let first = synced(&stage);
    stage.minute();
    assert_eq!(synced(&stage), first);
    stage.pass(SignedDuration::from_mins(10));
    assert_ne!(synced(&stage), first);
}
