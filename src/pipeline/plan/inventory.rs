//! What Flotilla has written on a cluster for one policy. It stands as an annotation on the replicated Policy, so that the
//! next process goes on where the last one stopped.

use std::collections::BTreeMap;

use super::{CheckPlan, ObjectPlan, PruneAction, Step, StepResult};
use crate::api::object::Manifest;
use crate::pipeline::compare::{written_lists, written_lists_after};
use crate::pipeline::policy::checks::{Check, Remediation};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::api::object::{GroupVersionKind, ObjectKey};
use crate::api::ocm::configuration_policy::PruneObjectBehavior;
use crate::pipeline::compare::WrittenLists;

/// An inventory that cannot be read. Nothing is pruned by it.
#[derive(Debug, Error)]
#[error("failed to read the inventory of {policy}: {source}")]
pub struct InventoryError {
    /// The replicated policy.
    pub policy: String,
    /// What serde found.
    pub source: serde_json::Error,
}

/// Objects by check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inventory {
    /// By name of the check.
    pub checks: BTreeMap<String, CheckInventory>,
    /// When checks that rest between two looks (`evaluationInterval`) were last looked at, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub looks: BTreeMap<String, Look>,
    /// Whether a binding made the policy enforce when it was last evaluated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enforced_by_binding: bool,
}

/// A look at a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// When: RFC 3339, to the second.
    pub at: String,
    /// Whether it was compliant.
    pub compliant: bool,
    /// What was looked at: a digest of the check's definition and of the namespaces that it is about.
    pub of: String,
}

/// The objects of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckInventory {
    /// The behaviour that was in force when it was last evaluated.
    pub prune: PruneObjectBehavior,
    /// Its objects.
    #[serde(default)]
    pub objects: Vec<Entry>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Namespace, for namespaced kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Its uid; `None` while the creation is intended but not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Whether Flotilla created it.
    #[serde(default)]
    pub created: bool,
    /// What Flotilla wrote into its lists.
    #[serde(default, skip_serializing_if = "WrittenLists::is_empty")]
    pub lists: WrittenLists,
    /// Why it is kept although it is no longer wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

impl Entry {
    /// An entry for an object.
    pub fn new(key: &ObjectKey) -> Self {
        Self {
            api_version: key.gvk.api_version(),
            kind: key.gvk.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: None,
            created: false,
            lists: WrittenLists::default(),
            held: None,
        }
    }

    /// Whether it is of this very object, as far as is known.
    pub fn is_of(&self, object: &Manifest) -> bool {
        self.uid.as_deref().is_none_or(|uid| object.uid() == Some(uid))
    }

    /// The object's identity.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            gvk: GroupVersionKind::new(&self.api_version, &self.kind),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

impl Inventory {
    /// Reads the annotation.
    pub fn parse(policy: &str, text: &str) -> Result<Self, InventoryError> {
        serde_json::from_str(text).map_err(|source| InventoryError { policy: policy.to_owned(), source })
    }

    /// The annotation's text.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The entry of an object in a check.
    pub fn entry(&self, check: &str, key: &ObjectKey) -> Option<&Entry> {
        self.checks.get(check)?.objects.iter().find(|entry| entry.key() == *key)
    }

    /// Takes an object over from another policy, which no longer wants it: whether to delete it one day, and what to replace in
    /// its lists.
    pub fn take_over(&mut self, check: &str, entry: &Entry, created: bool) {
        // The behaviour is that of the check as soon as it is evaluated.
        let none = || CheckInventory { prune: PruneObjectBehavior::None, objects: Vec::new() };
        let check = self.checks.entry(check.to_owned()).or_insert_with(none);
        let key = entry.key();
        match check.objects.iter_mut().find(|known| known.key() == key) {
            Some(known) => {
                known.lists = std::mem::take(&mut known.lists).joined(entry.lists.clone());
                if created {
                    known.created = true;
                    known.uid.clone_from(&entry.uid);
                }
            }
            None => check.objects.push(Entry { created, held: None, ..entry.clone() }),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.checks.values().all(|check| check.objects.is_empty())
    }

    /// All objects.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &CheckInventory, &Entry)> {
        self.checks
            .iter()
            .flat_map(|(name, check)| check.objects.iter().map(move |entry| (name.as_str(), check, entry)))
    }
}

/// The inventory before a push: what is about to be created, and what is about to be written into lists, is written down
/// first, so that a process that dies in the middle leaves nothing behind that nobody knows of.
pub fn intended(before: &Inventory, check: &Check, plan: &CheckPlan) -> Inventory {
    let mut after = before.clone();
    if check.remediation == Remediation::Inform {
        return after;
    }
    let intentions: Vec<Entry> =
        objects(plan).filter_map(|object| intention(before, check, object)).collect();
    if intentions.is_empty() {
        return after;
    }
    let entries = after
        .checks
        .entry(check.name.clone())
        .or_insert_with(|| CheckInventory { prune: check.prune, objects: Vec::new() });
    entries.prune = check.prune;
    for intention in intentions {
        let key = intention.key();
        match entries.objects.iter_mut().find(|entry| entry.key() == key) {
            Some(entry) => *entry = intention,
            None => entries.objects.push(intention),
        }
    }
    after
}

fn intention(before: &Inventory, check: &Check, object: &ObjectPlan) -> Option<Entry> {
    let key = object.key.as_ref()?;
    let desired = object.desired.as_ref()?;
    match &object.step {
        Step::Create { .. } => {
            Some(Entry { created: true, lists: written_lists(desired), ..Entry::new(key) })
        }
        Step::Update { .. } => {
            let entry = before.entry(&check.name, key).cloned().unwrap_or_else(|| Entry::new(key));
            let lists = entry.lists.clone().joined(written_lists(desired));
            (lists != entry.lists).then_some(Entry { lists, ..entry })
        }
        Step::Nothing
        | Step::StatusDiffers { .. }
        | Step::Probe { .. }
        | Step::Delete { .. }
        | Step::Hold { .. } => None,
    }
}

/// The inventory after a push. `pruned` tells, per pruned object, whether it is gone.
pub fn recorded(
    intended: &Inventory,
    check: &Check,
    plan: &CheckPlan,
    results: &[Vec<StepResult>],
    pruned: &[Option<Result<(), String>>],
) -> Inventory {
    let mut after = intended.clone();
    let mut entries = Vec::new();
    if check.remediation == Remediation::Enforce {
        let results = results.iter().flatten();
        for (object, result) in objects(plan).zip(results) {
            entries.extend(entry_after(intended, check, object, result));
        }
    }
    for (prune, outcome) in plan.prune.iter().zip(pruned) {
        match (&prune.action, outcome) {
            (PruneAction::Hold(why), _) => {
                entries.push(Entry { held: Some(why.clone()), ..prune.entry.clone() });
            }
            (PruneAction::Unreadable(_) | PruneAction::Leaving, _)
            | (PruneAction::Delete, Some(Err(_)) | None) => {
                // What goes along with an entry is none itself.
                let known = intended.entry(&check.name, &prune.entry.key());
                entries.extend(known.map(|_| prune.entry.clone()));
            }
            (PruneAction::Delete, Some(Ok(()))) | (PruneAction::Forget, _) => {}
        }
    }
    if entries.is_empty() {
        after.checks.remove(&check.name);
    } else {
        after.checks.insert(check.name.clone(), CheckInventory { prune: check.prune, objects: entries });
    }
    after
}

fn objects(plan: &CheckPlan) -> impl Iterator<Item = &ObjectPlan> {
    plan.templates.iter().flat_map(|template| &template.objects)
}

fn entry_after(
    intended: &Inventory,
    check: &Check,
    object: &ObjectPlan,
    result: &StepResult,
) -> Option<Entry> {
    let key = object.key.as_ref()?;
    let before = intended.entry(&check.name, key);
    let Some(desired) = &object.desired else { return before.cloned() };
    let existing: Option<&Manifest> = match &object.step {
        Step::Update { existing, .. } | Step::Probe { existing, .. } => Some(existing),
        Step::Nothing
        | Step::StatusDiffers { .. }
        | Step::Create { .. }
        | Step::Delete { .. }
        | Step::Hold { .. } => None,
    };
    match result {
        StepResult::Created(server) => Some(Entry {
            uid: server.uid().map(ToOwned::to_owned),
            created: true,
            lists: written_lists_after(desired, None, server),
            ..Entry::new(key)
        }),
        StepResult::Updated(server) | StepResult::Unchanged(server) => Some(Entry {
            lists: written_lists_after(desired, existing, server),
            ..known(before, key, server.uid())
        }),
        // Another object in its place: it is the policy's own if the one before was.
        StepResult::Recreated(server) => Some(Entry {
            uid: server.uid().map(ToOwned::to_owned),
            created: object.created,
            lists: written_lists_after(desired, None, server),
            ..Entry::new(key)
        }),
        // Found as specified: what the policy wants is what it has written, now or before Flotilla came.
        StepResult::NotTaken if object.finding.compliant => {
            let uid = object.observed.as_ref().and_then(|observed| observed.uid());
            Some(Entry { lists: written_lists(desired), ..known(before, key, uid) })
        }
        // It was not created after all: what stands there now, if anything, is another writer's.
        StepResult::NotTaken if matches!(object.step, Step::Create { .. }) => None,
        StepResult::NotTaken
        | StepResult::Differs(_)
        | StepResult::Deleted
        | StepResult::NotGone
        | StepResult::Refused { .. } => before.cloned(),
    }
}

/// The entry of an object that exists: still ours only while it is the object that we created.
fn known(before: Option<&Entry>, key: &ObjectKey, uid: Option<&str>) -> Entry {
    let mut entry = before.cloned().unwrap_or_else(|| Entry::new(key));
    if entry.uid.is_some() && entry.uid.as_deref() != uid {
        entry.created = false;
    }
    entry.uid = uid.map(ToOwned::to_owned);
    entry.held = None;
    entry
}
