//! What a template is told.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::templates::install_policy;
use crate::api::selector::{LabelSelector, Operator, Requirement};
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::config::types::InstallMode;

/// The cluster set that clusters are in when nothing else is said.
const DEFAULT_SET: &str = "default";
/// Label of the clusters that are backed up, with the value `backup`.
const BACKUP_LABEL: &str = "acm-pv-dr";
/// Label of the clusters on which the backup is restored that is its value.
pub(super) const RESTORE_LABEL: &str = "acm-app-restore";

/// The parameters of the templates.
#[derive(Clone, PartialEq)]
pub struct Parameters {
    /// Name of the ConfigMap that the policies read on the hub.
    pub config_map: String,
    /// How Velero comes onto the clusters: it chooses the templates, and the policy that the others wait for.
    pub install_mode: InstallMode,
    /// The cluster sets to choose from.
    pub cluster_sets: Vec<String>,
    /// Which clusters are backed up.
    pub backup_cluster_selector: LabelSelector,
    /// Where backups may be restored; the label that names the backup is always asked for besides.
    pub restore_cluster_selector: LabelSelector,
    /// Whether each cluster stores under a folder of its own name (`storagePrefixStyle: per-cluster`).
    pub cluster_prefixes: bool,
    /// Whether names that are too long are shortened (`backupNameStyle: short`).
    pub short_names: bool,
    /// The documented settings, without those that are secret.
    pub settings: BTreeMap<String, String>,
    /// What `installMode: velero` installs; null in other modes.
    pub velero: Value,
    /// The user's own keys, for templates of the user's own. A value may be a secret.
    pub own: BTreeMap<String, String>,
}

impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Parameters")
            .field("config_map", &self.config_map)
            .field("install_mode", &self.install_mode)
            .field("cluster_sets", &self.cluster_sets)
            .field("backup_cluster_selector", &self.backup_cluster_selector)
            .field("restore_cluster_selector", &self.restore_cluster_selector)
            .field("cluster_prefixes", &self.cluster_prefixes)
            .field("short_names", &self.short_names)
            .finish_non_exhaustive()
    }
}

impl Default for Parameters {
    /// Those of the committed policies, which read the ConfigMap as the user wrote it.
    fn default() -> Self {
        Self {
            config_map: CONFIG_MAP_NAME.to_owned(),
            install_mode: InstallMode::Oadp,
            cluster_sets: vec![DEFAULT_SET.to_owned()],
            backup_cluster_selector: LabelSelector {
                match_expressions: vec![requirement(BACKUP_LABEL, Operator::In, &["backup"])],
                ..LabelSelector::default()
            },
            restore_cluster_selector: LabelSelector::default(),
            cluster_prefixes: false,
            short_names: false,
            settings: BTreeMap::new(),
            velero: Value::Null,
            own: BTreeMap::new(),
        }
    }
}

impl Parameters {
    /// As the engine takes them.
    pub(super) fn to_value(&self) -> Value {
        let mut restore = self.restore_cluster_selector.clone();
        let named = requirement(RESTORE_LABEL, Operator::Exists, &[]);
        if !restore.match_expressions.contains(&named) {
            restore.match_expressions.push(named);
        }
        json!({
            "configMap": self.config_map,
            "installPolicy": install_policy(self.install_mode),
            "clusterSets": self.cluster_sets,
            "backupClusterSelector": self.backup_cluster_selector,
            "restoreClusterSelector": restore,
            "clusterPrefixes": self.cluster_prefixes,
            "shortNames": self.short_names,
            "settings": self.settings,
            "velero": self.velero,
            "own": self.own,
        })
    }
}

fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
    Requirement {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}
