//! What a difference may show: takes two values of the same object, gives both with their secrets replaced by
//! `<redacted 1>` and, where the second one differs from the first, `<redacted 2>`.
//!
//! The marker tells that a value changed and nothing else: no length, no hash, no equality with another field.

use serde_json::{Map, Value};

use crate::api::object::Manifest;

/// Which values a difference hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redaction {
    /// None: for the eyes of whoever brought the objects, never for a status.
    Nothing,
    /// The values of every Secret, wherever it stands in the object.
    Secrets,
    /// Every value but the identity of the object: a template that touched sensitive data may have put it anywhere.
    Everything,
}

const FIRST: &str = "<redacted 1>";
const SECOND: &str = "<redacted 2>";

/// An object without what must not be shown.
pub fn redacted(object: &Manifest, redaction: Redaction) -> Value {
    redact(None, &object.to_value(), redaction).1
}

/// Redacts both sides of a difference.
pub(crate) fn redact(
    existing: Option<&Value>,
    updated: &Value,
    redaction: Redaction,
) -> (Option<Value>, Value) {
    (
        existing.map(|existing| side(existing, None, Mark::Existing, redaction)),
        side(updated, existing, Mark::Updated, redaction),
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Existing,
    Updated,
}

fn side(value: &Value, other: Option<&Value>, mark: Mark, redaction: Redaction) -> Value {
    match redaction {
        Redaction::Nothing => value.clone(),
        Redaction::Secrets => secrets(value, other, mark),
        Redaction::Everything => everything(value, other, mark),
    }
}

/// Kinds whose content is secret as a whole.
fn is_token(kind: &str) -> bool {
    matches!(kind, "OAuthAccessToken" | "OAuthAuthorizeToken")
}

fn secrets(value: &Value, other: Option<&Value>, mark: Mark) -> Value {
    match value {
        Value::Object(fields) => {
            let kind = fields.get("kind").and_then(Value::as_str).unwrap_or_default();
            if is_token(kind) {
                return everything(value, other, mark);
            }
            map(fields, |key, value| {
                let other = other.and_then(|other| other.get(key));
                if kind == "Secret" && matches!(key, "data" | "stringData") {
                    hide(value, other, mark)
                } else {
                    secrets(value, other, mark)
                }
            })
        }
        Value::Array(entries) => list(entries, other, |value, other| secrets(value, other, mark)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn everything(value: &Value, other: Option<&Value>, mark: Mark) -> Value {
    let Value::Object(fields) = value else { return hide(value, other, mark) };
    map(fields, |key, value| {
        let other = other.and_then(|other| other.get(key));
        match (key, value) {
            ("apiVersion" | "kind", _) => value.clone(),
            ("metadata", Value::Object(metadata)) => map(metadata, |key, value| {
                if matches!(key, "name" | "namespace") {
                    value.clone()
                } else {
                    hide(value, other.and_then(|other| other.get(key)), mark)
                }
            }),
            _ => hide(value, other, mark),
        }
    })
}

/// Replaces every scalar; the shape stays.
fn hide(value: &Value, other: Option<&Value>, mark: Mark) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Object(fields) => {
            map(fields, |key, value| hide(value, other.and_then(|other| other.get(key)), mark))
        }
        Value::Array(entries) => list(entries, other, |value, other| hide(value, other, mark)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let changed = mark == Mark::Updated && other.is_some_and(|other| other != value);
            Value::String(if changed { SECOND } else { FIRST }.to_owned())
        }
    }
}

fn map(fields: &Map<String, Value>, mut each: impl FnMut(&str, &Value) -> Value) -> Value {
    Value::Object(fields.iter().map(|(key, value)| (key.clone(), each(key, value))).collect())
}

fn list(
    entries: &[Value],
    other: Option<&Value>,
    mut each: impl FnMut(&Value, Option<&Value>) -> Value,
) -> Value {
    let other = other.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Value::Array(entries.iter().enumerate().map(|(index, value)| each(value, other.get(index))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_secret_shows_as_changed_and_no_more() {
        let old =
            json!({"kind": "Secret", "metadata": {"name": "n"}, "data": {"same": "QQ==", "changed": "Qg=="}});
        let new = json!({"kind": "Secret", "metadata": {"name": "n"}, "data": {"same": "QQ==", "changed": "Qw==", "new": "RA=="}});
        let (old, new) = redact(Some(&old), &new, Redaction::Secrets);
        assert_eq!(old.unwrap()["data"], json!({"same": FIRST, "changed": FIRST}));
        assert_eq!(new["data"], json!({"same": FIRST, "changed": SECOND, "new": FIRST}));
    }

    #[test]
    fn secrets_inside_other_objects_are_hidden_too() {
        let work = json!({"kind": "ManifestWork", "spec": {"workload": {"manifests": [
            {"kind": "Secret", "stringData": {"password": "hunter2"}},
            {"kind": "ConfigMap", "data": {"open": "yes"}}]}}});
        let (_, shown) = redact(None, &work, Redaction::Secrets);
        assert!(!shown.to_string().contains("hunter2"));
        assert!(shown.to_string().contains("yes"));
    }

    #[test]
    fn everything_but_the_identity_is_hidden() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": 7, "b": [true, "text"]},
            "metadata": {"name": "n", "namespace": "ns", "labels": {"l": "label"}}});
        let (_, shown) = redact(None, &object, Redaction::Everything);
        assert_eq!(
            shown,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": FIRST, "b": [FIRST, FIRST]},
                "metadata": {"name": "n", "namespace": "ns", "labels": {"l": FIRST}}})
        );
    }
}
