//! Stored objects with their indexes: by place, by uid, by owner. Every change goes through [`State::put`] or
//! [`State::remove`], which keep the indexes, raise the resource version and write the history.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::clock::SimulatedClock;
use super::super::kinds::{Kind, Kinds, ResourceId, Role, definition};
use super::super::status::ApiError;
use super::history::{Change, ChangeKind, History};
use super::{WriteOptions, from_stored};
use crate::api::object::{Manifest, ObjectKey};

/// Where an object of a resource lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Namespace, empty for cluster scope.
    pub(crate) namespace: String,
    /// Name.
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// An object of the server.
pub(super) type Address = (ResourceId, Place);

/// What may follow from a change and is still to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// Whether the owners of an object are still there.
    Owners(Address),
    /// Whether a namespace in deletion is empty.
    Namespace(String),
    /// Whether a definition in deletion has no objects left.
    Definition(ResourceId),
    /// Whether an owner that waits for its dependents may go.
    Waiting(String),
}

/// All objects of a server.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(super) role: Role,
    pub(super) clock: SimulatedClock,
    pub(super) checks: VecDeque<Check>,
    /// Namespaces in deletion whose contents are still to be deleted.
    pub(super) doomed: BTreeSet<String>,
    version: u64,
    kinds: Arc<Kinds>,
    objects: BTreeMap<ResourceId, BTreeMap<Place, Arc<Manifest>>>,
    uids: HashMap<String, Address>,
    dependents: HashMap<String, BTreeSet<Address>>,
    history: History,
}

impl State {
    /// The definitions of a role; no namespaces yet.
    pub(super) fn seed(role: Role, clock: SimulatedClock) -> Self {
        let mut state = Self {
            role,
            clock,
            checks: VecDeque::new(),
            doomed: BTreeSet::new(),
            version: 0,
            kinds: Arc::new(Kinds::built_in()),
            objects: BTreeMap::new(),
            uids: HashMap::new(),
            dependents: HashMap::new(),
            history: History::default(),
        };
        for row in role.definitions() {
            state.create_first(definition::of_row(row));
        }
        state.forget_history();
        state
    }

    /// What every cluster has, and the cluster sets of a hub.
    pub(super) fn add_first_objects(&mut self, name: &str) {
        for namespace in ["default", "kube-system", "kube-public"] {
            let uid = super::metadata::derived_uid(&format!("{name}/{namespace}"));
            let object = json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": namespace, "uid": uid}});
            self.create_first(object);
        }
        if self.role == Role::Hub {
            for object in super::super::hub::first_objects() {
                self.create_first(object);
            }
        }
        self.forget_history();
    }

    fn create_first(&mut self, object: Value) {
        let gvk = crate::api::object::GroupVersionKind::new(
            object["apiVersion"].as_str().unwrap_or_default(),
            object["kind"].as_str().unwrap_or_default(),
        );
        let Some(kind) = self.kinds.of(&gvk).cloned() else { return };
        let result = self.create(&kind, None, object, &WriteOptions { seed: true, ..WriteOptions::whole() });
        debug_assert!(result.is_ok(), "{gvk}: {result:?}");
    }

    /// The latest resource version.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The kinds offered now.
    pub(crate) fn kinds(&self) -> &Arc<Kinds> {
        &self.kinds
    }

    pub(super) fn kinds_mut(&mut self) -> &mut Kinds {
        Arc::make_mut(&mut self.kinds)
    }

    /// An object as it is stored.
    pub(crate) fn stored(&self, resource: &ResourceId, place: &Place) -> Option<&Arc<Manifest>> {
        self.objects.get(resource)?.get(place)
    }

    /// The objects of a resource, in a namespace or everywhere, by namespace and name.
    pub(crate) fn range<'a>(
        &'a self,
        resource: &ResourceId,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Place, &'a Arc<Manifest>)> {
        let start = Place::new(namespace.unwrap_or_default(), "");
        self.objects
            .get(resource)
            .into_iter()
            .flat_map(move |objects| objects.range(start.clone()..))
            .take_while(move |(place, _)| namespace.is_none_or(|namespace| place.namespace == namespace))
    }

    pub(super) fn object(&self, key: &ObjectKey) -> Option<Arc<Manifest>> {
        let kind = self.kinds.of(&key.gvk)?;
        let place = Place::new(key.namespace.as_deref().unwrap_or_default(), &key.name);
        self.stored(&kind.storage, &place).map(|object| from_stored(kind, object))
    }

    pub(super) fn objects_of(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Manifest>> {
        let Some(kind) = self.kinds.preferred(group, kind) else { return Vec::new() };
        self.range(&kind.storage, namespace).map(|(_, object)| from_stored(kind, object)).collect()
    }

    pub(super) fn contents(&self, namespace: &str) -> Vec<Arc<Manifest>> {
        let mut found: Vec<_> =
            self.addresses_in(namespace).iter().filter_map(|(id, place)| self.stored(id, place)).collect();
        found.sort_by(|a, b| (a.kind(), a.name()).cmp(&(b.kind(), b.name())));
        found.into_iter().map(Arc::clone).collect()
    }

    pub(super) fn addresses_in(&self, namespace: &str) -> Vec<Address> {
        self.objects
            .keys()
            .flat_map(|resource| {
                self.range(resource, Some(namespace)).map(|(place, _)| (resource.clone(), place.clone()))
            })
            .filter(|(_, place)| !place.namespace.is_empty())
            .collect()
    }

    pub(super) fn addresses_of(&self, resource: &ResourceId) -> Vec<Address> {
        self.range(resource, None).map(|(place, _)| (resource.clone(), place.clone())).collect()
    }

    pub(super) fn by_uid(&self, uid: &str) -> Option<&Address> {
        self.uids.get(uid)
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Address> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// The changes after a resource version.
    pub(crate) fn since(&self, version: u64) -> Result<impl Iterator<Item = &Arc<Change>>, ApiError> {
        self.history.since(version)
    }

    /// The objects of a resource as they were at a resource version, or that this is too long ago.
    pub(crate) fn range_at(
        &self,
        resource: &ResourceId,
        namespace: Option<&str>,
        version: u64,
    ) -> Result<Vec<(Place, Arc<Manifest>)>, ApiError> {
        let now = self.range(resource, namespace);
        let mut then: BTreeMap<Place, Arc<Manifest>> =
            now.map(|(place, object)| (place.clone(), Arc::clone(object))).collect();
        let changes: Vec<&Arc<Change>> =
            self.since(version)?.filter(|change| change.resource == *resource).collect();
        for change in changes.into_iter().rev() {
            let object = &change.object;
            let place = Place::new(object.namespace().unwrap_or_default(), object.name().unwrap_or_default());
            if namespace.is_some_and(|namespace| place.namespace != namespace) {
                continue;
            }
            match &change.kind {
                ChangeKind::Added => {
                    then.remove(&place);
                }
                ChangeKind::Modified(before) | ChangeKind::Deleted(before) => {
                    then.insert(place, Arc::clone(before));
                }
            }
        }
        Ok(then.into_iter().collect())
    }

    pub(super) fn forget_history(&mut self) {
        self.history.forget(self.version);
    }

    /// Stores an object under the next resource version.
    pub(super) fn put(&mut self, resource: &ResourceId, place: &Place, object: Value) -> Arc<Manifest> {
        self.version += 1;
        let object = self.versioned(object);
        let before =
            self.objects.entry(resource.clone()).or_default().insert(place.clone(), Arc::clone(&object));
        let address = (resource.clone(), place.clone());
        if let Some(before) = &before {
            self.unindex(&address, before);
        }
        if let Some(uid) = object.uid() {
            self.uids.insert(uid.to_owned(), address.clone());
        }
        for uid in owner_uids(&object) {
            self.dependents.entry(uid).or_default().insert(address.clone());
        }
        let kind = before.map_or(ChangeKind::Added, ChangeKind::Modified);
        self.history.push(Change {
            version: self.version,
            resource: resource.clone(),
            kind,
            object: Arc::clone(&object),
        });
        object
    }

    /// Takes an object away and queues what may follow.
    pub(super) fn remove(&mut self, resource: &ResourceId, place: &Place) -> Option<Arc<Manifest>> {
        let before = self.objects.get_mut(resource)?.remove(place)?;
        let address = (resource.clone(), place.clone());
        self.unindex(&address, &before);
        self.version += 1;
        let last = self.versioned(before.to_value());
        if let Some(uid) = before.uid() {
            let dependents = self.dependents(uid);
            self.checks.extend(dependents.into_iter().map(Check::Owners));
        }
        self.checks.extend(owner_uids(&before).into_iter().map(Check::Waiting));
        if !place.namespace.is_empty() {
            self.checks.push_back(Check::Namespace(place.namespace.clone()));
        }
        self.checks.push_back(Check::Definition(resource.clone()));
        self.history.push(Change {
            version: self.version,
            resource: resource.clone(),
            kind: ChangeKind::Deleted(before),
            object: Arc::clone(&last),
        });
        Some(last)
    }

    fn unindex(&mut self, address: &Address, object: &Manifest) {
        if let Some(uid) = object.uid() {
            self.uids.remove(uid);
        }
        for uid in owner_uids(object) {
            if let Some(dependents) = self.dependents.get_mut(&uid) {
                dependents.remove(address);
                if dependents.is_empty() {
                    self.dependents.remove(&uid);
                }
            }
        }
    }

    fn versioned(&self, mut object: Value) -> Arc<Manifest> {
        object["metadata"]["resourceVersion"] = Value::String(self.version.to_string());
        Arc::new(super::metadata::trusted(object))
    }

    /// The kind that stores objects under an identity.
    pub(super) fn kind_of(&self, resource: &ResourceId) -> Option<Arc<Kind>> {
        self.kinds.of_resource(resource).cloned()
    }
}

/// Uids of the owners of an object.
pub(super) fn owner_uids(object: &Manifest) -> Vec<String> {
    let owners = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    owners.into_iter().flatten().filter_map(|owner| owner["uid"].as_str()).map(ToOwned::to_owned).collect()
}
