//! Replicated policies as the hub has them, the worker's own latest writes included: the hub's watch may lag behind.

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

    /// A replicated policy as the hub has it, our own latest write included.
    pub(super) fn replica(&self, policy: &PolicyKey) -> Option<Manifest> {
        let snapshot = self.shared.hub.connection().snapshot();
        let cached = match snapshot.get(&HubKind::Policy.gvk(), Some(&self.name), &policy.replicated_name()) {
            Answer::Found(replica) => Some(replica),
            _ => None,
        };
        match (self.written.get(policy), cached) {
            (Some(written), Some(cached)) if version(&cached) >= version(written) => {
                Some(cached.as_ref().clone())
            }
            (Some(written), _) => Some(written.clone()),
            (None, cached) => cached.map(|cached| cached.as_ref().clone()),
        }
    }
}

/// Resource versions rise (Kubernetes 1.35 made that part of the API).
fn version(manifest: &Manifest) -> u64 {
    manifest.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
