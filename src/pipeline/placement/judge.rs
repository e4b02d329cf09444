//! One cluster against one Placement: cheap enough to run on every label change.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::cel::Answer;
use super::requirements;
use super::scope::Scope;
use super::surroundings::{Scores, Surroundings};
use super::taint::{Tolerance, tolerance};
use super::verdict::{InReason, Mismatch, MismatchSource, OutReason, Verdict};
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::placement::{Placement, Predicate};

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
    around: &Surroundings<'_>,
    now: Timestamp,
) -> Verdict {
    assess(placement, cluster, scope, already_selected, around, now).verdict
}

/// As [`judge`], with the time at which the verdict ends by itself.
pub fn assess(
    placement: &Placement,
    cluster: &ManagedCluster,
    scope: &Scope,
    already_selected: bool,
    around: &Surroundings<'_>,
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
        let message = fault.message.clone();
        return if already_selected {
            let why = format!("the Placement is misconfigured: {message}");
            Assessment { verdict: Verdict::In(InReason::Kept { why }), until: None }
        } else {
            out(OutReason::Misconfigured { message })
        };
    }
    let Some(set) = scope.set_holding(cluster) else {
        return out(scope.reason_outside(cluster));
    };
    let look = Look { cluster, scope, scores: around.scores, already_selected, now };
    let reason = match match_predicates(&placement.spec.predicates, &look, set) {
        Ok(reason) => reason,
        Err(reason) => return out(reason),
    };
    let mut until = look.scores_end();
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

/// A cluster, and what its predicates look at beside it.
struct Look<'a> {
    cluster: &'a ManagedCluster,
    scope: &'a Scope,
    scores: Scores<'a>,
    already_selected: bool,
    now: Timestamp,
}

impl Look<'_> {
    /// When the first score that an expression may have seen runs out.
    fn scores_end(&self) -> Option<Timestamp> {
        let Scores::Known(scores) = self.scores else { return None };
        if !self.scope.needs_scores() {
            return None;
        }
        let name = &self.cluster.metadata.name;
        scores
            .range((name.clone(), String::new())..)
            .take_while(|((cluster, _), _)| cluster == name)
            .filter_map(|(_, score)| score.status.valid_until.as_deref()?.parse::<Timestamp>().ok())
            .filter(|until| *until >= self.now)
            // The last instant still counts.
            .filter_map(|until| until.checked_add(jiff::SignedDuration::from_nanos(1)).ok())
            .min()
    }
}

/// What one predicate comes to.
enum Outcome {
    /// It matches.
    Met,
    /// It does not, because of these.
    Unmet(Vec<Mismatch>),
    /// It does not, but nobody chose that.
    Doubtful(OutReason),
    /// It cannot be said now: what was selected stays.
    Unknown(String),
}

/// Any predicate may match; all parts of one must.
fn match_predicates(predicates: &[Predicate], look: &Look<'_>, set: &str) -> Result<InReason, OutReason> {
    if predicates.is_empty() {
        return Ok(InReason::WholeSet { set: set.to_owned() });
    }
    let cluster = look.cluster;
    let claims = requirements::reported(cluster);
    let mut failed = Vec::new();
    let mut doubt = None;
    let mut unknown = None;
    for (index, predicate) in predicates.iter().enumerate() {
        match match_one(index, predicate, look, &claims) {
            Outcome::Met => {
                let selector = &predicate.required_cluster_selector;
                let requirements = requirements::of(&selector.label_selector, &selector.claim_selector)
                    .map(|(_, requirement)| requirement.to_string());
                let expressions = look.scope.expressions(index).iter().map(|of| of.text().to_owned());
                let requirements = requirements.chain(expressions).collect();
                return Ok(InReason::Predicate { set: set.to_owned(), requirements });
            }
            Outcome::Unmet(mismatches) => failed.push(mismatches),
            Outcome::Doubtful(reason) => doubt = doubt.or(Some(reason)),
            Outcome::Unknown(why) => unknown = unknown.or(Some(why)),
        }
    }
    if let Some(why) = unknown {
        return if look.already_selected {
            Ok(InReason::Kept { why })
        } else {
            Err(OutReason::ScoresNotKnown { why })
        };
    }
    if let Some(reason) = doubt {
        return Err(reason);
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

/// Labels and claims first: expressions cost more.
fn match_one(
    index: usize,
    predicate: &Predicate,
    look: &Look<'_>,
    claims: &BTreeMap<String, String>,
) -> Outcome {
    let mismatches = mismatches(predicate, &look.cluster.metadata.labels, claims);
    if !mismatches.is_empty() {
        return Outcome::Unmet(mismatches);
    }
    for expression in look.scope.expressions(index) {
        if let (true, Scores::NotKnown(why)) = (expression.uses_scores(), look.scores) {
            return Outcome::Unknown(why.to_owned());
        }
        let problem = match expression.evaluate(look.cluster, look.scores, look.now) {
            Answer::True => continue,
            Answer::False { chosen: true } => {
                return Outcome::Unmet(vec![Mismatch {
                    source: MismatchSource::Expression,
                    key: expression.text().to_owned(),
                    found: None,
                    needed: "true".to_owned(),
                }]);
            }
            Answer::False { chosen: false } => "it is false".to_owned(),
            Answer::Fault(problem) => problem,
        };
        return Outcome::Doubtful(OutReason::Expression {
            expression: expression.text().to_owned(),
            problem,
        });
    }
    Outcome::Met
}

fn mismatches(
    predicate: &Predicate,
    labels: &BTreeMap<String, String>,
    claims: &BTreeMap<String, String>,
) -> Vec<Mismatch> {
    let selector = &predicate.required_cluster_selector;
    requirements::of(&selector.label_selector, &selector.claim_selector)
        .filter_map(|(source, requirement)| {
            let values = source.values(labels, claims);
            (!requirement.matches(values)).then(|| Mismatch {
                source,
                found: values.get(&requirement.key).cloned(),
                needed: requirement.to_string(),
                key: requirement.key,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
        let scope = scope(&placement, [], [&binding]);
        judge(&placement, &cluster, &scope, false, &Surroundings::NONE, Timestamp::UNIX_EPOCH)
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
    fn an_expression_in_doubt_hides_only_what_it_could_change() {
        let cel = |label: &str| {
            json!([
                {"requiredClusterSelector": {"labelSelector": {"matchLabels": {"a": label}},
                    "celSelector": {"celExpressions": ["managedCluster.status.conditions.size() > 0"]}}},
                {"requiredClusterSelector": {"labelSelector": {"matchLabels": {"b": "1"}}}}
            ])
        };
        let cluster = json!({"metadata": {"name": "c", "labels": {"a": "1"}}});
        let doubtful = verdict(&cel("1"), cluster.clone());
        assert!(matches!(doubtful, Verdict::Out(OutReason::Expression { .. })), "{doubtful}");
        assert!(verdict(&cel("2"), cluster).is_deliberately_out());
        let other = json!({"metadata": {"name": "c", "labels": {"a": "1", "b": "1"}}});
        assert!(verdict(&cel("1"), other).is_in());
    }

    #[test]
    fn an_expression_over_labels_is_a_choice() {
        let predicates = json!([{"requiredClusterSelector": {"celSelector": {"celExpressions":
            ["managedCluster.metadata.labels['stage'] == 'prod'"]}}}]);
        let with = |labels: Value| json!({"metadata": {"name": "c", "labels": labels}});
        assert!(verdict(&predicates, with(json!({"stage": "prod"}))).is_in());
        for labels in [json!({"stage": "test"}), json!({"other": "x"}), json!({})] {
            let out = verdict(&predicates, with(labels));
            assert_eq!(
                out.to_string(),
                "expression managedCluster.metadata.labels['stage'] == 'prod' is false"
            );
            assert!(out.is_deliberately_out());
        }
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
