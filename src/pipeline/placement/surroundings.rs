//! What a decision looks at beside the Placement and the clusters: scores of add-ons, and decisions of other Placements.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::ocm::placement::{AddOnPlacementScore, AddOnScore};

/// AddOnPlacementScores by cluster and name.
pub type ScoreMap = BTreeMap<(String, String), AddOnPlacementScore>;

/// The scores that add-ons report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scores<'a> {
    /// They have not been read (yet), with the reason: nothing may be decided by them.
    NotKnown(&'a str),
    /// All that there are.
    Known(&'a ScoreMap),
}

/// What lies around a decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surroundings<'a> {
    /// Scores of add-ons.
    pub scores: Scores<'a>,
    /// How many decisions of other Placements each cluster is in.
    pub decided_elsewhere: &'a BTreeMap<String, usize>,
}

static NO_SCORES: ScoreMap = BTreeMap::new();
static NO_DECISIONS: BTreeMap<String, usize> = BTreeMap::new();

impl Surroundings<'static> {
    /// No scores and no other Placements.
    pub const NONE: Self = Self { scores: Scores::Known(&NO_SCORES), decided_elsewhere: &NO_DECISIONS };
}

/// The scores of one AddOnPlacementScore on a cluster that hold now; `None` where there are none, or they are too old.
pub(super) fn valid<'a>(
    scores: &'a ScoreMap,
    cluster: &str,
    name: &str,
    now: Timestamp,
) -> Option<(&'a [AddOnScore], Option<Timestamp>)> {
    let found = scores.get(&(cluster.to_owned(), name.to_owned()))?;
    let until = found.status.valid_until.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    // Upstream's comparison: the last instant still counts.
    until.is_none_or(|until| now <= until).then_some((found.status.scores.as_slice(), until))
}
