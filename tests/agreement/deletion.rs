//! Deleting: preconditions, finalizers, propagation, namespaces, collections.

use serde_json::json;

use crate::ground::*;
use crate::support::plane::definitions;

#[tokio::test]
async fn preconditions_are_checked() {
    let mut case = Case::start("deletion", "preconditions").await;
    let created = case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    let path = at(CONFIG_MAPS, "a");
    case.step(
        "another uid",
        delete_with(&path, &json!({"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}})),
    )
    .await;
    case.step("another version", delete_with(&path, &json!({"preconditions": {"resourceVersion": "1"}})))
        .await;
    case.step("an unknown propagation", delete_with(&path, &json!({"propagationPolicy": "Sideways"}))).await;
    case.step(
        "two ways to say it",
        delete_with(&path, &json!({"propagationPolicy": "Orphan", "orphanDependents": true})),
    )
    .await;
    case.step("options that are none", delete_with(&path, &json!({"kind": "Secret", "apiVersion": "v1"})))
        .await;
    case.step("a broken body", delete_with(&path, &json!({})).body("{")).await;
    let right = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {
        "uid": created["metadata"]["uid"], "resourceVersion": created["metadata"]["resourceVersion"]}});
    case.step("the right ones", delete_with(&path, &right)).await;
    case.step("it is gone", delete(&path)).await;
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("a custom object", delete(&at(SHIPS, "a"))).await;
    case.step("the custom object again", delete(&at(SHIPS, "a"))).await;
    case.finish();
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let mut case = Case::start("deletion", "finalizers").await;
    let mut body = ship("a", &json!({"captain": "Ahab"}));
    body["metadata"]["finalizers"] = json!(["a.io/x", "a.io/y"]);
    case.prepare(post(SHIPS, &body)).await;
    let path = at(SHIPS, "a");
    case.step("delete", delete(&path)).await;
    case.step("delete again", delete(&path)).await;
    case.step("it is still there", get(&path)).await;
    case.step("create it anew", post(SHIPS, &body)).await;
    case.step("a change", merge(&path, &json!({"spec": {"speed": 3}}))).await;
    case.step("a finalizer comes", merge(&path, &json!({"metadata": {"finalizers": ["a.io/x", "a.io/z"]}})))
        .await;
    case.step("one finalizer goes", merge(&path, &json!({"metadata": {"finalizers": ["a.io/y"]}}))).await;
    case.step(
        "the deletion cannot be undone",
        merge(&path, &json!({"metadata": {"deletionTimestamp": null}})),
    )
    .await;
    case.step("the last goes", merge(&path, &json!({"metadata": {"finalizers": []}}))).await;
    case.step("it is gone", get(&path)).await;
    let mut map = config_map("a", "1");
    map["metadata"]["finalizers"] = json!(["a.io/x"]);
    case.prepare(post(CONFIG_MAPS, &map)).await;
    case.step("a ConfigMap is held too", delete(&at(CONFIG_MAPS, "a"))).await;
    let free = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
    case.step("and let go", json_patch(&at(CONFIG_MAPS, "a"), &free)).await;
    case.finish();
}

async fn owner_and_dependent(policy: &str) {
    let mut case = Case::start("deletion", policy.to_lowercase().as_str()).await;
    let owner = case.prepare(post(CONFIG_MAPS, &config_map("owner", "1"))).await;
    let mut dependent = config_map("dependent", "1");
    dependent["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap",
        "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}]);
    case.prepare(post(CONFIG_MAPS, &dependent)).await;
    let options = json!({"propagationPolicy": policy});
    case.step("the owner goes", delete_with(&at(CONFIG_MAPS, "owner"), &options)).await;
    case.step("the owner", get(&at(CONFIG_MAPS, "owner"))).await;
    case.step("the dependent", get(&at(CONFIG_MAPS, "dependent"))).await;
    case.finish();
}

#[tokio::test]
async fn dependents_go_before_their_owner() {
    owner_and_dependent("Foreground").await;
}

#[tokio::test]
async fn dependents_go_after_their_owner() {
    owner_and_dependent("Background").await;
}

#[tokio::test]
async fn dependents_stay() {
    owner_and_dependent("Orphan").await;
}

#[tokio::test]
async fn namespaces_end_slowly() {
    let mut case = Case::start("deletion", "namespaces").await;
    case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    case.step("delete", delete("/api/v1/namespaces/{ns}")).await;
    case.step("nothing new", post(CONFIG_MAPS, &config_map("b", "1"))).await;
    case.step("no new custom object", post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("its own system", delete("/api/v1/namespaces/kube-system")).await;
    case.step("not there", delete("/api/v1/namespaces/deletion-none")).await;
    case.finish();
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    let mut case = Case::start("deletion", "collections").await;
    for (name, labels) in
        [("a", json!({"on": "yes"})), ("b", json!({"on": "no"})), ("c", json!({"on": "yes"}))]
    {
        case.prepare(post(CONFIG_MAPS, &labelled(name, &labels))).await;
    }
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("some", delete(&format!("{CONFIG_MAPS}?labelSelector=on%3Dyes"))).await;
    case.step("what is left", get(CONFIG_MAPS)).await;
    case.step("a custom kind", delete(SHIPS)).await;
    case.step("nothing", delete(SHIPS)).await;
    case.finish();
}

#[tokio::test]
async fn a_pod_that_runs_nowhere_goes_at_once() {
    let mut case = Case::start("deletion", "pods").await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    case.prepare(post(PODS, &pod)).await;
    case.step("delete", delete(&at(PODS, "p")).showing(&["/kind", "/metadata/name", "/status/phase"])).await;
    case.step("it is gone", get(&at(PODS, "p"))).await;
    case.finish();
}

#[tokio::test]
async fn a_definition_takes_its_objects_along() {
    let mut case = Case::start("deletion", "definition").await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let kites = "/apis/kites.flotilla.dev/v1/namespaces/{ns}/kites";
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "kites.kites.flotilla.dev"},
        "spec": {"group": "kites.flotilla.dev", "scope": "Namespaced",
            "names": {"kind": "Kite", "plural": "kites", "singular": "kite", "listKind": "KiteList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    definitions::install(&case.client(), &[definition]).await;
    let kite = json!({"apiVersion": "kites.flotilla.dev/v1", "kind": "Kite", "metadata": {"name": "red"}, "tail": 3});
    case.created(kites, &kite).await;
    let mut stream = case.watch(&format!("{kites}?watch=true&resourceVersion=0")).await;
    case.events("a kite", &mut stream, 1).await;
    let deleted = case.prepare(delete(&at(definitions, "kites.kites.flotilla.dev"))).await;
    assert_eq!(deleted["metadata"]["finalizers"][0], "customresourcecleanup.apiextensions.k8s.io");
    case.events("its end", &mut stream, 1).await;
    case.gone(&at(definitions, "kites.kites.flotilla.dev")).await;
    // The server takes its path away a moment later.
    case.gone(kites).await;
    case.step("no kites any more", get(kites)).await;
    case.finish();
}
