//! Kubeconfigs from users' files and from Secrets.
//!
//! A kubeconfig out of a Secret must be self-contained: one that names files or commands of the hub's machine is refused.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// A kubeconfig that cannot be used. The text never quotes it.
#[derive(Debug, Error)]
pub enum KubeconfigError {
    /// It is not a kubeconfig.
    #[error("failed to read the kubeconfig: {reason}")]
    Unreadable {
        /// Where the reader stopped.
        reason: String,
    },
    /// It names something outside itself.
    #[error(
        "failed to use the kubeconfig: user {user:?} has `{field}`, which names something outside the kubeconfig; \
         use a token or embedded certificates (`kubectl config view --raw --flatten`)"
    )]
    NotSelfContained {
        /// Name of the user entry.
        user: String,
        /// The field at fault.
        field: &'static str,
    },
    /// It leads to no usable connection.
    #[error("failed to use the kubeconfig: {reason}")]
    Unusable {
        /// What is missing.
        reason: String,
    },
}

/// Reads the kubeconfig of a Secret.
pub(super) async fn from_secret(text: &SecretString) -> Result<kube::Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::from_yaml(text.expose_secret())
        .map_err(|_| KubeconfigError::Unreadable { reason: "it is not YAML of kind Config".to_owned() })?;
    check_self_contained(&kubeconfig)?;
    configuration(kubeconfig, None).await
}

async fn configuration(
    kubeconfig: Kubeconfig,
    context: Option<&str>,
) -> Result<kube::Config, KubeconfigError> {
    let options =
        KubeConfigOptions { context: context.map(ToOwned::to_owned), ..KubeConfigOptions::default() };
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| KubeconfigError::Unusable { reason: error.to_string() })?;
    config.connect_timeout = Some(super::connection::CONNECT_TIMEOUT);
    // Every caller has its own way of trying again; the client's would hide a refusing server for minutes.
    config.default_retry = false;
    Ok(config)
}

/// Reads a kubeconfig file of a person, and takes one of its contexts.
pub(super) async fn from_context(
    path: &Path,
    context: Option<&str>,
) -> Result<kube::Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::read_from(path)
        .map_err(|error| KubeconfigError::Unreadable { reason: format!("{}: {error}", path.display()) })?;
    configuration(kubeconfig, context).await
}

/// Reads a kubeconfig file, or the in-cluster configuration and the usual places when there is none.
pub(super) async fn from_file(path: Option<&Path>) -> Result<kube::Config, KubeconfigError> {
    match path {
        Some(path) => from_context(path, None).await,
        None => kube::Config::infer()
            .await
            .map_err(|error| KubeconfigError::Unusable { reason: error.to_string() }),
    }
}

fn check_self_contained(kubeconfig: &Kubeconfig) -> Result<(), KubeconfigError> {
    for user in &kubeconfig.auth_infos {
        let Some(info) = &user.auth_info else { continue };
        let outside = [
            (info.exec.is_some(), "exec"),
            (info.auth_provider.is_some(), "auth-provider"),
            (info.token_file.is_some(), "tokenFile"),
            (info.client_certificate.is_some(), "client-certificate"),
            (info.client_key.is_some(), "client-key"),
        ];
        if let Some((_, field)) = outside.into_iter().find(|(present, _)| *present) {
            return Err(KubeconfigError::NotSelfContained { user: user.name.clone(), field });
        }
    }
    for cluster in &kubeconfig.clusters {
        if cluster.cluster.as_ref().is_some_and(|cluster| cluster.certificate_authority.is_some()) {
            return Err(KubeconfigError::NotSelfContained {
                user: cluster.name.clone(),
                field: "certificate-authority",
            });
        }
    }
    Ok(())
}
