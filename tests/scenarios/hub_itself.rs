//! The hub is one of its own clusters: `local-cluster`, whose kubeconfig leads back to the hub.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config_map_only::{configure, namespace};
use crate::pacman::completed_backup;
use crate::support::plane::definitions;
use crate::support::stage::Stage;
use crate::support::{POLICIES, VELERO, World, config_map};
use crate::{BACKUP, INSTALL};

const LOCAL: &str = "local-cluster";
/// The namespace that Advanced Cluster Management keeps for the backup of the hub.
const CLAIMED: &str = "open-cluster-management-backup";

/// The kind of the object by which Advanced Cluster Management is installed.
fn multi_cluster_hub_definition() -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "multiclusterhubs.operator.open-cluster-management.io"},
        "spec": {"group": "operator.open-cluster-management.io", "scope": "Namespaced",
            "names": {"kind": "MultiClusterHub", "listKind": "MultiClusterHubList", "plural": "multiclusterhubs",
                "singular": "multiclusterhub"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open}}}}]}})
}

/// A cluster that becomes the hub of itself.
async fn hub_of_itself(more: &[Value]) -> World {
    let stage = Arc::new(Stage::start(1, &[LOCAL.to_owned()], &[]).await);
    let world = World::on(&stage, LOCAL, &[LOCAL]).await;
    drop(stage);
    let mut kinds = flotilla::api::definitions::definitions();
    kinds.extend_from_slice(more);
    definitions::install(&world.hub.client(), &kinds).await;
    world.join(LOCAL).await;
    world.hub.label("ManagedCluster", LOCAL, &[("local-cluster", Some("true"))]).await;
    world
}

/// Row A13: an app beside the hub is backed up by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hub_backs_up_an_app_of_its_own() {
    let mut world = hub_of_itself(&[]).await;
    world.start_hub();
    world.create_pacman(LOCAL).await;
    namespace(&world, POLICIES, true).await;
    configure(&world, POLICIES, &config_map("pv-snap"), &[]).await;
    world.label_for_backup(LOCAL).await;
    let schedule = format!("acm-pv-dpa-1-{LOCAL}");
    world
        .hub
        .wait("the schedule to be enabled", "Schedule", Some(VELERO), |schedules| {
            (schedules.get(&schedule)?["status"]["phase"] == "Enabled").then_some(())
        })
        .await;
    world.stage.strike(&world.hub, &schedule).await;
    let backup = completed_backup(&world, LOCAL).await;
    let made = world.hub.get("Backup", VELERO, &backup).await.unwrap();
    assert_eq!(made["spec"]["includedNamespaces"], json!(["pacman-ns"]));
    for policy in [INSTALL, BACKUP] {
        world.policy_is(policy, LOCAL, "Compliant").await;
    }
    world.velero_took_everything().await;
    world.stop().await;
}

/// Row A28: Velero is not put where the hub's operator would take it away, until that operator is told to keep it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hubs_own_backup_must_be_on() {
    let mut world = hub_of_itself(&[multi_cluster_hub_definition()]).await;
    namespace(&world, "open-cluster-management", false).await;
    let hub = |enabled: bool| {
        json!({"apiVersion": "operator.open-cluster-management.io/v1", "kind": "MultiClusterHub",
            "metadata": {"name": "multiclusterhub"},
            "spec": {"overrides": {"components": [{"name": "cluster-backup", "enabled": enabled}]}}})
    };
    world.hub.apply(hub(false), "open-cluster-management").await;
    world.start_hub();
    namespace(&world, POLICIES, true).await;
    configure(&world, POLICIES, &config_map("pv-snap"), &[("backupNS", CLAIMED)]).await;
    world.label_for_backup(LOCAL).await;
    let told = world
        .hub
        .wait("the install policy to be held", "Policy", Some(LOCAL), |policies| {
            let replica = policies.get(&format!("{POLICIES}.{INSTALL}"))?;
            let message = replica["status"]["details"][0]["history"][0]["message"].as_str()?;
            message.contains("MultiClusterHub").then(|| message.to_owned())
        })
        .await;
    assert!(
        told.contains("MultiClusterHub open-cluster-management/multiclusterhub")
            && told.contains("enable cluster-backup in spec.overrides.components"),
        "{told}"
    );
    world.policy_is(INSTALL, LOCAL, "NonCompliant").await;
    assert!(world.hub.get("Namespace", "", CLAIMED).await.is_none(), "nothing is pushed");

    world.hub.apply(hub(true), "open-cluster-management").await;
    let schedule = format!("acm-pv-dpa-1-{LOCAL}");
    world
        .hub
        .wait("the schedule to be enabled", "Schedule", Some(CLAIMED), |schedules| {
            (schedules.get(&schedule)?["status"]["phase"] == "Enabled").then_some(())
        })
        .await;
    world.policy_is(INSTALL, LOCAL, "Compliant").await;
    world.stop().await;
}
