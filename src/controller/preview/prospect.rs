//! The hub as it is, or as it would be with objects of files applied to it and what it renders from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::configuration::{self, config_maps};
use super::super::fleet::{Effects, Fleet};
use super::super::prepare::{self, Sight};
use crate::adapters::api_server::Ensured;
use crate::adapters::hub::{Hub, HubKind};
use crate::adapters::source::{is_namespaced, plural};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::cluster::Condition;
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::placement::Decisions;
use crate::pipeline::placement::conditions::SATISFIED;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup, Reference};
use crate::pipeline::render::overlay::Overlay;

/// Where Flotilla's own annotations are: what is rendered anew has none of the former ones.
const OWN_PREFIX: &str = "flotilla.dev/";

/// The hub's objects that decide, as they are or would be.
pub struct Prospect {
    /// Typed and indexed.
    pub fleet: Fleet,
    /// Why what was imagined cannot be put into force; then the last good version is.
    pub faults: Vec<String>,
    /// What may not be meant so. What is doubtful in a ConfigMap itself is not told again.
    pub warnings: Vec<String>,
    /// Objects that cannot be read.
    pub malformed: Vec<String>,
    pub(super) imagined: Option<Imagined>,
}

/// What is imagined on the hub.
pub(super) struct Imagined {
    pub(super) overlay: Overlay,
    /// The fleet without it.
    pub(super) before: Fleet,
    /// The namespaces in which something is imagined.
    namespaces: BTreeSet<String>,
}

impl Prospect {
    /// The hub as it is.
    pub async fn as_it_is(hub: &Hub, now: Timestamp) -> Self {
        let (fleet, effects) = prepare::fleet_of(hub, now).await;
        let mut prospect =
            Self { fleet, faults: Vec::new(), warnings: Vec::new(), malformed: Vec::new(), imagined: None };
        prospect.note(&effects);
        prospect
    }

    /// The hub with these objects of namespaces applied to it, and what it would render from them. The error says what of the hub cannot be
    /// known.
    pub async fn after(hub: &Hub, objects: Vec<Manifest>, now: Timestamp) -> Result<Self, String> {
        let mut namespaces: BTreeSet<String> = BTreeSet::new();
        let mut references = BTreeSet::new();
        for key in objects.iter().filter_map(Manifest::key) {
            if let Some(namespace) = &key.namespace {
                namespaces.insert(namespace.clone());
                let gvk = config_maps();
                references.insert(Reference { gvk, namespace: Some(namespace.clone()), name: None });
            }
            let ObjectKey { gvk, namespace, name } = key;
            references.insert(Reference { gvk, namespace, name: Some(name) });
        }
        if let Ensured::Disconnected(reason) = hub.connection().ensure(&references).await {
            return Err(format!("failed to look at the hub: {reason}"));
        }
        let mut prospect = Self::as_it_is(hub, now).await;
        let (before, _) = prepare::fleet_of(hub, now).await;
        let snapshot: Arc<dyn Lookup> = Arc::new(hub.connection().snapshot());
        let mut change = Change { overlay: Overlay::default(), now };
        for object in objects {
            prospect.put(&mut change, &snapshot, object);
        }
        for namespace in &namespaces {
            let decision = configuration::read(change.overlay.over(snapshot.clone()).as_ref(), namespace)
                .map(|configuration| configuration.decision)
                .map_err(|reason| format!("failed to look at namespace {namespace} of the hub: {reason}"))?;
            prospect.faults.extend(decision.complaint());
            prospect.warnings.extend(decision.occupied());
            for object in decision.desired {
                prospect.put(&mut change, &snapshot, object);
            }
            for key in decision.surplus.iter().filter_map(|object| object.key()) {
                change.overlay.remove(&key);
                prospect.apply(&key, None, now);
            }
        }
        let unread: Vec<String> = namespaces
            .iter()
            .filter(|namespace| !prospect.fleet.policies().any(|(key, _)| key.namespace == **namespace))
            .map(|namespace| {
                format!(
                    "the hub has no policies in namespace {namespace} and would render none: give ConfigMap {CONFIG_MAP_NAME} the \
                     label flotilla.dev/protect: \"true\""
                )
            })
            .collect();
        prospect.warnings.extend(unread);
        prospect.imagined = Some(Imagined { overlay: change.overlay, before, namespaces });
        Ok(prospect)
    }

    fn put(&mut self, change: &mut Change, snapshot: &Arc<dyn Lookup>, object: Manifest) {
        let Some(key) = object.key() else { return };
        let there = match snapshot.get(&key.gvk, key.namespace.as_deref(), &key.name) {
            Answer::Found(there) => Some(there),
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
        };
        let applied = applied(there.as_deref(), object);
        self.apply(&key, Some(&applied), change.now);
        change.overlay.put(applied);
    }

    fn apply(&mut self, key: &ObjectKey, object: Option<&Manifest>, now: Timestamp) {
        if let Some(kind) = HubKind::of(&key.gvk) {
            let effects = self.fleet.apply(kind, key, object, now);
            self.note(&effects);
        }
    }

    fn note(&mut self, effects: &Effects) {
        self.malformed.extend(effects.malformed.iter().map(|(_, error)| error.to_string()));
    }

    /// Whether what is imagined concerns a policy directly; without anything imagined, every policy is of interest.
    pub fn concerns(&self, policy: &PolicyKey) -> bool {
        self.imagined.as_ref().is_none_or(|imagined| imagined.namespaces.contains(&policy.namespace))
    }

    /// Why nothing that is imagined reaches any cluster: the Placements of a namespace none of which selects one, each with the
    /// reason.
    pub fn idle_placements(&self, now: Timestamp) -> Vec<(String, String)> {
        let mut idle = Vec::new();
        for namespace in self.imagined.iter().flat_map(|imagined| &imagined.namespaces) {
            let ours = self.fleet.placements().filter(|(of, _)| of == namespace);
            let decided: Vec<(String, Decisions)> =
                ours.filter_map(|name| Some((name.1.clone(), self.fleet.placement(name, now)?.2))).collect();
            if decided.iter().any(|(_, decisions)| !decisions.selected.is_empty()) {
                continue;
            }
            idle.extend(decided.into_iter().map(|(name, decisions)| {
                let satisfied = |condition: &&Condition| condition.condition_type == SATISFIED;
                let why = decisions.conditions.iter().find(satisfied);
                let why = why.map_or_else(String::new, |condition| condition.message.clone());
                (format!("{namespace}/{name}"), why)
            }));
        }
        idle
    }
}

struct Change {
    overlay: Overlay,
    now: Timestamp,
}

/// An object as it would be after it was applied: what the API server and others wrote into it stays.
fn applied(there: Option<&Manifest>, object: Manifest) -> Manifest {
    let Some(there) = there else { return object };
    let mut metadata = match there.at(&["metadata"]) {
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) | None => Map::new(),
    };
    let texts = |entries: BTreeMap<String, String>| -> Value {
        entries.into_iter().map(|(name, text)| (name, Value::String(text))).collect::<Map<_, _>>().into()
    };
    let mut labels = there.labels();
    labels.extend(object.labels());
    metadata.insert("labels".to_owned(), texts(labels));
    let mut annotations = there.annotations();
    annotations.retain(|name, _| !name.starts_with(OWN_PREFIX));
    annotations.extend(object.annotations());
    metadata.insert("annotations".to_owned(), texts(annotations));
    let status = there.fields().get("status").cloned();
    let object = object.with_field("metadata", Some(Value::Object(metadata)));
    if object.fields().contains_key("status") { object } else { object.with_field("status", status) }
}

/// Looks at a hub and a cluster on which something is imagined: the hub's objects, and on the cluster the kinds that what is
/// installed there brings.
pub(super) struct Imagining<'a>(pub(super) &'a Overlay);

impl Sight for Imagining<'_> {
    fn of_hub(&self, snapshot: Arc<dyn Lookup>) -> Arc<dyn Lookup> {
        self.0.over(snapshot)
    }

    fn of_cluster(&self, snapshot: Arc<dyn Lookup>) -> Arc<dyn Lookup> {
        Arc::new(Served(snapshot))
    }
}

/// A cluster that serves every kind; of those that it does not serve yet it has no object.
struct Served(Arc<dyn Lookup>);

impl Lookup for Served {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        match self.0.kind(gvk) {
            Answer::KindNotInstalled => Answer::Found(KindFacts {
                plural: plural(&gvk.kind),
                namespaced: is_namespaced(&gvk.group, &gvk.kind),
            }),
            other => other,
        }
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        match self.0.get(gvk, namespace, name) {
            Answer::KindNotInstalled => Answer::NotFound,
            other => other,
        }
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        match self.0.list(gvk, namespace) {
            Answer::KindNotInstalled => Answer::Found(Vec::new()),
            other => other,
        }
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        match self.kind(gvk) {
            Answer::Found(facts) => Some(facts.namespaced),
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
        }
    }
}
