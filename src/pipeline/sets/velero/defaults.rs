//! What the API server fills into a workload. Written out, a workload is compared as a whole, so that what is taken out of the
//! configuration goes from the cluster too, and nothing differs that nobody wrote.

use serde_json::{Value, json};

/// A Deployment's spec with the defaults of `apps/v1`.
pub(super) fn deployment(mut spec: Value) -> Value {
    fill(
        &mut spec,
        &json!({
            "replicas": 1,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        }),
    );
    pod(&mut spec["template"]["spec"]);
    spec
}

/// A `DaemonSet`'s spec with the defaults of `apps/v1`.
pub(super) fn daemon_set(mut spec: Value) -> Value {
    fill(
        &mut spec,
        &json!({
            "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        }),
    );
    pod(&mut spec["template"]["spec"]);
    spec
}

fn pod(spec: &mut Value) {
    fill(
        spec,
        &json!({
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "serviceAccount": "velero",
            "terminationGracePeriodSeconds": 30,
        }),
    );
    for list in ["containers", "initContainers"] {
        for container in entries(spec, list) {
            fill(
                container,
                &json!({
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }),
            );
            for port in entries(container, "ports") {
                fill(port, &json!({"protocol": "TCP"}));
            }
            for variable in entries(container, "env") {
                if let Some(reference) = variable.pointer_mut("/valueFrom/fieldRef") {
                    fill(reference, &json!({"apiVersion": "v1"}));
                }
            }
        }
    }
    for volume in entries(spec, "volumes") {
        if let Some(path) = volume.get_mut("hostPath") {
            fill(path, &json!({"type": ""}));
        }
    }
}

fn entries<'v>(value: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    value.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Adds the fields that are not there.
fn fill(value: &mut Value, defaults: &Value) {
    if let (Some(fields), Some(defaults)) = (value.as_object_mut(), defaults.as_object()) {
        for (name, default) in defaults {
            fields.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
}
