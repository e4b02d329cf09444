//! Which clusters a Placement selects, and why each cluster is in or out.
//!
//! Takes Placements, managed clusters, cluster sets and their bindings as values; gives verdicts, the
//! PlacementDecision objects, the conditions of the Placement, and the claims of a cluster. Must not touch:
//! clients, the clock (the time is an argument), templates. Semantics: Open Cluster Management's placement
//! controller.
//!
//! Not evaluated yet: `celSelector` (such clusters are out with [`OutReason::UnsupportedCel`], which never
//! prunes), prioritizers other than "keep what was selected, then by name", and decision groups.

pub mod claims;
pub mod conditions;
#[cfg(test)]
mod conformance;
pub mod decide;
pub mod decision;
pub mod judge;
pub mod scope;
mod taint;
pub mod verdict;

pub use claims::claims;
pub use decide::{Decisions, decide};
pub use decision::decision_objects;
pub use judge::{Assessment, assess, judge};
pub use scope::{Scope, scope};
pub use verdict::{InReason, Mismatch, MismatchSource, OutReason, Verdict};
