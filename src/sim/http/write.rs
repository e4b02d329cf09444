//! Writing: create, replace, patch, delete.

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WARNING};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::kinds::Origin;
use super::super::patch;
use super::super::schema;
use super::super::status::{ApiError, Cause, Subject};
use super::super::store::{
    DeleteOptions, Deleted, FieldValidation, Place, Preconditions, Propagation, WriteOptions, Written,
};
use super::output::{Form, ListFacts};
use super::request::{Call, Endpoint, Target};
use super::selectors::Filter;
use super::{json_response, typed_response};

/// `POST` to a collection.
pub(super) fn create(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    let object = call.body_value()?;
    check_type(target, &object)?;
    let namespace = target.namespace.as_deref();
    if target.kind.scope == super::super::kinds::Scope::Namespaced && namespace.is_none() {
        return Err(ApiError::MethodNotAllowed);
    }
    let options = call.write_options(Endpoint::Main);
    let written =
        call.server.store().write(|state| state.create(&target.kind, namespace, object, &options))?;
    answer(call, target, StatusCode::CREATED, &written)
}

/// `PUT` of an object.
pub(super) fn replace(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    let object = call.body_value()?;
    check_type(target, &object)?;
    check_version(target, &object)?;
    let options = call.write_options(target.endpoint);
    let written = call
        .server
        .store()
        .write(|state| state.update(&target.kind, &target.place(), &options, |_| Ok(object)))?;
    answer(call, target, StatusCode::OK, &written)
}

/// `PATCH` of an object, in the format that the body's type names.
pub(super) fn patch(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    let body = call.body_value()?;
    let options = call.write_options(target.endpoint);
    let (kind, place) = (&target.kind, target.place());
    let store = call.server.store();
    let change: &dyn Fn(&Value) -> Result<Value, ApiError> = match call.media_type() {
        "application/merge-patch+json" => &|object| Ok(patch::merge(object, &body)),
        "application/json-patch+json" => &|object| patch::json(object, &body),
        "application/strategic-merge-patch+json" if kind.origin == Origin::BuiltIn => {
            &|object| Ok(patch::strategic(kind, object, &body))
        }
        "application/apply-patch+yaml" => return apply(call, target, &body),
        _ => return Err(ApiError::UnsupportedMediaType(accepted_patches(kind.origin))),
    };
    let written = store.write(|state| state.update(kind, &place, &options, change));
    let written = written.map_err(|error| refuse_patch(call, target, &body, error))?;
    answer(call, target, StatusCode::OK, &written)
}

/// Server-side apply.
fn apply(call: &Call, target: &Target, body: &Value) -> Result<Response, ApiError> {
    check_type(target, body)?;
    if !matches!(body.get("metadata"), None | Some(Value::Null | Value::Object(_))) {
        return Err(ApiError::BadRequest("metadata must be a mapping".to_owned()));
    }
    let (kind, place) = (&target.kind, target.place());
    let Some(manager) = call.query.text("fieldManager") else {
        let subject = Subject::of("meta.k8s.io", "patchoptions", "PatchOptions", "");
        let causes = vec![Cause::required("fieldManager", "is required for apply patch")];
        return Err(ApiError::Invalid { subject, causes });
    };
    if body["metadata"]["managedFields"].as_array().is_some_and(|list| !list.is_empty()) {
        return Err(ApiError::BadRequest("metadata.managedFields must be nil".to_owned()));
    }
    check_declared(target, body)?;
    let options = WriteOptions { applied: true, ..call.write_options(target.endpoint) };
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

/// An apply must not name fields that the schema does not know.
fn check_declared(target: &Target, body: &Value) -> Result<(), ApiError> {
    let kind = &target.kind;
    let Some(schema) = &kind.schema else { return Ok(()) };
    let unknown = schema::unknown_fields(schema, &mut body.clone());
    let Some(first) = unknown.first() else { return Ok(()) };
    let place = target.place();
    Err(ApiError::Internal(format!(
        "failed to create typed patch object ({}/{}; {}, Kind={}): .{first}: field not declared in schema",
        place.namespace,
        place.name,
        kind.api_version(),
        kind.kind
    )))
}

fn accepted_patches(origin: Origin) -> Vec<&'static str> {
    let mut accepted = vec!["application/json-patch+json", "application/merge-patch+json"];
    if origin == Origin::BuiltIn {
        accepted.push("application/strategic-merge-patch+json");
    }
    accepted.push("application/apply-patch+yaml");
    accepted
}

/// Unknown fields in a patch are told as an invalid patch.
fn refuse_patch(call: &Call, target: &Target, body: &Value, error: ApiError) -> ApiError {
    let strict = call.write_options(target.endpoint).validation == FieldValidation::Strict;
    match error {
        ApiError::BadRequest(message) if strict && message.contains("strict decoding error") => {
            let detail = message.find("strict decoding error").map_or("", |at| &message[at..]);
            let value = Value::String(body.to_string());
            let causes = vec![Cause::invalid("patch", &value, detail)];
            ApiError::Invalid { subject: target.subject(), causes }
        }
        other => other,
    }
}

/// `DELETE` of an object.
pub(super) fn delete(call: &Call, target: &Target) -> Result<Response, ApiError> {
    meet_conflict(call, target)?;
    let options = delete_options(call)?;
    let deleted = call.server.store().write(|state| state.delete(&target.kind, &target.place(), &options))?;
    sweep_soon(call, target);
    match deleted {
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
    let body = if call.body.is_empty() { json!({}) } else { call.body_value()? };
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let propagation = text(&body["propagationPolicy"])
        .or_else(|| call.query.text("propagationPolicy").map(ToOwned::to_owned))
        .unwrap_or_default();
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
            "" | "Background" => Propagation::Background,
            other => {
                return Err(ApiError::BadRequest(format!("invalid deletion propagation policy {other:?}")));
            }
        },
    })
}

fn check_type(target: &Target, object: &Value) -> Result<(), ApiError> {
    let kind = &target.kind;
    let matches = |field: &str, expected: &str| match object.get(field) {
        None | Some(Value::Null) => kind.origin == Origin::BuiltIn,
        Some(found) => found == expected,
    };
    if matches("apiVersion", &kind.api_version()) && matches("kind", &kind.kind) {
        return Ok(());
    }
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    Err(ApiError::BadRequest(format!(
        "the object provided ({}, Kind={}) does not match the resource ({}, Kind={})",
        text("apiVersion"),
        text("kind"),
        kind.api_version(),
        kind.kind
    )))
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
    Err(ApiError::Invalid { subject: target.subject(), causes: vec![cause] })
}

fn meet_conflict(call: &Call, target: &Target) -> Result<(), ApiError> {
    if call.server.faults().take_conflict() { Err(ApiError::stale(target.subject())) } else { Ok(()) }
}

fn answer(call: &Call, target: &Target, code: StatusCode, written: &Written) -> Result<Response, ApiError> {
    let form = Form::negotiate(&call.headers, call.query.text("includeObject"));
    let value = form.object(&target.kind, &written.object, call.server.clock().now());
    let mut response = typed_response(code, "application/json", &value);
    for warning in &written.warnings {
        let text = format!("299 - {}", serde_json::Value::String(warning.clone()));
        let text = HeaderValue::from_str(&text)
            .map_err(|error| ApiError::Internal(format!("failed to write a warning: {error}")))?;
        response.headers_mut().append(WARNING, text);
    }
    Ok(response)
}
