//! A cluster, or a hub, that holds the objects of a row.

use std::sync::{Arc, LazyLock};

use flotilla::adapters::source::{Mappings, ObjectLookup};
use flotilla::api::object::{GroupVersionKind, Manifest};
use flotilla::pipeline::render::lookup::{Answer, KindFacts, Lookup};
use serde_json::Value;

/// What the clusters of the rows serve: the kinds of Kubernetes, Open Cluster Management, Velero, OADP and OLM.
static SERVED: LazyLock<Mappings> = LazyLock::new(Mappings::built_in);

/// The objects. What is not there does not exist; kinds that are not served are not installed.
pub(crate) struct Objects(ObjectLookup);

impl Objects {
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        Self(ObjectLookup::new(
            values.into_iter().map(|value| {
                Manifest::parse(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
            }),
        ))
    }
}

impl Lookup for Objects {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        SERVED.find(gvk).cloned().map_or(Answer::KindNotInstalled, Answer::Found)
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        if SERVED.find(gvk).is_none() {
            return Answer::KindNotInstalled;
        }
        if namespace == Some("forbidden") {
            return Answer::Denied("you may not look there".to_owned());
        }
        self.0.get(gvk, namespace, name)
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        if SERVED.find(gvk).is_none() {
            return Answer::KindNotInstalled;
        }
        if namespace == Some("forbidden") {
            return Answer::Denied("you may not look there".to_owned());
        }
        self.0.list(gvk, namespace)
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        SERVED.find(gvk).map(|facts| facts.namespaced)
    }
}
