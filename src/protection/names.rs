//! The length of Schedule names: Velero makes the name of a backup from it, and that name becomes a label.

use std::collections::BTreeMap;

use thiserror::Error;

use super::VELERO_GROUP;
use crate::api::object::Manifest;

/// `-YYYYMMDDhhmmss`, which Velero appends to the name of the Schedule.
const TIMESTAMP_LENGTH: usize = 15;
/// A backup name must have less than 63 characters.
const LONGEST_BACKUP_NAME: usize = 62;
/// The longest name of a Schedule whose backups can be named.
pub const LONGEST_SCHEDULE_NAME: usize = LONGEST_BACKUP_NAME - TIMESTAMP_LENGTH;

const PREFIX_KEY: &str = "backupPrefix";
const LOCATION_KEY: &str = "backupVolumeSnapshotLocation";
/// Keys of the ConfigMap of which, with the cluster's name, the names of Schedules are made.
pub const NAME_KEYS: [&str; 2] = [PREFIX_KEY, LOCATION_KEY];

/// A Schedule whose backups would have too long a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "Schedule name {name:?} for cluster {cluster:?} has {length} characters, at most {LONGEST_SCHEDULE_NAME} \
     leave room for the time in a backup name: {hint}"
)]
pub struct NameTooLong {
    /// Name of the Schedule.
    pub name: String,
    /// The managed cluster.
    pub cluster: String,
    /// Characters of the name.
    pub length: usize,
    /// How to shorten it.
    pub hint: String,
}

/// Checks the name of a Schedule; every other kind passes. `config` is the data of the ConfigMap, from which
/// the shortest cut is worked out. One cluster with a long name must not stop the others: the check is per
/// cluster.
pub fn check_schedule_name(
    schedule: &Manifest,
    cluster: &str,
    config: Option<&BTreeMap<String, String>>,
) -> Result<(), NameTooLong> {
    let name = schedule.name().unwrap_or_default();
    if !schedule.gvk().same_kind(VELERO_GROUP, "Schedule") || name.len() <= LONGEST_SCHEDULE_NAME {
        return Ok(());
    }
    Err(NameTooLong {
        name: name.to_owned(),
        cluster: cluster.to_owned(),
        length: name.len(),
        hint: hint(name.len() - LONGEST_SCHEDULE_NAME, cluster, config),
    })
}

fn hint(excess: usize, cluster: &str, config: Option<&BTreeMap<String, String>>) -> String {
    let characters = if excess == 1 { "character" } else { "characters" };
    let cut = format!("shorten {PREFIX_KEY} + {LOCATION_KEY} by {excess} {characters}");
    let value = |key: &str| config.and_then(|config| config.get(key)).map(String::as_str);
    let Some(prefix) = value(PREFIX_KEY) else { return cut };
    let location = value(LOCATION_KEY).unwrap_or_default();
    // One character of the prefix must stay; the location may be empty.
    let spare = (prefix.len() + location.len()).saturating_sub(1);
    if excess <= spare {
        format!("{cut} (now {prefix:?} and {location:?})")
    } else {
        format!(
            "{PREFIX_KEY} {prefix:?} and {LOCATION_KEY} {location:?} cannot be cut by {excess} {characters}; \
             the cluster name {cluster:?} is too long"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schedule(name: &str) -> Manifest {
        Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": name}}))
            .unwrap()
    }

    fn config(prefix: &str, location: &str) -> BTreeMap<String, String> {
        [(PREFIX_KEY, prefix), (LOCATION_KEY, location)]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn forty_seven_characters_fit() {
        assert_eq!(LONGEST_SCHEDULE_NAME, 47);
        assert_eq!(check_schedule_name(&schedule(&"a".repeat(47)), "c", None), Ok(()));
        assert!(check_schedule_name(&schedule(&"a".repeat(48)), "c", None).is_err());
        let other = Manifest::parse(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a".repeat(48)}}),
        )
        .unwrap();
        assert_eq!(check_schedule_name(&other, "c", None), Ok(()));
    }

    #[test]
    fn the_error_names_the_keys_and_the_shortest_cut() {
        let cluster = "production-frankfurt-eu-central-1";
        let error = |prefix: &str, location: &str, cluster: &str| {
            let schedule = schedule(&format!("{prefix}-{location}-{cluster}"));
            check_schedule_name(&schedule, cluster, Some(&config(prefix, location))).unwrap_err().to_string()
        };
        assert_eq!(
            error("pacman-app", "dpa-1", cluster),
            "Schedule name \"pacman-app-dpa-1-production-frankfurt-eu-central-1\" for cluster \
             \"production-frankfurt-eu-central-1\" has 50 characters, at most 47 leave room for the time in \
             a backup name: shorten backupPrefix + backupVolumeSnapshotLocation by 3 characters (now \
             \"pacman-app\" and \"dpa-1\")"
        );
        let long = "c".repeat(46);
        assert!(error("a", "", &long).ends_with(&format!("the cluster name {long:?} is too long")));
        assert!(error("ab", "", &"c".repeat(44)).contains("by 1 character (now"));
    }
}
