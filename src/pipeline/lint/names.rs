//! Rules about the length of names on the cluster with the longest name.
//!
//! What a template comes to is not known here. It is taken for as short as it can be, so that a finding is never wrong.

use std::collections::BTreeMap;

use super::actions::{Word, actions, words};
use super::{Finding, Rule, Scene};
use crate::protection::names::LONGEST_SCHEDULE_NAME;
use crate::yaml::Located;

/// Namespace and name of a Policy together: they become a label with a dot between.
const LONGEST_POLICY: usize = 62;
/// A label value, and the name of a Namespace.
const LONGEST_LABEL: usize = 63;

pub(super) fn check(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    if scene.is_policy {
        policy(scene, findings);
    }
    let cluster = scene.options.longest_cluster.unwrap_or(1);
    for check in &scene.checks {
        let spec = check.definition.field("spec");
        if let Some(raw) = spec.and_then(|spec| spec.field("object-templates-raw"))
            && let Some(text) = raw.text()
        {
            in_raw(text, raw.line, cluster, findings);
        }
        for template in
            spec.and_then(|spec| spec.field("object-templates")).map(Located::entries).unwrap_or_default()
        {
            let Some(object) = template.field("objectDefinition") else { continue };
            let kind = object.field("kind").and_then(Located::text).unwrap_or_default();
            let none = BTreeMap::new();
            if let Some(name) = object.at(&["metadata", "name"])
                && let Some(text) = name.text()
            {
                name_of(kind, text, name.line, cluster, &none, findings);
            }
            for (label, _, value) in
                object.at(&["metadata", "labels"]).map(Located::fields).unwrap_or_default()
            {
                if let Some(text) = value.text() {
                    let length = length(text, cluster, &none);
                    if length > LONGEST_LABEL {
                        findings.push(too_long(
                            &format!("the label {label:?}"),
                            length,
                            LONGEST_LABEL,
                            value.line,
                        ));
                    }
                }
            }
        }
    }
}

fn policy(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let Some(name) = scene.root.at(&["metadata", "name"]) else { return };
    let length = name.text().unwrap_or_default().len() + scene.namespace().unwrap_or_default().len();
    if length > LONGEST_POLICY {
        findings.push(too_long(
            "namespace and name of the Policy together",
            length,
            LONGEST_POLICY,
            name.line,
        ));
    }
}

fn too_long(what: &str, length: usize, limit: usize, line: usize) -> Finding {
    Finding {
        rule: Rule::NameTooLong,
        line,
        column: None,
        message: format!("{what} would have {length} characters at least, and may have {limit}"),
        hint:
            "shorten what stands before the cluster's name; --longest-cluster says which name is counted with"
                .to_owned(),
    }
}

fn limit(kind: &str) -> Option<usize> {
    match kind {
        "Schedule" => Some(LONGEST_SCHEDULE_NAME),
        "Namespace" | "Service" => Some(LONGEST_LABEL),
        _ => None,
    }
}

fn name_of(
    kind: &str,
    text: &str,
    line: usize,
    cluster: usize,
    variables: &BTreeMap<String, String>,
    findings: &mut Vec<Finding>,
) {
    let Some(limit) = limit(kind) else { return };
    let length = length(text, cluster, variables);
    if length > limit {
        findings.push(too_long(&format!("the name of the {kind}"), length, limit, line));
    }
}

/// Names in a raw text: of each `kind:` the `name:` that follows it.
fn in_raw(text: &str, first: usize, cluster: usize, findings: &mut Vec<Finding>) {
    let variables: BTreeMap<String, String> = actions(text)
        .iter()
        .filter_map(|action| {
            let (name, value) = action.body.split_once(":=")?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect();
    let mut kind = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches("- ");
        if let Some(value) = line.strip_prefix("kind: ") {
            kind = value.trim().trim_matches(['\'', '"']);
        } else if let Some(value) = line.strip_prefix("name: ") {
            let value = value.trim().trim_matches('\'');
            name_of(kind, value, first + index, cluster, &variables, findings);
            // Names further below are those of parts of the object.
            kind = "";
        }
    }
}

/// How long a text is at least.
fn length(text: &str, cluster: usize, variables: &BTreeMap<String, String>) -> usize {
    let mut length = text.len();
    for action in actions(text) {
        let closing = if action.hub { "hub}}" } else { "}}" };
        let Some(end) = text[action.start..].find(closing) else { return 0 };
        length -= end + closing.len();
        length += of_body(action.body, cluster, variables, 0);
    }
    length
}

fn of_body(body: &str, cluster: usize, variables: &BTreeMap<String, String>, depth: usize) -> usize {
    let words = words(body);
    if depth > 8 || words.iter().any(|word| *word == Word::Name("trunc".to_owned())) {
        return 0;
    }
    let names = |name: &str| words.iter().filter(|word| **word == Word::Name(name.to_owned())).count();
    let own_name = |index: usize, word: &Word| {
        let claim =
            matches!(word, Word::Name(name) if name == "fromClusterClaim" || name == "lookupClusterClaim");
        claim && words.get(index + 1) == Some(&Word::Text("name".to_owned()))
    };
    let claims = words.iter().enumerate().filter(|(index, word)| own_name(*index, word)).count();
    let mut length = (names(".ManagedClusterName") + claims) * cluster;
    if let Some(position) = words.iter().position(|word| *word == Word::Name("printf".to_owned()))
        && let Some(Word::Text(format)) = words.get(position + 1)
    {
        length += format.len() - 2 * format.matches('%').count().min(format.len() / 2);
    }
    for word in &words {
        if let Word::Name(name) = word
            && let Some(value) = variables.get(name)
        {
            length += of_body(value, cluster, variables, depth + 1);
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_the_shortest_that_is_possible() {
        let variables =
            BTreeMap::from([("$s".to_owned(), "(printf \"%s-%s\" $p .ManagedClusterName)".to_owned())]);
        for (text, expected) in [
            ("plain", 5),
            ("a-{{hub .ManagedClusterName hub}}", 22),
            ("{{hub $s hub}}", 21),
            ("x-{{ fromClusterClaim \"name\" }}-y", 24),
            ("{{hub printf \"acm-%s\" .ManagedClusterName hub}}", 24),
            ("{{hub fromConfigMap \"\" \"a\" \"b\" hub}}", 0),
            ("{{hub trunc 5 .ManagedClusterName hub}}", 0),
        ] {
            assert_eq!(length(text, 20, &variables), expected, "{text}");
        }
    }
}
