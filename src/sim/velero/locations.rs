//! Storage locations: whether they can be used, where they store, and when they are looked at again.
//!
//! Takes `BackupStorageLocations`, gives their status. Texts are Velero's
//! (`backup_storage_location_controller`, `object_store`). The object storage itself is always in reach; the
//! annotation `sim.flotilla.dev/outcome: Unavailable` plays an outage.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use super::edit::{OUTCOME, annotation, at, key, moment, name, phase, remove, replace, set, text, time};
use super::scene::Scene;
use super::sync;
use crate::pipeline::config::go_duration::GoDuration;
use crate::sim::simulator::{ObjectStorage, Trigger, Write};

/// Why a location cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum Fault {
    #[error("backup storage location does not use object storage")]
    NoObjectStorage,
    #[error("object storage provider name must not be empty")]
    NoProvider,
    #[error("unable to locate ObjectStore plugin named velero.io/{provider}")]
    UnknownProvider { provider: String },
    #[error("object storage bucket name must not be empty")]
    NoBucket,
    #[error(
        "backup storage location's bucket name {bucket:?} must not contain a '/' (if using a prefix, put it \
         in the 'Prefix' field instead)"
    )]
    SlashInBucket { bucket: String },
    #[error("unable to get credentials: unable to get key for secret: Secret {secret:?} not found")]
    NoSecret { secret: String },
    #[error(
        "unable to get credentials: unable to get key for secret: {secret:?} secret is missing data for key \
         {field:?}"
    )]
    NoSecretKey { secret: String, field: String },
    #[error("the object storage cannot be reached")]
    Outage,
    #[error("Backup store contains invalid top-level directories: [{}]", directories.join(" "))]
    Foreign { directories: Vec<String> },
    #[error("Backup store contains {count} invalid top-level directories: [{} ...]", first.join(" "))]
    ManyForeign { count: usize, first: Vec<String> },
}

/// Where the location stores: `bucket/prefix`, or the bucket alone. The name under which clusters share it.
pub(super) fn storage_path(location: &Value) -> String {
    let part = |field| text(location, &["spec", "objectStorage", field]).trim_matches('/');
    match (part("bucket"), part("prefix")) {
        (bucket, "") => bucket.to_owned(),
        (bucket, prefix) => format!("{bucket}/{prefix}"),
    }
}

/// Whether the location was usable when it was last looked at.
pub(super) fn is_available(location: &Value) -> bool {
    phase(location) == "Available"
}

/// Whether nothing may be written there.
pub(super) fn is_read_only(location: &Value) -> bool {
    text(location, &["spec", "accessMode"]) == "ReadOnly"
}

/// Brings the status of every location up to date; each minute also takes over the backups stored there by
/// others.
///
/// The real server validates on every change of the spec and each minute. Here a change of the outcome shows
/// at once, the times move with the minute only.
pub(super) fn writes(scene: &Scene<'_>, storage: &ObjectStorage, trigger: Trigger) -> Vec<Write> {
    let mut writes = Vec::new();
    for location in scene.all("BackupStorageLocation").iter().filter(|location| !location.is_deleting()) {
        let mut object = location.to_value();
        let verdict = check(scene, &object).and_then(|()| check_store(&object, storage));
        let (wanted_phase, message) = match verdict {
            Ok(()) => ("Available", String::new()),
            Err(fault) => {
                ("Unavailable", format!("BackupStorageLocation {:?} is unavailable: {fault}", name(&object)))
            }
        };
        let changed = phase(&object) != wanted_phase || text(&object, &["status", "message"]) != message;
        let last = moment(&object, &["status", "lastValidationTime"]);
        let minute = trigger == Trigger::Minute;
        if changed || (minute && period_is_over(&object, "validationFrequency", last, scene.now)) {
            set(&mut object, &["status", "phase"], wanted_phase);
            set(&mut object, &["status", "lastValidationTime"], time(scene.now));
            if message.is_empty() {
                remove(&mut object, &["status", "message"]);
            } else {
                set(&mut object, &["status", "message"], message);
            }
        }
        let last = moment(&object, &["status", "lastSyncedTime"]);
        if minute && is_available(&object) && period_is_over(&object, "backupSyncPeriod", last, scene.now) {
            writes.extend(sync::writes(scene, &object, storage));
            set(&mut object, &["status", "lastSyncedTime"], time(scene.now));
        }
        writes.extend(replace(location, object));
    }
    writes
}

/// Whether the period in a field of the spec (one minute unless set, never when zero) has passed since the
/// last time.
fn period_is_over(location: &Value, field: &str, last: Option<Timestamp>, now: Timestamp) -> bool {
    let minute = GoDuration::from_seconds(60);
    let period = match text(location, &["spec", field]).parse::<GoDuration>() {
        Ok(period) if period >= GoDuration::default() => period,
        Ok(_) | Err(_) => minute,
    };
    let disabled = period.is_zero() && (field == "backupSyncPeriod" || last.is_some());
    !disabled && last.is_none_or(|last| last + period.signed() <= now)
}

/// What else lies beside Velero's own directories, such as the folders of clusters (upstream: `objectBackupStore.IsValid`).
fn check_store(location: &Value, storage: &ObjectStorage) -> Result<(), Fault> {
    let own = format!("{}/", storage_path(location));
    let inside = storage.locations.keys().filter_map(|path| path.strip_prefix(&own));
    let directories: BTreeSet<String> =
        inside.filter_map(|path| path.split('/').next().map(ToOwned::to_owned)).collect();
    let directories: Vec<String> = directories.into_iter().collect();
    match directories.len() {
        0 => Ok(()),
        1..=3 => Err(Fault::Foreign { directories }),
        count => Err(Fault::ManyForeign { count, first: directories.into_iter().take(3).collect() }),
    }
}

fn check(scene: &Scene<'_>, location: &Value) -> Result<(), Fault> {
    if at(location, &["spec", "objectStorage"]).is_none_or(Value::is_null) {
        return Err(Fault::NoObjectStorage);
    }
    let provider = text(location, &["spec", "provider"]);
    let provider = provider.strip_prefix("velero.io/").unwrap_or(provider);
    if provider.is_empty() {
        return Err(Fault::NoProvider);
    }
    let bucket = text(location, &["spec", "objectStorage", "bucket"]);
    if bucket.is_empty() {
        return Err(Fault::NoBucket);
    }
    if bucket.trim_matches('/').contains('/') {
        return Err(Fault::SlashInBucket { bucket: bucket.to_owned() });
    }
    if let Some(credential) = at(location, &["spec", "credential"]).filter(|credential| !credential.is_null())
    {
        let (secret, field) = (text(credential, &["name"]).to_owned(), text(credential, &["key"]).to_owned());
        let found = scene
            .view
            .get(&key("v1", "Secret", Some(scene.namespace), &secret))
            .ok_or_else(|| Fault::NoSecret { secret: secret.clone() })?;
        if found.at(&["data", &field]).is_none() {
            return Err(Fault::NoSecretKey { secret, field });
        }
    }
    if !scene.program.providers.contains(provider) {
        return Err(Fault::UnknownProvider { provider: provider.to_owned() });
    }
    if annotation(location, OUTCOME) == "Unavailable" {
        return Err(Fault::Outage);
    }
    Ok(())
}
