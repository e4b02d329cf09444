//! Rules of single built-in kinds: what the API server sets and refuses for them. Light: only what clients rely on.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use serde_json::{Map, Value, json};

use super::super::kinds::{Kind, definition};
use super::super::status::{ApiError, Cause, Subject};
use super::metadata::{NameRule, go_type, metadata_mut};

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
    if kind.is("", "ConfigMap") || kind.is("", "Secret") {
        for field in ["data", "binaryData", "stringData"] {
            if object.get(field).and_then(Value::as_object).is_some_and(Map::is_empty)
                && let Some(fields) = object.as_object_mut()
            {
                fields.remove(field);
            }
        }
    }
    if kind.kind == "Event" {
        super::convert::drop_empty(object);
    }
    if kind.is(definition::GROUP, definition::KIND) {
        return custom_definition(kind, object);
    }
    if kind.is("apps", "Deployment") {
        return same_selector(kind, object, before);
    }
    if !kind.group.is_empty() {
        return Ok(());
    }
    match kind.kind.as_str() {
        // What holds a namespace is changed through a subresource of its own.
        "Namespace" => {
            if let (Some(before), Some(fields)) = (before, object.as_object_mut()) {
                fields.insert("spec".to_owned(), before["spec"].clone());
            }
        }
        "ConfigMap" => {
            text_map(kind, object, "data")?;
            immutable(kind, object, before)?;
        }
        "Secret" => secret(kind, object, before)?,
        _ => {}
    }
    Ok(())
}

/// The selector of a Deployment never changes.
fn same_selector(kind: &Kind, object: &Value, before: Option<&Value>) -> Result<(), ApiError> {
    let selector = &object["spec"]["selector"];
    match before {
        Some(before) if before["spec"]["selector"] != *selector => {
            let subject = Subject::new(kind, before["metadata"]["name"].as_str().unwrap_or_default());
            let cause = Cause::invalid("spec.selector", selector, "field is immutable");
            Err(ApiError::Invalid { subject, causes: vec![cause] })
        }
        Some(_) | None => Ok(()),
    }
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

fn custom_definition(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    if object["spec"].is_object() && object["spec"]["conversion"].is_null() {
        object["spec"]["conversion"] = json!({"strategy": "None"});
    }
    let spec = &object["spec"];
    let required = [
        ("spec.group", &spec["group"]),
        ("spec.names.plural", &spec["names"]["plural"]),
        ("spec.names.kind", &spec["names"]["kind"]),
        ("spec.scope", &spec["scope"]),
    ];
    let missing = required.into_iter().filter(|(_, value)| value.as_str().is_none_or(str::is_empty));
    let mut causes: Vec<Cause> = missing.map(|(path, _)| Cause::required(path, "")).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if object["metadata"]["name"] != format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"])) {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &object["metadata"]["name"], detail));
    }
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            causes.push(Cause::required(format!("spec.versions[{index}].schema.openAPIV3Schema"), ""));
        }
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &spec["versions"], detail));
        let detail = "must have at least one stored version";
        causes.push(Cause::invalid("status.storedVersions", &Value::Null, detail));
    }
    let subject = Subject::new(kind, &text(&object["metadata"]["name"]));
    if causes.is_empty() { Ok(()) } else { Err(ApiError::Invalid { subject, causes }) }
}

/// The label that a namespace always has.
pub(super) fn label(kind: &Kind, object: &mut Value) {
    if kind.is("", "Namespace") {
        let name = object["metadata"]["name"].clone();
        let labels = metadata_mut(object).entry("labels").or_insert_with(|| json!({}));
        labels["kubernetes.io/metadata.name"] = name;
    }
}

/// What a new object begins with. It is set after the record of fields is made: it belongs to nobody.
pub(super) fn begin(kind: &Kind, object: &mut Value) {
    if !kind.group.is_empty() {
        return;
    }
    match kind.kind.as_str() {
        "Namespace" => {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        "Pod" | "PersistentVolumeClaim" | "PersistentVolume" if object["status"].is_null() => {
            object["status"] = json!({"phase": "Pending"});
        }
        _ => {}
    }
}

fn type_fault(kind: &Kind, found: &Value, field: &str, wanted: &str) -> ApiError {
    ApiError::BadRequest(format!(
        "{} in version {:?} cannot be handled as a {}: json: cannot unmarshal {} into Go struct field {}.{field} of type {wanted}",
        kind.kind,
        kind.version,
        kind.kind,
        go_type(found),
        kind.kind
    ))
}

/// Takes the fields out of an object that its kind does not have. Gives their paths. Only the fields of the object itself
/// are looked at, and only for kinds whose fields are known here.
pub(crate) fn drop_unknown(kind: &Kind, object: &mut Value) -> Vec<String> {
    let known: &[&str] = match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => &["data", "binaryData", "immutable"],
        ("", "Secret") => &["data", "stringData", "type", "immutable"],
        ("", "ServiceAccount") => &["secrets", "imagePullSecrets", "automountServiceAccountToken"],
        ("", "Namespace" | "Pod" | "Service" | "Node" | "PersistentVolume" | "PersistentVolumeClaim")
        | ("apps" | "batch", _) => &["spec", "status"],
        _ => return Vec::new(),
    };
    let Some(fields) = object.as_object_mut() else { return Vec::new() };
    let is_unknown =
        |field: &str| !known.contains(&field) && !["apiVersion", "kind", "metadata"].contains(&field);
    let unknown: Vec<String> = fields.keys().filter(|field| is_unknown(field)).cloned().collect();
    for field in &unknown {
        fields.remove(field);
    }
    unknown
}

/// What is wrong with an object of a built-in kind beside its metadata.
pub(super) fn faults(kind: &Kind, object: &Value) -> Vec<Cause> {
    const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    if !kind.is("", "ConfigMap") && !kind.is("", "Secret") {
        return Vec::new();
    }
    let fields = ["data", "binaryData"].into_iter();
    let keys = fields.flat_map(|field| {
        let keys = object[field].as_object().into_iter().flatten();
        keys.map(move |(key, _)| (field, key))
    });
    let valid = |key: &str| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    keys.filter(|(_, key)| !valid(key))
        .map(|(field, key)| Cause::invalid(format!("{field}[{key}]"), &json!(key), KEY))
        .collect()
}

fn text_map(kind: &Kind, object: &Value, field: &str) -> Result<(), ApiError> {
    match object.get(field) {
        None => Ok(()),
        Some(Value::Object(map)) => match map.values().find(|value| !value.is_string()) {
            Some(value) => Err(type_fault(kind, value, field, "string")),
            None => Ok(()),
        },
        Some(other) => Err(type_fault(kind, other, field, "map[string]string")),
    }
}

fn secret(kind: &Kind, object: &mut Value, before: Option<&Value>) -> Result<(), ApiError> {
    text_map(kind, object, "data")?;
    text_map(kind, object, "stringData")?;
    for value in object["data"].as_object().into_iter().flatten().map(|(_, value)| value) {
        let text = value.as_str().unwrap_or_default();
        if let Err(error) = STANDARD.decode(text) {
            let place = match error {
                DecodeError::InvalidByte(place, _) | DecodeError::InvalidLastSymbol(place, _) => place,
                DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
            };
            return Err(ApiError::BadRequest(format!(
                "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte {place}"
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
