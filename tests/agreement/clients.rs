//! kube-rs as Flotilla uses it: what its calls make of the answers, and what its watchers tell.

use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::watcher;
use serde_json::json;

use crate::ground::{CONFIG_MAPS, Case, PATIENCE, config_map, ship};

fn kind(name: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("agreement.flotilla.dev", "v1", name))
}

/// An answer in one line.
fn outcome<T>(answer: Result<T, kube::Error>) -> String {
    match answer {
        Ok(_) => "done".to_owned(),
        Err(kube::Error::Api(status)) => {
            format!("{} {:?}: {}", status.code, status.reason, status.message.trim_end())
        }
        Err(other) => format!("no answer of the API: {other}"),
    }
}

#[tokio::test]
async fn calls_end_alike() {
    let mut case = Case::start("clients", "calls").await;
    let maps: Api<ConfigMap> = Api::namespaced(case.client(), &case.namespace);
    let ships: Api<DynamicObject> = Api::namespaced_with(case.client(), &case.namespace, &kind("Ship"));
    let rafts: Api<DynamicObject> = Api::namespaced_with(case.client(), &case.namespace, &kind("Raft"));
    let map = |value: &str| -> ConfigMap { serde_json::from_value(config_map("a", value)).unwrap() };
    let (post, patch, delete) = (PostParams::default(), PatchParams::default(), DeleteParams::default());
    let mut told = Vec::new();
    let mut tell = |name: &str, outcome: String| told.push(format!("{name}: {outcome}"));

    tell("get nothing", outcome(maps.get("a").await));
    tell("get nothing, perhaps", format!("{:?}", maps.get_opt("a").await.unwrap().is_some()));
    tell("create", outcome(maps.create(&post, &map("1")).await));
    tell("create again", outcome(maps.create(&post, &map("1")).await));
    let stale = maps.get("a").await.unwrap();
    tell(
        "apply",
        outcome(maps.patch("a", &PatchParams::apply("x"), &Patch::Apply(config_map("a", "1"))).await),
    );
    tell("replace what is stale", outcome(maps.replace("a", &post, &stale).await));
    tell("apply against another", {
        outcome(maps.patch("a", &PatchParams::apply("y"), &Patch::Apply(config_map("a", "2"))).await)
    });
    tell("force", {
        let force = PatchParams::apply("y").force();
        outcome(maps.patch("a", &force, &Patch::Apply(config_map("a", "2"))).await)
    });
    tell("merge", outcome(maps.patch("a", &patch, &Patch::Merge(json!({"data": {"b": "1"}}))).await));
    tell(
        "merge strategically",
        outcome(maps.patch("a", &patch, &Patch::Strategic(json!({"data": null}))).await),
    );
    tell("a kind that is not there", outcome(rafts.list(&ListParams::default()).await));
    tell("an object of a kind that is not there", outcome(rafts.get_opt("a").await));
    let invalid: DynamicObject = serde_json::from_value(ship("a", &json!({"captain": "ahab"}))).unwrap();
    tell("an invalid object", outcome(ships.create(&post, &invalid).await));
    let valid: DynamicObject = serde_json::from_value(ship("a", &json!({"captain": "Ahab"}))).unwrap();
    tell("a valid object", outcome(ships.create(&post, &valid).await));
    tell("merge it strategically", outcome(ships.patch("a", &patch, &Patch::Strategic(json!({}))).await));
    let status = Patch::Merge(json!({"status": {"phase": "Afloat"}}));
    tell("merge its status", outcome(ships.patch_status("a", &patch, &status).await));
    let other = Preconditions { uid: Some("other".to_owned()), resource_version: None };
    let other = DeleteParams { preconditions: Some(other), ..DeleteParams::default() };
    tell("delete another", outcome(ships.delete("a", &other).await).replace(&uid(&ships).await, "<uid>"));
    let deleted = ships.delete("a", &delete).await.unwrap();
    tell("delete", if deleted.is_right() { "gone" } else { "waiting" }.to_owned());
    tell("delete what is gone", outcome(ships.delete("a", &delete).await));
    let metadata = maps.list_metadata(&ListParams::default()).await.unwrap();
    tell("metadata of a list", format!("{:?}", metadata.items[0].metadata.name));
    case.told("calls", &told);
    case.finish();
}

async fn uid(ships: &Api<DynamicObject>) -> String {
    ships.get("a").await.unwrap().metadata.uid.unwrap()
}

async fn watched(name: &str, config: watcher::Config) {
    let mut case = Case::start("clients", name).await;
    let maps: Api<ConfigMap> = Api::namespaced(case.client(), &case.namespace);
    let map = |name: &str| -> ConfigMap { serde_json::from_value(config_map(name, "1")).unwrap() };
    let post = PostParams::default();
    for name in ["a", "b", "c"] {
        maps.create(&post, &map(name)).await.unwrap();
    }
    // A streamed list is one of version 0.
    case.catch_up(CONFIG_MAPS).await;
    let mut events = pin!(watcher(maps.clone(), config));
    let mut told = Vec::new();
    for _ in 0..8 {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.expect("an event").unwrap();
        let named = |map: ConfigMap| map.metadata.name.unwrap();
        told.push(match event.unwrap() {
            watcher::Event::Init => "begin".to_owned(),
            watcher::Event::InitApply(map) => format!("there is {}", named(map)),
            watcher::Event::InitDone => {
                maps.create(&post, &map("d")).await.unwrap();
                let patch = Patch::Merge(json!({"data": {"key": "2"}}));
                maps.patch("a", &PatchParams::default(), &patch).await.unwrap();
                maps.delete("b", &DeleteParams::default()).await.unwrap();
                "that is all".to_owned()
            }
            watcher::Event::Apply(map) => format!("now {}", named(map)),
            watcher::Event::Delete(map) => format!("no more {}", named(map)),
        });
    }
    // What is there at the beginning comes in no order.
    let end = told.iter().position(|line| line == "that is all").unwrap();
    told[..end].sort();
    case.told("events", &told);
    case.finish();
}

#[tokio::test]
async fn a_watcher_lists_in_pages_and_follows() {
    watched("watcher-in-pages", watcher::Config::default().page_size(2)).await;
}

#[tokio::test]
async fn a_watcher_streams_its_list_and_follows() {
    watched("watcher-streaming", watcher::Config::default().streaming_lists()).await;
}
