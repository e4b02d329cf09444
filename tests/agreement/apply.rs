//! Server-side apply: who owns what, who may change it, what goes when nobody wants it any more.

use serde_json::{Value, json};

use crate::ground::*;

fn by(path: &str, manager: &str) -> String {
    format!("{path}?fieldManager={manager}")
}

fn data(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

#[tokio::test]
async fn owners_meet() {
    let mut case = Case::start("apply", "owners").await;
    case.recorder.managed_fields = true;
    let path = at(CONFIG_MAPS, "a");
    case.step("the first creates", apply(&by(&path, "x"), &data(&json!({"a": "1", "b": "2"})))).await;
    case.step("the same again changes nothing", apply(&by(&path, "x"), &data(&json!({"a": "1", "b": "2"}))))
        .await;
    case.step("a conflict", apply(&by(&path, "y"), &data(&json!({"a": "9"})))).await;
    case.step("two conflicts", apply(&by(&path, "y"), &data(&json!({"a": "9", "b": "9"})))).await;
    case.step("an equal value is shared", apply(&by(&path, "y"), &data(&json!({"a": "1", "c": "3"})))).await;
    case.step("a shared value has two owners", apply(&by(&path, "z"), &data(&json!({"a": "9"})))).await;
    case.step("force", apply(&format!("{}&force=true", by(&path, "z")), &data(&json!({"a": "9"})))).await;
    case.step("what is no longer wanted goes", apply(&by(&path, "y"), &data(&json!({})))).await;
    case.step("what another wants stays", apply(&by(&path, "x"), &data(&json!({"a": "9"})))).await;
    case.step("and goes with the last", apply(&by(&path, "x"), &data(&json!({})))).await;
    case.step(
        "an update takes ownership",
        merge(&format!("{path}?fieldManager=u"), &json!({"data": {"a": "7", "d": "4"}})),
    )
    .await;
    case.step("an updater is in conflict too", apply(&by(&path, "z"), &data(&json!({"a": "9"})))).await;
    case.step("many managers at once", apply(&by(&path, "w"), &data(&json!({"a": "0", "d": "0"})))).await;
    case.step("the manager is to be named", apply(&path, &data(&json!({})))).await;
    case.step("a manager too long", apply(&by(&path, &"m".repeat(129)), &data(&json!({})))).await;
    case.step("force with another patch", merge(&format!("{path}?force=true"), &json!({}))).await;
    let mut managed = data(&json!({"a": "1"}));
    managed["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    case.step("with managed fields", apply(&by(&path, "x"), &managed)).await;
    let mut stale = data(&json!({"a": "1"}));
    stale["metadata"]["resourceVersion"] = json!("1");
    case.step("with a stale version", apply(&format!("{}&force=true", by(&path, "x")), &stale)).await;
    let mut other = data(&json!({"a": "1"}));
    other["metadata"]["name"] = json!("b");
    case.step("under another name", apply(&by(&path, "x"), &other)).await;
    case.step(
        "another kind",
        apply(&by(&path, "x"), &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})),
    )
    .await;
    case.step("no kind", apply(&by(&path, "x"), &json!({"metadata": {"name": "a"}}))).await;
    case.step(
        "as YAML",
        apply(&by(&at(CONFIG_MAPS, "yaml"), "x"), &json!({}))
            .body("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  k: v\n"),
    )
    .await;
    case.step("broken YAML", apply(&by(&path, "x"), &json!({})).body("a: [")).await;
    case.finish();
}

#[tokio::test]
async fn lists_and_maps_of_a_custom_kind_merge_by_its_schema() {
    let mut case = Case::start("apply", "lists").await;
    case.recorder.managed_fields = true;
    let path = at(SHIPS, "a");
    let wants = |spec: Value| ship("a", &spec);
    case.step(
        "create",
        apply(
            &by(&path, "x"),
            &wants(json!({"captain": "Ahab", "tags": ["t", "u"],
        "cargo": [{"name": "tea", "weight": 2}], "notes": ["n"], "crew": {"cook": "Ann"},
        "home": {"port": "Hull"}, "free": {"any": {"thing": [1]}}})),
        ),
    )
    .await;
    case.step(
        "another adds",
        apply(
            &by(&path, "y"),
            &wants(json!({"tags": ["v"],
        "cargo": [{"name": "rum"}, {"name": "tea", "owner": "Bob"}], "crew": {"mate": "Eve"}})),
        ),
    )
    .await;
    case.step("a list without keys is one value", apply(&by(&path, "y"), &wants(json!({"notes": ["m"]}))))
        .await;
    case.step(
        "an atomic map is one value",
        apply(&by(&path, "y"), &wants(json!({"home": {"country": "UK"}}))),
    )
    .await;
    case.step(
        "an entry is in conflict",
        apply(&by(&path, "y"), &wants(json!({"cargo": [{"name": "tea", "weight": 3}]}))),
    )
    .await;
    case.step(
        "entries go with their owner",
        apply(&by(&path, "x"), &wants(json!({"captain": "Ahab", "tags": ["u"]}))),
    )
    .await;
    case.step(
        "a duplicate entry",
        apply(&by(&path, "y"), &wants(json!({"cargo": [{"name": "a"}, {"name": "a"}]}))),
    )
    .await;
    case.step("a duplicate in a set", apply(&by(&path, "y"), &wants(json!({"tags": ["a", "a"]})))).await;
    case.step("an entry without its key", apply(&by(&path, "y"), &wants(json!({"cargo": [{"weight": 1}]}))))
        .await;
    case.step("an unknown field", apply(&by(&path, "y"), &wants(json!({"odd": 1})))).await;
    case.step("a wrong type", apply(&by(&path, "y"), &wants(json!({"speed": "fast"})))).await;
    case.step("an invalid value", apply(&by(&path, "y"), &wants(json!({"speed": 99})))).await;
    case.step(
        "something required is missing",
        apply(&by(&at(SHIPS, "b"), "x"), &ship("b", &json!({"speed": 1}))),
    )
    .await;
    case.finish();
}

#[tokio::test]
async fn the_status_has_owners_of_its_own() {
    let mut case = Case::start("apply", "status").await;
    case.recorder.managed_fields = true;
    let path = at(SHIPS, "a");
    let status_path = at(SHIPS, "a/status");
    let mut body = ship("a", &json!({"captain": "Ahab"}));
    body["status"] = json!({"phase": "Afloat"});
    case.step("a status to the main resource is left out", apply(&by(&path, "x"), &body)).await;
    case.step("the status", apply(&by(&status_path, "x"), &body)).await;
    body["status"]["phase"] = json!("Sunk");
    case.step("a conflict about the status", apply(&by(&status_path, "y"), &body)).await;
    let condition = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    case.step("an update of the status", merge(&by(&status_path, "u"), &condition)).await;
    body["status"] = json!({"conditions": [{"type": "Ready", "status": "False"}]});
    case.step("a conflict with an updater of the status", apply(&by(&status_path, "y"), &body)).await;
    case.step(
        "the status of nothing",
        apply(&by(&at(SHIPS, "none/status"), "y"), &{
            let mut body = body.clone();
            body["metadata"]["name"] = json!("none");
            body
        }),
    )
    .await;
    case.finish();
}

#[tokio::test]
async fn updates_are_recorded_too() {
    let mut case = Case::start("apply", "updates").await;
    case.recorder.managed_fields = true;
    let mut body = config_map("a", "1");
    body["metadata"]["labels"] = json!({"l": "1"});
    body["metadata"]["annotations"] = json!({"a": "1"});
    body["metadata"]["finalizers"] = json!(["a.io/x"]);
    let created = case.step("create", post(&by(CONFIG_MAPS, "c"), &body)).await;
    let path = at(CONFIG_MAPS, "a");
    case.step("the manager is the client by default", merge(&path, &json!({"data": {"other": "1"}}))).await;
    case.step(
        "another value",
        merge(&by(&path, "m"), &json!({"data": {"key": "2"}, "metadata": {"labels": {"k": "1"}}})),
    )
    .await;
    case.step("a value goes", merge(&by(&path, "m"), &json!({"data": {"other": null}}))).await;
    case.step("all go", merge(&by(&path, "m"), &json!({"data": null, "metadata": {"labels": null}}))).await;
    let mut replaced = created.clone();
    replaced["metadata"]["resourceVersion"] = Value::Null;
    replaced["metadata"]["managedFields"] = Value::Null;
    case.step("replace without the record", put(&by(&path, "r"), &replaced)).await;
    case.step("the record is emptied", merge(&by(&path, "r"), &json!({"metadata": {"managedFields": [{}]}})))
        .await;
    case.step(
        "an apply after that",
        apply(&format!("{}&force=true", by(&path, "s")), &data(&json!({"key": "5"}))),
    )
    .await;
    case.step("a custom object", post(&by(SHIPS, "c"), &ship("a", &json!({"captain": "Ahab", "tags": ["t"],
        "cargo": [{"name": "tea"}], "crew": {"cook": "Ann"}, "hull": {"length": 1}, "notes": ["n"], "home": {"port": "Hull"}, "free": {"x": {}}})))).await;
    case.step(
        "change it",
        merge(
            &by(&at(SHIPS, "a"), "m"),
            &json!({"spec": {"speed": 3, "crew": {"mate": "Eve"},
        "tags": ["t", "u"]}}),
        ),
    )
    .await;
    case.step(
        "a secret",
        post(&by(SECRETS, "c"), &json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}})),
    )
    .await;
    case.step(
        "a namespace",
        post(
            &by("/api/v1/namespaces", "c"),
            &json!({"metadata": {"name": "apply-updates-2",
        "labels": {"a": "b"}}}),
        ),
    )
    .await;
    case.finish();
}
