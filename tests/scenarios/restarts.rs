//! The process is killed at any point, servers restart and watches end: the next look goes on, and nothing is done twice.

use serde_json::{Value, json};

use crate::pacman::completed_backup;
use crate::support::input::{binding, placement_of};
use crate::support::{POLICIES, VELERO, World, config_map, others_are_absent};
use crate::{BACKUP, INSTALL, RESTORE, SCHEDULE};

fn replica(policy: &str) -> String {
    format!("{POLICIES}.{policy}")
}

/// Kills the program with SIGKILL and starts it again.
async fn restart(world: &mut World) {
    world.kill_hub().await;
    world.start_hub_program();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_it_goes_on_and_does_nothing_twice() {
    if others_are_absent() {
        return;
    }
    let config = config_map("pv-snap");
    let mut world = World::start_clusters(&["c1", "c2"]).await;
    world.start_hub_program();
    world.create_pacman("c1").await;
    world.apply_policies(&config).await;
    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", Some("backup"))]).await;
    restart(&mut world).await;
    world
        .hub
        .wait("the first replicated policy", "Policy", Some("c1"), |policies| {
            policies.contains_key(&replica(INSTALL)).then_some(())
        })
        .await;
    restart(&mut world).await;
    for (kind, namespace, name) in [
        ("Namespace", None, VELERO),
        ("Secret", Some(VELERO), "cloud-credentials"),
        ("DataProtectionApplication", Some(VELERO), "dpa"),
        ("Schedule", Some(VELERO), SCHEDULE),
    ] {
        world.clusters["c1"]
            .wait(name, kind, namespace, |objects| objects.contains_key(name).then_some(()))
            .await;
        restart(&mut world).await;
    }
    world.protect("c1").await;
    world.stage.strike(&world.clusters["c1"], SCHEDULE).await;
    let backup = completed_backup(&world, "c1").await;

    world.hub.label("ManagedCluster", "c2", &[("acm-app-restore", Some(&backup))]).await;
    restart(&mut world).await;
    world.template_says(RESTORE, "c2", "create-restore-resource", &backup).await;
    restart(&mut world).await;
    world.policy_is(INSTALL, "c2", "Compliant").await;
    world.stage.let_velero_look().await;
    let name = format!("restore-{backup}");
    world.clusters["c2"]
        .wait("the restore", "Restore", Some(VELERO), |restores| restores.contains_key(&name).then_some(()))
        .await;
    restart(&mut world).await;
    world.stage.let_velero_look().await;
    world.policy_is(RESTORE, "c2", "Compliant").await;
    restart(&mut world).await;
    world.clusters["c2"]
        .wait("the restore to complete", "Restore", Some(VELERO), |restores| {
            (restores.get(&name)?["status"]["phase"] == "Completed").then_some(())
        })
        .await;
    assert!(world.clusters["c2"].get("Deployment", "pacman-ns", "pacman").await.is_some());
    assert_eq!(world.clusters["c2"].list("Restore", None).await.len(), 1);
    assert_eq!(world.clusters["c1"].list("Schedule", None).await.len(), 1);
    world.settled("c1", &[INSTALL, BACKUP]).await;
    for cluster in ["c1", "c2"] {
        for (said, times) in world.events(cluster).await {
            assert!(times == 1 || !said.contains("created successfully"), "{times} times: {said}");
        }
        for replica in world.hub.list("Policy", Some(cluster)).await.values() {
            for detail in replica["status"]["details"].as_array().unwrap() {
                let history = detail["history"].as_array().unwrap();
                for pair in history.windows(2) {
                    assert_ne!(pair[0]["message"], pair[1]["message"], "{history:#?}");
                }
            }
        }
    }
    for (said, times) in world.events(POLICIES).await {
        assert_eq!(times, 1, "{said}");
    }

    // What was made before so many restarts is still known as ours.
    world.deselect("c1").await;
    world.stop().await;
}

/// The API servers restart under the hub: their watches end, and what was seen so far is too old to go on from (410).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_servers_restart_under_the_hub() {
    let world = World::start_with(&["c1"]).await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.protect("c1").await;

    world.stage.restart("c1").await;
    world.clusters["c1"]
        .merge("Schedule", VELERO, SCHEDULE, &json!({"spec": {"schedule": "5 5 * * *"}}))
        .await;
    world.schedule_has(SCHEDULE, "0 */1 * * *").await;
    world.stage.restart("hub").await;
    world.configure(&[("backupSchedule", Some("20 */3 * * *"))]).await;
    world.schedule_has(SCHEDULE, "20 */3 * * *").await;
    world.policy_is(BACKUP, "c1", "Compliant").await;
    assert_eq!(world.clusters["c1"].list("Schedule", None).await.len(), 1);
    world.stop().await;
}

/// A policy that wants a ConfigMap of its own name on the cluster, with these further fields of its ConfigurationPolicy.
fn wanting(name: &str, value: &str, fields: &Value) -> Value {
    let mut spec = json!({"severity": "low", "remediationAction": "enforce", "object-templates": [{
        "complianceType": "musthave", "objectDefinition": {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "default"}, "data": {"value": value}}}]});
    spec.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap_or_default());
    json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy", "metadata": {"name": name},
        "spec": {"disabled": false, "policy-templates": [{"objectDefinition": {
            "apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
            "metadata": {"name": name}, "spec": spec}}]}})
}

async fn apply_to_c1(world: &World, name: &str, policy: Value) {
    for object in [placement_of("c1", name), policy, binding(name, name)] {
        world.hub.apply(object, POLICIES).await;
    }
}

async fn start_bound() -> World {
    let mut world = World::start_clusters(&["c1"]).await;
    world.start_hub_program();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": POLICIES}});
    world.hub.apply(namespace, "").await;
    world.bind_set().await;
    world
}

/// `evaluationInterval` holds over a restart: what is not to be looked at again is not, until the policy changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rests_is_not_woken_by_a_restart() {
    let mut world = start_bound().await;
    let never = json!({"evaluationInterval": {"compliant": "never", "noncompliant": "1h"}});
    apply_to_c1(&world, "resting", wanting("resting", "one", &never)).await;
    let said =
        world.template_says("resting", "c1", "resting", "This policy will not be evaluated again").await;
    assert!(said.starts_with("Compliant; "), "{said}");
    world.policy_is("resting", "c1", "Compliant").await;
    let before = world.hub.get("Policy", "c1", &replica("resting")).await.unwrap();

    world.kill_hub().await;
    world.clusters["c1"]
        .merge("ConfigMap", "default", "resting", &json!({"data": {"value": "by hand"}}))
        .await;
    // The policies of a cluster are evaluated in the order of their names.
    apply_to_c1(&world, "waking", wanting("waking", "one", &json!({}))).await;
    world.start_hub_program();
    world.policy_is("waking", "c1", "Compliant").await;
    world.settled("c1", &["waking"]).await;
    let kept = world.clusters["c1"].get("ConfigMap", "default", "resting").await.unwrap();
    assert_eq!(kept["data"]["value"], "by hand");
    let after = world.hub.get("Policy", "c1", &replica("resting")).await.unwrap();
    assert_eq!(after, before, "nothing was written for what rests");

    world.hub.apply(wanting("resting", "two", &never), POLICIES).await;
    world.clusters["c1"]
        .wait("the new value", "ConfigMap", Some("default"), |maps| {
            (maps.get("resting")?["data"]["value"] == "two").then_some(())
        })
        .await;
    world.stop().await;
}

/// A policy that turned to inform while nobody looked takes nothing with it when it leaves, bound or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_informs_takes_nothing_with_it() {
    let mut world = start_bound().await;
    let prune = json!({"pruneObjectBehavior": "DeleteIfCreated"});
    for name in ["enforces", "informs", "keeps"] {
        apply_to_c1(&world, name, wanting(name, "one", &prune)).await;
    }
    for name in ["enforces", "informs", "keeps"] {
        world.policy_is(name, "c1", "Compliant").await;
        world.settled("c1", &[name]).await;
    }
    world.kill_hub().await;
    let informs = json!({"spec": {"remediationAction": "inform"}});
    world.hub.merge("Policy", POLICIES, "informs", &informs).await;
    let none = json!({"pruneObjectBehavior": "None"});
    world.hub.apply(wanting("keeps", "one", &none), POLICIES).await;
    for name in ["enforces", "informs", "keeps"] {
        world.hub.delete("PlacementBinding", POLICIES, &format!("bind-{name}")).await;
    }
    world.start_hub_program();
    world
        .hub
        .wait("the policies to leave", "Policy", Some("c1"), |policies| policies.is_empty().then_some(()))
        .await;
    let left = world.clusters["c1"].list("ConfigMap", Some("default")).await;
    let left: Vec<&str> =
        left.keys().map(String::as_str).filter(|name| *name != "kube-root-ca.crt").collect();
    assert_eq!(left, ["informs", "keeps"]);
    world.stop().await;
}
