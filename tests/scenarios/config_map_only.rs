//! One ConfigMap is all that a user writes: T2, T3, T5, T6, T7, what is edited, and what is left.

use serde_json::{Value, json};

use crate::pacman::back_up_c1;
use crate::support::{POLICIES, VELERO, World, config_map};
use crate::{BACKUP, INSTALL, SCHEDULE};

pub const CONFIG_MAP: &str = "hdr-app-configmap";
pub const ACCEPTED: &str = "hdr-app-configmap-accepted";

/// A namespace with its set bound, as an administrator makes it.
pub async fn namespace(world: &World, name: &str, bound: bool) {
    world.hub.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}), "").await;
    if bound {
        let binding = json!({"apiVersion": "cluster.open-cluster-management.io/v1beta2",
            "kind": "ManagedClusterSetBinding", "metadata": {"name": "default"}, "spec": {"clusterSet": "default"}});
        world.hub.apply(binding, name).await;
    }
}

/// The gesture: one labelled ConfigMap, with these keys besides.
pub async fn configure(world: &World, namespace: &str, text: &str, keys: &[(&str, &str)]) {
    for mut document in flotilla::yaml::read_documents(&world.stage.with_storage(text)).unwrap() {
        document["metadata"]["labels"]["flotilla.dev/protect"] = json!("true");
        for (key, value) in keys {
            document["data"][*key] = json!(value);
        }
        world.hub.apply(document, namespace).await;
    }
}

/// A world with one cluster and one configuration, and nothing else.
pub async fn configured(clusters: &[&str], keys: &[(&str, &str)]) -> World {
    let world = World::start_with(clusters).await;
    namespace(&world, POLICIES, true).await;
    configure(&world, POLICIES, &config_map("pv-snap"), keys).await;
    world
}

/// Labels a cluster, and waits until its Schedule is there and is known to be as it should.
pub async fn protect(world: &World, cluster: &str) {
    world.label_for_backup(cluster).await;
    world.template_says(BACKUP, cluster, "create-schedule-resource", "found as specified").await;
}

async fn set_says(world: &World, part: &str) {
    world
        .hub
        .wait(&format!("the policy set to say {part:?}"), "PolicySet", Some(POLICIES), |sets| {
            let message = sets.get("acm-app-backup")?["status"]["statusMessage"].as_str()?;
            message.contains(part).then_some(())
        })
        .await;
}

async fn set_is_silent_on(world: &World, part: &str) {
    world
        .hub
        .wait(&format!("the policy set to say no more {part:?}"), "PolicySet", Some(POLICIES), |sets| {
            let message = sets.get("acm-app-backup")?["status"]["statusMessage"].as_str().unwrap_or_default();
            (!message.contains(part)).then_some(())
        })
        .await;
}

/// T3 and the way of a new user: a bare hub, one ConfigMap, one label, the first backup.
async fn t3_to_the_first_backup(preset: &str, schedule: &str) {
    let world = World::start_with(&["c1"]).await;
    world.create_pacman("c1").await;
    namespace(&world, POLICIES, true).await;
    configure(&world, POLICIES, &config_map(preset), &[]).await;
    let backup = back_up_c1(&world, schedule).await;
    let made = world.clusters["c1"].get("Backup", VELERO, &backup).await.unwrap();
    assert_eq!(made["spec"]["includedNamespaces"], json!(["pacman-ns"]));
    let uid = world.hub.get("ConfigMap", POLICIES, CONFIG_MAP).await.unwrap()["metadata"]["uid"].clone();
    for (kind, count) in [("Policy", 3), ("PolicySet", 2), ("Placement", 2), ("PlacementBinding", 2)] {
        let objects = world.hub.list(kind, Some(POLICIES)).await;
        assert_eq!(objects.len(), count, "{kind}");
        for (name, object) in objects {
            assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], uid, "{kind} {name}");
        }
    }
    world.velero_took_everything().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t3_one_config_map_and_one_label_to_the_first_backup_pv_snap() {
    t3_to_the_first_backup("pv-snap", SCHEDULE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t3_one_config_map_and_one_label_to_the_first_backup_restic() {
    t3_to_the_first_backup("restic", "acm-restic--c1").await;
}

/// Row A87: pacman on c1 and c2, mysql on c3, each configuration in a namespace of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_two_config_maps_choose_disjoint_clusters() {
    let pacman = config_map("pv-snap");
    let mysql = pacman.replace("pacman-ns", "mysql-ns");
    let world = World::start().await;
    for (name, text, app) in
        [("pacman-policy-ns", &pacman, "app=pacman"), ("mysql-policy-ns", &mysql, "app=mysql")]
    {
        namespace(&world, name, true).await;
        configure(&world, name, text, &[("backupClusterSelector", app)]).await;
    }
    for (cluster, app) in [("c1", "pacman"), ("c2", "pacman"), ("c3", "mysql")] {
        world.hub.label("ManagedCluster", cluster, &[("app", Some(app))]).await;
    }
    for (cluster, app) in [("c1", "pacman-ns"), ("c2", "pacman-ns"), ("c3", "mysql-ns")] {
        let included = world.clusters[cluster]
            .wait("the schedule", "Schedule", Some(VELERO), |schedules| {
                let schedule = schedules.get(&format!("acm-pv-dpa-1-{cluster}"))?;
                Some(schedule["spec"]["template"]["includedNamespaces"].clone())
            })
            .await;
        assert_eq!(included, json!([app]), "{cluster}");
        assert_eq!(world.clusters[cluster].list("Schedule", None).await.len(), 1, "{cluster}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t5_a_missing_binding_is_told_and_nothing_is_bound_by_the_hub() {
    let world = World::start_with(&["c1"]).await;
    namespace(&world, POLICIES, false).await;
    configure(&world, POLICIES, &config_map("pv-snap"), &[]).await;
    world.label_for_backup("c1").await;
    assert_eq!(world.why_none_is_backed_up().await, "NoManagedClusterSetBindings");
    assert!(world.hub.list("ManagedClusterSetBinding", Some(POLICIES)).await.is_empty());
    assert!(world.hub.list("Policy", Some("c1")).await.is_empty());

    world.bind_set().await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "found as specified").await;
    world.stop().await;
}

fn dpa_spec(region: &str) -> String {
    let snapshots = |region: &str| json!({"velero": {"config": {"profile": "default", "region": region}, "provider": "aws"}});
    json!({
        "backupLocations": [{"velero": {"config": {"profile": "default", "region": "us-east-1"},
            "credential": {"key": "cloud", "name": "cloud-credentials"}, "default": true,
            "objectStorage": {"bucket": "flotilla", "prefix": "velero"}, "provider": "aws"}}],
        "configuration": {"velero": {"defaultPlugins": ["openshift", "aws"]}},
        "snapshotLocations": [snapshots(region)],
    })
    .to_string()
}

async fn region_is(world: &World, region: &str) -> Value {
    world.clusters["c1"]
        .wait(&format!("region {region}"), "DataProtectionApplication", Some(VELERO), |applications| {
            let application = applications.get("dpa")?;
            let locations = application["spec"]["snapshotLocations"].as_array()?;
            let there = locations.iter().any(|location| location["velero"]["config"]["region"] == region);
            (there && locations.len() == 1).then(|| application["metadata"]["uid"].clone())
        })
        .await
}

/// T6: the region is edited, and nothing is left of the old one; the object is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t6_a_changed_region_leaves_no_duplicate() {
    let world = configured(&["c1"], &[]).await;
    world.configure(&[("dpaSpec", Some(&dpa_spec("eu-west-1")))]).await;
    protect(&world, "c1").await;
    let made = region_is(&world, "eu-west-1").await;
    world.configure(&[("dpaSpec", Some(&dpa_spec("eu-west-2")))]).await;
    assert_eq!(region_is(&world, "eu-west-2").await, made, "edited in place");
    world.stop().await;
}

/// T7: a cluster that loses its label loses its Schedule, and keeps Velero, credentials, namespace and backups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_a_deselected_cluster_keeps_all_but_its_schedule() {
    let world = configured(&["c1"], &[]).await;
    world.create_pacman("c1").await;
    let backup = back_up_c1(&world, SCHEDULE).await;
    world.deselect("c1").await;
    world
        .hub
        .wait("the replicated policies to go", "Policy", Some("c1"), |policies| {
            policies.is_empty().then_some(())
        })
        .await;
    let c1 = &world.clusters["c1"];
    for (kind, name) in
        [("Backup", backup.as_str()), ("Secret", "cloud-credentials"), ("DataProtectionApplication", "dpa")]
    {
        assert!(c1.get(kind, VELERO, name).await.is_some(), "{kind} stays");
    }
    world.stop().await;
}

/// `onDeselect: pause`: the Schedule waits, and goes on with the label.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_a_deselected_cluster_pauses_where_that_is_wished() {
    let world = configured(&["c1"], &[("onDeselect", "pause")]).await;
    protect(&world, "c1").await;
    let made = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
    world.unlabel("c1").await;
    let paused = world
        .schedule_is(SCHEDULE, "the schedule to be paused", |schedule| schedule["spec"]["paused"] == true)
        .await;
    assert_eq!(paused["metadata"]["uid"], made["metadata"]["uid"]);
    world.event(POLICIES, BACKUP, "Paused", SCHEDULE).await;

    world.label_for_backup("c1").await;
    world.schedule_is(SCHEDULE, "the schedule to go on", |schedule| schedule["spec"]["paused"] != true).await;
    world.stop().await;
}

/// `onDeselect: remove`: Velero goes too; what gives access to backups goes only where that is allowed.
async fn t7_removes(allowed: bool) {
    let world = configured(&["c1"], &[("onDeselect", "remove")]).await;
    if allowed {
        let annotation = json!({"metadata": {"annotations": {"flotilla.dev/allow-destructive": "true"}}});
        world.hub.merge("ConfigMap", POLICIES, CONFIG_MAP, &annotation).await;
        world
            .hub
            .wait("the annotation on the policy", "Policy", Some(POLICIES), |policies| {
                let annotations = &policies.get(INSTALL)?["metadata"]["annotations"];
                (annotations["flotilla.dev/allow-destructive"] == "true").then_some(())
            })
            .await;
    }
    protect(&world, "c1").await;
    world.unlabel("c1").await;
    let c1 = &world.clusters["c1"];
    for (kind, name) in [
        ("Schedule", SCHEDULE),
        ("DataProtectionApplication", "dpa"),
        ("Subscription", "redhat-oadp-operator-subscription"),
    ] {
        c1.wait(&format!("{kind} to go"), kind, Some(VELERO), |objects| {
            (!objects.contains_key(name)).then_some(())
        })
        .await;
    }
    if allowed {
        c1.wait("the credentials to go", "Secret", Some(VELERO), |secrets| {
            (!secrets.contains_key("cloud-credentials")).then_some(())
        })
        .await;
    } else {
        world.event(POLICIES, INSTALL, "Kept", "Secret").await;
        assert!(c1.get("Secret", VELERO, "cloud-credentials").await.is_some());
        assert!(c1.get("Namespace", "", VELERO).await.is_some());
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_a_deselected_cluster_loses_velero_where_that_is_wished() {
    t7_removes(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_a_deselected_cluster_loses_the_credentials_where_that_is_allowed() {
    t7_removes(true).await;
}

/// An invalid edit changes nothing anywhere, over a restart and for a cluster that is labelled meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_edit_leaves_the_last_good_version_in_force() {
    let mut world = configured(&["c1", "c2"], &[]).await;
    protect(&world, "c1").await;
    let copy = world.hub.get("ConfigMap", POLICIES, ACCEPTED).await.unwrap();
    let edit = [("backupTTL", Some("ten days")), ("backupSchedule", Some("30 4 * * *"))];
    world.configure(&edit).await;
    let event = world.event(POLICIES, CONFIG_MAP, "InvalidConfiguration", "backupTTL").await;
    assert_eq!(event["type"], "Warning");
    set_says(&world, "its last good version stays in force").await;
    world.kill_hub().await;
    world.start_hub();
    protect(&world, "c2").await;
    for (cluster, name) in [("c1", SCHEDULE), ("c2", "acm-pv-dpa-1-c2")] {
        let schedule = world.clusters[cluster].get("Schedule", VELERO, name).await.unwrap();
        assert_eq!(schedule["spec"]["schedule"], "0 */1 * * *", "{cluster}");
    }
    let after = world.hub.get("ConfigMap", POLICIES, ACCEPTED).await.unwrap();
    assert_eq!(
        after["metadata"]["resourceVersion"], copy["metadata"]["resourceVersion"],
        "nothing is written"
    );
    let secret = copy["data"]["dpaAwsBackupCloudCredentials"].as_str().unwrap();
    for kind in ["Event", "PolicySet", "Policy"] {
        for (name, object) in world.hub.list(kind, Some(POLICIES)).await {
            assert!(!object.to_string().contains(secret), "{kind} {name}");
        }
    }

    world.configure(&[("backupTTL", Some("240h0m0s"))]).await;
    world.schedule_has(SCHEDULE, "30 4 * * *").await;
    set_is_silent_on(&world, "last good version").await;
    world.stop().await;
}

/// A first version that is broken renders nothing, and says what is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_first_version_renders_nothing() {
    let world = configured(&["c1"], &[("backupTTL", "ten days")]).await;
    world.event(POLICIES, CONFIG_MAP, "InvalidConfiguration", "nothing is rendered").await;
    for kind in ["Policy", "PolicySet", "Placement", "PlacementBinding"] {
        assert!(world.hub.list(kind, Some(POLICIES)).await.is_empty(), "{kind}");
    }
    assert!(world.hub.get("ConfigMap", POLICIES, ACCEPTED).await.is_none());
    world.configure(&[("backupTTL", Some("240h0m0s"))]).await;
    protect(&world, "c1").await;
    world.stop().await;
}

/// A policy that a user wrote stays as it is; what was rendered and edited by hand is brought back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_wrote_stays_and_what_was_rendered_is_kept_in_step() {
    let world = World::start_with(&["c1"]).await;
    namespace(&world, POLICIES, true).await;
    let own = json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
        "metadata": {"name": "oadp-hdr-app-restore"}, "spec": {"disabled": true, "policy-templates": []}});
    world.hub.apply(own, POLICIES).await;
    configure(&world, POLICIES, &config_map("pv-snap"), &[]).await;
    protect(&world, "c1").await;
    let occupied = format!("Policy {POLICIES}/oadp-hdr-app-restore");
    world.event(POLICIES, CONFIG_MAP, "NotRendered", &occupied).await;
    set_says(&world, "oadp-hdr-app-restore").await;
    let theirs = world.hub.get("Policy", POLICIES, "oadp-hdr-app-restore").await.unwrap();
    assert_eq!(theirs["spec"], json!({"disabled": true, "policy-templates": []}));
    assert_eq!(theirs["metadata"]["annotations"], Value::Null);

    world
        .hub
        .merge(
            "PolicySet",
            POLICIES,
            "acm-app-backup",
            &json!({"spec": {"policies": ["other"]}, "metadata":
            {"labels": {"theirs": "stays"}}}),
        )
        .await;
    world
        .hub
        .wait("the hand edit to be reverted", "PolicySet", Some(POLICIES), |sets| {
            let set = sets.get("acm-app-backup")?;
            let reverted = set["spec"]["policies"] == json!([INSTALL, BACKUP]);
            (reverted && set["metadata"]["labels"]["theirs"] == "stays").then_some(())
        })
        .await;
    world.hub.delete("PlacementBinding", POLICIES, "acm-app-backup-placement-binding").await;
    world
        .hub
        .wait("the binding to be made again", "PlacementBinding", Some(POLICIES), |bindings| {
            bindings.get("acm-app-backup-placement-binding").map(|_| ())
        })
        .await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "found as specified").await;
    world.stop().await;
}

/// What the hub renders and somebody edits by hand is put right before any cluster feels it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_by_hand_takes_nothing_from_a_cluster() {
    let world = configured(&["c1"], &[("onDelete", "remove")]).await;
    protect(&world, "c1").await;
    let made = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
    let placement = "acm-app-backup-placement";
    let as_rendered = world.hub.get("Placement", POLICIES, placement).await.unwrap()["spec"].clone();
    let nobody =
        json!([{"requiredClusterSelector": {"labelSelector": {"matchLabels": {"nobody": "has-it"}}}}]);
    for (kind, name, spec) in [
        ("Placement", placement, json!({"predicates": nobody})),
        ("Policy", BACKUP, json!({"disabled": true})),
        ("ConfigMap", ACCEPTED, json!(null)),
    ] {
        let patch = match kind {
            "ConfigMap" => json!({"data": {"backupSchedule": "1 1 1 1 1"}}),
            _ => json!({"spec": spec}),
        };
        let before = world.hub.get(kind, POLICIES, name).await.unwrap();
        world.hub.merge(kind, POLICIES, name, &patch).await;
        world
            .hub
            .wait(&format!("the edit of {kind} {name} to be taken back"), kind, Some(POLICIES), |objects| {
                let now = objects.get(name)?;
                (now["spec"] == before["spec"] && now["data"] == before["data"]).then_some(())
            })
            .await;
    }
    world.event(POLICIES, placement, "EditedByHand", "change the ConfigMap instead").await;
    world.hub.delete("Policy", POLICIES, BACKUP).await;
    world
        .hub
        .wait("the policy to be made again", "Policy", Some(POLICIES), |policies| {
            policies.get(BACKUP).map(|_| ())
        })
        .await;
    assert_eq!(world.hub.get("Placement", POLICIES, placement).await.unwrap()["spec"], as_rendered);

    // A change that counts comes after them, on the same Schedule.
    world.configure(&[("backupSchedule", Some("20 */3 * * *"))]).await;
    world.schedule_has(SCHEDULE, "20 */3 * * *").await;
    let now = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
    assert_eq!(now["metadata"]["uid"], made["metadata"]["uid"]);
    world.stop().await;
}

/// Where the ConfigMap goes, or asks for nothing any more, the policies go, and nothing on any cluster.
async fn leaving(unlabel: bool) {
    let world = configured(&["c1"], &[]).await;
    protect(&world, "c1").await;
    let before = world.versions("c1").await;
    if unlabel {
        let label = json!({"metadata": {"labels": {"flotilla.dev/protect": null}}});
        world.hub.merge("ConfigMap", POLICIES, CONFIG_MAP, &label).await;
    } else {
        world.hub.delete("ConfigMap", POLICIES, CONFIG_MAP).await;
    }
    for kind in ["Policy", "PolicySet", "Placement", "PlacementBinding"] {
        world
            .hub
            .wait(&format!("{kind} to go"), kind, Some(POLICIES), |objects| objects.is_empty().then_some(()))
            .await;
    }
    world.event("c1", &format!("{POLICIES}.{BACKUP}"), "Kept", "nothing is removed there").await;
    assert!(world.hub.get("ConfigMap", POLICIES, ACCEPTED).await.is_none());
    assert_eq!(world.versions("c1").await, before, "backups go on");

    // What was left behind is still known when the configuration comes back.
    configure(&world, POLICIES, &config_map("pv-snap"), &[]).await;
    protect(&world, "c1").await;
    assert_eq!(world.versions("c1").await, before);
    world.deselect("c1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_config_map_takes_its_policies_and_nothing_on_a_cluster() {
    leaving(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unlabelled_config_map_takes_its_policies_and_nothing_on_a_cluster() {
    leaving(true).await;
}

/// `onDelete: remove`: with the ConfigMap goes what the hub made on the clusters, but for what gives access to backups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_config_map_takes_velero_along_where_that_is_wished() {
    let world = configured(&["c1"], &[("onDelete", "remove")]).await;
    protect(&world, "c1").await;
    world.hub.delete("ConfigMap", POLICIES, CONFIG_MAP).await;
    let c1 = &world.clusters["c1"];
    for (kind, name) in [("Schedule", SCHEDULE), ("DataProtectionApplication", "dpa")] {
        c1.wait(&format!("{kind} to go"), kind, Some(VELERO), |objects| {
            (!objects.contains_key(name)).then_some(())
        })
        .await;
    }
    world
        .hub
        .wait("the replicated policies to go", "Policy", Some("c1"), |policies| {
            policies.is_empty().then_some(())
        })
        .await;
    assert!(c1.get("Secret", VELERO, "cloud-credentials").await.is_some());
    assert!(c1.get("Namespace", "", VELERO).await.is_some());
    world.stop().await;
}
