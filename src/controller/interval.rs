//! When a check is looked at again (`spec.evaluationInterval`): takes the check, its plan and what came of it before, gives
//! whether it rests.
//!
//! A policy with an interval is not carried out before its time, whatever changes on the cluster, unless the policy itself
//! changed, or the namespaces that it is about.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

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
    /// The check as it stood then.
    pub definition: Value,
}

impl Last {
    /// What came of a check now.
    pub fn of(check: &Check, plan: &CheckPlan, status: ConfigurationPolicyStatus) -> Self {
        Self { status, namespaces: namespaces(plan), definition: check.definition.clone() }
    }
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
fn namespaces(plan: &CheckPlan) -> BTreeSet<String> {
    let objects = plan.templates.iter().flat_map(|template| &template.objects);
    objects.filter_map(|object| object.finding.namespace.clone()).collect()
}

/// Whether a check rests at `now`.
pub fn rest(check: &Check, plan: &CheckPlan, last: &Last, now: Timestamp) -> Rest {
    let interval = &check.policy.spec.evaluation_interval;
    let (wanted, known) = match last.status.compliant {
        Some(ConfigurationCompliance::Compliant) => (interval.compliant.as_str(), true),
        Some(ConfigurationCompliance::NonCompliant) => (interval.noncompliant.as_str(), true),
        Some(ConfigurationCompliance::Pending | ConfigurationCompliance::Terminating) | None => ("", false),
    };
    let changed = last.definition != check.definition || last.namespaces != namespaces(plan);
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::pipeline::policy::checks;

    fn check(interval: &Value) -> Check {
        let definition = json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
            "metadata": {"name": "a"}, "spec": {"remediationAction": "inform", "evaluationInterval": interval}});
        checks::read(0, &definition, None).unwrap()
    }

    #[rstest]
    #[case::watch(json!({"compliant": "watch"}), "Compliant", Rest::None)]
    #[case::nothing(json!({}), "Compliant", Rest::None)]
    #[case::never(json!({"compliant": "never"}), "Compliant", Rest::Forever)]
    #[case::of_the_other_state(json!({"compliant": "never"}), "NonCompliant", Rest::None)]
    #[case::not_yet(json!({"noncompliant": "1h"}), "NonCompliant", Rest::Until("2024-05-06T08:00:00Z".parse().unwrap()))]
    #[case::again(json!({"noncompliant": "10s"}), "NonCompliant", Rest::None)]
    #[case::no_duration(json!({"compliant": "often"}), "Compliant", Rest::None)]
    #[case::terminating(json!({"noncompliant": "never"}), "Terminating", Rest::None)]
    fn a_check_rests_as_it_says(#[case] interval: Value, #[case] state: &str, #[case] expected: Rest) {
        let check = check(&interval);
        let plan = CheckPlan {
            name: "a".to_owned(),
            templates: Vec::new(),
            prune: Vec::new(),
            claims: Vec::new(),
            notes: Vec::new(),
            sensitive: false,
        };
        let status =
            serde_json::from_value(json!({"compliant": state, "lastEvaluated": "2024-05-06T07:00:00Z"}));
        let last = Last::of(&check, &plan, status.unwrap());
        let now = "2024-05-06T07:00:30Z".parse().unwrap();
        assert_eq!(rest(&check, &plan, &last, now), expected);
        let moved = Last { namespaces: BTreeSet::from(["other".to_owned()]), ..last.clone() };
        assert_eq!(rest(&check, &plan, &moved, now), Rest::None, "its namespaces changed");
        let edited = Last { definition: Value::Null, ..last };
        assert_eq!(rest(&check, &plan, &edited, now), Rest::None, "the policy changed");
    }
}
