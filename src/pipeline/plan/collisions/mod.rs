//! Policies that meet on one cluster: which of them is in force, and which templates are held there.
//!
//! Takes what each policy asks for, its inventory and its age; gives the templates that are held, each with the policy that
//! came first. The order in which the policies are given or evaluated makes no difference. A template that is held holds no
//! other.

mod claim;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use claim::{Claim, Claims, Why, Wish};

use self::claim::Place;
use super::inventory::Inventory;
use crate::api::object::ObjectKey;
use crate::pipeline::policy::PolicyKey;

/// A policy on a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// The root policy.
    pub policy: &'a PolicyKey,
    /// Its `creationTimestamp`; `None` when the hub has it no more.
    pub created: Option<&'a str>,
    /// What it asks for there.
    pub claims: &'a Claims,
    /// What was written there for it.
    pub inventory: &'a Inventory,
}

/// Why a template is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The policy that is in force.
    pub with: PolicyKey,
    /// The template of that policy.
    pub template: String,
    /// What the held template asks for.
    pub object: ObjectKey,
    /// What the other asks for.
    pub theirs: ObjectKey,
    /// Why not both.
    pub why: Why,
}

/// What to do about it.
const REMEDY: &str =
    "let the Placement of only one of them select the cluster, or change names or settings in one ConfigMap";

impl Collision {
    /// The sentence for the status of the held template.
    pub fn held(&self, cluster: &str) -> String {
        let (object, theirs) = (&self.object, &self.theirs);
        let first = format!("policy {} (template {})", self.with, self.template);
        let what = match &self.why {
            Why::Content => format!("{object} is wanted otherwise by {first}"),
            Why::Presence => format!("whether {object} exists is seen otherwise by {first}"),
            Why::Unknown => format!("{object} was written by {first}, which cannot be evaluated now"),
            Why::Only(single) => format!("{object} would stand beside {theirs} of {first}, and {single}"),
            Why::Protected(namespaces) => {
                format!("{object} would back up {namespaces}, which {theirs} of {first} backs up")
            }
        };
        format!(
            "collision on cluster {cluster}: {what}; that policy came first and stays in force, and nothing of this template \
             is written there until one of them gives way: {REMEDY}"
        )
    }

    /// The sentence for an Event about the policy that is in force. `policy` and `template` are those that are held.
    pub fn in_force(&self, cluster: &str, policy: &PolicyKey, template: &str) -> String {
        let (object, theirs) = (&self.theirs, &self.object);
        let second = format!("policy {policy} (template {template})");
        let what = match &self.why {
            Why::Content => format!("{object} is wanted otherwise by {second}"),
            Why::Presence => format!("whether {object} exists is seen otherwise by {second}"),
            Why::Unknown => format!("{object}, which this policy wrote, would be changed by {second}"),
            Why::Only(single) => format!("{theirs} of {second} would stand beside {object}, and {single}"),
            Why::Protected(namespaces) => {
                format!("{theirs} of {second} would back up {namespaces}, which {object} backs up")
            }
        };
        format!(
            "collision on cluster {cluster}: {what}; this policy came first and stays in force, the other is held there: \
             {REMEDY}"
        )
    }
}

/// How firmly a template has an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// Not at all.
    Nothing,
    /// It has found it as specified, or has changed it.
    Known,
    /// It has created it.
    Created,
}

/// One template of one policy.
struct Side<'a> {
    party: &'a Party<'a>,
    template: &'a str,
    claims: &'a [Claim],
}

impl Side<'_> {
    /// How firmly it has what a claim of its own contends for with another one.
    fn hold_on(&self, place: Place<'_>, claim: &Claim, other: &Claim) -> Hold {
        match place {
            Place::Object(_) | Place::Only(..) => self.hold(claim),
            // A Schedule that is there counts for what it backs up now.
            Place::Protection if claim.protects_already(other) => self.hold(claim),
            Place::Protection => Hold::Nothing,
        }
    }

    fn hold(&self, claim: &Claim) -> Hold {
        match self.party.inventory.entry(self.template, &claim.key) {
            None => Hold::Nothing,
            Some(entry) if entry.created => Hold::Created,
            Some(_) => Hold::Known,
        }
    }
}

/// Two templates that cannot both be in force. `one` comes before `other` in the order of age and name.
struct Dispute<'a> {
    /// The firmest hold of each on what they contend for.
    holds: (Hold, Hold),
    /// The first thing they contend for.
    objects: (&'a ObjectKey, &'a ObjectKey),
    why: Why,
}

/// What is held, by policy and template.
pub type HeldTemplates = BTreeMap<PolicyKey, BTreeMap<String, Collision>>;

/// The templates that are held. Of two that cannot both be in force, the one that has the object comes first, then that of the
/// older policy, then the first in the order of names.
pub fn held(parties: &[Party<'_>]) -> HeldTemplates {
    let mut parties: Vec<&Party<'_>> = parties.iter().collect();
    parties.sort_by_key(|party| (party.created.is_none(), party.created, party.policy));
    let sides: Vec<Side<'_>> = parties
        .iter()
        .flat_map(|party| party.claims.templates().map(|(template, claims)| Side { party, template, claims }))
        .collect();
    let disputes = disputes(&sides);
    let mut held = HeldTemplates::new();
    for (loser, winner) in losers(sides.len(), &disputes) {
        let (Some(side), Some(first)) = (sides.get(loser), sides.get(winner)) else { continue };
        let Some(dispute) = disputes.get(&(loser.min(winner), loser.max(winner))) else { continue };
        let (object, theirs) =
            if loser < winner { dispute.objects } else { (dispute.objects.1, dispute.objects.0) };
        let collision = Collision {
            with: first.party.policy.clone(),
            template: first.template.to_owned(),
            object: object.clone(),
            theirs: theirs.clone(),
            why: dispute.why.clone(),
        };
        held.entry(side.party.policy.clone()).or_default().insert(side.template.to_owned(), collision);
    }
    held
}

/// Pairs of sides that cannot both be in force, the smaller index first.
fn disputes<'a>(sides: &'a [Side<'a>]) -> BTreeMap<(usize, usize), Dispute<'a>> {
    let mut places: BTreeMap<Place<'a>, Vec<(usize, &'a Claim)>> = BTreeMap::new();
    for (index, side) in sides.iter().enumerate() {
        for claim in side.claims {
            for place in claim.places() {
                places.entry(place).or_default().push((index, claim));
            }
        }
    }
    let mut disputes: BTreeMap<(usize, usize), Dispute<'a>> = BTreeMap::new();
    for (place, claims) in &places {
        for (at, (one, claim)) in claims.iter().enumerate() {
            for (other, their_claim) in claims.iter().skip(at + 1) {
                let (Some(side), Some(their_side)) = (sides.get(*one), sides.get(*other)) else { continue };
                let (ours, theirs) = (side.party.policy, their_side.party.policy);
                // The policies of one namespace are one configuration: it may back up a namespace twice.
                if ours == theirs || (*place == Place::Protection && ours.namespace == theirs.namespace) {
                    continue;
                }
                let Some(why) = claim.contradicts(their_claim, *place) else { continue };
                let holds = (
                    side.hold_on(*place, claim, their_claim),
                    their_side.hold_on(*place, their_claim, claim),
                );
                disputes
                    .entry((*one, *other))
                    .and_modify(|dispute| {
                        dispute.holds = (dispute.holds.0.max(holds.0), dispute.holds.1.max(holds.1));
                    })
                    .or_insert(Dispute { holds, objects: (&claim.key, &their_claim.key), why });
            }
        }
    }
    disputes
}

/// Who is held by whom. A side is in force once no firmer rival can be any more; in a circle of rivals the first one is.
fn losers(count: usize, disputes: &BTreeMap<(usize, usize), Dispute<'_>>) -> Vec<(usize, usize)> {
    let mut rivals: BTreeMap<usize, Vec<(usize, bool)>> = BTreeMap::new();
    for ((one, other), dispute) in disputes {
        let other_is_firmer = dispute.holds.1 > dispute.holds.0;
        rivals.entry(*one).or_default().push((*other, other_is_firmer));
        rivals.entry(*other).or_default().push((*one, !other_is_firmer));
    }
    let mut open: BTreeSet<usize> = (0..count).filter(|side| rivals.contains_key(side)).collect();
    let rivals_of = |side: &usize| rivals.get(side).into_iter().flatten();
    let mut losers = Vec::new();
    while let Some(first) = open.first().copied() {
        let has_firmer_rival =
            |side: &usize| rivals_of(side).any(|(rival, firmer)| *firmer && open.contains(rival));
        let winner = open.iter().copied().find(|side| !has_firmer_rival(side)).unwrap_or(first);
        open.remove(&winner);
        for (rival, _) in rivals_of(&winner) {
            if open.remove(rival) {
                losers.push((*rival, winner));
            }
        }
    }
    losers
}
