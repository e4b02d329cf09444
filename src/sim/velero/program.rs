//! What the simulated server is made of: its version and its plugins, from the images of its Pod.
//!
//! Takes a Pod as the API holds it. Knows the images of Velero's own plugins by name; what another image would bring is not
//! played.

use std::collections::BTreeSet;

use super::edit::{items, text};
use crate::api::object::Manifest;

/// The version of a server whose image says none.
pub const SERVER_VERSION: &str = "v1.18.3";
/// A part of the name of each plugin's image, and the provider that it brings.
const PLUGINS: [(&str, &str); 3] = [
    ("velero-plugin-for-aws", "aws"),
    ("velero-plugin-for-gcp", "gcp"),
    ("velero-plugin-for-microsoft-azure", "azure"),
];

/// The program in a Pod.
pub(super) struct Program {
    /// As Velero tells it, with the `v`.
    pub(super) version: String,
    /// The providers of storage, without `velero.io/`.
    pub(super) providers: BTreeSet<&'static str>,
}

impl Program {
    /// The program of a server's Pod.
    pub(super) fn of(pod: &Manifest) -> Self {
        let pod = pod.to_value();
        let images = |field| {
            let containers = items(&pod, &["spec", field]).iter();
            containers.map(|container| text(container, &["image"]).to_owned()).collect::<Vec<_>>()
        };
        let version = images("containers").first().and_then(|image| version_of(image).map(ToOwned::to_owned));
        let brought = images("initContainers");
        let providers =
            PLUGINS.into_iter().filter(|(part, _)| brought.iter().any(|image| image.contains(part)));
        Self {
            version: version.unwrap_or_else(|| SERVER_VERSION.to_owned()),
            providers: providers.map(|(_, provider)| provider).collect(),
        }
    }

    /// The plugins as a `ServerStatusRequest` lists them: name and kind.
    pub(super) fn plugins(&self) -> Vec<(String, &'static str)> {
        let own = [
            ("velero.io/change-storage-class".to_owned(), "RestoreItemAction"),
            ("velero.io/pv".to_owned(), "BackupItemAction"),
        ];
        let brought = self.providers.iter().flat_map(|provider| {
            ["ObjectStore", "VolumeSnapshotter"].map(|kind| (format!("velero.io/{provider}"), kind))
        });
        brought.chain(own).collect()
    }
}

/// The tag of an image, if that is a version of Velero's.
fn version_of(image: &str) -> Option<&str> {
    let (_, tag) = image.split('@').next()?.rsplit_once(':')?;
    tag.strip_prefix('v')
        .is_some_and(|digits| digits.starts_with(|first: char| first.is_ascii_digit()))
        .then_some(tag)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("velero/velero:v1.16.2", Some("v1.16.2"))]
    #[case("registry:5000/velero/velero:v1.18.3@sha256:00", Some("v1.18.3"))]
    #[case("quay.io/konveyor/velero:oadp-1.5", None)]
    #[case("velero/velero", None)]
    #[case("velero/velero:velero", None)]
    fn the_version_is_in_the_tag(#[case] image: &str, #[case] version: Option<&str>) {
        assert_eq!(version_of(image), version);
    }
}
