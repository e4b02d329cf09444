//! Restores: which run, what they make of objects, and which are refused in which words.

use serde_json::{Value, json};

use crate::expected::Seen;
use crate::fixture::{Cluster, Fixture, objects};
use crate::support::VELERO;

/// What an app namespace may hold.
const KINDS: [(&str, &str); 6] = [
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
];

/// The namespace and what lies in it: what a restore writes, and no field that an API server fills in.
async fn contents(cluster: &Cluster, namespace: &str) -> Value {
    let mut found = serde_json::Map::new();
    let own = cluster.get("v1", "Namespace", "", namespace).await;
    found.insert("Namespace".to_owned(), written(&own.unwrap_or_default()));
    for (api_version, kind) in KINDS {
        for object in cluster.list(api_version, kind, namespace).await {
            found
                .insert(format!("{kind} {}", object["metadata"]["name"].as_str().unwrap()), written(&object));
        }
    }
    found.into()
}

fn written(object: &Value) -> Value {
    let mut written = json!({});
    for (name, value) in [
        ("labels", &object["metadata"]["labels"]),
        ("annotations", &object["metadata"]["annotations"]),
        ("data", &object["data"]),
        ("storageClassName", &object["spec"]["storageClassName"]),
        ("replicas", &object["spec"]["replicas"]),
    ] {
        if !value.is_null() {
            written[name] = value.clone();
        }
    }
    written
}

#[tokio::test]
async fn restores() {
    let fixture = Fixture::start(&["c1"]).await;
    let c1 = fixture.cluster("c1");
    let mut seen = Seen::new("restores");

    seen.add_entries(&c1.settle(&fixture.with_storage(&objects("restore-sources"))).await);

    seen.add_entries(&c1.settle(&objects("restores")).await);
    for namespace in ["shop", "copy", "copy-by-schedule", "copy-some", "copy-selected", "copy-long"] {
        seen.add(&format!("namespace {namespace}"), contents(c1, namespace).await);
    }

    let changed = json!({"data": {"colour": "green"}});
    c1.user.merge("ConfigMap", "shop", "settings", &changed).await;
    let (kept, updated) = {
        let mut settled = c1.settle(&objects("restores-of-changed")).await;
        let updated = settled.pop().unwrap();
        (settled, updated)
    };
    seen.add_entries(&kept);
    seen.add_entries(&[updated]);
    seen.add("namespace shop, updated", contents(c1, "shop").await);

    seen.add_entries(&c1.settle(&objects("restores-with-storage-classes")).await);
    seen.add("namespace copy-class", contents(c1, "copy-class").await);
    let missing = json!({"data": {"old": "absent"}});
    c1.user.merge("ConfigMap", VELERO, "storage-classes", &missing).await;
    seen.add_entries(&c1.settle(&objects("restores-with-missing-class")).await);
    seen.add("namespace copy-missing", contents(c1, "copy-missing").await);
    seen.add_entries(&c1.settle(&objects("restores-with-two-maps")).await);
    seen.add("namespace copy-twice", contents(c1, "copy-twice").await);

    let no_credentials = json!({"spec": {"credential": {"name": "absent", "key": "cloud"}}});
    c1.user.merge("BackupStorageLocation", VELERO, "other", &no_credentials).await;
    let lost = c1.diary.until("BackupStorageLocation", "other", |entry| entry.phase() == "Unavailable").await;
    seen.add_entry("BackupStorageLocation other, without credentials", &lost);
    seen.add_entries(&c1.settle(&objects("restores-refused")).await);

    c1.user.delete("Restore", VELERO, "mapped").await;
    seen.add_entry(
        "Restore mapped, deleted",
        &c1.diary.until("Restore", "mapped", |entry| entry.phase() == "(gone)").await,
    );

    fixture.stage.shutdown().await;
    seen.check();
}
