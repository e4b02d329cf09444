//! Which fields and words a ConfigurationPolicy has. A misspelt one would be dropped by the API server in silence.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::ocm::configuration_policy::{
    ComplianceType, MetadataComplianceType, PruneObjectBehavior, RecordDiff, RecreateOption, Severity,
};
use crate::api::ocm::policy::RemediationAction;

const TOP: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];
const SPEC: &[&str] = &[
    "customMessage",
    "evaluationInterval",
    "namespaceSelector",
    "object-templates",
    "object-templates-raw",
    "pruneObjectBehavior",
    "remediationAction",
    "severity",
];
const BY_STATE: &[&str] = &["compliant", "noncompliant"];
const NAMESPACE_SELECTOR: &[&str] =
    &["exclude", "include", "matchExpressions", "matchLabels", "terminatingInclusion"];
const OBJECT_TEMPLATE: &[&str] = &[
    "complianceType",
    "metadataComplianceType",
    "objectDefinition",
    "objectSelector",
    "recordDiff",
    "recreateOption",
];

/// The fields that stand at a path of a ConfigurationPolicy; `None` where anything may stand. `[]` is an entry of a list.
pub fn known(path: &[&str]) -> Option<&'static [&'static str]> {
    match path {
        [] => Some(TOP),
        ["spec"] => Some(SPEC),
        ["spec", "customMessage" | "evaluationInterval"] => Some(BY_STATE),
        ["spec", "namespaceSelector"] => Some(NAMESPACE_SELECTOR),
        ["spec", "object-templates", "[]"] => Some(OBJECT_TEMPLATE),
        _ => None,
    }
}

/// The first field of a ConfigurationPolicy that it does not have.
pub fn unknown(definition: &Value) -> Option<String> {
    fn search(value: &Value, path: &mut Vec<&str>) -> Option<String> {
        let fields = known(path);
        match value {
            Value::Object(map) => map.iter().find_map(|(name, value)| {
                let fields = fields?;
                let Some(known) = fields.iter().find(|known| *known == name) else {
                    return Some(name.clone());
                };
                path.push(known);
                let found = search(value, path);
                path.pop();
                found
            }),
            Value::Array(entries) => {
                path.push("[]");
                let found = entries.iter().find_map(|entry| search(entry, path));
                path.pop();
                found
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }
    search(definition, &mut Vec::new())
}

/// Why a field does not take a word; `None` where it does, or where the field takes any.
pub fn invalid(field: &str, value: &Value) -> Option<String> {
    fn check<T: DeserializeOwned>(value: &Value) -> Option<String> {
        serde_json::from_value::<T>(value.clone()).err().map(|error| error.to_string())
    }
    match field {
        "complianceType" => check::<ComplianceType>(value),
        "metadataComplianceType" => check::<MetadataComplianceType>(value),
        "recordDiff" => check::<RecordDiff>(value),
        "recreateOption" => check::<RecreateOption>(value),
        "pruneObjectBehavior" => check::<PruneObjectBehavior>(value),
        "remediationAction" => check::<RemediationAction>(value),
        "severity" => check::<Severity>(value),
        _ => None,
    }
}

/// The fields that [`invalid`] knows.
pub(super) const WITH_WORDS: &[&str] = &[
    "complianceType",
    "metadataComplianceType",
    "pruneObjectBehavior",
    "recordDiff",
    "recreateOption",
    "remediationAction",
    "severity",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn misspelt_fields_are_found_on_every_level_that_is_known() {
        for (definition, expected) in [
            (json!({"kind": "ConfigurationPolicy", "Spec": {}}), Some("Spec")),
            (json!({"spec": {"objectTemplates": []}}), Some("objectTemplates")),
            (
                json!({"spec": {"customMessage": {"compliant": "a", "NonCompliant": "b"}}}),
                Some("NonCompliant"),
            ),
            (
                json!({"spec": {"object-templates": [{}, {"compliancetype": "musthave"}]}}),
                Some("compliancetype"),
            ),
            (
                json!({"metadata": {"anything": 1}, "spec": {"object-templates": [{"objectDefinition": {"x": 1}}]}}),
                None,
            ),
            (json!("text"), None),
        ] {
            assert_eq!(unknown(&definition).as_deref(), expected, "{definition}");
        }
    }

    #[test]
    fn words_are_taken_in_any_case_of_letters() {
        for field in WITH_WORDS {
            assert!(invalid(field, &json!("nonsense")).is_some(), "{field}");
        }
        assert_eq!(invalid("complianceType", &json!("MustHave")), None);
        assert_eq!(invalid("remediationAction", &json!("InformOnly")), None);
        assert_eq!(invalid("anything", &json!("nonsense")), None);
    }
}
