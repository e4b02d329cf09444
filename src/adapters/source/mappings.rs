//! Which kinds an imagined API server serves: a built-in set, or a file of API mappings as Open Cluster Management's tools
//! write it (`group`, `version`, `kind`, `plural`, `scope`).
//!
//! A kind that is not in the set is one whose CustomResourceDefinition is not installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use thiserror::Error;

use super::scope::plural;
use crate::api::object::GroupVersionKind;
use crate::pipeline::render::lookup::KindFacts;
use crate::yaml::{self, Dialect};

/// Kinds of one API version: those in namespaces, then those of the cluster.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Kubernetes 1.36, Open Cluster Management, the Operator Lifecycle Manager, OADP and Velero.
const BUILT_IN: &[Row] = &[
    (
        "v1",
        &[
            "Binding",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
        &["ComponentStatus", "Namespace", "Node", "PersistentVolume"],
    ),
    (
        "admissionregistration.k8s.io/v1",
        &[],
        &[
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io/v1", &[], &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io/v1", &[], &["APIService"]),
    ("apps/v1", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"], &[]),
    ("authentication.k8s.io/v1", &[], &["SelfSubjectReview", "TokenReview"]),
    (
        "authorization.k8s.io/v1",
        &["LocalSubjectAccessReview"],
        &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"],
    ),
    ("autoscaling/v1", &["HorizontalPodAutoscaler"], &[]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"], &[]),
    ("batch/v1", &["CronJob", "Job"], &[]),
    ("certificates.k8s.io/v1", &[], &["CertificateSigningRequest"]),
    ("coordination.k8s.io/v1", &["Lease"], &[]),
    ("discovery.k8s.io/v1", &["EndpointSlice"], &[]),
    ("events.k8s.io/v1", &["Event"], &[]),
    ("flowcontrol.apiserver.k8s.io/v1", &[], &["FlowSchema", "PriorityLevelConfiguration"]),
    ("flowcontrol.apiserver.k8s.io/v1beta3", &[], &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io/v1", &["Ingress", "NetworkPolicy"], &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io/v1", &[], &["RuntimeClass"]),
    ("policy/v1", &["PodDisruptionBudget"], &[]),
    ("rbac.authorization.k8s.io/v1", &["Role", "RoleBinding"], &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io/v1", &["ResourceClaim", "ResourceClaimTemplate"], &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io/v1", &[], &["PriorityClass"]),
    (
        "storage.k8s.io/v1",
        &["CSIStorageCapacity"],
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
    ),
    ("snapshot.storage.k8s.io/v1", &["VolumeSnapshot"], &["VolumeSnapshotClass", "VolumeSnapshotContent"]),
    ("cluster.open-cluster-management.io/v1", &[], &["ManagedCluster"]),
    ("cluster.open-cluster-management.io/v1alpha1", &["AddOnPlacementScore"], &["ClusterClaim"]),
    ("cluster.open-cluster-management.io/v1beta1", &["Placement", "PlacementDecision"], &[]),
    ("cluster.open-cluster-management.io/v1beta2", &["ManagedClusterSetBinding"], &["ManagedClusterSet"]),
    ("addon.open-cluster-management.io/v1alpha1", &["ManagedClusterAddOn"], &["ClusterManagementAddOn"]),
    ("apps.open-cluster-management.io/v1", &["PlacementRule", "Subscription"], &[]),
    (
        "policy.open-cluster-management.io/v1",
        &["CertificatePolicy", "ConfigurationPolicy", "PlacementBinding", "Policy"],
        &[],
    ),
    ("policy.open-cluster-management.io/v1beta1", &["OperatorPolicy", "PolicyAutomation", "PolicySet"], &[]),
    ("work.open-cluster-management.io/v1", &["ManifestWork"], &["AppliedManifestWork"]),
    ("operators.coreos.com/v1", &["OperatorCondition", "OperatorGroup"], &["OLMConfig", "Operator"]),
    (
        "operators.coreos.com/v1alpha1",
        &["CatalogSource", "ClusterServiceVersion", "InstallPlan", "Subscription"],
        &[],
    ),
    ("operators.coreos.com/v1alpha2", &["OperatorGroup"], &[]),
    ("operators.coreos.com/v2", &["OperatorCondition"], &[]),
    (
        "oadp.openshift.io/v1alpha1",
        &[
            "CloudStorage",
            "DataProtectionApplication",
            "DataProtectionTest",
            "NonAdminBackup",
            "NonAdminRestore",
        ],
        &[],
    ),
    (
        "velero.io/v1",
        &[
            "Backup",
            "BackupRepository",
            "BackupStorageLocation",
            "DeleteBackupRequest",
            "DownloadRequest",
            "PodVolumeBackup",
            "PodVolumeRestore",
            "ResticRepository",
            "Restore",
            "Schedule",
            "ServerStatusRequest",
            "VolumeSnapshotLocation",
        ],
        &[],
    ),
    ("velero.io/v2alpha1", &["DataDownload", "DataUpload"], &[]),
];

/// A file of API mappings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MappingsError {
    /// It is not YAML.
    #[error("{0}")]
    Yaml(#[source] yaml::YamlError),
    /// It is not a list of mappings.
    #[error("{0}")]
    Shape(String),
}

/// The kinds that are served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings {
    kinds: BTreeMap<GroupVersionKind, KindFacts>,
    /// Kinds that may be asked for, but not watched.
    unwatchable: BTreeSet<GroupVersionKind>,
}

/// One entry of a file.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    group: String,
    version: String,
    kind: String,
    #[serde(default)]
    plural: String,
    #[serde(default)]
    scope: String,
    /// None at all means the usual ones.
    #[serde(default)]
    verbs: Vec<String>,
}

impl Mappings {
    /// The built-in set.
    pub fn built_in() -> Self {
        let mut kinds = BTreeMap::new();
        for (api_version, namespaced, cluster_scoped) in BUILT_IN {
            let all = namespaced.iter().map(|kind| (kind, true));
            for (kind, namespaced) in all.chain(cluster_scoped.iter().map(|kind| (kind, false))) {
                let facts = KindFacts { plural: plural(kind), namespaced };
                kinds.insert(GroupVersionKind::new(api_version, kind), facts);
            }
        }
        Self { kinds, unwatchable: BTreeSet::new() }
    }

    /// Reads a file: YAML or JSON, a list. It takes the place of the built-in set but for the kinds of policies, which every
    /// cluster with policies has.
    pub fn read(text: &str) -> Result<Self, MappingsError> {
        let value = yaml::read(text, Dialect::Kubernetes).map_err(MappingsError::Yaml)?;
        let entries: Option<Vec<Entry>> =
            serde_json::from_value(value).map_err(|error| MappingsError::Shape(error.to_string()))?;
        let mut kinds: BTreeMap<GroupVersionKind, KindFacts> = Self::built_in()
            .kinds
            .into_iter()
            .filter(|(gvk, _)| {
                ["Policy", "ConfigurationPolicy"]
                    .iter()
                    .any(|kind| gvk.same_kind("policy.open-cluster-management.io", kind))
            })
            .collect();
        let (mut named, mut unwatchable) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries.unwrap_or_default() {
            let plural = if entry.plural.is_empty() { plural(&entry.kind) } else { entry.plural };
            let gvk = GroupVersionKind { group: entry.group, version: entry.version, kind: entry.kind };
            let is_watchable = entry.verbs.is_empty() || entry.verbs.iter().any(|verb| verb == "watch");
            // Of several resources of a kind the first one counts that can be watched, else the first.
            let is_better = is_watchable && unwatchable.remove(&gvk);
            if !named.insert(gvk.clone()) && !is_better {
                continue;
            }
            if !is_watchable {
                unwatchable.insert(gvk.clone());
            }
            kinds.insert(gvk, KindFacts { plural, namespaced: entry.scope == "namespace" });
        }
        Ok(Self { kinds, unwatchable })
    }

    /// What is known of a kind; `None` where it is not served.
    pub fn find(&self, gvk: &GroupVersionKind) -> Option<&KindFacts> {
        self.kinds.get(gvk)
    }

    /// Whether a kind is served that cannot be watched: upstream takes no input of it.
    pub fn is_unwatchable(&self, gvk: &GroupVersionKind) -> bool {
        self.unwatchable.contains(gvk)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::is_namespaced;
    use super::*;
    use crate::sim::kinds::{CORE, HUB, MANAGED, Scope};

    #[test]
    fn the_built_in_set_holds_what_the_stand_in_serves() {
        let built_in = Mappings::built_in();
        for row in CORE.iter().chain(HUB).chain(MANAGED) {
            let api_version = if row.group.is_empty() {
                row.version.to_owned()
            } else {
                format!("{}/{}", row.group, row.version)
            };
            let gvk = GroupVersionKind::new(&api_version, row.kind);
            let facts = built_in.find(&gvk).unwrap_or_else(|| panic!("{gvk} is missing"));
            assert_eq!(facts.plural, row.plural, "{gvk}");
            assert_eq!(facts.namespaced, row.scope == Scope::Namespaced, "{gvk}");
        }
    }

    #[test]
    fn scopes_agree_with_what_is_known_of_kinds() {
        for (gvk, facts) in &Mappings::built_in().kinds {
            let reviews = gvk.kind.ends_with("Review");
            assert!(
                reviews || facts.namespaced == is_namespaced(&gvk.group, &gvk.kind),
                "{gvk}: two tables say two things"
            );
        }
    }

    #[test]
    fn a_file_takes_the_place_of_the_set() {
        let mappings = Mappings::read(
            "- {group: example.com, version: v1, kind: Thing, plural: thingies, singular: thing, scope: namespace}\n\
             - {group: example.com, version: v1, kind: World, plural: worlds, scope: root, verbs: [get]}\n",
        )
        .unwrap();
        let find = |api_version, kind| mappings.find(&GroupVersionKind::new(api_version, kind));
        let thing = find("example.com/v1", "Thing").unwrap();
        assert_eq!((thing.plural.as_str(), thing.namespaced), ("thingies", true));
        assert!(!find("example.com/v1", "World").unwrap().namespaced);
        assert!(mappings.is_unwatchable(&GroupVersionKind::new("example.com/v1", "World")));
        assert!(!mappings.is_unwatchable(&GroupVersionKind::new("example.com/v1", "Thing")));
        assert_eq!(find("v1", "Pod"), None);
        assert!(find("policy.open-cluster-management.io/v1", "Policy").is_some());
    }

    #[test]
    fn of_two_resources_of_a_kind_the_one_counts_that_can_be_watched() {
        let entry = |plural: &str, verbs: &str| {
            format!(
                "- {{group: e.com, version: v1, kind: Thing, plural: {plural}, scope: root, verbs: [{verbs}]}}\n"
            )
        };
        for (text, expected) in [
            (entry("metrics", "get, list") + &entry("things", "get, watch"), ("things", false)),
            (entry("things", "") + &entry("others", ""), ("things", false)),
            (entry("things", "get") + &entry("others", "list"), ("things", true)),
        ] {
            let mappings = Mappings::read(&text).unwrap();
            let gvk = GroupVersionKind::new("e.com/v1", "Thing");
            let plural = mappings.find(&gvk).unwrap().plural.as_str();
            assert_eq!((plural, mappings.is_unwatchable(&gvk)), expected, "{text}");
        }
    }

    #[test]
    fn a_broken_file_says_what_is_wrong() {
        assert!(matches!(Mappings::read("a: ["), Err(MappingsError::Yaml(_))));
        let error = Mappings::read("- {group: a}\n").unwrap_err().to_string();
        assert!(error.contains("version"), "{error}");
        assert_eq!(Mappings::read(""), Mappings::read("[]"));
    }
}
