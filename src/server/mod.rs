//! The HTTP endpoints of the hub process: `/healthz`, `/readyz`, `/metrics`, and `/sources/look`, which asks for a look at the
//! sources; over TLS the admission webhook.
//!
//! Takes the state that the driver keeps; gives answers. Must not touch: the hub's objects, managed clusters.

mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::controller::{Metrics, Trigger};
pub use webhook::{Webhook, WebhookStartError};

/// What the endpoints tell of.
#[derive(Debug, Clone)]
pub struct Health {
    /// Turns true once the hub's objects are known.
    pub ready: Arc<AtomicBool>,
    /// Cancelled when the process is about to stop.
    pub stop: CancellationToken,
    /// What the hub counts.
    pub metrics: Arc<Metrics>,
    /// Asks for a look at the sources; `None` if there are none.
    pub trigger: Option<Trigger>,
}

/// The endpoints cannot be served.
#[derive(Debug, Error)]
#[error("failed to listen on {address}: {source}")]
pub struct ListenError {
    /// The address asked for.
    pub address: SocketAddr,
    /// Why not.
    pub source: std::io::Error,
}

/// The running endpoints. Dropping it stops them.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    /// Starts serving; port 0 takes any free one.
    #[expect(clippy::disallowed_methods, reason = "the task is owned by the handle and stops with it")]
    pub async fn start(listen: SocketAddr, health: Health) -> Result<Self, ListenError> {
        let fault = |source| ListenError { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let router = router(health);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the health endpoints stopped");
            }
        });
        Ok(Self { address, _task: AbortOnDropHandle::new(task) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The endpoints as a service.
pub fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .route("/sources/look", post(look))
        .with_state(health)
}

async fn readiness(State(health): State<Health>) -> Response {
    if health.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: stopping\n").into_response();
    }
    if health.ready.load(Ordering::Acquire) {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not ready: the hub's objects are not all known yet\n").into_response()
}

/// Whoever reaches the port may ask: more than one look a second does not come of it, and the answer tells nothing.
async fn look(State(health): State<Health>) -> Response {
    match &health.trigger {
        Some(trigger) => {
            trigger.pull();
            (StatusCode::ACCEPTED, "the sources will be looked at\n").into_response()
        }
        None => (StatusCode::NOT_FOUND, "there are no sources\n").into_response(),
    }
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.metrics.text() {
        Ok(text) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => {
            let text = format!("failed to write the metrics: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn ask(health: &Health, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(health.clone()).oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn health() -> Health {
        let (ready, metrics) = (Arc::default(), Arc::default());
        Health { ready, stop: CancellationToken::new(), metrics, trigger: None }
    }

    #[tokio::test]
    async fn readiness_says_why_not() {
        let health = health();
        assert_eq!(ask(&health, "/healthz").await, (200, "ok\n".to_owned()));
        assert_eq!(
            ask(&health, "/readyz").await,
            (503, "not ready: the hub's objects are not all known yet\n".to_owned())
        );
        health.ready.store(true, Ordering::Release);
        assert_eq!(ask(&health, "/readyz").await.0, 200);
        health.stop.cancel();
        assert_eq!(ask(&health, "/readyz").await, (503, "not ready: stopping\n".to_owned()));
    }

    #[tokio::test]
    async fn a_look_at_the_sources_can_be_asked_for() {
        let ask = |health: Health| async move {
            let request = Request::post("/sources/look").body(Body::empty()).unwrap();
            router(health).oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!(ask(health()).await, 404);
        assert_eq!(ask(Health { trigger: Some(Trigger::default()), ..health() }).await, 202);
    }

    #[tokio::test]
    async fn metrics_are_in_the_open_format() {
        let health = health();
        health.metrics.evaluations.inc();
        let (status, text) = ask(&health, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("flotilla_evaluations_total 1\n") && text.ends_with("# EOF\n"), "{text}");
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error() {
        let first = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), health()).await.unwrap();
        let error = Server::start(first.address(), health()).await.unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("failed to listen on {}: ", first.address())),
            "{error}"
        );
    }
}
