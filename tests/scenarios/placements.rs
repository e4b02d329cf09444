//! T5 and T7: what selects a cluster, and what happens to one that is selected no more.

use crate::pacman::back_up_c1;
use crate::support::{POLICIES, VELERO, World, config_map, others_are_absent};

async fn t5_set_binding(config: &str, schedule: &str) {
    let world = World::start_with(&["c1"]).await;
    world.apply_policies_without_binding(config).await;
    world.label_for_backup("c1").await;
    assert_eq!(world.why_none_is_backed_up().await, "NoManagedClusterSetBindings");
    assert!(world.hub.list("Policy", Some("c1")).await.is_empty(), "nothing is selected without a binding");

    world.bind_set().await;
    world.clusters["c1"]
        .wait("the schedule", "Schedule", Some(VELERO), |schedules| schedules.get(schedule).map(|_| ()))
        .await;
    let decision =
        world.hub.get("PlacementDecision", POLICIES, "acm-app-backup-placement-decision-1").await.unwrap();
    assert_eq!(decision["status"]["decisions"][0]["clusterName"], "c1");

    // Losing the binding again is nobody's wish to remove anything (decision 7).
    world.hub.delete("ManagedClusterSetBinding", POLICIES, "default").await;
    world
        .hub
        .wait("the placement to notice", "Placement", Some(POLICIES), |placements| {
            (placements.get("acm-app-backup-placement")?["status"]["numberOfSelectedClusters"] == 0)
                .then_some(())
        })
        .await;
    assert!(world.clusters["c1"].get("Schedule", VELERO, schedule).await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t5_set_binding_missing_then_created_pv_snap() {
    t5_set_binding(&config_map("pv-snap"), "acm-pv-dpa-1-c1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t5_set_binding_missing_then_created_restic() {
    t5_set_binding(&config_map("restic"), "acm-restic--c1").await;
}

async fn t7_unlabel(config: &str, schedule: &str) {
    if others_are_absent() {
        return;
    }
    let world = World::start_with(&["c1"]).await;
    world.create_pacman("c1").await;
    world.apply_policies(config).await;
    let backup = back_up_c1(&world, schedule).await;

    world.deselect("c1").await;
    world
        .hub
        .wait("the replicated policies to go", "Policy", Some("c1"), |policies| {
            policies.is_empty().then_some(())
        })
        .await;
    let c1 = &world.clusters["c1"];
    assert!(c1.get("Backup", VELERO, &backup).await.is_some(), "backups stay");
    assert!(c1.get("Namespace", "", VELERO).await.is_some(), "the namespace stays");
    assert!(c1.get("Secret", VELERO, "cloud-credentials").await.is_some(), "the credentials stay");
    assert!(c1.get("DataProtectionApplication", VELERO, "dpa").await.is_some(), "Velero stays");
    world
        .hub
        .wait("an event to tell what is kept", "Event", Some(POLICIES), |events| {
            events
                .values()
                .any(|event| {
                    event["reason"] == "Kept"
                        && event["message"].as_str().is_some_and(|text| text.contains("Secret"))
                })
                .then_some(())
        })
        .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_unlabel_prunes_schedule_keeps_backups_pv_snap() {
    t7_unlabel(&config_map("pv-snap"), "acm-pv-dpa-1-c1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_unlabel_prunes_schedule_keeps_backups_restic() {
    t7_unlabel(&config_map("restic"), "acm-restic--c1").await;
}
