//! Merging, comparing and differences, primitive by primitive.

use flotilla::api::object::Manifest;
use flotilla::pipeline::compare::primitives::{
    Absent, Extent, Likeness, clash, likeness, lists, maps, merge, unified,
};
use flotilla::pipeline::compare::{Comparison, InvalidTemplate, Rules, WrittenLists, compare};
use serde_json::{Value, json};

use crate::cases;

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
        Extent::AtLeast => merge(&case["desired"], &case["existing"], absent(case)),
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
                metadata: serde_json::from_value(case["metadataComplianceType"].clone()).unwrap_or_default(),
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
        "generateDiff" => json!(unified(Some(right), left, "")),
        _ => return None,
    })
}

#[test]
fn every_merge_case_agrees() {
    let results: Vec<(String, Result<(), String>)> = cases::rows("merge/cases.jsonl")
        .iter()
        .map(|case| {
            let answer = answer(case);
            let result = if answer.as_ref() == Some(&case["expected"]) {
                Ok(())
            } else {
                Err(format!("expected {}, found {answer:?}", case["expected"]))
            };
            (case["id"].as_str().unwrap().to_owned(), result)
        })
        .collect();
    cases::all_agree("merge", &results);
}
