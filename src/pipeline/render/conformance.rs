//! Upstream's own test cases, read from the shared data beside the repository when they are there.
//!
//! A case that is not covered stands in a list with its reason, and the number of those that pass is asserted, so that
//! none gets lost on either side.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::engine::go::value::Struct;
use super::engine::go::{Template, Value};
use super::resolve::{Language, Source, Templates, resolve};
use super::rewrite::{CLUSTER, HUB};
use super::session::{Restriction, Session};
use super::tests::Snapshot;
use super::{HubContext, functions, go_yaml, hub};
use crate::yaml::{self, Dialect};

/// Text of a shared file; `None` when the shared data are absent.
#[expect(clippy::disallowed_methods, reason = "test data")]
fn shared(path: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/conformance/templates");
    if let Ok(text) = std::fs::read_to_string(root.join(path)) {
        Some(text)
    } else {
        println!("skipped: {path} is not there");
        None
    }
}

fn rows(path: &str) -> Option<Vec<Json>> {
    let text = shared(path)?;
    Some(
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn snapshot(path: &str) -> Option<Snapshot> {
    let objects = yaml::read_documents(&shared(path)?).unwrap();
    Some(Snapshot { not_installed: ["NotAResource"].into(), ..Snapshot::of(objects) })
}

fn claims() -> BTreeMap<String, String> {
    BTreeMap::from([("env".to_owned(), "dev".to_owned())])
}

fn text<'j>(row: &'j Json, key: &str) -> &'j str {
    row[key].as_str().unwrap_or_default()
}

/// Whether a case's expectation holds; `Err` says how not.
fn judge(row: &Json, result: Result<Json, String>) -> Result<(), String> {
    match result {
        Err(error) => {
            let part = row.get("error_contains").or(row.get("error_equals")).and_then(Json::as_str);
            match part {
                Some(part) if error.contains(part) => Ok(()),
                _ => Err(format!("unexpected error: {error}")),
            }
        }
        Ok(value) if row.get("expected_yaml").is_some() => {
            let (written, expected) = (go_yaml::write(&value), text(row, "expected_yaml"));
            if written.trim_end() == expected {
                Ok(())
            } else {
                Err(format!("got {written:?}, not {expected:?}"))
            }
        }
        Ok(value) if row.get("expected").is_some_and(|expected| *expected == value) => Ok(()),
        Ok(value) => Err(format!("got {value}, expected {}", row["expected"])),
    }
}

/// Runs all cases; those that fail must be exactly those in the list.
fn run(
    rows: &[Json],
    not_covered: &[(&str, &str)],
    passing: usize,
    case: impl Fn(&Json) -> Result<(), String>,
) {
    let mut passed = 0;
    for row in rows {
        let id = text(row, "id");
        let excused = not_covered.iter().any(|(excused, _)| *excused == id);
        match case(row) {
            Ok(()) if excused => panic!("{id} passes: take it from the list"),
            Ok(()) => passed += 1,
            Err(_) if excused => {}
            Err(reason) => panic!("{id}: {reason}"),
        }
    }
    assert_eq!(passed, passing, "cases that pass");
}

const NO_ENCRYPTION: &str = "protected values stay in memory and are never encrypted";
const DATES: &str = "dates are not built yet";

#[test]
fn template_cases() {
    let (Some(rows), Some(snapshot)) = (rows("cases.jsonl"), snapshot("fixture_objects.yaml")) else {
        return;
    };
    let not_covered = [
        ("crypto-protect", NO_ENCRYPTION),
        ("crypto-copySecretData", NO_ENCRYPTION),
        ("crypto-multiline", NO_ENCRYPTION),
        ("crypto-both", NO_ENCRYPTION),
        ("crypto-bad-base64", NO_ENCRYPTION),
        ("crypto-bad-padding-length", NO_ENCRYPTION),
        ("crypto-bad-padding-bytes", NO_ENCRYPTION),
        ("sprig-htpasswd", "random numbers are refused"),
        ("sprig-mustToDate", DATES),
        ("sprig-toDate", DATES),
    ];
    run(&rows, &not_covered, 75, |row| {
        let delimiters = if text(row, "start_delim") == "{{hub" { &*HUB } else { &*CLUSTER };
        let indentation = usize::try_from(row["additional_indentation"].as_u64().unwrap_or(0)).unwrap();
        let source = if row["input_is_yaml"] == json!(true) {
            text(row, "template").to_owned()
        } else {
            go_yaml::write(&yaml::read(text(row, "template"), Dialect::Kubernetes).unwrap())
        };
        let rewritten = delimiters.rewrite(&source, indentation);
        let template = Template::parse(&rewritten, (delimiters.left, delimiters.right), &functions::find)?;
        let namespace = text(row, "lookup_namespace");
        let restriction = Restriction { namespace, cluster: "local-cluster" };
        let claims = claims();
        let encrypting = row["encryption"]["encrypt"] == json!(true);
        let mut session = if namespace.is_empty() && !encrypting {
            Session::on_cluster(&snapshot, &claims)
        } else {
            Session::on_hub(&snapshot, (!namespace.is_empty()).then_some(restriction))
        };
        session.additional_indentation = indentation;
        let context = Value::from_yaml(&row["context"]);
        let result = template.execute(&context, &mut session).map_err(|failure| failure.0);
        judge(
            row,
            result.and_then(|text| yaml::read(&text, Dialect::Template).map_err(|error| error.message)),
        )
    });
}

#[test]
fn function_cases() {
    let (Some(rows), Some(snapshot)) = (rows("functions.jsonl"), snapshot("fixture_objects.yaml")) else {
        return;
    };
    let detector = "a detector of encryption, which is not used";
    let allow_list = "cluster-scoped look-ups of the hub phase are limited to the target's ManagedCluster";
    let mut not_covered: Vec<_> = [3, 5, 7, 8, 9, 10, 11, 13]
        .into_iter()
        .map(|number| (format!("UsesEncryption-{number}"), detector))
        .collect();
    not_covered.extend((1..=7).filter(|number| *number != 6).map(|number| {
        (format!("HasTemplate-{number}"), "what holds a template is decided on values, not on text")
    }));
    not_covered.push(("lookup-clusterscoped-4".to_owned(), allow_list));
    not_covered.push(("lookup-clusterscoped-5".to_owned(), allow_list));
    let not_covered: Vec<_> = not_covered.iter().map(|(id, reason)| (id.as_str(), *reason)).collect();
    run(&rows, &not_covered, 42, |row| {
        let arguments = row["args"].as_array().cloned().unwrap_or_default();
        let claims = claims();
        let namespace = text(row, "lookup_namespace");
        let restriction = Restriction { namespace, cluster: "local-cluster" };
        let mut session = if namespace.is_empty() {
            Session::on_cluster(&snapshot, &claims)
        } else {
            Session::on_hub(&snapshot, Some(restriction))
        };
        match text(row, "function") {
            "processForDataTypes" => {
                return judge(row, Ok(json!(CLUSTER.strip_quotes(arguments[0].as_str().unwrap()))));
            }
            "getNamespace" => {
                let restriction = Restriction { namespace: arguments[1].as_str().unwrap(), cluster: "" };
                let restriction = (!restriction.namespace.is_empty()).then_some(restriction);
                let session = Session::on_hub(&snapshot, restriction);
                let namespace = session.namespace(arguments[0].as_str().unwrap());
                return judge(row, namespace.map(|namespace| json!(namespace)));
            }
            _ => {}
        }
        let function = functions::find(text(row, "function")).ok_or("no such function")?;
        let values: Vec<Value> = arguments.iter().map(Value::from_yaml).collect();
        let result = (function.call)(&mut session, &values);
        if row["sensitive"] == json!(true) && !session.sensitive {
            return Err("not sensitive".to_owned());
        }
        let value = match result {
            Ok(value) => value,
            Err(error) => return judge(row, Err(error)),
        };
        let json = value.to_json(&mut 1_000_000).unwrap();
        if let Some(exists) = row["expected"].get("exists").and_then(Json::as_bool)
            && exists != value.is_true()
        {
            return Err(format!("exists is {}", !exists));
        }
        if let Some(names) = row["expected"].get("item_names") {
            let found: Vec<&Json> =
                json["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
            return if json!(found) == *names { Ok(()) } else { Err(format!("found {found:?}")) };
        }
        if row["expected"].is_object() {
            return Ok(());
        }
        // A hub hands out tokens; what stands behind them must be as expected.
        let revealed = json.as_str().and_then(|token| session.behind(token));
        let json = match revealed {
            Some(secret) => json!(secrecy::ExposeSecret::expose_secret(secret.as_ref())),
            None => json,
        };
        judge(row, Ok(json))
    });
}

/// The context of upstream's command line tool.
fn object_context() -> Value {
    Value::Struct(Rc::new(Struct::new(
        "struct { ObjectName string; ObjectNamespace string }",
        vec![
            ("ObjectName", Value::text("my-obj-name")),
            ("ObjectNamespace", Value::text("my-obj-namespace")),
        ],
    )))
}

/// Resolves what upstream's tool resolves: policies, `ConfigurationPolicies`, or any text with templates.
struct Resolver<'a> {
    templates: Templates,
    snapshot: &'a Snapshot,
    claims: BTreeMap<String, String>,
    on_hub: bool,
    hub: HubContext,
    restricted: bool,
}

impl Resolver<'_> {
    fn resolve(&self, value: &Json, language: Language) -> Result<Json, String> {
        if !hub::holds(value, language.delimiters().left) {
            return Ok(value.clone());
        }
        let restriction = Restriction { namespace: &self.hub.policy_namespace, cluster: &self.hub.cluster };
        let (mut session, context) = if language == Language::Hub {
            let session = Session::on_hub(self.snapshot, self.restricted.then_some(restriction));
            (session, hub::struct_of(&self.hub))
        } else {
            (Session::on_cluster(self.snapshot, &self.claims), object_context())
        };
        let source = match value {
            Json::String(raw) => Source::Text(raw),
            other => Source::Json(other),
        };
        resolve(&self.templates, &source, language, &context, &mut session).map_err(|error| error.to_string())
    }

    fn definition(&self, definition: &Json) -> Result<Json, String> {
        let mut definition =
            if self.on_hub { self.resolve(definition, Language::Hub)? } else { definition.clone() };
        let raw = definition["spec"].get("object-templates-raw").cloned();
        if let Some(raw) = raw {
            let list = self.resolve(&raw, Language::Raw)?;
            let spec = definition["spec"].as_object_mut().unwrap();
            spec.remove("object-templates-raw");
            spec.insert("object-templates".to_owned(), list);
            return Ok(definition);
        }
        let Some(entries) = definition["spec"].get("object-templates").and_then(Json::as_array) else {
            return self.resolve(&definition, Language::ObjectTemplate);
        };
        let resolved: Result<Vec<Json>, String> =
            entries.iter().map(|entry| self.resolve(entry, Language::ObjectTemplate)).collect();
        definition["spec"]["object-templates"] = json!(resolved?);
        Ok(definition)
    }

    /// Unlike the propagator, the tool gives the whole input to the hub phase.
    fn whole(&self, input: &Json) -> Result<Json, String> {
        let input = if self.on_hub { self.resolve(input, Language::Hub)? } else { input.clone() };
        let input = &input;
        match input["kind"].as_str() {
            Some("Policy") => {
                let mut policy = input.clone();
                for template in policy["spec"]["policy-templates"].as_array_mut().ok_or("no templates")? {
                    template["objectDefinition"] = self.definition(&template["objectDefinition"])?;
                }
                Ok(policy)
            }
            Some(_) => self.definition(input),
            None => match input["object-templates-raw"].as_str() {
                Some(raw) => {
                    let list = self.resolve(&json!(raw), Language::Raw)?;
                    Ok(json!({ "object-templates": list }))
                }
                None => self.resolve(input, Language::ObjectTemplate),
            },
        }
    }
}

#[test]
fn resolver_cases() {
    let Some(snapshot) = snapshot("resolver/_setup.yaml") else { return };
    let shape = "the shape of a Policy is not checked by rendering";
    let cases = [
        ("config-policy-directly_hub", ""),
        ("custom-sa_hub", ""),
        ("invalid-objdef", shape),
        ("invalid-objdef-missing", shape),
        ("invalid-policy-templates-bad-entry", shape),
        ("invalid-policy-templates-missing", shape),
        ("label-match-configmaps_hub", ""),
        ("linting_valid_template_hub", ""),
        ("linting_var_unused_hub", ""),
        ("linting_var_used_hub", ""),
        ("object-templates-raw", ""),
        ("operator-policy", ""),
        ("operator-policy_hub", ""),
        ("skip-policy-validation", ""),
        ("skipobject_non_bool", ""),
    ];
    let mut passed = 0;
    for (name, reason) in cases.iter().filter(|(_, reason)| reason.is_empty()) {
        let read = |file: &str| shared(&format!("resolver/{name}/{file}"));
        let expected: Json = serde_json::from_str(&read("expected.json").unwrap()).unwrap();
        let input = yaml::read(&read("input.yaml").unwrap(), Dialect::Kubernetes).unwrap();
        let resolver = Resolver {
            templates: Templates::default(),
            snapshot: &snapshot,
            claims: claims(),
            on_hub: expected["mode"] == "hub+managed",
            hub: HubContext {
                cluster: "local-cluster".to_owned(),
                labels: BTreeMap::from([("testlabel".to_owned(), "hello-world".to_owned())]),
                policy_metadata: json!({"name": input["metadata"]["name"], "namespace": "policies"}),
                policy_namespace: "policies".to_owned(),
                ..HubContext::default()
            },
            restricted: input["spec"].get("hubTemplateOptions").is_none(),
        };
        let result = resolver.whole(&input);
        if let Some(part) = expected.get("error_contains").and_then(Json::as_str) {
            let error = result.expect_err(name);
            assert!(error.contains(part), "{name}: {error}{reason}");
        } else {
            let output = yaml::read(&read("output.yaml").unwrap(), Dialect::Template).unwrap();
            assert_eq!(result, Ok(output), "{name}");
        }
        passed += 1;
    }
    assert_eq!(passed, 11);
}
