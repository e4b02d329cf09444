//! Holds a Restore back until its backup can be restored: Velero handles a Restore once, so one that is
//! created too early fails for good.

use super::VELERO_GROUP;
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// Whether a Restore may be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Not yet.
    Held {
        /// Why, and what happens next.
        message: String,
        /// The Backup whose change opens the gate.
        waits_for: ObjectKey,
    },
}

/// The Backup that a Restore names; `None` for other kinds and for Restores by `scheduleName`, which Velero
/// resolves.
pub fn backup_key(restore: &Manifest) -> Option<ObjectKey> {
    let gvk = restore.gvk();
    if !gvk.same_kind(VELERO_GROUP, "Restore") {
        return None;
    }
    let name = restore.text_at(&["spec", "backupName"]).filter(|name| !name.is_empty())?;
    Some(ObjectKey {
        gvk: GroupVersionKind::new(&gvk.api_version(), "Backup"),
        namespace: restore.namespace().map(ToOwned::to_owned),
        name: name.to_owned(),
    })
}

/// Judges a rendered Restore. `backup` is the observed Backup of [`backup_key`]; `existing_restore` says
/// whether the Restore is on the cluster already: then it has been handled, or is being, and nothing is
/// gained by holding it.
pub fn restore_gate(
    restore: &Manifest,
    backup: Option<&Manifest>,
    existing_restore: bool,
    cluster: &str,
) -> Gate {
    let Some(waits_for) = backup_key(restore).filter(|_| !existing_restore) else { return Gate::Open };
    let name = &waits_for.name;
    let held = |why: String| Gate::Held { message: why, waits_for: waits_for.clone() };
    let Some(backup) = backup else {
        return held(format!(
            "Backup {name} is not visible on cluster {cluster} yet: Velero syncs backups from the object \
             storage every minute and the restore starts as soon as it appears; if it does not, check that \
             its BackupStorageLocation is Available and has the bucket and prefix of the cluster that was \
             backed up, and the name of the backup in the label; Velero 1.19 and newer never show a backup with \
             files that restic copied"
        ));
    };
    if backup.is_deleting() {
        return held(format!("Backup {name} on cluster {cluster} is being deleted: choose another backup"));
    }
    match backup.text_at(&["status", "phase"]).unwrap_or_default() {
        "Completed" | "PartiallyFailed" => Gate::Open,
        phase @ ("Failed" | "FailedValidation" | "Deleting") => held(format!(
            "Backup {name} on cluster {cluster} is in phase {phase} and cannot be restored: choose another \
             backup"
        )),
        phase @ (""
        | "New"
        | "Queued"
        | "ReadyToStart"
        | "InProgress"
        | "WaitingForPluginOperations"
        | "WaitingForPluginOperationsPartiallyFailed"
        | "Finalizing"
        | "FinalizingPartiallyFailed") => {
            let phase = if phase.is_empty() { "New" } else { phase };
            held(format!(
                "Backup {name} on cluster {cluster} is in phase {phase} and cannot be restored yet: the \
                 restore starts when the backup is Completed or PartiallyFailed"
            ))
        }
        phase => held(format!(
            "Backup {name} on cluster {cluster} is in phase {phase:?}, which is not known as restorable: the \
             restore starts when the backup is Completed or PartiallyFailed"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn restore(spec: &Value) -> Manifest {
        Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Restore",
            "metadata": {"name": "restore-b1", "namespace": "acm-app-backup"}, "spec": spec}))
        .unwrap()
    }

    fn backup(phase: Option<&str>) -> Manifest {
        Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"name": "b1", "namespace": "acm-app-backup"}, "status": {"phase": phase}}))
        .unwrap()
    }

    fn message(gate: Gate) -> Option<String> {
        match gate {
            Gate::Open => None,
            Gate::Held { message, waits_for } => {
                assert_eq!(waits_for.to_string(), "Backup acm-app-backup/b1");
                Some(message)
            }
        }
    }

    #[test]
    fn only_a_finished_backup_opens_the_gate() {
        let restore = restore(&json!({"backupName": "b1"}));
        for (phase, part) in [
            (Some("Completed"), None),
            (Some("PartiallyFailed"), None),
            (Some("Failed"), Some("phase Failed and cannot be restored: choose another")),
            (Some("FailedValidation"), Some("phase FailedValidation and cannot be restored: choose")),
            (Some("Deleting"), Some("choose another")),
            (Some("InProgress"), Some("phase InProgress and cannot be restored yet")),
            (Some("Queued"), Some("yet")),
            (None, Some("phase New")),
            (Some("Later"), Some("\"Later\", which is not known")),
        ] {
            let found = message(restore_gate(&restore, Some(&backup(phase)), false, "c2"));
            match (&found, part) {
                (None, None) => {}
                (Some(found), Some(part)) => assert!(found.contains(part), "{found}"),
                _ => panic!("{phase:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_backup_that_is_not_there_yet_is_explained() {
        let restore = restore(&json!({"backupName": "b1"}));
        let found = message(restore_gate(&restore, None, false, "c2")).unwrap();
        assert!(found.starts_with("Backup b1 is not visible on cluster c2 yet: Velero syncs"), "{found}");
        assert_eq!(restore_gate(&restore, None, true, "c2"), Gate::Open);
        let by_schedule = self::restore(&json!({"scheduleName": "s1"}));
        assert_eq!(restore_gate(&by_schedule, None, false, "c2"), Gate::Open);
        assert_eq!(restore_gate(&backup(None), None, false, "c2"), Gate::Open);
    }
}
