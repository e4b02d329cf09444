//! The custom kinds of the agreement: ships with a status subresource, buoys without, oceans without a namespace.

use serde_json::{Value, json};

/// Their definitions.
pub fn all() -> Vec<Value> {
    vec![ships(), buoys(), oceans()]
}

fn definition(kind: &str, plural: &str, scope: &str, versions: &Value) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.agreement.flotilla.dev")},
        "spec": {"group": "agreement.flotilla.dev", "scope": scope, "versions": versions,
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural,
                "singular": kind.to_lowercase(), "shortNames": [&plural[..2]], "categories": ["fleet"]}}})
}

fn ships() -> Value {
    let spec = json!({"type": "object", "required": ["captain"], "properties": {
        "captain": {"type": "string", "minLength": 2, "maxLength": 10, "pattern": "^[A-Z]"},
        "speed": {"type": "integer", "minimum": 1, "maximum": 30, "default": 10},
        "draft": {"type": "number", "minimum": 0, "exclusiveMinimum": true},
        "rig": {"type": "string", "enum": ["Sloop", "Ketch"]},
        "flag": {"type": "boolean"},
        "berth": {"x-kubernetes-int-or-string": true},
        "maybe": {"type": "string", "nullable": true},
        "launched": {"type": "string", "format": "date-time"},
        "cargo": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"}, "weight": {"type": "integer", "default": 1},
                "owner": {"type": "string"}}}},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "maxItems": 3, "items": {"type": "string"}},
        "notes": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "crew": {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string"}},
        "hull": {"type": "object", "properties": {
            "length": {"type": "integer"}, "material": {"type": "string", "default": "oak"}}},
        "home": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
            "port": {"type": "string"}, "country": {"type": "string"}}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }});
    let status = json!({"type": "object", "properties": {"phase": {"type": "string"},
        "conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
            "items": {"type": "object", "required": ["type", "status"], "properties": {
                "type": {"type": "string"}, "status": {"type": "string"}, "reason": {"type": "string"}}}}}});
    let columns = json!([
        {"name": "Captain", "type": "string", "jsonPath": ".spec.captain"},
        {"name": "Speed", "type": "integer", "jsonPath": ".spec.speed", "description": "Knots"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Rig", "type": "string", "jsonPath": ".spec.rig", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "subresources": {"status": {}},
            "additionalPrinterColumns": columns,
            "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"],
                "properties": {"spec": spec, "status": status}}}})
    };
    definition("Ship", "ships", "Namespaced", &json!([version("v1", true), version("v1beta1", false)]))
}

fn open(kind: &str, plural: &str, scope: &str) -> Value {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let versions = json!([{"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}}}]);
    definition(kind, plural, scope, &versions)
}

fn buoys() -> Value {
    open("Buoy", "buoys", "Namespaced")
}

fn oceans() -> Value {
    open("Ocean", "oceans", "Cluster")
}
