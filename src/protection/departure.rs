//! What a rendered policy leaves behind on a cluster: the user's wish, written on the policy, so that it survives its ConfigMap.

use std::collections::BTreeMap;
use std::fmt;

use crate::api::ocm::names::{
    ON_DELETE_ANNOTATION, ON_DESELECT_ANNOTATION, RENDERED_FROM_ANNOTATION,
};

/// When a cluster is deselected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDeselect {
    /// The Schedule goes; Velero, credentials, namespace and backups stay.
    #[default]
    Keep,
    /// The Schedule stays and is paused; all else stays too.
    Pause,
    /// All goes that the policy made; namespaces and credentials only with the opt-in to destructive deletions.
    Remove,
}

/// When the ConfigMap of a configuration is deleted, or loses its label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDelete {
    /// Nothing on any cluster is touched: backups go on.
    #[default]
    Keep,
    /// As [`OnDeselect::Remove`].
    Remove,
}

macro_rules! words {
    ($name:ident, $($variant:ident = $word:literal),+) => {
        impl $name {
            /// From the word of a setting.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

words!(OnDeselect, Keep = "keep", Pause = "pause", Remove = "remove");
words!(OnDelete, Keep = "keep", Remove = "remove");

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
}

/// How a policy leaves, by its annotations (those of the replicated policy where the root is gone). A rendered policy is never
/// unbound or deleted by a person's wish for one cluster: its ConfigMap is going, or somebody took apart what the hub puts
/// together again.
pub fn departure(annotations: &BTreeMap<String, String>, remnant: Remnant) -> Departure {
    if !annotations.contains_key(RENDERED_FROM_ANNOTATION) {
        return Departure::Ordinary;
    }
    let word = |name: &str| annotations.get(name).map_or("", String::as_str);
    match remnant {
        Remnant::Unbound => Departure::Nothing,
        Remnant::Gone => match OnDelete::parse(word(ON_DELETE_ANNOTATION)) {
            Some(OnDelete::Remove) => Departure::Remove,
            Some(OnDelete::Keep) | None => Departure::Nothing,
        },
        Remnant::Bound => match OnDeselect::parse(word(ON_DESELECT_ANNOTATION)) {
            Some(OnDeselect::Keep) | None => Departure::Ordinary,
            Some(OnDeselect::Pause) => Departure::Pause,
            Some(OnDeselect::Remove) => Departure::Remove,
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
            (&remove, Remnant::Gone, Departure::Nothing),
            (&paused, Remnant::Bound, Departure::Pause),
            (&paused, Remnant::Gone, Departure::Remove),
        ] {
            assert_eq!(departure(&annotations(given), remnant), expected, "{given:?} {remnant:?}");
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for wish in [OnDeselect::Keep, OnDeselect::Pause, OnDeselect::Remove] {
            assert_eq!(OnDeselect::parse(&wish.to_string()), Some(wish));
        }
        for wish in [OnDelete::Keep, OnDelete::Remove] {
            assert_eq!(OnDelete::parse(&wish.to_string()), Some(wish));
        }
        assert_eq!(OnDelete::parse("pause"), None);
    }
}
