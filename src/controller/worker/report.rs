//! What a worker tells the hub: the replicated policy with its inventory, status and history, and Events.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::super::evaluate::{CheckState, Evaluated, Evaluation, Subject, evaluate};
use super::super::inbox::Portion;
use super::super::prepare::{self, ROUNDS, status_of};
use super::Worker;
use super::replica::{PROPAGATION, Propagation};
use crate::adapters::api_server::{ApiError, Ensured};
use crate::adapters::hub::{EventKind, HubEvent, lasting_name};
use crate::api::object::Manifest;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::policy::{ComplianceState, Policy, PolicyStatus};
use crate::clock;
use crate::pipeline::compliance::{TemplateMessage, compliance_of_message, record, replicated_compliance};
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::plan::target::ClusterFacts;
use crate::pipeline::plan::{CheckPlan, PruneAction};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::Placed;

impl Worker {
    pub(super) async fn write_replica(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        existing: Option<&Manifest>,
        evaluated: &Evaluated,
        inventory: &Inventory,
    ) -> Result<Manifest, ApiError> {
        let write =
            self.shared.hub.write_replica(existing, &evaluated.replicated, &inventory.to_text()).await?;
        let news = Propagation::of(&write);
        let replica = write.into_manifest();
        self.inventories.insert(key.clone(), inventory.clone());
        self.remember_written(key, &replica);
        if let Some(news) = news {
            self.announce_propagation(key, policy, &replica, news).await;
            if let Some(error) = &evaluated.hub_template_error {
                let message = format!("Failed to resolve templates for cluster {}: {error}", self.name);
                self.announce_on_root(policy, EventKind::Warning, PROPAGATION, message).await;
            }
        }
        Ok(replica)
    }

    /// Records messages in the replicated policy's status and history, and an Event for each that is new.
    pub(super) async fn report(
        &mut self,
        key: &PolicyKey,
        replica: &Manifest,
        messages: &[(String, Vec<String>)],
    ) -> Result<(), ApiError> {
        let before = status_of(replica);
        let templates: Vec<TemplateMessage<'_>> =
            messages.iter().map(|(template, messages)| TemplateMessage { template, messages }).collect();
        let now = clock::now();
        let recorded = record(&before.details, &key.replicated_name(), &templates, now);
        let status = PolicyStatus {
            compliant: replicated_compliance(&recorded.details, before.compliant),
            details: recorded.details,
            ..before.clone()
        };
        if status == before {
            return Ok(());
        }
        let written = self.shared.hub.write_replica_status(replica, &status).await?;
        self.remember_written(key, &written);
        for (template, entry) in &recorded.added {
            let kind = match compliance_of_message(&entry.message) {
                ComplianceState::NonCompliant => EventKind::Warning,
                ComplianceState::Compliant | ComplianceState::Pending => EventKind::Normal,
            };
            let event = HubEvent {
                name: entry.event_name.clone(),
                kind,
                reason: format!("policy: {}/{template}", self.name),
                message: entry.message.clone(),
                at: now,
            };
            self.record_event(&written, &event).await;
        }
        if status.compliant != before.compliant {
            tracing::info!(cluster = self.name, policy = %key, compliant = ?status.compliant, "compliance changed");
        }
        if states(&status) != states(&before) {
            self.wake_dependants();
        }
        Ok(())
    }

    /// Policies of this cluster with dependencies are looked at again; templates may depend on others of their own policy.
    fn wake_dependants(&self) {
        let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
        let dependants: BTreeSet<PolicyKey> = fleet
            .policies_on(&self.name)
            .into_iter()
            .filter(|key| fleet.policy(key).is_some_and(|policy| prepare::has_dependencies(&policy)))
            .collect();
        drop(fleet);
        if !dependants.is_empty() {
            self.desk.inbox.post(|mail| mail.policies.join(Portion::Some(dependants)));
        }
    }

    /// The cluster cannot be reached: its policies say so, and nothing else happens.
    pub(super) async fn report_unreachable(&mut self, key: &PolicyKey, reason: &str) {
        let (assignment, managed) = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            (fleet.assignment(key, &self.name), fleet.cluster(&self.name))
        };
        let (Some(assignment), Some(managed)) = (assignment, managed) else { return };
        if assignment.placed == Placed::No {
            return;
        }
        if let Err(error) = self
            .report_obstacle(key, &assignment.policy, &managed, assignment.placed == Placed::Enforced, reason)
            .await
        {
            tracing::warn!(cluster = self.name, policy = %key, %error, "the hub refuses the status of a cluster");
        }
    }

    pub(super) async fn report_obstacle(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
        reason: &str,
    ) -> Result<(), ApiError> {
        let replica = self.replica(key);
        let foreign = replica.as_ref().is_some_and(prepare::is_foreign);
        if foreign {
            return Ok(());
        }
        let inventory = self.inventory_before(key, replica.as_ref());
        let facts = ClusterFacts { name: self.name.clone(), ..ClusterFacts::default() };
        let mut account = prepare::account_view(&self.shared.hub, policy);
        // Where there is none, what is not reached need not be random either.
        let ambient = prepare::ambient().unwrap_or_default();
        for _ in 0..ROUNDS {
            let hub = Arc::new(self.shared.hub.connection().snapshot());
            let evaluation = evaluate(
                &Subject {
                    policy,
                    cluster: managed,
                    facts: &facts,
                    enforced_by_binding: enforced,
                    observed: hub.clone(),
                    hub,
                    inventory: &inventory,
                    unreachable: Some(reason),
                    compliance: &|_, _| None,
                    policies_of_set: &|_, _| None,
                    hub_as: account.as_ref().map(prepare::as_lookup),
                    vector: prepare::vector(replica.as_ref()),
                    ambient,
                },
                &self.shared.renderer,
            );
            match evaluation {
                Evaluation::Waiting { hub, service_account, .. } => {
                    if let Ensured::Disconnected(_) = self.shared.hub.connection().ensure(&hub).await {
                        return Ok(());
                    }
                    prepare::ensure_account(&mut account, &service_account).await;
                }
                Evaluation::Ready(evaluated) => {
                    let replica =
                        self.write_replica(key, policy, replica.as_ref(), &evaluated, &inventory).await?;
                    let messages: Vec<(String, Vec<String>)> = evaluated
                        .checks
                        .iter()
                        .filter_map(|check| match &check.state {
                            CheckState::Reported(message) => {
                                Some((check.name.clone(), vec![message.clone()]))
                            }
                            CheckState::Planned { .. } => None,
                        })
                        .collect();
                    return self.report(key, &replica, &messages).await;
                }
            }
        }
        Ok(())
    }

    /// Tells once what is kept although a check no longer wants it.
    pub(super) async fn announce_kept(&self, replica: &Manifest, before: &Inventory, plan: &CheckPlan) {
        let news: Vec<String> = plan
            .prune
            .iter()
            .filter_map(|prune| match &prune.action {
                PruneAction::Hold(why)
                    if before
                        .entry(&plan.name, &prune.entry.key())
                        .is_none_or(|entry| entry.held.as_ref() != Some(why)) =>
                {
                    Some(format!("{} is kept: {why}", prune.entry.key()))
                }
                PruneAction::Hold(_)
                | PruneAction::Unreadable(_)
                | PruneAction::Delete
                | PruneAction::Leaving
                | PruneAction::Forget => None,
            })
            .collect();
        if !news.is_empty() {
            let event = Self::event(replica, EventKind::Normal, "Kept", news.join("; "));
            self.record_event(replica, &event).await;
        }
    }

    pub(super) async fn announce_on_root(
        &self,
        policy: &Policy,
        kind: EventKind,
        reason: &str,
        message: String,
    ) {
        if let Some(about) = root_of(policy) {
            let event = Self::event(&about, kind, reason, message);
            self.record_event(&about, &event).await;
        }
    }

    pub(super) fn event(about: &Manifest, kind: EventKind, reason: &str, message: String) -> HubEvent {
        let name = lasting_name(about, reason, &message);
        HubEvent { name, kind, reason: reason.to_owned(), message, at: clock::now() }
    }

    /// An Event that cannot be written is logged: it must not stop what it tells of.
    pub(super) async fn record_event(&self, about: &Manifest, event: &HubEvent) {
        if let Err(error) = self.shared.hub.record(about, event).await {
            tracing::warn!(cluster = self.name, event = event.name, %error, "the Event cannot be written");
        }
    }
}

/// What dependencies look at: the compliance of the policy and of each template.
fn states(status: &PolicyStatus) -> (Option<ComplianceState>, Vec<(&str, Option<ComplianceState>)>) {
    let of_templates = status.details.iter();
    (
        status.compliant,
        of_templates.map(|detail| (detail.template_meta.name.as_str(), detail.compliant)).collect(),
    )
}

/// A root policy as Events name it.
pub(super) fn root_of(policy: &Policy) -> Option<Manifest> {
    Manifest::parse(json!({
        "apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
        "metadata": {"name": policy.metadata.name, "namespace": policy.metadata.namespace,
            "uid": policy.metadata.other.get("uid")},
    }))
    .ok()
}
