//! Deleting: preconditions, finalizers, namespaces with their contents, owners with their dependents.
//!
//! What the real cluster's garbage collector does some seconds later happens here in the same breath, in the same order
//! of events. The contents of a namespace go when the store is swept, so that clients see it terminate.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds::{Kind, ResourceId, definition};
use super::super::status::{ApiError, Subject};
use super::from_stored;
use super::metadata::metadata_mut;
use super::state::{Address, Check, Place, State, owner_uids};
use crate::api::object::Manifest;

/// Finalizer of an owner that goes after its dependents.
const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an owner whose dependents are to forget it first.
const ORPHAN: &str = "orphan";
/// Namespaces that every cluster keeps.
const KEPT: &[&str] = &["default", "kube-system", "kube-public"];

/// What happens to the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay and forget their owner.
    Orphan,
}

/// What must hold for a deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Preconditions {
    /// The uid.
    pub(crate) uid: Option<String>,
    /// The resource version.
    pub(crate) resource_version: Option<String>,
}

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DeleteOptions {
    /// Check everything, change nothing.
    pub(crate) dry_run: bool,
    /// What must hold.
    pub(crate) preconditions: Preconditions,
    /// The dependents' fate.
    pub(crate) propagation: Propagation,
}

/// What a deletion left.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// Nothing: this was the object.
    Gone(Arc<Manifest>),
    /// The object, waiting for its finalizers.
    Waiting(Arc<Manifest>),
}

impl State {
    /// Deletes an object or begins to.
    pub(crate) fn delete(
        &mut self,
        kind: &Kind,
        place: &Place,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let subject = Subject::new(kind, &place.name);
        let stored = self.stored(&kind.storage, place);
        let stored = Arc::clone(stored.ok_or_else(|| ApiError::NotFound(subject.clone()))?);
        check_preconditions(&stored, &options.preconditions, kind)?;
        if kind.is("", "Namespace") && KEPT.contains(&place.name.as_str()) {
            let problem = "this namespace may not be deleted".to_owned();
            return Err(ApiError::Forbidden { subject, problem, terminating: None });
        }
        if options.dry_run {
            return Ok(Deleted::Gone(from_stored(kind, &stored)));
        }
        let uid = stored.uid().unwrap_or_default().to_owned();
        let finalizer = match options.propagation {
            Propagation::Orphan => Some(ORPHAN),
            Propagation::Foreground => Some(FOREGROUND),
            Propagation::Background => None,
        };
        let marked = self.begin_deletion(&kind.storage, place, finalizer).unwrap_or(stored);
        let left = self.stored(&kind.storage, place).is_some();
        if options.propagation == Propagation::Orphan {
            self.orphan(&uid);
            self.edit(&kind.storage, place, |object| remove_finalizer(object, ORPHAN));
        }
        let marked = from_stored(kind, &marked);
        Ok(if left { Deleted::Waiting(marked) } else { Deleted::Gone(marked) })
    }

    /// Marks an object as deleted and adds a finalizer, or removes it when nothing holds it. Gives its last or marked
    /// state.
    pub(super) fn begin_deletion(
        &mut self,
        resource: &ResourceId,
        place: &Place,
        finalizer: Option<&str>,
    ) -> Option<Arc<Manifest>> {
        let stored = Arc::clone(self.stored(resource, place)?);
        if stored.is_deleting() {
            return Some(stored);
        }
        let finalizer = finalizer.or(defined_resource(&stored).map(|_| definition::CLEANUP));
        if finalizer.is_none() && !is_held(&stored) {
            return self.remove(resource, place);
        }
        let time = self.clock.text();
        let is_namespace = resource.group.is_empty() && &*resource.plural == "namespaces";
        let marked = self.edit(resource, place, |object| {
            if let Some(finalizer) = finalizer {
                add_finalizer(object, finalizer);
            }
            let generation = object["metadata"]["generation"].as_i64();
            let metadata = metadata_mut(object);
            metadata.insert("deletionTimestamp".to_owned(), json!(time));
            if !is_namespace {
                metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
            }
            if let Some(generation) = generation {
                metadata.insert("generation".to_owned(), json!(generation + 1));
            }
            if is_namespace {
                object["status"] = json!({"phase": "Terminating"});
            }
        })?;
        if is_namespace {
            self.doomed.insert(place.name.clone());
        }
        if let Some(custom) = defined_resource(&marked) {
            for (resource, place) in self.addresses_of(&custom) {
                self.begin_deletion(&resource, &place, None);
            }
            self.checks.push_back(Check::Definition(custom));
        }
        let uid = marked.uid().unwrap_or_default().to_owned();
        if has_finalizer(&marked, FOREGROUND) {
            for (resource, place) in self.dependents(&uid) {
                self.begin_deletion(&resource, &place, None);
            }
            self.checks.push_back(Check::Waiting(uid));
        }
        Some(marked)
    }

    /// Deletes the contents of all namespaces in deletion.
    pub(super) fn sweep(&mut self) {
        while let Some(namespace) = self.doomed.pop_first() {
            for (resource, place) in self.addresses_in(&namespace) {
                self.begin_deletion(&resource, &place, None);
            }
            self.checks.push_back(Check::Namespace(namespace));
        }
    }

    /// Looks at everything that the latest changes may have set free.
    pub(super) fn collect(&mut self) {
        while let Some(check) = self.checks.pop_front() {
            match check {
                Check::Owners(address) => self.check_owners(&address),
                Check::Namespace(name) => self.check_namespace_empty(&name),
                Check::Definition(resource) => self.check_definition(&resource),
                Check::Waiting(uid) => self.check_waiting(&uid),
            }
        }
    }

    /// Changes an object. One in deletion that nothing holds any more goes by that.
    fn edit(
        &mut self,
        resource: &ResourceId,
        place: &Place,
        edit: impl FnOnce(&mut Value),
    ) -> Option<Arc<Manifest>> {
        let mut object = self.stored(resource, place)?.to_value();
        edit(&mut object);
        let changed = super::metadata::trusted(object.clone());
        if changed.is_deleting() && !is_held(&changed) {
            return self.remove(resource, place);
        }
        Some(self.put(resource, place, object))
    }

    fn check_owners(&mut self, address: &Address) {
        let (resource, place) = address;
        let Some(object) = self.stored(resource, place) else { return };
        let owners = owner_uids(object);
        let gone: Vec<String> = owners.iter().filter(|uid| self.by_uid(uid).is_none()).cloned().collect();
        if gone.is_empty() {
            return;
        }
        if gone.len() == owners.len() {
            self.begin_deletion(resource, place, None);
        } else {
            self.edit(resource, place, |object| forget_owners(object, &gone));
        }
    }

    fn orphan(&mut self, uid: &str) {
        let gone = [uid.to_owned()];
        for (resource, place) in self.dependents(uid) {
            self.edit(&resource, &place, |object| forget_owners(object, &gone));
        }
    }

    fn check_namespace_empty(&mut self, name: &str) {
        let namespaces = ResourceId::new("", "namespaces");
        let place = Place::new("", name);
        let deleting = self.stored(&namespaces, &place).is_some_and(|namespace| namespace.is_deleting());
        if !deleting || self.doomed.contains(name) || !self.addresses_in(name).is_empty() {
            return;
        }
        self.edit(&namespaces, &place, |object| {
            object["spec"] = json!({});
        });
    }

    fn check_definition(&mut self, resource: &ResourceId) {
        let definitions = ResourceId::new(definition::GROUP, "customresourcedefinitions");
        let place = Place::new("", &format!("{}.{}", resource.plural, resource.group));
        let deleting = self.stored(&definitions, &place).is_some_and(|definition| definition.is_deleting());
        if !deleting || self.range(resource, None).next().is_some() {
            return;
        }
        self.edit(&definitions, &place, |object| remove_finalizer(object, definition::CLEANUP));
        if self.stored(&definitions, &place).is_none() {
            self.kinds_mut().remove(&resource.group, &resource.plural);
        }
    }

    fn check_waiting(&mut self, uid: &str) {
        let Some((resource, place)) = self.by_uid(uid).cloned() else { return };
        let waiting = self
            .stored(&resource, &place)
            .is_some_and(|owner| owner.is_deleting() && has_finalizer(owner, FOREGROUND));
        if waiting && self.dependents(uid).is_empty() {
            self.edit(&resource, &place, |object| remove_finalizer(object, FOREGROUND));
        }
    }
}

fn check_preconditions(
    object: &Manifest,
    preconditions: &Preconditions,
    kind: &Kind,
) -> Result<(), ApiError> {
    let check = |name: &str, wanted: &Option<String>, found: Option<&str>, perhaps: &str| match wanted {
        Some(wanted) if Some(wanted.as_str()) != found => Err(ApiError::Conflict {
            // The text names the kind where others name the resource.
            subject: Subject::of(&kind.group, &kind.kind, &kind.kind, object.name().unwrap_or_default()),
            problem: format!(
                "the {name} in the precondition ({wanted}) does not match the {name} in record ({}). The object might have been {perhaps}",
                found.unwrap_or_default()
            ),
        }),
        Some(_) | None => Ok(()),
    };
    check("UID", &preconditions.uid, object.uid(), "deleted and then recreated")?;
    check("ResourceVersion", &preconditions.resource_version, object.resource_version(), "modified")
}

/// Whether a finalizer keeps a deleted object.
pub(super) fn is_held(object: &Manifest) -> bool {
    let any = |path: &[&str]| object.at(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    any(&["metadata", "finalizers"])
        || (object.api_version() == "v1" && object.kind() == "Namespace" && any(&["spec", "finalizers"]))
}

fn has_finalizer(object: &Manifest, name: &str) -> bool {
    let list = object.at(&["metadata", "finalizers"]).and_then(Value::as_array);
    list.is_some_and(|list| list.iter().any(|finalizer| finalizer == name))
}

/// Adds a finalizer once.
fn add_finalizer(object: &mut Value, name: &str) {
    let list = metadata_mut(object).entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|finalizer| finalizer == name)
    {
        list.push(json!(name));
    }
}

fn remove_finalizer(object: &mut Value, name: &str) {
    remove_from_list(object, "finalizers", |finalizer| finalizer == name);
}

fn forget_owners(object: &mut Value, gone: &[String]) {
    remove_from_list(object, "ownerReferences", |owner| {
        owner["uid"].as_str().is_some_and(|uid| gone.iter().any(|gone| gone == uid))
    });
}

fn remove_from_list(object: &mut Value, field: &str, remove: impl Fn(&Value) -> bool) {
    let metadata = metadata_mut(object);
    if let Some(list) = metadata.get_mut(field).and_then(Value::as_array_mut) {
        list.retain(|entry| !remove(entry));
        if list.is_empty() {
            metadata.remove(field);
        }
    }
}

/// The resource that a `CustomResourceDefinition` defines.
fn defined_resource(object: &Manifest) -> Option<ResourceId> {
    let is_definition = object.gvk().same_kind(definition::GROUP, definition::KIND);
    let group = object.text_at(&["spec", "group"]).filter(|_| is_definition)?;
    Some(ResourceId::new(group, object.text_at(&["spec", "names", "plural"])?))
}
