//! Replicated policies as the hub has them, and the news of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::prepare;
use super::Worker;
use super::report::root_of;
use crate::adapters::hub::{EventKind, HubEvent, HubKind, ReplicaWrite, lasting_name};
use crate::api::object::Manifest;
use crate::api::ocm::policy::Policy;
use crate::clock;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::{Answer, Lookup};

/// Reason of the Events of a root policy that tell how it fares on its way to the clusters.
pub(super) const PROPAGATION: &str = "PolicyPropagation";

/// What is new of a replicated policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Propagation {
    /// There was none before.
    Created,
    /// It asks for something else.
    Updated,
}

impl Propagation {
    pub(super) fn of(write: &ReplicaWrite) -> Option<Self> {
        match write {
            ReplicaWrite::Created(_) => Some(Self::Created),
            ReplicaWrite::Updated(_) => Some(Self::Updated),
            ReplicaWrite::Unchanged(_) | ReplicaWrite::Noted(_) => None,
        }
    }
}

impl Worker {
    /// An Event on the root policy, one for each version of the replicated one.
    pub(super) async fn announce_propagation(
        &self,
        key: &PolicyKey,
        policy: &Policy,
        replica: &Manifest,
        news: Propagation,
    ) {
        let message = match news {
            Propagation::Created => format!("Policy {key} was propagated to cluster {}", self.name),
            Propagation::Updated => format!("Policy {key} was updated for cluster {}", self.name),
        };
        let Some(about) = root_of(policy) else { return };
        let version = replica.resource_version().unwrap_or_default();
        let name = lasting_name(&about, PROPAGATION, &format!("{message} {version}"));
        let event = HubEvent {
            name,
            kind: EventKind::Normal,
            reason: PROPAGATION.to_owned(),
            message,
            at: clock::now(),
        };
        self.record_event(&about, &event).await;
    }

    /// The replicated policies in the cluster's namespace, by root.
    pub(super) fn replicas(&self) -> BTreeMap<PolicyKey, Arc<Manifest>> {
        prepare::replicas(&self.shared.hub.connection().snapshot(), &self.name)
    }

    /// A replicated policy as the hub has it; the caches know our own writes at once.
    pub(super) fn replica(&self, policy: &PolicyKey) -> Option<Manifest> {
        let snapshot = self.shared.hub.connection().snapshot();
        match snapshot.get(&HubKind::Policy.gvk(), Some(&self.name), &policy.replicated_name()) {
            Answer::Found(replica) => Some(replica.as_ref().clone()),
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
        }
    }

    /// Remembers a replicated policy as our own write left it.
    pub(super) fn remember_written(&mut self, policy: &PolicyKey, replica: &Manifest) {
        if let Some(version) = replica.resource_version() {
            self.written.insert(policy.clone(), version.to_owned());
        }
    }
}
