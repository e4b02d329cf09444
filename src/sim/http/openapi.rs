//! As much of the `OpenAPI` documents as clients need before they write: which kinds there are, and that `PATCH` knows
//! `fieldValidation`. Without it, kubectl would check manifests itself against schemas that are not here.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::super::kinds::{Kind, Scope};
use super::super::status::ApiError;
use super::json_response;
use super::request::Call;

/// `/openapi/v2`: an empty document; in the protobuf form that kubectl asks for, that is an empty body.
pub(super) fn v2(call: &Call) -> Response {
    if super::header(&call.headers, &axum::http::header::ACCEPT).contains("protobuf") {
        return ([(CONTENT_TYPE, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")], "")
            .into_response();
    }
    json_response(
        StatusCode::OK,
        &json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": super::GIT_VERSION}, "paths": {},
            "definitions": {}}),
    )
}

/// `/openapi/v3`.
pub(super) fn v3_index(call: &Call) -> Response {
    let kinds = call.server.store().kinds();
    let paths: Map<String, Value> = kinds
        .group_versions()
        .map(|((group, version), _)| {
            let path = group_version_path(group, version);
            let relative = format!("/clusters/{}/openapi/v3/{path}", call.server.name());
            (path, json!({"serverRelativeURL": relative}))
        })
        .collect();
    json_response(StatusCode::OK, &json!({"paths": paths}))
}

fn group_version_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3/apis/<group>/<version>`.
pub(super) fn v3(call: &Call, group: &str, version: &str) -> Result<Response, ApiError> {
    let kinds = call.server.store().kinds();
    let wanted = (group.to_owned(), version.to_owned());
    let (_, of_version) =
        kinds.group_versions().find(|(found, _)| **found == wanted).ok_or(ApiError::UnknownPath)?;
    let base = group_version_path(group, version);
    let paths: Map<String, Value> =
        of_version.values().map(|kind| (object_path(&base, kind), operations(kind))).collect();
    let document = json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": super::GIT_VERSION},
        "paths": paths, "components": {"schemas": {}}});
    Ok(json_response(StatusCode::OK, &document))
}

fn object_path(base: &str, kind: &Kind) -> String {
    match kind.scope {
        Scope::Cluster => format!("/{base}/{}/{{name}}", kind.plural),
        Scope::Namespaced => format!("/{base}/namespaces/{{namespace}}/{}/{{name}}", kind.plural),
    }
}

fn operations(kind: &Kind) -> Value {
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    json!({"patch": {
        "operationId": format!("patch{}{}", kind.version, kind.kind),
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation"),
            parameter("force")],
        "responses": {"200": {"description": "OK"}},
    }})
}
