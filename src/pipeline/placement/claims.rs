//! The claims of a cluster, without anything installed on it.
//!
//! On a hub of Advanced Cluster Management an agent turns every label of a ManagedCluster into a ClusterClaim
//! on the cluster, and policies read them with `fromClusterClaim`. Here the same claims are worked out on the
//! hub.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::api::dns;
use crate::api::ocm::cluster::ManagedCluster;

/// The claim with the name of the cluster.
pub const NAME_CLAIM: &str = "name";
/// The claim with the stable identity of the cluster.
pub const ID_CLAIM: &str = "id.openshift.io";
/// The label in which a hub keeps the identity that a cluster reported.
const ID_LABEL: &str = "clusterID";
/// Labels that the hub itself maintains: they never become claims. The version's major and minor parts do.
const INTERNAL_LABELS: [&str; 6] =
    ["clusterID", "cloud", "vendor", "managed-by", "openshiftVersion", "microshiftVersion"];
const INTERNAL_DOMAIN: &str = "open-cluster-management.io";

/// All claims of a cluster by name:
///
/// 1. those that it reports (`status.clusterClaims`);
/// 2. its labels, by the agent's rules. A label wins over a reported claim, since the report lags behind; an
///    empty label takes the claim away, as the agent would;
/// 3. `name`: always the ManagedCluster's name, which is what `.ManagedClusterName` gives on the hub;
/// 4. `id.openshift.io`: the reported claim, else the label `clusterID` or `id.openshift.io`, else a UUID
///    made from the SHA-256 of the ManagedCluster's uid (of its name when it has none), so that it stays the
///    same for the life of the object.
pub fn claims(cluster: &ManagedCluster) -> BTreeMap<String, String> {
    let reported: BTreeMap<String, String> = cluster
        .status
        .cluster_claims
        .iter()
        .filter(|claim| !claim.value.is_empty())
        .map(|claim| (claim.name.clone(), claim.value.clone()))
        .collect();
    let identity = identity(cluster, &reported);
    let mut claims = reported;
    for (key, value) in &cluster.metadata.labels {
        let Some(name) = claim_name(key) else { continue };
        if value.is_empty() {
            claims.remove(&name);
        } else {
            claims.insert(name, value.clone());
        }
    }
    claims.insert(NAME_CLAIM.to_owned(), cluster.metadata.name.clone());
    claims.insert(ID_CLAIM.to_owned(), identity);
    claims
}

/// The name of the claim that a label becomes: lower case, `a/b` as `b.a`, `_` as `-`; `None` for labels that
/// the hub keeps to itself and for names that no object may have.
fn claim_name(label: &str) -> Option<String> {
    if INTERNAL_LABELS.contains(&label) || label.contains(INTERNAL_DOMAIN) {
        return None;
    }
    let lower = label.to_lowercase().replace('_', "-");
    let name = match lower.split_once('/') {
        Some((prefix, name)) => format!("{name}.{prefix}"),
        None => lower,
    };
    dns::is_subdomain(&name).then_some(name)
}

fn identity(cluster: &ManagedCluster, reported: &BTreeMap<String, String>) -> String {
    let label = |key| cluster.metadata.labels.get(key).filter(|value| !value.is_empty());
    if let Some(known) = reported.get(ID_CLAIM).or_else(|| label(ID_LABEL)).or_else(|| label(ID_CLAIM)) {
        return known.clone();
    }
    let uid = cluster.metadata.other.get("uid").and_then(serde_json::Value::as_str);
    let source = uid.filter(|uid| !uid.is_empty()).unwrap_or(&cluster.metadata.name);
    let digest = Sha256::digest(format!("flotilla.dev/cluster-id/{source}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8: "made by a rule of one's own".
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(labels: &serde_json::Value, reported: &serde_json::Value) -> BTreeMap<String, String> {
        claims(
            &serde_json::from_value(json!({
                "metadata": {"name": "c1", "uid": "8f2b", "labels": labels},
                "status": {"clusterClaims": reported}
            }))
            .unwrap(),
        )
    }

    #[test]
    fn labels_become_claims_by_the_agents_rules() {
        for (label, expected) in [
            ("acm-app-restore", Some("acm-app-restore")),
            ("Environment_Kind", Some("environment-kind")),
            ("example.com/Tier", Some("tier.example.com")),
            ("topology.kubernetes.io/region", Some("region.topology.kubernetes.io")),
            ("openshiftVersion-major", Some("openshiftversion-major")),
            ("openshiftVersion", None),
            ("clusterID", None),
            ("cloud", None),
            ("vendor", None),
            ("cluster.open-cluster-management.io/clusterset", None),
            ("feature.open-cluster-management.io/addon-x", None),
            ("trailing_", None),
            ("a..b", None),
        ] {
            assert_eq!(claim_name(label).as_deref(), expected, "{label}");
        }
    }

    #[test]
    fn a_label_wins_over_a_lagging_report() {
        let reported =
            json!([{"name": "acm-app-restore", "value": "old"}, {"name": "region", "value": "eu"}]);
        let claims = of(&json!({"acm-app-restore": "new"}), &reported);
        assert_eq!(claims["acm-app-restore"], "new");
        assert_eq!(claims["region"], "eu");
        assert_eq!(of(&json!({"acm-app-restore": ""}), &reported).get("acm-app-restore"), None);
    }

    #[test]
    fn the_name_is_the_managed_clusters() {
        assert_eq!(of(&json!({"name": "other"}), &json!([]))["name"], "c1");
    }

    #[test]
    fn the_identity_is_reported_labelled_or_derived() {
        let reported = json!([{"name": "id.openshift.io", "value": "from-report"}]);
        assert_eq!(of(&json!({"clusterID": "from-label"}), &reported)[ID_CLAIM], "from-report");
        assert_eq!(of(&json!({"clusterID": "from-label"}), &json!([]))[ID_CLAIM], "from-label");
        let derived = of(&json!({}), &json!([]))[ID_CLAIM].clone();
        assert_eq!(derived, of(&json!({"x": "y"}), &json!([]))[ID_CLAIM]);
        assert_eq!(uuid::Uuid::parse_str(&derived).unwrap().get_version_num(), 8);
        let unnamed = claims(&serde_json::from_value(json!({"metadata": {"name": "c1"}})).unwrap());
        assert_ne!(unnamed[ID_CLAIM], derived);
    }
}
