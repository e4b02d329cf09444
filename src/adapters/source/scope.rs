//! What can be known of a kind without asking an API server: whether it is namespaced, and its plural.

/// Cluster-scoped kinds by group; everything else is taken for namespaced.
const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    ("", &["Namespace", "Node", "PersistentVolume", "ComponentStatus"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &["StorageClass", "CSIDriver", "CSINode", "VolumeAttachment", "VolumeAttributesClass"],
    ),
    ("snapshot.storage.k8s.io", &["VolumeSnapshotClass", "VolumeSnapshotContent"]),
    ("groupsnapshot.storage.k8s.io", &["VolumeGroupSnapshotClass", "VolumeGroupSnapshotContent"]),
    ("cluster.open-cluster-management.io", &["ManagedCluster", "ManagedClusterSet", "ClusterClaim"]),
    ("addon.open-cluster-management.io", &["ClusterManagementAddOn"]),
    ("operator.open-cluster-management.io", &["ClusterManager", "Klusterlet"]),
    (
        "config.openshift.io",
        &[
            "APIServer",
            "Authentication",
            "ClusterOperator",
            "ClusterVersion",
            "Console",
            "DNS",
            "FeatureGate",
            "Image",
            "Infrastructure",
            "Ingress",
            "Network",
            "Node",
            "OAuth",
            "OperatorHub",
            "Project",
            "Proxy",
            "Scheduler",
        ],
    ),
    ("project.openshift.io", &["Project", "ProjectRequest"]),
    ("security.openshift.io", &["SecurityContextConstraints"]),
    ("user.openshift.io", &["User", "Group", "Identity"]),
    ("oauth.openshift.io", &["OAuthClient", "OAuthAccessToken", "OAuthAuthorizeToken"]),
    ("operators.coreos.com", &["OLMConfig", "Operator"]),
    ("work.open-cluster-management.io", &["AppliedManifestWork"]),
];

/// Whether objects of the kind live in namespaces, as far as it can be known offline.
pub fn is_namespaced(group: &str, kind: &str) -> bool {
    !CLUSTER_SCOPED.iter().any(|(own, kinds)| *own == group && kinds.contains(&kind))
}

/// The plural of a kind by the rules by which API servers guess it: `policies`, `ingresses`, `backups`.
pub fn plural(kind: &str) -> String {
    let singular = kind.to_lowercase();
    if singular == "endpoints" {
        return singular;
    }
    match singular.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if singular.ends_with('s') || singular.ends_with("ch") || singular.ends_with('x') => {
            format!("{singular}es")
        }
        _ => format!("{singular}s"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Policy", "policies")]
    #[case("Ingress", "ingresses")]
    #[case("StorageClass", "storageclasses")]
    #[case("Gateway", "gateways")]
    #[case("Backup", "backups")]
    #[case("Endpoints", "endpoints")]
    fn plurals(#[case] kind: &str, #[case] expected: &str) {
        assert_eq!(plural(kind), expected);
    }

    #[test]
    fn scope_goes_by_group_and_kind() {
        assert!(!is_namespaced("cluster.open-cluster-management.io", "ManagedCluster"));
        assert!(is_namespaced("cluster.open-cluster-management.io", "ManagedClusterSetBinding"));
        assert!(is_namespaced("networking.k8s.io", "Ingress"));
        assert!(!is_namespaced("config.openshift.io", "Ingress"));
        assert!(is_namespaced("example.org", "Unknown"));
    }
}
