//! The caches of a connection at one instant, as templates and plans see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kinds::Kinds;
use super::watch::{Depth, Objects, WatchKey, WatchState};
use crate::api::object::{GroupVersionKind, Manifest};
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup};

/// A value: later changes on the server do not show in it.
pub struct Snapshot {
    pub(super) kinds: Arc<Kinds>,
    pub(super) watches: BTreeMap<WatchKey, (WatchState, Arc<Objects>)>,
}

impl Snapshot {
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
            Answer::Found(
                objects
                    .iter()
                    .filter(|((of, _), _)| namespace.is_none() || of.as_deref() == namespace)
                    .map(|(_, manifest)| manifest.clone())
                    .collect(),
            )
        })
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        match self.kinds.facts(gvk) {
            Answer::Found(facts) => Some(facts.namespaced),
            _ => None,
        }
    }
}
