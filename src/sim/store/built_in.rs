//! Rules of single built-in kinds: what the API server sets and refuses for them. Light: only what clients rely on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::kinds::{Kind, definition};
use super::super::status::{ApiError, Cause, Subject};
use super::metadata::{NameRule, metadata_mut};

/// Which names a kind accepts.
pub(super) fn name_rule(kind: &Kind) -> NameRule {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace" | "Service") => NameRule::Label,
        ("rbac.authorization.k8s.io", _) => NameRule::PathSegment,
        _ => NameRule::Subdomain,
    }
}

/// Defaults and checks of a built-in kind.
pub(super) fn admit(kind: &Kind, object: &mut Value, before: Option<&Value>) -> Result<(), ApiError> {
    drop_nulls(object);
    if kind.is(definition::GROUP, definition::KIND) {
        return custom_definition(kind, object);
    }
    if !kind.group.is_empty() {
        return Ok(());
    }
    match kind.kind.as_str() {
        "Namespace" => namespace(object, before),
        "ConfigMap" => {
            text_map(kind, object, "data")?;
            immutable(kind, object, before)?;
        }
        "Secret" => secret(kind, object, before)?,
        "Pod" | "PersistentVolumeClaim" | "PersistentVolume"
            if before.is_none() && object["status"].is_null() =>
        {
            object["status"] = json!({"phase": "Pending"});
        }
        _ => {}
    }
    Ok(())
}

/// The typed decoders of built-in kinds read `null` as absent.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn custom_definition(kind: &Kind, object: &Value) -> Result<(), ApiError> {
    let spec = &object["spec"];
    let required = [
        ("spec.group", &spec["group"]),
        ("spec.names.plural", &spec["names"]["plural"]),
        ("spec.names.kind", &spec["names"]["kind"]),
        ("spec.scope", &spec["scope"]),
        ("spec.versions", &spec["versions"][0]["name"]),
    ];
    let missing = required.into_iter().filter(|(_, value)| value.as_str().is_none_or(str::is_empty));
    let mut causes: Vec<Cause> = missing.map(|(path, _)| Cause::required(path, "")).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if object["metadata"]["name"] != format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"])) {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &object["metadata"]["name"], detail));
    }
    let subject = Subject::new(kind, &text(&object["metadata"]["name"]));
    if causes.is_empty() { Ok(()) } else { Err(ApiError::Invalid { subject, causes }) }
}

fn namespace(object: &mut Value, before: Option<&Value>) {
    let name = object["metadata"]["name"].clone();
    let metadata = metadata_mut(object);
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    labels["kubernetes.io/metadata.name"] = name;
    if before.is_none() {
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        object["status"] = json!({"phase": "Active"});
    }
}

fn type_fault(kind: &Kind, found: &Value, field: &str) -> ApiError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    ApiError::BadRequest(format!(
        "{} in version {:?} cannot be handled as a {}: json: cannot unmarshal {found} into Go struct field {}.{field} of type string",
        kind.kind, kind.version, kind.kind, kind.kind
    ))
}

fn text_map(kind: &Kind, object: &Value, field: &str) -> Result<(), ApiError> {
    match object.get(field) {
        None => Ok(()),
        Some(Value::Object(map)) => match map.values().find(|value| !value.is_string()) {
            Some(value) => Err(type_fault(kind, value, field)),
            None => Ok(()),
        },
        Some(other) => Err(type_fault(kind, other, field)),
    }
}

fn secret(kind: &Kind, object: &mut Value, before: Option<&Value>) -> Result<(), ApiError> {
    text_map(kind, object, "data")?;
    text_map(kind, object, "stringData")?;
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        if STANDARD.decode(value.as_str().unwrap_or_default()).is_err() {
            return Err(ApiError::BadRequest(format!(
                "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data in key {key:?}"
            )));
        }
    }
    let plain = object.as_object_mut().and_then(|fields| fields.remove("stringData"));
    if let Some(Value::Object(plain)) = plain {
        for (key, value) in plain {
            let encoded = STANDARD.encode(value.as_str().unwrap_or_default());
            if !object["data"].is_object() {
                object["data"] = json!({});
            }
            object["data"][key] = Value::String(encoded);
        }
    }
    if object["type"].is_null() {
        object["type"] = json!("Opaque");
    }
    if let Some(before) = before.filter(|before| before["type"] != object["type"]) {
        let subject = Subject::new(kind, before["metadata"]["name"].as_str().unwrap_or_default());
        let cause = Cause::invalid("type", &object["type"], "field is immutable");
        return Err(ApiError::Invalid { subject, causes: vec![cause] });
    }
    immutable(kind, object, before)
}

/// `immutable: true` freezes the data of a ConfigMap or Secret.
fn immutable(kind: &Kind, object: &Value, before: Option<&Value>) -> Result<(), ApiError> {
    let Some(before) = before.filter(|before| before["immutable"] == true) else { return Ok(()) };
    let changed: Vec<Cause> = ["immutable", "data", "binaryData"]
        .into_iter()
        .filter(|field| object.get(field) != before.get(field))
        .map(|field| Cause::forbidden(field, "field is immutable when `immutable` is set"))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let subject = Subject::new(kind, before["metadata"]["name"].as_str().unwrap_or_default());
    Err(ApiError::Invalid { subject, causes: changed })
}
