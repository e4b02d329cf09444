//! JSON patch, merge patch and strategic merge patch.

use serde_json::json;

use crate::ground::*;

#[tokio::test]
async fn json_patches_are_carried_out_or_refused() {
    let mut case = Case::start("patches", "json").await;
    case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    let path = at(CONFIG_MAPS, "a");
    for (name, operations) in [
        (
            "add and remove",
            json!([{"op": "add", "path": "/data/b", "value": "2"}, {"op": "remove", "path": "/data/key"}]),
        ),
        (
            "a test that holds",
            json!([{"op": "test", "path": "/data/b", "value": "2"}, {"op": "replace", "path": "/data/b", "value": "3"}]),
        ),
        ("a test that fails", json!([{"op": "test", "path": "/data/b", "value": "9"}])),
        ("a test of nothing", json!([{"op": "test", "path": "/data/none", "value": "9"}])),
        ("remove nothing", json!([{"op": "remove", "path": "/data/none"}])),
        ("replace nothing", json!([{"op": "replace", "path": "/data/none", "value": "1"}])),
        ("add below nothing", json!([{"op": "add", "path": "/none/x", "value": "1"}])),
        ("an unknown operation", json!([{"op": "jump", "path": "/data"}])),
        ("a mapping", json!({"data": {}})),
        (
            "a slash in a key",
            json!([{"op": "add", "path": "/metadata/annotations", "value": {}},
            {"op": "add", "path": "/metadata/annotations/x.io~1y", "value": "z"}]),
        ),
        (
            "copy and move",
            json!([{"op": "copy", "from": "/data/b", "path": "/data/c"}, {"op": "move", "from": "/data/b", "path": "/data/d"}]),
        ),
        ("a wrong type", json!([{"op": "add", "path": "/data/e", "value": 5}])),
        ("a stale version", json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}])),
    ] {
        case.step(name, json_patch(&path, &operations)).await;
    }
    case.step("broken text", json_patch(&path, &json!([])).body("[{")).await;
    case.step("an object that is not there", json_patch(&at(CONFIG_MAPS, "none"), &json!([]))).await;
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    let failing = json!([{"op": "test", "path": "/spec/captain", "value": "Bligh"}]);
    case.step("a test on a custom object that fails", json_patch(&at(SHIPS, "a"), &failing)).await;
    let breaking = json!([{"op": "remove", "path": "/spec/captain"}]);
    case.step("a custom object that becomes invalid", json_patch(&at(SHIPS, "a"), &breaking)).await;
    case.finish();
}

#[tokio::test]
async fn merge_patches_merge_maps_alone() {
    let mut case = Case::start("patches", "merge").await;
    case.prepare(post(
        SHIPS,
        &ship("a", &json!({"captain": "Ahab", "tags": ["a", "b"], "crew": {"x": "1"}})),
    ))
    .await;
    let path = at(SHIPS, "a");
    for (name, body) in [
        (
            "maps merge and lists do not",
            json!({"spec": {"tags": ["c"], "crew": {"y": "2"}, "hull": {"length": 3}}}),
        ),
        ("null removes", json!({"spec": {"crew": {"x": null}, "hull": null}})),
        ("null brings a default back", json!({"spec": {"speed": null}})),
        ("a null that may be", json!({"spec": {"maybe": null}})),
        ("an empty patch", json!({})),
        ("a list as a patch", json!([1])),
        ("what is required may not go", json!({"spec": {"captain": null}})),
        ("the metadata may not go", json!({"metadata": null})),
        ("an unknown field goes", json!({"spec": {"odd": 1}})),
        ("a wrong type of metadata", json!({"metadata": {"labels": "x"}})),
    ] {
        case.step(name, merge(&path, &body)).await;
    }
    case.step("a patch of nothing", merge(&at(SHIPS, "none"), &json!({}))).await;
    case.step("a broken patch", merge(&path, &json!({})).body("{\"spec\":")).await;
    let current = case.prepare(get(&path)).await;
    let version = current["metadata"]["resourceVersion"].clone();
    let conditional = json!({"metadata": {"resourceVersion": version}, "spec": {"speed": 5}});
    case.step("with the version", merge(&path, &conditional)).await;
    let conditional = json!({"metadata": {"resourceVersion": version}, "spec": {"speed": 6}});
    case.step("with the version before", merge(&path, &conditional)).await;
    case.finish();
}

#[tokio::test]
async fn strategic_patches_merge_lists_by_key() {
    let mut case = Case::start("patches", "strategic").await;
    let container =
        |name: &str| json!({"name": name, "image": "busybox", "env": [{"name": "A", "value": "1"}]});
    let pod = json!({"metadata": {"name": "p", "finalizers": ["a.io/x"]}, "spec": {
        "containers": [container("one"), container("two")], "volumes": [{"name": "v", "emptyDir": {}}],
        "tolerations": [{"key": "t", "operator": "Exists"}]}});
    case.prepare(post(PODS, &pod)).await;
    let path = at(PODS, "p");
    let shown: &[&str] = &[
        "/spec/containers/0/name",
        "/spec/containers/0/image",
        "/spec/containers/0/env",
        "/spec/containers/1/name",
        "/spec/containers/1/image",
        "/metadata/finalizers",
        "/metadata/annotations",
        "/metadata/labels",
        "/spec/activeDeadlineSeconds",
    ];
    for (name, body) in [
        (
            "containers merge by name",
            json!({"spec": {"containers": [{"name": "two", "image": "busybox:2"}]}}),
        ),
        ("finalizers are joined", json!({"metadata": {"finalizers": ["a.io/y"]}})),
        (
            "a finalizer is taken out",
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.io/x"]}}),
        ),
        ("labels merge", json!({"metadata": {"labels": {"a": "b"}}})),
        ("labels are replaced", json!({"metadata": {"labels": {"$patch": "replace", "c": "d"}}})),
        ("labels go", json!({"metadata": {"labels": null}})),
        ("a field is set", json!({"spec": {"activeDeadlineSeconds": 100}})),
        ("a container without a key", json!({"spec": {"containers": [{"image": "x"}]}})),
        ("an unknown directive", json!({"metadata": {"labels": {"$patch": "jump"}}})),
        ("finalizers go", json!({"metadata": {"finalizers": null}})),
    ] {
        case.step(name, strategic(&path, &body).showing(shown)).await;
    }
    case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    let path = at(CONFIG_MAPS, "a");
    case.step("a ConfigMap merges", strategic(&path, &json!({"data": {"b": "2"}}))).await;
    case.step("a ConfigMap is replaced", strategic(&path, &json!({"data": {"$patch": "replace", "c": "3"}})))
        .await;
    case.step("a map goes", strategic(&path, &json!({"data": {"$patch": "delete"}}))).await;
    let owner = |name: &str, uid: u32| {
        json!({"apiVersion": "v1", "kind": "Node", "name": name,
        "uid": format!("11111111-1111-1111-1111-{uid:012}")})
    };
    case.step(
        "owners merge by uid",
        strategic(&path, &json!({"metadata": {"ownerReferences": [owner("a", 1)]}})),
    )
    .await;
    case.step("another owner", strategic(&path, &json!({"metadata": {"ownerReferences": [owner("b", 2)]}})))
        .await;
    case.step(
        "an owner goes",
        strategic(
            &path,
            &json!({"metadata": {"ownerReferences": [
        {"$patch": "delete", "uid": "11111111-1111-1111-1111-000000000001"}]}}),
        ),
    )
    .await;
    case.step("a broken patch", strategic(&path, &json!({})).body("{\"data\":")).await;
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("a custom object", strategic(&at(SHIPS, "a"), &json!({"spec": {"speed": 2}}))).await;
    case.step("an unknown format", merge(&path, &json!({})).content_type("application/json")).await;
    case.step(
        "an unknown format of a custom object",
        merge(&at(SHIPS, "a"), &json!({})).content_type("text/plain"),
    )
    .await;
    case.finish();
}
