//! The stand-in, the hub and the commands as processes of their own that only meet on the network.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cli_support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cli_support::{Fleet, Running, flotilla, get, project, read, write};
use flotilla::adapters::api_server::{ApiError, Connection, Mode};
use flotilla::adapters::source;
use flotilla::api::object::{GroupVersionKind, Manifest, ObjectKey};
use serde_json::{Value, json};

const NAMESPACE: &str = "flotilla-policies";

/// A user of the Kubernetes API.
struct User {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

impl User {
    fn new(kubeconfig: &Path) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let deaf = std::sync::Arc::new(|_: &_, _| {});
        let connection = runtime.block_on(Connection::from_file(Some(kubeconfig), deaf)).unwrap();
        Self { runtime, connection }
    }

    fn apply(&self, path: &str) {
        let mut gathered = source::gather([Path::new(path)]);
        assert!(gathered.errors.is_empty(), "{:?}", gathered.errors);
        gathered.objects.sort_by_key(|found| found.manifest.kind() != "Namespace");
        for found in gathered.objects {
            let gvk = found.manifest.gvk();
            let namespace = source::is_namespaced(&gvk.group, &gvk.kind).then_some(NAMESPACE);
            let manifest = found.manifest.with_namespace(namespace);
            match self.runtime.block_on(self.connection.create(&manifest, Mode::Real)) {
                Ok(_) | Err(ApiError::AlreadyExists { .. }) => {}
                Err(error) => panic!("{}: {error}", found.place),
            }
        }
    }

    fn create(&self, value: Value) {
        let manifest = Manifest::parse(value).unwrap();
        self.runtime.block_on(self.connection.create(&manifest, Mode::Real)).unwrap();
    }

    fn key(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
        let namespace = namespace.map(ToOwned::to_owned);
        ObjectKey { gvk: GroupVersionKind::new(api_version, kind), namespace, name: name.to_owned() }
    }

    fn label(&self, cluster: &str, key: &str, value: Option<&str>) {
        let cluster = Self::key("cluster.open-cluster-management.io/v1", "ManagedCluster", None, cluster);
        let patch = json!({"metadata": {"labels": {key: value}}});
        self.runtime.block_on(self.connection.merge(&cluster, &patch, Mode::Real)).unwrap();
    }

    fn has(&self, key: &ObjectKey) -> bool {
        self.runtime.block_on(self.connection.get(key)).unwrap().is_some()
    }
}

fn apply_policies(fleet: &Fleet) -> User {
    let hub = User::new(&fleet.kubeconfig("hub"));
    hub.apply(&project("kustomize/policies"));
    hub.apply(&project("policies"));
    hub.apply(&project("configmaps/demo.yaml"));
    hub
}

#[test]
fn the_stand_in_fleet_is_ready_when_it_says_so() {
    let fleet = Fleet::start(2, "1s");
    for name in ["hub", "c1", "c2"] {
        let mode = fleet.kubeconfig(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let hub = fleet.hub();
    let listed =
        flotilla(["cluster", "list", "--check", "-o", "json", "--kubeconfig", &hub]).with_code(0).json();
    let rows: Vec<(&str, bool, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |field: &str| row[field].as_str().unwrap();
            (text("name"), row["reachable"].as_bool().unwrap(), text("clusterSet"))
        })
        .collect();
    assert_eq!(rows, [("c1", true, "default"), ("c2", true, "default")]);
    let status = flotilla(["status", "--kubeconfig", &hub]).with_code(0);
    assert!(status.stdout.starts_with("CLUSTER\nc1\nc2\n"), "{}", status.stdout);
    let Fleet { process, .. } = fleet;
    assert_eq!(process.stop("TERM").code(), Some(0));
}

#[test]
fn the_hub_tells_its_health_and_stops_in_order() {
    let fleet = Fleet::start(1, "1s");
    let mut hub = Running::start(["hub", "--listen", "127.0.0.1:0", "--kubeconfig", &fleet.hub()]);
    let line = hub.says("its address", |line| line.starts_with("listening on "));
    let address = line.trim_start_matches("listening on ").to_owned();
    let log = hub.logs("watching the hub");
    assert!(!log.contains('@'), "the token of the address is in the log: {log}");
    assert_eq!(get(&address, "/healthz").0, 200);
    assert_eq!(get(&address, "/readyz"), (200, "ok\n".to_owned()));
    let (status, metrics) = get(&address, "/metrics");
    assert!(status == 200 && metrics.contains("flotilla_evaluations_total"), "{metrics}");

    let second = flotilla(["hub", "--listen", &address, "--kubeconfig", &fleet.hub()]).with_code(2);
    assert!(second.lines("error: failed to listen on").len() == 1, "{}", second.stderr);
    assert!(second.lines("hint:")[0].contains("--listen"), "{}", second.stderr);
    assert_eq!(hub.stop("TERM").code(), Some(0));
}

#[test]
fn a_cluster_is_backed_up_across_processes() {
    let fleet = Fleet::start(2, "300ms");
    let kubeconfig = fleet.hub();
    let user = apply_policies(&fleet);
    user.label("c1", "acm-pv-dr", Some("backup"));
    // Velero calls a backup of a namespace that is not there PartiallyFailed.
    let app = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pacman"}});
    User::new(&fleet.kubeconfig("c1")).create(app);

    let plan = flotilla(["plan", "--kubeconfig", &kubeconfig]).with_code(1);
    assert!(plan.stdout.contains("c1  flotilla-policies/oadp-hdr-app-install\n"), "{}", plan.stdout);
    assert!(
        plan.stdout.contains("  create Namespace acm-app-backup (create-ns-oadp-operators)\n"),
        "{}",
        plan.stdout
    );
    assert!(plan.stdout.contains("+  cloud: <redacted 1>"), "{}", plan.stdout);
    assert!(plan.stdout.contains("Pending; Dependencies were not satisfied"), "{}", plan.stdout);
    assert!(!plan.stdout.contains("W2RlZmF1bHRd"), "a Secret is shown: {}", plan.stdout);
    let c1 = User::new(&fleet.kubeconfig("c1"));
    let velero = User::key("v1", "Namespace", None, "acm-app-backup");
    assert!(!c1.has(&velero), "a plan writes nothing");
    let replica = User::key(
        "policy.open-cluster-management.io/v1",
        "Policy",
        Some("c1"),
        "flotilla-policies.oadp-hdr-app-install",
    );
    assert!(!user.has(&replica), "a plan writes nothing on the hub");

    let mut watching = Running::start(["status", "--watch", "-o", "json", "--kubeconfig", &kubeconfig]);
    let mut hub = Running::start(["hub", "--listen", "127.0.0.1:0", "--kubeconfig", &kubeconfig]);
    hub.logs("watching the hub");
    let state = |line: &str, policy: &str| -> Option<String> {
        let report: Value = serde_json::from_str(line).ok()?;
        let c1 = report["clusters"].as_array()?.iter().find(|cluster| cluster["name"] == "c1")?.clone();
        let placed = c1["policies"].as_array()?.iter().find(|placed| placed["policy"] == policy)?.clone();
        placed["compliant"].as_str().map(ToOwned::to_owned)
    };
    let compliant = |line: &str| {
        ["flotilla-policies/oadp-hdr-app-install", "flotilla-policies/oadp-hdr-app-backup"]
            .iter()
            .all(|policy| state(line, policy).as_deref() == Some("Compliant"))
    };
    watching.says("c1 to be compliant", compliant);
    assert_eq!(watching.stop("INT").code(), Some(0));

    let plan =
        flotilla(["plan", "-o", "json", "--cluster", "c1", "--kubeconfig", &kubeconfig]).with_code(0).json();
    assert_eq!(plan[0]["cluster"], "c1");
    assert_eq!(plan[0]["policies"].as_array().unwrap().len(), 2, "{plan}");

    let status =
        flotilla(["status", "--kubeconfig", &kubeconfig, "--cluster", "c1", "--cluster", "c2"]).with_code(0);
    assert!(status.stdout.contains("c2  out  label acm-pv-dr is not set"), "{}", status.stdout);
    assert!(status.stdout.contains("All policies are reporting status"), "{}", status.stdout);
    flotilla(["status", "--cluster", "c9", "--kubeconfig", &kubeconfig]).with_code(2);

    let left = flotilla(["cluster", "leave", "c1", "--hub-kubeconfig", &kubeconfig]).with_code(0);
    assert!(left.stdout.contains("managedcluster/c1 deleted\n"), "{}", left.stdout);
    assert!(
        left.stdout.contains("policy/flotilla-policies.oadp-hdr-app-install deleted\n"),
        "{}",
        left.stdout
    );
    let notes = left.lines("note:").join("\n");
    assert!(notes.contains("Schedule acm-app-backup/acm-app-dpa-1-c1"), "{notes}");
    assert!(c1.has(&velero), "leaving removes nothing from the cluster");
    let again = flotilla(["cluster", "leave", "c1", "--hub-kubeconfig", &kubeconfig]).with_code(2);
    assert!(again.stderr.contains("the hub knows no such cluster"), "{}", again.stderr);
    assert_eq!(hub.stop("TERM").code(), Some(0));
}

#[test]
fn joining_can_be_repeated_and_refuses_what_a_hub_cannot_use() {
    let fleet = Fleet::start(1, "1s");
    let hub = fleet.hub();
    let directory = tempfile::tempdir().unwrap();
    let own = read(&fleet.kubeconfig("c1"));
    let path = write(directory.path(), "extra.kubeconfig", &own);
    let join = |name: &str, more: &[&str]| {
        let arguments = ["cluster", "join", name, "--kubeconfig", &path, "--hub-kubeconfig", &hub];
        flotilla(arguments.iter().chain(more))
    };
    let first = join("extra", &["--label", "site=home"]).with_code(0);
    let (on_cluster, on_hub) = first.stdout.split_once("on the hub:\n").unwrap();
    assert!(on_cluster.starts_with("on cluster extra:\nnamespace/flotilla-access created\n"), "{on_cluster}");
    assert!(!on_cluster.contains("\nrolebinding/"), "nobody has said where Velero will be: {on_cluster}");
    assert_eq!(
        on_hub,
        "namespace/extra created\nsecret/flotilla-kubeconfig created\nmanagedcluster/extra created\n"
    );
    let notes = first.lines("note:").join("\n");
    assert!(notes.contains("only leads there from this machine"), "{notes}");
    assert!(notes.contains("join again once there is one, or with --velero-namespace"), "{notes}");
    let second = join("extra", &["--label", "site=work", "--velero-namespace", "velero"]).with_code(0);
    let (on_cluster, on_hub) = second.stdout.split_once("on the hub:\n").unwrap();
    assert!(
        on_cluster.ends_with("\nnamespace/velero created\nrolebinding/flotilla-access created\n"),
        "{on_cluster}"
    );
    assert_eq!(on_cluster.matches(" created").count(), 2, "{on_cluster}");
    assert_eq!(
        on_hub,
        "namespace/extra unchanged\nsecret/flotilla-kubeconfig unchanged\nmanagedcluster/extra configured\n"
    );
    let listed = flotilla(["cluster", "list", "--kubeconfig", &hub]).with_code(0);
    assert!(listed.stdout.contains("site=work"), "{}", listed.stdout);
    flotilla(["cluster", "leave", "extra", "--delete-namespace", "--hub-kubeconfig", &hub]).with_code(0);

    let plugin = write(
        directory.path(),
        "plugin.kubeconfig",
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {server: \"https://c\"}\n\
         users:\n- name: c\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}\n\
         contexts:\n- name: c\n  context: {cluster: c, user: c}\n",
    );
    let arguments =
        ["cluster", "join", "c2", "--kubeconfig", &plugin, "--hub-kubeconfig", &hub, "--as-given"];
    let refused = flotilla(arguments).with_code(2);
    assert!(
        refused.stderr.contains("logs in by `exec`") && refused.stderr.contains("hint: "),
        "{}",
        refused.stderr
    );

    let silent =
        write(directory.path(), "silent.kubeconfig", &own.replace("/clusters/c1", "/clusters/nobody"));
    let arguments = ["cluster", "join", "c2", "--kubeconfig", &silent, "--hub-kubeconfig", &hub];
    let refused = flotilla(arguments).with_code(2);
    assert!(refused.stderr.contains("failed to join cluster c2"), "{}", refused.stderr);
    let user = User::new(&fleet.kubeconfig("hub"));
    let c2 = User::key("v1", "Namespace", None, "c2");
    assert!(!user.has(&c2), "a cluster that does not answer does not join");
    flotilla(arguments.iter().copied().chain(["--as-given", "--no-check"])).with_code(0);
    assert!(user.has(&c2));
}

/// Of a configuration whose first version is broken there is no policy set that could say so.
#[test]
fn the_status_tells_which_version_of_a_configuration_is_in_force() {
    let fleet = Fleet::start(1, "1s");
    let (user, kubeconfig) = (User::new(&fleet.kubeconfig("hub")), fleet.hub());
    user.apply(&project("kustomize/policies"));
    let place = "  namespace: flotilla-policies\n";
    let labelled = read(Path::new(&project("configmaps/demo.yaml")))
        .replace(place, &format!("{place}  labels: {{flotilla.dev/protect: \"true\"}}\n"));
    let broken = labelled.replace("'*/1 * * * *'", "'0 */1 * * * *'");
    let directory = tempfile::tempdir().unwrap();
    user.apply(&write(directory.path(), "broken.yaml", &broken));
    let mut status = Running::start(["status", "--watch", "--kubeconfig", &kubeconfig]);
    let name = "configuration flotilla-policies/hdr-app-configmap: ";
    let line = status.says("that nothing is in force", |line| line.starts_with(name));
    assert!(line.contains("invalid since 20") && line.ends_with("; nothing is rendered from it"), "{line}");
    status.says("why", |line| line.starts_with("    error: backupSchedule: "));
    let told = flotilla(["status", "-o", "json", "--kubeconfig", &kubeconfig]).with_code(0).json();
    assert_eq!(told["configurations"][0]["inForce"], "nothing");

    let key = User::key("v1", "ConfigMap", Some(NAMESPACE), "hdr-app-configmap");
    let schedule = |schedule: &str| {
        let patch = json!({"data": {"backupSchedule": schedule}});
        user.runtime.block_on(user.connection.merge(&key, &patch, Mode::Real)).unwrap();
    };
    schedule("0 */1 * * *");
    status.says("that it waits", |line| line == format!("{name}not taken up yet; is the hub running?"));
    let hub = Running::start(["hub", "--listen", "127.0.0.1:0", "--kubeconfig", &kubeconfig]);
    status.says("that it is in force", |line| line.starts_with(&format!("{name}in force since 20")));
    schedule("never");
    status.says("that the last good version is in force", |line| {
        line.starts_with(&format!("{name}invalid since 20"))
            && line.contains("; its last good version stays in force, as it was since 20")
    });
    let told = flotilla(["status", "-o", "json", "--kubeconfig", &kubeconfig]).with_code(0).json();
    let time = |field: &str| told["configurations"][0][field].as_str().unwrap().to_owned();
    assert!(time("edited") > time("accepted"), "{told}");
    drop(status);
    assert_eq!(hub.stop("TERM").code(), Some(0));
}

#[test]
fn the_demo_restores_the_app() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("demo").display().to_string();
    let demo = flotilla(["demo", "--minute", "200ms", "--dir", &path]).with_code(0);
    for said in [
        "  $ kubectl --kubeconfig hub.kubeconfig apply -f hdr-app-configmap.yaml\n",
        "  made of it: 3 Policy, 2 PolicySet, 2 Placement, 2 PlacementBinding\n",
        "  $ kubectl --kubeconfig hub.kubeconfig label managedcluster c1 acm-pv-dr=backup\n",
        "  $ kubectl --kubeconfig hub.kubeconfig label managedcluster c2 acm-app-restore=acm-app-dpa-1-c1-",
        "  deployment/pacman\n",
        "From nothing to the restored app in ",
    ] {
        assert!(demo.stdout.contains(said), "{said:?} in {}", demo.stdout);
    }
    assert_eq!(demo.stderr, "");
    assert!(directory.path().join("demo/hdr-app-configmap.yaml").exists());
}

#[test]
fn a_demo_that_takes_too_long_says_what_it_waits_for() {
    let demo = flotilla(["demo", "--minute", "1m", "--timeout", "1s"]).with_code(2);
    assert!(
        demo.stderr.contains("error: failed to finish the demo: waited 1 s for the first completed backup"),
        "{}",
        demo.stderr
    );
    assert!(demo.stdout.contains("POLICY SET"), "{}", demo.stdout);
}

#[test]
fn a_demo_that_is_kept_can_be_used_by_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    let mut demo = Running::start(["demo", "--keep", "--minute", "200ms", "--dir", &path]);
    demo.says("where the kubeconfigs are", |line| line.starts_with("Kubeconfigs: "));
    let hub = directory.path().join("hub.kubeconfig").display().to_string();
    let status = flotilla(["status", "--kubeconfig", &hub]).with_code(0);
    assert!(status.stdout.contains("flotilla-policies/acm-app-restore"), "{}", status.stdout);
    assert_eq!(demo.stop("INT").code(), Some(0));
}
