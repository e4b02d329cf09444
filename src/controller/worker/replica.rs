//! Replicated policies as the hub has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::prepare;
use super::Worker;
use crate::adapters::hub::HubKind;
use crate::api::object::Manifest;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::{Answer, Lookup};

impl Worker {
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
