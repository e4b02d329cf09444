//! What the server offers: the aggregated discovery documents and the older one per group.

use axum::http::StatusCode;
use axum::http::header::ACCEPT;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::kinds::{Kind, Kinds, Origin, Scope};
use super::super::status::ApiError;
use super::request::Call;
use super::{header, json_response, typed_response};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// Custom kinds tell the same in another order.
const CUSTOM_VERBS: &[&str] =
    &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/// A namespace is deleted one by one.
const NAMESPACE_VERBS: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const SUBRESOURCE_VERBS: &[&str] = &["get", "patch", "update"];

fn wants_aggregated(call: &Call) -> bool {
    header(&call.headers, &ACCEPT).split(',').any(|choice| {
        choice.contains("as=APIGroupDiscoveryList") && choice.contains("v=v2;") || choice.ends_with("v=v2")
    })
}

/// `/api`.
pub(super) fn core(call: &Call) -> Response {
    let kinds = call.server.store().kinds();
    if wants_aggregated(call) {
        return aggregated(&kinds, str::is_empty);
    }
    let versions = json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []});
    json_response(StatusCode::OK, &versions)
}

/// `/apis`.
pub(super) fn groups(call: &Call) -> Response {
    let kinds = call.server.store().kinds();
    if wants_aggregated(call) {
        return aggregated(&kinds, |group| !group.is_empty());
    }
    let groups: Vec<Value> = kinds
        .groups()
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| legacy_group(group, versions))
        .collect();
    json_response(StatusCode::OK, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

/// `/apis/<group>`.
pub(super) fn group(call: &Call, group: &str) -> Result<Response, ApiError> {
    let kinds = call.server.store().kinds();
    let groups = kinds.groups();
    let versions = groups.get(group).filter(|_| !group.is_empty()).ok_or(ApiError::UnknownPath)?;
    let mut value = legacy_group(group, versions);
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Ok(json_response(StatusCode::OK, &value))
}

fn legacy_group(group: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
}

/// `/apis/<group>/<version>`.
pub(super) fn resources(call: &Call, group: &str, version: &str) -> Result<Response, ApiError> {
    let kinds = call.server.store().kinds();
    if !kinds.has(group, version) {
        return Err(ApiError::UnknownPath);
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let resources: Vec<Value> = of_version(&kinds, group, version)
        .flat_map(|kind| {
            let mut resource = json!({"name": kind.plural, "singularName": kind.singular,
                "namespaced": kind.scope == Scope::Namespaced, "kind": kind.kind, "verbs": verbs(kind)});
            add_names(&mut resource, kind);
            if kind.origin != Origin::Review {
                resource["storageVersionHash"] = json!(storage_version_hash(kind));
            }
            let subresources = subresources(kind).into_iter().map(|name| {
                json!({"name": format!("{}/{name}", kind.plural), "singularName": "",
                    "namespaced": kind.scope == Scope::Namespaced, "kind": kind.kind,
                    "verbs": SUBRESOURCE_VERBS})
            });
            std::iter::once(resource).chain(subresources).collect::<Vec<_>>()
        })
        .collect();
    let mut list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
    if !group.is_empty() {
        list["apiVersion"] = json!("v1");
    }
    Ok(json_response(StatusCode::OK, &list))
}

fn aggregated(kinds: &Kinds, wanted: impl Fn(&str) -> bool) -> Response {
    let groups: Vec<Value> = kinds
        .groups()
        .iter()
        .filter(|(group, _)| wanted(group))
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let resources: Vec<Value> =
                        of_version(kinds, group, version).map(aggregated_resource).collect();
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": groups});
    typed_response(StatusCode::OK, AGGREGATED, &list)
}

fn aggregated_resource(kind: &Kind) -> Value {
    let response_kind = match kind.origin {
        Origin::Custom => json!({"group": kind.group, "version": kind.version, "kind": kind.kind}),
        // The server leaves out what is said above already.
        Origin::BuiltIn | Origin::Review => json!({"group": "", "version": "", "kind": kind.kind}),
    };
    let mut resource = json!({"resource": kind.plural, "responseKind": response_kind,
        "scope": match kind.scope { Scope::Cluster => "Cluster", Scope::Namespaced => "Namespaced" },
        "singularResource": kind.singular, "verbs": verbs(kind)});
    add_names(&mut resource, kind);
    let subresources: Vec<Value> = subresources(kind)
        .into_iter()
        .map(|name| json!({"subresource": name, "responseKind": response_kind, "verbs": SUBRESOURCE_VERBS}))
        .collect();
    if !subresources.is_empty() {
        resource["subresources"] = json!(subresources);
    }
    resource
}

/// `discovery.StorageVersionHash`.
fn storage_version_hash(kind: &Kind) -> String {
    let digest = Sha256::digest(format!("{}/{}/{}", kind.group, kind.storage_version, kind.kind));
    STANDARD.encode(&digest[..8])
}

fn of_version<'a>(kinds: &'a Kinds, group: &str, version: &str) -> impl Iterator<Item = &'a Kind> {
    let wanted = (group.to_owned(), version.to_owned());
    kinds
        .group_versions()
        .filter(move |(group_version, _)| **group_version == wanted)
        .flat_map(|(_, kinds)| kinds.values().map(std::convert::AsRef::as_ref))
}

fn add_names(resource: &mut Value, kind: &Kind) {
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        resource["categories"] = json!(kind.categories);
    }
}

fn verbs(kind: &Kind) -> &'static [&'static str] {
    match kind.origin {
        Origin::Review => &["create"],
        Origin::Custom => CUSTOM_VERBS,
        Origin::BuiltIn if kind.is("", "Namespace") => NAMESPACE_VERBS,
        Origin::BuiltIn => VERBS,
    }
}

fn subresources(kind: &Kind) -> Vec<&'static str> {
    if kind.status_subresource { vec!["status"] } else { Vec::new() }
}
