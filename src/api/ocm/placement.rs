//! `cluster.open-cluster-management.io`: Placement and PlacementDecision (v1beta1), AddOnPlacementScore (v1alpha1).

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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
    /// Which clusters come first where `numberOfClusters` cannot hold all.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub prioritizer_policy: PrioritizerPolicy,
    /// How the decisions are grouped.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub decision_strategy: DecisionStrategy,
    /// Everything else.
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
    /// Expressions over the whole ManagedCluster.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub cel_selector: CelSelector,
    /// Everything else.
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

/// `celSelector`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CelSelector {
    /// All must be true.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub cel_expressions: Vec<String>,
}

/// `Placement.spec.prioritizerPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PrioritizerPolicy {
    /// `Additive` (default): beside the standing prioritizers; `Exact`: these alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// Prioritizers with their weights.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub configurations: Vec<PrioritizerConfiguration>,
}

/// One entry of `prioritizerPolicy.configurations`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PrioritizerConfiguration {
    /// Which prioritizer; needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_coordinate: Option<ScoreCoordinate>,
    /// From -10 to 10; absent means 1, zero switches the prioritizer off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
}

/// Where a score comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScoreCoordinate {
    /// `BuiltIn` (default) or `AddOn`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub coordinate_type: String,
    /// Name of a prioritizer of the hub's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub built_in: String,
    /// A score that an add-on reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_on: Option<AddOnCoordinate>,
}

/// A score in an AddOnPlacementScore.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["resourceName", "scoreName"]))]
pub struct AddOnCoordinate {
    /// Name of the AddOnPlacementScore in the namespace of each cluster.
    pub resource_name: String,
    /// Name of the score in it.
    pub score_name: String,
}

/// `Placement.spec.decisionStrategy`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DecisionStrategy {
    /// How the decisions are grouped.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub group_strategy: GroupStrategy,
}

/// `decisionStrategy.groupStrategy`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupStrategy {
    /// Groups for clusters that a selector picks; the others form groups without a name.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub decision_groups: Vec<DecisionGroup>,
    /// At most so many clusters in a group: a number, or a percentage of all that are selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters_per_decision_group: Option<IntOrText>,
}

/// One entry of `groupStrategy.decisionGroups`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["groupName", "groupClusterSelector"]))]
pub struct DecisionGroup {
    /// Value of the label `decision-group-name`.
    pub group_name: String,
    /// Which clusters are in it.
    #[serde(deserialize_with = "null_as_default")]
    pub group_cluster_selector: GroupClusterSelector,
}

/// `groupClusterSelector`: both parts must match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupClusterSelector {
    /// Against the labels of the ManagedCluster.
    #[serde(deserialize_with = "null_as_default")]
    pub label_selector: LabelSelector,
    /// Against the claims that the cluster reports.
    #[serde(deserialize_with = "null_as_default")]
    pub claim_selector: ClaimSelector,
}

/// A number or a text, as the API has it for counts and percentages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrText {
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
}

impl fmt::Display for IntOrText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
        }
    }
}

impl JsonSchema for IntOrText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IntOrText".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"x-kubernetes-int-or-string": true})
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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

/// `cluster.open-cluster-management.io/v1alpha1 AddOnPlacementScore`: what an add-on reports of one cluster. It lies in the
/// cluster's namespace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddOnPlacementScore {
    /// Metadata.
    pub metadata: Metadata,
    /// The scores.
    #[serde(deserialize_with = "null_as_default")]
    pub status: AddOnPlacementScoreStatus,
}

/// `AddOnPlacementScore.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AddOnPlacementScoreStatus {
    /// Scores by name.
    #[serde(deserialize_with = "null_as_default")]
    pub scores: Vec<AddOnScore>,
    /// Until when they hold (RFC 3339); absent means for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
}

/// One score, from -100 to 100.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddOnScore {
    /// Name.
    pub name: String,
    /// Value.
    pub value: i32,
}
