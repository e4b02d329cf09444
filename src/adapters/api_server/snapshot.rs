//! The caches of a connection at one instant, as templates and plans see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kinds::Kinds;
use super::watch::{Depth, Objects, WatchKey, WatchState};
use crate::api::object::{GroupVersionKind, Manifest};
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup, Reference};

/// A value: later changes on the server do not show in it.
pub struct Snapshot {
    pub(super) kinds: Arc<Kinds>,
    pub(super) watches: BTreeMap<WatchKey, (WatchState, Arc<Objects>)>,
}

impl Snapshot {
    /// Whether another snapshot of the same server knows the same objects of what was asked for.
    pub fn agrees<'a>(&self, other: &Self, references: impl IntoIterator<Item = &'a Reference>) -> bool {
        references.into_iter().all(|reference| {
            let namespace = reference.namespace.as_deref();
            match (self.covering(&reference.gvk, namespace), other.covering(&reference.gvk, namespace)) {
                (Some((_, here)), Some((_, there))) => Arc::ptr_eq(here, there),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
        })
    }

    fn covering(
        &self,
        gvk: &GroupVersionKind,
        namespace: Option<&str>,
    ) -> Option<&(WatchState, Arc<Objects>)> {
        let key = |namespace: Option<&str>| WatchKey {
            gvk: gvk.clone(),
            namespace: namespace.map(ToOwned::to_owned),
            selector: None,
            depth: Depth::Whole,
        };
        self.watches.get(&key(namespace)).or_else(|| self.watches.get(&key(None)))
    }

    fn objects<T>(
        &self,
        gvk: &GroupVersionKind,
        namespace: Option<&str>,
        read: impl FnOnce(&Objects, Option<&str>) -> Answer<T>,
    ) -> Answer<T> {
        let facts = match self.kinds.facts(gvk) {
            Answer::Found(facts) => facts,
            Answer::NotYetKnown => return Answer::NotYetKnown,
            _ => return Answer::KindNotInstalled,
        };
        let namespace = namespace.filter(|_| facts.namespaced);
        match self.covering(gvk, namespace) {
            None | Some((WatchState::Loading, _)) => Answer::NotYetKnown,
            Some((WatchState::KindGone, _)) => Answer::KindNotInstalled,
            Some((WatchState::Failing { connection: false, message }, _)) => Answer::Denied(message.clone()),
            // What was known before the connection failed is still the best answer.
            Some((WatchState::Synced | WatchState::Failing { .. }, objects)) => read(objects, namespace),
        }
    }
}

impl Lookup for Snapshot {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        self.kinds.facts(gvk)
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        self.objects(gvk, namespace, |objects, namespace| {
            match objects.get(&(namespace.map(ToOwned::to_owned), name.to_owned())) {
                Some(manifest) => Answer::Found(manifest.clone()),
                None => Answer::NotFound,
            }
        })
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        self.objects(gvk, namespace, |objects, namespace| {
            Answer::Found(match namespace {
                None => objects.values().cloned().collect(),
                // Sorted by namespace: those of one stand side by side.
                Some(namespace) => objects
                    .range((Some(namespace.to_owned()), String::new())..)
                    .take_while(|((of, _), _)| of.as_deref() == Some(namespace))
                    .map(|(_, manifest)| manifest.clone())
                    .collect(),
            })
        })
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        match self.kinds.facts(gvk) {
            Answer::Found(facts) => Some(facts.namespaced),
            _ => None,
        }
    }
}
