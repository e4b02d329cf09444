//! `spec.namespaceSelector`: which namespaces of the cluster a template without one applies to.

use std::collections::BTreeMap;

use crate::api::object::Manifest;
use crate::api::ocm::configuration_policy::NamespaceSelector;

/// The selected namespaces, sorted. An empty selector selects none.
pub(super) fn select<'a>(
    selector: &NamespaceSelector,
    namespaces: impl Iterator<Item = &'a Manifest>,
) -> Vec<String> {
    let has_labels = !selector.match_labels.is_empty() || !selector.match_expressions.is_empty();
    if selector.include.is_empty() && !has_labels {
        return Vec::new();
    }
    let mut selected: Vec<String> = namespaces
        .filter(|namespace| labels_match(selector, &namespace.labels()))
        .filter_map(|namespace| namespace.name().map(ToOwned::to_owned))
        .filter(|name| {
            selector.include.is_empty() || selector.include.iter().any(|glob| glob_matches(glob, name))
        })
        .filter(|name| !selector.exclude.iter().any(|glob| glob_matches(glob, name)))
        .collect();
    selected.sort();
    selected
}

fn labels_match(selector: &NamespaceSelector, labels: &BTreeMap<String, String>) -> bool {
    selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && selector.match_expressions.iter().all(|requirement| requirement.matches(labels))
}

/// Go's `filepath.Match` for names without slashes: `*`, `?` and `[a-c]`, `[^a]`.
fn glob_matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches_from(&pattern, &name)
}

fn matches_from(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|skip| matches_from(rest, &name[skip..])),
        Some(('?', rest)) => !name.is_empty() && matches_from(rest, &name[1..]),
        Some(('[', rest)) => match (class(rest), name.split_first()) {
            (Some((negated, ranges, rest)), Some((first, name))) => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&first)) != negated
                    && matches_from(rest, name)
            }
            _ => false,
        },
        Some((character, rest)) => {
            name.split_first().is_some_and(|(first, name)| first == character && matches_from(rest, name))
        }
    }
}

type Class<'a> = (bool, Vec<(char, char)>, &'a [char]);

fn class(pattern: &[char]) -> Option<Class<'_>> {
    let end = pattern.iter().position(|character| *character == ']')?;
    let (inside, rest) = (&pattern[..end], &pattern[end + 1..]);
    let (negated, mut inside) = match inside.split_first() {
        Some(('^', inside)) => (true, inside),
        _ => (false, inside),
    };
    let mut ranges = Vec::new();
    while let Some((low, tail)) = inside.split_first() {
        if let ['-', high, tail @ ..] = tail {
            ranges.push((*low, *high));
            inside = tail;
        } else {
            ranges.push((*low, *low));
            inside = tail;
        }
    }
    Some((negated, ranges, rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn globs_and_labels_are_anded() {
        let namespaces: Vec<Manifest> = [("app1", "a"), ("app2", "b"), ("kube-system", "a")]
            .iter()
            .map(|(name, tier)| {
                Manifest::parse(json!({"apiVersion": "v1", "kind": "Namespace",
                    "metadata": {"name": name, "labels": {"tier": tier}}}))
                .unwrap()
            })
            .collect();
        let selected =
            |value: serde_json::Value| select(&serde_json::from_value(value).unwrap(), namespaces.iter());
        assert_eq!(selected(json!({})), Vec::<String>::new());
        assert_eq!(selected(json!({"include": ["*"]})), ["app1", "app2", "kube-system"]);
        assert_eq!(selected(json!({"include": ["app?"], "exclude": ["*2"]})), ["app1"]);
        assert_eq!(selected(json!({"matchLabels": {"tier": "a"}})), ["app1", "kube-system"]);
        assert_eq!(selected(json!({"include": ["app[1-1]"], "matchLabels": {"tier": "a"}})), ["app1"]);
        assert_eq!(selected(json!({"include": ["[^a]*"]})), ["kube-system"]);
    }
}
