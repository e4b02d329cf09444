//! The account under which the hub enters a managed cluster, and its token.
//!
//! Takes a connection of a person who may give rights there, and the objects of the account (`kustomize/managed-cluster`).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use thiserror::Error;

use crate::adapters::api_server::put::Change;
use crate::adapters::api_server::{ApiError, Connection};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// Namespace of the account on the managed cluster.
pub const ACCESS_NAMESPACE: &str = "flotilla-access";
/// Name of the account, and of the Secret with its token.
pub const ACCOUNT: &str = "flotilla-hub";

/// How long the cluster may take to fill in the token.
const PATIENCE: Duration = Duration::from_secs(30);

/// The account cannot be used.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A request failed.
    #[error("failed to make {object}: {source}")]
    Write {
        /// Kind, namespace and name.
        object: String,
        /// The cause.
        source: ApiError,
    },
    /// The Secret cannot be read.
    #[error("failed to read Secret {ACCESS_NAMESPACE}/{ACCOUNT}: {source}")]
    Read {
        /// The cause.
        source: ApiError,
    },
    /// The cluster does not fill in the token.
    #[error("failed to get a token: the cluster has not filled in Secret {ACCESS_NAMESPACE}/{ACCOUNT} within {} s", PATIENCE.as_secs())]
    NoToken,
    /// What the cluster filled in is no text.
    #[error("failed to read Secret {ACCESS_NAMESPACE}/{ACCOUNT}: its `token` is not base64 of text")]
    NotText,
}

/// Makes the objects what they should be, in this order.
pub async fn grant(connection: &Connection, objects: &[Manifest]) -> Result<Vec<Change>, AccessError> {
    let mut changes = Vec::new();
    for object in objects {
        let Some(key) = object.key() else { continue };
        let change = connection.put(&key, &object.to_value()).await;
        changes.push(change.map_err(|source| AccessError::Write { object: key.to_string(), source })?);
    }
    Ok(changes)
}

/// Waits for the account's token: a controller of the cluster fills it in.
pub async fn token(connection: &Connection) -> Result<SecretString, AccessError> {
    let key = ObjectKey {
        gvk: GroupVersionKind::new("v1", "Secret"),
        namespace: Some(ACCESS_NAMESPACE.to_owned()),
        name: ACCOUNT.to_owned(),
    };
    let filled = connection.until(&key, |secret| {
        let encoded = secret.text_at(&["data", "token"]).filter(|encoded| !encoded.is_empty())?;
        Some(decoded(encoded))
    });
    match tokio::time::timeout(PATIENCE, filled).await {
        Ok(filled) => filled.map_err(|source| AccessError::Read { source })?,
        Err(_) => Err(AccessError::NoToken),
    }
}

fn decoded(encoded: &str) -> Result<SecretString, AccessError> {
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| AccessError::NotText)?;
    String::from_utf8(bytes).map(SecretString::from).map_err(|_| AccessError::NotText)
}
