//! The cases of upstream's own tests that concern this room, read from `../shared/data` where they are present.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::api::ocm::policy::{
    ClusterStatus, ComplianceState, PlacementStatusEntry, PolicySetStatus, PolicyStatus,
};

#[expect(clippy::disallowed_methods, reason = "the cases are files")]
fn cases(file: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/conformance").join(file);
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: the conformance cases are not here");
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn placement(bindings: &Value, missing: &Value, subject: Option<&str>) -> Vec<PlacementStatusEntry> {
    let missing: Vec<&str> = missing.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    bindings
        .as_array()
        .unwrap()
        .iter()
        .filter(|binding| subject.is_none_or(|name| binds(binding, "PolicySet", name)))
        .map(|binding| {
            let placement = binding["placement"].as_str().unwrap();
            let found = !missing.contains(&placement);
            PlacementStatusEntry {
                placement_binding: binding["name"].as_str().unwrap().to_owned(),
                placement: if found { placement.to_owned() } else { String::new() },
                ..PlacementStatusEntry::default()
            }
        })
        .collect()
}

fn binds(binding: &Value, kind: &str, name: &str) -> bool {
    binding["subjects"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|subject| subject["kind"] == json!(kind) && subject["name"] == json!(name))
}

fn decided<'a>(case: &'a Value, entries: &[PlacementStatusEntry]) -> BTreeSet<&'a str> {
    entries
        .iter()
        .filter_map(|entry| case["decisions"][entry.placement.as_str()].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn state(compliance: &Value) -> Option<ComplianceState> {
    (!compliance.is_null()).then(|| serde_json::from_value(compliance.clone()).unwrap())
}

#[test]
fn every_root_status_case_agrees() {
    let Some(cases) = cases("aggregation/root_status.jsonl") else { return };
    for case in &cases {
        let bindings = placement(&case["bindings"], &case["missing_placements"], None);
        let clusters = decided(case, &bindings)
            .into_iter()
            .map(|cluster| (cluster.to_owned(), state(&case["replicated_compliance"][cluster])))
            .collect();
        let status = root_status(&PolicyStatus::default(), &bindings, &clusters);
        assert_eq!(serde_json::to_value(status).unwrap(), case["expected_root_status"], "{}", case["id"]);
    }
    assert_eq!(cases.len(), 8);
}

#[test]
fn every_policy_set_case_agrees() {
    let Some(cases) = cases("aggregation/policyset_status.jsonl") else { return };
    for case in &cases {
        let bindings = placement(&case["bindings"], &Value::Null, case["policyset"].as_str());
        let names: Vec<&str> =
            case["spec_policies"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let reports: Vec<Vec<ClusterStatus>> = names
            .iter()
            .map(|name| {
                let compliance = case["existing_policies"][*name]["replicated_compliance"].as_object();
                let clusters = compliance.into_iter().flatten();
                let clusters =
                    clusters.map(|(cluster, compliance)| (cluster.clone(), state(compliance))).collect();
                root_status(&PolicyStatus::default(), &[], &clusters).status
            })
            .collect();
        let policies: Vec<(&str, PolicyInSet<'_>)> = names
            .iter()
            .zip(&reports)
            .map(|(name, reports)| {
                let policy = &case["existing_policies"][*name];
                let known = match (policy.is_null(), policy["disabled"] == json!(true)) {
                    (true, _) => PolicyInSet::Missing,
                    (false, true) => PolicyInSet::Disabled,
                    (false, false) => PolicyInSet::Present(reports),
                };
                (*name, known)
            })
            .collect();
        let status =
            policy_set_status(&PolicySetStatus::default(), &policies, &bindings, &decided(case, &bindings));
        assert_eq!(
            serde_json::to_value(status).unwrap(),
            case["expected_policyset_status"],
            "{}",
            case["id"]
        );
    }
    assert_eq!(cases.len(), 8);
}

/// What a template of a framework case says, as far as that does not take the rules of dependencies.
fn said(case: &Value, template: &Value) -> Option<String> {
    let name = template["objectDefinition"]["metadata"]["name"].as_str();
    let compliance = name.and_then(|name| case["template_compliance"][name].as_str());
    let dependent = template["extraDependencies"].is_array()
        || case["replicated_policy"]["spec"]["dependencies"].is_array();
    match (compliance, dependent) {
        (Some(compliance), false) => Some(format!("{compliance}; notification - x")),
        // The reason why nothing came of the template is worded by the room of policies.
        (None, false) => Some(case["expected"]["detail_message_contains"].as_str()?.to_owned()),
        (_, true) => None,
    }
}

#[test]
fn framework_cases_roll_up() {
    let Some(cases) = cases("framework/cases.jsonl") else { return };
    let mut skipped = Vec::new();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let templates = case["replicated_policy"]["spec"]["policy-templates"].as_array().unwrap();
        let messages: Option<Vec<[String; 1]>> =
            templates.iter().map(|template| Some([said(case, template)?])).collect();
        let (Some(messages), Some(expected)) = (messages, case["expected"]["compliant"].as_str()) else {
            skipped.push(id);
            continue;
        };
        let names: Vec<String> = (0..templates.len()).map(|index| format!("template-{index}")).collect();
        let templates: Vec<TemplateMessage<'_>> = names
            .iter()
            .zip(&messages)
            .map(|(template, messages)| TemplateMessage { template, messages })
            .collect();
        let recorded = record(&[], "policies.case", &templates, Timestamp::UNIX_EPOCH);
        let compliance = replicated_compliance(&recorded.details, None);
        assert_eq!(compliance.map(|state| state.to_string()).as_deref(), Some(expected), "{id}");
    }
    let by_policy_room = [
        // Their templates depend on other policies: src/pipeline/policy decides and words what they say.
        "dep-noncompliant-late-event",
        "ignorepending",
        "invalid-dep-api",
        "multiple-deps-b-noncompliant",
        "two-templates-a-pending-b-noncompliant",
        "nonexistent-dep-kind-noncompliant",
        "nonexistent-dep-kind-compliant",
        // They are about the remediation that a template inherits, not about compliance.
        "remediation-not-on-parent-2",
        "informonly-parent-none",
        "template-none-parent-inform",
    ];
    assert_eq!(skipped, by_policy_room);
    assert_eq!(cases.len(), 15);
}
