//! Plays what a cluster does with the workloads of Velero: a Deployment or `DaemonSet` gets its Pod and its status.
//!
//! Takes those whose Pods bear the labels of `velero install`, of the OADP operator or of Velero's Helm chart, whoever made
//! them; gives Pods and statuses. What the server in the Pod does is [`crate::sim::velero`]'s. Must not touch: other
//! workloads, the object storage.
//!
//! Simpler than the original: a Pod belongs to no `ReplicaSet`, there is one of it at most, and it runs at once, whatever its
//! image. Where Velero's kinds are not served it crashes, as the real program does.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::object::Manifest;
use crate::sim::made::{ensure, is_made_for, is_orphan, is_running, metadata, running, with_condition};
use crate::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};
use crate::sim::velero::edit::{at, covers, digest, items, key, replace, set, text};

/// The kinds of workloads that are played.
const KINDS: [&str; 2] = ["Deployment", "DaemonSet"];

/// The simulated controllers. They keep nothing between steps.
#[derive(Debug, Default)]
pub struct Workloads {}

impl Workloads {
    /// New ones.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Simulator for Workloads {
    fn step(
        &mut self,
        _cluster: &str,
        view: &dyn View,
        _storage: &mut ObjectStorage,
        now: Timestamp,
        _trigger: Trigger,
    ) -> Vec<Write> {
        let pods = view.list("", "Pod", None);
        let mut writes = Vec::new();
        for kind in KINDS {
            let workloads = view.list("apps", kind, None);
            for workload in workloads.iter().filter(|workload| is_of_velero(workload)) {
                writes.extend(reconcile(view, workload, &pods, now));
            }
            let owners: Vec<&Manifest> = workloads.iter().map(AsRef::as_ref).collect();
            let orphans = pods.iter().filter(|pod| is_orphan(pod, kind, &owners));
            writes.extend(orphans.filter_map(|pod| pod.key()).map(Write::Delete));
        }
        writes
    }
}

/// The labels of the Pods of `velero install` and OADP, and those of the Helm chart.
fn is_of_velero(workload: &Manifest) -> bool {
    let labelled = |label| workload.text_at(&["spec", "template", "metadata", "labels", label]);
    ["component", "app.kubernetes.io/name"].into_iter().any(|label| labelled(label) == Some("velero"))
        && !workload.is_deleting()
}

fn reconcile(view: &dyn View, workload: &Manifest, pods: &[Arc<Manifest>], now: Timestamp) -> Vec<Write> {
    let value = workload.to_value();
    let template = at(&value, &["spec", "template"]).unwrap_or(&Value::Null);
    let stopped = value["spec"]["replicas"] == 0;
    let name = pod_name(workload, template);
    let mut writes = Vec::new();
    for pod in pods.iter().filter(|pod| is_made_for(pod, workload) && !pod.is_deleting()) {
        if stopped || pod.name() != Some(&name) {
            writes.extend(pod.key().map(Write::Delete));
        }
    }
    let pod_key = key("v1", "Pod", workload.namespace(), &name);
    let found = view.get(&pod_key);
    if !stopped {
        let status = if view.serves("velero.io", "Backup") { running() } else { crashing(template) };
        let labels = at(template, &["metadata", "labels"]).cloned().unwrap_or_default();
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata(&name, workload, &labels),
            "status": status,
        });
        if found.is_none() {
            // Never changed afterwards: another template is another Pod.
            pod["spec"] = template["spec"].clone();
        }
        writes.extend(ensure(view, &pod_key, pod));
    }
    let ready = found.is_some_and(|pod| is_running(&pod)) && !stopped;
    writes.extend(status(workload, stopped, ready, now));
    writes
}

/// Another template gives another name, as it gives another Pod.
fn pod_name(workload: &Manifest, template: &Value) -> String {
    let of = workload.name().unwrap_or_default();
    let (template, namespace) =
        (digest(&template.to_string(), 10), digest(workload.namespace().unwrap_or_default(), 5));
    format!("{of}-{template}-{namespace}")
}

/// The status of a Pod whose program ends as soon as it has started.
fn crashing(template: &Value) -> Value {
    let containers: Vec<Value> = items(template, &["spec", "containers"])
        .iter()
        .map(|container| {
            json!({
                "name": text(container, &["name"]), "image": text(container, &["image"]), "imageID": "",
                "ready": false, "started": false, "restartCount": 1,
                "state": {"waiting": {"reason": "CrashLoopBackOff",
                    "message": "Velero custom resources not found in apiGroup `velero.io`"}},
            })
        })
        .collect();
    json!({
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
            {"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady"},
        ],
        "containerStatuses": containers,
    })
}

/// The status that follows from whether a Pod is wanted and ready. Fields that count none are absent, as in Kubernetes.
fn status(workload: &Manifest, stopped: bool, ready: bool, now: Timestamp) -> Option<Write> {
    let mut object = workload.to_value();
    let before = at(&object, &["status"]).cloned().unwrap_or_else(|| json!({}));
    let wanted = usize::from(!stopped);
    let mut status = match workload.kind() {
        "DaemonSet" => {
            json!({"desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1,
                "numberMisscheduled": 0, "numberReady": usize::from(ready)})
        }
        _ if stopped => json!({}),
        _ => json!({"replicas": 1, "updatedReplicas": 1}),
    };
    let counted = match (workload.kind(), ready) {
        ("DaemonSet", true) => json!({"numberAvailable": 1}),
        ("DaemonSet", false) => json!({"numberUnavailable": 1}),
        (_, true) => json!({"readyReplicas": 1, "availableReplicas": 1}),
        (_, false) if stopped => json!({}),
        (_, false) => json!({"unavailableReplicas": wanted}),
    };
    crate::sim::made::overlay(&mut status, counted);
    if let Some(generation) = at(&object, &["metadata", "generation"]) {
        set(&mut status, &["observedGeneration"], generation.clone());
    }
    if workload.kind() == "Deployment" {
        let conditions = items(&before, &["conditions"]);
        let available = if ready || stopped {
            json!({"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                "message": "Deployment has minimum availability."})
        } else {
            json!({"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
                "message": "Deployment does not have minimum availability."})
        };
        let conditions = with_condition(conditions, available, now).unwrap_or_else(|| conditions.to_vec());
        set(&mut status, &["conditions"], conditions);
    }
    if covers(&status, &before) && covers(&before, &status) {
        return None;
    }
    set(&mut object, &["status"], status);
    replace(workload, object)
}
