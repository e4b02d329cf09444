//! Restores: validated once, carried out, finalized; one rung of the ladder for each step.
//!
//! ```text
//! '' or New ─► InProgress ─► Finalizing ─► Completed
//!     │              ├► FinalizingPartiallyFailed ─► PartiallyFailed
//!     └► FailedValidation └► Failed
//! ```
//!
//! Takes Restores, gives their status and the restored objects. A Restore is looked at only while it is new;
//! later edits do nothing. Upstream: `restore_controller`, `restore_finalizer_controller`, texts included.

use serde_json::{Value, json};

use super::backup_request::lists;
use super::backups::{FORCED, is_held, progress};
use super::edit::{OUTCOME, annotation, at, key, moment, name, phase, replace, set, text, texts};
use super::locations::{is_available, storage_path};
use super::restore_items;
use super::scene::{Scene, not_found};
use super::schedules::SCHEDULE_LABEL;
use crate::api::object::Manifest;
use crate::sim::simulator::{ObjectStorage, StoredBackup, Write};

const FINALIZER: &str = "restores.velero.io/external-resources-finalizer";

/// Kinds that no restore brings back.
const NEVER_RESTORED: [&str; 9] = [
    "nodes",
    "events",
    "events.events.k8s.io",
    "backups.velero.io",
    "restores.velero.io",
    "resticrepositories.velero.io",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "backuprepositories.velero.io",
];

/// The writes for all Restores of the namespace.
pub(super) fn writes(scene: &Scene<'_>, storage: &ObjectStorage) -> Vec<Write> {
    scene.all("Restore").iter().flat_map(|restore| process(scene, restore, storage)).collect()
}

fn process(scene: &Scene<'_>, restore: &Manifest, storage: &ObjectStorage) -> Vec<Write> {
    let mut object = restore.to_value();
    let mut finalizers = texts(&object, &["metadata", "finalizers"]);
    let has_finalizer = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    let mut writes = Vec::new();
    if restore.is_deleting() {
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        if has_finalizer {
            set(&mut object, &["metadata", "finalizers"], finalizers);
        }
    } else if !has_finalizer {
        finalizers.push(FINALIZER.to_owned());
        set(&mut object, &["metadata", "finalizers"], finalizers);
    } else if !is_held(&object) {
        match phase(&object) {
            "" | "New" => start(scene, &mut object),
            "InProgress" => writes.extend(run(scene, &mut object, storage)),
            "Finalizing" => finalize(scene, &mut object, "Completed"),
            "FinalizingPartiallyFailed" => finalize(scene, &mut object, "PartiallyFailed"),
            _ => {}
        }
    }
    writes.extend(replace(restore, object));
    writes
}

fn start(scene: &Scene<'_>, restore: &mut Value) {
    let faults = validate(scene, restore);
    if text(restore, &["spec", "itemOperationTimeout"]).is_empty() {
        set(restore, &["spec", "itemOperationTimeout"], "4h0m0s");
    }
    if faults.is_empty() {
        set(restore, &["status", "phase"], "InProgress");
        set(restore, &["status", "startTimestamp"], scene.time());
    } else {
        set(restore, &["status", "phase"], "FailedValidation");
        set(restore, &["status", "validationErrors"], faults);
    }
}

fn validate(scene: &Scene<'_>, restore: &mut Value) -> Vec<String> {
    let mut excluded = texts(restore, &["spec", "excludedResources"]);
    for kind in NEVER_RESTORED {
        if !excluded.iter().any(|entry| entry == kind) {
            excluded.push(kind.to_owned());
        }
    }
    set(restore, &["spec", "excludedResources"], excluded);

    let spec = at(restore, &["spec"]).cloned().unwrap_or_default();
    let mut faults: Vec<String> = Vec::new();
    let included = texts(&spec, &["includedResources"]);
    faults.extend(
        NEVER_RESTORED
            .iter()
            .filter(|kind| included.iter().any(|entry| entry == *kind))
            .map(|kind| format!("{kind} are non-restorable resources")),
    );
    for (what, includes, excludes) in [
        ("resource", "includedResources", "excludedResources"),
        ("namespace", "includedNamespaces", "excludedNamespaces"),
    ] {
        let found = lists(&spec, includes, excludes).faults();
        faults.extend(found.iter().map(|fault| format!("Invalid included/excluded {what} lists: {fault}")));
    }
    let given = |field| at(&spec, &[field]).is_some_and(|selector| !selector.is_null());
    if given("labelSelector") && given("orLabelSelectors") {
        faults.push(
            "encountered labelSelector as well as orLabelSelectors in restore spec, only one can be specified"
                .to_owned(),
        );
    }
    if text(&spec, &["backupName"]).is_empty() == text(&spec, &["scheduleName"]).is_empty() {
        faults.push(
            "Either a backup or schedule must be specified as a source for the restore, but not both"
                .to_owned(),
        );
        return faults;
    }
    let policy = text(&spec, &["existingResourcePolicy"]);
    if !["", "none", "update"].contains(&policy) {
        faults.push(format!("Invalid ExistingResourcePolicy: {policy}"));
    }
    faults.extend(find_source(scene, restore).err().unwrap_or_default());
    faults
}

/// Finds the Backup to restore and completes the spec with it.
fn find_source(scene: &Scene<'_>, restore: &mut Value) -> Result<(), Vec<String>> {
    let schedule = text(restore, &["spec", "scheduleName"]).to_owned();
    if !schedule.is_empty() {
        let newest = newest_completed(scene, &schedule)?;
        set(restore, &["spec", "backupName"], newest);
    }
    let backup_name = text(restore, &["spec", "backupName"]).to_owned();
    let backup = scene.one("Backup", &backup_name).ok_or_else(|| {
        vec![format!(
            "Error retrieving backup: can't find backup {}/{backup_name}: {}",
            scene.namespace,
            not_found("Backup", &backup_name)
        )]
    })?;
    let location_name = backup.text_at(&["spec", "storageLocation"]).unwrap_or_default();
    let location = scene.one("BackupStorageLocation", location_name).ok_or_else(|| {
        vec![format!("Error retrieving backup: {}", not_found("BackupStorageLocation", location_name))]
    })?;
    if !is_available(&location.to_value()) {
        return Err(vec![format!("The BSL {location_name} is unavailable, cannot retrieve the backup")]);
    }
    if let Some(schedule) = backup.label(SCHEDULE_LABEL).filter(|_| schedule.is_empty()) {
        set(restore, &["spec", "scheduleName"], schedule);
    }
    let modifier = text(restore, &["spec", "resourceModifier", "name"]);
    if text(restore, &["spec", "resourceModifier", "kind"]).eq_ignore_ascii_case("configmap")
        && scene.view.get(&key("v1", "ConfigMap", Some(scene.namespace), modifier)).is_none()
    {
        return Err(vec![format!(
            "failed to get resource modifiers configmap {}/{modifier}",
            scene.namespace
        )]);
    }
    Ok(())
}

fn newest_completed(scene: &Scene<'_>, schedule: &str) -> Result<String, Vec<String>> {
    let backups: Vec<Value> = scene
        .all("Backup")
        .iter()
        .filter(|backup| backup.label(SCHEDULE_LABEL) == Some(schedule))
        .map(|backup| backup.to_value())
        .collect();
    let newest = backups
        .iter()
        .filter(|backup| phase(backup) == "Completed")
        .max_by_key(|backup| moment(backup, &["status", "startTimestamp"]));
    match newest {
        Some(newest) => Ok(name(newest).to_owned()),
        None => Err([
            backups.is_empty().then_some("No backups found for schedule"),
            Some("No completed backups found for schedule"),
        ]
        .into_iter()
        .flatten()
        .map(ToOwned::to_owned)
        .collect()),
    }
}

fn run(scene: &Scene<'_>, restore: &mut Value, storage: &ObjectStorage) -> Vec<Write> {
    let outcome = annotation(restore, OUTCOME).to_owned();
    let Some(stored) = stored_backup(scene, restore, storage) else {
        let reason = not_in_storage(scene, text(restore, &["spec", "backupName"]));
        fail(scene, restore, &reason);
        return Vec::new();
    };
    if outcome == "Failed" {
        fail(scene, restore, FORCED);
        return Vec::new();
    }
    let result = restore_items::restore(scene, restore, stored);
    let errors = result.errors.len() + usize::from(outcome == "PartiallyFailed");
    for (field, count) in [("warnings", result.warnings.len()), ("errors", errors)] {
        if count > 0 {
            set(restore, &["status", field], count);
        }
    }
    if !stored.contents.is_empty() {
        set(restore, &["status", "progress"], progress("itemsRestored", result.total, result.total));
    }
    let next = if errors == 0 { "Finalizing" } else { "FinalizingPartiallyFailed" };
    set(restore, &["status", "phase"], next);
    result.writes
}

/// The data of the Backup. A backup without finished data cannot be downloaded.
fn stored_backup<'a>(
    scene: &Scene<'_>,
    restore: &Value,
    storage: &'a ObjectStorage,
) -> Option<&'a StoredBackup> {
    let backup_name = text(restore, &["spec", "backupName"]);
    let backup = scene.one("Backup", backup_name)?;
    let location = scene
        .one("BackupStorageLocation", backup.text_at(&["spec", "storageLocation"]).unwrap_or_default())?;
    storage.locations.get(&storage_path(&location.to_value()))?.get(backup_name)
}

/// How the plugin says that the data of a Backup is not there.
fn not_in_storage(scene: &Scene<'_>, backup_name: &str) -> String {
    let prefix = scene
        .one("Backup", backup_name)
        .and_then(|backup| scene.one("BackupStorageLocation", backup.text_at(&["spec", "storageLocation"])?))
        .and_then(|location| Some(location.text_at(&["spec", "objectStorage", "prefix"])?.to_owned()))
        .filter(|prefix| !prefix.is_empty())
        .map_or_else(String::new, |prefix| format!("{}/", prefix.trim_matches('/')));
    format!(
        "restore execution failed: error downloading backup: error copying Backup to temp file: rpc error: \
         code = Unknown desc = error getting object {prefix}backups/{backup_name}/{backup_name}.tar.gz: \
         operation error S3: GetObject, https response error StatusCode: 404, RequestID: , HostID: , \
         NoSuchKey: The specified key does not exist."
    )
}

fn fail(scene: &Scene<'_>, restore: &mut Value, reason: &str) {
    set(restore, &["status", "failureReason"], reason);
    finish(scene, restore, "Failed");
}

fn finalize(scene: &Scene<'_>, restore: &mut Value, last: &str) {
    set(restore, &["status", "hookStatus"], json!({}));
    finish(scene, restore, last);
}

fn finish(scene: &Scene<'_>, restore: &mut Value, last: &str) {
    set(restore, &["status", "phase"], last);
    set(restore, &["status", "completionTimestamp"], scene.time());
}
