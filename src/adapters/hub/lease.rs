//! The Lease that says which process is the hub: read and written, never judged.

use serde_json::{Value, json};

use super::Hub;
use crate::adapters::api_server::{ApiError, Mode};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// Name of the Lease.
pub const LEASE_NAME: &str = "flotilla-hub";

fn key(namespace: &str) -> ObjectKey {
    ObjectKey {
        gvk: GroupVersionKind::new("coordination.k8s.io/v1", "Lease"),
        namespace: Some(namespace.to_owned()),
        name: LEASE_NAME.to_owned(),
    }
}

impl Hub {
    /// The Lease as it is.
    pub async fn lease(&self, namespace: &str) -> Result<Option<Manifest>, ApiError> {
        self.connection().get(&key(namespace)).await
    }

    /// Creates the Lease; fails when another process was quicker.
    pub async fn create_lease(&self, namespace: &str, spec: &Value) -> Result<(), ApiError> {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": LEASE_NAME, "namespace": namespace},
            "spec": spec,
        });
        let lease =
            Manifest::parse(lease).map_err(|error| ApiError::Invalid { message: error.to_string() })?;
        self.connection().create(&lease, Mode::Real).await.map(|_| ())
    }

    /// Changes the Lease; fails when it is no longer the one that was read.
    pub async fn change_lease(&self, read: &Manifest, spec: &Value) -> Result<(), ApiError> {
        let patch = json!({"metadata": {"resourceVersion": read.resource_version()}, "spec": spec});
        self.connection()
            .merge(&key(read.namespace().unwrap_or_default()), &patch, Mode::Real)
            .await
            .map(|_| ())
    }
}
