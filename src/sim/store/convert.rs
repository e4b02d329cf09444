//! Between the version of a request and the version that is stored. Kinds differ in `apiVersion` alone, but for events:
//! `events.k8s.io` names the fields of the core group's events anew (`k8s.io/kubernetes/pkg/apis/events/v1`).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::kinds::Kind;
use super::metadata::trusted;
use crate::api::object::Manifest;

/// Stored name and `events.k8s.io` name of each field that differs.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// What stands where an event says nothing.
#[derive(Debug, Clone, Copy)]
enum Empty {
    Null,
    Text,
    Map,
}

impl Empty {
    fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text => Value::String(String::new()),
            Self::Map => Value::Object(Map::new()),
        }
    }
}

/// Fields that an event shows though they are empty (no `omitempty`).
const EVENT_SHOWS: &[(&str, Empty)] = &[
    ("eventTime", Empty::Null),
    ("firstTimestamp", Empty::Null),
    ("lastTimestamp", Empty::Null),
    ("reportingComponent", Empty::Text),
    ("reportingInstance", Empty::Text),
    ("source", Empty::Map),
];
const NEW_EVENT_SHOWS: &[(&str, Empty)] = &[
    ("eventTime", Empty::Null),
    ("deprecatedFirstTimestamp", Empty::Null),
    ("deprecatedLastTimestamp", Empty::Null),
    ("deprecatedSource", Empty::Map),
];

/// Takes out of an event to be stored what is only shown.
pub(super) fn drop_empty(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    for (field, empty) in EVENT_SHOWS {
        if fields.get(*field).is_some_and(|value| *value == empty.to_value()) {
            fields.remove(*field);
        }
    }
}

fn is_new_event(kind: &Kind) -> bool {
    kind.is("events.k8s.io", "Event")
}

/// An object of a request as it is stored; a missing type is the kind's.
pub(crate) fn to_stored(kind: &Kind, mut object: Value) -> Value {
    let Some(fields) = object.as_object_mut() else { return object };
    fields.insert("apiVersion".to_owned(), Value::String(kind.stored_api_version()));
    if !fields.get("kind").is_some_and(Value::is_string) {
        fields.insert("kind".to_owned(), Value::String(kind.kind.clone()));
    }
    if is_new_event(kind) {
        for (stored, new) in EVENT_FIELDS {
            rename(fields, new, stored);
        }
    }
    object
}

/// A stored object in the version of a request.
pub(crate) fn from_stored(kind: &Kind, object: &Arc<Manifest>) -> Arc<Manifest> {
    let api_version = kind.api_version();
    let is_event = kind.is("", "Event") || is_new_event(kind);
    if object.api_version() == api_version && !is_event {
        return Arc::clone(object);
    }
    let mut fields = object.fields().clone();
    fields.insert("apiVersion".to_owned(), Value::String(api_version));
    if is_new_event(kind) {
        for (stored, new) in EVENT_FIELDS {
            rename(&mut fields, stored, new);
        }
    }
    if is_event {
        let shown = if is_new_event(kind) { NEW_EVENT_SHOWS } else { EVENT_SHOWS };
        for (field, empty) in shown {
            fields.entry(*field).or_insert_with(|| empty.to_value());
        }
    }
    Arc::new(trusted(Value::Object(fields)))
}

fn rename(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::kinds::Kinds;
    use super::*;

    #[test]
    fn events_of_both_groups_are_the_same_objects() {
        let kinds = Kinds::built_in();
        let new = kinds.preferred("events.k8s.io", "Event").unwrap();
        let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"},
            "regarding": {"kind": "Policy", "name": "p"}, "note": "n", "reportingController": "flotilla"});
        let stored = to_stored(new, event.clone());
        assert_eq!(stored["apiVersion"], "v1");
        assert_eq!(stored["involvedObject"]["name"], "p");
        assert_eq!(stored["message"], "n");
        let shown = from_stored(new, &Arc::new(trusted(stored))).to_value();
        for (field, value) in event.as_object().unwrap() {
            assert_eq!(shown[field], *value, "{field}");
        }
    }
}
