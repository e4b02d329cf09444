//! `installMode: none`: a Velero that somebody else installed is used as it is, and looked at before anything is asked of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::config_map_only::{CONFIG_MAP, configured, namespace, protect};
use crate::pacman::back_up_c1;
use crate::support::input::project_file;
use crate::support::stage::{Kind, kind};
use crate::support::{POLICIES, VELERO, World, existing};
use crate::{BACKUP, INSTALL, RESTORE, SCHEDULE};

/// The policy that looks at a Velero that is there.
const CHECK: &str = "velero-hdr-app-check";
/// The Schedule of c1 under the sample.
const EXISTING_SCHEDULE: &str = "acm-app--c1";
/// Where the policy keeps what Velero answered.
const RECORD: &str = "velero-hdr-app-version";

/// A bare cluster c1 that joined, and the sample configuration for it.
async fn configured_for_existing() -> World {
    let mut world = World::start_bare("c1").await;
    world.join("c1").await;
    world.start_hub();
    configure_for_existing(&world).await;
    world
}

/// The sample, filled in.
async fn configure_for_existing(world: &World) {
    namespace(world, POLICIES, true).await;
    let sample = project_file("configmaps/existing-velero.yaml")
        .replace("<namespace of Velero>", VELERO)
        .replace("<namespace of an app>", "pacman-ns");
    for mut document in flotilla::yaml::read_documents(&sample).unwrap() {
        document["metadata"]["namespace"] = json!(POLICIES);
        world.hub.apply(document, POLICIES).await;
    }
}

/// The key of the repositories, which Velero makes for itself.
const OWN_SECRET: &str = "velero-repo-credentials";

/// How many objects the hub has created on clusters.
fn creations(world: &World) -> u32 {
    let metrics = world.metrics();
    let count =
        metrics.lines().find_map(|line| line.strip_prefix("flotilla_cluster_writes_total{kind=\"Create\"} "));
    count.map_or(0, |count| count.parse().unwrap())
}

/// What stands on the cluster of Velero's own, without what Velero and the cluster write themselves.
async fn velero_itself(world: &World) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for kind in ["Namespace", "Secret", "ServiceAccount", "Deployment", "DaemonSet", "BackupStorageLocation"]
    {
        for (name, mut object) in world.clusters["c1"].list(kind, None).await {
            let namespace = &object["metadata"]["namespace"];
            if (*namespace == VELERO || name == VELERO) && name != OWN_SECRET {
                let kept = ["labels", "annotations", "uid", "generation"];
                object["metadata"].as_object_mut().unwrap().retain(|field, _| kept.contains(&field.as_str()));
                if kind == "BackupStorageLocation" {
                    // Velero counts each look at it.
                    object["metadata"].as_object_mut().unwrap().remove("generation");
                }
                object.as_object_mut().unwrap().remove("status");
                found.insert(format!("{kind} {name}"), object);
            }
        }
    }
    found
}

/// A bare cluster, told so; then somebody installs Velero there; then the first backup. Velero is as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_velero_that_is_there_is_used_as_it_is() {
    let world = configured_for_existing().await;
    world.create_pacman("c1").await;
    world.label_for_backup("c1").await;
    let told = world.template_says(CHECK, "c1", "check-velero-namespace", "NonCompliant; ").await;
    assert!(told.contains("there is no namespace acm-app-backup"), "{told}");
    world.template_says(CHECK, "c1", "check-pod-running-app-velero", "no Velero runs in the namespace").await;
    world.template_says(CHECK, "c1", "check-velero-version", "has not told its version yet").await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "Pending; ").await;
    let c1 = &world.clusters["c1"];
    assert!(c1.get("Namespace", "", VELERO).await.is_none(), "nothing is made for it");

    existing::define(&world, "c1").await;
    existing::install(&world, "c1", "v1.18.3").await;
    world.template_says(CHECK, "c1", "check-velero-version", "Compliant; Velero v1.18.3 runs there").await;
    world.policy_is(CHECK, "c1", "Compliant").await;
    let before = velero_itself(&world).await;
    assert_eq!(before.len(), 6, "{:?}", before.keys());
    let backup = back_up_c1(&world, EXISTING_SCHEDULE).await;
    let made = c1.get("Backup", VELERO, &backup).await.unwrap();
    assert_eq!(made["spec"]["storageLocation"], "default");
    assert_eq!(velero_itself(&world).await, before);

    // It was asked once, and the question is taken away with the answer.
    c1.wait("the request to go", "ServerStatusRequest", Some(VELERO), |all| all.is_empty().then_some(()))
        .await;
    let record = c1.get("ConfigMap", VELERO, RECORD).await.unwrap();
    assert_eq!(
        (&record["data"]["version"], &record["data"]["supported"]),
        (&json!("v1.18.3"), &json!("true"))
    );

    // Another Pod of the server is asked again, and its identity is what is kept.
    existing::scale(&world, "c1", 0).await;
    world.template_says(CHECK, "c1", "check-pod-running-app-velero", "no Velero runs in the namespace").await;
    existing::scale(&world, "c1", 1).await;
    c1.wait("the new server to be asked", "ConfigMap", Some(VELERO), |maps| {
        (maps.get(RECORD)?["data"]["server"] != record["data"]["server"]).then_some(())
    })
    .await;
    world.policy_is(CHECK, "c1", "Compliant").await;
    c1.wait("the request to go", "ServerStatusRequest", Some(VELERO), |all| all.is_empty().then_some(()))
        .await;
    world.stage.let_velero_look().await;
    assert_eq!(creations(&world), 4, "one more question");
    world.velero_took_everything().await;

    // A cluster that leaves keeps Velero and its backups.
    world.deselect("c1").await;
    assert!(c1.get("Backup", VELERO, &backup).await.is_some());
    c1.wait("the record to go", "ConfigMap", Some(VELERO), |maps| (!maps.contains_key(RECORD)).then_some(()))
        .await;
    assert_eq!(velero_itself(&world).await.len(), 6);
    world.stop().await;
}

/// With the account that `flotilla cluster join` makes, which has no more rights than it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_joining_gives_are_enough_to_look_at_it() {
    let mut world = World::start_bare("c1").await;
    existing::define(&world, "c1").await;
    existing::install(&world, "c1", "v1.18.3").await;
    world.join_by_command("c1", &["--velero-namespace", VELERO, "--label", "name=c1"]).await;
    world.start_hub();
    configure_for_existing(&world).await;
    protect(&world, "c1").await;
    world.policy_is(CHECK, "c1", "Compliant").await;
    world.clusters["c1"]
        .wait("the request to go", "ServerStatusRequest", Some(VELERO), |all| all.is_empty().then_some(()))
        .await;
    world.stop().await;
}

/// The real program has one version only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_velero_that_is_too_old_is_told_and_gets_nothing() {
    if kind() == Kind::Plane {
        println!("skipped: the real Velero of the stage is not an old one");
        return;
    }
    let world = configured_for_existing().await;
    existing::define(&world, "c1").await;
    existing::install(&world, "c1", "v1.11.1").await;
    world.label_for_backup("c1").await;
    let told = world.template_says(CHECK, "c1", "check-velero-version", "NonCompliant; Velero v1.11.1").await;
    assert!(
        told.ends_with("Velero v1.11.1 runs there, and 1.12 is the oldest that is supported: upgrade it"),
        "{told}"
    );
    world.template_says(BACKUP, "c1", "create-schedule-resource", "Pending; ").await;
    assert!(world.clusters["c1"].list("Schedule", None).await.is_empty());

    existing::install(&world, "c1", "v1.16.2").await;
    world.template_says(CHECK, "c1", "check-velero-version", "Compliant; Velero v1.16.2 runs there").await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "found as specified").await;
    world.stop().await;
}

/// Row G4, before Velero would refuse the Restore for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_restic_made_is_not_restored_where_velero_cannot_read_it() {
    if kind() == Kind::Plane {
        println!("skipped: the real Velero of the stage can read it");
        return;
    }
    let world = configured_for_existing().await;
    existing::define(&world, "c1").await;
    existing::install(&world, "c1", "v1.19.0").await;
    let c1 = &world.clusters["c1"];
    for uploader in ["restic", "kopia"] {
        let backup = format!("by-{uploader}");
        c1.apply(
            json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": backup},
                "spec": {"storageLocation": "default"}, "status": {"phase": "Completed"}}),
            VELERO,
        )
        .await;
        c1.apply(
            json!({"apiVersion": "velero.io/v1", "kind": "PodVolumeBackup",
                "metadata": {"name": backup, "labels": {"velero.io/backup-name": backup}},
                "spec": {"uploaderType": uploader}}),
            VELERO,
        )
        .await;
    }
    world.label_for_restore("c1", "by-restic").await;
    let check = "check-backup-without-restic";
    let told = world.template_says(RESTORE, "c1", check, "NonCompliant; ").await;
    assert!(told.contains("Backup by-restic holds files of volumes that restic copied"), "{told}");
    world.template_says(RESTORE, "c1", "create-restore-resource", "Pending; ").await;
    assert!(c1.list("Restore", None).await.is_empty());

    world.label_for_restore("c1", "by-kopia").await;
    c1.wait("the restore of the other", "Restore", Some(VELERO), |restores| {
        restores.contains_key("restore-by-kopia").then_some(())
    })
    .await;
    assert!(!c1.list("Restore", None).await.contains_key("restore-by-restic"));
    world.stop().await;
}

/// From OADP's to one that is there: nothing that the hub installed is uninstalled, whatever the ConfigMap says of its own end; and
/// back again nothing is made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switching_to_none_uninstalls_nothing() {
    let world = configured(&["c1"], &[("onDelete", "remove")]).await;
    protect(&world, "c1").await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    let before = world.versions("c1").await;
    let mode = |mode: Option<&str>| json!({"data": {"installMode": mode}});
    world.hub.merge("ConfigMap", POLICIES, CONFIG_MAP, &mode(Some("none"))).await;
    world.event("c1", &format!("{POLICIES}.{INSTALL}"), "Kept", "nothing is removed there").await;
    world.policy_is(CHECK, "c1", "Compliant").await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "found as specified").await;
    assert_eq!(world.versions("c1").await, before);
    let policies = world.hub.list("Policy", Some(POLICIES)).await;
    assert!(policies.contains_key(CHECK) && !policies.contains_key(INSTALL), "{:?}", policies.keys());

    world.hub.merge("ConfigMap", POLICIES, CONFIG_MAP, &mode(None)).await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    world.schedule_is(SCHEDULE, "the schedule", |_| true).await;
    assert_eq!(world.versions("c1").await, before);
    world.stop().await;
}
