//! A Velero that somebody else installed on a cluster: its definitions, and the manifests of `velero install`.

use flotilla::sim::kinds::{MANAGED, definition};
use flotilla::yaml;
use serde_json::json;

use super::input::{CREDENTIALS, project_file};
use super::plane::definitions;
use super::stage::Stage;
use super::user::User;
use super::{VELERO, World};

/// Brings the definitions of Velero's kinds to a bare cluster.
pub async fn define(world: &World, cluster: &str) {
    let user = &world.clusters[cluster];
    match world.stage.as_ref() {
        Stage::Plane(_) => definitions::install(&user.client(), &definitions::velero()).await,
        Stage::StandIn(_) => {
            for row in MANAGED.iter().filter(|row| row.group == "velero.io") {
                user.apply(definition::of_row(row), "").await;
            }
        }
    }
}

/// Applies the manifests of `velero install` with an image of this version. The real program is the same whatever is asked for.
pub async fn install(world: &World, cluster: &str, version: &str) {
    let text = project_file("tests/fixtures/velero/manifests.yaml")
        .replace("<credentials>", CREDENTIALS)
        .replace("velero/velero:v1.18.3", &format!("velero/velero:{version}"));
    // The first region in the text is the storage location's.
    let text = world.stage.with_storage(&text);
    for manifest in yaml::read_documents(&text).unwrap() {
        world.clusters[cluster].apply(manifest, VELERO).await;
    }
}

/// Stops or starts its server.
pub async fn scale(world: &World, cluster: &str, replicas: u32) {
    let patch = json!({"spec": {"replicas": replicas}});
    world.clusters[cluster].merge("Deployment", VELERO, "velero", &patch).await;
}
