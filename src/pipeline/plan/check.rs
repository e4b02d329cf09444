//! The plan of one check: every object template, every namespace, every name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::collisions::{Claim, Wish};
use super::inventory::Inventory;
use super::object::{self, Context};
use super::target::{self, ClusterFacts, DesiredTemplate};
use super::{CheckPlan, ObjectPlan, ObjectTemplatePlan, Step, Waiting, namespaces, prune};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::pipeline::compare::WrittenLists;
use crate::pipeline::compliance::{Finding, Reason};
use crate::pipeline::policy::checks::{Check, Remediation};
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup, Reference};
use crate::pipeline::render::{RenderError, RenderedEntry};

/// What a plan is made from, beside the check.
pub struct Situation<'a> {
    /// The cluster's objects.
    pub observed: &'a dyn Lookup,
    /// What is known of the cluster.
    pub cluster: &'a ClusterFacts,
    /// What was written there before, for the whole policy.
    pub inventory: &'a Inventory,
    /// `flotilla.dev/allow-destructive` on the policy.
    pub allow_destructive: bool,
    /// Whether objects that are no longer wanted may be pruned: false when the rendering is doubtful.
    pub may_prune: bool,
}

/// The rendered object templates of a check.
pub struct Entries<'a> {
    /// One per object template, in the order of the policy.
    pub resolved: &'a [Result<RenderedEntry, RenderError>],
    /// Which of them called `skipObject`.
    pub skipped: &'a BTreeSet<usize>,
    /// Whether values of Secrets went into them.
    pub sensitive: bool,
}

/// Plans one check. `Err` names what must be watched first.
pub fn plan(check: &Check, entries: &Entries<'_>, situation: &Situation<'_>) -> Result<CheckPlan, Waiting> {
    let context = Context {
        remediation: check.remediation,
        observed: situation.observed,
        cluster: situation.cluster,
        allow_destructive: situation.allow_destructive,
    };
    let mut waiting = BTreeSet::new();
    let mut templates = Vec::new();
    let mut claims = Vec::new();
    let mut notes = Vec::new();
    let mut doubtful = false;
    for (index, entry) in entries.resolved.iter().enumerate() {
        if entries.skipped.contains(&index) {
            templates.push(skipped(entry));
            continue;
        }
        let desired = entry.as_ref().map_err(ToString::to_string).and_then(resolved).and_then(|entry| {
            target::read(index, &check.name, entry, situation.cluster).map_err(|error| error.to_string())
        });
        match desired {
            Ok(desired) => {
                notes.extend(desired.notes.iter().cloned());
                match template_plan(check, &desired, situation, &context, &mut claims) {
                    Ok(template) => templates.push(template),
                    Err(references) => waiting.extend(references),
                }
            }
            Err(message) => {
                doubtful = true;
                templates.push(failed(message));
            }
        }
    }
    if !waiting.is_empty() {
        return Err(Waiting { references: waiting });
    }
    let wanted: BTreeSet<&ObjectKey> = templates
        .iter()
        .flat_map(|template| &template.objects)
        .filter_map(|object| object.key.as_ref())
        .collect();
    let may_prune = situation.may_prune && !doubtful;
    let prune = prune::leftovers(check, &wanted, may_prune, situation)?;
    if check.remediation == Remediation::Inform {
        claims.clear();
    } else if !may_prune {
        // What a template that fails had made is not free for others to change.
        let kept = prune.iter().filter(|prune| prune::is_wanted_still(&prune.entry));
        claims.extend(kept.map(|prune| Claim { key: prune.entry.key(), wish: Wish::AsItIs, changes: false }));
    }
    Ok(CheckPlan { name: check.name.clone(), templates, prune, claims, notes, sensitive: entries.sensitive })
}

/// The entry, unless its templates name the object.
fn resolved(entry: &RenderedEntry) -> Result<&Value, String> {
    let fault = "the variables .ObjectNamespace, .ObjectName and .Object are not supported yet";
    entry.resolved().ok_or_else(|| fault.to_owned())
}

/// A template that took itself out.
fn skipped(entry: &Result<RenderedEntry, RenderError>) -> ObjectTemplatePlan {
    let entry = entry.as_ref().ok().and_then(RenderedEntry::resolved);
    let kind = entry.and_then(|entry| entry["objectDefinition"]["kind"].as_str()).unwrap_or("object");
    let finding = Finding {
        namespace: None,
        names: Vec::new(),
        compliant: true,
        reason: Reason::Other { reason: "Resource found as expected".to_owned() },
        message: Some(format!(
            "All objects of kind {kind} were skipped by the `skipObject` template function"
        )),
    };
    ObjectTemplatePlan {
        plural: String::new(),
        objects: vec![ObjectPlan { key: None, desired: None, observed: None, finding, step: Step::Nothing }],
    }
}

/// A template that only has an error to report.
fn failed(message: String) -> ObjectTemplatePlan {
    let finding = Finding {
        namespace: None,
        names: Vec::new(),
        compliant: false,
        reason: Reason::Other { reason: "Error processing template".to_owned() },
        message: Some(message),
    };
    ObjectTemplatePlan {
        plural: String::new(),
        objects: vec![ObjectPlan { key: None, desired: None, observed: None, finding, step: Step::Nothing }],
    }
}

fn template_plan(
    check: &Check,
    desired: &DesiredTemplate,
    situation: &Situation<'_>,
    context: &Context<'_>,
    claims: &mut Vec<Claim>,
) -> Result<ObjectTemplatePlan, BTreeSet<Reference>> {
    let gvk = desired.object.gvk();
    let wish = Wish::of(desired, object::rules(desired));
    let facts = match context.observed.kind(&gvk) {
        Answer::Found(facts) => facts,
        Answer::NotYetKnown => return Err(BTreeSet::from([whole(&desired.object)])),
        Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => {
            // Asked for, so that the arrival of the kind brings the check back.
            let _ = context.observed.list(&gvk, None);
            // It is asked for nevertheless: who is first must not depend on when the kind arrives.
            claims.extend(desired.object.key().map(|key| Claim { key, wish, changes: false }));
            let message = format!(
                "couldn't find mapping resource with kind {} in API version {}, please check if you have CRD deployed",
                gvk.kind,
                gvk.api_version()
            );
            return Ok(ObjectTemplatePlan {
                plural: String::new(),
                objects: vec![ObjectPlan {
                    key: None,
                    desired: None,
                    observed: None,
                    finding: object::other(None, message),
                    step: Step::Nothing,
                }],
            });
        }
    };
    let namespaces = match target_namespaces(check, &desired.object, &facts, context)? {
        Ok(namespaces) => namespaces,
        Err(finding) => {
            return Ok(ObjectTemplatePlan {
                plural: facts.plural,
                objects: vec![ObjectPlan {
                    key: None,
                    desired: None,
                    observed: None,
                    finding,
                    step: Step::Nothing,
                }],
            });
        }
    };
    let mut waiting = BTreeSet::new();
    let mut objects = Vec::new();
    for namespace in namespaces {
        let planned = match names(desired, namespace.as_deref(), context)? {
            Names::Unnamed => vec![object::unnamed(desired, namespace.as_deref(), context)],
            Names::Named(names) => names
                .into_iter()
                .map(|name| {
                    let key = ObjectKey { gvk: gvk.clone(), namespace: namespace.clone(), name };
                    let written = situation.inventory.entry(&check.name, &key).map(|entry| &entry.lists);
                    let none = WrittenLists::default();
                    let manifest = placed(&desired.object, &key);
                    object::named(desired, &manifest, &key, written.unwrap_or(&none), context)
                })
                .collect(),
        };
        for plan in planned {
            match plan {
                Ok(plan) => {
                    let changes = plan.step.changes();
                    claims.extend(plan.key.clone().map(|key| Claim { key, wish: wish.clone(), changes }));
                    objects.push(plan);
                }
                Err(references) => waiting.extend(references),
            }
        }
    }
    if waiting.is_empty() { Ok(ObjectTemplatePlan { plural: facts.plural, objects }) } else { Err(waiting) }
}

/// The desired object at its place.
fn placed(object: &Manifest, key: &ObjectKey) -> Manifest {
    object.clone().with_namespace(key.namespace.as_deref()).with_name(&key.name)
}

fn target_namespaces(
    check: &Check,
    object: &Manifest,
    facts: &KindFacts,
    context: &Context<'_>,
) -> Result<Result<Vec<Option<String>>, Finding>, BTreeSet<Reference>> {
    if !facts.namespaced {
        return Ok(Ok(vec![None]));
    }
    if let Some(namespace) = object.namespace() {
        return Ok(Ok(vec![Some(namespace.to_owned())]));
    }
    let selected = match &check.policy.spec.namespace_selector {
        None => Vec::new(),
        Some(selector) => {
            let gvk = GroupVersionKind::new("v1", "Namespace");
            match context.observed.list(&gvk, None) {
                Answer::Found(all) => namespaces::select(selector, all.iter().map(AsRef::as_ref)),
                Answer::NotYetKnown => {
                    return Err(BTreeSet::from([Reference { gvk, namespace: None, name: None }]));
                }
                Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => Vec::new(),
            }
        }
    };
    if selected.is_empty() {
        let name = object.name().map(|name| format!(" {name}")).unwrap_or_default();
        let message = format!(
            "namespaced object{name} of kind {} has no namespace specified from the policy namespaceSelector nor the \
             object metadata",
            object.kind()
        );
        return Ok(Err(object::other(None, message)));
    }
    Ok(Ok(selected.into_iter().map(Some).collect()))
}

enum Names {
    Named(Vec<String>),
    Unnamed,
}

fn names(
    desired: &DesiredTemplate,
    namespace: Option<&str>,
    context: &Context<'_>,
) -> Result<Names, BTreeSet<Reference>> {
    if let Some(name) = desired.object.name() {
        return Ok(Names::Named(vec![name.to_owned()]));
    }
    let Some(selector) = &desired.template.object_selector else { return Ok(Names::Unnamed) };
    let gvk = desired.object.gvk();
    match context.observed.list(&gvk, namespace) {
        Answer::Found(listed) => Ok(Names::Named(
            listed
                .iter()
                .filter(|existing| selector.matches(&existing.labels()))
                .filter_map(|existing| existing.name().map(ToOwned::to_owned))
                .collect(),
        )),
        Answer::NotYetKnown => {
            Err(BTreeSet::from([Reference { gvk, namespace: namespace.map(ToOwned::to_owned), name: None }]))
        }
        Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => Ok(Names::Named(Vec::new())),
    }
}

fn whole(object: &Manifest) -> Reference {
    Reference { gvk: object.gvk(), namespace: object.namespace().map(ToOwned::to_owned), name: None }
}
