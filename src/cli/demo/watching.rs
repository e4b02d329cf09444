//! Waiting on an API server by watch, never by asking again and again.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::adapters::api_server::{ApiError, Connection, Listener, Snapshot, WatchKey};
use crate::api::object::Manifest;
use crate::cli::exit::Failure;
use crate::cli::hub_access::api_failure;
use crate::pipeline::render::lookup::{Answer, Lookup};
use crate::sim::server::Server;
use secrecy::SecretString;

/// A connection that tells when something changed.
pub(super) struct Watching {
    connection: Connection,
    changed: Arc<Notify>,
}

impl Watching {
    /// Watches kinds, given as `apiVersion` and kind, on a stand-in.
    pub(super) async fn start(server: &Server, kinds: &[(&str, &str)]) -> Result<Self, Failure> {
        let changed = Arc::new(Notify::new());
        let bell = changed.clone();
        let listener: Listener = Arc::new(move |_, _| bell.notify_one());
        let connection = Connection::from_secret(&SecretString::from(server.kubeconfig()), listener)
            .await
            .map_err(|error| Failure::new(error.to_string()))?;
        let watching = Self { connection, changed };
        for (api_version, kind) in kinds {
            watching.watch(api_version, kind).await.map_err(|error| {
                api_failure(&format!("failed to watch {kind} on {}", server.name()), &error)
            })?;
        }
        Ok(watching)
    }

    async fn watch(&self, api_version: &str, kind: &str) -> Result<(), ApiError> {
        if let Some(watch) = self.connection.watch(WatchKey::all(api_version, kind)).await? {
            watch.settled().await;
        }
        Ok(())
    }

    /// Looks again after every change until there is an answer.
    pub(super) async fn until<T>(
        &self,
        mut look: impl FnMut(&Snapshot) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        loop {
            if let Some(found) = look(&self.connection.snapshot())? {
                return Ok(found);
            }
            self.changed.notified().await;
        }
    }

    /// The objects as they are now.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.connection.snapshot()
    }
}

/// All objects of a kind, in a namespace or everywhere.
pub(super) fn all(
    snapshot: &Snapshot,
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
) -> Vec<Arc<Manifest>> {
    match snapshot.list(&crate::api::object::GroupVersionKind::new(api_version, kind), namespace) {
        Answer::Found(objects) => objects,
        Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => Vec::new(),
    }
}
