//! What Flotilla wrote into lists: takes a desired object, gives the entries of its lists; takes these and a later
//! desired object, gives what is observed without the entries that Flotilla wrote and nobody wants any more.
//!
//! Upstream's `musthave` joins the old entry of a list with its successor (feature row A90); the record of what was
//! written is what tells our own leftovers from another writer's entries.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::extent::{Absent, Extent, likeness, name, pair};
use super::is_secret;
use crate::api::object::Manifest;

/// The entries that Flotilla wrote into the lists of one object, by the path of the list. A path is a JSON pointer in
/// which a named entry of a list stands as `[name]`. Secrets are never recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenLists(BTreeMap<String, Vec<Value>>);

impl WrittenLists {
    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries of both.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        for (path, entries) in other.0 {
            for entry in entries {
                add(&mut self, &path, &entry);
            }
        }
        self
    }

    /// The recorded paths and entries, in the order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.0.iter().map(|(path, entries)| (path.as_str(), entries.as_slice()))
    }
}

/// Records the entries of every list in a desired object, as they are about to be written.
pub fn written_lists(desired: &Manifest) -> WrittenLists {
    let mut written = WrittenLists::default();
    for (key, value) in recorded_fields(desired) {
        record(value, &pointer("", key), &mut written);
    }
    written
}

/// Records the entries of every list in a desired object as the API server stored them, defaults included, so that they
/// are recognised later. An entry that stood there `before` the write keeps its desired form: it is another writer's.
pub fn written_lists_after(desired: &Manifest, before: Option<&Manifest>, answer: &Manifest) -> WrittenLists {
    let mut written = written_lists(desired);
    for (key, value) in recorded_fields(desired) {
        let before = before.and_then(|before| before.fields().get(key));
        if let Some(answer) = answer.fields().get(key) {
            record_stored(value, before, answer, &pointer("", key), &mut written);
        }
    }
    written
}

/// Top-level fields whose lists are compared and written.
fn recorded_fields(desired: &Manifest) -> impl Iterator<Item = (&String, &Value)> {
    let recorded = !is_secret(desired);
    desired.fields().iter().filter(move |(key, _)| {
        recorded && !matches!(key.as_str(), "metadata" | "status" | "apiVersion" | "kind")
    })
}

fn record(value: &Value, path: &str, written: &mut WrittenLists) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                record(value, &pointer(path, key), written);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                add(written, path, entry);
                if let Some(name) = name(entry) {
                    record(entry, &named(path, name), written);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn record_stored(
    desired: &Value,
    before: Option<&Value>,
    answer: &Value,
    path: &str,
    written: &mut WrittenLists,
) {
    match (desired, answer) {
        (Value::Object(desired), Value::Object(answer)) => {
            for (key, value) in desired {
                let before = before.and_then(|before| before.get(key));
                if let Some(answer) = answer.get(key) {
                    record_stored(value, before, answer, &pointer(path, key), written);
                }
            }
        }
        (Value::Array(desired), Value::Array(answer)) => {
            let before = before.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let pairs = pair(desired, answer, Extent::AtLeast, Absent::EqualsZero);
            for (entry, stored) in
                desired.iter().zip(pairs).filter_map(|(entry, pair)| Some((entry, &answer[pair.existing?])))
            {
                if !contains(before, stored) {
                    add(written, path, stored);
                }
                if let Some(name) = name(entry) {
                    let before = before.iter().find(|before| self::name(before) == Some(name));
                    record_stored(entry, before, stored, &named(path, name), written);
                }
            }
        }
        _ => {}
    }
}

fn add(written: &mut WrittenLists, path: &str, entry: &Value) {
    let entries = written.0.entry(path.to_owned()).or_default();
    if !entries.contains(entry) {
        entries.push(entry.clone());
    }
}

/// What is observed at a path, without the list entries that Flotilla wrote and that are no longer desired. Lists that
/// the desired object does not name are left alone.
pub(crate) fn without_leftovers<'a>(
    written: &WrittenLists,
    path: &str,
    desired: &Value,
    existing: &'a Value,
) -> Cow<'a, Value> {
    if written.0.is_empty() {
        return Cow::Borrowed(existing);
    }
    match (desired, existing) {
        (Value::Object(desired), Value::Object(existing_fields)) => {
            let mut kept: Option<Map<String, Value>> = None;
            for (key, value) in desired {
                let Some(observed) = existing_fields.get(key) else { continue };
                if let Cow::Owned(changed) = without_leftovers(written, &pointer(path, key), value, observed)
                {
                    kept.get_or_insert_with(|| existing_fields.clone()).insert(key.clone(), changed);
                }
            }
            kept.map_or(Cow::Borrowed(existing), |kept| Cow::Owned(Value::Object(kept)))
        }
        (Value::Array(desired), Value::Array(entries)) => {
            let ours = written.0.get(path).map_or(&[][..], Vec::as_slice);
            let mut changed = false;
            let mut kept = Vec::with_capacity(entries.len());
            for entry in entries {
                // What has a name is a thing of its own: one of another name does not take its place.
                if name(entry).is_none() && contains(ours, entry) && !contains(desired, entry) {
                    changed = true;
                    continue;
                }
                let inner = name(entry).and_then(|entry_name| {
                    let desired = desired.iter().find(|desired| name(desired) == Some(entry_name))?;
                    Some(without_leftovers(written, &named(path, entry_name), desired, entry))
                });
                changed |= matches!(inner, Some(Cow::Owned(_)));
                kept.push(inner.unwrap_or(Cow::Borrowed(entry)).into_owned());
            }
            if changed { Cow::Owned(Value::Array(kept)) } else { Cow::Borrowed(existing) }
        }
        _ => Cow::Borrowed(existing),
    }
}

fn contains(entries: &[Value], entry: &Value) -> bool {
    entries.iter().any(|other| likeness(other, entry, Extent::Exactly, Absent::EqualsZero).holds())
}

/// A JSON pointer, one field deeper.
pub(crate) fn pointer(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn named(path: &str, name: &str) -> String {
    format!("{path}/[{name}]")
}
