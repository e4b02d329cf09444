//! What the hub would do on the clusters, without doing it: with the hub as it is, or as it would be after files were applied
//! to it. What `flotilla plan` and `flotilla diff` show.
//!
//! The very evaluation of the hub's workers, over snapshots that something may be imagined into. Reads only: nothing here
//! writes to the hub or to a cluster.

mod cluster;
mod draft;
mod prospect;

pub use cluster::{ClusterPreview, Look, PolicyPreview, Turn};
pub use prospect::Prospect;
