//! Built-in kinds of Kubernetes 1.36 that the stand-in offers.

use super::{AGE, Cell, Row, column, computed, row, wide};

const ALL: &[&str] = &["all"];
const AUTHORIZATION: &str = "authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const STORAGE: &str = "storage.k8s.io";
const NETWORKING: &str = "networking.k8s.io";

/// Descriptions of columns in tables, from the fields' own (`k8s.io/api/core/v1`).
const CONFIG_DATA: &str = "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.";
const SECRET_DATA: &str = "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4";
const SECRET_TYPE: &str = "Used to facilitate programmatic handling of secret data. More info: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types";

/// The kinds of every server.
pub const CORE: &[Row] = &[
    row("", "v1", "Namespace", "namespaces")
        .short(&["ns"])
        .cluster()
        .status()
        .columns(&[column("Status", "string", ".status.phase").about("The status of the namespace"), AGE]),
    row("", "v1", "ConfigMap", "configmaps")
        .short(&["cm"])
        .columns(&[computed("Data", &Cell::Count(&["data", "binaryData"])).about(CONFIG_DATA), AGE]),
    row("", "v1", "Secret", "secrets").columns(&[
        column("Type", "string", ".type").about(SECRET_TYPE),
        computed("Data", &Cell::Count(&["data"])).about(SECRET_DATA),
        AGE,
    ]),
    row("", "v1", "Pod", "pods").short(&["po"]).category(ALL).status().columns(&[
        computed("Ready", &Cell::PodReady),
        column("Status", "string", ".status.phase"),
        computed("Restarts", &Cell::PodRestarts),
        AGE,
        wide("IP", "string", ".status.podIP"),
        wide("Node", "string", ".spec.nodeName"),
    ]),
    row("", "v1", "Service", "services").short(&["svc"]).category(ALL).status().columns(&[
        column("Type", "string", ".spec.type"),
        column("Cluster-IP", "string", ".spec.clusterIP"),
        computed("Port(s)", &Cell::ServicePorts),
        AGE,
    ]),
    row("", "v1", "ServiceAccount", "serviceaccounts").short(&["sa"]).columns(&[AGE]),
    row("", "v1", "Endpoints", "endpoints").short(&["ep"]),
    row("", "v1", "ResourceQuota", "resourcequotas").short(&["quota"]).status(),
    row("", "v1", "LimitRange", "limitranges").short(&["limits"]),
    row("", "v1", "ReplicationController", "replicationcontrollers").short(&["rc"]).category(ALL).status(),
    row("", "v1", "PersistentVolume", "persistentvolumes").short(&["pv"]).cluster().status().columns(&[
        column("Capacity", "string", ".spec.capacity.storage"),
        computed("Access Modes", &Cell::AccessModes),
        column("Reclaim Policy", "string", ".spec.persistentVolumeReclaimPolicy"),
        column("Status", "string", ".status.phase"),
        column("Claim", "string", ".spec.claimRef.name"),
        column("StorageClass", "string", ".spec.storageClassName"),
        AGE,
    ]),
    row("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims").short(&["pvc"]).status().columns(&[
        column("Status", "string", ".status.phase"),
        column("Volume", "string", ".spec.volumeName"),
        column("Capacity", "string", ".status.capacity.storage"),
        computed("Access Modes", &Cell::AccessModes),
        column("StorageClass", "string", ".spec.storageClassName"),
        AGE,
    ]),
    row("", "v1", "Node", "nodes").short(&["no"]).cluster().status().columns(&[
        computed("Status", &Cell::NodeStatus),
        AGE,
        column("Version", "string", ".status.nodeInfo.kubeletVersion"),
    ]),
    row("", "v1", "Event", "events").short(&["ev"]).columns(&[
        column("Last Seen", "date", ".lastTimestamp"),
        column("Type", "string", ".type"),
        column("Reason", "string", ".reason"),
        computed("Object", &Cell::EventObject),
        column("Message", "string", ".message"),
    ]),
    row("events.k8s.io", "v1", "Event", "events").short(&["ev"]).stored_in("").columns(&[
        column("Last Seen", "date", ".deprecatedLastTimestamp"),
        column("Type", "string", ".type"),
        column("Reason", "string", ".reason"),
        computed("Object", &Cell::EventObject),
        column("Message", "string", ".note"),
    ]),
    row("apps", "v1", "Deployment", "deployments").short(&["deploy"]).category(ALL).status().columns(&[
        computed("Ready", &Cell::ReplicasReady),
        column("Up-to-date", "integer", ".status.updatedReplicas"),
        column("Available", "integer", ".status.availableReplicas"),
        AGE,
    ]),
    row("apps", "v1", "ReplicaSet", "replicasets").short(&["rs"]).category(ALL).status(),
    row("apps", "v1", "StatefulSet", "statefulsets")
        .short(&["sts"])
        .category(ALL)
        .status()
        .columns(&[computed("Ready", &Cell::ReplicasReady), AGE]),
    row("apps", "v1", "DaemonSet", "daemonsets").short(&["ds"]).category(ALL).status().columns(&[
        column("Desired", "integer", ".status.desiredNumberScheduled"),
        column("Ready", "integer", ".status.numberReady"),
        AGE,
    ]),
    row("apps", "v1", "ControllerRevision", "controllerrevisions"),
    row("batch", "v1", "Job", "jobs").category(ALL).status().columns(&[
        column("Status", "string", ".status.conditions[0].type"),
        column("Completions", "integer", ".status.succeeded"),
        AGE,
    ]),
    row("batch", "v1", "CronJob", "cronjobs").short(&["cj"]).category(ALL).status().columns(&[
        column("Schedule", "string", ".spec.schedule"),
        column("Suspend", "boolean", ".spec.suspend"),
        column("Last Schedule", "date", ".status.lastScheduleTime"),
        AGE,
    ]),
    row(RBAC, "v1", "Role", "roles").columns(&[column(
        "Created At",
        "string",
        ".metadata.creationTimestamp",
    )]),
    row(RBAC, "v1", "RoleBinding", "rolebindings").columns(&[computed("Role", &Cell::RoleRef), AGE]),
    row(RBAC, "v1", "ClusterRole", "clusterroles").cluster().columns(&[column(
        "Created At",
        "string",
        ".metadata.creationTimestamp",
    )]),
    row(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings")
        .cluster()
        .columns(&[computed("Role", &Cell::RoleRef), AGE]),
    row(STORAGE, "v1", "StorageClass", "storageclasses").short(&["sc"]).cluster().columns(&[
        column("Provisioner", "string", ".provisioner"),
        column("ReclaimPolicy", "string", ".reclaimPolicy"),
        column("VolumeBindingMode", "string", ".volumeBindingMode"),
        AGE,
    ]),
    row(STORAGE, "v1", "CSIDriver", "csidrivers").cluster(),
    row(STORAGE, "v1", "CSINode", "csinodes").cluster(),
    row(STORAGE, "v1", "VolumeAttachment", "volumeattachments").cluster().status(),
    row(NETWORKING, "v1", "Ingress", "ingresses").short(&["ing"]).status().columns(&[
        column("Class", "string", ".spec.ingressClassName"),
        column("Hosts", "string", ".spec.rules[*].host"),
        AGE,
    ]),
    row(NETWORKING, "v1", "IngressClass", "ingressclasses").cluster(),
    row(NETWORKING, "v1", "NetworkPolicy", "networkpolicies").short(&["netpol"]),
    row("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets").short(&["pdb"]).status(),
    row("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses").short(&["pc"]).cluster(),
    row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    row("coordination.k8s.io", "v1", "Lease", "leases")
        .columns(&[column("Holder", "string", ".spec.holderIdentity"), AGE]),
    row("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
        .short(&["crd", "crds"])
        .category(&["api-extensions"])
        .cluster()
        .status()
        .columns(&[column("Created At", "string", ".metadata.creationTimestamp")]),
    row(AUTHORIZATION, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews").cluster().review(),
    row(AUTHORIZATION, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews").cluster().review(),
    row(AUTHORIZATION, "v1", "SubjectAccessReview", "subjectaccessreviews").cluster().review(),
    row(AUTHORIZATION, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews").review(),
    row(AUTHENTICATION, "v1", "SelfSubjectReview", "selfsubjectreviews").cluster().review(),
    row(AUTHENTICATION, "v1", "TokenReview", "tokenreviews").cluster().review(),
];
