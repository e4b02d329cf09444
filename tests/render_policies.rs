//! The three policies of `acm-app-pv-backup`, unmodified, with both variants of its ConfigMap: what comes out for one cluster is
//! compared with values worked out by hand.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flotilla::api::object::{GroupVersionKind, Manifest};
use flotilla::pipeline::render::lookup::{Answer, Lookup};
use flotilla::pipeline::render::{
    Asked, ClusterContext, ClusterRendered, HubContext, ProtectedValues, RenderError, RenderedEntry, Renderer,
};
use flotilla::yaml::{self, Dialect};
use rstest::rstest;
use serde_json::{Value, json};

const CREDENTIALS: &str = "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkPTxpZD4KYXdzX3NlY3JldF9hY2Nlc3Nfa2V5PTxrZXk+";

/// Text of a shared file; `None` when the shared data are absent.
#[expect(clippy::disallowed_methods, reason = "test data")]
fn shared(path: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/acm-app-pv-backup");
    let text = std::fs::read_to_string(root.join(path)).ok();
    if text.is_none() {
        println!("skipped: {path} is not there");
    }
    text
}

#[derive(Default)]
struct Snapshot {
    objects: Vec<Arc<Manifest>>,
    velero_missing: bool,
    unknown: bool,
}

impl Snapshot {
    fn of(objects: impl IntoIterator<Item = Value>) -> Self {
        let objects = objects.into_iter().map(|object| Arc::new(Manifest::parse(object).unwrap())).collect();
        Self { objects, ..Self::default() }
    }
}

impl Lookup for Snapshot {
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        if self.unknown {
            return Answer::NotYetKnown;
        }
        if self.velero_missing && gvk.group == "velero.io" {
            return Answer::KindNotInstalled;
        }
        let found = self.objects.iter().find(|object| {
            object.gvk() == *gvk && object.namespace() == namespace && object.name() == Some(name)
        });
        found.map_or(Answer::NotFound, |found| Answer::Found(Arc::clone(found)))
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        if self.unknown {
            return Answer::NotYetKnown;
        }
        let found =
            self.objects.iter().filter(|object| object.gvk() == *gvk && object.namespace() == namespace);
        Answer::Found(found.cloned().collect())
    }

    fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
        Some(true)
    }
}

/// The hub with or without the ConfigMap of one of the two variants.
struct Hub {
    renderer: Renderer,
    policies: Vec<Value>,
    objects: Snapshot,
}

const NAMESPACE: &str = "open-cluster-management-backup";

impl Hub {
    fn new(variant: Option<&str>) -> Option<Self> {
        let mut policies = Vec::new();
        for policy in ["install", "backup", "restore"] {
            let text = shared(&format!("resources/policies/oadp-hdr-app-{policy}.yaml"))?;
            policies.push(yaml::read(&text, Dialect::Kubernetes).unwrap());
        }
        let mut objects = Snapshot::default();
        if let Some(variant) = variant {
            let text = shared(&format!("input/{variant}/hdr-app-configmap.txt"))?;
            let mut object = yaml::read(&text, Dialect::Kubernetes).unwrap();
            object["metadata"]["namespace"] = json!(NAMESPACE);
            objects = Snapshot::of([object]);
        }
        Some(Self { renderer: Renderer::new(), policies, objects })
    }

    fn definition(&self, check: &str) -> &Value {
        self.policies
            .iter()
            .flat_map(|policy| policy["spec"]["policy-templates"].as_array().unwrap())
            .map(|template| &template["objectDefinition"])
            .find(|definition| definition["metadata"]["name"] == check)
            .unwrap()
    }

    fn hub_phase(&self, check: &str) -> (Value, ProtectedValues) {
        let context = HubContext {
            cluster: "c1".to_owned(),
            labels: BTreeMap::from([("acm-pv-dr".to_owned(), "backup".to_owned())]),
            policy_metadata: json!({"name": "oadp-hdr-app-backup", "namespace": NAMESPACE,
                "labels": {}, "annotations": {}}),
            policy_namespace: NAMESPACE.to_owned(),
            ..HubContext::default()
        };
        let (rendered, asked) = self.renderer.hub_phase(self.definition(check), &context, &self.objects);
        for reference in &asked.references {
            assert_eq!(reference.namespace.as_deref(), Some(NAMESPACE));
            assert_eq!(reference.name.as_deref(), Some("hdr-app-configmap"));
        }
        assert_eq!(asked.not_found.is_empty(), !self.objects.objects.is_empty());
        let rendered = rendered.unwrap();
        (rendered.definition, rendered.protected)
    }

    fn both_phases(&self, check: &str, cluster: &Snapshot) -> (Result<ClusterRendered, RenderError>, Asked) {
        let (definition, protected) = self.hub_phase(check);
        let claims = [("name", "c1"), ("id.openshift.io", "id-of-c1"), ("acm-app-restore", "backup-1")];
        let claims = claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        self.renderer.cluster_phase(
            &definition,
            &ClusterContext { claims, protected, ..ClusterContext::default() },
            cluster,
        )
    }

    /// The object templates, all without error.
    fn render(&self, check: &str, cluster: &Snapshot) -> Vec<Value> {
        let rendered = self.both_phases(check, cluster).0.unwrap();
        rendered
            .object_templates
            .into_iter()
            .map(|entry| entry.unwrap().resolved().unwrap().clone())
            .collect()
    }
}

fn schedule(name: &str, last_backup: Option<&str>) -> Value {
    let mut schedule = json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": name, "namespace": "acm-app-backup"}, "spec": {}});
    if let Some(last_backup) = last_backup {
        schedule["status"] = json!({"lastBackup": last_backup});
    }
    schedule
}

fn backup(name: &str, started: &str) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name, "namespace": "acm-app-backup"},
        "status": {"startTimestamp": started}})
}

#[rstest]
#[case("pv-snap", "acm-pv-dpa-1-c1", "dpa-1", true, false)]
#[case("restic", "acm-restic--c1", "", false, true)]
fn schedule_is_made_from_the_config_map(
    #[case] variant: &str,
    #[case] name: &str,
    #[case] location: &str,
    #[case] snapshots: bool,
    #[case] restic: bool,
) {
    let Some(hub) = Hub::new(Some(variant)) else { return };
    let expected = json!([{
        "complianceType": "musthave",
        "objectDefinition": {
            "apiVersion": "velero.io/v1",
            "kind": "Schedule",
            "metadata": {
                "name": name,
                "namespace": "acm-app-backup",
                "labels": {"cluster-id": "id-of-c1", "cluster-name": "c1"}
            },
            "spec": {
                "schedule": "0 */1 * * *",
                "template": {
                    "excludedResources": [],
                    "volumeSnapshotLocations": [location],
                    "snapshotVolumes": snapshots,
                    "defaultVolumesToRestic": restic,
                    "includedNamespaces": ["app1-ns", "app2-ns", "app3-ns"],
                    "ttl": "240h0m0s"
                }
            }
        }
    }]);
    assert_eq!(json!(hub.render("create-schedule-resource", &Snapshot::default())), expected);
    let (rendered, _) = hub.both_phases("create-schedule-resource", &Snapshot::default());
    assert!(!rendered.unwrap().sensitive);
}

#[rstest]
#[case("pv-snap", true)]
#[case("restic", false)]
fn restore_is_made_from_the_cluster_claim(#[case] variant: &str, #[case] restore_volumes: bool) {
    let Some(hub) = Hub::new(Some(variant)) else { return };
    let expected = json!([{
        "complianceType": "musthave",
        "objectDefinition": {
            "apiVersion": "velero.io/v1",
            "kind": "Restore",
            "metadata": {
                "name": "restore-backup-1",
                "namespace": "acm-app-backup",
                "labels": {"cluster-id": "id-of-c1", "cluster-name": "c1"}
            },
            "spec": {
                "existingResourcePolicy": "update",
                "backupName": "backup-1",
                "excludedNamespaces": [],
                "restorePVs": restore_volumes
            }
        }
    }]);
    assert_eq!(json!(hub.render("create-restore-resource", &Snapshot::default())), expected);
    let map = hub.render("create-storage-class-map", &Snapshot::default());
    assert_eq!(map[0]["objectDefinition"]["data"], json!({"managed-csi": "thin"}));
    assert_eq!(
        map[0]["objectDefinition"]["metadata"]["labels"],
        json!({"velero.io/plugin-config": "", "velero.io/change-storage-class": "RestoreItemAction"})
    );
}

#[test]
fn a_missing_claim_is_an_error_of_the_whole_check() {
    let Some(hub) = Hub::new(Some("restic")) else { return };
    let (definition, protected) = hub.hub_phase("create-restore-resource");
    let context = ClusterContext { claims: BTreeMap::new(), protected, ..ClusterContext::default() };
    let (rendered, _) = hub.renderer.cluster_phase(&definition, &context, &Snapshot::default());
    let error = rendered.unwrap_err().to_string();
    assert!(error.starts_with("failed to resolve the template "), "{error}");
    assert!(
        error.ends_with(
            "template: tmpl:7:24: executing \"tmpl\" at <fromClusterClaim \"acm-app-restore\">: error calling \
             fromClusterClaim: clusterclaims.cluster.open-cluster-management.io \"acm-app-restore\" not found"
        ),
        "{error}"
    );
}

#[rstest]
#[case("pv-snap", false, true)]
#[case("restic", true, false)]
fn dpa_keeps_the_types_of_its_specification(
    #[case] variant: &str,
    #[case] restic: bool,
    #[case] snapshot_locations: bool,
) {
    let Some(hub) = Hub::new(Some(variant)) else { return };
    let mut spec = json!({
        "backupLocations": [{"velero": {
            "config": {"profile": "default", "region": "<us-east-1>"},
            "credential": {"key": "cloud", "name": "<dpaBackupCloudCredentialsName>"},
            "default": true,
            "objectStorage": {"bucket": "<bucket-name>", "prefix": "<in-bucket-folder-name>"},
            "provider": "<aws>"
        }}],
        "configuration": {
            "restic": {"enable": restic},
            "velero": {
                "defaultPlugins": ["openshift", "aws"],
                "podConfig": {"resourceAllocations": {
                    "limits": {"cpu": "2", "memory": "1Gi"},
                    "requests": {"cpu": "500m", "memory": "256Mi"}
                }}
            }
        }
    });
    if snapshot_locations {
        let region = "<use here ClusterClaim region.open-cluster-management.io value>";
        spec["snapshotLocations"] = json!([
            {"velero": {"config": {"profile": "default", "region": region}, "provider": "<aws>"}},
            {"velero": {"config": {"profile": "<east1>", "region": "<us-east-1>"}, "provider": "<aws>"}}
        ]);
    }
    let expected = json!([{
        "complianceType": "musthave",
        "objectDefinition": {
            "apiVersion": "oadp.openshift.io/v1alpha1",
            "kind": "DataProtectionApplication",
            "metadata": {"name": "dpa", "namespace": "acm-app-backup"},
            "spec": spec
        }
    }]);
    assert_eq!(json!(hub.render("create-oadp-dpa-resource", &Snapshot::default())), expected);
}

#[test]
fn the_secret_is_a_token_until_the_last_moment() {
    let Some(hub) = Hub::new(Some("restic")) else { return };
    let (definition, protected) = hub.hub_phase("create-backup-storage-credentials-secret");
    let text = definition.to_string();
    assert!(!text.contains(CREDENTIALS));
    assert!(text.contains("$flotilla_protected:000001"));
    assert_eq!(protected.0.len(), 1);
    assert!(!format!("{protected:?}").contains(CREDENTIALS));

    let (rendered, _) = hub.both_phases("create-backup-storage-credentials-secret", &Snapshot::default());
    let rendered = rendered.unwrap();
    assert!(rendered.sensitive);
    let expected = json!({
        "complianceType": "musthave",
        "objectDefinition": {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": "cloud-credentials", "namespace": "acm-app-backup"},
            "data": {"cloud": CREDENTIALS}
        }
    });
    assert_eq!(rendered.object_templates, [Ok(RenderedEntry::Resolved(expected))]);
}

#[test]
fn install_makes_namespace_group_and_subscription() {
    let Some(hub) = Hub::new(Some("restic")) else { return };
    let object = |check: &str| hub.render(check, &Snapshot::default())[0]["objectDefinition"].clone();
    assert_eq!(
        object("create-ns-oadp-operators"),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acm-app-backup"}})
    );
    assert_eq!(object("create-oadp-operator-group")["spec"], json!({"targetNamespaces": ["acm-app-backup"]}));
    assert_eq!(
        object("create-oadp-operator-subscription")["spec"],
        json!({"name": "redhat-oadp-operator", "channel": "stable-1.1", "installPlanApproval": "Automatic",
            "source": "redhat-operators", "sourceNamespace": "openshift-marketplace"})
    );
    assert_eq!(
        object("check-oadp-dpa-complete")["status"],
        json!({"conditions": [{"reason": "Complete", "type": "Reconciled"}]})
    );
    assert_eq!(
        object("check-backup-storage-location-available")["metadata"],
        json!({"name": "dpa-1", "namespace": "acm-app-backup"})
    );
}

#[rstest]
#[case("check-backup-error", "Error")]
#[case("check-backup-failed-validation", "FailedValidation")]
#[case("check-backup-partially-failed", "PartiallyFailed")]
#[case("check-backup-no-status", "")]
fn failed_backups_are_looked_for_by_the_schedules_last_backup(#[case] check: &str, #[case] phase: &str) {
    let Some(hub) = Hub::new(Some("restic")) else { return };
    for (cluster, started) in [
        // No schedule, and one that never ran: the text that Go prints for a missing value.
        (Snapshot::default(), "<no value>"),
        (Snapshot::of([schedule("acm-restic--c1", None)]), "<no value>"),
        (Snapshot::of([schedule("acm-restic--c1", Some("2026-01-02T03:00:00Z"))]), "2026-01-02T03:00:00Z"),
    ] {
        let expected = json!([{
            "complianceType": "mustnothave",
            "objectDefinition": {
                "apiVersion": "velero.io/v1",
                "kind": "Backup",
                "metadata": {
                    "namespace": "acm-app-backup",
                    "labels": {
                        "velero.io/schedule-name": "acm-restic--c1",
                        "cluster-id": "id-of-c1",
                        "cluster-name": "c1"
                    }
                },
                "status": {"phase": phase, "startTimestamp": started}
            }
        }]);
        assert_eq!(json!(hub.render(check, &cluster)), expected);
    }
}

#[test]
fn without_velero_the_checks_of_backups_fail() {
    let Some(hub) = Hub::new(Some("restic")) else { return };
    let cluster = Snapshot { velero_missing: true, ..Snapshot::default() };
    let error = hub.both_phases("check-backup-error", &cluster).0.unwrap_err().to_string();
    assert!(
        error.contains("error calling lookup: one or more API resources are not installed on the API server")
    );
}

#[test]
fn completed_backups_are_those_of_the_last_run() {
    let Some(hub) = Hub::new(Some("restic")) else { return };
    let cluster = Snapshot::of([
        schedule("acm-restic--c1", Some("2026-01-02T03:00:00Z")),
        backup("acm-restic--c1-old", "2026-01-02T02:00:00Z"),
        backup("acm-restic--c1-new", "2026-01-02T03:00:00Z"),
    ]);
    let expected = json!([{
        "complianceType": "musthave",
        "objectDefinition": {
            "apiVersion": "velero.io/v1",
            "kind": "Backup",
            "metadata": {"namespace": "acm-app-backup", "name": "acm-restic--c1-new"},
            "status": {"phase": "Completed"}
        }
    }]);
    assert_eq!(json!(hub.render("check-backup-completed", &cluster)), expected);
    let (_, asked) = hub.both_phases("check-backup-completed", &cluster);
    assert_eq!(asked.references.len(), 2);
    // A second apart, and there is nothing to check.
    let cluster = Snapshot::of([
        schedule("acm-restic--c1", Some("2026-01-02T03:00:01Z")),
        backup("acm-restic--c1-new", "2026-01-02T03:00:00Z"),
    ]);
    assert!(hub.render("check-backup-completed", &cluster).is_empty());
    assert!(hub.render("check-backup-completed", &Snapshot::default()).is_empty());
}

#[test]
fn without_the_config_map_there_is_nothing_to_check() {
    let Some(hub) = Hub::new(None) else { return };
    for check in ["create-schedule-resource", "create-ns-oadp-operators", "create-oadp-dpa-resource"] {
        assert!(hub.render(check, &Snapshot::default()).is_empty(), "{check}");
    }
    // The `with` of these closes inside a string, whose rest is no list.
    let (rendered, _) = hub.both_phases("check-backup-error", &Snapshot::default());
    let error = rendered.unwrap_err().to_string();
    assert!(error.starts_with("Error parsing object-templates-raw YAML: "), "{error}");
    assert!(error.contains("cannot unmarshal string into Go value of type []"), "{error}");
    // This has no `with` at all: missing values are printed, no schedule has that name.
    assert!(hub.render("check-backup-completed", &Snapshot::default()).is_empty());
    let restore = hub.render("check-restore-failed", &Snapshot::default());
    assert_eq!(restore[0]["objectDefinition"]["metadata"]["namespace"], "<no value>");
}

#[test]
fn what_is_not_known_yet_is_reported_and_ends_the_rendering() {
    let Some(hub) = Hub::new(Some("restic")) else { return };
    let unknown = Snapshot { unknown: true, ..Snapshot::default() };
    let (rendered, asked) = hub.both_phases("check-backup-completed", &unknown);
    assert_eq!(
        rendered.unwrap_err(),
        RenderError::NotYetKnown("velero.io/v1 Schedule acm-app-backup/acm-restic--c1".to_owned())
    );
    assert_eq!(asked.not_yet_known.len(), 1);
    assert_eq!(asked.references, asked.not_yet_known);
}

#[test]
fn every_check_of_the_three_policies_renders() {
    for variant in ["pv-snap", "restic"] {
        let Some(hub) = Hub::new(Some(variant)) else { return };
        let mut count = 0;
        for policy in &hub.policies {
            for template in policy["spec"]["policy-templates"].as_array().unwrap() {
                let check = template["objectDefinition"]["metadata"]["name"].as_str().unwrap();
                hub.render(check, &Snapshot::default());
                count += 1;
            }
        }
        assert_eq!(count, 24);
    }
}

/// With `FLOTILLA_GENERATE` set, as `make generate` does, it writes the files instead.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test reads and writes files")]
fn the_committed_policies_are_those_of_the_templates() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies");
    for (file, text) in flotilla::pipeline::sets::shipped_texts().unwrap() {
        let path = directory.join(&file);
        if std::env::var_os("FLOTILLA_GENERATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, text, "policies/{file} is not what templates/ says: run `make generate`");
    }
}
