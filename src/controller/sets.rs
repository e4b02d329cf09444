//! Keeps what is rendered from each protected ConfigMap in step with it: the driver of `pipeline::sets`.
//!
//! One namespace after the other, on its events alone. What a namespace should hold follows from its objects: nothing is
//! remembered that a restart would lose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::time::Instant;

use super::inbox::Inbox;
use super::retry::{Backoff, CONFLICT, REFUSED};
use super::worker::Shared;
use crate::adapters::api_server::{ApiError, Ensured};
use crate::adapters::hub::{EventKind, HubEvent, lasting_name};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::names::PROTECT_LABEL;
use crate::clock;
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::pipeline::sets::{self, Decision, Neighbourhood, Owner};

/// Namespaces in which something changed.
pub(super) type Namespaces = BTreeSet<String>;

/// Reason of the Event about a version of the ConfigMap that cannot be used.
const INVALID: &str = "InvalidConfiguration";
/// Reason of the Event about what may be a mistake in it.
const DOUBTFUL: &str = "DoubtfulConfiguration";
/// Reason of the Event about a user's own object where one should be rendered.
const OCCUPIED: &str = "NotRendered";
/// Reason of the Event about a labelled ConfigMap of another name.
const MISNAMED: &str = "Ignored";

/// A namespace that cannot be brought in step now.
#[derive(Debug, Error)]
enum StepError {
    /// A write was refused, or met a change.
    #[error(transparent)]
    Write(#[from] ApiError),
    /// What is there is not known.
    #[error("failed to look at namespace {namespace} of the hub: {reason}")]
    Unknown {
        /// The namespace.
        namespace: String,
        /// The hub's words.
        reason: String,
    },
}

/// Passes a change of the hub on to whom it may concern.
pub(super) fn notice(inbox: &Inbox<Namespaces>, object: &ObjectKey) {
    let Some(namespace) = &object.namespace else { return };
    let concerns = object.gvk == config_maps()
        || Decision::kinds().any(|kind| object.gvk.same_kind(&kind.group, &kind.kind));
    if concerns {
        inbox.post(|namespaces| {
            namespaces.insert(namespace.clone());
        });
    }
}

fn config_maps() -> GroupVersionKind {
    GroupVersionKind::new("v1", "ConfigMap")
}

/// Works until the task is dropped.
pub(super) async fn run(shared: Arc<Shared>, inbox: Arc<Inbox<Namespaces>>) {
    let mut keeper =
        Keeper { shared, known: BTreeSet::new(), failed: BTreeMap::new(), told: BTreeSet::new() };
    keeper.known = keeper.namespaces_at_start();
    inbox.post(|namespaces| namespaces.extend(keeper.known.iter().cloned()));
    loop {
        let due = keeper.failed.values().map(|failure| failure.at).min();
        match due {
            None => inbox.posted().await,
            Some(at) => {
                tokio::select! {
                    () = inbox.posted() => {}
                    () = tokio::time::sleep_until(at) => {}
                }
            }
        }
        let mut namespaces = inbox.take();
        let now = Instant::now();
        namespaces.extend(
            keeper.failed.iter().filter(|(_, failure)| failure.at <= now).map(|(name, _)| name.clone()),
        );
        for namespace in namespaces {
            keeper.look_after(&namespace).await;
        }
    }
}

struct Failure {
    backoff: Backoff,
    at: Instant,
}

struct Keeper {
    shared: Arc<Shared>,
    /// Namespaces that have a protected ConfigMap, or had one.
    known: Namespaces,
    /// Those that are tried again.
    failed: BTreeMap<String, Failure>,
    /// Events that this process has written: not asked for twice.
    told: BTreeSet<(String, String)>,
}

impl Keeper {
    /// Where a ConfigMap asks for protection, and where something rendered is left of one.
    fn namespaces_at_start(&self) -> Namespaces {
        let snapshot = self.shared.hub.connection().snapshot();
        let rendered = Decision::kinds()
            .filter_map(|kind| match snapshot.list(&kind, None) {
                Answer::Found(objects) => Some(objects),
                Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
            })
            .flatten()
            .filter(|object| sets::is_rendered_by(object));
        let protected = self.shared.hub.protected_config_maps();
        rendered.chain(protected).filter_map(|object| object.namespace().map(ToOwned::to_owned)).collect()
    }

    async fn look_after(&mut self, namespace: &str) {
        if !self.known.contains(namespace) {
            let protected = self.shared.hub.protected_config_maps();
            if !protected.iter().any(|config_map| config_map.namespace() == Some(namespace)) {
                return;
            }
            self.known.insert(namespace.to_owned());
        }
        match self.bring_in_step(namespace).await {
            Ok(owner) => {
                self.failed.remove(namespace);
                if owner == Owner::Released {
                    self.known.remove(namespace);
                }
            }
            Err(error) => {
                let first = match &error {
                    StepError::Write(ApiError::Conflict { .. } | ApiError::AlreadyExists { .. }) => CONFLICT,
                    StepError::Write(_) | StepError::Unknown { .. } => REFUSED,
                };
                tracing::warn!(namespace, %error, "what is rendered from a ConfigMap is not in step, trying again");
                let failure = self
                    .failed
                    .entry(namespace.to_owned())
                    .or_insert_with(|| Failure { backoff: Backoff::default(), at: Instant::now() });
                failure.at = Instant::now() + failure.backoff.failed(first);
            }
        }
    }

    async fn bring_in_step(&mut self, namespace: &str) -> Result<Owner, StepError> {
        let unknown = |reason: String| StepError::Unknown { namespace: namespace.to_owned(), reason };
        let wanted = Reference { gvk: config_maps(), namespace: Some(namespace.to_owned()), name: None };
        let shared = Arc::clone(&self.shared);
        let connection = shared.hub.connection();
        if let Ensured::Disconnected(reason) = connection.ensure(&BTreeSet::from([wanted])).await {
            return Err(unknown(reason));
        }
        let snapshot = connection.snapshot();
        let mut present = Vec::new();
        for kind in Decision::kinds() {
            present
                .extend(read(snapshot.list(&kind, Some(namespace))).map_err(&unknown)?.unwrap_or_default());
        }
        let unread: Mutex<Option<String>> = Mutex::default();
        let config_map = |name: &str| match read(snapshot.get(&config_maps(), Some(namespace), name)) {
            Ok(found) => found,
            Err(reason) => {
                *unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
                None
            }
        };
        if config_map(sets::ACCEPTED_NAME).is_none() {
            let policies = GroupVersionKind::new("policy.open-cluster-management.io/v1", "Policy");
            let all = read(snapshot.list(&policies, None)).map_err(&unknown)?.unwrap_or_default();
            let elsewhere = |policy: &Arc<Manifest>| policy.namespace() != Some(namespace);
            present.extend(
                all.into_iter()
                    .filter(|policy| elsewhere(policy) && sets::is_rendered_from(policy, namespace)),
            );
        }
        let decision = sets::decide(&Neighbourhood { namespace, config_map: &config_map, present: &present });
        let source = config_map(CONFIG_MAP_NAME);
        if let Some(reason) = unread.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(unknown(reason));
        }
        // Before anything is written: that the style changes shows only while the old copy is there.
        if let Some(source) = source {
            self.tell(&source, &decision).await;
        }
        for desired in &decision.desired {
            let Some(key) = desired.key() else { continue };
            let existing = read(snapshot.get(&key.gvk, Some(namespace), &key.name)).map_err(&unknown)?;
            let written = self.shared.hub.write_rendered(existing.as_deref(), desired).await;
            match written {
                Ok(Some(_)) => tracing::info!(object = %key, "rendered"),
                Ok(None) => {}
                Err(error) => {
                    // What the caches say may be old.
                    connection.refresh(&key).await?;
                    return Err(error.into());
                }
            }
        }
        for surplus in &decision.surplus {
            self.shared.hub.delete_rendered(surplus).await?;
        }
        self.tell_misnamed(namespace).await;
        Ok(decision.owner)
    }

    /// Tells on the ConfigMap what is wrong with it.
    async fn tell(&mut self, source: &Manifest, decision: &Decision) {
        if let Some(complaint) = decision.complaint() {
            self.record(source, INVALID, complaint).await;
        }
        for warning in &decision.warnings {
            self.record(source, DOUBTFUL, warning.clone()).await;
        }
        if let Some(occupied) = decision.occupied() {
            self.record(source, OCCUPIED, occupied).await;
        }
    }

    /// A label on a ConfigMap of another name does nothing, and that is said.
    async fn tell_misnamed(&mut self, namespace: &str) {
        for config_map in self.shared.hub.protected_config_maps() {
            if config_map.namespace() == Some(namespace) && config_map.name() != Some(CONFIG_MAP_NAME) {
                let message = format!(
                    "the label {PROTECT_LABEL} counts on a ConfigMap named {CONFIG_MAP_NAME}: rename it, or take the label off"
                );
                self.record(&config_map, MISNAMED, message).await;
            }
        }
    }

    /// An Event that cannot be written is logged: it must not stop what it tells of.
    async fn record(&mut self, about: &Manifest, reason: &str, message: String) {
        let name = lasting_name(about, reason, &message);
        let identity = (about.namespace().unwrap_or_default().to_owned(), name.clone());
        if self.told.contains(&identity) {
            return;
        }
        let reason = reason.to_owned();
        let event = HubEvent { name, kind: EventKind::Warning, reason, message, at: clock::now() };
        match self.shared.hub.record(about, &event).await {
            Ok(()) => {
                self.told.insert(identity);
            }
            Err(error) => tracing::warn!(event = event.name, %error, "the Event cannot be written"),
        }
    }
}

/// What is there; the error says why that is not known.
fn read<T>(answer: Answer<T>) -> Result<Option<T>, String> {
    match answer {
        Answer::Found(found) => Ok(Some(found)),
        Answer::NotFound | Answer::KindNotInstalled => Ok(None),
        Answer::NotYetKnown => Err("its objects are not known yet".to_owned()),
        Answer::Denied(reason) => Err(reason),
    }
}
