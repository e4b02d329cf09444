//! Reading and changing objects as plain JSON: paths, times, keys and the names that Velero derives.
//!
//! Takes and gives values; must not touch: clock, storage.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::pipeline::config::go_duration::GoDuration;
use crate::sim::simulator::Write;

/// Annotation on a Schedule, Backup, Restore or `BackupStorageLocation`: the outcome that the simulation must
/// come to.
pub const OUTCOME: &str = "sim.flotilla.dev/outcome";
/// Annotation on a Schedule, Backup or Restore: the phase in which it stays until the annotation is removed.
pub const HOLD_PHASE: &str = "sim.flotilla.dev/hold-phase";

/// The value at a path of field names.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, field| value.get(*field))
}

/// The text at a path, empty when there is none.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The boolean at a path.
pub fn truth(value: &Value, path: &[&str]) -> Option<bool> {
    at(value, path)?.as_bool()
}

/// The texts of the list at a path, empty when there is none.
pub fn texts(value: &Value, path: &[&str]) -> Vec<String> {
    items(value, path).iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

/// The list at a path, empty when there is none.
pub fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An annotation of an object in JSON form.
pub fn annotation<'a>(value: &'a Value, key: &str) -> &'a str {
    text(value, &["metadata", "annotations", key])
}

/// A label of an object in JSON form.
pub fn label<'a>(value: &'a Value, key: &str) -> &'a str {
    text(value, &["metadata", "labels", key])
}

/// `metadata.name`.
pub fn name(value: &Value) -> &str {
    text(value, &["metadata", "name"])
}

/// `metadata.namespace`, empty for cluster-scoped objects.
pub fn namespace(value: &Value) -> &str {
    text(value, &["metadata", "namespace"])
}

/// `status.phase`.
pub fn phase(value: &Value) -> &str {
    text(value, &["status", "phase"])
}

/// Sets the value at a path; what is missing on the way, or is no mapping, becomes a mapping.
pub fn set(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    let Some((first, rest)) = path.split_first() else {
        *value = new.into();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Some(map) = value.as_object_mut() {
        set(map.entry(*first).or_insert(Value::Null), rest, new);
    }
}

/// Removes the field at a path.
pub fn remove(value: &mut Value, path: &[&str]) {
    if let Some((last, parents)) = path.split_last() {
        let parent = parents.iter().try_fold(value, |value, field| value.get_mut(*field));
        if let Some(map) = parent.and_then(Value::as_object_mut) {
            map.remove(*last);
        }
    }
}

/// Gives a Backup the fields that it has when Velero itself creates it, from its own types rather than from a user's text.
pub fn as_written_by_velero(backup: &mut Value) {
    for field in ["hooks", "metadata"] {
        if at(backup, &["spec", field]).is_none() {
            set(backup, &["spec", field], Map::new());
        }
    }
    for field in ["ttl", "csiSnapshotTimeout", "itemOperationTimeout"] {
        if let Ok(duration) = text(backup, &["spec", field]).parse::<GoDuration>() {
            set(backup, &["spec", field], duration.to_string());
        }
    }
}

/// A moment as the API writes it: UTC, whole seconds.
pub fn time(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The moment at a path, if there is one that can be read.
pub fn moment(value: &Value, path: &[&str]) -> Option<Timestamp> {
    text(value, path).parse().ok()
}

/// The identity of an object.
pub fn key(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey {
        gvk: GroupVersionKind::new(api_version, kind),
        namespace: namespace.map(ToOwned::to_owned),
        name: name.to_owned(),
    }
}

/// Replaces the object unless nothing changed.
pub fn replace(old: &Manifest, new: Value) -> Option<Write> {
    (new.as_object() != Some(old.fields())).then_some(Write::Replace(new))
}

/// Whether every field of the first value stands in the second with the same value. Lists must be of equal
/// length.
pub fn covers(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| covers(value, found)))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len()
                && wanted.iter().zip(found).all(|(wanted, found)| covers(wanted, found))
        }
        (wanted, found) => wanted == found,
    }
}

/// The first hexadecimal digits of the SHA-256 of a text.
pub fn digest(text: &str, digits: usize) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(digits)
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// A name as a label value: longer than 63 characters it becomes 57 of them and six of its hash (Velero's
/// `GetValidName`).
pub fn label_value(name: &str) -> String {
    if name.len() <= 63 {
        return name.to_owned();
    }
    let head: String = name.chars().take(57).collect();
    head + &digest(name, 6)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn set_makes_the_way_and_remove_leaves_the_rest() {
        let mut value = json!({"metadata": {"labels": null}});
        set(&mut value, &["metadata", "labels", "a/b"], "c");
        set(&mut value, &["spec", "n"], 1);
        assert_eq!(value, json!({"metadata": {"labels": {"a/b": "c"}}, "spec": {"n": 1}}));
        remove(&mut value, &["spec", "n"]);
        remove(&mut value, &["nowhere", "n"]);
        assert_eq!(value, json!({"metadata": {"labels": {"a/b": "c"}}, "spec": {}}));
    }

    #[test]
    fn times_are_whole_seconds_in_utc() {
        let moment: Timestamp = "2026-11-21T10:00:07.9Z".parse().unwrap();
        assert_eq!(time(moment), "2026-11-21T10:00:07Z");
    }

    #[test]
    fn long_names_become_label_values_of_63_characters() {
        assert_eq!(label_value("acm-app"), "acm-app");
        assert_eq!(label_value(&"a".repeat(63)), "a".repeat(63));
        // printf 'a%.0s' {1..64} | sha256sum
        assert_eq!(label_value(&"a".repeat(64)), "a".repeat(57) + "ffe054");
    }

    #[test]
    fn covering_ignores_more_fields_but_not_more_items() {
        assert!(covers(&json!({"a": {"b": 1}}), &json!({"a": {"b": 1, "c": 2}, "d": 3})));
        assert!(!covers(&json!({"a": [1]}), &json!({"a": [1, 2]})));
        assert!(!covers(&json!({"a": 1}), &json!({"a": 2})));
    }
}
