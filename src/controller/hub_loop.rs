//! The hub's own loop: takes in what changed on the hub and passes it on to the workers and the reporter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::fleet::{Effects, Fleet, Policies, Unusable};
use super::inbox::{Inbox, Portion};
use super::leader::{self, Candidate};
use super::metrics::Metrics;
use super::prepare;
use super::reporter::{self, Reports};
use super::sets;
use super::source::{self, SourceOptions, Trigger};
use super::worker::{Desk, Shared, Worker, covers};
use crate::adapters::api_server::{ApiError, Change, Listener, WatchState};
use crate::adapters::hub::{Hub, HubError, HubKind, LEASE_NAME, credentials};
use crate::api::object::ObjectKey;
use crate::clock;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::Renderer;
use crate::pipeline::render::lookup::{Answer, Lookup};

/// How long AddOnPlacementScores that cannot be read wait.
const SCORES_RETRY: Duration = Duration::from_secs(30);

/// How the hub is run.
#[derive(Debug, Clone, Default)]
pub struct HubOptions {
    /// The hub's kubeconfig; the surroundings when `None`.
    pub kubeconfig: Option<PathBuf>,
    /// The Lease to hold while working; `None` takes it for granted that no other process is the hub.
    pub candidate: Option<Candidate>,
    /// Sources whose objects are applied to the hub.
    pub sources: Vec<SourceOptions>,
    /// Asks for a look at them.
    pub trigger: Trigger,
}

/// The hub cannot run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The hub's API server is at fault.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The Lease cannot be had.
    #[error("failed to take the Lease {namespace}/{name}: {source}")]
    Lease {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: &'static str,
        /// The cause.
        source: ApiError,
    },
    /// The Lease was lost: another process may be the hub now.
    #[error("failed to keep the Lease, stopping: {reason}")]
    LeaseLost {
        /// Why.
        reason: String,
    },
}

/// What changed on the hub.
#[derive(Debug, Default)]
struct HubMail {
    objects: BTreeSet<ObjectKey>,
    secrets: BTreeSet<ObjectKey>,
    /// A watch follows the hub (again): what could not be read before is tried again.
    synced: bool,
    /// AddOnPlacementScores were read, or why they cannot be.
    scores: Option<Result<(), String>>,
}

/// Runs until `stop` is cancelled. `ready` turns true once the hub's objects are known and every cluster has its work.
pub async fn run(
    options: HubOptions,
    metrics: Arc<Metrics>,
    ready: Arc<AtomicBool>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let mail: Arc<Inbox<HubMail>> = Arc::default();
    let namespaces: Arc<Inbox<sets::Namespaces>> = Arc::default();
    let hub = Hub::connect(options.kubeconfig.as_deref(), listener(mail.clone(), namespaces.clone())).await?;
    hub.watch().await?;
    hub.watch_protected().await?;
    // A process that waits for its turn is as ready as it can be: an update of the Deployment must not wait for it.
    ready.store(true, Ordering::Release);
    if let Some(candidate) = &options.candidate {
        let turn = leader::wait_for_turn(&hub, candidate, &stop).await;
        let took = turn.map_err(|source| RunError::Lease {
            namespace: candidate.namespace.clone(),
            name: LEASE_NAME,
            source,
        })?;
        if !took {
            return Ok(());
        }
    }
    let server = hub.connection().server().to_owned();
    let shared = Arc::new(Shared {
        hub,
        fleet: RwLock::new(Fleet::default()),
        renderer: Renderer::default(),
        metrics,
        hub_readers: Mutex::default(),
    });
    let reports: Arc<Inbox<Reports>> = Arc::default();
    let reporter = spawn(reporter::run(shared.clone(), reports.clone()));
    let sets = spawn(sets::run(shared.clone(), namespaces));
    let mut crew = Crew {
        shared,
        reports,
        mail: mail.clone(),
        workers: BTreeMap::new(),
        requeue_at: None,
        unread: BTreeSet::new(),
        scores: None,
    };
    crew.take_in_everything();
    tracing::info!(server, clusters = crew.workers.len(), "watching the hub");
    let sources: Vec<_> = options
        .sources
        .into_iter()
        .map(|source| spawn(source::run(crew.shared.clone(), source, options.trigger.clone())))
        .collect();
    let holding = crew.shared.clone();
    let lease = hold(&holding.hub, options.candidate.as_ref(), &stop);
    tokio::pin!(lease);
    let ended = loop {
        tokio::select! {
            ended = &mut lease => break ended,
            () = mail.posted() => crew.take_in(mail.take()),
            () = until(crew.requeue_at) => crew.time_passed(),
        }
    };
    tracing::info!("stopping");
    drop((reporter, sets, sources));
    ended
}

/// Ends when the process is told to stop, or when the Lease is lost.
async fn hold(hub: &Hub, candidate: Option<&Candidate>, stop: &CancellationToken) -> Result<(), RunError> {
    if let Some(candidate) = candidate {
        leader::keep(hub, candidate, stop).await.map_err(|reason| RunError::LeaseLost { reason })
    } else {
        stop.cancelled().await;
        Ok(())
    }
}

async fn until(at: Option<jiff::Timestamp>) {
    match at {
        None => std::future::pending().await,
        Some(at) => {
            let wait = Duration::try_from(at.duration_since(clock::now())).unwrap_or_default();
            tokio::time::sleep(wait).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver owns its tasks: they stop with the handle")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

fn listener(mail: Arc<Inbox<HubMail>>, namespaces: Arc<Inbox<sets::Namespaces>>) -> Listener {
    Arc::new(move |key, change| match change {
        Change::Object(object) => {
            sets::notice(&namespaces, &object);
            match (&key.selector, object.gvk.kind.as_str()) {
                (Some(_), "Secret") => mail.post(|mail| {
                    mail.secrets.insert(object);
                }),
                (Some(_), _) => {}
                (None, _) => mail.post(|mail| {
                    mail.objects.insert(object);
                }),
            }
        }
        Change::Malformed { name, message } => {
            tracing::error!(
                kind = key.gvk.kind,
                name,
                message,
                "an object of the hub cannot be read and is left out"
            );
        }
        Change::State(WatchState::Failing { message, .. }) => {
            tracing::warn!(kind = key.gvk.kind, message, "a watch of the hub fails, trying again");
        }
        Change::State(WatchState::KindGone) => {
            tracing::error!(kind = key.gvk.kind, "the hub no longer serves this kind");
        }
        Change::State(WatchState::Synced) => mail.post(|mail| mail.synced = true),
        Change::State(WatchState::Loading) => {}
    })
}

/// A worker and its desk.
struct Station {
    desk: Arc<Desk>,
    _task: AbortOnDropHandle<()>,
}

/// All workers.
struct Crew {
    shared: Arc<Shared>,
    reports: Arc<Inbox<Reports>>,
    workers: BTreeMap<String, Station>,
    requeue_at: Option<jiff::Timestamp>,
    /// Objects that changed and could not be read then.
    unread: BTreeSet<ObjectKey>,
    /// Reads scores of add-ons, once a Placement has asked for them.
    scores: Option<AbortOnDropHandle<()>>,
    mail: Arc<Inbox<HubMail>>,
}

impl Crew {
    /// The first look: every object of the hub, in the order in which they build on each other.
    fn take_in_everything(&mut self) {
        let snapshot = self.shared.hub.connection().snapshot();
        let mut effects = {
            let mut fleet = self.shared.fleet.write().unwrap_or_else(PoisonError::into_inner);
            prepare::take_in_everything(&mut fleet, &snapshot, clock::now())
        };
        let clusters: Vec<String> = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            fleet.cluster_names().map(ToOwned::to_owned).collect()
        };
        for cluster in clusters {
            effects.evaluate.insert(cluster, Policies::All);
        }
        self.act(effects);
    }

    fn take_in(&mut self, mut mail: HubMail) {
        if mail.synced {
            mail.objects.append(&mut self.unread);
        }
        let snapshot = self.shared.hub.connection().snapshot();
        let mut effects = Effects::default();
        for key in &mail.objects {
            if let Some(kind) = HubKind::of(&key.gvk) {
                let found = match snapshot.get(&key.gvk, key.namespace.as_deref(), &key.name) {
                    Answer::Found(object) => Some(object),
                    Answer::NotFound | Answer::KindNotInstalled => None,
                    Answer::NotYetKnown | Answer::Denied(_) => {
                        self.unread.insert(key.clone());
                        continue;
                    }
                };
                let mut fleet = self.shared.fleet.write().unwrap_or_else(PoisonError::into_inner);
                effects.join(fleet.apply(kind, key, found.as_deref(), clock::now()));
            }
            // What is only looked up may be watched with other rights than the hub's own: whoever looked sees for himself.
            self.wake_readers(key, &mut effects);
        }
        if let Some(read) = mail.scores {
            if let Err(reason) = &read {
                tracing::warn!(
                    reason,
                    "scores of add-ons are not known: Placements that ask for them keep their clusters"
                );
            }
            let mut fleet = self.shared.fleet.write().unwrap_or_else(PoisonError::into_inner);
            effects.join(prepare::take_in_scores(&mut fleet, &snapshot, read, clock::now()));
        }
        self.act(effects);
        for key in mail.secrets {
            self.credentials_changed(&key);
        }
    }

    fn time_passed(&mut self) {
        self.requeue_at = None;
        let effects = {
            let mut fleet = self.shared.fleet.write().unwrap_or_else(PoisonError::into_inner);
            fleet.time_passed(clock::now())
        };
        self.act(effects);
    }

    /// Has scores of add-ons watched as soon as a Placement asks for them.
    fn watch_scores(&mut self) {
        let asked = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner).needs_scores();
        if !asked || self.scores.is_some() {
            return;
        }
        let (shared, mail) = (self.shared.clone(), self.mail.clone());
        self.scores = Some(spawn(async move {
            loop {
                let read = shared.hub.watch_scores().await;
                let done = read.is_ok();
                mail.post(|mail| mail.scores = Some(read));
                if done {
                    return;
                }
                tokio::time::sleep(SCORES_RETRY).await;
            }
        }));
    }

    /// Those whose templates looked the object up, and nobody else.
    fn wake_readers(&self, key: &ObjectKey, effects: &mut Effects) {
        let readers = self.shared.hub_readers.lock().unwrap_or_else(PoisonError::into_inner);
        for (reference, who) in readers.iter().filter(|(reference, _)| covers(reference, key)) {
            tracing::debug!(?reference, readers = who.len(), "a looked-up object of the hub changed");
            for (cluster, policy) in who {
                effects.evaluate.entry(cluster.clone()).or_default().add(policy.clone());
            }
        }
    }

    /// Where a policy was before its bindings changed, it is looked at again.
    fn wake_remnants(&self, effects: &mut Effects) {
        if effects.rebound.is_empty() {
            return;
        }
        let snapshot = self.shared.hub.connection().snapshot();
        let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
        for policy in &effects.rebound {
            let name = policy.replicated_name();
            for cluster in fleet.cluster_names() {
                if matches!(snapshot.get(&HubKind::Policy.gvk(), Some(cluster), &name), Answer::Found(_)) {
                    effects.evaluate.entry(cluster.to_owned()).or_default().add(policy.clone());
                }
            }
        }
    }

    fn act(&mut self, mut effects: Effects) {
        self.watch_scores();
        self.wake_remnants(&mut effects);
        for (object, fault) in &effects.malformed {
            match fault {
                Unusable::Malformed(error) => tracing::error!(
                    %object, message = error.message, "an object of the hub is malformed and is left out"
                ),
                Unusable::Edited { .. } => tracing::warn!(%object, "{fault}"),
            }
        }
        self.requeue_at = [self.requeue_at, effects.requeue_at].into_iter().flatten().min();
        let mut work: BTreeMap<String, (Policies, BTreeSet<PolicyKey>)> = BTreeMap::new();
        for (cluster, policies) in effects.evaluate {
            work.entry(cluster).or_default().0 = policies;
        }
        for (cluster, replicas) in effects.replicas {
            work.entry(cluster).or_default().1 = replicas;
        }
        for (cluster, (policies, replicas)) in work {
            self.dispatch(&cluster, policies, replicas);
        }
        self.reports.post(|reports| {
            reports.malformed.extend(effects.malformed);
            reports.placements.extend(effects.placements);
            reports.policies.extend(effects.policies);
            reports.policy_sets.extend(effects.policy_sets);
        });
    }

    /// Gives work to a cluster's worker; hires one for a cluster that has none and needs one.
    fn dispatch(&mut self, cluster: &str, policies: Policies, replicas: BTreeSet<PolicyKey>) {
        if !self.workers.contains_key(cluster) {
            let mut concerned = policies.clone();
            concerned.join(Portion::Some(replicas.clone()));
            if !self.needs_worker(cluster, &concerned) {
                return;
            }
            let desk: Arc<Desk> = Arc::default();
            let worker = Worker::new(cluster, self.shared.clone(), desk.clone());
            self.workers.insert(cluster.to_owned(), Station { desk, _task: spawn(worker.run()) });
        }
        let known =
            self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner).cluster(cluster).is_some();
        if !known {
            self.workers.remove(cluster);
            self.forget_reader(cluster);
            return;
        }
        if let Some(station) = self.workers.get(cluster) {
            station.desk.inbox.post(|mail| {
                mail.policies.join(policies);
                mail.replicas.extend(replicas);
            });
        }
    }

    /// A cluster that is gone looks nothing up any more.
    fn forget_reader(&self, cluster: &str) {
        let mut readers = self.shared.hub_readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|_, who| {
            who.retain(|(of, _)| of != cluster);
            !who.is_empty()
        });
    }

    /// A cluster without policies needs no worker and no connection.
    fn needs_worker(&self, cluster: &str, policies: &Policies) -> bool {
        let placed = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            fleet.cluster(cluster).is_some() && !fleet.policies_on(cluster).is_empty()
        };
        if placed {
            return true;
        }
        let snapshot = self.shared.hub.connection().snapshot();
        let replicas = |name: &str| {
            matches!(snapshot.get(&HubKind::Policy.gvk(), Some(cluster), name), Answer::Found(_))
        };
        match policies {
            Portion::Some(policies) => policies.iter().any(|policy| replicas(&policy.replicated_name())),
            Portion::All => match snapshot.list(&HubKind::Policy.gvk(), Some(cluster)) {
                Answer::Found(found) => !found.is_empty(),
                Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => {
                    false
                }
            },
        }
    }

    fn credentials_changed(&self, key: &ObjectKey) {
        let secrets = self.shared.hub.credential_secrets();
        let named = secrets
            .iter()
            .find(|secret| secret.namespace() == key.namespace.as_deref() && secret.name() == Some(&key.name))
            .and_then(|secret| credentials::cluster_of(secret));
        // A Secret that is gone tells its cluster no more: its namespace, or its name, does.
        let guesses = [key.namespace.clone(), key.name.strip_suffix("-kubeconfig").map(ToOwned::to_owned)];
        for cluster in named.into_iter().chain(guesses.into_iter().flatten()) {
            if let Some(station) = self.workers.get(&cluster) {
                station.desk.inbox.post(|mail| mail.credentials = true);
            }
        }
    }
}
