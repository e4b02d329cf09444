//! A user of a cluster: any kind of object, through a connection of the project's own.

use std::sync::Arc;
use std::time::Duration;

use flotilla::adapters::api_server::{ApiError, Connection, Mode};
use flotilla::api::object::{GroupVersionKind, Manifest, ObjectKey};
use secrecy::SecretString;
use serde_json::{Value, json};

/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Who applies, patches and deletes.
pub(super) struct Objects {
    connection: Connection,
    client: kube::Client,
}

impl Objects {
    pub(super) async fn new(kubeconfig: &str) -> Self {
        let text = SecretString::from(kubeconfig.to_owned());
        let connection = Connection::from_secret(&text, Arc::new(|_, _| {})).await.unwrap();
        Self { connection, client: crate::support::user::client(kubeconfig).await }
    }

    /// Lets a namespace go, as the namespace controller does once it is empty.
    pub(super) async fn finalize(&self, name: &str, namespace: &Value) {
        let request = http::Request::put(format!("/api/v1/namespaces/{name}/finalize"))
            .header("Content-Type", "application/json")
            .body(serde_json::to_vec(namespace).unwrap())
            .unwrap();
        // It is looked at again soon.
        let _ = self.client.request_text(request).await;
    }

    pub(super) async fn get(&self, key: &ObjectKey) -> Result<Option<Manifest>, String> {
        match self.connection.get(key).await {
            Ok(found) => Ok(found),
            Err(ApiError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) async fn list(&self, gvk: &GroupVersionKind) -> Result<Vec<Manifest>, String> {
        self.connection.list(gvk, None).await.map_err(|error| error.to_string())
    }

    /// As `kubectl apply`: creates, or sets what the manifest says. A policy's spec is set as a whole.
    pub(super) async fn apply(&self, manifest: &Manifest) -> Result<Manifest, String> {
        let key = manifest.key().ok_or("an object without a name")?;
        for _ in 0..20 {
            let existing = self.get(&key).await?;
            let answer = match existing {
                None => self.connection.create(manifest, Mode::Real).await,
                Some(existing) if existing.is_deleting() => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Some(existing) if manifest.kind() == "ConfigurationPolicy" => {
                    let mut whole = existing.to_value();
                    whole["spec"] = manifest.at(&["spec"]).cloned().unwrap_or_default();
                    for field in ["labels", "annotations"] {
                        if let Some(value) = manifest.at(&["metadata", field]) {
                            whole["metadata"][field] = value.clone();
                        }
                    }
                    self.connection.replace(&Manifest::parse(whole).unwrap(), Mode::Real).await
                }
                Some(_) => {
                    let mut patch = manifest.to_value();
                    if let Some(fields) = patch.as_object_mut() {
                        fields.remove("status");
                    }
                    self.connection.merge(&key, &patch, Mode::Real).await
                }
            };
            match answer {
                Err(ApiError::Conflict { .. } | ApiError::AlreadyExists { .. }) => {}
                Ok(applied) => return self.with_status(manifest, applied).await,
                Err(error) => return Err(format!("failed to apply {key}: {error}")),
            }
        }
        Err(format!("{key} changes all the time"))
    }

    /// What a manifest says of the status of a custom object, through the subresource where there is one.
    async fn with_status(&self, manifest: &Manifest, applied: Manifest) -> Result<Manifest, String> {
        match manifest.at(&["status"]) {
            Some(status)
                if manifest.kind() != "ConfigurationPolicy" && applied.at(&["status"]) != Some(status) =>
            {
                let key = applied.key().ok_or("an object without a name")?;
                Ok(self.connection.merge_status(&key, status).await.unwrap_or(applied))
            }
            Some(_) | None => Ok(applied),
        }
    }

    /// Changes an object as it is.
    pub(super) async fn change(
        &self,
        key: &ObjectKey,
        change: impl Fn(Value) -> Result<Value, String>,
    ) -> Result<(), String> {
        for _ in 0..20 {
            let Some(existing) = self.get(key).await? else { return Err(format!("there is no {key}")) };
            let changed = Manifest::parse(change(existing.to_value())?).map_err(|error| error.to_string())?;
            match self.connection.replace(&changed, Mode::Real).await {
                Err(ApiError::Conflict { .. }) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(format!("failed to change {key}: {error}")),
            }
        }
        Err(format!("{key} changes all the time"))
    }

    pub(super) async fn merge(&self, key: &ObjectKey, patch: &Value) -> Result<(), String> {
        let merged = self.connection.merge(key, patch, Mode::Real).await;
        merged.map(|_| ()).map_err(|error| format!("failed to patch {key}: {error}"))
    }

    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<(), String> {
        match self.connection.delete(key, None).await {
            Ok(()) | Err(ApiError::NotFound { .. }) => Ok(()),
            Err(error) => Err(format!("failed to delete {key}: {error}")),
        }
    }

    /// Deletes an object whatever holds it.
    pub(super) async fn remove(&self, key: &ObjectKey) -> Result<(), String> {
        if let Some(existing) = self.get(key).await? {
            if existing.at(&["metadata", "finalizers"]).is_some() {
                // It may go meanwhile.
                let _ = self.merge(key, &json!({"metadata": {"finalizers": null}})).await;
            }
            self.delete(key).await?;
        }
        Ok(())
    }

    /// Waits until an object is gone.
    pub(super) async fn gone(&self, key: &ObjectKey, patience: Duration) -> Result<(), String> {
        let began = std::time::Instant::now();
        while self.get(key).await?.is_some() {
            if began.elapsed() > patience {
                return Err(format!("{key} does not go"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Objects {
    /// Whether objects of a kind live in namespaces. A definition that was just made may take a moment.
    pub(super) async fn is_namespaced(&self, gvk: &GroupVersionKind) -> Result<bool, String> {
        use flotilla::pipeline::render::lookup::Lookup as _;
        for _ in 0..100 {
            // The look makes the kind known.
            let _ = self.connection.list(gvk, None).await;
            if let Some(namespaced) = self.connection.snapshot().is_namespaced(gvk) {
                return Ok(namespaced);
            }
            self.connection.forget_group(&gvk.group);
            tokio::time::sleep(LOOK).await;
        }
        Err(format!("the cluster does not serve {gvk}"))
    }
}
