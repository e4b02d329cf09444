//! The definitions of others' kinds: Open Cluster Management's on a hub; OLM's, OADP's and Velero's on a managed cluster.
//!
//! They come from `../shared/data` where that is present, else out of the published modules (`make plane` fetched them).
//! Velero's come from the Velero that the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;

use flotilla::sim::kinds::{MANAGED, definition};
use flotilla::yaml;
use kube::api::{Api, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::Value;

use super::process::program;
use crate::support::{read, shared_data};

/// What a hub with Open Cluster Management knows.
pub fn hub() -> Vec<Value> {
    match shared_data() {
        Some(data) => ["cluster", "policy"]
            .iter()
            .flat_map(|folder| folder_of(&data.join("crds").join(folder)))
            .collect(),
        None => folder_of(&fetched("hub")),
    }
}

/// What a managed cluster with OLM, OADP and Velero knows.
pub fn managed() -> Vec<Value> {
    let mut definitions = if let Some(data) = shared_data() {
        folder_of(&data.join("crds/payload"))
    } else {
        // The published module of OADP is older than what the policies need: its definition is an open one.
        let row = MANAGED.iter().find(|row| row.kind == "DataProtectionApplication").unwrap();
        let mut definitions = folder_of(&fetched("managed"));
        definitions.push(definition::of_row(row));
        definitions
    };
    definitions.retain(|definition| definition["spec"]["group"] != "velero.io");
    definitions.extend(velero());
    definitions
}

/// Velero's own.
pub fn velero() -> Vec<Value> {
    let output = Command::new(program("velero"))
        .args(["install", "--crds-only", "--dry-run", "-o", "yaml"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list = yaml::read_documents(&String::from_utf8(output.stdout).unwrap()).unwrap().remove(0);
    list["items"].as_array().unwrap().clone()
}

fn fetched(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plane/crds").join(folder)
}

fn folder_of(path: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}; `make plane` makes it", path.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| yaml::read_documents(&read(file)).unwrap()).collect()
}

/// The resource of definitions.
pub fn resource() -> ApiResource {
    ApiResource {
        group: "apiextensions.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    }
}

/// Creates definitions and waits until all are established.
pub async fn install(client: &kube::Client, definitions: &[Value]) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource());
    for definition in definitions {
        let object: DynamicObject = serde_json::from_value(definition.clone()).unwrap();
        let name = object.metadata.name.clone().unwrap();
        api.create(&PostParams::default(), &object)
            .await
            .unwrap_or_else(|error| panic!("failed to create the definition {name}: {error}"));
    }
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in definitions {
        let name = definition["metadata"]["name"].as_str().unwrap();
        await_condition(api.clone(), name, conditions::is_crd_established()).await.unwrap();
    }
}
