//! Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::pipeline::lint::{Finding, Rule};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log: one run with all rules and findings.
pub(super) fn log(found: &[(String, Finding)]) -> Value {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id(),
                "shortDescription": {"text": rule.summary()},
                "defaultConfiguration": {"level": rule.level().as_str()},
            })
        })
        .collect();
    let results: Vec<Value> = found.iter().map(|(file, finding)| result(file, finding)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "flotilla lint",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "results": results,
        }],
    })
}

fn result(file: &str, finding: &Finding) -> Value {
    let mut region = json!({"startLine": finding.line});
    if let Some(column) = finding.column {
        region["startColumn"] = json!(column);
    }
    let text = match finding.hint.as_str() {
        "" => finding.message.clone(),
        hint => format!("{}. Hint: {hint}", finding.message),
    };
    json!({
        "ruleId": finding.rule.id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": finding.level().as_str(),
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(file)},
            "region": region,
        }}],
    })
}

/// A path as a relative reference, or an absolute one as a URI: what may not stand in a URI is written as `%XX`.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            uri.push(char::from(byte));
        } else {
            let _written = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("./policies/a b.yaml"), "policies/a%20b.yaml");
        assert_eq!(uri("/tmp/ü.yaml"), "file:///tmp/%C3%BC.yaml");
    }

    #[test]
    fn a_result_points_to_its_rule_and_line() {
        let finding = Finding {
            rule: Rule::UnknownFunction,
            line: 7,
            column: None,
            message: "there is no function \"x\"".to_owned(),
            hint: "spell it right".to_owned(),
        };
        let log = log(&[("p.yaml".to_owned(), finding)]);
        let run = &log["runs"][0];
        let index = run["results"][0]["ruleIndex"].as_u64().unwrap();
        let index = usize::try_from(index).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "unknown-function");
        assert_eq!(run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 7);
        assert_eq!(log["version"], "2.1.0");
    }
}
