//! Where a case takes place: one cluster with the definitions that the cases need, and what plays its controllers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flotilla::api::object::{GroupVersionKind, Manifest, ObjectKey};
use flotilla::sim::stage::{Stage as StandIn, StageOptions};
use flotilla::yaml;
use serde_json::{Value, json};
use tokio::sync::Mutex as Waiting;

use super::driver::Driver;
use super::objects::{LOOK, Objects};
use crate::support::plane::control_plane::{ControlPlane, SigningKeys};
use crate::support::plane::process::RunDirectory;
use crate::support::stage::{Kind, kind};
use crate::support::{read, shared_data};

/// Where the cases' ConfigurationPolicies are.
pub(super) const NAMESPACE: &str = "managed";

/// How long a condition may take to come true.
pub(super) fn patience() -> Duration {
    match kind() {
        Kind::StandIn => Duration::from_secs(10),
        Kind::Plane => Duration::from_secs(30),
    }
}

/// Keeps a server running.
enum Server {
    StandIn { _stage: StandIn },
    Plane { _plane: ControlPlane },
}

/// A cluster that is ready for a case.
pub(super) struct Ground {
    pub(super) objects: Arc<Objects>,
    /// What a case or its policies touched.
    pub(super) touched: Arc<Mutex<BTreeSet<ObjectKey>>>,
    driver: Driver,
    controllers: Option<tokio::task::JoinHandle<()>>,
    _server: Server,
}

/// The clusters of a run.
pub(super) struct Grounds {
    free: Waiting<Vec<Ground>>,
    run: Option<(Arc<RunDirectory>, SigningKeys)>,
}

impl Grounds {
    /// Real servers are started once and cleaned up between the cases; the stand-in is new for each.
    pub(super) async fn start(count: usize) -> Self {
        let run = match kind() {
            Kind::StandIn => None,
            Kind::Plane => {
                let run = Arc::new(RunDirectory::new());
                let keys = SigningKeys::new(&run);
                Some((run, keys))
            }
        };
        let grounds = Self { free: Waiting::default(), run };
        if grounds.run.is_some() {
            let started = futures::future::join_all((0..count).map(|number| grounds.ground(number))).await;
            *grounds.free.lock().await = started;
        }
        grounds
    }

    async fn ground(&self, number: usize) -> Ground {
        if let Some((run, keys)) = &self.run {
            let plane = ControlPlane::start(&format!("conformance-{number}"), run, keys).await;
            let kubeconfig = plane.kubeconfig();
            return Ground::new(kubeconfig, Server::Plane { _plane: plane }).await;
        }
        let options = StageOptions { clusters: vec!["c1".to_owned()], ..StageOptions::default() };
        let stage = StandIn::start(options).await.unwrap();
        let kubeconfig = stage.cluster("c1").unwrap().kubeconfig();
        Ground::new(kubeconfig, Server::StandIn { _stage: stage }).await
    }

    pub(super) async fn take(&self) -> Ground {
        let free = self.free.lock().await.pop();
        match free {
            Some(ground) => ground,
            None => self.ground(usize::from(rand_number())).await,
        }
    }

    pub(super) async fn give_back(&self, ground: Ground, clean: bool) {
        if clean && self.run.is_some() {
            self.free.lock().await.push(ground);
        }
    }
}

/// A number that no other server of this process has.
fn rand_number() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(100);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

impl Ground {
    async fn new(kubeconfig: String, server: Server) -> Self {
        let objects = Arc::new(Objects::new(&kubeconfig).await);
        let definitions = definitions();
        for definition in &definitions {
            objects.apply(definition).await.unwrap();
        }
        for definition in &definitions {
            established(&objects, definition).await;
        }
        for namespace in ["default", NAMESPACE] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            objects.apply(&Manifest::parse(namespace).unwrap()).await.unwrap();
        }
        let touched = Arc::default();
        let driver = Driver::start(&kubeconfig, Arc::clone(&touched)).await;
        let controllers = match server {
            Server::StandIn { .. } => None,
            Server::Plane { .. } => {
                Some(tokio::spawn(play_controllers(Arc::clone(&objects), Arc::clone(&touched))))
            }
        };
        Self { objects, touched, driver, controllers, _server: server }
    }

    /// Takes everything away that a case left.
    pub(super) async fn clean_up(&self) -> Result<(), String> {
        let touched = std::mem::take(&mut *self.touched.lock().unwrap());
        let policies = GroupVersionKind::new("policy.open-cluster-management.io/v1", "ConfigurationPolicy");
        self.driver.stand_by(true);
        for policy in self.objects.list(&policies).await? {
            if let Some(key) = policy.key() {
                self.objects.remove(&key).await?;
            }
        }
        let (namespaces, others): (Vec<_>, Vec<_>) =
            touched.into_iter().partition(|key| key.gvk.same_kind("", "Namespace"));
        for key in others.iter().chain(&namespaces) {
            let own = ["default", NAMESPACE].contains(&key.name.as_str());
            if !own && let Err(error) = self.objects.remove(key).await {
                println!("clean-up: {error}");
            }
        }
        for key in namespaces.iter().filter(|key| !["default", NAMESPACE].contains(&key.name.as_str())) {
            self.objects.gone(key, patience()).await?;
        }
        self.touched.lock().unwrap().clear();
        self.driver.stand_by(false);
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(controllers) = &self.controllers {
            controllers.abort();
        }
    }
}

/// The definitions that the cases need: the policies themselves, and custom kinds of the platforms that they run on.
fn definitions() -> Vec<Manifest> {
    let data = shared_data().unwrap();
    let folders = ["crds/policy", "conformance/crds-test"];
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(data.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("policy.open-cluster-management.io_policyautomations.yaml"))
        .collect();
    files.sort();
    let documents = |path: &Path| yaml::read_documents(&read(path)).unwrap();
    files
        .iter()
        .flat_map(|path| documents(path))
        .filter(|document| document["kind"] == json!("CustomResourceDefinition"))
        .map(|document| Manifest::parse(document).unwrap())
        .collect()
}

async fn established(objects: &Objects, definition: &Manifest) {
    let key = definition.key().unwrap();
    let began = std::time::Instant::now();
    loop {
        let found = objects.get(&key).await.unwrap().unwrap();
        let conditions = found.at(&["status", "conditions"]).and_then(Value::as_array).cloned();
        let established = conditions.unwrap_or_default().iter().any(|condition| {
            condition["type"] == json!("Established") && condition["status"] == json!("True")
        });
        if established {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{key} is not established: {:?}",
            found.at(&["status"])
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// What a controller-manager does that the cases depend on: each namespace has its `ServiceAccount`, and what is deleted is
/// emptied and let go.
async fn play_controllers(objects: Arc<Objects>, touched: Arc<Mutex<BTreeSet<ObjectKey>>>) {
    let namespaces = GroupVersionKind::new("v1", "Namespace");
    let mut look = tokio::time::interval(Duration::from_millis(200));
    loop {
        look.tick().await;
        let Ok(all) = objects.list(&namespaces).await else { continue };
        for namespace in all {
            let Some(name) = namespace.name() else { continue };
            if namespace.is_deleting() {
                let inside: Vec<ObjectKey> = touched
                    .lock()
                    .unwrap()
                    .iter()
                    .filter(|key| key.namespace.as_deref() == Some(name))
                    .cloned()
                    .collect();
                let mut empty = true;
                for key in inside {
                    let _ = objects.delete(&key).await;
                    empty &= matches!(objects.get(&key).await, Ok(None));
                }
                if empty {
                    let mut released = namespace.to_value();
                    released["spec"]["finalizers"] = json!([]);
                    objects.finalize(name, &released).await;
                }
            } else {
                let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                    "metadata": {"name": "default", "namespace": name}});
                let account = Manifest::parse(account).unwrap();
                if matches!(objects.get(&account.key().unwrap()).await, Ok(None)) {
                    let _ = objects.apply(&account).await;
                }
            }
        }
    }
}
