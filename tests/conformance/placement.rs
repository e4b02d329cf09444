//! Placements to clusters, decisions and conditions.

use std::collections::{BTreeMap, BTreeSet};

use flotilla::api::ocm::cluster::{Condition, ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding};
use flotilla::api::ocm::names::PLACEMENT_LABEL;
use flotilla::api::ocm::placement::{AddOnPlacementScore, Placement, PlacementDecision};
use flotilla::pipeline::placement::conditions::{Outcome, misconfigured, satisfied};
use flotilla::pipeline::placement::rank::{Ranking, ranking};
use flotilla::pipeline::placement::scope::Misconfiguration;
use flotilla::pipeline::placement::surroundings::ScoreMap;
use flotilla::pipeline::placement::{
    Decisions, Scope, Scores, Surroundings, decide, decision_objects, scope,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cases;

#[derive(Deserialize)]
struct Case {
    placement: Placement,
    clusters: Vec<Value>,
    #[serde(default)]
    cluster_sets: Vec<ManagedClusterSet>,
    #[serde(default)]
    bindings: Vec<ManagedClusterSetBinding>,
    #[serde(default)]
    existing: Vec<Value>,
    now: Option<Timestamp>,
    expected_clusters: Option<Vec<String>>,
    expected_cluster_sets: Option<Vec<String>>,
    expected_decisions: Option<Vec<ExpectedDecision>>,
    scores: Option<BTreeMap<String, BTreeMap<String, i64>>>,
    unscheduled: Option<usize>,
    misconfigured: Option<String>,
    satisfied_reason: Option<String>,
    requeue_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ExpectedDecision {
    name: String,
    group_index: String,
    group_name: String,
    clusters: Option<Vec<String>>,
    count: Option<usize>,
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn clusters(values: &[Value]) -> Vec<ManagedCluster> {
    let mut clusters = Vec::new();
    for value in values {
        let Some(rule) = value.get("generate") else {
            clusters.push(read(value));
            continue;
        };
        let number = |field: &str| rule[field].as_u64().unwrap();
        for index in number("from")..=number("to") {
            let name = format!("{}{index}", rule["name_prefix"].as_str().unwrap());
            clusters.push(read(&json!({"metadata": {"name": name, "labels": rule["labels"]}})));
        }
    }
    clusters
}

/// What the hub has beside the Placement and the clusters.
#[derive(Default)]
struct Existing {
    previous: BTreeSet<String>,
    elsewhere: BTreeMap<String, usize>,
    scores: ScoreMap,
}

fn existing(case: &Case) -> Existing {
    let mut existing = Existing::default();
    for object in &case.existing {
        match object["kind"].as_str() {
            Some("PlacementDecision") => {
                let decision: PlacementDecision = read(object);
                let own = decision.metadata.labels.get(PLACEMENT_LABEL)
                    == Some(&case.placement.metadata.name)
                    && decision.metadata.namespace == case.placement.metadata.namespace;
                for decided in decision.status.decisions {
                    if own {
                        existing.previous.insert(decided.cluster_name);
                    } else {
                        *existing.elsewhere.entry(decided.cluster_name).or_default() += 1;
                    }
                }
            }
            Some("AddOnPlacementScore") => {
                let score: AddOnPlacementScore = read(object);
                let key = (score.metadata.namespace.clone(), score.metadata.name.clone());
                existing.scores.insert(key, score);
            }
            other => panic!("an existing object of kind {other:?}"),
        }
    }
    existing
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}

fn check(case: &Case) -> Result<(), String> {
    let clusters = clusters(&case.clusters);
    let existing = existing(case);
    let scope = scope(&case.placement, &case.cluster_sets, &case.bindings);
    let now = case.now.unwrap_or(Timestamp::UNIX_EPOCH);
    let around =
        Surroundings { scores: Scores::Known(&existing.scores), decided_elsewhere: &existing.elsewhere };
    let decisions = decide(&case.placement, &clusters, &scope, &existing.previous, &around, now);
    check_selection(case, &scope, &decisions)?;
    if let Some(expected) = &case.scores {
        let selected: Vec<&ManagedCluster> =
            clusters.iter().filter(|of| decisions.selected.contains(&of.metadata.name)).collect();
        let policy = &case.placement.spec.prioritizer_policy;
        let again = || ranking(policy, &selected, &existing.previous, &around, now);
        let Ranking { scores, .. } = decisions.ranking.clone().map_or_else(again, Ok)?;
        for (prioritizer, expected) in expected {
            let found = scores.get(prioritizer).cloned().unwrap_or_default();
            same(&format!("scores of {prioritizer}"), &found, expected)?;
        }
    }
    let Some(expected) = &case.expected_decisions else { return Ok(()) };
    let objects = decision_objects(&case.placement, &decisions.groups);
    same("number of decisions", &objects.len(), &expected.len())?;
    objects.iter().zip(expected).try_for_each(|(object, expected)| check_decision(case, object, expected))
}

fn check_selection(case: &Case, scope: &Scope, decisions: &Decisions) -> Result<(), String> {
    let condition = |index: usize| &decisions.conditions[index];
    if let Some(expected) = &case.expected_clusters {
        same("clusters", &decisions.selected, expected)
            .map_err(|fault| format!("{fault}: {:?}", decisions.verdicts))?;
    }
    if let Some(expected) = &case.expected_cluster_sets {
        same("cluster sets", &scope.eligible_sets(), expected)?;
    }
    if let Some(expected) = &case.unscheduled {
        same("unscheduled", &decisions.unscheduled, expected)?;
    }
    match &case.misconfigured {
        Some(message) => {
            let found = condition(0).message.split_once(':').map(|(_, message)| message.to_owned());
            same("misconfigured", &found, &Some(message.clone()))?;
        }
        None => same("misconfigured", &condition(0).status.as_str(), &"False")?,
    }
    if let Some(reason) = &case.satisfied_reason {
        same("reason", &condition(1).reason, reason)?;
    }
    if case.requeue_at.is_some() {
        same("requeue", &decisions.requeue_at, &case.requeue_at)?;
    }
    Ok(())
}

fn check_decision(case: &Case, object: &Value, expected: &ExpectedDecision) -> Result<(), String> {
    let decision: PlacementDecision = read(object);
    let labels = &decision.metadata.labels;
    let group = |part: &str| &labels[&format!("cluster.open-cluster-management.io/decision-group-{part}")];
    let names: Vec<_> = decision.status.decisions.iter().map(|of| of.cluster_name.clone()).collect();
    same("name", &decision.metadata.name, &expected.name)?;
    same("placement", &labels[PLACEMENT_LABEL], &case.placement.metadata.name)?;
    same("group index", group("index"), &expected.group_index)?;
    same("group name", group("name"), &expected.group_name)?;
    if let Some(expected) = &expected.clusters {
        same("clusters of a decision", &names, expected)?;
    }
    if let Some(expected) = &expected.count {
        same("clusters of a decision", &names.len(), expected)?;
    }
    Ok(())
}

fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

#[test]
fn placements_select_clusters() {
    let results: Vec<_> =
        cases::rows("placement/cases.jsonl").iter().map(|row| (id(row), check(&read(row)))).collect();
    cases::all_agree("placement", &results);
}

fn condition(row: &Value) -> Result<(), String> {
    let condition: Condition = if let Some(status) = row.get("status") {
        let fault = (status["code"] == "Misconfigured").then(|| Misconfiguration {
            plugin: "plugin",
            message: status["message"].as_str().unwrap().to_owned(),
        });
        misconfigured(fault.as_ref())
    } else {
        let number = |field: &str| usize::try_from(row[field].as_u64().unwrap()).unwrap();
        satisfied(&Outcome {
            requested_sets: read(&row["clusterSetsInSpec"]),
            eligible_sets: read(&row["eligibleClusterSets"]),
            bindings: number("numOfBindings"),
            available: number("numOfAvailableClusters"),
            selected: number("numOfFeasibleClusters"),
            unscheduled: number("numOfUnscheduledDecisions"),
            unjudged: None,
            note: None,
        })
    };
    let found = serde_json::to_value(condition).unwrap();
    row["expected"]
        .as_object()
        .unwrap()
        .iter()
        .try_for_each(|(field, expected)| same(field, &found[field], expected))
}

#[test]
fn conditions_tell_the_outcome() {
    let results: Vec<_> =
        cases::rows("placement/conditions.jsonl").iter().map(|row| (id(row), condition(row))).collect();
    cases::all_agree("placement/conditions", &results);
}
