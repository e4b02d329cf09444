//! Writes old inputs in the words of the Velero and OADP on the cluster: policies of the restic time keep
//! working.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{OADP_GROUP, VELERO_GROUP};
use crate::api::object::Manifest;

/// What the cluster's `CustomResourceDefinition`s know. `None` means unknown: then the current version is
/// assumed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Whether Schedules and Backups have `defaultVolumesToFsBackup` (Velero 1.10).
    pub schedule_knows_fs_backup: Option<bool>,
    /// Whether the `DataProtectionApplication` has `configuration.nodeAgent` (OADP 1.3).
    pub dpa_knows_node_agent: Option<bool>,
}

/// One change to an object, to be shown to the author of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Kind and name.
    pub object: String,
    /// What was changed.
    pub change: Change,
}

/// What a translation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Empty names left out of `volumeSnapshotLocations`.
    EmptySnapshotLocation {
        /// Path of the backup specification.
        path: &'static str,
    },
    /// `defaultVolumesToRestic` became `defaultVolumesToFsBackup`.
    FsBackup {
        /// Path of the backup specification.
        path: &'static str,
    },
    /// `defaultVolumesToRestic` was left out beside `defaultVolumesToFsBackup`.
    FsBackupAlreadySet {
        /// Path of the backup specification.
        path: &'static str,
    },
    /// `configuration.restic` became `configuration.nodeAgent`.
    NodeAgent,
    /// `configuration.restic` was left out beside `configuration.nodeAgent`.
    NodeAgentAlreadySet,
}

impl fmt::Display for Translation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.object)?;
        match self.change {
            Change::EmptySnapshotLocation { path } => write!(
                formatter,
                "empty entries of {path}.volumeSnapshotLocations are left out (refused by Velero 1.14 and \
                 later)"
            ),
            Change::FsBackup { path } => write!(
                formatter,
                "{path}.defaultVolumesToRestic is written as defaultVolumesToFsBackup (Velero 1.10 and later)"
            ),
            Change::FsBackupAlreadySet { path } => write!(
                formatter,
                "{path}.defaultVolumesToRestic is left out, defaultVolumesToFsBackup is set (Velero 1.10 and \
                 later)"
            ),
            Change::NodeAgent => formatter.write_str(
                "spec.configuration.restic is written as nodeAgent with uploaderType kopia (OADP 1.3 and \
                 later)",
            ),
            Change::NodeAgentAlreadySet => formatter
                .write_str("spec.configuration.restic is left out, nodeAgent is set (OADP 1.3 and later)"),
        }
    }
}

/// Translates a rendered object; kinds other than Schedule, Backup and `DataProtectionApplication` pass
/// unchanged. Translating twice changes nothing more.
pub fn modernise(object: Manifest, target: &Target) -> (Manifest, Vec<Translation>) {
    let gvk = object.gvk();
    let name = format!("{} {}", object.kind(), object.name().unwrap_or_default());
    let mut value = object.to_value();
    let changes = if gvk.same_kind(VELERO_GROUP, "Schedule") {
        backup_spec(value.pointer_mut("/spec/template"), "spec.template", target)
    } else if gvk.same_kind(VELERO_GROUP, "Backup") {
        backup_spec(value.pointer_mut("/spec"), "spec", target)
    } else if gvk.same_kind(OADP_GROUP, "DataProtectionApplication")
        && target.dpa_knows_node_agent != Some(false)
    {
        node_agent(value.pointer_mut("/spec/configuration"))
    } else {
        Vec::new()
    };
    if changes.is_empty() {
        return (object, Vec::new());
    }
    // The type and the metadata are as they were, so this reads again; were it not so, the object would stay
    // as it was.
    match Manifest::parse(value) {
        Ok(translated) => {
            let translation = |change| Translation { object: name.clone(), change };
            (translated, changes.into_iter().map(translation).collect())
        }
        Err(_) => (object, Vec::new()),
    }
}

fn backup_spec(spec: Option<&mut Value>, path: &'static str, target: &Target) -> Vec<Change> {
    let Some(spec) = spec.and_then(Value::as_object_mut) else { return Vec::new() };
    let mut changes = Vec::new();
    if drop_empty_entries(spec, "volumeSnapshotLocations") {
        changes.push(Change::EmptySnapshotLocation { path });
    }
    if target.schedule_knows_fs_backup != Some(false)
        && let Some(restic) = spec.remove("defaultVolumesToRestic")
    {
        if spec.get("defaultVolumesToFsBackup").is_some_and(|value| !value.is_null()) {
            changes.push(Change::FsBackupAlreadySet { path });
        } else {
            spec.insert("defaultVolumesToFsBackup".to_owned(), restic);
            changes.push(Change::FsBackup { path });
        }
    }
    changes
}

/// Leaves empty texts out of a list, and the list itself when nothing remains. Whether there were any.
fn drop_empty_entries(spec: &mut Map<String, Value>, field: &str) -> bool {
    let Some(list) = spec.get_mut(field).and_then(Value::as_array_mut) else { return false };
    let before = list.len();
    list.retain(|entry| !(entry.is_null() || entry.as_str().is_some_and(|text| text.trim().is_empty())));
    let (after, dropped) = (list.len(), list.len() != before);
    if dropped && after == 0 {
        spec.remove(field);
    }
    dropped
}

fn node_agent(configuration: Option<&mut Value>) -> Vec<Change> {
    let Some(configuration) = configuration.and_then(Value::as_object_mut) else { return Vec::new() };
    let Some(restic) = configuration.remove("restic") else { return Vec::new() };
    if configuration.get("nodeAgent").is_some_and(|value| !value.is_null()) {
        return vec![Change::NodeAgentAlreadySet];
    }
    // `podConfig`, `timeout` and `supplementalGroups` have the same names in both.
    let mut agent = restic.as_object().cloned().unwrap_or_default();
    agent.insert("uploaderType".to_owned(), json!("kopia"));
    configuration.insert("nodeAgent".to_owned(), Value::Object(agent));
    vec![Change::NodeAgent]
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: Target = Target { schedule_knows_fs_backup: None, dpa_knows_node_agent: None };
    const OLD: Target = Target { schedule_knows_fs_backup: Some(false), dpa_knows_node_agent: Some(false) };

    fn object(api_version: &str, kind: &str, spec: &Value) -> Manifest {
        Manifest::parse(
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}),
        )
        .unwrap()
    }

    fn run(api_version: &str, kind: &str, spec: &Value, target: &Target) -> (Value, Vec<String>) {
        let (translated, translations) = modernise(object(api_version, kind, spec), target);
        let (again, none) = modernise(translated.clone(), target);
        assert_eq!((again, none), (translated.clone(), vec![]));
        let texts = translations.iter().map(ToString::to_string).collect();
        (translated.at(&["spec"]).cloned().unwrap(), texts)
    }

    #[test]
    fn schedules_of_the_restic_time_are_rewritten() {
        let spec = json!({"schedule": "@daily", "template": {"defaultVolumesToRestic": true,
            "volumeSnapshotLocations": [""], "ttl": "24h"}});
        let (translated, texts) = run("velero.io/v1", "Schedule", &spec, &UNKNOWN);
        assert_eq!(
            translated,
            json!({"schedule": "@daily", "template": {"defaultVolumesToFsBackup": true, "ttl": "24h"}})
        );
        assert_eq!(
            texts,
            [
                "Schedule x: empty entries of spec.template.volumeSnapshotLocations are left out (refused by \
                 Velero 1.14 and later)",
                "Schedule x: spec.template.defaultVolumesToRestic is written as defaultVolumesToFsBackup \
                 (Velero 1.10 and later)",
            ]
        );
        let (translated, texts) = run("velero.io/v1", "Schedule", &spec, &OLD);
        assert_eq!(
            translated,
            json!({"schedule": "@daily", "template": {"defaultVolumesToRestic": true, "ttl": "24h"}})
        );
        assert_eq!(texts.len(), 1);
    }

    #[test]
    fn what_is_set_already_wins() {
        let spec = json!({"defaultVolumesToRestic": true, "defaultVolumesToFsBackup": false,
            "volumeSnapshotLocations": ["", "dpa-1", null]});
        let (translated, texts) = run("velero.io/v1", "Backup", &spec, &UNKNOWN);
        assert_eq!(
            translated,
            json!({"defaultVolumesToFsBackup": false, "volumeSnapshotLocations": ["dpa-1"]})
        );
        assert_eq!(texts.len(), 2);
        let spec = json!({"configuration": {"restic": {"enable": true}, "nodeAgent": {"enable": false}}});
        let (translated, _) = run("oadp.openshift.io/v1alpha1", "DataProtectionApplication", &spec, &UNKNOWN);
        assert_eq!(translated, json!({"configuration": {"nodeAgent": {"enable": false}}}));
    }

    #[test]
    fn restic_becomes_the_node_agent() {
        let spec = json!({"configuration": {"restic": {"enable": true, "timeout": "2h",
            "supplementalGroups": [1], "podConfig": {"nodeSelector": {"a": "b"}}}, "velero": {}}});
        let (translated, texts) =
            run("oadp.openshift.io/v1alpha1", "DataProtectionApplication", &spec, &UNKNOWN);
        assert_eq!(
            translated,
            json!({"configuration": {"nodeAgent": {"enable": true, "timeout": "2h", "uploaderType": "kopia",
                "supplementalGroups": [1], "podConfig": {"nodeSelector": {"a": "b"}}}, "velero": {}}})
        );
        assert_eq!(
            texts,
            ["DataProtectionApplication x: spec.configuration.restic is written as nodeAgent with \
             uploaderType kopia (OADP 1.3 and later)"]
        );
        let (translated, texts) = run("oadp.openshift.io/v1alpha1", "DataProtectionApplication", &spec, &OLD);
        assert_eq!((translated, texts.len()), (spec, 0));
    }

    #[test]
    fn other_objects_pass_unchanged() {
        let spec = json!({"template": {"defaultVolumesToRestic": true}, "volumeSnapshotLocations": [""]});
        for (api_version, kind) in
            [("v1", "ConfigMap"), ("example.com/v1", "Schedule"), ("velero.io/v1", "Restore")]
        {
            assert_eq!(run(api_version, kind, &spec, &UNKNOWN), (spec.clone(), vec![]));
        }
    }
}
