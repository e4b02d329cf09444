//! Create, replace, dry-run, the status subresource and generations.

use serde_json::{Value, json};

use crate::ground::*;

#[tokio::test]
async fn objects_are_created_once() {
    let mut case = Case::start("writes", "create").await;
    case.step("create", post(CONFIG_MAPS, &config_map("a", "1"))).await;
    case.step("create it again", post(CONFIG_MAPS, &config_map("a", "2"))).await;
    case.step("read", get(&at(CONFIG_MAPS, "a"))).await;
    let generated =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "generated-"}});
    case.step("a generated name", post(CONFIG_MAPS, &generated)).await;
    case.step("a custom object", post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("the custom object again", post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("the other version of it", get(&at(&SHIPS.replace("v1", "v1beta1"), "a"))).await;
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"user": "anna"}, "data": {"key": "dg=="}});
    case.step("a secret of plain text, without type", post(SECRETS, &secret)).await;
    let versioned = json!({"metadata": {"name": "b", "resourceVersion": "5"}});
    case.step("a version at creation", post(CONFIG_MAPS, &versioned)).await;
    let uid = json!({"metadata": {"name": "c", "uid": "11111111-1111-1111-1111-111111111111",
        "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7, "selfLink": "x"}});
    case.step("fields of the server are the server's", post(CONFIG_MAPS, &uid)).await;
    let empty =
        json!({"metadata": {"name": "d", "labels": {}, "annotations": null, "finalizers": []}, "data": {}});
    case.step("what is empty is left out", post(CONFIG_MAPS, &empty)).await;
    case.finish();
}

#[tokio::test]
async fn a_replacement_names_the_version_that_it_replaces() {
    let mut case = Case::start("writes", "replace").await;
    let first = case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    let path = at(CONFIG_MAPS, "a");
    let mut second = first.clone();
    second["data"]["key"] = json!("2");
    case.step("with the version", put(&path, &second)).await;
    case.step("with a stale version", put(&path, &second)).await;
    case.step("without a version", put(&path, &config_map("a", "3"))).await;
    case.step("the same again changes nothing", put(&path, &config_map("a", "3"))).await;
    let mut other = first.clone();
    other["metadata"]["resourceVersion"] = Value::Null;
    other["metadata"]["uid"] = json!("11111111-1111-1111-1111-111111111111");
    case.step("with another uid", put(&path, &other)).await;
    case.step("what is not there", put(&at(CONFIG_MAPS, "none"), &config_map("none", "1"))).await;
    let mut versioned = config_map("none", "1");
    versioned["metadata"]["resourceVersion"] = json!("1");
    case.step("what is not there, with a version", put(&at(CONFIG_MAPS, "none"), &versioned)).await;
    case.step("under another name", put(&path, &config_map("b", "1"))).await;
    let mut elsewhere = config_map("a", "1");
    elsewhere["metadata"]["namespace"] = json!("default");
    case.step("in another namespace", put(&path, &elsewhere)).await;

    let path = at(SHIPS, "a");
    let created = case.prepare(post(SHIPS, &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("a custom object without a version", put(&path, &ship("a", &json!({"captain": "Bligh"}))))
        .await;
    let mut changed = created.clone();
    changed["spec"]["captain"] = json!("Bligh");
    case.step("a custom object", put(&path, &changed)).await;
    case.step("a custom object with a stale version", put(&path, &changed)).await;
    changed["metadata"]["resourceVersion"] = json!("abc");
    case.step("a version that is no number", put(&path, &changed)).await;
    case.finish();
}

#[tokio::test]
async fn the_status_is_a_resource_of_its_own() {
    let mut case = Case::start("writes", "status").await;
    let mut body = ship("a", &json!({"captain": "Ahab"}));
    body["status"] = json!({"phase": "Sunk"});
    let created = case.step("a status at creation", post(SHIPS, &body)).await;
    let path = at(SHIPS, "a");
    let status_path = at(SHIPS, "a/status");
    let mut status = created.clone();
    status["spec"]["captain"] = json!("Bligh");
    status["metadata"]["labels"] = json!({"a": "b"});
    status["status"] = json!({"phase": "Afloat"});
    let written = case.step("replace the status", put(&status_path, &status)).await;
    case.step("a stale status", put(&status_path, &status)).await;
    let mut main = written.clone();
    main["status"] = json!({"phase": "Lost"});
    case.step("a status to the main resource changes nothing", put(&path, &main)).await;
    main["spec"]["speed"] = json!(12);
    case.step("a spec to the main resource raises the generation", put(&path, &main)).await;
    let merged =
        json!({"spec": {"speed": 13}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    case.step("merge into the status", merge(&status_path, &merged)).await;
    case.step("merge into the main resource", merge(&path, &merged)).await;
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    case.step("labels do not raise the generation", merge(&path, &labels)).await;
    case.step("labels through the status", merge(&status_path, &json!({"metadata": {"labels": {"a": "c"}}})))
        .await;
    case.step("read the status", get(&status_path)).await;
    case.step("a status that breaks its schema", merge(&status_path, &json!({"status": {"phase": 5}}))).await;
    case.step("a status of nothing", merge(&at(SHIPS, "none/status"), &merged)).await;
    case.step("a kind without it", merge(&at(BUOYS, "a/status"), &merged)).await;

    case.step(
        "create where status is no resource",
        post(BUOYS, &{
            let mut body = buoy("a", &json!({"depth": 1}));
            body["status"] = json!({"phase": "Lit"});
            body
        }),
    )
    .await;
    let lit = json!({"status": {"phase": "Dark"}});
    case.step("a status that is part of the object raises the generation", merge(&at(BUOYS, "a"), &lit))
        .await;
    case.step("the same again", merge(&at(BUOYS, "a"), &lit)).await;
    case.step(
        "a namespace's status",
        merge("/api/v1/namespaces/{ns}/status", &json!({"metadata": {"labels": {"x": "y"}}})),
    )
    .await;
    case.finish();
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let mut case = Case::start("writes", "dry-run").await;
    let query = |path: &str| format!("{path}?dryRun=All");
    case.step("create", post(&query(CONFIG_MAPS), &config_map("a", "1"))).await;
    case.step("it is not there", get(&at(CONFIG_MAPS, "a"))).await;
    case.prepare(post(CONFIG_MAPS, &config_map("a", "1"))).await;
    let path = at(CONFIG_MAPS, "a");
    case.step("what exists", post(&query(CONFIG_MAPS), &config_map("a", "1"))).await;
    case.step("replace", put(&query(&path), &config_map("a", "2"))).await;
    case.step("merge", merge(&query(&path), &json!({"data": {"key": "3"}}))).await;
    case.step("apply", apply(&format!("{path}?dryRun=All&fieldManager=x&force=true"), &config_map("a", "4")))
        .await;
    case.step("delete", delete(&query(&path))).await;
    case.step("delete with the option in the body", delete_with(&path, &json!({"dryRun": ["All"]}))).await;
    case.step("all of it", delete(&query(CONFIG_MAPS))).await;
    case.step("nothing has changed", get(&path)).await;
    case.step("another value", post(&format!("{CONFIG_MAPS}?dryRun=Some"), &config_map("b", "1"))).await;
    case.step("a custom object", post(&query(SHIPS), &ship("a", &json!({"captain": "Ahab"})))).await;
    case.step("an invalid custom object", post(&query(SHIPS), &ship("a", &json!({})))).await;
    case.finish();
}

/// What Flotilla tells about what it does: Events of both groups are the same objects.
#[tokio::test]
async fn events_are_written_and_read_in_both_groups() {
    let mut case = Case::start("writes", "events").await;
    let core = "/api/v1/namespaces/{ns}/events";
    let new = "/apis/events.k8s.io/v1/namespaces/{ns}/events";
    let about = json!({"apiVersion": "v1", "kind": "ConfigMap", "namespace": case.namespace, "name": "a"});
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"}, "involvedObject": about,
        "reason": "Seen", "message": "It was seen.", "type": "Normal", "count": 2,
        "source": {"component": "lookout"}, "firstTimestamp": "2024-01-01T00:00:00Z",
        "lastTimestamp": "2024-01-02T00:00:00Z"});
    case.step("create in core", post(core, &event)).await;
    case.step("read in the other group", get(&at(new, "a"))).await;
    let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "b"},
        "regarding": about, "reason": "Heard", "note": "It was heard.", "type": "Warning", "action": "Listen",
        "reportingController": "flotilla.dev/lookout", "reportingInstance": "one",
        "eventTime": "2024-01-01T00:00:00.000000Z"});
    case.step("create in the other group", post(new, &event)).await;
    case.step("read in core", get(&at(core, "b"))).await;
    case.step(
        "select in core",
        get(&format!("{core}?fieldSelector=involvedObject.name%3Da,reason%3DSeen"))
            .showing(&["/items/0/metadata/name", "/items/1/metadata/name"]),
    )
    .await;
    case.step("count on", merge(&at(core, "a"), &json!({"count": 3}))).await;
    case.finish();
}

/// Who leads: a Lease is only replaced by one who names its version.
#[tokio::test]
async fn leases_are_replaced_by_version() {
    let mut case = Case::start("writes", "leases").await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";
    let lease = |holder: &str| {
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 0,
                "acquireTime": "2024-01-01T00:00:00.000000Z", "renewTime": "2024-01-01T00:00:00.000000Z"}})
    };
    let created = case.step("create", post(leases, &lease("a"))).await;
    let path = at(leases, "leader");
    case.step("replace without a version", put(&path, &lease("b"))).await;
    let mut renewed = created.clone();
    renewed["spec"]["holderIdentity"] = json!("b");
    case.step("replace", put(&path, &renewed)).await;
    case.step("replace what is stale", put(&path, &renewed)).await;
    case.finish();
}
