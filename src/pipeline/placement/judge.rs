//! One cluster against one Placement: cheap enough to run on every label change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::scope::Scope;
use super::taint::{Tolerance, tolerance};
use super::verdict::{InReason, Mismatch, MismatchSource, OutReason, Verdict};
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::placement::{Placement, Predicate};
use crate::api::selector::Requirement;

/// A verdict, and when it must be looked at again even if nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The verdict.
    pub verdict: Verdict,
    /// When a toleration with `tolerationSeconds` runs out.
    pub until: Option<Timestamp>,
}

/// Whether the Placement selects the cluster, leaving `numberOfClusters` aside: that needs all clusters, see
/// [`super::decide`]. `already_selected` says whether the existing decision names the cluster.
pub fn judge(
    placement: &Placement,
    cluster: &ManagedCluster,
    scope: &Scope,
    already_selected: bool,
    now: Timestamp,
) -> Verdict {
    assess(placement, cluster, scope, already_selected, now).verdict
}

/// As [`judge`], with the time at which the verdict ends by itself.
pub fn assess(
    placement: &Placement,
    cluster: &ManagedCluster,
    scope: &Scope,
    already_selected: bool,
    now: Timestamp,
) -> Assessment {
    let out = |reason| Assessment { verdict: Verdict::Out(reason), until: None };
    if scope.is_scheduling_disabled() {
        return if already_selected {
            Assessment { verdict: Verdict::In(InReason::WrittenByHand), until: None }
        } else {
            out(OutReason::SchedulingDisabled)
        };
    }
    if cluster.metadata.deletion_timestamp.is_some() {
        return out(OutReason::Deleting);
    }
    if let Some(fault) = scope.misconfiguration() {
        return out(OutReason::Misconfigured { message: fault.message.clone() });
    }
    let Some(set) = scope.set_holding(cluster) else {
        return out(scope.reason_outside(cluster));
    };
    let reason = match match_predicates(&placement.spec.predicates, cluster, set) {
        Ok(reason) => reason,
        Err(reason) => return out(reason),
    };
    let mut until: Option<Timestamp> = None;
    for taint in &cluster.spec.taints {
        match tolerance(taint, &placement.spec.tolerations, already_selected, now) {
            Tolerance::Unlimited => {}
            Tolerance::Until(end) => until = Some(until.map_or(end, |earlier| earlier.min(end))),
            Tolerance::No => {
                return out(OutReason::Tainted {
                    key: taint.key.clone(),
                    value: taint.value.clone(),
                    effect: taint.effect,
                });
            }
        }
    }
    Assessment { verdict: Verdict::In(reason), until }
}

/// Any predicate may match; all parts of one must.
fn match_predicates(
    predicates: &[Predicate],
    cluster: &ManagedCluster,
    set: &str,
) -> Result<InReason, OutReason> {
    if predicates.is_empty() {
        return Ok(InReason::WholeSet { set: set.to_owned() });
    }
    let claims: BTreeMap<String, String> =
        cluster.status.cluster_claims.iter().map(|claim| (claim.name.clone(), claim.value.clone())).collect();
    let mut failed = Vec::new();
    let mut uses_cel = false;
    for predicate in predicates {
        let mismatches = mismatches(predicate, &cluster.metadata.labels, &claims);
        if !mismatches.is_empty() {
            failed.push(mismatches);
        } else if has_cel(predicate) {
            uses_cel = true;
        } else {
            let requirements = requirements(predicate).map(|(_, requirement)| requirement.to_string());
            return Ok(InReason::Predicate { set: set.to_owned(), requirements: requirements.collect() });
        }
    }
    if uses_cel {
        return Err(OutReason::UnsupportedCel);
    }
    // Without any report, a claim that does not fit says nothing about the cluster.
    let only_lacks_claims = |predicate: &&Vec<Mismatch>| {
        predicate.iter().all(|mismatch| mismatch.source == MismatchSource::Claim)
    };
    match failed.iter().find(only_lacks_claims).and_then(|predicate| predicate.first()) {
        Some(mismatch) if claims.is_empty() => {
            Err(OutReason::ClaimsNotReported { needed: mismatch.needed.clone() })
        }
        _ => Err(OutReason::PredicateMismatch { predicates: failed }),
    }
}

fn requirements(predicate: &Predicate) -> impl Iterator<Item = (MismatchSource, Requirement)> {
    let selector = &predicate.required_cluster_selector;
    let labels = selector.label_selector.requirements().into_iter();
    let claims = selector.claim_selector.match_expressions.iter().cloned();
    labels
        .map(|requirement| (MismatchSource::Label, requirement))
        .chain(claims.map(|requirement| (MismatchSource::Claim, requirement)))
}

fn mismatches(
    predicate: &Predicate,
    labels: &BTreeMap<String, String>,
    claims: &BTreeMap<String, String>,
) -> Vec<Mismatch> {
    requirements(predicate)
        .filter_map(|(source, requirement)| {
            let values = match source {
                MismatchSource::Label => labels,
                MismatchSource::Claim => claims,
            };
            (!requirement.matches(values)).then(|| Mismatch {
                source,
                found: values.get(&requirement.key).cloned(),
                needed: requirement.to_string(),
                key: requirement.key,
            })
        })
        .collect()
}

fn has_cel(predicate: &Predicate) -> bool {
    predicate
        .required_cluster_selector
        .other
        .get("celSelector")
        .and_then(|selector| selector.get("celExpressions"))
        .and_then(Value::as_array)
        .is_some_and(|expressions| !expressions.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scope::scope;
    use super::*;
    use crate::api::ocm::cluster::ManagedClusterSetBinding;

    fn verdict(predicates: &Value, cluster: Value) -> Verdict {
        let placement: Placement = serde_json::from_value(
            json!({"metadata": {"name": "p", "namespace": "ns"}, "spec": {"predicates": predicates}}),
        )
        .unwrap();
        let binding: ManagedClusterSetBinding = serde_json::from_value(
            json!({"metadata": {"name": "default", "namespace": "ns"}, "spec": {"clusterSet": "default"}}),
        )
        .unwrap();
        let cluster: ManagedCluster = serde_json::from_value(cluster).unwrap();
        judge(&placement, &cluster, &scope(&placement, [], [&binding]), false, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_three_gestures_select_by_label() {
        let backup = json!([{"requiredClusterSelector": {"labelSelector": {"matchExpressions":
            [{"key": "acm-pv-dr", "operator": "In", "values": ["backup"]}]}}}]);
        let with = |value: &str| json!({"metadata": {"name": "c1", "labels": {"acm-pv-dr": value}}});
        assert_eq!(
            verdict(&backup, with("backup")).to_string(),
            "in cluster set \"default\", acm-pv-dr in [backup]"
        );
        let out = verdict(&backup, with("x"));
        assert_eq!(out.to_string(), "label acm-pv-dr is \"x\", needed: acm-pv-dr in [backup]");
        assert!(out.is_deliberately_out());
        let restore = json!([{"requiredClusterSelector": {"labelSelector": {"matchExpressions":
            [{"key": "acm-app-restore", "operator": "Exists"}]}}}]);
        let out = verdict(&restore, with("backup"));
        assert_eq!(out.to_string(), "label acm-app-restore is not set, needed: acm-app-restore exists");
    }

    #[test]
    fn an_unknown_expression_hides_only_what_it_could_change() {
        let cel = |label: &str| {
            json!([
                {"requiredClusterSelector": {"labelSelector": {"matchLabels": {"a": label}},
                    "celSelector": {"celExpressions": ["true"]}}},
                {"requiredClusterSelector": {"labelSelector": {"matchLabels": {"b": "1"}}}}
            ])
        };
        let cluster = json!({"metadata": {"name": "c", "labels": {"a": "1"}}});
        assert_eq!(verdict(&cel("1"), cluster.clone()), Verdict::Out(OutReason::UnsupportedCel));
        assert!(verdict(&cel("2"), cluster).is_deliberately_out());
        let other = json!({"metadata": {"name": "c", "labels": {"a": "1", "b": "1"}}});
        assert!(verdict(&cel("1"), other).is_in());
    }

    #[test]
    fn a_silent_cluster_has_not_chosen_its_claims() {
        let predicates = json!([{"requiredClusterSelector": {"claimSelector": {"matchExpressions":
            [{"key": "cloud", "operator": "In", "values": ["Amazon"]}]}}}]);
        let cluster = |claims: Value| json!({"metadata": {"name": "c"}, "status": {"clusterClaims": claims}});
        let silent = verdict(&predicates, cluster(json!([])));
        assert!(!silent.is_in() && !silent.is_deliberately_out(), "{silent}");
        let other = verdict(&predicates, cluster(json!([{"name": "cloud", "value": "Google"}])));
        assert_eq!(other.to_string(), "claim cloud is \"Google\", needed: cloud in [Amazon]");
        assert!(other.is_deliberately_out());
        assert!(verdict(&predicates, cluster(json!([{"name": "cloud", "value": "Amazon"}]))).is_in());
    }
}
