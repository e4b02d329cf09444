//! The hub: standing watches of its objects, and everything that is written there.
//!
//! Takes what the pipeline decided; gives snapshots and changes. Must not touch: managed clusters, decisions.

pub mod credentials;
mod decisions;
mod events;
mod lease;
pub mod membership;
mod rendered;
mod replicas;
mod service_accounts;
mod sources;
mod statuses;
pub mod webhook;

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

pub use decisions::{MANAGED_BY, MANAGED_BY_LABEL, is_own, write_decisions};
pub use events::{EventKind, HubEvent, lasting_name};
pub use lease::LEASE_NAME;
pub use replicas::ReplicaWrite;
pub use sources::SecretFault;

use crate::adapters::api_server::kubeconfig::KubeconfigError;
use crate::adapters::api_server::{ApiError, Connection, Depth, Listener, ObjectWatch, WatchKey, WatchState};
use crate::api::object::{GroupVersionKind, Manifest};
use crate::api::ocm::names::PROTECT_LABEL;

/// A hub that cannot be used.
#[derive(Debug, Error)]
pub enum HubError {
    /// Its kubeconfig is at fault.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// A request failed.
    #[error("failed to watch {kind} on the hub: {source}")]
    Watch {
        /// The kind.
        kind: String,
        /// The cause.
        source: ApiError,
    },
    /// A watch does not start.
    #[error("failed to watch {kind} on the hub: {message}")]
    WatchState {
        /// The kind.
        kind: String,
        /// The server's words.
        message: String,
    },
    /// The hub lacks a kind that Flotilla cannot do without.
    #[error(
        "the hub does not serve {kind}: install the CustomResourceDefinitions of Open Cluster Management on it"
    )]
    KindMissing {
        /// The kind.
        kind: String,
    },
}

const CLUSTER_GROUP: &str = "cluster.open-cluster-management.io";
const POLICY_GROUP: &str = "policy.open-cluster-management.io";

/// A kind of the hub that decisions are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HubKind {
    /// `ManagedCluster`.
    ManagedCluster,
    /// `ManagedClusterSet`.
    ManagedClusterSet,
    /// `ManagedClusterSetBinding`.
    ManagedClusterSetBinding,
    /// `Placement`.
    Placement,
    /// `PlacementDecision`.
    PlacementDecision,
    /// `AddOnPlacementScore`: watched only while a Placement asks for scores.
    AddOnPlacementScore,
    /// `PlacementBinding`.
    PlacementBinding,
    /// `Policy`, root and replicated.
    Policy,
    /// `PolicySet`.
    PolicySet,
}

impl HubKind {
    /// Those that are always watched, in the order in which they build on each other: what was decided before comes before the
    /// Placement that is decided again.
    pub const ALL: [Self; 8] = [
        Self::ManagedCluster,
        Self::ManagedClusterSet,
        Self::ManagedClusterSetBinding,
        Self::PlacementDecision,
        Self::Placement,
        Self::PlacementBinding,
        Self::Policy,
        Self::PolicySet,
    ];

    /// Group, version and kind.
    pub fn gvk(self) -> GroupVersionKind {
        let (group, version, kind) = match self {
            Self::ManagedCluster => (CLUSTER_GROUP, "v1", "ManagedCluster"),
            Self::ManagedClusterSet => (CLUSTER_GROUP, "v1beta2", "ManagedClusterSet"),
            Self::ManagedClusterSetBinding => (CLUSTER_GROUP, "v1beta2", "ManagedClusterSetBinding"),
            Self::Placement => (CLUSTER_GROUP, "v1beta1", "Placement"),
            Self::PlacementDecision => (CLUSTER_GROUP, "v1beta1", "PlacementDecision"),
            Self::AddOnPlacementScore => (CLUSTER_GROUP, "v1alpha1", "AddOnPlacementScore"),
            Self::PlacementBinding => (POLICY_GROUP, "v1", "PlacementBinding"),
            Self::Policy => (POLICY_GROUP, "v1", "Policy"),
            Self::PolicySet => (POLICY_GROUP, "v1beta1", "PolicySet"),
        };
        GroupVersionKind { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// Which kind an object is of, whatever its version.
    pub fn of(gvk: &GroupVersionKind) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::AddOnPlacementScore]).find(|kind| {
            let own = kind.gvk();
            own.group == gvk.group && own.kind == gvk.kind
        })
    }
}

/// The hub.
pub struct Hub {
    connection: Connection,
    service_accounts: service_accounts::ServiceAccounts,
}

impl Hub {
    /// Connects. `path` is a kubeconfig; without one the surroundings decide (in-cluster first).
    pub async fn connect(path: Option<&Path>, listener: Listener) -> Result<Self, HubError> {
        let connection = Connection::from_file(path, listener).await?;
        Ok(Self { connection, service_accounts: service_accounts::ServiceAccounts::default() })
    }

    /// The connection, for look-ups of templates.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Starts all standing watches and waits for their first lists.
    pub async fn watch(&self) -> Result<(), HubError> {
        let mut started = self.start_objects().await?;
        started.extend(self.start_credentials().await?);
        settle(started).await
    }

    /// Starts the watches of [`HubKind::ALL`] alone: enough to look at the fleet, without access to Secrets.
    pub async fn watch_objects(&self) -> Result<(), HubError> {
        settle(self.start_objects().await?).await
    }

    async fn start_objects(&self) -> Result<Vec<(String, Arc<ObjectWatch>)>, HubError> {
        let mut started = Vec::new();
        for kind in HubKind::ALL {
            let gvk = kind.gvk();
            let key = WatchKey { gvk: gvk.clone(), namespace: None, selector: None, depth: Depth::Whole };
            match self.connection.watch(key).await {
                Ok(Some(watch)) => started.push((gvk.kind, watch)),
                Ok(None) => return Err(HubError::KindMissing { kind: format!("{gvk}") }),
                Err(source) => return Err(HubError::Watch { kind: gvk.kind, source }),
            }
        }
        Ok(started)
    }

    /// Watches AddOnPlacementScores and waits for the first list. The error says why their scores are not known.
    pub async fn watch_scores(&self) -> Result<(), String> {
        let gvk = HubKind::AddOnPlacementScore.gvk();
        let key = WatchKey { gvk: gvk.clone(), namespace: None, selector: None, depth: Depth::Whole };
        let missing = || format!("the hub does not serve {gvk}: install its CustomResourceDefinition");
        let watch = match self.connection.watch(key).await {
            Ok(Some(watch)) => watch,
            Ok(None) => return Err(missing()),
            Err(error) => return Err(error.to_string()),
        };
        match watch.settled().await {
            WatchState::Synced | WatchState::Loading => Ok(()),
            WatchState::KindGone => Err(missing()),
            WatchState::Failing { message, .. } => Err(message),
        }
    }

    /// Watches the ConfigMaps that ask for their policies to be rendered, and waits for the first list.
    pub async fn watch_protected(&self) -> Result<(), HubError> {
        let key = WatchKey {
            gvk: GroupVersionKind::new("v1", "ConfigMap"),
            namespace: None,
            selector: Some(format!("{PROTECT_LABEL}=true")),
            depth: Depth::Whole,
        };
        match self.connection.watch(key).await {
            Ok(Some(watch)) => settle(vec![("ConfigMap".to_owned(), watch)]).await,
            Ok(None) => Err(HubError::KindMissing { kind: "v1 ConfigMap".to_owned() }),
            Err(source) => Err(HubError::Watch { kind: "ConfigMap".to_owned(), source }),
        }
    }

    /// The ConfigMaps that ask for their policies to be rendered, while they are watched.
    pub fn protected_config_maps(&self) -> Vec<Arc<Manifest>> {
        self.connection.selected(&GroupVersionKind::new("v1", "ConfigMap"))
    }

    async fn start_credentials(&self) -> Result<Vec<(String, Arc<ObjectWatch>)>, HubError> {
        let mut started = Vec::new();
        for selector in credentials::SELECTORS {
            let key = WatchKey {
                gvk: GroupVersionKind::new("v1", "Secret"),
                namespace: None,
                selector: Some(selector.to_owned()),
                depth: Depth::Whole,
            };
            match self.connection.watch(key).await {
                Ok(Some(watch)) => started.push(("Secret".to_owned(), watch)),
                Ok(None) => return Err(HubError::KindMissing { kind: "v1 Secret".to_owned() }),
                Err(source) => return Err(HubError::Watch { kind: "Secret".to_owned(), source }),
            }
        }
        Ok(started)
    }

    /// The Secrets that may hold a cluster's kubeconfig.
    pub fn credential_secrets(&self) -> Vec<Arc<Manifest>> {
        self.connection.selected(&GroupVersionKind::new("v1", "Secret"))
    }
}

async fn settle(started: Vec<(String, Arc<ObjectWatch>)>) -> Result<(), HubError> {
    for (kind, watch) in started {
        match watch.settled().await {
            WatchState::Synced | WatchState::Loading => {}
            WatchState::KindGone => return Err(HubError::KindMissing { kind }),
            WatchState::Failing { message, .. } => return Err(HubError::WatchState { kind, message }),
        }
    }
    Ok(())
}
