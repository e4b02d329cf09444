//! Reader of label selectors for clusters: as kubectl takes them, or as a mapping.

use super::diagnostic::Fault;
use super::forms::Form;
use super::lists::document;
use super::value::Subject;
use crate::api::dns;
use crate::api::selector::{LabelSelector, Operator, Requirement, parse_text};

const EXAMPLE: &str = "for example env=prod,tier in (a,b),!retired";

/// A mapping begins with a brace, or has a field of `metav1.LabelSelector`.
fn is_mapping(text: &str) -> bool {
    text.trim_start().starts_with('{') || text.contains("matchLabels:") || text.contains("matchExpressions:")
}

pub(super) fn cluster_selector(subject: &mut Subject<'_>) -> Option<LabelSelector> {
    if subject.text.trim().is_empty() {
        let hint = format!("leave the key out for its default, {EXAMPLE}");
        subject.invalid("is empty", Form::ClusterSelector.expected(), &hint);
        return None;
    }
    let selector = if is_mapping(subject.text) { mapping(subject)? } else { text(subject)? };
    for requirement in selector.requirements() {
        requirement_is_sound(subject, &requirement);
    }
    if selector == LabelSelector::default() && subject.findings.is_empty() {
        let finding = subject
            .finding(Fault::Doubtful, "selects every cluster of the cluster sets")
            .found(subject.text)
            .hint(format!("name labels, {EXAMPLE}"));
        subject.report(finding);
    }
    subject.unless_faulty(selector)
}

fn text(subject: &mut Subject<'_>) -> Option<LabelSelector> {
    match parse_text(subject.text) {
        Ok(match_expressions) => Some(LabelSelector { match_expressions, ..LabelSelector::default() }),
        Err(error) => {
            let message = format!("is not a label selector, {error}");
            subject.invalid(message, Form::ClusterSelector.expected(), EXAMPLE);
            None
        }
    }
}

fn mapping(subject: &mut Subject<'_>) -> Option<LabelSelector> {
    const FIELDS: [&str; 2] = ["matchLabels", "matchExpressions"];
    let document = document(subject)?;
    for (name, mark, _) in document.fields() {
        if !FIELDS.contains(&name.as_str()) {
            let message = "has an unknown field";
            subject.invalid_entry(*mark, name, message, "matchLabels and matchExpressions", EXAMPLE);
        }
    }
    match serde_json::from_value(document.value()) {
        Ok(selector) => Some(selector),
        Err(error) => {
            let message = format!("is not a label selector, {error}");
            subject.invalid(message, Form::ClusterSelector.expected(), EXAMPLE);
            None
        }
    }
}

fn requirement_is_sound(subject: &mut Subject<'_>, requirement: &Requirement) {
    if let Err(error) = requirement.validate() {
        let message = format!("is not a label selector, {error}");
        subject.invalid(message, Form::ClusterSelector.expected(), EXAMPLE);
    }
    if !dns::is_label_key(&requirement.key) {
        let finding = subject
            .finding(Fault::Invalid, "has a key that no label can have")
            .found(&requirement.key)
            .expected("letters, digits, '-', '_' and '.', 63 at most, with a DNS name and '/' before it if it has a prefix")
            .hint(EXAMPLE);
        subject.report(finding);
    }
    let values = match requirement.operator {
        Operator::In | Operator::NotIn => requirement.values.as_slice(),
        Operator::Exists | Operator::DoesNotExist => &[],
    };
    for value in values.iter().filter(|value| !dns::is_label_value(value)) {
        let finding = subject
            .finding(Fault::Invalid, format!("asks label {} for a value that none can have", requirement.key))
            .found(value)
            .expected("letters, digits, '-', '_' and '.', 63 at most")
            .hint(EXAMPLE);
        subject.report(finding);
    }
}
