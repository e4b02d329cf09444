//! When a check is looked at again (`spec.evaluationInterval`): takes the check, its plan and the last look at it, gives
//! whether it rests.
//!
//! A policy with an interval is not carried out before its time, whatever changes on the cluster, unless the policy itself
//! changed, or the namespaces that it is about. Looks are kept in the inventory, so that a restart does not wake what rests.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::api::ocm::configuration_policy_status::{ConfigurationCompliance, ConfigurationPolicyStatus};
use crate::pipeline::config::go_duration::GoDuration;
use crate::pipeline::plan::CheckPlan;
use crate::pipeline::plan::inventory::Look;
use crate::pipeline::policy::checks::Check;

/// A shorter interval than this is not kept over a restart: that would cost a write for every look.
const WORTH_KEEPING: Duration = Duration::from_secs(60);

/// What came of a check before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Last {
    /// Its status.
    pub status: ConfigurationPolicyStatus,
    /// The look at it, if it may rest.
    pub look: Option<Look>,
}

impl Last {
    /// What came of a check now.
    pub fn of(check: &Check, plan: &CheckPlan, status: ConfigurationPolicyStatus) -> Self {
        Self { look: look(check, plan, &status), status }
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

/// How long a check rests after a look.
enum Pause {
    /// Not at all: it is watched.
    None,
    /// So long.
    For(GoDuration),
    /// It is not looked at again.
    Forever,
}

fn pause(check: &Check, compliant: bool) -> Pause {
    let interval = &check.policy.spec.evaluation_interval;
    match if compliant { interval.compliant.as_str() } else { interval.noncompliant.as_str() } {
        "" | "watch" => Pause::None,
        "never" => Pause::Forever,
        // What is no duration is as if nothing was said.
        duration => duration.parse().map_or(Pause::None, Pause::For),
    }
}

/// A digest of what a look at a check is about.
fn subject(check: &Check, plan: &CheckPlan) -> String {
    let objects = plan.templates.iter().flat_map(|template| &template.objects);
    let namespaces: BTreeSet<&str> =
        objects.filter_map(|object| object.finding.namespace.as_deref()).collect();
    let digest = Sha256::digest(format!("{}\n{namespaces:?}", check.definition));
    // Writing to a String cannot fail.
    digest.iter().take(12).fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// The look that a check has now had; `None` where it does not rest after it.
fn look(check: &Check, plan: &CheckPlan, status: &ConfigurationPolicyStatus) -> Option<Look> {
    let compliant = match status.compliant {
        Some(ConfigurationCompliance::Compliant) => true,
        Some(ConfigurationCompliance::NonCompliant) => false,
        Some(ConfigurationCompliance::Pending | ConfigurationCompliance::Terminating) | None => return None,
    };
    match pause(check, compliant) {
        _ if awaits_deletion(status) => None,
        Pause::None => None,
        Pause::For(_) | Pause::Forever => {
            Some(Look { at: status.last_evaluated.clone(), compliant, of: subject(check, plan) })
        }
    }
}

/// Whether a look is worth a write to the hub.
pub fn is_worth_keeping(check: &Check, look: &Look) -> bool {
    match pause(check, look.compliant) {
        Pause::None => false,
        Pause::For(duration) => {
            Duration::try_from(duration.signed()).is_ok_and(|duration| duration >= WORTH_KEEPING)
        }
        Pause::Forever => true,
    }
}

/// Whether a check rests at `now`.
pub fn rest(check: &Check, plan: &CheckPlan, last: Option<&Look>, now: Timestamp) -> Rest {
    let Some(last) = last else { return Rest::None };
    let pause = pause(check, last.compliant);
    if matches!(pause, Pause::None) || last.of != subject(check, plan) {
        return Rest::None;
    }
    match (pause, last.at.parse::<Timestamp>()) {
        (Pause::None, _) | (Pause::For(_), Err(_)) => Rest::None,
        (Pause::Forever, _) => Rest::Forever,
        (Pause::For(duration), Ok(at)) => match at.checked_add(duration.signed()) {
            Ok(due) if due > now => Rest::Until(due),
            Ok(_) | Err(_) => Rest::None,
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
    use serde_json::{Value, json};

    use super::*;
    use crate::api::ocm::configuration_policy::RecordDiff;
    use crate::pipeline::compliance::{Finding, Reason};
    use crate::pipeline::plan::{ObjectPlan, ObjectTemplatePlan, Step};
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
        let status: ConfigurationPolicyStatus =
            serde_json::from_value(json!({"compliant": state, "lastEvaluated": "2024-05-06T07:00:00Z"}))
                .unwrap();
        let last = Last::of(&check, &plan, status.clone()).look;
        let now = "2024-05-06T07:00:30Z".parse().unwrap();
        assert_eq!(rest(&check, &plan, last.as_ref(), now), expected);
        let mut edited = check.clone();
        edited.definition["spec"]["severity"] = json!("low");
        assert_eq!(rest(&edited, &plan, last.as_ref(), now), Rest::None, "the policy changed");
        let deleting = json!([{"conditions": [{"message": "x timed out waiting for the object to delete during recreate"}]}]);
        let deleting = ConfigurationPolicyStatus {
            compliancy_details: serde_json::from_value(deleting).unwrap(),
            ..status
        };
        assert_eq!(Last::of(&check, &plan, deleting).look, None, "what is being deleted is waited for");
    }

    #[test]
    fn other_namespaces_wake_a_check() {
        let check = check(&json!({"compliant": "never"}));
        let about = |namespace: &str| CheckPlan {
            name: "a".to_owned(),
            templates: vec![ObjectTemplatePlan {
                plural: "pods".to_owned(),
                gvk: None,
                record_diff: RecordDiff::InStatus,
                objects: vec![ObjectPlan {
                    key: None,
                    desired: None,
                    observed: None,
                    named: Vec::new(),
                    created: false,
                    finding: Finding {
                        namespace: Some(namespace.to_owned()),
                        names: Vec::new(),
                        compliant: true,
                        reason: Reason::FoundAsExpected,
                        message: None,
                    },
                    step: Step::Nothing,
                }],
            }],
            prune: Vec::new(),
            claims: Vec::new(),
            notes: Vec::new(),
            sensitive: false,
        };
        let status = ConfigurationPolicyStatus {
            compliant: Some(ConfigurationCompliance::Compliant),
            ..ConfigurationPolicyStatus::default()
        };
        let last = Last::of(&check, &about("one"), status).look;
        let now = "2024-05-06T07:00:30Z".parse().unwrap();
        assert_eq!(rest(&check, &about("one"), last.as_ref(), now), Rest::Forever);
        assert_eq!(rest(&check, &about("two"), last.as_ref(), now), Rest::None);
    }

    #[rstest]
    #[case::never(json!({"compliant": "never"}), true)]
    #[case::long(json!({"compliant": "1h"}), true)]
    #[case::short(json!({"compliant": "10s"}), false)]
    #[case::of_the_other_state(json!({"noncompliant": "never"}), false)]
    fn what_rests_long_is_kept(#[case] interval: Value, #[case] expected: bool) {
        let look = Look { at: "2024-05-06T07:00:00Z".to_owned(), compliant: true, of: String::new() };
        assert_eq!(is_worth_keeping(&check(&interval), &look), expected);
    }
}
