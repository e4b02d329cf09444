//! The conditions of a Placement, with upstream's reasons and messages.

use jiff::Timestamp;

use super::scope::Misconfiguration;
use crate::api::ocm::cluster::Condition;

/// Type of the condition that says whether all decisions could be made.
pub const SATISFIED: &str = "PlacementSatisfied";
/// Type of the condition that says whether the Placement can be evaluated.
pub const MISCONFIGURED: &str = "PlacementMisconfigured";

/// What `PlacementSatisfied` is worked out from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// `spec.clusterSets`.
    pub requested_sets: Vec<String>,
    /// Bound and requested sets.
    pub eligible_sets: Vec<String>,
    /// Bindings of existing sets in the namespace.
    pub bindings: usize,
    /// Clusters in the eligible sets.
    pub available: usize,
    /// Selected clusters.
    pub selected: usize,
    /// Decisions that `numberOfClusters` asks for and that could not be made.
    pub unscheduled: usize,
    /// Why the Placement could not be evaluated, if so.
    pub unjudged: Option<String>,
    /// What people should know besides.
    pub note: Option<String>,
}

/// `PlacementSatisfied`, without its time.
pub fn satisfied(outcome: &Outcome) -> Condition {
    let (status, reason, message) = if outcome.bindings == 0 {
        (
            "False",
            "NoManagedClusterSetBindings",
            "No valid ManagedClusterSetBindings found in placement namespace".to_owned(),
        )
    } else if outcome.eligible_sets.is_empty() {
        let sets = outcome.requested_sets.join(",");
        (
            "False",
            "NoIntersection",
            format!("None of ManagedClusterSets [{sets}] is bound to placement namespace"),
        )
    } else if outcome.available == 0 {
        let sets = outcome.eligible_sets.join(",");
        (
            "False",
            "AllManagedClusterSetsEmpty",
            format!("All ManagedClusterSets [{sets}] have no member ManagedCluster"),
        )
    } else if let Some(message) = &outcome.unjudged {
        ("False", "NotAllDecisionsScheduled", message.clone())
    } else if outcome.selected == 0 {
        (
            "False",
            "NoManagedClusterMatched",
            "No ManagedCluster matches any of the cluster predicate".to_owned(),
        )
    } else if outcome.unscheduled == 0 {
        ("True", "AllDecisionsScheduled", "All cluster decisions scheduled".to_owned())
    } else {
        (
            "False",
            "NotAllDecisionsScheduled",
            format!("{} cluster decisions unscheduled", outcome.unscheduled),
        )
    };
    let message = match &outcome.note {
        Some(note) => format!("{message}; {note}"),
        None => message,
    };
    condition(SATISFIED, status, reason, message)
}

/// `PlacementMisconfigured`, without its time.
pub fn misconfigured(fault: Option<&Misconfiguration>) -> Condition {
    match fault {
        Some(Misconfiguration { plugin, message }) => {
            condition(MISCONFIGURED, "True", "Misconfigured", format!("{plugin}:{message}"))
        }
        None => condition(
            MISCONFIGURED,
            "False",
            "Succeedconfigured",
            "Placement configurations check pass".to_owned(),
        ),
    }
}

fn condition(condition_type: &str, status: &str, reason: &str, message: String) -> Condition {
    Condition {
        condition_type: condition_type.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: None,
    }
}

/// Gives the condition the time of its last change of status: the recorded one, or now.
pub fn stamped(mut condition: Condition, recorded: &[Condition], now: Timestamp) -> Condition {
    let unchanged = recorded
        .iter()
        .find(|old| old.condition_type == condition.condition_type && old.status == condition.status);
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    condition.last_transition_time =
        unchanged.and_then(|old| old.last_transition_time.clone()).or_else(|| Some(seconds.to_string()));
    condition
}
