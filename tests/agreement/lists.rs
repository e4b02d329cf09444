//! Lists: selectors, pages, versions, tables, metadata alone.

use serde_json::{Value, json};

use crate::ground::*;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
const METADATA_ONE: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";

#[tokio::test]
async fn selectors_keep_what_fits() {
    let mut case = Case::start("lists", "selectors").await;
    for (name, labels) in
        [("a", json!({"on": "yes", "tier": "web"})), ("b", json!({"on": "no"})), ("c", json!({}))]
    {
        case.prepare(post(CONFIG_MAPS, &labelled(name, &labels))).await;
    }
    case.step("all", get(CONFIG_MAPS)).await;
    for (name, query) in [
        ("an equal label", "labelSelector=on%3Dyes"),
        ("two equals signs", "labelSelector=on%3D%3Dyes"),
        ("an unequal label", "labelSelector=on!%3Dyes"),
        ("a label in a set", "labelSelector=on%20in%20(yes,no),tier"),
        ("a label not in a set", "labelSelector=on%20notin%20(yes)"),
        ("a label that is there", "labelSelector=on"),
        ("a label that is not there", "labelSelector=!on"),
        ("nothing fits", "labelSelector=on%3Dmaybe"),
        ("a name", "fieldSelector=metadata.name%3Db"),
        ("not a name", "fieldSelector=metadata.name!%3Db"),
        ("a namespace", "fieldSelector=metadata.namespace%3D{ns}"),
        ("an unknown field", "fieldSelector=data.key%3D1"),
        ("a broken label selector", "labelSelector=on%20in"),
        ("an invalid label key", "labelSelector=a%2Fb%2Fc%3Dd"),
        ("an invalid label value", "labelSelector=a%3Db%20c"),
        ("a broken field selector", "fieldSelector=metadata.name"),
    ] {
        let ask = get(&format!("{CONFIG_MAPS}?{query}")).showing(&[
            "/items/0/metadata/name",
            "/items/1/metadata/name",
            "/items/2/metadata/name",
        ]);
        case.step(name, ask).await;
    }
    case.step("an unknown field of a custom kind", get(&format!("{SHIPS}?fieldSelector=spec.speed%3D1")))
        .await;
    case.step("an unknown field of pods", get(&format!("{PODS}?fieldSelector=spec.x%3D1"))).await;
    case.step("pods by phase", get(&format!("{PODS}?fieldSelector=status.phase%3DRunning"))).await;
    case.step("secrets by type", get(&format!("{SECRETS}?fieldSelector=type%3DOpaque"))).await;
    case.step(
        "events by what they are about",
        get("/api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Da,reason%3DB"),
    )
    .await;
    case.step("no such namespace", get("/api/v1/namespaces/lists-none/configmaps")).await;
    case.step("an empty list of a custom kind", get(SHIPS)).await;
    case.finish();
}

#[tokio::test]
async fn pages_follow_each_other() {
    let mut case = Case::start("lists", "pages").await;
    for name in ["a", "b", "c"] {
        case.prepare(post(CONFIG_MAPS, &labelled(name, &json!({"on": "yes"})))).await;
    }
    let first = case.step("the first page", get(&format!("{CONFIG_MAPS}?limit=2"))).await;
    case.prepare(post(CONFIG_MAPS, &labelled("d", &json!({})))).await;
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    case.recorder_hides(&token);
    case.step("the second page", get(&format!("{CONFIG_MAPS}?limit=2&continue={token}"))).await;
    case.step("with a selector nobody counts", get(&format!("{CONFIG_MAPS}?limit=1&labelSelector=on%3Dyes")))
        .await;
    case.step("a page as long as the list", get(&format!("{CONFIG_MAPS}?limit=4"))).await;
    case.step("a token that is none", get(&format!("{CONFIG_MAPS}?limit=1&continue=nonsense"))).await;
    case.step(
        "a token with a version",
        get(&format!("{CONFIG_MAPS}?limit=1&resourceVersion=1&continue={token}")),
    )
    .await;
    case.step("a limit that is no number", get(&format!("{CONFIG_MAPS}?limit=x"))).await;
    let path = CONFIG_MAPS;
    for (name, query) in [
        ("version 0", "resourceVersion=0"),
        ("version 0, not older", "resourceVersion=0&resourceVersionMatch=NotOlderThan"),
        ("not older than 1", "resourceVersion=1&resourceVersionMatch=NotOlderThan"),
        ("exactly 0", "resourceVersion=0&resourceVersionMatch=Exact"),
        ("a match without a version", "resourceVersionMatch=Exact"),
        ("an unknown match", "resourceVersion=1&resourceVersionMatch=Other"),
        ("a version that is no number", "resourceVersion=x"),
        ("a version of the future", "resourceVersion=999999999"),
    ] {
        let shown: &[&str] = &["/items/0/metadata/name", "/items/3/metadata/name", "/items/4/metadata/name"];
        case.step(name, get(&format!("{path}?{query}")).showing(shown)).await;
    }
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    case.recorder_hides(version);
    let query = format!("resourceVersion={version}&resourceVersionMatch=Exact");
    case.step("exactly the version of the first page", get(&format!("{path}?{query}"))).await;
    case.finish();
}

#[tokio::test]
async fn tables_and_metadata_are_other_forms() {
    let mut case = Case::start("lists", "forms").await;
    let mut map = config_map("a", "1");
    map["binaryData"] = json!({"b": "dg=="});
    case.prepare(post(CONFIG_MAPS, &map)).await;
    case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab", "rig": "Ketch"})))).await;
    case.prepare(post(BUOYS, &buoy("a", &json!({})))).await;
    case.step("a table", get(CONFIG_MAPS).accept(TABLE)).await;
    case.step("a table of one", get(&at(CONFIG_MAPS, "a")).accept(TABLE)).await;
    case.step("a table of a custom kind", get(SHIPS).accept(TABLE)).await;
    case.step("a table of a kind without columns", get(BUOYS).accept(TABLE)).await;
    case.step("a table without objects", get(&format!("{SHIPS}?includeObject=None")).accept(TABLE)).await;
    case.step("a table with whole objects", get(&format!("{SHIPS}?includeObject=Object")).accept(TABLE))
        .await;
    case.step("an empty table", get(SECRETS).accept(TABLE)).await;
    case.step("a table of what is not there", get(&at(CONFIG_MAPS, "none")).accept(TABLE)).await;
    case.step("a namespace's table", get("/api/v1/namespaces/{ns}").accept(TABLE)).await;
    case.step("metadata of a list", get(CONFIG_MAPS).accept(METADATA)).await;
    case.step("metadata of one", get(&at(SHIPS, "a")).accept(METADATA_ONE)).await;
    case.step(
        "metadata of a write",
        merge(&at(SHIPS, "a"), &json!({"spec": {"speed": 3}})).accept(METADATA_ONE),
    )
    .await;
    case.step("whole, of a list", get(SHIPS)).await;
    case.step(
        "only a form that does not exist",
        get(CONFIG_MAPS).accept("application/json;as=Poem;v=v1;g=meta.k8s.io"),
    )
    .await;
    case.step("only text", get(CONFIG_MAPS).accept("text/plain")).await;
    case.step("anything", get(&at(CONFIG_MAPS, "a")).accept("*/*")).await;
    case.step("YAML", get(&at(CONFIG_MAPS, "a")).accept("application/yaml").showing(&["/none"])).await;
    let _: Value = case.prepare(get(SHIPS)).await;
    case.finish();
}
