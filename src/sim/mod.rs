//! The embedded stand-in: in-memory Kubernetes API servers with simulated operators.

pub mod oadp;
pub mod simulator;
pub mod velero;
