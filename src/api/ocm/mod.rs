//! Open Cluster Management's objects at their real groups and versions.
//!
//! Every type keeps the fields that it does not know (`other`), so that a read and a write lose nothing.

pub mod cluster;
pub mod configuration_policy;
pub mod configuration_policy_status;
pub mod placement;
pub mod policy;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use thiserror::Error;

use super::object::Manifest;

/// A hub object whose shape is not the API's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("failed to read {kind} {name:?}: {message}")]
pub struct ParseError {
    /// Its kind.
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// What serde found.
    pub message: String,
}

/// Reads a typed object; the error names the object.
pub fn parse<T: DeserializeOwned>(manifest: &Manifest) -> Result<T, ParseError> {
    serde_json::from_value(manifest.to_value()).map_err(|error| ParseError {
        kind: manifest.kind().to_owned(),
        name: match (manifest.namespace(), manifest.name().unwrap_or_default()) {
            (Some(namespace), name) => format!("{namespace}/{name}"),
            (None, name) => name.to_owned(),
        },
        message: error.to_string(),
    })
}

/// The part of `metadata` that decisions need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Name.
    pub name: String,
    /// Namespace, empty for cluster-scoped kinds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// Set when deletion has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl JsonSchema for Metadata {
    fn schema_name() -> Cow<'static, str> {
        "Metadata".into()
    }

    /// The API server knows metadata itself: a definition must say no more than this.
    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

/// The schema of an object that is kept whatever is in it.
fn open_object(_generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Go's encoder writes `null` for empty lists and maps: read it as the default.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Names of labels and annotations of the project and of its neighbours.
pub mod names {
    /// The cluster set that a managed cluster belongs to.
    pub const CLUSTER_SET_LABEL: &str = "cluster.open-cluster-management.io/clusterset";
    /// On PlacementDecisions: the Placement.
    pub const PLACEMENT_LABEL: &str = "cluster.open-cluster-management.io/placement";
    /// On replicated policies: the cluster.
    pub const POLICY_CLUSTER_NAME_LABEL: &str = "policy.open-cluster-management.io/cluster-name";
    /// On replicated policies: the cluster's namespace on the hub.
    pub const POLICY_CLUSTER_NAMESPACE_LABEL: &str = "policy.open-cluster-management.io/cluster-namespace";
    /// On replicated policies: `<namespace>.<name>` of the root.
    pub const ROOT_POLICY_LABEL: &str = "policy.open-cluster-management.io/root-policy";
    /// Switches template resolution off.
    pub const DISABLE_TEMPLATES_ANNOTATION: &str = "policy.open-cluster-management.io/disable-templates";
    /// What Flotilla wrote on the cluster, on the replicated policy.
    pub const INVENTORY_ANNOTATION: &str = "flotilla.dev/inventory";
    /// Opt-in to deletions that may lose data.
    pub const ALLOW_DESTRUCTIVE_ANNOTATION: &str = "flotilla.dev/allow-destructive";
    /// On the ConfigMap of a configuration, with the value `true`: the hub renders its policies.
    pub const PROTECT_LABEL: &str = "flotilla.dev/protect";
    /// On what the hub rendered: `<namespace>/<name>` of the ConfigMap. Copied to replicated policies with other annotations.
    pub const RENDERED_FROM_ANNOTATION: &str = "flotilla.dev/rendered-from";
    /// On what is rendered from a ConfigMap: a digest of what the hub wrote, by which an edit by hand is seen.
    pub const RENDERED_CONTENT_ANNOTATION: &str = "flotilla.dev/rendered-content";
    /// On a rendered PolicySet: why the newest version of its ConfigMap is not in force.
    pub const CONFIGURATION_FAULT_ANNOTATION: &str = "flotilla.dev/configuration-fault";
    /// On a rendered Policy: what becomes of what it made on a cluster that is deselected.
    pub const ON_DESELECT_ANNOTATION: &str = "flotilla.dev/on-deselect";
    /// On a rendered Policy: what becomes of what it made on clusters when its ConfigMap goes.
    pub const ON_DELETE_ANNOTATION: &str = "flotilla.dev/on-delete";
    /// On rendered Policies and PolicySets, and copied to replicated policies: `storagePrefixStyle` as it is in force.
    pub const STORAGE_PREFIX_STYLE_ANNOTATION: &str = "flotilla.dev/storage-prefix-style";
    /// On a managed cluster: the cluster whose backup is restored there, where its name does not tell. On a storage location: the
    /// cluster whose backups it was made to read.
    pub const RESTORE_FROM_LABEL: &str = "flotilla.dev/restore-from";
}
