//! Names, labels and the other metadata that the API server checks or keeps itself.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::status::Cause;
use crate::api::object::Manifest;

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const LABEL_KEY: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_NAME: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
/// Limit of all annotations together, bytes (`apimachinery/pkg/api/validation`).
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// An object that the store itself made well formed.
pub(super) fn trusted(object: Value) -> Manifest {
    // The store writes `apiVersion`, `kind` and checked metadata before it comes here.
    Manifest::parse(object).unwrap_or_else(|error| unreachable!("the store broke an object: {error}"))
}

/// A uid that is the same for the same text.
pub(super) fn derived_uid(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// A name from `generateName`: five characters of the alphabet that the API server uses.
pub(super) fn generated_name(base: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let random = uuid::Uuid::new_v4();
    let suffix = random.as_bytes().iter().take(5);
    let suffix = suffix.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
    let base: String = base.chars().take(58).collect();
    format!("{base}{}", suffix.collect::<String>())
}

/// The metadata mapping of an object, made if it is missing.
pub(super) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    if !object.get("metadata").is_some_and(Value::is_object) {
        object["metadata"] = json!({});
    }
    match object.get_mut("metadata").and_then(Value::as_object_mut) {
        Some(metadata) => metadata,
        None => unreachable!("metadata was just made a mapping"),
    }
}

/// Drops empty and null metadata, as `omitempty` does.
pub(super) fn tidy(object: &mut Value) {
    let metadata = metadata_mut(object);
    metadata.retain(|field, value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty() || field == "name",
        Value::Bool(_) | Value::Number(_) => true,
    });
    for field in ["selfLink", "clusterName"] {
        metadata.remove(field);
    }
}

/// Which rule the name of a kind follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameRule {
    /// DNS label: namespaces, services.
    Label,
    /// DNS subdomain: most kinds.
    Subdomain,
    /// A path segment: RBAC.
    PathSegment,
}

/// What is wrong with the metadata.
///
/// `core`: the rules of the built-in kinds, which ask for qualified finalizers.
pub(super) fn faults(object: &Value, rule: NameRule, core: bool) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let mut causes = Vec::new();
    let base = metadata["generateName"].as_str().unwrap_or_default();
    // The base may end where a name may not.
    if let Some(problem) = name_problem(base.trim_end_matches(['-', '.']), rule).filter(|_| !base.is_empty())
    {
        causes.push(Cause::invalid("metadata.generateName", &json!(base), problem));
    }
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if let Some(problem) = name_problem(name, rule) {
        causes.push(Cause::invalid("metadata.name", &json!(name), problem));
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        causes.extend(
            key_problems(key).iter().map(|text| Cause::invalid("metadata.labels", &json!(key), text)),
        );
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            causes.push(Cause::invalid("metadata.labels", value, "must be no more than 63 bytes"));
        } else if !text.is_empty() && !is_name_part(text) {
            causes.push(Cause::invalid("metadata.labels", value, LABEL_VALUE));
        }
    }
    let mut size = 0;
    for (key, value) in metadata["annotations"].as_object().into_iter().flatten() {
        let problems = key_problems(&key.to_lowercase());
        causes.extend(problems.iter().map(|text| Cause::invalid("metadata.annotations", &json!(key), text)));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        causes.push(Cause::too_long("metadata.annotations", ANNOTATIONS_LIMIT));
    }
    causes.extend(owner_faults(&metadata["ownerReferences"]));
    causes.extend(finalizer_faults(&metadata["finalizers"], core));
    causes
}

fn owner_faults(owners: &Value) -> Vec<Cause> {
    let owners = owners.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |owner: &Value, field: &str| owner[field].as_str().unwrap_or_default().to_owned();
    let mut causes = Vec::new();
    for owner in owners {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if text(owner, field).is_empty() {
                let field = format!("metadata.ownerReferences.{field}");
                causes.push(Cause::invalid(field, &json!(""), "must not be empty"));
            }
        }
    }
    let controllers: Vec<&Value> = owners.iter().filter(|owner| owner["controller"] == true).collect();
    if let [first, second, ..] = controllers.as_slice() {
        let named = |owner: &Value| format!("{}/{}", text(owner, "kind"), text(owner, "name"));
        let shown: Vec<String> = owners
            .iter()
            .map(|owner| {
                let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
                let fields =
                    fields.iter().filter_map(|field| Some(format!("{field:?}:{}", owner.get(field)?)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            })
            .collect();
        causes.push(Cause {
            field: "metadata.ownerReferences".to_owned(),
            reason: "FieldValueInvalid",
            message: format!(
                "Invalid value: [{}]: Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
                shown.join(","),
                named(first),
                named(second)
            ),
        });
    }
    causes
}

fn finalizer_faults(finalizers: &Value, core: bool) -> Vec<Cause> {
    const STANDARD: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];
    let list = finalizers.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate();
    list.filter_map(|(index, finalizer)| {
        let name = finalizer.as_str().unwrap_or_default();
        let field = format!("metadata.finalizers[{index}]");
        if let Some(problem) = key_problems(name).first() {
            return Some(Cause::invalid(field, finalizer, problem));
        }
        let qualified = name.contains('/') || STANDARD.contains(&name);
        let detail = "name is neither a standard finalizer name nor is it fully qualified";
        (core && !qualified).then(|| Cause::invalid(field, finalizer, detail))
    })
    .collect()
}

/// What Go's decoder says about metadata of a wrong type; `typed` where it decodes the whole object, as for built-in kinds.
pub(super) fn type_fault(kind: &str, metadata: &Value, typed: bool) -> Option<String> {
    let fault = |value: &Value, place: &str, wanted: &str| {
        Some(format!(
            "json: cannot unmarshal {} into Go struct field {place} of type {wanted}",
            go_type(value)
        ))
    };
    let place = |field: &str| {
        if typed { format!("ObjectMeta.metadata.{field}") } else { format!("ObjectMeta.{field}") }
    };
    let fields = match metadata {
        Value::Null => return None,
        Value::Object(fields) => fields,
        other => return fault(other, &format!("{kind}.metadata"), "v1.ObjectMeta"),
    };
    let texts = ["name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"];
    for field in texts {
        match fields.get(field) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(other) => return fault(other, &place(field), "string"),
        }
    }
    for field in ["labels", "annotations"] {
        match fields.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                if let Some(other) = map.values().find(|value| !value.is_string() && !value.is_null()) {
                    return fault(other, &place(field), "string");
                }
            }
            Some(other) => return fault(other, &place(field), "map[string]string"),
        }
    }
    None
}

/// A JSON type as Go's decoder calls it.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Fields of metadata that the server knows.
pub(super) const METADATA_FIELDS: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

fn name_problem(name: &str, rule: NameRule) -> Option<&'static str> {
    match rule {
        NameRule::Label if name.contains('.') => Some("must not contain dots"),
        NameRule::Label if name.len() > 63 => Some("must be no more than 63 characters"),
        NameRule::Label if !is_subdomain(name) => Some(LABEL_NAME),
        NameRule::Subdomain if name.len() > 253 => Some("must be no more than 253 characters"),
        NameRule::Subdomain if !is_subdomain(name) => Some(SUBDOMAIN),
        NameRule::PathSegment if name == "." => Some("may not be '.'"),
        NameRule::PathSegment if name == ".." => Some("may not be '..'"),
        NameRule::PathSegment if name.contains('/') => Some("may not contain '/'"),
        NameRule::PathSegment if name.contains('%') => Some("may not contain '%'"),
        NameRule::Label | NameRule::Subdomain | NameRule::PathSegment => None,
    }
}

fn is_subdomain(name: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.split('.').all(|part| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(edge)
            && bytes.last().is_some_and(edge)
            && bytes.iter().all(|byte| edge(byte) || *byte == b'-')
    })
}

fn is_name_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// What is wrong with a qualified name (`content.IsLabelKey`).
pub(crate) fn key_problems(key: &str) -> Vec<String> {
    let parts: Vec<&str> = key.split('/').collect();
    let (prefix, name) = match parts.as_slice() {
        [name] => (None, *name),
        [prefix, name] => (Some(*prefix), *name),
        _ => {
            return vec![format!(
                "a valid label key {LABEL_KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    let mut problems = Vec::new();
    match prefix {
        Some("") => problems.push("prefix part must be non-empty".to_owned()),
        Some(prefix) if prefix.len() > 253 => {
            problems.push("prefix part must be no more than 253 bytes".to_owned());
        }
        Some(prefix) if !is_subdomain(prefix) => problems.push(format!("prefix part {SUBDOMAIN}")),
        Some(_) | None => {}
    }
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name_part(name) {
        problems.push(format!("name part {LABEL_KEY}"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_follow_the_rules_of_the_api_server() {
        let fields = |metadata: Value, rule| {
            faults(&json!({"metadata": metadata}), rule, true)
                .into_iter()
                .map(|cause| cause.field)
                .collect::<Vec<_>>()
        };
        let none: Vec<String> = Vec::new();
        assert_eq!(fields(json!({"name": "acm-app.v1"}), NameRule::Subdomain), none);
        assert_eq!(fields(json!({"name": "Acm"}), NameRule::Subdomain), ["metadata.name"]);
        assert_eq!(fields(json!({"name": "a.b"}), NameRule::Label), ["metadata.name"]);
        assert_eq!(fields(json!({"name": "system:node"}), NameRule::PathSegment), none);
        assert_eq!(fields(json!({}), NameRule::Subdomain), ["metadata.name"]);
        assert_eq!(
            fields(json!({"name": "a", "labels": {"x.io/a": "b c"}}), NameRule::Subdomain),
            ["metadata.labels"]
        );
        assert_eq!(
            fields(json!({"name": "a", "labels": {"a/b/c": ""}}), NameRule::Subdomain),
            ["metadata.labels"]
        );
    }

    #[test]
    fn generated_names_keep_their_base() {
        let name = generated_name("job-");
        assert!(name.starts_with("job-") && name.len() == 9, "{name}");
        assert_eq!(generated_name(&"x".repeat(80)).len(), 63);
    }

    #[test]
    fn derived_uids_are_stable_and_differ() {
        assert_eq!(derived_uid("a"), derived_uid("a"));
        assert_ne!(derived_uid("a"), derived_uid("b"));
    }
}
