//! Flotilla's part of a case: watches the ConfigurationPolicies of a cluster, evaluates each in a Policy of its own whenever
//! something that it looked at changes, pushes, and writes the status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flotilla::adapters::api_server::{Change, Connection, Mode, WatchKey};
use flotilla::adapters::cluster;
use flotilla::api::object::{GroupVersionKind, Manifest, ObjectKey};
use flotilla::api::ocm::cluster::ManagedCluster;
use flotilla::api::ocm::configuration_policy_status::ConfigurationPolicyStatus;
use flotilla::api::ocm::policy::Policy;
use flotilla::controller::carry_out::{CarriedOut, carry_out};
use flotilla::controller::evaluate::{CheckState, Evaluated, Evaluation, Subject, evaluate};
use flotilla::controller::interval::{self, Last};
use flotilla::controller::wording::worded;
use flotilla::pipeline::compliance::TemplateVerdict;
use flotilla::pipeline::compliance::status::{self, ordinary_wording};
use flotilla::pipeline::plan::assess::{self, Occasion};
use flotilla::pipeline::plan::inventory::{self, Inventory};
use flotilla::pipeline::plan::target::ClusterFacts;
use flotilla::pipeline::plan::{PruneAction, PrunePlan, StepResult, prune};
use flotilla::pipeline::render::lookup::{Answer, Lookup, Reference};
use flotilla::pipeline::render::{Ambient, Renderer};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::ground::NAMESPACE;

/// After how long what was refused is tried again.
const AGAIN: Duration = Duration::from_millis(400);
/// Upstream's finalizer of policies that prune.
const FINALIZER: &str = "policy.open-cluster-management.io/delete-related-objects";

/// What wakes the driver.
enum News {
    Object(ObjectKey),
    Policy(String),
}

/// A running driver.
pub(super) struct Driver {
    task: tokio::task::JoinHandle<()>,
    stands_by: Arc<AtomicBool>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Driver {
    pub(super) async fn start(kubeconfig: &str, touched: Arc<Mutex<BTreeSet<ObjectKey>>>) -> Self {
        let (tell, news) = unbounded_channel();
        let teller = tell.clone();
        let listener = Arc::new(move |_: &WatchKey, change: Change| {
            if let Change::Object(key) = change {
                // The driver may be gone already.
                let _ = teller.send(News::Object(key));
            }
        });
        let text = SecretString::from(kubeconfig.to_owned());
        let connection = Connection::from_secret(&text, listener).await.unwrap();
        connection.ensure(&BTreeSet::from([all_policies()])).await;
        let stands_by = Arc::new(AtomicBool::new(false));
        let engine = Engine {
            connection,
            renderer: Renderer::new(),
            known: BTreeMap::new(),
            tell,
            touched,
            stands_by: Arc::clone(&stands_by),
        };
        Self { task: tokio::spawn(engine.run(news)), stands_by }
    }

    /// Whether it does nothing for now.
    pub(super) fn stand_by(&self, stands_by: bool) {
        self.stands_by.store(stands_by, Ordering::SeqCst);
    }
}

fn policies_gvk() -> GroupVersionKind {
    GroupVersionKind::new("policy.open-cluster-management.io/v1", "ConfigurationPolicy")
}

fn all_policies() -> Reference {
    Reference { gvk: policies_gvk(), namespace: Some(NAMESPACE.to_owned()), name: None }
}

/// What is known of a policy.
#[derive(Default)]
struct Known {
    uid: String,
    inventory: Inventory,
    last: Last,
    references: BTreeSet<Reference>,
    /// What of the policy itself was evaluated: its own status is no news.
    evaluated: Value,
}

struct Engine {
    connection: Connection,
    renderer: Renderer,
    known: BTreeMap<String, Known>,
    tell: UnboundedSender<News>,
    touched: Arc<Mutex<BTreeSet<ObjectKey>>>,
    stands_by: Arc<AtomicBool>,
}

impl Engine {
    async fn run(mut self, mut news: UnboundedReceiver<News>) {
        while let Some(first) = news.recv().await {
            let mut dirty = BTreeSet::new();
            self.sort(first, &mut dirty);
            while let Ok(more) = news.try_recv() {
                self.sort(more, &mut dirty);
            }
            if self.stands_by.load(Ordering::SeqCst) {
                continue;
            }
            for name in dirty {
                self.look_after(&name).await;
            }
        }
    }

    fn sort(&self, news: News, dirty: &mut BTreeSet<String>) {
        let key = match news {
            News::Policy(name) => {
                dirty.insert(name);
                return;
            }
            News::Object(key) => key,
        };
        if key.gvk == policies_gvk() && key.namespace.as_deref() == Some(NAMESPACE) && self.is_news(&key.name)
        {
            dirty.insert(key.name.clone());
        }
        let readers = self
            .known
            .iter()
            .filter(|(_, known)| known.references.iter().any(|reference| covers(reference, &key)));
        // One's own status is written by oneself.
        dirty.extend(
            readers
                .map(|(name, _)| name.clone())
                .filter(|name| key.gvk != policies_gvk() || *name != key.name),
        );
    }

    fn is_news(&self, name: &str) -> bool {
        match (self.policy(name), self.known.get(name)) {
            (Some(policy), Some(known)) => known.evaluated != essence(&policy),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        }
    }

    fn policy(&self, name: &str) -> Option<Arc<Manifest>> {
        match self.connection.snapshot().get(&policies_gvk(), Some(NAMESPACE), name) {
            Answer::Found(policy) => Some(policy),
            _ => None,
        }
    }

    fn again(&self, name: &str) {
        let (tell, name) = (self.tell.clone(), name.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(AGAIN).await;
            let _ = tell.send(News::Policy(name));
        });
    }

    async fn look_after(&mut self, name: &str) {
        let Some(policy) = self.policy(name) else {
            self.known.remove(name);
            return;
        };
        let uid = policy.uid().unwrap_or_default();
        let mut known = self.known.remove(name).filter(|known| known.uid == uid).unwrap_or_default();
        uid.clone_into(&mut known.uid);
        known.evaluated = essence(&policy);
        if policy.is_deleting() {
            self.take_leave(name, &policy, &mut known).await;
        } else {
            self.hold(&policy).await;
            self.evaluate(name, &policy, &mut known).await;
        }
        self.known.insert(name.to_owned(), known);
    }

    /// A policy that prunes is not gone before what it made is.
    async fn hold(&self, policy: &Manifest) {
        let prunes = policy.text_at(&["spec", "pruneObjectBehavior"]).is_some_and(|text| text != "None");
        let held = finalizers(policy).contains(&FINALIZER.to_owned());
        if prunes != held {
            self.set_finalizer(policy, prunes).await;
        }
    }

    async fn set_finalizer(&self, policy: &Manifest, wanted: bool) {
        let mut all = finalizers(policy);
        all.retain(|finalizer| finalizer != FINALIZER);
        if wanted {
            all.push(FINALIZER.to_owned());
        }
        let patch = json!({"metadata": {"finalizers": all}});
        if let Some(key) = policy.key() {
            // A conflict comes back as news.
            let _ = self.connection.merge(&key, &patch, Mode::Real).await;
        }
    }

    async fn evaluate(&mut self, name: &str, manifest: &Manifest, known: &mut Known) {
        let Some(evaluated) = self.until_known(manifest, known).await else {
            self.again(name);
            return;
        };
        known.references = evaluated.cluster_references.union(&evaluated.hub_references).cloned().collect();
        let generation = manifest.at(&["metadata", "generation"]).and_then(Value::as_i64).unwrap_or_default();
        let now = Timestamp::now();
        let Some(outcome) = evaluated.checks.into_iter().next() else { return };
        let previous = known.last.status.clone();
        let mut examined = None;
        let status = match (outcome.state, outcome.fault) {
            (CheckState::Planned { check, plan }, _) => {
                match interval::rest(&check, &plan, known.last.look.as_ref(), now) {
                    interval::Rest::None => {}
                    interval::Rest::Until(_) => {
                        self.again(name);
                        return;
                    }
                    interval::Rest::Forever => return,
                }
                let intended = inventory::intended(&known.inventory, &check, &plan);
                let occasion = Occasion {
                    previous: &previous,
                    generation,
                    wording: &|status, related, ordinary| {
                        worded(&check, plan.sensitive, status, related, ordinary)
                    },
                    now,
                };
                let CarriedOut { pushed, inventory, assessment } =
                    carry_out(&self.connection, &check, &plan, &intended, &occasion).await;
                known.inventory = inventory;
                let refused = pushed
                    .results
                    .iter()
                    .flatten()
                    .any(|result| matches!(result, StepResult::Refused { .. } | StepResult::NotGone));
                let kind_missing = plan.templates.iter().any(|template| template.gvk.is_none());
                if kind_missing {
                    for reference in &known.references {
                        self.connection.forget_group(&reference.gvk.group);
                    }
                }
                if pushed.stale || refused || kind_missing {
                    self.again(name);
                }
                if pushed.stale {
                    return;
                }
                examined = Some((check, plan));
                assessment.status
            }
            (CheckState::Reported(_), Some(fault)) => {
                let occasion = Occasion {
                    previous: &previous,
                    generation,
                    wording: &|status, related, ordinary| {
                        worded(&fault.check, true, status, related, ordinary)
                    },
                    now,
                };
                assess::unplanned(&fault.check, fault.reason, &fault.message, &occasion).status
            }
            (CheckState::Reported(message), None) => told(&message, &previous, generation, now),
        };
        self.publish(manifest, known, status).await;
        known.last = match examined {
            Some((check, plan)) => Last::of(&check, &plan, known.last.status.clone()),
            None => Last { status: known.last.status.clone(), ..Last::default() },
        };
    }

    async fn until_known(&self, manifest: &Manifest, known: &Known) -> Option<Evaluated> {
        let mut definition = manifest.to_value();
        if let Some(fields) = definition.as_object_mut() {
            fields.remove("status");
        }
        let policy: Policy = serde_json::from_value(json!({
            "apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
            "metadata": {"name": "case", "namespace": NAMESPACE,
                "annotations": {"flotilla.dev/allow-destructive": "true"}},
            "spec": {"policy-templates": [{"objectDefinition": definition}]},
        }))
        .unwrap();
        let facts = ClusterFacts { name: NAMESPACE.to_owned(), ..ClusterFacts::default() };
        for _ in 0..12 {
            let snapshot = Arc::new(self.connection.snapshot());
            let cluster: ManagedCluster = serde_json::from_value(json!({
                "metadata": {"name": NAMESPACE, "uid": "b4f6a4a5-9a0e-4b5e-8f3c-1d2e3f405162"},
                "status": {"clusterClaims": self.claims(snapshot.as_ref()).await},
            }))
            .unwrap();
            let evaluation = evaluate(
                &Subject {
                    policy: &policy,
                    cluster: &cluster,
                    facts: &facts,
                    enforced_by_binding: false,
                    hub: snapshot.clone(),
                    observed: snapshot,
                    inventory: &known.inventory,
                    unreachable: None,
                    compliance: &|_, _| None,
                    policies_of_set: &|_, _| None,
                    hub_as: None,
                    vector: None,
                    ambient: Ambient { now: Timestamp::now(), seed: [7; 32] },
                },
                &self.renderer,
            );
            match evaluation {
                Evaluation::Ready(evaluated) => return Some(*evaluated),
                Evaluation::Waiting { hub, cluster, .. } => {
                    self.connection.ensure(&hub).await;
                    self.connection.ensure(&cluster).await;
                }
            }
        }
        None
    }

    /// The claims of the cluster, which the registration of a managed cluster reports to its hub.
    async fn claims(&self, snapshot: &dyn Lookup) -> Vec<Value> {
        let gvk = GroupVersionKind::new("cluster.open-cluster-management.io/v1alpha1", "ClusterClaim");
        if let Answer::NotYetKnown = snapshot.list(&gvk, None) {
            self.connection
                .ensure(&BTreeSet::from([Reference { gvk: gvk.clone(), namespace: None, name: None }]))
                .await;
        }
        match self.connection.snapshot().list(&gvk, None) {
            Answer::Found(claims) => claims
                .iter()
                .map(|claim| json!({"name": claim.name(), "value": claim.text_at(&["spec", "value"])}))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Writes the status, unless nothing but its time is new.
    async fn publish(&self, manifest: &Manifest, known: &mut Known, status: ConfigurationPolicyStatus) {
        for related in &status.related_objects {
            let namespace = related.object.metadata.namespace.clone();
            self.touched.lock().unwrap().insert(ObjectKey {
                gvk: GroupVersionKind::new(&related.object.api_version, &related.object.kind),
                namespace: Some(namespace).filter(|namespace| !namespace.is_empty()),
                name: related.object.metadata.name.clone(),
            });
        }
        let timeless = |status: &ConfigurationPolicyStatus| ConfigurationPolicyStatus {
            last_evaluated: String::new(),
            ..status.clone()
        };
        if timeless(&status) == timeless(&known.last.status) {
            return;
        }
        let Some(key) = manifest.key() else { return };
        for _ in 0..5 {
            let Ok(Some(current)) = self.connection.get(&key).await else { return };
            let body = current.with_field("status", serde_json::to_value(&status).ok());
            if self.connection.replace_status(&body).await.is_ok() {
                break;
            }
        }
        known.last.status = status;
    }

    /// The policy is deleted: what it made goes as its inventory says, and it goes when that is gone.
    async fn take_leave(&mut self, name: &str, manifest: &Manifest, known: &mut Known) {
        // A policy that only informs takes nothing with it, even if it was enforced a moment ago.
        let action = manifest.text_at(&["spec", "remediationAction"]).unwrap_or_default();
        if !action.eq_ignore_ascii_case("enforce") {
            self.set_finalizer(manifest, false).await;
            return;
        }
        let plans: Vec<PrunePlan> = loop {
            match prune::deselected(&known.inventory, &|_| None, true, &self.connection.snapshot()) {
                Ok(plans) => break plans,
                Err(waiting) => {
                    self.connection.ensure(&waiting.references).await;
                }
            }
        };
        cluster::prune(&self.connection, &plans).await;
        let observed = self.connection.snapshot();
        let left = prune::deselected(&known.inventory, &|_| None, true, &observed).unwrap_or_default();
        let left: Vec<_> = left
            .iter()
            .filter(|plan| matches!(plan.action, PruneAction::Delete | PruneAction::Leaving))
            .map(|plan| &plan.entry)
            .collect();
        if left.is_empty() {
            self.set_finalizer(manifest, false).await;
            return;
        }
        let previous = known.last.status.clone();
        let occasion = Occasion {
            previous: &previous,
            generation: previous.last_evaluated_generation,
            wording: &ordinary_wording,
            now: Timestamp::now(),
        };
        let status = assess::terminating(&left, &occasion).status;
        self.publish(manifest, known, status).await;
        self.again(name);
    }
}

/// A status that says one thing of a policy that is no check.
fn told(
    message: &str,
    previous: &ConfigurationPolicyStatus,
    generation: i64,
    now: Timestamp,
) -> ConfigurationPolicyStatus {
    let text = ["NonCompliant; ", "violation - ", "template-error; "]
        .iter()
        .fold(message, |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    let verdict =
        TemplateVerdict { compliant: false, reason: "Invalid spec".to_owned(), message: text.to_owned() };
    let circumstances = status::Circumstances {
        previous,
        generation,
        never: status::Never::default(),
        waiting: &[],
        wording: &ordinary_wording,
        now,
    };
    status::assess(status::Report::Unexamined(verdict), &circumstances).status
}

/// What of a policy is evaluated.
fn essence(policy: &Manifest) -> Value {
    json!({"spec": policy.at(&["spec"]), "annotations": policy.annotations(), "deleting": policy.is_deleting(),
        "uid": policy.uid()})
}

fn finalizers(policy: &Manifest) -> Vec<String> {
    let all = policy.at(&["metadata", "finalizers"]).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

fn covers(reference: &Reference, object: &ObjectKey) -> bool {
    reference.gvk.same_kind(&object.gvk.group, &object.gvk.kind)
        && reference.namespace.as_ref().is_none_or(|namespace| object.namespace.as_ref() == Some(namespace))
        && reference.name.as_ref().is_none_or(|name| *name == object.name)
}
