//! The Kubernetes API over HTTP: from a request to the store and back. No rule about objects lives here.

mod decode;
mod discovery;
mod list;
mod openapi;
mod options;
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
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::faults::Fault;
use super::kinds::{CORE, Origin};
use super::server::Server;
use super::status::{ApiError, Subject};
use request::{Call, Endpoint, Query, Target};

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
    match route(&call, &segments) {
        Err(ApiError::UnknownPath) if !is_built_in(&segments) => Err(ApiError::NoPage),
        other => other,
    }
}

/// Whether a path belongs to a group that is part of the server: there an unknown one is answered with a `Status`.
fn is_built_in(segments: &[&str]) -> bool {
    match segments {
        ["api", ..] => true,
        ["apis", group, _, _, ..] => CORE.iter().any(|row| row.group == *group),
        _ => false,
    }
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
        ["api", version, "watch", rest @ ..] => resource(call, "", version, rest, true),
        ["apis", group, version, "watch", rest @ ..] => resource(call, group, version, rest, true),
        ["api", version, rest @ ..] => resource(call, "", version, rest, false),
        ["apis", group, version, rest @ ..] => resource(call, group, version, rest, false),
        _ => Err(ApiError::UnknownPath),
    }
}

fn resource(
    call: &Call,
    group: &str,
    version: &str,
    rest: &[&str],
    watch: bool,
) -> Result<Response, ApiError> {
    let kinds = call.server.store().kinds();
    let target = Target::parse(&kinds, group, version, rest)?;
    if call.server.faults().forbids(&target.kind.kind) {
        let problem = "the user may not touch this kind".to_owned();
        return Err(ApiError::Forbidden { subject: target.subject(), problem, terminating: None });
    }
    if target.kind.origin == Origin::Review {
        return review::answer(call, &target);
    }
    let custom = target.kind.origin == Origin::Custom;
    let main = target.endpoint == Endpoint::Main;
    match (&call.method, target.name.is_some()) {
        (&Method::GET, _) if watch => watch::watch(call, &target),
        (&Method::GET, false) if call.query.flag("watch") => watch::watch(call, &target),
        (&Method::GET, false) => list::list(call, &target),
        (&Method::GET, true) => list::get(call, &target),
        (&Method::POST, false) => write::create(call, &target),
        (&Method::POST, true) if custom && main => write::create(call, &target),
        (&Method::PUT, true) => write::replace(call, &target),
        (&Method::PATCH, true) => write::patch(call, &target),
        (&Method::PUT | &Method::PATCH, false) if custom => {
            Err(ApiError::BadRequest("name must be provided".to_owned()))
        }
        (&Method::DELETE, true) if main => write::delete(call, &target),
        (&Method::DELETE, false) if !target.kind.is("", "Namespace") => {
            write::delete_collection(call, &target)
        }
        (method @ (&Method::POST | &Method::DELETE), _) if custom => {
            let verb = if *method == Method::POST { "create" } else { "delete" };
            Err(ApiError::VerbNotSupported { verb, subject: Subject::new(&target.kind, "") })
        }
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
    match error {
        ApiError::NoPage => {
            let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
            (code, kind, format!("{error}\n")).into_response()
        }
        ApiError::TooLargeVersion { .. } => {
            ([(RETRY_AFTER, "1")], json_response(code, &error.to_status())).into_response()
        }
        ApiError::Warned { warnings, .. } => with_warnings(json_response(code, &error.to_status()), warnings),
        other => json_response(code, &other.to_status()),
    }
}

/// Adds the `Warning` headers of an answer.
fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings {
        let text = format!("299 - {}", Value::String(warning.clone()));
        // A text that no header can carry is left out.
        if let Ok(text) = HeaderValue::from_str(&text) {
            response.headers_mut().append(WARNING, text);
        }
    }
    response
}

/// A header as text, empty when absent.
fn header<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
