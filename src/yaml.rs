//! The only file that names the YAML crate: Kubernetes' dialect in and out.
//!
//! Kubernetes reads YAML 1.1 (`sigs.k8s.io/yaml`): untyped `yes` and `on` are booleans, `0644` is octal. The templates of
//! Open Cluster Management are read by go-yaml v3 in YAML 1.2 style, where `yes` stays a string. Both are here.

mod located;
mod quick;
mod reflow;
mod source;

use serde_json::Value;
use thiserror::Error;

pub use self::located::{Content, Located, Mark, read_located};
pub use self::source::{Letters, letters};

/// A YAML text that cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong, with line and column where known.
    pub message: String,
    /// 1-based line, when known.
    pub line: Option<u64>,
    /// Where in the text, when known.
    pub mark: Option<Mark>,
}

/// Which scalars are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Manifests: YAML 1.1 as kubectl reads them.
    Kubernetes,
    /// Results of templates: go-yaml v3.
    Template,
}

fn options(dialect: Dialect) -> serde_saphyr::options::Options {
    serde_saphyr::options! {
        strict_booleans: dialect == Dialect::Template,
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

fn fault(error: &serde_saphyr::Error) -> YamlError {
    let location = error.location();
    YamlError {
        message: error.to_string(),
        line: location.map(|location| location.line()),
        mark: location.map(Mark::of),
    }
}

/// Reads one document. An empty text is `null`.
pub fn read(text: &str, dialect: Dialect) -> Result<Value, YamlError> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    match quick::read(text, dialect) {
        Some(value) => Ok(value),
        None => full(text, dialect),
    }
}

/// Reads one document with the full reader.
fn full(text: &str, dialect: Dialect) -> Result<Value, YamlError> {
    let stripped = reflow::strip_last_block(text);
    let text = stripped.as_deref().unwrap_or(text);
    let parse = |text: &str| serde_saphyr::from_str_with_options(text, options(dialect));
    parse(text).or_else(|error| {
        // go-yaml is lenient inside quotes; the first error is the one that speaks of the text as it is.
        parse(&reflow::indent_quoted_lines(text)).map_err(|_| fault(&error))
    })
}

/// Reads all documents of a stream; empty ones are left out.
pub fn read_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let parse = |text: &str| serde_saphyr::from_multiple_with_options(text, options(Dialect::Kubernetes));
    let documents: Vec<Value> =
        parse(text).or_else(|error| parse(&reflow::indent_quoted_lines(text)).map_err(|_| fault(&error)))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes a value as a block-style document with a trailing newline, keys in the order of the map.
pub fn write(value: &Value) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError {
        message: error.to_string(),
        line: None,
        mark: None,
    })
}

/// Writes a value like [`write`], keys in the order of their names.
pub fn write_sorted(value: &Value) -> Result<String, YamlError> {
    write(&sorted(value))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            fields.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(entries) => Value::Array(entries.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_of_templates_are_typed_as_go_yaml_types_them() {
        for (text, expected) in [
            ("yes", json!("yes")),
            ("No", json!("No")),
            ("on", json!("on")),
            ("OFF", json!("OFF")),
            ("y", json!("y")),
            ("true", json!(true)),
            ("True", json!(true)),
            ("FALSE", json!(false)),
            ("null", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("12", json!(12)),
            ("-7", json!(-7)),
            ("+7", json!(7)),
            ("0x1F", json!(31)),
            ("0o14", json!(12)),
            ("0644", json!(420)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("1.2.3", json!("1.2.3")),
            ("2021-01-01", json!("2021-01-01")),
            ("2021-01-01T00:00:00Z", json!("2021-01-01T00:00:00Z")),
            ("12:30:45", json!("12:30:45")),
            ("0 */1 * * *", json!("0 */1 * * *")),
            ("240h0m0s", json!("240h0m0s")),
            ("<no value>", json!("<no value>")),
            ("'12'", json!("12")),
            ("\"true\"", json!("true")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ] {
            assert_eq!(
                read(&format!("k: {text}\n"), Dialect::Template),
                Ok(json!({"k": expected})),
                "{text}"
            );
        }
    }

    #[test]
    fn kubernetes_reads_yaml_1_1() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("off", json!(false)),
            ("0644", json!(420)),
            ("12:30:45", json!("12:30:45")),
            ("2021-01-01", json!("2021-01-01")),
        ] {
            assert_eq!(
                read(&format!("k: {text}\n"), Dialect::Kubernetes),
                Ok(json!({"k": expected})),
                "{text}"
            );
        }
    }

    #[test]
    fn what_go_yaml_forgives_is_read() {
        for (text, expected) in [
            ("a: {\"managed-csi\": \"thin\", }", json!({"a": {"managed-csi": "thin"}})),
            ("a: [1, 2, ]", json!({"a": [1, 2]})),
            ("a:\tb", json!({"a": "b"})),
            ("a: |\n  b\n  c", json!({"a": "b\nc"})),
            ("a: |\n  b\n", json!({"a": "b\n"})),
            ("a:\n  b: 'x\ny'", json!({"a": {"b": "x y"}})),
            ("a: {\n  b: 1\n}", json!({"a": {"b": 1}})),
            ("a:\n- 1\n- 2", json!({"a": [1, 2]})),
            ("{\"a\":\"b\"}", json!({"a": "b"})),
            ("# only a comment\n", json!(null)),
            ("", json!(null)),
        ] {
            assert_eq!(read(text, Dialect::Template), Ok(expected), "{text:?}");
        }
        assert!(read("a: b: c", Dialect::Template).is_err());
        assert!(read("a: 1\na: 2", Dialect::Template).is_err());
    }

    #[test]
    fn under_indented_quoted_lines_are_read_in_streams_too() {
        let text = "data:\n  spec: \"{\n  \\\"a\\\": [\n    1\n  ]\n}\"\n  next: x\n---\nb: 1\n";
        let documents = [json!({"data": {"spec": "{ \"a\": [ 1 ] }", "next": "x"}}), json!({"b": 1})];
        assert_eq!(read_documents(text).unwrap(), documents);
        assert!(read("a: \"b\nc: d\n", Dialect::Kubernetes).is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let value =
            json!({"a": "yes", "b": "0644", "c": ["x: y", ""], "d": null, "e": {"f": "1e3", "g": "- h"}});
        assert_eq!(read(&write(&value).unwrap(), Dialect::Kubernetes).unwrap(), value);
    }
}
