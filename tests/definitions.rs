//! The CustomResourceDefinitions in `kustomize/crds`: those of the types, structural, and as wide as upstream's.
//!
//! The law: ours accept every object that the originals accept, and drop nothing of it. It is asked three times: of the schemas,
//! word by word; of objects made from the originals' schemas; of every object in the shared data.

#![expect(clippy::disallowed_methods, reason = "the test reads and writes files")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use flotilla::api::definitions::definitions;
use flotilla::sim::clock::ClockMode;
use flotilla::sim::stage::{Stage, StageOptions};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use regex::Regex;
use serde_json::{Map, Value, json};

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";
const LIST_TYPE: &str = "x-kubernetes-list-type";
const LIST_KEYS: &str = "x-kubernetes-list-map-keys";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn name(definition: &Value) -> &str {
    definition["metadata"]["name"].as_str().unwrap()
}

/// The one version of a definition.
fn version(definition: &Value) -> &Value {
    let versions = definition["spec"]["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1, "{}", name(definition));
    &versions[0]
}

fn schema(definition: &Value) -> &Value {
    &version(definition)["schema"]["openAPIV3Schema"]
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Ours beside upstream's, by name; `None` without the shared data.
fn originals() -> Option<Vec<(Value, Value)>> {
    let directory = root().join("../shared/data/crds");
    if !directory.is_dir() {
        println!("skipped: ../shared/data/crds is not there");
        return None;
    }
    let mut originals = BTreeMap::new();
    for file in files(&directory.join("cluster")).into_iter().chain(files(&directory.join("policy"))) {
        for original in flotilla::yaml::read_documents(&std::fs::read_to_string(file).unwrap()).unwrap() {
            originals.insert(name(&original).to_owned(), original);
        }
    }
    Some(definitions().into_iter().map(|ours| (originals.remove(name(&ours)).unwrap(), ours)).collect())
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

// === what is committed ===

/// With `FLOTILLA_GENERATE` set, as `make generate` does, it writes the files instead.
#[test]
fn the_committed_definitions_are_those_of_the_types() {
    let directory = root().join("kustomize/crds");
    let mut expected = BTreeMap::new();
    for definition in definitions() {
        let text = flotilla::yaml::write(&definition).unwrap();
        let text = format!("# Written by `make generate` from the types in src/api/ocm.\n{text}");
        expected.insert(format!("{}.yaml", name(&definition)), text);
    }
    let resources: Vec<String> = expected.keys().map(|file| format!("  - {file}")).collect();
    let text = format!(
        "# The kinds of Open Cluster Management that Flotilla works with, for a hub that has none of them:\n#\n\
         #   kubectl apply -k kustomize/crds\n#\n\
         # Where Open Cluster Management runs, it brings its own, and these are not to be applied.\n#\n\
         # Written by `make generate` from src/api/definitions.\n\
         apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{}\n",
        resources.join("\n")
    );
    expected.insert("kustomization.yaml".to_owned(), text);
    if std::env::var_os("FLOTILLA_GENERATE").is_some() {
        std::fs::create_dir_all(&directory).unwrap();
        for (file, text) in &expected {
            std::fs::write(directory.join(file), text).unwrap();
        }
    }
    let mut faults = Vec::new();
    for (file, text) in &expected {
        if std::fs::read_to_string(directory.join(file)).ok().as_ref() != Some(text) {
            faults.push(format!("kustomize/crds/{file} is not what src/api says: run `make generate`"));
        }
    }
    for path in files(&directory) {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if !expected.contains_key(&file) {
            faults.push(format!("kustomize/crds/{file} belongs to no kind: delete it"));
        }
    }
    none(&faults);
}

// === structural schemas ===

#[test]
fn every_word_of_a_definition_is_kubernetes_own() {
    for definition in definitions() {
        let typed: CustomResourceDefinition = serde_json::from_value(definition.clone()).unwrap();
        let (mut said, mut understood) = (BTreeSet::new(), BTreeSet::new());
        paths(&definition, "", &mut said);
        paths(&serde_json::to_value(typed).unwrap(), "", &mut understood);
        assert_eq!(said, understood, "{}", name(&definition));
    }
}

/// What makes a schema not structural, and what the API server refuses besides.
fn structural_faults(schema: &Value, path: &str, faults: &mut Vec<String>) {
    let mut fault = |what: &str| faults.push(format!("{path}: {what}"));
    let typed = schema["type"].is_string();
    if !typed && schema[PRESERVE] != true && schema[INT_OR_STRING] != true {
        fault("has no type");
    }
    for word in ["$ref", "oneOf", "anyOf", "allOf", "not", "default", "uniqueItems", "title", "const"] {
        if schema.get(word).is_some() {
            fault(&format!("says `{word}`"));
        }
    }
    if schema.get("additionalProperties").is_some_and(|below| !below.is_object()) {
        fault("additionalProperties is no schema");
    }
    if schema.get("additionalProperties").is_some() && schema.get("properties").is_some() {
        fault("has both properties and additionalProperties");
    }
    if schema["type"] == "array" && !schema["items"].is_object() {
        fault("is a list without items");
    }
    if schema["enum"].as_array().is_some_and(|values| values.iter().any(Value::is_null)) {
        fault("lists null");
    }
    if schema[LIST_TYPE] == "map" {
        for key in texts(&schema[LIST_KEYS]) {
            if !texts(&schema["items"]["required"]).contains(key) {
                fault(&format!("its entries need not have the key {key}"));
            }
        }
    }
    for field in texts(&schema["required"]) {
        if schema["properties"].get(field).is_none() {
            fault(&format!("requires {field}, which it does not know"));
        }
    }
    if path.is_empty() && schema["properties"]["metadata"] != json!({"type": "object"}) {
        fault("says more of metadata than that it is an object");
    }
    for (below, path) in below(schema, path) {
        structural_faults(below, &path, faults);
    }
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The schemas in a schema.
fn below<'s>(schema: &'s Value, path: &str) -> Vec<(&'s Value, String)> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields = fields.map(|(field, below)| (below, format!("{path}.{field}")));
    let others = [("additionalProperties", ".*"), ("items", "[]")];
    let others = others.iter().filter_map(|(word, step)| Some((schema.get(word)?, format!("{path}{step}"))));
    fields.chain(others).filter(|(below, _)| below.is_object()).collect()
}

#[test]
fn the_schemas_are_structural() {
    let mut faults = Vec::new();
    for definition in definitions() {
        let mut found = Vec::new();
        structural_faults(schema(&definition), "", &mut found);
        faults.extend(found.iter().map(|fault| format!("{}: {fault}", name(&definition))));
    }
    none(&faults);
}

#[test]
fn a_schema_that_is_not_structural_is_noticed() {
    let schema = json!({"properties": {"metadata": {"type": "object", "description": "x"},
        "a": {"oneOf": [], "type": "string", "enum": ["x", null]},
        "b": {"type": "array"}, "c": {"type": "object", "additionalProperties": true, "properties": {}},
        "d": {"type": "array", "items": {"type": "object"}, LIST_TYPE: "map", LIST_KEYS: ["type"]}},
        "required": ["e"]});
    let mut faults = Vec::new();
    structural_faults(&schema, "", &mut faults);
    assert_eq!(faults.len(), 9, "{faults:#?}");
}

// === the law, asked of the schemas ===

/// Where ours is narrower than the original, or drops what the original keeps.
fn narrower(original: &Value, ours: &Value, path: &str, faults: &mut Vec<String>) {
    let open = ours.get("type").is_none() && ours[PRESERVE] == true;
    let mut fault = |what: String| faults.push(format!("{path}: {what}"));
    if original[INT_OR_STRING] == true {
        if !open && ours[INT_OR_STRING] != true {
            fault("an integer or text is refused".to_owned());
        }
        return;
    }
    if !open && ours["type"] != original["type"] {
        fault(format!("type {} instead of {}", ours["type"], original["type"]));
    }
    if original["nullable"] == true && ours["nullable"] != true {
        fault("null is dropped".to_owned());
    }
    if let Some(allowed) = ours["enum"].as_array() {
        match original["enum"].as_array() {
            Some(values) => {
                for value in values.iter().filter(|value| !allowed.contains(value)) {
                    fault(format!("{value} is refused"));
                }
            }
            None => fault("only the values of an enum are taken".to_owned()),
        }
    }
    for word in ["format", "pattern", "oneOf", "anyOf", "allOf", "not", "default", "x-kubernetes-validations"]
    {
        if ours.get(word).is_some_and(|said| original.get(word) != Some(said)) {
            fault(format!("`{word}` is not the original's"));
        }
    }
    for (word, least) in [
        ("minLength", true),
        ("minimum", true),
        ("minItems", true),
        ("minProperties", true),
        ("maxLength", false),
        ("maximum", false),
        ("maxItems", false),
        ("maxProperties", false),
    ] {
        let Some(said) = ours.get(word).and_then(Value::as_f64) else { continue };
        let as_wide = |limit: f64| if least { said <= limit } else { said >= limit };
        if !original.get(word).and_then(Value::as_f64).is_some_and(as_wide) {
            fault(format!("`{word}` is narrower"));
        }
    }
    // A list that is merged by keys takes no two entries of one key, and changes how two writers share it.
    for word in [LIST_TYPE, LIST_KEYS] {
        let said = |schema: &Value| schema.get(word).filter(|said| *said != "atomic").cloned();
        if !open && said(ours) != said(original) {
            fault(format!("`{word}` is not the original's"));
        }
    }
    for field in texts(&ours["required"]) {
        let sets = |schema: &Value| schema["properties"][field].get("default").is_some();
        let defaulted = sets(original) && !sets(ours);
        if defaulted || !texts(&original["required"]).contains(field) {
            fault(format!("requires {field}"));
        }
    }
    let keeps = ours[PRESERVE] == true;
    if original[PRESERVE] == true {
        if !keeps {
            fault("drops unknown fields".to_owned());
        }
        for (field, below) in ours["properties"].as_object().into_iter().flatten() {
            let known = original["properties"].get(field).is_some();
            if !known && (below.get("type").is_some() || below[PRESERVE] != true) {
                fault(format!("judges {field}, which the original leaves free"));
            }
        }
    }
    for (field, below) in original["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{field}");
        match ours["properties"].get(field).or_else(|| ours.get("additionalProperties")) {
            Some(ours) => narrower(below, ours, &path, faults),
            None if keeps => {}
            None => faults.push(format!("{path}: is dropped")),
        }
    }
    for (word, step) in [("additionalProperties", ".*"), ("items", "[]")] {
        let path = format!("{path}{step}");
        match (original.get(word), ours.get(word)) {
            (Some(original), Some(ours)) => narrower(original, ours, &path, faults),
            (Some(_), None) if keeps => {}
            (Some(_), None) => faults.push(format!("{path}: is dropped")),
            // Fields that the original does not know it drops.
            (None, _) => {}
        }
    }
}

#[test]
fn no_schema_is_narrower_than_the_original() {
    let Some(pairs) = originals() else { return };
    let mut faults = Vec::new();
    for (original, ours) in pairs {
        let mut found = Vec::new();
        narrower(schema(&original), schema(&ours), "", &mut found);
        faults.extend(found.iter().map(|fault| format!("{}: {fault}", name(&ours))));
    }
    none(&faults);
}

#[test]
fn the_names_are_the_originals() {
    let Some(pairs) = originals() else { return };
    for (original, ours) in pairs {
        for word in ["group", "names", "scope"] {
            assert_eq!(ours["spec"][word], original["spec"][word], "{}: {word}", name(&ours));
        }
        for word in ["name", "served", "storage", "subresources", "additionalPrinterColumns"] {
            assert_eq!(version(&ours)[word], version(&original)[word], "{}: {word}", name(&ours));
        }
    }
}

#[test]
fn a_narrower_schema_is_noticed() {
    let object = |field: Value| json!({"type": "object", "properties": {"a": field}});
    let text = || json!({"type": "string"});
    let open = json!({"type": "object", PRESERVE: true});
    let list = |words: Value| {
        let mut list = json!({"type": "array", "items": {"type": "object"}});
        list.as_object_mut().unwrap().extend(words.as_object().unwrap().clone());
        list
    };
    for (original, ours) in [
        (object(text()), object(json!({"type": "integer"}))),
        (object(text()), json!({"type": "object"})),
        (object(text()), object(json!({"type": "string", "enum": ["x"]}))),
        (
            object(json!({"type": "string", "enum": ["x", "y"]})),
            object(json!({"type": "string", "enum": ["x"]})),
        ),
        (object(text()), object(json!({"type": "string", "format": "date-time"}))),
        (object(text()), object(json!({"type": "string", "pattern": "x"}))),
        (object(text()), object(json!({"type": "string", "minLength": 1}))),
        (
            object(json!({"type": "string", "maxLength": 3})),
            object(json!({"type": "string", "maxLength": 2})),
        ),
        (object(json!({"type": "string", "nullable": true})), object(text())),
        (object(text()), json!({"type": "object", "properties": {"a": text()}, "required": ["a"]})),
        (
            json!({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]}),
            json!({"type": "object", "properties": {"a": text()}, "required": ["a"]}),
        ),
        (open.clone(), json!({"type": "object"})),
        (open.clone(), json!({"type": "object", PRESERVE: true, "properties": {"a": text()}})),
        (json!({"type": "object", "additionalProperties": text()}), json!({"type": "object"})),
        (object(json!({INT_OR_STRING: true})), object(text())),
        (list(json!({})), list(json!({"items": {"type": "string"}}))),
        (list(json!({})), list(json!({LIST_TYPE: "map", LIST_KEYS: ["a"]}))),
        (list(json!({LIST_TYPE: "map", LIST_KEYS: ["a"]})), list(json!({}))),
    ] {
        let mut faults = Vec::new();
        narrower(&original, &ours, "", &mut faults);
        assert!(!faults.is_empty(), "{ours} passes for {original}");
        faults.clear();
        narrower(&original, &original, "", &mut faults);
        assert_eq!(faults, [""; 0], "{original}");
    }
    let mut faults = Vec::new();
    narrower(&object(list(json!({LIST_TYPE: "set"}))), &open, "", &mut faults);
    assert_eq!(faults, [""; 0], "what is not known is kept");
}

// === the law, asked of objects ===

/// Two API servers, one with the originals and one with ours.
async fn servers(pairs: &[(Value, Value)]) -> Stage {
    let stage = Stage::start(StageOptions {
        clusters: vec!["originals".to_owned(), "ours".to_owned()],
        clock: ClockMode::Manual { start: "2024-01-01T00:00:00Z".parse().unwrap() },
        ..StageOptions::default()
    })
    .await
    .unwrap();
    for (original, ours) in pairs {
        stage.cluster("originals").unwrap().store().put(original.clone()).unwrap();
        stage.cluster("ours").unwrap().store().put(ours.clone()).unwrap();
    }
    stage
}

/// What a server makes of an object.
fn write(stage: &Stage, server: &str, object: &Value) -> Result<Value, String> {
    let written = stage.cluster(server).unwrap().store().put(object.clone());
    written.map(|manifest| manifest.to_value()).map_err(|error| error.to_string())
}

/// What was written and is on the originals' server, but not on ours. A null is as good as absent: where the original has a
/// default, it becomes that.
fn lost(written: &Value, original: &Value, ours: &Value, path: &str, faults: &mut Vec<String>) {
    match (written, original, ours) {
        (Value::Object(written), Value::Object(original), Value::Object(ours)) => {
            for (field, written) in written {
                let path = format!("{path}.{field}");
                match (original.get(field), ours.get(field)) {
                    (Some(original), Some(ours)) => lost(written, original, ours, &path, faults),
                    (Some(_), None) if !written.is_null() => faults.push(format!("{path} is dropped")),
                    (Some(_), None) | (None, _) => {}
                }
            }
        }
        (Value::Array(written), Value::Array(original), Value::Array(ours))
            if original.len() == ours.len() =>
        {
            for (index, ((written, original), ours)) in written.iter().zip(original).zip(ours).enumerate() {
                lost(written, original, ours, &format!("{path}[{index}]"), faults);
            }
        }
        _ if original != ours && !written.is_null() => {
            faults.push(format!("{path} is {ours} instead of {original}"));
        }
        _ => {}
    }
}

/// Values that a schema may take; some it does not. Each differs from the least one in one place.
fn probes(schema: &Value) -> Vec<Value> {
    let mut probes = vec![Value::Null];
    match schema["type"].as_str() {
        Some("object") => {
            let least = least(schema);
            let with = |field: &str, value: Value| {
                let mut object = least.clone();
                object[field] = value;
                object
            };
            probes.extend([json!({}), least.clone()]);
            for (field, below) in schema["properties"].as_object().into_iter().flatten() {
                probes.extend(self::probes(below).into_iter().map(|value| with(field, value)));
            }
            if let Some(below) = schema.get("additionalProperties") {
                probes.extend(self::probes(below).into_iter().map(|value| with("any", value)));
            }
            if schema[PRESERVE] == true {
                probes.extend([json!(5), json!({"deep": [1, null]})].map(|value| with("name", value)));
            }
        }
        Some("array") => {
            let entries = self::probes(&schema["items"]);
            probes.push(json!([]));
            probes.extend(entries.iter().map(|entry| json!([entry])));
            probes.extend(entries.last().map(|last| json!([least(&schema["items"]), last])));
        }
        Some("boolean") => probes.extend([json!(true), json!(false)]),
        Some("integer") => probes.extend([0, 1, -1, 7, i64::from(i32::MAX)].map(Value::from)),
        Some("string") => probes.extend(words(schema)),
        None => probes.extend([json!(5), json!("10%"), json!("5Gi")]),
        Some(other) => unreachable!("type {other}"),
    }
    probes
}

/// Texts that a schema may take, those first that it surely does.
fn words(schema: &Value) -> Vec<Value> {
    let pattern = schema["pattern"].as_str().map(|pattern| Regex::new(pattern).unwrap());
    let listed = schema["enum"].as_array().cloned().unwrap_or_default();
    let words = ["word", "2024-01-01T00:00:00Z", "5m", "10%", "Zm9v", "A sentence, and more.", ""];
    let mut words: Vec<&str> = words.into();
    words.sort_by_key(|word| {
        let date = schema["format"] == "date-time" && word.parse::<jiff::Timestamp>().is_err();
        date || pattern.as_ref().is_some_and(|pattern| !pattern.is_match(word))
    });
    listed.into_iter().chain(words.into_iter().map(Value::from)).collect()
}

/// The least value that a schema takes.
fn least(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("object") => {
            let required = texts(&schema["required"]).into_iter();
            let fields = required.map(|field| (field.to_owned(), least(&schema["properties"][field])));
            Value::Object(fields.collect())
        }
        Some("array") if schema["minItems"].as_u64() > Some(0) => json!([least(&schema["items"])]),
        Some("array") => json!([]),
        Some("boolean") => json!(false),
        Some("string") => words(schema).remove(0),
        _ => json!(1),
    }
}

/// The paths of all fields of an object, without places in lists.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (field, value) in map {
                let path = format!("{path}.{field}");
                paths(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(list) => list.iter().for_each(|entry| paths(entry, path, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The same of a schema.
fn known_paths(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (field, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{field}");
        known_paths(below, &path, found);
        found.insert(path);
    }
    if schema["items"].is_object() {
        known_paths(&schema["items"], path, found);
    }
}

#[tokio::test]
async fn what_the_originals_accept_is_accepted_and_kept() {
    let Some(pairs) = originals() else { return };
    let stage = servers(&pairs).await;
    let (mut faults, mut accepted, mut refused) = (Vec::new(), 0, 0);
    for (original, _) in &pairs {
        let (spec, version) = (&original["spec"], version(original)["name"].as_str().unwrap());
        let schema = schema(original);
        let (mut seen, mut known) = (BTreeSet::new(), BTreeSet::new());
        known_paths(schema, "", &mut known);
        for mut object in probes(schema).into_iter().filter(Value::is_object) {
            object["apiVersion"] = json!(format!("{}/{version}", spec["group"].as_str().unwrap()));
            object["kind"] = spec["names"]["kind"].clone();
            object["metadata"] = json!({"name": "x"});
            if spec["scope"] == "Namespaced" {
                object["metadata"]["namespace"] = json!("default");
            }
            let Ok(kept) = write(&stage, "originals", &object) else {
                refused += 1;
                continue;
            };
            accepted += 1;
            paths(&object, "", &mut seen);
            let mut found = Vec::new();
            match write(&stage, "ours", &object) {
                Ok(ours) => lost(&object, &kept, &ours, "", &mut found),
                Err(error) => found.push(format!("refused: {error}")),
            }
            faults.extend(found.iter().map(|fault| format!("{} {fault}\n  {object}", name(original))));
        }
        let never: Vec<_> = known.difference(&seen).collect();
        assert!(never.is_empty(), "{}: never asked about {never:?}", name(original));
    }
    none(&faults);
    println!("{accepted} objects are accepted by the originals, {refused} refused");
    assert!(accepted > 1000 && refused > 100, "{accepted} accepted, {refused} refused");
    stage.shutdown().await;
}

/// Objects of the kinds, wherever they are in a value.
fn collect(value: &Value, kinds: &BTreeSet<(String, String)>, found: &mut Vec<Value>) {
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    match value {
        Value::Object(_) if kinds.contains(&(text("apiVersion"), text("kind"))) => found.push(value.clone()),
        Value::Object(map) => map.values().for_each(|value| collect(value, kinds, found)),
        Value::Array(list) => list.iter().for_each(|value| collect(value, kinds, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// All values in the YAML and JSON files below a directory; a file that is neither is left out.
fn values(directory: &Path) -> Vec<Value> {
    let mut values = Vec::new();
    for file in files(directory) {
        let text = || std::fs::read_to_string(&file).unwrap();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => {
                values.extend(flotilla::yaml::read_documents(&text()).unwrap_or_default());
            }
            Some("json" | "jsonl") => {
                let stream = serde_json::Deserializer::from_str(&text())
                    .into_iter::<Value>()
                    .flatten()
                    .collect::<Vec<_>>();
                values.extend(stream);
            }
            _ => {}
        }
    }
    values
}

/// The object under a name of the test's own, without what a server sets.
fn renamed(object: &Value, number: usize) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object().cloned().unwrap_or_default();
    let mut metadata: Map<String, Value> =
        metadata.into_iter().filter(|(field, _)| field == "labels" || field == "annotations").collect();
    metadata.insert("name".to_owned(), json!(format!("object-{number}")));
    metadata.insert("namespace".to_owned(), json!("default"));
    object["metadata"] = Value::Object(metadata);
    object
}

/// An object without its metadata, of which the schemas say nothing.
fn body(object: &Value) -> Map<String, Value> {
    let fields = object.as_object().unwrap().clone();
    fields.into_iter().filter(|(field, _)| field != "metadata").collect()
}

#[tokio::test]
async fn the_objects_of_users_read_back_unchanged() {
    let pairs = originals();
    let with_originals = pairs.is_some();
    let pairs = pairs.unwrap_or_else(|| definitions().into_iter().map(|ours| (ours.clone(), ours)).collect());
    let kinds = pairs.iter().map(|(_, ours)| {
        let spec = &ours["spec"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (format!("{}/{}", text(&spec["group"]), text(&version(ours)["name"])), text(&spec["names"]["kind"]))
    });
    let kinds: BTreeSet<_> = kinds.collect();
    let stage = servers(&pairs).await;
    for (directory, least) in [("policies", 5), ("kustomize", 1), ("../shared/data", 50)] {
        if directory.starts_with("..") && !with_originals {
            continue;
        }
        let mut found = Vec::new();
        for value in values(&root().join(directory)) {
            collect(&value, &kinds, &mut found);
        }
        let (mut taken, mut faults) = (0, Vec::new());
        for (number, object) in found.iter().enumerate() {
            let object = renamed(object, number);
            if write(&stage, "originals", &object).is_err() {
                continue;
            }
            taken += 1;
            match write(&stage, "ours", &object) {
                Ok(ours) if body(&ours) == body(&object) => {}
                Ok(ours) => faults.push(format!("written {object}\n   kept {ours}")),
                Err(error) => faults.push(format!("{error}\n  {object}")),
            }
        }
        none(&faults);
        println!("{directory}: {taken} of {} objects, the originals refuse the others", found.len());
        assert!(taken >= least, "{directory}: only {taken} objects");
    }
    stage.shutdown().await;
}
