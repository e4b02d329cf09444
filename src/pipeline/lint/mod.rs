//! Mistakes in policies and in the ConfigMap with their settings that can be seen in their text: takes the text of a file, gives findings with line, cause and hint.
//!
//! Nothing is carried out, and nothing outside the text is looked at. What is a mistake follows from the parser and the
//! functions of `render`, the types of `api` and Velero's rules in `protection`. Must not touch: clients, files, clock.

mod actions;
mod configmap;
pub mod fields;
mod names;
mod policy;
mod rule;
mod templates;
mod text;
mod velero;

pub use rule::{Level, Rule};

use crate::yaml::{Dialect, Located, read_located};

/// A mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule found it.
    pub rule: Rule,
    /// The line in the file, from 1.
    pub line: usize,
    /// The character in the line, from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Finding {
    /// How bad it is.
    pub fn level(&self) -> Level {
        self.rule.level()
    }
}

/// What is known beside the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Length of the longest name of a cluster that the policies may be placed on; 1 if it is not known.
    pub longest_cluster: Option<usize>,
}

/// The findings of a file, by line.
pub fn lint(text: &str, options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (first, document) in documents(text) {
        let lines: Vec<&str> = document.lines().collect();
        let mut own = match read_located(&document, Dialect::Kubernetes) {
            Ok(located) => of_document(&located, &lines, options),
            Err(error) => vec![text::unreadable(&lines, &error)],
        };
        for finding in &mut own {
            finding.line += first - 1;
        }
        findings.extend(own);
    }
    findings.sort_by(|left, right| {
        (left.line, left.column, left.rule, &left.message).cmp(&(
            right.line,
            right.column,
            right.rule,
            &right.message,
        ))
    });
    findings.dedup();
    findings
}

/// The documents of a stream, each with the line on which it begins.
fn documents(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(1, String::new())];
    for (index, line) in text.lines().enumerate() {
        let is_mark = line == "---" || line.starts_with("--- ") || line.starts_with("---\t");
        if is_mark {
            documents.push((index + 2, String::new()));
        } else if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents.retain(|(_, document)| !document.trim().is_empty());
    documents
}

/// A ConfigurationPolicy in a document, alone or in a Policy.
struct Check<'d> {
    /// The ConfigurationPolicy.
    definition: &'d Located,
    /// Its last line.
    last: usize,
}

impl Check<'_> {
    fn name(&self) -> &str {
        self.definition.at(&["metadata", "name"]).and_then(Located::text).unwrap_or_default()
    }
}

/// What the rules look at.
struct Scene<'d> {
    /// The document.
    root: &'d Located,
    /// Its lines.
    lines: &'d [&'d str],
    /// Whether it is a Policy.
    is_policy: bool,
    /// Its ConfigurationPolicies.
    checks: Vec<Check<'d>>,
    options: &'d Options,
}

impl Scene<'_> {
    /// The namespace of the Policy, if it says one.
    fn namespace(&self) -> Option<&str> {
        self.root.at(&["metadata", "namespace"]).and_then(Located::text)
    }

    /// The first line, from `from` to `to`, that holds a text; `from` if none does.
    fn line_of(&self, wanted: &str, from: usize, to: usize) -> usize {
        let inside = self.lines.iter().enumerate().take(to).skip(from.saturating_sub(1));
        inside.into_iter().find(|(_, line)| line.contains(wanted)).map_or(from, |(index, _)| index + 1)
    }
}

fn of_document(root: &Located, lines: &[&str], options: &Options) -> Vec<Finding> {
    let kind = root.field("kind").and_then(Located::text).unwrap_or_default();
    let group = root.field("apiVersion").and_then(Located::text).unwrap_or_default();
    let is_policy = kind == "Policy";
    if !group.starts_with("policy.open-cluster-management.io/")
        || !(is_policy || kind == "ConfigurationPolicy")
    {
        return configmap::check(root, &lines.join("\n"));
    }
    let mut checks = Vec::new();
    if is_policy {
        let templates = root.at(&["spec", "policy-templates"]).map(Located::entries).unwrap_or_default();
        for (index, template) in templates.iter().enumerate() {
            let Some(definition) = template.field("objectDefinition") else { continue };
            if definition.field("kind").and_then(Located::text) == Some("ConfigurationPolicy") {
                let last = templates.get(index + 1).map_or(lines.len(), |next| next.line.saturating_sub(1));
                checks.push(Check { definition, last });
            }
        }
    } else {
        checks.push(Check { definition: root, last: lines.len() });
    }
    let scene = Scene { root, lines, is_policy, checks, options };
    let mut findings = Vec::new();
    policy::check(&scene, &mut findings);
    templates::check(&scene, &mut findings);
    text::check(&scene, &mut findings);
    names::check(&scene, &mut findings);
    velero::check(&scene, &mut findings);
    findings
}

/// All texts below a part, with the line of each (of a block: of its first line).
fn texts<'l>(part: &'l Located, found: &mut Vec<(usize, &'l str)>) {
    if let Some(text) = part.text() {
        found.push((part.line, text));
    }
    for entry in part.entries() {
        texts(entry, found);
    }
    for (_, _, value) in part.fields() {
        texts(value, found);
    }
}

#[cfg(test)]
mod tests;
