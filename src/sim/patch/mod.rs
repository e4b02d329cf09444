//! How a patch changes an object: merge patch, JSON patch, strategic merge patch and server-side apply.

pub(super) mod apply;
mod fields;
pub(super) mod managed;
mod shape;
mod strategic;

pub(super) use strategic::go_map;

use serde_json::Value;

use super::kinds::Kind;
use super::status::ApiError;
use super::store::go_type;

/// RFC 7386.
pub(super) fn merge(object: &Value, patch: &Value) -> Value {
    let mut result = object.clone();
    json_patch::merge(&mut result, patch);
    result
}

/// RFC 6902, as the API server's library reads it: what cannot be done is refused, and `replace` adds what is not there.
pub(super) fn json(object: &Value, patch: &Value) -> Result<Value, ApiError> {
    let Value::Array(operations) = patch else {
        let found = go_type(patch);
        return Err(ApiError::BadRequest(format!(
            "error decoding patch: json: cannot unmarshal {found} into Go value of type []handlers.jsonPatchOp"
        )));
    };
    let mut result = object.clone();
    for operation in operations {
        let mut operation = operation.clone();
        let missing = operation["op"] == "replace"
            && operation["path"].as_str().is_some_and(|path| result.pointer(path).is_none());
        if missing {
            operation["op"] = Value::from("add");
        }
        let patch: json_patch::Patch =
            serde_json::from_value(Value::Array(vec![operation])).map_err(|_| ApiError::Unprocessable)?;
        json_patch::patch(&mut result, &patch).map_err(|_| ApiError::Unprocessable)?;
    }
    Ok(result)
}

/// Strategic merge patch of a built-in kind.
pub(super) fn strategic(kind: &Kind, object: &Value, patch: &Value) -> Result<Value, ApiError> {
    strategic::merge(object, patch, shape::Shape::of(kind))
}
