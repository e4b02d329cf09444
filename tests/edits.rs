//! Rows A90, A91: any key of the ConfigMap may change at any time, and every cluster comes to what a fresh install with the new
//! values gives. One configuration and two clusters for each key: on the first one the key is edited, on the second one it has
//! always been so.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a fault here is a failed test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use flotilla::pipeline::config::KEYS;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use support::{VELERO, World, newest};

const INSTALL: &str = "oadp-hdr-app-install";
const BACKUP: &str = "oadp-hdr-app-backup";
const RESTORE: &str = "oadp-hdr-app-restore";
/// A backup that was taken before the edit.
const TAKEN: &str = "taken";

/// How many keys are edited at the same time.
const AT_ONCE: usize = 4;

/// The kinds that are looked at on a cluster: what the policies write, and what OADP makes of it.
const KINDS: [&str; 9] = [
    "Secret",
    "OperatorGroup",
    "Subscription",
    "DataProtectionApplication",
    "BackupStorageLocation",
    "VolumeSnapshotLocation",
    "ConfigMap",
    "Schedule",
    "Restore",
];

/// How one key is edited.
struct Edit {
    key: &'static str,
    /// Its other value.
    to: &'static str,
    /// What must change with it, before and after.
    with: &'static [(&'static str, &'static str, &'static str)],
    /// What an edit leaves behind and a fresh install does not have, by kind and name: it carries data or access to data.
    left: &'static [(&'static str, &'static str)],
    /// Where Velero is afterwards.
    velero: &'static str,
    outcome: Outcome,
}

/// What comes of an edit.
enum Outcome {
    /// What a fresh install gives.
    AsFresh,
    /// Nothing is changed, and the template of the DataProtectionApplication says why: what would go carries data.
    Held(&'static str),
    /// Other policies take the place of these: `a_changed_mode_takes_the_place_of_the_other` in `tests/scenarios/velero_installed.rs`
    /// and `switching_to_none_uninstalls_nothing` in `tests/scenarios/existing_velero.rs` look at what becomes of it.
    Elsewhere,
}

const fn edit(key: &'static str, to: &'static str) -> Edit {
    Edit { key, to, with: &[], left: &[], velero: VELERO, outcome: Outcome::AsFresh }
}

const OTHER_SPEC: &str = r#"{"backupLocations": [{"velero": {"provider": "aws", "default": true,
    "config": {"profile": "default", "region": "us-east-1"}, "credential": {"name": "cloud-credentials", "key": "cloud"},
    "objectStorage": {"bucket": "flotilla-demo", "prefix": "other"}}}],
    "snapshotLocations": [{"velero": {"provider": "aws", "config": {"profile": "default", "region": "eu-west-1"}}}],
    "configuration": {"nodeAgent": {"enable": true, "uploaderType": "kopia"},
    "velero": {"defaultPlugins": ["openshift", "aws", "csi"]}}}"#;

/// The same as in the sample, with the credentials of another name.
const OTHER_CREDENTIALS: &str = r#"{"backupLocations": [{"velero": {"provider": "aws", "default": true,
    "config": {"profile": "default", "region": "us-east-1"}, "credential": {"name": "other-credentials", "key": "cloud"},
    "objectStorage": {"bucket": "flotilla-demo", "prefix": "apps"}}}],
    "snapshotLocations": [{"velero": {"provider": "aws", "config": {"profile": "default", "region": "us-east-1"},
    "credential": {"name": "other-credentials", "key": "cloud"}}}],
    "configuration": {"nodeAgent": {"enable": true, "uploaderType": "kopia"},
    "velero": {"defaultPlugins": ["openshift", "aws"]}}}"#;

/// One row for each key of the table. `$(own)` is the label of the row's clusters.
const EDITS: &[Edit] = &[
    Edit { velero: "other-velero", ..edit("backupNS", "other-velero") },
    edit("channel", "stable-1.4"),
    edit("subscriptionName", "oadp-operator"),
    edit(
        "dpaAwsBackupCloudCredentials",
        "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPW90aGVyCmF3c19zZWNyZXRfYWNjZXNzX2tleT1vdGhlcgo=",
    ),
    Edit {
        with: &[("dpaSpec", "", OTHER_CREDENTIALS)],
        left: &[("Secret", "cloud-credentials")],
        ..edit("dpaBackupCloudCredentialsName", "other-credentials")
    },
    Edit {
        outcome: Outcome::Held("is not made beside DataProtectionApplication acm-app-backup/dpa"),
        ..edit("dpaName", "other")
    },
    edit("dpaSpec", OTHER_SPEC),
    edit("backupPrefix", "nightly"),
    edit("backupSnapshotVolumes", "false"),
    edit("backupDefaultVolumesToRestic", "true"),
    edit("backupVolumeSnapshotLocation", ""),
    edit("backupSchedule", "30 4 1 1 *"),
    edit("backupTTL", "48h0m0s"),
    edit("backupNSToBackup", "[\"pacman\", \"shop-*\"]"),
    edit("backupExcludedResources", "[\"events\"]"),
    edit("restoreNSToExcludeFromRestore", "[\"box\"]"),
    edit("restoreRestorePVs", "false"),
    edit("restoreStorageConfigName", "other-classes"),
    edit("restoreStorageConfigMappings", "{\"thick\": \"thin\"}"),
    edit("backupClusterSelector", "own=$(own),tier=gold"),
    edit("restoreClusterSelector", "own=$(own),tier=gold"),
    edit("clusterSets", "[default, edge]"),
    Edit { outcome: Outcome::Elsewhere, ..edit("installMode", "velero") },
    edit("veleroVersion", "1.18.2"),
    edit("storagePrefixStyle", "per-cluster"),
    edit("backupNameStyle", "short"),
    edit("onDeselect", "pause"),
    edit("onDelete", "remove"),
    edit("templates", "mine"),
];

#[test]
fn every_key_has_its_row() {
    let keys: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
    let rows: BTreeSet<&str> = EDITS.iter().map(|edit| edit.key).collect();
    assert_eq!(rows, keys, "a key without a row is not known to be safe to edit");
    assert_eq!(EDITS.len(), rows.len());
}

/// The two clusters of a row, whose names are the names of its namespaces on the hub.
fn clusters(row: usize) -> (String, String) {
    (format!("a{row:02}"), format!("b{row:02}"))
}

/// Puts a configuration into the namespace of a cluster's name that selects this cluster alone.
async fn configure(world: &World, own: &str, keys: &[(&str, String)]) {
    let hub = &world.hub;
    hub.apply(
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": config_namespace(own)}}),
        "",
    )
    .await;
    let binding = json!({"apiVersion": "cluster.open-cluster-management.io/v1beta2",
        "kind": "ManagedClusterSetBinding", "metadata": {"name": "default"}, "spec": {"clusterSet": "default"}});
    hub.apply(binding, &config_namespace(own)).await;
    let templates = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"},
        "data": {"acm-app-restore-policy-set.yaml.hbs":
            support::input::project_file("templates/acm-app-restore-policy-set.yaml.hbs")}});
    hub.apply(templates, &config_namespace(own)).await;
    let text = support::input::project_file("configmaps/demo.yaml");
    for mut document in flotilla::yaml::read_documents(&text).unwrap() {
        document["metadata"]["namespace"] = json!(config_namespace(own));
        document["metadata"]["labels"]["flotilla.dev/protect"] = json!("true");
        let data = &mut document["data"];
        data["backupSchedule"] = json!("0 3 1 1 *");
        data["backupClusterSelector"] = json!(format!("own={own}"));
        data["restoreClusterSelector"] = json!(format!("own={own}"));
        data["storagePrefixStyle"] = json!("shared");
        for (key, value) in keys {
            data[*key] = json!(value);
        }
        hub.apply(document, &config_namespace(own)).await;
    }
}

/// The namespace of a cluster's name is the cluster's own.
fn config_namespace(cluster: &str) -> String {
    format!("config-{cluster}")
}

/// Waits until a template says something on a cluster.
async fn says(world: &World, cluster: &str, policy: &str, template: &str, part: &str) {
    let name = format!("{}.{policy}", config_namespace(cluster));
    let what = format!("{policy}/{template} on {cluster} to say {part:?}");
    world
        .hub
        .wait(&what, "Policy", Some(cluster), |policies| {
            newest(policies.get(&name)?, template).filter(|message| message.contains(part)).map(|_| ())
        })
        .await;
}

/// Waits until a cluster has all that its configuration asks for, a restore of [`TAKEN`] included.
async fn in_force(world: &World, cluster: &str, velero: &str) {
    says(world, cluster, BACKUP, "create-schedule-resource", "found as specified").await;
    let backup = json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": TAKEN},
        "spec": {"includedNamespaces": ["pacman"], "storageLocation": "dpa-1"}, "status": {"phase": "Completed"}});
    world.clusters[cluster].apply(backup, velero).await;
    says(world, cluster, RESTORE, "create-restore-resource", "found as specified").await;
}

/// The objects of a kind without what the API server and the clusters give them.
fn normalized(objects: &BTreeMap<String, Value>, own: &str) -> BTreeMap<String, Value> {
    let general = |text: &str| text.replace(own, "$(own)");
    let one = |object: &Value| -> Value {
        let mut object = object.clone();
        let fields = object.as_object_mut().unwrap();
        fields.remove("status");
        let metadata = fields["metadata"].as_object_mut().unwrap();
        metadata.retain(|field, _| matches!(field.as_str(), "name" | "namespace" | "labels" | "annotations"));
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove("cluster-id");
        }
        serde_json::from_str(&general(&object.to_string())).unwrap()
    };
    objects
        .iter()
        .filter(|(name, _)| *name != "kube-root-ca.crt")
        .map(|(name, object)| (general(name), one(object)))
        .collect()
}

async fn uids(world: &World, cluster: &str, namespace: &str) -> BTreeMap<(String, String), Value> {
    let mut uids = BTreeMap::new();
    for kind in KINDS.into_iter().chain(["Backup"]) {
        for (name, object) in world.clusters[cluster].list(kind, Some(namespace)).await {
            uids.insert((kind.to_owned(), name), object["metadata"]["uid"].clone());
        }
    }
    uids
}

/// Edits one key on a running configuration; answers what differs from a fresh install.
async fn edited(world: Arc<World>, row: usize) {
    let edit = &EDITS[row];
    let (running, fresh) = clusters(row);
    if matches!(edit.outcome, Outcome::Elsewhere) {
        return;
    }
    // A setting is one line.
    let value = |text: &str, own: &str| text.replace("$(own)", own).replace("\n   ", "");
    let before: Vec<(&str, String)> = edit
        .with
        .iter()
        .filter(|(_, from, _)| !from.is_empty())
        .map(|(key, from, _)| (*key, value(from, &running)))
        .collect();
    let after = |own: &str| -> Vec<(&str, String)> {
        let with = edit.with.iter().map(|(key, _, to)| (*key, value(to, own)));
        std::iter::once((edit.key, value(edit.to, own))).chain(with).collect()
    };
    configure(&world, &running, &before).await;
    for cluster in [&running, &fresh] {
        let labels =
            [("own", Some(cluster.as_str())), ("tier", Some("gold")), ("acm-app-restore", Some(TAKEN))];
        world.hub.label("ManagedCluster", cluster, &labels).await;
    }
    in_force(&world, &running, VELERO).await;
    let made = uids(&world, &running, VELERO).await;

    let data: BTreeMap<&str, String> = after(&running).into_iter().collect();
    let namespace = config_namespace(&running);
    world.hub.merge("ConfigMap", &namespace, "hdr-app-configmap", &json!({"data": data})).await;
    if let Outcome::Held(why) = edit.outcome {
        says(&world, &running, INSTALL, "create-oadp-dpa-resource", why).await;
        let mut now = uids(&world, &running, VELERO).await;
        now.retain(|object, _| made.contains_key(object));
        assert_eq!(now, made, "{}: nothing goes", edit.key);
        return;
    }
    configure(&world, &fresh, &after(&fresh)).await;
    in_force(&world, &fresh, edit.velero).await;
    if edit.velero != VELERO {
        in_force(&world, &running, edit.velero).await;
    }
    for kind in KINDS {
        let expected = normalized(&world.clusters[&fresh].list(kind, Some(edit.velero)).await, &fresh);
        world.clusters[&running]
            .wait(
                &format!(
                    "{kind} of {running} to be as on a fresh install with {} {}: {:#}",
                    edit.key,
                    edit.to,
                    json!(expected)
                ),
                kind,
                Some(edit.velero),
                |objects| {
                    let mut found = normalized(objects, &running);
                    for (of, name) in edit.left {
                        if *of == kind {
                            found.remove(*name)?;
                        }
                    }
                    (found == expected).then_some(())
                },
            )
            .await;
    }
    says(&world, &running, INSTALL, "create-oadp-dpa-resource", "found as specified").await;
    if edit.velero == VELERO {
        let now = uids(&world, &running, VELERO).await;
        for (object, uid) in &made {
            let kept = now.get(object);
            assert!(kept.is_none_or(|kept| kept == uid), "{}: {object:?} was made again", edit.key);
        }
    }
    assert!(
        world.clusters[&running].get("Backup", VELERO, TAKEN).await.is_some(),
        "{}: the backup is gone",
        edit.key
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_can_be_edited_in_place() {
    let names: Vec<String> = (0..EDITS.len()).map(clusters).flat_map(|(one, other)| [one, other]).collect();
    let world = World::start_with(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let world = Arc::new(world);
    let failed: Vec<&str> = futures::stream::iter(EDITS.iter().enumerate())
        .map(|(row, edit)| {
            let world = world.clone();
            async move { (edit.key, AssertUnwindSafe(edited(world, row)).catch_unwind().await.is_err()) }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|(key, failed)| async move { failed.then_some(key) })
        .collect()
        .await;
    assert!(failed.is_empty(), "an edit does not come to what a fresh install gives: {failed:?}");
    let Ok(world) = Arc::try_unwrap(world) else { panic!("nothing uses the world any more") };
    world.stop().await;
}
