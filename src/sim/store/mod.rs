//! The objects of one stand-in server and the rules by which they change.
//!
//! Takes objects as JSON, gives stored ones with the metadata that the Kubernetes API server keeps. Knows no HTTP.

mod built_in;
mod convert;
mod definitions;
mod delete;
mod history;
mod metadata;
mod state;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::clock::SimulatedClock;
use super::kinds::{Kind, Kinds, Role, Scope};
use super::simulator::View;
use super::status::{ApiError, Subject};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

pub(crate) use built_in::drop_unknown;
pub(crate) use convert::from_stored;
pub(crate) use delete::{DeleteOptions, Deleted, Preconditions, Propagation};
pub(crate) use history::{Change, ChangeKind};
pub(crate) use metadata::{go_type, key_problems};
pub(crate) use state::{Place, State};
pub(crate) use write::{FieldValidation, Part, Source, WriteOptions, Written};

/// What a change calls when it is done: it must be quick and must not call the store.
pub(crate) type OnChange = Arc<dyn Fn() + Send + Sync>;

/// The objects of one server.
pub struct Store {
    state: Mutex<State>,
    versions: watch::Sender<u64>,
    on_change: OnChange,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("version", &*self.versions.borrow()).finish_non_exhaustive()
    }
}

/// What a server starts with; servers of one role share its objects.
#[derive(Debug, Clone)]
pub(crate) struct Seed(State);

impl Seed {
    /// The definitions of a role.
    pub(crate) fn new(role: Role, clock: &SimulatedClock) -> Self {
        Self(State::seed(role, clock.clone()))
    }
}

impl Store {
    /// A store with the seed's objects and the namespaces that every cluster has; `name` makes their uids its own.
    pub(crate) fn new(seed: &Seed, name: &str, on_change: OnChange) -> Self {
        let mut state = seed.0.clone();
        state.add_first_objects(name);
        let (versions, _) = watch::channel(state.version());
        Self { state: Mutex::new(state), versions, on_change }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads under the lock; keep it short.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.lock())
    }

    /// Changes under the lock and tells the watches and the simulators.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        let (result, before, after) = {
            let mut state = self.lock();
            let before = state.version();
            let result = write(&mut state);
            state.collect();
            (result, before, state.version())
        };
        if after != before {
            self.versions.send_replace(after);
            (self.on_change)();
        }
        result
    }

    /// Tells the latest resource version as it rises.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.versions.subscribe()
    }

    /// A consistent look at all objects; writes wait until it is dropped.
    pub(crate) fn view(&self) -> StoreView<'_> {
        StoreView(self.lock())
    }

    /// The latest resource version.
    pub fn version(&self) -> u64 {
        self.lock().version()
    }

    /// The kinds that the server offers now.
    pub fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(self.lock().kinds())
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Manifest>> {
        self.lock().object(key)
    }

    /// All objects of a group and kind, in a namespace or everywhere, by namespace and name.
    pub fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Manifest>> {
        self.lock().objects_of(group, kind, namespace)
    }

    /// Creates an object as it is, status included. The namespace must exist.
    pub fn create(&self, object: Value) -> Result<Arc<Manifest>, ApiError> {
        let (kind, place, object) = self.resolve(object)?;
        self.write(|state| {
            state.create(&kind, Some(place.namespace.as_str()), object, &WriteOptions::whole())
        })
        .map(|written| written.object)
    }

    /// Replaces an object, status included. A resource version in it is a precondition.
    pub fn replace(&self, object: Value) -> Result<Arc<Manifest>, ApiError> {
        let (kind, place, object) = self.resolve(object)?;
        self.write(|state| state.update(&kind, &place, &WriteOptions::whole(), |_| Ok(object)))
            .map(|written| written.object)
    }

    /// Creates the object or replaces what is there, whatever its version.
    pub fn put(&self, mut object: Value) -> Result<Arc<Manifest>, ApiError> {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
            metadata.remove("uid");
        }
        match self.create(object.clone()) {
            Err(ApiError::AlreadyExists(_) | ApiError::BeingDeleted(_)) => self.replace(object),
            other => other,
        }
    }

    /// Changes an object in place, status included. The closure must not call the store.
    pub fn edit(&self, key: &ObjectKey, edit: impl FnOnce(&mut Value)) -> Result<Arc<Manifest>, ApiError> {
        let (kind, place) = self.locate(&key.gvk, key.namespace.as_deref(), &key.name)?;
        let change = |current: &Value| {
            let mut object = current.clone();
            edit(&mut object);
            Ok(object)
        };
        self.write(|state| state.update(&kind, &place, &WriteOptions::whole(), change))
            .map(|written| written.object)
    }

    /// Deletes an object; finalizers are respected, dependents and the contents of a namespace follow.
    pub fn delete(&self, key: &ObjectKey) -> Result<(), ApiError> {
        let (kind, place) = self.locate(&key.gvk, key.namespace.as_deref(), &key.name)?;
        let deleted = |state: &mut State| {
            let deleted = state.delete(&kind, &place, &DeleteOptions::default());
            state.sweep();
            deleted
        };
        self.write(deleted).map(|_| ())
    }

    /// Deletes the contents of all namespaces in deletion.
    pub(crate) fn sweep(&self) {
        self.write(State::sweep);
    }

    /// Forgets the history of changes, so that watches from before find their resource version too old.
    pub(crate) fn forget_history(&self) {
        self.lock().forget_history();
    }

    fn resolve(&self, object: Value) -> Result<(Arc<Kind>, Place, Value), ApiError> {
        let manifest = Manifest::parse(object).map_err(|error| ApiError::BadRequest(error.to_string()))?;
        let name = manifest.name().unwrap_or_default();
        let (kind, place) = self.locate(&manifest.gvk(), manifest.namespace(), name)?;
        Ok((kind, place, manifest.into_value()))
    }

    fn locate(
        &self,
        gvk: &GroupVersionKind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(Arc<Kind>, Place), ApiError> {
        let kind = self.lock().kinds().of(gvk).cloned().ok_or(ApiError::UnknownPath)?;
        let place = match kind.scope {
            Scope::Cluster => Place::new("", name),
            Scope::Namespaced => Place::new(namespace.unwrap_or_default(), name),
        };
        if kind.scope == Scope::Namespaced && place.namespace.is_empty() {
            return Err(ApiError::Invalid {
                subject: Subject::new(&kind, name),
                causes: vec![super::status::Cause::required("metadata.namespace", "")],
            });
        }
        Ok((kind, place))
    }
}

/// A consistent look at a store.
pub(crate) struct StoreView<'a>(MutexGuard<'a, State>);

impl View for StoreView<'_> {
    fn get(&self, key: &ObjectKey) -> Option<Arc<Manifest>> {
        self.0.object(key)
    }

    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Manifest>> {
        self.0.objects_of(group, kind, namespace)
    }

    fn contents(&self, namespace: &str) -> Vec<Arc<Manifest>> {
        self.0.contents(namespace)
    }

    fn serves(&self, group: &str, kind: &str) -> bool {
        self.0.kinds().preferred(group, kind).is_some()
    }
}

#[cfg(test)]
mod tests;
