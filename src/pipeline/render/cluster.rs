//! The cluster phase: `{{ … }}` in a `ConfigurationPolicy`, into object templates.
//!
//! Source: the config-policy-controller of Open Cluster Management, whose messages these are.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::encryption::{self, Encryption, EncryptionError};
use super::engine::go::{Value, format};
use super::hub::holds;
use super::lookup::Lookup;
use super::resolve::{Language, Source, Templates, resolve};
use super::session::{Rules, Session};
use super::variables;
use super::{
    Asked, ClusterContext, ClusterRendered, ObjectRendered, ObjectVariables, RenderError, RenderedEntry,
    not_yet_known, protect,
};
use crate::api::object::json_type;
use crate::yaml::{self, Dialect};

/// Switches templates off.
const DISABLE_TEMPLATES: &str = "policy.open-cluster-management.io/disable-templates";
/// Go's type of the list that object templates are decoded into.
const LIST_TYPE: &str = "[]v1.ObjectTemplate";

pub(super) fn render(
    templates: &Templates,
    configuration_policy: &Json,
    context: &ClusterContext,
    lookup: &dyn Lookup,
) -> (Result<ClusterRendered, RenderError>, Asked) {
    let keys = match decryption(configuration_policy, context) {
        Ok(keys) => keys,
        Err(error) => return (Err(error), Asked::default()),
    };
    let mut session = session(context, keys, lookup);
    let mut skipped = BTreeSet::new();
    let result = object_templates(templates, configuration_policy, &mut session, &mut skipped);
    if session.is_pending() {
        return (Err(not_yet_known(&session.asked)), session.asked);
    }
    let rendered = result.map(|mut object_templates| {
        let mut sensitive = session.sensitive;
        for entry in object_templates.iter_mut().flatten() {
            if let RenderedEntry::Resolved(template) = entry {
                sensitive |= protect::reveal(template, &context.protected);
            }
        }
        ClusterRendered { object_templates, skipped, sensitive }
    });
    (rendered, session.asked)
}

/// One entry of `object-templates` for one object.
pub(super) fn render_object(
    templates: &Templates,
    configuration_policy: &Json,
    index: usize,
    variables: &ObjectVariables,
    context: &ClusterContext,
    lookup: &dyn Lookup,
) -> (Result<ObjectRendered, RenderError>, Asked) {
    let entry = configuration_policy
        .get("spec")
        .and_then(|spec| spec.get("object-templates")?.as_array()?.get(index));
    let Some(entry) = entry else {
        let fault = RenderError::Result(format!("there is no object template at index {index}"));
        return (Err(fault), Asked::default());
    };
    let keys = match decryption(configuration_policy, context) {
        Ok(keys) => keys,
        Err(error) => return (Err(error), Asked::default()),
    };
    let mut session = session(context, keys, lookup);
    let result = if are_disabled(configuration_policy) {
        Ok(entry.clone())
    } else {
        resolve_entry(templates, entry, &variables::struct_of(variables), &mut session)
    };
    if session.is_pending() {
        return (Err(not_yet_known(&session.asked)), session.asked);
    }
    let rendered = result.map(|mut template| {
        let sensitive = session.sensitive | protect::reveal(&mut template, &context.protected);
        ObjectRendered { template, skipped: session.skipped, sensitive }
    });
    (rendered, session.asked)
}

fn session<'s>(context: &'s ClusterContext, decryption: Decryption, lookup: &'s dyn Lookup) -> Session<'s> {
    let rules =
        Rules { claims: Some(&context.claims), decryption, ambient: context.ambient, ..Rules::default() };
    Session::new(lookup, rules)
}

/// What decrypts values, or why nothing can; `None` where nothing is to be decrypted.
type Decryption = Option<Result<Encryption, String>>;

/// What decrypts the values of a policy. Only one with the annotation has any. A key or vector of a wrong length is a fault of
/// each template, a missing one of the whole policy.
fn decryption(policy: &Json, context: &ClusterContext) -> Result<Decryption, RenderError> {
    let annotation = policy
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations")?.get(encryption::VECTOR_ANNOTATION)?.as_str())
        .filter(|annotation| !annotation.is_empty() && !are_disabled(policy));
    let Some(annotation) = annotation else { return Ok(None) };
    let vector = match encryption::vector(annotation) {
        Err(error @ EncryptionError::VectorNotBase64(_)) => {
            return Err(RenderError::Encryption(error.report()));
        }
        other => other,
    };
    let keys = context.encryption.clone().ok_or_else(|| {
        let (namespace, secret) = (&context.cluster, encryption::KEY_SECRET);
        RenderError::Encryption(format!(
            "failed to get the encryption key from Secret {namespace}/{secret}: secrets \"{secret}\" not found"
        ))
    })?;
    let usable = keys.check().and(vector).map(|vector| Encryption { keys, vector });
    Ok(Some(usable.map_err(|error| error.report())))
}

type ObjectTemplates = Result<Vec<Result<RenderedEntry, RenderError>>, RenderError>;

/// Whether the annotation switches templates off. A text that is no truth value is passed over.
fn are_disabled(policy: &Json) -> bool {
    policy
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations")?.get(DISABLE_TEMPLATES)?.as_str())
        .and_then(format::parse_bool)
        .unwrap_or(false)
}

fn object_templates(
    templates: &Templates,
    policy: &Json,
    session: &mut Session<'_>,
    skipped: &mut BTreeSet<usize>,
) -> ObjectTemplates {
    let empty = Map::new();
    let spec = policy.get("spec").and_then(Json::as_object).unwrap_or(&empty);
    let disabled = are_disabled(policy);
    if let Some(raw) = spec.get("object-templates-raw").and_then(Json::as_str)
        && !raw.is_empty()
    {
        return raw_templates(templates, raw, disabled, session);
    }
    let entries = match spec.get("object-templates") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(entries)) => entries,
        Some(other) => {
            let found = json_type(other);
            return Err(RenderError::Result(format!("spec.object-templates must be a list, not {found}")));
        }
    };
    let mut resolved = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let used = variables::used(entry);
        resolved.push(if disabled {
            Ok(RenderedEntry::Resolved(entry.clone()))
        } else if used.any() {
            Ok(RenderedEntry::PerObject(used))
        } else {
            resolve_entry(templates, entry, &variables::no_fields(), session).map(RenderedEntry::Resolved)
        });
        if std::mem::take(&mut session.skipped) {
            skipped.insert(index);
        }
    }
    Ok(resolved)
}

fn resolve_entry(
    templates: &Templates,
    entry: &Json,
    context: &Value,
    session: &mut Session<'_>,
) -> Result<Json, RenderError> {
    let Some(definition) = entry.get("objectDefinition") else { return Ok(entry.clone()) };
    let has_template = holds(definition, &Language::ObjectTemplate.delimiters().left);
    if !has_template && !holds(definition, encryption::PREFIX) {
        return Ok(entry.clone());
    }
    let source = Source::Json(definition);
    let resolved = resolve(templates, &source, Language::ObjectTemplate, context, session);
    if session.skipped {
        // What happens after a template took itself out does not matter.
        return Ok(entry.clone());
    }
    let resolved = resolved?;
    let mut entry = entry.clone();
    entry["objectDefinition"] = resolved;
    Ok(entry)
}

fn raw_templates(
    templates: &Templates,
    raw: &str,
    disabled: bool,
    session: &mut Session<'_>,
) -> ObjectTemplates {
    if disabled || !raw.contains("{{") && !raw.contains(encryption::PREFIX) {
        let prefix = "Error parsing object-templates-raw YAML";
        let value = yaml::read(raw, Dialect::Kubernetes).map_err(|error| {
            RenderError::Result(format!("{prefix}: error converting YAML to JSON: yaml: {error}"))
        })?;
        return listed(value, &format!("{prefix}: error unmarshaling JSON: while decoding JSON: json"));
    }
    let value = resolve(templates, &Source::Text(raw), Language::Raw, &variables::no_fields(), session)?;
    listed(value, "failed unmarshalling resolved object-templates-raw template: json")
}

/// The entries of a list of object templates; nothing at all is an empty list.
fn listed(value: Json, prefix: &str) -> ObjectTemplates {
    let fault = |value: &Json, wanted: &str| {
        let found = json_word(value);
        RenderError::Result(format!("{prefix}: cannot unmarshal {found} into Go value of type {wanted}"))
    };
    match value {
        Json::Null => Ok(Vec::new()),
        Json::Array(entries) => {
            if let Some(entry) = entries.iter().find(|entry| !entry.is_object()) {
                return Err(fault(entry, "v1.ObjectTemplate"));
            }
            entries.iter().try_for_each(|entry| choices(entry, prefix))?;
            Ok(entries.into_iter().map(|entry| Ok(RenderedEntry::Resolved(entry))).collect())
        }
        other => Err(fault(&other, LIST_TYPE)),
    }
}

/// What Go calls a kind of JSON.
fn json_word(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// The fields of an entry that choose between words, with Go's name of their type.
const CHOICES: [(&str, &str); 4] = [
    ("complianceType", "v1.ComplianceType"),
    ("metadataComplianceType", "v1.ComplianceType"),
    ("recordDiff", "v1.RecordDiff"),
    ("recreateOption", "v1.RecreateOption"),
];

/// Go refuses what is no text in a field that chooses between words, and takes any word.
fn choices(entry: &Json, prefix: &str) -> Result<(), RenderError> {
    for (field, go_type) in CHOICES {
        let value = entry.get(field).unwrap_or(&Json::Null);
        if !value.is_null() && !value.is_string() {
            let found = json_word(value);
            return Err(RenderError::Result(format!(
                "{prefix}: cannot unmarshal {found} into Go struct field ObjectTemplate.{field} of type {go_type}"
            )));
        }
    }
    Ok(())
}
