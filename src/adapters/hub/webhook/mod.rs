//! What the admission webhook needs on the hub: its certificate in a Secret that all replicas share, and the authority of that
//! certificate in the `ValidatingWebhookConfiguration`.
//!
//! Takes the time and the names under which the process is called; gives the certificate to serve with. Must not touch: what is
//! reviewed.

mod certificate;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::Notify;

pub use certificate::{CertificateError, ServingCertificate};

use super::{HubError, MANAGED_BY, MANAGED_BY_LABEL};
use crate::adapters::api_server::{ApiError, Change, Connection, Depth, Mode, WatchKey, WatchState};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// Name of the Service in front of the webhook (`kustomize/components/webhook`), and of the Secret.
pub const WEBHOOK_NAME: &str = "flotilla-webhook";
/// Label on the Secret and on the configurations that are the hub's.
const LABEL: &str = "flotilla.dev/webhook";
const CONFIGURATION: &str = "configuration";
const CERTIFICATE: &str = "certificate";

/// The webhook cannot be given its certificate, or the API server cannot be told of it.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// The Secret.
    #[error("failed to keep the webhook's certificate in Secret {secret}: {source}")]
    Secret {
        /// Namespace and name.
        secret: String,
        /// The cause.
        source: ApiError,
    },
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The configuration.
    #[error("failed to write the webhook's authority into ValidatingWebhookConfiguration {name}: {source}")]
    Configuration {
        /// Its name.
        name: String,
        /// The cause.
        source: ApiError,
    },
}

/// The webhook's objects on the hub.
pub struct WebhookObjects {
    connection: Connection,
    namespace: String,
    changed: Arc<Notify>,
}

fn secrets() -> GroupVersionKind {
    GroupVersionKind::new("v1", "Secret")
}

fn configurations() -> GroupVersionKind {
    GroupVersionKind::new("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
}

impl WebhookObjects {
    /// Connects and watches: the Secret in this namespace, and the configurations with the label.
    pub async fn watch(kubeconfig: Option<&Path>, namespace: &str) -> Result<Self, HubError> {
        let changed: Arc<Notify> = Arc::default();
        let told = changed.clone();
        let connection = Connection::from_file(
            kubeconfig,
            Arc::new(move |key, change| match change {
                Change::Object(_) | Change::State(WatchState::Synced) => told.notify_one(),
                Change::State(WatchState::Failing { message, .. }) => {
                    let kind = &key.gvk.kind;
                    tracing::warn!(kind, message, "a watch of the webhook's objects fails, trying again");
                }
                Change::Malformed { .. } | Change::State(WatchState::Loading | WatchState::KindGone) => {}
            }),
        )
        .await?;
        for (gvk, namespace, value) in
            [(secrets(), Some(namespace), CERTIFICATE), (configurations(), None, CONFIGURATION)]
        {
            let kind = gvk.kind.clone();
            let key = WatchKey {
                gvk,
                namespace: namespace.map(ToOwned::to_owned),
                selector: Some(format!("{LABEL}={value}")),
                depth: Depth::Whole,
            };
            let watch = connection.watch(key).await.map_err(|source| HubError::Watch { kind, source })?;
            if let Some(watch) = watch {
                watch.settled().await;
            }
        }
        Ok(Self { connection, namespace: namespace.to_owned(), changed })
    }

    /// Ends when the Secret or a configuration has changed since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Sees to it that there is a certificate for the names under which the API server calls, and that it is trusted; answers
    /// it. `also` are further names, those under which this process listens.
    pub async fn certificate(
        &self,
        also: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<ServingCertificate, WebhookError> {
        let configurations = self.connection.selected(&configurations());
        let mut names = called(&configurations);
        names.insert(format!("{WEBHOOK_NAME}.{}.svc", self.namespace));
        names.extend(also.iter().cloned());
        let certificate = self.kept(names, now).await?;
        for configuration in &configurations {
            self.trust(configuration, &certificate.authorities).await?;
        }
        Ok(certificate)
    }

    async fn kept(
        &self,
        mut names: BTreeSet<String>,
        now: Timestamp,
    ) -> Result<ServingCertificate, WebhookError> {
        let key = ObjectKey {
            gvk: secrets(),
            namespace: Some(self.namespace.clone()),
            name: WEBHOOK_NAME.to_owned(),
        };
        let failed =
            |source| WebhookError::Secret { secret: format!("{}/{WEBHOOK_NAME}", self.namespace), source };
        loop {
            let found = self.connection.get(&key).await.map_err(failed)?;
            let read = found.as_ref().map(ServingCertificate::read);
            let before = match &read {
                Some(Ok(certificate)) if certificate.serves(&names, now) => return Ok(certificate.clone()),
                Some(Ok(certificate)) => Some(certificate),
                // What cannot be read is replaced.
                Some(Err(_)) | None => None,
            };
            if let Some(before) = before {
                // Replicas may be called by names of their own: what one has added, the others keep.
                names.extend(before.names.iter().cloned());
            }
            let issued = certificate::issue(&names, now)?;
            let bundle =
                certificate::bundle(&issued.authority, before.map(|before| before.authorities.as_str()));
            let mut fields = json!({
                "metadata": {"labels": {LABEL: CERTIFICATE, MANAGED_BY_LABEL: MANAGED_BY}},
                "data": {
                    "ca.crt": STANDARD.encode(&bundle),
                    "tls.crt": STANDARD.encode(&issued.certificate),
                    "tls.key": STANDARD.encode(&issued.key),
                },
            });
            let written = if let Some(found) = &found {
                fields["metadata"]["resourceVersion"] = json!(found.resource_version());
                self.connection.merge(&key, &fields, Mode::Real).await
            } else {
                fields["apiVersion"] = json!("v1");
                fields["kind"] = json!("Secret");
                fields["type"] = json!("kubernetes.io/tls");
                fields["metadata"]["name"] = json!(key.name);
                fields["metadata"]["namespace"] = json!(key.namespace);
                let secret = Manifest::parse(fields)
                    .map_err(|error| failed(ApiError::Invalid { message: error.to_string() }))?;
                self.connection.create(&secret, Mode::Real).await
            };
            match written {
                Ok(secret) => return Ok(ServingCertificate::read(&secret)?),
                // Another replica was faster: its certificate will do.
                Err(ApiError::Conflict { .. } | ApiError::AlreadyExists { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Writes the authorities into every webhook of a configuration, if they are not there.
    async fn trust(&self, configuration: &Manifest, authorities: &str) -> Result<(), WebhookError> {
        let (Some(key), Some(webhooks)) = (configuration.key(), trusting(configuration, authorities)) else {
            return Ok(());
        };
        let patch = json!({
            "metadata": {"resourceVersion": configuration.resource_version()},
            "webhooks": webhooks,
        });
        match self.connection.merge(&key, &patch, Mode::Real).await {
            // A conflict: what the cache holds is old, and its change is on the way here.
            Ok(_) | Err(ApiError::Conflict { .. }) => Ok(()),
            Err(source) => Err(WebhookError::Configuration { name: key.name, source }),
        }
    }
}

/// The webhooks of a configuration with these authorities; `None` when they have them.
fn trusting(configuration: &Manifest, authorities: &str) -> Option<Value> {
    let existing = configuration.at(&["webhooks"])?;
    let encoded = json!(STANDARD.encode(authorities));
    let mut wanted = existing.clone();
    for webhook in wanted.as_array_mut()? {
        webhook["clientConfig"]["caBundle"] = encoded.clone();
    }
    (wanted != *existing).then_some(wanted)
}

/// The names and addresses by which configurations call the webhook.
fn called(configurations: &[Arc<Manifest>]) -> BTreeSet<String> {
    let webhooks = configurations
        .iter()
        .filter_map(|configuration| configuration.at(&["webhooks"]).and_then(Value::as_array))
        .flatten();
    webhooks.filter_map(|webhook| name(&webhook["clientConfig"])).collect()
}

fn name(client: &Value) -> Option<String> {
    if let Some(url) = client["url"].as_str() {
        let uri: http::Uri = url.parse().ok()?;
        // As it reads in a certificate: otherwise it would be missed there, again and again.
        let host = uri.host()?.trim_matches(['[', ']']).to_lowercase();
        return Some(host.parse::<std::net::IpAddr>().map_or(host, |address| address.to_string()));
    }
    let (name, namespace) = (client["service"]["name"].as_str()?, client["service"]["namespace"].as_str()?);
    Some(format!("{name}.{namespace}.svc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(clients: &[Value]) -> Manifest {
        let webhooks: Vec<Value> = clients.iter().map(|client| json!({"clientConfig": client})).collect();
        Manifest::parse(json!({"apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "flotilla"}, "webhooks": webhooks}))
        .unwrap()
    }

    #[test]
    fn a_webhook_is_called_by_its_service_or_its_address() {
        let found = called(&[Arc::new(configuration(&[
            json!({"service": {"name": "a", "namespace": "b"}}),
            json!({"url": "https://Hub.example.org:8443/validate"}),
            json!({"url": "https://[0:0::1]:8443/validate"}),
            json!({}),
        ]))]);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["::1", "a.b.svc", "hub.example.org"]);
    }

    #[test]
    fn authorities_are_written_once_and_nothing_else_is_changed() {
        let before = configuration(&[json!({"url": "https://a/b"})]);
        let webhooks = trusting(&before, "CA").unwrap();
        assert_eq!(webhooks, json!([{"clientConfig": {"url": "https://a/b", "caBundle": "Q0E="}}]));
        let after = before.with_field("webhooks", Some(webhooks));
        assert_eq!(trusting(&after, "CA"), None);
        assert!(trusting(&after, "CB").is_some());
    }
}
