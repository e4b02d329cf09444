//! What a user brings: policies, and ConfigMaps with their placeholders filled in.

use std::path::{Path, PathBuf};

use flotilla::api::object::Manifest;
use flotilla::yaml;
use serde_json::{Value, json};

/// The credentials of the object storage (`support/plane/storage.rs`), as a ConfigMap holds them.
pub const CREDENTIALS: &str =
    "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPUFLSUFURVNUCmF3c19zZWNyZXRfYWNjZXNzX2tleT1jMmVjcmV0Cg==";

/// Where the data of others lies, when it is present.
pub fn shared_data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    path.exists().then_some(path)
}

/// Whether the policies of others are absent, and says so: a scenario that holds what these very policies say or keep is then
/// skipped. All others go on with the project's own.
pub fn others_are_absent() -> bool {
    let absent = shared_data().is_none();
    if absent {
        println!("skipped: the policies of others are not here");
    }
    absent
}

/// The five unmodified files, or the project's own policies where the former are absent.
pub fn policy_files() -> Vec<PathBuf> {
    match shared_data() {
        Some(data) => {
            let resources = data.join("acm-app-pv-backup/resources");
            [
                "policy-sets/acm-app-backup-policy-set.yaml",
                "policy-sets/acm-app-restore-policy-set.yaml",
                "policies/oadp-hdr-app-install.yaml",
                "policies/oadp-hdr-app-backup.yaml",
                "policies/oadp-hdr-app-restore.yaml",
            ]
            .map(|file| resources.join(file))
            .to_vec()
        }
        None => own_policy_files(),
    }
}

/// The project's own policies.
pub fn own_policy_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name != "kustomization.yaml"))
        .collect();
    files.sort();
    files
}

/// A sample ConfigMap, its placeholders filled in, for the namespace `pacman-ns`: `pv-snap` or `restic`. Without the data
/// of others it is the project's own of the same purpose, its keys under the names of theirs.
pub fn config_map(preset: &str) -> String {
    if let Some(data) = shared_data() {
        let path = data.join(format!("acm-app-pv-backup/input/{preset}/hdr-app-configmap.txt"));
        return fill_in(&read(&path), "pacman-ns");
    }
    let (file, prefix) = match preset {
        "pv-snap" => ("configmaps/pv-snap.yaml", "acm-pv"),
        "restic" => ("configmaps/file-system-backup.yaml", "acm-restic"),
        other => panic!("there is no sample {other}"),
    };
    let text = fill_in(&read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)), "pacman-ns");
    let mut document = yaml::read_documents(&text).unwrap().remove(0);
    document["metadata"].as_object_mut().unwrap().retain(|field, _| field == "name");
    document["data"]["backupPrefix"] = json!(prefix);
    document["data"]["backupSchedule"] = json!("0 */1 * * *");
    document["data"]["backupTTL"] = json!("240h0m0s");
    yaml::write(&document).unwrap()
}

/// Fills in the placeholders of a sample ConfigMap.
pub fn fill_in(text: &str, namespace: &str) -> String {
    let mut filled = String::new();
    for line in text.lines() {
        let line = if line.trim_start().starts_with("dpaAwsBackupCloudCredentials:") {
            format!("  dpaAwsBackupCloudCredentials: {CREDENTIALS}")
        } else if line.trim_start().starts_with("backupNSToBackup:") {
            format!("  backupNSToBackup: \"[\\\"{namespace}\\\"]\"")
        } else {
            line.replace("<us-east-1>", "us-east-1")
                .replace("<region of the bucket>", "us-east-1")
                .replace("<region of the volumes>", "us-east-1")
                .replace("<bucket>", "flotilla")
                .replace("<folder in the bucket>", "velero")
                .replace("<dpaBackupCloudCredentialsName>", "cloud-credentials")
                .replace("<bucket-name>", "flotilla")
                .replace("<in-bucket-folder-name>", "velero")
                .replace("<aws>", "aws")
                .replace("<east1>", "default")
                .replace("<use here ClusterClaim region.open-cluster-management.io value>", "us-east-1")
        };
        filled.push_str(&line);
        filled.push('\n');
    }
    filled
}

/// Binds a policy to the clusters of a Placement.
pub fn binding(policy: &str, placement: &str) -> Value {
    json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "PlacementBinding",
        "metadata": {"name": format!("bind-{policy}")},
        "placementRef": {"apiGroup": "cluster.open-cluster-management.io", "kind": "Placement", "name": placement},
        "subjects": [{"apiGroup": "policy.open-cluster-management.io", "kind": "Policy", "name": policy}]})
}

/// A Placement of the one cluster of this name.
pub fn placement_of(cluster: &str, name: &str) -> Value {
    let expression = format!("managedCluster.metadata.labels['name'] == '{cluster}'");
    json!({"apiVersion": "cluster.open-cluster-management.io/v1beta1", "kind": "Placement",
        "metadata": {"name": name},
        "spec": {"predicates": [{"requiredClusterSelector": {"celSelector": {"celExpressions": [expression]}}}]}})
}

/// The Placement of the clusters that are backed up.
pub const BACKED_UP: &str = "acm-app-backup-placement";

/// A manifest from YAML.
pub fn manifest(text: &str) -> Manifest {
    Manifest::parse(yaml::read(text, yaml::Dialect::Kubernetes).unwrap()).unwrap()
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
/// The text of a file of the project.
pub fn project_file(path: &str) -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}
