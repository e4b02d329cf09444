//! `policy.open-cluster-management.io/v1 ConfigurationPolicy`, as it stands inside a Policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::policy::RemediationAction;
use super::{Metadata, null_as_default};

/// A ConfigurationPolicy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigurationPolicy {
    /// `policy.open-cluster-management.io/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `ConfigurationPolicy`.
    pub kind: String,
    /// Metadata.
    pub metadata: Metadata,
    /// What to check and enforce.
    pub spec: ConfigurationPolicySpec,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `ConfigurationPolicy.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigurationPolicySpec {
    /// Its own action; a Policy may override it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation_action: Option<RemediationAction>,
    /// How bad a violation is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// What becomes of objects that are no longer wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune_object_behavior: Option<PruneObjectBehavior>,
    /// Namespaces for templates that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<NamespaceSelector>,
    /// The templates as a list; exactly one of this and the next.
    #[serde(rename = "object-templates", skip_serializing_if = "Option::is_none")]
    pub object_templates: Option<Vec<Value>>,
    /// The templates as text.
    #[serde(rename = "object-templates-raw", skip_serializing_if = "Option::is_none")]
    pub object_templates_raw: Option<String>,
    /// When it is evaluated again.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "EvaluationInterval::is_empty")]
    pub evaluation_interval: EvaluationInterval,
    /// Messages instead of the ordinary ones.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "CustomMessage::is_empty")]
    pub custom_message: CustomMessage,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `spec.evaluationInterval`: a duration as Go writes it, `watch` or `never`; empty is `watch`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvaluationInterval {
    /// While it is compliant.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub compliant: String,
    /// While it is not.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub noncompliant: String,
}

impl EvaluationInterval {
    fn is_empty(&self) -> bool {
        self.compliant.is_empty() && self.noncompliant.is_empty()
    }
}

/// `spec.customMessage`: Go templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomMessage {
    /// While it is compliant.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub compliant: String,
    /// While it is not.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub noncompliant: String,
}

impl CustomMessage {
    fn is_empty(&self) -> bool {
        self.compliant.is_empty() && self.noncompliant.is_empty()
    }
}

/// One resolved object template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectTemplate {
    /// How the object must relate to the cluster.
    pub compliance_type: ComplianceType,
    /// The same for `metadata`, when it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_compliance_type: Option<MetadataComplianceType>,
    /// What to do when a field is immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recreate_option: Option<RecreateOption>,
    /// What to show of differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_diff: Option<RecordDiff>,
    /// Selects existing objects when the definition names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<WrittenSelector>,
    /// The object.
    pub object_definition: Value,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

macro_rules! any_case {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// The word as the API writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $(if text.eq_ignore_ascii_case($text) { return Ok(Self::$variant); })+
                Err(serde::de::Error::custom(format!("{text:?} is not one of {}", [$($text),+].join(", "))))
            }
        }
    };
}

any_case! {
    /// `complianceType`.
    ComplianceType {
        /// The object exists with at least these fields.
        MustHave = "musthave",
        /// The object exists with just these fields.
        MustOnlyHave = "mustonlyhave",
        /// No such object exists.
        MustNotHave = "mustnothave",
    }
}
any_case! {
    /// `metadataComplianceType`.
    MetadataComplianceType {
        /// At least these labels and annotations.
        MustHave = "musthave",
        /// Just these labels and annotations.
        MustOnlyHave = "mustonlyhave",
    }
}
any_case! {
    /// `recreateOption`.
    RecreateOption {
        /// Never.
        None = "None",
        /// When an update is refused because of immutable fields.
        IfRequired = "IfRequired",
        /// On every difference.
        Always = "Always",
    }
}
any_case! {
    /// `recordDiff`.
    RecordDiff {
        /// To the log.
        Log = "Log",
        /// To the status.
        InStatus = "InStatus",
        /// A note that it is withheld.
        Censored = "Censored",
        /// Nowhere.
        None = "None",
    }
}
any_case! {
    /// `pruneObjectBehavior`.
    PruneObjectBehavior {
        /// Leave everything.
        None = "None",
        /// Delete what the policy created.
        DeleteIfCreated = "DeleteIfCreated",
        /// Delete what the policy names.
        DeleteAll = "DeleteAll",
    }
}
any_case! {
    /// `severity`.
    Severity {
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical.
        Critical = "critical",
    }
}

/// `spec.namespaceSelector`: globs and labels, `ANDed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceSelector {
    /// Globs to include.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Globs to exclude.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Labels; even without any requirement they select more than nothing.
    #[serde(flatten)]
    pub labels: WrittenSelector,
}

impl NamespaceSelector {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty() && self.labels.is_empty()
    }
}

/// A label selector as it is written: what is wrong in it is told when the policy is evaluated, not when it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WrittenSelector {
    /// Labels that must be equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Further requirements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_expressions: Option<Vec<WrittenRequirement>>,
}

impl WrittenSelector {
    /// Whether neither part is there.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_none() && self.match_expressions.is_none()
    }
}

/// One requirement of a selector as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenRequirement {
    /// Label key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`, if it is right.
    pub operator: String,
    /// Values for `In` and `NotIn`.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}
