//! A whole file: a Policy, a `ConfigurationPolicy`, an `OperatorPolicy`, `object-templates-raw` or any YAML, with all its
//! templates resolved, as people who write policies want to see it.
//!
//! Source: `template-resolver` of go-template-utils, whose complaints these are. The hub phase is given the whole file, unlike
//! in the propagator. Must not touch: files, clients.

use serde_json::{Map, Value as Json};
use thiserror::Error;

use super::lookup::Lookup;
use super::text::{self, Input, Settings};
use super::{HUB_ADDITIONAL_INDENTATION, HubContext, RenderError};
use crate::yaml::{self, Dialect};

/// What a file is resolved with.
pub struct Surroundings<'a> {
    /// The cluster's objects.
    pub cluster: &'a dyn Lookup,
    /// What the hub phase knows, and the hub's objects; without it templates of the hub are an error.
    pub hub: Option<(HubContext, &'a dyn Lookup)>,
    /// For what holds on the cluster: claims, the variables of the object, the moment.
    pub settings: Settings,
    /// Whether anything but a policy may be in the file.
    pub any_yaml: bool,
}

/// Why a file cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// It is no YAML.
    #[error("failed to parse input to YAML: {0}")]
    NotYaml(String),
    /// It is not what can be resolved.
    #[error("{0}")]
    Shape(String),
    /// A template of the hub phase failed.
    #[error("invalid object: {0}")]
    Hub(#[source] RenderError),
    /// A template of the cluster phase failed.
    #[error("failed to process the templates: {0}")]
    Cluster(#[source] RenderError),
    /// The same, in one of the templates of a Policy.
    #[error("{source} (in policy-templates at index {index})")]
    Entry {
        /// Which.
        index: usize,
        /// Why.
        source: Box<Self>,
    },
}

impl From<String> for DocumentError {
    fn from(text: String) -> Self {
        Self::Shape(text)
    }
}

/// Resolves a file of one document.
pub fn resolve(document: &str, surroundings: &Surroundings<'_>) -> Result<Json, DocumentError> {
    let mut object = yaml::read(document, Dialect::Kubernetes)
        .map_err(|error| DocumentError::NotYaml(error.to_string()))?;
    if let Some((context, lookup)) = &surroundings.hub {
        object = on_hub(&object, context, *lookup)?;
    }
    let kind = object.get("kind").and_then(Json::as_str).unwrap_or_default().to_owned();
    match kind.as_str() {
        "Policy" => policy(object, surroundings),
        "ConfigurationPolicy" => configuration_policy(object, surroundings),
        "OperatorPolicy" => operator_policy(object, surroundings),
        _ if surroundings.any_yaml => match raw(document, surroundings)? {
            resolved @ Json::Object(_) => Ok(resolved),
            _ => Err(DocumentError::Shape("what came of the templates is not a mapping".to_owned())),
        },
        _ => match object {
            Json::Object(fields) if fields.contains_key("object-templates-raw") => {
                Ok(Json::Object(raw_list(fields, surroundings)?))
            }
            _ => {
                let kinds = "Policy, ConfigurationPolicy, OperatorPolicy, object-templates-raw";
                Err(DocumentError::Shape(format!("invalid YAML. Supported types: {kinds}")))
            }
        },
    }
}

fn on_hub(object: &Json, context: &HubContext, lookup: &dyn Lookup) -> Result<Json, DocumentError> {
    let settings = Settings {
        left: "{{hub".to_owned(),
        right: "hub}}".to_owned(),
        additional_indentation: HUB_ADDITIONAL_INDENTATION,
        namespace: context.is_restricted.then(|| context.policy_namespace.clone()),
        cluster_scoped: vec![text::ClusterScoped::managed_cluster(&context.cluster)],
        ambient: context.ambient,
        hub: Some(context.clone()),
        ..Settings::default()
    };
    let (resolved, _) = text::resolve(Input::Value(object), &settings, lookup);
    resolved.map(|resolved| resolved.value).map_err(DocumentError::Hub)
}

/// Go's words for a field that has another type than is expected there.
fn accessor(path: &str, found: &Json, wanted: &str) -> String {
    let (shown, name) = match found {
        Json::Null => ("<nil>".to_owned(), "<nil>"),
        Json::Bool(value) => (value.to_string(), "bool"),
        Json::Number(value) => (value.to_string(), "float64"),
        Json::String(value) => (value.clone(), "string"),
        Json::Array(_) => (found.to_string(), "[]interface {}"),
        Json::Object(_) => (found.to_string(), "map[string]interface {}"),
    };
    format!("{path} accessor error: {shown} is of the type {name}, expected {wanted}")
}

fn policy(mut policy: Json, surroundings: &Surroundings<'_>) -> Result<Json, DocumentError> {
    let prefix = "invalid policy-templates array was provided";
    let templates = policy
        .get_mut("spec")
        .and_then(|spec| spec.get_mut("policy-templates"))
        .ok_or_else(|| format!("{prefix}: spec.policy-templates keys not found"))?;
    let Json::Array(entries) = templates else {
        let fault = accessor(".spec.policy-templates", templates, "[]interface{}");
        return Err(DocumentError::Shape(format!("{prefix}: {fault}")));
    };
    for (index, entry) in entries.iter_mut().enumerate() {
        let prefix = format!("invalid policy-templates entry was provided at index {index}");
        let Json::Object(fields) = entry else {
            return Err(DocumentError::Shape(format!(
                "{prefix}: could not parse to map[string]interface{{}}"
            )));
        };
        let definition = fields
            .get_mut("objectDefinition")
            .ok_or_else(|| format!("{prefix}: objectDefinition key not found"))?;
        if !definition.is_object() {
            let fault = accessor(".objectDefinition", definition, "map[string]interface{}");
            return Err(DocumentError::Shape(format!("{prefix}: {fault}")));
        }
        let field = |name: &str| definition.get(name).and_then(Json::as_str).unwrap_or_default();
        let resolved = match (field("apiVersion"), field("kind")) {
            ("policy.open-cluster-management.io/v1", "ConfigurationPolicy") => {
                configuration_policy(definition.take(), surroundings)
            }
            ("policy.open-cluster-management.io/v1beta1", "OperatorPolicy") => {
                operator_policy(definition.take(), surroundings)
            }
            _ => continue,
        };
        *definition = resolved.map_err(|source| DocumentError::Entry { index, source: Box::new(source) })?;
    }
    Ok(policy)
}

fn configuration_policy(mut policy: Json, surroundings: &Surroundings<'_>) -> Result<Json, DocumentError> {
    let Some(spec) = policy.get_mut("spec").and_then(Json::as_object_mut) else { return Ok(policy) };
    if spec.get("object-templates-raw").is_some_and(Json::is_string) {
        let folded = raw_list(std::mem::take(spec), surroundings)?;
        *spec = folded;
        return Ok(policy);
    }
    let entries = match spec.get("object-templates") {
        None => Vec::new(),
        Some(Json::Array(entries)) => entries.clone(),
        Some(other) => {
            let fault = accessor(".spec.object-templates", other, "[]interface{}");
            return Err(DocumentError::Shape(format!(
                "invalid object-templates array in Configuration Policy: {fault}"
            )));
        }
    };
    let mut resolved = Vec::with_capacity(entries.len());
    for entry in &entries {
        resolved.extend(value(entry, surroundings)?);
    }
    spec.insert("object-templates".to_owned(), Json::Array(resolved));
    Ok(policy)
}

fn operator_policy(mut policy: Json, surroundings: &Surroundings<'_>) -> Result<Json, DocumentError> {
    let missing = || "spec.subscription must be set in OperatorPolicies".to_owned();
    let spec = policy.get_mut("spec").and_then(Json::as_object_mut).ok_or_else(missing)?;
    for (name, wanted) in [("operatorGroup", false), ("subscription", true)] {
        match spec.get_mut(name) {
            Some(field) if field.is_object() => {
                *field = value(field, surroundings)?.unwrap_or_default();
            }
            Some(other) => {
                let fault = accessor(&format!(".spec.{name}"), other, "map[string]interface{}");
                return Err(DocumentError::Shape(format!("invalid {name}: {fault}")));
            }
            None if wanted => return Err(missing().into()),
            None => {}
        }
    }
    if let Some(versions) = spec.get_mut("versions") {
        let resolved = value(versions, surroundings)?.unwrap_or_default();
        let Json::Array(resolved) = resolved else {
            return Err(DocumentError::Shape("invalid versions: they are not a list".to_owned()));
        };
        let words = resolved.iter().filter_map(Json::as_str).map(str::trim).filter(|word| !word.is_empty());
        *versions = Json::Array(words.map(Json::from).collect());
    }
    Ok(policy)
}

/// What is left for the hub phase cannot be resolved on the cluster.
fn check_no_hub_templates(text: &str) -> Result<(), DocumentError> {
    if text.contains("{{hub") {
        return Err(DocumentError::Shape(
            "unresolved hub template in YAML input: say for which cluster the hub phase is to be resolved"
                .to_owned(),
        ));
    }
    Ok(())
}

/// One value; `None` where it took itself out.
fn value(value: &Json, surroundings: &Surroundings<'_>) -> Result<Option<Json>, DocumentError> {
    check_no_hub_templates(&value.to_string())?;
    let settings = Settings { is_object_template: true, ..surroundings.settings.clone() };
    let (resolved, _) = text::resolve(Input::Value(value), &settings, surroundings.cluster);
    let resolved = resolved.map_err(DocumentError::Cluster)?;
    Ok((!resolved.skipped).then_some(resolved.value))
}

fn raw(text: &str, surroundings: &Surroundings<'_>) -> Result<Json, DocumentError> {
    check_no_hub_templates(text)?;
    let (resolved, _) = text::resolve(Input::Yaml(text), &surroundings.settings, surroundings.cluster);
    resolved.map(|resolved| resolved.value).map_err(DocumentError::Cluster)
}

/// Turns `object-templates-raw` into `object-templates`.
fn raw_list(
    mut fields: Map<String, Json>,
    surroundings: &Surroundings<'_>,
) -> Result<Map<String, Json>, DocumentError> {
    let text = fields.remove("object-templates-raw");
    let text = text.as_ref().and_then(Json::as_str).unwrap_or_default();
    if text.is_empty() {
        return Err(DocumentError::Shape("object-templates-raw is empty".to_owned()));
    }
    let list = match raw(text, surroundings)? {
        list @ Json::Array(_) => list,
        Json::Null => Json::Array(Vec::new()),
        _ => {
            let fault = "object-templates-raw was not an array after templates were resolved";
            return Err(DocumentError::Shape(fault.to_owned()));
        }
    };
    fields.insert("object-templates".to_owned(), list);
    Ok(fields)
}
