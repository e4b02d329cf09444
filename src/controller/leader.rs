//! Being the hub alone: waits for the Lease, keeps it, gives it back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::turn::{LEASE_DURATION, Lease, RENEW_EVERY, Turn, turn};
use crate::adapters::api_server::ApiError;
use crate::adapters::hub::Hub;
use crate::api::object::Manifest;
use crate::clock;

/// Where the Lease is, and who wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Namespace of the Lease on the hub.
    pub namespace: String,
    /// A name that no other process has.
    pub identity: String,
}

/// Waits until the Lease is this process's. `false`: it was told to stop first.
pub(super) async fn wait_for_turn(
    hub: &Hub,
    candidate: &Candidate,
    stop: &CancellationToken,
) -> Result<bool, ApiError> {
    let mut told = false;
    loop {
        match try_once(hub, candidate).await? {
            None => return Ok(true),
            Some(holder) if !told => {
                tracing::info!(
                    holder,
                    namespace = candidate.namespace,
                    "another process is the hub: waiting for its Lease"
                );
                told = true;
            }
            Some(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(pause()) => {}
        }
    }
}

/// Keeps the Lease until told to stop, then gives it back. The error says that it was lost.
pub(super) async fn keep(hub: &Hub, candidate: &Candidate, stop: &CancellationToken) -> Result<(), String> {
    let mut renewed = clock::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                give_back(hub, candidate).await;
                return Ok(());
            }
            () = tokio::time::sleep(pause()) => {}
        }
        match try_once(hub, candidate).await {
            Ok(None) => renewed = clock::now(),
            Ok(Some(holder)) => return Err(format!("{holder} has taken it")),
            Err(error) if clock::now().duration_since(renewed) >= LEASE_DURATION => {
                return Err(error.to_string());
            }
            Err(error) => tracing::warn!(%error, "the Lease cannot be renewed, trying again"),
        }
    }
}

fn pause() -> Duration {
    Duration::try_from(RENEW_EVERY).unwrap_or(Duration::from_secs(5))
}

/// Takes or renews the Lease if that is allowed now; answers who holds it otherwise.
async fn try_once(hub: &Hub, candidate: &Candidate) -> Result<Option<String>, ApiError> {
    let found = hub.lease(&candidate.namespace).await?;
    let lease = found.as_ref().map(read);
    let now = clock::now();
    let written = match (turn(lease.as_ref(), &candidate.identity, now), &found) {
        (Turn::Create, _) | (_, None) => {
            hub.create_lease(&candidate.namespace, &taken(candidate, now, 0)).await
        }
        (Turn::Take { transitions }, Some(found)) => {
            hub.change_lease(found, &taken(candidate, now, transitions)).await
        }
        (Turn::Renew, Some(found)) => hub.change_lease(found, &json!({"renewTime": micro_time(now)})).await,
        (Turn::Wait { .. }, Some(_)) => return Ok(Some(lease.map(|lease| lease.holder).unwrap_or_default())),
    };
    match written {
        Ok(()) => Ok(None),
        Err(ApiError::Conflict { .. } | ApiError::AlreadyExists { .. }) => {
            Ok(Some("another process".to_owned()))
        }
        Err(error) => Err(error),
    }
}

async fn give_back(hub: &Hub, candidate: &Candidate) {
    let given = match hub.lease(&candidate.namespace).await {
        Ok(Some(found)) if read(&found).holder == candidate.identity => {
            hub.change_lease(&found, &json!({"holderIdentity": ""})).await
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = given {
        tracing::warn!(%error, "the Lease could not be given back: it runs out by itself");
    }
}

fn taken(candidate: &Candidate, now: Timestamp, transitions: u32) -> Value {
    json!({
        "holderIdentity": candidate.identity,
        "leaseDurationSeconds": LEASE_DURATION.as_secs(),
        "acquireTime": micro_time(now),
        "renewTime": micro_time(now),
        "leaseTransitions": transitions,
    })
}

/// `metav1.MicroTime`.
fn micro_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn read(lease: &Manifest) -> Lease {
    let number = |field: &str| lease.at(&["spec", field]).and_then(Value::as_i64);
    Lease {
        holder: lease.text_at(&["spec", "holderIdentity"]).unwrap_or_default().to_owned(),
        renewed: lease.text_at(&["spec", "renewTime"]).and_then(|text| text.parse().ok()),
        duration: number("leaseDurationSeconds").map_or(LEASE_DURATION, SignedDuration::from_secs),
        transitions: number("leaseTransitions")
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default(),
    }
}
