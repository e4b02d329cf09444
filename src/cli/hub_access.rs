//! How commands reach the hub, and what they say when they do not.

use std::path::Path;
use std::sync::Arc;

use crate::adapters::api_server::kubeconfig::KubeconfigError;
use crate::adapters::api_server::{ApiError, Change, Connection, Listener};
use crate::adapters::hub::HubError;

use super::exit::Failure;

/// Hears of changes and does nothing.
pub(crate) fn deaf() -> Listener {
    Arc::new(|key, change| {
        if let Change::Malformed { name, message } = change {
            tracing::warn!(kind = key.gvk.kind, name, message, "an object cannot be read and is left out");
        }
    })
}

/// Connects for single requests, without watches, and asks whether the hub answers.
pub(crate) async fn connect(kubeconfig: Option<&Path>) -> Result<Connection, Failure> {
    let connection =
        Connection::from_file(kubeconfig, deaf()).await.map_err(|error| kubeconfig_failure(&error))?;
    connection.probe().await.map_err(|error| api_failure("failed to reach the hub", &error))?;
    Ok(connection)
}

/// The words for a hub that cannot be used.
pub(crate) fn hub_failure(error: &HubError) -> Failure {
    match error {
        HubError::Kubeconfig(error) => kubeconfig_failure(error),
        HubError::Watch { kind, source } => {
            api_failure(&format!("failed to watch {kind} on the hub"), source)
        }
        HubError::WatchState { .. } => Failure::new(error.to_string())
            .hint("the user of the kubeconfig needs get, list and watch on the hub's objects"),
        HubError::KindMissing { .. } => Failure::new(format!("failed to use the hub: {error}")).hint(
            "is this the kubeconfig of the hub? A hub has the CustomResourceDefinitions of Open Cluster Management",
        ),
    }
}

/// The words for a kubeconfig that cannot be used.
pub(crate) fn kubeconfig_failure(error: &KubeconfigError) -> Failure {
    Failure::new(error.to_string())
        .hint("name the hub's kubeconfig on the command line, or set KUBECONFIG to its path")
}

/// The words for a request that fails; `what` begins with `failed to`.
pub(crate) fn api_failure(what: &str, error: &ApiError) -> Failure {
    let failure = Failure::new(format!("{what}: {error}"));
    match error {
        ApiError::Unreachable { .. } => {
            failure.hint("is the API server running, and is this the right kubeconfig?")
        }
        ApiError::Unauthorised { .. } => {
            failure.hint("the credentials may have expired: fetch a new kubeconfig")
        }
        ApiError::Forbidden { .. } => failure.hint("the user of the kubeconfig lacks this right"),
        ApiError::NotFound { .. } => failure.hint("is this the kubeconfig of the hub?"),
        ApiError::AlreadyExists { .. } | ApiError::Conflict { .. } => {
            failure.hint("somebody else changes the same object: run the command again")
        }
        ApiError::Busy { .. } => failure.hint("the API server asks for patience: run the command again"),
        ApiError::Invalid { .. }
        | ApiError::Unprocessable { .. }
        | ApiError::Refused { .. }
        | ApiError::Malformed { .. } => failure,
    }
}
