//! What the hub would render from the labelled ConfigMaps of the input, beside what the input has already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::api::object::{Manifest, ObjectKey};
use crate::pipeline::config::{CONFIG_MAP_NAME, KEYS};
use crate::pipeline::sets::{self, Neighbourhood};

/// Shown in the place of what is secret.
const REDACTED: &str = "<redacted>";

/// What comes of the labelled ConfigMaps.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    /// What is rendered, with the copies of what was accepted.
    pub(super) rendered: Vec<Manifest>,
    /// Why nothing is rendered from one.
    pub(super) faults: Vec<String>,
    /// What may be a mistake, and what of the input stands in the way.
    pub(super) warnings: Vec<String>,
}

/// Renders all of them.
pub(super) fn render(objects: &BTreeMap<ObjectKey, Manifest>) -> Configurations {
    let config_map = |namespace: &str, name: &str| {
        objects
            .values()
            .find(|object| {
                object.kind() == "ConfigMap"
                    && object.namespace() == Some(namespace)
                    && object.name() == Some(name)
            })
            .cloned()
            .map(Arc::new)
    };
    let namespaces: BTreeSet<&str> = objects
        .values()
        .filter(|object| {
            object.kind() == "ConfigMap"
                && object.name() == Some(CONFIG_MAP_NAME)
                && sets::is_protected(object)
        })
        .filter_map(Manifest::namespace)
        .collect();
    let mut all = Configurations::default();
    for namespace in namespaces {
        let present: Vec<Arc<Manifest>> = objects
            .values()
            .filter(|object| object.namespace() == Some(namespace))
            .filter(|object| sets::KINDS.iter().any(|(_, kind)| *kind == object.kind()))
            .cloned()
            .map(Arc::new)
            .collect();
        let decision = sets::decide(&Neighbourhood {
            namespace,
            config_map: &|name| config_map(namespace, name),
            present: &present,
        });
        let of_namespace = |text: String| format!("namespace {namespace}: {text}");
        all.faults.extend(decision.complaint().map(of_namespace));
        all.warnings.extend(decision.warnings.iter().cloned().chain(decision.occupied()).map(of_namespace));
        all.rendered.extend(decision.desired);
    }
    all
}

/// A rendered object as it may be shown: the accepted copy holds credentials, and what the user's own keys hold is not known.
pub(super) fn shown(object: &Manifest, show_secrets: bool) -> Value {
    let mut value = object.to_value();
    if show_secrets || object.kind() != "ConfigMap" {
        return value;
    }
    if let Some(data) = value.get_mut("data").and_then(Value::as_object_mut) {
        for (name, text) in data.iter_mut() {
            let is_known = KEYS.iter().any(|key| key.name == name && !key.is_secret());
            if !is_known {
                *text = Value::String(REDACTED.to_owned());
            }
        }
    }
    value
}
