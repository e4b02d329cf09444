//! The configuration as users meet it: a table of broken ConfigMaps with the findings that each must give, the samples that ship, the
//! schema and the page that are made from the table of keys, and input without sense.

#![expect(clippy::disallowed_methods, reason = "reads the tables and the documents")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a fault here is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use base64::Engine;
use flotilla::pipeline::config::{self, Config, Diagnostic, Place, manifest};
use flotilla::yaml::{self, Dialect, Mark};
use proptest::prelude::*;
use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

const GOOD: &str = "tests/fixtures/config/good.yaml";

fn texts(text: &str) -> manifest::Texts {
    manifest::texts(&yaml::read_located(text, Dialect::Kubernetes).unwrap(), text)
}

// === the tables ===

/// A row: the good ConfigMap, changed.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// Keys with other values.
    #[serde(default)]
    set: BTreeMap<String, String>,
    /// Keys with the base64 of these texts.
    #[serde(default)]
    encode: BTreeMap<String, String>,
    /// Keys that are left out; `all` of them.
    #[serde(default)]
    remove: Vec<String>,
    /// Places in `dpaSpec` with other values; `null` leaves them out.
    #[serde(default)]
    spec: BTreeMap<String, Value>,
    /// A line of `data` as it is written in the file.
    written: Option<String>,
    /// All findings.
    expected: Vec<String>,
    /// What stands in the value at the place of each finding that has one.
    #[serde(default)]
    at: Vec<String>,
}

fn changed(spec: &str, changes: &BTreeMap<String, Value>) -> String {
    let mut spec = yaml::read(spec, Dialect::Template).unwrap();
    for (path, value) in changes {
        let (parent, field) = path.rsplit_once('/').unwrap();
        match (spec.pointer_mut(parent).unwrap(), value) {
            (Value::Object(map), Value::Null) => drop(map.remove(field)),
            (Value::Array(list), value) if field.parse() == Ok(list.len()) => list.push(value.clone()),
            (Value::Array(list), value) => list[field.parse::<usize>().unwrap()] = value.clone(),
            (parent, value) => parent[field] = value.clone(),
        }
    }
    spec.to_string()
}

impl Row {
    fn data(&self) -> BTreeMap<String, String> {
        let mut data = texts(&read(GOOD)).data;
        data.retain(|key, _| !self.remove.contains(key) && !self.remove.contains(&"all".to_owned()));
        data.extend(self.set.clone());
        for (key, text) in &self.encode {
            data.insert(key.clone(), base64::engine::general_purpose::STANDARD.encode(text));
        }
        if !self.spec.is_empty() {
            let spec = changed(&data["dpaSpec"], &self.spec);
            data.insert("dpaSpec".to_owned(), spec);
        }
        data
    }

    fn findings(&self) -> (BTreeMap<String, String>, Vec<Diagnostic>) {
        match &self.written {
            Some(written) => {
                let text = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  {written}\n  after: x\n");
                let texts = texts(&text);
                (texts.data, texts.findings)
            }
            None => (self.data(), Config::read(&self.data()).findings),
        }
    }
}

fn tables() -> Vec<(String, Row)> {
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(root().join("tests/fixtures/config")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if file == "good.yaml" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let table: Vec<Row> = serde_json::from_value(yaml::read(&text, Dialect::Template).unwrap())
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        rows.extend(table.into_iter().map(|row| (file.clone(), row)));
    }
    rows
}

/// The beginning of what stands at a place in a value.
fn standing_at(value: &str, mark: Mark) -> String {
    let line = value.split('\n').nth(mark.line - 1).unwrap_or_default();
    line.chars().skip(mark.column - 1).take(16).collect()
}

#[test]
fn broken_config_maps_give_exactly_these_findings() {
    let rows = tables();
    assert!(rows.len() >= 120, "{} rows", rows.len());
    let mut faults = Vec::new();
    for (file, row) in &rows {
        let (data, findings) = row.findings();
        let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
        let at: Vec<String> = findings
            .iter()
            .filter_map(|finding| match finding.place {
                Place::Value(mark) => Some(standing_at(data.get(&finding.key)?, mark)),
                Place::Key | Place::Decoded(_) => None,
            })
            .collect();
        if said != row.expected || at != row.at {
            faults.push(format!("{file}: {}: {said:#?} at {at:?}", row.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_good_config_map_has_no_finding() {
    let texts = texts(&read(GOOD));
    let read = Config::read(&texts.data);
    assert_eq!((texts.findings, read.findings), (vec![], vec![]));
    let config = read.config.unwrap();
    assert_eq!(config.velero_namespace.as_str(), "acm-app-backup");
    assert_eq!(
        config.backup.namespaces.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["shop", "billing"]
    );
    let storage = config.installation.storage().unwrap();
    assert_eq!(storage.data_protection.backup_location_names(&config.application_name), ["dpa-1"]);
    let shown = format!("{config:?}");
    assert!(!shown.contains("W2Rl"), "the credentials are not shown");
}

#[test]
fn what_is_left_out_has_its_documented_default() {
    let mut data = texts(&read(GOOD)).data;
    let required = |key: &config::Key| key.default().is_none();
    data.retain(|name, _| config::KEYS.iter().any(|key| key.name == name && required(key)));
    let read = Config::read(&data);
    let said: Vec<String> = read.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "warning: channel: is left out, and the operator is then asked for in stable-1.1, a channel that newer operator \
             catalogs no longer have; write one, for example channel: stable-1.5; `kubectl get packagemanifest \
             redhat-oadp-operator -o jsonpath='{.status.channels[*].name}'` on a cluster names those of its catalog"
        ]
    );
    let config = read.config.unwrap();
    // Every default that is written out gives the same.
    for key in config::KEYS {
        if let Some(default) = key.default() {
            data.insert(key.name.to_owned(), default.to_owned());
        }
    }
    assert_eq!(Config::read(&data).config.as_ref(), Some(&config));
    let cluster = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    assert!(config.clusters.backup.matches(&cluster(&[("acm-pv-dr", "backup")])));
    assert!(!config.clusters.backup.matches(&cluster(&[("acm-pv-dr", "restore")])));
    assert!(config.clusters.restore.matches(&cluster(&[("acm-app-restore", "latest")])));
    assert_eq!(config.clusters.sets.iter().map(ToString::to_string).collect::<Vec<_>>(), ["default"]);
    assert_eq!(config.storage_prefix_style.as_str(), "per-cluster");
    assert_eq!((config.on_deselect.as_str(), config.on_delete.as_str()), ("keep", "keep"));
}

#[test]
fn an_existing_velero_needs_no_credentials() {
    let mut data = texts(&read(GOOD)).data;
    data.remove("dpaAwsBackupCloudCredentials");
    data.remove("dpaSpec");
    data.insert("backupVolumeSnapshotLocation".to_owned(), String::new());
    assert_eq!(Config::read(&data).errors().count(), 2);
    data.insert("installMode".to_owned(), "none".to_owned());
    let read = Config::read(&data);
    assert_eq!(read.findings, []);
    assert!(read.config.unwrap().installation.storage().is_none());
}

#[test]
fn a_label_selector_means_the_same_in_both_forms() {
    let read = |selector: &str| {
        let mut data = texts(&read(GOOD)).data;
        data.insert("backupClusterSelector".to_owned(), selector.to_owned());
        Config::read(&data).config.unwrap().clusters.backup
    };
    let text = read("env=prod,tier in (a,b),!retired");
    let mapping = read(
        "matchLabels: {env: prod}\nmatchExpressions:\n- {key: tier, operator: In, values: [a, b]}\n- {key: retired, operator: \
         DoesNotExist}\n",
    );
    for (labels, expected) in [
        (json!({"env": "prod", "tier": "a"}), true),
        (json!({"env": "prod", "tier": "c"}), false),
        (json!({"env": "prod", "tier": "b", "retired": ""}), false),
        (json!({"tier": "b"}), false),
    ] {
        let labels: BTreeMap<String, String> = serde_json::from_value(labels).unwrap();
        assert_eq!((text.matches(&labels), mapping.matches(&labels)), (expected, expected), "{labels:?}");
    }
}

// === samples ===

#[test]
fn samples_have_no_faults_but_their_placeholders() {
    let placeholder = regex::Regex::new("<[a-z][^<>]*>").unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("configmaps")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let texts = texts(&text);
        assert_eq!(texts.findings, [], "{}", path.display());
        let read = Config::read(&texts.data);
        let others: Vec<&Diagnostic> =
            read.findings.iter().filter(|one| one.fault != config::Fault::Placeholder).collect();
        assert!(others.is_empty(), "{}: {others:#?}", path.display());
        if text.contains("<bucket>") {
            let mut filled = texts.data;
            for value in filled.values_mut() {
                *value = placeholder.replace_all(value, "filled-in").into_owned();
            }
            let credentials = "[default]\naws_access_key_id=A\naws_secret_access_key=B\n";
            let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
            filled.insert("dpaAwsBackupCloudCredentials".to_owned(), encoded);
            let read = Config::read(&filled);
            assert_eq!(read.findings, [], "{}", path.display());
            assert!(read.config.is_some());
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

// === what is made from the table ===

/// With `FLOTILLA_GENERATE` set, as `make generate` does, it writes the page instead.
#[test]
fn the_page_has_the_table_of_keys() {
    const PAGE: &str = "docs/reference/configmap.md";
    let page = read(PAGE);
    let (before, rest) = page.split_once("<!-- keys -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of keys -->").unwrap();
    let expected = format!("{before}<!-- keys -->\n\n{}\n<!-- end of keys -->{after}", config::key_table());
    if std::env::var_os("FLOTILLA_GENERATE").is_some() {
        std::fs::write(root().join(PAGE), &expected).unwrap();
    } else {
        assert!(page == expected, "{PAGE} is not what the table of keys says: run `make generate`");
    }
}

#[test]
fn the_schema_knows_every_key_and_takes_its_example_and_default() {
    let schema = config::json_schema();
    let data = &schema["properties"]["data"];
    let properties = data["properties"].as_object().unwrap();
    let names: BTreeSet<&str> = config::KEYS
        .iter()
        .flat_map(|key| std::iter::once(key.name).chain(key.aliases.iter().copied()))
        .collect();
    assert_eq!(properties.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    for key in config::KEYS {
        let property = &properties[key.name];
        for value in [Some(key.example), key.default()].into_iter().flatten() {
            if let Some(pattern) = property["pattern"].as_str() {
                assert!(regex::Regex::new(pattern).unwrap().is_match(value), "{}: {value}", key.name);
            }
            if let Some(words) = property["enum"].as_array() {
                assert!(words.contains(&json!(value)), "{}: {value}", key.name);
            }
        }
        assert_eq!(property["writeOnly"] == true, key.is_secret(), "{}", key.name);
    }
    assert!(data["required"].as_array().unwrap().contains(&json!("backupNS")));
    let locations = &properties["dpaSpec"]["contentSchema"]["properties"]["backupLocations"];
    assert_eq!(locations["items"]["properties"]["velero"]["properties"]["default"]["type"], "boolean");
}

#[test]
fn every_example_of_the_table_is_right() {
    let good = texts(&read(GOOD)).data;
    for key in config::KEYS {
        let mut data = good.clone();
        data.insert(key.name.to_owned(), key.example.to_owned());
        if data.get("installMode").is_some_and(|mode| mode == "velero") {
            // The hub installs no plugin of OADP's.
            let spec = data["dpaSpec"].replace("openshift, ", "").replace("\"openshift\", ", "");
            data.insert("dpaSpec".to_owned(), spec);
        }
        let errors: Vec<String> = Config::read(&data).errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", key.name);
    }
}

// === laws ===

#[test]
fn both_ways_of_checking_find_the_same_in_a_value() {
    let good = texts(&read(GOOD)).data;
    for key in config::KEYS {
        for value in ["", "<x>", "A b", "[", "7", "{a: 7}", "- a\n- *b"] {
            let mut data = good.clone();
            data.insert(key.name.to_owned(), value.to_owned());
            let of = |findings: Vec<Diagnostic>| -> Vec<Diagnostic> {
                findings.into_iter().filter(|finding| finding.key == key.name).collect()
            };
            let used = data.keys().cloned().collect();
            assert_eq!(
                of(Config::read(&data).findings),
                of(config::validate(&data, &used)),
                "{}: {value:?}",
                key.name
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_value_breaks_the_reader(
        key in 0..config::KEYS.len(),
        value in prop_oneof![
            "\\PC{0,40}",
            "[\\[\\]{}:,'\"*&!|> \n\t<a-z0-9~=()/.-]{0,60}",
            "(TZ=[A-Z/]{0,4} )?[-*/?,@0-9a-z ]{0,24}",
        ],
    ) {
        let mut data = texts(&read(GOOD)).data;
        let name = config::KEYS[key].name;
        data.insert(name.to_owned(), value.clone());
        let read = Config::read(&data);
        prop_assert_eq!(read.config.is_some(), read.errors().next().is_none());
        for finding in &read.findings {
            let said = finding.to_string();
            prop_assert!(!said.contains('\n'), "{}", said);
            if let Place::Value(mark) = finding.place {
                let inside = data.get(&finding.key).is_some_and(|value| mark.line <= value.split('\n').count());
                prop_assert!(inside, "{}", said);
            }
        }
        if config::KEYS[key].is_secret() && value.len() > 8 {
            let shown = read.findings.iter().any(|finding| finding.to_string().contains(&value));
            prop_assert!(!shown, "{:?}", read.findings);
        }
    }

    #[test]
    fn no_data_breaks_the_reader(data in prop::collection::btree_map("\\PC{0,12}", "\\PC{0,20}", 0..6)) {
        let read = Config::read(&data);
        prop_assert!(read.config.is_none());
        let _ = config::validate(&data, &data.keys().cloned().collect());
    }
}
