//! What the tests of this room share: a snapshot made of objects, and rendering of one text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::engine::go::value::Struct;
use super::engine::go::{Template, Value};
use super::functions;
use super::lookup::{Answer, Lookup};
use super::session::Session;
use crate::api::object::{GroupVersionKind, Manifest};

/// Objects of one API server.
#[derive(Default)]
pub(super) struct Snapshot {
    pub(super) objects: Vec<Arc<Manifest>>,
    /// Kinds that are cluster-scoped.
    pub(super) cluster_scoped: BTreeSet<&'static str>,
    /// Kinds that are not installed.
    pub(super) not_installed: BTreeSet<&'static str>,
    /// Kinds that are not held yet.
    pub(super) not_yet_known: BTreeSet<&'static str>,
}

impl Snapshot {
    pub(super) fn of(objects: impl IntoIterator<Item = Json>) -> Self {
        let mut objects: Vec<_> =
            objects.into_iter().map(|object| Arc::new(Manifest::parse(object).unwrap())).collect();
        objects.sort_by_key(|object| (object.namespace().map(String::from), object.name().map(String::from)));
        Self {
            objects,
            cluster_scoped: BTreeSet::from(["Namespace", "Node", "ClusterClaim", "ManagedCluster"]),
            ..Self::default()
        }
    }

    fn state<T>(&self, gvk: &GroupVersionKind) -> Option<Answer<T>> {
        if self.not_installed.contains(gvk.kind.as_str()) {
            return Some(Answer::KindNotInstalled);
        }
        self.not_yet_known.contains(gvk.kind.as_str()).then_some(Answer::NotYetKnown)
    }
}

impl Lookup for Snapshot {
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        let found = self.objects.iter().find(|object| {
            object.gvk() == *gvk && object.namespace() == namespace && object.name() == Some(name)
        });
        self.state(gvk)
            .unwrap_or_else(|| found.map_or(Answer::NotFound, |found| Answer::Found(Arc::clone(found))))
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        let found = self.objects.iter().filter(|object| {
            object.gvk() == *gvk && (namespace.is_none() || object.namespace() == namespace)
        });
        self.state(gvk).unwrap_or_else(|| Answer::Found(found.cloned().collect()))
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        Some(!self.cluster_scoped.contains(gvk.kind.as_str()))
    }
}

/// Renders a text as the cluster phase would, without YAML around it.
pub(super) fn render_text(text: &str, snapshot: &Snapshot) -> Result<String, String> {
    let template = Template::parse(text, ("{{", "}}"), &functions::find)?;
    let context = Value::Struct(std::rc::Rc::new(Struct {
        type_name: "struct {}".to_owned(),
        fields: Vec::new(),
        shown: "{}".to_owned(),
        unavailable: None,
    }));
    let claims = BTreeMap::new();
    let mut session = Session::on_cluster(snapshot, &claims);
    template.execute(&context, &mut session).map_err(|failure| failure.0)
}
