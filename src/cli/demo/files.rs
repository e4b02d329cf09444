//! What the demo brings along in the binary: the project's own policies and configuration, and the app.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::adapters::source::{Gathered, is_namespaced, read_stream};
use crate::api::object::Manifest;
use crate::cli::exit::Failure;

/// The namespace of the policies on the hub.
pub(super) const POLICY_NAMESPACE: &str = "flotilla-policies";
/// The namespace of the app on the clusters.
pub(super) const APP_NAMESPACE: &str = "pacman";

/// The directory of the policies, as `kubectl apply -k` takes it.
pub(super) const POLICY_DIRECTORY: &str = "policies";
/// The file of the app.
pub(super) const APP_FILE: &str = "pacman.yaml";

/// Files of the policies directory, in the order in which they are applied.
const POLICIES: &[(&str, &str)] = &[
    ("namespace.yaml", include_str!("../../../kustomize/policies/namespace.yaml")),
    (
        "managed-cluster-set-binding.yaml",
        include_str!("../../../kustomize/policies/managed-cluster-set-binding.yaml"),
    ),
    ("hdr-app-configmap.yaml", include_str!("../../../configmaps/demo.yaml")),
    ("oadp-hdr-app-install.yaml", include_str!("../../../policies/oadp-hdr-app-install.yaml")),
    ("oadp-hdr-app-backup.yaml", include_str!("../../../policies/oadp-hdr-app-backup.yaml")),
    ("oadp-hdr-app-restore.yaml", include_str!("../../../policies/oadp-hdr-app-restore.yaml")),
    ("acm-app-backup-policy-set.yaml", include_str!("../../../policies/acm-app-backup-policy-set.yaml")),
    ("acm-app-restore-policy-set.yaml", include_str!("../../../policies/acm-app-restore-policy-set.yaml")),
];

const APP: &str = include_str!("pacman.yaml");

/// Writes the files so that the commands which the demo prints can be typed.
pub(super) fn write(directory: &Path) -> Result<(), Failure> {
    let policies = directory.join(POLICY_DIRECTORY);
    std::fs::create_dir_all(&policies)
        .map_err(|error| Failure::new(format!("failed to make directory {}: {error}", policies.display())))?;
    let mut kustomization = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: {POLICY_NAMESPACE}\nresources:\n"
    );
    for (name, text) in POLICIES {
        write_file(&policies.join(name), text)?;
        let _written = writeln!(kustomization, "  - {name}");
    }
    write_file(&policies.join("kustomization.yaml"), &kustomization)?;
    write_file(&directory.join(APP_FILE), APP)
}

fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::File::create(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::new(format!("failed to write {}: {error}", path.display())))
}

/// The objects of the policies directory.
pub(super) fn policies() -> Result<Vec<Manifest>, Failure> {
    let mut gathered = Gathered::default();
    for (name, text) in POLICIES {
        read_stream(name, text, &mut gathered);
    }
    manifests(gathered, Some(POLICY_NAMESPACE))
}

/// The objects of the app.
pub(super) fn app() -> Result<Vec<Manifest>, Failure> {
    let mut gathered = Gathered::default();
    read_stream(APP_FILE, APP, &mut gathered);
    manifests(gathered, None)
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
        let policies = policies().unwrap();
        let names: Vec<String> =
            policies.iter().filter_map(Manifest::key).map(|key| key.to_string()).collect();
        for expected in [
            "Namespace flotilla-policies",
            "ManagedClusterSetBinding flotilla-policies/default",
            "ConfigMap flotilla-policies/hdr-app-configmap",
            "Policy flotilla-policies/oadp-hdr-app-install",
            "PolicySet flotilla-policies/acm-app-backup",
            "PolicySet flotilla-policies/acm-app-restore",
        ] {
            assert!(names.iter().any(|name| name == expected), "{expected} in {names:?}");
        }
        assert_eq!(names.iter().filter(|name| name.starts_with("Policy ")).count(), 3);
        let config = policies.iter().find(|manifest| manifest.kind() == "ConfigMap").unwrap();
        assert!(config.text_at(&["data", "backupNSToBackup"]).unwrap().contains(APP_NAMESPACE));
        assert!(app().unwrap().len() >= 5);
    }

    #[test]
    fn the_directory_is_what_kubectl_applies() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let gathered = crate::adapters::source::gather([directory.path()]);
        assert!(gathered.errors.is_empty(), "{:?}", gathered.errors);
        assert_eq!(gathered.objects.len(), policies().unwrap().len() + app().unwrap().len());
    }
}
