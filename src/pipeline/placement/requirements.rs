//! What a pair of selectors, of labels and of claims, asks of a cluster: the same for predicates and for decision groups.

use std::collections::BTreeMap;

use super::verdict::MismatchSource;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::placement::ClaimSelector;
use crate::api::selector::{LabelSelector, Requirement, SelectorError};

/// What is asked, of what.
pub(super) fn of(
    labels: &LabelSelector,
    claims: &ClaimSelector,
) -> impl Iterator<Item = (MismatchSource, Requirement)> {
    let of_labels = labels.requirements().into_iter().map(|asked| (MismatchSource::Label, asked));
    let of_claims = claims.match_expressions.iter().cloned().map(|asked| (MismatchSource::Claim, asked));
    of_labels.chain(of_claims)
}

/// The first requirement that cannot be read.
pub(super) fn fault(labels: &LabelSelector, claims: &ClaimSelector) -> Option<SelectorError> {
    of(labels, claims).find_map(|(_, requirement)| requirement.validate().err())
}

/// The claims that a cluster reports.
pub(super) fn reported(cluster: &ManagedCluster) -> BTreeMap<String, String> {
    let claims = cluster.status.cluster_claims.iter();
    claims.map(|claim| (claim.name.clone(), claim.value.clone())).collect()
}
