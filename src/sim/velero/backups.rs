//! Backups: queued, started one at a time, run, finalized; one rung of the ladder for each step, so that
//! watchers see all.
//!
//! ```text
//! '' or New ─► Queued ─► ReadyToStart ─► InProgress ─► Finalizing ─► Completed
//!                             │              ├► FinalizingPartiallyFailed ─► PartiallyFailed
//!                             └► FailedValidation └► Failed
//! ```
//!
//! Takes Backups, gives their status, `PodVolumeBackups`, and what lies in the object storage. Upstream:
//! `backup_queue_controller`, `backup_controller`, `backup_finalizer_controller`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::backup_request;
use super::contents::{Contents, collect};
use super::edit::{HOLD_PHASE, OUTCOME, annotation, at, name, phase, remove, replace, set, text};
use super::locations::storage_path;
use super::scene::Scene;
use crate::api::object::Manifest;
use crate::sim::simulator::{ObjectStorage, StoredBackup, Write};

/// Why a run failed as a whole when nothing but the annotation wanted it.
pub(super) const FORCED: &str = "wanted by the annotation sim.flotilla.dev/outcome";

/// Whether an object stays where it is because its annotation says so. `New` also holds what has no phase
/// yet.
pub(super) fn is_held(object: &Value) -> bool {
    let current = match phase(object) {
        "" => "New",
        other => other,
    };
    annotation(object, HOLD_PHASE) == current
}

/// The writes for all Backups of the namespace.
pub(super) fn writes(scene: &Scene<'_>, storage: &mut ObjectStorage) -> Vec<Write> {
    let backups = scene.all("Backup");
    let mut queue = Queue::of(&backups);
    let mut writes = Vec::new();
    for backup in backups.iter().filter(|backup| !backup.is_deleting()) {
        let mut object = backup.to_value();
        if is_held(&object) {
            continue;
        }
        match phase(&object) {
            "" | "New" => {
                queue.length += 1;
                set(&mut object, &["status", "phase"], "Queued");
                set(&mut object, &["status", "queuePosition"], queue.length);
            }
            "Queued" => queue.advance(&mut object),
            "ReadyToStart" => start(scene, &mut object),
            "InProgress" => writes.extend(run(scene, &mut object, storage)),
            "Finalizing" => finish(scene, &mut object, storage, "Completed"),
            "FinalizingPartiallyFailed" => finish(scene, &mut object, storage, "PartiallyFailed"),
            _ => {}
        }
        writes.extend(replace(backup, object));
    }
    writes
}

/// Marks what a server that starts finds half done (`markInProgressBackupsFailed`).
pub(super) fn fail_interrupted(scene: &Scene<'_>, kind: &str) -> Vec<Write> {
    let interrupted = scene.all(kind).into_iter().filter_map(|found| {
        let mut object = found.to_value();
        if phase(&object) != "InProgress" {
            return None;
        }
        let reason = format!(
            "found a {} with status \"InProgress\" during the server starting, mark it as \"Failed\"",
            kind.to_ascii_lowercase()
        );
        set(&mut object, &["status", "phase"], "Failed");
        set(&mut object, &["status", "failureReason"], reason);
        set(&mut object, &["status", "completionTimestamp"], scene.time());
        replace(&found, object)
    });
    interrupted.collect()
}

/// Backups that wait, in the order of their positions; one at a time runs.
struct Queue {
    length: u64,
    running: bool,
    first: Option<String>,
}

impl Queue {
    fn of(backups: &[Arc<Manifest>]) -> Self {
        let values: Vec<Value> = backups.iter().map(|backup| backup.to_value()).collect();
        let position = |backup: &Value| {
            at(backup, &["status", "queuePosition"]).and_then(Value::as_u64).unwrap_or_default()
        };
        let queued = || values.iter().filter(|backup| phase(backup) == "Queued");
        Self {
            length: queued().map(position).max().unwrap_or_default(),
            running: values.iter().any(|backup| ["ReadyToStart", "InProgress"].contains(&phase(backup))),
            first: queued()
                .filter(|backup| !is_held(backup))
                .min_by_key(|backup| position(backup))
                .map(|backup| name(backup).to_owned()),
        }
    }

    /// The first one leaves the queue when nothing runs; the others move up.
    fn advance(&self, backup: &mut Value) {
        if self.running {
            return;
        }
        if self.first.as_deref() == Some(name(backup)) {
            set(backup, &["status", "phase"], "ReadyToStart");
            remove(backup, &["status", "queuePosition"]);
        } else if let Some(position) = at(backup, &["status", "queuePosition"]).and_then(Value::as_u64) {
            set(backup, &["status", "queuePosition"], position.saturating_sub(1).max(1));
        }
    }
}

fn start(scene: &Scene<'_>, backup: &mut Value) {
    let faults = backup_request::prepare(scene, backup);
    if faults.is_empty() {
        let total = collect(scene, backup).items.len();
        set(backup, &["status", "phase"], "InProgress");
        set(backup, &["status", "startTimestamp"], scene.time());
        set(backup, &["status", "progress"], progress("itemsBackedUp", total, 0));
    } else {
        set(backup, &["status", "phase"], "FailedValidation");
        set(backup, &["status", "validationErrors"], faults);
    }
}

/// The progress of a Backup or Restore; a count of zero is not written.
pub(super) fn progress(done_field: &str, total: usize, done: usize) -> Value {
    let mut progress = json!({});
    for (field, count) in [("totalItems", total), (done_field, done)] {
        if count > 0 {
            set(&mut progress, &[field], count);
        }
    }
    progress
}

fn run(scene: &Scene<'_>, backup: &mut Value, storage: &mut ObjectStorage) -> Vec<Write> {
    let Some(location) = scene.one("BackupStorageLocation", text(backup, &["spec", "storageLocation"]))
    else {
        fail(scene, backup, "backup execution failed: error getting backup store");
        return Vec::new();
    };
    let place = storage.locations.entry(storage_path(&location.to_value())).or_default();
    let own = |stored: &StoredBackup| {
        stored.source_cluster == scene.cluster
            && text(&stored.backup, &["metadata", "uid"]) == text(backup, &["metadata", "uid"])
    };
    if place.get(name(backup)).is_some_and(|stored| !own(stored)) {
        // Refused before anything is collected.
        remove(backup, &["status", "progress"]);
        fail(scene, backup, "backup execution failed: backup already exists in object storage");
        return Vec::new();
    }
    let outcome = annotation(backup, OUTCOME).to_owned();
    let contents = if outcome == "Failed" { Contents::default() } else { collect(scene, backup) };
    if outcome == "Failed" {
        fail(scene, backup, FORCED);
    } else {
        let errors = contents.errors + usize::from(outcome == "PartiallyFailed");
        let total = contents.items.len();
        set(backup, &["status", "progress"], progress("itemsBackedUp", total, total));
        set(backup, &["status", "hookStatus"], json!({}));
        for (field, count) in [
            ("volumeSnapshotsAttempted", contents.snapshots),
            ("volumeSnapshotsCompleted", contents.snapshots),
            ("errors", errors),
            ("warnings", contents.warnings),
        ] {
            if count > 0 {
                set(backup, &["status", field], count);
            }
        }
        let next = if errors == 0 { "Finalizing" } else { "FinalizingPartiallyFailed" };
        set(backup, &["status", "phase"], next);
    }
    let writes = contents.volume_backups.iter().cloned().map(Write::Create).collect();
    place.insert(
        name(backup).to_owned(),
        StoredBackup {
            backup: backup.clone(),
            contents: contents.items.into_iter().chain(contents.volume_backups).collect(),
            source_cluster: scene.cluster.to_owned(),
        },
    );
    writes
}

fn fail(scene: &Scene<'_>, backup: &mut Value, reason: &str) {
    set(backup, &["status", "phase"], "Failed");
    set(backup, &["status", "failureReason"], reason);
    set(backup, &["status", "completionTimestamp"], scene.time());
}

fn finish(scene: &Scene<'_>, backup: &mut Value, storage: &mut ObjectStorage, last: &str) {
    let path = scene
        .one("BackupStorageLocation", text(backup, &["spec", "storageLocation"]))
        .map(|location| storage_path(&location.to_value()));
    let stored =
        path.and_then(|path| storage.locations.get_mut(&path)).and_then(|place| place.get_mut(name(backup)));
    // Without its location or data it stays where it is; upstream's finalizer tries again for ever too.
    if let Some(stored) = stored {
        set(backup, &["status", "phase"], last);
        set(backup, &["status", "completionTimestamp"], scene.time());
        stored.backup = backup.clone();
    }
}
