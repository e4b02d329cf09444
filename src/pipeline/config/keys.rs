//! The keys of the ConfigMap that the policies document, and how each is checked.

use super::diagnostic::Diagnostic;
use super::placeholder::placeholders;
use super::{base64_text, dpa, values};

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Namespace,
    ObjectName,
    /// Empty is allowed.
    OptionalObjectName,
    /// The beginning of an object name.
    NamePrefix,
    Channel,
    /// Base64 of a secret.
    Credentials,
    DataProtectionApplication,
    Schedule,
    TimeToLive,
    /// Namespaces to back up: globs allowed.
    IncludedNamespaces,
    ExcludedNamespaces,
    ExcludedResources,
    StorageClasses,
}

/// A documented key.
#[derive(Debug)]
pub(super) struct Key {
    name: &'static str,
    kind: Kind,
    /// The documented default.
    pub(super) default: Option<&'static str>,
    /// A value for the hint.
    pub(super) example: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: Option<&'static str>, example: &'static str) -> Key {
    Key { name, kind, default, example }
}

const KEYS: [Key; 19] = [
    key("backupNS", Kind::Namespace, None, "acm-app-backup"),
    key("channel", Kind::Channel, Some("stable-1.1"), "stable-1.1"),
    key("subscriptionName", Kind::ObjectName, Some("redhat-oadp-operator"), "redhat-oadp-operator"),
    key("dpaAwsBackupCloudCredentials", Kind::Credentials, None, "the output of base64 -w0 credentials-file"),
    key("dpaBackupCloudCredentialsName", Kind::ObjectName, Some("cloud-credentials"), "cloud-credentials"),
    key("dpaName", Kind::ObjectName, Some("dpa"), "dpa"),
    key(
        "dpaSpec",
        Kind::DataProtectionApplication,
        None,
        "\"{\\\"backupLocations\\\": [...], \\\"configuration\\\": {\\\"velero\\\": {...}}}\"",
    ),
    key("backupPrefix", Kind::NamePrefix, Some("acm-app"), "acm-app"),
    key("backupSnapshotVolumes", Kind::Boolean, None, "\"true\""),
    key("backupDefaultVolumesToRestic", Kind::Boolean, None, "\"false\""),
    key("backupVolumeSnapshotLocation", Kind::OptionalObjectName, None, "dpa-1"),
    key("backupSchedule", Kind::Schedule, None, "0 */1 * * *"),
    key("backupTTL", Kind::TimeToLive, None, "240h0m0s"),
    key("backupNSToBackup", Kind::IncludedNamespaces, None, "\"[\\\"app-ns\\\"]\""),
    key("backupExcludedResources", Kind::ExcludedResources, None, "\"[]\""),
    key("restoreNSToExcludeFromRestore", Kind::ExcludedNamespaces, None, "\"[]\""),
    key("restoreRestorePVs", Kind::Boolean, None, "\"true\""),
    key("restoreStorageConfigName", Kind::ObjectName, Some("storage-class-acm-app"), "storage-class-acm-app"),
    key(super::MAPPINGS_KEY, Kind::StorageClasses, None, "\"{\\\"old-class\\\": \\\"new-class\\\"}\""),
];

/// A documented key by name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Names of all documented keys.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// Checks the value of a used key; findings carry the name `shown`.
pub(super) fn check(name: &str, shown: &str, value: &str) -> Vec<Diagnostic> {
    let kind = find(name).map(|key| key.kind);
    if kind == Some(Kind::Credentials) {
        return credentials(shown, value);
    }
    let several_lines = value.trim_end().contains('\n');
    let is_secret = kind.is_none() && sounds_secret(name);
    let mut findings: Vec<Diagnostic> = placeholders(value)
        .into_iter()
        .map(|(placeholder, line)| {
            Diagnostic::error(shown, "still has a placeholder of the sample")
                .found(if is_secret { "<...>" } else { &placeholder })
                .hint("replace it with your value")
                .line(several_lines.then_some(line))
        })
        .collect();
    match kind {
        // A specification is checked around its placeholders.
        Some(Kind::DataProtectionApplication) => findings.extend(dpa::check(shown, value)),
        Some(kind) if findings.is_empty() => findings.extend(check_kind(kind, shown, value)),
        Some(_) | None => {}
    }
    findings
}

/// Whether an undocumented key may hold a secret, by its name.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["credential", "secret", "password", "token", "key"].iter().any(|word| name.contains(word))
}

fn check_kind(kind: Kind, key: &str, value: &str) -> Vec<Diagnostic> {
    match kind {
        Kind::Boolean => values::boolean(key, value),
        Kind::Namespace => values::namespace(key, value),
        Kind::OptionalObjectName if value.is_empty() => Vec::new(),
        Kind::ObjectName | Kind::OptionalObjectName => values::object_name(key, value),
        Kind::NamePrefix => values::name_prefix(key, value),
        Kind::Channel => values::channel(key, value),
        Kind::Credentials => credentials(key, value),
        Kind::DataProtectionApplication => dpa::check(key, value),
        Kind::Schedule => values::schedule(key, value),
        Kind::TimeToLive => values::time_to_live(key, value),
        Kind::IncludedNamespaces => values::included_namespaces(key, value),
        Kind::ExcludedNamespaces | Kind::ExcludedResources => values::exclusions(key, value),
        Kind::StorageClasses => values::storage_classes(key, value),
    }
}

/// Never shows the value, decoded or not: only the placeholders that the samples ship are known to be no
/// secret.
fn credentials(key: &str, value: &str) -> Vec<Diagnostic> {
    const OF_THE_SAMPLES: [&str; 2] = ["<id>", "<key>"];
    const HINT: &str = "encode the file with the credentials: base64 -w0 credentials-file";
    let error = |message: &str| Diagnostic::error(key, message).hint(HINT);
    if value.trim().is_empty() {
        return vec![error("is empty")];
    }
    let unmasked = |placeholder: &str| {
        OF_THE_SAMPLES.into_iter().find(|known| *known == placeholder).unwrap_or("<...>").to_owned()
    };
    let Some(decoded) = base64_text::decode(value.trim()) else {
        return if super::placeholder::has_placeholder(value) {
            vec![error("still has a placeholder of the sample")]
        } else {
            vec![error("is not base64")]
        };
    };
    // Other credentials than text have no placeholders.
    let Ok(text) = String::from_utf8(decoded) else { return Vec::new() };
    if text.trim().is_empty() {
        return vec![error("is empty after decoding")];
    }
    placeholders(&text)
        .into_iter()
        .map(|(placeholder, line)| {
            error("still has a placeholder of the sample in the decoded text")
                .found(&unmasked(&placeholder))
                .line(Some(line))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    const KEY: &str = "dpaAwsBackupCloudCredentials";

    fn encoded(text: &str) -> String {
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    #[test]
    fn credentials_are_judged_and_never_shown() {
        for (value, expected) in [
            (encoded("[default]\naws_access_key_id=AKIAHIDDEN\n"), ""),
            (
                encoded("[default]\naws_access_key_id=<id>\nsecret=hidden"),
                "line 2: still has a placeholder of the sample in the decoded text, found \"<id>\"",
            ),
            (encoded("password=pa<hidden>word"), "found \"<...>\""),
            ("hidden!".to_owned(), "is not base64"),
            ("<hidden>".to_owned(), "still has a placeholder"),
            (String::new(), "is empty"),
            (encoded("\n"), "is empty after decoding"),
            (encoded("ab\ncd").replace('Y', "Y\n"), ""),
        ] {
            let findings: Vec<_> = check(KEY, KEY, &value).iter().map(ToString::to_string).collect();
            if expected.is_empty() {
                assert!(findings.is_empty(), "{value}: {findings:?}");
            } else {
                assert!(findings.len() == 1 && findings[0].contains(expected), "{value}: {findings:?}");
            }
            assert!(
                !findings.iter().any(|finding| finding.to_lowercase().contains("hidden")),
                "{findings:?}"
            );
        }
        let own = check("myPassword", "myPassword", "pa<hidden>word");
        assert_eq!((own.len(), own[0].found.as_str()), (1, "<...>"));
    }
}
