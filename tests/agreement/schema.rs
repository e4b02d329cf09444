//! Custom kinds: what their schema drops, sets and refuses, and how strictly fields are checked.

use serde_json::{Value, json};

use crate::ground::*;

fn captained(mut spec: Value) -> Value {
    spec["captain"] = json!("Ahab");
    ship("a", &spec)
}

#[tokio::test]
async fn a_schema_prunes_and_sets_defaults() {
    let mut case = Case::start("schema", "defaults").await;
    case.step("defaults", post(SHIPS, &captained(json!({"hull": {}, "cargo": [{"name": "tea"}]})))).await;
    let unknown = json!({"odd": 1, "hull": {"odd": 2, "length": 1}, "cargo": [{"name": "tea", "odd": 3}],
        "crew": {"any": "name"}, "free": {"any": {"thing": [1, {"a": null}]}}, "maybe": null, "speed": null});
    let mut body = captained(unknown);
    body["metadata"]["name"] = json!("b");
    body["odd"] = json!(4);
    case.step("unknown fields", post(SHIPS, &body)).await;
    let mut open = buoy("a", &json!({"anything": {"at": ["all"]}, "nothing": null}));
    open["odd"] = json!(1);
    case.step("an open schema", post(BUOYS, &open)).await;
    case.step(
        "an object without a spec",
        post(
            BUOYS,
            &json!({"apiVersion": "agreement.flotilla.dev/v1", "kind": "Buoy",
        "metadata": {"name": "b"}}),
        ),
    )
    .await;
    case.finish();
}

#[tokio::test]
async fn faults_are_told_with_place_and_rule() {
    let mut case = Case::start("schema", "faults").await;
    for (name, spec) in [
        ("required", json!({})),
        ("null where something is required", json!({"captain": null})),
        ("a wrong type", json!({"captain": 5})),
        ("a text for a number", json!({"captain": "Ahab", "speed": "fast"})),
        ("a fraction for an integer", json!({"captain": "Ahab", "speed": 1.5})),
        ("a number for a flag", json!({"captain": "Ahab", "flag": 1})),
        ("a list for a mapping", json!({"captain": "Ahab", "hull": []})),
        ("a mapping for a list", json!({"captain": "Ahab", "notes": {}})),
        ("too short and against the pattern", json!({"captain": "a"})),
        ("too long", json!({"captain": "Abcdefghijklmn"})),
        ("against the pattern", json!({"captain": "ahab"})),
        ("too small", json!({"captain": "Ahab", "speed": 0})),
        ("too big", json!({"captain": "Ahab", "speed": 31})),
        ("at an excluded bound", json!({"captain": "Ahab", "draft": 0})),
        ("not one of those allowed", json!({"captain": "Ahab", "rig": "Raft"})),
        ("neither number nor text", json!({"captain": "Ahab", "berth": true})),
        ("no time", json!({"captain": "Ahab", "launched": "yesterday"})),
        ("too many entries", json!({"captain": "Ahab", "tags": ["a", "b", "c", "d"]})),
        ("too few entries", json!({"captain": "Ahab", "notes": []})),
        ("too many properties", json!({"captain": "Ahab", "crew": {"a": "1", "b": "2", "c": "3"}})),
        ("an entry of a wrong type", json!({"captain": "Ahab", "tags": ["a", 1]})),
        ("a value of a wrong type", json!({"captain": "Ahab", "crew": {"a": 1}})),
        ("required in an entry", json!({"captain": "Ahab", "cargo": [{"weight": 1}]})),
        ("a duplicate key", json!({"captain": "Ahab", "cargo": [{"name": "a"}, {"name": "a"}]})),
        ("a duplicate in a set", json!({"captain": "Ahab", "tags": ["a", "a"]})),
        ("a spec that is a text", json!("x")),
    ] {
        case.step(name, post(SHIPS, &ship("a", &spec))).await;
    }
    case.step(
        "no spec",
        post(
            SHIPS,
            &json!({"apiVersion": "agreement.flotilla.dev/v1", "kind": "Ship",
        "metadata": {"name": "a"}}),
        ),
    )
    .await;
    case.step(
        "metadata of a wrong type",
        post(
            SHIPS,
            &json!({"apiVersion": "agreement.flotilla.dev/v1", "kind": "Ship",
        "metadata": {"name": 5}}),
        ),
    )
    .await;
    case.step(
        "labels of a wrong type",
        post(
            SHIPS,
            &json!({"apiVersion": "agreement.flotilla.dev/v1", "kind": "Ship",
        "metadata": {"name": "a", "labels": {"a": 1}}, "spec": {"captain": "Ahab"}}),
        ),
    )
    .await;
    case.finish();
}

#[tokio::test]
async fn fields_are_checked_as_strictly_as_the_request_says() {
    let mut case = Case::start("schema", "strictness").await;
    let mut body = captained(json!({"odd": 1, "hull": {"odder": 2}, "cargo": [{"name": "tea", "odd": 1}]}));
    body["metadata"]["oddest"] = json!(3);
    for level in ["Strict", "Warn", "Ignore", "Other"] {
        let path = format!("{SHIPS}?dryRun=All&fieldValidation={level}");
        case.step(&format!("create a custom object: {level}"), post(&path, &body)).await;
    }
    case.step("create without a level", post(&format!("{SHIPS}?dryRun=All"), &body)).await;
    case.prepare(post(SHIPS, &captained(json!({})))).await;
    let odd = json!({"spec": {"odd": 1}});
    for level in ["Strict", "Warn", "Ignore"] {
        let path = format!("{SHIPS}/a?dryRun=All&fieldValidation={level}");
        case.step(&format!("merge into a custom object: {level}"), merge(&path, &odd)).await;
        let path = format!("{path}&fieldManager=x");
        case.step(&format!("apply a custom object: {level}"), apply(&path, &captained(json!({"odd": 1}))))
            .await;
    }
    let current = case.prepare(get(&at(SHIPS, "a"))).await;
    let mut replaced = current.clone();
    replaced["spec"]["odd"] = json!(1);
    for level in ["Strict", "Warn"] {
        let path = format!("{SHIPS}/a?dryRun=All&fieldValidation={level}");
        case.step(&format!("replace a custom object: {level}"), put(&path, &replaced)).await;
    }
    let operation = json!([{"op": "add", "path": "/spec/odd", "value": 1}]);
    case.step("a JSON patch: Strict", json_patch(&format!("{SHIPS}/a?fieldValidation=Strict"), &operation))
        .await;
    let duplicate = r#"{"apiVersion":"agreement.flotilla.dev/v1","kind":"Ship","metadata":{"name":"a"},"spec":{"captain":"Ahab","speed":1,"speed":2}}"#;
    for level in ["Strict", "Warn"] {
        let path = format!("{SHIPS}?dryRun=All&fieldValidation={level}");
        let ask = post(&path, &json!({})).body(&duplicate.replace(r#""name":"a""#, r#""name":"b""#));
        case.step(&format!("a field twice: {level}"), ask).await;
    }

    let mut map = config_map("c", "1");
    map["odd"] = json!(1);
    for level in ["Strict", "Warn", "Ignore"] {
        let path = format!("{CONFIG_MAPS}?dryRun=All&fieldValidation={level}");
        case.step(&format!("create a ConfigMap: {level}"), post(&path, &map)).await;
    }
    case.prepare(post(CONFIG_MAPS, &config_map("c", "1"))).await;
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], "odd": 1}});
    case.step(
        "a field deep in a Pod: Strict",
        post(&format!("{PODS}?dryRun=All&fieldValidation=Strict"), &pod).showing(&["/metadata/name"]),
    )
    .await;
    for level in ["Strict", "Warn"] {
        let path = format!("{CONFIG_MAPS}/c?dryRun=All&fieldValidation={level}");
        case.step(&format!("merge into a ConfigMap: {level}"), merge(&path, &json!({"odd": 1}))).await;
        case.step(&format!("patch a ConfigMap strategically: {level}"), strategic(&path, &json!({"odd": 1})))
            .await;
        let path = format!("{path}&fieldManager=x&force=true");
        case.step(&format!("apply a ConfigMap: {level}"), apply(&path, &map)).await;
    }
    case.finish();
}

#[tokio::test]
async fn definitions_are_kinds_at_once() {
    let mut case = Case::start("schema", "definitions").await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let body = |group: &str, versions: Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition", "metadata": {"name": "rafts.other.flotilla.dev"},
        "spec": {"group": group, "scope": "Namespaced", "versions": versions, "names": {"kind": "Raft", "plural": "rafts"}}})
    };
    let open = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let version = json!([{"name": "v1", "served": true, "storage": true, "schema": open}]);
    case.step("a name that does not fit", post(definitions, &body("else.flotilla.dev", version.clone())))
        .await;
    case.step("no version", post(definitions, &body("other.flotilla.dev", json!([])))).await;
    case.step(
        "no schema",
        post(
            definitions,
            &body(
                "other.flotilla.dev",
                json!([{"name": "v1", "served": true,
        "storage": true}]),
            ),
        ),
    )
    .await;
    case.step(
        "no stored version",
        post(
            definitions,
            &body(
                "other.flotilla.dev",
                json!([{"name": "v1", "served": true,
        "storage": false, "schema": open}]),
            ),
        ),
    )
    .await;
    case.step(
        "a schema that is not structural",
        post(
            definitions,
            &body(
                "other.flotilla.dev",
                json!([{"name": "v1",
        "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
            "properties": {"a": {"description": "no type"}}}}}]),
            ),
        ),
    )
    .await;
    let path = format!("{definitions}/ships.agreement.flotilla.dev");
    case.step(
        "a definition that stands",
        get(&path).showing(&[
            "/spec/group",
            "/spec/names",
            "/spec/scope",
            "/spec/conversion",
            "/status/acceptedNames",
            "/status/storedVersions",
            "/metadata/finalizers",
            "/metadata/generation",
            "/status/conditions",
        ]),
    )
    .await;
    case.finish();
}
