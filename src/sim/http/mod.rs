//! The Kubernetes API over HTTP: from a request to the store and back. No rule about objects lives here.

mod discovery;
mod list;
mod openapi;
mod output;
mod protobuf;
mod request;
mod review;
mod selectors;
mod table;
mod table_cells;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::faults::Fault;
use super::kinds::Origin;
use super::server::Server;
use super::status::ApiError;
use request::{Call, Query, Target};

/// Largest body that a server reads, bytes (the API server's limit).
const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// The Kubernetes version that the servers claim.
const GIT_VERSION: &str = "v1.36.0";

/// All servers of a stage by name.
pub(super) type Servers = Arc<BTreeMap<String, Arc<Server>>>;

/// The service for all servers: each under `/clusters/<name>`.
pub(super) fn router(servers: Servers) -> Router {
    Router::new().fallback(handle).with_state(servers)
}

async fn handle(State(servers): State<Servers>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let found = path.strip_prefix("/clusters/").and_then(|rest| {
        let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
        Some((Arc::clone(servers.get(name)?), path.to_owned()))
    });
    let Some((server, path)) = found else { return refusal(&ApiError::UnknownPath) };
    match answer(&server, &path, request).await {
        Ok(response) => response,
        Err(error) => refusal(&error),
    }
}

async fn answer(server: &Arc<Server>, path: &str, request: Request) -> Result<Response, ApiError> {
    meet_faults(server).await?;
    let (parts, body) = request.into_parts();
    let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !server.admits(authorization) {
        return Err(ApiError::Unauthorized);
    }
    let body = axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|error| ApiError::BadRequest(format!("failed to read the body: {error}")))?;
    let query = Query::parse(&parts.uri);
    let segments: Vec<String> =
        path.split('/').filter(|part| !part.is_empty()).map(request::percent_decode).collect();
    let call = Call { server: Arc::clone(server), method: parts.method, query, headers: parts.headers, body };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    route(&call, &segments)
}

fn route(call: &Call, segments: &[&str]) -> Result<Response, ApiError> {
    match segments {
        [] => Ok(json_response(StatusCode::OK, &json!({"paths": ["/api", "/apis", "/healthz", "/version"]}))),
        ["version"] => Ok(json_response(StatusCode::OK, &version())),
        ["healthz" | "readyz" | "livez", ..] => Ok("ok".into_response()),
        ["api"] => Ok(discovery::core(call)),
        ["apis"] => Ok(discovery::groups(call)),
        ["apis", group] => discovery::group(call, group),
        ["api", version] => discovery::resources(call, "", version),
        ["apis", group, version] => discovery::resources(call, group, version),
        ["openapi", "v2"] => Ok(openapi::v2(call)),
        ["openapi", "v3"] => Ok(openapi::v3_index(call)),
        ["openapi", "v3", "api", version] => openapi::v3(call, "", version),
        ["openapi", "v3", "apis", group, version] => openapi::v3(call, group, version),
        ["api", version, rest @ ..] => resource(call, "", version, rest),
        ["apis", group, version, rest @ ..] => resource(call, group, version, rest),
        _ => Err(ApiError::UnknownPath),
    }
}

fn resource(call: &Call, group: &str, version: &str, rest: &[&str]) -> Result<Response, ApiError> {
    let kinds = call.server.store().kinds();
    let target = Target::parse(&kinds, group, version, rest)?;
    if call.server.faults().forbids(&target.kind.kind) {
        let problem = "the user may not touch this kind".to_owned();
        return Err(ApiError::Forbidden { subject: target.subject(), problem, terminating: None });
    }
    if target.kind.origin == Origin::Review {
        return review::answer(call, &target);
    }
    match (&call.method, target.name.is_some()) {
        (&Method::GET, _) if call.query.flag("watch") => watch::watch(call, &target),
        (&Method::GET, false) => list::list(call, &target),
        (&Method::GET, true) => list::get(call, &target),
        (&Method::POST, false) => write::create(call, &target),
        (&Method::PUT, true) => write::replace(call, &target),
        (&Method::PATCH, true) => write::patch(call, &target),
        (&Method::DELETE, true) => write::delete(call, &target),
        (&Method::DELETE, false) => write::delete_collection(call, &target),
        _ => Err(ApiError::MethodNotAllowed),
    }
}

async fn meet_faults(server: &Server) -> Result<(), ApiError> {
    let mut faults = server.faults().subscribe();
    let fault = faults.borrow().fault;
    match fault {
        Fault::None if server.faults().take_busy() => Err(ApiError::Busy),
        Fault::None => Ok(()),
        Fault::Refuse => Err(ApiError::Unavailable),
        Fault::Unauthorized => Err(ApiError::Unauthorized),
        Fault::Hang => {
            tokio::select! {
                () = server.stop().cancelled() => {}
                _ = faults.wait_for(|state| state.fault != Fault::Hang) => {}
            }
            Err(ApiError::Unavailable)
        }
    }
}

fn version() -> Value {
    json!({"major": "1", "minor": "36", "gitVersion": GIT_VERSION, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64"})
}

fn json_response(code: StatusCode, value: &Value) -> Response {
    typed_response(code, "application/json", value)
}

fn typed_response(code: StatusCode, content_type: &str, value: &Value) -> Response {
    let response = Response::builder().status(code).header(CONTENT_TYPE, content_type);
    response
        .body(Body::from(value.to_string()))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn refusal(error: &ApiError) -> Response {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_response(code, &error.to_status())
}

/// A header as text, empty when absent.
fn header<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
