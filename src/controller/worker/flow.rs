//! The flow for one policy: render, compare, plan; write down what will be created; push; assess; report.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::super::evaluate::{CheckState, Evaluated, Evaluation, Subject, evaluate};
use super::super::metrics::{WriteKind, WriteLabels};
use super::replica::{self, status_of};
use super::{Outcome, ROUNDS, Worker};
use crate::adapters::api_server::{ApiError, Depth, Ensured, WatchKey};
use crate::adapters::cluster::{self, Pushed};
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::policy::{ComplianceState, Policy};
use crate::pipeline::compliance::assess;
use crate::pipeline::plan::inventory::{self, Inventory};
use crate::pipeline::plan::{CheckPlan, StepResult};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::Lookup;

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
        if let Some(other) = replica.as_ref().filter(|replica| replica::is_foreign(replica)) {
            tracing::warn!(
                cluster = self.name, policy = %key, replica = other.name(),
                "another controller propagates this policy: standing down"
            );
            return Ok(Outcome::Settled);
        }
        let before = match replica::inventory(replica.as_ref()) {
            Ok(inventory) => inventory,
            Err(error) => {
                tracing::error!(cluster = self.name, policy = %key, %error, "nothing is pruned by this inventory");
                Inventory::default()
            }
        };
        let evaluated = match self.evaluate_until_known(policy, managed, enforced, &before).await {
            Ok(evaluated) => evaluated,
            Err(reason) => return Ok(Outcome::Disconnected(reason)),
        };
        self.remember_references(key, &evaluated);
        self.watch_for_missing_kinds(&evaluated).await;

        let mut inventory = before.clone();
        for planned in &evaluated.checks {
            if let CheckState::Planned { check, plan } = &planned.state {
                inventory = inventory::intended(&inventory, check, plan);
            }
        }
        let replica = self.write_replica(key, policy, replica.as_ref(), &evaluated, &inventory).await?;

        let mut messages: Vec<(String, Vec<String>)> = Vec::new();
        let mut again = false;
        let mut disconnected = None;
        for evaluated in &evaluated.checks {
            let said = match &evaluated.state {
                CheckState::Reported(message) => vec![message.clone()],
                CheckState::Planned { check, plan } => {
                    let pushed = self.push(plan).await;
                    inventory = inventory::recorded(&inventory, check, plan, &pushed.results, &pushed.pruned);
                    again |= pushed.stale || any_refused(&pushed);
                    self.announce_kept(&replica, &before, plan).await;
                    let said = assess::pushed(plan, &pushed.results);
                    if disconnected.is_none() {
                        disconnected = pushed.disconnected;
                    }
                    said
                }
            };
            messages.push((evaluated.name.clone(), said));
        }
        let replica = self.write_replica(key, policy, Some(&replica), &evaluated, &inventory).await?;
        self.report(key, &replica, &messages).await?;
        match disconnected {
            Some(reason) => Ok(Outcome::Disconnected(reason)),
            None if again => Ok(Outcome::Again),
            None => Ok(Outcome::Settled),
        }
    }

    /// Renders and plans; where a look-up is not watched yet, watches it and starts over.
    pub(super) async fn evaluate_until_known(
        &self,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
        inventory: &Inventory,
    ) -> Result<Box<Evaluated>, String> {
        let Some(link) = &self.link else { return Err("not connected".to_owned()) };
        for _ in 0..ROUNDS {
            let compliance = self.compliance_here();
            let evaluation = {
                let fleet = &self.shared.fleet;
                let subject = Subject {
                    policy,
                    cluster: managed,
                    facts: &link.facts,
                    enforced_by_binding: enforced,
                    hub: Arc::new(self.shared.hub.connection().snapshot()),
                    observed: Arc::new(link.connection.snapshot()),
                    inventory,
                    unreachable: None,
                    compliance: &|kind, name| compliance.get(&(kind.to_owned(), name.to_owned())).copied(),
                    policies_of_set: &|namespace, name| {
                        fleet.read().unwrap_or_else(PoisonError::into_inner).policies_of_set(namespace, name)
                    },
                };
                evaluate(&subject, &self.shared.renderer)
            };
            match evaluation {
                Evaluation::Ready(evaluated) => return Ok(evaluated),
                Evaluation::Waiting { hub, cluster } => {
                    if let Ensured::Disconnected(reason) = self.shared.hub.connection().ensure(&hub).await {
                        return Err(format!("the hub does not answer look-ups: {reason}"));
                    }
                    if let Ensured::Disconnected(reason) = link.connection.ensure(&cluster).await {
                        return Err(reason);
                    }
                }
            }
        }
        Err(format!("policy {} asks for ever more look-ups", policy.metadata.name))
    }

    /// Compliance of policies and their templates on this cluster, by kind and name.
    pub(super) fn compliance_here(&self) -> BTreeMap<(String, String), ComplianceState> {
        let mut known = BTreeMap::new();
        for key in self.replicas().into_keys().chain(self.written.keys().cloned()) {
            let Some(replica) = self.replica(&key) else { continue };
            let status = status_of(&replica);
            if let Some(state) = status.compliant {
                known.insert(("Policy".to_owned(), key.replicated_name()), state);
            }
            for detail in status.details {
                if let Some(state) = detail.compliant {
                    known.insert(("ConfigurationPolicy".to_owned(), detail.template_meta.name), state);
                }
            }
        }
        known
    }

    /// Remembers what the evaluation looked at, here and on the hub, so that a change of it brings it back.
    pub(super) fn remember_references(&self, key: &PolicyKey, evaluated: &Evaluated) {
        let mut readers = self.desk.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.insert(key.clone(), evaluated.cluster_references.clone());
        drop(readers);
        let mut hub = self.shared.hub_readers.lock().unwrap_or_else(PoisonError::into_inner);
        for reference in &evaluated.hub_references {
            hub.entry(reference.clone()).or_default().insert((self.name.clone(), key.clone()));
        }
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

    pub(super) async fn push(&self, plan: &CheckPlan) -> Pushed {
        let Some(link) = &self.link else { return Pushed::default() };
        let pushed = cluster::push(&link.connection, plan).await;
        for result in pushed.results.iter().flatten() {
            let kind = match result {
                StepResult::Created(_) => WriteKind::Create,
                StepResult::Updated(_) => WriteKind::Update,
                StepResult::Deleted => WriteKind::Delete,
                StepResult::Refused { .. } => WriteKind::Refused,
                StepResult::NotTaken | StepResult::Unchanged(_) | StepResult::Differs => continue,
            };
            self.shared.metrics.writes.get_or_create(&WriteLabels { kind }).inc();
        }
        pushed
    }
}

fn any_refused(pushed: &Pushed) -> bool {
    pushed.results.iter().flatten().any(|result| matches!(result, StepResult::Refused { .. }))
        || pushed.pruned.iter().flatten().any(Result::is_err)
}
