//! What every part of the simulated server sees: one namespace of one cluster at one moment.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::edit::{key, time};
use super::program::Program;
use crate::api::object::{Manifest, ObjectKey};
use crate::sim::simulator::View;

/// API version of all kinds here.
pub(super) const API_VERSION: &str = "velero.io/v1";
const GROUP: &str = "velero.io";

/// A Velero server and its surroundings during one step.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a str,
    pub(super) namespace: &'a str,
    pub(super) program: &'a Program,
    pub(super) view: &'a dyn View,
    pub(super) now: Timestamp,
}

impl Scene<'_> {
    /// All objects of a Velero kind in the server's namespace; it looks nowhere else.
    pub(super) fn all(&self, kind: &str) -> Vec<Arc<Manifest>> {
        self.view.list(GROUP, kind, Some(self.namespace))
    }

    /// The identity of an object of a Velero kind in the server's namespace.
    pub(super) fn key(&self, kind: &str, name: &str) -> ObjectKey {
        key(API_VERSION, kind, Some(self.namespace), name)
    }

    /// One object of a Velero kind in the server's namespace.
    pub(super) fn one(&self, kind: &str, name: &str) -> Option<Arc<Manifest>> {
        self.view.get(&self.key(kind, name))
    }

    /// The moment of the step as the API writes it.
    pub(super) fn time(&self) -> Value {
        Value::String(time(self.now))
    }
}

/// How the API server says that an object of a Velero kind is missing.
pub(super) fn not_found(kind: &str, name: &str) -> String {
    format!("{kind}.{GROUP} {name:?} not found")
}
