//! From a merger to a write: takes the observed object and the merged one, gives the patch between them, and judges the
//! answer of a dry run. The status is never written.

use serde_json::{Map, Value, json};

use super::LAST_APPLIED;
use crate::api::object::Manifest;

/// The JSON merge patch (RFC 7386) that turns the observed object into the merged one, conditional on the observed
/// `resourceVersion`; `None` when there is nothing to write.
pub fn merge_patch(existing: &Manifest, merged: &Manifest) -> Option<Value> {
    let mut patch = between(existing.fields(), merged.fields());
    patch.remove("status");
    if patch.is_empty() {
        return None;
    }
    if let Some(version) = existing.resource_version() {
        let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("resourceVersion".to_owned(), Value::String(version.to_owned()));
        }
    }
    Some(Value::Object(patch))
}

/// The JSON merge patch (RFC 7386) that turns one value into the other; `None` when there is nothing to change.
pub fn changes(from: &Value, to: &Value) -> Option<Value> {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            let patch = between(from, to);
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (from, to) => (from != to).then(|| without_nulls(to)),
    }
}

fn between(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    // A patch cannot tell a field set to nothing from a field that is not there, nor can most of the API.
    for key in from.keys().filter(|key| to.get(*key).is_none_or(Value::is_null)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in to.iter().filter(|(_, value)| !value.is_null()) {
        match (from.get(key), value) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                let inner = between(before, after);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (_, after) => {
                patch.insert(key.clone(), without_nulls(after));
            }
        }
    }
    // What is nothing on both sides needs no word.
    patch.retain(|key, value| !value.is_null() || from.get(key).is_some_and(|before| !before.is_null()));
    patch
}

/// A mapping that is new as a whole: a patch would read `null` in it as a removal.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        // Lists are taken as they are.
        other => other.clone(),
    }
}

/// Whether a dry run changed nothing: its answer equals the observed object but for what the API server keeps for
/// itself.
pub fn same_after_dry_run(existing: &Manifest, answer: &Manifest) -> bool {
    let comparable = |manifest: &Manifest| {
        let mut fields = without_bookkeeping(manifest);
        remove_resource_version(&mut fields);
        fields
    };
    comparable(existing) == comparable(answer)
}

/// The object without `managedFields`, `generation` and kubectl's own annotation.
pub(super) fn without_bookkeeping(manifest: &Manifest) -> Map<String, Value> {
    let mut fields = manifest.fields().clone();
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["managedFields", "generation"] {
            metadata.remove(field);
        }
        let emptied =
            metadata.get_mut("annotations").and_then(Value::as_object_mut).is_some_and(|annotations| {
                annotations.remove(LAST_APPLIED);
                annotations.is_empty()
            });
        if emptied {
            metadata.remove("annotations");
        }
    }
    fields
}

pub(super) fn remove_resource_version(fields: &mut Map<String, Value>) {
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
}
