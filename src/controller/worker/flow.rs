//! The flow for one policy: render, compare, plan; write down what will be created; push; assess; report.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use serde_json::Value;

use super::super::carry_out::{CarriedOut, carry_out};
use super::super::evaluate::{CheckFault, CheckState, Evaluated};
use super::super::interval::{self, Last, Rest};
use super::super::metrics::{WriteKind, WriteLabels};
use super::super::prepare::{self, KnownCompliance, ROUNDS, Request};
use super::super::wording::worded;
use super::{Outcome, Worker};
use crate::adapters::api_server::{ApiError, Depth, WatchKey};
use crate::adapters::cluster::Pushed;
use crate::api::object::Manifest;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::configuration_policy_status::ConfigurationPolicyStatus;
use crate::api::ocm::policy::Policy;
use crate::clock;
use crate::pipeline::plan::assess::{self, Occasion};
use crate::pipeline::plan::inventory::{self, Inventory};
use crate::pipeline::plan::{CheckPlan, StepResult};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::checks::Check;
use crate::pipeline::render::lookup::{Lookup, Reference};

/// After so many attempts in a row a policy says what it sees, conflict or not.
const TIRED: u32 = 6;

impl Worker {
    /// The flow for one policy: render, compare, plan; write down what will be created; push; assess; report.
    pub(super) async fn evaluate_policy(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
    ) -> Result<Outcome, ApiError> {
        self.shared.metrics.evaluations.inc();
        let replica = self.replica(key);
        if let Some(other) = replica.as_ref().filter(|replica| prepare::is_foreign(replica)) {
            tracing::warn!(
                cluster = self.name, policy = %key, replica = other.name(),
                "another controller propagates this policy: standing down"
            );
            self.forget_claims(key);
            return Ok(Outcome::Settled);
        }
        let before = self.inventory_before(key, replica.as_ref());
        let mut evaluated =
            match self.evaluate_and_remember(key, policy, managed, enforced, &before, replica.as_ref()).await
            {
                Ok(evaluated) => evaluated,
                Err(reason) => return Ok(Outcome::Disconnected(reason)),
            };
        let in_force = self.settle_collisions(key, policy, &mut evaluated, &before).await;
        self.watch_for_missing_kinds(&evaluated).await;

        for planned in &mut evaluated.checks {
            if let CheckState::Planned { plan, .. } = &mut planned.state {
                self.hand_over(key, &mut plan.prune).await?;
            }
        }
        let resting = self.resting(key, &evaluated, &before);
        let mut inventory = before.clone();
        inventory.enforced_by_binding = enforced;
        inventory.looks.retain(|name, _| evaluated.checks.iter().any(|check| check.name == *name));
        for planned in &evaluated.checks {
            if let CheckState::Planned { check, plan } = &planned.state
                && !resting.contains(&planned.name)
            {
                inventory = inventory::intended(&inventory, check, plan);
            }
        }
        let replica = self.write_replica(key, policy, replica.as_ref(), &evaluated, &inventory).await?;

        let mut messages: Vec<(String, Vec<String>)> = Vec::new();
        let mut stale = false;
        let mut refused = evaluated.lacks_account;
        let mut disconnected = None;
        let tired = self.retries.get(key).is_some_and(|retry| retry.backoff.failures() >= TIRED);
        for evaluated in &evaluated.checks {
            let said = match &evaluated.state {
                CheckState::Reported(message) => {
                    inventory.looks.remove(&evaluated.name);
                    match &evaluated.fault {
                        None => vec![message.clone()],
                        Some(fault) => self.report_fault(key, policy, fault),
                    }
                }
                // It is not its time: what was said of it holds.
                CheckState::Planned { .. } if resting.contains(&evaluated.name) => Vec::new(),
                CheckState::Planned { check, plan } => {
                    let carried = self.carry_out(key, policy, check, plan, &inventory).await;
                    let Some(CarriedOut { pushed, inventory: after, assessment }) = carried else {
                        return Ok(Outcome::Disconnected("not connected".to_owned()));
                    };
                    inventory = after;
                    stale |= pushed.stale;
                    refused |= is_refused(&pushed);
                    self.announce_kept(&replica, &before, plan).await;
                    // What was not tried to the end is no news: the next look tells how it is.
                    let unfinished = pushed.disconnected.is_some() || (pushed.stale && !tired);
                    if disconnected.is_none() {
                        disconnected = pushed.disconnected;
                    }
                    inventory.looks.remove(&check.name);
                    if unfinished {
                        Vec::new()
                    } else {
                        let last = Last::of(check, plan, assessment.status);
                        if let Some(look) =
                            last.look.as_ref().filter(|look| interval::is_worth_keeping(check, look))
                        {
                            inventory.looks.insert(check.name.clone(), look.clone());
                        }
                        let statuses = self.statuses.entry(key.clone()).or_default();
                        statuses.insert(check.name.clone(), last);
                        let mut said = assessment.messages;
                        if let (Some(newest), Some(sentence)) = (said.last_mut(), in_force.get(&check.name)) {
                            *newest = format!("{newest}; {sentence}");
                        }
                        said
                    }
                }
            };
            messages.push((evaluated.name.clone(), said));
        }
        let replica = self.write_replica(key, policy, Some(&replica), &evaluated, &inventory).await?;
        self.report(key, &replica, &messages).await?;
        match disconnected {
            Some(reason) => Ok(Outcome::Disconnected(reason)),
            None if stale => Ok(Outcome::Stale),
            None if refused => Ok(Outcome::Refused),
            None => Ok(Outcome::Settled),
        }
    }

    /// What was written on the cluster before. Where the replicated policy is gone or spoilt, what this worker last wrote there
    /// stands in: objects of ours stay ours.
    pub(super) fn inventory_before(&self, key: &PolicyKey, replica: Option<&Manifest>) -> Inventory {
        let remembered = || self.inventories.get(key).cloned().unwrap_or_default();
        match (replica, prepare::inventory(replica)) {
            (Some(_), Ok(inventory)) => inventory,
            (None, _) => remembered(),
            (Some(_), Err(error)) => {
                tracing::error!(cluster = self.name, policy = %key, %error, "the inventory is written anew");
                remembered()
            }
        }
    }

    /// Evaluates, and registers what was looked up, so that a change brings the policy back. A change between the look
    /// and the registration would be missed: then it looks again.
    async fn evaluate_and_remember(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
        inventory: &Inventory,
        replica: Option<&Manifest>,
    ) -> Result<Box<Evaluated>, String> {
        for _ in 0..ROUNDS {
            let hub_before = self.shared.hub.connection().snapshot();
            let here_before = self.link.as_ref().map(|link| link.connection.snapshot());
            let evaluated = self.evaluate_until_known(policy, managed, enforced, inventory, replica).await?;
            let (hub_news, here_news) = self.remember_references(key, &evaluated);
            let here = self.link.as_ref().map(|link| link.connection.snapshot());
            let unchanged = hub_before.agrees(&self.shared.hub.connection().snapshot(), &hub_news)
                && match (here_before, here) {
                    (Some(before), Some(after)) => before.agrees(&after, &here_news),
                    _ => true,
                };
            if unchanged {
                return Ok(evaluated);
            }
        }
        Err(format!("what policy {key} looks up never comes to rest"))
    }

    /// Renders and plans; where a look-up is not watched yet, watches it and starts over.
    pub(super) async fn evaluate_until_known(
        &self,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
        inventory: &Inventory,
        replica: Option<&Manifest>,
    ) -> Result<Box<Evaluated>, String> {
        let Some(link) = &self.link else { return Err("not connected".to_owned()) };
        let fleet = &self.shared.fleet;
        prepare::evaluate_until_known(&Request {
            renderer: &self.shared.renderer,
            hub: &self.shared.hub,
            link,
            policy,
            managed,
            enforced,
            inventory,
            replica,
            compliance: &|| self.compliance_here(),
            policies_of_set: &|namespace, name| {
                fleet.read().unwrap_or_else(PoisonError::into_inner).policies_of_set(namespace, name)
            },
            sight: &prepare::Plain,
        })
        .await
    }

    /// Compliance of policies and their templates on this cluster, by kind and name.
    fn compliance_here(&self) -> KnownCompliance {
        let replicas = self.replicas();
        prepare::compliance(replicas.iter().map(|(key, replica)| (key.clone(), replica.as_ref())))
    }

    /// Remembers what the evaluation looked at, on the hub and here; answers what it had not looked at before.
    fn remember_references(
        &mut self,
        key: &PolicyKey,
        evaluated: &Evaluated,
    ) -> (BTreeSet<Reference>, BTreeSet<Reference>) {
        let mut readers = self.desk.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = readers.insert(key.clone(), evaluated.cluster_references.clone()).unwrap_or_default();
        drop(readers);
        let here_news = evaluated.cluster_references.difference(&before).cloned().collect();
        let before = self.remember_hub_references(key, evaluated.hub_references.clone());
        let hub_news = evaluated.hub_references.difference(&before).cloned().collect();
        (hub_news, here_news)
    }

    /// Sets what a policy looks at on the hub; answers what it was before.
    fn remember_hub_references(
        &mut self,
        key: &PolicyKey,
        references: BTreeSet<Reference>,
    ) -> BTreeSet<Reference> {
        let before = self.looked_up.remove(key).unwrap_or_default();
        if before != references {
            let reader = (self.name.clone(), key.clone());
            let mut hub = self.shared.hub_readers.lock().unwrap_or_else(PoisonError::into_inner);
            for reference in before.difference(&references) {
                if let Some(readers) = hub.get_mut(reference) {
                    readers.remove(&reader);
                    if readers.is_empty() {
                        hub.remove(reference);
                    }
                }
            }
            for reference in references.difference(&before) {
                hub.entry(reference.clone()).or_default().insert(reader.clone());
            }
        }
        if !references.is_empty() {
            self.looked_up.insert(key.clone(), references);
        }
        before
    }

    /// Forgets all that is known of a policy which has left the cluster.
    pub(super) fn forget_policy(&mut self, key: &PolicyKey) {
        self.remember_hub_references(key, BTreeSet::new());
        self.desk.readers.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.written.remove(key);
        self.inventories.remove(key);
        self.statuses.remove(key);
        self.alarms.remove(key);
        self.forget_claims(key);
    }

    /// Where a kind is missing, the cluster's CustomResourceDefinitions are watched for its arrival.
    pub(super) async fn watch_for_missing_kinds(&self, evaluated: &Evaluated) {
        let Some(link) = &self.link else { return };
        let snapshot = link.connection.snapshot();
        let missing = evaluated
            .cluster_references
            .iter()
            .any(|reference| snapshot.is_namespaced(&reference.gvk).is_none());
        if missing {
            let key = WatchKey {
                depth: Depth::Metadata,
                ..WatchKey::all("apiextensions.k8s.io/v1", "CustomResourceDefinition")
            };
            if let Err(error) = link.connection.watch(key).await {
                tracing::warn!(cluster = self.name, %error, "CustomResourceDefinitions cannot be watched");
            }
        }
    }

    /// The checks that are not looked at before their time, and an alarm for the first of them that is due again. What this
    /// process has not looked at yet, an earlier one may have.
    fn resting(&mut self, key: &PolicyKey, evaluated: &Evaluated, inventory: &Inventory) -> BTreeSet<String> {
        let now = clock::now();
        let mut resting = BTreeSet::new();
        let mut first: Option<Timestamp> = None;
        let known = self.statuses.get(key);
        for evaluated in &evaluated.checks {
            let CheckState::Planned { check, plan } = &evaluated.state else { continue };
            let look = match known.and_then(|known| known.get(&check.name)) {
                Some(last) => last.look.as_ref(),
                None => inventory.looks.get(&check.name),
            };
            match interval::rest(check, plan, look, now) {
                Rest::None => continue,
                Rest::Forever => {}
                Rest::Until(due) => first = Some(first.map_or(due, |first| first.min(due))),
            }
            resting.insert(evaluated.name.clone());
        }
        self.alarms.remove(key);
        if let Some(due) = first {
            let pause = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            self.alarms.insert(key.clone(), Instant::now() + pause);
        }
        resting
    }

    /// What is said of a check that does not come out here.
    fn report_fault(&mut self, key: &PolicyKey, policy: &Policy, fault: &CheckFault) -> Vec<String> {
        let statuses = self.statuses.entry(key.clone()).or_default();
        let previous = statuses.remove(&fault.check.name).unwrap_or_default().status;
        let occasion = Occasion {
            previous: &previous,
            generation: generation(policy),
            wording: &|status, related, ordinary| worded(&fault.check, true, status, related, ordinary),
            now: clock::now(),
        };
        let assessment = assess::unplanned(&fault.check, fault.reason, &fault.message, &occasion);
        let last = Last { status: assessment.status, ..Last::default() };
        statuses.insert(fault.check.name.clone(), last);
        assessment.messages
    }

    /// Pushes the plan of one check and assesses what came of it.
    async fn carry_out(
        &self,
        key: &PolicyKey,
        policy: &Policy,
        check: &Check,
        plan: &CheckPlan,
        intended: &Inventory,
    ) -> Option<CarriedOut> {
        let link = self.link.as_ref()?;
        let nothing = ConfigurationPolicyStatus::default();
        let known = self.statuses.get(key).and_then(|statuses| statuses.get(&check.name));
        let known = known.map(|last| &last.status);
        let occasion = Occasion {
            previous: known.unwrap_or(&nothing),
            generation: generation(policy),
            wording: &|status, related, ordinary| worded(check, plan.sensitive, status, related, ordinary),
            now: clock::now(),
        };
        let carried = carry_out(&link.connection, check, plan, intended, &occasion).await;
        for (object, difference) in assess::differences_to_log(plan, &carried.pushed.results) {
            tracing::info!(
                cluster = self.name, policy = %key, check = check.name, %object, difference,
                "an object was not as it should be"
            );
        }
        for result in carried.pushed.results.iter().flatten() {
            let kind = match result {
                StepResult::Created(_) => WriteKind::Create,
                StepResult::Updated(_) | StepResult::Recreated(_) => WriteKind::Update,
                StepResult::Deleted | StepResult::NotGone => WriteKind::Delete,
                StepResult::Refused { .. } => WriteKind::Refused,
                StepResult::NotTaken | StepResult::Unchanged(_) | StepResult::Differs(_) => continue,
            };
            self.shared.metrics.writes.get_or_create(&WriteLabels { kind }).inc();
        }
        Some(carried)
    }
}

fn generation(policy: &Policy) -> i64 {
    policy.metadata.other.get("generation").and_then(Value::as_i64).unwrap_or_default()
}

fn is_refused(pushed: &Pushed) -> bool {
    pushed
        .results
        .iter()
        .flatten()
        .any(|result| matches!(result, StepResult::Refused { .. } | StepResult::NotGone))
        || pushed.pruned.iter().flatten().any(Result::is_err)
}
