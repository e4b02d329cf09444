//! T2 and A15: several configurations on one hub.

use serde_json::json;

use crate::support::{self, VELERO, World, config_map};

/// Row A87: pacman on c1 and c2, mysql on c3, each configuration in a namespace of its own.
async fn t2_two_configurations(preset: &str, schedule: &str) {
    let pacman = config_map(preset);
    let mysql = pacman.replace("pacman-ns", "mysql-ns");
    let world = World::start().await;
    for (namespace, config, environment) in
        [("pacman-policy-ns", &pacman, "pacman"), ("mysql-policy-ns", &mysql, "mysql")]
    {
        world
            .hub
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}), "")
            .await;
        world.hub.apply_text(&world.stage.with_storage(config), namespace).await;
        for file in support::policy_files() {
            let text = support::read(&file);
            for mut document in flotilla::yaml::read_documents(&text).unwrap() {
                if document["kind"] == "Placement"
                    && document["metadata"]["name"] == "acm-app-backup-placement"
                {
                    document["spec"]["predicates"][0]["requiredClusterSelector"]["labelSelector"]["matchExpressions"] =
                        json!([{"key": "app", "operator": "In", "values": [environment]}]);
                }
                world.hub.apply(document, namespace).await;
            }
        }
        world
            .hub
            .apply(
                json!({"apiVersion": "cluster.open-cluster-management.io/v1beta2", "kind": "ManagedClusterSetBinding",
                    "metadata": {"name": "default"}, "spec": {"clusterSet": "default"}}),
                namespace,
            )
            .await;
    }
    for (cluster, app) in [("c1", "pacman"), ("c2", "pacman"), ("c3", "mysql")] {
        world.hub.label("ManagedCluster", cluster, &[("app", Some(app))]).await;
    }
    for (cluster, namespace) in [("c1", "pacman-ns"), ("c2", "pacman-ns"), ("c3", "mysql-ns")] {
        let included = world.clusters[cluster]
            .wait("the schedule", "Schedule", Some(VELERO), |schedules| {
                let schedule = schedules.get(&format!("{schedule}{cluster}"))?;
                Some(schedule["spec"]["template"]["includedNamespaces"].clone())
            })
            .await;
        assert_eq!(included, json!([namespace]), "{cluster}");
        assert_eq!(world.clusters[cluster].list("Schedule", None).await.len(), 1, "{cluster}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_two_configurations_pv_snap() {
    t2_two_configurations("pv-snap", "acm-pv-dpa-1-").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_two_configurations_restic() {
    t2_two_configurations("restic", "acm-restic--").await;
}
