//! What is written on the hub from the roll-up: PlacementDecisions, and the status of Placements, Policies and PolicySets.
//!
//! Everything is coalesced: a thousand clusters that report in the same moment cost one status write per policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::fleet::{Name, Unusable};
use super::inbox::Inbox;
use super::metrics::PolicyLabels;
use super::worker::Shared;
use crate::adapters::api_server::ApiError;
use crate::adapters::hub::{EventKind, HubEvent, HubKind, is_own, lasting_name, write_decisions};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::names;
use crate::api::ocm::placement::Placement;
use crate::api::ocm::policy::{ClusterStatus, ComplianceState, PlacementStatusEntry, PolicyStatus};
use crate::clock;
use crate::pipeline::compliance::{PolicyInSet, policy_set_status, root_status};
use crate::pipeline::placement::scope::is_scheduling_disabled;
use crate::pipeline::placement::{Decisions, decision_objects, group_status};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::{Answer, Lookup};
use crate::pipeline::sets::seal;

/// How long reports are gathered before they are written.
const GATHER: Duration = Duration::from_millis(50);
/// How long a failed write waits; the others do not wait with it.
const RETRY: Duration = Duration::from_secs(2);

/// Reason of the Event about an object that cannot be read.
const MALFORMED: &str = "Malformed";
/// Reason of the Event about an edit by hand that counts for nothing.
const EDITED: &str = "EditedByHand";

/// What must be written.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) placements: BTreeSet<Name>,
    pub(super) policies: BTreeSet<PolicyKey>,
    pub(super) policy_sets: BTreeSet<Name>,
    /// Objects that do not count as they stand, with what is wrong.
    pub(super) malformed: BTreeMap<ObjectKey, Unusable>,
}

impl Reports {
    fn join(&mut self, other: Self) {
        self.placements.extend(other.placements);
        self.policies.extend(other.policies);
        self.policy_sets.extend(other.policy_sets);
        // What is waiting is newer than what failed before.
        for (object, fault) in other.malformed {
            self.malformed.entry(object).or_insert(fault);
        }
    }

    fn is_empty(&self) -> bool {
        self.placements.is_empty()
            && self.policies.is_empty()
            && self.policy_sets.is_empty()
            && self.malformed.is_empty()
    }
}

/// Writes reports until the task is dropped.
pub(super) async fn run(shared: Arc<Shared>, inbox: Arc<Inbox<Reports>>) {
    let mut failed = Reports::default();
    let mut retry_at: Option<Instant> = None;
    loop {
        match retry_at {
            None => inbox.posted().await,
            Some(at) => {
                tokio::select! {
                    () = inbox.posted() => {}
                    () = tokio::time::sleep_until(at) => {}
                }
            }
        }
        tokio::time::sleep(GATHER).await;
        let mut reports = inbox.take();
        if retry_at.is_some_and(|at| at <= Instant::now()) {
            retry_at = None;
            reports.join(std::mem::take(&mut failed));
        }
        for (object, fault) in reports.malformed {
            if let Err(error) = report_unusable(&shared, &object, &fault).await {
                tracing::warn!(%object, %error, "failed to tell that an object does not count as it stands");
                failed.malformed.insert(object, fault);
            }
        }
        for placement in reports.placements {
            if let Err(error) = report_placement(&shared, &placement).await {
                tracing::warn!(placement = %format!("{}/{}", placement.0, placement.1), %error, "failed to write decisions");
                failed.placements.insert(placement);
            }
        }
        for policy in reports.policies {
            if let Err(error) = report_policy(&shared, &policy).await {
                tracing::warn!(%policy, %error, "failed to write the status of a policy");
                failed.policies.insert(policy);
            }
        }
        for set in reports.policy_sets {
            if let Err(error) = report_policy_set(&shared, &set).await {
                tracing::warn!(set = %format!("{}/{}", set.0, set.1), %error, "failed to write the status of a policy set");
                failed.policy_sets.insert(set);
            }
        }
        if !failed.is_empty() {
            retry_at.get_or_insert(Instant::now() + RETRY);
        }
    }
}

fn cached(shared: &Shared, kind: HubKind, namespace: &str, name: &str) -> Option<Arc<Manifest>> {
    match shared.hub.connection().snapshot().get(&kind.gvk(), Some(namespace), name) {
        Answer::Found(manifest) => Some(manifest),
        Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
    }
}

/// An object that does not count as it stands is told of on itself, once for each fault.
async fn report_unusable(shared: &Shared, key: &ObjectKey, fault: &Unusable) -> Result<(), ApiError> {
    let snapshot = shared.hub.connection().snapshot();
    let Answer::Found(object) = snapshot.get(&key.gvk, key.namespace.as_deref(), &key.name) else {
        return Ok(());
    };
    let (reason, message) = match fault {
        Unusable::Malformed(error) => (
            MALFORMED,
            format!(
                "{key} cannot be read and is left out until it is corrected: {}; what it decided before stays as it is",
                error.message
            ),
        ),
        // The API server filled in fields, and the hub has sealed them since: nobody edited anything.
        Unusable::Edited { digest, .. } if seal::is_sealed_as(&object, digest) => return Ok(()),
        Unusable::Edited { .. } => (EDITED, fault.to_string()),
    };
    let event = HubEvent {
        name: lasting_name(&object, reason, &message),
        kind: EventKind::Warning,
        reason: reason.to_owned(),
        message,
        at: clock::now(),
    };
    shared.hub.record(&object, &event).await
}

async fn report_placement(shared: &Shared, name: &Name) -> Result<(), ApiError> {
    let snapshot = shared.hub.connection().snapshot();
    let gvk: GroupVersionKind = HubKind::PlacementDecision.gvk();
    let existing: Vec<Arc<Manifest>> = match snapshot.list(&gvk, Some(&name.0)) {
        Answer::Found(decisions) => decisions
            .into_iter()
            .filter(|decision| is_own(decision) && decision.label(names::PLACEMENT_LABEL) == Some(&name.1))
            .collect(),
        Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => Vec::new(),
    };
    let decided = shared.fleet.read().unwrap_or_else(PoisonError::into_inner).placement(name, clock::now());
    let Some((placement, foreign, decisions)) = decided else {
        // The Placement is gone; the garbage collector takes its decisions.
        return Ok(());
    };
    // Decisions that somebody else makes, by hand or by another controller, are not touched.
    if foreign || is_scheduling_disabled(&placement) {
        return Ok(());
    }
    write_decisions(&shared.hub, decision_objects(&placement, &decisions.groups), &existing).await?;
    let Some(object) = cached(shared, HubKind::Placement, &name.0, &name.1) else { return Ok(()) };
    shared.hub.write_status(&object, &placement_status(&placement, &decisions)).await?;
    Ok(())
}

fn placement_status(placement: &Placement, decisions: &Decisions) -> Value {
    let mut status = placement.status.other.clone();
    status.insert("decisionGroups".to_owned(), group_status(placement, &decisions.groups));
    status.insert("numberOfSelectedClusters".to_owned(), json!(decisions.selected.len()));
    status.insert("conditions".to_owned(), json!(decisions.conditions));
    Value::Object(status)
}

async fn report_policy(shared: &Shared, key: &PolicyKey) -> Result<(), ApiError> {
    let Some(object) = cached(shared, HubKind::Policy, &key.namespace, &key.name) else { return Ok(()) };
    let (clusters, bindings, remaining) = {
        let fleet = shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
        (fleet.placed_clusters(key), fleet.placement_status(key), fleet.remaining_bindings(key))
    };
    let compliance = compliance_of(shared, key, &clusters);
    count(shared, key, &compliance);
    let previous: PolicyStatus = object
        .at(&["status"])
        .and_then(|status| serde_json::from_value(status.clone()).ok())
        .unwrap_or_default();
    let status = root_status(&previous, &bindings, &compliance, &remaining);
    shared.hub.write_status(&object, &json!(status)).await?;
    Ok(())
}

/// What each cluster's replicated policy says; `None` while it says nothing.
fn compliance_of(
    shared: &Shared,
    key: &PolicyKey,
    clusters: &BTreeSet<String>,
) -> BTreeMap<String, Option<ComplianceState>> {
    let snapshot = shared.hub.connection().snapshot();
    let gvk = HubKind::Policy.gvk();
    let name = key.replicated_name();
    clusters
        .iter()
        .map(|cluster| {
            let state = match snapshot.get(&gvk, Some(cluster), &name) {
                Answer::Found(replica) => replica
                    .at(&["status", "compliant"])
                    .and_then(|state| serde_json::from_value(state.clone()).ok()),
                Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
            };
            (cluster.clone(), state)
        })
        .collect()
}

fn count(shared: &Shared, key: &PolicyKey, compliance: &BTreeMap<String, Option<ComplianceState>>) {
    for (state, word) in [
        (Some(ComplianceState::Compliant), "Compliant"),
        (Some(ComplianceState::Pending), "Pending"),
        (Some(ComplianceState::NonCompliant), "NonCompliant"),
        (None, "Unknown"),
    ] {
        let labels = PolicyLabels {
            namespace: key.namespace.clone(),
            policy: key.name.clone(),
            state: word.to_owned(),
        };
        let clusters = compliance.values().filter(|found| **found == state).count();
        shared.metrics.compliance.get_or_create(&labels).set(i64::try_from(clusters).unwrap_or(i64::MAX));
    }
}

/// A policy of a set that exists.
struct Present {
    disabled: bool,
    clusters: BTreeSet<String>,
}

async fn report_policy_set(shared: &Shared, name: &Name) -> Result<(), ApiError> {
    let Some(object) = cached(shared, HubKind::PolicySet, &name.0, &name.1) else { return Ok(()) };
    let snapshot = {
        let fleet = shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
        let Some(set) = fleet.policy_set(name) else { return Ok(()) };
        let placement: BTreeSet<PlacementStatusEntry> = set
            .spec
            .policies
            .iter()
            .flat_map(|policy| fleet.placement_status(&PolicyKey::new(&name.0, policy)))
            .filter(|entry| entry.policy_set == name.1)
            .map(|entry| PlacementStatusEntry {
                placement_binding: entry.placement_binding,
                placement: entry.placement,
                ..PlacementStatusEntry::default()
            })
            .collect();
        let placement: Vec<PlacementStatusEntry> = placement.into_iter().collect();
        let clusters: BTreeSet<String> = fleet
            .selected_by(&name.0, placement.iter().map(|entry| entry.placement.as_str()))
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
        let policies: Vec<(String, Option<Present>)> = set
            .spec
            .policies
            .iter()
            .map(|policy| {
                let key = PolicyKey::new(&name.0, policy);
                let found = fleet.policy(&key).map(|found| Present {
                    disabled: found.spec.disabled,
                    clusters: fleet.placed_clusters(&key),
                });
                (policy.clone(), found)
            })
            .collect();
        (set, placement, clusters, policies)
    };
    let (set, placement, clusters, policies) = snapshot;
    let reports: Vec<Vec<ClusterStatus>> = policies
        .iter()
        .map(|(policy, found)| {
            let placed = found.as_ref().map(|found| found.clusters.clone()).unwrap_or_default();
            compliance_of(shared, &PolicyKey::new(&name.0, policy), &placed)
                .into_iter()
                .map(|(cluster, compliant)| ClusterStatus {
                    clusternamespace: cluster.clone(),
                    clustername: cluster,
                    compliant,
                    remaining_bindings: Vec::new(),
                })
                .collect()
        })
        .collect();
    let policies: Vec<(&str, PolicyInSet<'_>)> = policies
        .iter()
        .zip(&reports)
        .map(|((policy, found), reports)| {
            let state = match found {
                None => PolicyInSet::Missing,
                Some(Present { disabled: true, .. }) => PolicyInSet::Disabled,
                Some(Present { disabled: false, .. }) => PolicyInSet::Present(reports),
            };
            (policy.as_str(), state)
        })
        .collect();
    let clusters: BTreeSet<&str> = clusters.iter().map(String::as_str).collect();
    let mut status = policy_set_status(&set, &policies, &placement, &clusters);
    if let Some(fault) = object.annotation(names::CONFIGURATION_FAULT_ANNOTATION) {
        status.status_message = match status.status_message.as_str() {
            "" => fault.to_owned(),
            message => format!("{fault}; {message}"),
        };
    }
    shared.hub.write_status(&object, &json!(status)).await?;
    Ok(())
}
