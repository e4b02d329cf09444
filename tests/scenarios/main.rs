//! The scenarios of the fleet: what a platform team does, and what must come of it on the hub and on the clusters.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a fault here is a failed test"
)]
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::{POLICIES, VELERO, World, config_map};

/// The gesture: this cluster is backed up.
const BACKUP: (&str, Option<&str>) = ("acm-pv-dr", Some("backup"));

/// Labels c1, lets the hour strike, and answers the first completed backup.
async fn back_up_c1(world: &World, schedule: &str) -> String {
    world.hub.label("ManagedCluster", "c1", &[BACKUP]).await;
    let c1 = &world.clusters["c1"];
    c1.wait("the schedule to be enabled", "Schedule", Some(VELERO), |schedules| {
        (schedules.get(schedule)?["status"]["phase"] == "Enabled").then_some(())
    })
    .await;
    world.stage.strike(c1, schedule).await;
    c1.wait("a completed backup", "Backup", Some(VELERO), |backups| {
        backups
            .iter()
            .find(|(_, backup)| backup["status"]["phase"] == "Completed")
            .map(|(name, _)| name.clone())
    })
    .await
}

async fn t1_pacman(config: &str, schedule: &str, expected_template: &Value) {
    let world = World::start().await;
    world.create_pacman("c1").await;
    world.apply_policies(config).await;

    let backup = back_up_c1(&world, schedule).await;
    assert!(backup.starts_with(&format!("{schedule}-20260105")), "{backup}");
    let rendered = world.clusters["c1"].get("Schedule", VELERO, schedule).await.unwrap();
    for (field, value) in expected_template.as_object().unwrap() {
        assert_eq!(&rendered["spec"]["template"][field], value, "{field} of {rendered}");
    }
    assert_eq!(rendered["spec"]["schedule"], "0 */1 * * *");
    assert_eq!(rendered["metadata"]["labels"]["cluster-name"], "c1");
    for policy in ["oadp-hdr-app-install", "oadp-hdr-app-backup"] {
        world.policy_is(policy, "c1", "Compliant").await;
    }
    let set = world
        .hub
        .wait("the policy set to be compliant", "PolicySet", Some(POLICIES), |sets| {
            let set = sets.get("acm-app-backup")?;
            (set["status"]["compliant"] == "Compliant").then(|| set.clone())
        })
        .await;
    assert_eq!(set["status"]["statusMessage"], "All policies are reporting status");

    world.hub.label("ManagedCluster", "c2", &[("acm-app-restore", Some(&backup))]).await;
    let held =
        world.template_says("oadp-hdr-app-restore", "c2", "create-restore-resource", "Pending; ").await;
    assert!(held.contains(&backup) || held.contains("oadp-hdr-app-install"), "{held}");
    let held = world.template_says("oadp-hdr-app-restore", "c2", "create-restore-resource", &backup).await;
    assert!(held.starts_with("Pending; ") && held.contains("c2"), "{held}");
    assert!(world.clusters["c2"].list("Restore", None).await.is_empty(), "the Restore waits for its Backup");

    world.stage.let_velero_look().await;
    world.clusters["c2"]
        .wait("the restore to complete", "Restore", Some(VELERO), |restores| {
            (restores.get(&format!("restore-{backup}"))?["status"]["phase"] == "Completed").then_some(())
        })
        .await;
    let scores = world.clusters["c2"].get("ConfigMap", "pacman-ns", "scores").await.unwrap();
    assert_eq!(scores["data"], json!({"alice": "9000"}));
    assert!(world.clusters["c2"].get("Deployment", "pacman-ns", "pacman").await.is_some());
    world.policy_is("oadp-hdr-app-restore", "c2", "Compliant").await;

    let metrics = world.metrics();
    assert!(metrics.contains("flotilla_managed_clusters{state=\"Connected\"} 2"), "{metrics}");
    assert!(world.clusters["c1"].list("Restore", None).await.is_empty(), "only c2 is restored");
    assert!(world.clusters["c3"].list("Schedule", None).await.is_empty(), "c3 is not selected");
    assert!(world.clusters["c3"].get("Namespace", "", VELERO).await.is_none(), "c3 is not touched");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t1_pacman_pv_snap() {
    let config = config_map("pv-snap");
    let template = json!({
        "includedNamespaces": ["pacman-ns"], "snapshotVolumes": true, "defaultVolumesToFsBackup": false,
        "volumeSnapshotLocations": ["dpa-1"], "ttl": "240h0m0s", "defaultVolumesToRestic": null,
    });
    t1_pacman(&config, "acm-pv-dpa-1-c1", &template).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t1_pacman_restic() {
    let config = config_map("restic");
    let template = json!({
        "includedNamespaces": ["pacman-ns"], "snapshotVolumes": false, "defaultVolumesToFsBackup": true,
        "volumeSnapshotLocations": null, "ttl": "240h0m0s", "defaultVolumesToRestic": null,
    });
    t1_pacman(&config, "acm-restic--c1", &template).await;
}

async fn t5_set_binding(config: &str, schedule: &str) {
    let world = World::start().await;
    world.apply_policies_without_binding(config).await;
    world.hub.label("ManagedCluster", "c1", &[BACKUP]).await;
    let reason = world
        .hub
        .wait("the placement to say why", "Placement", Some(POLICIES), |placements| {
            let conditions =
                placements.get("acm-app-backup-placement")?["status"]["conditions"].as_array()?;
            let satisfied = conditions.iter().find(|condition| condition["type"] == "PlacementSatisfied")?;
            (satisfied["status"] == "False").then(|| satisfied["reason"].as_str().unwrap().to_owned())
        })
        .await;
    assert_eq!(reason, "NoManagedClusterSetBindings");
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
    let world = World::start().await;
    world.create_pacman("c1").await;
    world.apply_policies(config).await;
    let backup = back_up_c1(&world, schedule).await;

    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", None)]).await;
    let c1 = &world.clusters["c1"];
    c1.wait("the schedule to go", "Schedule", Some(VELERO), |schedules| schedules.is_empty().then_some(()))
        .await;
    world
        .hub
        .wait("the replicated policies to go", "Policy", Some("c1"), |policies| {
            policies.is_empty().then_some(())
        })
        .await;
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
        world.hub.apply_text(config, namespace).await;
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

/// The project's own policies and the demo's ConfigMap, from the label to the restored application.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_policies_back_up_and_restore() {
    let world = World::start().await;
    world.create_app("c1", "pacman").await;
    world.apply_own_policies().await;
    world.bind_set().await;
    world.hub.label("ManagedCluster", "c1", &[BACKUP]).await;
    let c1 = &world.clusters["c1"];
    c1.wait("the schedule to be enabled", "Schedule", Some(VELERO), |schedules| {
        (schedules.get("acm-app-dpa-1-c1")?["status"]["phase"] == "Enabled").then_some(())
    })
    .await;
    world.stage.strike(c1, "acm-app-dpa-1-c1").await;
    let backup = c1
        .wait("a completed backup", "Backup", Some(VELERO), |backups| {
            backups
                .iter()
                .find(|(_, backup)| backup["status"]["phase"] == "Completed")
                .map(|(name, _)| name.clone())
        })
        .await;
    for policy in ["oadp-hdr-app-install", "oadp-hdr-app-backup"] {
        world.policy_is(policy, "c1", "Compliant").await;
    }
    world.hub.label("ManagedCluster", "c2", &[("acm-app-restore", Some(&backup))]).await;
    world.policy_is("oadp-hdr-app-install", "c2", "Compliant").await;
    world.stage.let_velero_look().await;
    world.clusters["c2"]
        .wait("the restore to complete", "Restore", Some(VELERO), |restores| {
            (restores.get(&format!("restore-{backup}"))?["status"]["phase"] == "Completed").then_some(())
        })
        .await;
    assert!(world.clusters["c2"].get("Deployment", "pacman", "pacman").await.is_some());
    world.policy_is("oadp-hdr-app-restore", "c2", "Compliant").await;
    world.stop().await;
}

/// Two processes, one Lease: the second does nothing until the first gives it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_hub_waits_for_the_lease() {
    let holder = |leases: &std::collections::BTreeMap<String, Value>| {
        leases.get("flotilla-hub")?["spec"]["holderIdentity"].as_str().map(ToOwned::to_owned)
    };
    let mut world = World::start_without_hub().await;
    let first = world.start_candidate("first");
    world
        .hub
        .wait("the first to hold the Lease", "Lease", Some("default"), |leases| {
            (holder(leases)? == "first").then_some(())
        })
        .await;
    let second = world.start_candidate("second");
    world.apply_own_policies().await;
    world.bind_set().await;
    world.hub.label("ManagedCluster", "c1", &[BACKUP]).await;
    world.policy_is("oadp-hdr-app-install", "c1", "Compliant").await;
    assert_eq!(holder(&world.hub.list("Lease", Some("default")).await).as_deref(), Some("first"));
    first.stop().await;
    world
        .hub
        .wait("the second to hold the Lease", "Lease", Some("default"), |leases| {
            (holder(leases)? == "second").then_some(())
        })
        .await;
    world.hub.label("ManagedCluster", "c2", &[BACKUP]).await;
    world.policy_is("oadp-hdr-app-install", "c2", "Compliant").await;
    second.stop().await;
    world.stop().await;
}
