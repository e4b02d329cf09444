//! The plan of one check: every object template, every namespace, every name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::collisions::{Claim, Wish};
use super::inventory::Inventory;
use super::object::{self, Context};
use super::target::{self, ClusterFacts, DesiredTemplate};
use super::{CheckPlan, ObjectPlan, ObjectTemplatePlan, Waiting, namespaces, prune};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::configuration_policy::RecordDiff;
use crate::pipeline::compare::WrittenLists;
use crate::pipeline::compliance::Finding;
use crate::pipeline::policy::checks::{Check, Remediation};
use crate::pipeline::render::RenderError;
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup, Reference};

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
    pub resolved: &'a [Result<Value, RenderError>],
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
        let desired = match entry {
            Ok(entry) => target::read(index, &check.name, entry, situation.cluster)
                .map_err(|error| ("K8s decode object definition error", error.to_string())),
            Err(error) => Err(("Error processing template", error.to_string())),
        };
        match desired {
            Ok(desired) => {
                notes.extend(desired.notes.iter().cloned());
                match template_plan(check, &desired, entries.sensitive, situation, &context, &mut claims) {
                    Ok(template) => templates.push(template),
                    Err(references) => waiting.extend(references),
                }
            }
            Err((reason, message)) => {
                doubtful = true;
                templates.push(failed(reason, message));
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

/// A template that took itself out.
fn skipped(entry: &Result<Value, RenderError>) -> ObjectTemplatePlan {
    let kind =
        entry.as_ref().ok().and_then(|entry| entry["objectDefinition"]["kind"].as_str()).unwrap_or("object");
    ObjectTemplatePlan::saying(nothing_to_check(format!(
        "All objects of kind {kind} were skipped by the `skipObject` template function"
    )))
}

/// A template that has no object to check.
fn nothing_to_check(message: String) -> Finding {
    Finding { compliant: true, ..object::told(None, "", message) }
}

/// A template that only has an error to report.
fn failed(reason: &str, message: String) -> ObjectTemplatePlan {
    ObjectTemplatePlan::saying(object::told(None, reason, message))
}

impl ObjectTemplatePlan {
    /// A template of which there is one thing to say.
    fn saying(finding: Finding) -> Self {
        Self {
            plural: String::new(),
            gvk: None,
            record_diff: RecordDiff::None,
            objects: vec![object::without_key(finding)],
        }
    }
}

/// What is shown of differences: what may be secret is not, unless the template says so.
fn record_diff(desired: &DesiredTemplate, sensitive: bool) -> RecordDiff {
    let gvk = desired.object.gvk();
    let delicate = sensitive
        || gvk.same_kind("", "ConfigMap")
        || gvk.same_kind("", "Secret")
        || gvk.same_kind("oauth.openshift.io", "OAuthAccessToken")
        || gvk.same_kind("oauth.openshift.io", "OAuthAuthorizeTokens")
        || gvk.same_kind("oauth.openshift.io", "OAuthAuthorizeToken")
        || gvk.same_kind("route.openshift.io", "Route");
    desired.template.record_diff.unwrap_or(if delicate { RecordDiff::Censored } else { RecordDiff::InStatus })
}

fn template_plan(
    check: &Check,
    desired: &DesiredTemplate,
    sensitive: bool,
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
            return Ok(ObjectTemplatePlan::saying(object::other(None, object::kind_missing_text(&gvk))));
        }
    };
    let namespaces = match target_namespaces(check, &desired.object, &facts, context)? {
        Ok(namespaces) => namespaces,
        Err(finding) => return Ok(ObjectTemplatePlan::saying(finding)),
    };
    let mut waiting = BTreeSet::new();
    let mut objects = Vec::new();
    for namespace in namespaces {
        match names(desired, namespace.as_deref(), context)? {
            Names::Unnamed => match object::unnamed(desired, namespace.as_deref(), context) {
                Ok(plan) => objects.push(plan),
                Err(references) => waiting.extend(references),
            },
            Names::Named(names) => {
                for name in names {
                    let key = ObjectKey { gvk: gvk.clone(), namespace: namespace.clone(), name };
                    let entry = situation.inventory.entry(&check.name, &key);
                    let none = WrittenLists::default();
                    let written = entry.map_or(&none, |entry| &entry.lists);
                    let manifest = placed(&desired.object, &key);
                    match object::named(desired, &manifest, &key, written, context) {
                        Ok(plan) => {
                            let changes = plan.step.changes();
                            claims.push(Claim { key, wish: wish.clone(), changes });
                            let created = plan.observed.as_ref().is_some_and(|observed| {
                                entry.is_some_and(|entry| entry.created && entry.is_of(observed))
                            });
                            objects.push(ObjectPlan { created, ..plan });
                        }
                        Err(references) => waiting.extend(references),
                    }
                }
            }
        }
    }
    if !waiting.is_empty() {
        return Err(waiting);
    }
    if objects.is_empty() {
        let message = format!("No objects of kind {} were matched from the policy objectSelector", gvk.kind);
        objects.push(object::without_key(nothing_to_check(message)));
    }
    Ok(ObjectTemplatePlan {
        plural: facts.plural,
        record_diff: record_diff(desired, sensitive),
        gvk: Some(gvk),
        objects,
    })
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
        return Ok(Err(object::told(None, "K8s missing namespace", message)));
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
