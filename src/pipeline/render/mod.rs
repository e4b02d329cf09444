//! Rendering: Open Cluster Management's two template phases as pure functions over look-up snapshots.
//!
//! Takes the text of a policy, the facts of a cluster and a [`lookup::Lookup`]; gives resolved values and every reference
//! that was asked for. Must not touch: network, files, clock, randomness.

mod cluster;
pub mod document;
pub mod encryption;
mod engine;
mod functions;
mod go_json;
mod hub;
pub mod inspect;
pub mod lookup;
mod message;
pub mod overlay;
#[cfg(test)]
mod phase_tests;
#[cfg(test)]
mod property_tests;
mod protect;
mod resolve;
mod rewrite;
mod session;
#[cfg(test)]
pub(in crate::pipeline) mod tests;
pub mod text;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;

use self::lookup::{Lookup, Reference};

/// By how many spaces the hub phase's `indent` shifts further (`AdditionalIndentation` of the propagator).
const HUB_ADDITIONAL_INDENTATION: usize = 8;

/// What the hub phase knows of the target: `.ManagedClusterName`, `.ManagedClusterLabels` and `.PolicyMetadata`.
#[derive(Debug, Clone)]
pub struct HubContext {
    /// Name of the managed cluster.
    pub cluster: String,
    /// Labels of its ManagedCluster.
    pub labels: BTreeMap<String, String>,
    /// `{annotations, labels, name, namespace}` of the root policy.
    pub policy_metadata: Value,
    /// The root policy's namespace.
    pub policy_namespace: String,
    /// Whether look-ups are restricted to the policy's namespace and the target's ManagedCluster. They are not where they
    /// are made with the rights of a service account (`hubTemplateOptions.serviceAccountName`).
    pub is_restricted: bool,
    /// The moment and the randomness that templates may use.
    pub ambient: Ambient,
    /// With what `protect` and `fromSecret` encrypt; without it they leave tokens.
    pub encryption: Option<encryption::Encryption>,
}

impl Default for HubContext {
    fn default() -> Self {
        Self {
            cluster: String::new(),
            labels: BTreeMap::new(),
            policy_metadata: Value::Null,
            policy_namespace: String::new(),
            is_restricted: true,
            ambient: Ambient::default(),
            encryption: None,
        }
    }
}

/// What the cluster phase knows of the cluster beside its objects.
#[derive(Debug, Clone, Default)]
pub struct ClusterContext {
    /// Name of the managed cluster, which is also the namespace of its key on the hub.
    pub cluster: String,
    /// Claims, virtual ones included (`docs/architecture.md`, cluster claims).
    pub claims: BTreeMap<String, String>,
    /// Values that the hub phase wrapped by `protect`.
    pub protected: ProtectedValues,
    /// The moment and the randomness that templates may use.
    pub ambient: Ambient,
    /// What decrypts `$ocm_encrypted:` values; `None` where the cluster has no key.
    pub encryption: Option<encryption::EncryptionKeys>,
}

/// What templates may use that is no fact of any object. It comes from the edge, so that a rendering can be repeated.
#[derive(Clone, Copy, Default)]
pub struct Ambient {
    /// What `now` gives.
    pub now: jiff::Timestamp,
    /// Where random values are drawn from. Must be unpredictable where keys and passwords are made.
    pub seed: [u8; 32],
}

impl std::fmt::Debug for Ambient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Ambient({})", self.now)
    }
}

/// Plain text of values that a hub template passed through `protect`; the rendered text holds only a token in their place.
///
/// `Debug` shows how many there are, never what.
#[derive(Clone, Default)]
pub struct ProtectedValues(pub BTreeMap<String, Arc<SecretString>>);

impl std::fmt::Debug for ProtectedValues {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ProtectedValues({} wrapped)", self.0.len())
    }
}

/// Every reference that a rendering asked for, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// All of them: a change of any makes the rendering stale.
    pub references: BTreeSet<Reference>,
    /// Named ones that were not found.
    pub not_found: BTreeSet<Reference>,
    /// Those that the snapshot does not hold yet.
    pub not_yet_known: BTreeSet<Reference>,
}

/// A value rendered by the hub phase.
#[derive(Debug, Clone)]
pub struct HubRendered {
    /// The `objectDefinition` of one policy template, hub templates resolved.
    pub definition: Value,
    /// Values behind the tokens in it.
    pub protected: ProtectedValues,
    /// Whether a plain value of a Secret got into it by `lookup`.
    pub sensitive: bool,
}

/// The object templates of one `ConfigurationPolicy` for one cluster.
#[derive(Debug, Clone)]
pub struct ClusterRendered {
    /// One entry per object template, in the order of the policy. An entry is the template's mapping as in
    /// `spec.object-templates[]`, resolved; an error concerns that entry alone.
    pub object_templates: Vec<Result<RenderedEntry, RenderError>>,
    /// Indexes of the object templates that called `skipObject`: nothing is to be checked for them.
    pub skipped: BTreeSet<usize>,
    /// Whether a Secret or a protected value went into it, so that diffs must be censored.
    pub sensitive: bool,
}

/// One entry of `spec.object-templates` after the cluster phase.
#[derive(Debug, Clone, PartialEq)]
pub enum RenderedEntry {
    /// It is the same for every object that it selects.
    Resolved(Value),
    /// Its templates name the object: it is to be resolved for each by [`Renderer::object_template`].
    PerObject(VariablesUsed),
}

impl RenderedEntry {
    /// The resolved entry; `None` where there is one for each object.
    pub fn resolved(&self) -> Option<&Value> {
        match self {
            Self::Resolved(entry) => Some(entry),
            Self::PerObject(_) => None,
        }
    }
}

/// Which variables of its object an entry of `object-templates` names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VariablesUsed {
    /// `.ObjectNamespace`: it must be resolved for each namespace.
    pub namespace: bool,
    /// `.ObjectName`: it must be resolved for each name.
    pub name: bool,
    /// `.Object`: it must be resolved for each name, with the object as it is on the cluster.
    pub object: bool,
}

impl VariablesUsed {
    /// Whether there is any.
    pub fn any(self) -> bool {
        self.namespace || self.name || self.object
    }
}

/// The object that an entry of `object-templates` is resolved for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectVariables {
    /// `.ObjectNamespace`; empty for cluster-scoped objects: then there is no such variable.
    pub namespace: String,
    /// `.ObjectName`; empty where the entry has no name: then there is neither this variable nor `.Object`.
    pub name: String,
    /// `.Object`: the object as it is on the cluster; `None` where it does not exist.
    pub object: Option<Value>,
}

/// One entry of `object-templates`, resolved for one object.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectRendered {
    /// The entry, resolved; as it stands in the policy where it was skipped.
    pub template: Value,
    /// Whether it called `skipObject`: nothing is to be checked for this object.
    pub skipped: bool,
    /// Whether a Secret or a protected value went into it.
    pub sensitive: bool,
}

/// Why a template could not be resolved. The texts are those that Open Cluster Management shows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// The template does not parse, or a function in it failed.
    #[error("{0}")]
    Template(String),
    /// The resolved text is not the YAML that is expected there.
    #[error("{0}")]
    Result(String),
    /// Encrypted values cannot be read for want of a key or a vector (`Template encryption configuration error`).
    #[error("{0}")]
    Encryption(String),
    /// The snapshot does not hold a reference yet (see [`Asked::not_yet_known`]).
    #[error("waiting for look-ups to be watched: {0}")]
    NotYetKnown(String),
}

/// Renders, and keeps parsed templates for the next cluster. Share one between threads.
#[derive(Default)]
pub struct Renderer {
    templates: resolve::Templates,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Renderer")
    }
}

impl Renderer {
    /// A renderer that has parsed nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Resolves the `{{hub … hub}}` templates of one policy template's `objectDefinition`.
    pub fn hub_phase(
        &self,
        definition: &Value,
        context: &HubContext,
        lookup: &dyn Lookup,
    ) -> (Result<HubRendered, RenderError>, Asked) {
        hub::render(&self.templates, definition, context, lookup)
    }

    /// Resolves the `{{ … }}` templates of a `ConfigurationPolicy` (the whole object after the hub phase) into object templates.
    pub fn cluster_phase(
        &self,
        configuration_policy: &Value,
        context: &ClusterContext,
        lookup: &dyn Lookup,
    ) -> (Result<ClusterRendered, RenderError>, Asked) {
        cluster::render(&self.templates, configuration_policy, context, lookup)
    }

    /// Which variables of its object an entry of `object-templates` names.
    pub fn variables(entry: &Value) -> VariablesUsed {
        variables::used(entry)
    }

    /// Resolves one entry of `object-templates` of a `ConfigurationPolicy` for one object.
    pub fn object_template(
        &self,
        configuration_policy: &Value,
        index: usize,
        variables: &ObjectVariables,
        context: &ClusterContext,
        lookup: &dyn Lookup,
    ) -> (Result<ObjectRendered, RenderError>, Asked) {
        cluster::render_object(&self.templates, configuration_policy, index, variables, context, lookup)
    }
}

/// A message that a policy's author words by a Go template. The error is told behind the ordinary message.
pub fn message(template: &str, data: &Value) -> Result<String, String> {
    message::render(template, data)
}

/// The error of a rendering that met look-ups that the snapshot does not hold yet.
fn not_yet_known(asked: &Asked) -> RenderError {
    let names: Vec<String> = asked.not_yet_known.iter().map(Reference::to_string).collect();
    RenderError::NotYetKnown(names.join(", "))
}
