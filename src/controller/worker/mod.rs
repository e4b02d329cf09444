//! One managed cluster: its connection, its triggers, and the evaluation of one policy after the other.
//!
//! A worker is an island. It waits for its own cluster alone, so that one which hangs or refuses slows no other.

mod collisions;
mod deselect;
mod desk;
mod flow;
mod replica;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use self::desk::Pulse;
pub(in crate::controller) use self::desk::{Desk, covers};
use super::fleet::{Fleet, Policies};
use super::inbox::Portion;
use super::interval::Last;
use super::metrics::{ClusterLabels, ConnectionState, Metrics};
use super::prepare::{self, Link};
use super::retry::{Backoff, CONFLICT, REFUSED};
use crate::adapters::api_server::{ApiError, Listener};
use crate::adapters::cluster;
use crate::adapters::hub::{Hub, HubKind};
use crate::api::object::ObjectKey;
use crate::pipeline::plan::collisions::{Claims, HeldTemplates};
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::Placed;
use crate::pipeline::render::Renderer;
use crate::pipeline::render::lookup::Reference;

/// How long a connection may falter before its cluster counts as unreachable.
const GRACE: Duration = Duration::from_secs(5);

/// What all workers share.
pub(super) struct Shared {
    pub(super) hub: Hub,
    pub(super) fleet: RwLock<Fleet>,
    pub(super) renderer: Renderer,
    pub(super) metrics: Arc<Metrics>,
    /// Who looked up what on the hub.
    pub(super) hub_readers: Mutex<BTreeMap<Reference, BTreeSet<(String, PolicyKey)>>>,
}

/// The worker of one cluster.
pub(super) struct Worker {
    name: String,
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    link: Option<Link>,
    /// Waits between attempts to reach the cluster.
    backoff: Backoff,
    /// Set while the cluster does not answer.
    trouble: Option<Trouble>,
    /// Policies whose last evaluation met a conflict or a refusal.
    retries: BTreeMap<PolicyKey, Retry>,
    /// Versions of replicated policies as this worker wrote them, to tell its own writes from others'.
    written: BTreeMap<PolicyKey, String>,
    /// Inventories as last written, for replicated policies that somebody deletes.
    inventories: BTreeMap<PolicyKey, Inventory>,
    /// What came of each check, by policy and name.
    statuses: BTreeMap<PolicyKey, BTreeMap<String, Last>>,
    /// When a policy with an interval is due.
    alarms: BTreeMap<PolicyKey, Instant>,
    /// What each policy looked up on the hub.
    looked_up: BTreeMap<PolicyKey, BTreeSet<Reference>>,
    /// What each policy asks for here.
    claims: BTreeMap<PolicyKey, Claims>,
    /// Templates that are held because another policy came first, as last told.
    held: HeldTemplates,
    /// How the cluster stands in the metrics.
    counted: Option<ConnectionState>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.count(None);
    }
}

/// A cluster that does not answer.
struct Trouble {
    /// Since when.
    since: Instant,
    /// The sentence in its policies' status, once it has lasted.
    reported: Option<String>,
    /// When it is tried again.
    try_at: Instant,
}

/// A policy that is tried again.
struct Retry {
    backoff: Backoff,
    at: Instant,
}

impl Worker {
    pub(super) fn new(name: &str, shared: Arc<Shared>, desk: Arc<Desk>) -> Self {
        Self {
            name: name.to_owned(),
            shared,
            desk,
            link: None,
            backoff: Backoff::default(),
            trouble: None,
            retries: BTreeMap::new(),
            written: BTreeMap::new(),
            inventories: BTreeMap::new(),
            statuses: BTreeMap::new(),
            alarms: BTreeMap::new(),
            looked_up: BTreeMap::new(),
            claims: BTreeMap::new(),
            held: BTreeMap::new(),
            counted: None,
        }
    }

    /// Works until the task is dropped.
    pub(super) async fn run(mut self) {
        let mut due = Portion::default();
        loop {
            wait(&self.desk, self.next_attempt()).await;
            let mail = self.desk.inbox.take();
            due.join(mail.policies);
            due.join(Portion::Some(self.edited_by_others(mail.replicas)));
            self.forget_groups(&mail.groups).await;
            if mail.credentials && self.drop_stale_link() {
                due = Portion::All;
            }
            self.feel_pulse(&mail.pulse);
            due.join(Portion::Some(self.retries_due()));
            if let Some(trouble) = &self.trouble {
                if Instant::now() < trouble.try_at {
                    if let Some(reason) = trouble.reported.clone() {
                        for policy in self.concerned(std::mem::take(&mut due)) {
                            self.report_unreachable(&policy, &reason).await;
                        }
                    }
                    continue;
                }
                due = Portion::All;
            }
            let policies = self.concerned(std::mem::take(&mut due));
            if policies.is_empty() {
                self.trouble = None;
                continue;
            }
            let start = Instant::now();
            match self.connect().await {
                Ok(()) => match self.attend(&policies).await {
                    Ok(()) => self.found(),
                    Err(reason) => {
                        let reason = self.unreachable(&reason);
                        self.lost(start, reason).await;
                    }
                },
                Err(reason) => self.lost(start, reason).await,
            }
        }
    }

    /// When something must be done though nobody asks for it.
    fn next_attempt(&self) -> Option<Instant> {
        match &self.trouble {
            Some(trouble) => Some(trouble.try_at),
            None => self.retries.values().map(|retry| retry.at).chain(self.alarms.values().copied()).min(),
        }
    }

    /// Replicated policies that are not as this worker left them.
    fn edited_by_others(&self, replicas: BTreeSet<PolicyKey>) -> BTreeSet<PolicyKey> {
        let ours = |policy: &PolicyKey| {
            let replica = self.replica(policy);
            let version = replica.as_ref().and_then(|replica| replica.resource_version());
            version.is_some() && version == self.written.get(policy).map(String::as_str)
        };
        replicas.into_iter().filter(|policy| !ours(policy)).collect()
    }

    fn retries_due(&self) -> BTreeSet<PolicyKey> {
        let now = Instant::now();
        let retries = self.retries.iter().map(|(policy, retry)| (policy, retry.at));
        let alarms = self.alarms.iter().map(|(policy, at)| (policy, *at));
        retries.chain(alarms).filter(|(_, at)| *at <= now).map(|(policy, _)| policy.clone()).collect()
    }

    /// Watches say that the connection fails, or that it is back.
    fn feel_pulse(&mut self, pulse: &Pulse) {
        let fault = self.fault().is_some();
        match (&mut self.trouble, fault) {
            (None, true) if pulse.faltering => {
                let now = Instant::now();
                self.trouble = Some(Trouble { since: now, reported: None, try_at: now + GRACE });
            }
            (Some(trouble), false) if pulse.recovered => trouble.try_at = Instant::now(),
            _ => {}
        }
    }

    /// Moves the cluster from one state to another in the metrics.
    fn count(&mut self, state: Option<ConnectionState>) {
        for (state, step) in [(self.counted, -1), (state, 1)] {
            if let Some(state) = state {
                self.shared.metrics.clusters.get_or_create(&ClusterLabels { state }).inc_by(step);
            }
        }
        self.counted = state;
    }

    /// The cluster answers.
    fn found(&mut self) {
        self.count(Some(ConnectionState::Connected));
        if self.trouble.take().is_some_and(|trouble| trouble.reported.is_some()) {
            tracing::info!(cluster = self.name, "the cluster answers again");
        }
        self.backoff.succeeded();
    }

    /// The cluster does not answer. One that did a moment ago gets a moment; then its policies say so.
    async fn lost(&mut self, start: Instant, reason: String) {
        let known = self.link.is_some();
        let before = self.trouble.take();
        let since = before.as_ref().map_or(start, |trouble| trouble.since);
        let reported = before.and_then(|trouble| trouble.reported);
        let patience = GRACE.saturating_sub(since.elapsed());
        if known && reported.is_none() && !patience.is_zero() {
            let wait = self.backoff.failed(REFUSED).min(patience);
            self.trouble = Some(Trouble { since, reported, try_at: Instant::now() + wait });
            return;
        }
        tracing::warn!(cluster = self.name, reason, "the cluster is not connected");
        self.count(Some(ConnectionState::Disconnected));
        for policy in self.concerned(Portion::All) {
            self.report_unreachable(&policy, &reason).await;
        }
        let try_at = Instant::now() + self.backoff.failed(REFUSED);
        self.trouble = Some(Trouble { since, reported: Some(reason), try_at });
    }

    /// The policies that the mail names and that are placed here or have left something here, install first: what others
    /// depend on is evaluated before them.
    fn concerned(&self, due: Policies) -> Vec<PolicyKey> {
        let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
        let mut policies: Vec<PolicyKey> = match due {
            Portion::Some(policies) => policies.into_iter().collect(),
            Portion::All => {
                let mut all = fleet.policies_on(&self.name);
                all.extend(self.replicas().into_keys());
                all.into_iter().collect()
            }
        };
        policies
            .sort_by_key(|key| fleet.policy(key).is_some_and(|policy| prepare::has_dependencies(&policy)));
        policies
    }

    /// CustomResourceDefinitions of these groups changed.
    async fn forget_groups(&mut self, groups: &BTreeSet<String>) {
        let Some(link) = &mut self.link else { return };
        for group in groups {
            link.connection.forget_group(group);
        }
        if cluster::FACT_GROUPS.iter().any(|group| groups.contains(*group)) {
            link.facts = cluster::facts(&self.name, &link.connection).await;
        }
    }

    /// Drops a connection that was made from other credentials than there are now; answers whether it must be tried anew.
    fn drop_stale_link(&mut self) -> bool {
        let current = prepare::credentials_of(&self.shared.hub, &self.name)
            .ok()
            .flatten()
            .map(|credentials| credentials.version);
        if self.link.as_ref().is_some_and(|link| Some(&link.version) == current.as_ref()) {
            return false;
        }
        self.link = None;
        self.trouble = None;
        self.backoff.succeeded();
        true
    }

    /// Whether the connection is at fault, with its words.
    fn fault(&self) -> Option<String> {
        self.link.as_ref().and_then(|link| link.connection.fault())
    }

    /// Connects, unless it is connected. The error is a sentence for the policy's status.
    async fn connect(&mut self) -> Result<(), String> {
        if let Some(link) = &self.link {
            let fault = link.connection.fault();
            if self.trouble.is_none() && fault.is_none() {
                return Ok(());
            }
            link.connection.probe().await.map_err(|error| self.unreachable(&error.to_string()))?;
            if fault.is_none() {
                return Ok(());
            }
            // It answers, and its watches sleep until their next attempt: new ones need not.
            self.link = None;
        }
        let desk = self.desk.clone();
        let listener: Listener = Arc::new(move |key, change| desk.changed(key, change));
        let link = prepare::connect(&self.shared.hub, &self.name, listener).await?;
        tracing::info!(cluster = self.name, server = link.connection.server(), "connected");
        self.link = Some(link);
        Ok(())
    }

    fn unreachable(&self, reason: &str) -> String {
        prepare::unreachable(&self.name, reason)
    }

    /// Evaluates policies one after the other. The error says why the cluster does not answer.
    async fn attend(&mut self, policies: &[PolicyKey]) -> Result<(), String> {
        for policy in policies {
            let outcome = match self.attend_one(policy).await {
                Ok(outcome) => outcome,
                Err(error) => self.refused_by_hub(policy, &error).await,
            };
            match outcome {
                Outcome::Settled => {
                    self.retries.remove(policy);
                }
                Outcome::Stale => self.retry(policy, CONFLICT),
                Outcome::Refused => self.retry(policy, REFUSED),
                Outcome::Disconnected(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    fn retry(&mut self, policy: &PolicyKey, first: Duration) {
        let mut backoff = self.retries.get(policy).map(|retry| retry.backoff).unwrap_or_default();
        let at = Instant::now() + backoff.failed(first);
        self.retries.insert(policy.clone(), Retry { backoff, at });
    }

    /// The hub did not take what was to be written there.
    async fn refused_by_hub(&self, policy: &PolicyKey, error: &ApiError) -> Outcome {
        match error {
            ApiError::Conflict { .. } | ApiError::AlreadyExists { .. } | ApiError::NotFound { .. } => {
                tracing::debug!(cluster = self.name, %policy, %error, "the hub has moved on");
                let key = ObjectKey {
                    gvk: HubKind::Policy.gvk(),
                    namespace: Some(self.name.clone()),
                    name: policy.replicated_name(),
                };
                match self.shared.hub.connection().refresh(&key).await {
                    Ok(()) => Outcome::Stale,
                    Err(error) => {
                        tracing::warn!(cluster = self.name, %policy, %error, "the hub cannot be read");
                        Outcome::Refused
                    }
                }
            }
            error => {
                tracing::warn!(cluster = self.name, %policy, %error, "the hub refuses, trying again");
                Outcome::Refused
            }
        }
    }

    async fn attend_one(&mut self, policy: &PolicyKey) -> Result<Outcome, ApiError> {
        let (assignment, managed) = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            (fleet.assignment(policy, &self.name), fleet.cluster(&self.name))
        };
        match (assignment, managed) {
            (Some(assignment), Some(managed)) if assignment.placed != Placed::No => {
                let enforced = assignment.placed == Placed::Enforced;
                self.evaluate_policy(policy, &assignment.policy, &managed, enforced).await
            }
            (assignment, Some(_)) => {
                self.deselect(policy, assignment.map(|assignment| assignment.policy)).await
            }
            // The cluster itself is gone from the hub: nothing says that its objects should go too.
            (_, None) => Ok(Outcome::Settled),
        }
    }
}

/// What became of attending to a policy.
enum Outcome {
    /// Nothing more to do until something changes.
    Settled,
    /// Something changed underneath: try again at once.
    Stale,
    /// Something was refused: try again later.
    Refused,
    /// The cluster does not answer.
    Disconnected(String),
}

async fn wait(desk: &Desk, retry_at: Option<Instant>) {
    match retry_at {
        None => desk.inbox.posted().await,
        Some(at) => {
            tokio::select! {
                () = desk.inbox.posted() => {}
                () = tokio::time::sleep_until(at) => {}
            }
        }
    }
}
