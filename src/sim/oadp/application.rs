//! A `DataProtectionApplication` becomes storage locations, snapshot locations, Velero's Deployment and its node agent.
//!
//! Takes the object once the operator runs in its namespace, gives what it stands for and the condition
//! `Reconciled`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::validation::{self, credential, location_name};
use super::{OADP_LABEL, operator};
use crate::api::object::Manifest;
use crate::sim::made::{ensure, is_orphan, metadata, overlay, with_condition};
use crate::sim::simulator::{View, Write};
use crate::sim::velero::edit::{at, items, key, replace, set, texts, truth};

const GROUP: &str = "oadp.openshift.io";
const VELERO_API_VERSION: &str = "velero.io/v1";
/// Name of Velero's Deployment and its container.
const SERVER: &str = "velero";
/// Name of the node agent's `DaemonSet` and its container.
const NODE_AGENT: &str = "node-agent";
const VELERO_IMAGE: &str = "quay.io/konveyor/velero:oadp-1.5";

/// The writes for every application, and for what a deleted one leaves behind.
pub(super) fn writes(view: &dyn View, now: Timestamp) -> Vec<Write> {
    let applications = view.list(GROUP, "DataProtectionApplication", None);
    let mut writes = Vec::new();
    for application in applications.iter().filter(|application| !application.is_deleting()) {
        if let Some(namespace) =
            application.namespace().filter(|namespace| operator::runs_in(view, namespace))
        {
            writes.extend(reconcile(view, namespace, application, now));
        }
    }
    let owners: Vec<&Manifest> = applications.iter().map(AsRef::as_ref).collect();
    let made = [
        ("apps", "Deployment"),
        ("apps", "DaemonSet"),
        ("velero.io", "BackupStorageLocation"),
        ("velero.io", "VolumeSnapshotLocation"),
    ];
    for object in made.into_iter().flat_map(|(group, kind)| view.list(group, kind, None)) {
        if is_orphan(&object, "DataProtectionApplication", &owners) {
            writes.extend(object.key().map(Write::Delete));
        }
    }
    writes
}

fn reconcile(view: &dyn View, namespace: &str, application: &Arc<Manifest>, now: Timestamp) -> Vec<Write> {
    let value = application.to_value();
    if let Err(fault) = validation::check(view, namespace, &value) {
        return condition(application, "False", "Error", &fault.to_string(), now).into_iter().collect();
    }
    let spec = at(&value, &["spec"]).unwrap_or(&Value::Null);
    let mut writes = locations(view, application, spec, &BACKUP_LOCATIONS);
    writes.extend(locations(view, application, spec, &SNAPSHOT_LOCATIONS));
    writes.extend(server(view, application, namespace, spec));
    writes.extend(node_agent(view, application, namespace, spec));
    writes.extend(condition(application, "True", "Complete", "Reconcile complete", now));
    writes
}

/// Sets the condition unless it stands already; the time changes with the status only.
fn condition(
    application: &Manifest,
    status: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> Option<Write> {
    let mut object = application.to_value();
    let wanted = json!({"type": "Reconciled", "status": status, "reason": reason, "message": message});
    let conditions = with_condition(items(&object, &["status", "conditions"]), wanted, now)?;
    set(&mut object, &["status", "conditions"], conditions);
    replace(application, object)
}

/// One of the two lists of locations and what it becomes.
struct Locations {
    field: &'static str,
    kind: &'static str,
    component: &'static str,
}

const BACKUP_LOCATIONS: Locations =
    Locations { field: "backupLocations", kind: "BackupStorageLocation", component: "bsl" };
const SNAPSHOT_LOCATIONS: Locations =
    Locations { field: "snapshotLocations", kind: "VolumeSnapshotLocation", component: "vsl" };

fn locations(view: &dyn View, application: &Manifest, spec: &Value, which: &Locations) -> Vec<Write> {
    let (namespace, application_name) = (application.namespace(), application.name().unwrap_or_default());
    let mut writes = Vec::new();
    let mut wanted_names = Vec::new();
    for (index, location) in items(spec, &[which.field]).iter().enumerate() {
        let name = location_name(application_name, location, index);
        let velero = at(location, &["velero"]).filter(|velero| !velero.is_null());
        if let Some(velero) = velero {
            writes.extend(location_object(view, application, which, &name, velero));
            writes.extend(mark_secret(view, application, velero));
        }
        wanted_names.push(name);
    }
    for found in view.list("velero.io", which.kind, namespace) {
        let made_here = found.label(OADP_LABEL) == Some("True");
        let wanted = found.name().is_some_and(|name| wanted_names.iter().any(|wanted| wanted == name));
        if made_here && !wanted && !found.is_deleting() {
            writes.extend(found.key().map(Write::Delete));
        }
    }
    writes
}

fn location_object(
    view: &dyn View,
    application: &Manifest,
    which: &Locations,
    name: &str,
    spec: &Value,
) -> Option<Write> {
    let labels = json!({
        "app.kubernetes.io/name": "oadp-operator-velero",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "oadp-operator",
        "app.kubernetes.io/component": which.component,
        OADP_LABEL: "True",
    });
    let wanted = json!({
        "apiVersion": VELERO_API_VERSION,
        "kind": which.kind,
        "metadata": metadata(name, application, &labels),
        "spec": spec,
    });
    let Some(found) = view.get(&key(VELERO_API_VERSION, which.kind, application.namespace(), name)) else {
        return Some(Write::Create(wanted));
    };
    let mut object = found.to_value();
    // The spec is taken whole, so that fields added by hand go too.
    set(&mut object, &["spec"], spec.clone());
    overlay(&mut object, wanted);
    replace(&found, object).filter(|_| !found.is_deleting())
}

/// Marks the Secret of a location, by which the operator notices its changes.
fn mark_secret(view: &dyn View, application: &Manifest, location: &Value) -> Option<Write> {
    let (name, _) = credential(location);
    let secret = view.get(&key("v1", "Secret", application.namespace(), &name))?;
    let mut object = secret.to_value();
    set(&mut object, &["metadata", "labels", OADP_LABEL], "True");
    set(
        &mut object,
        &["metadata", "labels", "dataprotectionapplication.name"],
        application.name().unwrap_or_default(),
    );
    replace(&secret, object).filter(|_| !secret.is_deleting())
}

/// Velero's Deployment, whose image Velero itself reads; the plugins come as in the original.
fn server(view: &dyn View, application: &Manifest, namespace: &str, spec: &Value) -> Option<Write> {
    let labels = json!({
        "app.kubernetes.io/name": SERVER,
        "app.kubernetes.io/instance": application.name(),
        "app.kubernetes.io/component": "server",
        "app.kubernetes.io/managed-by": "oadp-operator",
        "component": "velero",
        "deploy": "velero",
        OADP_LABEL: "True",
    });
    let mut deployment = workload("Deployment", SERVER, application, &labels);
    let plugins: Vec<Value> = texts(spec, &["configuration", "velero", "defaultPlugins"])
        .iter()
        .filter_map(|plugin| Some((plugin, plugin_image(plugin)?)))
        .map(|(plugin, image)| json!({"name": format!("velero-plugin-for-{plugin}"), "image": image}))
        .collect();
    set(&mut deployment, &["spec", "replicas"], 1);
    if !plugins.is_empty() {
        set(&mut deployment, &["spec", "template", "spec", "initContainers"], plugins);
    }
    ensure(view, &key("apps/v1", "Deployment", Some(namespace), SERVER), deployment)
}

/// The image of a plugin that brings a provider of storage.
fn plugin_image(plugin: &str) -> Option<&'static str> {
    match plugin {
        "aws" | "legacy-aws" => Some("quay.io/konveyor/velero-plugin-for-aws:oadp-1.5"),
        "gcp" => Some("quay.io/konveyor/velero-plugin-for-gcp:oadp-1.5"),
        "azure" => Some("quay.io/konveyor/velero-plugin-for-microsoft-azure:oadp-1.5"),
        _ => None,
    }
}

fn node_agent(view: &dyn View, application: &Manifest, namespace: &str, spec: &Value) -> Option<Write> {
    let agent_key = key("apps/v1", "DaemonSet", Some(namespace), NODE_AGENT);
    if !truth(spec, &["configuration", "nodeAgent", "enable"]).unwrap_or(false) {
        let left = view.get(&agent_key).is_some_and(|agent| !agent.is_deleting());
        return left.then_some(Write::Delete(agent_key));
    }
    let labels = json!({
        "app.kubernetes.io/component": "node-agent",
        "app.kubernetes.io/managed-by": "oadp-operator",
        "component": "velero",
        "name": "node-agent",
        "role": "node-agent",
        OADP_LABEL: "True",
    });
    ensure(view, &agent_key, workload("DaemonSet", NODE_AGENT, application, &labels))
}

/// A workload of one container with Velero's image.
fn workload(kind: &str, name: &str, application: &Manifest, labels: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata(name, application, labels),
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": name, "image": VELERO_IMAGE}]},
            },
        },
    })
}
