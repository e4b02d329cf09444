//! Rules about how a policy is written down: quotes, blanks and line ends that change what comes of its templates.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Rule, Scene, texts};
use crate::yaml::{Located, YamlError};

#[expect(clippy::expect_used, reason = "constant patterns, covered by the tests")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// A template right behind a colon or a dash, without quotes.
static UNQUOTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:- )*\s*(?:[\w./-]+:\s+|-\s+)\{\{"));
/// An entry of a list in quotes whose value should have a type.
static QUOTED_ITEM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^\s*-\s+['"]\{\{.*\|\s*(toInt|toBool|toLiteral)\b.*\}\}['"]\s*$"#));
/// A typed value without quotes at the end of a line.
static TYPED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r":\s+\{\{.*(?:\|\s*(?:toInt|toBool|toLiteral)|copyConfigMapData|copySecretData).*\}\}\s*$")
});

/// What to say of a document that is not YAML.
pub(super) fn unreadable(lines: &[&str], error: &YamlError) -> Finding {
    let line = error.line.and_then(|line| usize::try_from(line).ok()).unwrap_or(1);
    // The reader stumbles at the template or behind it.
    let culprit = lines.iter().enumerate().take(line + 1).rfind(|(_, text)| UNQUOTED.is_match(text));
    match culprit {
        Some((index, _)) => Finding {
            rule: Rule::UnquotedTemplate,
            line: index + 1,
            column: None,
            message: "YAML reads {{ as the beginning of a mapping".to_owned(),
            hint: "put the value into single quotes: '{{ … }}'; toInt, toBool and toLiteral take them away again".to_owned(),
        },
        None => Finding {
            rule: Rule::Yaml,
            line,
            column: None,
            message: error.message.clone(),
            hint: "is the indentation right, and every quote closed?".to_owned(),
        },
    }
}

pub(super) fn check(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    for check in &scene.checks {
        let raw = check.definition.at(&["spec", "object-templates-raw"]);
        for line in trailing_blanks(check.definition) {
            findings.push(Finding {
                rule: Rule::TrailingBlanks,
                line,
                column: None,
                message: "blanks at the end of the line: the text is written in double quotes before its templates are \
                          carried out, and quotes inside them break"
                    .to_owned(),
                hint: "take the blanks away".to_owned(),
            });
        }
        for (index, line) in scene.lines.iter().enumerate().take(check.last).skip(check.definition.line - 1) {
            if QUOTED_ITEM.is_match(line) {
                findings.push(Finding {
                    rule: Rule::QuotedListItem,
                    line: index + 1,
                    column: None,
                    message: "the quotes stay, so the entry is a text".to_owned(),
                    hint: "give the whole list by one value: `list: '{{ … | toLiteral }}'`".to_owned(),
                });
            }
        }
        if let Some((first, text)) = raw.and_then(|raw| Some((raw.line, raw.text()?))) {
            swallowed_lines(text, first, findings);
        }
    }
}

/// The first line with blanks at its end of each text that has templates and several lines.
fn trailing_blanks(definition: &Located) -> Vec<usize> {
    let raw = definition.at(&["spec", "object-templates-raw"]);
    let mut all = Vec::new();
    texts(definition, &mut all);
    all.into_iter()
        .filter(|(_, text)| text.contains("{{") && text.contains('\n'))
        // A raw text goes to the cluster's phase as it is; only the hub's phase writes it down anew.
        .filter(|(first, text)| raw.is_none_or(|raw| raw.line != *first) || text.contains("{{hub"))
        .filter_map(|(first, text)| Some(first + text.lines().position(|line| line.ends_with([' ', '\t']))?))
        .collect()
}

/// The first of those lines.
pub(super) fn first_trailing_blanks(definition: &Located) -> Option<usize> {
    trailing_blanks(definition).into_iter().min()
}

fn swallowed_lines(text: &str, first: usize, findings: &mut Vec<Finding>) {
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let behind = lines[index + 1..].iter().any(|line| !line.trim().is_empty());
        if behind && TYPED.is_match(line) {
            findings.push(Finding {
                rule: Rule::SwallowedLine,
                line: first + index,
                column: None,
                message: "the next line is glued to this one when the template is carried out".to_owned(),
                hint: "put the value into single quotes; they are taken away again".to_owned(),
            });
        }
    }
}
