//! What sources of objects need of the hub: their record, their credentials, and server-side apply of what they hold.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};
use thiserror::Error;

use super::Hub;
use super::credentials::{self, CredentialsError};
use crate::adapters::api_server::{ApiError, Depth, Mode, WatchKey, WatchState};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// The name under which the objects of sources are applied.
const SOURCE_MANAGER: &str = "flotilla-source";

/// A Secret that cannot be read.
#[derive(Debug, Error)]
pub enum SecretFault {
    /// The hub does not give it.
    #[error("failed to read Secret {secret}: {source}")]
    Unreadable {
        /// Namespace and name.
        secret: String,
        /// The cause.
        source: ApiError,
    },
    /// It is not there.
    #[error("failed to read Secret {secret}: there is none")]
    Missing {
        /// Namespace and name.
        secret: String,
    },
    /// A value of it.
    #[error(transparent)]
    Value(#[from] CredentialsError),
}

fn key(kind: &str, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        gvk: GroupVersionKind::new("v1", kind),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

fn malformed(error: &impl ToString) -> ApiError {
    ApiError::Invalid { message: error.to_string() }
}

impl Hub {
    /// The ConfigMap with the record of a source.
    pub async fn source_record(&self, namespace: &str, name: &str) -> Result<Option<Manifest>, ApiError> {
        self.connection().get(&key("ConfigMap", namespace, name)).await
    }

    /// Writes the record of a source, if it differs from what was read.
    pub async fn write_source_record(
        &self,
        read: Option<&Manifest>,
        (namespace, name): (&str, &str),
        labels: &BTreeMap<&str, &str>,
        data: &Value,
    ) -> Result<(), ApiError> {
        let Some(read) = read else {
            let record = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                "metadata": {"name": name, "namespace": namespace, "labels": labels}});
            let record = Manifest::parse(record).map_err(|error| malformed(&error))?;
            return self.connection().create(&record, Mode::Real).await.map(drop);
        };
        if read.at(&["data"]) == Some(data) {
            return Ok(());
        }
        let patch =
            json!({"data": data, "metadata": {"resourceVersion": read.resource_version(), "labels": labels}});
        self.connection().merge(&key("ConfigMap", namespace, name), &patch, Mode::Real).await.map(drop)
    }

    /// These keys of a Secret, as far as they are there.
    pub async fn secret_texts(
        &self,
        namespace: &str,
        name: &str,
        keys: &[&str],
    ) -> Result<BTreeMap<String, SecretString>, SecretFault> {
        let secret = format!("{namespace}/{name}");
        let found = self.connection().get(&key("Secret", namespace, name)).await;
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Err(SecretFault::Missing { secret }),
            Err(source) => return Err(SecretFault::Unreadable { secret, source }),
        };
        let mut texts = BTreeMap::new();
        for key in keys {
            if let Some(text) = credentials::text(&found, key)? {
                texts.insert((*key).to_owned(), SecretString::from(text));
            }
        }
        Ok(texts)
    }

    /// Applies an object of a source, never with force. With a uid, only to this very object.
    pub async fn apply_from_source(&self, manifest: &Manifest, mode: Mode) -> Result<Manifest, ApiError> {
        self.connection().apply(manifest, SOURCE_MANAGER, mode).await
    }

    /// Watches the records of sources and waits for the first list. Without the right to read ConfigMaps there are none.
    pub async fn watch_source_records(&self, label: &str) -> Result<(), String> {
        let key = WatchKey {
            gvk: GroupVersionKind::new("v1", "ConfigMap"),
            namespace: None,
            selector: Some(label.to_owned()),
            depth: Depth::Whole,
        };
        match self.connection().watch(key).await {
            Ok(None) => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(Some(watch)) => match watch.settled().await {
                WatchState::Synced | WatchState::Loading | WatchState::KindGone => Ok(()),
                WatchState::Failing { message, .. } => Err(message),
            },
        }
    }

    /// The records that are watched.
    pub fn source_records(&self) -> Vec<std::sync::Arc<Manifest>> {
        self.connection().selected(&GroupVersionKind::new("v1", "ConfigMap"))
    }
}
