//! Files and git repositories as a source of objects: manifests from files and directories, kubeconfigs that a person hands over.
//!
//! Takes paths; gives manifests with the place where each one stands, a look-up over them, and an imagined cluster that holds
//! them. Must not touch: decisions; the network, but in `git`.

mod cluster;
pub mod directory;
mod files;
pub mod git;
mod inputs;
pub mod kubeconfig;
mod lookup;
mod mappings;
mod scope;

pub use cluster::{ClusterError, FileCluster};
pub use files::{Found, Gathered, Place, SourceError, gather, read_stream};
pub use inputs::{InputError, Text, plain, read_text, read_texts, read_trees};
pub use lookup::{EmptyCluster, ObjectLookup};
pub use mappings::{Mappings, MappingsError};
pub use scope::{is_namespaced, plural};
