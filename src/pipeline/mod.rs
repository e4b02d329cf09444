//! The pure core: values in, values out; time is an argument; no client, clock, file, environment or randomness.
//!
//! Modules stand in the order of the flow.

pub mod compare;
pub mod compliance;
pub mod config;
pub mod lint;
pub mod placement;
pub mod plan;
pub mod policy;
pub mod render;
pub mod sets;
pub mod source;
pub mod url;
pub mod velero;
