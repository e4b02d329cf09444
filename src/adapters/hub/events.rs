//! Kubernetes Events on the hub.

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Hub;
use crate::adapters::api_server::{ApiError, FIELD_MANAGER, Mode};
use crate::api::object::Manifest;

/// Whether an Event is a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// `Normal`.
    Normal,
    /// `Warning`.
    Warning,
}

/// An Event about an object of the hub.
#[derive(Debug, Clone, PartialEq)]
pub struct HubEvent {
    /// Name of the Event; two writers of the same name write the same Event.
    pub name: String,
    /// Normal or warning.
    pub kind: EventKind,
    /// One word or `policy: <namespace>/<name>`.
    pub reason: String,
    /// For people.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// A name that an Event about the same object with the same words always gets: told again, after a restart or by another
/// process, it stays one Event.
pub fn lasting_name(about: &Manifest, reason: &str, message: &str) -> String {
    let mut text = Sha256::new();
    for part in [about.uid().unwrap_or_default(), reason, message] {
        text.update(part.len().to_be_bytes());
        text.update(part);
    }
    let digest = text.finalize();
    let mark = digest.iter().take(8).fold(0_u64, |mark, byte| (mark << 8) | u64::from(*byte));
    format!("{}.{mark:016x}", about.name().unwrap_or_default())
}

impl Hub {
    /// Writes an Event about an object; one that exists already is left alone.
    pub async fn record(&self, about: &Manifest, event: &HubEvent) -> Result<(), ApiError> {
        let namespace = about.namespace().unwrap_or("default");
        let at = event.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let manifest = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": event.name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about.api_version(), "kind": about.kind(),
                "name": about.name(), "namespace": about.namespace(), "uid": about.uid(),
            },
            "reason": event.reason,
            "message": event.message,
            "type": match event.kind { EventKind::Normal => "Normal", EventKind::Warning => "Warning" },
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": FIELD_MANAGER,
            "firstTimestamp": at, "lastTimestamp": at, "count": 1,
        });
        let manifest =
            Manifest::parse(manifest).map_err(|error| ApiError::Invalid { message: error.to_string() })?;
        match self.connection().create(&manifest, Mode::Real).await {
            Ok(_) | Err(ApiError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
