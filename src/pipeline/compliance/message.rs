//! From what was found of a template's objects to one condition: takes findings, gives compliance, reason and message;
//! and the message of a `ConfigurationPolicy` from the verdicts of its templates.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::ocm::policy::ComplianceState;

/// How long a compliance message may be, in bytes.
pub const MESSAGE_LENGTH: usize = 4096;

/// What a message that was cut ends with.
const TRUNCATED: &str = "...[truncated]";

/// What was found of an object, in the order in which messages tell it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is there as specified.
    FoundAsExpected,
    /// It was created.
    Created,
    /// It was changed.
    Updated,
    /// It was deleted.
    Deleted,
    /// It is missing.
    NotFoundButShouldExist,
    /// It is there, but not as specified.
    FoundButDoesNotMatch,
    /// It is not there, as specified.
    NotFoundAsExpected,
    /// It is there and must not be.
    FoundButShouldNotExist,
    /// Anything else; the finding has its own message.
    Other {
        /// The reason of the condition, e.g. `K8s error`.
        reason: String,
    },
}

impl Reason {
    /// The reason of a related object (`status.relatedObjects[].reason`).
    pub fn as_str(&self) -> &str {
        match self {
            Self::FoundAsExpected => "Resource found as expected",
            Self::Created => "K8s creation success",
            Self::Updated => "K8s update success",
            Self::Deleted => "K8s deletion success",
            Self::NotFoundButShouldExist => "Resource not found but should exist",
            Self::FoundButDoesNotMatch => "Resource found but does not match",
            Self::NotFoundAsExpected => "Resource not found as expected",
            Self::FoundButShouldNotExist => "Resource found but should not exist",
            Self::Other { reason } => reason,
        }
    }

    /// The reason of the condition that tells it.
    pub fn condition_reason(&self) -> &str {
        match self {
            Self::FoundAsExpected => "K8s `must have` object already exists",
            Self::Created => "K8s creation success",
            Self::Updated => "K8s update success",
            Self::Deleted => "K8s deletion success",
            Self::NotFoundButShouldExist | Self::FoundButDoesNotMatch => {
                "K8s does not have a `must have` object"
            }
            Self::NotFoundAsExpected => "K8s `must not have` object already missing",
            Self::FoundButShouldNotExist => "K8s has a `must not have` object",
            Self::Other { reason } => reason,
        }
    }

    /// What a message says of the objects; `None` when the finding has its own message.
    fn verb(&self) -> Option<&'static str> {
        Some(match self {
            Self::FoundAsExpected => "found as specified",
            Self::Created => "was created successfully",
            Self::Updated => "was updated successfully",
            Self::Deleted => "was deleted successfully",
            Self::NotFoundButShouldExist => "not found",
            Self::FoundButDoesNotMatch => "found but not as specified",
            Self::NotFoundAsExpected => "missing as expected",
            Self::FoundButShouldNotExist => "found",
            Self::Other { .. } => return None,
        })
    }

    /// The reason with this text, as upstream writes it in `relatedObjects`.
    pub fn from_text(text: &str) -> Self {
        const KNOWN: [Reason; 8] = [
            Reason::FoundAsExpected,
            Reason::Created,
            Reason::Updated,
            Reason::Deleted,
            Reason::NotFoundButShouldExist,
            Reason::FoundButDoesNotMatch,
            Reason::NotFoundAsExpected,
            Reason::FoundButShouldNotExist,
        ];
        let known = KNOWN.into_iter().find(|reason| reason.as_str() == text);
        known.unwrap_or_else(|| Self::Other { reason: text.to_owned() })
    }
}

/// What was found of one template in one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The namespace; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Names of the objects; none when the template names none and none was found.
    pub names: Vec<String>,
    /// Whether this is as it should be.
    pub compliant: bool,
    /// What was found.
    pub reason: Reason,
    /// What to say, for [`Reason::Other`]; it names the namespace itself.
    pub message: Option<String>,
}

/// The verdict on one object template: its condition in `status.compliancyDetails`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVerdict {
    /// Whether all is as it should be.
    pub compliant: bool,
    /// Reason of the condition.
    pub reason: String,
    /// Message of the condition.
    pub message: String,
}

impl TemplateVerdict {
    /// Type of the condition: `notification` or `violation`.
    pub fn condition_type(&self) -> &'static str {
        if self.compliant { "notification" } else { "violation" }
    }
}

/// Sums up the findings of one object template. `resource_plural` is the name of the resource (`schedules`). If anything
/// is not as it should be, only that is told. Without findings there is nothing to object to.
pub fn template_verdict(resource_plural: &str, findings: &[Finding]) -> TemplateVerdict {
    let compliant = findings.iter().all(|finding| finding.compliant);
    let mut by_reason: BTreeMap<&Reason, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.compliant == compliant) {
        by_reason.entry(&finding.reason).or_default().push(finding);
    }
    let mut reasons: Vec<&str> = Vec::new();
    let mut messages = Vec::new();
    for (reason, findings) in by_reason {
        // Two reasons of objects may be one of the condition; upstream repeats it.
        reasons.push(reason.condition_reason());
        match reason.verb() {
            Some(verb) => told_together(resource_plural, verb, &findings, &mut messages),
            None => told_one_by_one(&findings, &mut messages),
        }
    }
    TemplateVerdict { compliant, reason: reasons.join("; "), message: messages.join("; ") }
}

/// One message for each list of names, over all namespaces that share it.
fn told_together(resource: &str, verb: &str, findings: &[&Finding], messages: &mut Vec<String>) {
    let mut names_in: BTreeMap<Option<&str>, BTreeSet<&str>> = BTreeMap::new();
    for finding in findings {
        let names = names_in.entry(finding.namespace.as_deref()).or_default();
        names.extend(finding.names.iter().map(String::as_str));
    }
    let mut namespaces_of: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (namespace, names) in &names_in {
        namespaces_of.entry(bracketed(names)).or_default().extend(namespace);
    }
    for (names, namespaces) in namespaces_of {
        let place = match namespaces.as_slice() {
            [] => String::new(),
            [namespace] => format!(" in namespace {namespace}"),
            several => format!(" in namespaces: {}", several.join(", ")),
        };
        messages.push(format!("{resource}{names} {verb}{place}"));
    }
}

/// The findings' own messages, in the order of names and namespaces.
fn told_one_by_one(findings: &[&Finding], messages: &mut Vec<String>) {
    let mut told: Vec<(String, Option<&str>, &str)> = findings
        .iter()
        .filter_map(|finding| {
            let names = finding.names.iter().map(String::as_str).collect();
            Some((bracketed(&names), finding.namespace.as_deref(), finding.message.as_deref()?))
        })
        .collect();
    told.sort_unstable();
    told.dedup();
    messages.extend(told.into_iter().map(|(_, _, message)| message.to_owned()));
}

fn bracketed(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(" [{}]", names.iter().copied().collect::<Vec<_>>().join(", "))
}

/// The message of a `ConfigurationPolicy`: `NonCompliant; violation - …; notification - …`, a part for each template in
/// the order of the templates, cut to [`MESSAGE_LENGTH`].
pub fn event_message(verdicts: &[TemplateVerdict]) -> String {
    let state = if verdicts.iter().all(|verdict| verdict.compliant) {
        ComplianceState::Compliant
    } else {
        ComplianceState::NonCompliant
    };
    let mut message = state.to_string();
    for verdict in verdicts {
        message.push_str("; ");
        message.push_str(verdict.condition_type());
        message.push_str(" - ");
        message.push_str(&verdict.message);
    }
    truncated(message)
}

/// A message cut to [`MESSAGE_LENGTH`] bytes, its ending `...[truncated]` included.
pub fn truncated(mut message: String) -> String {
    if message.len() > MESSAGE_LENGTH {
        let room = MESSAGE_LENGTH - TRUNCATED.len();
        let end = (0..=room).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        message.truncate(end);
        message.push_str(TRUNCATED);
    }
    message
}

/// The message of a template that is not evaluated again (`spec.evaluationInterval` is `never` for its state).
pub fn final_message(message: &str, compliant: bool) -> String {
    let field = if compliant { "compliant" } else { "noncompliant" };
    format!(
        "{message}. This policy will not be evaluated again due to spec.evaluationInterval.{field} being set to \"never\"."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(namespace: Option<&str>, names: &[&str], reason: Reason, compliant: bool) -> Finding {
        Finding {
            namespace: namespace.map(ToOwned::to_owned),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            compliant,
            reason,
            message: None,
        }
    }

    fn other(names: &[&str], message: &str) -> Finding {
        Finding {
            message: Some(message.to_owned()),
            ..finding(None, names, Reason::Other { reason: "K8s error".to_owned() }, false)
        }
    }

    #[test]
    fn names_are_sorted_and_gathered() {
        let verdict = template_verdict(
            "backups",
            &[
                finding(Some("y"), &["b2"], Reason::FoundButShouldNotExist, false),
                finding(Some("y"), &["b1"], Reason::FoundButShouldNotExist, false),
                finding(Some("z"), &[], Reason::NotFoundAsExpected, true),
            ],
        );
        assert_eq!(verdict.message, "backups [b1, b2] found in namespace y");
        assert_eq!(verdict.reason, "K8s has a `must not have` object");
        assert_eq!(
            event_message(&[verdict]),
            "NonCompliant; violation - backups [b1, b2] found in namespace y"
        );
    }

    #[test]
    fn cluster_scoped_objects_name_no_namespace() {
        let verdict = template_verdict("namespaces", &[finding(None, &["x"], Reason::FoundAsExpected, true)]);
        assert_eq!(event_message(&[verdict]), "Compliant; notification - namespaces [x] found as specified");
    }

    #[test]
    fn unnamed_templates_name_no_object() {
        let missing = finding(Some("x"), &[], Reason::NotFoundButShouldExist, false);
        assert_eq!(template_verdict("pods", &[missing]).message, "pods not found in namespace x");
        let absent = finding(Some("y"), &[], Reason::NotFoundAsExpected, true);
        assert_eq!(
            template_verdict("restores", &[absent]).message,
            "restores missing as expected in namespace y"
        );
    }

    #[test]
    fn messages_stand_in_the_order_of_templates() {
        let good = template_verdict("pods", &[finding(Some("a"), &["p"], Reason::FoundAsExpected, true)]);
        let bad =
            template_verdict("pods", &[finding(Some("a"), &["q"], Reason::NotFoundButShouldExist, false)]);
        assert_eq!(
            event_message(&[good, bad]),
            "NonCompliant; notification - pods [p] found as specified in namespace a; violation - pods [q] not found in namespace a"
        );
    }

    #[test]
    fn the_same_error_is_told_once() {
        let verdict = template_verdict(
            "x",
            &[other(&["n"], "no mapping"), other(&["n"], "no mapping"), other(&[], "lost")],
        );
        assert_eq!(verdict.message, "lost; no mapping");
        assert_eq!(verdict.reason, "K8s error");
    }

    #[test]
    fn a_long_message_is_cut_on_a_character() {
        let message = truncated("ö".repeat(MESSAGE_LENGTH));
        assert_eq!(message.len(), MESSAGE_LENGTH);
        assert!(message.ends_with("ö...[truncated]"));
        let short = "x".repeat(MESSAGE_LENGTH);
        assert_eq!(truncated(short.clone()), short);
    }

    #[test]
    fn reasons_are_read_back() {
        assert_eq!(Reason::from_text("K8s update success"), Reason::Updated);
        assert_eq!(Reason::from_text("K8s error"), Reason::Other { reason: "K8s error".to_owned() });
    }
}
