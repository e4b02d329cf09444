//! The answer for one cluster, with words for the person who wonders about it.

use std::collections::BTreeMap;
use std::fmt;

use crate::api::ocm::cluster::TaintEffect;

/// The taint that the hub puts on a cluster whose agent reports that it is not available.
pub const UNAVAILABLE_TAINT: &str = "cluster.open-cluster-management.io/unavailable";
/// The taint that the hub puts on a cluster that it cannot hear.
pub const UNREACHABLE_TAINT: &str = "cluster.open-cluster-management.io/unreachable";

/// Whether a Placement selects a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Selected.
    In(InReason),
    /// Not selected.
    Out(OutReason),
}

impl Verdict {
    /// Whether the cluster is selected.
    pub const fn is_in(&self) -> bool {
        matches!(self, Self::In(_))
    }

    /// Whether the cluster is out because a person chose so: only then may anything be pruned on it.
    pub fn is_deliberately_out(&self) -> bool {
        match self {
            Self::In(_) => false,
            Self::Out(reason) => reason.is_deliberate(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(reason) => reason.fmt(formatter),
            Self::Out(reason) => reason.fmt(formatter),
        }
    }
}

/// Why a cluster is selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InReason {
    /// The Placement names no predicate: every cluster of its sets is selected.
    WholeSet {
        /// The cluster set through which it is eligible.
        set: String,
    },
    /// A predicate matches.
    Predicate {
        /// The cluster set through which it is eligible.
        set: String,
        /// The requirements of that predicate, empty when it asks for nothing.
        requirements: Vec<String>,
    },
    /// Scheduling is switched off by annotation and the existing decision names the cluster.
    WrittenByHand,
    /// The Placement cannot be evaluated: what it selected before stays selected.
    Kept {
        /// Why it cannot be evaluated.
        why: String,
    },
}

impl fmt::Display for InReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeSet { set } => write!(formatter, "in cluster set {set:?}, no predicate to meet"),
            Self::Predicate { set, requirements } if requirements.is_empty() => {
                write!(formatter, "in cluster set {set:?}, the predicate asks for nothing")
            }
            Self::Predicate { set, requirements } => {
                write!(formatter, "in cluster set {set:?}, {}", requirements.join(" and "))
            }
            Self::WrittenByHand => {
                formatter.write_str("named by the existing decision, scheduling of the placement is disabled")
            }
            Self::Kept { why } => write!(formatter, "selected before, and {why}"),
        }
    }
}

/// What a requirement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MismatchSource {
    /// `metadata.labels` of the ManagedCluster.
    Label,
    /// `status.clusterClaims` of the ManagedCluster.
    Claim,
    /// An expression of a `celSelector`.
    Expression,
}

impl MismatchSource {
    /// Where a requirement looks.
    pub(super) fn values<'a>(
        self,
        labels: &'a BTreeMap<String, String>,
        claims: &'a BTreeMap<String, String>,
    ) -> &'a BTreeMap<String, String> {
        match self {
            Self::Claim => claims,
            Self::Label | Self::Expression => labels,
        }
    }
}

/// A requirement that a cluster does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What is compared.
    pub source: MismatchSource,
    /// Its key, or the text of the expression.
    pub key: String,
    /// The value found, `None` when there is none.
    pub found: Option<String>,
    /// The requirement in words.
    pub needed: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            MismatchSource::Label => "label",
            MismatchSource::Claim => "claim",
            MismatchSource::Expression => return write!(formatter, "expression {} is false", self.key),
        };
        match &self.found {
            Some(found) => write!(formatter, "{source} {} is {found:?}, needed: {}", self.key, self.needed),
            None => write!(formatter, "{source} {} is not set, needed: {}", self.key, self.needed),
        }
    }
}

/// Why a cluster is not selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutReason {
    /// A cluster set is not bound to the namespace of the Placement.
    NoSetBinding {
        /// The sets that lack a binding.
        sets: Vec<String>,
        /// The namespace of the Placement.
        namespace: String,
    },
    /// A cluster set that the Placement or a binding names does not exist.
    SetNotFound {
        /// The missing sets.
        sets: Vec<String>,
    },
    /// The cluster is in none of the sets that the Placement selects from.
    NotInAnySet {
        /// The eligible sets.
        sets: Vec<String>,
    },
    /// No predicate matches.
    PredicateMismatch {
        /// For each predicate what it lacks.
        predicates: Vec<Vec<Mismatch>>,
    },
    /// A predicate asks for claims, and the cluster has not reported any claim at all.
    ClaimsNotReported {
        /// The requirement in words.
        needed: String,
    },
    /// A taint that the Placement does not tolerate (any more).
    Tainted {
        /// Key of the taint.
        key: String,
        /// Value of the taint, may be empty.
        value: String,
        /// Its effect.
        effect: TaintEffect,
    },
    /// `numberOfClusters` is reached without it.
    BeyondNumberOfClusters {
        /// `spec.numberOfClusters`.
        limit: u32,
    },
    /// The ManagedCluster is being deleted.
    Deleting,
    /// An expression of a `celSelector` is false because of what machines report, or cannot be evaluated for the cluster.
    Expression {
        /// Its text.
        expression: String,
        /// What is the matter with it.
        problem: String,
    },
    /// The order of the clusters depends on scores that are not known.
    ScoresNotKnown {
        /// Why they are not.
        why: String,
    },
    /// The Placement cannot be evaluated.
    Misconfigured {
        /// What is wrong with it.
        message: String,
    },
    /// Scheduling is switched off by annotation and the existing decision does not name the cluster.
    SchedulingDisabled,
}

impl OutReason {
    /// True only for what a person chose for this cluster: another label, claim or set, a taint set by hand,
    /// or a smaller number of clusters. Missing bindings and sets, misconfiguration, a cluster that cannot be
    /// heard or is being detached are false, and then nothing may be pruned.
    pub fn is_deliberate(&self) -> bool {
        match self {
            Self::NotInAnySet { .. }
            | Self::PredicateMismatch { .. }
            | Self::BeyondNumberOfClusters { .. } => true,
            Self::Tainted { key, effect, .. } => {
                // NoSelectIfNew only bites where the cluster is not in the decision: a lost decision is no
                // choice.
                *effect == TaintEffect::NoSelect && key != UNREACHABLE_TAINT && key != UNAVAILABLE_TAINT
            }
            Self::NoSetBinding { .. }
            | Self::SetNotFound { .. }
            | Self::ClaimsNotReported { .. }
            | Self::Deleting
            | Self::Expression { .. }
            | Self::ScoresNotKnown { .. }
            | Self::Misconfigured { .. }
            | Self::SchedulingDisabled => false,
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl fmt::Display for OutReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSetBinding { sets, namespace } => {
                write!(
                    formatter,
                    "no ManagedClusterSetBinding for cluster set{} {} in namespace {namespace:?}: create one \
                     with metadata.name and spec.clusterSet {}",
                    plural(sets.len()),
                    quoted(sets),
                    sets.first().map_or_else(|| "the set's name".to_owned(), |set| format!("{set:?}")),
                )
            }
            Self::SetNotFound { sets } => {
                write!(
                    formatter,
                    "cluster set{} {} not found: create the ManagedClusterSet or correct spec.clusterSets",
                    plural(sets.len()),
                    quoted(sets),
                )
            }
            Self::NotInAnySet { sets } => {
                write!(
                    formatter,
                    "not in cluster set{} {}: label the cluster {}=<set>",
                    plural(sets.len()),
                    quoted(sets),
                    crate::api::ocm::names::CLUSTER_SET_LABEL,
                )
            }
            Self::PredicateMismatch { predicates } => {
                for (index, mismatches) in predicates.iter().enumerate() {
                    if index > 0 {
                        formatter.write_str("; or ")?;
                    }
                    for (index, mismatch) in mismatches.iter().enumerate() {
                        if index > 0 {
                            formatter.write_str(", and ")?;
                        }
                        mismatch.fmt(formatter)?;
                    }
                }
                Ok(())
            }
            Self::ClaimsNotReported { needed } => {
                write!(
                    formatter,
                    "the cluster reports no claims, needed: {needed}; check its agent or select by label"
                )
            }
            Self::Tainted { key, value, effect } => {
                let value = if value.is_empty() { String::new() } else { format!("={value}") };
                write!(
                    formatter,
                    "taint {key}{value}:{effect:?} is not tolerated: remove it from spec.taints of the \
                     ManagedCluster or tolerate it in spec.tolerations of the Placement"
                )
            }
            Self::BeyondNumberOfClusters { limit } => {
                write!(
                    formatter,
                    "spec.numberOfClusters is {limit} and other clusters come first: raise it to include \
                     this one"
                )
            }
            Self::Deleting => formatter.write_str("the ManagedCluster is being deleted"),
            Self::Expression { expression, problem } => {
                write!(formatter, "expression {expression}: {problem}")
            }
            Self::ScoresNotKnown { why } => {
                write!(formatter, "clusters are selected by scores that are not known: {why}")
            }
            Self::Misconfigured { message } => {
                write!(formatter, "the Placement is misconfigured: {message}")
            }
            Self::SchedulingDisabled => write!(
                formatter,
                "scheduling is disabled by annotation {} and the PlacementDecision does not name the cluster",
                super::scope::SCHEDULING_DISABLED_ANNOTATION
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_tell_what_to_do() {
        let text = |reason: OutReason| reason.to_string();
        assert_eq!(
            text(OutReason::NoSetBinding {
                sets: vec!["default".to_owned()],
                namespace: "policies".to_owned()
            }),
            "no ManagedClusterSetBinding for cluster set \"default\" in namespace \"policies\": create one \
             with metadata.name and spec.clusterSet \"default\""
        );
        let mismatch = |found: Option<&str>| Mismatch {
            source: MismatchSource::Label,
            key: "acm-pv-dr".to_owned(),
            found: found.map(ToOwned::to_owned),
            needed: "acm-pv-dr in [backup]".to_owned(),
        };
        assert_eq!(
            text(OutReason::PredicateMismatch {
                predicates: vec![vec![mismatch(Some("x"))], vec![mismatch(None)]]
            }),
            "label acm-pv-dr is \"x\", needed: acm-pv-dr in [backup]; or label acm-pv-dr is not set, needed: \
             acm-pv-dr in [backup]"
        );
    }

    #[test]
    fn only_a_persons_choice_is_deliberate() {
        let taint =
            |key: &str, effect| OutReason::Tainted { key: key.to_owned(), value: String::new(), effect };
        for (reason, expected) in [
            (OutReason::NotInAnySet { sets: vec![] }, true),
            (OutReason::PredicateMismatch { predicates: vec![] }, true),
            (OutReason::BeyondNumberOfClusters { limit: 1 }, true),
            (taint("maintenance", TaintEffect::NoSelect), true),
            (taint("maintenance", TaintEffect::NoSelectIfNew), false),
            (taint(UNREACHABLE_TAINT, TaintEffect::NoSelect), false),
            (taint(UNAVAILABLE_TAINT, TaintEffect::NoSelect), false),
            (OutReason::NoSetBinding { sets: vec![], namespace: String::new() }, false),
            (OutReason::SetNotFound { sets: vec![] }, false),
            (OutReason::ClaimsNotReported { needed: String::new() }, false),
            (OutReason::Deleting, false),
            (OutReason::Expression { expression: String::new(), problem: String::new() }, false),
            (OutReason::ScoresNotKnown { why: String::new() }, false),
            (OutReason::Misconfigured { message: String::new() }, false),
            (OutReason::SchedulingDisabled, false),
        ] {
            assert_eq!(reason.is_deliberate(), expected, "{reason}");
        }
    }
}
