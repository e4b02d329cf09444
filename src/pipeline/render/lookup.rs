//! How templates see Kubernetes objects: through a snapshot that answers at once, never through a client.
//!
//! A template that asks for what the snapshot does not hold yet gets [`Answer::NotYetKnown`]; the rendering reports every
//! reference it asked for, so that the driver can watch it and render again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

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

/// What an API server says of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindFacts {
    /// Plural resource name, as in URLs and messages.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// A snapshot of one API server, asked by templates and plans.
pub trait Lookup: Send + Sync {
    /// What is known of a kind.
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        match self.is_namespaced(gvk) {
            Some(namespaced) => {
                Answer::Found(KindFacts { plural: format!("{}s", gvk.kind.to_lowercase()), namespaced })
            }
            None => Answer::NotYetKnown,
        }
    }

    /// One object. `namespace` is `None` for cluster-scoped kinds.
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>>;

    /// All objects of a kind in a namespace, or in all of them, in the order of namespace and name.
    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>>;

    /// Whether objects of the kind live in namespaces; `None` when the kind is not (yet) known.
    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool>;
}

/// A lookup that remembers what it was asked for, so that it can be watched.
pub struct Recording {
    inner: Arc<dyn Lookup>,
    asked: Mutex<BTreeSet<Reference>>,
}

impl Recording {
    /// Around another lookup.
    pub fn new(inner: Arc<dyn Lookup>) -> Self {
        Self { inner, asked: Mutex::default() }
    }

    /// Everything that was asked for so far.
    pub fn asked(&self) -> BTreeSet<Reference> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: Option<&str>) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(Reference {
            gvk: gvk.clone(),
            namespace: namespace.map(ToOwned::to_owned),
            name: name.map(ToOwned::to_owned),
        });
    }
}

impl Lookup for Recording {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        self.inner.kind(gvk)
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        self.remember(gvk, namespace, Some(name));
        self.inner.get(gvk, namespace, name)
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        self.remember(gvk, namespace, None);
        self.inner.list(gvk, namespace)
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        self.inner.is_namespaced(gvk)
    }
}
