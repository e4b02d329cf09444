//! Replicated policies as the hub has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Worker;
use crate::adapters::hub::HubKind;
use crate::api::object::Manifest;
use crate::api::ocm::names;
use crate::api::ocm::policy::PolicyStatus;
use crate::pipeline::plan::inventory::{Inventory, InventoryError};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::{Answer, Lookup};

impl Worker {
    /// The replicated policies in the cluster's namespace, by root.
    pub(super) fn replicas(&self) -> BTreeMap<PolicyKey, Arc<Manifest>> {
        let snapshot = self.shared.hub.connection().snapshot();
        match snapshot.list(&HubKind::Policy.gvk(), Some(&self.name)) {
            Answer::Found(replicas) => replicas
                .into_iter()
                .filter(|replica| replica.label(names::ROOT_POLICY_LABEL).is_some())
                .filter_map(|replica| Some((PolicyKey::from_replicated(replica.name()?)?, replica)))
                .collect(),
            _ => BTreeMap::new(),
        }
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

/// Whether another controller propagates the policy: its replicated policy has no inventory of ours.
pub(super) fn is_foreign(replica: &Manifest) -> bool {
    replica.annotation(names::INVENTORY_ANNOTATION).is_none()
}

/// The inventory that stands on a replicated policy.
pub(super) fn inventory(replica: Option<&Manifest>) -> Result<Inventory, InventoryError> {
    match replica
        .and_then(|replica| Some((replica.name()?, replica.annotation(names::INVENTORY_ANNOTATION)?)))
    {
        Some((name, text)) => Inventory::parse(name, text),
        None => Ok(Inventory::default()),
    }
}

/// Its status; empty where there is none.
pub(super) fn status_of(replica: &Manifest) -> PolicyStatus {
    replica.at(&["status"]).and_then(|status| serde_json::from_value(status.clone()).ok()).unwrap_or_default()
}
