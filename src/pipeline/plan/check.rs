//! The plan of one check: every object template, every namespace, every name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::collisions::{Claim, Wish};
use super::inventory::Inventory;
use super::object::{self, Context};
use super::target::{self, ClusterFacts, DesiredTemplate};
use super::targets::{self, Stop, Targets};
use super::{CheckPlan, ObjectPlan, ObjectTemplatePlan, PruneAction, PrunePlan, Step, Waiting, prune};
use crate::api::object::ObjectKey;
use crate::api::ocm::configuration_policy::RecordDiff;
use crate::pipeline::compare::WrittenLists;
use crate::pipeline::compliance::Finding;
use crate::pipeline::policy::checks::{Check, Remediation};
use crate::pipeline::render::lookup::{Lookup, Reference};
use crate::pipeline::render::{ObjectRendered, ObjectVariables, RenderError, RenderedEntry};
use crate::protection::single;

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
    /// Renders one of them for one object; the error names what must be watched first.
    pub per_object: &'a dyn Fn(usize, &ObjectVariables) -> PerObject,
}

/// An object template rendered for one object.
pub type PerObject = Result<Result<ObjectRendered, RenderError>, BTreeSet<Reference>>;

/// Plans one check. `Err` names what must be watched first.
pub fn plan(check: &Check, entries: &Entries<'_>, situation: &Situation<'_>) -> Result<CheckPlan, Waiting> {
    let of_all = Context {
        index: 0,
        remediation: check.remediation,
        observed: situation.observed,
        cluster: situation.cluster,
        allow_destructive: situation.allow_destructive,
    };
    let unvalidated = unvalidated(check, entries.resolved);
    let entries = &Entries { resolved: unvalidated.as_deref().unwrap_or(entries.resolved), ..*entries };
    let mut waiting = BTreeSet::new();
    let mut templates = Vec::new();
    let mut claims = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    let mut doubtful = false;
    let mut sensitive = entries.sensitive;
    for index in 0..entries.resolved.len() {
        let context = Context { index, ..of_all };
        match targets::find(index, check, entries, &context) {
            Ok(targets) => {
                sensitive |= targets.sensitive;
                for note in targets.desired.iter().flat_map(|desired| &desired.notes) {
                    if !notes.contains(note) {
                        notes.push(note.clone());
                    }
                }
                match template_plan(check, targets, situation, &context, &mut claims) {
                    Ok(template) => templates.push(template),
                    Err(references) => waiting.extend(references),
                }
            }
            Err(Stop::Said { finding, doubtful: doubt }) => {
                doubtful |= doubt;
                templates.push(ObjectTemplatePlan::saying(finding));
            }
            Err(Stop::NoKind(gvk)) => {
                doubtful = true;
                // It is asked for nevertheless: who is first must not depend on when the kind arrives.
                claims.extend(claim_ahead(index, check, entries, &context));
                templates
                    .push(ObjectTemplatePlan::saying(object::other(None, object::kind_missing_text(&gvk))));
            }
            Err(Stop::Waiting(references)) => waiting.extend(references),
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
    hold_second(&mut templates, &prune);
    if check.remediation == Remediation::Inform {
        claims.clear();
    } else if !may_prune {
        // What a template that fails had made is not free for others to change.
        let kept = prune.iter().filter(|prune| prune::is_wanted_still(&prune.entry));
        claims.extend(kept.map(|prune| Claim {
            key: prune.entry.key(),
            wish: Wish::AsItIs,
            changes: false,
            observed: None,
        }));
    }
    Ok(CheckPlan { name: check.name.clone(), templates, prune, claims, notes, sensitive })
}

/// Of what a namespace may have one, no second one is made beside the check's own former one that is kept.
fn hold_second(templates: &mut [ObjectTemplatePlan], prune: &[PrunePlan]) {
    for object in templates.iter_mut().flat_map(|template| &mut template.objects) {
        let (Step::Create { desired }, Some(key)) = (&object.step, &object.key) else { continue };
        let Some(only) = single::single(desired) else { continue };
        let former = prune.iter().map(|plan| (plan, plan.entry.key())).find(|(plan, former)| {
            matches!(plan.action, PruneAction::Hold(_) | PruneAction::Unreadable(_) | PruneAction::Leaving)
                && single::by_kind(&former.gvk) == Some(only)
                && former.namespace == key.namespace
        });
        if let Some((_, former)) = former {
            let message = format!(
                "{key} is not made beside {former}, which this policy made and keeps: {only}; write the former name again, or let \
                 the former one be deleted"
            );
            object.step = Step::Hold { message };
        }
    }
}

/// The entries of a raw text as upstream reads them; `None` where that is as they are.
fn unvalidated(
    check: &Check,
    resolved: &[Result<RenderedEntry, RenderError>],
) -> Option<Vec<Result<RenderedEntry, RenderError>>> {
    if check.policy.spec.object_templates.is_some() {
        return None;
    }
    let read = |entry: &Result<RenderedEntry, RenderError>| match entry {
        Ok(RenderedEntry::Resolved(value)) => target::unvalidated(value),
        Ok(RenderedEntry::PerObject(_)) | Err(_) => None,
    };
    let changed: Vec<Option<Value>> = resolved.iter().map(read).collect();
    changed.iter().any(Option::is_some).then(|| {
        let merged = resolved.iter().zip(changed);
        merged
            .map(|(entry, changed)| match changed {
                Some(value) => Ok(RenderedEntry::Resolved(value)),
                None => entry.clone(),
            })
            .collect()
    })
}

/// The claim of a template whose kind is not served.
fn claim_ahead(index: usize, check: &Check, entries: &Entries<'_>, context: &Context<'_>) -> Option<Claim> {
    let entry = entries.resolved.get(index)?.as_ref().ok()?.resolved()?;
    let desired = target::read(index, &check.name, entry, context.cluster).ok()?;
    let wish = Wish::of(&desired, object::rules(&desired));
    Some(Claim { key: desired.object.key()?, wish, changes: false, observed: None })
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
    targets: Targets,
    situation: &Situation<'_>,
    context: &Context<'_>,
    claims: &mut Vec<Claim>,
) -> Result<ObjectTemplatePlan, BTreeSet<Reference>> {
    let mut waiting = BTreeSet::new();
    let mut objects = Vec::new();
    let mut shown = RecordDiff::None;
    for desired in &targets.desired {
        shown = record_diff(desired, targets.sensitive);
        let planned = match desired.object.key() {
            Some(key) => {
                named(check, desired, &ObjectKey { gvk: targets.gvk.clone(), ..key }, situation, context)
            }
            None => object::unnamed(desired, desired.object.namespace(), context),
        };
        match planned {
            Ok(plan) => {
                if let (Some(key), true) = (&plan.key, desired.object.name().is_some()) {
                    let wish = Wish::of(desired, object::rules(desired));
                    let observed = plan.observed.clone();
                    claims.push(Claim { key: key.clone(), wish, changes: plan.step.changes(), observed });
                }
                objects.push(plan);
            }
            Err(references) => waiting.extend(references),
        }
    }
    if !waiting.is_empty() {
        return Err(waiting);
    }
    objects.extend(targets.clear.into_iter().map(object::absent));
    Ok(ObjectTemplatePlan {
        plural: targets.facts.plural,
        gvk: Some(targets.gvk),
        record_diff: shown,
        objects,
    })
}

fn named(
    check: &Check,
    desired: &DesiredTemplate,
    key: &ObjectKey,
    situation: &Situation<'_>,
    context: &Context<'_>,
) -> Result<ObjectPlan, BTreeSet<Reference>> {
    let entry = situation.inventory.entry(&check.name, key);
    let none = WrittenLists::default();
    let written = entry.map_or(&none, |entry| &entry.lists);
    let plan = object::named(desired, &desired.object, key, written, context)?;
    let created = plan
        .observed
        .as_ref()
        .is_some_and(|observed| entry.is_some_and(|entry| entry.created && entry.is_of(observed)));
    Ok(ObjectPlan { created, ..plan })
}
