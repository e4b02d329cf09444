//! Velero by plain manifests on a stage: started, changed, stopped, gone, and before its kinds are known.

use serde_json::{Value, json};

use crate::api::object::ObjectKey;
use crate::sim::velero::edit::{items, key, label, name, phase, set, text};
use crate::sim::velero::stage::{PACMAN, Stage, velero};

/// What `velero install --dry-run -o yaml` writes, without what is not looked at.
const MANIFESTS: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: velero-ns, labels: {component: velero}}
---
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata: {name: default, namespace: velero-ns, labels: {component: velero}}
spec:
  default: true
  provider: aws
  config: {region: us-east-1}
  objectStorage: {bucket: flotilla}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: velero, namespace: velero-ns, labels: {component: velero}, generation: 1}
spec:
  replicas: 1
  selector: {matchLabels: {deploy: velero}}
  template:
    metadata: {labels: {component: velero, deploy: velero}}
    spec:
      containers:
      - {name: velero, image: 'velero/velero:v1.16.2', args: [server, --uploader-type=kopia]}
      initContainers:
      - {name: velero-velero-plugin-for-aws, image: 'velero/velero-plugin-for-aws:v1.12.0'}
      serviceAccountName: velero
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: node-agent, namespace: velero-ns, labels: {component: velero}, generation: 1}
spec:
  selector: {matchLabels: {name: node-agent}}
  template:
    metadata: {labels: {component: velero, name: node-agent, role: node-agent}}
    spec:
      containers:
      - {name: node-agent, image: 'velero/velero:v1.16.2'}
";

fn installed() -> Stage {
    let mut stage = Stage::new(&["c1"]);
    stage.create_all("c1", MANIFESTS);
    stage.settle();
    stage
}

fn workload(kind: &str, name: &str) -> ObjectKey {
    key("apps/v1", kind, Some("velero-ns"), name)
}

fn pods(stage: &Stage, with: (&str, &str)) -> Vec<Value> {
    let pods = stage.list("c1", "v1", "Pod");
    pods.into_iter().filter(|pod| label(pod, with.0) == with.1).collect()
}

/// The status of the condition `Available`.
fn available(stage: &Stage) -> String {
    let deployment = stage.get("c1", &workload("Deployment", "velero")).unwrap();
    let conditions = items(&deployment, &["status", "conditions"]);
    let available = conditions.iter().find(|condition| condition["type"] == "Available").unwrap();
    text(available, &["status"]).to_owned()
}

#[test]
fn manifests_become_pods_with_the_labels_of_their_template() {
    let stage = installed();
    let [server] = pods(&stage, ("deploy", "velero")).try_into().unwrap();
    assert!(name(&server).starts_with("velero-"));
    assert_eq!((phase(&server), label(&server, "component")), ("Running", "velero"));
    assert_eq!(text(&server, &["spec", "serviceAccountName"]), "velero");
    let deployment = stage.get("c1", &workload("Deployment", "velero")).unwrap();
    assert_eq!(deployment["status"]["availableReplicas"], 1);
    assert_eq!(deployment["status"]["observedGeneration"], 1);
    assert_eq!(available(&stage), "True");

    let [agent] = pods(&stage, ("role", "node-agent")).try_into().unwrap();
    assert!(name(&agent).starts_with("node-agent-"));
    let agents = stage.get("c1", &workload("DaemonSet", "node-agent")).unwrap();
    assert_eq!(agents["status"]["numberReady"], 1);
    assert_eq!(agents["status"]["desiredNumberScheduled"], 1);
}

#[test]
fn the_server_works_in_the_namespace_of_its_deployment() {
    let mut stage = installed();
    let location = stage.get("c1", &velero("BackupStorageLocation", "default")).unwrap();
    assert_eq!(phase(&location), "Available");

    stage.create_all("c1", PACMAN);
    stage.create(
        "c1",
        json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "hourly", "namespace": "velero-ns"},
            "spec": {"schedule": "0 * * * *", "template": {"includedNamespaces": ["pacman"]}}}),
    );
    stage.create(
        "c1",
        json!({"apiVersion": "velero.io/v1", "kind": "ServerStatusRequest",
            "metadata": {"name": "which", "namespace": "velero-ns"}, "spec": {}}),
    );
    stage.settle();
    let request = stage.get("c1", &velero("ServerStatusRequest", "which")).unwrap();
    assert_eq!(phase(&request), "Processed");
    assert_eq!(text(&request, &["status", "serverVersion"]), "v1.16.2");
    let plugins: Vec<&str> =
        items(&request, &["status", "plugins"]).iter().map(|plugin| text(plugin, &["name"])).collect();
    assert_eq!(plugins, ["velero.io/aws", "velero.io/aws", "velero.io/change-storage-class", "velero.io/pv"]);

    stage.pass(jiff::SignedDuration::from_hours(1));
    let backups = stage.list("c1", "velero.io/v1", "Backup");
    assert_eq!(backups.iter().map(phase).collect::<Vec<_>>(), ["Completed"]);
    assert!(stage.get("c1", &velero("ServerStatusRequest", "which")).is_none(), "not kept");
}

#[test]
fn a_plugin_that_was_not_installed_is_missing() {
    let mut stage = Stage::new(&["c1"]);
    stage.create_all("c1", &MANIFESTS.replace("velero-plugin-for-aws", "velero-plugin-for-gcp"));
    stage.settle();
    let location = stage.get("c1", &velero("BackupStorageLocation", "default")).unwrap();
    assert_eq!(phase(&location), "Unavailable");
    assert!(
        text(&location, &["status", "message"])
            .ends_with("unable to locate ObjectStore plugin named velero.io/aws")
    );
}

#[test]
fn another_template_is_another_pod() {
    let mut stage = installed();
    let [before] = pods(&stage, ("deploy", "velero")).try_into().unwrap();
    stage.edit("c1", &workload("Deployment", "velero"), |deployment| {
        let container = deployment.pointer_mut("/spec/template/spec/containers/0").unwrap();
        set(container, &["image"], "velero/velero:v1.18.3");
    });
    stage.settle();
    let [after] = pods(&stage, ("deploy", "velero")).try_into().unwrap();
    assert_ne!(name(&after), name(&before));
    assert_eq!(after["spec"]["containers"][0]["image"], "velero/velero:v1.18.3");
}

#[test]
fn no_replicas_and_no_deployment_are_no_server() {
    let mut stage = installed();
    let scale = |stage: &mut Stage, replicas: u64| {
        stage.edit("c1", &workload("Deployment", "velero"), |deployment| {
            set(deployment, &["spec", "replicas"], replicas);
        });
        stage.settle();
    };
    scale(&mut stage, 0);
    assert!(pods(&stage, ("deploy", "velero")).is_empty());
    let stopped = stage.get("c1", &workload("Deployment", "velero")).unwrap();
    assert!(stopped["status"]["availableReplicas"].is_null());
    scale(&mut stage, 1);
    assert_eq!(pods(&stage, ("deploy", "velero")).len(), 1);

    stage.delete("c1", workload("Deployment", "velero"));
    stage.delete("c1", workload("DaemonSet", "node-agent"));
    stage.settle();
    assert!(stage.list("c1", "v1", "Pod").is_empty());
    stage.create(
        "c1",
        json!({"apiVersion": "velero.io/v1", "kind": "ServerStatusRequest",
            "metadata": {"name": "which", "namespace": "velero-ns"}, "spec": {}}),
    );
    stage.settle();
    assert_eq!(phase(&stage.get("c1", &velero("ServerStatusRequest", "which")).unwrap()), "");
}

#[test]
fn without_its_kinds_the_server_crashes_until_they_come() {
    let mut stage = Stage::new(&["c1"]);
    stage.serve("c1", false);
    stage.create_all("c1", MANIFESTS);
    stage.settle();
    assert_eq!(available(&stage), "False");
    let [server] = pods(&stage, ("deploy", "velero")).try_into().unwrap();
    assert_eq!(
        text(&server["status"]["containerStatuses"][0], &["state", "waiting", "reason"]),
        "CrashLoopBackOff"
    );
    stage.serve("c1", true);
    stage.settle();
    assert_eq!(available(&stage), "True");
    let location = stage.get("c1", &velero("BackupStorageLocation", "default")).unwrap();
    assert_eq!(phase(&location), "Available");
}

/// The labels of its chart, which have neither `component` nor `deploy`.
#[test]
fn what_helm_installed_is_known() {
    let mut stage = Stage::new(&["c1"]);
    let chart = MANIFESTS
        .replace("{component: velero, deploy: velero}", "{app.kubernetes.io/name: velero}")
        .replace("{component: velero, name: node-agent", "{app.kubernetes.io/name: velero, name: node-agent");
    stage.create_all("c1", &chart);
    stage.settle();
    assert_eq!(available(&stage), "True");
    let location = stage.get("c1", &velero("BackupStorageLocation", "default")).unwrap();
    assert_eq!(phase(&location), "Available");
}

#[test]
fn other_workloads_are_left_alone() {
    let mut stage = Stage::new(&["c1"]);
    stage.create_all("c1", &MANIFESTS.replace("component: velero", "component: pacman"));
    stage.settle();
    assert!(stage.list("c1", "v1", "Pod").is_empty());
}
