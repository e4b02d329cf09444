//! How a patch changes an object: merge patch, JSON patch, strategic merge patch and server-side apply.

pub(super) mod apply;
mod fields;
pub(super) mod managed;
mod shape;
mod strategic;

use serde_json::Value;

use super::kinds::Kind;
use super::status::ApiError;

/// RFC 7386.
pub(super) fn merge(object: &Value, patch: &Value) -> Value {
    let mut result = object.clone();
    json_patch::merge(&mut result, patch);
    result
}

/// RFC 6902. A failed `test` is refused as the API server does.
pub(super) fn json(object: &Value, patch: &Value) -> Result<Value, ApiError> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| ApiError::BadRequest(format!("error decoding patch: {error}")))?;
    let mut result = object.clone();
    json_patch::patch(&mut result, &patch).map_err(|error| ApiError::Unprocessable(error.to_string()))?;
    Ok(result)
}

/// Strategic merge patch of a built-in kind.
pub(super) fn strategic(kind: &Kind, object: &Value, patch: &Value) -> Value {
    strategic::merge(object, patch, shape::Shape::of(kind))
}
