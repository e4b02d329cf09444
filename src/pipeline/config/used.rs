//! Which keys of the ConfigMap the templates of a policy read.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::CONFIG_MAP_NAME;

/// A quote of a template, also where the template stands inside JSON.
const QUOTE: &str = r#"(?:\\?"|`)"#;
/// A template variable.
const VARIABLE: &str = r"\$[A-Za-z_][A-Za-z0-9_]*";
/// A key behind a dot. Keys with a dot or a dash can only be read by `index`.
const FIELD: &str = "([A-Za-z_][A-Za-z0-9_]*)";

#[expect(clippy::expect_used, reason = "the patterns are constants")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is valid")
}

/// `(lookup "v1" "ConfigMap" "" "hdr-app-configmap")`, with or without the parentheses.
fn lookup() -> String {
    let arguments =
        format!(r"{QUOTE}v1{QUOTE}\s+{QUOTE}ConfigMap{QUOTE}\s+\S+\s+{QUOTE}{CONFIG_MAP_NAME}{QUOTE}");
    format!(r"\(?\s*lookup\s+{arguments}\s*\)?")
}

static OBJECT_VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"({VARIABLE})\s*:?=\s*{}(\.data\b)?", lookup())));
static DATA_VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"({VARIABLE})\s*:?=\s*\(?({VARIABLE})\.data\)?\s*(?:-?\s*(?:hub)?\}}\}})"))
});
static VARIABLE_FIELD: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"({VARIABLE})((?:\.data)?)\.{FIELD}")));
static VARIABLE_INDEX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"index\s+\(?({VARIABLE})((?:\.data|\s+{QUOTE}data{QUOTE})?)\)?\s+{QUOTE}([^\x22`\\]+){QUOTE}"
    ))
});
static LOOKUP_FIELD: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"{}\.data\.{FIELD}", lookup())));
static LOOKUP_INDEX: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"index\s+\(?{}\.data\)?\s+{QUOTE}([^\x22`\\]+){QUOTE}", lookup())));
static FROM_CONFIG_MAP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"fromConfigMap\s+\S+\s+{QUOTE}{CONFIG_MAP_NAME}{QUOTE}\s+{QUOTE}([^\x22`\\]+){QUOTE}"))
});
static WITH_LOOKUP: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"with\s+{}(\.data\b)?\s*-?\s*(?:hub)?\}}\}}", lookup())));
static DOT_FIELD: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"[\s({{]\.data\.{FIELD}")));

/// The keys of [`CONFIG_MAP_NAME`] that the templates name, whether by a variable that holds the looked-up
/// object or its data, by `index`, by `fromConfigMap`, or as `.data.KEY` inside `with (lookup …)`. What a
/// text reads elsewhere adds nothing.
pub fn used_keys<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for text in texts.filter(|text| text.contains(CONFIG_MAP_NAME)) {
        keys_of(text, &mut keys);
    }
    keys
}

fn keys_of(text: &str, keys: &mut BTreeSet<String>) {
    let mut objects = BTreeSet::new();
    let mut maps = BTreeSet::new();
    for found in OBJECT_VARIABLE.captures_iter(text) {
        let variables = if found.get(2).is_some() { &mut maps } else { &mut objects };
        variables.insert(found[1].to_owned());
    }
    for found in DATA_VARIABLE.captures_iter(text).filter(|found| objects.contains(&found[2])) {
        maps.insert(found[1].to_owned());
    }
    for found in VARIABLE_FIELD.captures_iter(text).chain(VARIABLE_INDEX.captures_iter(text)) {
        let variables = if found[2].is_empty() { &maps } else { &objects };
        if variables.contains(&found[1]) {
            keys.insert(found[3].to_owned());
        }
    }
    let by_name = [&LOOKUP_FIELD, &LOOKUP_INDEX, &FROM_CONFIG_MAP];
    let found = by_name.into_iter().flat_map(|pattern| pattern.captures_iter(text));
    keys.extend(found.map(|found| found[1].to_owned()));
    if WITH_LOOKUP.is_match(text) {
        keys.extend(DOT_FIELD.captures_iter(text).map(|found| found[1].to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_reading_a_key_is_seen() {
        let lookup = r#"(lookup "v1" "ConfigMap" "" "hdr-app-configmap")"#;
        for (text, expected) in [
            (format!("{{{{hub with $c := {lookup} hub}}}}'{{{{hub $c.data.a hub}}}}'"), vec!["a"]),
            (format!("{{{{hub $c := {lookup} hub}}}}{{{{hub $n := $c.data.b | toInt hub}}}}"), vec!["b"]),
            (format!("{{{{hub {lookup}.data.backupNS hub}}}}"), vec!["backupNS"]),
            (
                format!(r#"{{{{hub $c := {lookup} hub}}}}{{{{hub index $c.data "restore.mappings" hub}}}}"#),
                vec!["restore.mappings"],
            ),
            (format!(r#"{{{{hub $c := {lookup} hub}}}}{{{{hub index $c "data" "x" hub}}}}"#), vec!["x"]),
            (format!(r#"{{{{hub index {lookup}.data "y" hub}}}}"#), vec!["y"]),
            (format!("{{{{hub $d := {lookup}.data hub}}}}{{{{hub $d.k hub}}}}"), vec!["k"]),
            (
                format!("{{{{hub $c := {lookup} hub}}}}{{{{hub $d := $c.data hub}}}}{{{{hub $d.k hub}}}}"),
                vec!["k"],
            ),
            (format!("{{{{hub with {lookup} hub}}}}{{{{hub .data.m hub}}}}"), vec!["m"]),
            (r#"{{hub fromConfigMap "" "hdr-app-configmap" "n" hub}}"#.to_owned(), vec!["n"]),
            (r#"{"x":"{{hub fromConfigMap \"\" \"hdr-app-configmap\" \"n\" hub}}"}"#.to_owned(), vec!["n"]),
            // Others' keys.
            (
                format!(
                    r#"{{{{hub $c := {lookup} hub}}}}
                       {{{{hub $o := (lookup "v1" "ConfigMap" "" "other") hub}}}}{{{{hub $o.data.z hub}}}}"#
                ),
                vec![],
            ),
            (r#"{{hub (lookup "v1" "ConfigMap" "" "other").data.z hub}}"#.to_owned(), vec![]),
        ] {
            let keys = used_keys(std::iter::once(text.as_str()));
            assert_eq!(keys.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
