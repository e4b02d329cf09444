//! What the project's own policies say of backups and restores that went wrong: which object, and why, in Velero's words.

use serde_json::{Value, json};

use crate::support::{VELERO, World};
use crate::{BACKUP, INSTALL, RESTORE};

/// The Schedule of c1 under the demo's configuration.
const SCHEDULE: &str = "acm-app-dpa-1-c1";

/// A Backup of the Schedule that is newer than all that are made by itself.
fn backup(number: u32, status: &Value) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": backup_name(number), "labels": {"velero.io/schedule-name": SCHEDULE}},
        "spec": {}, "status": status})
}

fn backup_name(number: u32) -> String {
    format!("{SCHEDULE}-209901010000{number:02}")
}

/// Rows A40-A44, A46, A47, G7, G11: the newest backup counts, and what is wrong with it is said in full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_backup_is_said() {
    let world = World::start_with(&["c1"]).await;
    world.create_app("c1", "pacman").await;
    world.apply_own_policies().await;
    world.bind_set().await;
    world.label_for_backup("c1").await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "found as specified").await;
    let c1 = &world.clusters["c1"];
    let newest = [
        (
            json!({"phase": "Failed", "failureReason": "the volume is full"}),
            "check-backup-failed",
            "the volume is full",
        ),
        (
            json!({"phase": "FailedValidation", "validationErrors": ["no location", "no time"]}),
            "check-backup-failed-validation",
            "no location; no time",
        ),
        (
            json!({"phase": "PartiallyFailed", "errors": 3, "warnings": 1,
                "hookStatus": {"hooksAttempted": 2, "hooksFailed": 1}}),
            "check-backup-partially-failed",
            "errors: 3; warnings: 1; failed hooks: 1",
        ),
    ];
    for (number, (status, template, words)) in (1..).zip(&newest) {
        c1.apply(backup(number, status), VELERO).await;
        let said = world.template_says(BACKUP, "c1", template, words).await;
        assert!(said.starts_with("NonCompliant; violation - backups [acm-app-dpa-1-c1-2099"), "{said}");
        assert!(said.contains(&backup_name(number)), "{said}");
        world.template_says(BACKUP, "c1", "check-backup-completed", "found but not as specified").await;
        // A good one came before it, for the two that follow an earlier failure: only the newest counts.
        for (_, earlier, _) in newest.iter().take(usize::try_from(number).unwrap() - 1) {
            world.template_says(BACKUP, "c1", earlier, "Compliant; ").await;
        }
    }
    c1.apply(backup(9, &json!({"phase": "Completed"})), VELERO).await;
    for (_, template, _) in &newest {
        world.template_says(BACKUP, "c1", template, "Compliant; ").await;
    }
    let said = world.template_says(BACKUP, "c1", "check-backup-completed", "found as specified").await;
    assert!(said.contains(&backup_name(9)), "{said}");

    // Velero itself finds the fault of a Schedule.
    c1.apply(
        json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "by-hand", "labels": {"cluster-name": "c1"}},
            "spec": {"schedule": "every day", "template": {}}}),
        VELERO,
    )
    .await;
    let said =
        world.template_says(BACKUP, "c1", "check-schedule-failed-validation", "invalid schedule").await;
    assert!(said.starts_with("NonCompliant; violation - schedules [by-hand] found"), "{said}");

    // Row A27: so does it of a storage location, and says why.
    world.stage.lose_bucket(c1).await;
    let template = "check-backup-storage-location-available";
    let said = world.template_says(INSTALL, "c1", template, "is unavailable: ").await;
    assert!(said.starts_with("NonCompliant; violation - backupstoragelocations [dpa-1] found but"), "{said}");
    world.stop().await;
}

/// Row A54.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_restore_is_said() {
    let world = World::start_with(&["c2"]).await;
    world.apply_own_policies().await;
    world.bind_set().await;
    world.label_for_restore("c2", "lost").await;
    world.policy_is(INSTALL, "c2", "Compliant").await;
    world.template_says(RESTORE, "c2", "check-backup-to-restore", "[lost] not found").await;
    let c2 = &world.clusters["c2"];
    for (name, status, template, words) in [
        (
            "failed",
            json!({"phase": "Failed", "failureReason": "no such archive"}),
            "check-restore-failed",
            "no such archive",
        ),
        (
            "invalid",
            json!({"phase": "FailedValidation", "validationErrors": ["backup is gone"]}),
            "check-restore-failed-validation",
            "backup is gone",
        ),
        (
            "in-part",
            json!({"phase": "PartiallyFailed", "errors": 2, "warnings": 7}),
            "check-restore-partially-failed",
            "errors: 2; warnings: 7",
        ),
    ] {
        let restore = json!({"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": {"name": name},
            "spec": {"backupName": "lost"}, "status": status});
        c2.apply(restore, VELERO).await;
        let said = world.template_says(RESTORE, "c2", template, words).await;
        assert!(said.starts_with(&format!("NonCompliant; violation - restores [{name}] found")), "{said}");
    }
    world.template_says(RESTORE, "c2", "check-restore-completed", "NonCompliant; ").await;
    world.stop().await;
}
