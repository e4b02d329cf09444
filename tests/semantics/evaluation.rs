//! A ConfigurationPolicy evaluated once or several times on a cluster whose server is played: the calls of the hub, in its order.

use std::collections::BTreeMap;

use flotilla::api::object::{Manifest, ObjectKey};
use flotilla::api::ocm::configuration_policy_status::ConfigurationPolicyStatus;
use flotilla::controller::wording::worded;
use flotilla::pipeline::compliance::status::Assessment;
use flotilla::pipeline::plan::assess::{self, Occasion};
use flotilla::pipeline::plan::check::{Entries, Situation, plan};
use flotilla::pipeline::plan::inventory::{self, Inventory};
use flotilla::pipeline::plan::target::ClusterFacts;
use flotilla::pipeline::plan::{CheckPlan, ObjectPlan, PruneAction, Recreation, Refusal, Step, StepResult};
use flotilla::pipeline::policy::checks::{self, Check};
use flotilla::pipeline::render::encryption::EncryptionKeys;
use flotilla::pipeline::render::{ClusterContext, ProtectedValues, RenderError, Renderer};
use serde_json::{Value, json};

use crate::objects::Objects;

/// Name of the policy of every row.
pub(crate) const NAME: &str = "check";

/// What the server says to what is sent to it.
#[derive(Clone, Copy, Default)]
pub(crate) enum Server<'a> {
    /// It takes everything as it comes.
    #[default]
    Takes,
    /// A change comes back as the object was: defaults make up for the difference.
    Keeps,
    /// It refuses a change for a value that may not be changed; creations and deletions pass.
    Immutable,
    /// The same, and what is deleted does not go.
    Lingers,
    /// It refuses a field that it does not know, with these words.
    Unknown(&'a str),
    /// It refuses everything with these words.
    Refuses(&'a str),
}

/// What is known before an evaluation.
pub(crate) struct Before<'a> {
    pub(crate) spec: &'a Value,
    pub(crate) annotations: &'a Value,
    pub(crate) objects: &'a [Value],
    pub(crate) claims: BTreeMap<String, String>,
    pub(crate) keys: Option<EncryptionKeys>,
    pub(crate) protected: ProtectedValues,
    pub(crate) allow_destructive: bool,
    pub(crate) server: Server<'a>,
    pub(crate) status: ConfigurationPolicyStatus,
    pub(crate) inventory: Inventory,
    pub(crate) round: i64,
}

/// What came of it.
pub(crate) struct After {
    pub(crate) assessment: Assessment,
    pub(crate) plan: Option<CheckPlan>,
    pub(crate) inventory: Inventory,
}

/// Evaluates a policy; the error is what is said of one that cannot be read.
pub(crate) fn evaluate(before: &Before<'_>) -> Result<After, String> {
    let definition = json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
        "metadata": {"name": NAME, "namespace": "c1", "annotations": before.annotations}, "spec": before.spec});
    let check = checks::read(0, &definition, None).map_err(|error| error.to_string())?;
    let objects = Objects::new(before.objects);
    let renderer = Renderer::new();
    let context = ClusterContext {
        cluster: "c1".to_owned(),
        claims: before.claims.clone(),
        protected: before.protected.clone(),
        encryption: before.keys.clone(),
        ..ClusterContext::default()
    };
    let (resolved, _) = renderer.cluster_phase(&check.definition, &context, &objects);
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(error) => {
            let reason = match &error {
                RenderError::Encryption(_) => "Template encryption configuration error",
                _ => "Error processing template",
            };
            let assessment = occasion(before, &check, true, |occasion| {
                assess::unplanned(&check, reason, &error.to_string(), occasion)
            });
            return Ok(After { assessment, plan: None, inventory: before.inventory.clone() });
        }
    };
    let facts = ClusterFacts { name: "c1".to_owned(), ..ClusterFacts::default() };
    let situation = Situation {
        observed: &objects,
        cluster: &facts,
        inventory: &before.inventory,
        allow_destructive: before.allow_destructive,
        may_prune: true,
    };
    let entries = Entries {
        resolved: &resolved.object_templates,
        skipped: &resolved.skipped,
        sensitive: resolved.sensitive,
        per_object: &|index, variables| {
            Ok(renderer.object_template(&check.definition, index, variables, &context, &objects).0)
        },
    };
    let plan = plan(&check, &entries, &situation).map_err(|waiting| format!("waits for {waiting:?}"))?;
    let results: Vec<Vec<StepResult>> = plan
        .templates
        .iter()
        .map(|template| template.objects.iter().map(|object| answer(object, before.server)).collect())
        .collect();
    let assessment = occasion(before, &check, plan.sensitive, |occasion| {
        assess::assess(&check, &plan, &results, occasion)
    });
    let gone: Vec<Option<Result<(), String>>> =
        plan.prune.iter().map(|prune| (prune.action == PruneAction::Delete).then_some(Ok(()))).collect();
    let intended = inventory::intended(&before.inventory, &check, &plan);
    let inventory = inventory::recorded(&intended, &check, &plan, &results, &gone);
    Ok(After { assessment, plan: Some(plan), inventory })
}

fn occasion(
    before: &Before<'_>,
    check: &Check,
    sensitive: bool,
    assess: impl FnOnce(&Occasion<'_>) -> Assessment,
) -> Assessment {
    assess(&Occasion {
        previous: &before.status,
        generation: before.round,
        wording: &|status, related, ordinary| worded(check, sensitive, status, related, ordinary),
        now: jiff::Timestamp::from_second(1_700_000_000 + before.round).unwrap(),
    })
}

/// The object as a server has it after it took it: with a uid of its own.
fn stored(object: &Manifest) -> Manifest {
    let mut value = object.to_value();
    value["metadata"]["uid"] = json!(format!("uid-of-{}", object.name().unwrap_or_default()));
    Manifest::parse(value).unwrap()
}

/// What becomes of a step.
fn answer(object: &ObjectPlan, server: Server<'_>) -> StepResult {
    let refused = |message: &str, refusal| StepResult::Refused { message: message.to_owned(), refusal };
    match (&object.step, server) {
        (Step::Nothing | Step::StatusDiffers { .. } | Step::Hold { .. }, _) => StepResult::NotTaken,
        (_, Server::Refuses(words)) => refused(words, Refusal::Other),
        (Step::Create { .. } | Step::Probe { .. } | Step::Update { .. }, Server::Unknown(words)) => {
            refused(words, Refusal::UnknownField)
        }
        (Step::Create { desired }, _) => StepResult::Created(Box::new(stored(desired))),
        (Step::Delete { .. }, _) => StepResult::Deleted,
        (Step::Probe { existing, .. } | Step::Update { existing, .. }, Server::Keeps) => {
            StepResult::Unchanged(Box::new(existing.as_ref().clone()))
        }
        (Step::Probe { .. }, Server::Immutable | Server::Lingers) => refused("immutable", Refusal::Content),
        (Step::Probe { merged, .. }, _) => StepResult::Differs(Box::new(merged.clone())),
        (Step::Update { merged, recreation, .. }, server) => match (recreation, server) {
            (Recreation::Always | Recreation::IfRequired, Server::Lingers) => StepResult::NotGone,
            (Recreation::Always, _) | (Recreation::IfRequired, Server::Immutable) => {
                StepResult::Recreated(Box::new(stored(object.desired.as_ref().unwrap_or(merged))))
            }
            (Recreation::Never | Recreation::Held(_), Server::Immutable | Server::Lingers) => {
                refused("immutable", Refusal::Content)
            }
            _ => StepResult::Updated(Box::new(merged.clone())),
        },
    }
}

/// A step in words: what is done to which object.
pub(crate) fn told(object: &ObjectPlan) -> Option<String> {
    let verb = match &object.step {
        Step::Nothing | Step::StatusDiffers { .. } => return None,
        Step::Probe { .. } => "ask about",
        Step::Create { .. } => "create",
        Step::Update { .. } => "update",
        Step::Delete { .. } => "delete",
        Step::Hold { .. } => "hold",
    };
    Some(format!("{verb} {}", place(object.key.as_ref()?)))
}

/// What becomes of what is no longer wanted, in words.
pub(crate) fn pruned(plan: &CheckPlan) -> Vec<String> {
    let verb = |action: &PruneAction| match action {
        PruneAction::Delete => "delete",
        PruneAction::Hold(_) => "hold",
        PruneAction::Unreadable(_) => "unreadable",
        PruneAction::Leaving => "leaving",
        PruneAction::Forget => "forget",
    };
    plan.prune.iter().map(|prune| format!("{} {}", verb(&prune.action), place(&prune.entry.key()))).collect()
}

fn place(key: &ObjectKey) -> String {
    match &key.namespace {
        Some(namespace) => format!("{} {namespace}/{}", key.gvk.kind, key.name),
        None => format!("{} {}", key.gvk.kind, key.name),
    }
}
