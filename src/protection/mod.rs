//! What is Velero's own: rules about its objects that hold whichever policy wrote them.
//!
//! Takes rendered and observed objects as values; gives checks, translations for the version on the cluster,
//! and what is held back with its reason. Must not touch: clients, the clock, templates.

pub mod departure;
pub mod guard;
pub mod hub_target;
pub mod names;
pub mod namespaces;
pub mod restore_gate;
pub mod single;
pub mod translate;

/// API group of Velero.
const VELERO_GROUP: &str = "velero.io";
/// API group of the OADP operator.
const OADP_GROUP: &str = "oadp.openshift.io";
