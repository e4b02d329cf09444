//! `installMode: velero`: the hub installs Velero by itself, on a cluster that has nothing of it, and in the place of OADP.

use serde_json::{Value, json};

use crate::config_map_only::{configure, namespace};
use crate::pacman::back_up_c1;
use crate::support::{POLICIES, VELERO, World, config_map};
use crate::{BACKUP, INSTALL, SCHEDULE};

/// The policy that installs Velero without an operator.
const INSTALL_VELERO: &str = "velero-hdr-app-install";

/// What the hub can carry out, with these fields of `configuration.velero` besides.
fn specification(velero: &Value) -> String {
    let mut fields = json!({"defaultPlugins": ["aws"]});
    fields.as_object_mut().unwrap().extend(velero.as_object().unwrap().clone());
    let cloud = json!({"config": {"profile": "default", "region": "us-east-1"}, "provider": "aws"});
    let mut backups = cloud.clone();
    backups["credential"] = json!({"key": "cloud", "name": "cloud-credentials"});
    backups["default"] = json!(true);
    backups["objectStorage"] = json!({"bucket": "flotilla", "prefix": "velero"});
    json!({
        "backupLocations": [{"velero": backups}],
        "configuration": {"nodeAgent": {"enable": true, "uploaderType": "kopia"}, "velero": fields},
        "snapshotLocations": [{"velero": cloud}],
    })
    .to_string()
}

/// Waits until the Deployment of Velero on c1 is as it should be; answers it.
async fn deployment_is(world: &World, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    world.clusters["c1"]
        .wait(what, "Deployment", Some(VELERO), |deployments| {
            deployments.get("velero").filter(|deployment| condition(deployment)).cloned()
        })
        .await
}

fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

/// From a cluster without any of Velero's kinds to the first backup, with no rights but those that joining gives for it; then
/// flags come and go, and another release comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hub_installs_velero_to_the_first_backup() {
    let mut world = World::start_bare("c1").await;
    world
        .join_by_command("c1", &["--install-velero", "--velero-namespace", VELERO, "--label", "name=c1"])
        .await;
    world.start_hub();
    world.create_pacman("c1").await;
    namespace(&world, POLICIES, true).await;
    let spec = world.stage.with_storage(&specification(&json!({})));
    let keys = [("installMode", "velero"), ("dpaSpec", &*spec)];
    configure(&world, POLICIES, &config_map("pv-snap"), &keys).await;
    back_up_c1(&world, SCHEDULE).await;
    for policy in [INSTALL_VELERO, BACKUP] {
        world.policy_is(policy, "c1", "Compliant").await;
    }
    let c1 = &world.clusters["c1"];
    let definition = c1.get("CustomResourceDefinition", "", "backups.velero.io").await.unwrap();
    assert_eq!(definition["metadata"]["labels"]["component"], "velero");
    let binding = c1.get("ClusterRoleBinding", "", &format!("velero-{VELERO}")).await.unwrap();
    assert_eq!(binding["roleRef"]["name"], "cluster-admin");
    let location = c1.get("BackupStorageLocation", VELERO, "dpa-1").await.unwrap();
    assert_eq!(location["spec"]["objectStorage"]["bucket"], "flotilla");
    assert!(c1.get("VolumeSnapshotLocation", VELERO, "dpa-1").await.is_some());
    assert!(c1.get("DaemonSet", VELERO, "node-agent").await.is_some());
    let made = deployment_is(&world, "Velero", |_| true).await;
    assert_eq!(container(&made)["image"], "velero/velero:v1.18.3");
    // What the API server filled in was foreseen: nothing was written a second time.
    world.settled("c1", &[INSTALL_VELERO, BACKUP]).await;
    for object in [&made, &c1.get("DaemonSet", VELERO, "node-agent").await.unwrap(), &definition] {
        assert_eq!(object["metadata"]["generation"], 1, "{}", object["metadata"]["name"]);
    }

    world.configure(&[("dpaSpec", Some(&specification(&json!({"logLevel": "debug"}))))]).await;
    let has_flag = |deployment: &Value| {
        let arguments = container(deployment)["args"].as_array().unwrap();
        arguments.iter().any(|argument| argument == "--log-level=debug")
    };
    deployment_is(&world, "the flag to come", has_flag).await;
    world.configure(&[("dpaSpec", Some(&specification(&json!({}))))]).await;
    let back = deployment_is(&world, "the flag to go", |deployment| !has_flag(deployment)).await;
    assert_eq!(back["spec"], made["spec"], "as a fresh installation");
    assert_eq!(back["metadata"]["uid"], made["metadata"]["uid"], "edited in place");

    world.configure(&[("veleroVersion", Some("1.17.2"))]).await;
    let older = deployment_is(&world, "another release", |deployment| {
        container(deployment)["image"] == "velero/velero:v1.17.2"
    })
    .await;
    let plugins = older["spec"]["template"]["spec"]["initContainers"].as_array().unwrap();
    assert_eq!(plugins[0]["image"], "velero/velero-plugin-for-aws:v1.13.0");
    world.policy_is(INSTALL_VELERO, "c1", "Compliant").await;
    world.velero_took_everything().await;
    world.stop().await;
}

/// The mode changes there and back: each time the cluster comes to what the new mode installs, and backups, namespace and
/// credentials stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_mode_takes_the_place_of_the_other() {
    let world = World::start_with(&["c1"]).await;
    world.create_pacman("c1").await;
    namespace(&world, POLICIES, true).await;
    configure(&world, POLICIES, &config_map("pv-snap"), &[]).await;
    let backup = back_up_c1(&world, SCHEDULE).await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    let c1 = &world.clusters["c1"];
    let kept = async |kind: &str, namespace: &str, name: &str| {
        c1.get(kind, namespace, name).await.unwrap_or_else(|| panic!("{kind} {name} is gone"))["metadata"]["uid"].clone()
    };
    let before = (kept("Namespace", "", VELERO).await, kept("Secret", VELERO, "cloud-credentials").await);

    let spec = specification(&json!({}));
    world.configure(&[("installMode", Some("velero")), ("dpaSpec", Some(&spec))]).await;
    for (kind, name) in
        [("DataProtectionApplication", "dpa"), ("Subscription", "redhat-oadp-operator-subscription")]
    {
        c1.wait(&format!("{kind} to go"), kind, Some(VELERO), |objects| {
            (!objects.contains_key(name)).then_some(())
        })
        .await;
    }
    deployment_is(&world, "Velero of the hub", |deployment| {
        deployment["spec"]["selector"]["matchLabels"] == json!({"deploy": "velero"})
            && container(deployment)["image"] == "velero/velero:v1.18.3"
    })
    .await;
    for policy in [INSTALL_VELERO, BACKUP] {
        world.policy_is(policy, "c1", "Compliant").await;
    }
    assert!(c1.get("BackupStorageLocation", VELERO, "dpa-1").await.is_some());
    kept("Backup", VELERO, &backup).await;

    let spec = spec.replace(r#"["aws"]"#, r#"["openshift","aws"]"#);
    world.configure(&[("installMode", Some("oadp")), ("dpaSpec", Some(&spec))]).await;
    world
        .hub
        .wait("the other policy to leave", "Policy", Some("c1"), |policies| {
            (!policies.contains_key(&format!("{POLICIES}.{INSTALL_VELERO}"))).then_some(())
        })
        .await;
    for policy in [INSTALL, BACKUP] {
        world.policy_is(policy, "c1", "Compliant").await;
    }
    assert!(c1.get("DataProtectionApplication", VELERO, "dpa").await.is_some());
    assert!(c1.get("ClusterRoleBinding", "", &format!("velero-{VELERO}")).await.is_none());
    kept("Backup", VELERO, &backup).await;
    let after = (kept("Namespace", "", VELERO).await, kept("Secret", VELERO, "cloud-credentials").await);
    assert_eq!(after, before);
    world.stop().await;
}
