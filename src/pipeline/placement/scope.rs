//! Which cluster sets a Placement may select from: worked out once per Placement, then used for every
//! cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::cel::Expression;
use super::groups;
use super::rank::Weights;
use super::requirements;
use super::verdict::OutReason;
use crate::api::ocm::cluster::{ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding, SelectorType};
use crate::api::ocm::names::CLUSTER_SET_LABEL;
use crate::api::ocm::placement::Placement;
use crate::api::selector::LabelSelector;

/// Set to `"true"` on a Placement, it stops scheduling: decisions are written by somebody else.
pub const SCHEDULING_DISABLED_ANNOTATION: &str =
    "cluster.open-cluster-management.io/experimental-scheduling-disable";
/// The set that holds every cluster without a set of its own. Upstream creates it on every hub.
pub const DEFAULT_SET: &str = "default";
/// The set that holds every cluster. Upstream creates it on every hub.
pub const GLOBAL_SET: &str = "global";

/// How a set finds its members.
#[derive(Debug, Clone, PartialEq)]
enum Membership {
    /// By the label `cluster.open-cluster-management.io/clusterset`.
    SetLabel,
    /// By a label selector; `None` selects nothing.
    Selector(Option<LabelSelector>),
}

impl Membership {
    fn of(set: &ManagedClusterSet) -> Self {
        let selector = &set.spec.cluster_selector;
        match selector.selector_type {
            SelectorType::ExclusiveClusterSetLabel => Self::SetLabel,
            SelectorType::LabelSelector => Self::Selector(selector.label_selector.clone()),
        }
    }

    fn holds(&self, set: &str, cluster: &ManagedCluster) -> bool {
        match self {
            Self::SetLabel => set_of(cluster) == set,
            Self::Selector(selector) => {
                selector.as_ref().is_some_and(|selector| selector.matches(&cluster.metadata.labels))
            }
        }
    }
}

/// The exclusive set of a cluster. Upstream's admission labels a cluster without one as a member of
/// `default`; a hub without that admission must see the same.
fn set_of(cluster: &ManagedCluster) -> &str {
    cluster
        .metadata
        .labels
        .get(CLUSTER_SET_LABEL)
        .map(String::as_str)
        .filter(|set| !set.is_empty())
        .unwrap_or(DEFAULT_SET)
}

/// A part of the Placement that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfiguration {
    /// The plugin that upstream's condition names: `Predicate`, `TaintToleration`, `ClusterSet`; none for prioritizers and groups.
    pub plugin: &'static str,
    /// What is wrong.
    pub message: String,
}

/// The eligible sets of one Placement, and what else follows from it alone. Made by [`scope`].
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    namespace: String,
    requested: Vec<String>,
    valid_bindings: usize,
    bound: BTreeSet<String>,
    eligible: BTreeMap<String, Membership>,
    /// Requested sets that exist but are not bound.
    unbound: BTreeMap<String, Membership>,
    /// Requested or bound sets that do not exist.
    missing: Vec<String>,
    misconfiguration: Option<Misconfiguration>,
    grouping_fault: Option<Misconfiguration>,
    scheduling_disabled: bool,
    /// The expressions of each predicate.
    expressions: Vec<Vec<Expression>>,
    weights: Weights,
    ranks: bool,
}

impl Scope {
    /// Names of the sets that the Placement selects from, sorted.
    pub fn eligible_sets(&self) -> Vec<String> {
        self.eligible.keys().cloned().collect()
    }

    /// How many bindings in the namespace name an existing set.
    pub const fn valid_bindings(&self) -> usize {
        self.valid_bindings
    }

    /// What is wrong with the Placement, if anything.
    pub const fn misconfiguration(&self) -> Option<&Misconfiguration> {
        self.misconfiguration.as_ref()
    }

    /// What is wrong with the groups of the decisions, if anything: then all clusters are in one.
    pub const fn grouping_fault(&self) -> Option<&Misconfiguration> {
        self.grouping_fault.as_ref()
    }

    /// Whether decisions depend on AddOnPlacementScores.
    pub fn needs_scores(&self) -> bool {
        self.ranks_by_scores() || self.expressions.iter().flatten().any(Expression::uses_scores)
    }

    /// Whether the order of the clusters depends on AddOnPlacementScores.
    pub(super) fn ranks_by_scores(&self) -> bool {
        self.ranks && self.weights.ask_add_ons()
    }

    /// Whether decisions depend on more of a cluster than its labels, taints and claims.
    pub fn reads_reports(&self) -> bool {
        (self.ranks && self.weights.ask_resources()) || self.expressions.iter().any(|of| !of.is_empty())
    }

    /// The expressions of a predicate.
    pub(super) fn expressions(&self, predicate: usize) -> &[Expression] {
        self.expressions.get(predicate).map(Vec::as_slice).unwrap_or_default()
    }

    /// The prioritizers with their weights.
    pub(super) const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Whether an annotation leaves the decisions to somebody else.
    pub const fn is_scheduling_disabled(&self) -> bool {
        self.scheduling_disabled
    }

    /// The first eligible set that holds the cluster.
    pub fn set_holding(&self, cluster: &ManagedCluster) -> Option<&str> {
        self.eligible
            .iter()
            .find(|(name, membership)| membership.holds(name, cluster))
            .map(|(name, _)| name.as_str())
    }

    /// Why no eligible set holds the cluster. Where a missing set or binding may be the cause, it is named as
    /// the cause, so that its loss is never read as somebody's wish to leave the set.
    pub(super) fn reason_outside(&self, cluster: &ManagedCluster) -> OutReason {
        if !self.missing.is_empty() {
            return OutReason::SetNotFound { sets: self.missing.clone() };
        }
        let no_binding = |sets| OutReason::NoSetBinding { sets, namespace: self.namespace.clone() };
        let unbound: Vec<String> = self
            .unbound
            .iter()
            .filter(|(name, membership)| self.eligible.is_empty() || membership.holds(name, cluster))
            .map(|(name, _)| name.clone())
            .collect();
        if !unbound.is_empty() {
            return no_binding(unbound);
        }
        let own_set = set_of(cluster);
        if self.requested.is_empty() && !self.bound.contains(own_set) {
            return no_binding(vec![own_set.to_owned()]);
        }
        OutReason::NotInAnySet { sets: self.eligible_sets() }
    }
}

/// Works out the eligible sets: bound to the Placement's namespace, existing, and named in `spec.clusterSets`
/// unless that is empty. The sets `default` and `global` exist on every hub, written down or not.
pub fn scope<'a>(
    placement: &Placement,
    sets: impl IntoIterator<Item = &'a ManagedClusterSet>,
    bindings: impl IntoIterator<Item = &'a ManagedClusterSetBinding>,
) -> Scope {
    let mut known = BTreeMap::from([
        (DEFAULT_SET.to_owned(), Membership::SetLabel),
        (GLOBAL_SET.to_owned(), Membership::Selector(Some(LabelSelector::default()))),
    ]);
    known.extend(sets.into_iter().map(|set| (set.metadata.name.clone(), Membership::of(set))));

    let namespace = &placement.metadata.namespace;
    let requested = &placement.spec.cluster_sets;
    let is_requested = |name: &str| requested.is_empty() || requested.iter().any(|set| set == name);
    let bound: BTreeSet<String> = bindings
        .into_iter()
        .filter(|binding| &binding.metadata.namespace == namespace)
        .map(|binding| binding.spec.cluster_set.clone())
        .collect();

    let missing: BTreeSet<String> =
        bound.iter().filter(|name| is_requested(name)).chain(requested).cloned().collect();
    let missing = missing.into_iter().filter(|name| !known.contains_key(name)).collect();
    let (eligible, rest): (BTreeMap<_, _>, BTreeMap<_, _>) = known
        .iter()
        .filter(|(name, _)| is_requested(name))
        .map(|(name, membership)| (name.clone(), membership.clone()))
        .partition(|(name, _)| bound.contains(name));
    let unbound = if requested.is_empty() { BTreeMap::new() } else { rest };
    let (expressions, fault_of_expressions) = fault_apart(
        placement
            .spec
            .predicates
            .iter()
            .map(|predicate| {
                Expression::compile(&predicate.required_cluster_selector.cel_selector.cel_expressions)
            })
            .collect(),
    );
    let (weights, fault_of_weights) = fault_apart(Weights::of(&placement.spec.prioritizer_policy));
    let misconfiguration = misconfiguration(placement, &eligible, fault_of_expressions, fault_of_weights);

    Scope {
        namespace: namespace.clone(),
        requested: requested.clone(),
        valid_bindings: bound.iter().filter(|name| known.contains_key(*name)).count(),
        misconfiguration,
        grouping_fault: groups::fault(&placement.spec.decision_strategy.group_strategy)
            .map(|message| Misconfiguration { plugin: "", message }),
        expressions,
        weights,
        ranks: placement.spec.number_of_clusters.is_some(),
        bound,
        eligible,
        unbound,
        missing,
        scheduling_disabled: is_scheduling_disabled(placement),
    }
}

/// Whether an annotation of the Placement leaves the decisions to somebody else.
pub fn is_scheduling_disabled(placement: &Placement) -> bool {
    placement.metadata.annotations.get(SCHEDULING_DISABLED_ANNOTATION).is_some_and(|value| value == "true")
}

/// A value, its default where there is none, and why there is none.
fn fault_apart<T: Default>(result: Result<T, String>) -> (T, Option<String>) {
    match result {
        Ok(value) => (value, None),
        Err(fault) => (T::default(), Some(fault)),
    }
}

/// The first fault, in upstream's order.
fn misconfiguration(
    placement: &Placement,
    eligible: &BTreeMap<String, Membership>,
    in_expressions: Option<String>,
    in_weights: Option<String>,
) -> Option<Misconfiguration> {
    let in_set = eligible.iter().find_map(|(name, membership)| match membership {
        Membership::SetLabel | Membership::Selector(None) => None,
        Membership::Selector(Some(selector)) => {
            let error = selector.validate().err()?;
            Some(Misconfiguration { plugin: "ClusterSet", message: format!("cluster set {name:?}: {error}") })
        }
    });
    let in_predicate = || {
        placement.spec.predicates.iter().find_map(|predicate| {
            let selector = &predicate.required_cluster_selector;
            let error = requirements::fault(&selector.label_selector, &selector.claim_selector)?;
            Some(Misconfiguration { plugin: "Predicate", message: error.to_string() })
        })
    };
    let in_toleration = || {
        let message = placement.spec.tolerations.iter().find_map(super::taint::fault)?;
        Some(Misconfiguration { plugin: "TaintToleration", message: message.to_owned() })
    };
    in_set
        .or_else(in_predicate)
        .or_else(|| in_expressions.map(|message| Misconfiguration { plugin: "Predicate", message }))
        .or_else(in_toleration)
        .or_else(|| in_weights.map(|message| Misconfiguration { plugin: "", message }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(label: Option<&str>) -> ManagedCluster {
        let mut cluster = ManagedCluster::default();
        cluster.metadata.name = "c1".to_owned();
        if let Some(label) = label {
            cluster.metadata.labels.insert(CLUSTER_SET_LABEL.to_owned(), label.to_owned());
        }
        cluster
    }

    fn set(name: &str) -> ManagedClusterSet {
        serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
    }

    fn binding(name: &str, namespace: &str) -> ManagedClusterSetBinding {
        serde_json::from_value(
            json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterSet": name}}),
        )
        .unwrap()
    }

    fn placement(sets: &[&str]) -> Placement {
        serde_json::from_value(
            json!({"metadata": {"name": "p", "namespace": "ns"}, "spec": {"clusterSets": sets}}),
        )
        .unwrap()
    }

    #[test]
    fn the_cause_of_being_outside_is_named() {
        let (a, b) = (set("a"), set("b"));
        let bind = |name| binding(name, "ns");
        let sets = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let unbound =
            |names: &[&str]| OutReason::NoSetBinding { sets: sets(names), namespace: "ns".to_owned() };
        for (requested, existing, bindings, label, expected) in [
            // A binding is missing: never read as leaving the set.
            (vec!["default"], vec![], vec![], None, unbound(&["default"])),
            (vec!["a"], vec![&a], vec![], Some("a"), unbound(&["a"])),
            (vec!["a"], vec![&a], vec![binding("a", "elsewhere")], Some("a"), unbound(&["a"])),
            (vec!["a", "b"], vec![&a, &b], vec![bind("a")], Some("b"), unbound(&["b"])),
            (vec![], vec![&a, &b], vec![bind("a")], Some("b"), unbound(&["b"])),
            (vec![], vec![&a], vec![], None, unbound(&["default"])),
            // A set is missing.
            (vec!["a"], vec![], vec![bind("a")], Some("a"), OutReason::SetNotFound { sets: sets(&["a"]) }),
            (vec![], vec![], vec![bind("a")], Some("a"), OutReason::SetNotFound { sets: sets(&["a"]) }),
            // The cluster left.
            (
                vec!["a"],
                vec![&a, &b],
                vec![bind("a"), bind("b")],
                Some("b"),
                OutReason::NotInAnySet { sets: sets(&["a"]) },
            ),
            (vec!["a"], vec![&a], vec![bind("a")], None, OutReason::NotInAnySet { sets: sets(&["a"]) }),
        ] {
            let scope = scope(&placement(&requested), existing, &bindings);
            assert_eq!(scope.set_holding(&cluster(label)), None, "{expected}");
            assert_eq!(scope.reason_outside(&cluster(label)), expected);
        }
    }

    #[test]
    fn default_and_global_exist_on_every_hub() {
        let bindings = [binding("default", "ns"), binding("global", "ns")];
        let scope = scope(&placement(&[]), [], &bindings);
        assert_eq!(scope.eligible_sets(), ["default", "global"]);
        assert_eq!(scope.valid_bindings(), 2);
        assert_eq!(scope.set_holding(&cluster(None)), Some("default"));
        assert_eq!(scope.set_holding(&cluster(Some("a"))), Some("global"));
    }
}
