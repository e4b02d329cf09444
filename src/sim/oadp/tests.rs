//! OADP on a stage: installed, refused, changed and removed.

use rstest::rstest;
use serde_json::{Value, json};

use crate::api::object::ObjectKey;
use crate::sim::velero::edit::{items, key, label, name, phase, remove, set, text};
use crate::sim::velero::stage::{INSTALL, Stage, plain, velero};

fn application() -> ObjectKey {
    key("oadp.openshift.io/v1alpha1", "DataProtectionApplication", Some("velero-ns"), "dpa")
}

fn subscription() -> ObjectKey {
    key(
        "operators.coreos.com/v1alpha1",
        "Subscription",
        Some("velero-ns"),
        "redhat-oadp-operator-subscription",
    )
}

fn installed() -> Stage {
    let mut stage = Stage::new(&["c1"]);
    stage.create_all("c1", INSTALL);
    stage.settle();
    stage
}

fn condition(stage: &Stage) -> (String, String, String) {
    let application = stage.get("c1", &application()).unwrap();
    let [condition] = items(&application, &["status", "conditions"]) else {
        panic!("one condition expected: {application}");
    };
    let field = |field| text(condition, &[field]).to_owned();
    (field("status"), field("reason"), field("message"))
}

#[test]
fn a_subscription_installs_the_operator() {
    let stage = installed();
    let subscription = stage.get("c1", &subscription()).unwrap();
    assert_eq!(text(&subscription, &["status", "state"]), "AtLatestKnown");
    assert_eq!(text(&subscription, &["status", "installedCSV"]), "oadp-operator.v1.5.2");
    let version = &stage.list("c1", "operators.coreos.com/v1alpha1", "ClusterServiceVersion")[0];
    assert_eq!((name(version), phase(version)), ("oadp-operator.v1.5.2", "Succeeded"));
    let pods = stage.list("c1", "v1", "Pod");
    let operator =
        pods.iter().find(|pod| name(pod).starts_with("openshift-adp-controller-manager-")).unwrap();
    assert_eq!(phase(operator), "Running");
    assert_eq!(
        text(operator, &["metadata", "annotations", "repository"]),
        "https://github.com/openshift/oadp-operator"
    );
}

#[test]
fn an_application_becomes_locations_and_pods() {
    let stage = installed();
    assert_eq!(
        condition(&stage),
        ("True".to_owned(), "Complete".to_owned(), "Reconcile complete".to_owned())
    );
    let location = stage.get("c1", &velero("BackupStorageLocation", "dpa-1")).unwrap();
    assert_eq!(label(&location, "openshift.io/oadp"), "True");
    assert_eq!(phase(&location), "Available");
    assert!(stage.get("c1", &velero("VolumeSnapshotLocation", "dpa-1")).is_some());
    let pods = stage.list("c1", "v1", "Pod");
    let server = pods.iter().find(|pod| label(pod, "app.kubernetes.io/name") == "velero").unwrap();
    assert_eq!((phase(server), label(server, "component")), ("Running", "velero"));
    assert!(pods.iter().any(|pod| label(pod, "role") == "node-agent"));
    let deployment = stage.get("c1", &key("apps/v1", "Deployment", Some("velero-ns"), "velero")).unwrap();
    assert_eq!(label(&deployment, "deploy"), "velero");
    assert_eq!(
        items(&deployment, &["spec", "template", "spec", "containers"]),
        items(server, &["spec", "containers"])
    );
    let secret = stage.get("c1", &key("v1", "Secret", Some("velero-ns"), "cloud-credentials")).unwrap();
    assert_eq!(label(&secret, "dataprotectionapplication.name"), "dpa");
}

#[test]
fn nothing_is_written_twice() {
    let mut stage = installed();
    let before = plain(stage.get("c1", &application()).unwrap());
    stage.now += jiff::SignedDuration::from_secs(5);
    stage.settle();
    assert_eq!(plain(stage.get("c1", &application()).unwrap()), before);
}

#[test]
fn edits_by_hand_are_undone_and_dropped_locations_go() {
    let mut stage = installed();
    let location = velero("BackupStorageLocation", "dpa-1");
    stage.edit("c1", &location, |object| {
        set(object, &["spec", "objectStorage", "bucket"], "other");
        set(object, &["spec", "accessMode"], "ReadOnly");
    });
    stage.settle();
    let repaired = stage.get("c1", &location).unwrap();
    assert_eq!(text(&repaired, &["spec", "objectStorage", "bucket"]), "flotilla-demo");
    assert_eq!(text(&repaired, &["spec", "accessMode"]), "");

    stage.edit("c1", &application(), |object| {
        set(object, &["spec", "backupLocations"], {
            let mut locations = items(object, &["spec", "backupLocations"]).to_vec();
            set(&mut locations[0], &["name"], "main");
            locations
        });
        remove(object, &["spec", "snapshotLocations"]);
        remove(object, &["spec", "configuration", "nodeAgent"]);
    });
    stage.settle();
    assert!(stage.get("c1", &location).is_none());
    assert!(stage.get("c1", &velero("BackupStorageLocation", "main")).is_some());
    assert!(stage.list("c1", "velero.io/v1", "VolumeSnapshotLocation").is_empty());
    assert!(!stage.list("c1", "v1", "Pod").iter().any(|pod| label(pod, "role") == "node-agent"));
}

#[test]
fn what_lost_its_owner_goes() {
    let mut stage = installed();
    stage.delete("c1", application());
    stage.settle();
    assert!(stage.list("c1", "velero.io/v1", "BackupStorageLocation").is_empty());
    assert_eq!(stage.list("c1", "v1", "Pod").len(), 1, "the operator alone is left");
    assert!(stage.list("c1", "apps/v1", "Deployment").is_empty());
    assert!(stage.list("c1", "apps/v1", "DaemonSet").is_empty());
    stage.delete("c1", subscription());
    stage.settle();
    assert!(stage.list("c1", "v1", "Pod").is_empty());
    assert!(stage.list("c1", "operators.coreos.com/v1alpha1", "ClusterServiceVersion").is_empty());
}

#[test]
fn a_held_pod_stays_stopped() {
    let mut stage = installed();
    let pods = stage.list("c1", "v1", "Pod");
    let server = pods.iter().find(|pod| label(pod, "app.kubernetes.io/name") == "velero").unwrap();
    let server = key("v1", "Pod", Some("velero-ns"), name(server));
    stage.edit("c1", &server, |pod| {
        set(pod, &["status", "phase"], "Pending");
        set(pod, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"], "Pending");
    });
    stage.settle();
    assert_eq!(phase(&stage.get("c1", &server).unwrap()), "Pending");
}

fn velero_path(rest: &[&'static str]) -> Vec<&'static str> {
    ["spec", "configuration", "velero"].into_iter().chain(rest.iter().copied()).collect()
}

fn in_location(object: &mut Value, path: &[&str], value: Value) {
    let location = object.pointer_mut("/spec/backupLocations/0").unwrap();
    set(location, path, value);
}

type Change = fn(&mut Value);

#[rstest]
#[case(|object: &mut Value| remove(object, &["spec", "configuration", "velero"]), "DPA CR Velero \
 configuration cannot be nil")]
#[case(
    |object: &mut Value| set(object, &["spec", "backupLocations"], json!([])),
    "no backupstoragelocations configured, ensure a backupstoragelocation has been configured or use the \
     noDefaultBackupLocation flag"
)]
#[case(
    |object: &mut Value| set(object, &velero_path(&["noDefaultBackupLocation"]), true),
    "DPA CR Velero configuration cannot have backup locations if noDefaultBackupLocation is set"
)]
#[case(
    |object: &mut Value| {
        set(object, &velero_path(&["noDefaultBackupLocation"]), true);
        set(object, &["spec", "backupLocations"], json!([]));
    },
    "backupImages needs to be set to false when noDefaultBackupLocation is set"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "provider"], json!("")),
    "no provider specified for one of the backupstoragelocations configured"
)]
#[case(|object: &mut Value| in_location(object, &["velero", "provider"], json!("minio")), "invalid provider")]
#[case(
    |object: &mut Value| in_location(object, &["velero", "objectStorage", "bucket"], json!("")),
    "bucket name for AWS backupstoragelocation cannot be empty"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "objectStorage", "prefix"], json!("")),
    "prefix for AWS backupstoragelocation object storage cannot be empty. It is required for backing up \
     images"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "config", "region"], json!("")),
    "region for AWS backupstoragelocation not automatically discoverable. Please set the region in the \
     backupstoragelocation config"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "default"], json!(false)),
    "no default backupstoragelocations configured, ensure that one backupstoragelocation has been \
     configured as the default location"
)]
#[case(
    |object: &mut Value| {
        let mut locations = items(object, &["spec", "backupLocations"]).to_vec();
        locations.push(locations[0].clone());
        set(object, &["spec", "backupLocations"], locations);
    },
    "Only one Storage Location be set as default"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "credential", "name"], json!("")),
    "must provide a valid credential secret name"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "credential", "key"], json!("")),
    "must provide a valid credential secret key"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "credential", "name"], json!("missing")),
    "Secret \"missing\" not found"
)]
#[case(
    |object: &mut Value| in_location(object, &["velero", "credential", "key"], json!("aws")),
    "Secret name cloud-credentials is missing data for key aws"
)]
#[case(
    |object: &mut Value| {
        let location = object.pointer_mut("/spec/snapshotLocations/0").unwrap();
        remove(location, &["velero", "config", "region"]);
    },
    "region for aws VSL in DPA spec.snapshotLocations[0].velero.config is not configured, please ensure a \
     region is configured"
)]
#[case(
    |object: &mut Value| set(object, &velero_path(&["defaultPlugins"]), json!(["openshift"])),
    "to use VSL for aws specified in DPA spec.snapshotLocations[0], aws plugin must be present in \
     spec.configuration.velero.defaultPlugins"
)]
#[case(
    |object: &mut Value| set(object, &["spec", "configuration", "restic"], json!({"enable": true})),
    "Delete restic object from spec.configuration, use spec.configuration.nodeAgent instead"
)]
#[case(
    |object: &mut Value| set(object, &["spec", "configuration", "nodeAgent", "uploaderType"], "restic"),
    "restic is no longer supported in spec.configuration.nodeAgent.uploaderType, use kopia instead"
)]
fn what_is_refused(#[case] change: Change, #[case] message: &str) {
    let mut stage = installed();
    stage.edit("c1", &application(), change);
    stage.settle();
    assert_eq!(condition(&stage), ("False".to_owned(), "Error".to_owned(), message.to_owned()));
}

#[test]
fn two_applications_refuse_each_other() {
    let mut stage = installed();
    let mut second = plain(stage.get("c1", &application()).unwrap());
    set(&mut second, &["metadata", "name"], "other");
    remove(&mut second, &["status"]);
    stage.create("c1", second);
    stage.settle();
    let (status, _, message) = condition(&stage);
    assert_eq!(status, "False");
    assert_eq!(message, "only one DPA CR can exist per OADP installation namespace");
}

#[test]
fn the_missing_secret_heals() {
    let mut stage = Stage::new(&["c1"]);
    stage.create_all("c1", INSTALL);
    let secret = key("v1", "Secret", Some("velero-ns"), "cloud-credentials");
    let kept = plain(stage.get("c1", &secret).unwrap());
    stage.delete("c1", secret);
    stage.settle();
    assert_eq!(condition(&stage).0, "False");
    stage.create("c1", kept);
    stage.settle();
    assert_eq!(condition(&stage).0, "True");
}

/// The samples that users fill in hold specs that OADP accepts.
#[rstest]
#[case(include_str!("../../../configmaps/demo.yaml"))]
#[case(include_str!("../../../configmaps/pv-snap.yaml"))]
#[case(include_str!("../../../configmaps/file-system-backup.yaml"))]
fn samples_are_accepted(#[case] sample: &str) {
    let sample = &crate::yaml::read_documents(sample).unwrap()[0];
    let spec = text(sample, &["data", "dpaSpec"]);
    assert!(!spec.contains('\n'), "the policies cannot use line ends");
    let spec = crate::yaml::read(spec, crate::yaml::Dialect::Template).unwrap();
    let mut stage = installed();
    stage.edit("c1", &application(), |object| set(object, &["spec"], spec));
    stage.settle();
    assert_eq!(condition(&stage).2, "Reconcile complete");
}
