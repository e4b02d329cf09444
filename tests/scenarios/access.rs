//! Clusters that do not answer, or do not let the hub in any more, and come back.

use serde_json::json;

use crate::support::{VELERO, World, config_map};
use crate::{BACKUP, INSTALL};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_cannot_be_reached_slows_no_other_and_converges_when_it_is_back() {
    let world = World::start_with(&["c1", "c2"]).await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.stage.disconnect("c2");
    world.label_for_backup("c2").await;
    world.protect("c1").await;
    let said = world.template_says(BACKUP, "c2", "create-schedule-resource", "cannot be reached").await;
    assert!(said.contains("nothing is changed there until it answers"), "{said}");
    world.policy_is(BACKUP, "c2", "NonCompliant").await;
    world.stage.reconnect("c2").await;
    world.protect("c2").await;

    // It goes again, now that it has been in use, and loses its label meanwhile.
    world.stage.disconnect("c2");
    world.configure(&[("backupTTL", Some("48h0m0s"))]).await;
    world.template_says(BACKUP, "c2", "create-schedule-resource", "cannot be reached").await;
    world.unlabel("c2").await;
    world.clusters["c1"]
        .wait("the new ttl", "Schedule", Some(VELERO), |schedules| {
            schedules.values().any(|schedule| schedule["spec"]["template"]["ttl"] == "48h0m0s").then_some(())
        })
        .await;
    world.stage.reconnect("c2").await;
    world.schedule_is_gone("c2").await;
    assert!(world.clusters["c2"].get("DataProtectionApplication", VELERO, "dpa").await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_revoked_and_renewed() {
    let world = World::start_with(&["c1", "c2"]).await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.protect("c1").await;
    world.protect("c2").await;
    world.revoke_credentials("c2").await;
    // Something to do there, which it does not let the hub do any more.
    let c2 = world.user_of("c2").await;
    let by_hand = json!({"spec": {"schedule": "5 5 * * *"}});
    c2.merge("Schedule", VELERO, "acm-pv-dpa-1-c2", &by_hand).await;
    world.configure(&[("backupSchedule", Some("10 */2 * * *"))]).await;
    let said = world.template_says(INSTALL, "c2", "create-ns-oadp-operators", "failed to log in").await;
    assert!(said.contains("check its kubeconfig Secret in namespace c2 on the hub"), "{said}");
    world.policy_is(BACKUP, "c1", "Compliant").await;
    assert!(c2.get("DataProtectionApplication", VELERO, "dpa").await.is_some(), "nothing is removed");

    world.write_credentials("c2", &world.stage.credentials("c2").await).await;
    c2.wait("the new schedule", "Schedule", Some(VELERO), |schedules| {
        (schedules.get("acm-pv-dpa-1-c2")?["spec"]["schedule"] == "10 */2 * * *").then_some(())
    })
    .await;
    world.policy_is(INSTALL, "c2", "Compliant").await;
    world.policy_is(BACKUP, "c2", "Compliant").await;
    world.stop().await;
}
