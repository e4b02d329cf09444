//! The flow for one policy: render, compare, plan; write down what will be created; push; assess; report.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::super::evaluate::{CheckState, Evaluated};
use super::super::metrics::{WriteKind, WriteLabels};
use super::super::prepare::{self, KnownCompliance, Request};
use super::{Outcome, Worker};
use crate::adapters::api_server::{ApiError, Depth, WatchKey};
use crate::adapters::cluster::{self, Pushed};
use crate::api::object::Manifest;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::policy::Policy;
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
        if let Some(other) = replica.as_ref().filter(|replica| prepare::is_foreign(replica)) {
            tracing::warn!(
                cluster = self.name, policy = %key, replica = other.name(),
                "another controller propagates this policy: standing down"
            );
            return Ok(Outcome::Settled);
        }
        let before = match prepare::inventory(replica.as_ref()) {
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
        let fleet = &self.shared.fleet;
        prepare::evaluate_until_known(&Request {
            renderer: &self.shared.renderer,
            hub: self.shared.hub.connection(),
            link,
            policy,
            managed,
            enforced,
            inventory,
            compliance: &|| self.compliance_here(),
            policies_of_set: &|namespace, name| {
                fleet.read().unwrap_or_else(PoisonError::into_inner).policies_of_set(namespace, name)
            },
        })
        .await
    }

    /// Compliance of policies and their templates on this cluster, by kind and name.
    fn compliance_here(&self) -> KnownCompliance {
        let replicas: BTreeMap<PolicyKey, Manifest> = self
            .replicas()
            .into_keys()
            .chain(self.written.keys().cloned())
            .filter_map(|key| Some((key.clone(), self.replica(&key)?)))
            .collect();
        prepare::compliance(replicas.iter().map(|(key, replica)| (key.clone(), replica)))
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
