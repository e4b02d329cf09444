//! What happens to what Flotilla wrote: drift is corrected, others' work stays, nothing is written without need, and only
//! what it made is taken away again.

mod support;

use serde_json::{Value, json};
use support::input::{BACKED_UP, binding};
use support::{POLICIES, VELERO, World, config_map, others_are_absent};

const SCHEDULE: &str = "acm-pv-dpa-1-c1";
const INSTALL: &str = "oadp-hdr-app-install";
const BACKUP: &str = "oadp-hdr-app-backup";
const RESTORE: &str = "oadp-hdr-app-restore";

/// Writes to managed clusters so far.
fn writes(world: &World) -> Vec<String> {
    let text = world.metrics();
    text.lines().filter(|line| line.starts_with("flotilla_cluster_writes")).map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_velero_writes_causes_no_write() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.create_pacman("c1").await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    let made = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
    let before = writes(&world);
    // Two hours of schedules and backups, each a change of status or of the spec by Velero's own hand.
    world.clusters["c1"]
        .merge("Schedule", VELERO, SCHEDULE, &json!({"spec": {"skipImmediately": true}}))
        .await;
    world.stand_in().advance_minutes(120).await;
    world.template_says(BACKUP, "c1", "check-backup-completed", "Compliant; notification - backups [").await;
    let after = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
    assert_ne!(after["status"]["lastBackup"], made["status"]["lastBackup"], "{after:#}");
    assert_eq!(writes(&world), before, "nothing of it was ours to write");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_schedule_replaces_the_old_one() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    world.configure(&[("backupPrefix", Some("nightly"))]).await;
    let c1 = &world.clusters["c1"];
    c1.wait("the new name alone", "Schedule", Some(VELERO), |schedules| {
        (schedules.len() == 1 && schedules.contains_key("nightly-dpa-1-c1")).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_existed_before_is_not_taken_away() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    let c1 = &world.clusters["c1"];
    c1.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": VELERO}}), "").await;
    c1.apply(
        json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": SCHEDULE},
            "spec": {"schedule": "1 1 1 1 *", "template": {}}}),
        VELERO,
    )
    .await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    world.schedule_has(SCHEDULE, "0 */1 * * *").await;
    world.unlabel("c1").await;
    world
        .hub
        .wait("the policies to leave", "Policy", Some("c1"), |policies| policies.is_empty().then_some(()))
        .await;
    assert!(c1.get("Schedule", VELERO, SCHEDULE).await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_backup_gets_another_restore_and_the_first_is_kept_and_told_once() {
    if others_are_absent() {
        return;
    }
    let config = config_map("pv-snap");
    let mut world = World::start().await;
    world.create_pacman("c1").await;
    world.apply_policies(&config).await;
    world.protect("c1").await;
    world.stand_in().advance_minutes(95).await;
    let backups: Vec<String> = world.clusters["c1"]
        .wait("two backups", "Backup", Some(VELERO), |backups| {
            let done = backups.iter().filter(|(_, backup)| backup["status"]["phase"] == "Completed");
            let names: Vec<String> = done.map(|(name, _)| name.clone()).collect();
            (names.len() >= 2).then_some(names)
        })
        .await;
    for backup in &backups[..2] {
        world.hub.label("ManagedCluster", "c2", &[("acm-app-restore", Some(backup))]).await;
        world.template_says(RESTORE, "c2", "create-restore-resource", "").await;
        world.policy_is(INSTALL, "c2", "Compliant").await;
        world.stand_in().advance_minutes(2).await;
        world.clusters["c2"]
            .wait("the restore", "Restore", Some(VELERO), |restores| {
                (restores.get(&format!("restore-{backup}"))?["status"]["phase"] == "Completed").then_some(())
            })
            .await;
    }
    let first = format!("restore-{}", backups[0]);
    let told = world.event("c2", &format!("policies.{RESTORE}"), "Kept", &first).await;
    assert!(told["message"].as_str().unwrap().contains("deletes its logs and results"), "{told:#}");
    world.kill_hub().await;
    world.start_hub();
    world.hub.label("ManagedCluster", "c2", &[("acm-app-restore", None)]).await;
    world
        .hub
        .wait("the policies to leave", "Policy", Some("c2"), |policies| policies.is_empty().then_some(()))
        .await;
    assert_eq!(world.clusters["c2"].list("Restore", None).await.len(), 2, "row A55: both are kept");
    let events = world.hub.list("Event", Some("c2")).await;
    let kept = events.values().filter(|event| event["reason"] == "Kept").count();
    assert_eq!(kept, 1, "{events:#?}");
    world.stop().await;
}

fn enforced(name: &str, raw: &str) -> Value {
    json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy", "metadata": {"name": name},
        "spec": {"disabled": false, "remediationAction": "enforce", "policy-templates": [{"objectDefinition": {
            "apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
            "metadata": {"name": name},
            "spec": {"severity": "low", "pruneObjectBehavior": "DeleteIfCreated", "object-templates-raw": raw}}}]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_what_holds_data_needs_an_opt_in() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    let c1 = &world.clusters["c1"];
    c1.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "precious"}}), "").await;
    let raw = "- complianceType: mustnothave\n  objectDefinition:\n    apiVersion: v1\n    kind: Namespace\n    \
               metadata:\n      name: precious\n";
    world.hub.apply(enforced("no-namespace", raw), POLICIES).await;
    world.hub.apply(binding("no-namespace", BACKED_UP), POLICIES).await;
    world.protect("c1").await;
    let said = world.template_says("no-namespace", "c1", "no-namespace", "precious").await;
    assert!(said.starts_with("NonCompliant; violation - namespaces [precious] found"), "{said}");
    assert!(
        said.contains("deletes everything in it") && said.contains("flotilla.dev/allow-destructive=\"true\""),
        "{said}"
    );
    assert!(c1.get("Namespace", "", "precious").await.is_some());
    let annotation = json!({"metadata": {"annotations": {"flotilla.dev/allow-destructive": "true"}}});
    world.hub.merge("Policy", POLICIES, "no-namespace", &annotation).await;
    c1.wait("the namespace to go", "Namespace", None, |namespaces| {
        (!namespaces.contains_key("precious")).then_some(())
    })
    .await;
    world.template_says("no-namespace", "c1", "no-namespace", "Compliant; ").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_a_cluster_in_both_sets_has_one_install_policy() {
    if others_are_absent() {
        return;
    }
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    let labels = [("acm-pv-dr", Some("backup")), ("acm-app-restore", Some("some-backup"))];
    world.hub.label("ManagedCluster", "c1", &labels).await;
    world.protect("c1").await;
    world.template_says(RESTORE, "c1", "create-restore-resource", "some-backup").await;
    let replicas = world.hub.list("Policy", Some("c1")).await;
    let names: Vec<&str> = replicas.keys().map(String::as_str).collect();
    let expected = [BACKUP, INSTALL, RESTORE].map(|policy| format!("policies.{policy}"));
    assert_eq!(names, expected);
    let root = world.hub.get("Policy", POLICIES, INSTALL).await.unwrap();
    assert_eq!(root["status"]["status"].as_array().unwrap().len(), 1, "{root:#}");
    assert_eq!(root["status"]["placement"].as_array().unwrap().len(), 2, "{root:#}");

    // Leaving one set is not leaving the other.
    world.deselect("c1").await;
    world
        .hub
        .wait("the backup policy to leave", "Policy", Some("c1"), |policies| {
            (policies.len() == 2).then_some(())
        })
        .await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_informing_policy_changes_nothing_until_a_binding_makes_it_enforce() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    for policy in [INSTALL, BACKUP] {
        world.hub.merge("Policy", POLICIES, policy, &json!({"spec": {"remediationAction": "inform"}})).await;
    }
    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", Some("backup"))]).await;
    let said = world.template_says(INSTALL, "c1", "create-ns-oadp-operators", "namespaces").await;
    assert_eq!(said, format!("NonCompliant; violation - namespaces [{VELERO}] not found"));
    assert!(world.clusters["c1"].get("Namespace", "", VELERO).await.is_none());
    world
        .hub
        .merge(
            "PlacementBinding",
            POLICIES,
            "acm-app-backup-placement-binding",
            &json!({"bindingOverrides": {"remediationAction": "enforce"}}),
        )
        .await;
    world.protect("c1").await;

    // Back to informing: what there is stays, drift is told and not corrected.
    world
        .hub
        .merge(
            "PlacementBinding",
            POLICIES,
            "acm-app-backup-placement-binding",
            &json!({"bindingOverrides": null}),
        )
        .await;
    world
        .hub
        .wait("the replicated policy to inform", "Policy", Some("c1"), |policies| {
            (policies.get(&format!("policies.{BACKUP}"))?["spec"]["remediationAction"] == "inform")
                .then_some(())
        })
        .await;
    let c1 = &world.clusters["c1"];
    c1.merge("Schedule", VELERO, SCHEDULE, &json!({"spec": {"schedule": "5 5 * * *"}})).await;
    let said = world.template_says(BACKUP, "c1", "create-schedule-resource", "not as specified").await;
    assert!(
        said.starts_with("NonCompliant; violation - schedules [acm-pv-dpa-1-c1] found but not"),
        "{said}"
    );
    assert_eq!(c1.get("Schedule", VELERO, SCHEDULE).await.unwrap()["spec"]["schedule"], "5 5 * * *");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_policy_tells_where_it_went_and_was_updated() {
    let world = World::start().await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.protect("c1").await;
    let news = |what: &str| format!("Policy {POLICIES}/{BACKUP} was {what} cluster c1");
    let propagated = world.event(POLICIES, BACKUP, "PolicyPropagation", &news("propagated to")).await;
    assert_eq!(propagated["type"], "Normal");
    world.configure(&[("backupSchedule", Some("10 */2 * * *"))]).await;
    world.event(POLICIES, BACKUP, "PolicyPropagation", &news("updated for")).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_config_map_concerns_those_who_looked_at_it() {
    const OTHERS: u64 = 40;
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies_without_binding(&config).await;
    let plain = |name: &str, value: &str| {
        format!(
            "- complianceType: musthave\n  objectDefinition:\n    apiVersion: v1\n    kind: ConfigMap\n    metadata:\n      \
             name: {name}\n      namespace: default\n    data:\n      key: {value}\n"
        )
    };
    let settings = |name: &str, value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}});
    for policy in [INSTALL, BACKUP, RESTORE] {
        world.hub.delete("Policy", POLICIES, policy).await;
    }
    world.hub.apply(settings("settings", "one"), POLICIES).await;
    world.hub.apply(settings("unread", "one"), POLICIES).await;
    let reader = plain("reader", "'{{hub fromConfigMap \"\" \"settings\" \"key\" hub}}'");
    world.hub.apply(enforced("reader", &reader), POLICIES).await;
    world.hub.apply(binding("reader", BACKED_UP), POLICIES).await;
    for number in 0..OTHERS {
        let name = format!("other-{number}");
        world.hub.apply(enforced(&name, &plain(&name, "same")), POLICIES).await;
        world.hub.apply(binding(&name, BACKED_UP), POLICIES).await;
    }
    world.bind_set().await;
    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", Some("backup"))]).await;
    for number in 0..OTHERS {
        world.policy_is(&format!("other-{number}"), "c1", "Compliant").await;
    }
    let c1 = &world.clusters["c1"];
    let reads = async |value: &str| {
        c1.wait(&format!("the reader to write {value}"), "ConfigMap", Some("default"), |maps| {
            (maps.get("reader")?["data"]["key"] == value).then_some(())
        })
        .await;
    };
    reads("one").await;
    // Whatever still went on has passed when the second change is through.
    world.hub.apply(settings("settings", "two"), POLICIES).await;
    reads("two").await;
    let before = world.counters().evaluations.get();
    for value in ["two", "three", "four"] {
        world.hub.apply(settings("unread", value), POLICIES).await;
    }
    world.hub.apply(settings("settings", "three"), POLICIES).await;
    reads("three").await;
    world.hub.apply(settings("settings", "four"), POLICIES).await;
    reads("four").await;
    let evaluations = world.counters().evaluations.get() - before;
    assert!(
        (2..OTHERS / 2).contains(&evaluations),
        "{evaluations} evaluations for two changes that one policy reads"
    );
    world.stop().await;
}
