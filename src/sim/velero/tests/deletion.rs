//! Deletion, expiry and small requests.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{backed_up, backup, restore, stage};
use crate::sim::velero::edit::{key, label, phase, set, text, texts};
use crate::sim::velero::stage::velero;

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
    for (backup_name, fault) in [
        ("held", "backup deletion failed: backup is still in progress"),
        ("gone", "backup deletion failed: backup not found"),
    ] {
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
    assert_eq!((phase(&answered), text(&answered, &["status", "serverVersion"])), ("Processed", "v1.18.3"));
    stage.minute();
    assert!(stage.get("c1", &velero("ServerStatusRequest", "ask")).is_some(), "not looked at yet");
    stage.pass(SignedDuration::from_mins(4));
    assert!(stage.get("c1", &velero("ServerStatusRequest", "ask")).is_none());
}
