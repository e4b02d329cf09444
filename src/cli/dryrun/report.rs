//! What a dry run prints: the words, headings and colours of Open Cluster Management's own command, or JSON.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::expected::{Compared, Tone};
use crate::yaml;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// The difference of one related object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectDiff {
    /// `apiVersion`.
    pub(super) api_version: String,
    /// `kind`.
    pub(super) kind: String,
    /// `namespace/name`, or the name alone.
    pub(super) object: String,
    /// Unified; empty where there is none.
    pub(super) diff: String,
}

/// What came of one policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Trial {
    /// Its name, with that of its Policy.
    pub(super) policy: String,
    /// The file that it was read from.
    pub(super) file: String,
    /// Whether it is compliant.
    pub(super) compliant: bool,
    /// What would be reported, oldest first.
    pub(super) messages: Vec<String>,
    /// One entry per related object.
    pub(super) diffs: Vec<ObjectDiff>,
    /// Differences for the log.
    #[serde(skip)]
    pub(super) logged: Vec<ObjectDiff>,
    /// What was changed on the way from the policy's text to the objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// `status` of the ConfigurationPolicy.
    pub(super) status: Value,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// Green and red.
    On,
    /// None.
    Off,
}

impl Colours {
    fn paint(self, text: &str, colour: &str) -> String {
        match self {
            Self::On => format!("{colour}{text}{RESET}"),
            Self::Off => text.to_owned(),
        }
    }
}

/// `# Status compare:`, with the empty line after it.
pub(super) fn compared(compared: &Compared, colours: Colours) -> String {
    let mut text = "# Status compare:\n".to_owned();
    for line in &compared.lines {
        let colour = match line.tone {
            Tone::Good => GREEN,
            Tone::Bad => RED,
            Tone::Odd => YELLOW,
        };
        text.push_str(&colours.paint(&line.text, colour));
        text.push('\n');
    }
    let (verdict, colour) = if compared.matches {
        (" Expected status matches the actual status", GREEN)
    } else {
        (" Expected status does not match the actual status", RED)
    };
    text.push_str(&colours.paint(&colours.paint(verdict, BOLD), colour));
    text.push_str("\n\n");
    text
}

/// `# Diffs:`.
pub(super) fn diffs(diffs: &[ObjectDiff], colours: Colours) -> String {
    let mut text = "# Diffs:\n".to_owned();
    for ObjectDiff { api_version, kind, object, diff } in diffs {
        let _written = writeln!(text, "{api_version} {kind} {object}:");
        let lines: Vec<String> = diff.split('\n').map(|line| coloured(line, colours)).collect();
        let lines = lines.join("\n");
        text.push_str(lines.strip_suffix('\n').unwrap_or(&lines));
        text.push('\n');
    }
    text
}

fn coloured(line: &str, colours: Colours) -> String {
    if line.starts_with('-') && !line.starts_with("---") {
        colours.paint(line, RED)
    } else if line.starts_with('+') && !line.starts_with("+++") {
        colours.paint(line, GREEN)
    } else {
        line.to_owned()
    }
}

/// `# Compliance messages:`.
pub(super) fn messages(messages: &[String]) -> String {
    format!("# Compliance messages:\n{}", lines(messages))
}

/// One message a line.
pub(super) fn lines(messages: &[String]) -> String {
    let mut text = messages.join("\n");
    if !messages.is_empty() {
        text.push('\n');
    }
    text
}

/// A status as a file: YAML, fields in the order of their names.
pub(super) fn status(status: &Value) -> String {
    yaml::object_text(status)
}

#[cfg(test)]
mod tests {
    use super::super::expected::Line;
    use super::*;

    fn diff(object: &str, diff: &str) -> ObjectDiff {
        ObjectDiff {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            object: object.to_owned(),
            diff: diff.to_owned(),
        }
    }

    #[test]
    fn every_object_has_its_line_and_its_difference_or_an_empty_line() {
        let all = [
            diff("default/a", "--- default/a : existing\n+++ default/a : updated\n-x\n+y\n z\n"),
            diff("-", ""),
        ];
        assert_eq!(
            diffs(&all, Colours::Off),
            "# Diffs:\nv1 Pod default/a:\n--- default/a : existing\n+++ default/a : updated\n-x\n+y\n z\nv1 Pod -:\n\n"
        );
        assert_eq!(
            diffs(&all[..1], Colours::On),
            "# Diffs:\nv1 Pod default/a:\n--- default/a : existing\n+++ default/a : updated\n\x1b[31m-x\x1b[0m\n\
             \x1b[32m+y\x1b[0m\n z\n"
        );
    }

    #[test]
    fn a_comparison_ends_with_its_verdict_and_an_empty_line() {
        let line = |text: &str, tone| Line { text: text.to_owned(), tone };
        let lines = vec![
            line(".compliant: 'A' does match 'A'", Tone::Good),
            line("skip a, .a is not array,", Tone::Odd),
        ];
        let all = Compared { lines, matches: true };
        assert_eq!(
            compared(&all, Colours::Off),
            "# Status compare:\n.compliant: 'A' does match 'A'\nskip a, .a is not array,\n Expected status matches the actual status\n\n"
        );
        assert!(compared(&all, Colours::On).contains("\x1b[33mskip a, .a is not array,\x1b[0m\n"));
        assert!(
            compared(&all, Colours::On)
                .contains("\x1b[32m\x1b[1m Expected status matches the actual status\x1b[0m\x1b[0m\n\n")
        );
    }

    #[test]
    fn messages_stand_below_their_heading() {
        assert_eq!(messages(&["Compliant; x".to_owned()]), "# Compliance messages:\nCompliant; x\n");
        assert_eq!(messages(&[]), "# Compliance messages:\n");
    }
}
