//! What is edited: by hand on a cluster, or in the ConfigMap on the hub (T6, A90).

use serde_json::{Value, json};

use crate::support::input::{binding, placement_of};
use crate::support::{POLICIES, VELERO, World, config_map, others_are_absent};
use crate::{BACKUP, INSTALL, SCHEDULE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_corrected_and_what_others_add_stays() {
    if others_are_absent() {
        return;
    }
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    let c1 = &world.clusters["c1"];
    let made = c1.get("Schedule", VELERO, SCHEDULE).await.unwrap();
    c1.merge("Schedule", VELERO, SCHEDULE, &json!({
        "metadata": {"labels": {"theirs": "stays", "cluster-name": "wrong"}},
        "spec": {"schedule": "5 5 * * *", "useOwnerReferencesInBackup": true, "template": {"ttl": "1h0m0s"}}}))
        .await;
    let corrected = world
        .schedule_is(SCHEDULE, "the schedule to be corrected", |schedule| {
            schedule["spec"]["schedule"] == "0 */1 * * *"
        })
        .await;
    assert_eq!(corrected["spec"]["template"], made["spec"]["template"]);
    assert_eq!(corrected["metadata"]["labels"]["cluster-name"], "c1");
    assert_eq!(corrected["metadata"]["labels"]["theirs"], "stays");
    assert_eq!(corrected["spec"]["useOwnerReferencesInBackup"], true);
    assert_eq!(corrected["metadata"]["uid"], made["metadata"]["uid"]);

    c1.delete("Schedule", VELERO, SCHEDULE).await;
    let again = world
        .schedule_is(SCHEDULE, "the schedule to be made again", |schedule| {
            schedule["status"]["phase"] == "Enabled"
        })
        .await;
    assert_ne!(again["metadata"]["uid"], made["metadata"]["uid"]);
    world.policy_is(BACKUP, "c1", "Compliant").await;

    // One that was made again is as much our own as the first.
    world.deselect("c1").await;
    world.stop().await;
}
/// A90: a dpaSpec with one snapshot location in a region.
fn dpa_spec(region: &str) -> String {
    json!({
        "backupLocations": [{"velero": {"config": {"profile": "default", "region": "us-east-1"},
            "credential": {"key": "cloud", "name": "cloud-credentials"}, "default": true,
            "objectStorage": {"bucket": "flotilla", "prefix": "velero"}, "provider": "aws"}}],
        "configuration": {"velero": {"defaultPlugins": ["openshift", "aws"]}},
        "snapshotLocations": [
            {"velero": {"config": {"profile": "default", "region": "us-east-1"}, "provider": "aws"}},
            {"velero": {"config": {"profile": "default", "region": region}, "provider": "aws"}}],
    })
    .to_string()
}

fn location(region: &str) -> Value {
    json!({"velero": {"config": {"profile": "default", "region": region}, "provider": "aws"}})
}

async fn locations_are(world: &World, expected: &Value) -> Value {
    world.clusters["c1"]
        .wait(
            &format!("snapshot locations {expected}"),
            "DataProtectionApplication",
            Some(VELERO),
            |applications| {
                let application = applications.get("dpa")?;
                (application["spec"]["snapshotLocations"] == *expected).then(|| application.clone())
            },
        )
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a90_a_changed_snapshot_location_leaves_no_duplicate() {
    if others_are_absent() {
        return;
    }
    let config = config_map("pv-snap");
    let mut world = World::start().await;
    world.apply_policies(&config).await;
    world.configure(&[("dpaSpec", Some(&dpa_spec("eu-west-1")))]).await;
    world.protect("c1").await;
    let made = locations_are(&world, &json!([location("us-east-1"), location("eu-west-1")])).await;

    world.configure(&[("dpaSpec", Some(&dpa_spec("eu-west-2")))]).await;
    let changed = locations_are(&world, &json!([location("us-east-1"), location("eu-west-2")])).await;
    assert_eq!(
        changed["metadata"]["uid"], made["metadata"]["uid"],
        "A91: edited in place, nothing made anew"
    );

    // Another writer's entry stays where ours changes.
    let theirs = location("theirs-1");
    world.clusters["c1"]
        .merge(
            "DataProtectionApplication",
            VELERO,
            "dpa",
            &json!({"spec": {"snapshotLocations":
            [location("us-east-1"), location("eu-west-2"), theirs]}}),
        )
        .await;
    world.configure(&[("dpaSpec", Some(&dpa_spec("eu-west-3")))]).await;
    let with_theirs = |region: &str| {
        let mut expected = vec![location("us-east-1"), location(region), theirs.clone()];
        expected.sort_by_key(ToString::to_string);
        expected
    };
    let sorted = |application: &Value| {
        let mut found = application["spec"]["snapshotLocations"].as_array().cloned().unwrap_or_default();
        found.sort_by_key(ToString::to_string);
        found
    };
    let c1 = &world.clusters["c1"];
    c1.wait("ours to change beside theirs", "DataProtectionApplication", Some(VELERO), |applications| {
        (sorted(applications.get("dpa")?) == with_theirs("eu-west-3")).then_some(())
    })
    .await;

    // Nor where the process dies as soon as the cluster has it, and the next has not seen the former version.
    for region in ["eu-west-4", "eu-west-5", "eu-west-6"] {
        world.kill_hub().await;
        world.configure(&[("dpaSpec", Some(&dpa_spec(region)))]).await;
        world.start_hub();
        let c1 = &world.clusters["c1"];
        c1.wait(
            "ours to change after a restart",
            "DataProtectionApplication",
            Some(VELERO),
            |applications| (sorted(applications.get("dpa")?) == with_theirs(region)).then_some(()),
        )
        .await;
    }
    world.policy_is(INSTALL, "c1", "Compliant").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a90_holds_for_a_resource_that_existed_before() {
    if others_are_absent() {
        return;
    }
    let config = config_map("pv-snap");
    let world = World::start_with(&["c1"]).await;
    let c1 = &world.clusters["c1"];
    c1.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": VELERO}}), "").await;
    let spec: Value = serde_json::from_str(&world.stage.with_storage(&dpa_spec("eu-west-1"))).unwrap();
    c1.apply(
        json!({"apiVersion": "oadp.openshift.io/v1alpha1", "kind": "DataProtectionApplication",
            "metadata": {"name": "dpa"}, "spec": spec}),
        VELERO,
    )
    .await;
    world.apply_policies(&config).await;
    world.configure(&[("dpaSpec", Some(&dpa_spec("eu-west-1")))]).await;
    world.protect("c1").await;
    world.configure(&[("dpaSpec", Some(&dpa_spec("eu-west-2")))]).await;
    locations_are(&world, &json!([location("us-east-1"), location("eu-west-2")])).await;

    // It is not ours: it stays when the cluster leaves, opt-in or not.
    world
        .hub
        .merge(
            "Policy",
            POLICIES,
            INSTALL,
            &json!({"metadata": {"annotations": {"flotilla.dev/allow-destructive": "true"}}}),
        )
        .await;
    world.unlabel("c1").await;
    world
        .hub
        .wait("the policies to leave", "Policy", Some("c1"), |policies| policies.is_empty().then_some(()))
        .await;
    assert!(c1.get("DataProtectionApplication", VELERO, "dpa").await.is_some());
    assert!(c1.get("Namespace", "", VELERO).await.is_some());
    assert!(c1.get("Secret", VELERO, "cloud-credentials").await.is_none(), "made by us, and opted in");
    world.stop().await;
}

/// What the API server makes of an object, by defaults and pruning, is no change that is still due.
async fn nothing_is_left_to_plan(world: &World) {
    let kubeconfig = world.hub_kubeconfig();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_flotilla"))
        .args(["plan", "--kubeconfig"])
        .arg(&kubeconfig)
        .output()
        .await
        .unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}\n{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_as_it_should_be_has_an_empty_plan_pv_snap() {
    let world = World::start_with(&["c1"]).await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.protect("c1").await;
    nothing_is_left_to_plan(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_as_it_should_be_has_an_empty_plan_restic() {
    let world = World::start_with(&["c1"]).await;
    world.apply_policies(&config_map("restic")).await;
    world.protect("c1").await;
    nothing_is_left_to_plan(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_as_it_should_be_has_an_empty_plan_own_policies() {
    let world = World::start_with(&["c1"]).await;
    world.apply_own_policies().await;
    world.bind_set().await;
    world.label_for_backup("c1").await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    world.template_says(BACKUP, "c1", "create-schedule-resource", "Compliant; ").await;
    nothing_is_left_to_plan(&world).await;
    world.stop().await;
}

/// A policy that adds a rule to a Role.
fn rule_policy(verb: &str) -> Value {
    json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy", "metadata": {"name": RULES},
        "spec": {"disabled": false, "remediationAction": "enforce", "policy-templates": [{"objectDefinition": {
            "apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
            "metadata": {"name": RULES},
            "spec": {"severity": "low", "object-templates": [{"complianceType": "musthave", "objectDefinition": {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": RULES, "namespace": "default"}, "rules": [rule("pods", verb)]}}]}}}]}})
}

const RULES: &str = "rules";

fn rule(resource: &str, verb: &str) -> Value {
    json!({"apiGroups": [""], "resources": [resource], "verbs": [verb]})
}

/// A90, for `musthave`: an entry that the policy edits leaves no predecessor, in an object that was there before, with the hub
/// killed between the two versions of the policy; what others wrote stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a90_an_edited_rule_replaces_its_predecessor_over_a_restart() {
    let mut world = World::start().await;
    world
        .hub
        .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": POLICIES}}), "")
        .await;
    world.bind_set().await;
    let theirs = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": RULES}, "rules": [rule("services", "get")]});
    world.clusters["c1"].apply(theirs, "default").await;
    for object in [rule_policy("get"), placement_of("c1", RULES), binding(RULES, RULES)] {
        world.hub.apply(object, POLICIES).await;
    }
    rules_are(&world, &[rule("pods", "get"), rule("services", "get")]).await;
    world.template_says(RULES, "c1", RULES, "found as specified").await;

    world.kill_hub().await;
    let edited = rule_policy("watch");
    let templates = json!({"spec": {"policy-templates": edited["spec"]["policy-templates"]}});
    world.hub.merge("Policy", POLICIES, RULES, &templates).await;
    world.start_hub();
    rules_are(&world, &[rule("pods", "watch"), rule("services", "get")]).await;
    world.template_says(RULES, "c1", RULES, "found as specified").await;
    let replaced = "Compliant; notification - roles [rules] was updated successfully in namespace default";
    world.history_tells(RULES, "c1", RULES, replaced).await;
    world.stop().await;
}

async fn rules_are(world: &World, expected: &[Value]) {
    world.clusters["c1"]
        .wait(&format!("the rules to be {expected:?}"), "Role", Some("default"), |roles| {
            let mut found = roles.get(RULES)?["rules"].as_array()?.clone();
            found.sort_by_key(|rule| rule["resources"].to_string());
            (found == expected).then_some(())
        })
        .await;
}
