//! `cluster.open-cluster-management.io/v1beta1`: Placement and PlacementDecision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cluster::{Condition, TaintEffect};
use super::{Metadata, null_as_default};
use crate::api::selector::{LabelSelector, Requirement};

/// `cluster.open-cluster-management.io/v1beta1 Placement`: which clusters to select from the bound sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["spec"]))]
pub struct Placement {
    /// Metadata.
    pub metadata: Metadata,
    /// What to select.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: PlacementSpec,
    /// What was selected.
    #[serde(deserialize_with = "null_as_default")]
    pub status: PlacementStatus,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `Placement.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PlacementSpec {
    /// Sets to select from; empty means all bound sets.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub cluster_sets: Vec<String>,
    /// How many clusters at most; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>")]
    pub number_of_clusters: Option<u32>,
    /// Any of them may match; empty means all clusters of the sets.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub predicates: Vec<Predicate>,
    /// Taints that are tolerated.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Everything else (prioritizers, decision strategy).
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One entry of `Placement.spec.predicates`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Predicate {
    /// All its parts must match.
    pub required_cluster_selector: RequiredClusterSelector,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `requiredClusterSelector`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RequiredClusterSelector {
    /// Against the labels of the ManagedCluster.
    #[serde(deserialize_with = "null_as_default")]
    pub label_selector: LabelSelector,
    /// Against the claims that the cluster reports.
    #[serde(deserialize_with = "null_as_default")]
    pub claim_selector: ClaimSelector,
    /// Everything else (`celSelector`).
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `claimSelector`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSelector {
    /// All must hold.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// One entry of `Placement.spec.tolerations`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// Key; empty with `Exists` tolerates everything.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `Equal` (default) or `Exists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    // Upstream's definition takes any text here, and so does ours.
    #[schemars(with = "Option<String>")]
    pub operator: Option<TolerationOperator>,
    /// Value for `Equal`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Absent tolerates every effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// How long, from the taint's `timeAdded`; absent means for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

/// Operator of a toleration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TolerationOperator {
    /// Key and value must be equal.
    Equal,
    /// The key is enough.
    Exists,
}

/// `Placement.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PlacementStatus {
    /// How many clusters are selected.
    #[schemars(with = "i32")]
    pub number_of_selected_clusters: u32,
    /// `PlacementSatisfied`, `PlacementMisconfigured`.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `cluster.open-cluster-management.io/v1beta1 PlacementDecision`: the clusters that a Placement selected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PlacementDecision {
    /// Metadata: the label `cluster.open-cluster-management.io/placement` names the Placement.
    pub metadata: Metadata,
    /// The decisions.
    #[serde(deserialize_with = "null_as_default")]
    pub status: PlacementDecisionStatus,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `PlacementDecision.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PlacementDecisionStatus {
    /// At most 100 per object.
    #[serde(deserialize_with = "null_as_default")]
    pub decisions: Vec<ClusterDecision>,
}

/// One selected cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["clusterName"], "x-kubernetes-preserve-unknown-fields" = true))]
pub struct ClusterDecision {
    /// Name of the ManagedCluster.
    pub cluster_name: String,
    /// Free text, empty upstream.
    pub reason: String,
}
