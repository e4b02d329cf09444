//! What to create, change and delete on a cluster for one check, and what is held back and why.
//!
//! Takes a [`Check`](super::policy::checks::Check), its rendered object templates and a look-up snapshot of the cluster;
//! gives steps as data, together with what would be reported if nothing were done. Must not touch: clients, clock.
//! Source: `spec/ocm-semantics.md` sections 2.2, 2.3, 2.5, 2.8; decisions 6 and 7 of the design.

pub mod assess;
pub mod check;
pub mod collisions;
pub mod inventory;
mod object;
pub mod prune;
mod selectors;
pub mod target;
mod targets;
mod told;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::compliance::Finding;
use super::render::lookup::Reference;
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::configuration_policy::RecordDiff;

/// What to do about one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing: it is as it should be, or may only be reported.
    Nothing,
    /// Create it.
    Create {
        /// The object.
        desired: Manifest,
    },
    /// Change it.
    Update {
        /// As it is.
        existing: Arc<Manifest>,
        /// As it should be.
        merged: Manifest,
        /// Whether it still differs in `status`, which is never written.
        status_mismatch: bool,
        /// Whether it may be deleted and created again instead.
        recreation: Recreation,
    },
    /// Only its `status` differs, which is never written.
    StatusDiffers {
        /// As it should be.
        merged: Manifest,
    },
    /// It differs, but may only be reported: ask the server whether the difference survives its defaulting.
    Probe {
        /// As it is.
        existing: Arc<Manifest>,
        /// As it should be.
        merged: Manifest,
        /// Whether it still differs in `status`.
        status_mismatch: bool,
    },
    /// Delete it.
    Delete {
        /// The object, with its uid.
        existing: Arc<Manifest>,
    },
    /// Held back until something else happens.
    Hold {
        /// Why, and what happens next.
        message: String,
    },
}

impl Step {
    /// Whether it would change the cluster.
    pub fn changes(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Update { .. } | Self::Delete { .. } => true,
            Self::Nothing | Self::StatusDiffers { .. } | Self::Probe { .. } | Self::Hold { .. } => false,
        }
    }
}

/// Whether an object may be deleted and created again where it cannot be changed (`recreateOption`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recreation {
    /// It may not.
    Never,
    /// The policy says so, but its deletion is held back, for this reason.
    Held(String),
    /// When the server refuses the change for what is in it.
    IfRequired,
    /// Whenever it differs.
    Always,
}

/// One object of one object template.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectPlan {
    /// Its identity; `None` for unnamed templates.
    pub key: Option<ObjectKey>,
    /// The desired object, for named templates that want one.
    pub desired: Option<Manifest>,
    /// The object as it was found, where it is compared.
    pub observed: Option<Arc<Manifest>>,
    /// The objects that the finding names and that are not compared: unwanted ones, and those of unnamed templates.
    pub named: Vec<Arc<Manifest>>,
    /// Whether Flotilla created the object that was found.
    pub created: bool,
    /// What is reported before anything is done.
    pub finding: Finding,
    /// What to do.
    pub step: Step,
}

/// One object template.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectTemplatePlan {
    /// Plural resource name for messages.
    pub plural: String,
    /// Type of its objects; `None` where it has none to speak of.
    pub gvk: Option<GroupVersionKind>,
    /// What is shown of differences, defaults applied.
    pub record_diff: RecordDiff,
    /// Its objects: one per namespace and name.
    pub objects: Vec<ObjectPlan>,
}

/// An object that the check created earlier and no longer wants.
#[derive(Debug, Clone, PartialEq)]
pub struct PrunePlan {
    /// Its entry in the inventory.
    pub entry: inventory::Entry,
    /// What becomes of it.
    pub action: PruneAction,
}

impl PrunePlan {
    /// Whether it is not known if the object is wanted, because not all templates come out.
    pub fn is_doubtful(&self) -> bool {
        matches!(&self.action, PruneAction::Hold(why) if why == prune::DOUBT)
    }
}

/// What becomes of an object that is no longer wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum PruneAction {
    /// Delete it; the uid is the precondition.
    Delete,
    /// Leave it and keep it in the inventory, for this reason.
    Hold(String),
    /// It is due, but may not be read now, in the words of the cluster: nothing is done to it until it is known, and it is
    /// kept in the inventory. An API server refuses everything for some seconds while it starts.
    Unreadable(String),
    /// It is being deleted, but not gone yet: a finalizer may hold it. It is kept in the inventory.
    Leaving,
    /// It is gone, or another object took its name: forget it.
    Forget,
}

/// One check on one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckPlan {
    /// Name of the check.
    pub name: String,
    /// Object templates in the order of the policy.
    pub templates: Vec<ObjectTemplatePlan>,
    /// Objects to prune.
    pub prune: Vec<PrunePlan>,
    /// What it asks for, where it may change the cluster: others may ask for something else.
    pub claims: Vec<collisions::Claim>,
    /// What was changed on the way from the policy's text to the objects (deprecated fields).
    pub notes: Vec<String>,
    /// Whether values of Secrets went into the templates, so that differences must not be shown.
    pub sensitive: bool,
}

impl CheckPlan {
    /// Whether any step would change the cluster.
    pub fn changes(&self) -> bool {
        self.templates.iter().flat_map(|template| &template.objects).any(|object| object.step.changes())
            || self.prune.iter().any(|prune| prune.action == PruneAction::Delete)
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepResult {
    /// There was nothing to do, or it was not tried.
    NotTaken,
    /// Created, as the server has it.
    Created(Box<Manifest>),
    /// Changed, as the server has it.
    Updated(Box<Manifest>),
    /// The difference vanished in the server's defaulting.
    Unchanged(Box<Manifest>),
    /// The difference survives the server's defaulting: the object as it would be.
    Differs(Box<Manifest>),
    /// Deleted and created again, as the server has it.
    Recreated(Box<Manifest>),
    /// Deleted to be created again, but it is not gone yet.
    NotGone,
    /// Deleted, or being deleted.
    Deleted,
    /// The server refused.
    Refused {
        /// Its words.
        message: String,
        /// What it refused.
        refusal: Refusal,
    },
}

/// What a server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The object, for a field that it does not know.
    UnknownField,
    /// The object, for the value of a field: it may not be changed, or not to this (422).
    Content,
    /// The deletion of an object that is to be created again.
    Deletion,
    /// The creation of an object that was deleted for that.
    Recreation,
    /// Anything else.
    Other,
}

/// A plan cannot be made before these references of the cluster are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What must be watched.
    pub references: BTreeSet<Reference>,
}

#[cfg(test)]
mod tests;
