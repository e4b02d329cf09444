//! The ConfigMap with the settings of the policies: every finding at once, before anything is rendered.
//!
//! Takes the `data` of the ConfigMap; gives [`Diagnostic`]s with key, place and hint, and the whole as one typed [`Config`].
//! For policies that were applied by hand, only the keys that they read are looked at ([`validate`]). Must not touch:
//! templates beyond finding the keys in them, clients, the clock. No diagnostic shows a secret.

mod base64_text;
#[expect(clippy::module_inception, reason = "the type of the room, in a file of its name")]
mod config;
mod credentials;
pub mod cron;
mod cross;
mod diagnostic;
mod dpa;
mod examine;
mod forms;
pub mod go_duration;
mod lists;
pub mod manifest;
mod page;
mod placeholder;
#[cfg(test)]
mod samples;
mod schema;
mod selectors;
mod similar;
mod spelling;
mod table;
pub mod types;
mod used;
mod value;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use self::value::Subject;

pub use config::{Backup, Clusters, Config, Installation, Read, Restore, Storage, with_defaults};
pub use diagnostic::{Diagnostic, Fault, Place, Severity};
pub use forms::Form;
pub use page::key_table;
pub use schema::json_schema;
pub use table::{KEYS, Key, PINNED_VELERO, Presence, Reader};
pub use used::used_keys;

/// Name of the ConfigMap, which lies in the namespace of the policies on the hub.
pub const CONFIG_MAP_NAME: &str = "hdr-app-configmap";
/// Label of a ConfigMap from which the hub renders the policies itself; its value is `true`.
pub const PROTECT_LABEL: &str = "flotilla.dev/protect";

/// The key of the storage class mappings that policies read.
const MAPPINGS_KEY: &str = "restoreStorageConfigMappings";
/// The same key as the documentation of the policies writes it.
const MAPPINGS_ALIAS: &str = "restore.mappings";

/// The data with the other spelling of a key filled in, so that policies find it: `restore.mappings` is read
/// as `restoreStorageConfigMappings` where that is missing. Give the result to [`validate`] and to the
/// templates.
pub fn with_aliases(data: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut data = data.clone();
    if let Some(mappings) = data.get(MAPPINGS_ALIAS).cloned() {
        data.entry(MAPPINGS_KEY.to_owned()).or_insert(mappings);
    }
    data
}

/// Checks every key that the policies use, sorted by key and place. Keys that no policy uses are not looked at, except
/// to point out a spelling that is close to a missing one.
pub fn validate(data: &BTreeMap<String, String>, used: &BTreeSet<String>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for name in used {
        match data.get(name) {
            Some(text) => {
                let alias = name == MAPPINGS_KEY && data.get(MAPPINGS_ALIAS) == Some(text);
                findings.extend(check(name, if alias { MAPPINGS_ALIAS } else { name }, text));
            }
            None => findings.push(missing(name, data)),
        }
    }
    findings.extend(spelling::misspelt(data, |name| used.contains(name)));
    findings.extend(cross::check(data, &cross::Used::Only(used), &findings));
    sort(&mut findings);
    findings
}

/// The findings of one value; they carry the name `shown`.
fn check(name: &str, shown: &str, text: &str) -> Vec<Diagnostic> {
    let mut subject = Subject::new(shown, text);
    match table::find(name) {
        Some(key) => {
            let _faultless = examine::examine(key, &mut subject, |subject| key.form.examine(subject));
        }
        None => examine::report_placeholders(&mut subject, examine::sounds_secret(name)),
    }
    subject.findings
}

/// By key, and within a key by place.
fn sort(findings: &mut [Diagnostic]) {
    findings.sort_by(|left, right| (&left.key, left.place).cmp(&(&right.key, right.place)));
}

fn missing(name: &str, data: &BTreeMap<String, String>) -> Diagnostic {
    let known = table::find(name);
    let misspelt = known.and_then(|key| {
        let alias = key.aliases.iter().copied().find(|alias| data.contains_key(*alias));
        alias.or_else(|| spelling::meant_as(key, data))
    });
    let hint = match (misspelt, known) {
        (Some(written), _) => format!("rename {written} to {name}"),
        (None, Some(known)) => match known.default() {
            Some(default) => format!("set it to its default, {}", spelling::line(name, default)),
            None => format!("for example {}", spelling::line(name, known.example)),
        },
        (None, None) => format!("add {name} to ConfigMap {CONFIG_MAP_NAME}, or take it out of the policy"),
    };
    Diagnostic::new(
        name,
        Fault::Missing,
        "is missing, and a policy reads it: it would be rendered as \"<no value>\"",
    )
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn findings(pairs: &[(&str, &str)], used: &[&str]) -> Vec<String> {
        let used = used.iter().map(|key| (*key).to_owned()).collect();
        validate(&data(pairs), &used).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_key_names_its_default() {
        let missing = "is missing, and a policy reads it: it would be rendered as \"<no value>\"";
        assert_eq!(
            findings(&[], &["dpaName", "backupTTL", "ownKey"]),
            [
                format!("error: backupTTL: {missing}; for example backupTTL: 240h0m0s"),
                format!("error: dpaName: {missing}; set it to its default, dpaName: dpa"),
                format!(
                    "error: ownKey: {missing}; add ownKey to ConfigMap hdr-app-configmap, or take it out of \
                     the policy"
                ),
            ]
        );
    }

    #[test]
    fn a_misspelt_key_is_pointed_out_only_where_the_real_one_is_missing() {
        let found = findings(&[("backupNs", "a")], &["backupNS"]);
        assert!(found[0].ends_with("; rename backupNs to backupNS"), "{found:?}");
        assert_eq!(found[1], "warning: backupNs: is not a known key; did you mean backupNS?");
        assert_eq!(findings(&[("backupNs", "a"), ("backupNS", "a")], &["backupNS"]), [""; 0]);
        assert_eq!(findings(&[("somethingElse", "a")], &[]), [""; 0]);
        assert_eq!(findings(&[("backupNs", "a")], &["backupNs"]), [""; 0]);
    }

    #[test]
    fn both_spellings_of_the_mappings_are_understood() {
        let used = BTreeSet::from([MAPPINGS_KEY.to_owned()]);
        let alias = data(&[(MAPPINGS_ALIAS, "{a: b}")]);
        assert!(validate(&alias, &used)[0].hint.starts_with("rename restore.mappings"));
        assert_eq!(validate(&with_aliases(&alias), &used), []);
        let wrong = validate(&with_aliases(&data(&[(MAPPINGS_ALIAS, "[]")])), &used);
        assert_eq!((wrong.len(), wrong[0].key.as_str()), (1, MAPPINGS_ALIAS));
        let both = data(&[(MAPPINGS_ALIAS, "{a: b}"), (MAPPINGS_KEY, "{a: c}")]);
        let found = validate(&with_aliases(&both), &used);
        assert_eq!(
            found[0].to_string(),
            "warning: restore.mappings: is ignored beside restoreStorageConfigMappings; keep one of the two"
        );
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn findings_come_in_the_order_of_keys() {
        let found = findings(
            &[("backupTTL", "10d"), ("backupNS", "A"), ("backupSchedule", "now")],
            &["backupTTL", "backupNS", "backupSchedule"],
        );
        let keys: Vec<_> = found.iter().map(|finding| finding.split(": ").nth(1).unwrap()).collect();
        assert_eq!(keys, ["backupNS", "backupSchedule", "backupTTL"]);
    }
}
