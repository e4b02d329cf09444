//! What all cases stand on: clusters with Velero on them that share a bucket, and an app.

use std::collections::BTreeMap;
use std::time::Duration;

use flotilla::yaml;
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::diary::{Diary, Entry, resource};
use crate::support::stage::{Kind, Stage, kind};
use crate::support::user::User;
use crate::support::{VELERO, input};

/// Clusters with Velero.
pub(crate) struct Fixture {
    pub(crate) stage: Stage,
    clusters: BTreeMap<String, Cluster>,
}

/// One of them.
pub(crate) struct Cluster {
    pub(crate) user: User,
    pub(crate) diary: Diary,
}

/// Kinds without a namespace among those that the cases create.
const CLUSTER_SCOPED: [&str; 3] = ["Namespace", "PersistentVolume", "StorageClass"];

/// The text of one of the files of objects that go in.
pub(crate) fn objects(name: &str) -> String {
    input::project_file(&format!("tests/velero_agreement/objects/{name}.yaml"))
}

/// Least time between two objects. Real Velero tells that a Backup is refused before it makes room for the next, and nothing
/// tells when it has; the next one would come right all the same, but a minute later.
fn pace() -> Duration {
    match kind() {
        Kind::StandIn => Duration::from_millis(1),
        Kind::Plane => Duration::from_millis(150),
    }
}

impl Fixture {
    /// Starts the clusters and waits until their location can be used.
    pub(crate) async fn start(clusters: &[&str]) -> Self {
        let names: Vec<String> = clusters.iter().map(|name| (*name).to_owned()).collect();
        let stage = Stage::start(0, &names, &[]).await;
        let install = stage.with_storage(&objects("install"));
        let mut clusters = BTreeMap::new();
        for name in names {
            let user = User::new(stage.kubeconfig(&name)).await;
            let diary = Diary::open(&user.client());
            let cluster = Cluster { user, diary };
            cluster.create_text(&install).await;
            clusters.insert(name, cluster);
        }
        for cluster in clusters.values() {
            cluster.diary.until("BackupStorageLocation", "dpa-1", |entry| entry.phase() == "Available").await;
        }
        Self { stage, clusters }
    }

    /// Objects as they must be for this stage's object storage: every location of a stage has its `"region"` quoted.
    pub(crate) fn with_storage(&self, text: &str) -> String {
        text.split("---\n")
            .map(|document| {
                if document.contains("\"region\"") {
                    self.stage.with_storage(document)
                } else {
                    document.to_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("---\n")
    }

    /// A cluster by its name.
    pub(crate) fn cluster(&self, name: &str) -> &Cluster {
        &self.clusters[name]
    }
}

impl Cluster {
    /// Creates the objects of a file; gives kind and name of each.
    pub(crate) async fn create(&self, file: &str) -> Vec<(String, String)> {
        self.create_text(&objects(file)).await
    }

    /// Creates every document of a YAML text, in the Velero namespace unless it names another.
    pub(crate) async fn create_text(&self, text: &str) -> Vec<(String, String)> {
        let mut created = Vec::new();
        for document in yaml::read_documents(text).unwrap() {
            created.push(self.create_one(document).await);
        }
        created
    }

    /// Creates one object, status included.
    pub(crate) async fn create_one(&self, document: Value) -> (String, String) {
        let object: DynamicObject = serde_json::from_value(document.clone()).unwrap();
        let kind = document["kind"].as_str().unwrap();
        let name = document["metadata"]["name"].as_str().unwrap();
        let api = self.api(
            document["apiVersion"].as_str().unwrap(),
            kind,
            document["metadata"]["namespace"].as_str(),
        );
        api.create(&PostParams::default(), &object)
            .await
            .unwrap_or_else(|error| panic!("failed to create {kind} {name}: {error}"));
        if !document["status"].is_null() && !document["apiVersion"].as_str().unwrap().starts_with("velero.io")
        {
            let patch = kube::api::Patch::Merge(json!({"status": document["status"]}));
            api.patch_status(name, &kube::api::PatchParams::default(), &patch).await.unwrap();
        }
        (kind.to_owned(), name.to_owned())
    }

    fn api(&self, api_version: &str, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = resource(api_version, kind);
        if CLUSTER_SCOPED.contains(&kind) {
            Api::all_with(self.user.client(), &resource)
        } else {
            Api::namespaced_with(self.user.client(), namespace.unwrap_or(VELERO), &resource)
        }
    }

    /// One object, if it is there.
    pub(crate) async fn get(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Value> {
        let found = self.api(api_version, kind, Some(namespace)).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// All objects of a kind in a namespace.
    pub(crate) async fn list(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<Value> {
        let listed = self.api(api_version, kind, Some(namespace)).list(&ListParams::default()).await.unwrap();
        listed.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Creates the objects of a text and waits until Velero is done with each of its own before the next. Real Velero
    /// looks at its queue when a Backup joins it; behind one that was refused the others wait for a minute.
    pub(crate) async fn settle(&self, text: &str) -> Vec<(String, Entry)> {
        let mut settled = Vec::new();
        let mut pace = tokio::time::interval(pace());
        for document in yaml::read_documents(text).unwrap() {
            let is_watched =
                document["apiVersion"] == "velero.io/v1" && document["kind"] != "VolumeSnapshotLocation";
            pace.tick().await;
            let (kind, name) = self.create_one(document).await;
            if is_watched {
                let entry = self.diary.until(&kind, &name, Entry::is_settled).await;
                pace.reset();
                settled.push((format!("{kind} {name}"), entry));
            }
        }
        settled
    }
}
