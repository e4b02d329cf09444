//! The steps of a case, in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flotilla::api::object::{GroupVersionKind, Manifest, ObjectKey};
use flotilla::yaml;
use serde_json::{Value, json};

use super::Case;
use super::expect;
use super::ground::{Ground, NAMESPACE, patience};
use super::objects::{LOOK, Objects};
use crate::support::read;

/// For how long something is watched that must stay as it is. Everything that could change it wakes the driver at once, or
/// is tried again well within this.
const STAYS: Duration = Duration::from_millis(1500);

/// What a case remembers from step to step.
#[derive(Default)]
pub(super) struct Memory {
    /// Statuses as an expectation last saw them, by policy.
    pub(super) statuses: BTreeMap<String, Value>,
    /// Uids as first seen, by object.
    pub(super) uids: BTreeMap<ObjectKey, String>,
}

/// Runs a case.
pub(super) async fn run(case: &Case, ground: &Ground) -> Result<(), String> {
    let mut memory = Memory::default();
    let steps = case.content["steps"].as_array().cloned().unwrap_or_default();
    for (number, step) in steps.iter().enumerate() {
        take(case, step, ground, &mut memory)
            .await
            .map_err(|fault| format!("step {}: {fault}", number + 1))?;
    }
    Ok(())
}

async fn take(case: &Case, step: &Value, ground: &Ground, memory: &mut Memory) -> Result<(), String> {
    let objects = &ground.objects;
    let default = step["namespace"].as_str().unwrap_or("default");
    for file in list(&step["apply"]) {
        if let Some(file) = file.as_str().filter(|file| !file.starts_with("inline")) {
            for document in documents(case, file) {
                apply(document, default, ground, memory).await?;
            }
        }
    }
    for document in list(&step["inline"]) {
        apply(document.clone(), default, ground, memory).await?;
    }
    for document in generated(&step["inline_generate"])? {
        apply(document, default, ground, memory).await?;
    }
    for file in list(&step["apply_policy"]) {
        let policies = match file.as_str() {
            Some(file) => documents(case, file),
            None => vec![file.clone()],
        };
        for mut policy in policies {
            if policy["kind"] == json!("ConfigurationPolicy") {
                without_owner(&mut policy);
                policy["metadata"]["namespace"] = json!(NAMESPACE);
            }
            apply(policy, default, ground, memory).await?;
        }
    }
    if let Some(patch) = step.get("patch") {
        let patches = if patch.is_array() { list(patch) } else { vec![patch] };
        for patch in patches {
            apply_patch(patch, objects).await?;
            let then = step["then"].as_str().unwrap_or_default();
            if then.contains("gone") {
                objects.gone(&key_of(&patch["target"])?, patience()).await?;
            }
        }
    }
    for target in list(&step["delete"]) {
        delete(key_of(target)?, step, objects).await?;
    }
    for name in list(&step["delete_policy"]) {
        let name =
            name.as_str().or(name["name"].as_str()).ok_or("a policy without a name is to be deleted")?;
        delete(policy_key(name), step, objects).await?;
    }
    match step.get("expect") {
        Some(expected) => expectation(expected, ground, memory).await,
        None => Ok(()),
    }
}

async fn apply(
    mut document: Value,
    namespace: &str,
    ground: &Ground,
    memory: &mut Memory,
) -> Result<(), String> {
    let kind = GroupVersionKind::new(
        document["apiVersion"].as_str().unwrap_or_default(),
        document["kind"].as_str().unwrap_or_default(),
    );
    if document["metadata"]["namespace"].is_null() && ground.objects.is_namespaced(&kind).await? {
        document["metadata"]["namespace"] = json!(namespace);
    }
    let manifest = Manifest::parse(document).map_err(|error| error.to_string())?;
    let key = manifest.key().ok_or("an object without a name is to be applied")?;
    ground.touched.lock().unwrap().insert(key.clone());
    let applied = ground.objects.apply(&manifest).await?;
    memory.uids.entry(key).or_insert_with(|| applied.uid().unwrap_or_default().to_owned());
    Ok(())
}

/// A policy of a case may belong to one that is not there.
fn without_owner(policy: &mut Value) {
    if let Some(metadata) = policy["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
    }
}

async fn delete(key: ObjectKey, step: &Value, objects: &Arc<Objects>) -> Result<(), String> {
    objects.delete(&key).await?;
    if step["wait"] == json!(false) { Ok(()) } else { objects.gone(&key, patience()).await }
}

async fn apply_patch(patch: &Value, objects: &Arc<Objects>) -> Result<(), String> {
    let key = key_of(&patch["target"])?;
    match patch["type"].as_str().unwrap_or("merge") {
        "json" => {
            let operations: json_patch::Patch =
                serde_json::from_value(patch["patch"].clone()).map_err(|error| error.to_string())?;
            objects
                .change(&key, |mut value| {
                    json_patch::patch(&mut value, &operations).map_err(|error| error.to_string())?;
                    Ok(value)
                })
                .await
        }
        _ => objects.merge(&key, &patch["patch"]).await,
    }
}

/// Waits until everything is as expected, and that it stays so where that is asked for.
async fn expectation(expected: &Value, ground: &Ground, memory: &mut Memory) -> Result<(), String> {
    let before = memory.statuses.clone();
    let began = Instant::now();
    let seen = loop {
        let seen = expect::Seen::look(expected, &ground.objects, memory).await?;
        match seen.agrees(expected, &before, memory) {
            Ok(()) => break seen,
            Err(fault) if began.elapsed() > patience() => return Err(fault),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    };
    let steady = ["consistently_s", "history_stable_s"].iter().any(|key| expected[*key].as_f64().is_some());
    let mut last = seen;
    if steady {
        let history = last.history_length();
        let began = Instant::now();
        while began.elapsed() < STAYS {
            tokio::time::sleep(LOOK).await;
            last = expect::Seen::look(expected, &ground.objects, memory).await?;
            last.agrees(expected, &before, memory).map_err(|fault| format!("it does not stay: {fault}"))?;
            if expected["history_stable_s"].as_f64().is_some() && last.history_length() != history {
                return Err(format!("the history grows: {:#}", last.status()));
            }
        }
    }
    last.remember(expected, memory);
    Ok(())
}

/// Objects that a case describes by a pattern: `count` of them, their number in place of `{i}`, `{n}`, `%d` or `$i`.
fn generated(pattern: &Value) -> Result<Vec<Value>, String> {
    let patterns = match pattern {
        Value::Null => return Ok(Vec::new()),
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    let mut all = Vec::new();
    for pattern in patterns {
        let count = ["count", "n", "number"].iter().find_map(|key| pattern[*key].as_u64());
        let object = ["object", "template", "manifest"].iter().find_map(|key| pattern.get(*key));
        let (Some(count), Some(object)) = (count, object) else {
            return Err(format!("not known how to generate {pattern}"));
        };
        let first = ["start", "from", "first"].iter().find_map(|key| pattern[*key].as_u64()).unwrap_or(0);
        let text = object.to_string();
        for number in first..first + count {
            let mut text = text.clone();
            for mark in ["{i}", "{n}", "{index}", "%d", "$i"] {
                text = text.replace(mark, &number.to_string());
            }
            all.push(serde_json::from_str(&text).map_err(|error| error.to_string())?);
        }
    }
    Ok(all)
}

fn documents(case: &Case, file: &str) -> Vec<Value> {
    let all = yaml::read_documents(&read(&case.folder.join(file))).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    }
}

pub(super) fn policy_key(name: &str) -> ObjectKey {
    ObjectKey {
        gvk: GroupVersionKind::new("policy.open-cluster-management.io/v1", "ConfigurationPolicy"),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}

/// The object that a step names. A kind without an `apiVersion` is one of those that the cases mean so.
pub(super) fn key_of(target: &Value) -> Result<ObjectKey, String> {
    let text = |field: &str| target[field].as_str().filter(|text| !text.is_empty());
    let kind = text("kind").ok_or_else(|| format!("no kind: {target}"))?;
    let api_version = text("apiVersion").unwrap_or(match kind {
        "ConfigurationPolicy" => "policy.open-cluster-management.io/v1",
        "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" => "apps/v1",
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => "rbac.authorization.k8s.io/v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "Ingress" | "NetworkPolicy" => "networking.k8s.io/v1",
        _ => "v1",
    });
    Ok(ObjectKey {
        gvk: GroupVersionKind::new(api_version, kind),
        namespace: text("namespace").map(ToOwned::to_owned),
        name: text("name").ok_or_else(|| format!("no name: {target}"))?.to_owned(),
    })
}
