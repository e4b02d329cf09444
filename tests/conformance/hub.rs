//! Root policies to replicated policies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use flotilla::adapters::source::{EmptyCluster, ObjectLookup};
use flotilla::api::object::Manifest;
use flotilla::api::ocm;
use flotilla::api::ocm::cluster::ManagedCluster;
use flotilla::api::ocm::policy::{Dependency, PlacementBinding, Policy, PolicySet, PolicyStatus};
use flotilla::controller::evaluate::{Evaluation, Subject, evaluate};
use flotilla::pipeline::compliance::root_status;
use flotilla::pipeline::plan::inventory::Inventory;
use flotilla::pipeline::plan::target::ClusterFacts;
use flotilla::pipeline::policy::PolicyKey;
use flotilla::pipeline::policy::bindings::{Bound, Placed, bindings_of, placed, placement_status};
use flotilla::pipeline::policy::dependencies::canonical;
use flotilla::pipeline::render::lookup::Lookup;
use flotilla::pipeline::render::{Ambient, Renderer, encryption};
use flotilla::yaml;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cases;

/// A case: what is on the hub, and what must come of it.
struct Hub {
    policy: Policy,
    objects: Vec<Manifest>,
    expected: Value,
    bound: Vec<Bound>,
    decisions: BTreeMap<String, BTreeSet<String>>,
}

fn documents(folder: &Path, file: &str) -> Vec<Value> {
    let Ok(text) = std::fs::read_to_string(folder.join(file)) else { return Vec::new() };
    yaml::read_documents(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn of_kind<T: DeserializeOwned>(objects: &[Manifest], kind: &str) -> Vec<T> {
    objects.iter().filter(|object| object.kind() == kind).map(|object| ocm::parse(object).unwrap()).collect()
}

impl Hub {
    fn read(folder: &Path) -> Self {
        let objects: Vec<Manifest> = documents(folder, "objects.yaml")
            .into_iter()
            .chain(documents(folder, "policy.yaml"))
            .map(|value| Manifest::parse(value).unwrap())
            .collect();
        let policy = documents(folder, "policy.yaml").remove(0);
        let policy: Policy = serde_json::from_value(policy).unwrap();
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
        let key = PolicyKey::new(&policy.metadata.namespace, &policy.metadata.name);
        let bindings: Vec<PlacementBinding> = of_kind(&objects, "PlacementBinding");
        let sets: Vec<PolicySet> = of_kind(&objects, "PolicySet");
        let bound = bindings_of(&key, bindings.iter(), sets.iter());
        let decisions = serde_json::from_value(expected["decisions"].clone()).unwrap();
        Self { policy, objects, expected, bound, decisions }
    }

    fn sets(&self) -> Vec<PolicySet> {
        of_kind(&self.objects, "PolicySet")
    }

    fn placed(&self, cluster: &str) -> Placed {
        if self.policy.spec.disabled {
            return Placed::No;
        }
        placed(&self.bound, cluster, |placement| {
            self.decisions.get(placement).is_some_and(|clusters| clusters.contains(cluster))
        })
    }

    /// The replicated policy of a cluster; `None` where it is not placed.
    fn replicated(&self, cluster: &str) -> Result<Option<Value>, String> {
        let clusters: Vec<ManagedCluster> = of_kind(&self.objects, "ManagedCluster");
        let Some(managed) = clusters.iter().find(|managed| managed.metadata.name == cluster) else {
            return Ok(None);
        };
        let placed = self.placed(cluster);
        if placed == Placed::No {
            return Ok(None);
        }
        let hub: Arc<dyn Lookup> = Arc::new(ObjectLookup::new(self.objects.clone()));
        let preset = &self.expected["preset_replicated_annotations"][cluster];
        let vector =
            preset[encryption::VECTOR_ANNOTATION].as_str().and_then(|text| encryption::vector(text).ok());
        let sets = self.sets();
        let account =
            self.policy.spec.other.get("hubTemplateOptions").and_then(|of| of.get("serviceAccountName"));
        let subject = Subject {
            policy: &self.policy,
            cluster: managed,
            facts: &ClusterFacts { name: cluster.to_owned(), ..ClusterFacts::default() },
            enforced_by_binding: placed == Placed::Enforced,
            hub: hub.clone(),
            observed: Arc::new(EmptyCluster),
            inventory: &Inventory::default(),
            unreachable: None,
            compliance: &|_, _| None,
            policies_of_set: &|namespace, name| {
                let set = sets
                    .iter()
                    .find(|set| set.metadata.namespace == namespace && set.metadata.name == name)?;
                Some(set.spec.policies.clone())
            },
            // The rights of the account are the API server's matter.
            hub_as: account.map(|_| Ok(hub.clone())),
            vector,
            ambient: Ambient::default(),
        };
        match evaluate(&subject, &Renderer::default()) {
            Evaluation::Ready(evaluated) => Ok(Some(evaluated.replicated)),
            Evaluation::Waiting { .. } => Err("the evaluation waits for look-ups".to_owned()),
        }
    }

    fn root_status(&self) -> Value {
        let disabled = self.policy.spec.disabled;
        let clusters: BTreeSet<&String> = self.decisions.values().flatten().collect();
        let on = clusters.into_iter().filter(|cluster| self.placed(cluster) != Placed::No);
        let on = on.map(|cluster| (cluster.clone(), None)).collect();
        let placement = placement_status(&self.bound, disabled, |placement| self.decisions.get(placement));
        json!(root_status(&PolicyStatus::default(), &placement, &on, &BTreeMap::new()))
    }
}

fn same(what: &str, found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:#}\nexpected {expected:#}")) }
}

/// `Kind:name` of dependencies, sorted.
fn kinds_and_names(dependencies: &Value) -> Value {
    let mut found: Vec<String> = dependencies
        .as_array()
        .into_iter()
        .flatten()
        .map(|of| {
            format!("{}:{}", of["kind"].as_str().unwrap_or_default(), of["name"].as_str().unwrap_or_default())
        })
        .collect();
    found.sort();
    json!(found)
}

fn sorted(names: &Value) -> Value {
    let mut names: Vec<String> = serde_json::from_value(names.clone()).unwrap();
    names.sort();
    json!(names)
}

fn check_replicated(found: Option<&Value>, expected: &Value) -> Result<(), String> {
    let Some(found) = found else {
        return if expected["absent"] == json!(true) { Ok(()) } else { Err("it is not placed".to_owned()) };
    };
    let metadata = &found["metadata"];
    let entries = |of: &Value| of.as_object().cloned().unwrap_or_default();
    let names = |of: &Value| match of {
        Value::Object(fields) => fields.keys().cloned().collect(),
        other => serde_json::from_value::<Vec<String>>(other.clone()).unwrap_or_default(),
    };
    for (key, wanted) in expected.as_object().unwrap() {
        match key.as_str() {
            "absent" if wanted == &json!(true) => return Err("it is placed".to_owned()),
            "absent" | "note" => {}
            "name" => same("name", &metadata["name"], wanted)?,
            "spec_equals" => same("spec", &found["spec"], wanted)?,
            "paths" => {
                for (path, wanted) in entries(wanted) {
                    same(&path, found.pointer(&path).unwrap_or(&Value::Null), &wanted)?;
                }
            }
            "paths_contain" => {
                for (path, wanted) in entries(wanted) {
                    let text = found.pointer(&path).and_then(Value::as_str).unwrap_or_default();
                    let parts = match &wanted {
                        Value::Array(parts) => parts.clone(),
                        part => vec![part.clone()],
                    };
                    if !parts.iter().all(|part| text.contains(part.as_str().unwrap_or("no text"))) {
                        return Err(format!("{path}: found {text:?}, expected {wanted}"));
                    }
                }
            }
            "paths_absent" => {
                if let Some(path) = names(wanted).iter().find(|path| found.pointer(path).is_some()) {
                    return Err(format!("{path} is there"));
                }
            }
            "annotations_include" | "labels_include" => {
                let field = key.split('_').next().unwrap_or_default();
                for (name, wanted) in entries(wanted) {
                    let value = &metadata[field][&name];
                    if wanted == json!("<non-empty>") && !value.is_null() {
                        continue;
                    }
                    same(&name, value, &wanted)?;
                }
            }
            "annotations_absent" | "labels_absent" => {
                let field = key.split('_').next().unwrap_or_default();
                if let Some(name) =
                    names(wanted).iter().find(|name| !metadata[field][name.as_str()].is_null())
                {
                    return Err(format!("{field}: {name} is there"));
                }
            }
            "dependencies_kind_name_in_any_order" => {
                same(key, &kinds_and_names(&found["spec"]["dependencies"]), &sorted(wanted))?;
            }
            "extraDependencies_kind_name_in_any_order" => {
                let extra = &found["spec"]["policy-templates"][0]["extraDependencies"];
                same(key, &kinds_and_names(extra), &sorted(wanted))?;
            }
            other => return Err(format!("the case asks for {other:?}, which is not known")),
        }
    }
    Ok(())
}

fn run(folder: &Path) -> Result<(), String> {
    let hub = Hub::read(folder);
    for (cluster, expected) in hub.expected["replicated"].as_object().into_iter().flatten() {
        let found = hub.replicated(cluster).map_err(|fault| format!("{cluster}: {fault}"))?;
        check_replicated(found.as_ref(), expected).map_err(|fault| format!("{cluster}: {fault}"))?;
    }
    if let Some(expected) = hub.expected.get("root_status").and_then(Value::as_object) {
        let found = hub.root_status();
        for (field, wanted) in expected {
            same(&format!("root status {field}"), &found[field], wanted)?;
        }
    }
    Ok(())
}

#[test]
fn policies_are_replicated() {
    let results: Vec<_> =
        cases::folders("hub", "").iter().map(|folder| (cases::name(folder), run(folder))).collect();
    cases::all_agree("hub", &results);
}

fn canonicalized(row: &Value) -> Result<(), String> {
    let input: Vec<Dependency> = serde_json::from_value(row["input"].clone()).unwrap();
    let expected: Vec<Dependency> = serde_json::from_value(row["expected"].clone()).unwrap();
    let found = canonical(&input, row["root_namespace"].as_str().unwrap(), |namespace, name| {
        let sets = row["policysets"].as_array().unwrap();
        let set = sets.iter().find(|set| set["namespace"] == namespace && set["name"] == name)?;
        serde_json::from_value(set["policies"].clone()).ok()
    });
    same("dependencies", &json!(found), &json!(expected))
}

#[test]
fn dependencies_are_named_as_on_clusters() {
    let results: Vec<_> = cases::rows("hub/canonicalize_dependencies.jsonl")
        .iter()
        .map(|row| (row["id"].as_str().unwrap().to_owned(), canonicalized(row)))
        .collect();
    cases::all_agree("hub/canonicalize_dependencies", &results);
}
