//! A Kubernetes object as plain data: takes JSON, gives a value whose type and metadata are known to be well formed.
//!
//! Must not touch: clients, files, templates. Everything of the domain that handles "any object" uses these types.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// Why a JSON value is not a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// The document is a scalar or a list.
    #[error("failed to read an object: expected a mapping, found {found}")]
    NotAMapping {
        /// What stood there instead.
        found: &'static str,
    },
    /// `apiVersion` or `kind` is missing, empty or no string.
    #[error("failed to read an object: field `{field}` must be a non-empty string")]
    MissingType {
        /// The field at fault.
        field: &'static str,
    },
    /// `metadata`, or something in it, has another shape than the API's.
    #[error("failed to read {kind} {name:?}: `{path}` must be {expected}")]
    Metadata {
        /// The kind of the object.
        kind: String,
        /// Its name, empty when unknown.
        name: String,
        /// Path of the field at fault.
        path: &'static str,
        /// What is expected there.
        expected: &'static str,
    },
}

/// Group, version and kind. The group is empty for the core API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupVersionKind {
    /// API group, empty for core.
    pub group: String,
    /// Version within the group.
    pub version: String,
    /// Kind, in CamelCase.
    pub kind: String,
}

impl GroupVersionKind {
    /// From the two fields that every manifest carries: `apps/v1` or `v1`, and the kind.
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// `group/version`, or the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Same group and kind, whatever the version.
    pub fn same_kind(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

impl fmt::Display for GroupVersionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.api_version(), self.kind)
    }
}

/// The identity of an object on one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Its type.
    pub gvk: GroupVersionKind,
    /// Its namespace; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.gvk.kind, self.name),
            None => write!(formatter, "{} {}", self.gvk.kind, self.name),
        }
    }
}

/// A Kubernetes object: a mapping with `apiVersion`, `kind` and, where present, well-formed `metadata`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Manifest(Map<String, Value>);

impl Manifest {
    /// Checks the shape that every Kubernetes object has. Labels and annotations must be strings.
    pub fn parse(value: Value) -> Result<Self, ManifestError> {
        let Value::Object(map) = value else {
            return Err(ManifestError::NotAMapping { found: json_type(&value) });
        };
        for field in ["apiVersion", "kind"] {
            if !matches!(map.get(field), Some(Value::String(text)) if !text.is_empty()) {
                return Err(ManifestError::MissingType { field });
            }
        }
        let manifest = Self(map);
        manifest.check_metadata()?;
        Ok(manifest)
    }

    fn check_metadata(&self) -> Result<(), ManifestError> {
        let fault = |path, expected| ManifestError::Metadata {
            kind: self.kind().to_owned(),
            name: self
                .0
                .get("metadata")
                .and_then(|metadata| metadata.get("name"))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            path,
            expected,
        };
        let metadata = match self.0.get("metadata") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Object(metadata)) => metadata,
            Some(_) => return Err(fault("metadata", "a mapping")),
        };
        for (field, path) in [("name", "metadata.name"), ("namespace", "metadata.namespace")] {
            if !matches!(metadata.get(field), None | Some(Value::Null | Value::String(_))) {
                return Err(fault(path, "a string"));
            }
        }
        for (field, path) in [("labels", "metadata.labels"), ("annotations", "metadata.annotations")] {
            match metadata.get(field) {
                None | Some(Value::Null) => {}
                Some(Value::Object(map)) if map.values().all(Value::is_string) => {}
                Some(_) => return Err(fault(path, "a mapping of strings")),
            }
        }
        Ok(())
    }

    /// `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.0.get("apiVersion").and_then(Value::as_str).unwrap_or_default()
    }

    /// `kind`.
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// The type of the object.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::new(self.api_version(), self.kind())
    }

    fn metadata(&self) -> Option<&Map<String, Value>> {
        self.0.get("metadata").and_then(Value::as_object)
    }

    fn metadata_text(&self, field: &str) -> Option<&str> {
        self.metadata()?.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// `metadata.name`, if set and not empty.
    pub fn name(&self) -> Option<&str> {
        self.metadata_text("name")
    }

    /// `metadata.namespace`, if set and not empty.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata_text("namespace")
    }

    /// `metadata.uid`, if set.
    pub fn uid(&self) -> Option<&str> {
        self.metadata_text("uid")
    }

    /// `metadata.resourceVersion`, if set.
    pub fn resource_version(&self) -> Option<&str> {
        self.metadata_text("resourceVersion")
    }

    /// `metadata.creationTimestamp` as written by the server.
    pub fn creation_timestamp(&self) -> Option<&str> {
        self.metadata_text("creationTimestamp")
    }

    /// Whether deletion has begun (`metadata.deletionTimestamp`).
    pub fn is_deleting(&self) -> bool {
        self.metadata_text("deletionTimestamp").is_some()
    }

    /// One label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata()?.get("labels")?.get(key)?.as_str()
    }

    /// One annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata()?.get("annotations")?.get(key)?.as_str()
    }

    /// All labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.text_map("labels")
    }

    /// All annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.text_map("annotations")
    }

    fn text_map(&self, field: &str) -> BTreeMap<String, String> {
        let map = self.metadata().and_then(|metadata| metadata.get(field)).and_then(Value::as_object);
        map.into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    /// The identity, when the object is named.
    pub fn key(&self) -> Option<ObjectKey> {
        Some(ObjectKey {
            gvk: self.gvk(),
            namespace: self.namespace().map(ToOwned::to_owned),
            name: self.name()?.to_owned(),
        })
    }

    /// The value at a path of field names, e.g. `&["status", "phase"]`.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.0.get(*first)?, |value, field| value.get(field))
    }

    /// The text at a path of field names.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The mapping itself.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The same object in another namespace (`None` removes the field).
    #[must_use]
    pub fn with_namespace(self, namespace: Option<&str>) -> Self {
        self.with_metadata("namespace", namespace)
    }

    /// The same object under another name.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        self.with_metadata("name", Some(name))
    }

    /// The same object with a uid: a write of it is refused when the server has another object of the name.
    #[must_use]
    pub fn with_uid(self, uid: &str) -> Self {
        self.with_metadata("uid", Some(uid))
    }

    /// The same object with another value of a top-level field (`None` removes the field).
    #[must_use]
    pub fn with_field(mut self, field: &str, value: Option<Value>) -> Self {
        match value {
            Some(value) => self.0.insert(field.to_owned(), value),
            None => self.0.remove(field),
        };
        self
    }

    fn with_metadata(mut self, field: &str, text: Option<&str>) -> Self {
        let metadata = self.0.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if !metadata.is_object() {
            *metadata = Value::Object(Map::new());
        }
        if let Some(metadata) = metadata.as_object_mut() {
            match text {
                Some(text) => metadata.insert(field.to_owned(), Value::String(text.to_owned())),
                None => metadata.remove(field),
            };
        }
        self
    }

    /// The whole object as JSON.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The whole object as JSON.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The name of a JSON type for people.
pub fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_named_object_has_a_key() {
        let manifest = Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "a", "namespace": "b", "labels": {"x": "y"}}}))
        .unwrap();
        assert_eq!(manifest.key().unwrap().to_string(), "Schedule b/a");
        assert_eq!(manifest.gvk().group, "velero.io");
        assert_eq!(manifest.label("x"), Some("y"));
    }

    #[test]
    fn malformed_objects_name_the_field() {
        let error = |value| Manifest::parse(value).unwrap_err().to_string();
        assert_eq!(error(json!([])), "failed to read an object: expected a mapping, found a list");
        assert_eq!(
            error(json!({"kind": "A"})),
            "failed to read an object: field `apiVersion` must be a non-empty string"
        );
        assert_eq!(
            error(json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "n", "labels": {"a": 1}}})),
            "failed to read A \"n\": `metadata.labels` must be a mapping of strings"
        );
    }
}
