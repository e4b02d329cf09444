//! Holds `docs/reference/functions.md`: it names every function of templates, and every example gives what the page says.

#![expect(clippy::disallowed_methods, reason = "reads the document")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fault here is a failed test")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flotilla::api::object::{GroupVersionKind, Manifest};
use flotilla::pipeline::render::Ambient;
use flotilla::pipeline::render::lookup::{Answer, Lookup};
use flotilla::pipeline::render::text::{self, Settings};
use regex::Regex;
use serde_json::{Value, json};

/// The cluster that the page speaks of.
struct Cluster(Vec<Arc<Manifest>>);

impl Cluster {
    fn new() -> Self {
        let object = |value: Value| Arc::new(Manifest::parse(value).unwrap());
        Self(vec![
            object(json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "settings", "namespace": "default"}, "data": {"region": "us-east-1"}})),
            object(json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "account", "namespace": "default"}, "data": {"user": "YWRtaW4="}})),
            object(json!({"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "node-1", "labels": {"node-role.kubernetes.io/infra": ""}}})),
        ])
    }
}

impl Lookup for Cluster {
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        let found = self.0.iter().find(|object| {
            object.gvk() == *gvk && object.namespace() == namespace && object.name() == Some(name)
        });
        found.cloned().map_or(Answer::NotFound, Answer::Found)
    }

    fn list(&self, gvk: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        Answer::Found(self.0.iter().filter(|object| object.gvk() == *gvk).cloned().collect())
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        Some(gvk.kind != "Node")
    }
}

/// One line of the page.
struct Example {
    function: String,
    template: String,
    fails: bool,
    expected: String,
}

fn examples() -> Vec<Example> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/reference/functions.md");
    let page = std::fs::read_to_string(path).unwrap();
    let line = Regex::new(
        r"^- `(?<name>\w+)`: (?:``(?<long>.+?)``|`(?<short>.+?)`) (?<how>gives|fails with) (?:`` (?<ticked>.+) ``|`(?<plain>.*)`)$",
    )
    .unwrap();
    page.lines()
        .filter(|text| text.starts_with("- `"))
        .map(|text| {
            let found = line.captures(text).unwrap_or_else(|| panic!("not an example: {text}"));
            let either = |one: &str, other: &str| {
                found.name(one).or(found.name(other)).map_or("", |part| part.as_str()).to_owned()
            };
            Example {
                function: found["name"].to_owned(),
                template: either("long", "short"),
                fails: &found["how"] == "fails with",
                expected: either("ticked", "plain"),
            }
        })
        .collect()
}

#[test]
fn every_function_has_an_example() {
    let mut named: Vec<String> = examples().into_iter().map(|example| example.function).collect();
    named.sort_unstable();
    let all = text::function_names();
    let missing: Vec<_> = all.iter().filter(|name| !named.contains(&(**name).to_owned())).collect();
    let unknown: Vec<_> = named.iter().filter(|name| !all.contains(&name.as_str())).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
    assert_eq!(named.len(), all.len(), "one example for each");
}

#[test]
fn every_example_gives_what_the_page_says() {
    let settings = Settings {
        claims: Some(BTreeMap::from([("name".to_owned(), "c1".to_owned())])),
        is_object_template: true,
        ambient: Ambient { now: "2024-02-29T12:30:00Z".parse().unwrap(), seed: [7; 32] },
        ..Settings::default()
    };
    let cluster = Cluster::new();
    let mut faults = Vec::new();
    for example in examples() {
        if !example.template.contains(&example.function) {
            faults.push(format!("{}: the example does not call it", example.function));
        }
        match (text::print(&example.template, &settings, &cluster), example.fails) {
            (Ok(printed), false) => {
                let shown = printed.replace('\\', "\\\\").replace('\n', "\\n");
                if shown != example.expected {
                    faults.push(format!("{}: gives `{shown}`, not `{}`", example.template, example.expected));
                }
            }
            (Err(error), true) => {
                if !error.to_string().contains(&example.expected) {
                    faults
                        .push(format!("{}: fails with {error}, not {}", example.template, example.expected));
                }
            }
            (Ok(printed), true) => faults.push(format!("{}: does not fail: {printed}", example.template)),
            (Err(error), false) => faults.push(format!("{}: {error}", example.template)),
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
