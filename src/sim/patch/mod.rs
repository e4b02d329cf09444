//! How a patch changes an object: merge patch, JSON patch, strategic merge patch and server-side apply.

pub(super) mod managed;

use serde_json::Value;

use super::status::ApiError;

/// RFC 7386.
pub(super) fn merge(object: &Value, patch: &Value) -> Value {
    let mut result = object.clone();
    json_patch::merge(&mut result, patch);
    result
}

/// RFC 6902.
pub(super) fn json(object: &Value, patch: &Value) -> Result<Value, ApiError> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| ApiError::BadRequest(format!("error decoding patch: {error}")))?;
    let mut result = object.clone();
    json_patch::patch(&mut result, &patch).map_err(|error| {
        ApiError::Internal(format!("the server rejected our request due to an error in our request: {error}"))
    })?;
    Ok(result)
}
