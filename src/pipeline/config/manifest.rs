//! The ConfigMap as it stands in a file: which documents are one, its texts, and what YAML does not read as texts.
//!
//! Takes a document whose parts know their lines, gives the `data` and a finding for every value that the API server would
//! refuse. Must not touch: what the texts mean.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Fault};
use super::examine::sounds_secret;
use super::{CONFIG_MAP_NAME, PROTECT_LABEL, table};
use crate::api::object::json_type;
use crate::yaml::{Content, Located, Mark};

/// Whether a document is a ConfigMap with the settings: by its name, or by the label that makes the hub render it.
pub fn is_settings(document: &Located) -> bool {
    let text = |path: &[&str]| document.at(path).and_then(Located::text).unwrap_or_default();
    text(&["apiVersion"]) == "v1"
        && text(&["kind"]) == "ConfigMap"
        && (text(&["metadata", "name"]) == CONFIG_MAP_NAME
            || text(&["metadata", "labels", PROTECT_LABEL]) == "true")
}

/// A value in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where its key stands.
    pub key: Mark,
    /// Where it begins itself.
    pub value: Mark,
}

/// What `data` holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    /// The texts by key.
    pub data: BTreeMap<String, String>,
    /// Where all values stand.
    pub places: BTreeMap<String, Entry>,
    /// A finding for each value that is no text.
    pub findings: Vec<Diagnostic>,
}

/// Takes the texts out of a ConfigMap. `document` is the text that it was read from.
pub fn texts(config_map: &Located, document: &str) -> Texts {
    let mut texts = Texts::default();
    for (name, key, value) in config_map.field("data").map(Located::fields).unwrap_or_default() {
        texts.places.insert(name.clone(), Entry { key: *key, value: value.mark() });
        match value.text() {
            Some(text) => {
                texts.data.insert(name.clone(), text.to_owned());
            }
            None => texts.findings.push(no_text(name, value, document)),
        }
    }
    texts
}

/// The API server refuses a ConfigMap whose data has anything but texts (`cannot unmarshal bool into Go struct field
/// ConfigMap.data of type string`).
fn no_text(name: &str, value: &Located, document: &str) -> Diagnostic {
    let read_as = match &value.content {
        Content::Scalar(scalar) if scalar.is_null() => "empty (null)".to_owned(),
        Content::Scalar(_) | Content::List(_) | Content::Mapping(_) => json_type(&value.value()).to_owned(),
    };
    let finding = Diagnostic::new(
        name,
        Fault::NotText,
        format!("is {read_as} for YAML, and the API server takes nothing but texts"),
    )
    .expected("a text");
    let secret = sounds_secret(name) || table::find(name).is_some_and(table::Key::is_secret);
    match &value.content {
        _ if secret => finding.hint("put it in quotes"),
        Content::Scalar(scalar) if scalar.is_null() => {
            finding.hint(format!("for the empty text write {name}: \"\""))
        }
        Content::Scalar(_) => {
            let written = written(document, value.mark());
            let hint = format!("put it in quotes, {name}: \"{written}\"");
            finding.found(&written).hint(hint)
        }
        Content::List(_) | Content::Mapping(_) => {
            finding.hint(format!("put all of it in single quotes, {name}: '...'"))
        }
    }
}

/// A plain scalar as it is written, without the comment behind it.
fn written(document: &str, mark: Mark) -> String {
    let line = document.lines().nth(mark.line - 1).unwrap_or_default();
    let rest: String = line.chars().skip(mark.column - 1).collect();
    let end = rest.find(" #").unwrap_or(rest.len());
    rest[..end].trim().to_owned()
}
