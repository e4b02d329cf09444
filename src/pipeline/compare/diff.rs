//! Differences for people: takes the observed and the updated object, gives a unified diff of both as YAML with secrets
//! redacted.

use serde_json::Value;
use similar::{DiffOp, group_diff_ops, udiff::UnifiedHunkHeader};

use super::lines;
use super::patch::{remove_resource_version, without_bookkeeping};
use super::redact::{Redaction, redact};
use crate::api::object::Manifest;
use crate::yaml;

/// How many lines of a difference a status holds (upstream's limit).
pub const DIFF_LINES: usize = 50;

/// Lines of context around a change.
const CONTEXT: usize = 5;

/// The lines before the first changed one: two names and the first range.
const HEADER_LINES: usize = 3;

/// A unified diff of two objects as YAML, keys sorted; empty when they do not differ. `existing` is `None` for an object
/// that is to be created. What the API server keeps for itself is left out, and so is a `status` that is the same.
pub fn diff(existing: Option<&Manifest>, updated: &Manifest, redaction: Redaction) -> String {
    let mut before = existing.map(without_bookkeeping);
    let mut after = without_bookkeeping(updated);
    if let Some(before) = before.as_mut().filter(|before| before.get("status") == after.get("status")) {
        before.remove("status");
        after.remove("status");
    }
    if let Some(before) = before
        .as_mut()
        .filter(|_| existing.and_then(Manifest::resource_version) != updated.resource_version())
    {
        remove_resource_version(before);
        remove_resource_version(&mut after);
    }
    let before = before.map(Value::Object);
    let (before, after) = redact(before.as_ref(), &Value::Object(after), redaction);
    unified(before.as_ref(), &after, &title(updated))
}

/// The unified diff of an object as it is stored and as it is or would be after an update, both in full, keys sorted, with
/// five lines of context; empty when they do not differ. What the API server keeps for itself is left out.
pub fn object_diff(existing: &Manifest, updated: &Manifest, redaction: Redaction) -> String {
    let before = without_bookkeeping(existing);
    let mut after = without_bookkeeping(updated);
    // A write counts the version up: that is no difference.
    if let (Some(version), Some(metadata)) =
        (existing.resource_version(), after.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.insert("resourceVersion".to_owned(), Value::String(version.to_owned()));
    } else {
        remove_resource_version(&mut after);
    }
    let (before, after) = redact(Some(&Value::Object(before)), &Value::Object(after), redaction);
    unified(before.as_ref(), &after, &title(updated))
}

/// The unified diff of an object that is to be deleted: all of it goes.
pub fn deletion_diff(existing: &Manifest, redaction: Redaction) -> String {
    let mut before = without_bookkeeping(existing);
    before.remove("status");
    let (_, before) = redact(None, &Value::Object(before), redaction);
    hunks(&text(&before), "", &title(existing))
}

/// `namespace/name`.
fn title(object: &Manifest) -> String {
    match (object.namespace(), object.name().unwrap_or_default()) {
        (Some(namespace), name) => format!("{namespace}/{name}"),
        (None, name) => name.to_owned(),
    }
}

/// A difference cut to `lines` lines after its header, with a first line that says so; unchanged when it is short enough.
pub fn truncate(diff: &str, lines: usize) -> String {
    let all: Vec<&str> = diff.strip_suffix('\n').unwrap_or(diff).split('\n').collect();
    let body = all.len().saturating_sub(HEADER_LINES);
    if body <= lines {
        return diff.to_owned();
    }
    let shown = all[..HEADER_LINES + lines].join("\n");
    format!("# Truncated: showing {lines}/{body} diff lines:\n{shown}\n")
}

/// The unified diff of two values, without any redaction.
pub fn unified(existing: Option<&Value>, updated: &Value, name: &str) -> String {
    hunks(&existing.map(text).unwrap_or_default(), &text(updated), name)
}

fn hunks(before: &str, after: &str, name: &str) -> String {
    let (before, after) = (lines_of(before), lines_of(after));
    let groups = group_diff_ops(lines::operations(&before, &after), CONTEXT);
    if groups.is_empty() {
        return String::new();
    }
    let mut out = format!("--- {name} : existing\n+++ {name} : updated\n");
    for group in groups {
        out.push_str(&UnifiedHunkHeader::new(&group).to_string());
        out.push('\n');
        for operation in group {
            let (removed, added) = (&before[operation.old_range()], &after[operation.new_range()]);
            match operation {
                DiffOp::Equal { .. } => push_lines(&mut out, ' ', added),
                DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                    push_lines(&mut out, '-', removed);
                    push_lines(&mut out, '+', added);
                }
            }
        }
    }
    out
}

/// Like upstream, the end of the text counts as an empty line.
fn lines_of(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('\n').collect() }
}

fn push_lines(out: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        out.push('\n');
    }
}

/// The value as YAML.
fn text(value: &Value) -> String {
    yaml::object_text(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(value: Value) -> Manifest {
        Manifest::parse(value).unwrap()
    }

    fn config_map(data: &Value) -> Manifest {
        manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": "map", "namespace": "ns", "generation": 3, "managedFields": [{"manager": "x"}]}}))
    }

    #[test]
    fn a_change_shows_with_its_surroundings() {
        let shown = diff(
            Some(&config_map(&json!({"fieldToUpdate": "2"}))),
            &config_map(&json!({"fieldToUpdate": "3"})),
            Redaction::Secrets,
        );
        assert_eq!(
            shown,
            "--- ns/map : existing\n+++ ns/map : updated\n@@ -1,8 +1,8 @@\n apiVersion: v1\n data:\n\
             -  fieldToUpdate: \"2\"\n+  fieldToUpdate: \"3\"\n kind: ConfigMap\n metadata:\n   name: map\n   namespace: ns\n \n"
        );
    }

    #[test]
    fn five_lines_surround_a_change() {
        let mut binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"creationTimestamp": "2024-05-06T07:08:09Z", "name": "readers", "namespace": "default",
                "resourceVersion": "12", "uid": "b7c1"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "Group", "name": "all"}]});
        let existing = manifest(binding.clone());
        binding.as_object_mut().unwrap().remove("subjects");
        assert_eq!(
            diff(Some(&existing), &manifest(binding), Redaction::Secrets),
            "--- default/readers : existing\n+++ default/readers : updated\n@@ -8,9 +8,6 @@\n   uid: b7c1\n\
             \x20roleRef:\n   apiGroup: rbac.authorization.k8s.io\n   kind: Role\n   name: reader\n\
             -subjects:\n-- kind: Group\n-  name: all\n \n"
        );
    }

    #[test]
    fn nothing_changed_shows_nothing() {
        let mut other = config_map(&json!({"a": "1"})).to_value();
        other["metadata"]["generation"] = json!(4);
        other["metadata"]["resourceVersion"] = json!("9");
        other["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
        let shown = diff(Some(&config_map(&json!({"a": "1"}))), &manifest(other), Redaction::Secrets);
        assert_eq!(shown, "");
    }

    #[test]
    fn a_new_object_is_all_added() {
        let shown = diff(
            None,
            &manifest(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "data": {"password": "aHVudGVyMg=="}})),
            Redaction::Secrets,
        );
        assert!(shown.starts_with("--- s : existing\n+++ s : updated\n@@ -0,0 +1,"), "{shown}");
        assert!(shown.contains("+  password: <redacted 1>"), "{shown}");
        assert!(!shown.contains("aHVudGVyMg"), "{shown}");
    }

    #[test]
    fn a_status_shows_only_when_it_differs() {
        let backup = |phase: &str, keep: &str| {
            manifest(json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b"},
                "spec": {"ttl": keep}, "status": {"phase": phase}}))
        };
        let same = diff(Some(&backup("New", "1h")), &backup("New", "2h"), Redaction::Secrets);
        assert!(!same.contains("phase"), "{same}");
        let other = diff(Some(&backup("New", "1h")), &backup("Completed", "1h"), Redaction::Secrets);
        assert!(other.contains("-  phase: New\n+  phase: Completed"), "{other}");
    }

    #[test]
    fn long_differences_are_cut() {
        let many: serde_json::Map<String, Value> =
            (0..60).map(|index| (format!("k{index:02}"), json!("v"))).collect();
        let shown =
            diff(Some(&config_map(&json!({}))), &config_map(&Value::Object(many)), Redaction::Secrets);
        let cut = truncate(&shown, DIFF_LINES);
        assert!(cut.starts_with("# Truncated: showing 50/68 diff lines:\n--- ns/map : existing\n"), "{cut}");
        assert_eq!(cut.lines().count(), 1 + 3 + 50);
        assert_eq!(truncate(&shown, 68), shown);
    }
}
