//! `policy.open-cluster-management.io`: Policy, PolicySet, PlacementBinding.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Metadata, null_as_default, open_object};

/// `policy.open-cluster-management.io/v1 Policy`: what clusters must have; a root, or its replica for one cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["spec"]))]
pub struct Policy {
    /// Metadata.
    pub metadata: Metadata,
    /// What to check and enforce.
    pub spec: PolicySpec,
    /// Compliance.
    #[serde(deserialize_with = "null_as_default")]
    pub status: PolicyStatus,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `Policy.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["disabled", "policy-templates"]))]
pub struct PolicySpec {
    /// Not placed anywhere when true.
    pub disabled: bool,
    /// Overrides the templates' own, except `InformOnly`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation_action: Option<RemediationAction>,
    /// Must hold before any template is applied.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// `false` keeps the root's labels and annotations off the replicated policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_policy_metadata: Option<bool>,
    /// The ConfigurationPolicies.
    #[serde(rename = "policy-templates", deserialize_with = "null_as_default")]
    pub policy_templates: Vec<PolicyTemplate>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `enforce`, `inform` or `InformOnly`, in any case of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum RemediationAction {
    /// Report only.
    #[serde(rename = "inform")]
    Inform,
    /// Change the cluster.
    #[serde(rename = "enforce")]
    Enforce,
    /// Report only, whatever a parent says.
    InformOnly,
}

impl<'de> Deserialize<'de> for RemediationAction {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.to_ascii_lowercase().as_str() {
            "inform" => Ok(Self::Inform),
            "enforce" => Ok(Self::Enforce),
            "informonly" => Ok(Self::InformOnly),
            _ => Err(serde::de::Error::custom(format!(
                "remediationAction {text:?} is not one of inform, enforce, InformOnly"
            ))),
        }
    }
}

impl JsonSchema for RemediationAction {
    fn schema_name() -> Cow<'static, str> {
        "RemediationAction".into()
    }

    /// A schema cannot say "in any case of letters": the spellings that upstream's definitions list.
    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": ["Inform", "inform", "Enforce", "enforce", "InformOnly"]})
    }
}

/// A dependency of a policy or of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["apiVersion", "kind", "name", "compliance"]))]
pub struct Dependency {
    /// Its `apiVersion`.
    #[serde(default)]
    pub api_version: String,
    /// `Policy`, `PolicySet` or a template's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; empty for policies.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The state it must have.
    pub compliance: RequiredCompliance,
}

/// The state that a dependency asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RequiredCompliance {
    /// As it should be.
    Compliant,
    /// Waiting itself.
    Pending,
    /// Not as it should be.
    NonCompliant,
    /// Being deleted; only templates know this state.
    Terminating,
}

impl RequiredCompliance {
    /// Whether a state is the required one.
    pub fn is_met_by(self, state: ComplianceState) -> bool {
        match self {
            Self::Compliant => state == ComplianceState::Compliant,
            Self::Pending => state == ComplianceState::Pending,
            Self::NonCompliant => state == ComplianceState::NonCompliant,
            Self::Terminating => false,
        }
    }
}

/// Compliance of a policy, a template or a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ComplianceState {
    /// As it should be.
    Compliant,
    /// Waiting for a dependency or a gate.
    Pending,
    /// Not as it should be.
    NonCompliant,
}

impl std::fmt::Display for ComplianceState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Compliant => "Compliant",
            Self::Pending => "Pending",
            Self::NonCompliant => "NonCompliant",
        })
    }
}

/// One entry of `Policy.spec.policy-templates`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["objectDefinition"]))]
pub struct PolicyTemplate {
    /// The ConfigurationPolicy, templates unresolved.
    #[schemars(schema_with = "open_object")]
    pub object_definition: Value,
    /// Dependencies of this template alone.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub extra_dependencies: Vec<Dependency>,
    /// Pending counts as compliant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_pending: bool,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `Policy.status`. A root policy has `placement` and `status`, a replicated one `details`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyStatus {
    /// Worst of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compliant: Option<ComplianceState>,
    /// Replicated: one entry per template.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<TemplateDetail>,
    /// Root: what binds it.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<PlacementStatusEntry>,
    /// Root: one entry per cluster.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<ClusterStatus>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One entry of a replicated policy's `status.details`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateDetail {
    /// Which template.
    #[schemars(schema_with = "open_object")]
    pub template_meta: TemplateMeta,
    /// Its compliance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compliant: Option<ComplianceState>,
    /// Newest first, ten at most.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
}

/// `templateMeta`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateMeta {
    /// Name of the ConfigurationPolicy.
    pub name: String,
    /// `null` as upstream writes it.
    pub creation_timestamp: Option<String>,
}

/// One entry of `history`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryEntry {
    /// RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub last_timestamp: String,
    /// `NonCompliant; violation - …`.
    pub message: String,
    /// Name of the Event.
    pub event_name: String,
}

/// One entry of a root policy's `status.placement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct PlacementStatusEntry {
    /// Name of the PlacementBinding.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub placement_binding: String,
    /// Name of the Placement.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub placement: String,
    /// Name of the PlacementRule (older hubs).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub placement_rule: String,
    /// Name of the PolicySet, when bound through one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub policy_set: String,
    /// Clusters that the Placement selects and that the PolicySet excludes this policy from.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<PolicyExclusion>,
}

/// One entry of `exclusions` in a root policy's `status.placement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct PolicyExclusion {
    /// Name of the cluster.
    pub cluster_name: String,
}

/// One entry of a root policy's `status.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ClusterStatus {
    /// Name of the cluster.
    pub clustername: String,
    /// Its namespace on the hub.
    pub clusternamespace: String,
    /// Its compliance; absent while unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compliant: Option<ComplianceState>,
    /// The bindings that keep the policy there although a PolicySet excludes it.
    #[serde(
        rename = "remainingBindings",
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub remaining_bindings: Vec<RemainingBinding>,
}

/// One entry of `remainingBindings`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct RemainingBinding {
    /// Name of the PlacementBinding.
    pub placement_binding: String,
}

/// `policy.open-cluster-management.io/v1beta1 PolicySet`: policies that are placed together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["spec"]))]
pub struct PolicySet {
    /// Metadata.
    pub metadata: Metadata,
    /// Which policies.
    pub spec: PolicySetSpec,
    /// Compliance.
    #[serde(deserialize_with = "null_as_default")]
    pub status: PolicySetStatus,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `PolicySet.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["policies"]))]
pub struct PolicySetSpec {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Names of policies in the same namespace.
    #[serde(deserialize_with = "null_as_default")]
    pub policies: Vec<String>,
    /// Policies that this set does not place on some of its clusters.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<SetExclusion>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One entry of `PolicySet.spec.exclusions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["clusterNames", "policyName"], "x-kubernetes-preserve-unknown-fields" = true))]
pub struct SetExclusion {
    /// Name of a policy of the set.
    pub policy_name: String,
    /// Where the set does not place it.
    #[serde(deserialize_with = "null_as_default")]
    pub cluster_names: Vec<String>,
}

/// One entry of `PolicySet.status.exclusions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["clusters", "policyName"], "x-kubernetes-preserve-unknown-fields" = true))]
pub struct SetStatusExclusion {
    /// Name of the policy.
    pub policy_name: String,
    /// Where it is excluded.
    pub clusters: Vec<String>,
}

/// `PolicySet.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicySetStatus {
    /// Worst of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compliant: Option<ComplianceState>,
    /// What binds it.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<PlacementStatusEntry>,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status_message: String,
    /// What is excluded, by policy.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<SetStatusExclusion>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `policy.open-cluster-management.io/v1 PlacementBinding`: places policies and sets by a Placement. It has no spec.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["placementRef", "subjects"]))]
pub struct PlacementBinding {
    /// Metadata.
    pub metadata: Metadata,
    /// The Placement.
    pub placement_ref: BindingReference,
    /// What is placed.
    #[serde(deserialize_with = "null_as_default")]
    pub subjects: Vec<BindingReference>,
    /// Overrides for the placed policies.
    #[serde(deserialize_with = "null_as_default")]
    pub binding_overrides: BindingOverrides,
    /// `restricted` never places, it only overrides.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub_filter: String,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A reference in a PlacementBinding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["apiGroup", "kind", "name"]))]
pub struct BindingReference {
    /// API group.
    pub api_group: String,
    /// Kind.
    pub kind: String,
    /// Name, in the binding's namespace.
    pub name: String,
}

/// `bindingOverrides`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingOverrides {
    /// `enforce`, or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation_action: Option<RemediationAction>,
}
