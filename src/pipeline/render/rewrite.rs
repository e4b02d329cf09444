//! What Open Cluster Management does to a template text before Go's engine sees it: quotes around typed values go, and
//! `autoindent` becomes `indent` with the spaces that stand before it.
//!
//! Source: `processForDataTypes` and `processForAutoIndent` of go-template-utils. Their quirks are part of the language: what
//! stands unquoted before a line end loses that line end.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Delimiters of a phase with the patterns made from them.
pub(crate) struct Delimiters {
    /// `{{hub` or `{{`.
    pub(crate) left: String,
    /// `hub}}` or `}}`.
    pub(crate) right: String,
    data_types: Regex,
    autoindent: Regex,
}

/// `{{hub … hub}}`.
pub(crate) static HUB: LazyLock<Delimiters> = LazyLock::new(|| constant("{{hub", "hub}}"));

/// `{{ … }}`.
pub(crate) static CLUSTER: LazyLock<Delimiters> = LazyLock::new(|| constant("{{", "}}"));

#[expect(clippy::expect_used, reason = "constant patterns, covered by the tests")]
fn constant(left: &str, right: &str) -> Delimiters {
    Delimiters::new(left, right).expect("a valid pattern")
}

impl Delimiters {
    /// Any delimiters. It fails only where they are too long for a pattern.
    pub(crate) fn new(left: &str, right: &str) -> Result<Self, regex::Error> {
        let (open, close) = (regex::escape(left), regex::escape(right));
        let data_types = format!(
            r"(?-u::\s+(?:[\|>]-?\s+)?(?:'?\s*))(?<template>{open}-?(?:.*\|\s*(?:toInt|toBool|toLiteral)|(?:.*(?:copyConfigMapData|copySecretData))).*{close})(?-u:\s*'?)"
        );
        let autoindent = format!(r"(?<spaces> *)(?:'|\x22)?(?<template>{open}.*\| *autoindent *-?{close})");
        Ok(Self {
            left: left.to_owned(),
            right: right.to_owned(),
            data_types: Regex::new(&data_types)?,
            autoindent: Regex::new(&autoindent)?,
        })
    }

    /// Both rewritings. `additional_indentation` is what `indent` will add by itself.
    pub(super) fn rewrite(&self, text: &str, additional_indentation: usize) -> String {
        let typed = self.strip_quotes(text);
        self.place_autoindent(&typed, additional_indentation)
    }

    /// Takes the quotes from values that must keep their type.
    pub(super) fn strip_quotes<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.data_types.replace_all(text, ": ${template}")
    }

    fn place_autoindent(&self, text: &str, additional_indentation: usize) -> String {
        if !text.contains("autoindent") {
            return text.to_owned();
        }
        let placed = self.autoindent.replace_all(text, |captures: &Captures<'_>| {
            let spaces = i64::try_from(captures["spaces"].len()).unwrap_or(i64::MAX);
            let further = i64::try_from(additional_indentation).unwrap_or(0);
            let template = &captures["template"];
            let indented = template.replacen("autoindent", &format!("indent {}", spaces - further), 1);
            captures[0].replace(template, &indented)
        });
        placed.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_go_from_typed_map_values_only() {
        for (text, expected) in [
            ("a: '{{ x | toInt }}'\nb: c", "a: {{ x | toInt }}\nb: c"),
            ("a: |-\n  {{ x | toLiteral }}\nb: c", "a: {{ x | toLiteral }}b: c"),
            ("- '{{ x | toInt }}'", "- '{{ x | toInt }}'"),
            ("a: \"{{ x | toInt }}\"", "a: \"{{ x | toInt }}\""),
            ("a: {{ 6 | toInt }}\n  b: x", "a: {{ 6 | toInt }}b: x"),
            ("a: '{{ copyConfigMapData \"x\" \"y\" }}'", "a: {{ copyConfigMapData \"x\" \"y\" }}"),
            ("a: '{{ x }}'", "a: '{{ x }}'"),
        ] {
            assert_eq!(CLUSTER.strip_quotes(text), expected, "{text}");
        }
        assert_eq!(HUB.strip_quotes("a: '{{hub x | toBool hub}}'"), "a: {{hub x | toBool hub}}");
        assert_eq!(HUB.strip_quotes("a: '{{ x | toBool }}'"), "a: '{{ x | toBool }}'");
    }

    #[test]
    fn autoindent_takes_the_spaces_before_it() {
        assert_eq!(CLUSTER.rewrite("a: |\n    {{ x | autoindent }}\n", 0), "a: |\n    {{ x | indent 4 }}\n");
        assert_eq!(CLUSTER.rewrite("a: '{{ x | autoindent }}'", 0), "a: '{{ x | indent 1 }}'");
        assert_eq!(HUB.rewrite("  {{hub x |autoindent hub}}", 8), "  {{hub x |indent -6 hub}}");
    }
}
