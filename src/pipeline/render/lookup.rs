//! How templates see Kubernetes objects: through a snapshot that answers at once, never through a client.
//!
//! A template that asks for what the snapshot does not hold yet gets [`Answer::NotYetKnown`]; the rendering reports every
//! reference it asked for, so that the driver can watch it and render again.

use std::sync::Arc;

use crate::api::object::{GroupVersionKind, Manifest};

/// What a template asked for: one object (`name` set) or a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The type.
    pub gvk: GroupVersionKind,
    /// The namespace; `None` for cluster-scoped kinds and for lists over all namespaces.
    pub namespace: Option<String>,
    /// The name; `None` for a list.
    pub name: Option<String>,
}

impl std::fmt::Display for Reference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.gvk)?;
        match (&self.namespace, &self.name) {
            (None, None) => Ok(()),
            (None, Some(name)) => write!(formatter, " {name}"),
            (Some(namespace), None) => write!(formatter, " in {namespace}"),
            (Some(namespace), Some(name)) => write!(formatter, " {namespace}/{name}"),
        }
    }
}

/// What a snapshot answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// It is there. A list may be empty.
    Found(T),
    /// The kind exists, the object does not.
    NotFound,
    /// The API server does not serve this kind.
    KindNotInstalled,
    /// The snapshot does not hold this reference yet; once it is watched, ask again.
    NotYetKnown,
    /// The snapshot may not read it, with the server's words.
    Denied(String),
}

/// A snapshot of one API server, asked by templates.
pub trait Lookup: Send + Sync {
    /// One object. `namespace` is `None` for cluster-scoped kinds.
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>>;

    /// All objects of a kind in a namespace, or in all of them, in the order of namespace and name.
    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>>;

    /// Whether objects of the kind live in namespaces; `None` when the kind is not (yet) known.
    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool>;
}
