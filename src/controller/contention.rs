//! Policies that meet on a cluster, the same for the hub's workers and for what `flotilla plan` foresees: what an evaluation
//! asks for, and what the rule of `pipeline::plan::collisions` means for each of the policies.
//!
//! Takes evaluations and the templates that are held; gives claims, and sentences for statuses. No client, no clock.

use std::collections::BTreeMap;

use super::evaluate::{CheckState, Evaluated};
use crate::api::ocm::policy::Policy;
use crate::pipeline::plan::collisions::{Claims, Collision, HeldTemplates};
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::policy::PolicyKey;

/// What one policy has to do with collisions on a cluster, by template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contention {
    /// Its templates that are held.
    pub held: BTreeMap<String, Collision>,
    /// Its templates that hold others, with what is to be said of it.
    pub in_force: BTreeMap<String, String>,
}

impl Contention {
    /// Of one policy, out of all that is held on the cluster.
    pub fn of(policy: &PolicyKey, cluster: &str, held: &HeldTemplates) -> Self {
        let mut in_force: BTreeMap<String, String> = BTreeMap::new();
        for (other, templates) in held {
            for (template, collision) in templates.iter().filter(|(_, collision)| collision.with == *policy) {
                let sentence = collision.in_force(cluster, other, template);
                in_force
                    .entry(collision.template.clone())
                    .and_modify(|said| {
                        said.push_str("; ");
                        said.push_str(&sentence);
                    })
                    .or_insert(sentence);
            }
        }
        Self { held: held.get(policy).cloned().unwrap_or_default(), in_force }
    }
}

/// What an evaluated policy asks for. Of templates without a plan it is what they have there, and `previous` tells how they
/// wanted that.
pub(super) fn claims_of(evaluated: &Evaluated, previous: Option<&Claims>, inventory: &Inventory) -> Claims {
    let templates = evaluated.checks.iter().map(|check| match &check.state {
        CheckState::Reported(_) => (check.name.as_str(), None),
        CheckState::Planned { plan, .. } => (check.name.as_str(), Some(plan)),
    });
    Claims::new(templates, previous, inventory)
}

/// When a policy was created; `None` when the hub has it no more, or not yet.
pub(super) fn created(policy: Option<&Policy>) -> Option<&str> {
    policy?.metadata.other.get("creationTimestamp")?.as_str()
}
