//! When a check is looked at again (`spec.evaluationInterval`): takes the check, its plan and what came of it before, gives
//! whether it rests.
//!
//! A policy with an interval is not carried out before its time, whatever changes on the cluster, unless the policy itself
//! changed, or the namespaces that it is about.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::ocm::configuration_policy_status::{ConfigurationCompliance, ConfigurationPolicyStatus};
use crate::pipeline::config::go_duration::GoDuration;
use crate::pipeline::plan::CheckPlan;
use crate::pipeline::policy::checks::Check;

/// What came of a check before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Last {
    /// Its status.
    pub status: ConfigurationPolicyStatus,
    /// The namespaces that it was about.
    pub namespaces: BTreeSet<String>,
}

/// Whether a check rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// It does not.
    None,
    /// Until then.
    Until(Timestamp),
    /// Until the policy changes.
    Forever,
}

/// The namespaces that a plan is about.
pub fn namespaces(plan: &CheckPlan) -> BTreeSet<String> {
    let objects = plan.templates.iter().flat_map(|template| &template.objects);
    objects.filter_map(|object| object.finding.namespace.clone()).collect()
}

/// Whether a check rests at `now`.
pub fn rest(check: &Check, plan: &CheckPlan, last: &Last, generation: i64, now: Timestamp) -> Rest {
    let interval = &check.policy.spec.evaluation_interval;
    let (wanted, known) = match last.status.compliant {
        Some(ConfigurationCompliance::Compliant) => (interval.compliant.as_str(), true),
        Some(ConfigurationCompliance::NonCompliant) => (interval.noncompliant.as_str(), true),
        Some(ConfigurationCompliance::Pending | ConfigurationCompliance::Terminating) | None => ("", false),
    };
    let changed = last.status.last_evaluated_generation != generation || last.namespaces != namespaces(plan);
    if !known || changed || awaits_deletion(&last.status) {
        return Rest::None;
    }
    match wanted {
        "" | "watch" => Rest::None,
        "never" => Rest::Forever,
        duration => match (duration.parse::<GoDuration>(), last.status.last_evaluated.parse::<Timestamp>()) {
            (Ok(duration), Ok(last)) => match last.checked_add(duration.signed()) {
                Ok(due) if due > now => Rest::Until(due),
                Ok(_) | Err(_) => Rest::None,
            },
            // What is no duration is as if nothing was said.
            (Err(_), _) | (_, Err(_)) => Rest::None,
        },
    }
}

/// Whether an object is being deleted to be created again: that does not wait.
fn awaits_deletion(status: &ConfigurationPolicyStatus) -> bool {
    status.compliancy_details.iter().flat_map(|detail| &detail.conditions).any(|condition| {
        condition.message.contains("timed out waiting for the object to delete during recreate")
    })
}
