//! The table of keys: what each one is for, its default, an example, what its value must be, whether it is a secret.
//!
//! Checks, [`super::Config`], the JSON Schema and the page in `docs/reference` are all made from it. Must not touch:
//! values of users.

use super::forms::Form;

/// Who reads a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// Policies that install Velero.
    Install,
    /// Policies that back up.
    Backup,
    /// Policies that restore.
    Restore,
    /// The hub itself, where it renders the policies from the ConfigMap.
    Hub,
}

impl Reader {
    /// The word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Hub => "hub",
        }
    }
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Always.
    Required,
    /// Unless `installMode` is `none`.
    RequiredToInstall,
    /// It has this value where it is left out.
    Default(&'static str),
}

/// A documented key.
#[derive(Debug)]
pub struct Key {
    /// Its name in `data`.
    pub name: &'static str,
    /// Other spellings that are understood.
    pub aliases: &'static [&'static str],
    /// Who reads it.
    pub readers: &'static [Reader],
    /// What it is for: one or a few sentences.
    pub meaning: &'static str,
    /// Whether it must be there. Policies that were applied by hand have no defaults: what they read must be there.
    pub presence: Presence,
    /// A value that is right.
    pub example: &'static str,
    /// What its value must be.
    pub form: Form,
}

impl Key {
    /// Whether no message, log or difference may show its value.
    pub fn is_secret(&self) -> bool {
        self.form == Form::Credentials
    }

    /// The value where it is left out.
    pub const fn default(&self) -> Option<&'static str> {
        match self.presence {
            Presence::Default(value) => Some(value),
            Presence::Required | Presence::RequiredToInstall => None,
        }
    }
}

use Presence::{Default, Required, RequiredToInstall};
use Reader::{Backup, Hub, Install, Restore};

const fn key(
    name: &'static str,
    readers: &'static [Reader],
    form: Form,
    presence: Presence,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, aliases: &[], readers, meaning, presence, example, form }
}

/// The version of Velero that is installed where nobody names another: the one that the project is tested with.
pub const PINNED_VELERO: &str = "1.18.3";

/// All keys, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key(
        "backupNS",
        &[Install, Backup, Restore],
        Form::Namespace,
        Required,
        "acm-app-backup",
        "Namespace of Velero on the clusters. Do not change it lightly: what is in the old one stays there.",
    ),
    key(
        "channel",
        &[Install],
        Form::Channel,
        Default("stable-1.1"),
        "stable-1.5",
        "Channel of the OADP operator. Write the one of your catalogue: newer ones no longer have the default.",
    ),
    key(
        "subscriptionName",
        &[Install],
        Form::ObjectName,
        Default("redhat-oadp-operator"),
        "redhat-oadp-operator",
        "Package of the OADP operator in the catalogue.",
    ),
    key(
        "dpaAwsBackupCloudCredentials",
        &[Install],
        Form::Credentials,
        RequiredToInstall,
        "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPUlECmF3c19zZWNyZXRfYWNjZXNzX2tleT1LRVkK",
        "The credentials file of the object storage, base64. A secret: no message, log or difference shows it.",
    ),
    key(
        "dpaBackupCloudCredentialsName",
        &[Install],
        Form::ObjectName,
        Default("cloud-credentials"),
        "cloud-credentials",
        "Name of the Secret that gets the credentials, under its key `cloud`. `dpaSpec` refers to it.",
    ),
    key(
        "dpaName",
        &[Install],
        Form::ObjectName,
        Default("dpa"),
        "dpa",
        "Name of the DataProtectionApplication. The storage location is named after it, and a backup can be restored only \
         where the location has the same name: keep it the same everywhere.",
    ),
    key(
        "dpaSpec",
        &[Install],
        Form::DataProtectionApplication,
        RequiredToInstall,
        "{backupLocations: [{velero: {provider: aws, default: true, config: {region: eu-central-1}, credential: \
         {name: cloud-credentials, key: cloud}, objectStorage: {bucket: backups, prefix: apps}}}], configuration: \
         {velero: {defaultPlugins: [openshift, aws]}, nodeAgent: {enable: true, uploaderType: kopia}}}",
        "`spec` of the DataProtectionApplication (`oadp.openshift.io/v1alpha1`).",
    ),
    key(
        "backupPrefix",
        &[Backup],
        Form::NamePrefix,
        Default("acm-app"),
        "acm-app",
        "How the names of Schedules and backups begin.",
    ),
    key(
        "backupSnapshotVolumes",
        &[Backup],
        Form::Boolean,
        Required,
        "true",
        "Whether volumes are snapshot by their storage.",
    ),
    key(
        "backupDefaultVolumesToRestic",
        &[Backup],
        Form::Boolean,
        Required,
        "false",
        "Whether the files of volumes are copied. Written as `defaultVolumesToFsBackup` where Velero knows it; the work is \
         done by kopia.",
    ),
    key(
        "backupVolumeSnapshotLocation",
        &[Backup],
        Form::OptionalObjectName,
        Default(""),
        "dpa-1",
        "Name of the snapshot location. May be empty: then none is written, and names have two dashes in a row.",
    ),
    key(
        "backupSchedule",
        &[Backup],
        Form::Schedule,
        Required,
        "0 */1 * * *",
        "When backups are made: a cron expression as Velero reads it, in UTC unless `CRON_TZ=` says otherwise.",
    ),
    key("backupTTL", &[Backup], Form::TimeToLive, Required, "240h0m0s", "How long a backup is kept."),
    key(
        "backupNSToBackup",
        &[Backup],
        Form::IncludedNamespaces,
        Required,
        "[\"app-ns\"]",
        "Namespaces to back up.",
    ),
    key(
        "backupExcludedResources",
        &[Backup],
        Form::ExcludedResources,
        Default("[]"),
        "[\"events\"]",
        "Kinds that are left out of backups.",
    ),
    key(
        "restoreNSToExcludeFromRestore",
        &[Restore],
        Form::ExcludedNamespaces,
        Default("[]"),
        "[\"box-ns\"]",
        "Namespaces of the backup that are not restored.",
    ),
    key(
        "restoreRestorePVs",
        &[Restore],
        Form::Boolean,
        Required,
        "true",
        "Whether volumes are restored from snapshots: `true` if the backup was made with `backupSnapshotVolumes`.",
    ),
    key(
        "restoreStorageConfigName",
        &[Restore],
        Form::ObjectName,
        Default("storage-class-acm-app"),
        "storage-class-acm-app",
        "Name of the ConfigMap with the storage classes in Velero's namespace.",
    ),
    Key {
        name: super::MAPPINGS_KEY,
        aliases: &[super::MAPPINGS_ALIAS],
        readers: &[Restore],
        form: Form::StorageClasses,
        presence: Default("{}"),
        example: "{\"managed-csi\": \"thin\"}",
        meaning: "StorageClass of the source to StorageClass of the target.",
    },
    key(
        "backupClusterSelector",
        &[Hub],
        Form::ClusterSelector,
        Default("acm-pv-dr in (backup)"),
        "env=prod,tier in (a,b),!retired",
        "Which managed clusters are backed up.",
    ),
    key(
        "restoreClusterSelector",
        &[Hub],
        Form::ClusterSelector,
        Default("acm-app-restore"),
        "acm-app-restore,env=prod",
        "On which managed clusters is restored. Which backup, the value of their label `acm-app-restore` says.",
    ),
    key(
        "clusterSets",
        &[Hub],
        Form::ClusterSets,
        Default("[default]"),
        "[default, edge]",
        "ManagedClusterSets that clusters are chosen from. Each must be bound to the namespace.",
    ),
    key(
        "installMode",
        &[Hub],
        Form::InstallMode,
        Default("oadp"),
        "velero",
        "How Velero comes onto the clusters: by the OADP operator, by manifests that the hub renders, or not at all because \
         it is there.",
    ),
    key(
        "veleroVersion",
        &[Hub],
        Form::VeleroVersion,
        Default(PINNED_VELERO),
        "1.18.3",
        "The Velero that `installMode: velero` installs, with the definitions and plugins of its release: 1.17.x or 1.18.x.",
    ),
    key(
        "storagePrefixStyle",
        &[Hub],
        Form::StoragePrefixStyle,
        Default("per-cluster"),
        "shared",
        "Whether each cluster writes under a folder of its own in the bucket, below the prefix of `dpaSpec`, or all under \
         the same one. What runs already keeps its style as long as the key is not written.",
    ),
    key(
        "backupNameStyle",
        &[Hub],
        Form::BackupNameStyle,
        Default("legacy"),
        "short",
        "Names that are too long for a cluster: refused for that cluster, or cut, with a part of a digest behind.",
    ),
    key(
        "onDeselect",
        &[Hub],
        Form::OnDeselect,
        Default("keep"),
        "pause",
        "What becomes of a cluster that is no longer selected. `keep`: its Schedule goes, and Velero, credentials, namespace \
         and backups stay; `pause`: its Schedule stays, paused; `remove`: Velero goes too.",
    ),
    key(
        "onDelete",
        &[Hub],
        Form::OnDelete,
        Default("keep"),
        "remove",
        "What becomes of that which was made on the clusters when this ConfigMap is deleted. Namespaces, credentials and \
         backups stay in any case unless deletions are allowed.",
    ),
    key(
        "templates",
        &[Hub],
        Form::OptionalObjectName,
        Default(""),
        "my-templates",
        "Name of a ConfigMap in the same namespace with templates of your own, which replace ours by name.",
    ),
];

/// A documented key by its name or another spelling of it.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
