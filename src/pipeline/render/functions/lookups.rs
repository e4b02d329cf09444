//! Functions that read objects of a snapshot, and cluster claims.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::engine::go::Parameter::Text;
use super::super::engine::go::{Function, Value, fixed, variadic};
use super::super::go_json;
use super::super::session::Session;
use super::{ok_text, text};
use crate::api::object::{GroupVersionKind, Manifest};
use crate::api::selector::{Requirement, parse_text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("copyConfigMapData", &[Text, Text], |session, a| copy(session, a, Kind::ConfigMap)).naming_only(),
    fixed("copySecretData", &[Text, Text], |session, a| copy(session, a, Kind::Secret)).naming_only(),
    fixed("fromClusterClaim", &[Text], from_cluster_claim).naming_only(),
    fixed("fromConfigMap", &[Text, Text, Text], |session, a| from(session, a, Kind::ConfigMap)).naming_only(),
    fixed("fromSecret", &[Text, Text, Text], |session, a| from(session, a, Kind::Secret)).naming_only(),
    variadic("getNodesWithExactRoles", &[], Text, |session, a| {
        Ok(list_of(nodes(session, a)?.into_iter().map(Value::Object).collect()))
    })
    .naming_only(),
    variadic("hasNodesWithExactRoles", &[], Text, |session, a| {
        Ok(Value::Bool(!nodes(session, a)?.is_empty()))
    })
    .naming_only(),
    variadic("lookup", &[Text, Text, Text, Text], Text, lookup).naming_only(),
    fixed("lookupClusterClaim", &[Text], |session, a| {
        ok_text(cluster_claim(session, text(a, 0))?.unwrap_or_default())
    })
    .naming_only(),
];

/// The two kinds whose data templates copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// The start of an error text.
    fn failed(self, namespace: &str, name: &str) -> String {
        match self {
            Self::ConfigMap => format!("failed getting the ConfigMap {name} from {namespace}"),
            Self::Secret => format!("failed to get the secret {name} from {namespace}"),
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
        }
    }
}

fn is_secret(gvk: &GroupVersionKind) -> bool {
    gvk.same_kind("", "Secret")
}

/// Remembers the values of a Secret.
fn note_secret(session: &mut Session<'_>, object: &Manifest) {
    session.sensitive = true;
    for field in ["data", "stringData"] {
        let values = object.at(&[field]).and_then(Json::as_object).into_iter().flatten();
        for value in values.filter_map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()) {
            session.note_secret(value);
        }
    }
}

fn lookup(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let (api_version, kind) = (text(arguments, 0), text(arguments, 1));
    let (namespace, name) = (text(arguments, 2), text(arguments, 3));
    if api_version.is_empty() || kind.is_empty() {
        return Err("the apiVersion and kind are required".to_owned());
    }
    let gvk = GroupVersionKind::new(api_version, kind);
    if is_secret(&gvk) {
        session.sensitive = true;
    }
    if !name.is_empty() {
        let found = session.get(&gvk, namespace, name)?;
        if let Some(object) = found.as_deref().filter(|_| is_secret(&gvk)) {
            note_secret(session, object);
        }
        return Ok(found.map_or_else(|| Value::map([]), Value::Object));
    }
    let selectors: Vec<&str> = arguments[4..].iter().filter_map(Value::as_text).collect();
    let requirements = match selectors.first() {
        // Whatever follows an empty first selector is not read.
        None | Some(&"") => Vec::new(),
        Some(_) => parse_text(&selectors.join(",")).map_err(|error| error.to_string())?,
    };
    let objects = session.list(&gvk, namespace)?.unwrap_or_default();
    let mut items = Vec::new();
    for object in objects {
        if selected(&requirements, &object) {
            if is_secret(&gvk) {
                note_secret(session, &object);
            }
            items.push(Value::Object(object));
        }
    }
    Ok(list_of(items))
}

fn selected(requirements: &[Requirement], object: &Manifest) -> bool {
    if requirements.is_empty() {
        return true;
    }
    let labels = object.labels();
    requirements.iter().all(|requirement| requirement.matches(&labels))
}

/// A list as upstream's cache gives it: nothing but its items.
fn list_of(items: Vec<Value>) -> Value {
    Value::map([(Arc::from("items"), items.into())])
}

/// The object behind `fromSecret` and its kin. `Ok(None)`: not known yet.
fn source(
    session: &mut Session<'_>,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Result<Option<Arc<Manifest>>, String> {
    let gvk = GroupVersionKind::new("v1", kind.name());
    let failed = |reason: &str| format!("{}: {reason}", kind.failed(namespace, name));
    match session.get(&gvk, namespace, name) {
        Ok(Some(object)) => Ok(Some(object)),
        Ok(None) if session.is_pending() => Ok(None),
        Ok(None) => Err(failed(&format!("{} \"{name}\" not found", kind.resource()))),
        Err(reason) => Err(failed(&reason)),
    }
}

/// An empty namespace stands for the restricted one; without a restriction it is an error.
fn lacks(session: &Session<'_>, namespace: &str, others: &[&str]) -> bool {
    others.iter().any(|other| other.is_empty()) || session.namespace(namespace) == Ok("")
}

/// `fromSecret` and `fromConfigMap`.
fn from(session: &mut Session<'_>, arguments: &[Value], kind: Kind) -> Result<Value, String> {
    let (namespace, name, key) = (text(arguments, 0), text(arguments, 1), text(arguments, 2));
    if lacks(session, namespace, &[name, key]) {
        return Err("the input is invalid: namespace, name, and key must be specified".to_owned());
    }
    let Some(object) = source(session, kind, namespace, name)? else { return ok_text("") };
    let value = object.text_at(&["data", key]).unwrap_or_default();
    if kind == Kind::ConfigMap {
        return ok_text(value);
    }
    ok_text(session.secret(value)?)
}

/// `copySecretData` and `copyConfigMapData`: all data as one line of JSON.
fn copy(session: &mut Session<'_>, arguments: &[Value], kind: Kind) -> Result<Value, String> {
    let (namespace, name) = (text(arguments, 0), text(arguments, 1));
    if lacks(session, namespace, &[name]) {
        return Err("the input is invalid: namespace and name must be specified".to_owned());
    }
    let Some(object) = source(session, kind, namespace, name)? else { return ok_text("{}") };
    let data: BTreeMap<String, String> = object
        .at(&["data"])
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let mut copied = serde_json::Map::new();
    for (key, value) in data {
        let value = if kind == Kind::Secret { session.secret(&value)? } else { value };
        copied.insert(key, Json::String(value));
    }
    ok_text(go_json::encode(&Json::Object(copied), true))
}

/// A claim's value; on the hub there are only `ClusterClaims` of the hub itself, which are out of reach.
fn cluster_claim(session: &mut Session<'_>, name: &str) -> Result<Option<String>, String> {
    if name.is_empty() {
        return Err("a claim name must be provided".to_owned());
    }
    if let Some(claims) = session.claims() {
        return Ok(claims.get(name).cloned());
    }
    let gvk = GroupVersionKind::new("cluster.open-cluster-management.io/v1alpha1", "ClusterClaim");
    let found = session.get(&gvk, "", name)?;
    Ok(found.and_then(|claim| claim.text_at(&["spec", "value"]).map(ToOwned::to_owned)))
}

fn from_cluster_claim(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let name = text(arguments, 0);
    match cluster_claim(session, name)? {
        Some(value) => ok_text(value),
        None if session.is_pending() => ok_text(""),
        None => Err(format!("clusterclaims.cluster.open-cluster-management.io \"{name}\" not found")),
    }
}

const ROLE: &str = "node-role.kubernetes.io";

fn node_kind() -> GroupVersionKind {
    GroupVersionKind::new("v1", "Node")
}

/// Nodes that have all of the roles and no other; `worker` never counts.
fn nodes(session: &mut Session<'_>, arguments: &[Value]) -> Result<Vec<Arc<Manifest>>, String> {
    let roles = arguments.iter().filter_map(Value::as_text).filter(|role| !role.trim().is_empty());
    let roles: Vec<String> = roles.map(|role| format!("{ROLE}/{role}")).collect();
    if roles.is_empty() {
        return Err("the input is invalid: at least one name must be specified".to_owned());
    }
    let worker = format!("{ROLE}/worker");
    let mut nodes = session.list(&node_kind(), "")?.unwrap_or_default();
    nodes.retain(|node| {
        let labels = node.labels();
        let mut own = labels.keys().filter(|label| label.starts_with(ROLE) && **label != worker);
        roles.iter().all(|role| labels.contains_key(role)) && own.all(|role| roles.contains(role))
    });
    Ok(nodes)
}
