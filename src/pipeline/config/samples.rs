//! The sample settings that ship with the policies, as they are and filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::yaml;

fn read(file: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/acm-app-pv-backup").join(file);
    #[expect(clippy::disallowed_methods, reason = "test data")]
    let text = std::fs::read_to_string(&path);
    if text.is_err() {
        eprintln!("skipped: {} is absent", path.display());
    }
    text.ok()
}

fn sample(name: &str) -> Option<BTreeMap<String, String>> {
    let text = read(&format!("input/{name}/hdr-app-configmap.txt"))?;
    let config_map = yaml::read_documents(&text).unwrap().remove(0);
    assert_eq!(config_map["metadata"]["name"], CONFIG_MAP_NAME);
    Some(serde_json::from_value(config_map["data"].clone()).unwrap())
}

fn templates(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| templates(value, texts)),
        Value::Object(map) => map.values().for_each(|value| templates(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn used_by_the_policies(names: &[&str]) -> Option<BTreeSet<String>> {
    let mut texts = Vec::new();
    for name in names {
        for document in
            yaml::read_documents(&read(&format!("resources/policies/oadp-hdr-app-{name}.yaml"))?).unwrap()
        {
            templates(&document, &mut texts);
        }
    }
    Some(used_keys(texts.iter().map(String::as_str)))
}

const ALL: [&str; 3] = ["install", "backup", "restore"];

fn with_severity(findings: &[Diagnostic], severity: Severity) -> Vec<&str> {
    let of = findings.iter().filter(|finding| finding.severity() == severity);
    of.map(|finding| finding.key.as_str()).collect()
}

fn filled_in(mut data: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let specification = data.get_mut("dpaSpec").unwrap();
    for (placeholder, value) in [
        ("<us-east-1>", "us-east-1"),
        ("<dpaBackupCloudCredentialsName>", "cloud-credentials"),
        ("<bucket-name>", "bucket"),
        ("<in-bucket-folder-name>", "folder"),
        ("<aws>", "aws"),
        ("<east1>", "east1"),
        ("<use here ClusterClaim region.open-cluster-management.io value>", "us-east-1"),
    ] {
        *specification = specification.replace(placeholder, value);
    }
    // [default] with an id and a key.
    let credentials = "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPUFCQwphd3Nfc2VjcmV0X2FjY2Vzc19rZXk9REVGCg==";
    data.insert("dpaAwsBackupCloudCredentials".to_owned(), credentials.to_owned());
    data
}

#[test]
fn the_policies_use_the_documented_keys() {
    let Some(used) = used_by_the_policies(&ALL) else { return };
    let documented: BTreeSet<String> =
        KEYS.iter().filter(|key| key.readers != [Reader::Hub]).map(|key| key.name.to_owned()).collect();
    assert_eq!(used, documented);
    assert_eq!(
        used_by_the_policies(&["restore"]).unwrap().iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "backupNS",
            "restoreNSToExcludeFromRestore",
            "restoreRestorePVs",
            "restoreStorageConfigMappings",
            "restoreStorageConfigName"
        ]
    );
}

#[test]
fn samples_as_shipped_name_every_placeholder() {
    let Some(used) = used_by_the_policies(&ALL) else { return };
    for (name, in_specification) in [("restic", 5), ("pv-snap", 7)] {
        let Some(data) = sample(name) else { return };
        let findings = validate(&data, &used);
        let errors = with_severity(&findings, Severity::Error);
        let count = |key: &str| errors.iter().filter(|found| **found == key).count();
        assert_eq!(count("dpaAwsBackupCloudCredentials"), 2, "{name}");
        assert_eq!(count("dpaSpec"), in_specification, "{name}");
        assert_eq!(errors.len(), 2 + in_specification, "{name}: {findings:#?}");
        assert!(findings.iter().all(|finding| {
            finding.severity() == Severity::Warning || finding.message.starts_with("still has a placeholder")
        }));
        assert_eq!(with_severity(&findings, Severity::Warning), ["channel", "dpaSpec"], "{name}");
    }
}

#[test]
fn filled_in_samples_have_no_errors() {
    let Some(used) = used_by_the_policies(&ALL) else { return };
    for name in ["restic", "pv-snap"] {
        let Some(data) = sample(name) else { return };
        let findings = validate(&filled_in(data), &used);
        assert_eq!(with_severity(&findings, Severity::Error), Vec::<&str>::new(), "{name}: {findings:#?}");
        assert_eq!(with_severity(&findings, Severity::Warning), ["channel", "dpaSpec"], "{name}");
    }
}

#[test]
fn unused_keys_are_not_looked_at() {
    let (Some(data), Some(used)) = (sample("restic"), used_by_the_policies(&["restore"])) else { return };
    assert_eq!(validate(&data, &used), []);
}
