//! What bad input gets: one clear message in the right status, no crash, no deletion, and everybody else goes on.
//!
//! The table of malformed policies, templates, selectors, quantities, claims and encrypted values, which needs no server, is
//! `tests/fixtures/semantics/bad-input.yaml`; `tests/semantics/policies.rs` reads it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use serde_json::{Value, json};
use support::input::{BACKED_UP, binding};
use support::{POLICIES, VELERO, World, config_map, newest};

const SCHEDULE: &str = "acm-pv-dpa-1-c1";
const INSTALL: &str = "oadp-hdr-app-install";
const BACKUP: &str = "oadp-hdr-app-backup";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_config_map_is_named_and_a_vanished_one_removes_nothing() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies("").await;
    world.label_for_backup("c1").await;
    for (policy, template) in [(INSTALL, "create-ns-oadp-operators"), (BACKUP, "create-schedule-resource")] {
        let said = world.template_says(policy, "c1", template, "hdr-app-configmap").await;
        assert_eq!(
            said,
            "NonCompliant; violation - ConfigMap \"hdr-app-configmap\" not found in namespace \"policies\" on the hub: \
             apply it there (see configmaps/); nothing is changed on cluster c1"
        );
    }
    assert!(world.clusters["c1"].get("Namespace", "", VELERO).await.is_none(), "nothing is pushed");

    world.hub.apply_text(&config, POLICIES).await;
    world.protect("c1").await;
    let before = world.versions("c1").await;
    assert!(before.contains_key(&format!("Schedule {SCHEDULE}")), "{before:?}");

    world.hub.delete("ConfigMap", POLICIES, "hdr-app-configmap").await;
    for (policy, template) in [
        (INSTALL, "create-ns-oadp-operators"),
        (INSTALL, "create-oadp-dpa-resource"),
        (BACKUP, "create-schedule-resource"),
        (BACKUP, "check-backup-completed"),
    ] {
        let said = world.template_says(policy, "c1", template, "not found in namespace").await;
        assert!(said.starts_with("NonCompliant; "), "{said}");
    }
    world.policy_is(BACKUP, "c1", "NonCompliant").await;
    assert_eq!(world.versions("c1").await, before, "nothing is touched");
    world.stop().await;
}

/// One fault in the ConfigMap: named with its key and a hint while nothing is pushed; corrected, all goes its way.
async fn a_fault_of_the_config_map(
    key: &str,
    bad: Option<&str>,
    policy: &str,
    template: &str,
    parts: &[&str],
) {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    let good = world.hub.get("ConfigMap", POLICIES, "hdr-app-configmap").await.unwrap();
    let good = good["data"][key].as_str().unwrap().to_owned();
    world.configure(&[(key, bad)]).await;
    world.label_for_backup("c1").await;
    let said = world.template_says(policy, "c1", template, key).await;
    assert!(
        said.starts_with("NonCompliant; violation - ConfigMap policies/hdr-app-configmap cannot be used"),
        "{said}"
    );
    for part in parts.iter().chain(&["nothing is changed on cluster c1"]) {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(world.clusters["c1"].list("Schedule", None).await.is_empty(), "nothing is pushed");
    if policy == INSTALL {
        assert!(world.clusters["c1"].get("Namespace", "", VELERO).await.is_none(), "nothing is pushed");
    }

    world.configure(&[(key, Some(&good))]).await;
    world.protect("c1").await;
    let before = world.versions("c1").await;

    // The same fault on a cluster that works: nothing changes there, and others' policies do not care.
    world.configure(&[(key, bad)]).await;
    world.template_says(policy, "c1", template, key).await;
    world.policy_is(policy, "c1", "NonCompliant").await;
    assert_eq!(world.versions("c1").await, before, "nothing is touched");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_is_named() {
    a_fault_of_the_config_map("backupNS", None, INSTALL, "create-ns-oadp-operators", &["backupNS"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unparsable_cron_is_named() {
    let said = ["backupSchedule", "every hour"];
    a_fault_of_the_config_map(
        "backupSchedule",
        Some("every hour"),
        BACKUP,
        "create-schedule-resource",
        &said,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placeholder_is_named() {
    let said = ["backupPrefix", "<prefix>"];
    a_fault_of_the_config_map("backupPrefix", Some("<prefix>"), BACKUP, "create-schedule-resource", &said)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_are_no_base64_are_named_and_not_shown() {
    let key = "dpaAwsBackupCloudCredentials";
    let said = ["base64"];
    a_fault_of_the_config_map(key, Some("n0t-base64-S3CRET!"), INSTALL, "create-ns-oadp-operators", &said)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_status_or_event_shows_credentials() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    world.configure(&[("dpaAwsBackupCloudCredentials", Some("n0t-base64-S3CRET!"))]).await;
    world.template_says(INSTALL, "c1", "create-ns-oadp-operators", "dpaAwsBackupCloudCredentials").await;
    let mut seen = Vec::new();
    for (kind, namespace) in [("Policy", None), ("PolicySet", None), ("Event", None)] {
        seen.extend(world.hub.list(kind, namespace).await.into_values());
    }
    assert!(seen.len() > 5);
    for object in seen {
        let text = object.to_string();
        assert!(!text.contains("S3CRET") && !text.contains("c2VjcmV0"), "{object:#}");
    }
    world.stop().await;
}

fn policy(name: &str, templates: &Value) -> Value {
    json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy", "metadata": {"name": name},
        "spec": {"disabled": false, "remediationAction": "enforce", "policy-templates": templates}})
}

fn template(name: &str, raw: &str) -> Value {
    json!({"objectDefinition": {
        "apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
        "metadata": {"name": name},
        "spec": {"remediationAction": "enforce", "severity": "low", "pruneObjectBehavior": "DeleteIfCreated",
            "object-templates-raw": raw}}})
}

fn a_config_map(name: &str, value: &str) -> String {
    format!(
        "- complianceType: musthave\n  objectDefinition:\n    apiVersion: v1\n    kind: ConfigMap\n    metadata:\n      \
         name: {name}\n      namespace: default\n    data:\n      key: {value}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_that_fails_on_the_hub_concerns_itself() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    let templates = json!([
        template("good", &a_config_map("good", "made")),
        template("bad", &a_config_map("bad", "'{{hub fromConfigMap \"elsewhere\" \"x\" \"y\" hub}}'")),
    ]);
    world.hub.apply(policy("mixed", &templates), POLICIES).await;
    world.hub.apply(binding("mixed", BACKED_UP), POLICIES).await;
    world.protect("c1").await;
    let said = world.template_says("mixed", "c1", "bad", "template-error").await;
    assert!(said.starts_with("NonCompliant; template-error; "), "{said}");
    assert!(said.contains("the namespace argument is restricted to policies"), "{said}");
    let replica = world.hub.get("Policy", "c1", "policies.mixed").await.unwrap();
    let annotations = &replica["spec"]["policy-templates"][1]["objectDefinition"]["metadata"]["annotations"];
    let error = annotations["policy.open-cluster-management.io/hub-templates-error"].as_str().unwrap();
    assert!(error.contains("restricted to policies"), "{error}");
    let told = world.event(POLICIES, "mixed", "PolicyPropagation", "Failed to resolve templates").await;
    let expected = "Failed to resolve templates for cluster c1: ";
    assert!(told["message"].as_str().unwrap().starts_with(expected), "{told:#}");
    world.template_says("mixed", "c1", "good", "Compliant; notification").await;
    assert_eq!(
        world.clusters["c1"].get("ConfigMap", "default", "good").await.unwrap()["data"]["key"],
        "made"
    );
    assert!(world.clusters["c1"].get("ConfigMap", "default", "bad").await.is_none());

    // The good one turns bad: what it made stays.
    let templates = json!([template("good", &a_config_map("good", "'{{hub nonsense hub}}'"))]);
    world.hub.apply(policy("mixed", &templates), POLICIES).await;
    world.template_says("mixed", "c1", "good", "template-error").await;
    assert!(world.clusters["c1"].get("ConfigMap", "default", "good").await.is_some(), "nothing is removed");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_that_fails_on_the_cluster_concerns_itself() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    let templates = json!([
        template("good", &a_config_map("good", "made")),
        template("bad", &a_config_map("bad", "'{{ fromClusterClaim \"no-such-claim\" }}'")),
    ]);
    world.hub.apply(policy("mixed", &templates), POLICIES).await;
    world.hub.apply(binding("mixed", BACKED_UP), POLICIES).await;
    world.protect("c1").await;
    let said = world.template_says("mixed", "c1", "bad", "no-such-claim").await;
    assert!(said.starts_with("NonCompliant; violation - "), "{said}");
    world.template_says("mixed", "c1", "good", "Compliant; notification").await;
    assert!(world.clusters["c1"].get("ConfigMap", "default", "bad").await.is_none());

    // The claim arrives with a label on the managed cluster.
    world.hub.label("ManagedCluster", "c1", &[("no-such-claim", Some("here"))]).await;
    world.template_says("mixed", "c1", "bad", "Compliant; notification").await;
    assert_eq!(world.clusters["c1"].get("ConfigMap", "default", "bad").await.unwrap()["data"]["key"], "here");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_name_over_its_limit_is_told_where_the_cluster_name_is_too_long() {
    let config = config_map("pv-snap");
    let long = "a-managed-cluster-whose-name-fills-all-that-a-label-can-hold-63";
    assert_eq!(long.len(), 63);
    let mut world = World::start_clusters(&["c1", long]).await;
    world.start_hub();
    world.apply_policies(&config).await;
    world.label_for_backup(long).await;
    let said = world.template_says(BACKUP, long, "create-schedule-resource", "63").await;
    assert!(said.starts_with("NonCompliant; violation - "), "{said}");
    assert!(said.contains(&format!("acm-pv-dpa-1-{long}")) && said.contains("backupPrefix"), "{said}");
    assert!(world.clusters[long].list("Schedule", None).await.is_empty());
    world.policy_is(INSTALL, long, "Compliant").await;
    world.protect("c1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_a_cluster_refuses_is_told_once() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    let templates = json!([
        template("bad", &a_config_map("Not_A_Name", "made")),
        template("good", &a_config_map("g", "one"))
    ]);
    world.hub.apply(policy("refused", &templates), POLICIES).await;
    world.hub.apply(binding("refused", BACKED_UP), POLICIES).await;
    world.protect("c1").await;
    let said = world.template_says("refused", "c1", "bad", "cannot be created").await;
    assert!(
        said.starts_with(
            "NonCompliant; violation - configmaps [Not_A_Name] in namespace default is missing, and cannot be \
             created, reason: `"
        ),
        "{said}"
    );
    world.template_says("refused", "c1", "good", "Compliant").await;
    // It is tried again, and says the same: no new entry in the history.
    world.hub.label("ManagedCluster", "c1", &[("another", Some("label"))]).await;
    let templates = json!([
        template("bad", &a_config_map("Not_A_Name", "made")),
        template("good", &a_config_map("g", "two"))
    ]);
    world.hub.apply(policy("refused", &templates), POLICIES).await;
    world.clusters["c1"]
        .wait("the other template to go on", "ConfigMap", Some("default"), |maps| {
            (maps.get("g")?["data"]["key"] == "two").then_some(())
        })
        .await;
    let replica = world
        .hub
        .wait("both to have reported", "Policy", Some("c1"), |policies| {
            let replica = policies.get("policies.refused")?;
            newest(replica, "good").filter(|message| message.contains("found as specified"))?;
            Some(replica.clone())
        })
        .await;
    let details = replica["status"]["details"].as_array().unwrap();
    let bad = details.iter().find(|detail| detail["templateMeta"]["name"] == "bad").unwrap();
    // That it is missing, and that it cannot be created; told once each.
    assert_eq!(bad["history"].as_array().unwrap().len(), 2, "{bad:#}");
    world.stop().await;
}

/// Writes an object as etcd may hold it: with a shape that no reader expects.
fn spoil(world: &World, api_version: &str, kind: &str, name: &str, edit: impl FnOnce(&mut Value)) {
    let key = flotilla::api::object::ObjectKey {
        gvk: flotilla::api::object::GroupVersionKind::new(api_version, kind),
        namespace: (kind != "ManagedCluster").then(|| POLICIES.to_owned()),
        name: name.to_owned(),
    };
    world.stand_in().hub().store().edit(&key, edit).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_objects_of_the_hub_are_told_on_themselves_and_stall_nothing() {
    let config = config_map("pv-snap");
    let mut world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    let before = world.versions("c1").await;
    let policy_api = "policy.open-cluster-management.io/v1";
    spoil(&world, policy_api, "Policy", BACKUP, |policy| {
        policy["spec"]["policy-templates"] = json!("none");
    });
    let event = world.event(POLICIES, BACKUP, "Malformed", "cannot be read").await;
    assert_eq!(event["type"], "Warning");
    assert!(event["message"].as_str().unwrap().contains("left out until it is corrected"), "{event:#}");
    spoil(
        &world,
        "cluster.open-cluster-management.io/v1beta1",
        "Placement",
        "acm-app-restore-placement",
        |placement| {
            placement["spec"]["predicates"] = json!(7);
        },
    );
    world.event(POLICIES, "acm-app-restore-placement", "Malformed", "cannot be read").await;
    spoil(&world, policy_api, "PlacementBinding", "acm-app-backup-placement-binding", |binding| {
        binding["subjects"] = json!("everything");
    });
    world.event(POLICIES, "acm-app-backup-placement-binding", "Malformed", "cannot be read").await;
    spoil(&world, "cluster.open-cluster-management.io/v1", "ManagedCluster", "c3", |cluster| {
        cluster["spec"]["taints"] = json!("none");
    });
    world.event("default", "c3", "Malformed", "cannot be read").await;

    // The others go on, a cluster that comes new included.
    world.protect("c2").await;
    assert_eq!(world.versions("c1").await, before);

    // A process that starts now has never seen the good versions: it removes nothing.
    world.kill_hub().await;
    world.hub.label("ManagedCluster", "c2", &[("seen-by", Some("the-next"))]).await;
    world.start_hub();
    world
        .event("c1", &format!("policies.{BACKUP}"), "Kept", "nothing is removed there: Policy policies/")
        .await;
    world.event(POLICIES, INSTALL, "Kept", "nothing is removed there: PlacementBinding policies/").await;
    assert_eq!(world.versions("c1").await, before);
    let events = world.hub.list("Event", Some(POLICIES)).await;
    let told = events
        .values()
        .filter(|event| event["reason"] == "Malformed" && event["involvedObject"]["name"] == BACKUP);
    assert_eq!(told.count(), 1, "told once, whatever the restarts");

    // Corrected, everything is as it was.
    for file in support::policy_files() {
        world.hub.apply_text(&support::read(&file), POLICIES).await;
    }
    world.configure(&[("backupSchedule", Some("30 */2 * * *"))]).await;
    for cluster in ["c1", "c2"] {
        world.clusters[cluster]
            .wait("the new schedule", "Schedule", Some(VELERO), |schedules| {
                schedules
                    .values()
                    .any(|schedule| schedule["spec"]["schedule"] == "30 */2 * * *")
                    .then_some(())
            })
            .await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placement_that_is_gone_removes_nothing() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    let before = world.versions("c1").await;
    world.hub.delete("Placement", POLICIES, "acm-app-backup-placement").await;
    let event = world.event(POLICIES, BACKUP, "Kept", "cluster c1").await;
    assert_eq!(
        event["message"],
        "Policy policies/oadp-hdr-app-backup is no longer placed on cluster c1, and nothing is removed there: \
         Placement policies/acm-app-backup-placement does not exist"
    );
    world.event(POLICIES, INSTALL, "Kept", "cluster c1").await;
    assert_eq!(world.versions("c1").await, before);
    world.stop().await;
}

/// A gesture by which a person takes the policies away: the schedule goes, what would lose data stays.
async fn taken_away(gesture: impl AsyncFnOnce(&World)) {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    gesture(&world).await;
    world.schedule_is_gone("c1").await;
    world
        .hub
        .wait("the replicated policy to go", "Policy", Some("c1"), |policies| {
            (!policies.contains_key(&format!("policies.{BACKUP}"))).then_some(())
        })
        .await;
    let c1 = &world.clusters["c1"];
    assert!(c1.get("Namespace", "", VELERO).await.is_some());
    assert!(c1.get("Secret", VELERO, "cloud-credentials").await.is_some());
    assert!(c1.get("DataProtectionApplication", VELERO, "dpa").await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_that_is_deleted_prunes() {
    taken_away(async |world| {
        world.hub.delete("PlacementBinding", POLICIES, "acm-app-backup-placement-binding").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_deleted_prunes() {
    taken_away(async |world| world.hub.delete("Policy", POLICIES, BACKUP).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_disabled_prunes() {
    taken_away(async |world| {
        world.hub.merge("Policy", POLICIES, BACKUP, &json!({"spec": {"disabled": true}})).await;
    })
    .await;
}
