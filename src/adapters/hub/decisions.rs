//! PlacementDecisions that Flotilla owns.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Hub;
use crate::adapters::api_server::{ApiError, Mode};
use crate::api::object::Manifest;

/// Marks decisions as Flotilla's own; those without it belong to another controller.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "flotilla";

/// Whether Flotilla wrote the decision.
pub fn is_own(decision: &Manifest) -> bool {
    decision.label(MANAGED_BY_LABEL) == Some(MANAGED_BY)
}

/// A decision may come into another group.
async fn label(hub: &Hub, existing: &Manifest, desired: &Manifest) -> Result<Manifest, ApiError> {
    let wanted = desired.at(&["metadata", "labels"]).and_then(Value::as_object).into_iter().flatten();
    let changes: Map<String, Value> = wanted
        .filter(|(name, value)| existing.label(name) != value.as_str())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    match existing.key() {
        Some(key) if !changes.is_empty() => {
            let metadata = json!({"labels": changes, "resourceVersion": existing.resource_version()});
            hub.connection().merge(&key, &json!({"metadata": metadata}), Mode::Real).await
        }
        Some(_) | None => Ok(existing.clone()),
    }
}

/// Brings the decisions of one Placement to what they should be: `desired` from the pipeline, `existing` its own ones.
pub async fn write_decisions(
    hub: &Hub,
    desired: Vec<Value>,
    existing: &[Arc<Manifest>],
) -> Result<(), ApiError> {
    let mut kept = Vec::new();
    for mut value in desired {
        value["metadata"]["labels"][MANAGED_BY_LABEL] = json!(MANAGED_BY);
        let status = value["status"].clone();
        let manifest =
            Manifest::parse(value).map_err(|error| ApiError::Invalid { message: error.to_string() })?;
        let name = manifest.name().unwrap_or_default().to_owned();
        let found = existing.iter().find(|decision| decision.name() == Some(&name));
        let object = match found {
            Some(found) => label(hub, found, &manifest).await?,
            None => match hub.connection().create(&manifest, Mode::Real).await {
                Ok(created) => created,
                // The cache has not seen it yet; its event brings us back here.
                Err(ApiError::AlreadyExists { .. }) => continue,
                Err(error) => return Err(error),
            },
        };
        hub.write_status(&object, &status).await?;
        kept.push(name);
    }
    for surplus in existing.iter().filter(|decision| !kept.iter().any(|name| decision.name() == Some(name))) {
        if let Some(key) = surplus.key() {
            hub.connection().delete(&key, surplus.uid()).await?;
        }
    }
    Ok(())
}
