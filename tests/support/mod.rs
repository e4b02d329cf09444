//! What the scenarios stand on: a stage, the hub process in it, and a user with the Kubernetes API.
//!
//! Everything goes through the API as a user's would, so that the same scenarios can run on real servers.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test is a client and reads files"
)]
#![expect(clippy::panic, clippy::print_stderr, reason = "helpers of tests may fail as tests do")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use flotilla::api::object::{GroupVersionKind, Manifest};
use flotilla::controller::{Candidate, HubOptions, Metrics, RunError};
use flotilla::sim::clock::ClockMode;
use flotilla::sim::server::Server;
use flotilla::sim::stage::{Stage, StageOptions};
use flotilla::sim::{oadp::Oadp, velero::Velero};
use flotilla::yaml;
use futures::StreamExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// A sample ConfigMap of the public policies, `pv-snap` unless another is named; without the data the test ends here and
/// says so.
macro_rules! sample {
    () => {
        sample!("pv-snap")
    };
    ($preset:expr) => {
        match $crate::support::config_map($preset) {
            Some(text) => text,
            None => {
                println!("skipped: ../shared/data is absent");
                return;
            }
        }
    };
}

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);
/// The namespace of the policies.
pub const POLICIES: &str = "policies";
/// The Velero namespace of the sample ConfigMaps.
pub const VELERO: &str = "acm-app-backup";

/// One API server, as a user sees it.
#[derive(Clone)]
pub struct User {
    client: Client,
    pub kubeconfig: String,
}

/// Plural, kind and apiVersion of what the scenarios touch.
fn resource(kind: &str) -> (ApiResource, bool) {
    let (api_version, plural, namespaced) = match kind {
        "Namespace" => ("v1", "namespaces", false),
        "ConfigMap" => ("v1", "configmaps", true),
        "Secret" => ("v1", "secrets", true),
        "Pod" => ("v1", "pods", true),
        "Service" => ("v1", "services", true),
        "Event" => ("v1", "events", true),
        "Lease" => ("coordination.k8s.io/v1", "leases", true),
        "Deployment" => ("apps/v1", "deployments", true),
        "ManagedCluster" => ("cluster.open-cluster-management.io/v1", "managedclusters", false),
        "ManagedClusterSetBinding" => {
            ("cluster.open-cluster-management.io/v1beta2", "managedclustersetbindings", true)
        }
        "Placement" => ("cluster.open-cluster-management.io/v1beta1", "placements", true),
        "PlacementDecision" => ("cluster.open-cluster-management.io/v1beta1", "placementdecisions", true),
        "PlacementBinding" => ("policy.open-cluster-management.io/v1", "placementbindings", true),
        "Policy" => ("policy.open-cluster-management.io/v1", "policies", true),
        "PolicySet" => ("policy.open-cluster-management.io/v1beta1", "policysets", true),
        "OperatorGroup" => ("operators.coreos.com/v1", "operatorgroups", true),
        "Schedule" => ("velero.io/v1", "schedules", true),
        "Backup" => ("velero.io/v1", "backups", true),
        "Restore" => ("velero.io/v1", "restores", true),
        "BackupStorageLocation" => ("velero.io/v1", "backupstoragelocations", true),
        "Subscription" => ("operators.coreos.com/v1alpha1", "subscriptions", true),
        "DataProtectionApplication" => ("oadp.openshift.io/v1alpha1", "dataprotectionapplications", true),
        "CustomResourceDefinition" => ("apiextensions.k8s.io/v1", "customresourcedefinitions", false),
        other => panic!("the scenarios do not know {other}"),
    };
    let gvk = GroupVersionKind::new(api_version, kind);
    let resource = ApiResource {
        group: gvk.group,
        version: gvk.version,
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    };
    (resource, namespaced)
}

impl User {
    /// With the kubeconfig of a server.
    pub async fn new(kubeconfig: String) -> Self {
        let parsed = kube::config::Kubeconfig::from_yaml(&kubeconfig).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(parsed, &options).await.unwrap();
        Self { client: Client::try_from(config).unwrap(), kubeconfig }
    }

    fn api(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let (resource, namespaced) = resource(kind);
        match namespace.filter(|_| namespaced) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Creates an object, or merges into the one that exists, as `kubectl apply` would.
    pub async fn apply(&self, mut manifest: Value, namespace: &str) {
        let kind = manifest["kind"].as_str().unwrap().to_owned();
        let (_, namespaced) = resource(&kind);
        if namespaced && manifest["metadata"]["namespace"].is_null() {
            manifest["metadata"]["namespace"] = json!(namespace);
        }
        let namespace = manifest["metadata"]["namespace"].as_str().map(ToOwned::to_owned);
        let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
        let api = self.api(&kind, namespace.as_deref());
        let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {
                api.patch(&name, &PatchParams::default(), &Patch::Merge(&manifest)).await.unwrap();
            }
            Err(error) => panic!("failed to apply {kind} {name}: {error}"),
        }
    }

    /// Applies every document of a YAML text.
    pub async fn apply_text(&self, text: &str, namespace: &str) {
        for document in yaml::read_documents(text).unwrap() {
            self.apply(document, namespace).await;
        }
    }

    /// Sets labels; `None` removes one.
    pub async fn label(&self, kind: &str, name: &str, labels: &[(&str, Option<&str>)]) {
        let labels: BTreeMap<&str, Option<&str>> = labels.iter().copied().collect();
        let patch = json!({"metadata": {"labels": labels}});
        self.api(kind, None).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }

    /// Merges into an object.
    pub async fn merge(&self, kind: &str, namespace: &str, name: &str, patch: &Value) {
        let api = self.api(kind, Some(namespace));
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.api(kind, Some(namespace)).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// One object, if it is there.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let found = self.api(kind, Some(namespace)).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// All objects of a kind in a namespace (or everywhere), by name.
    pub async fn list(&self, kind: &str, namespace: Option<&str>) -> BTreeMap<String, Value> {
        let listed = self.api(kind, namespace).list(&kube::api::ListParams::default()).await.unwrap();
        listed
            .items
            .into_iter()
            .map(|object| (object.metadata.name.clone().unwrap(), serde_json::to_value(object).unwrap()))
            .collect()
    }

    /// Watches a kind until the objects are as they should be; panics with what was there when they never are.
    pub async fn wait<T>(
        &self,
        what: &str,
        kind: &str,
        namespace: Option<&str>,
        condition: impl Fn(&BTreeMap<String, Value>) -> Option<T>,
    ) -> T {
        let mut objects = BTreeMap::new();
        let mut events =
            std::pin::pin!(watcher(self.api(kind, namespace), watcher::Config::default()).default_backoff());
        let outcome = tokio::time::timeout(PATIENCE, async {
            let mut listed = false;
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Init) => objects.clear(),
                    Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                        let name = object.metadata.name.clone().unwrap();
                        objects.insert(name, serde_json::to_value(object).unwrap());
                    }
                    Ok(watcher::Event::InitDone) => listed = true,
                    Ok(watcher::Event::Delete(object)) => {
                        objects.remove(object.metadata.name.as_deref().unwrap());
                    }
                    Err(error) => eprintln!("watch of {kind}: {error}"),
                }
                if listed && let Some(found) = condition(&objects) {
                    return found;
                }
            }
            panic!("the watch of {kind} ended");
        })
        .await;
        let Ok(found) = outcome else {
            panic!("waited {PATIENCE:?} for {what}; there was: {objects:#?}");
        };
        found
    }
}

/// A stage with a hub, clusters c1 to c3 and the Flotilla process.
pub struct World {
    pub stage: Stage,
    pub hub: User,
    pub clusters: BTreeMap<String, User>,
    /// What the Flotilla process that runs now counts.
    pub metrics: Arc<Metrics>,
    process: Option<Process>,
    directory: tempfile::TempDir,
}

/// A running Flotilla process.
pub struct Process {
    task: tokio::task::JoinHandle<Result<(), RunError>>,
    stop: CancellationToken,
}

impl World {
    /// Starts the stage, joins the clusters, and starts Flotilla.
    pub async fn start() -> Self {
        let mut world = Self::start_without_hub().await;
        world.start_hub();
        world
    }

    /// Starts the stage and joins the clusters.
    pub async fn start_without_hub() -> Self {
        Self::start_clusters(&["c1", "c2", "c3"]).await
    }

    /// Starts a stage with these clusters and joins them.
    pub async fn start_clusters(names: &[&str]) -> Self {
        if std::env::var("RUST_LOG").is_ok() {
            let _ = tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .with_test_writer()
                .try_init();
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let stage = Stage::start(StageOptions {
            clusters: names.clone(),
            clock: ClockMode::Manual { start: "2026-01-05T10:30:20Z".parse().unwrap() },
            simulators: vec![Box::new(|_| Box::new(Oadp::new())), Box::new(|_| Box::new(Velero::new()))],
            ..StageOptions::default()
        })
        .await
        .unwrap();
        let hub = User::new(stage.hub().kubeconfig()).await;
        let mut clusters = BTreeMap::new();
        for name in &names {
            clusters.insert(name.clone(), User::new(stage.cluster(name).unwrap().kubeconfig()).await);
        }
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("hub.kubeconfig"), stage.hub().kubeconfig()).unwrap();
        let metrics = Arc::default();
        let world = Self { stage, hub, clusters, metrics, process: None, directory };
        for name in &names {
            world.join(name).await;
        }
        world
    }

    /// Joins a cluster as `flotilla cluster join` does.
    pub async fn join(&self, name: &str) {
        let labels = json!({"name": name});
        self.hub
            .apply(
                json!({"apiVersion": "cluster.open-cluster-management.io/v1", "kind": "ManagedCluster",
                    "metadata": {"name": name, "labels": labels}, "spec": {"hubAcceptsClient": true}}),
                "",
            )
            .await;
        self.write_credentials(name, &self.clusters[name].kubeconfig).await;
    }

    /// Writes the kubeconfig Secret of a cluster.
    pub async fn write_credentials(&self, name: &str, kubeconfig: &str) {
        self.hub
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}), "")
            .await;
        self.hub
            .apply(
                json!({"apiVersion": "v1", "kind": "Secret",
                    "metadata": {"name": "flotilla-kubeconfig", "labels": {"flotilla.dev/cluster": name}},
                    "stringData": {"kubeconfig": kubeconfig}}),
                name,
            )
            .await;
    }

    /// Starts the Flotilla process.
    pub fn start_hub(&mut self) {
        let process = self.spawn_hub(None);
        self.process = Some(process);
    }

    /// Starts a Flotilla process that works only while it holds the Lease.
    pub fn start_candidate(&mut self, identity: &str) -> Process {
        self.spawn_hub(Some(Candidate { namespace: "default".to_owned(), identity: identity.to_owned() }))
    }

    fn spawn_hub(&mut self, candidate: Option<Candidate>) -> Process {
        let options =
            HubOptions { kubeconfig: Some(self.directory.path().join("hub.kubeconfig")), candidate };
        let stop = CancellationToken::new();
        self.metrics = Arc::default();
        let task = tokio::spawn(flotilla::controller::run(
            options,
            self.metrics.clone(),
            Arc::new(AtomicBool::new(false)),
            stop.clone(),
        ));
        Process { task, stop }
    }

    /// Stops a process in order.
    pub async fn stop_process(process: Process) {
        process.stop.cancel();
        process.task.await.unwrap().unwrap();
    }

    /// Kills the Flotilla process in the middle of whatever it does.
    pub async fn kill_hub(&mut self) {
        if let Some(process) = self.process.take() {
            process.task.abort();
            let _ = process.task.await;
        }
    }

    /// Stops everything in order; panics when the process had ended by itself.
    pub async fn stop(mut self) {
        if let Some(process) = self.process.take() {
            process.stop.cancel();
            process.task.await.unwrap().unwrap();
        }
        self.stage.shutdown().await;
    }

    /// The stand-in behind a cluster.
    pub fn server(&self, name: &str) -> &Arc<Server> {
        self.stage.cluster(name).unwrap()
    }

    /// Applies the policies' namespace, the set binding, the five files and a ConfigMap.
    pub async fn apply_policies(&self, config_map: &str) {
        self.apply_policies_without_binding(config_map).await;
        self.bind_set().await;
    }

    /// The same without the ManagedClusterSetBinding.
    pub async fn apply_policies_without_binding(&self, config_map: &str) {
        self.hub
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": POLICIES}}), "")
            .await;
        self.hub.apply_text(config_map, POLICIES).await;
        for file in policy_files() {
            self.hub.apply_text(&std::fs::read_to_string(&file).unwrap(), POLICIES).await;
        }
    }

    /// The gesture: this cluster is to be backed up.
    pub async fn label_for_backup(&self, cluster: &str) {
        self.hub.label("ManagedCluster", cluster, &[("acm-pv-dr", Some("backup"))]).await;
    }

    /// Creates the ManagedClusterSetBinding of the set `default`.
    pub async fn bind_set(&self) {
        self.hub
            .apply(
                json!({"apiVersion": "cluster.open-cluster-management.io/v1beta2", "kind": "ManagedClusterSetBinding",
                    "metadata": {"name": "default"}, "spec": {"clusterSet": "default"}}),
                POLICIES,
            )
            .await;
    }

    /// Applies the project's own policies and the demo's ConfigMap.
    pub async fn apply_own_policies(&self) {
        self.hub
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": POLICIES}}), "")
            .await;
        let config_map = Path::new(env!("CARGO_MANIFEST_DIR")).join("configmaps/demo.yaml");
        for file in own_policy_files().into_iter().chain([config_map]) {
            for mut document in yaml::read_documents(&read(&file)).unwrap() {
                document["metadata"]["namespace"] = json!(POLICIES);
                self.hub.apply(document, POLICIES).await;
            }
        }
    }

    /// Creates a small pacman on a cluster.
    pub async fn create_pacman(&self, cluster: &str) {
        self.create_app(cluster, "pacman-ns").await;
    }

    /// The same in a namespace of choice.
    pub async fn create_app(&self, cluster: &str, namespace: &str) {
        let cluster = &self.clusters[cluster];
        cluster
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}), "")
            .await;
        for object in [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "scores"},
                "data": {"alice": "9000"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pacman"},
                "spec": {"ports": [{"port": 8080}]}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "pacman"},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "pacman"}},
                    "template": {"metadata": {"labels": {"app": "pacman"}},
                        "spec": {"containers": [{"name": "pacman", "image": "pacman:1"}]}}}}),
        ] {
            cluster.apply(object, namespace).await;
        }
    }

    /// Waits until the root policy has this compliance on a cluster.
    pub async fn policy_is(&self, policy: &str, cluster: &str, state: &str) {
        self.hub
            .wait(&format!("{policy} to be {state} on {cluster}"), "Policy", Some(POLICIES), |policies| {
                let status = policies.get(policy)?["status"]["status"].as_array()?;
                status
                    .iter()
                    .any(|entry| entry["clustername"] == cluster && entry["compliant"] == state)
                    .then_some(())
            })
            .await;
    }

    /// Labels a cluster to be backed up and waits until its schedule is there and its policies are compliant.
    pub async fn protect(&self, cluster: &str) {
        self.hub.label("ManagedCluster", cluster, &[("acm-pv-dr", Some("backup"))]).await;
        self.protected(cluster).await;
    }

    /// Waits until a cluster has its schedule and its policies are compliant.
    pub async fn protected(&self, cluster: &str) {
        self.clusters[cluster]
            .wait("a schedule that is enabled", "Schedule", Some(VELERO), |schedules| {
                schedules.values().any(|schedule| schedule["status"]["phase"] == "Enabled").then_some(())
            })
            .await;
        for policy in ["oadp-hdr-app-install", "oadp-hdr-app-backup"] {
            self.policy_is(policy, cluster, "Compliant").await;
        }
    }

    /// Changes keys of the ConfigMap; `None` removes one.
    pub async fn configure(&self, keys: &[(&str, Option<&str>)]) {
        let data: BTreeMap<&str, Option<&str>> = keys.iter().copied().collect();
        self.hub.merge("ConfigMap", POLICIES, "hdr-app-configmap", &json!({"data": data})).await;
    }

    /// Waits for an Event about an object of the hub.
    pub async fn event(&self, namespace: &str, about: &str, reason: &str, part: &str) -> Value {
        self.hub
            .wait(
                &format!("an Event {reason} about {about} with {part:?}"),
                "Event",
                Some(namespace),
                |events| {
                    let told = |event: &&Value| {
                        event["involvedObject"]["name"] == about
                            && event["reason"] == reason
                            && event["message"].as_str().is_some_and(|message| message.contains(part))
                    };
                    events.values().find(told).cloned()
                },
            )
            .await
    }

    /// Resource versions of everything that must not change on a cluster while nobody wants a change.
    pub async fn versions(&self, cluster: &str) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for (kind, namespace) in [
            ("Namespace", None),
            ("Secret", Some(VELERO)),
            ("Subscription", Some(VELERO)),
            ("DataProtectionApplication", Some(VELERO)),
            ("Schedule", Some(VELERO)),
            ("Restore", Some(VELERO)),
        ] {
            for (name, object) in self.clusters[cluster].list(kind, namespace).await {
                let version = object["metadata"]["resourceVersion"].as_str().unwrap();
                versions.insert(format!("{kind} {name}"), version.to_owned());
            }
        }
        versions
    }

    /// Waits until a template of a replicated policy says something; answers the message.
    pub async fn template_says(&self, policy: &str, cluster: &str, template: &str, part: &str) -> String {
        let name = format!("{POLICIES}.{policy}");
        self.hub
            .wait(
                &format!("{policy}/{template} on {cluster} to say {part:?}"),
                "Policy",
                Some(cluster),
                |policies| newest(policies.get(&name)?, template).filter(|message| message.contains(part)),
            )
            .await
    }
}

/// The newest message of a template in a replicated policy.
pub fn newest(replica: &Value, template: &str) -> Option<String> {
    let details = replica["status"]["details"].as_array()?;
    let detail = details.iter().find(|detail| detail["templateMeta"]["name"] == template)?;
    detail["history"][0]["message"].as_str().map(ToOwned::to_owned)
}

/// Where the data of others lies, when it is present.
pub fn shared_data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    path.exists().then_some(path)
}

/// The five unmodified files, or the project's own policies where the former are absent.
pub fn policy_files() -> Vec<PathBuf> {
    match shared_data() {
        Some(data) => {
            let resources = data.join("acm-app-pv-backup/resources");
            [
                "policy-sets/acm-app-backup-policy-set.yaml",
                "policy-sets/acm-app-restore-policy-set.yaml",
                "policies/oadp-hdr-app-install.yaml",
                "policies/oadp-hdr-app-backup.yaml",
                "policies/oadp-hdr-app-restore.yaml",
            ]
            .map(|file| resources.join(file))
            .to_vec()
        }
        None => own_policy_files(),
    }
}

/// The project's own policies.
pub fn own_policy_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name != "kustomization.yaml"))
        .collect();
    files.sort();
    files
}

/// A sample ConfigMap, its placeholders filled in, for one namespace to back up.
pub fn config_map(preset: &str) -> Option<String> {
    let path = shared_data()?.join(format!("acm-app-pv-backup/input/{preset}/hdr-app-configmap.txt"));
    Some(fill_in(&std::fs::read_to_string(path).unwrap(), "pacman-ns"))
}

/// Fills in the placeholders of a sample ConfigMap.
pub fn fill_in(text: &str, namespace: &str) -> String {
    let credentials =
        "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPUFLSUFURVNUCmF3c19zZWNyZXRfYWNjZXNzX2tleT1jMmVjcmV0Cg==";
    let mut filled = String::new();
    for line in text.lines() {
        let line = if line.trim_start().starts_with("dpaAwsBackupCloudCredentials:") {
            format!("  dpaAwsBackupCloudCredentials: {credentials}")
        } else if line.trim_start().starts_with("backupNSToBackup:") {
            format!("  backupNSToBackup: \"[\\\"{namespace}\\\"]\"")
        } else {
            line.replace("<us-east-1>", "us-east-1")
                .replace("<dpaBackupCloudCredentialsName>", "cloud-credentials")
                .replace("<bucket-name>", "flotilla")
                .replace("<in-bucket-folder-name>", "velero")
                .replace("<aws>", "aws")
                .replace("<east1>", "default")
                .replace("<use here ClusterClaim region.open-cluster-management.io value>", "us-east-1")
        };
        filled.push_str(&line);
        filled.push('\n');
    }
    filled
}

/// A manifest from YAML.
pub fn manifest(text: &str) -> Manifest {
    Manifest::parse(yaml::read(text, yaml::Dialect::Kubernetes).unwrap()).unwrap()
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
