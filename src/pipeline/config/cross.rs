//! Settings that are right by themselves and do not fit together. Only keys that the policies use are
//! compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::diagnostic::{Diagnostic, Fault, Severity};
use super::placeholder::has_placeholder;
use super::types::location_names;
use super::values::parse_boolean;
use crate::yaml::{self, Dialect, Mark};

/// Longest name of a Schedule whose backups can be named: 62 less the 15 characters of the time.
const LONGEST_SCHEDULE_NAME: usize = 47;
/// The key under which the policies write the credentials into the Secret.
const CREDENTIALS_FIELD: &str = "cloud";

/// Which keys are compared.
pub(super) enum Used<'a> {
    /// All of them: the hub renders the policies.
    All,
    /// Those that policies read.
    Only(&'a BTreeSet<String>),
}

impl Used<'_> {
    fn has(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.contains(key),
        }
    }
}

struct Settings<'a> {
    data: &'a BTreeMap<String, String>,
    used: &'a Used<'a>,
    /// Keys whose values are wrong by themselves.
    faulty: BTreeSet<&'a str>,
}

impl<'a> Settings<'a> {
    /// A used value without placeholders.
    fn text(&self, key: &str) -> Option<&'a str> {
        let usable =
            |value: &&String| self.used.has(key) && !self.faulty.contains(key) && !has_placeholder(value);
        self.data.get(key).filter(usable).map(String::as_str)
    }

    fn boolean(&self, key: &str) -> Option<bool> {
        parse_boolean(self.text(key)?)
    }

    /// Where a part of the specification begins.
    fn place(&self, path: &[&str]) -> Mark {
        let text = self.data.get("dpaSpec").map(String::as_str).unwrap_or_default();
        let Ok(document) = yaml::read_located(text, Dialect::Template) else { return Mark::START };
        let mut part = &document;
        for name in path {
            let entry = name.parse().ok().and_then(|index: usize| part.entries().get(index));
            let Some(next) = entry.or_else(|| part.field(name)) else { break };
            part = next;
        }
        part.mark()
    }

    /// The specification, whose placeholders stay where they are.
    fn specification(&self) -> Option<Value> {
        let value = self.data.get("dpaSpec").filter(|_| self.used.has("dpaSpec"))?;
        yaml::read(value, Dialect::Template).ok().filter(Value::is_object)
    }
}

/// Compares the settings; those that have an error of their own are passed over.
pub(super) fn check(
    data: &BTreeMap<String, String>,
    used: &Used<'_>,
    found: &[Diagnostic],
) -> Vec<Diagnostic> {
    let errors = found.iter().filter(|finding| finding.severity() == Severity::Error);
    let faulty = errors.map(|finding| finding.key.as_str()).collect();
    let settings = Settings { data, used, faulty };
    let mut findings = Vec::new();
    findings.extend(schedule_name(&settings));
    findings.extend(volumes(&settings));
    findings.extend(restored_volumes(&settings));
    if let Some(specification) = settings.specification() {
        findings.extend(node_agent(&settings, &specification));
        findings.extend(snapshot_location(&settings, &specification));
        findings.extend(credentials(&settings, &specification));
        findings.extend(profile(&settings, &specification));
        findings.extend(first_location_name(&settings, &specification));
    }
    findings
}

fn schedule_name(settings: &Settings<'_>) -> Option<Diagnostic> {
    let prefix = settings.text("backupPrefix")?;
    let location = settings.text("backupVolumeSnapshotLocation")?;
    let room = LONGEST_SCHEDULE_NAME.saturating_sub(prefix.len() + location.len() + 2);
    (room == 0).then(|| {
        let excess = prefix.len() + location.len() + 3 - LONGEST_SCHEDULE_NAME;
        Diagnostic::new(
            "backupPrefix",
            Fault::Conflict,
            "and backupVolumeSnapshotLocation leave no room for the name of a cluster",
        )
        .found(&format!("{prefix}-{location}-"))
        .hint(format!(
            "a Schedule name has {LONGEST_SCHEDULE_NAME} characters at most: shorten the two by {excess} and \
             the length of your cluster names"
        ))
    })
}

fn volumes(settings: &Settings<'_>) -> Option<Diagnostic> {
    let nothing =
        !settings.boolean("backupSnapshotVolumes")? && !settings.boolean("backupDefaultVolumesToRestic")?;
    nothing.then(|| {
        Diagnostic::new(
            "backupSnapshotVolumes",
            Fault::Doubtful,
            "and backupDefaultVolumesToRestic are both false: the data of volumes is not backed up",
        )
        .hint("set one of them to \"true\"")
    })
}

fn restored_volumes(settings: &Settings<'_>) -> Option<Diagnostic> {
    let snapshots = settings.boolean("backupSnapshotVolumes")?;
    let restores = settings.boolean("restoreRestorePVs")?;
    (snapshots != restores).then(|| {
        Diagnostic::new(
            "restoreRestorePVs",
            Fault::Doubtful,
            format!("is {restores} and backupSnapshotVolumes is {snapshots}"),
        )
        .hint("it should be true exactly when the backup was made with volume snapshots")
    })
}

fn node_agent(settings: &Settings<'_>, specification: &Value) -> Option<Diagnostic> {
    let is_on = |agent: &str| {
        specification.pointer(&format!("/configuration/{agent}/enable")).and_then(Value::as_bool)
            == Some(true)
    };
    let lacks_agent =
        settings.boolean("backupDefaultVolumesToRestic")? && !is_on("restic") && !is_on("nodeAgent");
    lacks_agent.then(|| {
        Diagnostic::new(
            "backupDefaultVolumesToRestic",
            Fault::Doubtful,
            "is true and dpaSpec enables no node agent: volumes cannot be read",
        )
        .hint("set configuration.nodeAgent: {enable: true, uploaderType: kopia} in dpaSpec")
    })
}

fn names_of(specification: &Value, field: &str, application: &str) -> Vec<String> {
    let locations = specification.get(field).and_then(Value::as_array);
    location_names(locations.map_or(&[][..], Vec::as_slice), application)
}

fn snapshot_location(settings: &Settings<'_>, specification: &Value) -> Option<Diagnostic> {
    let location = settings.text("backupVolumeSnapshotLocation").filter(|location| !location.is_empty())?;
    let names = names_of(specification, "snapshotLocations", settings.text("dpaName")?);
    (!names.iter().any(|name| name == location)).then(|| {
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Diagnostic::new(
            "backupVolumeSnapshotLocation",
            Fault::Doubtful,
            "is not made by snapshotLocations of dpaSpec",
        )
        .found(location)
        .hint(format!("dpaSpec makes: {known}"))
    })
}

fn credentials(settings: &Settings<'_>, specification: &Value) -> Option<Diagnostic> {
    let secret = settings.text("dpaBackupCloudCredentialsName")?;
    let locations = specification.get("backupLocations")?.as_array()?;
    locations.iter().enumerate().find_map(|(index, location)| {
        let credential = location.pointer("/velero/credential")?;
        let text =
            |field| credential.get(field).and_then(Value::as_str).filter(|text| !has_placeholder(text));
        let (name, field) = (text("name")?, text("key")?);
        if name != secret {
            return Some(
                Diagnostic::new(
                    "dpaSpec",
                    Fault::Doubtful,
                    format!(
                        "backupLocations[{index}].credential names another Secret than the policies write"
                    ),
                )
                .found(name)
                .hint(format!("dpaBackupCloudCredentialsName is {secret}"))
                .at(settings.place(&[
                    "backupLocations",
                    &index.to_string(),
                    "velero",
                    "credential",
                    "name",
                ])),
            );
        }
        (field != CREDENTIALS_FIELD).then(|| {
            Diagnostic::new(
                "dpaSpec",
                Fault::Conflict,
                format!("backupLocations[{index}].credential names a key that Secret {secret} does not have"),
            )
            .found(field)
            .hint(format!("the policies write the key {CREDENTIALS_FIELD}"))
            .at(settings.place(&[
                "backupLocations",
                &index.to_string(),
                "velero",
                "credential",
                "key",
            ]))
        })
    })
}

/// The profile of a location must be one of the credentials file, which is not shown.
fn profile(settings: &Settings<'_>, specification: &Value) -> Option<Diagnostic> {
    let encoded = settings.text("dpaAwsBackupCloudCredentials")?;
    let secret = settings.text("dpaBackupCloudCredentialsName")?;
    let locations = specification.get("backupLocations")?.as_array()?;
    locations.iter().enumerate().find_map(|(index, location)| {
        let text =
            |path: &str| location.pointer(path).and_then(Value::as_str).filter(|text| !has_placeholder(text));
        let name = text("/velero/config/profile")?;
        let ours = text("/velero/credential/name").is_none_or(|name| name == secret);
        let lacks = ours && super::credentials::has_profile(encoded, name) == Some(false);
        lacks.then(|| {
            Diagnostic::new(
                "dpaSpec",
                Fault::Doubtful,
                format!(
                    "backupLocations[{index}].config.profile names a profile that the credentials do not have"
                ),
            )
            .found(name)
            .hint("name one of the profiles in square brackets in the credentials file")
            .at(settings.place(&[
                "backupLocations",
                &index.to_string(),
                "velero",
                "config",
                "profile",
            ]))
        })
    })
}

fn first_location_name(settings: &Settings<'_>, specification: &Value) -> Option<Diagnostic> {
    let expected = format!("{}-1", settings.text("dpaName")?);
    let names = names_of(specification, "backupLocations", settings.text("dpaName")?);
    (!names.is_empty() && !names.contains(&expected)).then(|| {
        Diagnostic::new(
            "dpaSpec",
            Fault::Doubtful,
            format!("makes no backup location {expected}, which the policies check"),
        )
        .found(&names.join(", "))
        .hint("leave the name of the first of backupLocations out")
        .at(settings.place(&["backupLocations", "0", "name"]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIFICATION: &str = r#"{
        "backupLocations": [{"velero": {"credential": {"name": "cloud-credentials", "key": "cloud"}}}],
        "configuration": {"nodeAgent": {"enable": true}},
        "snapshotLocations": [{"velero": {}}, {"name": "own", "velero": {}}]
    }"#;

    #[test]
    fn settings_that_do_not_fit_together_are_found() {
        let fitting = [
            ("backupPrefix", "acm-pv"),
            ("backupVolumeSnapshotLocation", "dpa-1"),
            ("backupSnapshotVolumes", "true"),
            ("backupDefaultVolumesToRestic", "false"),
            ("restoreRestorePVs", "true"),
            ("dpaName", "dpa"),
            ("dpaBackupCloudCredentialsName", "cloud-credentials"),
            ("dpaSpec", SPECIFICATION),
        ];
        let (long, wrong_field) = ("p".repeat(40), SPECIFICATION.replace("\"cloud\"", "\"credentials\""));
        let (no_agent, named) = (
            SPECIFICATION.replace("nodeAgent", "other"),
            SPECIFICATION.replacen("{\"velero\"", "{\"name\": \"b\", \"velero\"", 1),
        );
        for (changes, expected) in [
            (vec![], None),
            (vec![("backupVolumeSnapshotLocation", "own")], None),
            (vec![("backupVolumeSnapshotLocation", "")], None),
            (
                vec![("backupPrefix", long.as_str())],
                Some("error: backupPrefix: and backupVolumeSnapshotLocation leave"),
            ),
            (
                vec![("backupSnapshotVolumes", "false"), ("restoreRestorePVs", "false")],
                Some("data of volumes is not backed up"),
            ),
            (vec![("restoreRestorePVs", "false")], Some("exactly when")),
            (vec![("backupDefaultVolumesToRestic", "true")], None),
            (vec![("backupDefaultVolumesToRestic", "true"), ("dpaSpec", &no_agent)], Some("no node agent")),
            (vec![("backupVolumeSnapshotLocation", "dpa-2")], Some("dpaSpec makes: dpa-1, own")),
            (vec![("dpaBackupCloudCredentialsName", "other")], Some("another Secret")),
            (vec![("dpaSpec", &wrong_field)], Some("backupLocations[0].credential names a key")),
            (vec![("dpaSpec", &named)], Some("no backup location dpa-1")),
            (vec![("backupVolumeSnapshotLocation", "<later>")], None),
        ] {
            let mut data: BTreeMap<String, String> =
                fitting.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            data.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
            let used: BTreeSet<String> = data.keys().cloned().collect();
            let findings: Vec<_> =
                check(&data, &Used::Only(&used), &[]).iter().map(ToString::to_string).collect();
            match expected {
                None => assert!(findings.is_empty(), "{changes:?}: {findings:?}"),
                Some(part) => {
                    assert!(findings.len() == 1 && findings[0].contains(part), "{changes:?}: {findings:?}");
                }
            }
            assert!(
                check(&data, &Used::Only(&BTreeSet::new()), &[]).is_empty(),
                "unused keys are not compared"
            );
        }
    }
}
