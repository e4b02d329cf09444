//! Checks of single values. Each takes the key to name and the value, and gives all findings.

use serde_json::{Map, Value};

use super::diagnostic::Diagnostic;
use super::schedule::check_schedule;
use super::ttl::check_ttl;
use crate::api::dns::{self, LABEL_RULE, SUBDOMAIN_RULE};
use crate::api::object::json_type;
use crate::yaml::{self, Dialect};

fn one(finding: Option<Diagnostic>) -> Vec<Diagnostic> {
    finding.into_iter().collect()
}

/// What the template function `toBool` understands; it reads everything else as false without a word.
pub(super) fn parse_boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn boolean(key: &str, value: &str) -> Vec<Diagnostic> {
    one(parse_boolean(value).is_none().then(|| {
        Diagnostic::error(key, "is not a boolean: it would be read as false")
            .found(value)
            .hint("write \"true\" or \"false\"")
    }))
}

pub(super) fn namespace(key: &str, value: &str) -> Vec<Diagnostic> {
    one((!dns::is_label(value)).then(|| {
        Diagnostic::error(key, "is not the name of a namespace")
            .found(value)
            .hint(format!("use {LABEL_RULE}"))
    }))
}

pub(super) fn object_name(key: &str, value: &str) -> Vec<Diagnostic> {
    one((!dns::is_subdomain(value)).then(|| {
        Diagnostic::error(key, "is not the name of an object")
            .found(value)
            .hint(format!("use {SUBDOMAIN_RULE}"))
    }))
}

pub(super) fn name_prefix(key: &str, value: &str) -> Vec<Diagnostic> {
    // A name may end as it likes here, since `-<location>-<cluster>` follows.
    one((!dns::is_subdomain(&format!("{value}x"))).then_some(()).or(value.is_empty().then_some(())).map(
        |()| {
            Diagnostic::error(key, "cannot begin the name of a Schedule")
                .found(value)
                .hint("use lower-case letters, digits and '-', beginning with a letter or digit")
        },
    ))
}

pub(super) fn channel(key: &str, value: &str) -> Vec<Diagnostic> {
    if value.is_empty() || value.contains(char::is_whitespace) {
        return vec![
            Diagnostic::error(key, "is not the name of an operator channel")
                .found(value)
                .hint("for example stable-1.4"),
        ];
    }
    let is_obsolete = matches!(value, "stable-1.0" | "stable-1.1" | "stable-1.2");
    one(is_obsolete.then(|| {
        Diagnostic::warning(key, "is an obsolete channel that newer operator catalogs no longer have")
            .found(value)
            .hint("if the operator is not found, choose a channel of your catalog, for example stable-1.4")
    }))
}

pub(super) fn schedule(key: &str, value: &str) -> Vec<Diagnostic> {
    one(check_schedule(value).err().map(|problem| {
        Diagnostic::error(key, format!("is not a schedule, {problem}"))
            .found(value)
            .hint("for example 0 */1 * * *")
    }))
}

pub(super) fn time_to_live(key: &str, value: &str) -> Vec<Diagnostic> {
    one(check_ttl(value).err().map(|problem| {
        Diagnostic::error(key, format!("is not a duration, {problem}"))
            .found(value)
            .hint("for example 240h0m0s")
    }))
}

/// Reads a value that policies pass through `toLiteral`: YAML (flow style, trailing commas allowed) on one
/// line.
pub(super) fn literal(key: &str, value: &str, findings: &mut Vec<Diagnostic>) -> Option<Value> {
    if value.contains('\n') {
        findings.push(
            Diagnostic::error(key, "has several lines, and toLiteral in the policies refuses line breaks")
                .hint(
                    "write it in flow style in double quotes, which folds the lines, instead of a block (| \
                     or >)",
                )
                .line(Some(1)),
        );
    }
    match yaml::read(value, Dialect::Template) {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            let line = error.line.and_then(|line| u32::try_from(line).ok());
            findings.push(
                Diagnostic::error(key, format!("is not YAML: {}", error.message))
                    .hint("check brackets, commas and quotes")
                    .line(line.filter(|_| value.contains('\n'))),
            );
            None
        }
    }
}

fn texts(key: &str, value: &str, findings: &mut Vec<Diagnostic>) -> Vec<String> {
    let Some(parsed) = literal(key, value, findings) else { return Vec::new() };
    let Value::Array(entries) = parsed else {
        findings.push(
            Diagnostic::error(key, format!("must be a list, it is {}", json_type(&parsed)))
                .found(value)
                .hint("for example \"[\\\"one\\\", \\\"two\\\"]\", and \"[]\" for none"),
        );
        return Vec::new();
    };
    let mut texts = Vec::new();
    for entry in entries {
        match entry {
            Value::String(text) => texts.push(text),
            other => findings.push(
                Diagnostic::error(key, format!("must have texts only, one entry is {}", json_type(&other)))
                    .found(&other.to_string())
                    .hint("put it in quotes"),
            ),
        }
    }
    texts
}

pub(super) fn included_namespaces(key: &str, value: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let names = texts(key, value, &mut findings);
    if names.is_empty() && findings.is_empty() {
        findings.push(
            Diagnostic::warning(key, "is empty: Velero then backs up every namespace")
                .hint("list the namespaces of the applications"),
        );
    }
    for name in &names {
        // Velero 1.18 reads globs; before, only a lone `*` means all.
        let is_glob = name.contains(['*', '?', '[']);
        if !is_glob && !dns::is_label(name) {
            findings.push(
                Diagnostic::error(key, "has an entry that is not the name of a namespace")
                    .found(name)
                    .hint(format!("use {LABEL_RULE}")),
            );
        } else if name == "*" && names.len() > 1 {
            findings.push(
                Diagnostic::error(key, "has '*' beside other namespaces, which Velero refuses")
                    .found(value)
                    .hint("use '*' alone or name the namespaces"),
            );
        }
    }
    findings
}

pub(super) fn exclusions(key: &str, value: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for name in texts(key, value, &mut findings) {
        if name == "*" || name.trim().is_empty() {
            findings.push(
                Diagnostic::error(key, "has an entry that Velero refuses in a list of exclusions")
                    .found(&format!("{name:?}"))
                    .hint("name what to exclude, and write \"[]\" for nothing"),
            );
        }
    }
    findings
}

pub(super) fn storage_classes(key: &str, value: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let Some(parsed) = literal(key, value, &mut findings) else { return findings };
    match parsed {
        Value::Object(map) => findings.extend(storage_class_entries(key, &map)),
        other => findings.push(
            Diagnostic::error(key, format!("must be a mapping, it is {}", json_type(&other)))
                .found(value)
                .hint("for example \"{\\\"old-class\\\": \\\"new-class\\\"}\", and \"{}\" for none"),
        ),
    }
    findings
}

fn storage_class_entries(key: &str, map: &Map<String, Value>) -> Vec<Diagnostic> {
    map.iter()
        .filter_map(|(old, new)| {
            let is_class = |name: &str| dns::is_subdomain(name);
            let text = new.as_str().unwrap_or_default();
            (!(is_class(old) && is_class(text))).then(|| {
                Diagnostic::error(key, "maps something that is not the name of a storage class")
                    .found(&format!("{old}: {new}"))
                    .hint(format!("both sides are names, {SUBDOMAIN_RULE}; put the new one in quotes"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&str, &str) -> Vec<Diagnostic>;

    #[test]
    fn values_are_judged() {
        let long = "a".repeat(64);
        for (check, value, expected) in [
            (boolean as Check, "true", None),
            (boolean, "0", None),
            (boolean, "yes", Some("not a boolean")),
            (namespace, "acm-app-backup", None),
            (namespace, "a.b", Some("not the name of a namespace")),
            (namespace, &long, Some("not the name of a namespace")),
            (object_name, "a.b-1", None),
            (object_name, "A", Some("not the name of an object")),
            (name_prefix, "acm-pv", None),
            (name_prefix, "acm-", None),
            (name_prefix, "-acm", Some("cannot begin")),
            (name_prefix, "", Some("cannot begin")),
            (name_prefix, "Acm", Some("cannot begin")),
            (channel, "stable-1.5", None),
            (channel, "stable-1.1", Some("obsolete")),
            (channel, "", Some("not the name")),
            (schedule, "0 */1 * * *", None),
            (schedule, "hourly", Some("exactly 5 fields")),
            (time_to_live, "240h0m0s", None),
            (time_to_live, "10d", Some("unknown unit")),
            (included_namespaces, r#"["a", "b", ]"#, None),
            (included_namespaces, "[a, 'b*']", None),
            (included_namespaces, "['*']", None),
            (included_namespaces, "['*', a]", Some("beside other")),
            (included_namespaces, "[]", Some("every namespace")),
            (included_namespaces, "a, b", Some("must be a list, it is a string")),
            (included_namespaces, "[a, 7]", Some("must have texts only, one entry is a number")),
            (included_namespaces, "[A]", Some("not the name of a namespace")),
            (included_namespaces, "[a", Some("is not YAML")),
            (included_namespaces, "- a\n- b\n", Some("refuses line breaks")),
            (exclusions, "[]", None),
            (exclusions, r#"["secrets"]"#, None),
            (exclusions, r#"["*"]"#, Some("Velero refuses")),
            (exclusions, "", Some("must be a list, it is nothing")),
            (storage_classes, r#"{ "managed-csi": "thin", }"#, None),
            (storage_classes, "{}", None),
            (storage_classes, "{a: true}", Some("storage class")),
            (storage_classes, "[a]", Some("must be a mapping, it is a list")),
        ] {
            let findings: Vec<_> = check("k", value).iter().map(ToString::to_string).collect();
            match expected {
                None => assert!(findings.is_empty(), "{value}: {findings:?}"),
                Some(part) => {
                    assert!(findings.len() == 1 && findings[0].contains(part), "{value}: {findings:?}");
                }
            }
        }
    }
}
