//! The data of a ConfigMap to what the templates need of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::parameters::Parameters;
use super::prefixes;
use super::velero::{self, Wanted};
use crate::pipeline::config::types::{
    BackupNameStyle, InstallMode, OnDelete, OnDeselect, StoragePrefixStyle,
};
use crate::pipeline::config::{
    CONFIG_MAP_NAME, Config, Installation, KEYS, Severity, with_aliases, with_defaults,
};

/// Key of who stores where in the bucket.
const STYLE_KEY: &str = "storagePrefixStyle";
/// Key of the storage locations.
const LOCATIONS_KEY: &str = "dpaSpec";

/// A configuration that can be used.
#[derive(Clone)]
pub(super) struct Settings {
    /// The data of the accepted copy: aliases resolved, defaults filled in.
    pub(super) data: BTreeMap<String, String>,
    /// What the templates are told; the ConfigMap that the policies read is named elsewhere.
    pub(super) parameters: Parameters,
    /// Who stores where in the bucket.
    pub(super) prefix_style: StoragePrefixStyle,
    /// ConfigMap with the user's templates.
    pub(super) templates: Option<String>,
    /// What becomes of a deselected cluster.
    pub(super) on_deselect: OnDeselect,
    /// What becomes of the clusters when the ConfigMap goes.
    pub(super) on_delete: OnDelete,
}

/// Reads the settings; warnings come beside them, errors in their place. `running` is the style of a configuration that is in
/// force already.
pub(super) fn read(
    data: &BTreeMap<String, String>,
    running: Option<StoragePrefixStyle>,
) -> Result<(Settings, Vec<String>), Vec<String>> {
    let read = Config::read(data);
    let texts = |severity: Severity| -> Vec<String> {
        let findings = read.findings.iter().filter(|finding| finding.severity() == severity);
        findings.map(ToString::to_string).collect()
    };
    let Some(config) = &read.config else { return Err(texts(Severity::Error)) };
    let unavailable = unavailable(config);
    if !unavailable.is_empty() {
        return Err(unavailable);
    }
    let mut full = with_defaults(&with_aliases(data));
    let prefix_style = prefix_style(config, data.contains_key(STYLE_KEY), running);
    full.insert(STYLE_KEY.to_owned(), prefix_style.to_string());
    if let Some(storage) = config.installation.storage() {
        match prefix_style {
            StoragePrefixStyle::PerCluster => {
                full.insert(LOCATIONS_KEY.to_owned(), prefixes::per_cluster(&storage.data_protection)?);
            }
            StoragePrefixStyle::Shared => {
                let faults = prefixes::shared(&storage.data_protection);
                if !faults.is_empty() {
                    return Err(faults);
                }
            }
        }
    }
    let mut warnings = texts(Severity::Warning);
    warnings.extend(running.and_then(|running| prefixes::moved(running, prefix_style)));
    let settings = Settings {
        parameters: parameters(config, &full, prefix_style),
        prefix_style,
        templates: config.templates.as_ref().map(ToString::to_string),
        on_deselect: config.on_deselect,
        on_delete: config.on_delete,
        data: full,
    };
    Ok((settings, warnings))
}

/// The style that counts: as it is written, else as it was, else the default of the key. Where Velero is there already with
/// locations of its own, the hub gives no cluster a folder.
fn prefix_style(
    config: &Config,
    is_written: bool,
    running: Option<StoragePrefixStyle>,
) -> StoragePrefixStyle {
    if is_written {
        return config.storage_prefix_style;
    }
    let default = match config.installation.storage() {
        Some(_) => config.storage_prefix_style,
        None => StoragePrefixStyle::Shared,
    };
    running.unwrap_or(default)
}

/// What the configuration may ask for and no template renders.
fn unavailable(config: &Config) -> Vec<String> {
    let mut refused = Vec::new();
    let mut refuse = |key: &str, word: &str, instead: &str| {
        refused.push(format!("error: {key}: {word} is not rendered; {instead}"));
    };
    let mode = config.installation.mode();
    if mode == InstallMode::Existing {
        refuse("installMode", mode.as_str(), "leave the key out: Velero is installed by the OADP operator");
    }
    refused
}

fn parameters(
    config: &Config,
    full: &BTreeMap<String, String>,
    prefix_style: StoragePrefixStyle,
) -> Parameters {
    let settings = KEYS
        .iter()
        .filter(|key| !key.is_secret())
        .filter_map(|key| Some((key.name.to_owned(), full.get(key.name)?.clone())))
        .collect();
    Parameters {
        config_map: CONFIG_MAP_NAME.to_owned(),
        install_mode: config.installation.mode(),
        cluster_sets: config.clusters.sets.iter().map(ToString::to_string).collect(),
        backup_cluster_selector: config.clusters.backup.clone(),
        restore_cluster_selector: config.clusters.restore.clone(),
        cluster_prefixes: prefix_style == StoragePrefixStyle::PerCluster,
        short_names: config.backup_name_style == BackupNameStyle::Short,
        settings,
        velero: velero_parameters(config),
        own: config.own.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

/// What the hub installs by itself; null where somebody else does.
fn velero_parameters(config: &Config) -> Value {
    match &config.installation {
        Installation::Velero { version, storage } => {
            // The configuration refuses a version without a release.
            version.release().map_or(Value::Null, |release| {
                velero::parameters(&Wanted {
                    version: *version,
                    release,
                    specification: &Value::Object(storage.data_protection.spec().clone()),
                    namespace: config.velero_namespace.as_str(),
                    credentials: storage.credentials_name.as_str(),
                })
            })
        }
        Installation::Oadp { .. } | Installation::Existing => Value::Null,
    }
}
