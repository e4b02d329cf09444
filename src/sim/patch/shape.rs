//! How lists and maps of a kind merge: by the `x-kubernetes-list-*` marks of a custom kind's schema, and by a short list of
//! well-known fields for the built-in kinds and for metadata (`+listType`, `+patchMergeKey` in `k8s.io/api`).

use serde_json::Value;

use super::super::kinds::{Kind, Origin};

/// How the entries of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListType {
    /// One value as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Mappings, told apart by these fields.
    Map(Vec<String>),
}

/// What is known about a place in an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'a> {
    /// A custom kind: its schema here.
    Custom(&'a Value),
    /// A built-in kind or metadata: the names of this field and of the one above.
    BuiltIn { above: &'a str, name: &'a str },
}

/// Lists of mappings: field, the field above where it matters, keys.
const LISTS: &[(&str, Option<&str>, &[&str])] = &[
    ("containers", None, &["name"]),
    ("initContainers", None, &["name"]),
    ("ephemeralContainers", None, &["name"]),
    ("env", None, &["name"]),
    ("volumes", None, &["name"]),
    ("volumeMounts", None, &["mountPath"]),
    ("volumeDevices", None, &["devicePath"]),
    ("imagePullSecrets", None, &["name"]),
    ("secrets", None, &["name"]),
    ("hostAliases", None, &["ip"]),
    ("ports", Some("containers"), &["containerPort", "protocol"]),
    ("ports", Some("initContainers"), &["containerPort", "protocol"]),
    ("ports", Some("spec"), &["port", "protocol"]),
    ("topologySpreadConstraints", None, &["topologyKey", "whenUnsatisfiable"]),
    ("conditions", None, &["type"]),
    ("ownerReferences", None, &["uid"]),
];

/// Lists of scalars that are sets.
const SETS: &[&str] = &["finalizers"];

/// Mappings whose keys are not fields of a structure.
const MAPS: &[&str] = &[
    "annotations",
    "labels",
    "data",
    "binaryData",
    "stringData",
    "matchLabels",
    "limits",
    "requests",
    "hard",
    "used",
    "capacity",
    "allocatable",
    "parameters",
];

/// Fields of built-in kinds that are structures, not pointers to them.
const ALWAYS: &[&str] = &["metadata", "spec", "status", "template", "jobTemplate", "resources", "strategy"];

/// Mappings that are one value as a whole.
const ATOMIC_MAPS: &[&str] = &[
    "selector",
    "labelSelector",
    "podSelector",
    "namespaceSelector",
    "nodeSelector",
    "involvedObject",
    "claimRef",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "roleRef",
];

impl<'a> Shape<'a> {
    /// The root of an object.
    pub(super) fn of(kind: &'a Kind) -> Self {
        match (&kind.schema, kind.origin) {
            (Some(schema), Origin::Custom) => Self::Custom(schema),
            (None, _) | (_, Origin::BuiltIn | Origin::Review) => Self::BuiltIn { above: "", name: "" },
        }
    }

    /// Of a field of a mapping here.
    pub(super) fn field(self, field: &'a str) -> Self {
        match self {
            Self::Custom(_) if field == "metadata" => Self::BuiltIn { above: "", name: field },
            Self::Custom(schema) => {
                Self::Custom(schema["properties"].get(field).unwrap_or(&schema["additionalProperties"]))
            }
            Self::BuiltIn { name, .. } => Self::BuiltIn { above: name, name: field },
        }
    }

    /// Whether a field of a mapping here is one of a structure, not an entry of a map.
    pub(super) fn declares(self, field: &str) -> bool {
        match self {
            Self::Custom(_) if field == "metadata" => true,
            Self::Custom(schema) => schema["properties"].get(field).is_some(),
            Self::BuiltIn { name, .. } => !MAPS.contains(&name),
        }
    }

    /// Whether the structure of a built-in kind has this field even where nothing is in it.
    pub(super) fn is_always_there(self, field: &str) -> bool {
        match self {
            Self::Custom(_) => false,
            Self::BuiltIn { name, .. } => !MAPS.contains(&name) && ALWAYS.contains(&field),
        }
    }

    /// Of the entries of a list here.
    pub(super) fn item(self) -> Self {
        match self {
            Self::Custom(schema) => Self::Custom(&schema["items"]),
            // The fields of an entry have the list's name above them.
            Self::BuiltIn { .. } => self,
        }
    }

    /// How a list here merges.
    pub(super) fn list(self) -> ListType {
        match self {
            Self::Custom(schema) => match schema["x-kubernetes-list-type"].as_str() {
                Some("map") => ListType::Map(
                    schema["x-kubernetes-list-map-keys"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|key| key.as_str().map(ToOwned::to_owned))
                        .collect(),
                ),
                Some("set") => ListType::Set,
                _ => ListType::Atomic,
            },
            Self::BuiltIn { name, .. } if SETS.contains(&name) => ListType::Set,
            Self::BuiltIn { above, name } => LISTS
                .iter()
                .find(|(field, parent, _)| *field == name && parent.is_none_or(|parent| parent == above))
                .map_or(ListType::Atomic, |(_, _, keys)| {
                    ListType::Map(keys.iter().map(|key| (*key).to_owned()).collect())
                }),
        }
    }

    /// Whether a mapping here is one value.
    pub(super) fn is_atomic_map(self) -> bool {
        match self {
            Self::Custom(schema) => schema["x-kubernetes-map-type"] == "atomic",
            Self::BuiltIn { name, .. } => ATOMIC_MAPS.contains(&name),
        }
    }
}

/// The key of a list entry; the protocol of a port is TCP unless said otherwise.
pub(super) fn entry_key(entry: &Value, keys: &[String]) -> Value {
    let pairs = keys.iter().filter_map(|key| {
        let value = match entry.get(key) {
            Some(Value::Null) | None if key == "protocol" => Value::from("TCP"),
            Some(Value::Null) | None => return None,
            Some(value) => value.clone(),
        };
        Some((key.clone(), value))
    });
    Value::Object(pairs.collect())
}
