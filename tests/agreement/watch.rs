//! Watches: where they begin, what they tell, when they end.

use serde_json::{Value, json};

use crate::ground::*;

fn watch(collection: &str, query: &str) -> String {
    format!("{collection}?watch=true&{query}")
}

#[tokio::test]
async fn a_watch_begins_where_it_is_asked_to() {
    let mut case = Case::start("watch", "beginning").await;
    case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    let list = case.prepare(get(CONFIG_MAPS)).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    case.recorder_hides(&version);
    case.prepare(post(CONFIG_MAPS, &config_map("b", "1"))).await;
    case.prepare(merge(&at(CONFIG_MAPS, "a"), &json!({"data": {"key": "2"}}))).await;
    let mut from_list = case.watch(&watch(CONFIG_MAPS, &format!("resourceVersion={version}"))).await;
    case.events("from the version of a list", &mut from_list, 2).await;
    let mut from_zero = case.watch(&watch(CONFIG_MAPS, "resourceVersion=0")).await;
    case.events("from version 0", &mut from_zero, 2).await;
    let mut unset = case.watch(&watch(CONFIG_MAPS, "")).await;
    case.events("without a version", &mut unset, 2).await;
    let mut streamed = case
        .watch(&watch(
            CONFIG_MAPS,
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
        ))
        .await;
    case.events("initial events end with a bookmark", &mut streamed, 3).await;
    let mut since = case
        .watch(&watch(
            CONFIG_MAPS,
            &format!("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion={version}"),
        ))
        .await;
    case.events("initial events not older than a list", &mut since, 3).await;
    let mut partial = case
        .watch(&watch(
            SHIPS,
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
        ))
        .await;
    case.events("nothing but a bookmark", &mut partial, 1).await;
    case.prepare(delete(&at(CONFIG_MAPS, "b"))).await;
    for (name, stream) in
        [("list", &mut from_list), ("zero", &mut from_zero), ("unset", &mut unset), ("stream", &mut streamed)]
    {
        case.events(&format!("a deletion is told to all: {name}"), stream, 1).await;
    }
    let mut by_path =
        case.watch(&watch("/api/v1/watch/namespaces/{ns}/configmaps", "resourceVersion=0")).await;
    case.events("the old path", &mut by_path, 1).await;
    case.finish();
}

#[tokio::test]
async fn a_selector_makes_changes_come_and_go() {
    let mut case = Case::start("watch", "selectors").await;
    let label = |value: &str| json!({"metadata": {"labels": {"on": value}}});
    let mut stream = case.watch(&watch(CONFIG_MAPS, "resourceVersion=0&labelSelector=on%3Dyes")).await;
    case.prepare(post(CONFIG_MAPS, &labelled("a", &json!({"on": "no"})))).await;
    case.prepare(merge(&at(CONFIG_MAPS, "a"), &label("yes"))).await;
    case.prepare(merge(&at(CONFIG_MAPS, "a"), &json!({"data": {"k": "v"}}))).await;
    case.prepare(merge(&at(CONFIG_MAPS, "a"), &label("no"))).await;
    case.prepare(merge(&at(CONFIG_MAPS, "a"), &label("yes"))).await;
    case.prepare(delete(&at(CONFIG_MAPS, "a"))).await;
    case.events("labels", &mut stream, 5).await;
    let mut stream =
        case.watch(&watch(CONFIG_MAPS, "resourceVersion=0&fieldSelector=metadata.name%3Db")).await;
    for name in ["a", "b"] {
        case.prepare(post(CONFIG_MAPS, &config_map(name, "1"))).await;
    }
    case.prepare(merge(&at(CONFIG_MAPS, "b"), &json!({"data": {"key": "2"}}))).await;
    case.events("fields", &mut stream, 2).await;
    case.step("one object", get(&watch(&at(CONFIG_MAPS, "b"), "resourceVersion=0&timeoutSeconds=1"))).await;
    case.finish();
}

#[tokio::test]
async fn the_forms_of_events() {
    let mut case = Case::start("watch", "forms").await;
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    for (name, accept) in [
        ("table", "application/json;as=Table;v=v1;g=meta.k8s.io"),
        ("metadata", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"),
    ] {
        let mut stream = case
            .watch_as(
                &watch(
                    SHIPS,
                    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
                ),
                accept,
            )
            .await;
        case.events(name, &mut stream, 2).await;
    }
    let mut stream = case.watch(&watch(SHIPS, "resourceVersion=0")).await;
    let mut two = case
        .watch_as(&watch(SHIPS, "resourceVersion=0"), "application/json;as=Table;v=v1;g=meta.k8s.io")
        .await;
    case.prepare(merge(&at(SHIPS, "a"), &json!({"spec": {"speed": 3}}))).await;
    case.events("the second event of a custom kind", &mut stream, 2).await;
    case.events("columns are told once", &mut two, 2).await;
    let mut beta = case.watch(&watch(&SHIPS.replace("v1", "v1beta1"), "resourceVersion=0")).await;
    case.events("another version", &mut beta, 1).await;
    case.finish();
}

#[tokio::test]
async fn a_watch_ends() {
    let mut case = Case::start("watch", "end").await;
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    let stream = case.watch(&watch(SHIPS, "resourceVersion=0&timeoutSeconds=1")).await;
    case.rest("after its time", stream).await;
    let stream = case.watch(&watch(SHIPS, "resourceVersion=1")).await;
    case.rest("from a version that is forgotten", stream).await;
    let path = watch(SHIPS, "sendInitialEvents=true");
    case.step("initial events without a match", get(&path)).await;
    case.step("initial events with another match", get(&format!("{path}&resourceVersionMatch=Exact"))).await;
    case.step(
        "a match without initial events",
        get(&watch(SHIPS, "resourceVersion=0&resourceVersionMatch=NotOlderThan")),
    )
    .await;
    case.step("a version that is no number", get(&watch(SHIPS, "resourceVersion=x"))).await;
    case.step("an unknown field", get(&watch(SHIPS, "fieldSelector=spec.speed%3D1"))).await;
    case.step(
        "initial events of a list",
        get(&format!("{SHIPS}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan")),
    )
    .await;
    case.finish();
}

#[tokio::test]
async fn a_deletion_is_told_with_the_last_state() {
    let mut case = Case::start("watch", "deletion").await;
    let mut body = ship("a", &json!({"captain": "Ahab"}));
    body["metadata"]["finalizers"] = json!(["a.io/x"]);
    case.prepare(post(SHIPS, &body)).await;
    let mut stream = case.watch(&watch(SHIPS, "resourceVersion=0")).await;
    case.prepare(delete(&at(SHIPS, "a"))).await;
    let free = json!({"metadata": {"finalizers": null}});
    let _: Value = case.prepare(merge(&at(SHIPS, "a"), &free)).await;
    case.events("with a finalizer", &mut stream, 3).await;
    case.finish();
}
