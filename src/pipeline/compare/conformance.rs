//! The merge cases of upstream's own unit tests, read from `../shared/data` where they are present.

use std::path::Path;

use serde_json::{Value, json};

use super::extent::{Absent, Extent, Likeness, likeness, lists, maps};
use super::*;

#[expect(clippy::disallowed_methods, reason = "the cases are files")]
fn cases() -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/conformance/merge/cases.jsonl");
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn extent(case: &Value) -> Extent {
    match case["complianceType"].as_str() {
        Some("mustonlyhave") => Extent::Exactly,
        _ => Extent::AtLeast,
    }
}

fn absent(case: &Value) -> Absent {
    if case["zeroValueEqualsNil"] == json!(true) { Absent::EqualsZero } else { Absent::Differs }
}

fn merged(case: &Value) -> Value {
    match extent(case) {
        Extent::AtLeast => merge::merge(&case["desired"], &case["existing"], absent(case)),
        Extent::Exactly => case["desired"].clone(),
    }
}

/// The answer in the form of the case; `None` for an operation that is not known.
fn answer(case: &Value) -> Option<Value> {
    let (left, right) = (&case["merged"], &case["existing"]);
    Some(match case["op"].as_str()? {
        "mergeArrays" | "mergeMaps" => merged(case),
        "checkListsAreEquivalent" => {
            let same = lists(left.as_array()?, right.as_array()?, Extent::Exactly, Absent::EqualsZero);
            json!(same.holds())
        }
        "checkFieldsAreEquivalent" => {
            json!(maps(left.as_object()?, right.as_object()?, Extent::Exactly, absent(case)).holds())
        }
        "deeplyEquivalent" => json!(likeness(left, right, Extent::Exactly, absent(case)).holds()),
        "handleSingleKey" => {
            let key = case["key"].as_str()?;
            let (desired, existing) = (&case["desired"][key], &case["existing"][key]);
            let error = if clash(key, desired, existing) {
                InvalidTemplate::TypeClash { key: key.to_owned() }.to_string()
            } else {
                String::new()
            };
            let same = likeness(desired, existing, extent(case), absent(case));
            json!({"updateNeeded": same == Likeness::Different, "error": error})
        }
        "handleKeys" => {
            let object = |field: &str| Manifest::parse(case[field].clone()).unwrap();
            let rules = Rules {
                compliance: serde_json::from_value(case["complianceType"].clone()).unwrap(),
                metadata: serde_json::from_value(case["metadataComplianceType"].clone()).unwrap(),
            };
            match compare(&object("desired"), &object("existing"), &rules, &WrittenLists::default()) {
                Comparison::Same => {
                    json!({"violation": false, "updateNeeded": false, "statusMismatch": false})
                }
                Comparison::Different(difference) => json!({"violation": difference.status_mismatch,
                    "updateNeeded": difference.spec_mismatch, "statusMismatch": difference.status_mismatch}),
                Comparison::Invalid(_) => {
                    json!({"violation": true, "updateNeeded": true, "statusMismatch": false})
                }
            }
        }
        "generateDiff" => json!(diff::unified(Some(right), left, "")),
        _ => return None,
    })
}

/// No case is left out; a new file may bring more than these.
#[test]
fn every_merge_case_agrees() {
    let Some(cases) = cases() else {
        println!("skipped: the conformance cases are not here");
        return;
    };
    let mut wrong = Vec::new();
    for case in &cases {
        let answer = answer(case);
        if answer.as_ref() != Some(&case["expected"]) {
            wrong.push(format!("{}: expected {}, found {answer:?}", case["id"], case["expected"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cases.len(), 29);
}
