//! `--desired-status`: an expected status held against the one that came out, field by field.
//!
//! Like `musthave`: what is not expected may be anything, and an element of a list may stand anywhere in it.

use serde_json::{Map, Value};

/// One line of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What it says.
    pub(super) text: String,
    /// Whether it is good news.
    pub(super) good: bool,
}

/// What a comparison comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compared {
    /// A line per field, in the order of their names; of a list first its elements, then the whole.
    pub(super) lines: Vec<Line>,
    /// Whether all fields agree.
    pub(super) matches: bool,
}

/// Compares.
pub(super) fn compare(expected: &Map<String, Value>, actual: &Value) -> Compared {
    let mut compared = Compared { lines: Vec::new(), matches: true };
    fields(expected, actual, "", &mut compared);
    compared
}

impl Compared {
    fn good(&mut self, text: String) {
        self.lines.push(Line { text, good: true });
    }

    fn bad(&mut self, text: String) {
        self.lines.push(Line { text, good: false });
        self.matches = false;
    }
}

fn fields(expected: &Map<String, Value>, actual: &Value, parent: &str, compared: &mut Compared) {
    let mut keys: Vec<&String> = expected.keys().collect();
    keys.sort();
    for key in keys {
        let wanted = &expected[key];
        let path = if parent.is_empty() { key.clone() } else { format!("{parent}.{key}") };
        match actual.get(key) {
            Some(found) => value(wanted, found, &path, compared),
            None if wanted.is_null() => compared.good(format!("{path}: '<nil>' does match '<nil>'")),
            None => compared.bad(format!("Key '{key}' not found in result at path '{parent}'")),
        }
    }
}

fn value(wanted: &Value, found: &Value, path: &str, compared: &mut Compared) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(_)) => fields(wanted, found, path, compared),
        (Value::Array(wanted), Value::Array(found)) if wanted.iter().all(Value::is_object) => {
            elements(wanted, found, path, compared);
        }
        (Value::Array(_), Value::Array(_)) => told(wanted == found, wanted, found, path, compared),
        (Value::Object(_) | Value::Array(_), _) => compared.bad(format!(
            "The input status field '{path}' is not the right type - expected '{}'",
            go_type(found)
        )),
        _ => told(shown(wanted) == shown(found), wanted, found, path, compared),
    }
}

fn told(same: bool, wanted: &Value, found: &Value, path: &str, compared: &mut Compared) {
    let (wanted, found) = (shown(wanted), shown(found));
    if same {
        compared.good(format!("{path}: '{wanted}' does match '{found}'"));
    } else {
        compared.bad(format!("{path}: '{wanted}' does not match '{found}'"));
    }
}

/// Every expected element must agree with one of the list. What differs inside is not told: it would be told once for every
/// element that is not meant.
fn elements(wanted: &[Value], found: &[Value], path: &str, compared: &mut Compared) {
    for (index, element) in wanted.iter().enumerate() {
        let agrees = |candidate: &Value| {
            element
                .as_object()
                .is_some_and(|element| candidate.is_object() && compare(element, candidate).matches)
        };
        if found.iter().any(agrees) {
            compared.good(format!("{path}[{index}] matches"));
        } else {
            compared.bad(format!("{path}[{index}] does not match any elements"));
            compared.bad(format!("{path} does not match the elements"));
            return;
        }
    }
    compared.good(format!("{path} matches"));
}

/// A value as Go prints it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let mut fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}:{}", shown(value))).collect();
            fields.sort();
            format!("map[{}]", fields.join(" "))
        }
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(expected: Value, actual: &Value) -> (Vec<String>, bool) {
        let Value::Object(expected) = expected else { panic!("a mapping") };
        let compared = compare(&expected, actual);
        (compared.lines.into_iter().map(|line| line.text).collect(), compared.matches)
    }

    fn status() -> Value {
        json!({
            "compliant": "NonCompliant",
            "lastEvaluatedGeneration": 1,
            "compliancyDetails": [{"Compliant": "NonCompliant", "conditions": [
                {"type": "violation", "message": "pods [a] not found in namespace default"}]}],
            "relatedObjects": [
                {"compliant": "Compliant", "object": {"kind": "Pod", "metadata": {"name": "a"}}},
                {"compliant": "NonCompliant", "object": {"kind": "Pod", "metadata": {"name": "b"}}}],
        })
    }

    #[test]
    fn fields_that_agree_are_told_in_the_order_of_their_names() {
        let expected = json!({"relatedObjects": [{"object": {"metadata": {"name": "b"}}}],
            "lastEvaluatedGeneration": 1, "compliant": "NonCompliant"});
        assert_eq!(
            lines(expected, &status()),
            (
                vec![
                    "compliant: 'NonCompliant' does match 'NonCompliant'".to_owned(),
                    "lastEvaluatedGeneration: '1' does match '1'".to_owned(),
                    "relatedObjects[0] matches".to_owned(),
                    "relatedObjects matches".to_owned(),
                ],
                true
            )
        );
    }

    #[test]
    fn what_differs_is_told_without_the_inside_of_elements() {
        let expected = json!({"compliant": "Compliant", "nonsense": 1, "relatedObjects": [{"compliant": "Compliant"}],
            "compliancyDetails": [{"Compliant": "Compliant"}, {"Compliant": "NonCompliant"}]});
        assert_eq!(
            lines(expected, &status()),
            (
                vec![
                    "compliancyDetails[0] does not match any elements".to_owned(),
                    "compliancyDetails does not match the elements".to_owned(),
                    "compliant: 'Compliant' does not match 'NonCompliant'".to_owned(),
                    "Key 'nonsense' not found in result at path ''".to_owned(),
                    "relatedObjects[0] matches".to_owned(),
                    "relatedObjects matches".to_owned(),
                ],
                false
            )
        );
    }

    #[test]
    fn lists_inside_elements_are_compared_the_same_way() {
        let with = |text: &str| json!({"compliancyDetails": [{"conditions": [{"message": text}]}]});
        assert!(lines(with("pods [a] not found in namespace default"), &status()).1);
        assert!(!lines(with("something else"), &status()).1);
    }

    #[test]
    fn odd_expectations_are_no_fault_of_the_comparison() {
        let texts = json!({"list": ["a", "b"], "map": {"x": "y"}, "none": null, "empty": []});
        let actual = json!({"list": ["a", "c"], "map": "text", "empty": []});
        assert_eq!(
            lines(texts, &actual).0,
            [
                "empty matches",
                "list: '[a b]' does not match '[a c]'",
                "The input status field 'map' is not the right type - expected 'string'",
                "none: '<nil>' does match '<nil>'",
            ]
        );
    }
}
