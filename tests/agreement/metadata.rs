//! What the server says about names, labels and the metadata that nobody may change.

use serde_json::{Value, json};

use crate::ground::*;

fn with(metadata: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
}

#[tokio::test]
async fn names_and_labels_have_rules() {
    let mut case = Case::start("metadata", "rules").await;
    let long = "x".repeat(300);
    for (name, metadata) in [
        ("no name", json!({})),
        ("an upper case name", json!({"name": "Upper"})),
        ("a name with an underline", json!({"name": "a_b"})),
        ("a name too long", json!({"name": long})),
        ("an invalid label key", json!({"name": "a", "labels": {"a/b/c": "x"}})),
        ("an empty label key", json!({"name": "a", "labels": {"": "x"}})),
        ("a label prefix that is no domain", json!({"name": "a", "labels": {"A_B/c": "x"}})),
        ("a label key too long", json!({"name": "a", "labels": {"k".repeat(64): "x"}})),
        ("a label value with a blank", json!({"name": "a", "labels": {"k": "b c"}})),
        ("a label value too long", json!({"name": "a", "labels": {"k": "v".repeat(64)}})),
        ("two faults", json!({"name": "A", "labels": {"k": "-"}})),
        ("an invalid annotation key", json!({"name": "a", "annotations": {"b c": "x"}})),
        ("annotations too long", json!({"name": "a", "annotations": {"k": "v".repeat(262_145)}})),
        ("a label that is a number", json!({"name": "a", "labels": {"k": 1}})),
        ("labels that are a list", json!({"name": "a", "labels": ["k"]})),
        ("an invalid generated name", json!({"generateName": "Upper-"})),
        ("a finalizer without a domain", json!({"name": "a", "finalizers": ["plain"]})),
        (
            "an owner without a kind",
            json!({"name": "a", "ownerReferences": [{"apiVersion": "v1", "name": "b",
            "uid": "11111111-1111-1111-1111-111111111111"}]}),
        ),
        (
            "two controllers",
            json!({"name": "a", "ownerReferences": [
            {"apiVersion": "v1", "kind": "A", "name": "b", "uid": "11111111-1111-1111-1111-111111111111", "controller": true},
            {"apiVersion": "v1", "kind": "A", "name": "c", "uid": "11111111-1111-1111-1111-111111111112", "controller": true}]}),
        ),
    ] {
        case.step(name, post(&format!("{CONFIG_MAPS}?dryRun=All"), &with(&metadata))).await;
    }
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    case.step("a namespace with a dot", post("/api/v1/namespaces", &namespace("a.b"))).await;
    case.step("a namespace too long", post("/api/v1/namespaces", &namespace(&"n".repeat(64)))).await;
    let role = json!({"metadata": {"name": "a/b"}});
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles?dryRun=All";
    case.step("a role with a slash", post(roles, &role)).await;
    case.step(
        "a custom object with an upper case name",
        post(SHIPS, &ship("Upper", &json!({"captain": "Ahab"}))),
    )
    .await;
    case.step("a custom object with faults of both", post(SHIPS, &ship("Upper", &json!({"speed": 99}))))
        .await;
    let key =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "k"}, "data": {"a b": "1"}});
    case.step("a key with a blank", post(CONFIG_MAPS, &key)).await;
    let secret = json!({"metadata": {"name": "k"}, "data": {"a": "not base64"}});
    case.step("a secret that is no base64", post(SECRETS, &secret)).await;
    case.finish();
}

#[tokio::test]
async fn what_the_server_sets_is_not_changed() {
    let mut case = Case::start("metadata", "immutable").await;
    case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    let path = at(CONFIG_MAPS, "a");
    for (name, metadata) in [
        ("the name", json!({"name": "b"})),
        ("the namespace", json!({"namespace": "default"})),
        ("the uid", json!({"uid": "11111111-1111-1111-1111-111111111111"})),
        ("the creation time", json!({"creationTimestamp": "2001-01-01T00:00:00Z"})),
        ("no creation time", json!({"creationTimestamp": null})),
        ("the generation", json!({"generation": 9})),
        ("the deletion time", json!({"deletionTimestamp": "2001-01-01T00:00:00Z"})),
        ("the base of the name", json!({"generateName": "x-"})),
        ("a stale version", json!({"resourceVersion": "1"})),
        ("a version that is no number", json!({"resourceVersion": "x"})),
        ("an empty name", json!({"name": ""})),
    ] {
        case.step(name, merge(&path, &json!({"metadata": metadata}))).await;
    }
    case.step("the kind", merge(&path, &json!({"kind": "Service"}))).await;
    case.step("the version of the API", merge(&path, &json!({"apiVersion": "v2"}))).await;
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    let path = at(SHIPS, "a");
    case.step("the name of a custom object", merge(&path, &json!({"metadata": {"name": "b"}}))).await;
    case.step("the uid of a custom object", merge(&path, &json!({"metadata": {"uid": "b"}}))).await;
    case.step("the kind of a custom object", merge(&path, &json!({"kind": "Buoy"}))).await;
    case.step("the generation of a custom object", merge(&path, &json!({"metadata": {"generation": 9}})))
        .await;
    let frozen = json!({"metadata": {"name": "f"}, "data": {"k": "1"}, "immutable": true});
    case.prepare(post(CONFIG_MAPS, &frozen)).await;
    case.step("an immutable ConfigMap", merge(&at(CONFIG_MAPS, "f"), &json!({"data": {"k": "2"}}))).await;
    case.step("its mark", merge(&at(CONFIG_MAPS, "f"), &json!({"immutable": false}))).await;
    case.prepare(post(SECRETS, &json!({"metadata": {"name": "s"}, "type": "a.io/b"}))).await;
    case.step("the type of a secret", merge(&at(SECRETS, "s"), &json!({"type": "Opaque"}))).await;
    case.finish();
}
