//! One protected ConfigMap as the hub has it: what should stand in its namespace, and what is wrong.
//!
//! Takes a snapshot that holds the ConfigMaps of the namespace; gives the decision of `pipeline::sets`, the same for the hub,
//! which carries it out, and for the commands, which show it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::api::object::{GroupVersionKind, Manifest};
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::pipeline::sets::{self, ACCEPTED_NAME, Decision, Neighbourhood};

/// The kind of a configuration.
pub fn config_maps() -> GroupVersionKind {
    GroupVersionKind::new("v1", "ConfigMap")
}

/// What a snapshot must hold of a namespace, besides the kinds that are always watched.
pub fn needs(namespace: &str) -> Reference {
    Reference { gvk: config_maps(), namespace: Some(namespace.to_owned()), name: None }
}

/// A namespace with its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The user's ConfigMap, protected or not.
    pub source: Option<Arc<Manifest>>,
    /// The copy of its last good version.
    pub accepted: Option<Arc<Manifest>>,
    /// What follows.
    pub decision: Decision,
}

/// Reads a namespace and decides for it. The error says why it is not known what is there.
pub fn read(hub: &dyn Lookup, namespace: &str) -> Result<Configuration, String> {
    let mut present = Vec::new();
    for kind in Decision::kinds() {
        present.extend(found(hub.list(&kind, Some(namespace)))?.unwrap_or_default());
    }
    let unread: Mutex<Option<String>> = Mutex::default();
    let config_map = |name: &str| match found(hub.get(&config_maps(), Some(namespace), name)) {
        Ok(found) => found,
        Err(reason) => {
            *unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            None
        }
    };
    if config_map(ACCEPTED_NAME).is_none() {
        // A configuration whose accepted copy was lost is no new one: its replicated policies show that it was in force.
        let policies = GroupVersionKind::new("policy.open-cluster-management.io/v1", "Policy");
        let all = found(hub.list(&policies, None))?.unwrap_or_default();
        let elsewhere = |policy: &Arc<Manifest>| policy.namespace() != Some(namespace);
        present.extend(
            all.into_iter().filter(|policy| elsewhere(policy) && sets::is_rendered_from(policy, namespace)),
        );
    }
    let decision = sets::decide(&Neighbourhood { namespace, config_map: &config_map, present: &present });
    let (source, accepted) = (config_map(CONFIG_MAP_NAME), config_map(ACCEPTED_NAME));
    match unread.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(reason) => Err(reason),
        None => Ok(Configuration { source, accepted, decision }),
    }
}

/// What is there; the error says why that is not known.
pub(super) fn found<T>(answer: Answer<T>) -> Result<Option<T>, String> {
    match answer {
        Answer::Found(found) => Ok(Some(found)),
        Answer::NotFound | Answer::KindNotInstalled => Ok(None),
        Answer::NotYetKnown => Err("its objects are not known yet".to_owned()),
        Answer::Denied(reason) => Err(reason),
    }
}
