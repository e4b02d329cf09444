//! A policy leaves a cluster: what it created goes only if a person took the cluster out (decision 7).

use std::sync::{Arc, PoisonError};

use super::super::evaluate::allows_destructive;
use super::super::prepare;
use super::{Outcome, Worker};
use crate::adapters::api_server::{ApiError, Ensured};
use crate::adapters::cluster::{self, Pushed};
use crate::adapters::hub::EventKind;
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::names;
use crate::api::ocm::policy::Policy;
use crate::clock;
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::plan::{PruneAction, prune};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::sets;
use crate::protection::departure::{self, Departure, Remnant};

impl Worker {
    /// The policy is not placed here any more. What it created goes only if a person took the cluster out (decision 7).
    pub(super) async fn deselect(
        &mut self,
        key: &PolicyKey,
        policy: Option<Arc<Policy>>,
    ) -> Result<Outcome, ApiError> {
        let Some(replica) = self.replica(key) else {
            self.forget_claims(key);
            return Ok(Outcome::Settled);
        };
        if prepare::is_foreign(&replica) || replica.is_deleting() {
            return Ok(Outcome::Settled);
        }
        let keep = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            prepare::reason_to_keep(&fleet, key, &self.name, clock::now())
        };
        if let Some(reason) = keep {
            self.keep_claims(key, &replica);
            self.announce_doubt(key, policy.as_deref(), &replica, &reason).await;
            return Ok(Outcome::Settled);
        }
        let inventory = match prepare::inventory(Some(&replica)) {
            Ok(inventory) => inventory,
            Err(error) => {
                tracing::error!(cluster = self.name, policy = %key, %error, "nothing is removed by this inventory");
                return Ok(Outcome::Settled);
            }
        };
        let departure = self.departure(key, policy.as_deref(), &replica).await?;
        let destructive = match departure {
            // The wish outlives the policy.
            Departure::Remove => policy.as_deref().map_or_else(
                || replica.annotation(names::ALLOW_DESTRUCTIVE_ANNOTATION) == Some("true"),
                allows_destructive,
            ),
            Departure::Ordinary | Departure::Nothing | Departure::Pause => {
                policy.as_deref().is_some_and(allows_destructive)
            }
            Departure::Replace => false,
        };
        match departure {
            Departure::Ordinary | Departure::Remove | Departure::Replace => {}
            Departure::Nothing => {
                let reason = if policy.is_some() {
                    self.keep_claims(key, &replica);
                    "its ConfigMap is going, or nothing binds it: that is not how a rendered policy is taken off a cluster"
                } else {
                    // Nobody wants it any more: another configuration may have what is left.
                    self.forget_claims(key);
                    "its ConfigMap is gone or asks for nothing any more, and onDelete is keep"
                };
                self.announce_doubt(key, policy.as_deref(), &replica, reason).await;
                return Ok(Outcome::Settled);
            }
            Departure::Pause => return self.pause(key, policy.as_deref(), &replica, &inventory).await,
        }
        let root = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            fleet.last_version(key, &self.name)
        };
        let standing = prepare::standing(root.as_deref(), &replica, &inventory);
        let mut plans = loop {
            let Some(link) = &self.link else { return Ok(Outcome::Disconnected("not connected".to_owned())) };
            let snapshot = link.connection.snapshot();
            let planned = match departure {
                Departure::Remove | Departure::Replace => prune::removed(&inventory, destructive, &snapshot),
                Departure::Ordinary | Departure::Nothing | Departure::Pause => {
                    prune::deselected(&inventory, &standing, destructive, &snapshot)
                }
            };
            match planned {
                Ok(plans) => break plans,
                Err(waiting) => {
                    if let Ensured::Disconnected(reason) = link.connection.ensure(&waiting.references).await {
                        return Ok(Outcome::Disconnected(reason));
                    }
                }
            }
        };
        self.learn_of_others(key).await;
        self.hand_over(key, &mut plans).await?;
        let Some(link) = &self.link else { return Ok(Outcome::Disconnected("not connected".to_owned())) };
        let pushed = cluster::prune(&link.connection, &plans).await;
        if let Some(outcome) = unfinished(pushed) {
            return Ok(outcome);
        }
        let unread: Vec<String> = plans
            .iter()
            .filter_map(|plan| match &plan.action {
                PruneAction::Unreadable(why) => Some(format!("{}: {why}", plan.entry.key())),
                PruneAction::Hold(_) | PruneAction::Delete | PruneAction::Leaving | PruneAction::Forget => {
                    None
                }
            })
            .collect();
        if !unread.is_empty() {
            self.announce_unread(key, policy.as_deref(), &replica, &unread.join("; ")).await;
            return Ok(Outcome::Refused);
        }
        let leaving = prune::remaining(&plans, &link.connection.snapshot());
        if !leaving.is_empty() {
            self.announce_leaving(key, policy.as_deref(), &replica, &leaving.join("; ")).await;
            return Ok(Outcome::Refused);
        }
        let kept: Vec<String> = plans
            .iter()
            .filter_map(|plan| match &plan.action {
                PruneAction::Hold(why) => Some(format!("{}: {why}", plan.entry.key())),
                PruneAction::Unreadable(_)
                | PruneAction::Delete
                | PruneAction::Leaving
                | PruneAction::Forget => None,
            })
            .collect();
        if !kept.is_empty() {
            let message = format!("Policy {key} left cluster {}; kept there: {}", self.name, kept.join("; "));
            tracing::info!(cluster = self.name, policy = %key, message, "kept");
            self.announce_departure(policy.as_deref(), &replica, (EventKind::Normal, "Kept"), message).await;
        }
        self.shared.hub.delete_replica(&replica).await?;
        self.forget_policy(key);
        Ok(Outcome::Settled)
    }
}

impl Worker {
    /// How the policy leaves this cluster, by the user's wish for what the hub rendered.
    /// While a ConfigMap goes, what binds its policies goes piece by piece: only one that is still there makes of it a wish for
    /// this cluster, and no cache can tell that.
    async fn departure(
        &self,
        key: &PolicyKey,
        policy: Option<&Policy>,
        replica: &Manifest,
    ) -> Result<Departure, ApiError> {
        let annotations =
            policy.map_or_else(|| replica.annotations(), |policy| policy.metadata.annotations.clone());
        let rendered = annotations.contains_key(names::RENDERED_FROM_ANNOTATION);
        let protected = rendered
            && self.config_map(key, CONFIG_MAP_NAME).await?.is_some_and(|source| sets::is_protected(&source));
        let accepted = if protected { self.config_map(key, sets::ACCEPTED_NAME).await? } else { None };
        if accepted.is_some_and(|accepted| sets::is_replaced(&key.name, &accepted)) {
            return Ok(departure::departure(&annotations, Remnant::Replaced));
        }
        if policy.is_none() {
            return Ok(departure::departure(&annotations, Remnant::Gone));
        }
        if rendered && !protected {
            return Ok(departure::departure(&annotations, Remnant::Unbound));
        }
        let bound = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            !fleet.bindings(key).is_empty()
        };
        let remnant = if bound { Remnant::Bound } else { Remnant::Unbound };
        Ok(departure::departure(&annotations, remnant))
    }

    /// A ConfigMap of the policy's namespace on the hub, as it is now.
    async fn config_map(&self, policy: &PolicyKey, name: &str) -> Result<Option<Manifest>, ApiError> {
        let key = ObjectKey {
            gvk: GroupVersionKind::new("v1", "ConfigMap"),
            namespace: Some(policy.namespace.clone()),
            name: name.to_owned(),
        };
        self.shared.hub.connection().get(&key).await
    }

    /// The Schedules are paused, and all else stays. The replicated policy remembers what is the policy's own, so that it can
    /// go on, or leave for good.
    async fn pause(
        &mut self,
        key: &PolicyKey,
        policy: Option<&Policy>,
        replica: &Manifest,
        inventory: &Inventory,
    ) -> Result<Outcome, ApiError> {
        self.keep_claims(key, replica);
        let (schedules, plans) = loop {
            let Some(link) = &self.link else { return Ok(Outcome::Disconnected("not connected".to_owned())) };
            let snapshot = link.connection.snapshot();
            let found = prune::running_schedules(inventory, &snapshot)
                .and_then(|schedules| Ok((schedules, prune::made_for_reading(inventory, &snapshot)?)));
            match found {
                Ok(found) => break found,
                Err(waiting) => {
                    if let Ensured::Disconnected(reason) = link.connection.ensure(&waiting.references).await {
                        return Ok(Outcome::Disconnected(reason));
                    }
                }
            }
        };
        let Some(link) = &self.link else { return Ok(Outcome::Disconnected("not connected".to_owned())) };
        let pushed = cluster::prune(&link.connection, &plans).await;
        if let Some(outcome) = unfinished(pushed) {
            return Ok(outcome);
        }
        if schedules.is_empty() {
            return Ok(Outcome::Settled);
        }
        let pushed = cluster::pause(&link.connection, &schedules).await;
        if let Some(outcome) = unfinished(pushed) {
            return Ok(outcome);
        }
        let names: Vec<&str> = schedules.iter().filter_map(|schedule| schedule.name()).collect();
        let message =
            format!("Policy {key} left cluster {}; paused there: Schedule {}", self.name, names.join(", "));
        tracing::info!(cluster = self.name, policy = %key, message, "paused");
        self.announce_departure(policy, replica, (EventKind::Normal, "Paused"), message).await;
        Ok(Outcome::Settled)
    }
}

impl Worker {
    /// What the policy leaves behind may not be read now: it is tried again, and that is told at the first time.
    async fn announce_unread(
        &self,
        key: &PolicyKey,
        policy: Option<&Policy>,
        replica: &Manifest,
        unread: &str,
    ) {
        let message = format!(
            "Policy {key} leaves cluster {}, but cannot see there what it made, and tries again: {unread}",
            self.name
        );
        tracing::warn!(cluster = self.name, policy = %key, message, "waiting");
        if self.retries.contains_key(key) {
            return;
        }
        self.announce_departure(policy, replica, (EventKind::Warning, "Kept"), message).await;
    }

    /// What the policy made is being deleted, but something holds it: it is waited for, and that is told at the first time.
    async fn announce_leaving(
        &self,
        key: &PolicyKey,
        policy: Option<&Policy>,
        replica: &Manifest,
        leaving: &str,
    ) {
        if self.retries.contains_key(key) {
            return;
        }
        let message = format!(
            "Policy {key} leaves cluster {}, and waits there for what is being deleted to be gone: {leaving}",
            self.name
        );
        tracing::info!(cluster = self.name, policy = %key, message, "waiting");
        self.announce_departure(policy, replica, (EventKind::Normal, "Terminating"), message).await;
    }

    /// The policy is no longer placed, for a reason that nobody chose: nothing is removed, and that is told once.
    async fn announce_doubt(
        &self,
        key: &PolicyKey,
        policy: Option<&Policy>,
        replica: &Manifest,
        doubt: &str,
    ) {
        let message = format!(
            "Policy {key} is no longer placed on cluster {}, and nothing is removed there: {doubt}",
            self.name
        );
        tracing::warn!(cluster = self.name, policy = %key, message, "kept");
        self.announce_departure(policy, replica, (EventKind::Warning, "Kept"), message).await;
    }

    /// Tells how a policy leaves a cluster: on the root policy, or where it is gone on the replicated one.
    async fn announce_departure(
        &self,
        policy: Option<&Policy>,
        replica: &Manifest,
        (kind, reason): (EventKind, &str),
        message: String,
    ) {
        if let Some(policy) = policy {
            self.announce_on_root(policy, kind, reason, message).await;
        } else {
            let event = Self::event(replica, kind, reason, message);
            self.record_event(replica, &event).await;
        }
    }
}

/// Why what was to be done on the cluster is not all done; `None` when it is.
fn unfinished(pushed: Pushed) -> Option<Outcome> {
    if let Some(reason) = pushed.disconnected {
        return Some(Outcome::Disconnected(reason));
    }
    if pushed.stale {
        return Some(Outcome::Stale);
    }
    pushed.pruned.into_iter().flatten().any(|result| result.is_err()).then_some(Outcome::Refused)
}
