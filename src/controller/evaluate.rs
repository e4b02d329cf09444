//! One policy on one cluster, from the hub's objects to a plan: the pure half of the flow, the same for `flotilla hub`,
//! `flotilla plan` and `flotilla render`.
//!
//! Takes snapshots; gives a plan per check, or what must be watched first. Must not touch: clients, clock, files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::hub_itself::{self, OwnBackup};
use super::hub_templates::{self, HubTemplate};

use crate::api::object::GroupVersionKind;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::names;
use crate::api::ocm::policy::{ComplianceState, Dependency, Policy};
use crate::pipeline::config::{self, Diagnostic, Severity};
use crate::pipeline::placement::claims;
use crate::pipeline::plan::CheckPlan;
use crate::pipeline::plan::assess as message;
use crate::pipeline::plan::check::{Entries, Situation, plan};
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::plan::target::ClusterFacts;
use crate::pipeline::policy::checks::{self, Check};
use crate::pipeline::policy::dependencies::{self, DependencyState};
use crate::pipeline::policy::replicate::replicated_policy;
use crate::pipeline::policy::templates::{self, Examined};
use crate::pipeline::render::encryption::{self, EncryptionKeys};
use crate::pipeline::render::lookup::{Answer, Lookup, Recording, Reference};
use crate::pipeline::render::{Ambient, ClusterContext, RenderError, Renderer};
use crate::pipeline::sets::{self, seal};
use crate::protection::names::NAME_KEYS;

/// What one evaluation looks at. Everything in it is a value or a snapshot.
pub struct Subject<'a> {
    /// The root policy.
    pub policy: &'a Policy,
    /// The managed cluster.
    pub cluster: &'a ManagedCluster,
    /// What is known of the cluster beside its objects.
    pub facts: &'a ClusterFacts,
    /// Whether a binding makes the policy enforce.
    pub enforced_by_binding: bool,
    /// The hub's objects.
    pub hub: Arc<dyn Lookup>,
    /// The cluster's objects.
    pub observed: Arc<dyn Lookup>,
    /// What was written on the cluster before.
    pub inventory: &'a Inventory,
    /// The cluster does not answer, with a sentence for the status: nothing is planned.
    pub unreachable: Option<&'a str>,
    /// Compliance of a dependency on this cluster, by kind and name.
    pub compliance: &'a dyn Fn(&str, &str) -> Option<ComplianceState>,
    /// The policies of a PolicySet, by namespace and name.
    pub policies_of_set: &'a dyn Fn(&str, &str) -> Option<Vec<String>>,
    /// The hub's objects as the service account of `hubTemplateOptions` may see them, or why they cannot be seen so; `None`
    /// where there is no server to apply rights.
    pub hub_as: Option<Result<Arc<dyn Lookup>, String>>,
    /// The initialization vector of the replicated policy, if it has one.
    pub vector: Option<[u8; 16]>,
    /// The moment and the randomness that templates may use.
    pub ambient: Ambient,
}

/// What an evaluation comes to.
pub enum Evaluation {
    /// These must be watched first.
    Waiting {
        /// On the hub.
        hub: BTreeSet<Reference>,
        /// On the hub, with the rights of the policy's service account.
        service_account: BTreeSet<Reference>,
        /// On the cluster.
        cluster: BTreeSet<Reference>,
    },
    /// A plan.
    Ready(Box<Evaluated>),
}

/// A policy evaluated for a cluster.
pub struct Evaluated {
    /// The replicated policy, without status and inventory.
    pub replicated: Value,
    /// One entry per policy template, in order.
    pub checks: Vec<EvaluatedCheck>,
    /// What was asked of the hub: a change makes the evaluation stale.
    pub hub_references: BTreeSet<Reference>,
    /// What was asked of the cluster.
    pub cluster_references: BTreeSet<Reference>,
    /// Why hub templates could not be resolved: the first one's words.
    pub hub_template_error: Option<String>,
    /// Whether the hub could not be seen as the service account that the policy names: to be tried again, nothing tells when.
    pub lacks_account: bool,
}

/// One check.
pub struct EvaluatedCheck {
    /// Its name.
    pub name: String,
    /// What comes of it.
    pub state: CheckState,
    /// Why it is not planned, for a status, where the cluster's side is at fault.
    pub fault: Option<CheckFault>,
}

/// A check that does not come out on a cluster.
pub struct CheckFault {
    /// The check.
    pub check: Box<Check>,
    /// Reason of the condition.
    pub reason: &'static str,
    /// Message of the condition.
    pub message: String,
}

/// What comes of a check.
pub enum CheckState {
    /// It cannot be planned; the text is its compliance message. Nothing is changed and nothing pruned.
    Reported(String),
    /// A plan.
    Planned {
        /// The check.
        check: Box<Check>,
        /// Its plan.
        plan: CheckPlan,
    },
}

/// Evaluates a policy for a cluster.
pub fn evaluate(subject: &Subject<'_>, renderer: &Renderer) -> Evaluation {
    let mut hub_phase = hub_templates::resolve(subject, renderer);
    let (own_backup, asked) = hub_itself::own_backup(subject, &hub_phase.references);
    if own_backup == OwnBackup::NotYetKnown {
        hub_phase.missing.extend(asked.clone());
    }
    hub_phase.references.extend(asked);
    if hub_phase.is_waiting() {
        return Evaluation::Waiting {
            hub: hub_phase.missing,
            service_account: hub_phase.missing_as,
            cluster: BTreeSet::new(),
        };
    }
    let dependencies = canonical_dependencies(subject);
    let obstacle = configuration_fault(subject, &hub_phase.references)
        .or_else(|| own_backup.fault())
        .or_else(|| subject.unreachable.map(ToOwned::to_owned));

    let observed = Arc::new(Recording::new(subject.observed.clone()));
    let claims = claims::claims(subject.cluster);
    let mut missing = BTreeSet::new();
    let mut checks = Vec::new();
    for (index, template) in hub_phase.templates.iter().enumerate() {
        let name = template.name.clone();
        if let Some(fault) = &obstacle {
            let state = CheckState::Reported(message::violation(fault));
            checks.push(EvaluatedCheck { name, state, fault: None });
            continue;
        }
        let keys = hub_phase.keys.as_ref();
        match evaluate_check(subject, renderer, index, template, &dependencies, &claims, keys, &observed) {
            Ok((state, fault)) => checks.push(EvaluatedCheck { name, state, fault }),
            Err(references) => missing.extend(references),
        }
    }
    if !missing.is_empty() {
        return Evaluation::Waiting {
            hub: BTreeSet::new(),
            service_account: BTreeSet::new(),
            cluster: missing,
        };
    }
    let hub_template_error = hub_phase
        .templates
        .iter()
        .find_map(|template| template.result.as_ref().err().map(ToString::to_string));
    let templates = hub_phase.templates.into_iter().map(HubTemplate::into_replicated).collect();
    let mut replicated = replicated_policy(
        subject.policy,
        &subject.cluster.metadata.name,
        templates,
        &dependencies.of_policy,
        &dependencies.of_templates,
        subject.enforced_by_binding,
    );
    if let Some(vector) = &hub_phase.vector {
        replicated["metadata"]["annotations"][encryption::VECTOR_ANNOTATION] =
            Value::String(encryption::annotation(vector));
    }
    Evaluation::Ready(Box::new(Evaluated {
        replicated,
        checks,
        hub_references: hub_phase.references,
        cluster_references: observed.asked(),
        hub_template_error,
        lacks_account: matches!(subject.hub_as, Some(Err(_))),
    }))
}

struct CanonicalDependencies {
    of_policy: Vec<Dependency>,
    of_templates: Vec<Vec<Dependency>>,
}

fn canonical_dependencies(subject: &Subject<'_>) -> CanonicalDependencies {
    let namespace = &subject.policy.metadata.namespace;
    let canonical = |list: &[Dependency]| {
        dependencies::canonical(list, namespace, |ns, name| (subject.policies_of_set)(ns, name))
    };
    CanonicalDependencies {
        of_policy: canonical(&subject.policy.spec.dependencies),
        of_templates: subject
            .policy
            .spec
            .policy_templates
            .iter()
            .map(|template| canonical(&template.extra_dependencies))
            .collect(),
    }
}

/// The configuration gate: a policy that reads `hdr-app-configmap`, or the copy that the hub accepted, is not rendered from a
/// missing or broken one.
fn configuration_fault(subject: &Subject<'_>, references: &BTreeSet<Reference>) -> Option<String> {
    fault_of_config_map(subject, references, config::CONFIG_MAP_NAME)
        .or_else(|| fault_of_config_map(subject, references, sets::ACCEPTED_NAME))
}

fn fault_of_config_map(
    subject: &Subject<'_>,
    references: &BTreeSet<Reference>,
    name: &str,
) -> Option<String> {
    let namespace = &subject.policy.metadata.namespace;
    let reference = Reference {
        gvk: GroupVersionKind::new("v1", "ConfigMap"),
        namespace: Some(namespace.clone()),
        name: Some(name.to_owned()),
    };
    if !references.contains(&reference) {
        return None;
    }
    let found = subject.hub.get(&reference.gvk, Some(namespace), name);
    match found {
        Answer::Found(config_map) if !seal::is_intact(&config_map) => Some(format!(
            "ConfigMap {namespace}/{name} was changed by hand, which the hub takes back: change {} instead; nothing is changed \
             on cluster {}",
            config::CONFIG_MAP_NAME,
            subject.cluster.metadata.name
        )),
        Answer::Found(config_map)
            if name == sets::ACCEPTED_NAME
                && sets::is_of_another_mode(&subject.policy.metadata.name, &config_map) =>
        {
            Some(format!(
                "ConfigMap {namespace}/{} asks for another installMode, and this policy goes; nothing is changed on cluster {}",
                config::CONFIG_MAP_NAME,
                subject.cluster.metadata.name
            ))
        }
        Answer::Found(config_map) => {
            let data = config::with_aliases(&config_map_data(config_map.at(&["data"])));
            let errors: Vec<String> = configuration_diagnostics(subject.policy, &data)
                .into_iter()
                .filter(|diagnostic| diagnostic.severity() == Severity::Error)
                .map(|diagnostic| diagnostic.to_string())
                .collect();
            (!errors.is_empty()).then(|| {
                format!(
                    "ConfigMap {namespace}/{name} cannot be used, nothing is changed on cluster {}: {}",
                    subject.cluster.metadata.name,
                    errors.join("; ")
                )
            })
        }
        Answer::NotFound | Answer::KindNotInstalled if name == sets::ACCEPTED_NAME => Some(format!(
            "ConfigMap {namespace}/{name} is gone from the hub, which makes it again while {} is there; nothing is changed \
             on cluster {}",
            config::CONFIG_MAP_NAME,
            subject.cluster.metadata.name
        )),
        Answer::NotFound | Answer::KindNotInstalled => Some(format!(
            "ConfigMap \"{}\" not found in namespace \"{namespace}\" on the hub: apply it there (see configmaps/); \
             nothing is changed on cluster {}",
            config::CONFIG_MAP_NAME,
            subject.cluster.metadata.name
        )),
        Answer::Denied(reason) => {
            Some(format!("ConfigMap {namespace}/{name} on the hub cannot be read: {reason}"))
        }
        Answer::NotYetKnown => None,
    }
}

/// What the names of Schedules are made of: said by the accepted copy where there is one, else by the ConfigMap.
fn name_parts(subject: &Subject<'_>) -> Option<BTreeMap<String, String>> {
    let gvk = GroupVersionKind::new("v1", "ConfigMap");
    [sets::ACCEPTED_NAME, config::CONFIG_MAP_NAME].into_iter().find_map(|name| {
        match subject.hub.get(&gvk, Some(&subject.policy.metadata.namespace), name) {
            Answer::Found(config_map) => {
                let mut data = config_map_data(config_map.at(&["data"]));
                data.retain(|key, _| NAME_KEYS.contains(&key.as_str()));
                Some(data)
            }
            // Only said besides: whether the policy may be evaluated at all is decided elsewhere.
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
        }
    })
}

pub(super) fn config_map_data(data: Option<&Value>) -> BTreeMap<String, String> {
    data.and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// All findings of the ConfigMap's keys that a policy uses, warnings included.
pub fn configuration_diagnostics(policy: &Policy, data: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    let texts: Vec<String> =
        policy.spec.policy_templates.iter().map(|template| template.object_definition.to_string()).collect();
    config::validate(data, &config::used_keys(texts.iter().map(String::as_str)))
}

/// Reason of the condition of a check whose templates do not come out.
const TEMPLATE_ERROR: &str = "Error processing template";

/// Reason of the condition of a check whose encrypted values cannot be read for want of a key.
const ENCRYPTION_ERROR: &str = "Template encryption configuration error";

type Outcome = (CheckState, Option<CheckFault>);

fn reported(message: String) -> Outcome {
    (CheckState::Reported(message), None)
}

fn at_fault(check: Check, reason: &'static str, text: String) -> Outcome {
    let state = CheckState::Reported(message::violation(&text));
    (state, Some(CheckFault { check: Box::new(check), reason, message: text }))
}

/// One policy template after the hub phase. `Err` names what must be watched on the cluster first.
#[expect(clippy::too_many_arguments, reason = "all that is known of one check, each of another kind")]
fn evaluate_check(
    subject: &Subject<'_>,
    renderer: &Renderer,
    index: usize,
    template: &HubTemplate,
    dependencies: &CanonicalDependencies,
    claims: &BTreeMap<String, String>,
    keys: Option<&EncryptionKeys>,
    observed: &Arc<Recording>,
) -> Result<Outcome, BTreeSet<Reference>> {
    if let Some(fault) = templates::fault_of_all(subject.policy) {
        return Ok(reported(message::template_error(fault)));
    }
    let rendered = match &template.result {
        Ok(rendered) => rendered,
        Err(error) => return Ok(reported(message::template_error(&error.to_string()))),
    };
    let parent = checks::parent_remediation(subject.policy, subject.enforced_by_binding);
    let extra = dependencies.of_templates.get(index).map(Vec::as_slice).unwrap_or_default();
    let mut unknown = BTreeSet::new();
    let examined = templates::examine(
        subject.policy,
        index,
        &rendered.definition,
        &dependencies.of_policy,
        extra,
        parent,
        |dependency| dependency_state(subject, observed, dependency, &mut unknown),
    );
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let check = match examined {
        Examined::Check(check) => *check,
        Examined::Error(text) => return Ok(reported(message::template_error(&text))),
        Examined::Refused(text) => return Ok(reported(message::violation(&text))),
        Examined::Pending { text, ignored } => return Ok(reported(message::pending(&text, ignored))),
    };
    let context = ClusterContext {
        cluster: subject.cluster.metadata.name.clone(),
        claims: claims.clone(),
        protected: rendered.protected.clone(),
        ambient: subject.ambient,
        encryption: keys.cloned(),
    };
    let (resolved, asked) = renderer.cluster_phase(&check.definition, &context, observed.as_ref());
    if !asked.not_yet_known.is_empty() {
        return Err(asked.not_yet_known);
    }
    let resolved = match resolved {
        Ok(resolved) => resolved,
        // Its text quotes the template, which holds what the hub phase read from a Secret.
        Err(_) if rendered.sensitive => {
            let text = "the template failed; its error is withheld because it holds values of a Secret";
            return Ok(at_fault(check, TEMPLATE_ERROR, text.to_owned()));
        }
        Err(error @ RenderError::Encryption(_)) => {
            return Ok(at_fault(check, ENCRYPTION_ERROR, error.to_string()));
        }
        Err(error) => return Ok(at_fault(check, TEMPLATE_ERROR, error.to_string())),
    };
    let doubtful = resolved.object_templates.is_empty() && !template.not_found.is_empty();
    if doubtful {
        return Ok(reported(message::violation(&emptied_by(&template.not_found, subject))));
    }
    let facts = ClusterFacts { name_parts: name_parts(subject), ..subject.facts.clone() };
    let situation = Situation {
        observed: observed.as_ref(),
        cluster: &facts,
        inventory: subject.inventory,
        allow_destructive: allows_destructive(subject.policy),
        may_prune: true,
    };
    let entries = Entries {
        resolved: &resolved.object_templates,
        skipped: &resolved.skipped,
        sensitive: rendered.sensitive || resolved.sensitive,
        per_object: &|index, variables| {
            let (rendered, asked) =
                renderer.object_template(&check.definition, index, variables, &context, observed.as_ref());
            if asked.not_yet_known.is_empty() { Ok(rendered) } else { Err(asked.not_yet_known) }
        },
    };
    match plan(&check, &entries, &situation) {
        Ok(plan) => Ok((CheckState::Planned { check: Box::new(check), plan }, None)),
        Err(waiting) => Err(waiting.references),
    }
}

/// What a dependency is on the cluster: policies by what the hub knows of them, anything else by a look at the object.
fn dependency_state(
    subject: &Subject<'_>,
    observed: &Arc<Recording>,
    dependency: &Dependency,
    unknown: &mut BTreeSet<Reference>,
) -> DependencyState {
    if dependencies::is_on_policy(dependency) {
        let state = (subject.compliance)(&dependency.kind, &dependency.name);
        return state.map_or(DependencyState::Absent, |state| DependencyState::Says(state.to_string()));
    }
    let gvk = GroupVersionKind::new(&dependency.api_version, &dependency.kind);
    let namespace = Some(dependency.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    match observed.get(&gvk, namespace, &dependency.name) {
        Answer::Found(object) => DependencyState::of_object(dependency, &object.to_value()),
        Answer::NotFound => DependencyState::Absent,
        Answer::KindNotInstalled | Answer::Denied(_) => DependencyState::Unknown,
        Answer::NotYetKnown => {
            let namespace = namespace.map(ToOwned::to_owned);
            unknown.insert(Reference { gvk, namespace, name: Some(dependency.name.clone()) });
            DependencyState::Unknown
        }
    }
}

/// A template that comes out empty because an object of the hub is gone: never a reason to prune (decision 7).
fn emptied_by(not_found: &BTreeSet<Reference>, subject: &Subject<'_>) -> String {
    let names: Vec<String> = not_found
        .iter()
        .map(|reference| {
            let namespace = reference.namespace.as_deref().unwrap_or_default();
            format!("{} {namespace}/{}", reference.gvk.kind, reference.name.as_deref().unwrap_or_default())
        })
        .collect();
    format!(
        "the policy came out empty because the hub has no {}; nothing is changed on cluster {}",
        names.join(", "),
        subject.cluster.metadata.name
    )
}

/// Whether the policy opts in to deletions that may lose data.
pub fn allows_destructive(policy: &Policy) -> bool {
    policy.metadata.annotations.get(names::ALLOW_DESTRUCTIVE_ANNOTATION).is_some_and(|text| text == "true")
}
