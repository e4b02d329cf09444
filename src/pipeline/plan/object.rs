//! One desired object against the cluster: what is found, and the step that follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::target::{ClusterFacts, DesiredTemplate};
use super::{ObjectPlan, Recreation, Step};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::configuration_policy::{ComplianceType, MetadataComplianceType, RecreateOption};
use crate::pipeline::compare::{self, Comparison, Rules, WrittenLists};
use crate::pipeline::compliance::{Finding, Reason};
use crate::pipeline::policy::checks::Remediation;
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::protection::guard::{self, DeletionVerdict};
use crate::protection::restore_gate::{self, Gate};

/// What planning one object needs to know.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// Position of the object template.
    pub(super) index: usize,
    pub(super) remediation: Remediation,
    pub(super) observed: &'a dyn Lookup,
    pub(super) cluster: &'a ClusterFacts,
    pub(super) allow_destructive: bool,
}

/// A named object. `Err` names what must be watched first.
pub(super) fn named(
    desired: &DesiredTemplate,
    object: &Manifest,
    key: &ObjectKey,
    written: &WrittenLists,
    context: &Context<'_>,
) -> Result<ObjectPlan, BTreeSet<Reference>> {
    let existing = match context.observed.get(&key.gvk, key.namespace.as_deref(), &key.name) {
        Answer::Found(existing) => Some(existing),
        Answer::NotFound => None,
        Answer::NotYetKnown => return Err(BTreeSet::from([reference(key)])),
        Answer::KindNotInstalled => return Ok(kind_missing(key)),
        Answer::Denied(message) => return Ok(denied(key, context.index, &message)),
    };
    match (desired.template.compliance_type, existing) {
        (ComplianceType::MustNotHave, None) => {
            Ok(plan(key, None, true, Reason::NotFoundAsExpected, Step::Nothing))
        }
        (ComplianceType::MustNotHave, Some(existing)) => Ok(unwanted(key, existing, context)),
        (ComplianceType::MustHave | ComplianceType::MustOnlyHave, None) => missing(object, key, context),
        (ComplianceType::MustHave | ComplianceType::MustOnlyHave, Some(existing)) => {
            let planned = present(desired, object, key, existing.clone(), written, context);
            Ok(ObjectPlan { observed: Some(existing), ..planned })
        }
    }
}

fn unwanted(key: &ObjectKey, existing: Arc<Manifest>, context: &Context<'_>) -> ObjectPlan {
    let step = match context.remediation {
        Remediation::Inform => Step::Nothing,
        Remediation::Enforce => match guard::deletion(key, context.allow_destructive) {
            DeletionVerdict::Allowed => Step::Delete { existing: Arc::clone(&existing) },
            DeletionVerdict::Held { why } => Step::Hold { message: format!("{key} is not deleted: {why}") },
        },
    };
    let planned = plan(key, None, false, Reason::FoundButShouldNotExist, step);
    ObjectPlan { named: vec![existing], ..planned }
}

fn missing(
    object: &Manifest,
    key: &ObjectKey,
    context: &Context<'_>,
) -> Result<ObjectPlan, BTreeSet<Reference>> {
    let step = match context.remediation {
        Remediation::Inform => Step::Nothing,
        Remediation::Enforce => match gate(object, context)? {
            Gate::Open => Step::Create { desired: object.clone() },
            Gate::Held { message, .. } => Step::Hold { message },
        },
    };
    Ok(plan(key, Some(object), false, Reason::NotFoundButShouldExist, step))
}

/// Row A56: a Restore waits for its Backup.
fn gate(object: &Manifest, context: &Context<'_>) -> Result<Gate, BTreeSet<Reference>> {
    let Some(backup) = restore_gate::backup_key(object) else { return Ok(Gate::Open) };
    let found = match context.observed.get(&backup.gvk, backup.namespace.as_deref(), &backup.name) {
        Answer::Found(found) => Some(found),
        Answer::NotYetKnown => return Err(BTreeSet::from([reference(&backup)])),
        Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => None,
    };
    Ok(restore_gate::restore_gate(object, found.as_deref(), false, &context.cluster.name))
}

fn present(
    desired: &DesiredTemplate,
    object: &Manifest,
    key: &ObjectKey,
    existing: Arc<Manifest>,
    written: &WrittenLists,
    context: &Context<'_>,
) -> ObjectPlan {
    let difference = match compare::compare(object, &existing, &rules(desired), written) {
        Comparison::Same => return plan(key, Some(object), true, Reason::FoundAsExpected, Step::Nothing),
        Comparison::Invalid(problem) => {
            let mut invalid = plan(key, Some(object), false, Reason::FoundButDoesNotMatch, Step::Nothing);
            invalid.finding = told(Some(key), UPDATE_ERROR, problem.to_string());
            return invalid;
        }
        Comparison::Different(difference) => difference,
    };
    let is_written =
        difference.spec_mismatch && compare::merge_patch(&existing, &difference.merged).is_some();
    let step = match (is_written, context.remediation) {
        (false, _) => Step::StatusDiffers { merged: difference.merged },
        (true, Remediation::Inform) => {
            Step::Probe { existing, merged: difference.merged, status_mismatch: difference.status_mismatch }
        }
        (true, Remediation::Enforce) => Step::Update {
            existing,
            merged: difference.merged,
            status_mismatch: difference.status_mismatch,
            recreation: recreation(desired, key, context),
        },
    };
    plan(key, Some(object), false, Reason::FoundButDoesNotMatch, step)
}

/// What the template's `recreateOption` comes to: what must not be deleted is not recreated either.
fn recreation(desired: &DesiredTemplate, key: &ObjectKey, context: &Context<'_>) -> Recreation {
    let wanted = match desired.template.recreate_option {
        None | Some(RecreateOption::None) => return Recreation::Never,
        Some(RecreateOption::IfRequired) => Recreation::IfRequired,
        Some(RecreateOption::Always) => Recreation::Always,
    };
    match guard::deletion(key, context.allow_destructive) {
        DeletionVerdict::Allowed => wanted,
        DeletionVerdict::Held { why } => Recreation::Held(why),
    }
}

/// Objects of a template without a name. Always reported only.
pub(super) fn unnamed(
    desired: &DesiredTemplate,
    namespace: Option<&str>,
    context: &Context<'_>,
) -> Result<ObjectPlan, BTreeSet<Reference>> {
    let gvk = desired.object.gvk();
    let listed = match context.observed.list(&gvk, namespace) {
        Answer::Found(listed) => listed,
        Answer::NotFound => Vec::new(),
        Answer::NotYetKnown => {
            let namespace = namespace.map(ToOwned::to_owned);
            return Err(BTreeSet::from([Reference { gvk, namespace, name: None }]));
        }
        Answer::KindNotInstalled => return Ok(without_key(other(None, kind_missing_text(&gvk)))),
        Answer::Denied(message) => return Ok(without_key(other(None, message))),
    };
    let rules = rules(desired);
    let mut matching: Vec<&Arc<Manifest>> =
        listed.iter().filter(|existing| compare::matches(&desired.object, existing, &rules)).collect();
    matching.sort_by(|left, right| left.name().cmp(&right.name()));
    let compliance = desired.template.compliance_type;
    // A single one is compared like a named one: the API server tells whether it would change it.
    if let ([existing], true) = (matching.as_slice(), compliance != ComplianceType::MustNotHave)
        && let Some(key) = existing.key()
    {
        let key = ObjectKey { gvk, ..key };
        let informed = Context { remediation: Remediation::Inform, ..*context };
        let none = WrittenLists::default();
        let existing = Arc::clone(existing);
        let planned = present(desired, &desired.object, &key, Arc::clone(&existing), &none, &informed);
        return Ok(ObjectPlan { observed: Some(existing), desired: None, ..planned });
    }
    let names: Vec<String> =
        matching.iter().filter_map(|existing| existing.name().map(ToOwned::to_owned)).collect();
    let (compliant, reason) = match (compliance, names.is_empty(), listed.is_empty()) {
        (ComplianceType::MustNotHave, true, _) => (true, Reason::NotFoundAsExpected),
        (ComplianceType::MustNotHave, false, _) => (false, Reason::FoundButShouldNotExist),
        (_, false, _) => (true, Reason::FoundAsExpected),
        (_, true, true) => (false, Reason::NotFoundButShouldExist),
        (_, true, false) => (false, Reason::FoundButDoesNotMatch),
    };
    let finding =
        Finding { namespace: namespace.map(ToOwned::to_owned), names, compliant, reason, message: None };
    Ok(ObjectPlan { named: matching.into_iter().cloned().collect(), ..without_key(finding) })
}

/// A namespace without any object that must not be there.
pub(super) fn absent(namespace: Option<String>) -> ObjectPlan {
    let reason = Reason::NotFoundAsExpected;
    without_key(Finding { namespace, names: Vec::new(), compliant: true, reason, message: None })
}

pub(super) fn rules(desired: &DesiredTemplate) -> Rules {
    Rules {
        compliance: desired.template.compliance_type,
        metadata: desired.template.metadata_compliance_type.or(match desired.template.compliance_type {
            ComplianceType::MustOnlyHave => Some(MetadataComplianceType::MustOnlyHave),
            ComplianceType::MustHave | ComplianceType::MustNotHave => None,
        }),
    }
}

fn reference(key: &ObjectKey) -> Reference {
    Reference { gvk: key.gvk.clone(), namespace: key.namespace.clone(), name: Some(key.name.clone()) }
}

fn plan(
    key: &ObjectKey,
    desired: Option<&Manifest>,
    compliant: bool,
    reason: Reason,
    step: Step,
) -> ObjectPlan {
    ObjectPlan {
        key: Some(key.clone()),
        desired: desired.cloned(),
        observed: None,
        named: Vec::new(),
        created: false,
        finding: Finding {
            namespace: key.namespace.clone(),
            names: vec![key.name.clone()],
            compliant,
            reason,
            message: None,
        },
        step,
    }
}

pub(super) fn without_key(finding: Finding) -> ObjectPlan {
    ObjectPlan {
        key: None,
        desired: None,
        observed: None,
        named: Vec::new(),
        created: false,
        finding,
        step: Step::Nothing,
    }
}

/// Reason of the condition when an object cannot be compared or changed.
pub(super) const UPDATE_ERROR: &str = "K8s update template error";

/// A fault that is told of no object.
pub(super) fn other(key: Option<&ObjectKey>, message: String) -> Finding {
    told(key, "K8s error", message)
}

/// A finding with a message of its own.
pub(super) fn told(key: Option<&ObjectKey>, reason: &str, message: String) -> Finding {
    Finding {
        namespace: key.and_then(|key| key.namespace.clone()),
        names: key.map(|key| key.name.clone()).into_iter().collect(),
        compliant: false,
        reason: Reason::Other { reason: reason.to_owned() },
        message: Some(message),
    }
}

pub(super) fn kind_missing_text(gvk: &GroupVersionKind) -> String {
    format!(
        "couldn't find mapping resource with kind {} in API version {}, please check if you have CRD deployed",
        gvk.kind,
        gvk.api_version()
    )
}

fn kind_missing(key: &ObjectKey) -> ObjectPlan {
    ObjectPlan { key: Some(key.clone()), ..without_key(other(Some(key), kind_missing_text(&key.gvk))) }
}

fn denied(key: &ObjectKey, index: usize, message: &str) -> ObjectPlan {
    let text = format!("Error retrieving an object for object-template at index [{index}]: {message}");
    let finding = told(Some(key), "api error", text);
    ObjectPlan { key: Some(key.clone()), ..without_key(finding) }
}
