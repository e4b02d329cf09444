//! Structural schemas of custom kinds: prunes unknown fields, sets defaults, checks values.
//!
//! Takes `openAPIV3Schema` as JSON; the texts of faults are those of the API server. Rules in CEL
//! (`x-kubernetes-validations`) are not evaluated.

use regex::Regex;
use serde_json::{Map, Value};

use super::status::Cause;

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

/// What a schema says about an object.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// Paths of the fields that were dropped.
    pub(super) unknown: Vec<String>,
    /// Faults.
    pub(super) causes: Vec<Cause>,
}

/// Prunes, defaults and checks an object; of one that comes to the status endpoint, the status alone is checked.
pub(super) fn admit(schema: &Value, object: &mut Value, status: bool) -> Admitted {
    let mut admitted = Admitted { unknown: unknown_fields(schema, object), causes: Vec::new() };
    set_defaults(schema, object);
    if status {
        if let Some(value) = object.get("status") {
            validate(&schema["properties"]["status"], value, "", &mut admitted.causes);
        }
        // The texts name the place in the status, the fields that in the object.
        for cause in &mut admitted.causes {
            let place = if cause.field.is_empty() { "" } else { "." };
            cause.field = format!("status{place}{}", cause.field);
        }
    } else {
        validate(schema, object, "", &mut admitted.causes);
    }
    admitted
}

/// Takes the fields that the schema does not know out of an object. Gives their paths.
fn unknown_fields(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune(schema, object, "", true, &mut unknown);
    unknown
}

/// What server-side apply says about an object that does not fit the types of its kind.
pub(super) fn typed_fault(schema: &Value, object: &Value) -> Option<String> {
    typed(schema, object, "", true)
}

fn typed(schema: &Value, value: &Value, path: &str, resource: bool) -> Option<String> {
    let fault = |wanted: &str| Some(format!("{path}: expected {wanted}, got {}", typed_name(value)));
    match (schema["type"].as_str(), value) {
        (_, Value::Null) => None,
        (Some("integer" | "number"), other) if !other.is_number() => fault("numeric (int or float)"),
        (Some("string"), other) if !other.is_string() => fault("string"),
        (Some("boolean"), other) if !other.is_boolean() => fault("boolean"),
        (Some("array"), Value::Array(list)) => typed_list(schema, list, path),
        (Some("array"), _) => fault("list"),
        (Some("object") | None, Value::Object(map)) => map.iter().find_map(|(field, value)| {
            if resource && matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
                return None;
            }
            let below = schema["properties"].get(field);
            let below =
                below.or_else(|| schema.get("additionalProperties").filter(|below| below.is_object()));
            let path = format!("{path}.{field}");
            match below {
                Some(below) => typed(below, value, &path, below[EMBEDDED] == true),
                None if schema[PRESERVE] == true || schema["additionalProperties"] == true => None,
                None => Some(format!("{path}: field not declared in schema")),
            }
        }),
        (Some("object"), _) => fault("map"),
        _ => None,
    }
}

/// A value as the library of server-side apply names it.
fn typed_name(value: &Value) -> String {
    match value {
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "list".to_owned(),
        Value::Object(_) => "map".to_owned(),
        other => format!("&value.valueUnstructured{{Value:{other}}}"),
    }
}

fn typed_list(schema: &Value, list: &[Value], path: &str) -> Option<String> {
    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
    let keys: Vec<&str> = keys.filter_map(Value::as_str).collect();
    for (index, entry) in list.iter().enumerate() {
        let name = match schema["x-kubernetes-list-type"].as_str() {
            Some("map") if keys.iter().all(|key| entry.get(key).is_none()) => {
                return Some(format!(
                    "{path}: element {index}: associative list with keys has an element that omits all key fields {keys:?} (and doesn't have default values for any key fields)"
                ));
            }
            Some("map") => {
                let pairs = keys.iter().filter_map(|key| Some(format!("{key}={}", entry.get(key)?)));
                format!("[{}]", pairs.collect::<Vec<_>>().join(","))
            }
            _ => format!("[={entry}]"),
        };
        if list[..index].iter().any(|other| is_duplicate(schema, entry, other)) {
            return Some(format!("{path}: duplicate entries for key {name}"));
        }
        let below = format!("{path}{}", if keys.is_empty() { format!("[{index}]") } else { name });
        if let Some(fault) = typed(&schema["items"], entry, &below, false) {
            return Some(fault);
        }
    }
    None
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn prune(schema: &Value, value: &mut Value, path: &str, resource: bool, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => prune_map(schema, map, path, resource, unknown),
        Value::Array(list) => {
            for (index, entry) in list.iter_mut().enumerate() {
                let items = &schema["items"];
                let resource = items[EMBEDDED] == true;
                if items.is_object() {
                    prune(items, entry, &format!("{path}[{index}]"), resource, unknown);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune_map(
    schema: &Value,
    map: &mut Map<String, Value>,
    path: &str,
    resource: bool,
    unknown: &mut Vec<String>,
) {
    let keeps = schema[PRESERVE] == true || schema["additionalProperties"] == true;
    map.retain(|field, value| {
        if resource && matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
            return true;
        }
        let below = schema["properties"].get(field);
        let below = below.or_else(|| schema.get("additionalProperties").filter(|below| below.is_object()));
        let path = join(path, field);
        match below {
            // A null that may not be null is as good as absent.
            Some(below) if value.is_null() && below["nullable"] != true => false,
            Some(below) => {
                prune(below, value, &path, below[EMBEDDED] == true, unknown);
                true
            }
            None if keeps => true,
            None => {
                unknown.push(path);
                false
            }
        }
    });
}

fn set_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (field, below) in schema["properties"].as_object().into_iter().flatten() {
                if !map.contains_key(field)
                    && let Some(default) = below.get("default")
                {
                    map.insert(field.clone(), default.clone());
                }
                if let Some(value) = map.get_mut(field) {
                    set_defaults(below, value);
                }
            }
            if let Some(below) = schema.get("additionalProperties").filter(|below| below.is_object()) {
                map.values_mut().for_each(|value| set_defaults(below, value));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|entry| set_defaults(&schema["items"], entry)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn validate(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if let Some(cause) = type_fault(schema, value, path) {
        causes.push(cause);
        if schema["type"] == "integer" && value.is_f64() {
            // The API server's validator checks a number in two places and loses the name in one.
            let detail = format!("Checked value must be of type integer (default format) in {path}");
            causes.push(Cause::invalid("<nil>", &Value::from(""), &detail));
        }
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
            .collect();
        causes.push(Cause::unsupported(path, value, &allowed));
    }
    match value {
        Value::String(text) => validate_text(schema, text, path, causes),
        Value::Number(_) => validate_number(schema, value, path, causes),
        Value::Array(list) => validate_list(schema, list, path, causes),
        Value::Object(map) => validate_map(schema, map, path, causes),
        Value::Null | Value::Bool(_) => {}
    }
    validate_combinations(schema, value, path, causes);
}

fn type_fault(schema: &Value, value: &Value, path: &str) -> Option<Cause> {
    let found = type_of(value);
    if schema[INT_OR_STRING] == true {
        let fits = matches!(found, "integer" | "string");
        return (!fits).then(|| {
            Cause::wrong_type(
                path,
                found,
                &format!("{path} in body must be of type integer,string: {found:?}"),
            )
        });
    }
    let wanted = schema["type"].as_str()?;
    let fits = wanted == found || (wanted == "number" && found == "integer");
    (!fits).then(|| {
        Cause::wrong_type(path, found, &format!("{path} in body must be of type {wanted}: {found:?}"))
    })
}

fn validate_text(schema: &Value, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let shown = Value::from(text);
    let length = text.chars().count() as u64;
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        causes.push(Cause {
            field: path.to_owned(),
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {most} bytes"),
        });
    } else if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        let detail = format!("{path} in body should be at least {least} chars long");
        causes.push(Cause::invalid(path, &shown, &detail));
    } else if let Some(pattern) = schema["pattern"].as_str()
        && Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
    {
        causes.push(Cause::invalid(path, &shown, &format!("{path} in body should match '{pattern}'")));
    }
    if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
        causes.push(Cause::wrong_type(
            path,
            text,
            &format!("{path} in body must be of type date-time: {text:?}"),
        ));
    }
}

fn validate_number(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    let mut check = |bound: &str, exclusive: &str, broken: fn(f64, f64) -> bool, words: [&str; 2]| {
        let Some(limit) = schema[bound].as_f64() else { return };
        let strict = schema[exclusive] == true;
        #[expect(clippy::float_cmp, reason = "the bound itself is what an exclusive bound excludes")]
        let at_limit = number == limit;
        if broken(number, limit) || (strict && at_limit) {
            let words = if strict { words[1] } else { words[0] };
            causes.push(Cause::invalid(
                path,
                value,
                &format!("{path} in body should be {words} {}", schema[bound]),
            ));
        }
    };
    let low = ["greater than or equal to", "greater than"];
    check("minimum", "exclusiveMinimum", |number, limit| number < limit, low);
    let high = ["less than or equal to", "less than"];
    check("maximum", "exclusiveMaximum", |number, limit| number > limit, high);
}

fn validate_list(schema: &Value, list: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let length = list.len() as u64;
    if let Some(least) = schema["minItems"].as_u64().filter(|least| length < *least) {
        let detail = format!("{path} in body should have at least {least} items");
        causes.push(Cause::invalid(path, &Value::from(length), &detail));
    }
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| length > *most) {
        causes.push(Cause {
            field: path.to_owned(),
            reason: "FieldValueTooMany",
            message: format!("Too many: {length}: must have at most {most} items"),
        });
    }
    let items = &schema["items"];
    for (index, entry) in list.iter().enumerate() {
        if items.is_object() {
            validate(items, entry, &format!("{path}[{index}]"), causes);
        }
        if list[..index].iter().any(|other| is_duplicate(schema, entry, other)) {
            causes.push(Cause {
                field: format!("{path}[{index}]"),
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: {}", duplicate(schema, entry)),
            });
        }
    }
}

/// As much of a duplicate as makes it one.
fn duplicate(schema: &Value, entry: &Value) -> Value {
    match (schema["x-kubernetes-list-map-keys"].as_array(), entry) {
        (Some(keys), Value::Object(map)) => {
            let keys = keys.iter().filter_map(Value::as_str);
            keys.filter_map(|key| Some((key.to_owned(), map.get(key)?.clone()))).collect()
        }
        _ => entry.clone(),
    }
}

fn is_duplicate(schema: &Value, entry: &Value, other: &Value) -> bool {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => entry == other,
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            keys.is_some_and(|keys| {
                keys.iter().filter_map(Value::as_str).all(|key| entry.get(key) == other.get(key))
            })
        }
        _ => schema["uniqueItems"] == true && entry == other,
    }
}

fn validate_map(schema: &Value, map: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let length = map.len() as u64;
    if let Some(least) = schema["minProperties"].as_u64().filter(|least| length < *least) {
        let detail = format!("{path} in body should have at least {least} properties");
        causes.push(Cause::invalid(path, &Value::from(length), &detail));
    }
    if let Some(most) = schema["maxProperties"].as_u64().filter(|most| length > *most) {
        causes.push(Cause {
            field: path.to_owned(),
            reason: "FieldValueTooMany",
            message: format!("Too many: {length}: must have at most {most} items"),
        });
    }
    for (field, value) in map {
        // Metadata is checked for every kind alike.
        if path.is_empty() && matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        let below = schema["properties"].get(field);
        let below = below.or_else(|| schema.get("additionalProperties").filter(|below| below.is_object()));
        if let Some(below) = below {
            validate(below, value, &join(path, field), causes);
        }
    }
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(field) {
            causes.push(Cause::required(join(path, field), ""));
        }
    }
}

fn validate_combinations(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let alternatives = |name: &str| schema[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let faults = |schema: &Value| {
        let mut faults = Vec::new();
        validate(schema, value, path, &mut faults);
        faults
    };
    for part in alternatives("allOf") {
        causes.extend(faults(part));
    }
    let matching = |name: &str| alternatives(name).iter().filter(|part| faults(part).is_empty()).count();
    let shown = || Value::from(type_of(value));
    if !alternatives("anyOf").is_empty() && schema[INT_OR_STRING] != true && matching("anyOf") == 0 {
        let detail = format!("{path} in body must validate at least one schema (anyOf)");
        causes.push(Cause::invalid(path, &shown(), &detail));
    }
    if !alternatives("oneOf").is_empty() && matching("oneOf") != 1 {
        let detail = format!("{path} in body must validate one and only one schema (oneOf)");
        causes.push(Cause::invalid(path, &shown(), &detail));
    }
    if schema["not"].is_object() && faults(&schema["not"]).is_empty() {
        let detail = format!("{path} in body must not validate the schema (not)");
        causes.push(Cause::invalid(path, &shown(), &detail));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["schedule"], "properties": {
            "schedule": {"type": "string", "pattern": "^[0-9*]"},
            "phase": {"type": "string", "enum": ["New", "Old"]},
            "count": {"type": "integer", "minimum": 1, "maximum": 3, "default": 2},
            "port": {"x-kubernetes-int-or-string": true},
            "maybe": {"type": "string", "nullable": true},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "maxItems": 2, "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object", "properties": {
                    "name": {"type": "string"}, "on": {"type": "boolean", "default": true}}}},
        }}}})
    }

    fn run(spec: &Value) -> (Value, Vec<String>, Vec<String>) {
        let mut object = json!({"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x"}, "spec": spec});
        let admitted = admit(&schema(), &mut object, false);
        let causes =
            admitted.causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        (object["spec"].clone(), admitted.unknown, causes)
    }

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let (spec, unknown, causes) =
            run(&json!({"schedule": "0", "wrong": 1, "free": {"any": {"thing": 1}},
            "labels": {"a": "b"}, "list": [{"name": "n", "bad": 2}], "maybe": null, "phase": null}));
        assert_eq!(
            spec,
            json!({"schedule": "0", "free": {"any": {"thing": 1}}, "labels": {"a": "b"}, "count": 2, "maybe": null,
                "list": [{"name": "n", "on": true}]})
        );
        assert_eq!(unknown, ["spec.list[0].bad", "spec.wrong"]);
        assert_eq!(causes, [""; 0]);
    }

    #[test]
    fn faults_are_told_as_the_api_server_tells_them() {
        for (spec, expected) in [
            (json!({}), "spec.schedule: Required value"),
            (
                json!({"schedule": 5}),
                r#"spec.schedule: Invalid value: "integer": spec.schedule in body must be of type string: "integer""#,
            ),
            (
                json!({"schedule": "x"}),
                r#"spec.schedule: Invalid value: "x": spec.schedule in body should match '^[0-9*]'"#,
            ),
            (
                json!({"schedule": "0", "phase": "Odd"}),
                r#"spec.phase: Unsupported value: "Odd": supported values: "New", "Old""#,
            ),
            (
                json!({"schedule": "0", "count": 0}),
                "spec.count: Invalid value: 0: spec.count in body should be greater than or equal to 1",
            ),
            (
                json!({"schedule": "0", "count": 4}),
                "spec.count: Invalid value: 4: spec.count in body should be less than or equal to 3",
            ),
            (
                json!({"schedule": "0", "port": true}),
                r#"spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean""#,
            ),
            (
                json!({"schedule": "0", "list": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}),
                "spec.list: Too many: 3: must have at most 2 items",
            ),
            (
                json!({"schedule": "0", "list": [{"name": "a"}, {"name": "a"}]}),
                r#"spec.list[1]: Duplicate value: {"name":"a"}"#,
            ),
        ] {
            assert_eq!(run(&spec).2, [expected], "{spec}");
        }
        for spec in [json!({"schedule": "0", "port": 1}), json!({"schedule": "0", "port": "http"})] {
            assert_eq!(run(&spec).2, [""; 0]);
        }
    }
}
