//! The CustomResourceDefinitions of Open Cluster Management's kinds, for a hub that has none.
//!
//! Takes the wire types of `ocm`, gives definitions as JSON; `make generate` writes them to `kustomize/crds`. Must not touch:
//! clients, files.
//!
//! Groups, versions, names, columns and the status subresource are upstream's (`open-cluster-management.io/api`,
//! `governance-policy-propagator`). The schemas are Flotilla's own: nowhere narrower than upstream's, and what Flotilla does
//! not know is kept, not pruned. `tests/definitions.rs` holds them to it.

mod schema;

use serde_json::{Value, json};

use super::ocm::cluster::{ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding};
use super::ocm::placement::{Placement, PlacementDecision};
use super::ocm::policy::{PlacementBinding, Policy, PolicySet};
use schema::{of_type, open};

const CLUSTER_GROUP: &str = "cluster.open-cluster-management.io";
const POLICY_GROUP: &str = "policy.open-cluster-management.io";

/// One kind, in the one version of it that is served.
struct Resource {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    scope: Scope,
    columns: &'static [Column],
    schema: fn() -> Value,
}

enum Scope {
    Cluster,
    Namespaced,
}

/// A column of `kubectl get`.
struct Column {
    name: &'static str,
    of: &'static str,
    path: &'static str,
}

const AGE: Column = column("Age", "date", ".metadata.creationTimestamp");

const fn column(name: &'static str, of: &'static str, path: &'static str) -> Column {
    Column { name, of, path }
}

/// All definitions, by group and kind.
pub fn definitions() -> Vec<Value> {
    RESOURCES.iter().map(definition).collect()
}

const RESOURCES: [Resource; 9] = [
    Resource {
        group: CLUSTER_GROUP,
        version: "v1alpha1",
        kind: "AddOnPlacementScore",
        plural: "addonplacementscores",
        short_names: &[],
        scope: Scope::Namespaced,
        columns: &[],
        schema: add_on_placement_score,
    },
    Resource {
        group: CLUSTER_GROUP,
        version: "v1",
        kind: "ManagedCluster",
        plural: "managedclusters",
        short_names: &["mcl", "mcls"],
        scope: Scope::Cluster,
        columns: &[
            column("Hub Accepted", "boolean", ".spec.hubAcceptsClient"),
            column("Managed Cluster URLs", "string", ".spec.managedClusterClientConfigs[*].url"),
            column("Joined", "string", r#".status.conditions[?(@.type=="ManagedClusterJoined")].status"#),
            column(
                "Available",
                "string",
                r#".status.conditions[?(@.type=="ManagedClusterConditionAvailable")].status"#,
            ),
            AGE,
        ],
        schema: of_type::<ManagedCluster>,
    },
    Resource {
        group: CLUSTER_GROUP,
        version: "v1beta2",
        kind: "ManagedClusterSet",
        plural: "managedclustersets",
        short_names: &["mclset", "mclsets"],
        scope: Scope::Cluster,
        columns: &[
            column("Empty", "string", r#".status.conditions[?(@.type=="ClusterSetEmpty")].status"#),
            AGE,
        ],
        schema: of_type::<ManagedClusterSet>,
    },
    Resource {
        group: CLUSTER_GROUP,
        version: "v1beta2",
        kind: "ManagedClusterSetBinding",
        plural: "managedclustersetbindings",
        short_names: &["mclsetbinding", "mclsetbindings"],
        scope: Scope::Namespaced,
        columns: &[],
        schema: of_type::<ManagedClusterSetBinding>,
    },
    Resource {
        group: CLUSTER_GROUP,
        version: "v1beta1",
        kind: "Placement",
        plural: "placements",
        short_names: &[],
        scope: Scope::Namespaced,
        columns: &[
            column("Succeeded", "string", r#".status.conditions[?(@.type=="PlacementSatisfied")].status"#),
            column("Reason", "string", r#".status.conditions[?(@.type=="PlacementSatisfied")].reason"#),
            column("SelectedClusters", "integer", ".status.numberOfSelectedClusters"),
        ],
        schema: of_type::<Placement>,
    },
    Resource {
        group: CLUSTER_GROUP,
        version: "v1beta1",
        kind: "PlacementDecision",
        plural: "placementdecisions",
        short_names: &[],
        scope: Scope::Namespaced,
        columns: &[],
        schema: of_type::<PlacementDecision>,
    },
    Resource {
        group: POLICY_GROUP,
        version: "v1",
        kind: "PlacementBinding",
        plural: "placementbindings",
        short_names: &["pb"],
        scope: Scope::Namespaced,
        columns: &[],
        schema: of_type::<PlacementBinding>,
    },
    Resource {
        group: POLICY_GROUP,
        version: "v1",
        kind: "Policy",
        plural: "policies",
        short_names: &["plc"],
        scope: Scope::Namespaced,
        columns: &[
            column("Remediation action", "string", ".spec.remediationAction"),
            column("Compliance state", "string", ".status.compliant"),
            AGE,
        ],
        schema: of_type::<Policy>,
    },
    Resource {
        group: POLICY_GROUP,
        version: "v1beta1",
        kind: "PolicySet",
        plural: "policysets",
        short_names: &["plcset"],
        scope: Scope::Namespaced,
        columns: &[column("Compliance state", "string", ".status.compliant"), AGE],
        schema: of_type::<PolicySet>,
    },
];

/// Flotilla reads nothing of it.
fn add_on_placement_score() -> Value {
    open("`cluster.open-cluster-management.io/v1alpha1 AddOnPlacementScore`: scores of one cluster.")
}

fn definition(resource: &Resource) -> Value {
    let mut names = json!({
        "kind": resource.kind,
        "listKind": format!("{}List", resource.kind),
        "plural": resource.plural,
        "singular": resource.kind.to_lowercase(),
    });
    if !resource.short_names.is_empty() {
        names["shortNames"] = json!(resource.short_names);
    }
    let mut version = json!({
        "name": resource.version,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": (resource.schema)()},
        "subresources": {"status": {}},
    });
    if !resource.columns.is_empty() {
        version["additionalPrinterColumns"] = resource
            .columns
            .iter()
            .map(|column| json!({"name": column.name, "type": column.of, "jsonPath": column.path}))
            .collect();
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{}", resource.plural, resource.group)},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": match resource.scope { Scope::Cluster => "Cluster", Scope::Namespaced => "Namespaced" },
            "versions": [version],
        },
    })
}
