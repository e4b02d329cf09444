//! The kubeconfig of a managed cluster, from the Secrets that Flotilla, Cluster API and Argo CD write.
//!
//! Takes Secrets; gives a wrapped kubeconfig. No value of a Secret appears in an error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};
use thiserror::Error;

use crate::api::object::Manifest;

/// Label on the Secrets that `flotilla cluster join` writes: the name of the cluster.
pub const CLUSTER_LABEL: &str = "flotilla.dev/cluster";
/// Name of that Secret, in the cluster's namespace.
pub const SECRET_NAME: &str = "flotilla-kubeconfig";
const CLUSTER_API_LABEL: &str = "cluster.x-k8s.io/cluster-name";
const ARGO_LABEL: &str = "argocd.argoproj.io/secret-type";

/// Which Secrets are watched.
pub(super) const SELECTORS: [&str; 3] =
    [CLUSTER_LABEL, CLUSTER_API_LABEL, "argocd.argoproj.io/secret-type=cluster"];

/// A Secret that should hold a kubeconfig and does not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// The key is missing.
    #[error("Secret {secret} has none of the keys {keys}: store the kubeconfig under `kubeconfig`")]
    NoKey {
        /// Namespace and name.
        secret: String,
        /// Keys that were looked for.
        keys: &'static str,
    },
    /// The value is not base64 of text.
    #[error("Secret {secret}: the value of `{key}` is not base64 of UTF-8 text")]
    NotText {
        /// Namespace and name.
        secret: String,
        /// The key.
        key: String,
    },
    /// Argo CD's `config` is not what Argo CD writes.
    #[error("Secret {secret}: `config` is not Argo CD's cluster configuration in JSON")]
    ArgoConfig {
        /// Namespace and name.
        secret: String,
    },
}

/// A cluster's kubeconfig and where it stands.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Namespace and name of the Secret.
    pub secret: String,
    /// Its `resourceVersion`: another one means that it must be read again.
    pub version: String,
    /// The kubeconfig.
    pub kubeconfig: SecretString,
}

/// The cluster that a Secret is for, if it is one of the three kinds.
pub fn cluster_of(secret: &Manifest) -> Option<String> {
    if let Some(cluster) = secret.label(CLUSTER_LABEL) {
        return (secret.namespace() == Some(cluster)).then(|| cluster.to_owned());
    }
    if secret.label(ARGO_LABEL) == Some("cluster") {
        return text(secret, "name").ok().flatten();
    }
    let cluster = secret.label(CLUSTER_API_LABEL)?;
    (secret.name() == Some(&format!("{cluster}-kubeconfig"))).then(|| cluster.to_owned())
}

/// Reads the kubeconfig out of a Secret.
pub fn read(secret: &Manifest) -> Result<Credentials, CredentialsError> {
    let kubeconfig = if secret.label(ARGO_LABEL) == Some("cluster") {
        from_argo(secret)?
    } else {
        match (text(secret, "kubeconfig")?, text(secret, "value")?) {
            (Some(kubeconfig), _) | (None, Some(kubeconfig)) => kubeconfig,
            (None, None) => {
                return Err(CredentialsError::NoKey { secret: place(secret), keys: "`kubeconfig`, `value`" });
            }
        }
    };
    Ok(Credentials {
        secret: place(secret),
        version: secret.resource_version().unwrap_or_default().to_owned(),
        kubeconfig: SecretString::from(kubeconfig),
    })
}

fn place(secret: &Manifest) -> String {
    format!("{}/{}", secret.namespace().unwrap_or_default(), secret.name().unwrap_or_default())
}

pub(super) fn text(secret: &Manifest, key: &str) -> Result<Option<String>, CredentialsError> {
    let Some(encoded) = secret.text_at(&["data", key]) else { return Ok(None) };
    let not_text = || CredentialsError::NotText { secret: place(secret), key: key.to_owned() };
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| not_text())?;
    String::from_utf8(bytes).map(Some).map_err(|_| not_text())
}

/// Argo CD keeps `name`, `server` and a JSON `config`.
fn from_argo(secret: &Manifest) -> Result<String, CredentialsError> {
    let fault = || CredentialsError::ArgoConfig { secret: place(secret) };
    let server = text(secret, "server")?.ok_or_else(fault)?;
    let config: Value =
        serde_json::from_str(&text(secret, "config")?.ok_or_else(fault)?).map_err(|_| fault())?;
    let tls = &config["tlsClientConfig"];
    let mut cluster = json!({"server": server});
    copy(
        tls,
        &mut cluster,
        &[
            ("caData", "certificate-authority-data"),
            ("insecure", "insecure-skip-tls-verify"),
            ("serverName", "tls-server-name"),
        ],
    );
    let mut user = json!({});
    copy(tls, &mut user, &[("certData", "client-certificate-data"), ("keyData", "client-key-data")]);
    copy(&config, &mut user, &[("bearerToken", "token"), ("username", "username"), ("password", "password")]);
    Ok(json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "user"}}],
    })
    .to_string())
}

fn copy(from: &Value, to: &mut Value, fields: &[(&str, &str)]) {
    for (source, target) in fields {
        if let Some(value) = from.get(source).filter(|value| !value.is_null()) {
            to[*target] = value.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn secret(namespace: &str, name: &str, labels: &Value, data: &[(&str, &str)]) -> Manifest {
        let data: serde_json::Map<String, Value> =
            data.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
        Manifest::parse(json!({"apiVersion": "v1", "kind": "Secret", "data": data,
            "metadata": {"name": name, "namespace": namespace, "labels": labels, "resourceVersion": "7"}}))
        .unwrap()
    }

    #[test]
    fn three_kinds_of_secrets_name_their_cluster() {
        let own = secret("c1", SECRET_NAME, &json!({"flotilla.dev/cluster": "c1"}), &[("kubeconfig", "k")]);
        assert_eq!(cluster_of(&own).as_deref(), Some("c1"));
        assert_eq!(read(&own).unwrap().kubeconfig.expose_secret(), "k");
        let elsewhere =
            secret("x", SECRET_NAME, &json!({"flotilla.dev/cluster": "c1"}), &[("kubeconfig", "k")]);
        assert_eq!(cluster_of(&elsewhere), None);
        let cluster_api = secret(
            "fleet",
            "c2-kubeconfig",
            &json!({"cluster.x-k8s.io/cluster-name": "c2"}),
            &[("value", "k2")],
        );
        assert_eq!(cluster_of(&cluster_api).as_deref(), Some("c2"));
        assert_eq!(read(&cluster_api).unwrap().kubeconfig.expose_secret(), "k2");
        let argo = secret(
            "argocd",
            "c3",
            &json!({"argocd.argoproj.io/secret-type": "cluster"}),
            &[
                ("name", "c3"),
                ("server", "https://x:6443"),
                ("config", r#"{"bearerToken":"t","tlsClientConfig":{"caData":"Y2E="}}"#),
            ],
        );
        assert_eq!(cluster_of(&argo).as_deref(), Some("c3"));
        let kubeconfig: Value =
            serde_json::from_str(read(&argo).unwrap().kubeconfig.expose_secret()).unwrap();
        assert_eq!(kubeconfig["users"][0]["user"]["token"], "t");
        assert_eq!(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"], "Y2E=");
    }

    #[test]
    fn faults_name_the_secret_and_never_its_value() {
        let empty = secret("c1", SECRET_NAME, &json!({}), &[]);
        assert!(
            read(&empty)
                .unwrap_err()
                .to_string()
                .starts_with("Secret c1/flotilla-kubeconfig has none of the keys")
        );
        let argo = secret(
            "a",
            "c3",
            &json!({"argocd.argoproj.io/secret-type": "cluster"}),
            &[("server", "s"), ("config", "top-secret")],
        );
        assert!(!read(&argo).unwrap_err().to_string().contains("top-secret"));
    }
}
