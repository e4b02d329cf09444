//! Names of resources: which kind a user means by `deploy`, `deployments` or `deployments.apps`.
//!
//! Takes group and kind of an object; stands in for the discovery of an API server. Kinds that are not in the
//! table get the plural that Kubernetes' own guess gives them.

/// Kinds with an irregular plural or short names: kind, plural, short names.
const KNOWN: [(&str, &str, &[&str]); 27] = [
    ("ConfigMap", "configmaps", &["cm"]),
    ("CronJob", "cronjobs", &["cj"]),
    ("CustomResourceDefinition", "customresourcedefinitions", &["crd", "crds"]),
    ("DaemonSet", "daemonsets", &["ds"]),
    ("Deployment", "deployments", &["deploy"]),
    ("DeploymentConfig", "deploymentconfigs", &["dc"]),
    ("Endpoints", "endpoints", &["ep"]),
    ("Event", "events", &["ev"]),
    ("HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"]),
    ("Ingress", "ingresses", &["ing"]),
    ("LimitRange", "limitranges", &["limits"]),
    ("Namespace", "namespaces", &["ns"]),
    ("NetworkPolicy", "networkpolicies", &["netpol"]),
    ("Node", "nodes", &["no"]),
    ("PersistentVolume", "persistentvolumes", &["pv"]),
    ("PersistentVolumeClaim", "persistentvolumeclaims", &["pvc"]),
    ("Pod", "pods", &["po"]),
    ("PodDisruptionBudget", "poddisruptionbudgets", &["pdb"]),
    ("PriorityClass", "priorityclasses", &["pc"]),
    ("ReplicaSet", "replicasets", &["rs"]),
    ("ReplicationController", "replicationcontrollers", &["rc"]),
    ("ResourceQuota", "resourcequotas", &["quota"]),
    ("Service", "services", &["svc"]),
    ("ServiceAccount", "serviceaccounts", &["sa"]),
    ("StatefulSet", "statefulsets", &["sts"]),
    ("StorageClass", "storageclasses", &["sc"]),
    ("VolumeSnapshot", "volumesnapshots", &["vs"]),
];

/// The plural of a kind in lower case.
pub(super) fn plural(kind: &str) -> String {
    if let Some((_, plural, _)) = KNOWN.iter().find(|(known, ..)| *known == kind) {
        return (*plural).to_owned();
    }
    let lower = kind.to_ascii_lowercase();
    if ["s", "x", "z", "ch", "sh"].iter().any(|ending| lower.ends_with(ending)) {
        return lower + "es";
    }
    let vowel_before_y = ["ay", "ey", "iy", "oy", "uy"].iter().any(|ending| lower.ends_with(ending));
    match lower.strip_suffix('y') {
        Some(stem) if !vowel_before_y => format!("{stem}ies"),
        _ => lower + "s",
    }
}

/// Whether an entry of a list of resources means this kind. An entry without a group means the kind of any
/// group.
pub(super) fn means(entry: &str, group: &str, kind: &str) -> bool {
    let entry = entry.to_ascii_lowercase();
    let (name, entry_group) = match entry.split_once('.') {
        Some((name, group)) => (name, Some(group)),
        None => (entry.as_str(), None),
    };
    let short = KNOWN.iter().find(|(known, ..)| *known == kind).map_or(&[][..], |(_, _, short)| short);
    let named = name == plural(kind) || name == kind.to_ascii_lowercase() || short.contains(&name);
    named && entry_group.is_none_or(|entry_group| entry_group == group)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("deployments", "apps", "Deployment", true)]
    #[case("deployments.apps", "apps", "Deployment", true)]
    #[case("deployments.extensions", "apps", "Deployment", false)]
    #[case("Deployment", "apps", "Deployment", true)]
    #[case("deploy", "apps", "Deployment", true)]
    #[case("pvc", "", "PersistentVolumeClaim", true)]
    #[case("pv", "", "PersistentVolumeClaim", false)]
    #[case("ingresses", "networking.k8s.io", "Ingress", true)]
    #[case("networkpolicies", "networking.k8s.io", "NetworkPolicy", true)]
    #[case("gateways", "gateway.networking.k8s.io", "Gateway", true)]
    #[case("repositories", "example.io", "Repository", true)]
    #[case("events.events.k8s.io", "events.k8s.io", "Event", true)]
    #[case("events.events.k8s.io", "", "Event", false)]
    #[case("endpoints", "", "Endpoints", true)]
    #[case("mailboxes", "example.io", "Mailbox", true)]
    fn what_an_entry_means(
        #[case] entry: &str,
        #[case] group: &str,
        #[case] kind: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(means(entry, group, kind), expected);
    }
}
