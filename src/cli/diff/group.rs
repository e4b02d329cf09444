//! The same change on many clusters, told once.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::preview::{Change, ClusterPlan, Kind};

/// How many clusters are named before the rest is counted.
const NAMED: usize = 10;

/// One change, and where it is made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Difference {
    /// The policy.
    pub(super) policy: String,
    /// As it is on the first of the clusters.
    #[serde(flatten)]
    pub(super) change: Change,
    /// All of them.
    pub(super) clusters: Vec<String>,
    /// Whether it differs between them in the clusters' own names.
    #[serde(rename = "ownNames")]
    pub(super) own_names: bool,
}

impl Difference {
    /// The clusters for people.
    pub(super) fn whereabouts(&self) -> String {
        let own = if self.own_names { ", the others with their own names" } else { "" };
        format!("{}{own}", named(&self.clusters))
    }
}

/// Clusters for people: the first ones by name.
pub(super) fn named(clusters: &[String]) -> String {
    let first = clusters.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match clusters.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// What makes two changes the same.
type Likeness = (String, Kind, String, String, Vec<String>, Option<String>);

/// The changes of all clusters, the same ones together, in the order in which they come first.
pub(super) fn differences(plans: &[ClusterPlan]) -> Vec<Difference> {
    let mut places: BTreeMap<Likeness, usize> = BTreeMap::new();
    let mut differences: Vec<Difference> = Vec::new();
    for plan in plans {
        for policy in &plan.policies {
            for change in policy.changes.iter().filter(|change| change.changes()) {
                let likeness = likeness(&policy.policy, change, &plan.own_names);
                let known = places.get(&likeness).and_then(|place| differences.get_mut(*place));
                if let Some(known) = known {
                    known.own_names |= known.change.name != change.name || known.change.diff != change.diff;
                    known.clusters.push(plan.cluster.clone());
                } else {
                    places.insert(likeness, differences.len());
                    differences.push(Difference {
                        policy: policy.policy.clone(),
                        change: change.clone(),
                        clusters: vec![plan.cluster.clone()],
                        own_names: false,
                    });
                }
            }
        }
    }
    differences
}

/// The lines that change count, not those around them: uids and times are each object's own.
fn likeness(policy: &str, change: &Change, own: &[(String, &'static str)]) -> Likeness {
    let general =
        |text: &str| own.iter().fold(text.to_owned(), |text, (name, word)| generalized(&text, name, word));
    let changed = change.diff.iter().flat_map(|diff| diff.lines().skip(2));
    let changed = changed.filter(|line| line.starts_with(['+', '-'])).map(general).collect();
    (
        policy.to_owned(),
        change.action,
        format!("{} {}", change.api_version, change.kind),
        general(&change.full_name()),
        changed,
        change.reason.as_deref().map(general),
    )
}

/// A text with a name replaced wherever it stands as a word of its own.
fn generalized(text: &str, name: &str, word: &str) -> String {
    if name.is_empty() {
        return text.to_owned();
    }
    let mut general = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at);
        let after = &from[name.len()..];
        let part_of_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        let alone = !part_of_word(before.chars().next_back().or_else(|| general.chars().next_back()))
            && !part_of_word(after.chars().next());
        general.push_str(before);
        general.push_str(if alone { word } else { name });
        rest = after;
    }
    general.push_str(rest);
    general
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::object::Manifest;
    use crate::cli::preview::PolicyPlan;
    use crate::pipeline::compare::Redaction;
    use crate::pipeline::policy::PolicyKey;

    fn schedule(cluster: &str, uid: &str, ttl: &str) -> Manifest {
        Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": format!("app-{cluster}"), "namespace": "velero", "uid": uid,
                "labels": {"cluster-name": cluster}}, "spec": {"ttl": ttl}}))
        .unwrap()
    }

    fn plan(cluster: &str, from: &str, to: &str) -> ClusterPlan {
        let mut policy = PolicyPlan::new(&PolicyKey::new("ns", "backup"));
        let (before, after) = (schedule(cluster, cluster, from), schedule(cluster, cluster, to));
        let change = Change::new("check", &after.key().unwrap(), Kind::Update);
        policy.changes.push(change.showing(Some(&before), &after, Redaction::Secrets));
        ClusterPlan {
            cluster: cluster.to_owned(),
            error: None,
            assumed_kinds: Vec::new(),
            policies: vec![policy],
            own_names: vec![(cluster.to_owned(), "$(cluster)")],
        }
    }

    #[test]
    fn the_same_change_is_told_once() {
        let plans = [plan("c1", "1h", "2h"), plan("c2", "1h", "2h"), plan("c3", "3h", "2h")];
        let found = differences(&plans);
        let told: Vec<String> = found.iter().map(Difference::whereabouts).collect();
        assert_eq!(told, ["c1, c2, the others with their own names", "c3"]);
        assert_eq!(found[0].change.full_name(), "velero/app-c1");
    }

    #[test]
    fn many_clusters_are_counted() {
        let plans: Vec<ClusterPlan> = (0..13).map(|number| plan(&format!("c{number}"), "1h", "2h")).collect();
        let found = differences(&plans);
        assert_eq!(found.len(), 1);
        assert!(found[0].whereabouts().starts_with("c0, c1, c2"), "{}", found[0].whereabouts());
        assert!(found[0].whereabouts().contains("c9 and 3 more"), "{}", found[0].whereabouts());
    }

    #[test]
    fn a_name_counts_as_a_word() {
        for (text, expected) in [
            ("app-c1", "app-X"),
            ("c1", "X"),
            ("abc1 c10 c1c1", "abc1 c10 c1c1"),
            ("c1/c1.c1", "X/X.X"),
            ("none", "none"),
        ] {
            assert_eq!(generalized(text, "c1", "X"), expected);
        }
    }
}
