//! Which objects an object template is about: takes the template as it is written and as it was rendered, gives one desired
//! object per namespace and name, or what is to be said instead.
//!
//! Kind, namespace and name are read before templates are resolved, as upstream does (`spec/ocm-semantics.md` 1.6 and 2.2).

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::Entries;
use super::object::{self, Context, told};
use super::selectors;
use super::target::{self, DesiredTemplate, TargetError};
use crate::api::object::GroupVersionKind;
use crate::api::ocm::configuration_policy::{ComplianceType, WrittenSelector};
use crate::api::selector::Requirement;
use crate::pipeline::compare;
use crate::pipeline::compliance::Finding;
use crate::pipeline::policy::checks::Check;
use crate::pipeline::render::lookup::{Answer, KindFacts, Reference};
use crate::pipeline::render::{ObjectVariables, RenderedEntry, VariablesUsed};

/// Reason of the condition of a template that does not come out.
pub(super) const TEMPLATE_ERROR: &str = "Error processing template";
const DECODE_ERROR: &str = "K8s decode object definition error";
/// What upstream says of a definition whose outline it cannot read, whatever is wrong with it.
const UNREADABLE: &str = "Error parsing the namespace from the object definition";
const NAMESPACE_ERROR: &str = "K8s missing namespace";

/// The objects of a template.
pub(super) struct Targets {
    /// The type as the cluster knows it.
    pub(super) facts: KindFacts,
    /// The type as the template names it.
    pub(super) gvk: GroupVersionKind,
    /// The desired objects, each with its namespace, and with its name unless the template has none.
    pub(super) desired: Vec<DesiredTemplate>,
    /// Namespaces in which selected objects are, but none that the template means; only where there is no desired object.
    pub(super) clear: BTreeSet<Option<String>>,
    /// Whether a Secret went into one of them.
    pub(super) sensitive: bool,
}

/// Why there are no objects.
pub(super) enum Stop {
    /// There is one thing to say. In doubt, nothing of the check is pruned.
    Said { finding: Finding, doubtful: bool },
    /// The kind is not served; asked for, so that its arrival brings the check back.
    NoKind(GroupVersionKind),
    /// These must be watched first.
    Waiting(BTreeSet<Reference>),
}

impl Stop {
    fn fault(reason: &str, message: String) -> Self {
        Self::Said { finding: told(None, reason, message), doubtful: true }
    }

    /// Nothing to check is no fault.
    fn nothing(message: String) -> Self {
        Self::Said { finding: Finding { compliant: true, ..told(None, "", message) }, doubtful: false }
    }
}

/// What can be read of a template before its templates are resolved.
struct Outline {
    gvk: GroupVersionKind,
    /// Empty when it is not given, or by a template.
    namespace: String,
    /// Empty when it is not given, or by a template.
    name: String,
    templated_namespace: bool,
    /// Whether a name is written, be it a template.
    named: bool,
    selector: Option<WrittenSelector>,
    compliance: ComplianceType,
}

/// Finds the objects of the template at `index`.
pub(super) fn find(
    index: usize,
    check: &Check,
    entries: &Entries<'_>,
    context: &Context<'_>,
) -> Result<Targets, Stop> {
    let Some(rendered) = entries.resolved.get(index) else {
        return Err(Stop::fault(TEMPLATE_ERROR, format!("there is no object template at index {index}")));
    };
    let written = check.policy.spec.object_templates.as_ref().and_then(|written| written.get(index));
    let written = match (written, rendered) {
        (Some(written), _) => written,
        (None, Ok(RenderedEntry::Resolved(entry))) => entry,
        (None, Ok(RenderedEntry::PerObject(_))) => &Value::Null,
        (None, Err(error)) => return Err(Stop::fault(TEMPLATE_ERROR, error.to_string())),
    };
    let outline = outline(index, check, written)?;
    let facts = match context.observed.kind(&outline.gvk) {
        Answer::Found(facts) => facts,
        Answer::NotYetKnown => {
            // Where a namespace is named, the hub may have no right to look at the others.
            let namespace = Some(outline.namespace.as_str()).filter(|namespace| !namespace.is_empty());
            return Err(Stop::Waiting(BTreeSet::from([list(&outline.gvk, namespace)])));
        }
        Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => {
            let _ = context.observed.list(&outline.gvk, None);
            return Err(Stop::NoKind(outline.gvk));
        }
    };
    let namespaces = namespaces(check, &outline, &facts, context)?;
    let selector = match (&outline.selector, outline.name.is_empty()) {
        (Some(selector), true) => Some(selectors::requirements(selector).map_err(|error| {
            let text = format!(
                "Error parsing provided objectSelector in the object-template at index [{index}]: {error}"
            );
            Stop::fault("objectSelector error", text)
        })?),
        (Some(_), false) | (None, _) => None,
    };
    let mut places = Vec::new();
    for namespace in namespaces {
        match &selector {
            None => places.push((namespace, outline.name.clone())),
            Some(selector) => {
                let names = selected(&outline.gvk, &namespace, selector, context)?;
                places.extend(names.into_iter().map(|name| (namespace.clone(), name)));
            }
        }
    }
    let mut targets = Targets {
        facts,
        gvk: outline.gvk.clone(),
        desired: Vec::new(),
        clear: BTreeSet::new(),
        sensitive: false,
    };
    let mut skipped = false;
    for (namespace, name) in places {
        match resolve(index, check, entries, (&namespace, &name), &outline, context)? {
            Some((entry, sensitive)) => {
                targets.sensitive |= sensitive;
                let desired =
                    placed(index, check, &entry, (&namespace, &name), &outline, &targets.facts, context)?;
                targets.desired.push(desired);
            }
            None => skipped = true,
        }
    }
    if targets.desired.is_empty() {
        let kind = &outline.gvk.kind;
        return Err(Stop::nothing(match (skipped, &outline.selector) {
            (true, _) => {
                format!("All objects of kind {kind} were skipped by the `skipObject` template function")
            }
            (false, Some(_)) => {
                format!("No objects of kind {kind} were matched from the policy objectSelector")
            }
            (false, None) => {
                format!("No objects of kind {kind} were matched from the objectDefinition metadata")
            }
        }));
    }
    if outline.compliance == ComplianceType::MustNotHave && !outline.named && outline.selector.is_some() {
        keep_matching(&mut targets, context)?;
    }
    Ok(targets)
}

fn outline(index: usize, check: &Check, written: &Value) -> Result<Outline, Stop> {
    let malformed = |error: TargetError| Stop::fault(DECODE_ERROR, error.to_string());
    if !written.get("objectDefinition").is_some_and(Value::is_object) {
        return Err(Stop::fault(DECODE_ERROR, UNREADABLE.to_owned()));
    }
    let template = target::template(index, &check.name, written).map_err(malformed)?;
    let definition = &template.object_definition;
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(_) => Err(Stop::fault(DECODE_ERROR, UNREADABLE.to_owned())),
    };
    let api_version = text(definition.get("apiVersion"))?;
    let kind = text(definition.get("kind"))?;
    if kind.is_empty() || api_version.is_empty() {
        return Err(malformed(TargetError::NoType { index, policy: check.name.clone() }));
    }
    let metadata = definition.get("metadata");
    let namespace = text(metadata.and_then(|metadata| metadata.get("namespace")))?;
    let name = text(metadata.and_then(|metadata| metadata.get("name")))?;
    let templated = |text: &str| text.contains("{{") || text.contains("$ocm_encrypted:");
    let plain = |text: &String| if templated(text) { String::new() } else { text.clone() };
    Ok(Outline {
        gvk: GroupVersionKind::new(&api_version, &kind),
        templated_namespace: templated(&namespace),
        named: !name.is_empty(),
        namespace: plain(&namespace),
        name: plain(&name),
        selector: template.object_selector.clone(),
        compliance: template.compliance_type,
    })
}

/// The namespaces that a template is about; one without a name where there is none to choose.
fn namespaces(
    check: &Check,
    outline: &Outline,
    facts: &KindFacts,
    context: &Context<'_>,
) -> Result<Vec<String>, Stop> {
    if !facts.namespaced {
        return Ok(vec![String::new()]);
    }
    if !outline.namespace.is_empty() {
        return Ok(vec![outline.namespace.clone()]);
    }
    let gvk = GroupVersionKind::new("v1", "Namespace");
    let fault = |error: String| {
        let text = format!("Error filtering namespaces with provided namespaceSelector: {error}");
        Stop::fault("namespaceSelector error", text)
    };
    let selected = match &check.policy.spec.namespace_selector {
        None => Vec::new(),
        Some(selector) if selector.is_empty() => Vec::new(),
        Some(selector) => match context.observed.list(&gvk, None) {
            Answer::Found(all) => {
                selectors::namespaces(selector, all.iter().map(AsRef::as_ref)).map_err(fault)?
            }
            Answer::NotYetKnown => return Err(Stop::Waiting(BTreeSet::from([list(&gvk, None)]))),
            Answer::NotFound | Answer::KindNotInstalled => Vec::new(),
            Answer::Denied(message) => return Err(fault(message)),
        },
    };
    match (selected.is_empty(), outline.templated_namespace) {
        (false, _) => Ok(selected),
        // What the template gives is looked at later.
        (true, true) => Ok(vec![String::new()]),
        (true, false) => {
            let message = format!(
                "namespaced object{} of kind {} has no namespace specified from the policy namespaceSelector nor the \
                 object metadata",
                spaced(&outline.name),
                outline.gvk.kind
            );
            Err(Stop::Said { finding: told(None, NAMESPACE_ERROR, message), doubtful: false })
        }
    }
}

/// The names of the objects that an `objectSelector` selects in a namespace, sorted.
fn selected(
    gvk: &GroupVersionKind,
    namespace: &str,
    selector: &[Requirement],
    context: &Context<'_>,
) -> Result<Vec<String>, Stop> {
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    match context.observed.list(gvk, namespace) {
        Answer::Found(listed) => Ok(listed
            .iter()
            .filter(|existing| selectors::holds(selector, &existing.labels()))
            .filter_map(|existing| existing.name().map(ToOwned::to_owned))
            .collect()),
        Answer::NotYetKnown => Err(Stop::Waiting(BTreeSet::from([list(gvk, namespace)]))),
        Answer::NotFound | Answer::KindNotInstalled => Ok(Vec::new()),
        Answer::Denied(message) => Err(Stop::fault(
            "objectSelector error",
            format!(
                "Error listing resources with provided objectSelector in the object-template at index [{}]: {message}",
                context.index
            ),
        )),
    }
}

/// The entry for one object, and whether a Secret went into it; nothing where it took itself out.
fn resolve(
    index: usize,
    check: &Check,
    entries: &Entries<'_>,
    (namespace, name): (&str, &str),
    outline: &Outline,
    context: &Context<'_>,
) -> Result<Option<(Value, bool)>, Stop> {
    let fault = |error: String| Stop::fault(TEMPLATE_ERROR, error);
    match entries.resolved.get(index) {
        None => Err(fault(format!("there is no object template at index {index} in policy {}", check.name))),
        Some(Err(error)) => Err(fault(error.to_string())),
        Some(Ok(_)) if entries.skipped.contains(&index) => Ok(None),
        Some(Ok(RenderedEntry::Resolved(entry))) => Ok(Some((entry.clone(), entries.sensitive))),
        Some(Ok(RenderedEntry::PerObject(used))) => {
            let variables = ObjectVariables {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                object: live(*used, (namespace, name), outline, context)?,
            };
            let rendered = (entries.per_object)(index, &variables).map_err(Stop::Waiting)?;
            let rendered = rendered.map_err(|error| fault(error.to_string()))?;
            Ok((!rendered.skipped).then_some((rendered.template, rendered.sensitive || entries.sensitive)))
        }
    }
}

/// The object as it is on the cluster, where the templates ask for it.
fn live(
    used: VariablesUsed,
    (namespace, name): (&str, &str),
    outline: &Outline,
    context: &Context<'_>,
) -> Result<Option<Value>, Stop> {
    if !used.object || name.is_empty() {
        return Ok(None);
    }
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    match context.observed.get(&outline.gvk, namespace, name) {
        Answer::Found(object) => {
            let mut object = object.to_value();
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            Ok(Some(object))
        }
        Answer::NotYetKnown => {
            let reference = Reference {
                gvk: outline.gvk.clone(),
                namespace: namespace.map(ToOwned::to_owned),
                name: Some(name.to_owned()),
            };
            Err(Stop::Waiting(BTreeSet::from([reference])))
        }
        Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => Ok(None),
    }
}

/// The desired object at its place. What a template gave as namespace or name must be the one that was selected.
fn placed(
    index: usize,
    check: &Check,
    entry: &Value,
    (namespace, name): (&str, &str),
    outline: &Outline,
    facts: &KindFacts,
    context: &Context<'_>,
) -> Result<DesiredTemplate, Stop> {
    let mut desired = target::read(index, &check.name, entry, context.cluster)
        .map_err(|error| Stop::fault(DECODE_ERROR, error.to_string()))?;
    let own_namespace = desired.object.namespace().unwrap_or(namespace).to_owned();
    let own_name = desired.object.name().unwrap_or(name).to_owned();
    if facts.namespaced {
        let has_selector =
            check.policy.spec.namespace_selector.as_ref().is_some_and(|selector| !selector.is_empty());
        if has_selector && own_namespace != namespace {
            return Err(Stop::fault(
                TEMPLATE_ERROR,
                "The object definition's namespace must match the result from the namespace selector after template \
                 resolution"
                    .to_owned(),
            ));
        }
        if own_namespace.is_empty() {
            let message = format!(
                "namespaced object{} of kind {} has no namespace specified after template resolution",
                spaced(&outline.name),
                outline.gvk.kind
            );
            return Err(Stop::fault(TEMPLATE_ERROR, message));
        }
    }
    if outline.selector.is_some() && own_name != name {
        return Err(Stop::fault(
            TEMPLATE_ERROR,
            "The object definition's name must match the result from the object selector after template resolution"
                .to_owned(),
        ));
    }
    desired.object = desired.object.with_namespace(facts.namespaced.then_some(own_namespace.as_str()));
    if !own_name.is_empty() {
        desired.object = desired.object.with_name(&own_name);
    }
    Ok(desired)
}

/// Of selected objects that must not be, only those are meant that look as the template says.
fn keep_matching(targets: &mut Targets, context: &Context<'_>) -> Result<(), Stop> {
    let mut kept = Vec::new();
    let mut clear = BTreeSet::new();
    for desired in targets.desired.drain(..) {
        let namespace = desired.object.namespace();
        clear.insert(namespace.map(ToOwned::to_owned));
        let listed = match context.observed.list(&targets.gvk, namespace) {
            Answer::Found(listed) => listed,
            Answer::NotYetKnown => {
                return Err(Stop::Waiting(BTreeSet::from([list(&targets.gvk, namespace)])));
            }
            Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => Vec::new(),
        };
        let rules = object::rules(&desired);
        let matches = listed.iter().any(|existing| {
            existing.name() == desired.object.name() && compare::matches(&desired.object, existing, &rules)
        });
        if matches {
            kept.push(desired);
        }
    }
    if kept.is_empty() {
        targets.clear = clear;
    }
    targets.desired = kept;
    Ok(())
}

fn list(gvk: &GroupVersionKind, namespace: Option<&str>) -> Reference {
    Reference { gvk: gvk.clone(), namespace: namespace.map(ToOwned::to_owned), name: None }
}

fn spaced(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" {name}") }
}
