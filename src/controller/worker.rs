//! One managed cluster: its connection, its triggers, and the evaluation of one policy after the other.
//!
//! A worker is an island. It waits for its own cluster alone, so that one which hangs or refuses slows no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::evaluate::{CheckState, Evaluated, Evaluation, Subject, allows_destructive, evaluate};
use super::fleet::{Fleet, Policies};
use super::inbox::{Inbox, Portion};
use super::metrics::{Metrics, WriteKind, WriteLabels};
use super::retry::Backoff;
use crate::adapters::api_server::{
    ApiError, Change, Connection, Depth, Ensured, Listener, WatchKey, WatchState,
};
use crate::adapters::cluster::{self, Pushed};
use crate::adapters::hub::credentials::{self, Credentials};
use crate::adapters::hub::{EventKind, Hub, HubEvent, HubKind, ReplicaWrite};
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::names;
use crate::api::ocm::policy::{ComplianceState, Policy, PolicyStatus};
use crate::clock;
use crate::pipeline::compliance::{
    TemplateMessage, assess, compliance_of_message, record, replicated_compliance,
};
use crate::pipeline::placement::Verdict;
use crate::pipeline::plan::inventory::{self, Inventory};
use crate::pipeline::plan::target::ClusterFacts;
use crate::pipeline::plan::{CheckPlan, PruneAction, StepResult, prune};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::Placed;
use crate::pipeline::render::Renderer;
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};

/// How many times one evaluation may ask for further look-ups before it is given up with an error.
const ROUNDS: usize = 12;
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

/// What waits at a worker.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Policies to evaluate.
    pub(super) policies: Policies,
    /// The kubeconfig Secret changed.
    pub(super) credentials: bool,
    /// API groups whose CustomResourceDefinitions changed.
    groups: BTreeSet<String>,
    /// A watch says that the connection fails.
    faltering: bool,
}

/// A worker's inbox, and who looked up what on its cluster.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) inbox: Inbox<Mail>,
    readers: Mutex<BTreeMap<PolicyKey, BTreeSet<Reference>>>,
}

impl Desk {
    /// A change on the cluster: the policies that looked at the object are evaluated again.
    fn changed(&self, key: &WatchKey, change: Change) {
        match change {
            Change::Object(object) if key.depth == Depth::Metadata => {
                let group = object.name.split_once('.').map_or("", |(_, group)| group).to_owned();
                self.inbox.post(|mail| {
                    mail.groups.insert(group);
                    mail.policies = Portion::All;
                });
            }
            Change::Object(object) => {
                let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
                let concerned: BTreeSet<PolicyKey> = readers
                    .iter()
                    .filter(|(_, references)| references.iter().any(|reference| covers(reference, &object)))
                    .map(|(policy, _)| policy.clone())
                    .collect();
                drop(readers);
                if !concerned.is_empty() {
                    self.inbox.post(|mail| mail.policies.join(Portion::Some(concerned)));
                }
            }
            Change::Malformed { name, message } => {
                tracing::warn!(kind = key.gvk.kind, name, message, "an object of the cluster cannot be read");
            }
            Change::State(WatchState::Synced) => self.inbox.post(|mail| mail.policies = Portion::All),
            Change::State(WatchState::KindGone) => {
                let group = key.gvk.group.clone();
                self.inbox.post(|mail| {
                    mail.groups.insert(group);
                    mail.policies = Portion::All;
                });
            }
            Change::State(WatchState::Failing { connection: true, .. }) => {
                self.inbox.post(|mail| mail.faltering = true);
            }
            Change::State(WatchState::Failing { connection: false, .. } | WatchState::Loading) => {}
        }
    }
}

/// Whether a change of an object makes what was looked up stale.
pub(super) fn covers(reference: &Reference, object: &ObjectKey) -> bool {
    reference.gvk.group == object.gvk.group
        && reference.gvk.kind == object.gvk.kind
        && reference.namespace.as_ref().is_none_or(|namespace| object.namespace.as_ref() == Some(namespace))
        && reference.name.as_ref().is_none_or(|name| *name == object.name)
}

/// A connection and the Secret version that it was made from.
struct Link {
    version: String,
    connection: Connection,
    facts: ClusterFacts,
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

    /// The replicated policies in the cluster's namespace, by root.
    fn replicas(&self) -> BTreeMap<PolicyKey, Arc<Manifest>> {
        let snapshot = self.shared.hub.connection().snapshot();
        match snapshot.list(&HubKind::Policy.gvk(), Some(&self.name)) {
            Answer::Found(replicas) => replicas
                .into_iter()
                .filter(|replica| replica.label(names::ROOT_POLICY_LABEL).is_some())
                .filter_map(|replica| Some((PolicyKey::from_replicated(replica.name()?)?, replica)))
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    /// A replicated policy as the hub has it, our own latest write included.
    fn replica(&self, policy: &PolicyKey) -> Option<Manifest> {
        let snapshot = self.shared.hub.connection().snapshot();
        let cached = match snapshot.get(&HubKind::Policy.gvk(), Some(&self.name), &policy.replicated_name()) {
            Answer::Found(replica) => Some(replica),
            _ => None,
        };
        match (self.written.get(policy), cached) {
            (Some(written), Some(cached)) if version(&cached) >= version(written) => {
                Some(cached.as_ref().clone())
            }
            (Some(written), _) => Some(written.clone()),
            (None, cached) => cached.map(|cached| cached.as_ref().clone()),
        }
    }

    async fn forget_group(&mut self, group: &str) {
        if let Some(link) = &mut self.link {
            link.connection.forget_group(group);
            link.facts = cluster::facts(&self.name, &link.connection).await;
        }
    }

    fn drop_stale_link(&mut self) {
        let current = self.credentials().ok().flatten().map(|credentials| credentials.version);
        if self.link.as_ref().is_some_and(|link| Some(&link.version) != current.as_ref()) {
            self.link = None;
            self.backoff.succeeded();
        }
    }

    fn credentials(&self) -> Result<Option<Credentials>, credentials::CredentialsError> {
        let secrets = self.shared.hub.credential_secrets();
        let own =
            secrets.iter().find(|secret| credentials::cluster_of(secret).as_deref() == Some(&self.name));
        own.map(|secret| credentials::read(secret)).transpose()
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
        let credentials = match self.credentials() {
            Ok(Some(credentials)) => credentials,
            Ok(None) => {
                return Err(format!(
                    "cluster {0} is not joined: there is no kubeconfig Secret for it on the hub; run `flotilla cluster join \
                     {0} --kubeconfig FILE`",
                    self.name
                ));
            }
            Err(error) => return Err(format!("cluster {} cannot be reached: {error}", self.name)),
        };
        let desk = self.desk.clone();
        let listener: Listener = Arc::new(move |key, change| desk.changed(key, change));
        let connection = Connection::from_secret(&credentials.kubeconfig, listener)
            .await
            .map_err(|error| format!("cluster {}: Secret {}: {error}", self.name, credentials.secret))?;
        connection.probe().await.map_err(|error| self.unreachable(&error.to_string()))?;
        let facts = cluster::facts(&self.name, &connection).await;
        tracing::info!(cluster = self.name, server = connection.server(), "connected");
        self.link = Some(Link { version: credentials.version, connection, facts });
        Ok(())
    }

    fn unreachable(&self, reason: &str) -> String {
        format!(
            "cluster {} cannot be reached: {reason}; nothing is changed there until it answers; check its kubeconfig Secret \
             in namespace {} on the hub",
            self.name, self.name
        )
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

    /// The flow for one policy: render, compare, plan; write down what will be created; push; assess; report.
    async fn evaluate_policy(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
    ) -> Result<Outcome, ApiError> {
        self.shared.metrics.evaluations.inc();
        let replica = self.replica(key);
        if let Some(other) =
            replica.as_ref().filter(|replica| replica.annotation(names::INVENTORY_ANNOTATION).is_none())
        {
            tracing::warn!(
                cluster = self.name, policy = %key, replica = other.name(),
                "another controller propagates this policy: standing down"
            );
            return Ok(Outcome::Settled);
        }
        let before = match replica_inventory(replica.as_ref()) {
            Ok(inventory) => inventory,
            Err(error) => {
                tracing::error!(cluster = self.name, policy = %key, %error, "nothing is pruned by this inventory");
                Inventory::default()
            }
        };
        let evaluated = match self.evaluate_until_known(policy, managed, enforced, &before).await {
            Ok(evaluated) => evaluated,
            Err(reason) => return Ok(Outcome::Disconnected(reason)),
        };
        self.remember_references(key, &evaluated);
        self.watch_for_missing_kinds(&evaluated).await;

        let mut inventory = before.clone();
        for planned in &evaluated.checks {
            if let CheckState::Planned { check, plan } = &planned.state {
                inventory = inventory::intended(&inventory, check, plan);
            }
        }
        let replica = self.write_replica(key, policy, replica.as_ref(), &evaluated, &inventory).await?;

        let mut messages: Vec<(String, Vec<String>)> = Vec::new();
        let mut again = false;
        let mut disconnected = None;
        for evaluated in &evaluated.checks {
            let said = match &evaluated.state {
                CheckState::Reported(message) => vec![message.clone()],
                CheckState::Planned { check, plan } => {
                    let pushed = self.push(plan).await;
                    inventory = inventory::recorded(&inventory, check, plan, &pushed.results, &pushed.pruned);
                    again |= pushed.stale || any_refused(&pushed);
                    self.announce_kept(&replica, &before, plan).await;
                    let said = assess::pushed(plan, &pushed.results);
                    if disconnected.is_none() {
                        disconnected = pushed.disconnected;
                    }
                    said
                }
            };
            messages.push((evaluated.name.clone(), said));
        }
        let replica = self.write_replica(key, policy, Some(&replica), &evaluated, &inventory).await?;
        self.report(key, policy, &replica, &messages).await?;
        match disconnected {
            Some(reason) => Ok(Outcome::Disconnected(reason)),
            None if again => Ok(Outcome::Again),
            None => Ok(Outcome::Settled),
        }
    }

    /// Renders and plans; where a look-up is not watched yet, watches it and starts over.
    async fn evaluate_until_known(
        &self,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
        inventory: &Inventory,
    ) -> Result<Box<Evaluated>, String> {
        let Some(link) = &self.link else { return Err("not connected".to_owned()) };
        for _ in 0..ROUNDS {
            let compliance = self.compliance_here();
            let evaluation = {
                let fleet = &self.shared.fleet;
                let subject = Subject {
                    policy,
                    cluster: managed,
                    facts: &link.facts,
                    enforced_by_binding: enforced,
                    hub: Arc::new(self.shared.hub.connection().snapshot()),
                    observed: Arc::new(link.connection.snapshot()),
                    inventory,
                    unreachable: None,
                    compliance: &|kind, name| compliance.get(&(kind.to_owned(), name.to_owned())).copied(),
                    policies_of_set: &|namespace, name| {
                        fleet.read().unwrap_or_else(PoisonError::into_inner).policies_of_set(namespace, name)
                    },
                };
                evaluate(&subject, &self.shared.renderer)
            };
            match evaluation {
                Evaluation::Ready(evaluated) => return Ok(evaluated),
                Evaluation::Waiting { hub, cluster } => {
                    if let Ensured::Disconnected(reason) = self.shared.hub.connection().ensure(&hub).await {
                        return Err(format!("the hub does not answer look-ups: {reason}"));
                    }
                    if let Ensured::Disconnected(reason) = link.connection.ensure(&cluster).await {
                        return Err(reason);
                    }
                }
            }
        }
        Err(format!("policy {} asks for ever more look-ups", policy.metadata.name))
    }

    /// Compliance of policies and their templates on this cluster, by kind and name.
    fn compliance_here(&self) -> BTreeMap<(String, String), ComplianceState> {
        let mut known = BTreeMap::new();
        for key in self.replicas().into_keys().chain(self.written.keys().cloned()) {
            let Some(replica) = self.replica(&key) else { continue };
            let status = status_of(&replica);
            if let Some(state) = status.compliant {
                known.insert(("Policy".to_owned(), key.replicated_name()), state);
            }
            for detail in status.details {
                if let Some(state) = detail.compliant {
                    known.insert(("ConfigurationPolicy".to_owned(), detail.template_meta.name), state);
                }
            }
        }
        known
    }

    /// Remembers what the evaluation looked at, here and on the hub, so that a change of it brings it back.
    fn remember_references(&self, key: &PolicyKey, evaluated: &Evaluated) {
        let mut readers = self.desk.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.insert(key.clone(), evaluated.cluster_references.clone());
        drop(readers);
        let mut hub = self.shared.hub_readers.lock().unwrap_or_else(PoisonError::into_inner);
        for reference in &evaluated.hub_references {
            hub.entry(reference.clone()).or_default().insert((self.name.clone(), key.clone()));
        }
    }

    /// Where a kind is missing, the cluster's CustomResourceDefinitions are watched for its arrival.
    async fn watch_for_missing_kinds(&self, evaluated: &Evaluated) {
        let Some(link) = &self.link else { return };
        let snapshot = link.connection.snapshot();
        let missing = evaluated
            .cluster_references
            .iter()
            .any(|reference| snapshot.is_namespaced(&reference.gvk).is_none());
        if missing {
            let key = WatchKey {
                depth: Depth::Metadata,
                ..WatchKey::all("apiextensions.k8s.io/v1", "CustomResourceDefinition")
            };
            if let Err(error) = link.connection.watch(key).await {
                tracing::warn!(cluster = self.name, %error, "CustomResourceDefinitions cannot be watched");
            }
        }
    }

    async fn write_replica(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        existing: Option<&Manifest>,
        evaluated: &Evaluated,
        inventory: &Inventory,
    ) -> Result<Manifest, ApiError> {
        let write =
            self.shared.hub.write_replica(existing, &evaluated.replicated, &inventory.to_text()).await?;
        let created = matches!(write, ReplicaWrite::Created(_));
        let replica = write.into_manifest();
        self.written.insert(key.clone(), replica.clone());
        if created {
            let message = format!("Policy {key} was propagated to cluster {}", self.name);
            self.announce_on_root(policy, EventKind::Normal, "PolicyPropagation", message).await;
        }
        Ok(replica)
    }

    async fn push(&self, plan: &CheckPlan) -> Pushed {
        let Some(link) = &self.link else { return Pushed::default() };
        let pushed = cluster::push(&link.connection, plan).await;
        for result in pushed.results.iter().flatten() {
            let kind = match result {
                StepResult::Created(_) => WriteKind::Create,
                StepResult::Updated(_) => WriteKind::Update,
                StepResult::Deleted => WriteKind::Delete,
                StepResult::Refused { .. } => WriteKind::Refused,
                StepResult::NotTaken | StepResult::Unchanged(_) | StepResult::Differs => continue,
            };
            self.shared.metrics.writes.get_or_create(&WriteLabels { kind }).inc();
        }
        pushed
    }

    /// Records messages in the replicated policy's status and history, and an Event for each that is new.
    async fn report(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        replica: &Manifest,
        messages: &[(String, Vec<String>)],
    ) -> Result<(), ApiError> {
        let before = status_of(replica);
        let templates: Vec<TemplateMessage<'_>> =
            messages.iter().map(|(template, messages)| TemplateMessage { template, messages }).collect();
        let now = clock::now();
        let recorded = record(&before.details, &key.replicated_name(), &templates, now);
        let status = PolicyStatus {
            compliant: replicated_compliance(&recorded.details, before.compliant),
            details: recorded.details,
            ..before.clone()
        };
        if status == before {
            return Ok(());
        }
        let written = self.shared.hub.write_replica_status(replica, &status).await?;
        self.written.insert(key.clone(), written.clone());
        for (template, entry) in &recorded.added {
            let kind = match compliance_of_message(&entry.message) {
                ComplianceState::NonCompliant => EventKind::Warning,
                ComplianceState::Compliant | ComplianceState::Pending => EventKind::Normal,
            };
            let event = HubEvent {
                name: entry.event_name.clone(),
                kind,
                reason: format!("policy: {}/{template}", self.name),
                message: entry.message.clone(),
                at: now,
            };
            self.record_event(&written, &event).await;
        }
        if status.compliant != before.compliant {
            tracing::info!(cluster = self.name, policy = %key, compliant = ?status.compliant, "compliance changed");
            self.wake_dependants(policy);
        }
        Ok(())
    }

    /// Policies of this cluster that depend on others are looked at again.
    fn wake_dependants(&self, changed: &Policy) {
        let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
        let dependants: BTreeSet<PolicyKey> = fleet
            .policies_on(&self.name)
            .into_iter()
            .filter(|key| key.name != changed.metadata.name || key.namespace != changed.metadata.namespace)
            .filter(|key| fleet.policy(key).is_some_and(|policy| has_dependencies(&policy)))
            .collect();
        drop(fleet);
        if !dependants.is_empty() {
            self.desk.inbox.post(|mail| mail.policies.join(Portion::Some(dependants)));
        }
    }

    /// The cluster cannot be reached: its policies say so, and nothing else happens.
    async fn report_unreachable(&mut self, key: &PolicyKey, reason: &str) {
        let (assignment, managed) = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            (fleet.assignment(key, &self.name), fleet.cluster(&self.name))
        };
        let (Some(assignment), Some(managed)) = (assignment, managed) else { return };
        if assignment.placed == Placed::No {
            return;
        }
        if let Err(error) = self
            .report_obstacle(key, &assignment.policy, &managed, assignment.placed == Placed::Enforced, reason)
            .await
        {
            tracing::warn!(cluster = self.name, policy = %key, %error, "the hub refuses the status of a cluster");
        }
    }

    async fn report_obstacle(
        &mut self,
        key: &PolicyKey,
        policy: &Policy,
        managed: &ManagedCluster,
        enforced: bool,
        reason: &str,
    ) -> Result<(), ApiError> {
        let replica = self.replica(key);
        let foreign =
            replica.as_ref().is_some_and(|replica| replica.annotation(names::INVENTORY_ANNOTATION).is_none());
        let Ok(inventory) = replica_inventory(replica.as_ref()) else { return Ok(()) };
        if foreign {
            return Ok(());
        }
        let facts = ClusterFacts { name: self.name.clone(), ..ClusterFacts::default() };
        for _ in 0..ROUNDS {
            let hub = Arc::new(self.shared.hub.connection().snapshot());
            let evaluation = evaluate(
                &Subject {
                    policy,
                    cluster: managed,
                    facts: &facts,
                    enforced_by_binding: enforced,
                    observed: hub.clone(),
                    hub,
                    inventory: &inventory,
                    unreachable: Some(reason),
                    compliance: &|_, _| None,
                    policies_of_set: &|_, _| None,
                },
                &self.shared.renderer,
            );
            match evaluation {
                Evaluation::Waiting { hub, .. } => {
                    if let Ensured::Disconnected(_) = self.shared.hub.connection().ensure(&hub).await {
                        return Ok(());
                    }
                }
                Evaluation::Ready(evaluated) => {
                    let replica =
                        self.write_replica(key, policy, replica.as_ref(), &evaluated, &inventory).await?;
                    let messages: Vec<(String, Vec<String>)> = evaluated
                        .checks
                        .iter()
                        .filter_map(|check| match &check.state {
                            CheckState::Reported(message) => {
                                Some((check.name.clone(), vec![message.clone()]))
                            }
                            CheckState::Planned { .. } => None,
                        })
                        .collect();
                    return self.report(key, policy, &replica, &messages).await;
                }
            }
        }
        Ok(())
    }

    /// The policy is not placed here any more. What it created goes only if a person took the cluster out (decision 7).
    async fn deselect(&mut self, key: &PolicyKey, policy: Option<Arc<Policy>>) -> Result<Outcome, ApiError> {
        let Some(replica) = self.replica(key) else { return Ok(Outcome::Settled) };
        if replica.annotation(names::INVENTORY_ANNOTATION).is_none() || replica.is_deleting() {
            return Ok(Outcome::Settled);
        }
        let reasons = {
            let fleet = self.shared.fleet.read().unwrap_or_else(PoisonError::into_inner);
            if fleet.lacks_placement(key) {
                tracing::warn!(cluster = self.name, policy = %key, "its Placement is gone: nothing is removed from the cluster");
                return Ok(Outcome::Settled);
            }
            fleet.why_not(key, &self.name, clock::now())
        };
        if let Some((placement, verdict)) = reasons.iter().find(|(_, verdict)| !is_deliberate(verdict)) {
            tracing::warn!(
                cluster = self.name, policy = %key, placement, %verdict,
                "the cluster is not selected for a reason that nobody chose: nothing is removed from it"
            );
            return Ok(Outcome::Settled);
        }
        let inventory = match replica_inventory(Some(&replica)) {
            Ok(inventory) => inventory,
            Err(error) => {
                tracing::error!(cluster = self.name, policy = %key, %error, "nothing is removed by this inventory");
                return Ok(Outcome::Settled);
            }
        };
        let destructive = policy.as_deref().is_some_and(allows_destructive);
        let plans = loop {
            let Some(link) = &self.link else { return Ok(Outcome::Disconnected("not connected".to_owned())) };
            match prune::deselected(&inventory, destructive, &link.connection.snapshot()) {
                Ok(plans) => break plans,
                Err(waiting) => {
                    if let Ensured::Disconnected(reason) = link.connection.ensure(&waiting.references).await {
                        return Ok(Outcome::Disconnected(reason));
                    }
                }
            }
        };
        let Some(link) = &self.link else { return Ok(Outcome::Disconnected("not connected".to_owned())) };
        let pushed = cluster::prune(&link.connection, &plans).await;
        if let Some(reason) = pushed.disconnected {
            return Ok(Outcome::Disconnected(reason));
        }
        if pushed.pruned.iter().flatten().any(Result::is_err) {
            return Ok(Outcome::Again);
        }
        let kept: Vec<String> = plans
            .iter()
            .filter_map(|plan| match &plan.action {
                PruneAction::Hold(why) => Some(format!("{} ({why})", plan.entry.key())),
                PruneAction::Delete | PruneAction::Forget => None,
            })
            .collect();
        if !kept.is_empty() {
            let message = format!("Policy {key} left cluster {}; kept there: {}", self.name, kept.join("; "));
            tracing::info!(cluster = self.name, policy = %key, message, "kept");
            if let Some(policy) = &policy {
                self.announce_on_root(policy, EventKind::Normal, "Kept", message).await;
            } else {
                let event = self.event(&replica, EventKind::Normal, "Kept", message);
                self.record_event(&replica, &event).await;
            }
        }
        self.shared.hub.delete_replica(&replica).await?;
        self.written.remove(key);
        self.desk.readers.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(Outcome::Settled)
    }

    /// Tells once what is kept although a check no longer wants it.
    async fn announce_kept(&self, replica: &Manifest, before: &Inventory, plan: &CheckPlan) {
        let news: Vec<String> = plan
            .prune
            .iter()
            .filter_map(|prune| match &prune.action {
                PruneAction::Hold(why)
                    if before
                        .entry(&plan.name, &prune.entry.key())
                        .is_none_or(|entry| entry.held.as_ref() != Some(why)) =>
                {
                    Some(format!("{} is kept: {why}", prune.entry.key()))
                }
                PruneAction::Hold(_) | PruneAction::Delete | PruneAction::Forget => None,
            })
            .collect();
        if !news.is_empty() {
            let event = self.event(replica, EventKind::Normal, "Kept", news.join("; "));
            self.record_event(replica, &event).await;
        }
    }

    async fn announce_on_root(&self, policy: &Policy, kind: EventKind, reason: &str, message: String) {
        let about = json!({
            "apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
            "metadata": {"name": policy.metadata.name, "namespace": policy.metadata.namespace,
                "uid": policy.metadata.other.get("uid")},
        });
        if let Ok(about) = Manifest::parse(about) {
            let event = self.event(&about, kind, reason, message);
            self.record_event(&about, &event).await;
        }
    }

    fn event(&self, about: &Manifest, kind: EventKind, reason: &str, message: String) -> HubEvent {
        let at = clock::now();
        let stem = format!("{}.{}", about.name().unwrap_or_default(), self.name);
        let name = crate::pipeline::compliance::event_name(&stem, at);
        HubEvent { name, kind, reason: reason.to_owned(), message, at }
    }

    /// An Event that cannot be written is logged: it must not stop what it tells of.
    async fn record_event(&self, about: &Manifest, event: &HubEvent) {
        if let Err(error) = self.shared.hub.record(about, event).await {
            tracing::warn!(cluster = self.name, event = event.name, %error, "the Event cannot be written");
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

fn any_refused(pushed: &Pushed) -> bool {
    pushed.results.iter().flatten().any(|result| matches!(result, StepResult::Refused { .. }))
        || pushed.pruned.iter().flatten().any(Result::is_err)
}

fn is_deliberate(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::In(_) => true,
        Verdict::Out(reason) => reason.is_deliberate(),
    }
}

fn replica_inventory(replica: Option<&Manifest>) -> Result<Inventory, inventory::InventoryError> {
    match replica
        .and_then(|replica| Some((replica.name()?, replica.annotation(names::INVENTORY_ANNOTATION)?)))
    {
        Some((name, text)) => Inventory::parse(name, text),
        None => Ok(Inventory::default()),
    }
}

fn status_of(replica: &Manifest) -> PolicyStatus {
    replica.at(&["status"]).and_then(|status| serde_json::from_value(status.clone()).ok()).unwrap_or_default()
}

/// Resource versions rise (Kubernetes 1.35 made that part of the API).
fn version(manifest: &Manifest) -> u64 {
    manifest.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
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
