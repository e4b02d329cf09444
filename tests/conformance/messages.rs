//! The words of compliance messages.

use flotilla::pipeline::compliance::{Finding, Reason, final_message, template_verdict};
use serde_json::{Value, json};

use crate::cases;

fn finding(event: &Value) -> Finding {
    let text = |field: &str| event[field].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    Finding {
        namespace: text("namespace"),
        names: serde_json::from_value(event["objectNames"].clone()).unwrap_or_default(),
        compliant: event["compliant"].as_bool().unwrap_or_default(),
        reason: Reason::from_text(event["reason"].as_str().unwrap_or_default()),
        message: text("message"),
    }
}

/// The message of a state that an interval may end.
fn never(case: &Value) -> Value {
    let compliant = case["compliant"].as_bool().unwrap_or_default();
    let message = case["input_message"].as_str().unwrap_or_default();
    let interval = &case["evaluationInterval"][if compliant { "compliant" } else { "noncompliant" }];
    let message =
        if *interval == json!("never") { final_message(message, compliant) } else { message.to_owned() };
    json!({ "message": message })
}

#[test]
fn every_message_case_agrees() {
    let results: Vec<(String, Result<(), String>)> = cases::rows("messages/cases.jsonl")
        .iter()
        .map(|case| {
            let answer = match case["events"].as_array() {
                Some(events) => {
                    let findings: Vec<Finding> = events.iter().map(finding).collect();
                    let verdict =
                        template_verdict(case["resource"].as_str().unwrap_or_default(), &findings);
                    json!({"compliant": verdict.compliant, "reason": verdict.reason, "message": verdict.message})
                }
                None => never(case),
            };
            let expected = &case["expected"];
            let result = if answer == *expected {
                Ok(())
            } else {
                Err(format!("expected {expected}, found {answer}"))
            };
            (case["id"].as_str().unwrap().to_owned(), result)
        })
        .collect();
    cases::all_agree("messages", &results);
}
