//! Refusals: every body that a client may have to read.

use http::Method;
use serde_json::json;

use crate::ground::*;

#[tokio::test]
async fn what_is_not_there() {
    let mut case = Case::start("errors", "not-found").await;
    case.step("an object", get(&at(CONFIG_MAPS, "none"))).await;
    case.step("a custom object", get(&at(SHIPS, "none"))).await;
    case.step("a cluster's object", get(&at(OCEANS, "none"))).await;
    case.step("a namespace", get("/api/v1/namespaces/errors-none")).await;
    case.step("an object in no namespace", get("/api/v1/namespaces/errors-none/configmaps/a")).await;
    case.step(
        "create in no namespace",
        post("/api/v1/namespaces/errors-none/configmaps", &config_map("a", "1")),
    )
    .await;
    case.step(
        "create a custom object in no namespace",
        post(
            "/apis/agreement.flotilla.dev/v1/namespaces/errors-none/ships",
            &ship("a", &json!({"captain": "Ahab"})),
        ),
    )
    .await;
    case.step("a kind", get("/apis/agreement.flotilla.dev/v1/namespaces/{ns}/rafts")).await;
    case.step("a kind of core", get("/api/v1/namespaces/{ns}/rafts")).await;
    case.step("a group", get("/apis/none.flotilla.dev/v1/namespaces/{ns}/ships")).await;
    case.step("a version", get("/apis/agreement.flotilla.dev/v9/namespaces/{ns}/ships")).await;
    case.step("a version of core", get("/api/v9/namespaces")).await;
    case.step("a path", get("/nothing/here")).await;
    case.step("a subresource", get(&at(CONFIG_MAPS, "a/none"))).await;
    case.step("a subresource of a custom kind", get(&at(SHIPS, "a/none"))).await;
    case.step("scale of a custom kind", get(&at(SHIPS, "a/scale"))).await;
    case.step("a namespaced object without its namespace", get("/api/v1/configmaps/a")).await;
    case.step("a custom object without its namespace", get("/apis/agreement.flotilla.dev/v1/ships/a")).await;
    case.step(
        "a cluster's object in a namespace",
        get("/apis/agreement.flotilla.dev/v1/namespaces/{ns}/oceans/a"),
    )
    .await;
    case.step("delete", delete(&at(CONFIG_MAPS, "none"))).await;
    case.step("merge", merge(&at(CONFIG_MAPS, "none"), &json!({}))).await;
    case.finish();
}

#[tokio::test]
async fn what_cannot_be_done() {
    let mut case = Case::start("errors", "methods").await;
    case.step("put to a collection", put(CONFIG_MAPS, &config_map("a", "1"))).await;
    case.step("patch a collection", merge(CONFIG_MAPS, &json!({}))).await;
    case.step("post to an object", post(&at(CONFIG_MAPS, "a"), &config_map("a", "1"))).await;
    case.step("put to a custom collection", put(SHIPS, &ship("a", &json!({})))).await;
    case.step("patch a custom collection", merge(SHIPS, &json!({}))).await;
    case.step("post to a custom object", post(&at(SHIPS, "a"), &ship("a", &json!({})))).await;
    case.step("post to the status", post(&at(SHIPS, "a/status"), &ship("a", &json!({})))).await;
    case.step("delete the status", delete(&at(SHIPS, "a/status"))).await;
    case.step("create without a namespace", post("/api/v1/configmaps", &config_map("a", "1"))).await;
    case.step(
        "create a custom object without a namespace",
        post("/apis/agreement.flotilla.dev/v1/ships", &ship("a", &json!({"captain": "Ahab"}))),
    )
    .await;
    case.step("delete all namespaces", delete("/api/v1/namespaces")).await;
    case.step("read a review", get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")).await;
    case.step("an unknown method", get(CONFIG_MAPS).method(Method::from_bytes(b"BREW").unwrap())).await;
    case.finish();
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let mut case = Case::start("errors", "bodies").await;
    let create = post(CONFIG_MAPS, &json!({}));
    let create_ship = post(SHIPS, &json!({}));
    case.step("broken JSON", create.clone().body("{\"metadata\":")).await;
    case.step("broken JSON of a custom object", create_ship.clone().body("{\"metadata\":")).await;
    case.step("no JSON at all", create.clone().body("hello")).await;
    case.step("a list", create.clone().body("[]")).await;
    case.step("no body", create.clone().body("")).await;
    case.step("no body of a custom object", create_ship.clone().body("")).await;
    case.step("an empty mapping", create.clone().body("{}")).await;
    case.step("an empty mapping of a custom object", create_ship.clone().body("{}")).await;
    case.step(
        "another kind",
        post(CONFIG_MAPS, &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})),
    )
    .await;
    case.step(
        "another version",
        post(CONFIG_MAPS, &json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "a"}})),
    )
    .await;
    case.step(
        "a kind that nobody knows",
        post(CONFIG_MAPS, &json!({"apiVersion": "a/v1", "kind": "B", "metadata": {"name": "a"}})),
    )
    .await;
    case.step("another custom kind", post(SHIPS, &buoy("a", &json!({})))).await;
    case.step(
        "another version of a custom kind",
        post(
            SHIPS,
            &json!({"apiVersion": "agreement.flotilla.dev/v1beta1",
        "kind": "Ship", "metadata": {"name": "a"}, "spec": {"captain": "Ahab"}}),
        ),
    )
    .await;
    case.step(
        "a custom object without its kind",
        post(
            SHIPS,
            &json!({"apiVersion": "agreement.flotilla.dev/v1",
        "metadata": {"name": "a"}, "spec": {"captain": "Ahab"}}),
        ),
    )
    .await;
    let mut elsewhere = config_map("a", "1");
    elsewhere["metadata"]["namespace"] = json!("default");
    case.step("another namespace", post(CONFIG_MAPS, &elsewhere)).await;
    let mut elsewhere = ship("a", &json!({"captain": "Ahab"}));
    elsewhere["metadata"]["namespace"] = json!("default");
    case.step("another namespace of a custom object", post(SHIPS, &elsewhere)).await;
    case.step("a wrong type of data", create.clone().body(r#"{"metadata":{"name":"a"},"data":{"a":1}}"#))
        .await;
    case.step("data that is a list", create.clone().body(r#"{"metadata":{"name":"a"},"data":[]}"#)).await;
    case.step("metadata that is a text", create.clone().body(r#"{"metadata":"a"}"#)).await;
    case.step("a name that is a number", create.clone().body(r#"{"metadata":{"name":1}}"#)).await;
    case.step("a media type that is not read", create.clone().body("x").content_type("text/plain")).await;
    case.step(
        "a media type that a custom kind does not read",
        create_ship.clone().body("x").content_type("text/plain"),
    )
    .await;
    case.step(
        "YAML",
        create
            .clone()
            .content_type("application/yaml")
            .body("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  k: v\n"),
    )
    .await;
    case.step("YAML of a custom object", create_ship.clone().content_type("application/yaml")
        .body("apiVersion: agreement.flotilla.dev/v1\nkind: Ship\nmetadata:\n  name: yaml\nspec:\n  captain: Ahab\n")).await;
    case.finish();
}

#[tokio::test]
async fn strangers_are_refused() {
    let mut case = Case::start("errors", "strangers").await;
    case.step("another token", get(CONFIG_MAPS).token("nonsense")).await;
    case.step("another token, writing", post(CONFIG_MAPS, &config_map("a", "1")).token("nonsense")).await;
    case.step("another token, a path that is not there", get("/nothing").token("nonsense")).await;
    case.finish();
}

/// The stand-in knows no rights and lets through what a real server refuses.
#[tokio::test]
async fn rights_are_checked() {
    let mut case = Case::start("errors", "rights").await;
    let review = |verb: &str| {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": "nobody", "resourceAttributes": {"verb": verb, "resource": "secrets", "namespace": "default"}}})
    };
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    case.step("a stranger may not read", post(path, &review("get"))).await;
    let own = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "default"}}});
    case.step(
        "the administrator may",
        post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &own).showing(&[
            "/status/allowed",
            "/kind",
            "/spec",
        ]),
    )
    .await;
    case.step("a stranger is told so", get(CONFIG_MAPS).impersonating("nobody").showing(&["/items"])).await;
    case.step(
        "also when writing",
        post(SHIPS, &ship("a", &json!({"captain": "Ahab"}))).impersonating("nobody"),
    )
    .await;
    case.finish();
}
