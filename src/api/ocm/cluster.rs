//! `cluster.open-cluster-management.io`: ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Metadata, null_as_default};
use crate::api::selector::LabelSelector;

/// `cluster.open-cluster-management.io/v1 ManagedCluster`: a cluster that the hub knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ManagedCluster {
    /// Metadata: the name is the cluster's name, labels select it.
    pub metadata: Metadata,
    /// Desired state.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: ManagedClusterSpec,
    /// Reported state.
    #[serde(deserialize_with = "null_as_default")]
    pub status: ManagedClusterStatus,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ManagedCluster {
    /// Whether it is the hub itself: Advanced Cluster Management labels it so, and calls it so where nobody chose another name.
    pub fn is_hub_itself(&self) -> bool {
        const LOCAL_CLUSTER: &str = "local-cluster";
        self.metadata.labels.get(LOCAL_CLUSTER).is_some_and(|value| value == "true")
            || self.metadata.name == LOCAL_CLUSTER
    }
}

/// `ManagedCluster.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedClusterSpec {
    /// Whether the hub accepts the cluster.
    pub hub_accepts_client: bool,
    /// Taints keep placements away.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A taint of a managed cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value, may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What it does to placements that do not tolerate it.
    pub effect: TaintEffect,
    /// Since when (RFC 3339); tolerations with `tolerationSeconds` count from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "nullable" = true))]
    pub time_added: Option<String>,
}

/// Effect of a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// Not selected, and dropped where it was.
    NoSelect,
    /// Selected last; filters ignore it.
    PreferNoSelect,
    /// Not selected anew; stays where it was.
    NoSelectIfNew,
}

/// `ManagedCluster.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedClusterStatus {
    /// Claims that the cluster reports.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub cluster_claims: Vec<ClusterClaim>,
    /// Conditions, `ManagedClusterConditionAvailable` among them.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A name and value that a cluster reports of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterClaim {
    /// Name of the claim.
    #[serde(default)]
    pub name: String,
    /// Its value.
    #[serde(default)]
    pub value: String,
}

/// `metav1.Condition`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["type"], "x-kubernetes-preserve-unknown-fields" = true))]
pub struct Condition {
    /// Type.
    #[serde(rename = "type")]
    pub condition_type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: Option<String>,
}

/// `cluster.open-cluster-management.io/v1beta2 ManagedClusterSet`: clusters that Placements may select from together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ManagedClusterSet {
    /// Metadata.
    pub metadata: Metadata,
    /// How members are found.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: ManagedClusterSetSpec,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `ManagedClusterSet.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedClusterSetSpec {
    /// Which clusters are in the set.
    pub cluster_selector: ClusterSelector,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `ManagedClusterSet.spec.clusterSelector`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSelector {
    /// How members are found.
    pub selector_type: SelectorType,
    /// For the type `LabelSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
}

/// How a ManagedClusterSet finds its members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SelectorType {
    /// By the label `cluster.open-cluster-management.io/clusterset=<set>`.
    #[default]
    #[serde(alias = "LegacyClusterSetLabel", alias = "")]
    ExclusiveClusterSetLabel,
    /// By a label selector.
    LabelSelector,
}

/// `cluster.open-cluster-management.io/v1beta2 ManagedClusterSetBinding`: lets the Placements of a namespace use a set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ManagedClusterSetBinding {
    /// Metadata: the namespace is where Placements may use the set.
    pub metadata: Metadata,
    /// The set.
    pub spec: ManagedClusterSetBindingSpec,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `ManagedClusterSetBinding.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedClusterSetBindingSpec {
    /// Name of the bound ManagedClusterSet.
    pub cluster_set: String,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
