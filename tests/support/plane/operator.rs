//! Plays OLM, the OADP operator and the controllers of Velero's workloads on a real cluster, and starts Velero for its Pod.
//!
//! The rules are the stand-in's own ([`flotilla::sim::oadp`], [`flotilla::sim::workloads`]); here they see real objects and
//! write through the API, so that what they make must be valid to the real definitions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flotilla::api::object::{GroupVersionKind, Manifest, ObjectKey};
use flotilla::sim::oadp::Oadp;
use flotilla::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};
use flotilla::sim::velero::is_server;
use flotilla::sim::workloads::Workloads;
use futures::StreamExt as _;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::Value;
use tokio::sync::mpsc;

use super::process::RunDirectory;
use super::velero::VeleroServer;
use crate::support::user::resource;

/// The kinds that the rules ask for or write.
const KINDS: [&str; 9] = [
    "Subscription",
    "ClusterServiceVersion",
    "DataProtectionApplication",
    "BackupStorageLocation",
    "VolumeSnapshotLocation",
    "Secret",
    "Pod",
    "Deployment",
    "DaemonSet",
];
/// After a failed read or write; the watches say when to look in all other cases.
const AGAIN: Duration = Duration::from_millis(300);

/// How often it is looked whether the servers run: nothing tells of their end.
const ROUND: Duration = Duration::from_secs(1);

/// The operator of one cluster, for as long as this lives.
#[derive(Debug)]
pub struct Operator {
    task: tokio::task::JoinHandle<()>,
}

impl Operator {
    /// Starts it.
    pub fn start(cluster: &str, client: Client, kubeconfig: PathBuf, run: Arc<RunDirectory>) -> Self {
        let site = Site { cluster: cluster.to_owned(), client, kubeconfig, run };
        Self { task: tokio::spawn(site.follow()) }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // The Velero servers that it holds end with it.
        self.task.abort();
    }
}

struct Site {
    cluster: String,
    client: Client,
    kubeconfig: PathBuf,
    run: Arc<RunDirectory>,
}

impl Site {
    async fn follow(self) {
        let (changed, mut changes) = mpsc::channel::<()>(1);
        let mut watches = tokio::task::JoinSet::new();
        for kind in KINDS {
            let (api, changed) = (self.all(kind), changed.clone());
            watches.spawn(async move {
                let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
                while events.next().await.is_some() {
                    // A full channel says it already.
                    let _ = changed.try_send(());
                }
            });
        }
        let mut rules: Vec<Box<dyn Simulator>> = vec![Box::new(Oadp::new()), Box::new(Workloads::new())];
        // By the identity of their Pods.
        let mut servers: HashMap<String, VeleroServer> = HashMap::new();
        let mut rounds = tokio::time::interval(ROUND);
        loop {
            tokio::select! {
                // The sender above never ends.
                _ = changes.recv() => {}
                _ = rounds.tick() => {
                    let ended = servers.values_mut().any(|server| !server.runs());
                    servers.retain(|_, server| server.runs());
                    if !ended {
                        continue;
                    }
                }
            }
            match self.look(&mut rules, &mut servers).await {
                Ok(()) => {}
                Err(error) => {
                    eprintln!("the operator of {}: {error}", self.cluster);
                    tokio::time::sleep(AGAIN).await;
                    let _ = changed.try_send(());
                }
            }
        }
    }

    /// One step of the rules on what is there now.
    async fn look(
        &self,
        rules: &mut [Box<dyn Simulator>],
        servers: &mut HashMap<String, VeleroServer>,
    ) -> kube::Result<()> {
        let snapshot = self.snapshot().await?;
        let now = jiff::Timestamp::now();
        let mut storage = ObjectStorage::default();
        for player in rules {
            for write in player.step(&self.cluster, &snapshot, &mut storage, now, Trigger::Change) {
                self.write(write).await?;
            }
        }
        let pods = snapshot.list("", "Pod", None);
        let running: HashMap<&str, &Arc<Manifest>> = pods
            .iter()
            .filter(|pod| is_server(pod) && !pod.is_deleting())
            .filter_map(|pod| Some((pod.uid()?, pod)))
            .collect();
        servers.retain(|pod, _| running.contains_key(pod.as_str()));
        for (uid, pod) in running {
            if !servers.contains_key(uid) {
                let namespace = pod.namespace().unwrap_or_default();
                let arguments = arguments(pod);
                let server =
                    VeleroServer::start(&self.cluster, namespace, &arguments, &self.kubeconfig, &self.run);
                servers.insert(uid.to_owned(), server);
            }
        }
        Ok(())
    }

    async fn snapshot(&self) -> kube::Result<Snapshot> {
        let mut objects = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        for kind in KINDS {
            let (resource, _) = resource(kind);
            let listed = match self.all(kind).list(&ListParams::default()).await {
                Ok(listed) => listed.items,
                // Its definition may come later.
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    unknown.insert(resource.group.clone());
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            let manifests = listed.into_iter().map(|mut object| {
                object.types = Some(kube::core::TypeMeta {
                    api_version: resource.api_version.clone(),
                    kind: kind.to_owned(),
                });
                Arc::new(Manifest::parse(serde_json::to_value(object).unwrap()).unwrap())
            });
            objects.insert((resource.group.clone(), kind.to_owned()), manifests.collect());
        }
        Ok(Snapshot { objects, unknown })
    }

    async fn write(&self, write: Write) -> kube::Result<()> {
        match write {
            Write::Create(value) => {
                let (api, object) = self.target(&value);
                let created = match api.create(&PostParams::default(), &object).await {
                    // Left alone, as by the stand-in.
                    Err(kube::Error::Api(status)) if status.code == 409 => return Ok(()),
                    other => other?,
                };
                self.write_status(&api, created, &value).await
            }
            Write::Replace(value) => {
                let (api, object) = self.target(&value);
                let replaced = match api.replace(&object.name_any(), &PostParams::default(), &object).await {
                    // Somebody was quicker: the watch tells.
                    Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => return Ok(()),
                    other => other?,
                };
                self.write_status(&api, replaced, &value).await
            }
            Write::Delete(key) => self.delete(&key).await,
        }
    }

    /// The status of a kind with a subresource goes through that.
    async fn write_status(
        &self,
        api: &Api<DynamicObject>,
        mut stored: DynamicObject,
        value: &Value,
    ) -> kube::Result<()> {
        if value["status"].is_null() || stored.data["status"] == value["status"] {
            return Ok(());
        }
        stored.data["status"] = value["status"].clone();
        match api.replace_status(&stored.name_any(), &PostParams::default(), &stored).await {
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn delete(&self, key: &ObjectKey) -> kube::Result<()> {
        let (resource, _) = resource(&key.gvk.kind);
        let api: Api<DynamicObject> = match &key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        match api.delete(&key.name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn all(&self, kind: &str) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource(kind).0)
    }

    fn target(&self, value: &Value) -> (Api<DynamicObject>, DynamicObject) {
        let object: DynamicObject = serde_json::from_value(value.clone()).unwrap();
        let (resource, _) = resource(value["kind"].as_str().unwrap());
        let namespace = object.namespace().unwrap();
        (Api::namespaced_with(self.client.clone(), &namespace, &resource), object)
    }
}

/// The arguments of the program in a Pod, after the name of the command.
fn arguments(pod: &Manifest) -> Vec<String> {
    let pod = pod.to_value();
    let arguments = pod["spec"]["containers"][0]["args"].as_array();
    arguments.into_iter().flatten().skip(1).map(|argument| argument.as_str().unwrap().to_owned()).collect()
}

/// What the rules see.
struct Snapshot {
    objects: BTreeMap<(String, String), Vec<Arc<Manifest>>>,
    /// Groups of which a kind is not served.
    unknown: BTreeSet<String>,
}

impl View for Snapshot {
    fn get(&self, key: &ObjectKey) -> Option<Arc<Manifest>> {
        let GroupVersionKind { group, kind, .. } = &key.gvk;
        self.list(group, kind, key.namespace.as_deref())
            .into_iter()
            .find(|object| object.name() == Some(&key.name))
    }

    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Manifest>> {
        let listed = self
            .objects
            .get(&(group.to_owned(), kind.to_owned()))
            .unwrap_or_else(|| panic!("the operator does not follow {kind}"));
        listed
            .iter()
            .filter(|object| namespace.is_none() || object.namespace() == namespace)
            .cloned()
            .collect()
    }

    fn contents(&self, namespace: &str) -> Vec<Arc<Manifest>> {
        self.objects
            .values()
            .flatten()
            .filter(|object| object.namespace() == Some(namespace))
            .cloned()
            .collect()
    }

    fn serves(&self, group: &str, _kind: &str) -> bool {
        !self.unknown.contains(group)
    }
}
