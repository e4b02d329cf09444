//! Rules about the fields of Policies and ConfigurationPolicies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{WITH_WORDS, invalid, known};
use super::{Check, Finding, Rule, Scene};
use crate::yaml::{Content, Located};

pub(super) fn check(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    if scene.is_policy {
        policy(scene, findings);
    }
    for check in &scene.checks {
        one(scene, check, findings);
    }
}

fn missing(field: &str, line: usize, hint: &str) -> Finding {
    Finding {
        rule: Rule::MissingField,
        line,
        column: None,
        message: format!("{field} is missing"),
        hint: hint.to_owned(),
    }
}

fn policy(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let Some(spec) = scene.root.field("spec") else {
        findings.push(missing(
            "spec",
            scene.root.line,
            "a Policy has spec.disabled and spec.policy-templates",
        ));
        return;
    };
    if spec.field("disabled").is_none() {
        findings.push(missing(
            "spec.disabled",
            spec.line,
            "write `disabled: false`; the API server refuses a Policy without",
        ));
    }
    let Some(templates) = spec.field("policy-templates") else {
        findings.push(missing("spec.policy-templates", spec.line, "a Policy without templates does nothing"));
        return;
    };
    if let Some(action) = spec.field("remediationAction") {
        word("remediationAction", action, findings);
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for template in templates.entries() {
        let Some(definition) = template.field("objectDefinition") else {
            findings.push(missing(
                "objectDefinition",
                template.line,
                "an entry of policy-templates holds a policy there",
            ));
            continue;
        };
        let name = definition.at(&["metadata", "name"]);
        let Some((text, line)) = name.and_then(|name| Some((name.text()?, name.line))) else {
            findings.push(missing(
                "metadata.name",
                definition.line,
                "every template of a Policy needs a name of its own",
            ));
            continue;
        };
        if let Some(first) = names.insert(text, line) {
            findings.push(Finding {
                rule: Rule::DuplicateName,
                line,
                column: None,
                message: format!("the name {text:?} is used on line {first} already"),
                hint: "the policy is not evaluated at all until the names differ".to_owned(),
            });
        }
    }
}

fn one(scene: &Scene<'_>, check: &Check<'_>, findings: &mut Vec<Finding>) {
    unknown_fields(check.definition, &mut Vec::new(), findings);
    let Some(spec) = check.definition.field("spec") else {
        findings.push(missing(
            "spec",
            check.definition.line,
            "a ConfigurationPolicy has its templates there",
        ));
        return;
    };
    for (name, _, value) in spec.fields() {
        word(name, value, findings);
    }
    let parent = scene.is_policy && scene.root.at(&["spec", "remediationAction"]).is_some();
    if !parent && spec.field("remediationAction").is_none() {
        findings.push(Finding {
            rule: Rule::RemediationMissing,
            line: spec.line,
            column: None,
            message: format!("ConfigurationPolicy {:?} has no remediationAction", check.name()),
            hint: "write `remediationAction: inform` or `enforce`, here or in the Policy's spec".to_owned(),
        });
    }
    let filled = |field: &str| {
        spec.field(field).is_some_and(|value| !matches!(value.content, Content::Scalar(Value::Null)))
    };
    match (filled("object-templates"), filled("object-templates-raw")) {
        (false, false) => findings.push(missing(
            "spec.object-templates",
            spec.line,
            "write object-templates, or object-templates-raw",
        )),
        (true, true) => findings.push(Finding {
            rule: Rule::InvalidValue,
            line: spec.line,
            column: None,
            message: "object-templates and object-templates-raw exclude each other".to_owned(),
            hint: "keep one of them".to_owned(),
        }),
        (true, false) | (false, true) => {}
    }
    for template in spec.field("object-templates").map(Located::entries).unwrap_or_default() {
        object_template(template, findings);
    }
    if let Some(raw) = spec.field("object-templates-raw")
        && let Some(text) = raw.text()
    {
        words_in_raw(text, raw.line, findings);
    }
}

/// A field with a fixed set of words.
fn word(name: &str, value: &Located, findings: &mut Vec<Finding>) {
    if !WITH_WORDS.contains(&name) || value.text().is_some_and(|text| text.contains("{{")) {
        return;
    }
    if let Some(message) = invalid(name, &value.value()) {
        findings.push(Finding {
            rule: Rule::InvalidValue,
            line: value.line,
            column: None,
            message: format!("{name}: {message}"),
            hint: "write one of these words".to_owned(),
        });
    }
}

fn object_template(template: &Located, findings: &mut Vec<Finding>) {
    for (name, _, value) in template.fields() {
        word(name, value, findings);
    }
    let Some(kind) = template.field("complianceType") else {
        findings.push(missing(
            "complianceType",
            template.line,
            "write musthave, mustonlyhave or mustnothave",
        ));
        return;
    };
    let Some(object) = template.field("objectDefinition") else {
        findings.push(missing("objectDefinition", template.line, "it holds the object to look for"));
        return;
    };
    for field in ["apiVersion", "kind"] {
        match object.field(field) {
            None => findings.push(missing(
                &format!("objectDefinition.{field}"),
                object.line,
                "apiVersion and kind say what to look for",
            )),
            Some(value) if value.text().is_some_and(|text| text.contains("{{")) => findings.push(Finding {
                rule: Rule::InvalidValue,
                line: value.line,
                column: None,
                message: format!("{field} is read before templates are carried out"),
                hint: "write it out, or use object-templates-raw".to_owned(),
            }),
            Some(_) => {}
        }
    }
    let named = object.at(&["metadata", "name"]).is_some();
    let unwanted = kind.text().is_some_and(|text| text.eq_ignore_ascii_case("mustnothave"));
    let ignored: Vec<&str> = object
        .fields()
        .iter()
        .map(|(name, _, _)| name.as_str())
        .filter(|name| !matches!(*name, "apiVersion" | "kind" | "metadata"))
        .collect();
    if named && unwanted && !ignored.is_empty() {
        findings.push(Finding {
            rule: Rule::IgnoredFields,
            line: object.line,
            column: None,
            message: format!(
                "{} is not looked at: an object of this name must not exist, whatever is in it",
                ignored.join(", ")
            ),
            hint: "leave the name out to look for objects by their content".to_owned(),
        });
    }
}

fn unknown_fields<'l>(part: &'l Located, path: &mut Vec<&'l str>, findings: &mut Vec<Finding>) {
    let Some(fields) = known(path) else {
        for entry in part.entries() {
            path.push("[]");
            unknown_fields(entry, path, findings);
            path.pop();
        }
        return;
    };
    for (name, mark, value) in part.fields() {
        if fields.contains(&name.as_str()) {
            path.push(name);
            unknown_fields(value, path, findings);
            path.pop();
        } else {
            findings.push(Finding {
                rule: Rule::UnknownField,
                line: mark.line,
                column: None,
                message: format!("{name:?} is no field here"),
                hint: format!("the fields here are {}", fields.join(", ")),
            });
        }
    }
}

/// Words in a raw text, where they are written out.
fn words_in_raw(text: &str, first: usize, findings: &mut Vec<Finding>) {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches("- ").trim();
        let Some((name, value)) = line.split_once(": ") else { continue };
        let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['\'', '"']);
        if name == "severity" || value.contains("{{") || !WITH_WORDS.contains(&name) {
            continue;
        }
        if let Some(message) = invalid(name, &Value::String(value.to_owned())) {
            findings.push(Finding {
                rule: Rule::InvalidValue,
                line: first + index,
                column: None,
                message: format!("{name}: {message}"),
                hint: "write one of these words".to_owned(),
            });
        }
    }
}
