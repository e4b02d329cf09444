//! A worker's desk: what waits there, and which change of the cluster concerns which policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::super::fleet::Policies;
use super::super::inbox::{Inbox, Portion};
use crate::adapters::api_server::{Change, Depth, WatchKey, WatchState};
use crate::api::object::ObjectKey;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::Reference;

/// What waits at a worker.
#[derive(Debug, Default)]
pub(in crate::controller) struct Mail {
    /// Policies to evaluate.
    pub(in crate::controller) policies: Policies,
    /// The kubeconfig Secret changed.
    pub(in crate::controller) credentials: bool,
    /// API groups whose CustomResourceDefinitions changed.
    pub(super) groups: BTreeSet<String>,
    /// Replicated policies that changed on the hub, perhaps by the worker's own hand.
    pub(in crate::controller) replicas: BTreeSet<PolicyKey>,
    /// What watches say of the connection.
    pub(super) pulse: Pulse,
}

/// What watches say of the connection.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// One fails.
    pub(super) faltering: bool,
    /// One follows its server (again).
    pub(super) recovered: bool,
}

/// A worker's inbox, and who looked up what on its cluster.
#[derive(Default)]
pub(in crate::controller) struct Desk {
    pub(in crate::controller) inbox: Inbox<Mail>,
    pub(super) readers: Mutex<BTreeMap<PolicyKey, BTreeSet<Reference>>>,
}

impl Desk {
    /// A change on the cluster: the policies that looked at the object are evaluated again.
    pub(super) fn changed(&self, key: &WatchKey, change: Change) {
        match change {
            Change::Object(object) if key.depth == Depth::Metadata => {
                let group = object.name.split_once('.').map_or("", |(_, group)| group).to_owned();
                self.inbox.post(|mail| {
                    mail.groups.insert(group);
                    mail.policies = Portion::All;
                });
            }
            Change::Object(object) => self.wake(|reference| covers(reference, &object)),
            Change::Malformed { name, message } => {
                tracing::warn!(kind = key.gvk.kind, name, message, "an object of the cluster cannot be read");
            }
            Change::State(WatchState::Synced) => {
                self.inbox.post(|mail| mail.pulse.recovered = true);
                self.wake(|reference| reference.gvk == key.gvk);
            }
            Change::State(WatchState::KindGone) => {
                let group = key.gvk.group.clone();
                self.inbox.post(|mail| {
                    mail.groups.insert(group);
                    mail.policies = Portion::All;
                });
            }
            Change::State(WatchState::Failing { connection: true, .. }) => {
                self.inbox.post(|mail| mail.pulse.faltering = true);
            }
            // This kind may not be read (any more): those who look at it say so; the others go on.
            Change::State(WatchState::Failing { connection: false, .. }) => {
                self.wake(|reference| reference.gvk == key.gvk);
            }
            Change::State(WatchState::Loading) => {}
        }
    }

    /// Posts the policies that looked at such a thing.
    fn wake(&self, concerns: impl Fn(&Reference) -> bool) {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned: BTreeSet<PolicyKey> = readers
            .iter()
            .filter(|(_, references)| references.iter().any(&concerns))
            .map(|(policy, _)| policy.clone())
            .collect();
        drop(readers);
        if !concerned.is_empty() {
            self.inbox.post(|mail| mail.policies.join(Portion::Some(concerned)));
        }
    }
}

/// Whether a change of an object makes what was looked up stale.
pub(in crate::controller) fn covers(reference: &Reference, object: &ObjectKey) -> bool {
    reference.gvk.group == object.gvk.group
        && reference.gvk.kind == object.gvk.kind
        && reference.namespace.as_ref().is_none_or(|namespace| object.namespace.as_ref() == Some(namespace))
        && reference.name.as_ref().is_none_or(|name| *name == object.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::GroupVersionKind;

    #[test]
    fn a_change_concerns_those_who_looked_at_it() {
        let reference = |namespace: Option<&str>, name: Option<&str>| Reference {
            gvk: GroupVersionKind::new("v1", "ConfigMap"),
            namespace: namespace.map(ToOwned::to_owned),
            name: name.map(ToOwned::to_owned),
        };
        let object = ObjectKey {
            gvk: GroupVersionKind::new("v1", "ConfigMap"),
            namespace: Some("a".to_owned()),
            name: "b".to_owned(),
        };
        assert!(covers(&reference(Some("a"), Some("b")), &object));
        assert!(covers(&reference(None, None), &object));
        assert!(!covers(&reference(Some("a"), Some("c")), &object));
        assert!(!covers(&reference(Some("x"), None), &object));
    }
}
