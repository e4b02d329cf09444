//! Velero on a stage: ladders, two clusters with one bucket, every validation text, expiry and deletion.

mod backups;
mod deletion;
mod locations;
mod restores;
mod schedules;

use serde_json::{Value, json};

use super::edit::{key, set};
use super::stage::{INSTALL, PACMAN, Stage, velero};
use crate::api::object::ObjectKey;

const LADDER: [&str; 6] = ["", "Queued", "ReadyToStart", "InProgress", "Finalizing", "Completed"];

fn stage(clusters: &[&str]) -> Stage {
    let mut stage = Stage::new(clusters);
    for cluster in clusters {
        stage.create_all(cluster, INSTALL);
    }
    stage.create_all("c1", PACMAN);
    stage.settle();
    stage
}

#[expect(clippy::needless_pass_by_value, reason = "callers write the spec in place")]
fn backup(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": name, "namespace": "velero-ns"}, "spec": spec,
    })
}

fn restore(name: &str, spec: Value) -> Value {
    let mut object = backup(name, spec);
    set(&mut object, &["kind"], "Restore");
    object
}

#[expect(clippy::needless_pass_by_value, reason = "callers write the spec in place")]
fn schedule(spec: Value) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {
            "name": "acm-app-dpa-1-c1", "namespace": "velero-ns",
            "labels": {"cluster-name": "c1", "cluster-id": "id-1"},
        },
        "spec": spec,
    })
}

fn minutely() -> Value {
    schedule(json!({
        "schedule": "*/1 * * * *",
        "template": {"includedNamespaces": ["pacman"], "ttl": "240h0m0s", "snapshotVolumes": true,
            "volumeSnapshotLocations": ["dpa-1"]},
    }))
}

/// Runs a backup on the first cluster to its end and gives it back.
fn backed_up(stage: &mut Stage, name: &str, spec: Value) -> Value {
    stage.create("c1", backup(name, spec));
    stage.settle();
    stage.get("c1", &velero("Backup", name)).unwrap()
}

fn app(kind: &str, name: &str) -> ObjectKey {
    key("v1", kind, Some("pacman"), name)
}
