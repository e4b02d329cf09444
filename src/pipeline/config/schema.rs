//! The table of keys as a JSON Schema (draft 2020-12) of the ConfigMap, for editors and checks outside of Flotilla.

use serde_json::{Map, Value, json};

use super::dpa::{SPEC, Shape};
use super::forms::Form;
use super::table::{KEYS, Key, Presence};
use super::types::{BackupNameStyle, InstallMode, OnDelete, OnDeselect, StoragePrefixStyle};
use super::{CONFIG_MAP_NAME, PROTECT_LABEL};

/// The schema. What it accepts may still be refused: rules over several keys, cron and the like are in `flotilla lint` only.
pub fn json_schema() -> Value {
    let mut properties = Map::new();
    for key in KEYS {
        properties.insert(key.name.to_owned(), property(key));
        for alias in key.aliases {
            let mut other = property(key);
            other["deprecated"] = json!(true);
            other["description"] = json!(format!("Another spelling of {}.", key.name));
            properties.insert((*alias).to_owned(), other);
        }
    }
    let of = |presence| {
        let keys = KEYS.iter().filter(move |key| key.presence == presence);
        keys.map(|key| key.name).collect::<Vec<_>>()
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("ConfigMap {CONFIG_MAP_NAME}"),
        "description": "Settings of backup and restore, from which the hub renders the policies.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "data"],
        "properties": {
            "apiVersion": {"const": "v1"},
            "kind": {"const": "ConfigMap"},
            "metadata": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "examples": [CONFIG_MAP_NAME]},
                    "labels": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                        "properties": {PROTECT_LABEL: {
                            "enum": ["true", "false"],
                            "description": "With `true` the hub renders the policies from this ConfigMap.",
                        }},
                    },
                },
            },
            "data": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "required": of(Presence::Required),
                "if": {"properties": {"installMode": {"const": InstallMode::Existing.as_str()}}, "required": ["installMode"]},
                "else": {"required": of(Presence::RequiredToInstall)},
                "properties": properties,
            },
        },
    })
}

fn property(key: &Key) -> Value {
    let mut schema = match form(key.form) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("title".to_owned(), json!(key.form.expected()));
    schema.insert("description".to_owned(), json!(key.meaning));
    if key.is_secret() {
        schema.insert("writeOnly".to_owned(), json!(true));
    } else {
        schema.insert("examples".to_owned(), json!([key.example]));
    }
    if let Some(default) = key.default() {
        schema.insert("default".to_owned(), json!(default));
    }
    Value::Object(schema)
}

const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const SUBDOMAIN_OR_EMPTY: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$";

/// What a value is: a pattern, words, or YAML of its own.
fn form(form: Form) -> Value {
    match form {
        Form::Boolean => {
            json!({"enum": ["true", "false", "True", "False", "TRUE", "FALSE", "t", "f", "T", "F", "1", "0"]})
        }
        Form::Namespace => json!({"pattern": LABEL}),
        Form::ObjectName => json!({"pattern": SUBDOMAIN, "maxLength": 253}),
        Form::OptionalObjectName => json!({"pattern": SUBDOMAIN_OR_EMPTY, "maxLength": 253}),
        Form::NamePrefix => json!({"pattern": r"^[a-z0-9][-.a-z0-9]*$"}),
        Form::Channel => json!({"pattern": r"^\S+$"}),
        Form::Credentials => json!({"contentEncoding": "base64", "minLength": 4}),
        Form::DataProtectionApplication => of_yaml(&shape(SPEC)),
        Form::Schedule => json!({"minLength": 1, "maxLength": super::cron::LONGEST}),
        Form::TimeToLive => json!({"pattern": r"^\+?(0|([0-9]*\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+)$"}),
        Form::IncludedNamespaces | Form::ExcludedNamespaces | Form::ExcludedResources => {
            of_yaml(&json!({"type": "array", "items": {"type": "string"}}))
        }
        Form::ClusterSets => of_yaml(&json!({"type": "array", "minItems": 1, "items": {"type": "string"}})),
        Form::StorageClasses => {
            of_yaml(&json!({"type": "object", "additionalProperties": {"type": "string"}}))
        }
        Form::ClusterSelector => json!({"minLength": 1}),
        Form::InstallMode => json!({"enum": InstallMode::WORDS}),
        Form::VeleroVersion => json!({"pattern": r"^v?[0-9]+\.[0-9]+\.[0-9]+$"}),
        Form::StoragePrefixStyle => json!({"enum": StoragePrefixStyle::WORDS}),
        Form::BackupNameStyle => json!({"enum": BackupNameStyle::WORDS}),
        Form::OnDeselect => json!({"enum": OnDeselect::WORDS}),
        Form::OnDelete => json!({"enum": OnDelete::WORDS}),
    }
}

fn of_yaml(content: &Value) -> Value {
    json!({"contentMediaType": "application/yaml", "contentSchema": content})
}

fn shape(of: Shape) -> Value {
    match of {
        Shape::Any => json!({}),
        Shape::Text => json!({"type": "string"}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::Whole => json!({"type": "integer"}),
        Shape::Duration => json!({"type": "string", "title": "Go duration"}),
        Shape::Base64 => json!({"type": "string", "contentEncoding": "base64"}),
        Shape::List(entry) => json!({"type": "array", "items": shape(*entry)}),
        Shape::Map(value) => json!({"type": "object", "additionalProperties": shape(*value)}),
        Shape::Fields(fields) => {
            let fields: Map<String, Value> =
                fields.iter().map(|(name, field)| ((*name).to_owned(), shape(*field))).collect();
            json!({"type": "object", "properties": fields})
        }
    }
}
