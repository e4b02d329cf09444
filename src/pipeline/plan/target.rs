//! A resolved object template as a desired object, with Velero's own rules applied to it.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use crate::api::object::{Manifest, ManifestError};
use crate::api::ocm::configuration_policy::{
    ComplianceType, MetadataComplianceType, ObjectTemplate, RecordDiff, RecreateOption,
};
use crate::protection::names::NameTooLong;
use crate::protection::{names, translate};

/// An object template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// It has no type.
    #[error(
        "The kind and apiVersion fields are required on the object template at index {index} in policy {policy}"
    )]
    NoType {
        /// Position in the policy.
        index: usize,
        /// Name of the check.
        policy: String,
    },
    /// It is not an object template.
    #[error("failed to read the object template at index {index} in policy {policy}: {message}")]
    Malformed {
        /// Position in the policy.
        index: usize,
        /// Name of the check.
        policy: String,
        /// What is wrong.
        message: String,
    },
    /// A label or an annotation is no text.
    #[error("{0}")]
    Text(String),
    /// The names that Velero derives would be too long.
    #[error(transparent)]
    NameTooLong(#[from] NameTooLong),
}

/// What is known of the cluster beside its objects.
#[derive(Debug, Clone, Default)]
pub struct ClusterFacts {
    /// Its name.
    pub name: String,
    /// Which fields its Velero and OADP know.
    pub target: translate::Target,
    /// Values of [`names::NAME_KEYS`], where a ConfigMap says them: shown where a name made of them is too long.
    pub name_parts: Option<BTreeMap<String, String>>,
}

/// One object template, ready to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredTemplate {
    /// The template's own fields.
    pub template: ObjectTemplate,
    /// The object, deprecated fields translated.
    pub object: Manifest,
    /// What was translated.
    pub notes: Vec<String>,
}

/// Reads the fields of an object template, resolved or not.
pub fn template(index: usize, policy: &str, entry: &Value) -> Result<ObjectTemplate, TargetError> {
    serde_json::from_value(entry.clone()).map_err(|error| TargetError::Malformed {
        index,
        policy: policy.to_owned(),
        message: error.to_string(),
    })
}

/// A resolved entry of `object-templates-raw`, where no definition refuses a word: one that is not known asks for nothing
/// special, and of an entry without a known `complianceType` the object must be there. `None` where nothing changes.
pub(super) fn unvalidated(entry: &Value) -> Option<Value> {
    fn is<T: serde::de::DeserializeOwned>(value: &Value) -> bool {
        serde_json::from_value::<T>(value.clone()).is_ok()
    }
    let fields = entry.as_object()?;
    let mut changed = fields.clone();
    let unset = Value::Null;
    let value = |field: &str| fields.get(field).unwrap_or(&unset);
    let is_said = |field: &str| value(field).as_str().is_some_and(|word| !word.is_empty());
    if !is::<ComplianceType>(value("complianceType")) {
        changed.insert("complianceType".to_owned(), ComplianceType::MustHave.as_str().into());
    }
    if is_said("metadataComplianceType") && !is::<MetadataComplianceType>(value("metadataComplianceType")) {
        changed.insert("metadataComplianceType".to_owned(), MetadataComplianceType::MustHave.as_str().into());
    }
    if is_said("recordDiff") && !is::<RecordDiff>(value("recordDiff")) {
        changed.insert("recordDiff".to_owned(), RecordDiff::None.as_str().into());
    }
    if is_said("recreateOption") && !is::<RecreateOption>(value("recreateOption")) {
        changed.remove("recreateOption");
    }
    for field in ["metadataComplianceType", "recordDiff", "recreateOption"] {
        if value(field).as_str() == Some("") {
            changed.remove(field);
        }
    }
    (changed != *fields).then_some(Value::Object(changed))
}

/// Reads one resolved entry of `object-templates` of the check `policy`.
pub fn read(
    index: usize,
    policy: &str,
    entry: &Value,
    cluster: &ClusterFacts,
) -> Result<DesiredTemplate, TargetError> {
    let malformed = |message: String| TargetError::Malformed { index, policy: policy.to_owned(), message };
    let template = template(index, policy, entry)?;
    let object =
        Manifest::parse(trimmed(template.object_definition.clone())).map_err(|error| match error {
            ManifestError::MissingType { .. } => TargetError::NoType { index, policy: policy.to_owned() },
            ManifestError::Metadata { path: "metadata.labels", .. } => {
                TargetError::Text(odd_text("label", "labels", &template.object_definition))
            }
            ManifestError::Metadata { path: "metadata.annotations", .. } => {
                TargetError::Text(odd_text("annotation", "annotations", &template.object_definition))
            }
            other @ (ManifestError::NotAMapping { .. } | ManifestError::Metadata { .. }) => {
                malformed(other.to_string())
            }
        })?;
    if template.compliance_type == ComplianceType::MustNotHave {
        return Ok(DesiredTemplate { template, object, notes: Vec::new() });
    }
    if object.gvk().same_kind("velero.io", "Schedule") && object.name().is_some() {
        names::check_schedule_name(&object, &cluster.name, cluster.name_parts.as_ref())?;
    }
    let (object, translations) = translate::modernise(object, &cluster.target);
    let notes = translations.iter().map(ToString::to_string).collect();
    Ok(DesiredTemplate { template, object, notes })
}

/// What is wrong with labels or annotations, in the words of Go's accessors.
fn odd_text(word: &str, field: &str, definition: &Value) -> String {
    let value = &definition["metadata"][field];
    let go_type = |value: &Value| match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let odd = value.as_object().and_then(|texts| texts.iter().find(|(_, text)| !text.is_string()));
    let fault = match odd {
        Some((key, text)) => format!(
            "contains non-string value in the map under key {key:?}: {} is of the type {}, expected string",
            shown(text),
            go_type(text)
        ),
        None => {
            format!("{} is of the type {}, expected map[string]interface{{}}", shown(value), go_type(value))
        }
    };
    format!("invalid {word}, error: .{field} accessor error: {fault}")
}

/// Names and kinds may carry line breaks of multi-line templates.
fn trimmed(mut definition: Value) -> Value {
    let trim = |value: Option<&mut Value>| {
        if let Some(Value::String(text)) = value
            && text.trim().len() != text.len()
        {
            *text = text.trim().to_owned();
        }
    };
    trim(definition.get_mut("kind"));
    if let Some(metadata) = definition.get_mut("metadata") {
        trim(metadata.get_mut("name"));
        trim(metadata.get_mut("namespace"));
    }
    definition
}
