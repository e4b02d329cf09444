//! One watch of one kind, and the cache that it keeps.

#![expect(clippy::disallowed_types, reason = "adapters hold the client")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use kube::Api;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::ApiError;
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// What a watch covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchKey {
    /// The kind.
    pub gvk: GroupVersionKind,
    /// One namespace, or all (and cluster-scoped kinds).
    pub namespace: Option<String>,
    /// Only objects with these labels, in the text form of selectors.
    pub selector: Option<String>,
    /// How much of each object is kept.
    pub depth: Depth,
}

/// How much of each object a watch keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// All of it.
    Whole,
    /// Only `metadata`, for kinds whose objects are large.
    Metadata,
}

impl WatchKey {
    /// All objects of a kind.
    pub fn all(api_version: &str, kind: &str) -> Self {
        Self {
            gvk: GroupVersionKind::new(api_version, kind),
            namespace: None,
            selector: None,
            depth: Depth::Whole,
        }
    }
}

/// How far a watch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchState {
    /// The first list has not arrived.
    Loading,
    /// The cache follows the server.
    Synced,
    /// The last request failed; the cache holds what was known before. It goes on trying.
    Failing {
        /// Whether the whole connection is at fault.
        connection: bool,
        /// What the server or the network said.
        message: String,
    },
    /// The server does not serve the kind (any more).
    KindGone,
}

/// What happened to a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An object appeared, changed or went.
    Object(ObjectKey),
    /// An object arrived that is malformed; it is left out of the cache.
    Malformed {
        /// Namespace and name, as far as known.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The state changed.
    State(WatchState),
}

/// Is told of every change. Must be quick and must not block.
pub type Listener = Arc<dyn Fn(&WatchKey, Change) + Send + Sync>;

/// Namespace and name.
type Identity = (Option<String>, String);

/// Objects by namespace and name.
pub(super) type Objects = BTreeMap<Identity, Arc<Manifest>>;

/// A running watch with its cache. Dropping it stops it.
pub struct ObjectWatch {
    shelf: Arc<Shelf>,
    state: watch::Receiver<WatchState>,
    _task: AbortOnDropHandle<()>,
}

impl ObjectWatch {
    /// Starts the watch.
    #[expect(clippy::disallowed_methods, reason = "the task is owned by the handle and stops with it")]
    pub(super) fn start(
        client: kube::Client,
        resource: &ApiResource,
        key: WatchKey,
        server: String,
        listener: Listener,
    ) -> Self {
        let api: Api<DynamicObject> = match &key.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, resource),
            None => Api::all_with(client, resource),
        };
        let shelf = Arc::new(Shelf { key, objects: RwLock::default(), seen: AtomicU64::new(0), listener });
        let (sender, state) = watch::channel(WatchState::Loading);
        let cache = Cache { shelf: shelf.clone(), resource: resource.clone(), server, state: sender };
        let task = AbortOnDropHandle::new(tokio::spawn(cache.follow(api)));
        Self { shelf, state, _task: task }
    }

    /// Takes in an object as a write of our own left it, so that nobody decides on what was before. Its event, which
    /// follows, changes nothing then. Ignored where the watch has come past it already: it may be gone by now.
    pub(super) fn absorb(&self, manifest: &Manifest) {
        if self.state() == WatchState::Loading {
            return;
        }
        let version = manifest.resource_version();
        let identity =
            (manifest.namespace().map(ToOwned::to_owned), manifest.name().unwrap_or_default().to_owned());
        if number(version).is_some_and(|version| version > self.shelf.seen()) {
            self.shelf.set(identity, version, Some(Arc::new(manifest.clone())));
        }
    }

    /// The version in which an object is known.
    pub(super) fn version_of(&self, key: &ObjectKey) -> Option<String> {
        let objects = self.objects();
        let known = objects.get(&(key.namespace.clone(), key.name.clone()))?;
        known.resource_version().map(ToOwned::to_owned)
    }

    /// Forgets an object that the server does not have any more, if it still is known in this version: one that was made
    /// again since is another.
    pub(super) fn absorb_absence(&self, key: &ObjectKey, version: &str) {
        let identity = (key.namespace.clone(), key.name.clone());
        if self.version_of(key).as_deref() == Some(version) {
            self.shelf.set(identity, Some(version), None);
        }
    }

    /// The objects as they are now. Later changes do not show in the value.
    pub(super) fn objects(&self) -> Arc<Objects> {
        self.shelf.objects.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far it is.
    pub fn state(&self) -> WatchState {
        self.state.borrow().clone()
    }

    /// Waits until it has left [`WatchState::Loading`].
    pub async fn settled(&self) -> WatchState {
        let mut state = self.state.clone();
        match state.wait_for(|state| *state != WatchState::Loading).await {
            Ok(state) => state.clone(),
            Err(_) => WatchState::Failing { connection: true, message: "the watch has stopped".to_owned() },
        }
    }
}

/// Objects, and who is told when they change.
struct Shelf {
    key: WatchKey,
    objects: RwLock<Arc<Objects>>,
    /// The newest version that the watch itself has told of.
    seen: AtomicU64,
    listener: Listener,
}

impl Shelf {
    fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// The watch has come so far.
    fn pass(&self, version: Option<&str>) {
        if let Some(version) = number(version) {
            self.seen.fetch_max(version, Ordering::AcqRel);
        }
    }

    /// Puts an object in its place, or takes it away. Word that is older than what is known is ignored: our own write
    /// may be ahead of the watch.
    fn set(&self, identity: Identity, version: Option<&str>, manifest: Option<Arc<Manifest>>) {
        let changed = {
            let mut guard = self.objects.write().unwrap_or_else(PoisonError::into_inner);
            let known = guard.get(&identity).and_then(|known| known.resource_version());
            let changed = match (guard.contains_key(&identity), &manifest) {
                (false, None) => false,
                (true, Some(_)) => known != version && !is_newer(known, version),
                (true, None) => !is_newer(known, version),
                (false, Some(_)) => true,
            };
            if changed {
                let objects = Arc::make_mut(&mut guard);
                match manifest {
                    Some(manifest) => objects.insert(identity.clone(), manifest),
                    None => objects.remove(&identity),
                };
            }
            changed
        };
        if changed {
            self.tell(identity);
        }
    }

    /// Takes a whole list, except where a write of our own is ahead of it.
    fn replace(&self, mut incoming: Objects) {
        let (old, new) = {
            let mut guard = self.objects.write().unwrap_or_else(PoisonError::into_inner);
            for (identity, manifest) in &mut incoming {
                if let Some(known) = guard.get(identity)
                    && is_newer(known.resource_version(), manifest.resource_version())
                {
                    *manifest = known.clone();
                }
            }
            let new = Arc::new(incoming);
            (std::mem::replace(&mut *guard, new.clone()), new)
        };
        for identity in old.keys().filter(|identity| !new.contains_key(*identity)) {
            self.tell(identity.clone());
        }
        for (identity, manifest) in new.iter() {
            let same = old
                .get(identity)
                .is_some_and(|known| known.resource_version() == manifest.resource_version());
            if !same {
                self.tell(identity.clone());
            }
        }
    }

    fn tell(&self, (namespace, name): Identity) {
        (self.listener)(&self.key, Change::Object(ObjectKey { gvk: self.key.gvk.clone(), namespace, name }));
    }
}

/// Whether the known version is newer than the other; versions that are no numbers say nothing.
fn is_newer(known: Option<&str>, other: Option<&str>) -> bool {
    matches!((number(known), number(other)), (Some(known), Some(other)) if known > other)
}

/// Resource versions are numbers that rise (part of the API since Kubernetes 1.35).
fn number(version: Option<&str>) -> Option<u64> {
    version.and_then(|version| version.parse().ok())
}

/// The running side of a watch.
struct Cache {
    shelf: Arc<Shelf>,
    resource: ApiResource,
    server: String,
    state: watch::Sender<WatchState>,
}

impl Cache {
    async fn follow(self, api: Api<DynamicObject>) {
        let mut config = watcher::Config::default();
        if let Some(selector) = &self.shelf.key.selector {
            config = config.labels(selector);
        }
        let events = match self.shelf.key.depth {
            Depth::Whole => watcher(api, config).default_backoff().boxed(),
            Depth::Metadata => {
                let api: Api<PartialObjectMeta<DynamicObject>> = match &self.shelf.key.namespace {
                    Some(namespace) => Api::namespaced_with(api.into_client(), namespace, &self.resource),
                    None => Api::all_with(api.into_client(), &self.resource),
                };
                watcher(api, config).map_ok(as_dynamic).default_backoff().boxed()
            }
        };
        self.drain(events).await;
    }

    async fn drain(self, mut events: BoxStream<'static, watcher::Result<watcher::Event<DynamicObject>>>) {
        let mut incoming = Objects::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => incoming.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    if let Some((identity, manifest)) = self.read(object) {
                        self.shelf.pass(manifest.resource_version());
                        incoming.insert(identity, manifest);
                    }
                }
                Ok(watcher::Event::InitDone) => {
                    self.shelf.replace(std::mem::take(&mut incoming));
                    self.enter(WatchState::Synced);
                }
                Ok(watcher::Event::Apply(object)) => {
                    if let Some((identity, manifest)) = self.read(object) {
                        let version = manifest.resource_version().map(ToOwned::to_owned);
                        self.shelf.pass(version.as_deref());
                        self.shelf.set(identity, version.as_deref(), Some(manifest));
                    }
                    self.enter(WatchState::Synced);
                }
                Ok(watcher::Event::Delete(object)) => {
                    let identity =
                        (object.metadata.namespace.clone(), object.metadata.name.unwrap_or_default());
                    let version = object.metadata.resource_version;
                    self.shelf.pass(version.as_deref());
                    self.shelf.set(identity, version.as_deref(), None);
                }
                Err(error) => self.failed(&error),
            }
        }
    }

    fn read(&self, mut object: DynamicObject) -> Option<(Identity, Arc<Manifest>)> {
        object.metadata.managed_fields = None;
        let identity = (object.metadata.namespace.clone(), object.metadata.name.clone().unwrap_or_default());
        let read = serde_json::to_value(&object).map_err(|error| error.to_string()).and_then(|mut value| {
            if let Some(fields) = value.as_object_mut() {
                fields.insert("apiVersion".to_owned(), self.shelf.key.gvk.api_version().into());
                fields.insert("kind".to_owned(), self.shelf.key.gvk.kind.clone().into());
            }
            Manifest::parse(value).map_err(|error| error.to_string())
        });
        match read {
            Ok(manifest) => Some((identity, Arc::new(manifest))),
            Err(message) => {
                (self.shelf.listener)(&self.shelf.key, Change::Malformed { name: identity.1, message });
                None
            }
        }
    }

    fn enter(&self, state: WatchState) {
        if self
            .state
            .send_if_modified(|current| (*current != state).then(|| *current = state.clone()).is_some())
        {
            (self.shelf.listener)(&self.shelf.key, Change::State(state));
        }
    }

    fn failed(&self, error: &watcher::Error) {
        let error = match error {
            watcher::Error::InitialListFailed(inner)
            | watcher::Error::WatchStartFailed(inner)
            | watcher::Error::WatchFailed(inner) => ApiError::from_kube(&self.server, inner),
            // 410 Gone and the like: the watcher lists anew by itself.
            watcher::Error::WatchError(_) => return,
            watcher::Error::NoResourceVersion => ApiError::Malformed {
                server: self.server.clone(),
                message: format!("a list of {} has no resourceVersion", self.shelf.key.gvk.kind),
            },
        };
        match error {
            ApiError::NotFound { .. } => {
                self.shelf.replace(Objects::new());
                self.enter(WatchState::KindGone);
            }
            // What is known stays true; the watcher comes again by itself.
            ApiError::Busy { message } => {
                let kind = &self.shelf.key.gvk.kind;
                tracing::warn!(server = self.server, kind, message, "the API server is busy, trying again");
            }
            error => self.enter(WatchState::Failing {
                connection: error.concerns_connection(),
                message: error.to_string(),
            }),
        }
    }
}

fn as_dynamic(event: watcher::Event<PartialObjectMeta<DynamicObject>>) -> watcher::Event<DynamicObject> {
    let object = |partial: PartialObjectMeta<DynamicObject>| DynamicObject {
        types: None,
        metadata: partial.metadata,
        data: Value::Null,
    };
    match event {
        watcher::Event::Apply(partial) => watcher::Event::Apply(object(partial)),
        watcher::Event::Delete(partial) => watcher::Event::Delete(object(partial)),
        watcher::Event::InitApply(partial) => watcher::Event::InitApply(object(partial)),
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitDone => watcher::Event::InitDone,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    fn shelf() -> (Shelf, Arc<Mutex<Vec<String>>>) {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let teller = told.clone();
        let listener: Listener = Arc::new(move |_, change| {
            if let Change::Object(key) = change {
                teller.lock().unwrap().push(key.name);
            }
        });
        let key = WatchKey::all("v1", "ConfigMap");
        (Shelf { key, objects: RwLock::default(), seen: AtomicU64::new(0), listener }, told)
    }

    fn object(name: &str, version: &str) -> (Identity, Arc<Manifest>) {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "n", "resourceVersion": version}});
        ((Some("n".to_owned()), name.to_owned()), Arc::new(Manifest::parse(value).unwrap()))
    }

    fn known(shelf: &Shelf) -> Vec<(String, String)> {
        let objects = shelf.objects.read().unwrap();
        let pair = |((_, name), manifest): (&Identity, &Arc<Manifest>)| {
            (name.clone(), manifest.resource_version().unwrap().to_owned())
        };
        objects.iter().map(pair).collect()
    }

    #[test]
    fn older_word_changes_nothing_and_is_not_told() {
        let (shelf, told) = shelf();
        for (version, gone) in [("7", false), ("5", false), ("6", true), ("7", false)] {
            let (identity, manifest) = object("a", version);
            shelf.set(identity, Some(version), (!gone).then_some(manifest));
        }
        assert_eq!(known(&shelf), [("a".to_owned(), "7".to_owned())]);
        let (identity, _) = object("a", "8");
        shelf.set(identity, Some("8"), None);
        assert!(known(&shelf).is_empty());
        assert_eq!(*told.lock().unwrap(), ["a", "a"]);
    }

    #[test]
    fn a_list_takes_all_but_what_is_newer_here() {
        let (shelf, told) = shelf();
        for (name, version) in [("changed", "3"), ("gone", "4"), ("ours", "9"), ("same", "5")] {
            let (identity, manifest) = object(name, version);
            shelf.set(identity, Some(version), Some(manifest));
        }
        told.lock().unwrap().clear();
        shelf.replace(
            [("changed", "6"), ("new", "7"), ("ours", "8"), ("same", "5")].map(|(n, v)| object(n, v)).into(),
        );
        let expected = [("changed", "6"), ("new", "7"), ("ours", "9"), ("same", "5")];
        assert_eq!(known(&shelf), expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
        assert_eq!(*told.lock().unwrap(), ["gone", "changed", "new"]);
    }
}
