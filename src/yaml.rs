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

/// Reads one document. An empty text is `null`.
pub fn read(text: &str, dialect: Dialect) -> Result<Value, YamlError> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options(text, options(dialect)).map_err(|error| fault(&error))
}

/// Reads all documents of a stream; empty ones are left out.
pub fn read_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options(Dialect::Kubernetes))
        .map_err(|error| fault(&error))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes a value as a block-style document with a trailing newline, keys in the order of the map.
pub fn write(value: &Value) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError { message: error.to_string(), line: None })
}
