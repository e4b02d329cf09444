//! Objects that a check wrote earlier and no longer wants, and those of a policy that leaves a cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::check::Situation;
use super::inventory::{Entry, Inventory};
use super::{PruneAction, PrunePlan, Waiting};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::configuration_policy::PruneObjectBehavior;
use crate::pipeline::policy::checks::{Check, Remediation};
use crate::pipeline::policy::standing::Standing;
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::protection::guard::{self, DeletionVerdict};

/// Why an entry is kept while the templates do not all come out.
pub(super) const DOUBT: &str = "the policy could not be rendered with certainty";

/// Whether an entry is still the check's: it is not kept as something that is no longer wanted.
pub(super) fn is_wanted_still(entry: &Entry) -> bool {
    entry.held.as_deref().is_none_or(|why| why == DOUBT)
}

/// What becomes of the check's inventory entries that are not wanted any more.
pub(super) fn leftovers(
    check: &Check,
    wanted: &BTreeSet<&ObjectKey>,
    may_prune: bool,
    situation: &Situation<'_>,
) -> Result<Vec<PrunePlan>, Waiting> {
    let Some(before) = situation.inventory.checks.get(&check.name) else { return Ok(Vec::new()) };
    let mut plans = Vec::new();
    let mut waiting = Waiting::default();
    for entry in before.objects.iter().filter(|entry| !wanted.contains(&entry.key())) {
        let action = if !may_prune {
            PruneAction::Hold(DOUBT.to_owned())
        } else if check.remediation == Remediation::Inform {
            PruneAction::Forget
        } else {
            let judge = |key: &ObjectKey| guard::deletion(key, situation.allow_destructive);
            let action = action(entry, check.prune, &judge, situation.observed)
                .and_then(|action| Ok((copies(entry, &action, situation.observed)?, action)));
            match action {
                Ok((copies, action)) => {
                    plans.extend(copies);
                    action
                }
                Err(reference) => {
                    waiting.references.insert(reference);
                    continue;
                }
            }
        };
        plans.push(PrunePlan { entry: entry.clone(), action });
    }
    if waiting.references.is_empty() { Ok(plans) } else { Err(waiting) }
}

/// What becomes of everything that a policy wrote on a cluster which a person took it away from. `standing` tells what the
/// policy last said of a check; where it says nothing, that counts which was in force when the check was last evaluated.
pub fn deselected(
    inventory: &Inventory,
    standing: &dyn Fn(&str) -> Option<Standing>,
    allow_destructive: bool,
    observed: &dyn Lookup,
) -> Result<Vec<PrunePlan>, Waiting> {
    let mut plans = Vec::new();
    let mut waiting = Waiting::default();
    for (name, check, entry) in inventory.entries() {
        let standing = standing(name);
        if standing.and_then(|standing| standing.remediation) == Some(Remediation::Inform) {
            plans.push(PrunePlan { entry: entry.clone(), action: PruneAction::Forget });
            continue;
        }
        let behaviour = standing.and_then(|standing| standing.prune).unwrap_or(check.prune);
        let judge = |key: &ObjectKey| guard::deletion(key, allow_destructive);
        match with_copies(entry, behaviour, &judge, observed) {
            Ok(planned) => plans.extend(planned),
            Err(reference) => {
                waiting.references.insert(reference);
            }
        }
    }
    if waiting.references.is_empty() { Ok(plans) } else { Err(waiting) }
}

/// What becomes of everything that a policy made on a cluster from which a user had all of it removed: the last thing that was
/// made goes first.
pub fn removed(
    inventory: &Inventory,
    allow_destructive: bool,
    observed: &dyn Lookup,
) -> Result<Vec<PrunePlan>, Waiting> {
    let mut plans = Vec::new();
    let mut waiting = Waiting::default();
    for (_, check, entry) in inventory.entries() {
        let behaviour = match check.prune {
            PruneObjectBehavior::None | PruneObjectBehavior::DeleteIfCreated => {
                PruneObjectBehavior::DeleteIfCreated
            }
            PruneObjectBehavior::DeleteAll => PruneObjectBehavior::DeleteAll,
        };
        let judge = |key: &ObjectKey| guard::removal(key, allow_destructive);
        match with_copies(entry, behaviour, &judge, observed) {
            Ok(planned) => plans.extend(planned),
            Err(reference) => {
                waiting.references.insert(reference);
            }
        }
    }
    plans.sort_by_key(|plan| removal_rank(&plan.entry.key()));
    if waiting.references.is_empty() { Ok(plans) } else { Err(waiting) }
}

/// The locations for reading among what a policy made, with what goes along: they go even where all else stays.
pub fn made_for_reading(inventory: &Inventory, observed: &dyn Lookup) -> Result<Vec<PrunePlan>, Waiting> {
    let mut plans = deselected(inventory, &|_| None, false, observed)?;
    // Nothing else of these kinds is ever deleted without an opt-in.
    let is_read = |kind: &str| kind == "BackupStorageLocation" || COPIED.contains(&kind);
    plans.retain(|plan| {
        let gvk = plan.entry.key().gvk;
        plan.action == PruneAction::Delete && gvk.group == "velero.io" && is_read(&gvk.kind)
    });
    Ok(plans)
}

/// What is removed first: an operator outlives what it looks after, and a namespace what is in it.
fn removal_rank(key: &ObjectKey) -> u8 {
    match key.gvk.kind.as_str() {
        "Namespace" => 3,
        "Subscription" | "OperatorGroup" | "Secret" => 2,
        "DataProtectionApplication" => 1,
        _ => 0,
    }
}

/// The Schedules among what a policy wrote, as they are, that are not paused yet.
pub fn running_schedules(
    inventory: &Inventory,
    observed: &dyn Lookup,
) -> Result<Vec<Arc<Manifest>>, Waiting> {
    let mut schedules = Vec::new();
    let mut waiting = Waiting::default();
    for (_, _, entry) in inventory.entries() {
        let key = entry.key();
        if !key.gvk.same_kind("velero.io", "Schedule") {
            continue;
        }
        match observed.get(&key.gvk, key.namespace.as_deref(), &key.name) {
            Answer::Found(found) if found.at(&["spec", "paused"]) != Some(&Value::Bool(true)) => {
                schedules.push(found);
            }
            Answer::Found(_) | Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => {}
            Answer::NotYetKnown => {
                waiting.references.insert(Reference {
                    gvk: key.gvk,
                    namespace: key.namespace,
                    name: Some(key.name),
                });
            }
        }
    }
    if waiting.references.is_empty() { Ok(schedules) } else { Err(waiting) }
}

/// Which objects of a plan that was carried out are not gone yet: a finalizer may hold them.
pub fn remaining(plans: &[PrunePlan], observed: &dyn Lookup) -> Vec<String> {
    let is_there = |entry: &Entry| {
        let key = entry.key();
        match observed.get(&key.gvk, key.namespace.as_deref(), &key.name) {
            Answer::Found(found) => found.is_deleting() && entry.is_of(&found),
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => false,
        }
    };
    plans
        .iter()
        .filter(|plan| {
            matches!(plan.action, PruneAction::Delete | PruneAction::Leaving) && is_there(&plan.entry)
        })
        .map(|plan| plan.entry.key().to_string())
        .collect()
}

/// What becomes of an entry, after what goes along with it. The error names what must be watched first.
fn with_copies(
    entry: &Entry,
    behaviour: PruneObjectBehavior,
    judge: &dyn Fn(&ObjectKey) -> DeletionVerdict,
    observed: &dyn Lookup,
) -> Result<Vec<PrunePlan>, Reference> {
    let action = action(entry, behaviour, judge, observed)?;
    let mut plans = copies(entry, &action, observed)?;
    plans.push(PrunePlan { entry: entry.clone(), action });
    Ok(plans)
}

fn action(
    entry: &Entry,
    behaviour: PruneObjectBehavior,
    judge: &dyn Fn(&ObjectKey) -> DeletionVerdict,
    observed: &dyn Lookup,
) -> Result<PruneAction, Reference> {
    let key = entry.key();
    let existing = match observed.get(&key.gvk, key.namespace.as_deref(), &key.name) {
        Answer::Found(existing) => existing,
        Answer::NotFound | Answer::KindNotInstalled => return Ok(PruneAction::Forget),
        Answer::Denied(message) => {
            return Ok(match judge(&key) {
                DeletionVerdict::Allowed => PruneAction::Unreadable(message),
                DeletionVerdict::Held { why } => PruneAction::Hold(why),
            });
        }
        Answer::NotYetKnown => {
            return Err(Reference { gvk: key.gvk, namespace: key.namespace, name: Some(key.name) });
        }
    };
    let same_object = entry.uid.as_deref().is_none_or(|uid| existing.uid() == Some(uid));
    let due = match behaviour {
        PruneObjectBehavior::None => false,
        PruneObjectBehavior::DeleteIfCreated => entry.created && same_object,
        PruneObjectBehavior::DeleteAll => true,
    };
    if !due {
        return Ok(PruneAction::Forget);
    }
    if existing.is_deleting() {
        return Ok(PruneAction::Leaving);
    }
    Ok(match judge(&key) {
        DeletionVerdict::Allowed => PruneAction::Delete,
        DeletionVerdict::Held { .. } if entry.created && guard::is_for_reading(&existing) => {
            PruneAction::Delete
        }
        DeletionVerdict::Held { why } => PruneAction::Hold(why),
    })
}

/// Label of Velero's objects that belong to a storage location, with its name.
const LOCATION_LABEL: &str = "velero.io/storage-location";
/// The kinds that Velero makes in a cluster of what it finds in a storage location.
const COPIED: [&str; 2] = ["Backup", "BackupRepository"];

/// What goes with a location for reading that goes: Velero leaves its copies behind for good, so that its own
/// `velero backup-location delete` takes these two kinds along (upstream: `backuplocation/delete.go`). They go first: as long as
/// one is there, so is the location, from which they can be found.
fn copies(entry: &Entry, action: &PruneAction, observed: &dyn Lookup) -> Result<Vec<PrunePlan>, Reference> {
    let location = entry.key();
    let existing = observed.get(&location.gvk, location.namespace.as_deref(), &location.name);
    let is_for_reading = matches!(existing, Answer::Found(existing) if guard::is_for_reading(&existing));
    if *action != PruneAction::Delete || !is_for_reading {
        return Ok(Vec::new());
    }
    let mut plans = Vec::new();
    for kind in COPIED {
        let gvk = GroupVersionKind { kind: kind.to_owned(), ..location.gvk.clone() };
        match observed.list(&gvk, location.namespace.as_deref()) {
            Answer::Found(objects) => {
                let of_location = objects
                    .iter()
                    .filter(|object| object.label(LOCATION_LABEL) == Some(location.name.as_str()))
                    .filter(|object| !object.is_deleting());
                plans.extend(of_location.filter_map(|object| {
                    let uid = object.uid().map(ToOwned::to_owned);
                    let entry = Entry { uid, created: true, ..Entry::new(&object.key()?) };
                    Some(PrunePlan { entry, action: PruneAction::Delete })
                }));
            }
            Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => {}
            Answer::NotYetKnown => {
                return Err(Reference { gvk, namespace: location.namespace.clone(), name: None });
            }
        }
    }
    Ok(plans)
}
