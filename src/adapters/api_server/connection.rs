//! A connection: the client, what it knows of the server's kinds, and the watches that it keeps.

#![expect(clippy::disallowed_types, reason = "adapters hold the client")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

use super::kinds::{Kinds, ServedKind};
use super::kubeconfig::{self, KubeconfigError};
use super::watch::{Depth, Listener, ObjectWatch, WatchKey, WatchState};
use super::{ApiError, Snapshot};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::pipeline::render::lookup::{Answer, Reference};

/// How long a connection may take to be made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take, and how long the first list of a watch is waited for.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a server that asks for patience is left alone.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// What became of the references that a caller wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured {
    /// All of them are watched and known, or known not to be served.
    Ready,
    /// The connection is at fault, with its words.
    Disconnected(String),
}

/// One API server.
pub struct Connection {
    pub(super) client: kube::Client,
    pub(super) server: String,
    pub(super) kinds: Arc<Kinds>,
    /// What the client was made from, for one that acts for somebody else.
    pub(super) config: kube::Config,
    watches: Mutex<BTreeMap<WatchKey, Arc<ObjectWatch>>>,
    pub(super) listener: Listener,
}

impl Connection {
    /// From a kubeconfig that stands in a Secret.
    pub async fn from_secret(text: &SecretString, listener: Listener) -> Result<Self, KubeconfigError> {
        Self::new(kubeconfig::from_secret(text).await?, listener)
    }

    /// From a kubeconfig file, or from the surroundings when `path` is `None` (in-cluster, `KUBECONFIG`, `~/.kube/config`).
    pub async fn from_file(path: Option<&Path>, listener: Listener) -> Result<Self, KubeconfigError> {
        Self::new(kubeconfig::from_file(path).await?, listener)
    }

    /// From a context of a person's kubeconfig file; the current one when `None`. The person may log in by a program.
    pub async fn from_context(
        path: &Path,
        context: Option<&str>,
        listener: Listener,
    ) -> Result<Self, KubeconfigError> {
        Self::new(kubeconfig::from_context(path, context).await?, listener)
    }

    pub(super) fn new(config: kube::Config, listener: Listener) -> Result<Self, KubeconfigError> {
        let server = without_user(&config.cluster_url);
        let client = kube::Client::try_from(config.clone())
            .map_err(|error| KubeconfigError::Unusable { reason: error.to_string() })?;
        Ok(Self { client, server, kinds: Arc::default(), config, watches: Mutex::default(), listener })
    }

    /// URL of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Runs a request with the time limit that every request has.
    pub(super) async fn within_limit<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ApiError> {
        match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
            Ok(answer) => answer.map_err(|error| ApiError::from_kube(&self.server, &error)),
            Err(_) => Err(self.timed_out(REQUEST_TIMEOUT)),
        }
    }

    fn timed_out(&self, limit: Duration) -> ApiError {
        ApiError::Unreachable {
            server: self.server.clone(),
            reason: format!("no answer within {} s", limit.as_secs()),
        }
    }

    pub(super) async fn served(&self, gvk: &GroupVersionKind) -> Result<Option<ServedKind>, ApiError> {
        let learnt = tokio::time::timeout(REQUEST_TIMEOUT, async {
            loop {
                match self.kinds.learn(&self.client, &self.server, gvk).await {
                    Err(ApiError::Busy { .. }) => tokio::time::sleep(BUSY_PAUSE).await,
                    answer => return answer,
                }
            }
        })
        .await
        .map_err(|_| self.timed_out(REQUEST_TIMEOUT))??;
        Ok(match learnt {
            Answer::Found(kind) => Some(kind),
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
        })
    }

    /// Asks the server for its version: whether it can be reached and accepts the credentials.
    pub async fn probe(&self) -> Result<(), ApiError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.client.list_core_api_versions()).await {
            Ok(answer) => answer.map(|_| ()).map_err(|error| ApiError::from_kube(&self.server, &error)),
            Err(_) => Err(self.timed_out(CONNECT_TIMEOUT)),
        }
    }

    /// Watches a kind, if the server serves it and it is not watched yet. `Ok(None)`: not served.
    pub async fn watch(&self, key: WatchKey) -> Result<Option<Arc<ObjectWatch>>, ApiError> {
        let Some(kind) = self.served(&key.gvk).await? else {
            self.retain_watches(|watched, _| watched.gvk != key.gvk);
            return Ok(None);
        };
        let key = WatchKey { namespace: key.namespace.filter(|_| kind.namespaced), ..key };
        let mut watches = self.watches();
        if let Some(watch) = watches.get(&key)
            && watch.state() != WatchState::KindGone
        {
            return Ok(Some(watch.clone()));
        }
        let watch = Arc::new(ObjectWatch::start(
            self.client.clone(),
            &kind.resource,
            key.clone(),
            self.server.clone(),
            self.listener.clone(),
        ));
        watches.insert(key, watch.clone());
        Ok(Some(watch))
    }

    /// Sees to it that every reference is watched, and waits for the first lists.
    pub async fn ensure(&self, references: &BTreeSet<Reference>) -> Ensured {
        let keys: BTreeSet<WatchKey> = references
            .iter()
            .map(|reference| WatchKey {
                gvk: reference.gvk.clone(),
                namespace: reference.namespace.clone(),
                selector: None,
                depth: Depth::Whole,
            })
            .collect();
        let mut started = Vec::new();
        for key in keys {
            match self.watch(key).await {
                Ok(Some(watch)) => started.push(watch),
                Ok(None) => {}
                Err(error) => return Ensured::Disconnected(error.to_string()),
            }
        }
        for watch in started {
            match tokio::time::timeout(REQUEST_TIMEOUT, watch.settled()).await {
                Ok(WatchState::Failing { connection: true, message }) => {
                    return Ensured::Disconnected(message);
                }
                Ok(_) => {}
                Err(_) => return Ensured::Disconnected(self.timed_out(REQUEST_TIMEOUT).to_string()),
            }
        }
        Ensured::Ready
    }

    /// The caches as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let watches = self
            .watches()
            .iter()
            .filter(|(key, _)| key.selector.is_none() && key.depth == Depth::Whole)
            .map(|(key, watch)| (key.clone(), (watch.state(), watch.objects())))
            .collect();
        Snapshot { kinds: self.kinds.clone(), watches }
    }

    /// Puts an object as it was written into the caches that cover it.
    pub(super) fn absorb(&self, written: &Manifest) {
        for watch in self.covering(&written.gvk(), written.namespace()) {
            watch.absorb(written);
        }
    }

    /// Takes an object that the server does not have out of the caches that know it in this version.
    pub(super) fn absorb_absence(&self, key: &ObjectKey, version: &str) {
        for watch in self.covering(&key.gvk, key.namespace.as_deref()) {
            watch.absorb_absence(key, version);
        }
    }

    /// The version in which the caches know an object.
    pub(super) fn cached_version(&self, key: &ObjectKey) -> Option<String> {
        self.covering(&key.gvk, key.namespace.as_deref()).iter().find_map(|watch| watch.version_of(key))
    }

    fn covering(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Vec<Arc<ObjectWatch>> {
        self.watches()
            .iter()
            .filter(|(key, _)| key.gvk == *gvk && key.selector.is_none() && key.depth == Depth::Whole)
            .filter(|(key, _)| key.namespace.is_none() || key.namespace.as_deref() == namespace)
            .map(|(_, watch)| watch.clone())
            .collect()
    }

    /// Objects of the watches that select by label.
    pub fn selected(&self, gvk: &GroupVersionKind) -> Vec<Arc<Manifest>> {
        self.watches()
            .iter()
            .filter(|(key, _)| key.selector.is_some() && key.gvk == *gvk)
            .flat_map(|(_, watch)| watch.objects().values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// The first watch that says that the connection is at fault.
    pub fn fault(&self) -> Option<String> {
        self.watches().values().find_map(|watch| match watch.state() {
            WatchState::Failing { connection: true, message } => Some(message),
            WatchState::Failing { .. } | WatchState::Loading | WatchState::Synced | WatchState::KindGone => {
                None
            }
        })
    }

    /// A CustomResourceDefinition of this group changed: ask the server again for its kinds, and watch anew those that
    /// had gone.
    pub fn forget_group(&self, group: &str) {
        self.kinds.forget_group(group);
        self.retain_watches(|key, state| key.gvk.group != group || *state != WatchState::KindGone);
    }

    /// Drops watches that `keep` does not want.
    pub fn retain_watches(&self, keep: impl Fn(&WatchKey, &WatchState) -> bool) {
        self.watches().retain(|key, watch| keep(key, &watch.state()));
    }

    fn watches(&self) -> std::sync::MutexGuard<'_, BTreeMap<WatchKey, Arc<ObjectWatch>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address without a user and password in it: it is shown in logs and statuses.
fn without_user(url: &http::Uri) -> String {
    let text = url.to_string();
    match url.authority().and_then(|authority| authority.as_str().rsplit_once('@')) {
        Some((user, _)) => text.replacen(&format!("{user}@"), "", 1),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_address_is_not_shown() {
        let shown = |url: &str| without_user(&url.parse().unwrap());
        assert_eq!(shown("http://user:secret@127.0.0.1:80/clusters/hub"), "http://127.0.0.1:80/clusters/hub");
        assert_eq!(shown("https://[::1]:6443/"), "https://[::1]:6443/");
    }
}
