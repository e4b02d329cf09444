//! An imagined cluster: the objects of input files as an API server would hold them that has neither defaults nor admission.
//!
//! Namespaces need not exist. `default` always does.

use std::sync::Arc;

use serde_json::{Value, json};
use thiserror::Error;

use super::files::{Found, Place};
use super::lookup::ObjectLookup;
use super::mappings::Mappings;
use crate::api::object::{GroupVersionKind, Manifest, ManifestError, ObjectKey};
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup};

/// Where a namespaced object without a namespace goes.
const DEFAULT_NAMESPACE: &str = "default";

/// What a server sets itself: an object from another one brings it along.
const SERVER_SIDE: [&str; 5] = ["creationTimestamp", "generateName", "resourceVersion", "selfLink", "uid"];

/// An object that no server would take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClusterError {
    /// Its kind is not served.
    #[error(
        "the resource version was not found for kind {kind}: if this is a custom resource, it may need an entry in the \
         mappings file (apiVersion {api_version}, in {place})"
    )]
    NoMapping {
        /// Its kind.
        kind: String,
        /// Its `apiVersion`.
        api_version: String,
        /// Where it stands.
        place: Place,
    },
    /// Its kind is served, but cannot be watched; Open Cluster Management's own command takes none of it.
    #[error("{}/{}, Kind={} cannot be watched: the mappings file names no verb `watch` for it (in {place})", gvk.group, gvk.version, gvk.kind)]
    Unwatchable {
        /// Its kind.
        gvk: GroupVersionKind,
        /// Where it stands.
        place: Place,
    },
    /// It has no name.
    #[error("{kind}: `metadata.name` is missing in {place}")]
    Nameless {
        /// Its kind.
        kind: String,
        /// Where it stands.
        place: Place,
    },
    /// Its metadata is not an object's.
    #[error("{source} in {place}")]
    Malformed {
        /// Where it stands.
        place: Place,
        /// What is wrong.
        source: ManifestError,
    },
}

/// The cluster.
#[derive(Debug, Clone)]
pub struct FileCluster {
    mappings: Arc<Mappings>,
    objects: ObjectLookup,
    ignored: Vec<String>,
}

impl FileCluster {
    /// With these objects. Of two with the same identity the first one counts, as the second one could not be created.
    /// `namespace` is where a namespaced object goes that names none; `default` if it is `None`.
    pub fn new(
        mappings: Arc<Mappings>,
        found: impl IntoIterator<Item = Found>,
        namespace: Option<&str>,
    ) -> Result<Self, ClusterError> {
        let namespace = namespace.unwrap_or(DEFAULT_NAMESPACE);
        let mut objects: Vec<Manifest> = Vec::new();
        let mut keys: Vec<(GroupVersionKind, ObjectKey)> = Vec::new();
        let mut ignored = Vec::new();
        for Found { manifest, place } in found {
            let manifest = stored(&mappings, manifest, &place, namespace)?;
            let Some(key) = manifest.key() else {
                return Err(ClusterError::Nameless { kind: manifest.kind().to_owned(), place });
            };
            // All versions of a kind hold the same objects.
            let whatever_version = GroupVersionKind { version: String::new(), ..key.gvk.clone() };
            let known = keys.iter().any(|(kind, other)| {
                *kind == whatever_version && (&other.namespace, &other.name) == (&key.namespace, &key.name)
            });
            if known {
                ignored.push(format!("{key} in {place} is ignored: an earlier input has the same name"));
                continue;
            }
            keys.push((whatever_version, key));
            objects.push(manifest);
        }
        let default =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": DEFAULT_NAMESPACE}});
        let imagined = Manifest::parse(default).ok();
        // What the files say of it counts: the lookup takes the last of two.
        let objects = ObjectLookup::new(imagined.into_iter().chain(objects));
        Ok(Self { mappings, objects, ignored })
    }

    /// Inputs that do not count, a sentence each.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// The object as a server would store it.
fn stored(
    mappings: &Mappings,
    manifest: Manifest,
    place: &Place,
    namespace: &str,
) -> Result<Manifest, ClusterError> {
    let gvk = manifest.gvk();
    let Some(facts) = mappings.find(&gvk) else {
        let (kind, api_version) = (gvk.kind.clone(), gvk.api_version());
        return Err(ClusterError::NoMapping { kind, api_version, place: place.clone() });
    };
    if mappings.is_unwatchable(&gvk) {
        return Err(ClusterError::Unwatchable { gvk, place: place.clone() });
    }
    let own = manifest.namespace().map(ToOwned::to_owned);
    let manifest = match (facts.namespaced, own) {
        (true, None) => manifest.with_namespace(Some(namespace)),
        (false, Some(_)) => manifest.with_namespace(None),
        (true, Some(_)) | (false, None) => manifest,
    };
    let mut value = manifest.into_value();
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.retain(|field, _| !SERVER_SIDE.contains(&field.as_str()));
    }
    Manifest::parse(value).map_err(|source| ClusterError::Malformed { place: place.clone(), source })
}

impl Lookup for FileCluster {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        match self.mappings.find(gvk) {
            Some(facts) => Answer::Found(facts.clone()),
            None => Answer::KindNotInstalled,
        }
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        match self.mappings.find(gvk) {
            Some(facts) => self.objects.at(gvk, namespace.filter(|_| facts.namespaced), name),
            None => Answer::KindNotInstalled,
        }
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        match self.mappings.find(gvk) {
            Some(facts) => self.objects.all(gvk, namespace.filter(|_| facts.namespaced)),
            None => Answer::KindNotInstalled,
        }
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        self.mappings.find(gvk).map(|facts| facts.namespaced)
    }
}

#[cfg(test)]
mod tests {
    use super::super::inputs::Text;
    use super::*;

    fn cluster(text: &str) -> Result<FileCluster, ClusterError> {
        let text = Text { path: "f.yaml".to_owned(), text: text.to_owned() };
        FileCluster::new(Arc::new(Mappings::built_in()), text.objects().unwrap(), None)
    }

    fn get(cluster: &FileCluster, kind: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        match cluster.get(&GroupVersionKind::new("v1", kind), namespace, name) {
            Answer::Found(found) => Some(found.to_value()),
            _ => None,
        }
    }

    #[test]
    fn objects_stand_where_a_server_would_put_them() {
        let cluster = cluster(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, uid: x, resourceVersion: '3', labels: {l: v}}\n---\n\
             apiVersion: v1\nkind: Node\nmetadata: {name: n, namespace: nowhere}\n---\n\
             apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: default, labels: {l: second}}\n",
        )
        .unwrap();
        let pod = get(&cluster, "Pod", Some("default"), "a").unwrap();
        assert_eq!(pod["metadata"], json!({"name": "a", "namespace": "default", "labels": {"l": "v"}}));
        assert_eq!(get(&cluster, "Node", None, "n").unwrap()["metadata"], json!({"name": "n"}));
        assert!(get(&cluster, "Namespace", None, "default").is_some());
        assert_eq!(cluster.ignored().len(), 1, "{:?}", cluster.ignored());
    }

    #[test]
    fn a_kind_that_is_not_served_is_refused_and_not_found() {
        let error =
            cluster("apiVersion: e.com/v1\nkind: Thing\nmetadata: {name: a}\n").unwrap_err().to_string();
        assert!(
            error.starts_with(
                "the resource version was not found for kind Thing: if this is a custom resource, it may need an entry in \
                 the mappings file"
            ),
            "{error}"
        );
        let empty = cluster("").unwrap();
        let gvk = GroupVersionKind::new("e.com/v1", "Thing");
        assert_eq!(empty.list(&gvk, None), Answer::KindNotInstalled);
        assert_eq!(empty.kind(&gvk), Answer::KindNotInstalled);
        assert!(matches!(cluster("apiVersion: v1\nkind: Pod\n").unwrap_err(), ClusterError::Nameless { .. }));
    }

    #[test]
    fn the_default_namespace_may_be_described() {
        let cluster =
            cluster("apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {a: b}}\n").unwrap();
        assert_eq!(
            get(&cluster, "Namespace", None, "default").unwrap()["metadata"]["labels"],
            json!({"a": "b"})
        );
    }
}
