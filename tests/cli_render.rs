//! `flotilla render`: objects from files alone, and what bad files get.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cli_support;
#[path = "support/input.rs"]
#[allow(dead_code, unreachable_pub, reason = "only the filling in of samples is used")]
#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test reads files and says what it skips"
)]
mod input;

use cli_support::{Ended, flotilla, flotilla_with_input, project, read, shared_data, write};
use serde_json::{Value, json};

const CLUSTERS: &str = "\
apiVersion: cluster.open-cluster-management.io/v1
kind: ManagedCluster
metadata: {name: c1, labels: {acm-pv-dr: backup}}
---
apiVersion: cluster.open-cluster-management.io/v1
kind: ManagedCluster
metadata: {name: c2, labels: {acm-app-restore: acm-app-dpa-1-c1-20260101000000}}
---
apiVersion: cluster.open-cluster-management.io/v1
kind: ManagedCluster
metadata: {name: c3}
";

struct Files {
    directory: tempfile::TempDir,
    clusters: String,
}

fn files() -> Files {
    let directory = tempfile::tempdir().unwrap();
    let clusters = write(directory.path(), "clusters/all.yaml", CLUSTERS);
    Files { directory, clusters }
}

fn render(arguments: &[&str]) -> Ended {
    flotilla(["render", "-n", "flotilla-policies"].iter().chain(arguments))
}

fn object<'a>(list: &'a Value, cluster: &str, kind: &str) -> Option<&'a Value> {
    list.as_array()?
        .iter()
        .filter(|entry| entry["cluster"] == cluster)
        .flat_map(|entry| entry["objects"].as_array().unwrap())
        .find(|object| object["kind"] == kind)
}

#[test]
fn the_projects_policies_give_the_exact_schedule() {
    let files = files();
    let (policies, config) = (project("policies"), project("configmaps/demo.yaml"));
    let ended = render(&["-o", "json", &policies, &config, &files.clusters]).with_code(0);
    let list = ended.json();
    let mut schedule = object(&list, "c1", "Schedule").unwrap().clone();
    let id = schedule["metadata"]["labels"]["cluster-id"].take();
    assert!(id.as_str().is_some_and(|id| id.len() == 36), "{id}");
    assert_eq!(
        schedule,
        json!({
            "apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "acm-app-dpa-1-c1", "namespace": "acm-app-backup",
                "labels": {"cluster-id": null, "cluster-name": "c1"}},
            "spec": {
                "schedule": "*/1 * * * *", "skipImmediately": false, "useOwnerReferencesInBackup": false,
                "template": {"includedNamespaces": ["pacman"], "excludedResources": [], "snapshotVolumes": true,
                    "defaultVolumesToFsBackup": false, "volumeSnapshotLocations": ["dpa-1"], "ttl": "24h0m0s"},
            },
        })
    );
    let keys: Vec<(&str, &str)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["cluster"].as_str().unwrap(), entry["policy"].as_str().unwrap()))
        .collect();
    assert_eq!(
        keys,
        [
            ("c1", "flotilla-policies/oadp-hdr-app-install"),
            ("c1", "flotilla-policies/oadp-hdr-app-backup"),
            ("c2", "flotilla-policies/oadp-hdr-app-install"),
            ("c2", "flotilla-policies/oadp-hdr-app-restore"),
        ]
    );
    let notes = ended.lines("note:").join("\n");
    assert!(notes.contains("cluster set \"default\" is taken as bound"), "{notes}");
    assert!(notes.contains("c3 is not selected by flotilla-policies/acm-app-backup-placement: "), "{notes}");
    assert!(notes.contains("c3 is not selected by flotilla-policies/acm-app-restore-placement: "), "{notes}");
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let files = files();
    let (policies, config) = (project("policies"), project("configmaps/demo.yaml"));
    let directory = files.directory.path().join("clusters").display().to_string();
    let one = render(&["-o", "json", &policies, &config, &files.clusters]).with_code(0).stdout;
    let other = render(&["-o", "json", &directory, &config, &policies]).with_code(0).stdout;
    assert_eq!(one, other);
    let streamed = flotilla_with_input(
        ["render", "-n", "flotilla-policies", "-o", "json", "-", &policies, &config],
        CLUSTERS,
    );
    assert_eq!(one, streamed.with_code(0).stdout);
}

#[test]
fn secrets_are_shown_on_demand_only() {
    let files = files();
    let (policies, config) = (project("policies"), project("configmaps/demo.yaml"));
    let arguments = ["-o", "json", "--cluster", "c1", &policies, &config, &files.clusters];
    let hidden = render(&arguments).with_code(0).json();
    assert_eq!(object(&hidden, "c1", "Secret").unwrap()["data"], json!({"cloud": "<redacted>"}));
    assert!(object(&hidden, "c2", "Secret").is_none(), "only c1 was asked for");
    let shown = render(&[&arguments[..], &["--show-secrets"]].concat()).with_code(0).json();
    let cloud = object(&shown, "c1", "Secret").unwrap()["data"]["cloud"].as_str().unwrap();
    assert!(cloud.starts_with("W2RlZmF1bHRd"), "{cloud}");
}

#[test]
fn yaml_is_what_kubectl_reads() {
    let files = files();
    let (policies, config) = (project("policies"), project("configmaps/demo.yaml"));
    let ended = render(&[&policies, &config, &files.clusters, "--cluster", "c1"]).with_code(0);
    let begin = "---\n# cluster: c1, policy: flotilla-policies/oadp-hdr-app-install\napiVersion: v1\n";
    assert!(ended.stdout.starts_with(begin), "{}", ended.stdout);
    let documents = flotilla::yaml::read_documents(&ended.stdout).unwrap();
    let kinds: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
    assert!(kinds.contains(&"DataProtectionApplication") && kinds.contains(&"Schedule"), "{kinds:?}");
}

#[test]
fn a_configuration_with_faults_is_an_error_of_its_policies() {
    let files = files();
    let policies = project("policies");
    let missing = render(&["-o", "json", &policies, &files.clusters]).with_code(1).json();
    for entry in missing.as_array().unwrap() {
        assert_eq!(entry["objects"], json!([]));
        let message = entry["messages"][0].as_str().unwrap();
        assert!(message.contains("ConfigMap \"hdr-app-configmap\" not found"), "{message}");
        assert_eq!(entry["messages"].as_array().unwrap().len(), 1, "said once for all checks: {entry}");
    }
    let unfilled = project("configmaps/pv-snap.yaml");
    let unfilled = render(&["-o", "json", &policies, &unfilled, &files.clusters]).with_code(1).json();
    let message = unfilled[0]["messages"][0].as_str().unwrap();
    assert!(message.contains("hdr-app-configmap cannot be used"), "{message}");
}

#[test]
fn the_unmodified_policies_give_the_exact_objects() {
    let Some(resources) = shared_data("acm-app-pv-backup/resources") else {
        println!("skipped: ../shared/data is absent");
        return;
    };
    let sample = read(&shared_data("acm-app-pv-backup/input/pv-snap/hdr-app-configmap.txt").unwrap());
    let filled = input::fill_in(&sample, "pacman-ns");
    let files = files();
    let config = write(files.directory.path(), "config.txt", &filled);
    let resources = resources.display().to_string();
    let ended =
        flotilla(["render", "-n", "apps", "-o", "json", &files.clusters, &resources, &config]).with_code(0);
    let list = ended.json();
    let mut schedule = object(&list, "c1", "Schedule").unwrap().clone();
    let id = schedule["metadata"]["labels"]["cluster-id"].take();
    assert!(id.as_str().is_some_and(|id| id.len() == 36), "{id}");
    assert_eq!(
        schedule,
        json!({
            "apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "acm-pv-dpa-1-c1", "namespace": "acm-app-backup",
                "labels": {"cluster-id": null, "cluster-name": "c1"}},
            "spec": {"schedule": "0 */1 * * *", "template": {
                "includedNamespaces": ["pacman-ns"], "excludedResources": [],
                "snapshotVolumes": true, "defaultVolumesToFsBackup": false,
                "volumeSnapshotLocations": ["dpa-1"], "ttl": "240h0m0s"}},
        })
    );
    let restore = object(&list, "c2", "Restore").unwrap();
    assert_eq!(restore["metadata"]["name"], "restore-acm-app-dpa-1-c1-20260101000000");
    assert_eq!(restore["spec"]["backupName"], "acm-app-dpa-1-c1-20260101000000");
    let messages = list.to_string();
    assert!(messages.contains("Pending; "), "the Restore is held until its Backup is there: {messages}");
    assert!(messages.contains("defaultVolumesToFsBackup"), "the translation is told: {messages}");
}

#[test]
fn what_cannot_be_read_is_told_and_stops_nothing_else() {
    let files = files();
    let broken = write(
        files.directory.path(),
        "broken/objects.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: [\n---\n\
         apiVersion: cluster.open-cluster-management.io/v1\nkind: ManagedCluster\n\
         metadata: {name: c4, labels: {acm-pv-dr: backup}}\nspec: {taints: none}\n---\n\
         just text\n---\napiVersion: v1\nkind: Secret\ndata: {password: dG9wLXNlY3JldA==}\n",
    );
    let (policies, config) = (project("policies"), project("configmaps/demo.yaml"));
    let ended =
        render(&["-o", "json", &policies, &config, &broken, "/does/not/exist", &files.clusters]).with_code(2);
    let errors = ended.lines("error: failed to read ");
    assert_eq!(errors.len(), 5, "{}", ended.stderr);
    assert!(errors.iter().any(|error| error.contains("objects.yaml, document 1, line ")), "{errors:#?}");
    assert!(errors.iter().any(|error| error.contains("ManagedCluster \"c4\"")), "{errors:#?}");
    assert!(errors.iter().any(|error| error.contains("document 4 (line 12)")), "{errors:#?}");
    assert!(errors.iter().any(|error| error.contains("/does/not/exist")), "{errors:#?}");
    assert!(!ended.stderr.contains("dG9wLXNlY3JldA"), "{}", ended.stderr);
    assert!(object(&ended.json(), "c1", "Schedule").is_some());
}

#[test]
fn an_input_without_clusters_or_policies_says_what_is_missing() {
    let files = files();
    let policies = project("policies");
    let ended = render(&[&policies]).with_code(2);
    assert_eq!(ended.lines("error:"), ["error: failed to render: the input has no ManagedCluster"]);
    assert_eq!(ended.lines("hint:").len(), 1);
    let ended = render(&[&files.clusters]).with_code(2);
    assert_eq!(ended.lines("error:"), ["error: failed to render: the input has no Policy"]);
    let ended = render(&[&policies, &files.clusters, "--cluster", "c9"]).with_code(2);
    assert_eq!(ended.lines("hint:"), ["hint: it has c1, c2, c3"]);
}

/// A labelled ConfigMap alone is enough: with clusters for what goes there, without for what the hub makes of it.
#[test]
fn a_labelled_config_map_is_rendered_as_on_the_hub() {
    let files = files();
    let demo = read(std::path::Path::new(&project("configmaps/demo.yaml")));
    let labelled = demo.replace(
        "  namespace: flotilla-policies\n",
        "  namespace: flotilla-policies\n  labels: {flotilla.dev/protect: \"true\"}\n",
    );
    let config = write(files.directory.path(), "labelled.yaml", &labelled);
    let policies = project("policies");
    let by_hand = render(&["-o", "json", &policies, &project("configmaps/demo.yaml"), &files.clusters]);
    let rendered = render(&["-o", "json", &config, &files.clusters]).with_code(0);
    let schedule = |list: &Value| object(list, "c1", "Schedule").unwrap()["spec"].clone();
    assert_eq!(schedule(&rendered.json()), schedule(&by_hand.with_code(0).json()));

    let alone = render(&["-o", "json", &config]).with_code(0);
    let kinds: Vec<String> = alone
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        kinds,
        [
            "ConfigMap",
            "Policy",
            "Policy",
            "Policy",
            "PolicySet",
            "PolicySet",
            "Placement",
            "Placement",
            "PlacementBinding",
            "PlacementBinding"
        ]
    );
    assert_eq!(alone.json()[0]["data"]["dpaAwsBackupCloudCredentials"], "<redacted>");

    let broken = write(files.directory.path(), "broken.yaml", &labelled.replace("24h0m0s", "a day"));
    let ended = render(&[broken.as_str()]).with_code(1);
    assert!(
        ended.stderr.contains("hdr-app-configmap cannot be used, nothing is rendered"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("backupTTL"), "{}", ended.stderr);
}
