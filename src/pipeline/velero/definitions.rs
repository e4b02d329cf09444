//! The CustomResourceDefinitions of a release, as `velero install` makes them of the files in `vendor/velero`.

use std::sync::{Arc, LazyLock};

use serde_json::json;

use super::Release;
use crate::api::object::Manifest;
use crate::yaml;

type Definitions = Result<Vec<Arc<Manifest>>, String>;

static OF_1_17: LazyLock<Definitions> =
    LazyLock::new(|| read(include_str!("../../../vendor/velero/1.17.yaml")));
static OF_1_18: LazyLock<Definitions> =
    LazyLock::new(|| read(include_str!("../../../vendor/velero/1.18.yaml")));

/// The definitions of a release, in the order of their files. They are read once and shared.
///
/// # Errors
/// When the embedded text cannot be read, which the tests rule out.
pub fn definitions(release: Release) -> Result<&'static [Arc<Manifest>], &'static str> {
    let read = match release {
        Release::V1_17 => &OF_1_17,
        Release::V1_18 => &OF_1_18,
    };
    read.as_ref().map(Vec::as_slice).map_err(String::as_str)
}

fn read(text: &str) -> Definitions {
    let documents = yaml::read_documents(text)
        .map_err(|error| format!("failed to read Velero's definitions: {error}"))?;
    documents
        .into_iter()
        .map(|mut document| {
            document["metadata"]["labels"] = json!({"component": "velero"});
            // What the API server fills in, so that a comparison of the whole finds nothing.
            document["spec"]["conversion"] = json!({"strategy": "None"});
            Manifest::parse(document)
                .map(Arc::new)
                .map_err(|error| format!("failed to read a definition of Velero: {error}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_all_kinds_of_velero() {
        for release in Release::ALL {
            let definitions = definitions(release).unwrap();
            let mut names: Vec<&str> =
                definitions.iter().filter_map(|definition| definition.name()).collect();
            names.sort_unstable();
            let expected = [
                "backuprepositories",
                "backups",
                "backupstoragelocations",
                "datadownloads",
                "datauploads",
                "deletebackuprequests",
                "downloadrequests",
                "podvolumebackups",
                "podvolumerestores",
                "restores",
                "schedules",
                "serverstatusrequests",
                "volumesnapshotlocations",
            ]
            .map(|plural| format!("{plural}.velero.io"));
            assert_eq!(names, expected, "{release}");
            assert!(definitions.iter().all(|definition| definition.kind() == "CustomResourceDefinition"));
        }
    }
}
