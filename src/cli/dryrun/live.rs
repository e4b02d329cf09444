//! The cluster that a policy is tried on: an imagined one, or the one of the current kubeconfig.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::target::claim_kind;
use crate::adapters::api_server::{Connection, Ensured};
use crate::adapters::cluster::push;
use crate::adapters::source::FileCluster;
use crate::cli::hub_access::deaf;
use crate::pipeline::plan::{CheckPlan, StepResult, assess};
use crate::pipeline::render::lookup::{Lookup, Reference};

/// How many times one policy may ask for further look-ups.
pub(super) const ROUNDS: usize = 12;

/// The cluster.
pub(super) enum Cluster {
    /// Objects of files.
    Imagined(FileCluster),
    /// An API server.
    Real(Box<Connection>),
}

impl Cluster {
    /// Connects to the cluster of the current kubeconfig.
    pub(super) async fn connect() -> Result<Self, String> {
        let connection = Connection::from_file(None, deaf()).await.map_err(|error| error.to_string())?;
        connection.probe().await.map_err(|error| error.to_string())?;
        Ok(Self::Real(Box::new(connection)))
    }

    /// Its objects, as far as they are known.
    pub(super) fn observed(&self) -> Arc<dyn Lookup> {
        match self {
            Self::Imagined(cluster) => Arc::new(cluster.clone()),
            Self::Real(connection) => Arc::new(connection.snapshot()),
        }
    }

    /// Sees to it that its claims are known.
    pub(super) async fn ensure_claims(&self) -> Result<(), String> {
        self.ensure(&BTreeSet::from([Reference { gvk: claim_kind(), namespace: None, name: None }])).await
    }

    /// Sees to it that these are known.
    pub(super) async fn ensure(&self, references: &BTreeSet<Reference>) -> Result<(), String> {
        match self {
            Self::Imagined(_) => Ok(()),
            Self::Real(connection) => match connection.ensure(references).await {
                Ensured::Ready => Ok(()),
                Ensured::Disconnected(reason) => Err(reason),
            },
        }
    }

    /// What comes of the steps of a plan that informs only: a server is asked by dry runs.
    pub(super) async fn results(&self, plan: &CheckPlan) -> Result<Vec<Vec<StepResult>>, String> {
        match self {
            Self::Imagined(_) => Ok(assess::without_server(plan)),
            Self::Real(connection) => {
                let pushed = push(connection, plan).await;
                match pushed.disconnected {
                    Some(reason) => Err(reason),
                    None => Ok(pushed.results),
                }
            }
        }
    }
}
