//! Texts of templates to values, single functions, and whole policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flotilla::api::object::{GroupVersionKind, Manifest};
use flotilla::pipeline::render::document::{self, Surroundings};
use flotilla::pipeline::render::encryption::{self, Encryption, EncryptionKeys};
use flotilla::pipeline::render::lookup::{Answer, Lookup};
use flotilla::pipeline::render::text::{self, ClusterScoped, Input, Settings};
use flotilla::pipeline::render::{HubContext, ObjectVariables};
use flotilla::yaml::{self, Dialect};
use secrecy::SecretSlice;
use serde_json::{Value, json};

use crate::cases;

/// The kinds of the cases that lie in no namespace, and those that are there at all.
const CLUSTER_SCOPED: &[&str] = &["Namespace", "Node", "ClusterClaim", "ManagedCluster"];
const NOT_INSTALLED: &[&str] = &["NotAResource"];

struct Objects(Vec<Arc<Manifest>>);

impl Objects {
    fn read(path: &str) -> Option<Self> {
        let documents = yaml::read_documents(&cases::text(path)?).unwrap();
        let mut objects: Vec<_> =
            documents.into_iter().map(|object| Arc::new(Manifest::parse(object).unwrap())).collect();
        objects
            .sort_by_key(|object| (object.namespace().map(str::to_owned), object.name().map(str::to_owned)));
        Some(Self(objects))
    }

    fn state<T>(gvk: &GroupVersionKind) -> Option<Answer<T>> {
        NOT_INSTALLED.contains(&gvk.kind.as_str()).then_some(Answer::KindNotInstalled)
    }
}

impl Lookup for Objects {
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        let found = self.0.iter().find(|object| {
            object.gvk() == *gvk && object.namespace() == namespace && object.name() == Some(name)
        });
        Self::state(gvk).unwrap_or_else(|| found.cloned().map_or(Answer::NotFound, Answer::Found))
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        let found = self.0.iter().filter(|object| {
            object.gvk() == *gvk && (namespace.is_none() || object.namespace() == namespace)
        });
        Self::state(gvk).unwrap_or_else(|| Answer::Found(found.cloned().collect()))
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        Some(!CLUSTER_SCOPED.contains(&gvk.kind.as_str()))
    }
}

fn text<'j>(row: &'j Value, key: &str) -> &'j str {
    row[key].as_str().unwrap_or_default()
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(|text| STANDARD.decode(text).unwrap())
}

/// The keys of a row, for what it says is to be done with them.
fn encryption(row: &Value, what: &str) -> Option<Encryption> {
    let said = row.get("encryption")?;
    if said[what] != json!(true) {
        return None;
    }
    let keys = EncryptionKeys {
        key: SecretSlice::from(bytes(&said["key_b64"]).unwrap_or_default()),
        previous: bytes(&said["fallback_key_b64"]).map(SecretSlice::from),
    };
    let vector = encryption::vector(text(said, "iv_b64")).unwrap();
    Some(Encryption { keys, vector })
}

/// An entry of an allow list, as an object or a list of three.
fn cluster_scoped(entry: &Value) -> ClusterScoped {
    let part = |name: &str, index: usize| {
        entry.get(name).or_else(|| entry.get(index)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    ClusterScoped { group: part("group", 0), kind: part("kind", 1), name: part("name", 2) }
}

fn settings(row: &Value) -> Settings {
    let or = |key: &str, otherwise: &str| {
        let said = text(row, key);
        if said.is_empty() { otherwise.to_owned() } else { said.to_owned() }
    };
    let list = |key: &str| row[key].as_array().cloned().unwrap_or_default();
    Settings {
        left: or("start_delim", "{{"),
        right: or("stop_delim", "}}"),
        additional_indentation: usize::try_from(row["additional_indentation"].as_u64().unwrap_or(0)).unwrap(),
        namespace: Some(text(row, "lookup_namespace").to_owned()).filter(|namespace| !namespace.is_empty()),
        cluster_scoped: list("cluster_scoped_allow_list").iter().map(cluster_scoped).collect(),
        denied: list("denylist_functions").iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
        encrypt: encryption(row, "encrypt"),
        decrypt: encryption(row, "decrypt"),
        context: row.get("context").filter(|context| !context.is_null()).cloned(),
        ..Settings::default()
    }
}

/// Holds a result against what a row expects.
fn judge(row: &Value, result: Result<Value, String>) -> Result<(), String> {
    match result {
        Err(error) => {
            if let Some(exact) = row.get("error_equals").and_then(Value::as_str) {
                return if error == exact { Ok(()) } else { Err(format!("the error is {error:?}")) };
            }
            match row.get("error_contains").and_then(Value::as_str) {
                Some(part) if error.contains(part) => Ok(()),
                _ => Err(format!("unexpected error: {error}")),
            }
        }
        Ok(value) => {
            if row.get("error_contains").is_some() || row.get("error_equals").is_some() {
                return Err(format!("no error, but {value}"));
            }
            let expected = &row["expected"];
            if let Some(exact) = row.get("expected_yaml").and_then(Value::as_str) {
                let written = text::yaml(&value);
                // The value beside it was read from this text without its last line end.
                return if written.trim_end() == exact.trim_end() {
                    Ok(())
                } else {
                    Err(format!("written as {written:?}, not {exact:?}"))
                };
            }
            let exists = expected.get("exists").and_then(Value::as_bool);
            if let Some(exists) = exists
                && exists != value.as_object().is_some_and(|fields| !fields.is_empty())
            {
                return Err(format!("exists is {}", !exists));
            }
            if let Some(names) = expected.get("item_names") {
                let items = value["items"].as_array().cloned().unwrap_or_default();
                let found: Vec<&Value> = items.iter().map(|item| &item["metadata"]["name"]).collect();
                return if json!(found) == *names { Ok(()) } else { Err(format!("found {found:?}")) };
            }
            if exists.is_some() || row.get("expected").is_none() || *expected == value {
                return Ok(());
            }
            Err(format!("got {value}, not {expected}"))
        }
    }
}

fn id(row: &Value) -> String {
    text(row, "id").to_owned()
}

#[test]
fn texts() {
    let Some(objects) = Objects::read("templates/fixture_objects.yaml") else { return };
    let results: Vec<_> = cases::rows("templates/cases.jsonl")
        .iter()
        .map(|row| {
            let template = text(row, "template");
            let value;
            let input = if row["input_is_yaml"] == json!(true) {
                Input::Yaml(template)
            } else {
                value = yaml::read(template, Dialect::Kubernetes).unwrap();
                Input::Value(&value)
            };
            let (resolved, _) = text::resolve(input, &settings(row), &objects);
            let result = resolved.map(|resolved| resolved.value).map_err(|error| error.to_string());
            (id(row), judge(row, result))
        })
        .collect();
    cases::all_agree("templates/cases", &results);
}

fn function(row: &Value, objects: &Objects) -> Result<(), String> {
    let arguments = row["args"].as_array().cloned().unwrap_or_default();
    let word = |index: usize| arguments.get(index).and_then(Value::as_str).unwrap_or_default();
    let truth = |index: usize| arguments.get(index) == Some(&json!(true));
    let or = |said: &str, otherwise: &str| {
        if said.is_empty() { otherwise.to_owned() } else { said.to_owned() }
    };
    let result = match text(row, "function") {
        "HasTemplate" => Ok(json!(text::has_template(word(0), word(1), truth(2)))),
        "UsesEncryption" => Ok(json!(encryption::is_used(word(0), &or(word(1), "{{"), &or(word(2), "}}")))),
        "processForDataTypes" => {
            Ok(json!(text::strip_quotes(word(0), &or(word(1), "{{"), &or(word(2), "}}"))))
        }
        "getNamespace" => {
            let namespace = Some(word(1).to_owned()).filter(|namespace| !namespace.is_empty());
            let settings = Settings { namespace, ..Settings::default() };
            text::namespace(word(0), &settings, objects).map(Value::from).map_err(|error| error.to_string())
        }
        name => match text::call(name, &arguments, &settings(row), objects) {
            Ok((_, sensitive)) if row["sensitive"] == json!(true) && !sensitive => {
                return Err("it is not taken for sensitive".to_owned());
            }
            Ok((value, _)) => Ok(value),
            Err(error) => Err(error.to_string()),
        },
    };
    judge(row, result)
}

#[test]
fn functions() {
    let Some(objects) = Objects::read("templates/fixture_objects.yaml") else { return };
    let results: Vec<_> = cases::rows("templates/functions.jsonl")
        .iter()
        .map(|row| (id(row), function(row, &objects)))
        .collect();
    cases::all_agree("templates/functions", &results);
}

/// What the hub phase knows in the case of a whole file.
fn hub_context(expected: &Value, input: &Value, objects: &Objects) -> HubContext {
    let cluster = text(expected, "cluster_name").to_owned();
    let kind = GroupVersionKind::new("cluster.open-cluster-management.io/v1", "ManagedCluster");
    let labels = match objects.get(&kind, None, &cluster) {
        Answer::Found(found) => {
            let own = found.labels();
            own.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        _ => BTreeMap::new(),
    };
    let metadata = &input["metadata"];
    let is_policy = input["kind"] == json!("Policy");
    let own = metadata["namespace"].as_str().filter(|_| is_policy);
    HubContext {
        cluster,
        labels,
        policy_metadata: if is_policy {
            json!({"annotations": metadata["annotations"], "labels": metadata["labels"], "name": metadata["name"],
                "namespace": metadata["namespace"]})
        } else {
            Value::Null
        },
        policy_namespace: own.unwrap_or_else(|| text(expected, "hub_namespace")).to_owned(),
        is_restricted: input["spec"]["hubTemplateOptions"]["serviceAccountName"].is_null(),
        ..HubContext::default()
    }
}

#[test]
fn files() {
    let Some(objects) = Objects::read("templates/resolver/_setup.yaml") else { return };
    let results: Vec<_> = cases::folders("templates/resolver", "")
        .iter()
        .filter(|folder| folder.join("expected.json").is_file())
        .map(|folder| {
            let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
            let expected: Value = serde_json::from_str(&read("expected.json")).unwrap();
            let document = read("input.yaml");
            let input = yaml::read(&document, Dialect::Kubernetes).unwrap_or_default();
            let on_hub = text(&expected, "mode").contains("hub");
            let object = ObjectVariables {
                namespace: text(&expected, "object_namespace").to_owned(),
                name: text(&expected, "object_name").to_owned(),
                object: None,
            };
            let surroundings = Surroundings {
                cluster: &objects,
                hub: on_hub.then(|| (hub_context(&expected, &input, &objects), &objects as &dyn Lookup)),
                settings: Settings { object: Some(object), ..Settings::default() },
                any_yaml: expected["config"]["skipPolicyValidation"] == json!(true),
            };
            let result = document::resolve(&document, &surroundings).map_err(|error| error.to_string());
            let mut row = expected.clone();
            if let Some(file) = expected.get("expect").and_then(Value::as_str) {
                row["expected"] = yaml::read(&read(file), Dialect::Template).unwrap();
            }
            (cases::name(folder), judge(&row, result))
        })
        .collect();
    cases::all_agree("templates/resolver", &results);
}
