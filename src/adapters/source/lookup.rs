//! Look-ups without an API server: over the objects of files, and on a cluster where nothing is known to exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::scope::{is_namespaced, plural};
use crate::api::object::{GroupVersionKind, Manifest};
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup};

fn facts(gvk: &GroupVersionKind) -> KindFacts {
    KindFacts { plural: plural(&gvk.kind), namespaced: is_namespaced(&gvk.group, &gvk.kind) }
}

/// Group, kind, namespace and name: every version of a kind holds the same objects.
type Identity = (String, String, Option<String>, String);

/// The objects of files. What is not there does not exist.
#[derive(Debug, Clone, Default)]
pub struct ObjectLookup {
    objects: BTreeMap<Identity, Arc<Manifest>>,
}

impl ObjectLookup {
    /// Over these objects; of two with the same identity the later one counts.
    pub fn new(objects: impl IntoIterator<Item = Manifest>) -> Self {
        let objects = objects
            .into_iter()
            .filter_map(|manifest| {
                let gvk = manifest.gvk();
                let namespace = manifest.namespace().map(ToOwned::to_owned);
                let identity = (gvk.group, gvk.kind, namespace, manifest.name()?.to_owned());
                Some((identity, Arc::new(manifest)))
            })
            .collect();
        Self { objects }
    }

    /// One object, whatever is known of its kind.
    pub(super) fn at(
        &self,
        gvk: &GroupVersionKind,
        namespace: Option<&str>,
        name: &str,
    ) -> Answer<Arc<Manifest>> {
        let identity =
            (gvk.group.clone(), gvk.kind.clone(), namespace.map(ToOwned::to_owned), name.to_owned());
        self.objects.get(&identity).map_or(Answer::NotFound, |manifest| Answer::Found(manifest.clone()))
    }

    /// All objects of a kind, whatever is known of it.
    pub(super) fn all(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        Answer::Found(
            self.objects
                .iter()
                .filter(|((group, kind, own, _), _)| {
                    *group == gvk.group
                        && *kind == gvk.kind
                        && (namespace.is_none() || own.as_deref() == namespace)
                })
                .map(|(_, manifest)| manifest.clone())
                .collect(),
        )
    }
}

impl Lookup for ObjectLookup {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        Answer::Found(facts(gvk))
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        self.at(gvk, namespace.filter(|_| is_namespaced(&gvk.group, &gvk.kind)), name)
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        self.all(gvk, namespace.filter(|_| is_namespaced(&gvk.group, &gvk.kind)))
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        Some(is_namespaced(&gvk.group, &gvk.kind))
    }
}

/// A cluster that serves every kind and holds no object.
#[derive(Debug, Default, Clone, Copy)]
pub struct EmptyCluster;

impl Lookup for EmptyCluster {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        Answer::Found(facts(gvk))
    }

    fn get(&self, _: &GroupVersionKind, _: Option<&str>, _: &str) -> Answer<Arc<Manifest>> {
        Answer::NotFound
    }

    fn list(&self, _: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        Answer::Found(Vec::new())
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        Some(is_namespaced(&gvk.group, &gvk.kind))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(namespace: &str, name: &str, value: &str) -> Manifest {
        Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": value},
            "metadata": {"name": name, "namespace": namespace}}))
        .unwrap()
    }

    #[test]
    fn objects_are_found_by_their_identity() {
        let lookup = ObjectLookup::new([
            config_map("a", "x", "1"),
            config_map("b", "x", "2"),
            config_map("a", "x", "3"),
        ]);
        let gvk = GroupVersionKind::new("v1", "ConfigMap");
        let Answer::Found(found) = lookup.get(&gvk, Some("a"), "x") else { panic!("there") };
        assert_eq!(found.text_at(&["data", "key"]), Some("3"));
        assert_eq!(lookup.get(&gvk, Some("c"), "x"), Answer::NotFound);
        let count = |namespace| match lookup.list(&gvk, namespace) {
            Answer::Found(found) => found.len(),
            _ => panic!("a list"),
        };
        assert_eq!((count(None), count(Some("b")), count(Some("c"))), (2, 1, 0));
    }

    #[test]
    fn an_empty_cluster_knows_kinds_but_no_objects() {
        let gvk = GroupVersionKind::new("velero.io/v1", "Backup");
        assert_eq!(EmptyCluster.get(&gvk, Some("a"), "b"), Answer::NotFound);
        assert_eq!(
            EmptyCluster.kind(&gvk),
            Answer::Found(KindFacts { plural: "backups".to_owned(), namespaced: true })
        );
    }
}
