//! The fleet of a scenario: a stage, a Flotilla process in it, and what a platform team does with them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use flotilla::adapters::source::git::Limits;
use flotilla::controller::{Candidate, HubOptions, Metrics, SourceOptions};
use flotilla::pipeline::source::SourceAddress;
use flotilla::sim::server::Server;
use flotilla::sim::stage::Stage as StandIn;
use flotilla::yaml;
use serde_json::{Value, json};

use super::hub_process::HubProcess;
use super::input::{own_policy_files, policy_files, read, shared_data};
use super::stage::{self, Stage, hub_name};
use super::user::{User, client};
use super::{POLICIES, VELERO};

/// A source at which the hub looks every second.
pub fn source_options(address: &str) -> SourceOptions {
    SourceOptions {
        address: SourceAddress::parse(address).unwrap(),
        namespace: "flotilla".to_owned(),
        interval: Duration::from_secs(1),
        limits: Limits::default(),
    }
}

/// A hub with its clusters on a stage, and the Flotilla process.
pub struct World {
    /// What it stands on; two hubs share one.
    pub stage: Arc<Stage>,
    /// A user of the hub who may do everything.
    pub hub: User,
    /// The same of each cluster.
    pub clusters: BTreeMap<String, User>,
    process: Option<HubProcess>,
    directory: tempfile::TempDir,
}

impl World {
    /// Starts the stage, joins the clusters c1 to c3, and starts Flotilla.
    pub async fn start() -> Self {
        let mut world = Self::start_without_hub().await;
        world.start_hub();
        world
    }

    /// The same with other clusters.
    pub async fn start_with(clusters: &[&str]) -> Self {
        let mut world = Self::start_clusters(clusters).await;
        world.start_hub();
        world
    }

    /// The same without Flotilla.
    pub async fn start_without_hub() -> Self {
        Self::start_clusters(&["c1", "c2", "c3"]).await
    }

    /// Starts a stage with these clusters and joins them.
    pub async fn start_clusters(names: &[&str]) -> Self {
        Self::start_hubs(&[names]).await.remove(0)
    }

    /// Starts a stage with one cluster that has no OLM, no OADP and no Velero, and joins it.
    pub async fn start_bare(name: &str) -> Self {
        let mut world = Self::start_bare_unjoined(name).await;
        world.join(name).await;
        world.start_hub();
        world
    }

    /// The same without Flotilla, with a cluster that has not joined.
    pub async fn start_bare_unjoined(name: &str) -> Self {
        Self::start_unjoined_with(&[&[name]], &[name]).await.remove(0)
    }

    /// Starts a stage with several hubs, each with clusters of its own, which share the object storage, and joins those.
    pub async fn start_hubs(hubs: &[&[&str]]) -> Vec<Self> {
        let worlds = Self::start_unjoined(hubs).await;
        for world in &worlds {
            for name in world.clusters.keys() {
                world.join(name).await;
            }
        }
        worlds
    }

    /// The same with clusters that have not joined.
    pub async fn start_unjoined(hubs: &[&[&str]]) -> Vec<Self> {
        Self::start_unjoined_with(hubs, &[]).await
    }

    async fn start_unjoined_with(hubs: &[&[&str]], bare: &[&str]) -> Vec<Self> {
        if std::env::var("RUST_LOG").is_ok() {
            // The first test of the process has done it already.
            let _ = tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .with_test_writer()
                .try_init();
        }
        let all: Vec<String> = hubs.iter().copied().flatten().map(|name| (*name).to_owned()).collect();
        let bare: Vec<String> = bare.iter().map(|name| (*name).to_owned()).collect();
        let stage = Arc::new(Stage::start(hubs.len(), &all, &bare).await);
        let mut worlds = Vec::new();
        for (number, names) in hubs.iter().enumerate() {
            let mut clusters = BTreeMap::new();
            for name in *names {
                clusters.insert((*name).to_owned(), User::new(stage.kubeconfig(name)).await);
            }
            let directory = tempfile::tempdir().unwrap();
            let kubeconfig = stage.hub_kubeconfig(&hub_name(number)).await;
            std::fs::write(directory.path().join("hub.kubeconfig"), kubeconfig).unwrap();
            let hub = User::new(stage.kubeconfig(&hub_name(number))).await;
            worlds.push(Self { stage: Arc::clone(&stage), hub, clusters, process: None, directory });
        }
        worlds
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
        self.write_credentials(name, &self.stage.credentials(name).await).await;
    }

    /// Joins a cluster by the command itself, as an administrator of both; answers what it printed.
    pub async fn join_by_command(&self, name: &str, more: &[&str]) -> String {
        let write = |file: &str, text: &str| {
            let path = self.directory.path().join(file);
            std::fs::write(&path, text).unwrap();
            path
        };
        let cluster = write(&format!("{name}.kubeconfig"), &self.clusters[name].kubeconfig);
        let hub = write("administrator.kubeconfig", &self.hub.kubeconfig);
        let command = tokio::process::Command::new(env!("CARGO_BIN_EXE_flotilla"))
            .args(["cluster", "join", name, "--kubeconfig"])
            .arg(cluster)
            .arg("--hub-kubeconfig")
            .arg(hub)
            .args(more)
            .env_remove("KUBECONFIG")
            .kill_on_drop(true)
            .output();
        let (output, ()) = tokio::join!(command, self.stage.fill_in_token(name));
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The kubeconfig with which the hub enters a cluster.
    pub async fn given_kubeconfig(&self, cluster: &str) -> String {
        let secret = self.hub.get("Secret", cluster, "flotilla-kubeconfig").await.unwrap();
        let kubeconfig = secret["data"]["kubeconfig"].as_str().unwrap();
        let kubeconfig = base64::engine::general_purpose::STANDARD.decode(kubeconfig).unwrap();
        String::from_utf8(kubeconfig).unwrap()
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

    /// Starts Flotilla: in this process on the stand-in, as a program of its own on real servers.
    pub fn start_hub(&mut self) {
        let kubeconfig = self.hub_kubeconfig();
        self.process = Some(match stage::kind() {
            stage::Kind::StandIn => HubProcess::inside(kubeconfig, None),
            stage::Kind::Plane => HubProcess::own(&kubeconfig, &self.hub_log(), &[]),
        });
    }

    /// Starts Flotilla as a program of its own, which [`World::kill_hub`] kills with SIGKILL.
    pub fn start_hub_program(&mut self) {
        self.start_hub_program_with(&[]);
    }

    /// The same with further arguments.
    pub fn start_hub_program_with(&mut self, arguments: &[String]) {
        let kubeconfig = self.hub_kubeconfig();
        self.process = Some(HubProcess::own(&kubeconfig, &self.hub_log(), arguments));
    }

    /// Starts Flotilla with a source, at which it looks every second: in this process on the stand-in.
    pub fn start_hub_with_source(&mut self, address: &str) {
        let kubeconfig = self.hub_kubeconfig();
        self.process = Some(match stage::kind() {
            stage::Kind::StandIn => HubProcess::with_options(HubOptions {
                kubeconfig: Some(kubeconfig),
                sources: vec![source_options(address)],
                ..HubOptions::default()
            }),
            stage::Kind::Plane => {
                let arguments = [format!("--source={address}"), "--source-interval=1s".to_owned()];
                HubProcess::own(&kubeconfig, &self.hub_log(), &arguments)
            }
        });
    }

    /// Starts Flotilla in this process with options of choice, on this hub.
    pub fn start_hub_with(&mut self, options: HubOptions) {
        let kubeconfig = Some(self.hub_kubeconfig());
        self.process = Some(HubProcess::with_options(HubOptions { kubeconfig, ..options }));
    }

    /// Waits until the record of the source `fleet` is as it should be; answers it.
    pub async fn source_is(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        self.hub
            .wait(what, "ConfigMap", Some("flotilla"), |config_maps| {
                let data = &config_maps.get("flotilla-source-fleet")?["data"];
                condition(data).then(|| data.clone())
            })
            .await
    }

    /// Waits until a revision of the source `fleet` is applied without a fault.
    pub async fn source_applied(&self, revision: &str) {
        self.source_is(&format!("{revision} to be applied"), |data| {
            data["revision"] == revision && data["error"] == ""
        })
        .await;
    }

    fn hub_log(&self) -> std::path::PathBuf {
        match self.stage.as_ref() {
            Stage::StandIn(_) => self.directory.path().join("flotilla.log"),
            Stage::Plane(plane) => plane.run.file("flotilla.log"),
        }
    }

    /// Starts a Flotilla process that works only while it holds the Lease.
    pub fn start_candidate(&mut self, identity: &str) -> HubProcess {
        let candidate = Candidate { namespace: "flotilla".to_owned(), identity: identity.to_owned() };
        HubProcess::inside(self.directory.path().join("hub.kubeconfig"), Some(candidate))
    }

    /// Path of the kubeconfig of the Flotilla process.
    pub fn hub_kubeconfig(&self) -> std::path::PathBuf {
        self.directory.path().join("hub.kubeconfig")
    }

    /// What the Flotilla process that runs now counts.
    pub fn metrics(&self) -> String {
        self.process.as_ref().unwrap().metrics()
    }

    /// The counters themselves, of one inside this process.
    pub fn counters(&self) -> &Metrics {
        match self.process.as_ref().unwrap() {
            HubProcess::Inside { metrics, .. } => metrics,
            HubProcess::Own { .. } => panic!("a process of its own keeps its counters to itself"),
        }
    }

    /// Kills the Flotilla process in the middle of whatever it does.
    pub async fn kill_hub(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Stops everything in order; panics when the process had ended by itself. The last of several hubs ends the stage.
    pub async fn stop(mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
        if let Some(stage) = Arc::into_inner(self.stage) {
            stage.shutdown().await;
        }
    }

    /// The stand-in, for faults that real servers do not have at hand.
    pub fn stand_in(&self) -> &StandIn {
        self.stage.stand_in()
    }

    /// The stand-in behind a cluster.
    pub fn server(&self, name: &str) -> &Arc<Server> {
        self.stand_in().cluster(name).unwrap()
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
        self.apply_config(config_map).await;
        self.apply_policy_files().await;
    }

    /// Applies a ConfigMap.
    pub async fn apply_config(&self, config_map: &str) {
        self.hub.apply_text(&self.stage.with_storage(config_map), POLICIES).await;
    }

    /// Applies the policies' namespace and the five files.
    pub async fn apply_policy_files(&self) {
        self.hub
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": POLICIES}}), "")
            .await;
        for file in policy_files() {
            self.hub.apply_text(&read(&file), POLICIES).await;
        }
    }

    /// The gesture: that backup is to be restored on this cluster.
    pub async fn label_for_restore(&self, cluster: &str, backup: &str) {
        self.hub.label("ManagedCluster", cluster, &[("acm-app-restore", Some(backup))]).await;
    }

    /// Waits until a policy set has this compliance; answers it.
    pub async fn policy_set_is(&self, name: &str, state: &str) -> Value {
        self.hub
            .wait(&format!("the policy set {name} to be {state}"), "PolicySet", Some(POLICIES), |sets| {
                let set = sets.get(name)?;
                (set["status"]["compliant"] == state).then(|| set.clone())
            })
            .await
    }

    /// Panics if Velero has called anything on the clusters invalid.
    pub async fn velero_took_everything(&self) {
        for (name, cluster) in &self.clusters {
            for kind in ["Schedule", "Backup", "Restore"] {
                for (object, value) in cluster.list(kind, None).await {
                    assert_ne!(
                        value["status"]["phase"], "FailedValidation",
                        "{kind} {object} on {name}: {value:#}"
                    );
                }
            }
        }
    }

    /// Makes the credentials with which the hub enters a cluster worthless, and waits until they are refused: a real server
    /// remembers for some seconds that it accepted them.
    pub async fn revoke_credentials(&self, cluster: &str) {
        let given = client(&self.given_kubeconfig(cluster).await).await;
        self.stage.revoke(cluster).await;
        let refused = async {
            let mut asked = tokio::time::interval(Duration::from_millis(200));
            loop {
                asked.tick().await;
                if let Err(kube::Error::Api(status)) = given.list_core_api_versions().await
                    && status.code == 401
                {
                    return;
                }
            }
        };
        tokio::time::timeout(stage::patience(), refused).await.expect("the credentials are still accepted");
    }

    /// A user of a cluster with credentials that are good now.
    pub async fn user_of(&self, cluster: &str) -> User {
        User::new(self.stage.kubeconfig(cluster)).await
    }

    /// The gesture: this cluster is to be backed up.
    pub async fn label_for_backup(&self, cluster: &str) {
        self.hub.label("ManagedCluster", cluster, &[("acm-pv-dr", Some("backup"))]).await;
    }

    /// Waits until the Placement for backup says why it selects nothing; answers its reason.
    pub async fn why_none_is_backed_up(&self) -> String {
        self.hub
            .wait("the placement to say why", "Placement", Some(POLICIES), |placements| {
                let conditions =
                    placements.get("acm-app-backup-placement")?["status"]["conditions"].as_array()?;
                let satisfied =
                    conditions.iter().find(|condition| condition["type"] == "PlacementSatisfied")?;
                (satisfied["status"] == "False").then(|| satisfied["reason"].as_str().unwrap().to_owned())
            })
            .await
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
                if document["kind"] == "ConfigMap" {
                    self.stage.tell_storage(&mut document);
                }
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

    /// Takes the label for backups from a cluster.
    pub async fn unlabel(&self, cluster: &str) {
        self.hub.label("ManagedCluster", cluster, &[("acm-pv-dr", None)]).await;
    }

    /// Takes the label for backups from a cluster, and waits until its Schedule is gone.
    pub async fn deselect(&self, cluster: &str) {
        self.unlabel(cluster).await;
        self.schedule_is_gone(cluster).await;
    }

    /// Waits until a cluster has no Schedule.
    pub async fn schedule_is_gone(&self, cluster: &str) {
        self.clusters[cluster]
            .wait("the schedule to go", "Schedule", Some(VELERO), |schedules| {
                schedules.is_empty().then_some(())
            })
            .await;
    }

    /// Waits until the root policy has this compliance on a cluster.
    pub async fn policy_is(&self, policy: &str, cluster: &str, state: &str) {
        if shared_data().is_none() && policy == "oadp-hdr-app-backup" && state == "Compliant" {
            // The project's own policy waits for a first backup, which the policies of others do not.
            self.template_says(policy, cluster, "create-schedule-resource", "Compliant; ").await;
            return;
        }
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
        let mut data = json!(data);
        if let Some(spec) = data["dpaSpec"].as_str() {
            data["dpaSpec"] = json!(self.stage.with_storage(spec));
        }
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

    /// Waits until a Schedule of c1 is as it should be; answers it.
    pub async fn schedule_is(&self, name: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        self.clusters["c1"]
            .wait(what, "Schedule", Some(VELERO), |schedules| {
                schedules.get(name).filter(|schedule| condition(schedule)).cloned()
            })
            .await
    }

    /// Waits until a Schedule of c1 strikes at these times.
    pub async fn schedule_has(&self, name: &str, cron: &str) {
        let what = format!("the schedule {cron}");
        self.schedule_is(name, &what, |schedule| schedule["spec"]["schedule"] == cron).await;
    }

    /// Waits until all templates of these policies on a cluster have said their last word: found as specified, nothing just
    /// made.
    pub async fn settled(&self, cluster: &str, policies: &[&str]) {
        self.hub
            .wait(&format!("{cluster} to have settled"), "Policy", Some(cluster), |replicas| {
                for policy in policies {
                    let replica = replicas.get(&format!("{POLICIES}.{policy}"))?;
                    for detail in replica["status"]["details"].as_array()? {
                        let name = detail["templateMeta"]["name"].as_str()?;
                        if shared_data().is_none() && name == "check-backup-completed" {
                            continue;
                        }
                        let message = newest(replica, name)?;
                        if !message.starts_with("Compliant") || message.contains("successfully") {
                            return None;
                        }
                    }
                }
                Some(())
            })
            .await;
    }

    /// Events of a namespace of the hub by what they say, with how often it was said.
    pub async fn events(&self, namespace: &str) -> BTreeMap<String, usize> {
        let mut said = BTreeMap::new();
        for event in self.hub.list("Event", Some(namespace)).await.values() {
            let text = format!(
                "{} {} {}",
                event["involvedObject"]["name"].as_str().unwrap(),
                event["reason"].as_str().unwrap(),
                event["message"].as_str().unwrap()
            );
            *said.entry(text).or_default() += 1;
        }
        said
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

impl World {
    /// Waits until the history of a template tells something, as the last thing or before.
    pub async fn history_tells(&self, policy: &str, cluster: &str, template: &str, part: &str) {
        let name = format!("{POLICIES}.{policy}");
        let what = format!("{policy}/{template} on {cluster} to have said {part:?}");
        self.hub
            .wait(&what, "Policy", Some(cluster), |policies| {
                let details = policies.get(&name)?["status"]["details"].as_array()?;
                let detail = details.iter().find(|detail| detail["templateMeta"]["name"] == template)?;
                let said = detail["history"].as_array()?.iter().filter_map(|entry| entry["message"].as_str());
                said.filter(|message| message.contains(part)).count().gt(&0).then_some(())
            })
            .await;
    }
}

/// The newest message of a template in a replicated policy.
pub fn newest(replica: &Value, template: &str) -> Option<String> {
    let details = replica["status"]["details"].as_array()?;
    let detail = details.iter().find(|detail| detail["templateMeta"]["name"] == template)?;
    detail["history"][0]["message"].as_str().map(ToOwned::to_owned)
}
