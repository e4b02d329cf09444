//! Kinds that are installed by definitions: Open Cluster Management's on a hub; OLM's, OADP's and Velero's
//! on a managed cluster. Names, scopes, status subresources and columns are those of the upstream definitions.

use super::{AGE, ColumnRow, Row, column, row, wide};

const CLUSTER: &str = "cluster.open-cluster-management.io";
const POLICY: &str = "policy.open-cluster-management.io";
const WORK: &str = "work.open-cluster-management.io";
const OPERATORS: &str = "operators.coreos.com";
const VELERO: &str = "velero.io";
const OLM: &[&str] = &["olm"];

const COMPLIANCE: ColumnRow = column("Compliance state", "string", ".status.compliant");
const PHASE: ColumnRow = column("Status", "string", ".status.phase");
const STARTED: ColumnRow = column("Started", "date", ".status.startTimestamp");
const DONE: ColumnRow = column("Bytes Done", "integer", ".status.progress.bytesDone");
const TOTAL: ColumnRow = column("Total Bytes", "integer", ".status.progress.totalBytes");
const LOCATION: ColumnRow = column("Storage Location", "string", ".spec.backupStorageLocation");
const NODE: ColumnRow = column("Node", "string", ".status.node");
const INCREMENTAL: ColumnRow = wide("Incremental Bytes", "integer", ".status.incrementalBytes");

/// The definitions of a hub.
pub const HUB: &[Row] = &[
    row(CLUSTER, "v1", "ManagedCluster", "managedclusters")
        .short(&["mcl", "mcls"])
        .cluster()
        .status()
        .columns(&[
            column("Hub Accepted", "boolean", ".spec.hubAcceptsClient"),
            column("Managed Cluster URLs", "string", ".spec.managedClusterClientConfigs[*].url"),
            column("Joined", "string", r#".status.conditions[?(@.type=="ManagedClusterJoined")].status"#),
            column(
                "Available",
                "string",
                r#".status.conditions[?(@.type=="ManagedClusterConditionAvailable")].status"#,
            ),
            AGE,
        ]),
    row(CLUSTER, "v1beta2", "ManagedClusterSet", "managedclustersets")
        .short(&["mclset", "mclsets"])
        .cluster()
        .status()
        .columns(&[
            column("Empty", "string", r#".status.conditions[?(@.type=="ClusterSetEmpty")].status"#),
            AGE,
        ]),
    row(CLUSTER, "v1beta2", "ManagedClusterSetBinding", "managedclustersetbindings")
        .short(&["mclsetbinding", "mclsetbindings"])
        .status(),
    row(CLUSTER, "v1alpha1", "ClusterClaim", "clusterclaims").cluster(),
    row(CLUSTER, "v1beta1", "Placement", "placements").status().columns(&[
        column("Succeeded", "string", r#".status.conditions[?(@.type=="PlacementSatisfied")].status"#),
        column("Reason", "string", r#".status.conditions[?(@.type=="PlacementSatisfied")].reason"#),
        column("SelectedClusters", "integer", ".status.numberOfSelectedClusters"),
    ]),
    row(CLUSTER, "v1beta1", "PlacementDecision", "placementdecisions").status(),
    row(CLUSTER, "v1alpha1", "AddOnPlacementScore", "addonplacementscores").status(),
    row(POLICY, "v1", "Policy", "policies").short(&["plc"]).status().columns(&[
        column("Remediation action", "string", ".spec.remediationAction"),
        COMPLIANCE,
        AGE,
    ]),
    row(POLICY, "v1", "PlacementBinding", "placementbindings").short(&["pb"]).status(),
    row(POLICY, "v1beta1", "PolicySet", "policysets").short(&["plcset"]).status().columns(&[COMPLIANCE, AGE]),
    row(POLICY, "v1beta1", "PolicyAutomation", "policyautomations").short(&["plca"]).status(),
    row(POLICY, "v1", "ConfigurationPolicy", "configurationpolicies").status().columns(&[COMPLIANCE]),
    row(WORK, "v1", "ManifestWork", "manifestworks").status(),
];

/// The definitions of a managed cluster.
pub const MANAGED: &[Row] = &[
    row(CLUSTER, "v1alpha1", "ClusterClaim", "clusterclaims").cluster(),
    row(OPERATORS, "v1alpha1", "Subscription", "subscriptions")
        .short(&["sub", "subs"])
        .category(OLM)
        .status()
        .columns(&[
            column("Package", "string", ".spec.name"),
            column("Source", "string", ".spec.source"),
            column("Channel", "string", ".spec.channel"),
        ]),
    row(OPERATORS, "v1", "OperatorGroup", "operatorgroups").short(&["og"]).category(OLM).status(),
    row(OPERATORS, "v1alpha1", "ClusterServiceVersion", "clusterserviceversions")
        .short(&["csv", "csvs"])
        .category(OLM)
        .status()
        .columns(&[
            column("Display", "string", ".spec.displayName"),
            column("Version", "string", ".spec.version"),
            column("Replaces", "string", ".spec.replaces"),
            column("Phase", "string", ".status.phase"),
        ]),
    row(OPERATORS, "v1alpha1", "InstallPlan", "installplans").short(&["ip"]).category(OLM).status().columns(
        &[
            column("CSV", "string", ".spec.clusterServiceVersionNames[0]"),
            column("Approval", "string", ".spec.approval"),
            column("Approved", "boolean", ".spec.approved"),
        ],
    ),
    row(OPERATORS, "v1alpha1", "CatalogSource", "catalogsources")
        .short(&["catsrc"])
        .category(OLM)
        .status()
        .columns(&[
            column("Display", "string", ".spec.displayName"),
            column("Type", "string", ".spec.sourceType"),
            column("Publisher", "string", ".spec.publisher"),
            AGE,
        ]),
    row("oadp.openshift.io", "v1alpha1", "DataProtectionApplication", "dataprotectionapplications")
        .short(&["dpa"])
        .status()
        .columns(&[
            column("Reconciled", "string", ".status.conditions[?(@.type=='Reconciled')].status"),
            AGE,
        ]),
    row(VELERO, "v1", "Backup", "backups"),
    row(VELERO, "v1", "Restore", "restores"),
    row(VELERO, "v1", "Schedule", "schedules").columns(&[
        PHASE,
        column("Schedule", "string", ".spec.schedule"),
        column("LastBackup", "date", ".status.lastBackup"),
        AGE,
        column("Paused", "boolean", ".spec.paused"),
    ]),
    row(VELERO, "v1", "BackupStorageLocation", "backupstoragelocations").short(&["bsl"]).columns(&[
        column("Phase", "string", ".status.phase"),
        column("Last Validated", "date", ".status.lastValidationTime"),
        AGE,
        column("Default", "boolean", ".spec.default"),
    ]),
    row(VELERO, "v1", "VolumeSnapshotLocation", "volumesnapshotlocations").short(&["vsl"]),
    row(VELERO, "v1", "DeleteBackupRequest", "deletebackuprequests")
        .columns(&[column("BackupName", "string", ".spec.backupName"), PHASE]),
    row(VELERO, "v1", "DownloadRequest", "downloadrequests"),
    row(VELERO, "v1", "ServerStatusRequest", "serverstatusrequests").short(&["ssr"]),
    row(VELERO, "v1", "PodVolumeBackup", "podvolumebackups").columns(&[
        PHASE,
        STARTED,
        DONE,
        TOTAL,
        INCREMENTAL,
        LOCATION,
        AGE,
        NODE,
        column("Uploader", "string", ".spec.uploaderType"),
    ]),
    row(VELERO, "v1", "PodVolumeRestore", "podvolumerestores").columns(&[
        PHASE,
        STARTED,
        DONE,
        TOTAL,
        LOCATION,
        AGE,
        NODE,
        column("Uploader Type", "string", ".spec.uploaderType"),
    ]),
    row(VELERO, "v1", "BackupRepository", "backuprepositories")
        .columns(&[AGE, column("Repository Type", "string", ".spec.repositoryType")]),
    row(VELERO, "v2alpha1", "DataUpload", "datauploads").columns(&[
        PHASE,
        STARTED,
        DONE,
        TOTAL,
        INCREMENTAL,
        LOCATION,
        AGE,
        NODE,
    ]),
    row(VELERO, "v2alpha1", "DataDownload", "datadownloads")
        .columns(&[PHASE, STARTED, DONE, TOTAL, LOCATION, AGE, NODE]),
];
