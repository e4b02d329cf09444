//! Looks at the text of a template without carrying it out: whether it parses, and which functions it names that do not exist.
//!
//! For `pipeline::lint`. The parser, the delimiters and the functions are those of the rendering.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::engine::go::Template;
use super::functions;
use super::resolve::Language;
use crate::yaml;

/// When a text is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// On the hub.
    Hub,
    /// For a cluster.
    Cluster,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Go's complaint, from `template: tmpl:LINE: ` on.
    pub syntax: Option<String>,
    /// Functions that do not exist.
    pub unknown: BTreeSet<String>,
}

/// Parses a text. A function that does not exist does not hide what is wrong behind it.
pub fn inspect(text: &str, phase: Phase) -> Inspected {
    let language = match phase {
        Phase::Hub => Language::Hub,
        Phase::Cluster => Language::ObjectTemplate,
    };
    let delimiters = language.delimiters();
    let unknown = RefCell::new(BTreeSet::new());
    let parsed = Template::parse(text, (&delimiters.left, &delimiters.right), &|name| {
        functions::find(name).or_else(|| {
            unknown.borrow_mut().insert(name.to_owned());
            // Takes whatever stands behind it.
            functions::find("print")
        })
    });
    Inspected { syntax: parsed.err(), unknown: unknown.into_inner() }
}

/// The text that a value becomes before its templates are carried out.
pub fn encoded(value: &Value) -> String {
    yaml::template_text(value)
}

/// Whether there is a function of this name.
pub fn is_function(name: &str) -> bool {
    functions::find(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_unknown_functions_are_found_and_the_fault_behind_them() {
        let found = inspect("a: '{{ nope 1 | alsoNope }}'\nb: '{{ if }}'\n", Phase::Cluster);
        assert_eq!(found.unknown, BTreeSet::from(["alsoNope".to_owned(), "nope".to_owned()]));
        assert!(found.syntax.is_some_and(|syntax| syntax.starts_with("template: tmpl:2: ")));
    }

    #[test]
    fn a_phase_sees_its_own_templates_only() {
        assert_eq!(inspect("{{ nope }}{{hub upper \"a\" hub}}", Phase::Hub), Inspected::default());
        assert!(!inspect("{{ nope }}", Phase::Cluster).unknown.is_empty());
    }
}
