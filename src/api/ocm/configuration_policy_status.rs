//! `ConfigurationPolicy.status`, in the spelling of the API: capital `Compliant` and `Validity` in the details.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::null_as_default;
use crate::api::object::ObjectKey;

/// Compliance of a ConfigurationPolicy or of one of its object templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigurationCompliance {
    /// As it should be.
    Compliant,
    /// Not as it should be.
    NonCompliant,
    /// It waits for something else; Flotilla's own state, which OCM knows of Policies only.
    Pending,
    /// It is being deleted, and what it made is not gone yet.
    Terminating,
}

impl ConfigurationCompliance {
    /// From a yes or no.
    pub fn of(compliant: bool) -> Self {
        if compliant { Self::Compliant } else { Self::NonCompliant }
    }

    /// The word as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "Compliant",
            Self::NonCompliant => "NonCompliant",
            Self::Pending => "Pending",
            Self::Terminating => "Terminating",
        }
    }
}

impl std::fmt::Display for ConfigurationCompliance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// `status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigurationPolicyStatus {
    /// Compliance; absent while nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compliant: Option<ConfigurationCompliance>,
    /// One entry per object template, or one for the whole.
    #[serde(deserialize_with = "null_as_default")]
    pub compliancy_details: Vec<TemplateStatus>,
    /// What the templates are about, sorted by kind, namespace and name.
    #[serde(deserialize_with = "null_as_default")]
    pub related_objects: Vec<RelatedObject>,
    /// The newest first, ten at most.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEvent>,
    /// RFC 3339, to the second.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_evaluated: String,
    /// `metadata.generation` then.
    pub last_evaluated_generation: i64,
}

/// `status.compliancyDetails[]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateStatus {
    /// Compliance of the template; absent while it is not known.
    #[serde(rename = "Compliant", skip_serializing_if = "Option::is_none")]
    pub compliant: Option<ConfigurationCompliance>,
    /// Always empty.
    #[serde(rename = "Validity")]
    pub validity: Map<String, Value>,
    /// One condition.
    #[serde(deserialize_with = "null_as_default")]
    pub conditions: Vec<Condition>,
}

/// What is said of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// `notification` or `violation`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`.
    pub status: String,
    /// When it was first said.
    pub last_transition_time: String,
    /// In a few words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// In full.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// `status.relatedObjects[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RelatedObject {
    /// Which object.
    pub object: ObjectResource,
    /// `Compliant` or `NonCompliant`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compliant: String,
    /// What was found or done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// More of it, for a single object that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<ObjectProperties>,
}

/// The identity of a related object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectResource {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Name and namespace.
    pub metadata: ObjectMetadata,
}

/// Name and namespace of a related object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectMetadata {
    /// Name; `-` where a template without a name speaks of none or of all.
    pub name: String,
    /// Namespace; empty for cluster-scoped kinds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl ObjectResource {
    /// Of an object with a name.
    pub fn of(key: &ObjectKey) -> Self {
        Self {
            api_version: key.gvk.api_version(),
            kind: key.gvk.kind.clone(),
            metadata: ObjectMetadata {
                name: key.name.clone(),
                namespace: key.namespace.clone().unwrap_or_default(),
            },
        }
    }
}

/// `properties` of a related object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectProperties {
    /// Whether the policy created this very object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by_policy: Option<bool>,
    /// Its uid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// What differs or was changed, as `recordDiff` has it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
    /// Whether it differs from the template, and the API server would write nothing all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub matches_after_dry_run: bool,
}

/// `status.history[]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryEvent {
    /// RFC 3339 with microseconds.
    pub last_timestamp: String,
    /// `NonCompliant; violation - …`.
    pub message: String,
}
