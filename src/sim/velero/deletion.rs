//! `DeleteBackupRequests`, and the hourly collection of expired backups that makes them.
//!
//! Takes requests and Backups, removes Backup, `PodVolumeBackups`, Restores and stored data. A request that
//! succeeded is removed right after it was `Processed`; one with errors stays for a day. Upstream:
//! `backup_deletion_controller`, `gc_controller`.

use serde_json::{Value, json};

use super::edit::{digest, label, label_value, moment, phase, remove, replace, set, text, texts, time};
use super::locations::{is_available, is_read_only, storage_path};
use super::scene::{API_VERSION, Scene};
use crate::api::object::Manifest;
use crate::sim::simulator::{ObjectStorage, Write};

const BACKUP_NAME_LABEL: &str = "velero.io/backup-name";
const BACKUP_UID_LABEL: &str = "velero.io/backup-uid";
const COLLECTION_FAILURE_LABEL: &str = "velero.io/gc-failure";
const SECONDS_KEPT: i64 = 24 * 60 * 60;

/// The writes for all requests of the namespace.
pub(super) fn writes(scene: &Scene<'_>, storage: &mut ObjectStorage) -> Vec<Write> {
    let mut writes = Vec::new();
    for request in scene.all("DeleteBackupRequest").iter().filter(|request| !request.is_deleting()) {
        let object = request.to_value();
        match phase(&object) {
            "" | "New" => writes.extend(begin(scene, request, object)),
            "InProgress" => writes.extend(carry_out(scene, request, object, storage)),
            _ => {
                let created = moment(&object, &["metadata", "creationTimestamp"]);
                let expired =
                    created.is_some_and(|moment| scene.now.as_second() - moment.as_second() >= SECONDS_KEPT);
                if expired || texts(&object, &["status", "errors"]).is_empty() {
                    writes.extend(request.key().map(Write::Delete));
                }
            }
        }
    }
    writes
}

fn begin(scene: &Scene<'_>, request: &Manifest, mut object: Value) -> Vec<Write> {
    let backup_name = text(&object, &["spec", "backupName"]).to_owned();
    let backup = match check(scene, &backup_name) {
        Ok(backup) => backup,
        Err(fault) => {
            set(&mut object, &["status", "phase"], "Processed");
            set(&mut object, &["status", "errors"], vec![format!("backup deletion failed: {fault}")]);
            return replace(request, object).into_iter().collect();
        }
    };
    let mut writes: Vec<Write> = scene
        .all("DeleteBackupRequest")
        .iter()
        .filter(|other| {
            other.label(BACKUP_NAME_LABEL) == Some(&label_value(&backup_name))
                && other.name() != request.name()
        })
        .filter_map(|other| Some(Write::Delete(other.key()?)))
        .collect();
    set(&mut object, &["status", "phase"], "InProgress");
    for (key, value) in
        [(BACKUP_NAME_LABEL, label_value(&backup_name)), (BACKUP_UID_LABEL, uid(&backup).to_owned())]
    {
        if label(&object, key).is_empty() {
            set(&mut object, &["metadata", "labels", key], value);
        }
    }
    let mut deleting = backup.to_value();
    set(&mut deleting, &["status", "phase"], "Deleting");
    writes.extend(replace(request, object));
    writes.extend(replace(&backup, deleting));
    writes
}

fn uid(backup: &Manifest) -> &str {
    backup.uid().unwrap_or_default()
}

fn check(scene: &Scene<'_>, backup_name: &str) -> Result<std::sync::Arc<Manifest>, String> {
    if backup_name.is_empty() {
        return Err("spec.backupName is required".to_owned());
    }
    let backup = scene.one("Backup", backup_name).ok_or("backup not found")?;
    let value = backup.to_value();
    let running = ["ReadyToStart", "InProgress", "Finalizing", "FinalizingPartiallyFailed"];
    if running.contains(&phase(&value)) {
        return Err("backup is still in progress".to_owned());
    }
    let location_name = text(&value, &["spec", "storageLocation"]);
    let location = scene
        .one("BackupStorageLocation", location_name)
        .ok_or_else(|| format!("backup storage location {location_name} not found"))?
        .to_value();
    let refusal = |state| {
        Err(format!(
            "cannot delete backup because backup storage location {location_name} is currently in {state}"
        ))
    };
    if is_read_only(&location) {
        return refusal("read-only mode");
    }
    if !is_available(&location) {
        return refusal("Unavailable state");
    }
    Ok(backup)
}

fn carry_out(
    scene: &Scene<'_>,
    request: &Manifest,
    mut object: Value,
    storage: &mut ObjectStorage,
) -> Vec<Write> {
    let backup_name = text(&object, &["spec", "backupName"]).to_owned();
    let mut writes = Vec::new();
    if let Some(backup) = scene.one("Backup", &backup_name) {
        let location_name = backup.text_at(&["spec", "storageLocation"]).unwrap_or_default();
        if let Some(place) = scene
            .one("BackupStorageLocation", location_name)
            .and_then(|location| storage.locations.get_mut(&storage_path(&location.to_value())))
        {
            place.remove(&backup_name);
        }
        writes.extend(backup.key().map(Write::Delete));
    }
    for restore in scene.all("Restore") {
        if restore.text_at(&["spec", "backupName"]) == Some(&backup_name) && !restore.is_deleting() {
            writes.extend(restore.key().map(Write::Delete));
        }
    }
    for volume in scene.all("PodVolumeBackup") {
        if volume.label(BACKUP_NAME_LABEL) == Some(&label_value(&backup_name)) && !volume.is_deleting() {
            writes.extend(volume.key().map(Write::Delete));
        }
    }
    set(&mut object, &["status", "phase"], "Processed");
    remove(&mut object, &["status", "errors"]);
    writes.extend(replace(request, object));
    writes
}

/// Requests the deletion of every backup that has expired.
pub(super) fn collect_expired(scene: &Scene<'_>) -> Vec<Write> {
    let mut writes = Vec::new();
    for backup in scene.all("Backup").iter().filter(|backup| !backup.is_deleting()) {
        let mut object = backup.to_value();
        let expiration = moment(&object, &["status", "expiration"]);
        if expiration.is_none_or(|expiration| expiration > scene.now) {
            continue;
        }
        let location = scene
            .one("BackupStorageLocation", text(&object, &["spec", "storageLocation"]))
            .map(|location| location.to_value());
        let obstacle = match &location {
            None => Some("BSLNotFound"),
            // Upstream tries again later without a mark.
            Some(location) if !is_available(location) => continue,
            Some(location) if is_read_only(location) => Some("BSLReadOnly"),
            Some(_) => None,
        };
        if let Some(obstacle) = obstacle {
            set(&mut object, &["metadata", "labels", COLLECTION_FAILURE_LABEL], obstacle);
        } else {
            remove(&mut object, &["metadata", "labels", COLLECTION_FAILURE_LABEL]);
            writes.extend(request_deletion(scene, backup));
        }
        writes.extend(replace(backup, object));
    }
    writes
}

fn request_deletion(scene: &Scene<'_>, backup: &Manifest) -> Option<Write> {
    let backup_name = backup.name()?;
    let pending = scene.all("DeleteBackupRequest").iter().any(|request| {
        request.label(BACKUP_NAME_LABEL) == Some(&label_value(backup_name))
            && matches!(request.text_at(&["status", "phase"]).unwrap_or_default(), "" | "New" | "InProgress")
    });
    let suffix = digest(&format!("{}/{}", uid(backup), time(scene.now)), 5);
    (!pending).then(|| {
        let request = json!({
            "apiVersion": API_VERSION,
            "kind": "DeleteBackupRequest",
            "metadata": {
                "name": format!("{backup_name}-{suffix}"),
                "namespace": scene.namespace,
                "labels": {BACKUP_NAME_LABEL: label_value(backup_name), BACKUP_UID_LABEL: uid(backup)},
            },
            "spec": {"backupName": backup_name},
        });
        Write::Create(request)
    })
}
