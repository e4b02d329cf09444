//! Writes of replicated policies.

use serde_json::{Map, Value, json};

use super::Hub;
use crate::adapters::api_server::{ApiError, Mode};
use crate::api::object::Manifest;
use crate::api::ocm::names;
use crate::api::ocm::policy::PolicyStatus;
use crate::pipeline::compare::changes;

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplicaWrite {
    /// Nothing had to change.
    Unchanged(Manifest),
    /// It was created.
    Created(Manifest),
    /// It was changed.
    Updated(Manifest),
}

impl ReplicaWrite {
    /// The replicated policy as the hub has it now.
    pub fn into_manifest(self) -> Manifest {
        match self {
            Self::Unchanged(manifest) | Self::Created(manifest) | Self::Updated(manifest) => manifest,
        }
    }
}

impl Hub {
    /// Brings spec, labels, annotations and inventory of a replicated policy to what they should be.
    pub async fn write_replica(
        &self,
        existing: Option<&Manifest>,
        desired: &Value,
        inventory: &str,
    ) -> Result<ReplicaWrite, ApiError> {
        let mut desired = desired.clone();
        desired["metadata"]["annotations"][names::INVENTORY_ANNOTATION] = json!(inventory);
        let manifest =
            |value| Manifest::parse(value).map_err(|error| ApiError::Invalid { message: error.to_string() });
        let Some(existing) = existing else {
            return Ok(ReplicaWrite::Created(
                self.connection().create(&manifest(desired)?, Mode::Real).await?,
            ));
        };
        let mut patch = Map::new();
        let mut metadata = Map::new();
        for field in ["labels", "annotations"] {
            if let Some(changes) = additions(existing.at(&["metadata", field]), &desired["metadata"][field]) {
                metadata.insert(field.to_owned(), changes);
            }
        }
        if let Some(spec) = changes(existing.at(&["spec"]).unwrap_or(&Value::Null), &desired["spec"]) {
            patch.insert("spec".to_owned(), spec);
        }
        if metadata.is_empty() && patch.is_empty() {
            return Ok(ReplicaWrite::Unchanged(existing.clone()));
        }
        if let Some(version) = existing.resource_version() {
            metadata.insert("resourceVersion".to_owned(), json!(version));
        }
        patch.insert("metadata".to_owned(), Value::Object(metadata));
        let Some(key) = existing.key() else {
            return Err(ApiError::Invalid { message: "the replicated policy has no name".to_owned() });
        };
        Ok(ReplicaWrite::Updated(self.connection().merge(&key, &Value::Object(patch), Mode::Real).await?))
    }

    /// Writes the status of a replicated policy, if it differs.
    pub async fn write_replica_status(
        &self,
        replica: &Manifest,
        status: &PolicyStatus,
    ) -> Result<Manifest, ApiError> {
        self.write_status(replica, &json!(status)).await
    }

    /// Deletes a replicated policy.
    pub async fn delete_replica(&self, replica: &Manifest) -> Result<(), ApiError> {
        match replica.key() {
            Some(key) => self.connection().delete(&key, replica.uid()).await,
            None => Ok(()),
        }
    }
}

/// Entries that are missing or different; others' entries stay.
fn additions(existing: Option<&Value>, desired: &Value) -> Option<Value> {
    let changes: Map<String, Value> = desired
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| existing.and_then(|existing| existing.get(name.as_str())) != Some(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    (!changes.is_empty()).then_some(Value::Object(changes))
}
