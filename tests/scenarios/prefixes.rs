//! One bucket, many clusters: each stores under its own name, a third restores, and what becomes of names that are too long.

use serde_json::{Value, json};

use crate::config_map_only::{ACCEPTED, CONFIG_MAP, configure, configured, namespace, protect};
use crate::pacman::{back_up_c1, completed_backup, restored};
use crate::support::{POLICIES, VELERO, World, config_map};
use crate::{BACKUP, RESTORE, SCHEDULE};

/// A location that reads the backups of a cluster; waits until it is there and Velero can use it.
pub async fn reads_from(world: &World, cluster: &str, source: &str) -> Value {
    let name = format!("dpa-from-{source}");
    world.clusters[cluster]
        .wait(&format!("{name} to be available"), "BackupStorageLocation", Some(VELERO), |locations| {
            let location = locations.get(&name)?;
            (location["status"]["phase"] == "Available").then(|| location.clone())
        })
        .await
}

/// The folder in which a cluster stores, once it ends as it should.
async fn stores_in(world: &World, cluster: &str, ending: &str) -> String {
    world.clusters[cluster]
        .wait(
            &format!("a folder that ends with {ending}"),
            "BackupStorageLocation",
            Some(VELERO),
            |locations| {
                let prefix = locations.get("dpa-1")?["spec"]["objectStorage"]["prefix"].as_str()?;
                prefix.ends_with(ending).then(|| prefix.to_owned())
            },
        )
        .await
}

async fn backups(world: &World, cluster: &str) -> Vec<String> {
    world.clusters[cluster].list("Backup", Some(VELERO)).await.into_keys().collect()
}

/// Rows G9, G10: two clusters back up, a third restores what the first has stored, though that one is no longer there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_cluster_has_a_folder_and_a_third_reads_one_for_a_restore() {
    let world = configured(&["c1", "c2", "c3"], &[]).await;
    for cluster in ["c1", "c2"] {
        world.create_pacman(cluster).await;
    }
    protect(&world, "c2").await;
    world.stage.strike(&world.clusters["c2"], "acm-pv-dpa-1-c2").await;
    completed_backup(&world, "c2").await;
    let backup = back_up_c1(&world, SCHEDULE).await;
    let folder = stores_in(&world, "c1", "/c1").await;
    stores_in(&world, "c2", "/c2").await;
    let copy = world.hub.get("ConfigMap", POLICIES, ACCEPTED).await.unwrap();
    assert_eq!(copy["data"]["storagePrefixStyle"], "per-cluster");

    world.hub.delete("ManagedCluster", "", "c1").await;
    world.label_for_restore("c3", &backup).await;
    let location = reads_from(&world, "c3", "c1").await;
    world.stage.let_velero_look().await;
    restored(&world, "c3", &backup).await;
    stores_in(&world, "c3", "/c3").await;
    assert_eq!(location["spec"]["objectStorage"]["prefix"], folder);
    assert_eq!(location["spec"]["accessMode"], "ReadOnly");
    for (cluster, of) in [("c1", SCHEDULE), ("c2", "acm-pv-dpa-1-c2"), ("c3", SCHEDULE)] {
        let seen = backups(&world, cluster).await;
        assert!(!seen.is_empty() && seen.iter().all(|name| name.starts_with(of)), "{cluster} sees {seen:?}");
    }
    world.velero_took_everything().await;

    world.hub.label("ManagedCluster", "c3", &[("acm-app-restore", None)]).await;
    let c3 = &world.clusters["c3"];
    c3.wait("the location to go", "BackupStorageLocation", Some(VELERO), |locations| {
        locations.keys().eq(["dpa-1"]).then_some(())
    })
    .await;
    c3.wait("the copies to go", "Backup", Some(VELERO), |backups| backups.is_empty().then_some(())).await;
    world
        .hub
        .wait("the replicated policies to go", "Policy", Some("c3"), |policies| {
            policies.is_empty().then_some(())
        })
        .await;
    world.stage.let_velero_look().await;
    assert_eq!(backups(&world, "c3").await, [""; 0], "nothing brings them back");
    assert!(c3.get("Restore", VELERO, &format!("restore-{backup}")).await.is_some(), "the record stays");
    assert!(c3.get("Deployment", "pacman-ns", "pacman").await.is_some(), "what was restored stays");
    assert!(world.clusters["c1"].get("Backup", VELERO, &backup).await.is_some(), "the source keeps its own");
    world.stop().await;
}

/// A name that tells no cluster is refused with a hint, and nothing is made; the hint helps. With the rights that joining gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_names_no_cluster_is_restored_once_the_label_does() {
    let mut world = World::start_unjoined(&[&["c1", "c2"]]).await.remove(0);
    for cluster in ["c1", "c2"] {
        world.join_by_command(cluster, &["--velero-namespace", VELERO]).await;
    }
    world.start_hub();
    namespace(&world, POLICIES, true).await;
    configure(&world, POLICIES, &config_map("pv-snap"), &[("onDeselect", "pause")]).await;
    world.create_pacman("c1").await;
    protect(&world, "c1").await;
    let by_hand = json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "before-upgrade"},
        "spec": {"includedNamespaces": ["pacman-ns"], "snapshotVolumes": false,
            "volumeSnapshotLocations": ["dpa-1"], "ttl": "24h0m0s"}});
    world.clusters["c1"].apply(by_hand, VELERO).await;
    completed_backup(&world, "c1").await;

    world.label_for_restore("c2", "before-upgrade").await;
    let hint = "name that cluster in the label flotilla.dev/restore-from";
    let said = world.template_says(RESTORE, "c2", "create-source-location", hint).await;
    assert!(said.starts_with("NonCompliant"), "{said}");
    let locations = world.clusters["c2"].list("BackupStorageLocation", Some(VELERO)).await;
    assert!(locations.keys().eq(["dpa-1"]), "{locations:?}");

    world.hub.label("ManagedCluster", "c2", &[("flotilla.dev/restore-from", Some("c1"))]).await;
    reads_from(&world, "c2", "c1").await;
    world.stage.let_velero_look().await;
    restored(&world, "c2", "before-upgrade").await;
    world.hub.label("ManagedCluster", "c2", &[("acm-app-restore", None)]).await;
    world.clusters["c2"]
        .wait("the location to go", "BackupStorageLocation", Some(VELERO), |locations| {
            locations.keys().eq(["dpa-1"]).then_some(())
        })
        .await;
    assert_eq!(backups(&world, "c2").await, [""; 0]);
    world.stop().await;
}

/// Row A35: a name that is too long for one cluster stops that one alone, before anything is written there for it; `short` helps,
/// and such a backup is restored with the label.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_too_long_are_refused_for_their_cluster_or_cut() {
    let long = "production-frankfurt-eu-central-1";
    let world = configured(&["c1", long], &[("backupPrefix", "acm-stateful")]).await;
    world.create_pacman(long).await;
    for cluster in ["c1", long] {
        world.label_for_backup(cluster).await;
    }
    world.template_says(BACKUP, "c1", "create-schedule-resource", "found as specified").await;
    let cut = "shorten backupPrefix + backupVolumeSnapshotLocation by 5 characters (now \"acm-stateful\" and \"dpa-1\")";
    world.template_says(BACKUP, long, "create-schedule-resource", cut).await;
    assert!(world.clusters[long].list("Schedule", None).await.is_empty());

    world.configure(&[("backupNameStyle", Some("short"))]).await;
    // sha256 of "acm-stateful/dpa-1/production-frankfurt-eu-central-1".
    let short = "acm-stateful-dpa-1-production-frankf-5d5b43a66c";
    world.clusters[long]
        .wait("the schedule to be enabled", "Schedule", Some(VELERO), |schedules| {
            (schedules.get(short)?["status"]["phase"] == "Enabled").then_some(())
        })
        .await;
    assert!(world.clusters["c1"].get("Schedule", VELERO, "acm-stateful-dpa-1-c1").await.is_some());
    world.stage.strike(&world.clusters[long], short).await;
    let backup = completed_backup(&world, long).await;
    assert_eq!(backup.len(), 62, "{backup}");
    world.template_says(BACKUP, long, "check-backup-completed", "Compliant; ").await;

    world.label_for_restore("c1", &backup).await;
    world.template_says(RESTORE, "c1", "create-source-location", "does not tell which cluster made it").await;
    world.hub.label("ManagedCluster", "c1", &[("flotilla.dev/restore-from", Some(long))]).await;
    reads_from(&world, "c1", long).await;
    world.stage.let_velero_look().await;
    restored(&world, "c1", &backup).await;
    world.velero_took_everything().await;
    world.stop().await;
}

/// A configuration that shares its prefix stays so until it says otherwise; then each cluster starts anew, the old backups are
/// out of sight, and the way back needs another prefix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_style_converges_and_is_told() {
    let world = configured(&["c1"], &[("storagePrefixStyle", "shared")]).await;
    world.create_pacman("c1").await;
    let old = back_up_c1(&world, SCHEDULE).await;
    let folder = stores_in(&world, "c1", "").await;
    world.configure(&[("storagePrefixStyle", None), ("backupSchedule", Some("30 4 * * *"))]).await;
    world.schedule_has(SCHEDULE, "30 4 * * *").await;
    assert_eq!(stores_in(&world, "c1", "").await, folder, "nothing moves by itself");

    let each = [("storagePrefixStyle", Some("per-cluster")), ("backupSchedule", Some("0 */1 * * *"))];
    world.configure(&each).await;
    assert_eq!(stores_in(&world, "c1", "/c1").await, format!("{folder}/c1"));
    world.event(POLICIES, CONFIG_MAP, "DoubtfulConfiguration", "no cluster sees them any more").await;
    world.schedule_has(SCHEDULE, "0 */1 * * *").await;
    world.stage.let_velero_look().await;
    let c1 = &world.clusters["c1"];
    c1.wait("the old backup to be out of sight", "Backup", Some(VELERO), |backups| {
        (!backups.contains_key(&old)).then_some(())
    })
    .await;
    world.stage.strike(c1, SCHEDULE).await;
    completed_backup(&world, "c1").await;

    world.configure(&[("storagePrefixStyle", Some("shared"))]).await;
    world.event(POLICIES, CONFIG_MAP, "DoubtfulConfiguration", "write another prefix").await;
    let refused = "Backup store contains invalid top-level directories: [c1]";
    c1.wait("Velero to refuse the folder of folders", "BackupStorageLocation", Some(VELERO), |locations| {
        let message = locations.get("dpa-1")?["status"]["message"].as_str()?;
        message.contains(refused).then_some(())
    })
    .await;
    world.stop().await;
}
