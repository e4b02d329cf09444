//! Writes of replicated policies.

use serde_json::{Map, Value, json};

use super::Hub;
use crate::adapters::api_server::{ApiError, Mode};
use crate::api::object::Manifest;
use crate::api::ocm::names;
use crate::api::ocm::policy::PolicyStatus;
use crate::pipeline::compare::changes;

/// Where Flotilla's own annotations are.
pub(super) const OWN_PREFIX: &str = "flotilla.dev/";

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplicaWrite {
    /// Nothing had to change.
    Unchanged(Manifest),
    /// It was created.
    Created(Manifest),
    /// What it asks for, or its labels or annotations, were changed.
    Updated(Manifest),
    /// Only what Flotilla notes for itself was changed.
    Noted(Manifest),
}

impl ReplicaWrite {
    /// The replicated policy as the hub has it now.
    pub fn into_manifest(self) -> Manifest {
        match self {
            Self::Unchanged(manifest)
            | Self::Created(manifest)
            | Self::Updated(manifest)
            | Self::Noted(manifest) => manifest,
        }
    }
}

impl Hub {
    /// Brings spec, labels, annotations and inventory of a replicated policy to what they should be. What somebody else put
    /// there goes, but for annotations of Flotilla's own.
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
        let mut is_noted = true;
        for field in ["labels", "annotations"] {
            let others = |name: &str| !name.starts_with(OWN_PREFIX);
            let found = corrections(existing.at(&["metadata", field]), &desired["metadata"][field], others);
            if let Some(changes) = found {
                is_noted &= changes.keys().all(|name| name.starts_with(OWN_PREFIX));
                metadata.insert(field.to_owned(), Value::Object(changes));
            }
        }
        if let Some(spec) = changes(existing.at(&["spec"]).unwrap_or(&Value::Null), &desired["spec"]) {
            patch.insert("spec".to_owned(), spec);
            is_noted = false;
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
        let written = self.connection().merge(&key, &Value::Object(patch), Mode::Real).await?;
        Ok(if is_noted { ReplicaWrite::Noted(written) } else { ReplicaWrite::Updated(written) })
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

/// Entries that are missing or different, and as null those that are not desired and count as surplus.
pub(super) fn corrections(
    existing: Option<&Value>,
    desired: &Value,
    is_surplus: impl Fn(&str) -> bool,
) -> Option<Map<String, Value>> {
    let entries = |of: Option<&'_ Value>| of.and_then(Value::as_object).cloned().unwrap_or_default();
    let (existing, desired) = (entries(existing), entries(Some(desired)));
    let surplus = existing
        .keys()
        .filter(|name| !desired.contains_key(*name) && is_surplus(name))
        .map(|name| (name.clone(), Value::Null));
    let wanted = desired
        .iter()
        .filter(|(name, value)| existing.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), value.clone()));
    let changes: Map<String, Value> = wanted.chain(surplus).collect();
    (!changes.is_empty()).then_some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_put_on_a_replica_is_reverted() {
        let existing = json!({"a": "1", "b": "x", "theirs": "y", "flotilla.dev/inventory": "{}"});
        let others = |name: &str| !name.starts_with(OWN_PREFIX);
        let found = corrections(Some(&existing), &json!({"a": "1", "b": "2", "c": "3"}), others);
        assert_eq!(Value::Object(found.unwrap()), json!({"b": "2", "c": "3", "theirs": null}));
        assert_eq!(corrections(Some(&json!({"a": "1"})), &json!({"a": "1"}), others), None);
        assert_eq!(corrections(None, &json!({}), others), None);
    }
}
