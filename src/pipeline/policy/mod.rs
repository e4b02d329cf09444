//! From a root Policy to what must be checked on one cluster.
//!
//! Takes typed hub objects and rendered definitions; gives bindings, the replicated Policy, ordered checks and the state
//! of dependencies. Must not touch: clients, clock, the cluster's objects. Source: OCM's policy propagator and framework
//! add-on (`spec/ocm-semantics.md` section 3).

pub mod bindings;
pub mod checks;
pub mod dependencies;
pub mod replicate;
pub mod standing;
pub mod templates;

use std::fmt;

/// Namespace and name of a root Policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyKey {
    /// Namespace on the hub.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl PolicyKey {
    /// From its parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Name of the replicated policy: `<namespace>.<name>`.
    pub fn replicated_name(&self) -> String {
        format!("{}.{}", self.namespace, self.name)
    }

    /// The root of a replicated policy, from its name or its `root-policy` label. Namespaces hold no dots.
    pub fn from_replicated(name: &str) -> Option<Self> {
        let (namespace, name) = name.split_once('.')?;
        Some(Self::new(namespace, name))
    }
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}
