//! The admission webhook: HTTPS `/validate`, so that the hub's API server refuses a ConfigMap with mistakes in it.
//!
//! Takes reviews; gives answers. Every replica serves it, whoever holds the Lease. Must not touch: the fleet.

mod review;
mod tls;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use jiff::Timestamp;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::adapters::hub::HubError;
use crate::adapters::hub::webhook::WebhookObjects;
use crate::clock;
use crate::server::ListenError;
use tls::{Served, TlsListener};

/// Largest review that is read, bytes: an object and the one before it, each as large as the API server allows.
const LARGEST_REVIEW: usize = 8 * 1024 * 1024;
/// How long a review may take to arrive. The API server has given up by then.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long what failed waits until it is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// The webhook cannot be served.
#[derive(Debug, Error)]
pub enum WebhookStartError {
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The hub cannot be used.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// TLS cannot be set up.
    #[error("{0}")]
    Tls(String),
}

/// The running webhook. Dropping it stops it.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
    _keeping: AbortOnDropHandle<()>,
}

impl Webhook {
    /// Starts serving; port 0 takes any free one. The certificate is kept in `namespace` on the hub.
    #[expect(clippy::disallowed_methods, reason = "the tasks are owned by the handles and stop with them")]
    pub async fn start(
        listen: SocketAddr,
        kubeconfig: Option<&Path>,
        namespace: &str,
    ) -> Result<Self, WebhookStartError> {
        let fault = |source| ListenError { address: listen, source };
        let tcp = TcpListener::bind(listen).await.map_err(fault)?;
        let address = tcp.local_addr().map_err(fault)?;
        let served: Arc<Served> = Arc::default();
        let listener = TlsListener::new(tcp, served.clone())
            .map_err(|error| WebhookStartError::Tls(error.to_string()))?;
        let objects = WebhookObjects::watch(kubeconfig, namespace).await?;
        // Under the address of a certain interface it may be called too; "any" is not an address.
        let also = (!listen.ip().is_unspecified()).then(|| listen.ip().to_string()).into_iter().collect();
        let keeping = tokio::spawn(keep(objects, served, also));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router()).await {
                tracing::error!(%error, "the webhook stopped");
            }
        });
        Ok(Self {
            address,
            _serving: AbortOnDropHandle::new(serving),
            _keeping: AbortOnDropHandle::new(keeping),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Keeps the certificate good and the API server told of it, for as long as it runs.
async fn keep(objects: WebhookObjects, served: Arc<Served>, also: BTreeSet<String>) {
    let mut told: Option<Timestamp> = None;
    loop {
        let now = clock::now();
        let pause = match objects.certificate(&also, now).await {
            Ok(certificate) => match served.set(&certificate) {
                Ok(()) => {
                    if told != Some(certificate.due) {
                        let names = certificate.names.iter().cloned().collect::<Vec<_>>().join(", ");
                        tracing::info!(names, due = %certificate.due, "the webhook has its certificate");
                        told = Some(certificate.due);
                    }
                    Duration::try_from(certificate.due.duration_since(now)).unwrap_or(AGAIN)
                }
                Err(error) => {
                    tracing::warn!(%error, "the webhook cannot be served, trying again");
                    AGAIN
                }
            },
            Err(error) => {
                tracing::warn!(%error, "the webhook has no certificate that the API server trusts, trying again");
                AGAIN
            }
        };
        tokio::select! {
            () = objects.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The webhook as a service.
fn router() -> Router {
    Router::new().route("/validate", post(validate))
}

async fn validate(body: Body) -> Response {
    let read = tokio::time::timeout(ARRIVAL, to_bytes(body, LARGEST_REVIEW)).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return refused(&format!("failed to read the review: {error}")),
        Err(_) => {
            return refused(&format!("failed to read the review: it took over {} s", ARRIVAL.as_secs()));
        }
    };
    match review::review(&body) {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => refused(&error.to_string()),
    }
}

fn refused(text: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{text}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn post(body: &'static str) -> (u16, String) {
        let request = Request::post("/validate").body(Body::from(body)).unwrap();
        let answer = router().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let text = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_bad_review_is_a_bad_request_and_a_good_one_is_answered() {
        let (status, text) = post("{}").await;
        assert_eq!(status, 400);
        assert!(text.starts_with("failed to read the review: apiVersion is null"), "{text}");
        let (status, text) = post(
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"DELETE"}}"#,
        )
        .await;
        assert_eq!(status, 200);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["response"], serde_json::json!({"uid": "u", "allowed": true}));
    }
}
