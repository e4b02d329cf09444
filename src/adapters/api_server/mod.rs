//! One connection to one Kubernetes API server: kinds, watches with their caches, and writes.
//!
//! Takes a kubeconfig and references that templates ask for; gives look-up snapshots and the outcome of writes. Used by
//! the hub and the cluster adapter alike. Must not touch: policies, placements, compliance.

mod awaited;
mod connection;
mod error;
mod impersonation;
mod kinds;
pub mod kubeconfig;
pub mod put;
mod snapshot;
mod watch;
mod writes;

pub use connection::{Connection, Ensured};
pub use error::ApiError;
pub use snapshot::Snapshot;
pub use watch::{Change, Depth, Listener, ObjectWatch, WatchKey, WatchState};
pub use writes::{Mode, Written};

/// The name under which Flotilla writes (`fieldManager`).
pub const FIELD_MANAGER: &str = "flotilla";
