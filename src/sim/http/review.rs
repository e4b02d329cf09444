//! Questions about users and rights: everyone with the token may do everything.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::status::ApiError;
use super::json_response;
use super::request::{Call, Target};

/// `POST` of a review.
pub(super) fn answer(call: &Call, target: &Target) -> Result<Response, ApiError> {
    if call.method != Method::POST || target.name.is_some() {
        return Err(ApiError::MethodNotAllowed);
    }
    let mut review = call.body_object(&target.kind)?;
    if !review.is_object() {
        return Err(ApiError::BadRequest("a review must be a mapping".to_owned()));
    }
    review["kind"] = json!(target.kind.kind);
    review["apiVersion"] = json!(target.kind.api_version());
    if review["metadata"].is_null() {
        review["metadata"] = json!({});
    }
    review["status"] = status(call, &target.kind.kind, &review);
    Ok(json_response(StatusCode::CREATED, &review))
}

fn status(call: &Call, kind: &str, review: &Value) -> Value {
    let user = json!({"username": "stand-in", "groups": ["system:masters", "system:authenticated"]});
    match kind {
        "SelfSubjectReview" => json!({"userInfo": user}),
        "TokenReview" if review["spec"]["token"] == call.server.token() => {
            json!({"authenticated": true, "user": user})
        }
        "TokenReview" => json!({"authenticated": false, "error": "invalid bearer token"}),
        "SelfSubjectRulesReview" => json!({"incomplete": false,
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}),
        _ => json!({"allowed": true}),
    }
}
