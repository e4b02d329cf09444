//! The only file that names the YAML crate: Kubernetes' dialect in and out.
//!
//! Kubernetes reads YAML 1.1 (`sigs.k8s.io/yaml`): untyped `yes` and `on` are booleans, `0644` is octal. The templates of
//! Open Cluster Management are read by go-yaml v3 in YAML 1.2 style, where `yes` stays a string. Both are here.

use serde_json::Value;
use thiserror::Error;

/// A YAML text that cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong, with line and column where known.
    pub message: String,
    /// 1-based line, when known.
    pub line: Option<u64>,
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
        legacy_octal_numbers: dialect == Dialect::Kubernetes,
        with_snippet: false,
    }
}

fn fault(error: &serde_saphyr::Error) -> YamlError {
    let line = error.location().map(|location| location.line());
    YamlError { message: error.to_string(), line }
}

/// How many lines of under-indented quoted text are mended before the reader gives up.
const MENDED_LINES: usize = 500;

/// Reads, and where a line inside a quoted scalar is indented no deeper than its key, reads again with that line
/// indented: go-yaml (and so kubectl) accepts such lines, and leading blanks in them mean nothing.
fn read_leniently<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, serde_saphyr::Error>,
) -> Result<T, YamlError> {
    let first = match read(text) {
        Ok(value) => return Ok(value),
        Err(error) => fault(&error),
    };
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    let mut error = first.clone();
    for _ in 0..MENDED_LINES {
        let under_indented = error.message.contains("multiline quoted scalar");
        let faulty =
            error.line.and_then(|line| usize::try_from(line).ok()).and_then(|line| line.checked_sub(1));
        let Some(line) = faulty.filter(|_| under_indented).and_then(|index| lines.get_mut(index)) else {
            break;
        };
        line.insert_str(0, "        ");
        match read(&lines.join("\n")) {
            Ok(value) => return Ok(value),
            Err(next) => error = fault(&next),
        }
    }
    Err(first)
}

/// Reads one document. An empty text is `null`.
pub fn read(text: &str, dialect: Dialect) -> Result<Value, YamlError> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    read_leniently(text, |text| serde_saphyr::from_str_with_options(text, options(dialect)))
}

/// Reads all documents of a stream; empty ones are left out.
pub fn read_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let documents: Vec<Value> = read_leniently(text, |text| {
        serde_saphyr::from_multiple_with_options(text, options(Dialect::Kubernetes))
    })?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes a value as a block-style document with a trailing newline, keys in the order of the map.
pub fn write(value: &Value) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError { message: error.to_string(), line: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn under_indented_quoted_lines_are_read_as_go_yaml_does() {
        let text = "data:\n  spec: \"{\n  \\\"a\\\": [\n    1\n  ]\n}\"\n  next: x\n";
        assert_eq!(
            read(text, Dialect::Kubernetes).unwrap(),
            json!({"data": {"spec": "{ \"a\": [ 1 ] }", "next": "x"}})
        );
        let unterminated = "a: \"b\nc: d\n";
        assert!(read(unterminated, Dialect::Kubernetes).is_err());
    }

    #[test]
    fn manifests_are_yaml_1_1_and_template_results_are_not() {
        let text = "a: yes\nb: 0644\nc: 'on'\n";
        assert_eq!(read(text, Dialect::Kubernetes).unwrap(), json!({"a": true, "b": 420, "c": "on"}));
        assert_eq!(read("a: yes\n", Dialect::Template).unwrap(), json!({"a": "yes"}));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let value =
            json!({"a": "yes", "b": "0644", "c": ["x: y", ""], "d": null, "e": {"f": "1e3", "g": "- h"}});
        assert_eq!(read(&write(&value).unwrap(), Dialect::Kubernetes).unwrap(), value);
    }
}
