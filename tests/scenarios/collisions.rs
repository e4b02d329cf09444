//! Two configurations that meet on a cluster: one stays in force, the other waits there, and both say so.

use serde_json::{Value, json};

use crate::config_map_only;
use crate::support::{self, User, VELERO, World, config_map, newest, own_policy_files, read};
use crate::{BACKUP, INSTALL, RESTORE};

/// The configuration that is on the cluster first. It is the younger one, and the later one in the order of names.
const STORE: &str = "store-policies";
/// The one that comes second.
const BANK: &str = "bank-policies";
const SCHEDULE: &str = "acm-app-dpa-1-c1";
const CREATE_SCHEDULE: &str = "create-schedule-resource";

/// Applies a configuration whose clusters are those that have its namespace's name as a label.
async fn configure(world: &World, namespace: &str, keys: &[(&str, &str)]) {
    let hub = &world.hub;
    hub.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}), "").await;
    hub.apply(
        json!({"apiVersion": "cluster.open-cluster-management.io/v1beta2", "kind": "ManagedClusterSetBinding",
            "metadata": {"name": "default"}, "spec": {"clusterSet": "default"}}),
        namespace,
    )
    .await;
    let text = support::input::project_file("configmaps/demo.yaml");
    for mut config_map in flotilla::yaml::read_documents(&text).unwrap() {
        config_map["metadata"]["namespace"] = json!(namespace);
        world.stage.tell_storage(&mut config_map);
        // Nothing falls due while a scenario runs: Velero would write into the Schedule.
        config_map["data"]["backupSchedule"] = json!("0 3 1 1 *");
        for (key, value) in keys {
            config_map["data"][*key] = json!(value);
        }
        hub.apply(config_map, namespace).await;
    }
    for file in own_policy_files() {
        for mut document in flotilla::yaml::read_documents(&read(&file)).unwrap() {
            if document["kind"] == "Placement" {
                let selector =
                    &mut document["spec"]["predicates"][0]["requiredClusterSelector"]["labelSelector"];
                let own = json!({"key": namespace, "operator": "Exists"});
                let wanted = selector["matchExpressions"].as_array_mut().unwrap();
                wanted.retain(|expression| expression["key"] != "acm-pv-dr");
                wanted.push(own);
            }
            hub.apply(document, namespace).await;
        }
    }
}

/// The gesture: this cluster is one of a configuration's, or is not any more.
async fn select(world: &World, cluster: &str, namespace: &str, is: bool) {
    world.hub.label("ManagedCluster", cluster, &[(namespace, is.then_some("yes"))]).await;
}

async fn change(world: &World, namespace: &str, keys: &[(&str, &str)]) {
    let data: std::collections::BTreeMap<_, _> = keys.iter().copied().collect();
    world.hub.merge("ConfigMap", namespace, "hdr-app-configmap", &json!({"data": data})).await;
}

async fn policy_is(world: &World, namespace: &str, policy: &str, cluster: &str, state: &str) {
    let what = format!("{namespace}/{policy} to be {state} on {cluster}");
    world
        .hub
        .wait(&what, "Policy", Some(namespace), |policies| {
            let clusters = policies.get(policy)?["status"]["status"].as_array()?;
            let there = clusters.iter().find(|entry| entry["clustername"] == cluster)?;
            (there["compliant"] == state).then_some(())
        })
        .await;
}

/// Waits until a template says something on c1; answers the message.
async fn says(world: &World, namespace: &str, policy: &str, template: &str, part: &str) -> String {
    let name = format!("{namespace}.{policy}");
    let what = format!("{name}/{template} to say {part:?}");
    world
        .hub
        .wait(&what, "Policy", Some("c1"), |policies| {
            newest(policies.get(&name)?, template).filter(|message| message.contains(part))
        })
        .await
}

/// Waits until a configuration's Schedule is as it wants it on a cluster. The policy as a whole waits for a backup.
async fn in_force(world: &World, namespace: &str, cluster: &str) {
    let name = format!("{namespace}.{BACKUP}");
    let what = format!("{name} to be in force on {cluster}");
    world
        .hub
        .wait(&what, "Policy", Some(cluster), |policies| {
            newest(policies.get(&name)?, CREATE_SCHEDULE)?.starts_with("Compliant; ").then_some(())
        })
        .await;
}

/// Waits until the Schedule of c1 backs this namespace up; answers it.
async fn backs_up(cluster: &User, namespace: &str) -> Value {
    cluster
        .wait(&format!("the schedule to back up {namespace}"), "Schedule", Some(VELERO), |schedules| {
            let schedule = schedules.get(SCHEDULE)?;
            let backed_up = schedule["spec"]["template"]["includedNamespaces"] == json!([namespace]);
            (backed_up && schedule["status"]["phase"] == "Enabled").then(|| schedule.clone())
        })
        .await
}

/// Both configurations; c1 is the store's, which has its Schedule there.
async fn two_configurations(bank: &[(&str, &str)]) -> (World, Value) {
    let world = World::start().await;
    configure(&world, BANK, bank).await;
    configure(&world, STORE, &[("backupNSToBackup", "[\"store\"]")]).await;
    select(&world, "c1", STORE, true).await;
    let schedule = backs_up(&world.clusters["c1"], "store").await;
    policy_is(&world, STORE, INSTALL, "c1", "Compliant").await;
    in_force(&world, STORE, "c1").await;
    (world, schedule)
}

/// The same, and the bank is held on c1.
async fn collision() -> (World, Value) {
    let (world, schedule) = two_configurations(&[("backupNSToBackup", "[\"bank\"]")]).await;
    select(&world, "c1", BANK, true).await;
    says(&world, BANK, BACKUP, CREATE_SCHEDULE, "collision").await;
    (world, schedule)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_stays_in_force_and_the_second_is_held_on_that_cluster_only() {
    let (world, before) = collision().await;
    let message = says(&world, BANK, BACKUP, CREATE_SCHEDULE, "collision").await;
    for part in [
        "NonCompliant; ",
        "store-policies/oadp-hdr-app-backup",
        "Schedule acm-app-backup/acm-app-dpa-1-c1",
        "nothing of this template is written",
        "Placement",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    policy_is(&world, BANK, BACKUP, "c1", "NonCompliant").await;
    world.event(BANK, BACKUP, "Collision", "store-policies/oadp-hdr-app-backup").await;
    world.event(STORE, BACKUP, "Collision", "bank-policies/oadp-hdr-app-backup").await;

    select(&world, "c2", BANK, true).await;
    in_force(&world, BANK, "c2").await;
    assert!(world.clusters["c2"].get("Schedule", VELERO, "acm-app-dpa-1-c2").await.is_some());

    // A change of the held one stays on the hub.
    change(&world, BANK, &[("backupTTL", "48h0m0s")]).await;
    world.clusters["c2"]
        .wait("the change on c2", "Schedule", Some(VELERO), |schedules| {
            (schedules.get("acm-app-dpa-1-c2")?["spec"]["template"]["ttl"] == "48h0m0s").then_some(())
        })
        .await;
    in_force(&world, STORE, "c1").await;
    policy_is(&world, STORE, INSTALL, "c1", "Compliant").await;
    policy_is(&world, BANK, INSTALL, "c1", "Compliant").await;
    policy_is(&world, BANK, BACKUP, "c1", "NonCompliant").await;
    let after = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
    assert_eq!(after, before, "nobody has written into it");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_collision_lets_the_second_go_on() {
    let (world, before) = collision().await;
    let c1 = &world.clusters["c1"];

    // Its ConfigMap names another Schedule.
    change(&world, BANK, &[("backupPrefix", "bank")]).await;
    c1.wait("a schedule of its own", "Schedule", Some(VELERO), |schedules| {
        let own = schedules.get("bank-dpa-1-c1")?;
        (own["spec"]["template"]["includedNamespaces"] == json!(["bank"])).then_some(())
    })
    .await;
    in_force(&world, BANK, "c1").await;
    assert_eq!(c1.get("Schedule", VELERO, SCHEDULE).await.unwrap(), before);

    // And the former again. What it had made is kept, as everything that a held template made.
    change(&world, BANK, &[("backupPrefix", "acm-app")]).await;
    says(&world, BANK, BACKUP, CREATE_SCHEDULE, "collision").await;
    assert_eq!(c1.get("Schedule", VELERO, SCHEDULE).await.unwrap(), before);

    // The first leaves the cluster: what the second wants stays, and is the second's from now on.
    select(&world, "c1", STORE, false).await;
    let after = backs_up(c1, "bank").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "handed over, not made again");
    in_force(&world, BANK, "c1").await;
    policy_is(&world, BANK, INSTALL, "c1", "Compliant").await;
    select(&world, "c1", BANK, false).await;
    c1.wait("the schedules to go", "Schedule", Some(VELERO), |schedules| schedules.is_empty().then_some(()))
        .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_policy_lets_the_second_go_on() {
    let (world, _) = collision().await;
    world.hub.delete("Policy", STORE, BACKUP).await;
    backs_up(&world.clusters["c1"], "bank").await;
    in_force(&world, BANK, "c1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_the_first_in_force() {
    let (mut world, before) = collision().await;
    for _ in 0..3 {
        world.kill_hub().await;
        // What the next process does on c2 proves that it has looked.
        select(&world, "c2", BANK, true).await;
        world.start_hub();
        in_force(&world, BANK, "c2").await;
        says(&world, BANK, BACKUP, CREATE_SCHEDULE, "collision").await;
        in_force(&world, STORE, "c1").await;
        let after = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
        assert_eq!(after, before);
        select(&world, "c2", BANK, false).await;
        world.clusters["c2"]
            .wait("the schedule of c2 to go", "Schedule", Some(VELERO), |schedules| {
                schedules.is_empty().then_some(())
            })
            .await;
    }
    world.stop().await;
}

/// A ConfigMap that is gone takes nothing away from its configuration, before a restart and after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_first_gives_nothing_away() {
    let (mut world, before) = collision().await;
    let config_map = world.hub.get("ConfigMap", STORE, "hdr-app-configmap").await.unwrap();
    world.hub.delete("ConfigMap", STORE, "hdr-app-configmap").await;
    says(&world, STORE, BACKUP, CREATE_SCHEDULE, "hdr-app-configmap").await;
    change(&world, BANK, &[("backupTTL", "48h0m0s")]).await;
    select(&world, "c2", BANK, true).await;
    in_force(&world, BANK, "c2").await;
    says(&world, BANK, BACKUP, CREATE_SCHEDULE, "is wanted otherwise").await;
    world.kill_hub().await;
    world.start_hub();
    // About the Schedule on the stand-in. A real server's defaults make the DataProtectionApplication, which is to be just so,
    // look as if it were to change: then it is held already there, and the Schedule waits for it.
    world
        .hub
        .wait("the second to be held by what the first has written", "Policy", Some("c1"), |policies| {
            let bank = policies.iter().filter(|(name, _)| name.starts_with(BANK));
            let mut details =
                bank.flat_map(|(_, policy)| policy["status"]["details"].as_array().into_iter().flatten());
            details
                .any(|detail| {
                    let said = detail["history"][0]["message"].as_str();
                    said.is_some_and(|message| message.contains("cannot be evaluated now"))
                })
                .then_some(())
        })
        .await;
    assert_eq!(world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap(), before);
    let data = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hdr-app-configmap"},
        "data": config_map["data"]});
    world.hub.apply(data, STORE).await;
    in_force(&world, STORE, "c1").await;
    says(&world, BANK, BACKUP, CREATE_SCHEDULE, "is wanted otherwise").await;
    assert_eq!(world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap(), before);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_content_is_no_collision_and_stays_until_the_last_leaves() {
    let (world, before) = two_configurations(&[("backupNSToBackup", "[\"store\"]")]).await;
    let c1 = &world.clusters["c1"];
    select(&world, "c1", BANK, true).await;
    for namespace in [STORE, BANK] {
        policy_is(&world, namespace, INSTALL, "c1", "Compliant").await;
        in_force(&world, namespace, "c1").await;
    }
    for namespace in [STORE, BANK] {
        let events = world.hub.list("Event", Some(namespace)).await;
        assert!(events.values().all(|event| event["reason"] != "Collision"), "{events:#?}");
    }
    select(&world, "c1", STORE, false).await;
    world
        .hub
        .wait("the store's policies to leave", "Policy", Some("c1"), |policies| {
            policies.keys().all(|name| !name.starts_with(STORE)).then_some(())
        })
        .await;
    in_force(&world, BANK, "c1").await;
    assert_eq!(c1.get("Schedule", VELERO, SCHEDULE).await.unwrap(), before, "the bank wants it still");
    assert!(c1.get("OperatorGroup", VELERO, "redhat-oadp-operator-group").await.is_some());
    select(&world, "c1", BANK, false).await;
    world.schedule_is_gone("c1").await;
    world.stop().await;
}

/// Row G17.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g17_a_second_application_in_the_namespace_is_held() {
    let (world, _) = two_configurations(&[("dpaName", "bank")]).await;
    select(&world, "c1", BANK, true).await;
    let message = says(&world, BANK, INSTALL, "create-oadp-dpa-resource", "collision").await;
    for part in [
        "store-policies/oadp-hdr-app-install",
        "DataProtectionApplication acm-app-backup/dpa",
        "acm-app-backup/bank",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    policy_is(&world, BANK, BACKUP, "c1", "Pending").await;
    let applications = world.clusters["c1"].list("DataProtectionApplication", Some(VELERO)).await;
    assert_eq!(applications.keys().collect::<Vec<_>>(), ["dpa"]);
    change(&world, BANK, &[("dpaName", "dpa")]).await;
    policy_is(&world, BANK, INSTALL, "c1", "Compliant").await;
    world.stop().await;
}

/// Row G8: with two such maps Velero fails every restore of a volume.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g8_a_second_storage_class_map_is_held() {
    let (world, _) = two_configurations(&[("restoreStorageConfigName", "bank-classes")]).await;
    let c1 = &world.clusters["c1"];
    world.hub.label("ManagedCluster", "c1", &[("acm-app-restore", Some("some-backup"))]).await;
    c1.wait("the map", "ConfigMap", Some(VELERO), |maps| maps.get("storage-class-acm-app").map(|_| ())).await;
    select(&world, "c1", BANK, true).await;
    let message = says(&world, BANK, RESTORE, "create-storage-class-map", "collision").await;
    for part in [
        "store-policies/oadp-hdr-app-restore",
        "ConfigMap acm-app-backup/storage-class-acm-app",
        "ConfigMap acm-app-backup/bank-classes",
        "velero.io/change-storage-class",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    assert!(c1.get("ConfigMap", VELERO, "bank-classes").await.is_none());
    select(&world, "c1", STORE, false).await;
    c1.wait("the other map", "ConfigMap", Some(VELERO), |maps| maps.get("bank-classes").map(|_| ())).await;
    world.stop().await;
}

/// Two configurations of one ConfigMap each; the first one is in force on c1, and both choose it. The second one has these keys.
async fn two_config_maps(keys: &[(&str, &str)]) -> World {
    let world = World::start().await;
    for namespace in [STORE, BANK] {
        config_map_only::namespace(&world, namespace, true).await;
    }
    let text = config_map("pv-snap");
    let selector = |namespace: &str| format!("{namespace}=yes");
    config_map_only::configure(&world, STORE, &text, &[("backupClusterSelector", &selector(STORE))]).await;
    select(&world, "c1", STORE, true).await;
    in_force(&world, STORE, "c1").await;
    let own = selector(BANK);
    let keys: Vec<(&str, &str)> = keys
        .iter()
        .copied()
        .chain([("backupPrefix", "bank"), ("backupClusterSelector", own.as_str())])
        .collect();
    config_map_only::configure(&world, BANK, &text, &keys).await;
    select(&world, "c1", BANK, true).await;
    world
}

/// Rows A15, A86: the same namespace of an app under another name, over a restart; on another cluster it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_is_protected_by_one_configuration() {
    let mut world = two_config_maps(&[("backupNSToBackup", "[\"*\"]")]).await;
    let message = says(&world, BANK, BACKUP, CREATE_SCHEDULE, "would back up namespace pacman-ns").await;
    for part in
        ["NonCompliant; ", "store-policies/oadp-hdr-app-backup", "Schedule acm-app-backup/acm-pv-dpa-1-c1"]
    {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    let message = says(&world, STORE, BACKUP, CREATE_SCHEDULE, "would back up namespace pacman-ns").await;
    for part in ["Compliant; ", "bank-policies/oadp-hdr-app-backup", "Schedule acm-app-backup/bank-dpa-1-c1"]
    {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    world.kill_hub().await;
    select(&world, "c2", BANK, true).await;
    world.start_hub();
    in_force(&world, BANK, "c2").await;
    let schedules = world.clusters["c1"].list("Schedule", None).await;
    assert_eq!(schedules.keys().collect::<Vec<_>>(), ["acm-pv-dpa-1-c1"]);

    // The first one leaves, and the second one protects the namespace.
    select(&world, "c1", STORE, false).await;
    world.clusters["c1"]
        .wait("the second's schedule", "Schedule", Some(VELERO), |schedules| {
            schedules.get("bank-dpa-1-c1").map(|_| ())
        })
        .await;
    world.stop().await;
}

/// Two Veleros on a cluster are fine, as long as each protects namespaces of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_veleros_in_two_namespaces_are_no_collision() {
    let world = two_config_maps(&[("backupNS", "bank-velero"), ("backupNSToBackup", "[\"bank\"]")]).await;
    says(&world, BANK, INSTALL, "create-oadp-dpa-resource", "found as specified").await;
    for namespace in [VELERO, "bank-velero"] {
        let applications = world.clusters["c1"].list("DataProtectionApplication", Some(namespace)).await;
        assert_eq!(applications.keys().collect::<Vec<_>>(), ["dpa"], "{namespace}");
    }
    for namespace in [STORE, BANK] {
        let events = world.hub.list("Event", Some(namespace)).await;
        assert!(events.values().all(|event| event["reason"] != "Collision"), "{events:#?}");
    }
    world.stop().await;
}

/// One Velero namespace, and two opinions of where its backups lie and of who may write them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_storage_in_the_same_velero_is_held() {
    let other = "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPW90aGVyCmF3c19zZWNyZXRfYWNjZXNzX2tleT1vdGhlcgo=";
    let spec = json!({
        "backupLocations": [{"velero": {"config": {"profile": "default", "region": "us-east-1"},
            "credential": {"key": "cloud", "name": "cloud-credentials"}, "default": true,
            "objectStorage": {"bucket": "bank", "prefix": "velero"}, "provider": "aws"}}],
        "configuration": {"velero": {"defaultPlugins": ["openshift", "aws"]}},
    })
    .to_string();
    let world = two_config_maps(&[
        ("backupNSToBackup", "[\"bank\"]"),
        ("dpaAwsBackupCloudCredentials", other),
        ("dpaSpec", &spec),
        ("backupVolumeSnapshotLocation", ""),
    ])
    .await;
    for (template, object) in [
        ("create-backup-storage-credentials-secret", "Secret acm-app-backup/cloud-credentials"),
        ("create-oadp-dpa-resource", "DataProtectionApplication acm-app-backup/dpa"),
    ] {
        let message = says(&world, BANK, INSTALL, template, "collision").await;
        assert!(
            message.contains(&format!("{object} is wanted otherwise by policy {STORE}/{INSTALL}")),
            "{message}"
        );
        let message = says(&world, STORE, INSTALL, template, "collision").await;
        assert!(message.starts_with("Compliant; ") && message.contains(BANK), "{message}");
        assert!(!message.contains(other), "{message}");
    }
    policy_is(&world, BANK, BACKUP, "c1", "Pending").await;
    let application = world.clusters["c1"].get("DataProtectionApplication", VELERO, "dpa").await.unwrap();
    let bucket = &application["spec"]["backupLocations"][0]["velero"]["objectStorage"]["bucket"];
    assert_ne!(bucket, "bank");
    world.stop().await;
}
