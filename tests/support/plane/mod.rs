//! The real stage: kube-apiserver and etcd for the hub and for each cluster, Velero where OADP would run it, one S3.
//!
//! Every process listens on loopback at a port of its own and is killed when the stage is dropped. The programs are built
//! by `make plane`.

pub mod control_plane;
pub mod definitions;
pub mod kubelet;
pub mod operator;
pub mod process;
pub mod storage;
pub mod velero;

use std::collections::BTreeMap;
use std::sync::Arc;

use control_plane::{ControlPlane, SigningKeys};
use operator::Operator;
use process::RunDirectory;
use storage::ObjectStorage;

use super::stage::hub_name;

/// The buckets that the ConfigMaps name: the samples' and the demo's.
const BUCKETS: [&str; 2] = ["flotilla", "flotilla-demo"];

/// A running real stage. What is declared first ends first.
#[derive(Debug)]
pub struct Plane {
    _operators: Vec<Operator>,
    pub hubs: Vec<ControlPlane>,
    pub clusters: BTreeMap<String, ControlPlane>,
    pub storage: ObjectStorage,
    pub run: Arc<RunDirectory>,
}

impl Plane {
    /// Starts hubs, clusters and the storage. Bare clusters know no kinds but Kubernetes' own.
    pub async fn start(hubs: usize, clusters: &[String], bare: &[String]) -> Self {
        let run = Arc::new(RunDirectory::new());
        let keys = SigningKeys::new(&run);
        let storage = ObjectStorage::start(&run, &BUCKETS);
        let hubs = futures::future::join_all((0..hubs).map(|number| {
            let (run, keys) = (&run, &keys);
            async move {
                let name = hub_name(number);
                let hub = ControlPlane::start(&name, run, keys).await;
                // The second hub is one without Open Cluster Management.
                let known =
                    if number == 0 { definitions::hub() } else { flotilla::api::definitions::definitions() };
                definitions::install(&hub.client().await, &known).await;
                hub
            }
        }));
        let planes = futures::future::join_all(clusters.iter().map(|name| {
            let (run, keys) = (&run, &keys);
            async move {
                let cluster = ControlPlane::start(name, run, keys).await;
                if !bare.contains(name) {
                    definitions::install(&cluster.client().await, &definitions::managed()).await;
                }
                (name.clone(), cluster)
            }
        }));
        let (storage, hubs, planes) = tokio::join!(storage, hubs, planes);
        let clusters: BTreeMap<String, ControlPlane> = planes.into_iter().collect();
        let mut operators = Vec::new();
        for (name, cluster) in &clusters {
            let kubeconfig = run.file(&format!("{name}.kubeconfig"));
            std::fs::write(&kubeconfig, cluster.kubeconfig()).unwrap();
            operators.push(Operator::start(name, cluster.client().await, kubeconfig, Arc::clone(&run)));
        }
        Self { _operators: operators, hubs, clusters, storage, run }
    }

    /// The control plane of the hub (`hub`, `hub-2`) or of a cluster.
    pub fn control_plane(&self, name: &str) -> &ControlPlane {
        let mut hubs = self.hubs.iter();
        self.clusters
            .get(name)
            .or_else(|| hubs.find(|hub| hub.name() == name))
            .unwrap_or_else(|| panic!("there is no {name} on the stage"))
    }
}
