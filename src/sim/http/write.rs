//! Writing: create, replace, patch, delete.

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::kinds::{Origin, Scope};
use super::super::patch;
use super::super::schema;
use super::super::status::{ApiError, Cause, Subject};
use super::super::store::{
    DeleteOptions, Deleted, Place, Preconditions, Propagation, Source, WriteOptions, Written, drop_unknown,
    go_type,
};
use super::decode;
use super::options::Options;
use super::output::{Form, ListFacts};
use super::request::{Call, Endpoint, Target};
use super::selectors::Filter;
use super::{json_response, typed_response, with_warnings};
use crate::api::object::GroupVersionKind;

/// `POST` to a collection.
pub(super) fn create(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    let namespace = target.namespace.as_deref();
    if target.kind.scope == Scope::Namespaced && namespace.is_none() {
        return Err(match target.kind.origin {
            Origin::Custom => ApiError::NoPage,
            Origin::BuiltIn | Origin::Review => ApiError::MethodNotAllowed,
        });
    }
    Options::Create.check(call)?;
    let object = call.body_object(&target.kind)?;
    decode::check_type(&call.server.store().kinds(), target, &object)?;
    let object = with_token(call, target, object);
    let duplicates = decode::duplicates(&call.body);
    let options = WriteOptions { duplicates, ..call.write_options(Endpoint::Main) };
    let written =
        call.server.store().write(|state| state.create(&target.kind, namespace, object, &options))?;
    answer(call, target, StatusCode::CREATED, &written)
}

/// Plays the controller that fills in the tokens of service accounts: there is one token, and it is filled in at once.
fn with_token(call: &Call, target: &Target, mut object: Value) -> Value {
    if target.kind.is("", "Secret") && object["type"] == "kubernetes.io/service-account-token" {
        object["data"]["token"] = json!(STANDARD.encode(call.server.token()));
    }
    object
}

/// `PUT` of an object.
pub(super) fn replace(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    Options::Update.check(call)?;
    let object = call.body_object(&target.kind)?;
    decode::check_type(&call.server.store().kinds(), target, &object)?;
    check_version(target, &object)?;
    let duplicates = decode::duplicates(&call.body);
    let options = WriteOptions { duplicates, ..call.write_options(target.endpoint) };
    let written = call
        .server
        .store()
        .write(|state| state.update(&target.kind, &target.place(), &options, |_| Ok(object)))?;
    answer(call, target, StatusCode::OK, &written)
}

/// `PATCH` of an object, in the format that the body's type names.
pub(super) fn patch(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    let media_type = call.media_type();
    let strategic = media_type == "application/strategic-merge-patch+json";
    let (kind, place) = (&target.kind, target.place());
    if media_type == "application/apply-patch+yaml" {
        Options::Patch { apply: true }.check(call)?;
        return apply(call, target, &call.body_apply()?);
    }
    let known = ["application/merge-patch+json", "application/json-patch+json"].contains(&media_type);
    match kind.origin {
        Origin::Custom if !known => return Err(ApiError::UnsupportedMediaType(CUSTOM_PATCHES.to_vec())),
        Origin::BuiltIn | Origin::Review if !known && !strategic => return Err(ApiError::UnsupportedPatch),
        Origin::Custom | Origin::BuiltIn | Origin::Review => {}
    }
    Options::Patch { apply: false }.check(call)?;
    let body = call.body_patch(if strategic { "" } else { "error decoding patch: " })?;
    let options = WriteOptions { source: Source::Patch, ..call.write_options(target.endpoint) };
    let kinds = call.server.store().kinds();
    let mut result = Value::Null;
    let change = |object: &Value| {
        let changed = match media_type {
            "application/json-patch+json" => patch::json(object, &body)?,
            "application/strategic-merge-patch+json" => patch::strategic(kind, object, &body)?,
            _ if !body.is_object() => return Err(no_mapping(&body)),
            _ => patch::merge(object, &body),
        };
        changed.clone_into(&mut result);
        decode::check_type(&kinds, target, &changed)?;
        Ok(changed)
    };
    let written = call.server.store().write(|state| state.update(kind, &place, &options, change));
    let written = written.map_err(|error| refuse_patch(strategic.then_some(&body), &result, error))?;
    answer(call, target, StatusCode::OK, &written)
}

fn no_mapping(body: &Value) -> ApiError {
    ApiError::BadRequest(format!(
        "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
        go_type(body)
    ))
}

/// Server-side apply.
fn apply(call: &Call, target: &Target, body: &Value) -> Result<Response, ApiError> {
    let (kind, place) = (&target.kind, target.place());
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("apiVersion") != kind.api_version() || text("kind") != kind.kind {
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let problem = format!("invalid object type: {group}/{version}, Kind={}", text("kind"));
        return Err(ApiError::BadRequest(problem));
    }
    if !matches!(body.get("metadata"), None | Some(Value::Null | Value::Object(_))) {
        return Err(ApiError::BadRequest("metadata must be a mapping".to_owned()));
    }
    let manager = call.query.text("fieldManager").unwrap_or_default();
    if body["metadata"]["managedFields"].as_array().is_some_and(|list| !list.is_empty()) {
        return Err(ApiError::BadRequest("metadata.managedFields must be nil".to_owned()));
    }
    check_declared(target, body)?;
    let options = WriteOptions { source: Source::Apply, ..call.write_options(target.endpoint) };
    let time = call.server.clock().text();
    let force = call.query.flag("force");
    let applier = patch::apply::Applier { manager, force, part: options.part, time: &time };
    let (created, written) = call.server.store().write(|state| {
        if state.stored(&kind.storage, &place).is_some() {
            let change = |live: &Value| patch::apply::apply(kind, Some(live), body, &applier);
            return Ok((false, state.update(kind, &place, &options, change)?));
        }
        if target.endpoint != Endpoint::Main {
            return Err(ApiError::NotFound(target.subject()));
        }
        let mut object = patch::apply::apply(kind, None, body, &applier)?;
        object["metadata"]["name"] = json!(place.name);
        Ok((true, state.create(kind, target.namespace.as_deref(), object, &options)?))
    })?;
    answer(call, target, if created { StatusCode::CREATED } else { StatusCode::OK }, &written)
}

/// An apply must fit the types of the kind before anything else is looked at.
fn check_declared(target: &Target, body: &Value) -> Result<(), ApiError> {
    let kind = &target.kind;
    let fault = match &kind.schema {
        Some(schema) => schema::typed_fault(schema, body),
        None => drop_unknown(kind, &mut body.clone())
            .first()
            .map(|field| format!(".{field}: field not declared in schema")),
    };
    let Some(fault) = fault else { return Ok(()) };
    let text = |field: &str| body["metadata"][field].as_str().unwrap_or_default();
    let api_version = if kind.group.is_empty() { format!("/{}", kind.version) } else { kind.api_version() };
    Err(ApiError::Internal(format!(
        "failed to create typed patch object ({}/{}; {api_version}, Kind={}): {fault}",
        text("namespace"),
        text("name"),
        kind.kind
    )))
}

/// Formats of patches that custom kinds read.
const CUSTOM_PATCHES: &[&str] =
    &["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

/// What a patched object is refused for when it is decoded is told as an invalid patch.
fn refuse_patch(strategic: Option<&Value>, result: &Value, error: ApiError) -> ApiError {
    let ApiError::BadRequest(message) = &error else { return error };
    let Some((_, detail)) = message.split_once(" cannot be handled as a ") else { return error };
    let detail = detail.split_once(": ").map_or(detail, |(_, detail)| detail);
    let strategic = strategic.filter(|_| detail.starts_with("strict decoding error"));
    let value = Value::String(strategic.map_or_else(|| result.to_string(), patch::go_map));
    let causes = vec![Cause::invalid("patch", &value, detail)];
    ApiError::Invalid { subject: Subject::of("", "", "", ""), causes }
}

/// `DELETE` of an object.
pub(super) fn delete(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    Options::Delete.check(call)?;
    let options = delete_options(call)?;
    let deleted = call.server.store().write(|state| state.delete(&target.kind, &target.place(), &options))?;
    sweep_soon(call, target);
    match deleted {
        // A kind that may take its time to end answers with the object even when it goes at once.
        Deleted::Gone(object) if target.kind.is("", "Pod") => {
            Ok(json_response(StatusCode::OK, &object.to_value()))
        }
        Deleted::Waiting(object) => Ok(json_response(StatusCode::OK, &object.to_value())),
        Deleted::Gone(object) => {
            let mut details = json!({"name": object.name(), "kind": target.kind.plural, "uid": object.uid()});
            if !target.kind.group.is_empty() {
                details["group"] = json!(target.kind.group);
            }
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": details});
            Ok(json_response(StatusCode::OK, &status))
        }
    }
}

/// `DELETE` of a collection.
pub(super) fn delete_collection(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    Options::Delete.check(call)?;
    let filter = Filter::parse(&call.query, target)?;
    let options = delete_options(call)?;
    let kind = &target.kind;
    let (version, items) = call.server.store().write(|state| {
        let found: Vec<Place> = state
            .range(&kind.storage, target.namespace.as_deref())
            .filter(|(_, object)| filter.keeps(object))
            .map(|(place, _)| place.clone())
            .collect();
        let mut items = Vec::new();
        for place in found {
            match state.delete(kind, &place, &options) {
                Ok(Deleted::Gone(object) | Deleted::Waiting(object)) => items.push(object),
                // An owner that went before took it along.
                Err(ApiError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((state.version(), items))
    })?;
    sweep_soon(call, target);
    let facts =
        ListFacts { resource_version: version.to_string(), continue_token: String::new(), remaining: None };
    let list = Form::Whole.list(kind, &items, &facts, call.server.clock().now());
    Ok(json_response(StatusCode::OK, &list))
}

fn sweep_soon(call: &Call, target: &Target) {
    if target.kind.is("", "Namespace") {
        call.server.sweep_soon();
    }
}

fn delete_options(call: &Call) -> Result<DeleteOptions, ApiError> {
    let body = call.body_options()?;
    let typed = |field: &str| body[field].as_str().unwrap_or_default();
    if !matches!(typed("kind"), "" | "DeleteOptions") {
        let found = GroupVersionKind::new(typed("apiVersion"), typed("kind"));
        return Err(ApiError::BadRequest(decode::not_registered(&found)));
    }
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let propagation = text(&body["propagationPolicy"])
        .or_else(|| call.query.text("propagationPolicy").map(ToOwned::to_owned))
        .unwrap_or_default();
    Options::check_deletion(&body, &propagation)?;
    let orphans = body["orphanDependents"] == true;
    Ok(DeleteOptions {
        dry_run: body["dryRun"][0] == "All" || call.query.text("dryRun") == Some("All"),
        preconditions: Preconditions {
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
        },
        propagation: match propagation.as_str() {
            "Foreground" => Propagation::Foreground,
            "Orphan" => Propagation::Orphan,
            "" if orphans => Propagation::Orphan,
            _ => Propagation::Background,
        },
    })
}

/// Custom kinds and leases cannot be replaced without saying which version.
fn check_version(target: &Target, object: &Value) -> Result<(), ApiError> {
    let kind = &target.kind;
    let conditional = kind.origin == Origin::Custom || kind.is("coordination.k8s.io", "Lease");
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if !conditional || !version.is_empty() {
        return Ok(());
    }
    let cause = Cause::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
    // The text names the resource where others name the kind.
    let subject =
        Subject::of(&kind.group, &kind.plural, &kind.plural, target.name.as_deref().unwrap_or_default());
    Err(ApiError::Invalid { subject, causes: vec![cause] })
}

fn meet_conflict(call: &Call, target: &Target) -> Result<(), ApiError> {
    if call.server.faults().take_conflict() { Err(ApiError::stale(target.subject())) } else { Ok(()) }
}

fn answer(call: &Call, target: &Target, code: StatusCode, written: &Written) -> Result<Response, ApiError> {
    let form = Form::negotiate(&call.headers, call.query.text("includeObject"))?;
    let value = form.object(&target.kind, &written.object, call.server.clock().now());
    Ok(with_warnings(typed_response(code, "application/json", &value), &written.warnings))
}
