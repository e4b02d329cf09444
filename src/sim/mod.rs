//! The embedded stand-in: in-memory Kubernetes API servers with simulated operators.
//!
//! A [`stage::Stage`] is a fleet in one process: a hub and managed clusters that stock kubectl and kube-rs talk to over
//! HTTP on the loopback. Nothing outside `cli`, tests and benches may name this room.

pub mod clock;
pub mod faults;
mod http;
mod hub;
pub mod kinds;
mod made;
pub mod oadp;
mod patch;
mod runtime;
mod schema;
pub mod server;
pub mod simulator;
pub mod stage;
pub mod status;
pub mod store;
pub mod velero;
pub mod workloads;
