//! Names of keys: other spellings, slips, and how a line of the ConfigMap is written.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Fault};
use super::similar;
use super::table::{self, KEYS, Key};

/// Whether the table knows a name, in any of its spellings.
pub(super) fn is_documented(name: &str) -> bool {
    KEYS.iter().any(|key| key.name == name || key.aliases.contains(&name))
}

/// How the user wrote a key: by its name, or by another spelling.
pub(super) fn as_written(key: &'static Key, data: &BTreeMap<String, String>) -> &'static str {
    let other = || key.aliases.iter().find(|alias| data.contains_key(**alias));
    if data.contains_key(key.name) { key.name } else { other().copied().unwrap_or(key.name) }
}

/// An unknown key that was probably meant to be this one.
pub(super) fn meant_as<'a>(key: &Key, data: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let slip = |written: &&String| !is_documented(written) && similar::is_close(written, key.name);
    data.keys().find(slip).map(String::as_str)
}

/// Keys that look like a known one that is not there, and keys that stand beside their other spelling. `is_used` says which
/// unknown keys somebody reads.
pub(super) fn misspelt(data: &BTreeMap<String, String>, is_used: impl Fn(&str) -> bool) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for name in data.keys().filter(|name| !is_documented(name) && !is_used(name)) {
        let meant = KEYS.iter().find(|key| !data.contains_key(key.name) && similar::is_close(name, key.name));
        if let Some(meant) = meant {
            findings.push(
                Diagnostic::new(name, Fault::Unknown, "is not a known key")
                    .hint(format!("did you mean {}?", meant.name)),
            );
        }
    }
    for key in KEYS {
        let Some(real) = data.get(key.name) else { continue };
        for alias in key.aliases {
            if data.get(*alias).is_some_and(|value| value != real) {
                findings.push(
                    Diagnostic::new(alias, Fault::Doubtful, format!("is ignored beside {}", key.name))
                        .hint("keep one of the two"),
                );
            }
        }
    }
    findings
}

/// A line of the ConfigMap, quoted where YAML would not read the value as this text.
pub(super) fn line(name: &str, value: &str) -> String {
    let secret = table::find(name).is_some_and(Key::is_secret);
    if secret {
        return format!("{name}: <output of base64 -w0 credentials-file>");
    }
    let read = crate::yaml::read(&format!("k: {value}"), crate::yaml::Dialect::Kubernetes);
    let plain = read.is_ok_and(|read| read == serde_json::json!({"k": value}));
    if plain { format!("{name}: {value}") } else { format!("{name}: '{}'", value.replace('\'', "''")) }
}
