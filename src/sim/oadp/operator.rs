//! The OADP package: a Subscription becomes an installed version and a running operator.
//!
//! Takes Subscriptions, gives their status, a `ClusterServiceVersion` and the operator's Pod.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{OADP_LABEL, running_pod};
use crate::api::object::Manifest;
use crate::sim::made::{ensure, is_orphan, is_running, metadata};
use crate::sim::simulator::{View, Write};
use crate::sim::velero::edit::{covers, digest, key, replace, set, time};

const GROUP: &str = "operators.coreos.com";
const API_VERSION: &str = "operators.coreos.com/v1alpha1";
/// Names of the package: Red Hat's catalogue and the community's.
const PACKAGES: [&str; 2] = ["redhat-oadp-operator", "oadp-operator"];
/// The version that every channel holds.
const CLUSTER_SERVICE_VERSION: &str = "oadp-operator.v1.5.2";
const REPOSITORY: &str = "https://github.com/openshift/oadp-operator";
/// By this name users and policies know the operator's Pod.
const OPERATOR_NAME: &str = "openshift-adp-controller-manager";

/// The writes for every Subscription of the package, and for what a deleted one leaves behind.
pub(super) fn writes(view: &dyn View, now: Timestamp) -> Vec<Write> {
    let subscriptions: Vec<Arc<Manifest>> = view
        .list(GROUP, "Subscription", None)
        .into_iter()
        .filter(|subscription| {
            PACKAGES.contains(&subscription.text_at(&["spec", "name"]).unwrap_or_default())
        })
        .collect();
    let mut writes = Vec::new();
    for subscription in subscriptions.iter().filter(|subscription| !subscription.is_deleting()) {
        writes.extend(install(view, subscription, now));
    }
    let owners: Vec<&Manifest> = subscriptions.iter().map(AsRef::as_ref).collect();
    let made = [("", "Pod"), (GROUP, "ClusterServiceVersion")];
    for object in made.into_iter().flat_map(|(group, kind)| view.list(group, kind, None)) {
        if is_orphan(&object, "Subscription", &owners) {
            writes.extend(object.key().map(Write::Delete));
        }
    }
    writes
}

/// Whether the operator runs in the namespace.
pub(super) fn runs_in(view: &dyn View, namespace: &str) -> bool {
    view.list("", "Pod", Some(namespace))
        .iter()
        .any(|pod| pod.annotation("repository") == Some(REPOSITORY) && is_running(pod))
}

fn install(view: &dyn View, subscription: &Manifest, now: Timestamp) -> Vec<Write> {
    let Some(namespace) = subscription.namespace() else {
        return Vec::new();
    };
    let version = cluster_service_version(subscription, view, namespace, now);
    let version_key = key(API_VERSION, "ClusterServiceVersion", Some(namespace), CLUSTER_SERVICE_VERSION);
    let hash = digest(&format!("{OPERATOR_NAME}/{namespace}"), 15);
    let pod_name = format!("{OPERATOR_NAME}-{}-{}", &hash[..10], &hash[10..]);
    let mut pod_metadata = metadata(
        &pod_name,
        subscription,
        &json!({"control-plane": "controller-manager", OADP_LABEL: "True"}),
    );
    set(&mut pod_metadata, &["annotations", "repository"], REPOSITORY);
    let pod = running_pod(&pod_metadata, "manager", "quay.io/konveyor/oadp-operator:oadp-1.5");
    [
        ensure(view, &key("v1", "Pod", Some(namespace), &pod_name), pod),
        ensure(view, &version_key, version),
        status(subscription, now),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cluster_service_version(
    subscription: &Manifest,
    view: &dyn View,
    namespace: &str,
    now: Timestamp,
) -> Value {
    let found =
        view.get(&key(API_VERSION, "ClusterServiceVersion", Some(namespace), CLUSTER_SERVICE_VERSION));
    let since = found
        .as_deref()
        .and_then(|found| found.text_at(&["status", "lastTransitionTime"]))
        .map_or_else(|| time(now), ToOwned::to_owned);
    let label = format!("{GROUP}/oadp-operator.{namespace}");
    json!({
        "apiVersion": API_VERSION,
        "kind": "ClusterServiceVersion",
        "metadata": metadata(CLUSTER_SERVICE_VERSION, subscription, &json!({label: ""})),
        "spec": {
            "displayName": "OADP Operator",
            "version": "1.5.2",
            "install": {"strategy": "deployment", "spec": {"deployments": []}},
        },
        "status": {
            "phase": "Succeeded",
            "reason": "InstallSucceeded",
            "message": "install strategy completed with no errors",
            "lastTransitionTime": since,
            "lastUpdateTime": since,
        },
    })
}

fn status(subscription: &Manifest, now: Timestamp) -> Option<Write> {
    let wanted = json!({
        "state": "AtLatestKnown",
        "installedCSV": CLUSTER_SERVICE_VERSION,
        "currentCSV": CLUSTER_SERVICE_VERSION,
    });
    let mut object = subscription.to_value();
    if covers(&wanted, object.get("status").unwrap_or(&Value::Null)) {
        return None;
    }
    let condition = json!({
        "type": "CatalogSourcesUnhealthy",
        "status": "False",
        "reason": "AllCatalogSourcesHealthy",
        "message": "all available catalogsources are healthy",
        "lastTransitionTime": time(now),
    });
    set(&mut object, &["status"], wanted);
    set(&mut object, &["status", "conditions"], json!([condition]));
    set(&mut object, &["status", "lastUpdated"], time(now));
    replace(subscription, object)
}
