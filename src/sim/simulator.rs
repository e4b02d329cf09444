//! The seam between the in-memory API servers and what plays the operators on them.
//!
//! A simulator is a pure step: it sees the objects of one cluster, the shared object storage and the time, and answers
//! with the writes that the real controller would make. The runtime applies them and calls again until nothing changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::api::object::{Manifest, ObjectKey};

/// The objects of one simulated cluster.
pub trait View {
    /// One object.
    fn get(&self, key: &ObjectKey) -> Option<Arc<Manifest>>;

    /// All objects of a group and kind, in a namespace or everywhere, in the order of namespace and name.
    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Manifest>>;

    /// Every object that lives in the namespace, whatever its kind, in the order of kind and name.
    fn contents(&self, namespace: &str) -> Vec<Arc<Manifest>>;

    /// Whether the cluster knows the kind.
    fn serves(&self, group: &str, kind: &str) -> bool;
}

/// One write of a simulator.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Creates the object; one that exists already is left alone.
    Create(Value),
    /// Replaces the object (status included); dropped when the object has changed since the view was taken.
    Replace(Value),
    /// Deletes the object, finalizers respected.
    Delete(ObjectKey),
}

/// Why a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Objects changed.
    Change,
    /// A minute of the simulated time has passed.
    Minute,
}

/// What plays one or more controllers on a cluster.
pub trait Simulator: Send {
    /// The writes that follow from what is there. Called again after its writes were applied, until it answers none.
    fn step(
        &mut self,
        cluster: &str,
        view: &dyn View,
        storage: &mut ObjectStorage,
        now: Timestamp,
        trigger: Trigger,
    ) -> Vec<Write>;
}

/// The object storage that clusters share, by bucket and prefix.
#[derive(Debug, Default)]
pub struct ObjectStorage {
    /// What lies under each `bucket/prefix`.
    pub locations: BTreeMap<String, BTreeMap<String, StoredBackup>>,
}

/// A backup in the object storage.
#[derive(Debug, Clone)]
pub struct StoredBackup {
    /// The Backup object as it was when it completed.
    pub backup: Value,
    /// The objects in it.
    pub contents: Vec<Value>,
    /// The cluster that wrote it.
    pub source_cluster: String,
}
