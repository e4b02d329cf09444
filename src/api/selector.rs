//! Label selectors of the Kubernetes API, in their JSON form and in the text form of `kubectl -l`.
//!
//! Takes labels as a map, gives a yes or no. Source: `metav1.LabelSelector`, `labels.Parse`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A selector that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// `In` and `NotIn` need values, `Exists` and `DoesNotExist` must have none.
    #[error("failed to read the selector: key {key:?} with operator {operator} {problem}")]
    Values {
        /// The label key.
        key: String,
        /// The operator.
        operator: Operator,
        /// What is wrong.
        problem: &'static str,
    },
    /// The text form does not parse.
    #[error("failed to read the selector {text:?}: {problem}")]
    Text {
        /// The whole text.
        text: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// The label is there and its value is in the list.
    In,
    /// The label is absent or its value is not in the list.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
        })
    }
}

/// One requirement of a selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    // Upstream's definitions take any text here, and so does ours.
    #[schemars(with = "String")]
    pub operator: Operator,
    /// Values for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Requirement {
    /// Whether the labels satisfy it.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }

    /// The API server's rule for values.
    pub fn validate(&self) -> Result<(), SelectorError> {
        let problem = match self.operator {
            Operator::In | Operator::NotIn if self.values.is_empty() => "needs values",
            Operator::Exists | Operator::DoesNotExist if !self.values.is_empty() => "must not have values",
            Operator::In | Operator::NotIn | Operator::Exists | Operator::DoesNotExist => return Ok(()),
        };
        Err(SelectorError::Values { key: self.key.clone(), operator: self.operator, problem })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.join(", ");
        match self.operator {
            Operator::In => write!(formatter, "{} in [{values}]", self.key),
            Operator::NotIn => write!(formatter, "{} not in [{values}]", self.key),
            Operator::Exists => write!(formatter, "{} exists", self.key),
            Operator::DoesNotExist => write!(formatter, "{} does not exist", self.key),
        }
    }
}

/// `metav1.LabelSelector`: all of `matchLabels` and `matchExpressions` must hold; an empty one matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct LabelSelector {
    /// Labels that must be equal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

impl LabelSelector {
    /// Both parts as requirements, `matchLabels` first.
    pub fn requirements(&self) -> Vec<Requirement> {
        let equal = self.match_labels.iter().map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.clone()],
        });
        equal.chain(self.match_expressions.iter().cloned()).collect()
    }

    /// Whether the labels satisfy all requirements.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }

    /// The first requirement that the labels do not satisfy.
    pub fn first_mismatch(&self, labels: &BTreeMap<String, String>) -> Option<Requirement> {
        self.requirements().into_iter().find(|requirement| !requirement.matches(labels))
    }

    /// Checks every expression.
    pub fn validate(&self) -> Result<(), SelectorError> {
        self.match_expressions.iter().try_for_each(Requirement::validate)
    }
}

/// Reads the text form: `a=b,c!=d,e,!f,g in (h, i),j notin (k)`.
pub fn parse_text(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    split_outside_parentheses(text)
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| parse_requirement(text, part))
        .collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(text: &str, part: &str) -> Result<Requirement, SelectorError> {
    let fault = |problem| SelectorError::Text { text: text.to_owned(), problem };
    let requirement = |key: &str, operator, values: Vec<String>| {
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(fault("a key must be one word"));
        }
        Ok(Requirement { key: key.to_owned(), operator, values })
    };
    if let Some(list) = part.strip_suffix(')') {
        let (head, values) = list.split_once('(').ok_or_else(|| fault("unbalanced parentheses"))?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let head = head.trim_end();
        return if let Some(key) = head.strip_suffix(" notin") {
            requirement(key, Operator::NotIn, values)
        } else if let Some(key) = head.strip_suffix(" in") {
            requirement(key, Operator::In, values)
        } else {
            Err(fault("a list of values needs `in` or `notin` before it"))
        };
    }
    if let Some(key) = part.strip_prefix('!') {
        return requirement(key, Operator::DoesNotExist, Vec::new());
    }
    if let Some((key, value)) = part.split_once("!=") {
        return requirement(key, Operator::NotIn, vec![value.trim().to_owned()]);
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return requirement(key, Operator::In, vec![value.trim().to_owned()]);
    }
    requirement(part, Operator::Exists, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn text_selectors_match_as_kubectl_does() {
        let have = labels(&[("a", "1"), ("b", "2")]);
        for (text, expected) in [
            ("", true),
            ("a=1", true),
            ("a==1,b=2", true),
            ("a=2", false),
            ("a!=2", true),
            ("c!=2", true),
            ("a", true),
            ("c", false),
            ("!c", true),
            ("!a", false),
            ("a in (1, 3),b notin (3)", true),
            ("a notin (1)", false),
        ] {
            let requirements = parse_text(text).unwrap();
            assert_eq!(requirements.iter().all(|requirement| requirement.matches(&have)), expected, "{text}");
        }
        assert!(parse_text("a (b)").is_err());
        assert!(parse_text("a b").is_err());
    }

    #[test]
    fn the_first_mismatch_is_named() {
        let selector: LabelSelector = serde_json::from_value(serde_json::json!({
            "matchLabels": {"a": "1"},
            "matchExpressions": [{"key": "acm-pv-dr", "operator": "In", "values": ["backup"]}]
        }))
        .unwrap();
        assert_eq!(
            selector.first_mismatch(&labels(&[("a", "1")])).unwrap().to_string(),
            "acm-pv-dr in [backup]"
        );
        assert!(selector.matches(&labels(&[("a", "1"), ("acm-pv-dr", "backup")])));
    }
}
