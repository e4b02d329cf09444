//! Backup sync: what other clusters stored in a shared location appears here, what vanished from it
//! disappears.
//!
//! Takes a location and the object storage, gives Backups (and their `PodVolumeBackups`) to create and
//! orphans to delete. Upstream: `backup_sync_controller`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::edit::{
    as_written_by_velero, at, items, label, label_value, moment, name, phase, remove, set, text,
};
use super::locations::storage_path;
use super::scene::Scene;
use crate::sim::simulator::{ObjectStorage, StoredBackup, Write};

/// The label that names the location of a Backup.
pub(super) const STORAGE_LOCATION_LABEL: &str = "velero.io/storage-location";

/// The writes for one location.
pub(super) fn writes(scene: &Scene<'_>, location: &Value, storage: &ObjectStorage) -> Vec<Write> {
    let stored = storage.locations.get(&storage_path(location));
    let present: BTreeSet<String> =
        scene.all("Backup").iter().filter_map(|backup| Some(backup.name()?.to_owned())).collect();
    let mut writes = Vec::new();
    for (_, backup) in stored.into_iter().flatten().filter(|(name, _)| !present.contains(*name)) {
        writes.extend(take_over(scene, location, backup));
    }
    let own_label = label_value(name(location));
    for backup in scene.all("Backup") {
        let value = backup.to_value();
        let finished = ["Completed", "PartiallyFailed"].contains(&phase(&value));
        let is_stored = stored.is_some_and(|stored| stored.contains_key(name(&value)));
        if label(&value, STORAGE_LOCATION_LABEL) == own_label
            && finished
            && !is_stored
            && !backup.is_deleting()
        {
            writes.extend(backup.key().map(Write::Delete));
        }
    }
    writes
}

fn take_over(scene: &Scene<'_>, location: &Value, stored: &StoredBackup) -> Vec<Write> {
    let mut backup = stored.backup.clone();
    if phase(&backup).starts_with("WaitingForPluginOperations") || phase(&backup).starts_with("Finalizing") {
        if moment(&backup, &["status", "expiration"]).is_none_or(|expiration| expiration > scene.now) {
            return Vec::new();
        }
        set(&mut backup, &["status", "phase"], "PartiallyFailed");
    }
    forget_origin(&mut backup, scene.namespace);
    set(&mut backup, &["spec", "storageLocation"], name(location));
    set(&mut backup, &["metadata", "labels", STORAGE_LOCATION_LABEL], label_value(name(location)));
    keep_known_owners(scene, &mut backup);
    as_written_by_velero(&mut backup);
    let volumes = stored.contents.iter().filter(|item| is_volume_backup(item)).map(|item| {
        let mut volume = item.clone();
        forget_origin(&mut volume, scene.namespace);
        // The owner's identity here is not known before the API server has given it.
        remove(&mut volume, &["metadata", "ownerReferences"]);
        remove(&mut volume, &["metadata", "labels", "velero.io/backup-uid"]);
        set(&mut volume, &["spec", "backupStorageLocation"], name(location));
        Write::Create(volume)
    });
    [Write::Create(backup)].into_iter().chain(volumes).collect()
}

/// Whether an item of a stored backup describes the backup of a volume rather than being part of the app.
pub(super) fn is_volume_backup(item: &Value) -> bool {
    text(item, &["kind"]) == "PodVolumeBackup" && text(item, &["apiVersion"]) == super::scene::API_VERSION
}

fn forget_origin(object: &mut Value, namespace: &str) {
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        remove(object, &["metadata", field]);
    }
    set(object, &["metadata", "namespace"], namespace);
}

/// Drops references to Schedules that this cluster does not have.
fn keep_known_owners(scene: &Scene<'_>, backup: &mut Value) {
    if at(backup, &["metadata", "ownerReferences"]).is_none() {
        return;
    }
    let known: Vec<Value> = items(backup, &["metadata", "ownerReferences"])
        .iter()
        .filter(|owner| {
            text(owner, &["kind"]) != "Schedule"
                || scene
                    .one("Schedule", text(owner, &["name"]))
                    .is_some_and(|schedule| schedule.uid() == Some(text(owner, &["uid"])))
        })
        .cloned()
        .collect();
    if known.is_empty() {
        remove(backup, &["metadata", "ownerReferences"]);
    } else {
        set(backup, &["metadata", "ownerReferences"], known);
    }
}
