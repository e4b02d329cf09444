//! `--desired-status`: an expected status held against the one that came out, line by line as Open Cluster Management's own
//! command tells it.
//!
//! What is not expected may be anything, and an element of a list may stand anywhere in it. Of the inside of elements only
//! what upstream tells is told: a field that an element lacks, and values of another type. Paths begin with a dot.
//! Source: config-policy-controller, `pkg/dryrun/dryrun_utils.go`, `compareStatusObj`.

use serde_json::{Map, Value};

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// It agrees.
    Good,
    /// It differs.
    Bad,
    /// It cannot be compared.
    Odd,
}

/// One line of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What it says.
    pub(super) text: String,
    /// Whether it is good news.
    pub(super) tone: Tone,
}

/// What a comparison comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compared {
    /// What is told, in the order of the fields' names; of a list first its elements, then the whole.
    pub(super) lines: Vec<Line>,
    /// Whether all fields agree.
    pub(super) matches: bool,
}

/// Compares.
pub(super) fn compare(expected: &Map<String, Value>, actual: &Value) -> Compared {
    let mut told = Told::default();
    let nothing = Map::new();
    let matches = told.fields(expected, actual.as_object().unwrap_or(&nothing), &Path::default());
    Compared { lines: told.lines, matches }
}

/// Where a value stands.
#[derive(Debug, Clone, Default)]
struct Path {
    /// `.relatedObjects[0].object`.
    text: String,
    /// Whether it is an element of a list itself.
    is_element: bool,
    /// Whether it is a field of an element, or of what is in one: what differs there is not told, for it would be told
    /// once for every element that is not meant.
    is_inside: bool,
}

impl Path {
    fn field(&self, name: &str) -> Self {
        Self {
            text: format!("{}.{name}", self.text),
            is_element: false,
            is_inside: self.is_inside || self.is_element,
        }
    }

    fn element(&self, index: usize) -> Self {
        Self { text: format!("{}[{index}]", self.text), is_element: true, is_inside: self.is_inside }
    }
}

/// The lines so far.
#[derive(Debug, Default)]
struct Told {
    lines: Vec<Line>,
}

impl Told {
    fn say(&mut self, text: String, tone: Tone) {
        self.lines.push(Line { text, tone });
    }

    fn say_outside(&mut self, path: &Path, text: String, tone: Tone) {
        if !path.is_inside {
            self.say(text, tone);
        }
    }

    /// Compares the fields of a mapping; whether they agree.
    fn fields(&mut self, expected: &Map<String, Value>, actual: &Map<String, Value>, parent: &Path) -> bool {
        let mut names: Vec<&String> = expected.keys().collect();
        names.sort();
        let mut matches = true;
        for name in names {
            matches &= if let Some(found) = actual.get(name) {
                self.value(&expected[name], found, &parent.field(name), name)
            } else {
                let text = format!("Key '{name}' not found in result at path '{}'", parent.text);
                self.say_outside(parent, text, Tone::Bad);
                false
            };
        }
        matches
    }

    fn value(&mut self, wanted: &Value, found: &Value, path: &Path, name: &str) -> bool {
        match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => self.fields(wanted, found, path),
            (Value::Object(_), _) => {
                self.say_type(path, found);
                false
            }
            (Value::Array(wanted), Value::Array(found)) if wanted.first().is_some_and(Value::is_object) => {
                self.elements(wanted, found, path)
            }
            (Value::Array(_), Value::Array(_)) => self.told(wanted == found, wanted, found, path),
            (Value::Array(_), _) => {
                self.say(format!("skip {name}, {} is not array,", path.text), Tone::Odd);
                false
            }
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => {
                self.told(shown(wanted) == shown(found), wanted, found, path)
            }
        }
    }

    fn say_type(&mut self, path: &Path, found: &Value) {
        let text = format!(
            "The input status field '{}' is not the right type - expected '{}'",
            path.text,
            go_type(found)
        );
        self.say(text, Tone::Bad);
    }

    fn told(&mut self, same: bool, wanted: &Value, found: &Value, path: &Path) -> bool {
        let (verb, tone) = if same { ("does", Tone::Good) } else { ("does not", Tone::Bad) };
        let text = format!("{}: '{}' {verb} match '{}'", path.text, shown(wanted), shown(found));
        self.say_outside(path, text, tone);
        same
    }

    /// Every expected element must agree with one of the list; the first that does not ends it.
    fn elements(&mut self, wanted: &[Value], found: &[Value], path: &Path) -> bool {
        for (index, element) in wanted.iter().enumerate() {
            let Some(element) = element.as_object() else {
                self.say(format!("failed to parse, skip {}", path.text), Tone::Bad);
                continue;
            };
            let place = path.element(index);
            if self.matches_any(element, found, path, &place) {
                self.say_outside(&place, format!("{} matches", place.text), Tone::Good);
            } else {
                let text = format!("{} does not match any elements", place.text);
                self.say_outside(&place, text, Tone::Bad);
                self.say_outside(path, format!("{} does not match the elements", path.text), Tone::Bad);
                return false;
            }
        }
        self.say_outside(path, format!("{} matches", path.text), Tone::Good);
        true
    }

    fn matches_any(
        &mut self,
        element: &Map<String, Value>,
        found: &[Value],
        path: &Path,
        place: &Path,
    ) -> bool {
        for candidate in found {
            match candidate.as_object() {
                Some(candidate) if self.fields(element, candidate, place) => return true,
                Some(_) => {}
                None => self.say_type(path, candidate),
            }
        }
        false
    }
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
                    ".compliant: 'NonCompliant' does match 'NonCompliant'".to_owned(),
                    ".lastEvaluatedGeneration: '1' does match '1'".to_owned(),
                    ".relatedObjects[0] matches".to_owned(),
                    ".relatedObjects matches".to_owned(),
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
                    ".compliancyDetails[0] does not match any elements".to_owned(),
                    ".compliancyDetails does not match the elements".to_owned(),
                    ".compliant: 'Compliant' does not match 'NonCompliant'".to_owned(),
                    "Key 'nonsense' not found in result at path ''".to_owned(),
                    ".relatedObjects[0] matches".to_owned(),
                    ".relatedObjects matches".to_owned(),
                ],
                false
            )
        );
    }

    /// A field that an element lacks is told for each element that was looked at, one deeper inside is not.
    #[test]
    fn elements_that_lack_a_field_are_told_one_by_one() {
        let mut status = status();
        status["relatedObjects"][1]["properties"] = json!({"diff": "d"});
        let lacks = "Key 'properties' not found in result at path '.relatedObjects[0]'".to_owned();
        let found = lines(json!({"relatedObjects": [{"properties": {"diff": "d"}}]}), &status);
        let good =
            [lacks.clone(), ".relatedObjects[0] matches".to_owned(), ".relatedObjects matches".to_owned()];
        assert_eq!(found, (good.to_vec(), true));
        let found = lines(json!({"relatedObjects": [{"properties": {"uid": "u"}}]}), &status);
        let bad = [
            lacks,
            ".relatedObjects[0] does not match any elements".to_owned(),
            ".relatedObjects does not match the elements".to_owned(),
        ];
        assert_eq!(found, (bad.to_vec(), false));
    }

    #[test]
    fn lists_inside_elements_are_compared_the_same_way() {
        let with = |text: &str| json!({"compliancyDetails": [{"conditions": [{"message": text}]}]});
        assert!(lines(with("pods [a] not found in namespace default"), &status()).1);
        let (told, matches) = lines(with("something else"), &status());
        assert!(!matches);
        assert_eq!(told.len(), 2, "{told:?}");
    }

    #[test]
    fn odd_expectations_are_no_fault_of_the_comparison() {
        let texts =
            json!({"list": ["a", "b"], "map": {"x": "y"}, "none": null, "empty": [], "flat": [{"a": 1}]});
        let actual = json!({"list": ["a", "c"], "map": "text", "empty": [], "flat": "text"});
        let Value::Object(expected) = texts else { panic!("a mapping") };
        let compared = compare(&expected, &actual);
        let told: Vec<(&str, Tone)> =
            compared.lines.iter().map(|line| (line.text.as_str(), line.tone)).collect();
        assert_eq!(
            told,
            [
                (".empty: '[]' does match '[]'", Tone::Good),
                ("skip flat, .flat is not array,", Tone::Odd),
                (".list: '[a b]' does not match '[a c]'", Tone::Bad),
                ("The input status field '.map' is not the right type - expected 'string'", Tone::Bad),
                ("Key 'none' not found in result at path ''", Tone::Bad),
            ]
        );
        assert!(!compared.matches);
    }
}
