//! What a rendered policy leaves behind on a cluster: the user's wish, written on the policy, so that it survives its ConfigMap.

use std::collections::BTreeMap;

use crate::api::ocm::names::{ON_DELETE_ANNOTATION, ON_DESELECT_ANNOTATION, RENDERED_FROM_ANNOTATION};

/// The word of `onDeselect` and `onDelete` for removing what the policy made.
const REMOVE: &str = "remove";
/// The word of `onDeselect` for pausing Schedules.
const PAUSE: &str = "pause";

/// How a policy leaves a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// By the rules of the policy itself: what is due is deleted, what carries data is kept.
    Ordinary,
    /// Nothing is touched.
    Nothing,
    /// Schedules are paused, nothing else is touched.
    Pause,
    /// As [`Departure::Ordinary`], and the machinery of Velero goes too.
    Remove,
    /// As [`Departure::Remove`], and what carries data or access to data stays whatever is allowed: another policy brings other
    /// machinery.
    Replace,
}

/// What is left of a policy that leaves a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remnant {
    /// The root policy is there and bound; the cluster is not selected.
    Bound,
    /// The root policy is there, and nothing binds it.
    Unbound,
    /// The root policy is gone.
    Gone,
    /// The root policy is gone, and what it was rendered from is there: somebody deleted it, or it is rendered no more, and none
    /// installs Velero in its place (`installMode: none`).
    Dropped,
    /// The root policy gave way to another one of the same configuration, which installs Velero in another way.
    Replaced,
}

/// How a policy leaves, by its annotations (those of the replicated policy where the root is gone). A rendered policy is never
/// unbound or deleted by a person's wish for one cluster: its ConfigMap is going, or asks for another way to install Velero,
/// or for none (which uninstalls nothing), or somebody took apart what the hub puts together again.
pub fn departure(annotations: &BTreeMap<String, String>, remnant: Remnant) -> Departure {
    if !annotations.contains_key(RENDERED_FROM_ANNOTATION) {
        return Departure::Ordinary;
    }
    let word = |name: &str| annotations.get(name).map_or("", String::as_str);
    match remnant {
        Remnant::Replaced => Departure::Replace,
        Remnant::Gone if word(ON_DELETE_ANNOTATION) == REMOVE => Departure::Remove,
        Remnant::Gone | Remnant::Dropped | Remnant::Unbound => Departure::Nothing,
        Remnant::Bound => match word(ON_DESELECT_ANNOTATION) {
            REMOVE => Departure::Remove,
            PAUSE => Departure::Pause,
            _ => Departure::Ordinary,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wish_for_the_cluster_removes_anything() {
        let annotations = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let rendered = (RENDERED_FROM_ANNOTATION, "ns/hdr-app-configmap");
        let remove = [rendered, (ON_DESELECT_ANNOTATION, "remove"), (ON_DELETE_ANNOTATION, "keep")];
        let paused = [rendered, (ON_DESELECT_ANNOTATION, "pause"), (ON_DELETE_ANNOTATION, "remove")];
        for (given, remnant, expected) in [
            (&[][..], Remnant::Bound, Departure::Ordinary),
            (&[], Remnant::Gone, Departure::Ordinary),
            (&[rendered], Remnant::Bound, Departure::Ordinary),
            (&[rendered], Remnant::Unbound, Departure::Nothing),
            (&[rendered], Remnant::Gone, Departure::Nothing),
            (&remove, Remnant::Bound, Departure::Remove),
            (&remove, Remnant::Unbound, Departure::Nothing),
            (&[rendered], Remnant::Replaced, Departure::Replace),
            (&remove, Remnant::Replaced, Departure::Replace),
            (&[], Remnant::Replaced, Departure::Ordinary),
            (&remove, Remnant::Gone, Departure::Nothing),
            (&paused, Remnant::Bound, Departure::Pause),
            (&paused, Remnant::Gone, Departure::Remove),
            (&paused, Remnant::Dropped, Departure::Nothing),
            (&[], Remnant::Dropped, Departure::Ordinary),
        ] {
            assert_eq!(departure(&annotations(given), remnant), expected, "{given:?} {remnant:?}");
        }
    }
}
