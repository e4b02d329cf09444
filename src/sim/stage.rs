//! A whole fleet in one process: one hub, any number of managed clusters, their operators, one clock, one storage.
//!
//! Takes names and simulators, gives servers that real clients can talk to. Owns every task it starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::serve::ListenerExt as _;
use jiff::Timestamp;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::{ClockMode, SimulatedClock};
use super::http;
use super::kinds::Role;
use super::oadp::Oadp;
use super::runtime::Runtime;
use super::server::{Server, Surroundings};
use super::simulator::{ObjectStorage, Simulator};
use super::store::{OnChange, Seed};
use super::velero::Velero;
use super::workloads::Workloads;

/// Name under which the hub is served.
pub const HUB: &str = "hub";

/// Why a stage cannot be started.
#[derive(Debug, Error)]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A cluster's name is taken or cannot be part of a path.
    #[error("failed to start cluster {name:?}: {problem}")]
    Name {
        /// The name asked for.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Builds what plays the operators of a cluster, from the cluster's name.
pub type SimulatorFactory = Box<dyn Fn(&str) -> Box<dyn Simulator> + Send + Sync>;

/// Everything that is played on a managed cluster: OADP, what runs Velero's workloads, Velero.
pub fn operators() -> Vec<SimulatorFactory> {
    vec![
        Box::new(|_| Box::new(Oadp::new())),
        Box::new(|_| Box::new(Workloads::new())),
        Box::new(|_| Box::new(Velero::new())),
    ]
}

/// What a stage consists of.
pub struct StageOptions {
    /// Names of the managed clusters.
    pub clusters: Vec<String>,
    /// Those of them that start without any definition: no OLM, no OADP, no Velero.
    pub bare: Vec<String>,
    /// Names of hubs beside the first one, which is called [`HUB`].
    pub other_hubs: Vec<String>,
    /// How the simulated time passes.
    pub clock: ClockMode,
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The simulators of each managed cluster, stepped in this order.
    pub simulators: Vec<SimulatorFactory>,
}

impl Default for StageOptions {
    fn default() -> Self {
        Self {
            clusters: Vec::new(),
            bare: Vec::new(),
            other_hubs: Vec::new(),
            clock: ClockMode::Manual { start: Timestamp::UNIX_EPOCH },
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            simulators: Vec::new(),
        }
    }
}

impl std::fmt::Debug for StageOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StageOptions")
            .field("clusters", &self.clusters)
            .field("bare", &self.bare)
            .field("other_hubs", &self.other_hubs)
            .field("clock", &self.clock)
            .field("listen", &self.listen)
            .field("simulators", &self.simulators.len())
            .finish()
    }
}

/// A running fleet. Dropping it stops all of it.
pub struct Stage {
    hub: Arc<Server>,
    other_hubs: BTreeMap<String, Arc<Server>>,
    clusters: BTreeMap<String, Arc<Server>>,
    clock: SimulatedClock,
    storage: Arc<Mutex<ObjectStorage>>,
    runtime: Arc<Runtime>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Stage")
            .field("address", &self.address)
            .field("clusters", &self.clusters.len())
            .finish_non_exhaustive()
    }
}

impl Stage {
    /// Starts the servers and their simulators.
    pub async fn start(options: StageOptions) -> Result<Self, SimError> {
        check_names(options.clusters.iter().chain(&options.other_hubs))?;
        let fault = |source| SimError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let clock = SimulatedClock::new(options.clock);
        let stop = CancellationToken::new();
        let storage = Arc::new(Mutex::new(ObjectStorage::default()));
        let runtime = Arc::new(Runtime::new(clock.clone(), Arc::clone(&storage)));

        let base_url = format!("http://{address}");
        let tasks = TaskTracker::new();
        let around = Surroundings { base_url: &base_url, clock: &clock, stop: &stop, tasks: &tasks };
        let quiet: OnChange = Arc::new(|| {});
        let seed = Seed::new(Role::Hub, &clock);
        let hub_server = |name: &str| Arc::new(Server::new(name, Role::Hub, &seed, &around, quiet.clone()));
        let hub = hub_server(HUB);
        let other_hubs = options.other_hubs.iter().map(|name| (name.clone(), hub_server(name))).collect();
        let (managed, bare) = (Seed::new(Role::Managed, &clock), Seed::new(Role::Bare, &clock));
        let mut clusters = BTreeMap::new();
        for (index, name) in options.clusters.iter().enumerate() {
            let on_change = runtime.mark(index);
            let (role, seed) =
                if options.bare.contains(name) { (Role::Bare, &bare) } else { (Role::Managed, &managed) };
            let server = Arc::new(Server::new(name, role, seed, &around, on_change));
            let simulators = options.simulators.iter().map(|factory| factory(name)).collect();
            runtime.add(Arc::clone(&server), simulators);
            clusters.insert(name.clone(), server);
        }

        let stage = Self { hub, other_hubs, clusters, clock, storage, runtime, address, stop, tasks };
        stage.spawn(listener);
        Ok(stage)
    }

    fn spawn(&self, listener: TcpListener) {
        let mut servers = self.clusters.clone();
        servers.extend(self.other_hubs.clone());
        servers.insert(HUB.to_owned(), Arc::clone(&self.hub));
        let router = http::router(Arc::new(servers));
        let stop = self.stop.clone();
        // Watches send small pieces, which must not wait for each other's acknowledgement.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "failed to set TCP_NODELAY");
            }
        });
        self.tasks.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the stand-in servers stopped");
            }
        });
        self.tasks.spawn(Arc::clone(&self.runtime).follow_changes(self.stop.clone()));
        if let Some(minute) = self.clock.minute() {
            self.tasks.spawn(Arc::clone(&self.runtime).follow_minutes(minute, self.stop.clone()));
        }
        self.tasks.close();
    }

    /// The hub.
    pub fn hub(&self) -> &Arc<Server> {
        &self.hub
    }

    /// A managed cluster.
    pub fn cluster(&self, name: &str) -> Option<&Arc<Server>> {
        self.clusters.get(name)
    }

    /// A hub or a managed cluster by its name.
    pub fn server(&self, name: &str) -> Option<&Arc<Server>> {
        Some(&self.hub)
            .filter(|hub| hub.name() == name)
            .or_else(|| self.other_hubs.get(name))
            .or_else(|| self.clusters.get(name))
    }

    /// All managed clusters by name.
    pub fn clusters(&self) -> &BTreeMap<String, Arc<Server>> {
        &self.clusters
    }

    /// Where the servers listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The clock of all servers.
    pub fn clock(&self) -> &SimulatedClock {
        &self.clock
    }

    /// Looks at or changes the object storage that the clusters share. The closure must not touch a server.
    pub fn with_storage<T>(&self, look: impl FnOnce(&mut ObjectStorage) -> T) -> T {
        look(&mut self.storage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets a manual clock pass some minutes. After each, every simulator has taken its step and all has settled.
    pub async fn advance_minutes(&self, minutes: u32) {
        for _ in 0..minutes {
            self.settle().await;
            self.clock.advance_minute();
            self.runtime.minute().await;
        }
    }

    /// Finishes what is under way: namespaces in deletion lose their contents, simulators run until nothing is left to
    /// do at this time.
    pub async fn settle(&self) {
        self.clusters
            .values()
            .chain(self.other_hubs.values())
            .chain([&self.hub])
            .for_each(|server| server.store().sweep());
        self.runtime.settle().await;
    }

    /// Stops all servers and waits for their tasks. Open connections are closed.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn check_names<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<(), SimError> {
    let mut seen = std::collections::BTreeSet::from([HUB]);
    for name in names {
        let fault = |problem| Err(SimError::Name { name: name.clone(), problem });
        let plain = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || "-.".contains(character)
        };
        if name.is_empty() || !name.chars().all(plain) {
            return fault("a name is made of lower case letters, digits, `-` and `.`");
        }
        if !seen.insert(name) {
            return fault("the name is taken");
        }
    }
    Ok(())
}
