//! Files as a source of objects: manifests from files and directories, kubeconfigs that a person hands over.
//!
//! Takes paths; gives manifests with the place where each one stands, and a look-up over them. Must not touch: the network,
//! decisions.

mod files;
pub mod kubeconfig;
mod lookup;
mod scope;

pub use files::{Found, Gathered, Place, SourceError, gather, read_stream};
pub use lookup::{EmptyCluster, ObjectLookup};
pub use scope::{is_namespaced, plural};
