//! One managed cluster: its connection, its triggers, and the evaluation of one policy after the other.
//!
//! A worker is an island. It waits for its own cluster alone, so that one which hangs or refuses slows no other.

mod deselect;
mod desk;
mod flow;
mod replica;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

pub(in crate::controller) use self::desk::{Desk, covers};
use super::fleet::{Fleet, Policies};
use super::inbox::Portion;
use super::metrics::Metrics;
use super::prepare::{self, Link};
use super::retry::Backoff;
use crate::adapters::api_server::{ApiError, Listener};
use crate::adapters::cluster;
use crate::adapters::hub::Hub;
use crate::api::object::Manifest;
use crate::api::ocm::policy::Policy;
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
    backoff: Backoff,
    /// Replicated policies as last written: the hub's watch may lag behind.
    written: BTreeMap<PolicyKey, Manifest>,
}

impl Worker {
    pub(super) fn new(name: &str, shared: Arc<Shared>, desk: Arc<Desk>) -> Self {
        Self {
            name: name.to_owned(),
            shared,
            desk,
            link: None,
            backoff: Backoff::default(),
            written: BTreeMap::new(),
        }
    }

    /// Works until the task is dropped.
    pub(super) async fn run(mut self) {
        let mut due = Portion::default();
        let mut retry_at: Option<Instant> = None;
        loop {
            wait(&self.desk, retry_at).await;
            let mail = self.desk.inbox.take();
            due.join(mail.policies);
            for group in &mail.groups {
                self.forget_group(group).await;
            }
            if mail.credentials {
                self.drop_stale_link();
            }
            if mail.faltering && retry_at.is_none() {
                retry_at = Some(Instant::now() + GRACE);
            }
            if retry_at.is_some_and(|at| at <= Instant::now()) {
                retry_at = None;
                due = Portion::All;
            }
            let policies = self.concerned(std::mem::take(&mut due));
            if policies.is_empty() {
                continue;
            }
            match self.connect().await {
                Ok(()) => {
                    let again = self.attend(&policies).await;
                    if !again.is_empty() {
                        due.join(Portion::Some(again));
                        retry_at.get_or_insert(Instant::now() + self.backoff.failed());
                    } else if self.fault().is_none() {
                        self.backoff.succeeded();
                    }
                }
                Err(reason) => {
                    tracing::warn!(cluster = self.name, reason, "the cluster is not connected");
                    for policy in &policies {
                        self.report_unreachable(policy, &reason).await;
                    }
                    retry_at = Some(Instant::now() + self.backoff.failed());
                }
            }
        }
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
        policies.sort_by_key(|key| fleet.policy(key).is_some_and(|policy| has_dependencies(&policy)));
        policies
    }

    async fn forget_group(&mut self, group: &str) {
        if let Some(link) = &mut self.link {
            link.connection.forget_group(group);
            link.facts = cluster::facts(&self.name, &link.connection).await;
        }
    }

    fn drop_stale_link(&mut self) {
        let current = prepare::credentials_of(&self.shared.hub, &self.name)
            .ok()
            .flatten()
            .map(|credentials| credentials.version);
        if self.link.as_ref().is_some_and(|link| Some(&link.version) != current.as_ref()) {
            self.link = None;
            self.backoff.succeeded();
        }
    }

    /// Whether the connection is at fault, with its words.
    fn fault(&self) -> Option<String> {
        self.link.as_ref().and_then(|link| link.connection.fault())
    }

    /// Connects, unless it is connected. The error is a sentence for the policy's status.
    async fn connect(&mut self) -> Result<(), String> {
        if let Some(link) = &self.link {
            return match link.connection.fault() {
                None => Ok(()),
                Some(fault) => Err(self.unreachable(&fault)),
            };
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

    /// Evaluates policies one after the other; answers those that must be tried again.
    async fn attend(&mut self, policies: &[PolicyKey]) -> BTreeSet<PolicyKey> {
        let mut again = BTreeSet::new();
        for policy in policies {
            match self.attend_one(policy).await {
                Ok(Outcome::Settled) => {}
                Ok(Outcome::Again) => {
                    again.insert(policy.clone());
                }
                Ok(Outcome::Disconnected(reason)) => {
                    let reason = self.unreachable(&reason);
                    self.report_unreachable(policy, &reason).await;
                    again.insert(policy.clone());
                }
                Err(error) => {
                    tracing::warn!(cluster = self.name, %policy, %error, "the hub refuses, trying again");
                    again.insert(policy.clone());
                }
            }
        }
        again
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
    /// Something changed underneath or was refused: try again soon.
    Again,
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

fn has_dependencies(policy: &Policy) -> bool {
    !policy.spec.dependencies.is_empty()
        || policy.spec.policy_templates.iter().any(|template| !template.extra_dependencies.is_empty())
}
