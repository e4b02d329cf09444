//! What a ConfigMap would do, seen before it is applied: `flotilla plan -f` and `flotilla diff -f`.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::config_map_only::{configure, namespace, protect};
use crate::support::{POLICIES, VELERO, World, config_map};
use crate::{BACKUP, INSTALL, SCHEDULE};

/// The name of another configuration.
const SECOND: &str = "second-policies";

/// How a command ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// What is on stdout, in this order.
    fn shows(&self, parts: &[&str]) {
        let mut rest = self.stdout.as_str();
        for part in parts {
            let Some(at) = rest.find(part) else { panic!("{part:?} in {}\n{}", self.stdout, self.stderr) };
            rest = &rest[at..];
        }
    }
}

/// The ConfigMap as a user has it in a file, with these keys.
fn file(world: &World, name: &str, namespace: &str, keys: &[(&str, &str)]) -> String {
    let mut documents = flotilla::yaml::read_documents(&world.stage.with_storage(&config_map(name))).unwrap();
    for document in &mut documents {
        document["metadata"]["namespace"] = json!(namespace);
        document["metadata"]["labels"]["flotilla.dev/protect"] = json!("true");
        for (key, value) in keys {
            document["data"][*key] = json!(value);
        }
    }
    documents.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// Runs a command on a ConfigMap from standard input.
async fn run(world: &World, command: &str, text: &str, more: &[&str]) -> Ended {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_flotilla"))
        .args([command, "-f", "-", "--kubeconfig"])
        .arg(world.hub_kubeconfig())
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let ended =
        Ended { code: output.status.code(), stdout: said(&output.stdout), stderr: said(&output.stderr) };
    let secret = &flotilla::yaml::read_documents(text).unwrap()[0]["data"]["dpaAwsBackupCloudCredentials"];
    let secret = secret.as_str().unwrap();
    for said in [&ended.stdout, &ended.stderr] {
        assert!(!said.contains(secret), "the credentials are shown: {said}");
    }
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_that_is_not_applied_yet_shows_all_that_it_would_make() {
    let world = World::start_with(&["c1", "c2"]).await;
    namespace(&world, POLICIES, true).await;
    let text = file(&world, "pv-snap", POLICIES, &[]);

    let idle = run(&world, "plan", &text, &[]).await.with_code(0);
    assert_eq!(idle.stdout, "nothing to change\n");
    assert!(idle.stderr.contains("acm-app-backup-placement selects no cluster"), "{}", idle.stderr);

    world.label_for_backup("c1").await;
    let before = world.clusters["c1"].get("Namespace", "", VELERO).await;
    let plan = run(&world, "plan", &text, &[]).await.with_code(1);
    plan.shows(&[
        "c1  policies/oadp-hdr-app-install\n",
        "create Namespace acm-app-backup (create-ns-oadp-operators)\n",
        "create Secret acm-app-backup/cloud-credentials",
        "+  cloud: <redacted 1>",
        "create DataProtectionApplication acm-app-backup/dpa",
        "c1  policies/oadp-hdr-app-backup\n",
        "create Schedule acm-app-backup/acm-pv-dpa-1-c1 (create-schedule-resource)\n",
        "what waits for another policy is shown as it is once that one is Compliant",
    ]);
    assert!(!plan.stdout.contains("c2  "), "{}", plan.stdout);
    let json = run(&world, "plan", &text, &["-o", "json", "--cluster", "c1"]).await.with_code(1).json();
    assert_eq!(json[0]["policies"].as_array().unwrap().len(), 2, "{json:#}");

    let diff = run(&world, "diff", &text, &[]).await.with_code(1);
    diff.shows(&[
        "create Schedule acm-app-backup/acm-pv-dpa-1-c1 on c1\n--- acm-app-backup/acm-pv-dpa-1-c1 : existing",
    ]);
    assert!(diff.stderr.contains("note: 1 of 2 clusters would change"), "{}", diff.stderr);

    // Nothing of it was written.
    assert!(world.hub.get("ConfigMap", POLICIES, "hdr-app-configmap").await.is_none());
    for kind in ["Policy", "PolicySet", "Placement", "PlacementBinding"] {
        assert!(world.hub.list(kind, Some(POLICIES)).await.is_empty(), "{kind}");
    }
    assert_eq!(world.clusters["c1"].get("Namespace", "", VELERO).await, before);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_shows_what_it_changes_and_equal_changes_are_told_once() {
    let world = World::start_with(&["c1", "c2"]).await;
    namespace(&world, POLICIES, true).await;
    configure(&world, POLICIES, &config_map("pv-snap"), &[]).await;
    for cluster in ["c1", "c2"] {
        protect(&world, cluster).await;
        world.policy_is(INSTALL, cluster, "Compliant").await;
    }

    let same = file(&world, "pv-snap", POLICIES, &[]);
    let none = run(&world, "diff", &same, &[]).await.with_code(0);
    assert_eq!(none.stdout, "");
    run(&world, "plan", &same, &[]).await.with_code(0);

    let edited = file(&world, "pv-snap", POLICIES, &[("backupTTL", "48h0m0s")]);
    let plan = run(&world, "plan", &edited, &["--cluster", "c2"]).await.with_code(1);
    plan.shows(&["c2  policies/oadp-hdr-app-backup\n", "update Schedule acm-app-backup/acm-pv-dpa-1-c2"]);
    let diff = run(&world, "diff", &edited, &[]).await.with_code(1);
    diff.shows(&[
        "update Schedule acm-app-backup/acm-pv-dpa-1-c1 on c1, c2, the others with their own names\n",
        "-    ttl: 240h0m0s\n+    ttl: 48h0m0s\n",
    ]);
    assert_eq!(diff.stdout.matches("update ").count(), 1, "{}", diff.stdout);
    let report = run(&world, "diff", &edited, &["-o", "json"]).await.with_code(1).json();
    assert_eq!(report["differences"][0]["clusters"], json!(["c1", "c2"]), "{report:#}");
    assert_eq!(report["summary"]["updated"], 2, "{report:#}");

    // Another name: the old Schedule goes.
    let renamed = file(&world, "pv-snap", POLICIES, &[("backupPrefix", "nightly")]);
    let diff = run(&world, "diff", &renamed, &["--cluster", "c1"]).await.with_code(1);
    diff.shows(&[
        "create Schedule acm-app-backup/nightly-dpa-1-c1 on c1\n",
        "delete Schedule acm-app-backup/acm-pv-dpa-1-c1 on c1",
    ]);

    // Another choice of clusters: c2 leaves.
    let fewer =
        file(&world, "pv-snap", POLICIES, &[("backupClusterSelector", "acm-pv-dr in (backup),name!=c2")]);
    world.hub.label("ManagedCluster", "c2", &[("name", Some("c2"))]).await;
    let plan = run(&world, "plan", &fewer, &[]).await.with_code(1);
    plan.shows(&["delete Schedule acm-app-backup/acm-pv-dpa-1-c2", "it leaves the cluster"]);

    // The hub has done nothing of all that, and the first edit does what was shown.
    let before = world.clusters["c1"].get("Schedule", VELERO, SCHEDULE).await.unwrap();
    assert_eq!(before["spec"]["template"]["ttl"], "240h0m0s");
    world.configure(&[("backupTTL", Some("48h0m0s"))]).await;
    for cluster in ["c1", "c2"] {
        world.clusters[cluster]
            .wait("the edit", "Schedule", Some(VELERO), |schedules| {
                let schedule = schedules.values().next()?;
                (schedule["spec"]["template"]["ttl"] == "48h0m0s").then_some(())
            })
            .await;
    }
    run(&world, "diff", &edited, &[]).await.with_code(0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_told_before_anything_is_looked_at() {
    let world = World::start_with(&["c1"]).await;
    namespace(&world, POLICIES, true).await;
    world.label_for_backup("c1").await;
    let broken = file(&world, "pv-snap", POLICIES, &[("backupTTL", "ten days")]);
    for (command, code) in [("plan", 1), ("diff", 2)] {
        let ended = run(&world, command, &broken, &[]).await.with_code(code);
        assert_eq!(ended.stdout, "");
        assert!(
            ended.stderr.contains("error: backupTTL") && ended.stderr.contains("[config-"),
            "{}",
            ended.stderr
        );
    }
    // What only the hub can tell: a ConfigMap with templates that is not there.
    let lacking = file(&world, "pv-snap", POLICIES, &[("templates", "mine")]);
    let ended = run(&world, "plan", &lacking, &[]).await.with_code(1);
    assert!(ended.stderr.contains("there is no ConfigMap mine"), "{}", ended.stderr);

    // A name that is too long for this cluster is refused, with both keys.
    let long =
        file(&world, "pv-snap", POLICIES, &[("backupPrefix", "a-prefix-that-has-39-letters-and-no-mor")]);
    let plan = run(&world, "plan", &long, &[]).await.with_code(1);
    plan.shows(&["c1  policies/oadp-hdr-app-backup\n", "backupPrefix"]);
    assert!(!plan.stdout.contains("create Schedule"), "{}", plan.stdout);
    let diff = run(&world, "diff", &long, &[]).await.with_code(1);
    assert!(diff.stderr.contains("note: c1: policies/oadp-hdr-app-backup: "), "{}", diff.stderr);
    world.stop().await;
}

/// Policies that were applied by hand read the ConfigMap itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_for_policies_applied_by_hand_is_foreseen() {
    let world = World::start_with(&["c1"]).await;
    world.apply_own_policies().await;
    world.bind_set().await;
    protect(&world, "c1").await;
    let mut config_map = world.hub.get("ConfigMap", POLICIES, "hdr-app-configmap").await.unwrap();
    let metadata = json!({"name": "hdr-app-configmap", "namespace": POLICIES});
    config_map["metadata"] = metadata;
    config_map["apiVersion"] = json!("v1");
    config_map["kind"] = json!("ConfigMap");
    let none = run(&world, "diff", &config_map.to_string(), &[]).await.with_code(0);
    assert_eq!(none.stdout, "");
    config_map["data"]["backupTTL"] = json!("36h0m0s");
    let diff = run(&world, "diff", &config_map.to_string(), &[]).await.with_code(1);
    diff.shows(&["update Schedule acm-app-backup/acm-app-dpa-1-c1 on c1\n", "+    ttl: 36h0m0s\n"]);
    world.stop().await;
}

/// Rows A15, A86: a second configuration that backs up the same namespace, under other names and in a Velero of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collision_shows_before_the_config_map_is_applied() {
    let world = World::start_with(&["c1", "c2"]).await;
    for name in [POLICIES, SECOND] {
        namespace(&world, name, true).await;
    }
    configure(&world, POLICIES, &config_map("pv-snap"), &[]).await;
    protect(&world, "c1").await;

    world.hub.label("ManagedCluster", "c1", &[("second", Some("yes"))]).await;
    world.hub.label("ManagedCluster", "c2", &[("second", Some("yes"))]).await;
    let keys = [
        ("backupPrefix", "second"),
        ("backupNSToBackup", "[\"pacman-*\", \"other\"]"),
        ("backupClusterSelector", "second=yes"),
    ];
    let text = file(&world, "pv-snap", SECOND, &keys);
    let plan = run(&world, "plan", &text, &[]).await.with_code(1);
    plan.shows(&[
        "c1  policies/oadp-hdr-app-backup\n",
        "second-policies/oadp-hdr-app-backup",
        "c1  second-policies/oadp-hdr-app-backup\n",
        "hold   Schedule acm-app-backup/second-dpa-1-c1 (create-schedule-resource): collision on cluster c1",
        "would back up namespace pacman-ns",
        "policies/oadp-hdr-app-backup",
        "create Schedule acm-app-backup/second-dpa-1-c2",
    ]);
    let diff = run(&world, "diff", &text, &["-o", "json"]).await.with_code(1).json();
    let held = &diff["held"][0];
    assert_eq!(
        (&held["cluster"], &held["policy"]),
        (&json!("c1"), &json!(format!("{SECOND}/{BACKUP}"))),
        "{diff:#}"
    );

    // And so it comes.
    configure(&world, SECOND, &config_map("pv-snap"), &keys).await;
    world
        .hub
        .wait("the second to be held on c1", "Policy", Some("c1"), |policies| {
            let said = crate::support::newest(
                policies.get(&format!("{SECOND}.{BACKUP}"))?,
                "create-schedule-resource",
            )?;
            said.contains("would back up namespace pacman-ns").then_some(())
        })
        .await;
    world
        .hub
        .wait("the first to name it", "Policy", Some("c1"), |policies| {
            let said = crate::support::newest(
                policies.get(&format!("{POLICIES}.{BACKUP}"))?,
                "create-schedule-resource",
            )?;
            (said.starts_with("Compliant; ") && said.contains(SECOND)).then_some(())
        })
        .await;
    world.clusters["c2"]
        .wait("the second's schedule on c2", "Schedule", Some(VELERO), |schedules| {
            schedules.get("second-dpa-1-c2").map(|_| ())
        })
        .await;
    let schedules = world.clusters["c1"].list("Schedule", None).await;
    assert_eq!(schedules.keys().collect::<Vec<_>>(), [SCHEDULE]);
    world.event(SECOND, BACKUP, "Collision", POLICIES).await;
    world.event(POLICIES, BACKUP, "Collision", SECOND).await;

    // Another list lets it go on, and the first one forgets it.
    let list = json!({"data": {"backupNSToBackup": "[\"other\"]"}});
    let apart = file(&world, "pv-snap", SECOND, &[keys[0], ("backupNSToBackup", "[\"other\"]"), keys[2]]);
    let diff = run(&world, "diff", &apart, &["--cluster", "c1"]).await.with_code(1);
    diff.shows(&["create Schedule acm-app-backup/second-dpa-1-c1 on c1"]);
    world.hub.merge("ConfigMap", SECOND, "hdr-app-configmap", &list).await;
    world.clusters["c1"]
        .wait("the second's schedule on c1", "Schedule", Some(VELERO), |schedules| {
            schedules.get("second-dpa-1-c1").map(|_| ())
        })
        .await;
    world
        .hub
        .wait("the first to say no more of it", "Policy", Some("c1"), |policies| {
            let said = crate::support::newest(
                policies.get(&format!("{POLICIES}.{BACKUP}"))?,
                "create-schedule-resource",
            )?;
            (said.starts_with("Compliant; ") && !said.contains(SECOND)).then_some(())
        })
        .await;
    world.stop().await;
}
