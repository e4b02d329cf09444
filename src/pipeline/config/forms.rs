//! What values may be: the kinds of values, in words and as checks.

use super::types::{BackupNameStyle, InstallMode, OnDelete, OnDeselect, StoragePrefixStyle};
use super::value::Subject;
use super::{credentials, dpa, lists, selectors, values};

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What the template function `toBool` understands.
    Boolean,
    /// Name of a namespace.
    Namespace,
    /// Name of an object.
    ObjectName,
    /// Name of an object, or empty.
    OptionalObjectName,
    /// Beginning of an object name.
    NamePrefix,
    /// Channel of an operator.
    Channel,
    /// Base64 of a secret.
    Credentials,
    /// `spec` of a DataProtectionApplication.
    DataProtectionApplication,
    /// A cron expression.
    Schedule,
    /// A Go duration.
    TimeToLive,
    /// Namespaces to back up: globs allowed.
    IncludedNamespaces,
    /// Namespaces to leave out.
    ExcludedNamespaces,
    /// Kinds to leave out.
    ExcludedResources,
    /// Storage class to storage class.
    StorageClasses,
    /// A label selector for clusters.
    ClusterSelector,
    /// Names of ManagedClusterSets.
    ClusterSets,
    /// [`InstallMode`].
    InstallMode,
    /// A release of Velero.
    VeleroVersion,
    /// [`StoragePrefixStyle`].
    StoragePrefixStyle,
    /// [`BackupNameStyle`].
    BackupNameStyle,
    /// [`OnDeselect`].
    OnDeselect,
    /// [`OnDelete`].
    OnDelete,
}

impl Form {
    /// Examines a value and leaves the findings in the subject; `None` where one is an error.
    pub(super) fn examine(self, subject: &mut Subject<'_>) -> Option<()> {
        match self {
            Self::Boolean => values::boolean(subject).map(drop),
            Self::Namespace => values::namespace(subject).map(drop),
            Self::ObjectName => values::object_name(subject).map(drop),
            Self::OptionalObjectName => values::optional_object_name(subject).map(drop),
            Self::NamePrefix => values::name_prefix(subject).map(drop),
            Self::Channel => values::channel(subject).map(drop),
            Self::Credentials => credentials::credentials(subject).map(drop),
            Self::DataProtectionApplication => dpa::data_protection(subject).map(drop),
            Self::Schedule => values::schedule(subject).map(drop),
            Self::TimeToLive => values::time_to_live(subject).map(drop),
            Self::IncludedNamespaces => lists::included_namespaces(subject).map(drop),
            Self::ExcludedNamespaces => lists::excluded_namespaces(subject).map(drop),
            Self::ExcludedResources => lists::excluded_resources(subject).map(drop),
            Self::StorageClasses => lists::storage_classes(subject).map(drop),
            Self::ClusterSelector => selectors::cluster_selector(subject).map(drop),
            Self::ClusterSets => lists::cluster_sets(subject).map(drop),
            Self::InstallMode => values::word(subject, self, InstallMode::from_word).map(drop),
            Self::VeleroVersion => values::velero_version(subject).map(drop),
            Self::StoragePrefixStyle => values::word(subject, self, StoragePrefixStyle::from_word).map(drop),
            Self::BackupNameStyle => values::word(subject, self, BackupNameStyle::from_word).map(drop),
            Self::OnDeselect => values::word(subject, self, OnDeselect::from_word).map(drop),
            Self::OnDelete => values::word(subject, self, OnDelete::from_word).map(drop),
        }
    }

    /// What is expected, in words.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Boolean => "\"true\" or \"false\", in quotes",
            Self::Namespace => "the name of a namespace: lower-case letters, digits and '-', 63 at most",
            Self::ObjectName => "the name of an object: lower-case letters, digits, '-' and '.', 253 at most",
            Self::OptionalObjectName => {
                "empty, or the name of an object: lower-case letters, digits, '-' and '.', 253 at most"
            }
            Self::NamePrefix => {
                "the beginning of a name: lower-case letters, digits and '-', first a letter or digit"
            }
            Self::Channel => "one word, the channel of an operator",
            Self::Credentials => "base64 of a credentials file",
            Self::DataProtectionApplication => {
                "a mapping, the spec of a DataProtectionApplication, in YAML flow style"
            }
            Self::Schedule => {
                "a cron expression: minute, hour, day of month, month, day of week; or @daily, @every 6h"
            }
            Self::TimeToLive => "a Go duration that is not negative, in hours, minutes and seconds",
            Self::IncludedNamespaces => "a list of namespaces or globs",
            Self::ExcludedNamespaces => "a list of namespaces, none of them '*'",
            Self::ExcludedResources => "a list of kinds, none of them '*'",
            Self::StorageClasses => "a mapping of storage classes to storage classes",
            Self::ClusterSelector => {
                "a label selector, as kubectl takes it or as a mapping with matchLabels and matchExpressions"
            }
            Self::ClusterSets => "a list of ManagedClusterSets, at least one",
            Self::InstallMode => "oadp, velero or none",
            Self::VeleroVersion => "a release of Velero: three numbers",
            Self::StoragePrefixStyle => "shared or per-cluster",
            Self::BackupNameStyle => "legacy or short",
            Self::OnDeselect => "keep, pause or remove",
            Self::OnDelete => "keep or remove",
        }
    }
}
