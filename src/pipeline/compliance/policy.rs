//! Compliance of policies: takes the details of a replicated policy, or the states of a root policy's clusters, gives
//! their compliance and the root policy's status. One cluster out of thousands is updated without looking at the rest.

use std::collections::BTreeMap;

use crate::api::ocm::policy::{
    ClusterStatus, ComplianceState, PlacementStatusEntry, PolicyStatus, RemainingBinding, TemplateDetail,
};

/// The compliance of a replicated policy: the worst of its details. While some detail is unknown and none is bad, the
/// `previous` value stays.
pub fn replicated_compliance(
    details: &[TemplateDetail],
    previous: Option<ComplianceState>,
) -> Option<ComplianceState> {
    let any = |state: Option<ComplianceState>| details.iter().any(|detail| detail.compliant == state);
    if any(Some(ComplianceState::NonCompliant)) {
        Some(ComplianceState::NonCompliant)
    } else if any(Some(ComplianceState::Pending)) {
        Some(ComplianceState::Pending)
    } else if any(None) {
        previous
    } else {
        Some(ComplianceState::Compliant)
    }
}

/// What is known of a root policy on one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterReport {
    /// The policy is not placed there.
    NotPlaced,
    /// It is placed there and has this compliance; `None` while it is unknown.
    Placed(Option<ComplianceState>),
}

/// How many clusters are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RootTally {
    /// Clusters where the policy is violated.
    pub non_compliant: usize,
    /// Clusters that wait.
    pub pending: usize,
    /// Clusters that have not reported.
    pub unknown: usize,
    /// Clusters where all is well.
    pub compliant: usize,
}

impl RootTally {
    /// Counts the clusters of a status.
    pub fn of(clusters: &[ClusterStatus]) -> Self {
        let mut tally = Self::default();
        for cluster in clusters {
            tally.add(cluster.compliant);
        }
        tally
    }

    /// Counts one more cluster.
    pub fn add(&mut self, state: Option<ComplianceState>) {
        *self.count(state) += 1;
    }

    /// Moves one cluster from one state to another. `old` must be what was counted for it.
    pub fn update(&mut self, old: ClusterReport, new: ClusterReport) {
        if let ClusterReport::Placed(state) = old {
            let count = self.count(state);
            *count = count.saturating_sub(1);
        }
        if let ClusterReport::Placed(state) = new {
            self.add(state);
        }
    }

    fn count(&mut self, state: Option<ComplianceState>) -> &mut usize {
        match state {
            Some(ComplianceState::NonCompliant) => &mut self.non_compliant,
            Some(ComplianceState::Pending) => &mut self.pending,
            None => &mut self.unknown,
            Some(ComplianceState::Compliant) => &mut self.compliant,
        }
    }

    /// The compliance of all: `NonCompliant`, then `Pending`, then unknown, then `Compliant`; unknown without clusters.
    pub fn compliance(self) -> Option<ComplianceState> {
        if self.non_compliant > 0 {
            Some(ComplianceState::NonCompliant)
        } else if self.pending > 0 {
            Some(ComplianceState::Pending)
        } else if self.unknown > 0 || self.compliant == 0 {
            None
        } else {
            Some(ComplianceState::Compliant)
        }
    }
}

/// The status of a root policy: `bindings` is what binds it, `clusters` the compliance on each cluster where it is
/// placed, `remaining` the bindings that keep it on clusters from which a PolicySet excludes it. Fields of `previous` that are
/// none of Flotilla's stay.
pub fn root_status(
    previous: &PolicyStatus,
    bindings: &[PlacementStatusEntry],
    clusters: &BTreeMap<String, Option<ComplianceState>>,
    remaining: &BTreeMap<String, Vec<RemainingBinding>>,
) -> PolicyStatus {
    let status: Vec<ClusterStatus> = clusters
        .iter()
        .map(|(cluster, compliant)| ClusterStatus {
            remaining_bindings: remaining.get(cluster).cloned().unwrap_or_default(),
            ..cluster_status(cluster, *compliant)
        })
        .collect();
    PolicyStatus {
        compliant: RootTally::of(&status).compliance(),
        details: Vec::new(),
        placement: sorted_placement(bindings),
        status,
        other: previous.other.clone(),
    }
}

/// Updates a root policy's status for one cluster, its list staying sorted and its compliance following `tally`, which
/// must have counted `status.status`. Tells whether anything changed.
pub fn update_cluster(
    status: &mut PolicyStatus,
    tally: &mut RootTally,
    cluster: &str,
    report: ClusterReport,
) -> bool {
    let place = status.status.binary_search_by(|entry| entry.clustername.as_str().cmp(cluster));
    let old =
        place.map_or(ClusterReport::NotPlaced, |index| ClusterReport::Placed(status.status[index].compliant));
    if old == report {
        return false;
    }
    match (place, report) {
        (Ok(index), ClusterReport::Placed(state)) => status.status[index].compliant = state,
        (Ok(index), ClusterReport::NotPlaced) => {
            status.status.remove(index);
        }
        (Err(index), ClusterReport::Placed(state)) => {
            status.status.insert(index, cluster_status(cluster, state));
        }
        (Err(_), ClusterReport::NotPlaced) => {}
    }
    tally.update(old, report);
    status.compliant = tally.compliance();
    true
}

fn cluster_status(cluster: &str, compliant: Option<ComplianceState>) -> ClusterStatus {
    ClusterStatus {
        clustername: cluster.to_owned(),
        clusternamespace: cluster.to_owned(),
        compliant,
        remaining_bindings: Vec::new(),
    }
}

/// Bindings in the order of upstream's `status.placement`, each once.
pub(super) fn sorted_placement(bindings: &[PlacementStatusEntry]) -> Vec<PlacementStatusEntry> {
    let mut sorted = bindings.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const COMPLIANT: Option<ComplianceState> = Some(ComplianceState::Compliant);
    const PENDING: Option<ComplianceState> = Some(ComplianceState::Pending);
    const NON_COMPLIANT: Option<ComplianceState> = Some(ComplianceState::NonCompliant);

    #[rstest]
    #[case(&[COMPLIANT, COMPLIANT], None, COMPLIANT)]
    #[case(&[COMPLIANT, NON_COMPLIANT, PENDING], COMPLIANT, NON_COMPLIANT)]
    #[case(&[COMPLIANT, PENDING, None], COMPLIANT, PENDING)]
    #[case(&[COMPLIANT, None], None, None)]
    #[case(&[COMPLIANT, None], NON_COMPLIANT, NON_COMPLIANT)]
    #[case(&[], None, COMPLIANT)]
    fn a_replicated_policy_is_as_bad_as_its_worst_template(
        #[case] details: &[Option<ComplianceState>],
        #[case] previous: Option<ComplianceState>,
        #[case] expected: Option<ComplianceState>,
    ) {
        let details: Vec<TemplateDetail> = details
            .iter()
            .map(|compliant| TemplateDetail { compliant: *compliant, ..TemplateDetail::default() })
            .collect();
        assert_eq!(replicated_compliance(&details, previous), expected);
    }

    #[rstest]
    #[case(&[], None)]
    #[case(&[COMPLIANT, None], None)]
    #[case(&[COMPLIANT, None, PENDING], PENDING)]
    #[case(&[PENDING, NON_COMPLIANT, None], NON_COMPLIANT)]
    #[case(&[COMPLIANT], COMPLIANT)]
    fn precedence_of_clusters(
        #[case] clusters: &[Option<ComplianceState>],
        #[case] expected: Option<ComplianceState>,
    ) {
        let clusters =
            clusters.iter().enumerate().map(|(index, state)| (format!("c{index}"), *state)).collect();
        assert_eq!(
            root_status(&PolicyStatus::default(), &[], &clusters, &BTreeMap::new()).compliant,
            expected
        );
    }

    #[test]
    fn foreign_fields_stay() {
        let mut previous = PolicyStatus::default();
        previous.other.insert("foreign".to_owned(), true.into());
        assert_eq!(root_status(&previous, &[], &BTreeMap::new(), &BTreeMap::new()).other, previous.other);
    }

    #[test]
    fn what_keeps_a_policy_where_a_set_excludes_it_is_told() {
        let clusters = BTreeMap::from([("c1".to_owned(), COMPLIANT), ("c2".to_owned(), None)]);
        let binding = RemainingBinding { placement_binding: "direct".to_owned() };
        let remaining = BTreeMap::from([("c2".to_owned(), vec![binding])]);
        let status = root_status(&PolicyStatus::default(), &[], &clusters, &remaining);
        assert_eq!(
            serde_json::to_value(status).unwrap(),
            serde_json::json!({"status": [
                {"clustername": "c1", "clusternamespace": "c1", "compliant": "Compliant"},
                {"clustername": "c2", "clusternamespace": "c2", "remainingBindings": [{"placementBinding": "direct"}]},
            ]})
        );
    }

    fn report() -> impl Strategy<Value = ClusterReport> {
        prop_oneof![
            Just(ClusterReport::NotPlaced),
            Just(ClusterReport::Placed(None)),
            Just(ClusterReport::Placed(COMPLIANT)),
            Just(ClusterReport::Placed(PENDING)),
            Just(ClusterReport::Placed(NON_COMPLIANT)),
        ]
    }

    fn state() -> impl Strategy<Value = Option<ComplianceState>> {
        prop::sample::select(vec![None, COMPLIANT, PENDING, NON_COMPLIANT])
    }

    proptest! {
        #[test]
        fn rolling_up_twice_changes_nothing(
            states in prop::collection::btree_map("c[0-9]", state(), 0..8),
            details in prop::collection::vec(state(), 0..5),
            before in state(),
        ) {
            let once = root_status(&PolicyStatus::default(), &[], &states, &BTreeMap::new());
            prop_assert_eq!(&root_status(&once, &[], &states, &BTreeMap::new()), &once);
            let details: Vec<TemplateDetail> = details
                .into_iter()
                .map(|compliant| TemplateDetail { compliant, ..TemplateDetail::default() })
                .collect();
            let first = replicated_compliance(&details, before);
            prop_assert_eq!(replicated_compliance(&details, first), first);
            let reversed: Vec<TemplateDetail> = details.iter().rev().cloned().collect();
            prop_assert_eq!(replicated_compliance(&reversed, before), first);
        }

        #[test]
        fn updating_one_by_one_equals_starting_over(updates in prop::collection::vec((0_u8..6, report()), 0..60)) {
            let mut status = PolicyStatus::default();
            let mut tally = RootTally::default();
            let mut clusters = BTreeMap::new();
            for (cluster, report) in updates {
                let cluster = format!("cluster-{cluster}");
                let before = status.clone();
                let changed = update_cluster(&mut status, &mut tally, &cluster, report);
                match report {
                    ClusterReport::NotPlaced => clusters.remove(&cluster),
                    ClusterReport::Placed(state) => clusters.insert(cluster, state),
                };
                prop_assert_eq!(changed, status != before);
                prop_assert_eq!(&status, &root_status(&PolicyStatus::default(), &[], &clusters, &BTreeMap::new()));
                prop_assert_eq!(tally, RootTally::of(&status.status));
            }
        }
    }
}
