//! What the values of the ConfigMap are once they have been checked: each type holds only what its key takes.
//!
//! Takes nothing but what the checks of this room let through; gives values to those who render. Must not touch: texts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::cron::Cron;
use super::go_duration::GoDuration;
use crate::pipeline::velero::Release;

/// Texts that were checked; they are made in this room only.
macro_rules! checked_text {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The caller has checked the text.
            pub(super) fn checked(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// As it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )+};
}

checked_text! {
    /// Name of a namespace: a DNS-1123 label.
    Namespace;
    /// Name of an object: a DNS-1123 subdomain.
    ObjectName;
    /// Channel of an operator: one word.
    Channel;
    /// How the names of Schedules begin: what may stand at the beginning of an object name.
    NamePrefix;
    /// A namespace to back up: a name, or a glob, which Velero reads from 1.18.
    NamespacePattern;
    /// A word in a list of exclusions: not empty, not `*`.
    Exclusion;
    /// Name of a ManagedClusterSet.
    ClusterSetName;
    /// Name of a storage class.
    StorageClassName;
}

/// The credentials file of the object storage, in base64 as it was written. `Debug` does not show it.
#[derive(Clone)]
pub struct Credentials(Arc<SecretString>);

impl Credentials {
    pub(super) fn checked(encoded: &str) -> Self {
        Self(Arc::new(SecretString::from(encoded.to_owned())))
    }

    /// The base64 text, which goes into `data` of the Secret. A secret: never log or show it.
    pub fn expose_base64(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(withheld)")
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.expose_base64() == other.expose_base64()
    }
}

impl Eq for Credentials {}

/// The `spec` of a DataProtectionApplication, a mapping that passed the rules of the OADP operator.
#[derive(Debug, Clone, PartialEq)]
pub struct DataProtection {
    spec: Map<String, Value>,
}

impl DataProtection {
    pub(super) const fn checked(spec: Map<String, Value>) -> Self {
        Self { spec }
    }

    /// The mapping as it was written; fields of older versions are not translated yet.
    pub const fn spec(&self) -> &Map<String, Value> {
        &self.spec
    }

    /// `backupLocations`, each an object; empty with `noDefaultBackupLocation`.
    pub fn backup_locations(&self) -> &[Value] {
        self.list("backupLocations")
    }

    /// `snapshotLocations`, each an object.
    pub fn snapshot_locations(&self) -> &[Value] {
        self.list("snapshotLocations")
    }

    /// Names of the backup storage locations that OADP makes of it.
    pub fn backup_location_names(&self, application: &ObjectName) -> Vec<String> {
        location_names(self.backup_locations(), application.as_str())
    }

    /// Names of the volume snapshot locations that OADP makes of it.
    pub fn snapshot_location_names(&self, application: &ObjectName) -> Vec<String> {
        location_names(self.snapshot_locations(), application.as_str())
    }

    fn list(&self, field: &str) -> &[Value] {
        self.spec.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// OADP names a location as it says, else `<application>-<number from 1>` (upstream: `bsl.go`, `vsl.go`).
pub(super) fn location_names(locations: &[Value], application: &str) -> Vec<String> {
    let name = |(index, location): (usize, &Value)| {
        let given = location.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        given.map_or_else(|| format!("{application}-{}", index + 1), ToOwned::to_owned)
    };
    locations.iter().enumerate().map(name).collect()
}

/// When backups are made: a cron expression that Velero reads.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupSchedule {
    pub(super) text: String,
    pub(super) cron: Cron,
}

impl BackupSchedule {
    /// As it is written, for `Schedule.spec.schedule`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it means.
    pub const fn cron(&self) -> &Cron {
        &self.cron
    }
}

/// How long a backup is kept: a Go duration that is not negative.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeToLive {
    pub(super) text: String,
    pub(super) duration: GoDuration,
}

impl TimeToLive {
    /// As it is written, for `spec.ttl`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How long; zero stands for Velero's own default, 720h.
    pub const fn duration(&self) -> GoDuration {
        self.duration
    }
}

/// A release of Velero, without the leading `v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VeleroVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl VeleroVersion {
    /// The release that the hub can install; `None` for one whose definitions and plugins it does not know.
    pub const fn release(self) -> Option<Release> {
        Release::of(self.major, self.minor)
    }
}

impl fmt::Display for VeleroVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Enums that a key takes as one word.
macro_rules! words {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$word_doc:meta])+ $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$word_doc])+ $variant,)+ }

        impl $name {
            /// All words that the key takes.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word in the ConfigMap.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What a word stands for; `None` for any other.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )+};
}

words! {
    /// Key `installMode`: how Velero comes onto the clusters.
    InstallMode {
        /// The OADP operator, by the Operator Lifecycle Manager.
        Oadp = "oadp",
        /// Velero itself, rendered by the hub.
        Velero = "velero",
        /// Not at all: it is there already.
        Existing = "none",
    }

    /// Key `storagePrefixStyle`: who writes where in the bucket.
    StoragePrefixStyle {
        /// All clusters under the prefix of `dpaSpec`.
        Shared = "shared",
        /// Each cluster under a folder of its own below it.
        PerCluster = "per-cluster",
    }

    /// Key `backupNameStyle`: what is done about names that are too long.
    BackupNameStyle {
        /// They are refused.
        Legacy = "legacy",
        /// They are shortened, and a hash is added.
        Short = "short",
    }

    /// Key `onDeselect`: what becomes of a cluster that is no longer selected.
    OnDeselect {
        /// Its Schedule goes; Velero, credentials, namespace and backups stay.
        Keep = "keep",
        /// Its Schedule stays, paused, and all else too.
        Pause = "pause",
        /// What the policies made is removed; namespaces, credentials and backups stay unless deletions are allowed.
        Remove = "remove",
    }

    /// Key `onDelete`: what becomes of the clusters when the ConfigMap is deleted.
    OnDelete {
        /// Everything stays as it is.
        Keep = "keep",
        /// What the policies made is removed; namespaces, credentials and backups stay unless deletions are allowed.
        Remove = "remove",
    }
}

/// Keys that the table does not know, for templates of users. `Debug` shows their names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OwnValues(BTreeMap<String, String>);

impl OwnValues {
    pub(super) const fn new(values: BTreeMap<String, String>) -> Self {
        Self(values)
    }

    /// The value of a key. It may be a secret.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All of them. A value may be a secret.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl fmt::Debug for OwnValues {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
