//! Policies that meet on the worker's cluster: what each of them asks for, which templates are held because another policy came
//! first, and who keeps what both want when one leaves. The rule itself is `pipeline::plan::collisions`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use super::super::contention::{Contention, claims_of, created};
use super::super::evaluate::{CheckState, Evaluated};
use super::super::inbox::Portion;
use super::super::prepare;
use super::Worker;
use crate::adapters::api_server::{ApiError, Ensured};
use crate::adapters::hub::EventKind;
use crate::api::object::Manifest;
use crate::api::ocm::policy::Policy;
use crate::pipeline::plan::assess;
use crate::pipeline::plan::collisions::{Claims, Collision, Party, held};
use crate::pipeline::plan::inventory::{Entry, Inventory};
use crate::pipeline::plan::{PruneAction, PrunePlan};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::Placed;
use crate::pipeline::render::lookup::{Answer, Lookup};

/// Reason of the Events about both policies.
const COLLISION: &str = "Collision";

impl Worker {
    /// Holds the templates of an evaluated policy that collide with a policy which came first. Answers what is to be said of
    /// those that hold others.
    pub(super) async fn settle_collisions(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        evaluated: &mut Evaluated,
        inventory: &Inventory,
    ) -> BTreeMap<String, String> {
        let claims = self.seen(claims_of(evaluated, self.claims.get(key), inventory)).await;
        if !claims.is_empty() || !inventory.is_empty() {
            self.learn_of_others(key).await;
        }
        let before = self.claims.insert(key.clone(), claims.clone()).unwrap_or_default();
        let Contention { held: found, in_force } = self.contention(key, &claims, inventory);
        let told = self.held.remove(key).unwrap_or_default();
        let mut held = BTreeMap::new();
        for check in &mut evaluated.checks {
            // What is not planned has a fault of its own to tell.
            if let (CheckState::Planned { .. }, Some(collision)) = (&check.state, found.get(&check.name)) {
                if told.get(&check.name) != Some(collision) {
                    self.announce_collision(key, policy, &check.name, collision).await;
                }
                held.insert(check.name.clone(), collision.clone());
                check.state = CheckState::Reported(assess::violation(&collision.held(&self.name)));
            }
        }
        if !before.same_wishes(&claims) || told != held {
            self.wake_rivals(key, &[&before, &claims]);
        }
        if !held.is_empty() {
            self.held.insert(key.clone(), held);
        }
        in_force
    }

    /// What a policy has to do with collisions here.
    fn contention(&self, key: &PolicyKey, claims: &Claims, inventory: &Inventory) -> Contention {
        let others = self.claims.iter().filter(|(other, _)| *other != key);
        if !others.clone().any(|(_, theirs)| theirs.meet(claims)) {
            return Contention::default();
        }
        let roots: Vec<Option<Arc<Policy>>> = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            self.claims.keys().map(|policy| fleet.policy(policy)).collect()
        };
        let policies: Vec<(&PolicyKey, &Claims, Inventory, Option<Arc<Policy>>)> = self
            .claims
            .iter()
            .zip(roots)
            .map(|((other, claims), root)| {
                let inventory = if other == key {
                    inventory.clone()
                } else {
                    self.inventory_before(other, self.replica(other).as_ref())
                };
                (other, claims, inventory, root)
            })
            .collect();
        let parties: Vec<Party<'_>> = policies
            .iter()
            .map(|(policy, claims, inventory, root)| Party {
                policy,
                created: created(root.as_deref()),
                claims,
                inventory,
            })
            .collect();
        Contention::of(key, &self.name, &held(&parties))
    }

    /// Works out what the other policies here ask for, where that is not known: after a start, and of those that come with the
    /// same mail. Only evaluates; what comes of it is done when their turn comes.
    pub(super) async fn learn_of_others(&mut self, key: &PolicyKey) {
        let placed = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            fleet.policies_on(&self.name)
        };
        let all: BTreeSet<PolicyKey> = placed.into_iter().chain(self.replicas().into_keys()).collect();
        self.claims.retain(|known, _| known == key || all.contains(known));
        for other in all {
            if other != *key && !self.claims.contains_key(&other) {
                let claims = self.look_ahead(&other).await;
                self.claims.insert(other, claims);
            }
        }
    }

    /// What a policy asks for here, before its turn. Of one that cannot be evaluated it is what it has.
    async fn look_ahead(&self, key: &PolicyKey) -> Claims {
        let replica = self.replica(key);
        if replica.as_ref().is_some_and(prepare::is_foreign) {
            return Claims::default();
        }
        let inventory = self.inventory_before(key, replica.as_ref());
        let (assignment, managed) = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            (fleet.assignment(key, &self.name), fleet.cluster(&self.name))
        };
        if let (Some(assignment), Some(managed)) = (assignment, managed)
            && assignment.placed != Placed::No
        {
            let enforced = assignment.placed == Placed::Enforced;
            let evaluated = self
                .evaluate_until_known(&assignment.policy, &managed, enforced, &inventory, replica.as_ref())
                .await;
            if let Ok(evaluated) = evaluated {
                return self.seen(claims_of(&evaluated, None, &inventory)).await;
            }
        }
        self.seen(Claims::left_behind(None, &inventory)).await
    }

    /// Claims, with a look at Schedules whose policy cannot tell what they back up. Where there is no look, nothing is known.
    async fn seen(&self, claims: Claims) -> Claims {
        let (unseen, Some(link)) = (claims.unseen(), &self.link) else { return claims };
        if unseen.is_empty() {
            return claims;
        }
        match link.connection.ensure(&unseen).await {
            Ensured::Ready => claims.seeing(&link.connection.snapshot()),
            Ensured::Disconnected(_) => claims,
        }
    }

    /// The policy is not placed here any more, for a reason that nobody chose: what it wrote is still its own.
    pub(super) async fn keep_claims(&mut self, key: &PolicyKey, replica: &Manifest) {
        let inventory = self.inventory_before(key, Some(replica));
        let before = self.claims.get(key).cloned().unwrap_or_default();
        let claims = self.seen(Claims::left_behind(Some(&before), &inventory)).await;
        if !before.same_wishes(&claims) {
            self.wake_rivals(key, &[&before]);
        }
        self.claims.insert(key.clone(), claims);
    }

    /// The policy asks for nothing here any more: those that it held go on.
    pub(super) fn forget_claims(&mut self, key: &PolicyKey) {
        self.held.remove(key);
        if let Some(claims) = self.claims.remove(key) {
            self.wake_rivals(key, &[&claims]);
        }
    }

    /// Has those evaluated that ask for something in the same place.
    fn wake_rivals(&self, key: &PolicyKey, claims: &[&Claims]) {
        let rivals: BTreeSet<PolicyKey> = self
            .claims
            .iter()
            .filter(|(other, theirs)| *other != key && claims.iter().any(|claims| theirs.meet(claims)))
            .map(|(other, _)| other.clone())
            .collect();
        if !rivals.is_empty() {
            self.desk.inbox.post(|mail| mail.policies.join(Portion::Some(rivals)));
        }
    }

    /// An Event about both root policies.
    async fn announce_collision(
        &self,
        key: &PolicyKey,
        policy: &Policy,
        template: &str,
        collision: &Collision,
    ) {
        tracing::warn!(
            cluster = self.name, policy = %key, template, first = %collision.with, object = %collision.object,
            "held: another policy came first"
        );
        let message = collision.held(&self.name);
        self.announce_on_root(policy, EventKind::Warning, COLLISION, message).await;
        let first = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            fleet.policy(&collision.with)
        };
        if let Some(first) = first {
            let message = collision.in_force(&self.name, key, template);
            self.announce_on_root(&first, EventKind::Warning, COLLISION, message).await;
        }
    }

    /// What a policy no longer wants and another one here does is handed over to that one: it stays, and the last one prunes it.
    /// The heir's inventory is written first, so that no object is left without an owner.
    pub(super) async fn hand_over(
        &mut self,
        key: &PolicyKey,
        prune: &mut [PrunePlan],
    ) -> Result<(), ApiError> {
        for plan in prune.iter_mut().filter(|plan| !plan.is_doubtful()) {
            let Some((heir, template)) = self.heir(key, &plan.entry) else { continue };
            let due = plan.action == PruneAction::Delete;
            let replica = self.replica(&heir).filter(|replica| !prepare::is_foreign(replica));
            if let Some(replica) = replica.filter(|_| self.is_the_same(&plan.entry)) {
                let mut inventory = self.inventory_before(&heir, Some(&replica));
                inventory.take_over(&template, &plan.entry, due && plan.entry.created);
                let text = inventory.to_text();
                let write = self.shared.hub.write_replica(Some(&replica), &replica.to_value(), &text).await?;
                self.remember_written(&heir, &write.into_manifest());
                self.inventories.insert(heir, inventory);
            }
            if due {
                plan.action = PruneAction::Forget;
            }
        }
        Ok(())
    }

    /// Whether the object is the one that was written, and not another that somebody made since under its name.
    fn is_the_same(&self, entry: &Entry) -> bool {
        let key = entry.key();
        self.link.as_ref().is_some_and(|link| {
            match link.connection.snapshot().get(&key.gvk, key.namespace.as_deref(), &key.name) {
                Answer::Found(observed) => entry.uid.is_none() || entry.uid.as_deref() == observed.uid(),
                Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => {
                    false
                }
            }
        })
    }

    /// The policy, and its template, that wants an object here besides the one that no longer does.
    fn heir(&self, key: &PolicyKey, entry: &Entry) -> Option<(PolicyKey, String)> {
        let object = entry.key();
        let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
        self.claims
            .iter()
            .filter(|(other, _)| *other != key)
            .filter_map(|(other, claims)| Some((other, claims.template_that_wants(&object)?)))
            .find(|(other, _)| {
                let assignment = fleet.assignment(other, &self.name);
                assignment.is_some_and(|assignment| assignment.placed != Placed::No)
            })
            .map(|(other, template)| (other.clone(), template.to_owned()))
    }
}
