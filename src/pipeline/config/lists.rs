//! Readers of values that are YAML: lists and mappings in flow style, trailing commas allowed. Every finding knows its place.

use std::collections::BTreeMap;

use super::diagnostic::Fault;
use super::forms::Form;
use super::types::{ClusterSetName, Exclusion, NamespacePattern, StorageClassName};
use super::value::Subject;
use crate::api::dns::{self, SUBDOMAIN_RULE};
use crate::api::object::json_type;
use crate::yaml::{self, Content, Dialect, Located, Mark};

/// Reads a value that policies pass through `toLiteral`: YAML on one line.
pub(super) fn literal(subject: &mut Subject<'_>) -> Option<Located> {
    if let Some(end) = subject.text.find('\n') {
        let finding = subject
            .finding(Fault::Invalid, "has several lines, and toLiteral in the policies refuses line breaks")
            .expected("one line")
            .hint("write it in flow style in quotes, which fold the lines, instead of a block (| or >)")
            .at(Mark::at(subject.text, end));
        subject.report(finding);
    }
    document(subject)
}

/// Reads a value that is YAML, on one line or several.
pub(super) fn document(subject: &mut Subject<'_>) -> Option<Located> {
    match yaml::read_located(subject.text, Dialect::Template) {
        Ok(document) => Some(document),
        Err(error) => {
            let finding = subject
                .finding(Fault::Unreadable, format!("is not YAML: {}", plain(&error.message)))
                .hint("check brackets, commas and quotes")
                .at(error.mark.unwrap_or(Mark::START));
            subject.report(finding);
            None
        }
    }
}

/// What the reader says, without the place, which a finding has anyway, and without advice for programmers.
fn plain(message: &str) -> &str {
    let ends = [message.find(" at line "), message.find(", set ")];
    let end = ends.into_iter().flatten().min().unwrap_or(message.len());
    message.get(..end).unwrap_or(message)
}

/// A scalar as it stands in the value.
fn written(text: &str, mark: Mark) -> String {
    let line = text.lines().nth(mark.line - 1).unwrap_or_default();
    let rest = line.chars().skip(mark.column - 1);
    rest.take_while(|letter| !matches!(letter, ',' | ']' | '}')).collect::<String>().trim().to_owned()
}

/// The entries of a list of texts, each with its place.
fn texts(subject: &mut Subject<'_>, form: Form, example: &str) -> Vec<(String, Mark)> {
    let Some(document) = literal(subject) else { return Vec::new() };
    let Content::List(entries) = document.content else {
        let message = format!("must be a list, it is {}", json_type(&document.value()));
        subject.invalid_entry(
            document.mark(),
            subject.text,
            message,
            form.expected(),
            &format!("for example {example}"),
        );
        return Vec::new();
    };
    let mut texts = Vec::new();
    for entry in entries {
        let mark = entry.mark();
        if let Some(text) = entry.text() {
            texts.push((text.to_owned(), mark));
            continue;
        }
        let value = entry.value();
        let message = format!("must have texts only, one entry is {}", json_type(&value));
        let (found, hint) = match &entry.content {
            Content::Scalar(_) => (written(subject.text, mark), "put it in quotes"),
            Content::List(_) | Content::Mapping(_) => (value.to_string(), "write its texts one by one"),
        };
        subject.invalid_entry(mark, &found, message, "a text", hint);
    }
    texts
}

fn repeated(subject: &mut Subject<'_>, texts: &[(String, Mark)]) {
    for (index, (text, mark)) in texts.iter().enumerate() {
        if texts[..index].iter().any(|(earlier, _)| earlier == text) {
            let finding = subject
                .finding(Fault::Doubtful, "has an entry twice")
                .found(text)
                .hint("remove one of the two")
                .at(*mark);
            subject.report(finding);
        }
    }
}

/// Whether a glob of Velero 1.18 is well formed: brackets closed and not empty (`wildcard.ShouldExpandWildcards`, `validate`).
fn is_sound_glob(glob: &str) -> bool {
    let allowed = |letter: char| {
        letter.is_ascii_lowercase()
            || letter.is_ascii_digit()
            || matches!(letter, '-' | '*' | '?' | '[' | ']' | '!' | '^')
    };
    let mut inside: Option<usize> = None;
    for letter in glob.chars() {
        match (letter, inside) {
            (letter, _) if !allowed(letter) => return false,
            ('[', None) => inside = Some(0),
            ('[', Some(_)) | (']', None | Some(0)) => return false,
            (']', Some(_)) => inside = None,
            ('!' | '^', Some(0)) => {}
            ('!' | '^', _) => return false,
            (_, Some(count)) => inside = Some(count + 1),
            (_, None) => {}
        }
    }
    inside.is_none()
}

/// An empty list stands for every namespace.
pub(super) fn included_namespaces(subject: &mut Subject<'_>) -> Option<Vec<NamespacePattern>> {
    const EXAMPLE: &str = "[\"app-ns\", \"db-ns\"]";
    const FORM: Form = Form::IncludedNamespaces;
    let names = texts(subject, FORM, EXAMPLE);
    if names.is_empty() && subject.findings.is_empty() {
        let finding = subject
            .finding(Fault::Doubtful, "is empty: Velero then backs up every namespace")
            .hint(format!("list the namespaces of the applications, for example {EXAMPLE}"));
        subject.report(finding);
    }
    for (name, mark) in &names {
        let is_glob = name.contains(['*', '?', '[']);
        if name == "*" {
            if names.len() > 1 {
                let finding = subject
                    .finding(Fault::Refused, "has '*' beside other namespaces, which Velero refuses")
                    .found(subject.text)
                    .hint("use '*' alone or name the namespaces")
                    .at(*mark);
                subject.report(finding);
            }
        } else if is_glob && name.contains("**") {
            let message = "has a pattern with '**', which Velero refuses";
            let finding =
                subject.finding(Fault::Refused, message).found(name).hint("write one '*'").at(*mark);
            subject.report(finding);
        } else if is_glob && !is_sound_glob(name) {
            let message = "has a pattern that Velero cannot read";
            let expected = "lower-case letters, digits, '-', '*', '?' and [abc]";
            subject.invalid_entry(*mark, name, message, expected, "for example shop-*");
        } else if !is_glob && !dns::is_label(name) {
            let message = "has an entry that is not the name of a namespace";
            subject.invalid_entry(*mark, name, message, Form::Namespace.expected(), "");
        }
    }
    repeated(subject, &names);
    let patterns = names.iter().map(|(name, _)| NamespacePattern::checked(name.as_str())).collect();
    subject.unless_faulty(patterns)
}

pub(super) fn excluded_resources(subject: &mut Subject<'_>) -> Option<Vec<Exclusion>> {
    let kinds = exclusions(subject, Form::ExcludedResources, "[\"events\", \"secrets\"], and [] for none");
    let kinds = kinds.iter().map(|(kind, _)| Exclusion::checked(kind.as_str())).collect();
    subject.unless_faulty(kinds)
}

pub(super) fn excluded_namespaces(subject: &mut Subject<'_>) -> Option<Vec<Exclusion>> {
    let names = exclusions(subject, Form::ExcludedNamespaces, "[\"box-ns\"], and [] for none");
    for (name, mark) in &names {
        let is_right = dns::is_label(name) || (name.contains(['*', '?', '[']) && is_sound_glob(name));
        let is_told = name == "*" || name.trim().is_empty() || name.contains(char::is_whitespace);
        if !is_right && !is_told {
            let message = "has an entry that is not the name of a namespace";
            subject.invalid_entry(*mark, name, message, Form::Namespace.expected(), "");
        }
    }
    let names = names.iter().map(|(name, _)| Exclusion::checked(name.as_str())).collect();
    subject.unless_faulty(names)
}

/// What Velero refuses in every list of exclusions.
fn exclusions(subject: &mut Subject<'_>, form: Form, example: &str) -> Vec<(String, Mark)> {
    let names = texts(subject, form, example);
    for (name, mark) in &names {
        if name == "*" || name.trim().is_empty() {
            let finding = subject
                .finding(Fault::Refused, "has an entry that Velero refuses in a list of exclusions")
                .found(name)
                .hint("name what to exclude, and write [] for nothing")
                .at(*mark);
            subject.report(finding);
        } else if name.contains(char::is_whitespace) {
            let message = "has an entry of several words";
            subject.invalid_entry(*mark, name, message, "one name per entry", "put a comma between them");
        }
    }
    repeated(subject, &names);
    names
}

pub(super) fn cluster_sets(subject: &mut Subject<'_>) -> Option<Vec<ClusterSetName>> {
    const FORM: Form = Form::ClusterSets;
    let names = texts(subject, FORM, "[default]");
    if names.is_empty() && subject.findings.is_empty() {
        subject.invalid("is empty: no cluster could be chosen", FORM.expected(), "for example [default]");
    }
    for (name, mark) in &names {
        if !dns::is_subdomain(name) {
            let message = "has an entry that is not the name of a ManagedClusterSet";
            subject.invalid_entry(*mark, name, message, Form::ObjectName.expected(), "");
        }
    }
    repeated(subject, &names);
    let mut sets: Vec<ClusterSetName> = Vec::new();
    for (name, _) in &names {
        if !sets.iter().any(|set| set.as_str() == name) {
            sets.push(ClusterSetName::checked(name.as_str()));
        }
    }
    subject.unless_faulty(sets)
}

pub(super) fn storage_classes(
    subject: &mut Subject<'_>,
) -> Option<BTreeMap<StorageClassName, StorageClassName>> {
    let document = literal(subject)?;
    let Content::Mapping(fields) = &document.content else {
        let message = format!("must be a mapping, it is {}", json_type(&document.value()));
        subject.invalid_entry(
            document.mark(),
            subject.text,
            message,
            Form::StorageClasses.expected(),
            "for example {\"old-class\": \"new-class\"}, and {} for none",
        );
        return None;
    };
    let mut classes = BTreeMap::new();
    for (old, mark, new) in fields {
        match new.text() {
            Some(text) if dns::is_subdomain(old) && dns::is_subdomain(text) => {
                classes.insert(StorageClassName::checked(old.as_str()), StorageClassName::checked(text));
            }
            text => {
                let shown = text.map_or_else(|| new.value().to_string(), ToOwned::to_owned);
                let wrong = if dns::is_subdomain(old) { new.mark() } else { *mark };
                subject.invalid_entry(
                    wrong,
                    &format!("{old}: {shown}"),
                    "maps something that is not the name of a storage class",
                    &format!("names on both sides: {SUBDOMAIN_RULE}"),
                    if text.is_none() { "put the new one in quotes" } else { "" },
                );
            }
        }
    }
    subject.unless_faulty(classes)
}
