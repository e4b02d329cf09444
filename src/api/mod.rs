//! Wire types: what stands in Kubernetes objects of Open Cluster Management and Velero, and any object as plain data.
//!
//! Takes and gives JSON. Must not touch: anything of ours but this room, clients, clock, files.

pub mod definitions;
pub mod dns;
pub mod object;
pub mod ocm;
pub mod quantity;
pub mod selector;
