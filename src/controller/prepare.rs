//! What comes before a push, the same for the hub's workers and for `flotilla plan`: the first look at the hub, the connection
//! to a cluster, and an evaluation that is repeated until all its look-ups are known.
//!
//! Reads only: nothing here writes to the hub or to a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::evaluate::{Evaluated, Evaluation, Subject, allows_destructive, evaluate};
use super::fleet::{Effects, Fleet};
use crate::adapters::api_server::{Connection, Ensured, Listener};
use crate::adapters::cluster;
use crate::adapters::hub::credentials::{self, Credentials, CredentialsError};
use crate::adapters::hub::{Hub, HubKind};
use crate::api::object::Manifest;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::names;
use crate::api::ocm::policy::{ComplianceState, Policy, PolicyStatus};
use crate::pipeline::placement::Verdict;
use crate::pipeline::plan::inventory::{Inventory, InventoryError};
use crate::pipeline::plan::target::ClusterFacts;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::standing::{self, Standing};
use crate::pipeline::render::encryption;
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::pipeline::render::{Ambient, Renderer};
use crate::pipeline::sets;
use crate::protection::departure::{self, Departure, Remnant};
use crate::{chance, clock};

/// How many times one evaluation may ask for further look-ups before it is given up with an error.
pub(super) const ROUNDS: usize = 12;

/// Takes every object of the hub into the fleet, in the order in which they build on each other.
pub fn take_in_everything(fleet: &mut Fleet, hub: &dyn Lookup, now: Timestamp) -> Effects {
    let mut effects = Effects::default();
    for kind in HubKind::ALL {
        effects.join(take_in_kind(fleet, hub, kind, now).unwrap_or_default());
    }
    // Where somebody watches scores, they are known.
    if let Some(scores) = take_in_kind(fleet, hub, HubKind::AddOnPlacementScore, now) {
        effects.join(scores);
        effects.join(fleet.scores_read(Ok(()), now));
    }
    effects
}

/// Takes the AddOnPlacementScores of the hub into the fleet, or why they cannot be read.
pub fn take_in_scores(
    fleet: &mut Fleet,
    hub: &dyn Lookup,
    read: Result<(), String>,
    now: Timestamp,
) -> Effects {
    let mut effects = Effects::default();
    if read.is_ok() {
        effects = take_in_kind(fleet, hub, HubKind::AddOnPlacementScore, now).unwrap_or_default();
    }
    effects.join(fleet.scores_read(read, now));
    effects
}

/// The fleet as the hub has it now, with scores of add-ons where a Placement asks for them.
pub async fn fleet_of(hub: &Hub, now: Timestamp) -> (Fleet, Effects) {
    let mut fleet = Fleet::default();
    let mut effects = take_in_everything(&mut fleet, &hub.connection().snapshot(), now);
    if fleet.needs_scores() {
        let read = hub.watch_scores().await;
        effects.join(take_in_scores(&mut fleet, &hub.connection().snapshot(), read, now));
    }
    (fleet, effects)
}

/// Takes all objects of a kind; `None` where they are not known.
fn take_in_kind(fleet: &mut Fleet, hub: &dyn Lookup, kind: HubKind, now: Timestamp) -> Option<Effects> {
    let Answer::Found(objects) = hub.list(&kind.gvk(), None) else { return None };
    let mut effects = Effects::default();
    for object in objects {
        if let Some(key) = object.key() {
            effects.join(fleet.apply(kind, &key, Some(&object), now));
        }
    }
    Some(effects)
}

/// A connection to a managed cluster and the Secret version that it was made from.
pub struct Link {
    /// `resourceVersion` of the Secret.
    pub version: String,
    /// The connection.
    pub connection: Connection,
    /// What is known of the cluster beside its objects.
    pub facts: ClusterFacts,
}

/// The kubeconfig of a cluster, if the hub has one.
pub fn credentials_of(hub: &Hub, cluster: &str) -> Result<Option<Credentials>, CredentialsError> {
    let secrets = hub.credential_secrets();
    let own = secrets.iter().find(|secret| credentials::cluster_of(secret).as_deref() == Some(cluster));
    own.map(|secret| credentials::read(secret)).transpose()
}

/// Connects to a cluster by its Secret. The error is a sentence for a status.
pub async fn connect(hub: &Hub, cluster: &str, listener: Listener) -> Result<Link, String> {
    let credentials = match credentials_of(hub, cluster) {
        Ok(Some(credentials)) => credentials,
        Ok(None) => {
            return Err(format!(
                "cluster {cluster} is not joined: there is no kubeconfig Secret for it on the hub; run `flotilla cluster \
                 join {cluster} --kubeconfig FILE`"
            ));
        }
        Err(error) => return Err(format!("cluster {cluster} cannot be reached: {error}")),
    };
    let connection = Connection::from_secret(&credentials.kubeconfig, listener)
        .await
        .map_err(|error| format!("cluster {cluster}: Secret {}: {error}", credentials.secret))?;
    connection.probe().await.map_err(|error| unreachable(cluster, &error.to_string()))?;
    let facts = cluster::facts(cluster, &connection).await;
    Ok(Link { version: credentials.version, connection, facts })
}

/// The sentence for a cluster that does not answer.
pub fn unreachable(cluster: &str, reason: &str) -> String {
    format!(
        "cluster {cluster} cannot be reached: {reason}; nothing is changed there until it answers; check its kubeconfig \
         Secret in namespace {cluster} on the hub"
    )
}

/// The replicated policies in a cluster's namespace, by root.
pub fn replicas(hub: &dyn Lookup, cluster: &str) -> BTreeMap<PolicyKey, Arc<Manifest>> {
    match hub.list(&HubKind::Policy.gvk(), Some(cluster)) {
        Answer::Found(replicas) => replicas
            .into_iter()
            .filter(|replica| replica.label(names::ROOT_POLICY_LABEL).is_some())
            .filter_map(|replica| Some((PolicyKey::from_replicated(replica.name()?)?, replica)))
            .collect(),
        Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => {
            BTreeMap::new()
        }
    }
}

/// Whether another controller propagates the policy: its replicated policy has no inventory of ours.
pub fn is_foreign(replica: &Manifest) -> bool {
    replica.annotation(names::INVENTORY_ANNOTATION).is_none()
}

/// The inventory that stands on a replicated policy.
pub fn inventory(replica: Option<&Manifest>) -> Result<Inventory, InventoryError> {
    match replica
        .and_then(|replica| Some((replica.name()?, replica.annotation(names::INVENTORY_ANNOTATION)?)))
    {
        Some((name, text)) => Inventory::parse(name, text),
        None => Ok(Inventory::default()),
    }
}

/// What a policy that leaves a cluster last said of its checks, by name: the root policy, or where it is not known any more
/// the replicated one.
pub fn standing(
    root: Option<&Policy>,
    replica: &Manifest,
    inventory: &Inventory,
) -> impl Fn(&str) -> Option<Standing> {
    let replicated = replica.to_value();
    let root = root.cloned().or_else(|| serde_json::from_value(replicated.clone()).ok());
    let by_binding = inventory.enforced_by_binding;
    move |check| standing::of(root.as_ref()?, &replicated, by_binding, check)
}

/// The status of a policy; empty where there is none.
pub fn status_of(policy: &Manifest) -> PolicyStatus {
    policy.at(&["status"]).and_then(|status| serde_json::from_value(status.clone()).ok()).unwrap_or_default()
}

/// Compliance by kind and name.
pub type KnownCompliance = BTreeMap<(String, String), ComplianceState>;

/// Compliance of policies and their templates, from the replicated policies of one cluster.
pub fn compliance<'a>(replicas: impl IntoIterator<Item = (PolicyKey, &'a Manifest)>) -> KnownCompliance {
    let mut known = BTreeMap::new();
    for (key, replica) in replicas {
        let status = status_of(replica);
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

/// Why nothing is removed from a cluster although the policy is no longer placed there; `None` when a person took the
/// cluster out, and what the policy created may go (decision 7).
pub fn reason_to_keep(fleet: &Fleet, policy: &PolicyKey, cluster: &str, now: Timestamp) -> Option<String> {
    if let Some(doubt) = fleet.doubt(policy) {
        return Some(doubt);
    }
    fleet.why_not(policy, cluster, now).into_iter().find_map(|(placement, verdict)| match verdict {
        Verdict::In(_) => None,
        Verdict::Out(reason) if reason.is_deliberate() => None,
        Verdict::Out(reason) => Some(format!("Placement {placement}: {reason}")),
    })
}

/// Whether a policy, or one of its templates, waits for others.
pub fn has_dependencies(policy: &Policy) -> bool {
    !policy.spec.dependencies.is_empty()
        || policy.spec.policy_templates.iter().any(|template| !template.extra_dependencies.is_empty())
}

/// Compliance as it is once every policy has come through.
pub fn all_compliant(fleet: &Fleet) -> KnownCompliance {
    let mut known = BTreeMap::new();
    for (key, policy) in fleet.policies() {
        known.insert(("Policy".to_owned(), key.replicated_name()), ComplianceState::Compliant);
        for template in &policy.spec.policy_templates {
            let definition = &template.object_definition;
            let kind = definition["kind"].as_str().unwrap_or_default();
            let name = definition["metadata"]["name"].as_str().unwrap_or_default();
            known.insert((kind.to_owned(), name.to_owned()), ComplianceState::Compliant);
        }
    }
    known
}

/// What there is on the hub of that which holds a policy in place.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The ConfigMap that it was rendered from.
    pub source: Option<&'a Manifest>,
    /// The copy of that ConfigMap which is in force.
    pub accepted: Option<&'a Manifest>,
    /// Whether a binding names the policy.
    pub bound: bool,
}

/// Whether the hub rendered a policy, of which only the replicated one may be left.
pub fn is_rendered(policy: Option<&Policy>, replica: &Manifest) -> bool {
    annotations_of(policy, replica).contains_key(names::RENDERED_FROM_ANNOTATION)
}

fn annotations_of(policy: Option<&Policy>, replica: &Manifest) -> BTreeMap<String, String> {
    policy.map_or_else(|| replica.annotations(), |policy| policy.metadata.annotations.clone())
}

/// How a policy leaves a cluster, by the user's wish for what the hub rendered.
pub fn departure_of(
    key: &PolicyKey,
    policy: Option<&Policy>,
    replica: &Manifest,
    origin: &Origin<'_>,
) -> Departure {
    let annotations = annotations_of(policy, replica);
    let rendered = annotations.contains_key(names::RENDERED_FROM_ANNOTATION);
    let protected = rendered && origin.source.is_some_and(sets::is_protected);
    let replaced =
        protected && origin.accepted.is_some_and(|accepted| sets::is_replaced(&key.name, accepted));
    let remnant = match policy {
        _ if replaced => Remnant::Replaced,
        None if protected => Remnant::Dropped,
        None => Remnant::Gone,
        Some(_) if rendered && !protected => Remnant::Unbound,
        Some(_) if origin.bound => Remnant::Bound,
        Some(_) => Remnant::Unbound,
    };
    departure::departure(&annotations, remnant)
}

/// Whether a policy that leaves may delete what carries data or access to it: as the root policy says, or for a removal that
/// outlives the policy, as its replicated policy does.
pub fn may_destroy(departure: Departure, policy: Option<&Policy>, replica: &Manifest) -> bool {
    match departure {
        Departure::Remove => policy.map_or_else(
            || replica.annotation(names::ALLOW_DESTRUCTIVE_ANNOTATION) == Some("true"),
            allows_destructive,
        ),
        Departure::Ordinary | Departure::Nothing | Departure::Pause => policy.is_some_and(allows_destructive),
        Departure::Replace => false,
    }
}

/// The moment and the randomness of one evaluation.
pub fn ambient() -> Result<Ambient, String> {
    let seed = chance::seed().ok_or("the system has no random numbers to give")?;
    Ok(Ambient { now: clock::now(), seed })
}

/// The hub as the service account of a policy may see it; `None` where it names none.
pub type AccountView = Option<Result<Arc<Connection>, String>>;

/// The view that a policy's hub templates ask for.
pub fn account_view(hub: &Hub, policy: &Policy) -> AccountView {
    let options = policy.spec.other.get("hubTemplateOptions")?;
    let name = options.get("serviceAccountName")?.as_str().filter(|name| !name.is_empty())?;
    Some(hub.as_service_account(&policy.metadata.namespace, name))
}

/// Watches what is looked up with the rights of an account. What the account is refused concerns the policies that name it, not
/// the hub nor the cluster: the view is given up, and its reason told.
pub async fn ensure_account(view: &mut AccountView, references: &BTreeSet<Reference>) {
    if let Some(Ok(connection)) = view
        && let Ensured::Disconnected(reason) = connection.ensure(references).await
    {
        *view = Some(Err(reason));
    }
}

/// Its caches as they are now.
pub fn as_lookup(view: &Result<Arc<Connection>, String>) -> Result<Arc<dyn Lookup>, String> {
    match view {
        Ok(connection) => Ok(Arc::new(connection.snapshot())),
        Err(reason) => Err(reason.clone()),
    }
}

/// The initialization vector that stands on a replicated policy.
pub fn vector(replica: Option<&Manifest>) -> Option<[u8; 16]> {
    encryption::vector(replica?.annotation(encryption::VECTOR_ANNOTATION)?).ok()
}

/// What is evaluated where.
pub struct Request<'a> {
    /// Renders.
    pub renderer: &'a Renderer,
    /// The hub.
    pub hub: &'a Hub,
    /// The cluster.
    pub link: &'a Link,
    /// The root policy.
    pub policy: &'a Policy,
    /// The managed cluster.
    pub managed: &'a ManagedCluster,
    /// Whether a binding makes the policy enforce.
    pub enforced: bool,
    /// What was written on the cluster before.
    pub inventory: &'a Inventory,
    /// The replicated policy, if there is one.
    pub replica: Option<&'a Manifest>,
    /// What is known of dependencies, asked again in every round.
    pub compliance: &'a (dyn Fn() -> KnownCompliance + Sync),
    /// The policies of a PolicySet, by namespace and name.
    pub policies_of_set: &'a (dyn Fn(&str, &str) -> Option<Vec<String>> + Sync),
    /// How the snapshots are looked at.
    pub sight: &'a dyn Sight,
}

/// How an evaluation looks at what is there: as it is, or with something imagined.
pub trait Sight: Sync {
    /// The hub's objects.
    fn of_hub(&self, snapshot: Arc<dyn Lookup>) -> Arc<dyn Lookup> {
        snapshot
    }

    /// The cluster's objects.
    fn of_cluster(&self, snapshot: Arc<dyn Lookup>) -> Arc<dyn Lookup> {
        snapshot
    }
}

/// As it is.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Sight for Plain {}

/// Renders and plans; where a look-up is not watched yet, watches it and starts over. The error says why the hub or the
/// cluster does not answer.
pub async fn evaluate_until_known(request: &Request<'_>) -> Result<Box<Evaluated>, String> {
    let ambient = ambient()?;
    let mut account = account_view(request.hub, request.policy);
    for _ in 0..ROUNDS {
        let compliance = (request.compliance)();
        let evaluation = evaluate(
            &Subject {
                policy: request.policy,
                cluster: request.managed,
                facts: &request.link.facts,
                enforced_by_binding: request.enforced,
                hub: request.sight.of_hub(Arc::new(request.hub.connection().snapshot())),
                observed: request.sight.of_cluster(Arc::new(request.link.connection.snapshot())),
                inventory: request.inventory,
                unreachable: None,
                compliance: &|kind, name| compliance.get(&(kind.to_owned(), name.to_owned())).copied(),
                policies_of_set: &|namespace, name| (request.policies_of_set)(namespace, name),
                hub_as: account
                    .as_ref()
                    .map(|view| as_lookup(view).map(|lookup| request.sight.of_hub(lookup))),
                vector: vector(request.replica),
                ambient,
            },
            request.renderer,
        );
        match evaluation {
            Evaluation::Ready(evaluated) => return Ok(evaluated),
            Evaluation::Waiting { hub, service_account, cluster } => {
                if let Ensured::Disconnected(reason) = request.hub.connection().ensure(&hub).await {
                    return Err(format!("the hub does not answer look-ups: {reason}"));
                }
                ensure_account(&mut account, &service_account).await;
                if let Ensured::Disconnected(reason) = request.link.connection.ensure(&cluster).await {
                    return Err(reason);
                }
            }
        }
    }
    Err(format!("policy {} asks for ever more look-ups", request.policy.metadata.name))
}
