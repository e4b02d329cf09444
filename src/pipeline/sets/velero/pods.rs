//! What the Pods of the server and of the node agent have in common.

use serde_json::{Map, Value, json};

use super::Wanted;
use super::part::Part;
use crate::pipeline::velero::Release;

/// Where the credentials file is in the containers, and the variables by which the clouds' libraries find it.
const CREDENTIALS_VARIABLES: [&str; 4] = [
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_CREDENTIALS_FILE",
    "ALIBABA_CLOUD_CREDENTIALS_FILE",
];

/// A variable that the cluster fills in.
pub(super) fn field_variable(name: &str, path: &str) -> Value {
    json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}})
}

/// The variables for the credentials, and those of `podConfig.env` behind them.
pub(super) fn further_variables(pod_config: Part<'_>) -> Vec<Value> {
    CREDENTIALS_VARIABLES
        .iter()
        .map(|name| json!({"name": name, "value": "/credentials/cloud"}))
        .chain(pod_config.at(&["env"]).entries().iter().cloned())
        .collect()
}

pub(super) fn credentials_mount() -> Value {
    json!({"name": "cloud-credentials", "mountPath": "/credentials"})
}

/// Readable for everybody in the container, as `velero install` has it.
pub(super) fn credentials_volume(wanted: &Wanted<'_>) -> Value {
    json!({"name": "cloud-credentials", "secret": {"defaultMode": 0o444, "secretName": wanted.credentials}})
}

pub(super) fn ports() -> Value {
    json!([{"containerPort": 8085, "name": "metrics"}])
}

/// Labels of the Pods: what selects them cannot be taken over by `podConfig.labels`.
pub(super) fn labels(pod_config: Part<'_>, own: &[(&str, &str)]) -> Value {
    let mut labels = Map::from_iter([("component".to_owned(), json!("velero"))]);
    overlay(&mut labels, pod_config.at(&["labels"]));
    labels.extend(own.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    Value::Object(labels)
}

pub(super) fn overlay(fields: &mut Map<String, Value>, part: Part<'_>) {
    if let Some(more) = part.mapping().and_then(Value::as_object) {
        fields.extend(more.clone());
    }
}

/// Writes what the specification says of Pods as such, and keeps them off nodes with Windows the way the release does.
pub(super) fn place(pod: &mut Map<String, Value>, wanted: &Wanted<'_>, pod_config: Part<'_>) {
    let mut selector = Map::new();
    match wanted.release {
        Release::V1_17 => {
            selector.insert("kubernetes.io/os".to_owned(), json!("linux"));
        }
        Release::V1_18 => {
            let not_windows = json!({"key": "kubernetes.io/os", "operator": "NotIn", "values": ["windows"]});
            pod.insert(
                "affinity".to_owned(),
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                    {"nodeSelectorTerms": [{"matchExpressions": [not_windows]}]}}}),
            );
        }
    }
    overlay(&mut selector, pod_config.at(&["nodeSelector"]));
    if !selector.is_empty() {
        pod.insert("nodeSelector".to_owned(), Value::Object(selector));
    }
    let tolerations = pod_config.at(&["tolerations"]).entries();
    if !tolerations.is_empty() {
        pod.insert("tolerations".to_owned(), json!(tolerations));
    }
    let specification = wanted.specification();
    if let Some(policy) = specification.at(&["podDnsPolicy"]).text() {
        pod.insert("dnsPolicy".to_owned(), json!(policy));
    }
    if let Some(config) = specification.at(&["podDnsConfig"]).mapping() {
        pod.insert("dnsConfig".to_owned(), config.clone());
    }
}

/// `podConfig.resourceAllocations` as a whole, or else what `velero install` gives.
pub(super) fn resources(pod_config: Part<'_>, usual: Value) -> Value {
    pod_config.at(&["resourceAllocations"]).mapping().cloned().unwrap_or(usual)
}
