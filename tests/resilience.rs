//! The process may die at any instant, watches end and writes meet conflicts: the next look goes on, and nothing is done
//! twice.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use std::collections::BTreeMap;

use flotilla::api::object::{GroupVersionKind, ObjectKey};
use serde_json::{Value, json};
use support::{POLICIES, VELERO, World, config_map};

const SCHEDULE: &str = "acm-pv-dpa-1-c1";
const INSTALL: &str = "oadp-hdr-app-install";
const BACKUP: &str = "oadp-hdr-app-backup";

fn replica(policy: &str) -> String {
    format!("{POLICIES}.{policy}")
}

async fn restart(world: &mut World) {
    world.kill_hub().await;
    world.start_hub();
}

/// Resource versions of the replicated policies of a cluster, and the names of its Events.
async fn hub_versions(world: &World, cluster: &str) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for kind in ["Policy", "Event"] {
        for (name, object) in world.hub.list(kind, Some(cluster)).await {
            let version = object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
            versions.insert(format!("{kind} {name}"), version);
        }
    }
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_an_idle_fleet_writes_nothing() {
    let config = config_map("pv-snap");
    let mut world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    world.settled("c1", &[INSTALL, BACKUP]).await;
    world.policy_is(BACKUP, "c1", "Compliant").await;
    let before = (hub_versions(&world, "c1").await, world.versions("c1").await);
    let set = world.hub.get("PolicySet", POLICIES, "acm-app-restore").await.unwrap();
    let decision = world.hub.get("PlacementDecision", POLICIES, "acm-app-restore-placement-decision-1").await;
    for cluster in ["c2", "c3"] {
        restart(&mut world).await;
        // Something else that takes its time passes the whole way through the process.
        world.protect(cluster).await;
        world.settled(cluster, &[INSTALL, BACKUP]).await;
    }
    // A change that says nothing to anybody.
    world.hub.label("ManagedCluster", "c1", &[("unrelated", Some("label"))]).await;
    world.configure(&[("backupTTL", Some("48h0m0s"))]).await;
    world.clusters["c2"]
        .wait("the new ttl", "Schedule", Some(VELERO), |schedules| {
            schedules.values().any(|schedule| schedule["spec"]["template"]["ttl"] == "48h0m0s").then_some(())
        })
        .await;
    let after = (hub_versions(&world, "c1").await, world.versions("c1").await);
    let changed: Vec<&String> = before
        .0
        .iter()
        .filter(|(name, version)| after.0.get(*name) != Some(version) && !name.contains(BACKUP))
        .map(|(name, _)| name)
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    for (name, version) in &before.1 {
        assert!(name.starts_with("Schedule ") || after.1.get(name) == Some(version), "{name} was written");
    }
    let set_after = world.hub.get("PolicySet", POLICIES, "acm-app-restore").await.unwrap();
    assert_eq!(set_after["metadata"]["resourceVersion"], set["metadata"]["resourceVersion"]);
    assert_eq!(
        world.hub.get("PlacementDecision", POLICIES, "acm-app-restore-placement-decision-1").await,
        decision
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_that_end_are_taken_up_again() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    let by_hand = json!({"spec": {"schedule": "5 5 * * *"}});

    world.stand_in().hub().expire_watches();
    world.server("c1").expire_watches();
    world.configure(&[("backupSchedule", Some("10 */2 * * *"))]).await;
    world.schedule_has(SCHEDULE, "10 */2 * * *").await;
    world.clusters["c1"].merge("Schedule", VELERO, SCHEDULE, &by_hand).await;
    world.schedule_has(SCHEDULE, "10 */2 * * *").await;

    // Both at once, and the change happens while no watch stands.
    world.server("c1").faults().close_watches();
    world.clusters["c1"].merge("Schedule", VELERO, SCHEDULE, &by_hand).await;
    world.schedule_has(SCHEDULE, "10 */2 * * *").await;
    world.stand_in().hub().faults().close_watches();
    world.configure(&[("backupSchedule", Some("20 */3 * * *"))]).await;
    world.schedule_has(SCHEDULE, "20 */3 * * *").await;
    world.policy_is(BACKUP, "c1", "Compliant").await;
    world.stop().await;
}

/// Labels a managed cluster past the API, so that no fault of the API meets the user.
fn label_unseen(world: &World, cluster: &str, label: &str, value: &str) {
    let key = ObjectKey {
        gvk: GroupVersionKind::new("cluster.open-cluster-management.io/v1", "ManagedCluster"),
        namespace: None,
        name: cluster.to_owned(),
    };
    world
        .stand_in()
        .hub()
        .store()
        .edit(&key, |object| object["metadata"]["labels"][label] = json!(value))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_are_retried_on_fresh_state() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.server("c1").faults().conflict_next_writes(12);
    world.stand_in().hub().faults().conflict_next_writes(12);
    label_unseen(&world, "c1", "acm-pv-dr", "backup");
    world.protected("c1").await;
    assert_eq!(world.server("c1").faults().conflicts_left(), 0);
    assert_eq!(world.stand_in().hub().faults().conflicts_left(), 0);
    world.settled("c1", &[INSTALL, BACKUP]).await;

    // What was made after a conflict is ours.
    world.deselect("c1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replicated_policy_that_somebody_changes_or_deletes_is_restored() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    world.settled("c1", &[INSTALL, BACKUP]).await;
    let made = world.hub.get("Policy", "c1", &replica(BACKUP)).await.unwrap();

    let patch = json!({"metadata": {"labels": {"policy.open-cluster-management.io/root-policy": null}},
        "spec": {"disabled": true, "policy-templates": []}});
    world.hub.merge("Policy", "c1", &replica(BACKUP), &patch).await;
    world
        .hub
        .wait("the spec to be restored", "Policy", Some("c1"), |policies| {
            let restored = policies.get(&replica(BACKUP))?;
            (restored["spec"] == made["spec"] && restored["metadata"]["labels"] == made["metadata"]["labels"])
                .then_some(())
        })
        .await;

    world.hub.delete("Policy", "c1", &replica(BACKUP)).await;
    world
        .hub
        .wait("the policy to be restored", "Policy", Some("c1"), |policies| {
            let restored = policies.get(&replica(BACKUP))?;
            (restored["metadata"]["uid"] != made["metadata"]["uid"] && restored["spec"] == made["spec"])
                .then_some(())
        })
        .await;
    world.settled("c1", &[BACKUP]).await;
    assert!(world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.is_some(), "nothing was pruned");

    // The inventory was restored with it: the schedule is still ours to prune.
    world.deselect("c1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replicated_policy_of_another_controller_is_left_alone() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.clusters["c1"]
        .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": VELERO}}), "")
        .await;
    let theirs = json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
        "metadata": {"name": replica(INSTALL), "namespace": "c1",
            "labels": {"policy.open-cluster-management.io/root-policy": replica(INSTALL)}},
        "spec": {"disabled": false, "policy-templates": []}, "status": {"compliant": "Compliant"}});
    world.stand_in().hub().store().create(theirs).unwrap();
    let before = world.hub.get("Policy", "c1", &replica(INSTALL)).await.unwrap();
    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", Some("backup"))]).await;
    world.clusters["c1"]
        .wait("the schedule", "Schedule", Some(VELERO), |schedules| {
            schedules.contains_key(SCHEDULE).then_some(())
        })
        .await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    assert!(world.clusters["c1"].list("Subscription", None).await.is_empty(), "the install policy is theirs");
    world.unlabel("c1").await;
    world.clusters["c1"]
        .wait("our schedule to go", "Schedule", Some(VELERO), |schedules| schedules.is_empty().then_some(()))
        .await;
    world
        .hub
        .wait("our replicated policy to go", "Policy", Some("c1"), |policies| {
            (!policies.contains_key(&replica(BACKUP))).then_some(())
        })
        .await;
    assert_eq!(world.hub.get("Policy", "c1", &replica(INSTALL)).await.unwrap(), before);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_of_another_controller_are_used_and_not_touched() {
    let config = config_map("pv-snap");
    let mut world = World::start_without_hub().await;
    world.apply_policies(&config).await;
    let name = "acm-app-backup-placement-decision-1";
    let decide = |clusters: &[&str]| -> Value {
        let decisions: Vec<Value> =
            clusters.iter().map(|cluster| json!({"clusterName": cluster, "reason": ""})).collect();
        json!({"apiVersion": "cluster.open-cluster-management.io/v1beta1", "kind": "PlacementDecision",
            "metadata": {"name": name, "namespace": POLICIES,
                "labels": {"cluster.open-cluster-management.io/placement": "acm-app-backup-placement"}},
            "status": {"decisions": decisions}})
    };
    world.stand_in().hub().store().create(decide(&["c2"])).unwrap();
    world.start_hub();
    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", Some("backup"))]).await;
    let scheduled = async |cluster: &str| {
        world.clusters[cluster]
            .wait("the schedule", "Schedule", Some(VELERO), |schedules| (!schedules.is_empty()).then_some(()))
            .await;
    };
    scheduled("c2").await;
    world.stand_in().hub().store().put(decide(&["c2", "c3"])).unwrap();
    let before = world.hub.get("PlacementDecision", POLICIES, name).await.unwrap();
    scheduled("c3").await;
    world.policy_is(BACKUP, "c3", "Compliant").await;
    assert!(world.clusters["c1"].list("Schedule", None).await.is_empty(), "nobody decided for c1");
    assert_eq!(world.hub.get("PlacementDecision", POLICIES, name).await.unwrap(), before);
    let ours = world.hub.list("PlacementDecision", Some(POLICIES)).await;
    let ours: Vec<&String> = ours
        .iter()
        .filter(|(_, decision)| {
            decision["metadata"]["labels"]["cluster.open-cluster-management.io/placement"]
                == "acm-app-backup-placement"
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(ours, [name]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_managed_cluster_that_is_deleted_leaves_its_objects_and_may_come_back() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    let before = world.versions("c1").await;
    world.hub.delete("ManagedCluster", "", "c1").await;
    world
        .hub
        .wait("the root policy to forget it", "Policy", Some(POLICIES), |policies| {
            let clusters = policies.get(BACKUP)?["status"]["status"].as_array().cloned().unwrap_or_default();
            (!clusters.iter().any(|entry| entry["clustername"] == "c1")).then_some(())
        })
        .await;
    world.protect("c2").await;
    assert_eq!(world.versions("c1").await, before, "nobody said that its objects should go");
    world.join("c1").await;
    world.protect("c1").await;
    world.configure(&[("backupSchedule", Some("10 */2 * * *"))]).await;
    world.schedule_has(SCHEDULE, "10 */2 * * *").await;
    world.stop().await;
}
