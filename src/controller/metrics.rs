//! What the hub counts, for `/metrics`.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// State of a managed cluster's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum ConnectionState {
    /// It answers.
    Connected,
    /// It does not, or its credentials are missing or refused.
    Disconnected,
}

/// Labels of `flotilla_managed_clusters`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClusterLabels {
    /// State of the connection.
    pub state: ConnectionState,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum WriteKind {
    /// An object was created.
    Create,
    /// An object was changed.
    Update,
    /// An object was deleted.
    Delete,
    /// The server refused.
    Refused,
}

/// Labels of `flotilla_cluster_writes`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabels {
    /// What it did.
    pub kind: WriteKind,
}

/// Labels of `flotilla_policy_compliance`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PolicyLabels {
    /// Namespace of the root policy.
    pub namespace: String,
    /// Its name.
    pub policy: String,
    /// `Compliant`, `Pending`, `NonCompliant` or `Unknown`.
    pub state: String,
}

/// All metrics. Counters only rise while the process lives; gauges follow the objects.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Evaluations of one policy for one cluster.
    pub evaluations: Counter,
    /// Writes to managed clusters.
    pub writes: Family<WriteLabels, Counter>,
    /// Managed clusters with at least one policy, by connection.
    pub clusters: Family<ClusterLabels, Gauge<i64, AtomicI64>>,
    /// Clusters per policy and state.
    pub compliance: Family<PolicyLabels, Gauge<i64, AtomicI64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("flotilla");
        let evaluations = Counter::default();
        let writes = Family::default();
        let clusters = Family::default();
        let compliance = Family::default();
        registry.register("evaluations", "Evaluations of one policy for one cluster", evaluations.clone());
        registry.register("cluster_writes", "Writes to managed clusters", writes.clone());
        registry.register(
            "managed_clusters",
            "Managed clusters with a policy, by connection",
            clusters.clone(),
        );
        registry.register("policy_compliance", "Clusters per policy and compliance", compliance.clone());
        Self { registry, evaluations, writes, clusters, compliance }
    }
}

impl Metrics {
    /// The text that a Prometheus server reads.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
