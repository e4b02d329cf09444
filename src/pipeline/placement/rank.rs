//! Which clusters come first: prioritizers, their weights and scores. Needed only where `numberOfClusters` cannot hold all.
//!
//! Takes the clusters that may be selected, gives each prioritizer's scores and the sum. Source: upstream's scheduling
//! controller and its plugins `steady`, `balance`, `resource` and `addon`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::quantity;
use super::surroundings::{Scores, Surroundings, valid};
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::placement::{PrioritizerConfiguration, PrioritizerPolicy};

const BEST: i64 = 100;
/// The API's bounds of a weight.
const WEIGHTS: std::ops::RangeInclusive<i32> = -10..=10;

/// What gives a score to clusters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prioritizer {
    /// The clusters that are in the decision already.
    Steady,
    /// The clusters that few other decisions have.
    Balance,
    /// The clusters with the most processor time to give.
    AllocatableCpu,
    /// The clusters with the most memory to give.
    AllocatableMemory,
    /// What an add-on says.
    AddOn {
        /// Name of the AddOnPlacementScore.
        resource: String,
        /// Name of the score in it.
        score: String,
    },
}

impl Prioritizer {
    /// The name that upstream gives it.
    fn name(&self) -> String {
        match self {
            Self::Steady => "Steady".to_owned(),
            Self::Balance => "Balance".to_owned(),
            Self::AllocatableCpu => "ResourceAllocatableCPU".to_owned(),
            Self::AllocatableMemory => "ResourceAllocatableMemory".to_owned(),
            Self::AddOn { resource, score } => format!("AddOn/{resource}/{score}"),
        }
    }

    fn of(configuration: &PrioritizerConfiguration) -> Result<Self, String> {
        let coordinate = configuration
            .score_coordinate
            .as_ref()
            .ok_or_else(|| "scoreCoordinate field is required".to_owned())?;
        match (coordinate.coordinate_type.as_str(), &coordinate.add_on) {
            ("" | "BuiltIn", _) => match coordinate.built_in.as_str() {
                "Steady" => Ok(Self::Steady),
                "Balance" => Ok(Self::Balance),
                "ResourceAllocatableCPU" => Ok(Self::AllocatableCpu),
                "ResourceAllocatableMemory" => Ok(Self::AllocatableMemory),
                other => Err(format!("incorrect builtin prioritizer: {other}")),
            },
            ("AddOn", Some(add_on)) => {
                Ok(Self::AddOn { resource: add_on.resource_name.clone(), score: add_on.score_name.clone() })
            }
            ("AddOn", None) => Err("addOn should not be empty".to_owned()),
            (other, _) => Err(format!("incorrect score coordinate type: {other}")),
        }
    }
}

/// The prioritizers of a Placement with their weights; those of weight zero are left out. The error is upstream's where it
/// has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weights(BTreeMap<Prioritizer, i64>);

impl Weights {
    pub(super) fn of(policy: &PrioritizerPolicy) -> Result<Self, String> {
        let mut weights = match policy.mode.as_str() {
            "" | "Additive" => BTreeMap::from([(Prioritizer::Steady, 1), (Prioritizer::Balance, 1)]),
            "Exact" => BTreeMap::new(),
            other => return Err(format!("incorrect prioritizer policy mode: {other}")),
        };
        for configuration in &policy.configurations {
            let weight = configuration.weight.unwrap_or(1);
            if !WEIGHTS.contains(&weight) {
                return Err(format!(
                    "weight {weight} of a prioritizer is not from {} to {}",
                    WEIGHTS.start(),
                    WEIGHTS.end()
                ));
            }
            weights.insert(Prioritizer::of(configuration)?, i64::from(weight));
        }
        weights.retain(|_, weight| *weight != 0);
        Ok(Self(weights))
    }

    /// Whether a score of an add-on counts.
    pub(super) fn ask_add_ons(&self) -> bool {
        self.0.keys().any(|prioritizer| matches!(prioritizer, Prioritizer::AddOn { .. }))
    }

    /// Whether what clusters can give counts.
    pub(super) fn ask_resources(&self) -> bool {
        self.0.keys().any(|of| matches!(of, Prioritizer::AllocatableCpu | Prioritizer::AllocatableMemory))
    }
}

/// Scores of clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranking {
    /// By prioritizer (`Steady`, `AddOn/<resource>/<score>`), then by cluster, without weights.
    pub scores: BTreeMap<String, BTreeMap<String, i64>>,
    /// The weighted sum.
    pub totals: BTreeMap<String, i64>,
    /// When a score that counts runs out.
    pub until: Option<Timestamp>,
}

impl Ranking {
    /// Puts clusters into the order of their scores, the best first; clusters with equal scores by name.
    pub(super) fn sort(&self, names: &mut [String]) {
        names.sort_by_cached_key(|name| {
            (std::cmp::Reverse(self.totals.get(name).copied().unwrap_or_default()), name.clone())
        });
    }
}

/// Scores clusters by a policy, whether or not anything depends on it. The error says what is wrong with the policy.
pub fn ranking(
    policy: &PrioritizerPolicy,
    clusters: &[&ManagedCluster],
    previous: &BTreeSet<String>,
    around: &Surroundings<'_>,
    now: Timestamp,
) -> Result<Ranking, String> {
    Ok(rank(&Weights::of(policy)?, clusters, previous, around, now))
}

/// Scores the clusters. `previous` are those of the existing decision.
pub(super) fn rank(
    weights: &Weights,
    clusters: &[&ManagedCluster],
    previous: &BTreeSet<String>,
    around: &Surroundings<'_>,
    now: Timestamp,
) -> Ranking {
    let mut ranking = Ranking {
        totals: clusters.iter().map(|cluster| (cluster.metadata.name.clone(), 0)).collect(),
        ..Ranking::default()
    };
    for (prioritizer, weight) in &weights.0 {
        let scores = match prioritizer {
            Prioritizer::Steady => steady(clusters, previous),
            Prioritizer::Balance => balance(clusters, around.decided_elsewhere),
            Prioritizer::AllocatableCpu => allocatable(clusters, "cpu"),
            Prioritizer::AllocatableMemory => allocatable(clusters, "memory"),
            Prioritizer::AddOn { resource, score } => {
                let (scores, until) = add_on(clusters, resource, score, around, now);
                ranking.until = [ranking.until, until].into_iter().flatten().min();
                scores
            }
        };
        for (cluster, score) in &scores {
            let total = ranking.totals.entry(cluster.clone()).or_default();
            *total = total.saturating_add(score.saturating_mul(*weight));
        }
        ranking.scores.insert(prioritizer.name(), scores);
    }
    ranking
}

fn steady(clusters: &[&ManagedCluster], previous: &BTreeSet<String>) -> BTreeMap<String, i64> {
    let score = |name: &String| if previous.contains(name) { BEST } else { 0 };
    clusters.iter().map(|cluster| (cluster.metadata.name.clone(), score(&cluster.metadata.name))).collect()
}

/// The share of the busiest cluster's decisions, from 100 for none to -100 for as many.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "upstream rounds a share of small counts towards zero"
)]
fn balance(clusters: &[&ManagedCluster], elsewhere: &BTreeMap<String, usize>) -> BTreeMap<String, i64> {
    let most = elsewhere.values().copied().max().unwrap_or_default();
    let score = |name: &String| match elsewhere.get(name) {
        Some(count) if most > 0 => 2 * ((BEST as f64 * (0.5 - *count as f64 / most as f64)) as i64),
        Some(_) | None => BEST,
    };
    clusters.iter().map(|cluster| (cluster.metadata.name.clone(), score(&cluster.metadata.name))).collect()
}

/// From -100 for the least to 100 for the most; clusters that do not report it have no score.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "upstream rounds towards zero"
)]
fn allocatable(clusters: &[&ManagedCluster], resource: &str) -> BTreeMap<String, i64> {
    let amount = |cluster: &ManagedCluster, of: &str| {
        let text = match cluster.status.other.get(of)?.get(resource)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        quantity::parse(&text).map(quantity::approximately)
    };
    let amounts: BTreeMap<&String, f64> = clusters
        .iter()
        .filter_map(|cluster| {
            amount(cluster, "capacity")?;
            Some((&cluster.metadata.name, amount(cluster, "allocatable")?))
        })
        .collect();
    let least = amounts.values().copied().fold(f64::INFINITY, f64::min);
    let range = amounts.values().copied().fold(f64::NEG_INFINITY, f64::max) - least;
    let score = |amount: f64| {
        if range > 0.0 { (((amount - least) / range - 0.5) * 2.0 * BEST as f64) as i64 } else { BEST }
    };
    amounts.into_iter().map(|(name, amount)| (name.clone(), score(amount))).collect()
}

/// What the add-on says; zero where it says nothing, or nothing that still holds.
fn add_on(
    clusters: &[&ManagedCluster],
    resource: &str,
    score: &str,
    around: &Surroundings<'_>,
    now: Timestamp,
) -> (BTreeMap<String, i64>, Option<Timestamp>) {
    let mut until: Option<Timestamp> = None;
    let scores = clusters
        .iter()
        .map(|cluster| {
            let name = &cluster.metadata.name;
            let found = match around.scores {
                Scores::NotKnown(_) => None,
                Scores::Known(scores) => valid(scores, name, resource, now),
            };
            let value = found.and_then(|(scores, ends)| {
                let found = scores.iter().rfind(|found| found.name == score)?;
                until = [until, ends].into_iter().flatten().min();
                Some(i64::from(found.value))
            });
            (name.clone(), value.unwrap_or_default())
        })
        .collect();
    (scores, until)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::pipeline::placement::surroundings::ScoreMap;

    fn weights(policy: &Value) -> Result<Weights, String> {
        Weights::of(&serde_json::from_value(policy.clone()).unwrap())
    }

    fn built_in(name: &str, weight: i32) -> Value {
        json!({"scoreCoordinate": {"builtIn": name}, "weight": weight})
    }

    #[rstest]
    #[case(json!({}), Ok("Steady 1, Balance 1"))]
    #[case(json!({"mode": "Additive", "configurations": [built_in("Steady", 3)]}), Ok("Steady 3, Balance 1"))]
    #[case(json!({"configurations": [built_in("Balance", 0)]}), Ok("Steady 1"))]
    #[case(json!({"mode": "Exact"}), Ok(""))]
    #[case(json!({"mode": "Exact", "configurations": [built_in("ResourceAllocatableCPU", -2),
        {"scoreCoordinate": {"type": "AddOn", "addOn": {"resourceName": "r", "scoreName": "s"}}}]}),
        Ok("ResourceAllocatableCPU -2, AddOn/r/s 1"))]
    #[case(json!({"mode": "Loose"}), Err("incorrect prioritizer policy mode: Loose"))]
    #[case(json!({"configurations": [{"weight": 1}]}), Err("scoreCoordinate field is required"))]
    #[case(json!({"configurations": [built_in("Luck", 1)]}), Err("incorrect builtin prioritizer: Luck"))]
    #[case(json!({"configurations": [{"scoreCoordinate": {"type": "AddOn"}}]}), Err("addOn should not be empty"))]
    #[case(json!({"configurations": [built_in("Steady", 11)]}),
        Err("weight 11 of a prioritizer is not from -10 to 10"))]
    fn weights_of_a_policy(#[case] policy: Value, #[case] expected: Result<&str, &str>) {
        let found = weights(&policy).map(|Weights(weights)| {
            let shown = weights.iter().map(|(of, weight)| format!("{} {weight}", of.name()));
            shown.collect::<Vec<_>>().join(", ")
        });
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }

    fn clusters(statuses: &[Value]) -> Vec<ManagedCluster> {
        statuses
            .iter()
            .enumerate()
            .map(|(index, status)| {
                serde_json::from_value(json!({"metadata": {"name": format!("c{index}")}, "status": status}))
                    .unwrap()
            })
            .collect()
    }

    fn totals(
        policy: &Value,
        clusters: &[ManagedCluster],
        previous: &[&str],
        around: &Surroundings<'_>,
    ) -> Vec<i64> {
        let previous = previous.iter().map(|name| (*name).to_owned()).collect();
        let clusters: Vec<&ManagedCluster> = clusters.iter().collect();
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        rank(&weights(policy).unwrap(), &clusters, &previous, around, now).totals.into_values().collect()
    }

    #[test]
    fn what_is_selected_is_worth_its_weight() {
        let clusters = clusters(&[json!({}), json!({}), json!({})]);
        let elsewhere = BTreeMap::from([("c0".to_owned(), 1), ("c1".to_owned(), 3)]);
        let around = Surroundings { decided_elsewhere: &elsewhere, ..Surroundings::NONE };
        // A third of the busiest cluster's decisions: twice 16, as upstream rounds before it doubles.
        assert_eq!(totals(&json!({}), &clusters, &["c1"], &around), [32, 0, 100]);
    }

    #[test]
    fn resources_count_from_the_least_to_the_most() {
        let with = |cpu: &str| json!({"allocatable": {"cpu": cpu}, "capacity": {"cpu": "64"}});
        let clusters = clusters(&[with("4"), with("500m"), json!({"allocatable": {"cpu": "8"}}), with("2")]);
        let policy = json!({"mode": "Exact", "configurations": [built_in("ResourceAllocatableCPU", 1)]});
        assert_eq!(totals(&policy, &clusters, &[], &Surroundings::NONE), [100, -100, 0, -14]);
        assert_eq!(totals(&policy, &clusters[..1], &[], &Surroundings::NONE), [100]);
    }

    #[test]
    fn an_add_ons_score_counts_while_it_holds() {
        let score = |value: i32, until: &str| {
            serde_json::from_value(json!({"status": {"scores": [{"name": "other", "value": 7},
                {"name": "s", "value": value}], "validUntil": until}}))
            .unwrap()
        };
        let scores: ScoreMap = BTreeMap::from([
            (("c0".to_owned(), "r".to_owned()), score(-40, "2026-01-01T00:00:00Z")),
            (("c1".to_owned(), "r".to_owned()), score(90, "2025-12-31T23:59:59Z")),
            (("c2".to_owned(), "elsewhere".to_owned()), score(90, "2027-01-01T00:00:00Z")),
        ]);
        let around = Surroundings { scores: Scores::Known(&scores), ..Surroundings::NONE };
        let policy = json!({"mode": "Exact", "configurations": [{"weight": 2,
            "scoreCoordinate": {"type": "AddOn", "addOn": {"resourceName": "r", "scoreName": "s"}}}]});
        let clusters = clusters(&[json!({}), json!({}), json!({})]);
        assert_eq!(totals(&policy, &clusters, &[], &around), [-80, 0, 0]);
    }
}
