//! Which clusters the Placements of a fleet select: decided over all clusters where something of the Placement changes, for one
//! cluster where that one does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Effects, Fleet, Name, Policies, read, replace};
use crate::adapters::hub::is_own;
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::placement::{AddOnPlacementScore, Placement, PlacementDecision};
use crate::api::ocm::{ParseError, names};
use crate::pipeline::placement::surroundings::ScoreMap;
use crate::pipeline::placement::{self, Decisions, Scope, Scores, Surroundings, Verdict};
use crate::pipeline::policy::PolicyKey;

/// The clusters that a Placement selects.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub(super) selected: BTreeSet<String>,
    scope: Option<Scope>,
    /// Where clusters are ranked: what was decided, which depends on what was around then.
    decided: Option<Box<Decisions>>,
}

/// AddOnPlacementScores, and whether they are all that there are.
#[derive(Debug)]
pub(super) struct AddOnScores {
    all: ScoreMap,
    missing: Option<String>,
}

impl Default for AddOnScores {
    fn default() -> Self {
        let missing = Some("AddOnPlacementScores have not been read yet".to_owned());
        Self { all: ScoreMap::new(), missing }
    }
}

impl AddOnScores {
    fn known(&self) -> Scores<'_> {
        match &self.missing {
            Some(reason) => Scores::NotKnown(reason),
            None => Scores::Known(&self.all),
        }
    }
}

impl Fleet {
    pub(super) fn cluster_changed(
        &mut self,
        name: &str,
        cluster: Option<&Arc<ManagedCluster>>,
        now: Timestamp,
    ) -> Effects {
        let mut effects = Effects::default();
        let before = self.clusters.get(name).cloned();
        replace(&mut self.clusters, name.to_owned(), cluster.cloned());
        let same = match (&before, cluster) {
            (Some(old), Some(new)) => {
                old.metadata.labels == new.metadata.labels
                    && old.spec == new.spec
                    && old.status.cluster_claims == new.status.cluster_claims
                    && old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
            }
            _ => false,
        };
        let same_reports = same && before.as_deref() == cluster.map(AsRef::as_ref);
        if same_reports {
            return effects;
        }
        let placements: Vec<Name> = self
            .selections
            .iter()
            // What a cluster reports beside its claims concerns those that look at it.
            .filter(|(_, selection)| !same || selection.scope.as_ref().is_some_and(Scope::reads_reports))
            .map(|(key, _)| key.clone())
            .collect();
        for key in placements {
            effects.join(self.decide_one(&key, name, now));
        }
        if !same {
            effects.evaluate.insert(name.to_owned(), Policies::All);
        }
        effects
    }

    /// A cluster changed for a Placement: it alone is judged, unless the Placement ranks clusters.
    fn decide_one(&mut self, key: &Name, name: &str, now: Timestamp) -> Effects {
        let Some(placement) = self.placements.get(key).cloned() else { return Effects::default() };
        if placement.spec.number_of_clusters.is_some() {
            return self.decide_all(vec![key.clone()], now);
        }
        if self.foreign_decisions.contains_key(key) {
            return Effects::default();
        }
        let Some(selection) = self.selections.get(key) else { return Effects::default() };
        let was = selection.selected.contains(name);
        let assessment = match (self.clusters.get(name), &selection.scope) {
            (Some(cluster), Some(scope)) => {
                let around = Surroundings { scores: self.scores.known(), ..Surroundings::NONE };
                Some(placement::assess(&placement, cluster, scope, was, &around, now))
            }
            _ => None,
        };
        let is = assessment.as_ref().is_some_and(|assessment| assessment.verdict.is_in());
        let mut effects =
            Effects { requeue_at: assessment.and_then(|assessment| assessment.until), ..Effects::default() };
        if is != was {
            if let Some(selection) = self.selections.get_mut(key) {
                if is {
                    selection.selected.insert(name.to_owned());
                } else {
                    selection.selected.remove(name);
                }
            }
            effects.placements.insert(key.clone());
            effects.join(self.membership_changed(key, [name.to_owned()].into_iter()));
        } else if self.groups_by_labels(key) {
            // It may belong to another group now.
            effects.placements.insert(key.clone());
        }
        effects
    }

    fn groups_by_labels(&self, key: &Name) -> bool {
        self.placements.get(key).is_some_and(|placement| {
            !placement.spec.decision_strategy.group_strategy.decision_groups.is_empty()
        })
    }

    /// Something changed of which a Placement's scope is made.
    pub(super) fn decide_anew(&mut self, placements: Vec<Name>, now: Timestamp) -> Effects {
        for key in &placements {
            if let Some(selection) = self.selections.get_mut(key) {
                selection.scope = None;
            }
        }
        self.decide_all(placements, now)
    }

    /// Decides Placements over all clusters.
    fn decide_all(&mut self, placements: Vec<Name>, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        for key in placements {
            let before = self.selections.remove(&key).unwrap_or_default();
            let changed: Vec<String> = if let Some(placement) = self.placements.get(&key) {
                let (after, requeue_at) = self.select(&key, placement, &before, now);
                effects.requeue_at = [effects.requeue_at, requeue_at].into_iter().flatten().min();
                let changed = before.selected.symmetric_difference(&after.selected).cloned().collect();
                self.selections.insert(key.clone(), after);
                changed
            } else {
                before.selected.into_iter().collect()
            };
            effects.join(self.membership_changed(&key, changed.into_iter()));
            effects.placements.insert(key);
        }
        effects
    }

    /// Another controller's decisions where there are any, else our own.
    fn select(
        &self,
        key: &Name,
        placement: &Placement,
        before: &Selection,
        now: Timestamp,
    ) -> (Selection, Option<Timestamp>) {
        let scope = before.scope.clone().unwrap_or_else(|| self.scope_of(placement));
        if let Some(decisions) = self.foreign_decisions.get(key) {
            let selected = decisions.values().flatten().cloned().collect();
            return (Selection { selected, scope: Some(scope), decided: None }, None);
        }
        let decisions = self.decisions(key, placement, &scope, &before.selected, now);
        let requeue_at = decisions.requeue_at;
        let selected = decisions.selected.iter().cloned().collect();
        let ranks = placement.spec.number_of_clusters.is_some();
        let decided = ranks.then(|| Box::new(decisions));
        (Selection { selected, scope: Some(scope), decided }, requeue_at)
    }

    fn scope_of(&self, placement: &Placement) -> Scope {
        placement::scope(
            placement,
            self.sets.values().map(AsRef::as_ref),
            self.set_bindings.values().map(AsRef::as_ref),
        )
    }

    fn decisions(
        &self,
        key: &Name,
        placement: &Placement,
        scope: &Scope,
        selected: &BTreeSet<String>,
        now: Timestamp,
    ) -> Decisions {
        // After a restart the decisions on the hub are what was selected before.
        let recorded: BTreeSet<String> = self
            .own_decisions
            .get(key)
            .into_iter()
            .flat_map(|objects| objects.values().flatten())
            .cloned()
            .collect();
        let previous = if selected.is_empty() { &recorded } else { selected };
        // Only an order of clusters asks where else they are selected.
        let elsewhere = match placement.spec.number_of_clusters {
            Some(_) => self.decided_elsewhere(key),
            None => BTreeMap::new(),
        };
        let around = Surroundings { scores: self.scores.known(), decided_elsewhere: &elsewhere };
        let clusters = self.clusters.values().map(AsRef::as_ref);
        placement::decide(placement, clusters, scope, previous, &around, now)
    }

    /// How many decisions of other Placements each cluster is in. Of those that are not decided yet after a start, what stands
    /// on the hub counts.
    fn decided_elsewhere(&self, key: &Name) -> BTreeMap<String, usize> {
        let decided = self.selections.iter().map(|(of, selection)| (of, &selection.selected));
        let recorded = self.own_decisions.iter().chain(&self.foreign_decisions);
        let recorded = recorded
            .filter(|(of, _)| !self.selections.contains_key(*of))
            .flat_map(|(of, objects)| objects.values().map(move |clusters| (of, clusters)));
        let mut counts = BTreeMap::new();
        for (_, clusters) in decided.chain(recorded).filter(|(of, _)| *of != key) {
            for cluster in clusters {
                *counts.entry(cluster.clone()).or_default() += 1;
            }
        }
        counts
    }

    pub(super) fn decision_changed(
        &mut self,
        key: &ObjectKey,
        manifest: Option<&Manifest>,
        now: Timestamp,
    ) -> Result<Effects, ParseError> {
        let namespace = key.namespace.clone().unwrap_or_default();
        // Another controller's decision that cannot be read counts as before; the first time, as one for nobody.
        let decision: Option<Arc<PlacementDecision>> = match read(manifest) {
            Ok(decision) => decision,
            Err(error) => {
                if let Some(manifest) = manifest
                    && let Some(placement) = manifest.label(names::PLACEMENT_LABEL)
                    && !is_own(manifest)
                {
                    let placement = (namespace, placement.to_owned());
                    self.foreign_decisions.entry(placement).or_default().entry(key.name.clone()).or_default();
                }
                return Err(error);
            }
        };
        let forget = |decisions: &mut BTreeMap<Name, BTreeMap<String, BTreeSet<String>>>| {
            let mut touched = Vec::new();
            decisions.retain(|(of, placement), objects| {
                if *of == namespace && objects.remove(&key.name).is_some() {
                    touched.push((of.clone(), placement.clone()));
                }
                !objects.is_empty()
            });
            touched
        };
        let mut touched = forget(&mut self.foreign_decisions);
        let own = forget(&mut self.own_decisions);
        let mut effects = Effects::default();
        effects.placements.extend(own);
        if let (Some(manifest), Some(decision)) = (manifest, decision)
            && let Some(placement) = manifest.label(names::PLACEMENT_LABEL)
        {
            let placement = (namespace.clone(), placement.to_owned());
            let clusters =
                decision.status.decisions.iter().map(|decision| decision.cluster_name.clone()).collect();
            let decisions =
                if is_own(manifest) { &mut self.own_decisions } else { &mut self.foreign_decisions };
            decisions.entry(placement.clone()).or_default().insert(key.name.clone(), clusters);
            if is_own(manifest) {
                effects.placements.insert(placement);
            } else {
                touched.push(placement);
            }
        }
        effects.join(self.decide_all(touched, now));
        Ok(effects)
    }

    /// An AddOnPlacementScore changed: the cluster in whose namespace it lies is judged again where scores count.
    pub(super) fn score_changed(
        &mut self,
        key: &ObjectKey,
        score: Option<Arc<AddOnPlacementScore>>,
        now: Timestamp,
    ) -> Effects {
        let cluster = key.namespace.clone().unwrap_or_default();
        let score = score.map(|score| score.as_ref().clone());
        let name = (cluster.clone(), key.name.clone());
        let unchanged = match (&score, self.scores.all.get(&name)) {
            (Some(new), Some(old)) => new.status == old.status,
            (None, None) => true,
            _ => false,
        };
        replace(&mut self.scores.all, name, score);
        let mut effects = Effects::default();
        if !unchanged && self.scores.missing.is_none() {
            for placement in self.placements_by_scores() {
                effects.join(self.decide_one(&placement, &cluster, now));
            }
        }
        effects
    }

    /// All AddOnPlacementScores have been taken in, or cannot be.
    pub fn scores_read(&mut self, read: Result<(), String>, now: Timestamp) -> Effects {
        let missing = read.err();
        if self.scores.missing == missing {
            return Effects::default();
        }
        self.scores.missing = missing;
        let placements = self.placements_by_scores();
        self.decide_all(placements, now)
    }

    /// Whether a Placement asks for AddOnPlacementScores.
    pub fn needs_scores(&self) -> bool {
        self.selections.values().any(|selection| selection.scope.as_ref().is_some_and(Scope::needs_scores))
    }

    fn placements_by_scores(&self) -> Vec<Name> {
        let by_scores = |selection: &Selection| selection.scope.as_ref().is_some_and(Scope::needs_scores);
        self.selections.iter().filter(|(_, of)| by_scores(of)).map(|(key, _)| key.clone()).collect()
    }

    /// Why a policy is not (any more) on a cluster, per Placement that it is bound to.
    pub fn why_not(&self, policy: &PolicyKey, cluster: &str, now: Timestamp) -> Vec<(String, Verdict)> {
        let Some(managed) = self.clusters.get(cluster) else { return Vec::new() };
        let placements = self.bound.get(policy).into_iter().flatten().filter(|bound| !bound.restricted);
        let around = Surroundings { scores: self.scores.known(), ..Surroundings::NONE };
        placements
            .filter_map(|bound| {
                let key = (policy.namespace.clone(), bound.placement.clone());
                let placement = self.placements.get(&key)?;
                let scope = self.scope_of(placement);
                let verdict = placement::judge(placement, managed, &scope, false, &around, now);
                Some((bound.placement.clone(), verdict))
            })
            .collect()
    }

    /// A Placement, whether another controller decides for it, and the decision in full.
    pub fn placement(&self, name: &Name, now: Timestamp) -> Option<(Arc<Placement>, bool, Decisions)> {
        let placement = self.placements.get(name)?;
        let foreign = self.foreign_decisions.contains_key(name);
        let selection = self.selections.get(name);
        if let Some(decided) = selection.and_then(|selection| selection.decided.as_deref()) {
            return Some((placement.clone(), foreign, decided.clone()));
        }
        let none = BTreeSet::new();
        let selected = selection.map_or(&none, |selection| &selection.selected);
        let scope = selection.and_then(|selection| selection.scope.clone());
        let scope = scope.unwrap_or_else(|| self.scope_of(placement));
        let decisions = self.decisions(name, placement, &scope, selected, now);
        Some((placement.clone(), foreign, decisions))
    }

    /// Decides every Placement again: tolerations run out with time.
    pub fn time_passed(&mut self, now: Timestamp) -> Effects {
        let placements = self.placements.keys().cloned().collect();
        self.decide_all(placements, now)
    }
}
