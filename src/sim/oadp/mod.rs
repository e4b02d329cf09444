//! Plays the Operator Lifecycle Manager for the OADP package, and the OADP operator (1.5) itself.
//!
//! Takes Subscriptions and `DataProtectionApplications`, gives the operator's and Velero's Pods, storage and
//! snapshot locations and their conditions. What Velero does with them is [`crate::sim::velero`]'s. Must not
//! touch: the object storage.
//!
//! Simpler than the originals: Pods belong to no `ReplicaSet` and run at once; any channel holds the same
//! version; an `OperatorGroup` is not asked for; buckets by `CloudStorage` reference are not known.

mod application;
mod operator;
#[cfg(test)]
mod tests;
mod validation;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::object::{Manifest, ObjectKey};
use crate::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};
use crate::sim::velero::edit;

/// The label that OADP puts on what it makes, with the value `True`.
pub const OADP_LABEL: &str = "openshift.io/oadp";
/// Which object a simulated one was made for, as `Kind/name`; what lost its owner is deleted.
const OWNER: &str = "sim.flotilla.dev/owner";

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

/// What brings an object to the wanted state: creates it, or overwrites the fields that differ. One that is
/// held by annotation stays as it is, so that a test can stop a Pod.
fn ensure(view: &dyn View, key: &ObjectKey, wanted: Value) -> Option<Write> {
    let Some(found) = view.get(key) else {
        return Some(Write::Create(wanted));
    };
    let mut object = found.to_value();
    let held = found.annotation(edit::HOLD_PHASE).is_some();
    if edit::covers(&wanted, &object) || found.is_deleting() || held {
        return None;
    }
    overlay(&mut object, wanted);
    edit::replace(&found, object)
}

/// Lays the fields of one value over another; lists and scalars are replaced.
fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                overlay(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// Metadata of an object that belongs to another one of the same namespace.
fn metadata(name: &str, owner: &Manifest, labels: &Value) -> Value {
    json!({
        "name": name,
        "namespace": owner.namespace(),
        "labels": labels,
        "annotations": {OWNER: owner_text(owner)},
    })
}

fn owner_text(owner: &Manifest) -> String {
    format!("{}/{}", owner.kind(), owner.name().unwrap_or_default())
}

/// Whether the object is one of ours whose owner, of the kind in question, is gone.
fn is_orphan(object: &Manifest, owner_kind: &str, owners: &[&Manifest]) -> bool {
    let Some(owner) = object.annotation(OWNER).filter(|_| !object.is_deleting()) else {
        return false;
    };
    owner.split_once('/').is_some_and(|(kind, _)| kind == owner_kind)
        && !owners.iter().any(|candidate| {
            !candidate.is_deleting()
                && candidate.namespace() == object.namespace()
                && owner_text(candidate) == owner
        })
}

/// A Pod that runs and is ready.
fn running_pod(metadata: &Value, container: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": container, "image": image}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "ContainersReady", "status": "True"},
            ],
        },
    })
}

/// A Deployment of one container whose Pod is available.
fn available_deployment(metadata: &Value, labels: &Value, container: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": container, "image": image}]},
            },
        },
        "status": {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    })
}

fn is_running(pod: &Manifest) -> bool {
    pod.text_at(&["status", "phase"]) == Some("Running") && !pod.is_deleting()
}
