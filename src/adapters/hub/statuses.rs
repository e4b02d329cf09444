//! Status of policies, policy sets and placements: written whole, and only when it differs.

use serde_json::{Value, json};

use super::Hub;
use crate::adapters::api_server::ApiError;
use crate::api::object::Manifest;
use crate::pipeline::compare::changes;

impl Hub {
    /// Writes a status, if it differs from the object's; answers the object as the hub has it then.
    pub async fn write_status(&self, object: &Manifest, status: &Value) -> Result<Manifest, ApiError> {
        let null = json!({});
        let existing = object.at(&["status"]).unwrap_or(&null);
        let (Some(patch), Some(key)) = (changes(existing, status), object.key()) else {
            return Ok(object.clone());
        };
        self.connection().merge_status(&key, &patch).await
    }
}
