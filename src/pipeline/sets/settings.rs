//! The data of a ConfigMap to what the templates need of it.

use std::collections::BTreeMap;

use super::parameters::Parameters;
use crate::pipeline::config::types::{
    BackupNameStyle, InstallMode, OnDelete, OnDeselect, StoragePrefixStyle,
};
use crate::pipeline::config::{CONFIG_MAP_NAME, Config, KEYS, Severity, with_aliases, with_defaults};

/// A configuration that can be used.
#[derive(Clone)]
pub(super) struct Settings {
    /// The data of the accepted copy: aliases resolved, defaults filled in.
    pub(super) data: BTreeMap<String, String>,
    /// What the templates are told; the ConfigMap that the policies read is named elsewhere.
    pub(super) parameters: Parameters,
    /// ConfigMap with the user's templates.
    pub(super) templates: Option<String>,
    /// What becomes of a deselected cluster.
    pub(super) on_deselect: OnDeselect,
    /// What becomes of the clusters when the ConfigMap goes.
    pub(super) on_delete: OnDelete,
}

/// Reads the settings; warnings come beside them, errors in their place.
pub(super) fn read(data: &BTreeMap<String, String>) -> Result<(Settings, Vec<String>), Vec<String>> {
    let read = Config::read(data);
    let texts = |severity: Severity| -> Vec<String> {
        let findings = read.findings.iter().filter(|finding| finding.severity() == severity);
        findings.map(ToString::to_string).collect()
    };
    let Some(config) = &read.config else { return Err(texts(Severity::Error)) };
    let unavailable = unavailable(config, data);
    if !unavailable.is_empty() {
        return Err(unavailable);
    }
    let mut full = with_defaults(&with_aliases(data));
    // What is in force, as long as no template renders the other style.
    full.insert("storagePrefixStyle".to_owned(), StoragePrefixStyle::Shared.to_string());
    let settings = Settings {
        parameters: parameters(config, &full),
        templates: config.templates.as_ref().map(ToString::to_string),
        on_deselect: config.on_deselect,
        on_delete: config.on_delete,
        data: full,
    };
    Ok((settings, texts(Severity::Warning)))
}

/// What the configuration may ask for and no template renders.
fn unavailable(config: &Config, data: &BTreeMap<String, String>) -> Vec<String> {
    let mut refused = Vec::new();
    let mut refuse = |key: &str, word: &str, instead: &str| {
        refused.push(format!("error: {key}: {word} is not rendered; {instead}"));
    };
    let mode = config.installation.mode();
    if mode == InstallMode::Velero {
        refuse("installMode", mode.as_str(), "leave the key out: Velero is installed by the OADP operator");
    }
    let asks_for_prefixes = data.contains_key("storagePrefixStyle");
    if asks_for_prefixes && config.storage_prefix_style == StoragePrefixStyle::PerCluster {
        refuse("storagePrefixStyle", "per-cluster", "leave the key out, or write shared");
    }
    if config.backup_name_style == BackupNameStyle::Short {
        refuse("backupNameStyle", "short", "leave the key out, or write legacy");
    }
    refused
}

fn parameters(config: &Config, full: &BTreeMap<String, String>) -> Parameters {
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
        settings,
        own: config.own.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}
