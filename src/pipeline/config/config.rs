//! The whole configuration as one typed value, for a hub that renders the policies from the ConfigMap alone.
//!
//! Takes the `data` of the ConfigMap, gives a [`Config`] in which every key holds what it may, and all findings. Must not
//! touch: templates, clients.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Fault, Severity};
use super::forms::Form;
use super::table::{self, Key, Presence};
use super::types::{
    BackupNameStyle, BackupSchedule, Channel, ClusterSetName, Credentials, DataProtection, Exclusion,
    InstallMode, NamePrefix, Namespace, NamespacePattern, ObjectName, OnDelete, OnDeselect, OwnValues,
    StorageClassName, StoragePrefixStyle, TimeToLive, VeleroVersion,
};
use super::value::Subject;
use super::{credentials, cross, dpa, examine, lists, selectors, spelling, values, with_aliases};
use crate::api::selector::LabelSelector;
use crate::pipeline::velero::Release;

/// What a ConfigMap says, every value checked and every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `backupNS`: the namespace of Velero on the clusters.
    pub velero_namespace: Namespace,
    /// `dpaName`: the DataProtectionApplication, after which storage locations are named.
    pub application_name: ObjectName,
    /// How Velero comes onto the clusters.
    pub installation: Installation,
    /// What is backed up, and when.
    pub backup: Backup,
    /// What is restored, and how.
    pub restore: Restore,
    /// Which clusters.
    pub clusters: Clusters,
    /// `storagePrefixStyle`.
    pub storage_prefix_style: StoragePrefixStyle,
    /// `backupNameStyle`.
    pub backup_name_style: BackupNameStyle,
    /// `onDeselect`.
    pub on_deselect: OnDeselect,
    /// `onDelete`.
    pub on_delete: OnDelete,
    /// `templates`: a ConfigMap with templates of the user's own.
    pub templates: Option<ObjectName>,
    /// Keys that are not documented, for those templates.
    pub own: OwnValues,
}

/// `installMode` with what each mode needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Installation {
    /// `oadp`: an operator makes it of a DataProtectionApplication.
    Oadp {
        /// `channel`.
        channel: Channel,
        /// `subscriptionName`.
        package: ObjectName,
        /// Where backups lie.
        storage: Storage,
    },
    /// `velero`: the hub renders it.
    Velero {
        /// `veleroVersion`.
        version: VeleroVersion,
        /// Where backups lie.
        storage: Storage,
    },
    /// `none`: it is there already, with its locations.
    Existing,
}

impl Installation {
    /// Which mode it is.
    pub const fn mode(&self) -> InstallMode {
        match self {
            Self::Oadp { .. } => InstallMode::Oadp,
            Self::Velero { .. } => InstallMode::Velero,
            Self::Existing => InstallMode::Existing,
        }
    }

    /// Where backups lie, unless somebody else said that to Velero.
    pub const fn storage(&self) -> Option<&Storage> {
        match self {
            Self::Oadp { storage, .. } | Self::Velero { storage, .. } => Some(storage),
            Self::Existing => None,
        }
    }
}

/// Where backups lie, and how Velero gets there.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// `dpaSpec`.
    pub data_protection: DataProtection,
    /// `dpaAwsBackupCloudCredentials`.
    pub credentials: Credentials,
    /// `dpaBackupCloudCredentialsName`.
    pub credentials_name: ObjectName,
}

/// What is backed up, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// `backupPrefix`.
    pub prefix: NamePrefix,
    /// `backupSnapshotVolumes`.
    pub snapshot_volumes: bool,
    /// `backupDefaultVolumesToRestic`: Velero's `defaultVolumesToFsBackup`.
    pub file_system_backup: bool,
    /// `backupVolumeSnapshotLocation`.
    pub snapshot_location: Option<ObjectName>,
    /// `backupSchedule`.
    pub schedule: BackupSchedule,
    /// `backupTTL`.
    pub time_to_live: TimeToLive,
    /// `backupNSToBackup`; empty means all.
    pub namespaces: Vec<NamespacePattern>,
    /// `backupExcludedResources`.
    pub excluded_resources: Vec<Exclusion>,
}

/// What is restored, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Restore {
    /// `restoreNSToExcludeFromRestore`.
    pub excluded_namespaces: Vec<Exclusion>,
    /// `restoreRestorePVs`.
    pub restore_volumes: bool,
    /// `restoreStorageConfigName`.
    pub storage_classes_name: ObjectName,
    /// `restoreStorageConfigMappings`: old class to new class.
    pub storage_classes: BTreeMap<StorageClassName, StorageClassName>,
}

/// Which clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// `backupClusterSelector`.
    pub backup: LabelSelector,
    /// `restoreClusterSelector`.
    pub restore: LabelSelector,
    /// `clusterSets`; at least one.
    pub sets: Vec<ClusterSetName>,
}

/// What came of reading a ConfigMap.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The configuration; absent exactly when a finding is an error.
    pub config: Option<Config>,
    /// All findings, sorted by key and place.
    pub findings: Vec<Diagnostic>,
}

impl Read {
    /// The findings that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter().filter(|finding| finding.severity() == Severity::Error)
    }
}

impl Config {
    /// Reads the `data` of the ConfigMap, in either spelling of its keys. Takes every text; never fails half-way.
    pub fn read(data: &BTreeMap<String, String>) -> Read {
        let full = with_aliases(data);
        let mut reading = Reading { data: &full, written: data, findings: Vec::new() };
        let config = reading.config();
        let mut findings = reading.findings;
        findings.extend(spelling::misspelt(data, |_| false));
        findings.extend(cross::check(&with_defaults(&full), &cross::Used::All, &findings));
        super::sort(&mut findings);
        let faulty = findings.iter().any(|finding| finding.severity() == Severity::Error);
        Read { config: config.filter(|_| !faulty), findings }
    }
}

/// The data with the default of every key that was left out.
pub fn with_defaults(data: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut data = data.clone();
    for key in table::KEYS {
        if let Some(default) = key.default() {
            data.entry(key.name.to_owned()).or_insert_with(|| default.to_owned());
        }
    }
    data
}

/// Reads one value.
type Parse<T> = fn(&mut Subject<'_>) -> Option<T>;

struct Reading<'a> {
    data: &'a BTreeMap<String, String>,
    /// As the user wrote it, for the names of keys in findings.
    written: &'a BTreeMap<String, String>,
    findings: Vec<Diagnostic>,
}

impl Reading<'_> {
    fn config(&mut self) -> Option<Config> {
        // All of them are read before the first `?`, so that all findings are told.
        let mode = self
            .read("installMode", |subject| values::word(subject, Form::InstallMode, InstallMode::from_word));
        let installs = mode != Some(InstallMode::Existing);
        let velero_namespace = self.read("backupNS", values::namespace);
        let application_name = self.read("dpaName", values::object_name);
        let channel = match (self.data.contains_key("channel"), mode) {
            (true, _) => self.read("channel", values::channel),
            (false, Some(InstallMode::Oadp) | None) => {
                self.read("channel", |subject| Some(values::default_channel(subject)))
            }
            // Nothing is installed from it.
            (false, Some(InstallMode::Velero | InstallMode::Existing)) => None,
        };
        let package = self.read("subscriptionName", values::object_name);
        let version = self.read("veleroVersion", values::velero_version);
        let credentials_name = self.read("dpaBackupCloudCredentialsName", values::object_name);
        let credentials = self.read_where(installs, "dpaAwsBackupCloudCredentials", credentials::credentials);
        let data_protection = self.read_where(installs, "dpaSpec", dpa::data_protection);
        if mode == Some(InstallMode::Velero) {
            self.installed_by_the_hub(version);
        }
        let backup = self.backup();
        let restore = self.restore();
        let clusters = self.clusters();
        let storage_prefix_style = self.read("storagePrefixStyle", |subject| {
            values::word(subject, Form::StoragePrefixStyle, StoragePrefixStyle::from_word)
        });
        let backup_name_style = self.read("backupNameStyle", |subject| {
            values::word(subject, Form::BackupNameStyle, BackupNameStyle::from_word)
        });
        let on_deselect =
            self.read("onDeselect", |subject| values::word(subject, Form::OnDeselect, OnDeselect::from_word));
        let on_delete =
            self.read("onDelete", |subject| values::word(subject, Form::OnDelete, OnDelete::from_word));
        let templates = self.read("templates", values::optional_object_name);
        let storage = || {
            Some(Storage {
                data_protection: data_protection?,
                credentials: credentials?,
                credentials_name: credentials_name?,
            })
        };
        let installation = match mode? {
            InstallMode::Oadp => {
                Installation::Oadp { channel: channel?, package: package?, storage: storage()? }
            }
            InstallMode::Velero => Installation::Velero { version: version?, storage: storage()? },
            InstallMode::Existing => Installation::Existing,
        };
        Some(Config {
            velero_namespace: velero_namespace?,
            application_name: application_name?,
            installation,
            backup: backup?,
            restore: restore?,
            clusters: clusters?,
            storage_prefix_style: storage_prefix_style?,
            backup_name_style: backup_name_style?,
            on_deselect: on_deselect?,
            on_delete: on_delete?,
            templates: templates?,
            own: self.own(),
        })
    }

    /// What the hub cannot install without the operator.
    fn installed_by_the_hub(&mut self, version: Option<VeleroVersion>) {
        if let Some(version) = version.filter(|version| version.release().is_none()) {
            self.findings.retain(|finding| finding.key != "veleroVersion");
            let known: Vec<String> = Release::ALL.iter().map(|release| format!("{release}.x")).collect();
            self.findings.push(
                Diagnostic::new("veleroVersion", Fault::Refused, "is not a release that the hub can install")
                    .found(&version.to_string())
                    .expected(known.join(" or "))
                    .hint("leave the key out for the pinned release"),
            );
        }
        if let (Some(key), Some(text)) = (table::find("dpaSpec"), self.data.get("dpaSpec")) {
            let mut subject = Subject::new(spelling::as_written(key, self.written), text);
            dpa::unrendered(&mut subject);
            self.findings.append(&mut subject.findings);
        }
    }

    fn backup(&mut self) -> Option<Backup> {
        let prefix = self.read("backupPrefix", values::name_prefix);
        let snapshot_volumes = self.read("backupSnapshotVolumes", values::boolean);
        let file_system_backup = self.read("backupDefaultVolumesToRestic", values::boolean);
        let snapshot_location = self.read("backupVolumeSnapshotLocation", values::optional_object_name);
        let schedule = self.read("backupSchedule", values::schedule);
        let time_to_live = self.read("backupTTL", values::time_to_live);
        let namespaces = self.read("backupNSToBackup", lists::included_namespaces);
        let excluded_resources = self.read("backupExcludedResources", lists::excluded_resources);
        Some(Backup {
            prefix: prefix?,
            snapshot_volumes: snapshot_volumes?,
            file_system_backup: file_system_backup?,
            snapshot_location: snapshot_location?,
            schedule: schedule?,
            time_to_live: time_to_live?,
            namespaces: namespaces?,
            excluded_resources: excluded_resources?,
        })
    }

    fn restore(&mut self) -> Option<Restore> {
        let excluded_namespaces = self.read("restoreNSToExcludeFromRestore", lists::excluded_namespaces);
        let restore_volumes = self.read("restoreRestorePVs", values::boolean);
        let storage_classes_name = self.read("restoreStorageConfigName", values::object_name);
        let storage_classes = self.read(super::MAPPINGS_KEY, lists::storage_classes);
        Some(Restore {
            excluded_namespaces: excluded_namespaces?,
            restore_volumes: restore_volumes?,
            storage_classes_name: storage_classes_name?,
            storage_classes: storage_classes?,
        })
    }

    fn clusters(&mut self) -> Option<Clusters> {
        let backup = self.read("backupClusterSelector", selectors::cluster_selector);
        let restore = self.read("restoreClusterSelector", selectors::cluster_selector);
        let sets = self.read("clusterSets", lists::cluster_sets);
        Some(Clusters { backup: backup?, restore: restore?, sets: sets? })
    }

    /// The value of a key, or its default. `None` where a finding says why.
    fn read<T>(&mut self, name: &str, parse: Parse<T>) -> Option<T> {
        self.read_where(true, name, parse)
    }

    /// Like [`Self::read`]; a key that is required to install may be left out where nothing is installed.
    fn read_where<T>(&mut self, installs: bool, name: &str, parse: Parse<T>) -> Option<T> {
        let key = table::find(name)?;
        let Some(text) = self.data.get(name).map(String::as_str).or(key.default()) else {
            if installs || key.presence == Presence::Required {
                self.findings.push(missing(key, self.written));
            }
            return None;
        };
        let mut subject = Subject::new(spelling::as_written(key, self.written), text);
        let value = examine::examine(key, &mut subject, parse);
        self.findings.append(&mut subject.findings);
        value
    }

    /// What the table does not know.
    fn own(&self) -> OwnValues {
        let own = self.written.iter().filter(|(name, _)| !spelling::is_documented(name));
        OwnValues::new(own.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

fn missing(key: &Key, written: &BTreeMap<String, String>) -> Diagnostic {
    let hint = match spelling::meant_as(key, written) {
        Some(wrong) => format!("rename {wrong} to {}", key.name),
        None => format!("for example {}", spelling::line(key.name, key.example)),
    };
    Diagnostic::new(key.name, Fault::Missing, "is missing").expected(key.form.expected()).hint(hint)
}
