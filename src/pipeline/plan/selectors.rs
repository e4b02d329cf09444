//! The selectors of a ConfigurationPolicy: takes a selector as it is written and namespaces or labels, gives those that are
//! selected, or what is wrong with it in upstream's words.

use std::collections::BTreeMap;

use crate::api::object::Manifest;
use crate::api::ocm::configuration_policy::{NamespaceSelector, WrittenSelector};
use crate::api::selector::{Operator, Requirement};

/// The selected namespaces, sorted. A selector that says neither what to include nor which labels selects none.
pub(super) fn namespaces<'a>(
    selector: &NamespaceSelector,
    namespaces: impl Iterator<Item = &'a Manifest>,
) -> Result<Vec<String>, String> {
    if selector.include.is_empty() && selector.labels.is_empty() {
        return Ok(Vec::new());
    }
    let requirements = requirements(&selector.labels)
        .map_err(|error| format!("error parsing namespace LabelSelector: {error}"))?;
    let include = patterns("include", &selector.include)?;
    let exclude = patterns("exclude", &selector.exclude)?;
    let mut selected: Vec<String> = namespaces
        .filter(|namespace| holds(&requirements, &namespace.labels()))
        .filter_map(|namespace| namespace.name().map(ToOwned::to_owned))
        .filter(|name| include.is_empty() || include.iter().any(|pattern| pattern.matches(name)))
        .filter(|name| !exclude.iter().any(|pattern| pattern.matches(name)))
        .collect();
    selected.sort();
    Ok(selected)
}

/// Whether labels satisfy all requirements.
pub(super) fn holds(requirements: &[Requirement], labels: &BTreeMap<String, String>) -> bool {
    requirements.iter().all(|requirement| requirement.matches(labels))
}

/// The requirements of a selector.
pub(super) fn requirements(selector: &WrittenSelector) -> Result<Vec<Requirement>, String> {
    let equal = selector.match_labels.iter().flatten().map(|(key, value)| {
        Ok(Requirement { key: key.clone(), operator: Operator::In, values: vec![value.clone()] })
    });
    let further = selector.match_expressions.iter().flatten().map(|written| {
        let operator = match written.operator.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => return Err(format!("{other:?} is not a valid label selector operator")),
        };
        match operator {
            Operator::In | Operator::NotIn if written.values.is_empty() => {
                Err("values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty"
                    .to_owned())
            }
            Operator::Exists | Operator::DoesNotExist if !written.values.is_empty() => {
                let values: Vec<String> = written.values.iter().map(|value| format!("{value:?}")).collect();
                Err(format!(
                    "values: Invalid value: [{}]: values set must be empty for exists and does not exist",
                    values.join(",")
                ))
            }
            _ => Ok(Requirement { key: written.key.clone(), operator, values: written.values.clone() }),
        }
    });
    equal.chain(further).collect()
}

fn patterns(field: &str, globs: &[String]) -> Result<Vec<Pattern>, String> {
    let read = |glob: &String| {
        Pattern::parse(glob)
            .ok_or_else(|| format!("error parsing '{field}' pattern '{glob}': syntax error in pattern"))
    };
    globs.iter().map(read).collect()
}

/// A pattern of Go's `filepath.Match`, for names without slashes: `*`, `?`, `[a-c]`, `[^a]` and `\` before any of them.
struct Pattern(Vec<Part>);

enum Part {
    Anything,
    One,
    Character(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// Reads a pattern; `None` where Go finds a syntax error.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            parts.push(match character {
                '*' => Part::Anything,
                '?' => Part::One,
                '\\' => Part::Character(rest.next()?),
                '[' => {
                    let negated = rest.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
                        let low = class_character(&mut rest)?;
                        let high =
                            if rest.next_if_eq(&'-').is_some() { class_character(&mut rest)? } else { low };
                        ranges.push((low, high));
                    }
                    Part::Class { negated, ranges }
                }
                other => Part::Character(other),
            });
        }
        Some(Self(parts))
    }

    fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        // Which prefixes of the pattern match what was read so far.
        let mut reached = vec![false; self.0.len() + 1];
        reached[0] = true;
        self.pass_stars(&mut reached);
        for character in name {
            let mut next = vec![false; self.0.len() + 1];
            for (at, part) in self.0.iter().enumerate().filter(|(at, _)| reached[*at]) {
                match part {
                    Part::Anything => next[at] = true,
                    other => next[at + 1] |= other.takes(character),
                }
            }
            self.pass_stars(&mut next);
            reached = next;
        }
        reached.last().copied().unwrap_or_default()
    }

    /// A star may stand for nothing.
    fn pass_stars(&self, reached: &mut [bool]) {
        for (at, part) in self.0.iter().enumerate() {
            if matches!(part, Part::Anything) && reached[at] {
                reached[at + 1] = true;
            }
        }
    }
}

impl Part {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Anything | Self::One => true,
            Self::Character(wanted) => *wanted == character,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&&character)) != *negated
            }
        }
    }
}

/// One character of a class, with its escape. Something must follow it.
fn class_character(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    let character = match rest.next()? {
        '-' | ']' => return None,
        '\\' => rest.next()?,
        other => other,
    };
    rest.peek().map(|_| character)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn all() -> Vec<Manifest> {
        [("app1", "a"), ("app2", "b"), ("kube-system", "a")]
            .iter()
            .map(|(name, tier)| {
                Manifest::parse(json!({"apiVersion": "v1", "kind": "Namespace",
                    "metadata": {"name": name, "labels": {"tier": tier}}}))
                .unwrap()
            })
            .collect()
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"exclude": ["x"]}), &[])]
    #[case(json!({"include": [], "matchLabels": null}), &[])]
    #[case(json!({"matchLabels": {}}), &["app1", "app2", "kube-system"])]
    #[case(json!({"include": ["*"]}), &["app1", "app2", "kube-system"])]
    #[case(json!({"include": ["app?"], "exclude": ["*2"]}), &["app1"])]
    #[case(json!({"matchLabels": {"tier": "a"}}), &["app1", "kube-system"])]
    #[case(json!({"include": ["app[1-1]"], "matchLabels": {"tier": "a"}}), &["app1"])]
    #[case(json!({"include": ["[^a]*"]}), &["kube-system"])]
    #[case(json!({"include": ["*p*"], "exclude": []}), &["app1", "app2"])]
    #[case(json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["b"]}],
        "exclude": ["kube-*"]}), &["app1"])]
    fn globs_and_labels_are_anded(#[case] selector: Value, #[case] expected: &[&str]) {
        let selector = serde_json::from_value(selector).unwrap();
        assert_eq!(namespaces(&selector, all().iter()).unwrap(), expected);
    }

    #[rstest]
    #[case(json!({"include": ["*-[a-z-*"]}),
        "error parsing 'include' pattern '*-[a-z-*': syntax error in pattern")]
    #[case(json!({"include": ["*"], "exclude": ["[]a]"]}),
        "error parsing 'exclude' pattern '[]a]': syntax error in pattern")]
    #[case(json!({"matchExpressions": [{"key": "name", "operator": "Seriously"}]}),
        "error parsing namespace LabelSelector: \"Seriously\" is not a valid label selector operator")]
    #[case(json!({"matchExpressions": [{"key": "name", "operator": "In", "values": []}]}),
        "error parsing namespace LabelSelector: values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty")]
    #[case(json!({"matchExpressions": [{"key": "name", "operator": "Exists", "values": ["a", "b"]}]}),
        "error parsing namespace LabelSelector: values: Invalid value: [\"a\",\"b\"]: values set must be empty for exists and does not exist")]
    fn faults_are_told(#[case] selector: Value, #[case] expected: &str) {
        let selector = serde_json::from_value(selector).unwrap();
        assert_eq!(namespaces(&selector, all().iter()).unwrap_err(), expected);
    }

    #[rstest]
    #[case("[a-", false)]
    #[case("a\\", false)]
    #[case("[a", false)]
    #[case("[-a]", false)]
    #[case("[\\]a]", true)]
    #[case("**", true)]
    fn patterns_are_gos(#[case] pattern: &str, #[case] good: bool) {
        assert_eq!(Pattern::parse(pattern).is_some(), good, "{pattern}");
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = Pattern::parse(&"*a".repeat(200)).unwrap();
        assert!(!pattern.matches(&"a".repeat(190)));
    }
}
