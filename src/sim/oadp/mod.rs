//! Plays the Operator Lifecycle Manager for the OADP package, and the OADP operator (1.5) itself.
//!
//! Takes Subscriptions and `DataProtectionApplications`, gives the operator's Pod, Velero's Deployment and `DaemonSet`, storage
//! and snapshot locations and their conditions. What becomes of the workloads is [`crate::sim::workloads`]', what Velero does
//! [`crate::sim::velero`]'s. Must not touch: the object storage.
//!
//! Simpler than the originals: the operator's Pod runs at once; any channel holds the same version; an `OperatorGroup` is not asked for; buckets by `CloudStorage` reference are not known.

mod application;
mod operator;
#[cfg(test)]
mod tests;
mod validation;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::made::running;
use crate::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};

/// The label that OADP puts on what it makes, with the value `True`.
pub const OADP_LABEL: &str = "openshift.io/oadp";

/// The simulated operator. It keeps nothing between steps.
#[derive(Debug, Default)]
pub struct Oadp {}

impl Oadp {
    /// A new one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Simulator for Oadp {
    fn step(
        &mut self,
        _cluster: &str,
        view: &dyn View,
        _storage: &mut ObjectStorage,
        now: Timestamp,
        _trigger: Trigger,
    ) -> Vec<Write> {
        let mut writes = operator::writes(view, now);
        writes.extend(application::writes(view, now));
        writes
    }
}

/// A Pod that runs and is ready.
fn running_pod(metadata: &Value, container: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": container, "image": image}]},
        "status": running(),
    })
}
