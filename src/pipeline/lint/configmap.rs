//! A ConfigMap with the settings, as a file: every finding of the configuration with its place in the file.
//!
//! Takes the document and its text; the rules are those of `pipeline::config`.

use super::{Finding, Rule};
use crate::pipeline::config::{Config, Diagnostic, Fault, Place, manifest};
use crate::yaml::{Located, Mark, letters};

const fn rule(fault: Fault) -> Rule {
    match fault {
        Fault::Missing => Rule::ConfigMissing,
        Fault::NotText => Rule::ConfigNotText,
        Fault::Placeholder => Rule::ConfigPlaceholder,
        Fault::Unreadable => Rule::ConfigUnreadable,
        Fault::Invalid => Rule::ConfigInvalid,
        Fault::Refused => Rule::ConfigRefused,
        Fault::Conflict => Rule::ConfigConflict,
        Fault::Unknown => Rule::ConfigUnknown,
        Fault::Obsolete => Rule::ConfigObsolete,
        Fault::Doubtful => Rule::ConfigDoubtful,
    }
}

/// The findings of a ConfigMap; none of another document.
pub(super) fn check(root: &Located, text: &str) -> Vec<Finding> {
    if !manifest::is_settings(root) {
        return Vec::new();
    }
    let texts = manifest::texts(root, text);
    let mut found = texts.findings.clone();
    let of_values = Config::read(&texts.data).findings;
    // What is no text is not missing.
    found.extend(
        of_values
            .into_iter()
            .filter(|one| one.fault != Fault::Missing || !texts.places.contains_key(&one.key)),
    );
    let no_data = root.field("data").map_or_else(|| root.mark(), Located::mark);
    found.iter().map(|one| finding(one, &texts, text, no_data)).collect()
}

fn finding(one: &Diagnostic, texts: &manifest::Texts, text: &str, no_data: Mark) -> Finding {
    let mark = texts.places.get(&one.key).map_or(no_data, |entry| match one.place {
        Place::Key if one.fault == Fault::Unknown => entry.key,
        Place::Key | Place::Decoded(_) => entry.value,
        Place::Value(inside) => {
            let value = texts.data.get(&one.key).map(String::as_str).unwrap_or_default();
            letters(text, entry.value, value).map_or(entry.value, |letters| letters.place(inside))
        }
    });
    let decoded = if matches!(one.place, Place::Decoded(_)) { one.place.to_string() } else { String::new() };
    Finding {
        rule: rule(one.fault),
        line: mark.line,
        column: Some(mark.column),
        message: format!("{}{decoded}: {}", one.key, one.cause()),
        hint: one.hint.clone(),
    }
}
