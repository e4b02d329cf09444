//! The releases of Velero that the hub can install by itself: which there are, and what belongs to each of them, so that one
//! version moves all of it together.
//!
//! Takes a version; gives definitions, images and what differs between releases. Must not touch: configuration, clients, files.

mod definitions;

use std::fmt;

pub use definitions::definitions;

/// A minor release of Velero. Its patch releases share its definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// 1.17
    V1_17,
    /// 1.18
    V1_18,
}

impl Release {
    /// All that are known, the oldest first.
    pub const ALL: [Self; 2] = [Self::V1_17, Self::V1_18];

    /// The release of a version: its first two numbers. `None` for one that is not known.
    pub const fn of(major: u32, minor: u32) -> Option<Self> {
        match (major, minor) {
            (1, 17) => Some(Self::V1_17),
            (1, 18) => Some(Self::V1_18),
            _ => None,
        }
    }

    /// The release of a version as it is written: `1.18.3`, with or without a `v`. `None` for one that is not known, and for
    /// what is no version.
    pub fn of_text(version: &str) -> Option<Self> {
        let mut numbers = version.strip_prefix('v').unwrap_or(version).split('.').map(str::parse::<u32>);
        let (major, minor, patch) = (numbers.next()?, numbers.next()?, numbers.next()?);
        if patch.is_err() || numbers.next().is_some() {
            return None;
        }
        Self::of(major.ok()?, minor.ok()?)
    }

    /// The image of a plugin that fits: those of Velero's own makers, whose release that fits is in the table of each plugin's
    /// documentation. They are pinned, as Velero is.
    pub const fn plugin_image(self, plugin: Plugin) -> &'static str {
        match (self, plugin) {
            (Self::V1_17, Plugin::Aws) => "velero/velero-plugin-for-aws:v1.13.0",
            (Self::V1_17, Plugin::Gcp) => "velero/velero-plugin-for-gcp:v1.13.0",
            (Self::V1_17, Plugin::Azure) => "velero/velero-plugin-for-microsoft-azure:v1.13.0",
            (Self::V1_18, Plugin::Aws) => "velero/velero-plugin-for-aws:v1.14.3",
            (Self::V1_18, Plugin::Gcp) => "velero/velero-plugin-for-gcp:v1.14.0",
            (Self::V1_18, Plugin::Azure) => "velero/velero-plugin-for-microsoft-azure:v1.14.0",
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1_17 => "1.17",
            Self::V1_18 => "1.18",
        })
    }
}

/// A plugin of Velero for a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// Amazon, and every other storage that speaks S3.
    Aws,
    /// Google.
    Gcp,
    /// Microsoft.
    Azure,
}

impl Plugin {
    /// By its name in `defaultPlugins` of a DataProtectionApplication.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "aws" => Some(Self::Aws),
            "gcp" => Some(Self::Gcp),
            "azure" => Some(Self::Azure),
            _ => None,
        }
    }

    /// The key of `unsupportedOverrides` in which OADP looks for another image of the plugin.
    pub const fn override_key(self) -> &'static str {
        match self {
            Self::Aws => "awsPluginImageFqin",
            Self::Gcp => "gcpPluginImageFqin",
            Self::Azure => "azurePluginImageFqin",
        }
    }
}

/// Velero's namespace when nobody names another; its role binding needs no longer name then.
const USUAL_NAMESPACE: &str = "velero";

/// The name of the binding that gives Velero in a namespace its rights, as `velero install` chooses it: no two namespaces share one.
pub fn role_binding_name(namespace: &str) -> String {
    if namespace == USUAL_NAMESPACE { USUAL_NAMESPACE.to_owned() } else { format!("velero-{namespace}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_releases_share_a_release() {
        for (text, expected) in [
            ("1.18.3", Some(Release::V1_18)),
            ("v1.18.0", Some(Release::V1_18)),
            ("1.17.2", Some(Release::V1_17)),
            ("1.16.2", None),
            ("2.18.0", None),
            ("1.18", None),
            ("1.18.3.1", None),
            ("1.18.x", None),
            ("", None),
        ] {
            assert_eq!(Release::of_text(text), expected, "{text}");
        }
    }
}
