//! What Flotilla has written on a cluster for one policy. It stands as an annotation on the replicated Policy, so that the
//! next process goes on where the last one stopped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::api::object::{GroupVersionKind, ObjectKey};
use crate::api::ocm::configuration_policy::PruneObjectBehavior;
use crate::pipeline::compare::WrittenLists;

/// An inventory that cannot be read. Nothing is pruned by it.
#[derive(Debug, Error)]
#[error("failed to read the inventory of {policy}: {source}")]
pub struct InventoryError {
    /// The replicated policy.
    pub policy: String,
    /// What serde found.
    pub source: serde_json::Error,
}

/// Objects by check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inventory {
    /// By name of the check.
    pub checks: BTreeMap<String, CheckInventory>,
}

/// The objects of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckInventory {
    /// The behaviour that was in force when it was last evaluated.
    pub prune: PruneObjectBehavior,
    /// Its objects.
    #[serde(default)]
    pub objects: Vec<Entry>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Namespace, for namespaced kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Its uid; `None` while the creation is intended but not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Whether Flotilla created it.
    #[serde(default)]
    pub created: bool,
    /// What Flotilla wrote into its lists.
    #[serde(default, skip_serializing_if = "WrittenLists::is_empty")]
    pub lists: WrittenLists,
    /// Why it is kept although it is no longer wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

impl Entry {
    /// An entry for an object.
    pub fn new(key: &ObjectKey) -> Self {
        Self {
            api_version: key.gvk.api_version(),
            kind: key.gvk.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: None,
            created: false,
            lists: WrittenLists::default(),
            held: None,
        }
    }

    /// The object's identity.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            gvk: GroupVersionKind::new(&self.api_version, &self.kind),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

impl Inventory {
    /// Reads the annotation.
    pub fn parse(policy: &str, text: &str) -> Result<Self, InventoryError> {
        serde_json::from_str(text).map_err(|source| InventoryError { policy: policy.to_owned(), source })
    }

    /// The annotation's text.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The entry of an object in a check.
    pub fn entry(&self, check: &str, key: &ObjectKey) -> Option<&Entry> {
        self.checks.get(check)?.objects.iter().find(|entry| entry.key() == *key)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.checks.values().all(|check| check.objects.is_empty())
    }

    /// All objects.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &CheckInventory, &Entry)> {
        self.checks
            .iter()
            .flat_map(|(name, check)| check.objects.iter().map(move |entry| (name.as_str(), check, entry)))
    }
}
