//! What a server says that it offers.

use serde_json::Value;

use crate::ground::*;

const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

#[tokio::test]
async fn kinds_are_told_in_both_forms() {
    let mut case = Case::start("discovery", "kinds").await;
    case.recorder.normalise_with(|value| {
        // They come in no order.
        if let Some(list) = value["resources"].as_array_mut() {
            list.sort_by_key(|resource| resource["name"].to_string());
        }
    });
    case.step("a custom group", get("/apis/agreement.flotilla.dev")).await;
    case.step("a version of it", get("/apis/agreement.flotilla.dev/v1")).await;
    case.step("its other version", get("/apis/agreement.flotilla.dev/v1beta1")).await;
    case.step("no group", get("/apis/none.flotilla.dev")).await;
    case.step("no version", get("/apis/agreement.flotilla.dev/v9")).await;
    case.step("the versions of core", get("/api").showing(&["/kind", "/versions"])).await;
    case.recorder.normalise_with(|value| {
        for list in ["items", "groups"] {
            if let Some(list) = value[list].as_array_mut() {
                list.retain(|group| {
                    group["metadata"]["name"] == "agreement.flotilla.dev"
                        || group["name"] == "agreement.flotilla.dev"
                });
            }
        }
    });
    case.step("its group among all", get("/apis")).await;
    case.step("its group among all, aggregated", get("/apis").accept(AGGREGATED)).await;
    case.recorder.normalise_with(|value| {
        const KINDS: &[&str] = &["ConfigMap", "Secret", "Namespace", "Event", "Pod"];
        let keep = |list: &mut Value, path: &str| {
            if let Some(list) = list.as_array_mut() {
                list.retain(|entry| {
                    KINDS.iter().any(|kind| entry.pointer(path).is_some_and(|found| found == kind))
                        && !entry["name"].as_str().is_some_and(|name| name.contains('/'))
                });
                for entry in list {
                    if let Some(entry) = entry.as_object_mut() {
                        // The stand-in has no exec, no log, no binding.
                        entry.remove("subresources");
                        entry.remove("storageVersionHash");
                    }
                }
            }
        };
        keep(&mut value["resources"], "/kind");
        if value["items"].is_array() {
            keep(&mut value["items"][0]["versions"][0]["resources"], "/responseKind/kind");
        } else if let Some(map) = value.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
    });
    case.step("some of core", get("/api/v1")).await;
    case.step("some of core, aggregated", get("/api").accept(AGGREGATED)).await;
    case.finish();
}

#[tokio::test]
async fn a_server_says_how_it_is() {
    let mut case = Case::start("discovery", "server").await;
    case.step("version", get("/version").showing(&["/major", "/minor"])).await;
    for path in ["/healthz", "/readyz", "/livez"] {
        case.step(path, get(path)).await;
    }
    case.finish();
}
