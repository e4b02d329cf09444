//! The replicated Policy: what stands in the cluster's namespace on the hub for one root policy and one cluster.

use serde_json::{Map, Value, json};

use super::PolicyKey;
use crate::api::ocm::names;
use crate::api::ocm::policy::{Dependency, Policy};

const OCM_PREFIX: &str = "policy.open-cluster-management.io/";
const HUB_TEMPLATES_ERROR: &str = "policy.open-cluster-management.io/hub-templates-error";
const TRIGGER_UPDATE: &str = "policy.open-cluster-management.io/trigger-update";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What must be known of a rendered policy when its root is gone.
const OUTLIVES_THE_ROOT: [&str; 5] = [
    names::RENDERED_FROM_ANNOTATION,
    names::ON_DESELECT_ANNOTATION,
    names::ON_DELETE_ANNOTATION,
    names::ALLOW_DESTRUCTIVE_ANNOTATION,
    names::STORAGE_PREFIX_STYLE_ANNOTATION,
];

/// One policy template as it goes into the replicated policy.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplicatedTemplate {
    /// Hub templates resolved. Protected values are tokens.
    Resolved(Value),
    /// Not resolved; the definition is kept and the error becomes an annotation on it.
    Failed {
        /// The unresolved definition.
        definition: Value,
        /// Why.
        error: String,
    },
}

impl ReplicatedTemplate {
    fn into_definition(self) -> Value {
        match self {
            Self::Resolved(definition) => definition,
            Self::Failed { mut definition, error } => {
                if let Some(fields) = definition.as_object_mut() {
                    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
                    if let Some(metadata) = metadata.as_object_mut() {
                        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
                        if let Some(annotations) = annotations.as_object_mut() {
                            annotations.insert(HUB_TEMPLATES_ERROR.to_owned(), Value::String(error));
                        }
                    }
                }
                definition
            }
        }
    }
}

/// Builds the replicated policy without status and inventory.
///
/// `dependencies` and `extra_dependencies` (one list per template) are canonical. Labels and annotations of the root are
/// copied unless `spec.copyPolicyMetadata` is false; then only OCM's own are.
pub fn replicated_policy(
    root: &Policy,
    cluster: &str,
    templates: Vec<ReplicatedTemplate>,
    dependencies: &[Dependency],
    extra_dependencies: &[Vec<Dependency>],
    enforced_by_binding: bool,
) -> Value {
    let key = PolicyKey::new(&root.metadata.namespace, &root.metadata.name);
    let copy_all = root.spec.copy_policy_metadata != Some(false);
    let copied = |name: &str| {
        let always = name.starts_with(OCM_PREFIX) || OUTLIVES_THE_ROOT.contains(&name);
        (copy_all || always) && name != TRIGGER_UPDATE && name != LAST_APPLIED
    };
    let mut labels: Map<String, Value> = text_map(&root.metadata.labels, copied);
    labels.insert(names::POLICY_CLUSTER_NAME_LABEL.to_owned(), json!(cluster));
    labels.insert(names::POLICY_CLUSTER_NAMESPACE_LABEL.to_owned(), json!(cluster));
    labels.insert(names::ROOT_POLICY_LABEL.to_owned(), json!(key.replicated_name()));
    let mut annotations: Map<String, Value> = text_map(&root.metadata.annotations, copied);
    annotations.insert("argocd.argoproj.io/compare-options".to_owned(), json!("IgnoreExtraneous"));

    let policy_templates: Vec<Value> = templates
        .into_iter()
        .zip(&root.spec.policy_templates)
        .enumerate()
        .map(|(index, (template, source))| {
            let mut entry = source.other.clone();
            entry.insert("objectDefinition".to_owned(), template.into_definition());
            if let Some(extra) = extra_dependencies.get(index).filter(|extra| !extra.is_empty()) {
                entry.insert("extraDependencies".to_owned(), json!(extra));
            }
            if source.ignore_pending {
                entry.insert("ignorePending".to_owned(), json!(true));
            }
            Value::Object(entry)
        })
        .collect();

    let mut spec = root.spec.other.clone();
    spec.insert("disabled".to_owned(), json!(root.spec.disabled));
    spec.insert("policy-templates".to_owned(), Value::Array(policy_templates));
    if let Some(action) = super::checks::parent_remediation(root, enforced_by_binding) {
        spec.insert("remediationAction".to_owned(), json!(action));
    }
    if let Some(copy) = root.spec.copy_policy_metadata {
        spec.insert("copyPolicyMetadata".to_owned(), json!(copy));
    }
    if !dependencies.is_empty() {
        spec.insert("dependencies".to_owned(), json!(dependencies));
    }
    json!({
        "apiVersion": "policy.open-cluster-management.io/v1",
        "kind": "Policy",
        "metadata": {
            "name": key.replicated_name(),
            "namespace": cluster,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": spec,
    })
}

fn text_map(
    source: &std::collections::BTreeMap<String, String>,
    keep: impl Fn(&str) -> bool,
) -> Map<String, Value> {
    source.iter().filter(|(name, _)| keep(name)).map(|(name, value)| (name.clone(), json!(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_copied_and_errors_are_annotated() {
        let root: Policy = serde_json::from_value(json!({
            "metadata": {"name": "install", "namespace": "policies", "labels": {"a": "b"},
                "annotations": {"policy.open-cluster-management.io/standards": "s", "x": "y"}},
            "spec": {"disabled": false, "copyPolicyMetadata": false, "hubTemplateOptions": {"serviceAccountName": "n"},
                "policy-templates": [{"objectDefinition": {"kind": "ConfigurationPolicy", "metadata": {"name": "t"}}}]}
        }))
        .unwrap();
        let definition = root.spec.policy_templates[0].object_definition.clone();
        let failed = ReplicatedTemplate::Failed { definition, error: "boom".to_owned() };
        let replicated = replicated_policy(&root, "c1", vec![failed], &[], &[], false);
        assert_eq!(replicated["metadata"]["name"], "policies.install");
        assert_eq!(replicated["metadata"]["labels"].as_object().unwrap().len(), 3);
        assert_eq!(replicated["metadata"]["annotations"]["policy.open-cluster-management.io/standards"], "s");
        assert!(replicated["metadata"]["annotations"].get("x").is_none());
        assert_eq!(replicated["spec"]["hubTemplateOptions"]["serviceAccountName"], "n");
        assert_eq!(
            replicated["spec"]["policy-templates"][0]["objectDefinition"]["metadata"]["annotations"]
                [HUB_TEMPLATES_ERROR],
            "boom"
        );
    }
}
