//! What follows from a write at once: kinds from definitions, namespaces of managed clusters, the end of a deletion.

use std::sync::Arc;

use super::super::hub;
use super::super::kinds::{Kind, ResourceId, Role, definition};
use super::WriteOptions;
use super::state::{Place, State};
use crate::api::object::Manifest;

impl State {
    /// After an object was created. Gives its latest state.
    pub(super) fn after_create(
        &mut self,
        kind: &Kind,
        place: &Place,
        stored: Arc<Manifest>,
    ) -> Arc<Manifest> {
        if kind.is(definition::GROUP, definition::KIND) {
            return self.establish(kind, place, &stored);
        }
        if self.role == Role::Hub
            && let Some(namespace) = hub::namespace_of(kind, place)
            && let Some(namespaces) = self.kind_of(&ResourceId::new("", "namespaces"))
        {
            // An existing namespace is fine, and any other refusal leaves the hub without it, as a failed webhook would.
            let _exists = self.create(&namespaces, None, namespace, &WriteOptions::whole());
        }
        stored
    }

    /// After an object was changed. Gives its latest state.
    pub(super) fn after_update(&mut self, kind: &Kind, stored: Arc<Manifest>) -> Arc<Manifest> {
        if kind.is(definition::GROUP, definition::KIND) && !stored.is_deleting() {
            self.offer(&stored);
        }
        stored
    }

    fn establish(&mut self, kind: &Kind, place: &Place, stored: &Manifest) -> Arc<Manifest> {
        let mut object = stored.to_value();
        object["status"] = definition::established(&object, &self.clock.text());
        let stored = self.put(&kind.storage, place, object);
        self.offer(&stored);
        stored
    }

    fn offer(&mut self, definition: &Manifest) {
        let kinds = definition::kinds(&definition.to_value());
        let Some(first) = kinds.first() else { return };
        let (group, plural) = (first.group.clone(), first.plural.clone());
        let offered = self.kinds_mut();
        offered.remove(&group, &plural);
        for kind in kinds {
            offered.insert(kind);
        }
    }
}
