//! The cluster that a policy is tried on: an imagined one, or the one of the current kubeconfig.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretSlice;

use super::target::claim_kind;
use crate::adapters::api_server::{Connection, Ensured};
use crate::adapters::cluster::push;
use crate::adapters::source::FileCluster;
use crate::api::object::GroupVersionKind;
use crate::cli::hub_access::deaf;
use crate::pipeline::plan::{CheckPlan, StepResult, assess};
use crate::pipeline::render::Ambient;
use crate::pipeline::render::encryption::{EncryptionKeys, KEY_SECRET};
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};

/// The keys that decrypt what a hub encrypted for the cluster, if its Secret is in this namespace of it.
pub(super) fn encryption_keys(observed: &dyn Lookup, namespace: &str) -> Option<EncryptionKeys> {
    let secret = GroupVersionKind::new("v1", "Secret");
    let Answer::Found(secret) = observed.get(&secret, Some(namespace), KEY_SECRET) else { return None };
    let key = |field: &str| {
        let encoded = secret.text_at(&["data", field]).filter(|text| !text.is_empty())?;
        Some(SecretSlice::from(STANDARD.decode(encoded).ok()?))
    };
    Some(EncryptionKeys { key: key("key")?, previous: key("previousKey") })
}

/// The moment and the randomness of a dry run.
pub(super) fn ambient(now: Timestamp) -> Ambient {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    seed[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    Ambient { now, seed }
}

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
    /// Connects to the cluster of a kubeconfig, by default of the current one.
    pub(super) async fn connect(kubeconfig: Option<&Path>) -> Result<Self, String> {
        let connection =
            Connection::from_file(kubeconfig, deaf()).await.map_err(|error| error.to_string())?;
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

    /// Sees to it that its claims and its keys are known.
    pub(super) async fn ensure_basics(&self, namespace: &str) -> Result<(), String> {
        let claims = Reference { gvk: claim_kind(), namespace: None, name: None };
        let keys = Reference {
            gvk: GroupVersionKind::new("v1", "Secret"),
            namespace: Some(namespace.to_owned()),
            name: Some(KEY_SECRET.to_owned()),
        };
        self.ensure(&BTreeSet::from([claims, keys])).await
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
