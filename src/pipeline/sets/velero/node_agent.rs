//! The `DaemonSet` of Velero's node agent (upstream: `pkg/install/daemonset.go`).

use serde_json::{Map, Value, json};

use super::Wanted;
use super::pods;
use crate::pipeline::velero::Release;

/// Its spec, as `velero install --use-node-agent` writes it.
pub(super) fn spec(wanted: &Wanted<'_>) -> Value {
    let specification = wanted.specification();
    let agent = specification.at(&["configuration", "nodeAgent"]);
    let pod_config = agent.at(&["podConfig"]);
    let image = wanted.image();
    let pull_policy = wanted.pull_policy(&image);
    let mut arguments = vec!["node-agent".to_owned(), "server".to_owned(), wanted.features()];
    for (flag, field) in
        [("data-mover-prepare-timeout", "dataMoverPrepareTimeout"), ("resource-timeout", "resourceTimeout")]
    {
        arguments.extend(agent.at(&[field]).text().map(|value| format!("--{flag}={value}")));
    }
    // Both follow the server's.
    for (flag, part) in [
        ("log-level", specification.at(&["configuration", "velero", "logLevel"])),
        ("log-format", specification.at(&["logFormat"])),
    ] {
        arguments.extend(part.text().map(|value| format!("--{flag}={value}")));
    }
    let mut variables = vec![
        pods::field_variable("NODE_NAME", "spec.nodeName"),
        pods::field_variable("VELERO_NAMESPACE", "metadata.namespace"),
        json!({"name": "VELERO_SCRATCH_DIR", "value": "/scratch"}),
    ];
    variables.extend(pods::further_variables(pod_config));
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    // Without file system backup nothing of the nodes' file systems is needed.
    if !specification.at(&["configuration", "velero", "disableFsBackup"]).is_true() {
        for (name, host, mount) in [
            ("host-pods", "/var/lib/kubelet/pods", "/host_pods"),
            ("host-plugins", "/var/lib/kubelet/plugins", "/var/lib/kubelet/plugins"),
        ] {
            volumes.push(json!({"name": name, "hostPath": {"path": host}}));
            mounts.push(json!({"name": name, "mountPath": mount, "mountPropagation": "HostToContainer"}));
        }
    }
    volumes.push(json!({"name": "scratch", "emptyDir": {}}));
    volumes.push(pods::credentials_volume(wanted));
    mounts.push(json!({"name": "scratch", "mountPath": "/scratch"}));
    mounts.push(pods::credentials_mount());
    let container = json!({
        "name": "node-agent",
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["/velero"],
        "args": arguments,
        "ports": pods::ports(),
        "env": variables,
        "resources": pods::resources(pod_config, json!({})),
        "securityContext": {"privileged": false},
        "volumeMounts": mounts,
    });
    let mut security = json!({"runAsUser": 0});
    let groups = agent.at(&["supplementalGroups"]).entries();
    if !groups.is_empty() {
        security["supplementalGroups"] = json!(groups);
    }
    let mut pod = Map::from_iter([
        ("serviceAccountName".to_owned(), json!("velero")),
        ("securityContext".to_owned(), security),
        ("containers".to_owned(), json!([container])),
        ("volumes".to_owned(), Value::Array(volumes)),
    ]);
    if wanted.release == Release::V1_17 {
        pod.insert("os".to_owned(), json!({"name": "linux"}));
    }
    pods::place(&mut pod, wanted, pod_config);
    let own = [("name", "node-agent"), ("role", "node-agent")];
    let mut metadata = json!({"labels": pods::labels(pod_config, &own)});
    if let Some(annotations) = specification.at(&["podAnnotations"]).mapping() {
        metadata["annotations"] = annotations.clone();
    }
    json!({
        "selector": {"matchLabels": {"name": "node-agent"}},
        "template": {"metadata": metadata, "spec": pod},
    })
}
