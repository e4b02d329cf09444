//! What the demo brings along in the binary: the namespace of the configuration, the configuration itself, and the app.

use std::io::Write as _;
use std::path::Path;

use crate::adapters::source::{Gathered, is_namespaced, read_stream};
use crate::api::object::Manifest;
use crate::api::ocm::names::PROTECT_LABEL;
use crate::cli::exit::Failure;

/// The namespace of the configuration on the hub.
pub(super) const POLICY_NAMESPACE: &str = "flotilla-policies";
/// The namespace of the app on the clusters.
pub(super) const APP_NAMESPACE: &str = "pacman";

/// The file of the namespace and of the cluster set that it may use.
pub(super) const NAMESPACE_FILE: &str = "namespace.yaml";
/// The file of the configuration.
pub(super) const CONFIGURATION_FILE: &str = "hdr-app-configmap.yaml";
/// The file of the app.
pub(super) const APP_FILE: &str = "pacman.yaml";

const NAMESPACE: &str = include_str!("../../../kustomize/policies/namespace.yaml");
const SET_BINDING: &str = include_str!("../../../kustomize/policies/managed-cluster-set-binding.yaml");
const CONFIGURATION: &str = include_str!("../../../configmaps/demo.yaml");
const APP: &str = include_str!("pacman.yaml");

/// Writes the files so that the commands which the demo prints can be typed.
pub(super) fn write(directory: &Path) -> Result<(), Failure> {
    for (name, text) in [
        (NAMESPACE_FILE, namespace_text()),
        (CONFIGURATION_FILE, configuration_text()),
        (APP_FILE, APP.to_owned()),
    ] {
        let path = directory.join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Failure::new(format!("failed to write {}: {error}", path.display())))?;
    }
    Ok(())
}

fn namespace_text() -> String {
    let binding = SET_BINDING.replace(
        "metadata:\n  name: default\n",
        &format!("metadata:\n  name: default\n  namespace: {POLICY_NAMESPACE}\n"),
    );
    format!("{NAMESPACE}---\n{binding}")
}

/// The sample, with the label that asks for protection: it serves policies that are applied by hand too.
fn configuration_text() -> String {
    let place = format!("  namespace: {POLICY_NAMESPACE}\n");
    CONFIGURATION.replace(&place, &format!("{place}  labels: {{{PROTECT_LABEL}: \"true\"}}\n"))
}

/// The namespace of the configuration, and the binding of its cluster set.
pub(super) fn namespace() -> Result<Vec<Manifest>, Failure> {
    read(NAMESPACE_FILE, &namespace_text(), Some(POLICY_NAMESPACE))
}

/// The configuration.
pub(super) fn configuration() -> Result<Vec<Manifest>, Failure> {
    read(CONFIGURATION_FILE, &configuration_text(), Some(POLICY_NAMESPACE))
}

/// The objects of the app.
pub(super) fn app() -> Result<Vec<Manifest>, Failure> {
    read(APP_FILE, APP, None)
}

fn read(name: &str, text: &str, namespace: Option<&str>) -> Result<Vec<Manifest>, Failure> {
    let mut gathered = Gathered::default();
    read_stream(name, text, &mut gathered);
    manifests(gathered, namespace)
}

fn manifests(gathered: Gathered, namespace: Option<&str>) -> Result<Vec<Manifest>, Failure> {
    if let Some(error) = gathered.errors.first() {
        return Err(Failure::new(error.to_string()));
    }
    let placed = |manifest: Manifest| match namespace {
        Some(namespace) if is_namespaced(&manifest.gvk().group, manifest.kind()) => {
            manifest.with_namespace(Some(namespace))
        }
        Some(_) | None => manifest,
    };
    Ok(gathered.objects.into_iter().map(|found| placed(found.manifest)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_in_the_binary() {
        let names: Vec<String> = namespace()
            .unwrap()
            .iter()
            .chain(&configuration().unwrap())
            .filter_map(Manifest::key)
            .map(|key| key.to_string())
            .collect();
        assert_eq!(
            names,
            [
                "Namespace flotilla-policies",
                "ManagedClusterSetBinding flotilla-policies/default",
                "ConfigMap flotilla-policies/hdr-app-configmap"
            ]
        );
        let configuration = configuration().unwrap().remove(0);
        assert_eq!(configuration.label(PROTECT_LABEL), Some("true"));
        assert!(configuration.text_at(&["data", "backupNSToBackup"]).unwrap().contains(APP_NAMESPACE));
        assert!(app().unwrap().len() >= 5);
    }

    #[test]
    fn the_files_are_what_kubectl_applies() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let gathered = crate::adapters::source::gather([directory.path()]);
        assert!(gathered.errors.is_empty(), "{:?}", gathered.errors);
        assert_eq!(gathered.objects.len(), 3 + app().unwrap().len());
        assert!(gathered.objects.iter().all(|found| {
            let gvk = found.manifest.gvk();
            found.manifest.namespace().is_some() || !is_namespaced(&gvk.group, &gvk.kind)
        }));
    }
}
