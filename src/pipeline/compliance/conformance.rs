//! The cases of upstream's own tests that concern this room, read from `../shared/data` where they are present.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

#[expect(clippy::disallowed_methods, reason = "the cases are files")]
fn cases(file: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/conformance").join(file);
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: the conformance cases are not here");
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn finding(event: &Value) -> Finding {
    let text = |field: &str| event[field].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    Finding {
        namespace: text("namespace"),
        names: serde_json::from_value(event["objectNames"].clone()).unwrap(),
        compliant: event["compliant"].as_bool().unwrap(),
        reason: Reason::from_text(event["reason"].as_str().unwrap()),
        message: text("message"),
    }
}

#[test]
fn every_message_case_agrees() {
    let Some(cases) = cases("messages/cases.jsonl") else { return };
    for case in &cases {
        let answer = if let Some(events) = case["events"].as_array() {
            let findings: Vec<Finding> = events.iter().map(finding).collect();
            let verdict = template_verdict(case["resource"].as_str().unwrap(), &findings);
            json!({"compliant": verdict.compliant, "reason": verdict.reason, "message": verdict.message})
        } else {
            let message = case["input_message"].as_str().unwrap();
            json!({"message": final_message(message, case["compliant"].as_bool().unwrap())})
        };
        assert_eq!(answer, case["expected"], "{}", case["id"]);
    }
    assert_eq!(cases.len(), 13);
}
