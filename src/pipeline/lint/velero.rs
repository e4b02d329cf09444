//! Rules about Velero's and OADP's fields. What is old, and what it is called today, `protection` says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Finding, Rule, Scene};
use crate::api::object::Manifest;
use crate::protection::translate::{Target, modernise};
use crate::yaml::Located;

pub(super) fn check(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    for check in &scene.checks {
        let spec = check.definition.field("spec");
        if let Some(raw) = spec.and_then(|spec| spec.field("object-templates-raw"))
            && let Some(text) = raw.text()
        {
            in_raw(text, raw.line, findings);
        }
        for template in
            spec.and_then(|spec| spec.field("object-templates")).map(Located::entries).unwrap_or_default()
        {
            if let Some(object) = template.field("objectDefinition") {
                in_object(scene, object, check.last, findings);
            }
        }
    }
}

/// What becomes of an object, in the words of the translation.
fn changes(object: Value) -> Vec<String> {
    let Ok(object) = Manifest::parse(object) else { return Vec::new() };
    let (_, changes) = modernise(object, &Target::default());
    changes
        .iter()
        .map(|change| {
            let said = change.to_string();
            said.split_once(": ").map_or(said.clone(), |(_, change)| change.to_owned())
        })
        .collect()
}

fn finding(line: usize, message: String) -> Finding {
    Finding {
        rule: Rule::DeprecatedField,
        line,
        column: None,
        message,
        hint: "Flotilla writes today's field; write it yourself, so that others read the same".to_owned(),
    }
}

fn in_object(scene: &Scene<'_>, object: &Located, last: usize, findings: &mut Vec<Finding>) {
    for change in changes(object.value()) {
        let field = ["defaultVolumesToRestic", "volumeSnapshotLocations", "restic"]
            .into_iter()
            .find(|field| change.contains(field))
            .unwrap_or_default();
        let line = scene.line_of(&format!("{field}:"), object.line, last);
        findings.push(finding(line, change));
    }
}

/// In a raw text the fields are found by their names, below the kind that has them.
fn in_raw(text: &str, first: usize, findings: &mut Vec<Finding>) {
    let mut kind = "";
    let mut told = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches("- ");
        if let Some(value) = line.strip_prefix("kind: ") {
            kind = value.trim().trim_matches(['\'', '"']);
        }
        let field = line.split(':').next().unwrap_or_default();
        let object = match (kind, field) {
            ("Schedule", "defaultVolumesToRestic") => json!({"apiVersion": "velero.io/v1", "kind": kind,
                "spec": {"template": {"defaultVolumesToRestic": true}}}),
            ("Backup", "defaultVolumesToRestic") => json!({"apiVersion": "velero.io/v1", "kind": kind,
                "spec": {"defaultVolumesToRestic": true}}),
            ("DataProtectionApplication", "restic") => json!({"apiVersion": "oadp.openshift.io/v1alpha1",
                "kind": kind, "spec": {"configuration": {"restic": {"enable": true}}}}),
            _ => continue,
        };
        for change in changes(object) {
            if told.insert((first + index, change.clone())) {
                findings.push(finding(first + index, change));
            }
        }
    }
}
