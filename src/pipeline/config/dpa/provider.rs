//! The clouds that OADP knows, and what it asks of each.

/// A cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    /// Amazon, and every other storage that speaks S3.
    Aws,
    /// Microsoft.
    Azure,
    /// Google.
    Gcp,
}

impl Provider {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("velero.io/").unwrap_or(name) {
            "aws" => Some(Self::Aws),
            "azure" => Some(Self::Azure),
            "gcp" => Some(Self::Gcp),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// The plugins that serve it.
    pub(super) const fn plugins(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["aws", "legacy-aws"],
            Self::Azure => &["azure"],
            Self::Gcp => &["gcp"],
        }
    }

    /// What a snapshot location may configure.
    pub(super) const fn snapshot_fields(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["profile", "region", "credentialsFile", "enableSharedConfig"],
            Self::Azure => &["apiTimeout", "incremental", "subscriptionId", "resourceGroup"],
            Self::Gcp => &["project", "snapshotLocation"],
        }
    }
}
