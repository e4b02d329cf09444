//! Which clusters a Placement selects, and why each cluster is in or out.
//!
//! Takes Placements, managed clusters, cluster sets and their bindings as values; gives verdicts, the
//! PlacementDecision objects, the conditions of the Placement, and the claims of a cluster. Must not touch:
//! clients, the clock (the time is an argument), templates. Semantics: Open Cluster Management's placement
//! controller.

mod cel;
pub mod claims;
pub mod conditions;
pub mod decide;
pub mod decision;
pub mod groups;
pub mod judge;
mod quantity;
pub mod rank;
mod requirements;
pub mod scope;
pub mod surroundings;
mod taint;
pub mod verdict;

#[cfg(test)]
mod laws;

pub use claims::claims;
pub use decide::{Decisions, decide};
pub use decision::{decision_objects, group_status};
pub use judge::{Assessment, assess, judge};
pub use scope::{Scope, scope};
pub use surroundings::{Scores, Surroundings};
pub use verdict::{InReason, Mismatch, MismatchSource, OutReason, Verdict};
