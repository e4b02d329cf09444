//! T1: pacman is backed up on c1 and restored on c2, with one hub and with two.

use serde_json::{Value, json};

use crate::support::{VELERO, World, config_map, others_are_absent};
use crate::{BACKUP, INSTALL, RESTORE, SCHEDULE};

/// Labels c1, lets the schedule strike, and answers the first completed backup.
pub async fn back_up_c1(world: &World, schedule: &str) -> String {
    world.label_for_backup("c1").await;
    world.clusters["c1"]
        .wait("the schedule to be enabled", "Schedule", Some(VELERO), |schedules| {
            (schedules.get(schedule)?["status"]["phase"] == "Enabled").then_some(())
        })
        .await;
    world.stage.strike(&world.clusters["c1"], schedule).await;
    completed_backup(world, "c1").await
}

/// Waits for a completed backup on a cluster.
pub async fn completed_backup(world: &World, cluster: &str) -> String {
    world.clusters[cluster]
        .wait("a completed backup", "Backup", Some(VELERO), |backups| {
            let mut done = backups.iter().filter(|(_, backup)| backup["status"]["phase"] == "Completed");
            done.next().map(|(name, _)| name.clone())
        })
        .await
}

/// Waits until a backup is restored on a cluster, with the scores that were saved in it.
pub async fn restored(world: &World, cluster: &str, backup: &str) {
    let cluster_user = &world.clusters[cluster];
    cluster_user
        .wait("the restore to complete", "Restore", Some(VELERO), |restores| {
            (restores.get(&format!("restore-{backup}"))?["status"]["phase"] == "Completed").then_some(())
        })
        .await;
    let scores = cluster_user.get("ConfigMap", "pacman-ns", "scores").await.unwrap();
    assert_eq!(scores["data"], json!({"alice": "9000"}));
    assert!(cluster_user.get("Deployment", "pacman-ns", "pacman").await.is_some());
    world.policy_is(RESTORE, cluster, "Compliant").await;
}

async fn t1_pacman(config: &str, schedule: &str, expected_template: &Value) {
    let world = World::start().await;
    world.create_pacman("c1").await;
    world.apply_policies(config).await;

    let backup = back_up_c1(&world, schedule).await;
    let stamp = backup.strip_prefix(&format!("{schedule}-")).unwrap();
    assert!(stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit()), "{backup}");
    let rendered = world.clusters["c1"].get("Schedule", VELERO, schedule).await.unwrap();
    for (field, value) in expected_template.as_object().unwrap() {
        assert_eq!(&rendered["spec"]["template"][field], value, "{field} of {rendered}");
    }
    assert_eq!(rendered["spec"]["schedule"], "0 */1 * * *");
    assert_eq!(rendered["metadata"]["labels"]["cluster-name"], "c1");
    // Row A37: they come down to its Backups.
    let made = world.clusters["c1"].get("Backup", VELERO, &backup).await.unwrap();
    for label in ["cluster-id", "cluster-name"] {
        let (of_backup, of_schedule) =
            (&made["metadata"]["labels"][label], &rendered["metadata"]["labels"][label]);
        assert!(of_schedule.is_string() && of_backup == of_schedule, "{label}: {of_backup} {of_schedule}");
    }
    for policy in [INSTALL, BACKUP] {
        world.policy_is(policy, "c1", "Compliant").await;
    }
    let set = world.policy_set_is("acm-app-backup", "Compliant").await;
    assert_eq!(set["status"]["statusMessage"], "All policies are reporting status");

    world.label_for_restore("c2", &backup).await;
    let held = world.template_says(RESTORE, "c2", "create-restore-resource", "Pending; ").await;
    assert!(held.contains(&backup) || held.contains(INSTALL), "{held}");
    world.policy_is(INSTALL, "c2", "Compliant").await;
    world.stage.let_velero_look().await;
    restored(&world, "c2", &backup).await;

    let metrics = world.metrics();
    assert!(metrics.contains("flotilla_managed_clusters{state=\"Connected\"} 2"), "{metrics}");
    assert!(world.clusters["c1"].list("Restore", None).await.is_empty(), "only c2 is restored");
    assert!(world.clusters["c3"].list("Schedule", None).await.is_empty(), "c3 is not selected");
    assert!(world.clusters["c3"].get("Namespace", "", VELERO).await.is_none(), "c3 is not touched");
    world.velero_took_everything().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t1_pacman_pv_snap() {
    let template = json!({
        "includedNamespaces": ["pacman-ns"], "snapshotVolumes": true, "defaultVolumesToFsBackup": false,
        "volumeSnapshotLocations": ["dpa-1"], "ttl": "240h0m0s", "defaultVolumesToRestic": null,
    });
    t1_pacman(&config_map("pv-snap"), SCHEDULE, &template).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t1_pacman_restic() {
    let template = json!({
        "includedNamespaces": ["pacman-ns"], "snapshotVolumes": false, "defaultVolumesToFsBackup": true,
        "volumeSnapshotLocations": null, "ttl": "240h0m0s", "defaultVolumesToRestic": null,
    });
    t1_pacman(&config_map("restic"), "acm-restic--c1", &template).await;
}

/// The hub of c2 has never seen the Schedule: all it knows is the Backup that Velero synced. On real servers it is one
/// without Open Cluster Management, with the definitions of this project.
async fn t1_two_hubs(preset: &str, schedule: &str) {
    let mut worlds = World::start_hubs(&[&["c1"], &["c2"]]).await;
    for world in &mut worlds {
        world.start_hub();
    }
    let [one, two] = worlds.try_into().unwrap_or_else(|_| panic!("two hubs were asked for"));
    one.create_pacman("c1").await;
    one.apply_policies(&config_map(preset)).await;
    two.apply_policies(&config_map(preset)).await;
    let backup = back_up_c1(&one, schedule).await;

    two.label_for_restore("c2", &backup).await;
    two.policy_is(INSTALL, "c2", "Compliant").await;
    two.stage.let_velero_look().await;
    restored(&two, "c2", &backup).await;
    assert!(two.clusters["c2"].list("Schedule", None).await.is_empty(), "c2 is not backed up");
    assert!(
        two.hub.list("ManagedCluster", None).await.keys().eq(["c2"]),
        "the hubs know nothing of each other"
    );
    for world in [&one, &two] {
        world.velero_took_everything().await;
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t1_two_hubs_pv_snap() {
    t1_two_hubs("pv-snap", SCHEDULE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t1_two_hubs_restic() {
    t1_two_hubs("restic", "acm-restic--c1").await;
}

/// T3: the policies come first, and nothing happens until the ConfigMap names the namespaces.
async fn t3_backup_an_app(preset: &str, schedule: &str) {
    let world = World::start_with(&["c1"]).await;
    world.create_pacman("c1").await;
    world.create_app("c1", "other-ns").await;
    world.apply_policy_files().await;
    world.bind_set().await;
    world.label_for_backup("c1").await;
    world.policy_is(BACKUP, "c1", "NonCompliant").await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "hdr-app-configmap").await;
    assert!(world.clusters["c1"].list("Schedule", None).await.is_empty());

    world.apply_config(&config_map(preset)).await;
    world.protected("c1").await;
    world.stage.strike(&world.clusters["c1"], schedule).await;
    let backup = completed_backup(&world, "c1").await;
    let made = world.clusters["c1"].get("Backup", VELERO, &backup).await.unwrap();
    assert_eq!(made["spec"]["includedNamespaces"], json!(["pacman-ns"]));
    world.velero_took_everything().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t3_backup_an_app_pv_snap() {
    t3_backup_an_app("pv-snap", SCHEDULE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t3_backup_an_app_restic() {
    t3_backup_an_app("restic", "acm-restic--c1").await;
}

/// T4 and A56: the restore label names a backup that Velero has not synced yet. Velero would refuse a Restore of it at
/// once and never look again; so there is none until the Backup is visible.
async fn t4_a_restore_waits(preset: &str, snapshot_locations: &[&str]) {
    if others_are_absent() {
        return;
    }
    let world = World::start_with(&["c1", "c2"]).await;
    world.create_pacman("c1").await;
    world.apply_policies(&config_map(preset)).await;
    world.protect("c1").await;
    world.label_for_restore("c2", "by-hand").await;
    world.policy_is(INSTALL, "c2", "Compliant").await;
    let held = world.template_says(RESTORE, "c2", "create-restore-resource", "by-hand").await;
    assert!(held.starts_with("Pending; ") && held.contains("c2"), "{held}");
    assert!(world.clusters["c2"].list("Restore", None).await.is_empty(), "the Restore waits for its Backup");

    world.clusters["c1"]
        .apply(
            json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "by-hand"},
                "spec": {"includedNamespaces": ["pacman-ns"], "volumeSnapshotLocations": snapshot_locations}}),
            VELERO,
        )
        .await;
    world.stage.let_velero_look().await;
    assert_eq!(completed_backup(&world, "c1").await, "by-hand");
    world.stage.let_velero_look().await;
    restored(&world, "c2", "by-hand").await;
    world.velero_took_everything().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t4_a_restore_waits_until_its_backup_is_synced_pv_snap() {
    t4_a_restore_waits("pv-snap", &["dpa-1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t4_a_restore_waits_until_its_backup_is_synced_restic() {
    t4_a_restore_waits("restic", &[]).await;
}

/// The project's own policies and the demo's ConfigMap, from the label to the restored application.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_policies_back_up_and_restore() {
    let world = World::start().await;
    world.create_app("c1", "pacman").await;
    world.apply_own_policies().await;
    world.bind_set().await;
    world.label_for_backup("c1").await;
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
    world.label_for_restore("c2", &backup).await;
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
