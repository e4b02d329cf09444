//! The page of a new user, followed to the letter: every command of `docs/getting-started.md`, in its order, on a hub without
//! Open Cluster Management, to the first backup and its restore.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::support::plane::process::free_port;
use crate::support::stage::{Kind, hub_name, kind, patience};
use crate::support::{VELERO, World, input};
use crate::{BACKUP, SCHEDULE, pacman, prefixes};

/// The commands of the page, without their comments.
fn commands() -> Vec<String> {
    let page = input::project_file("docs/getting-started.md");
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let lines = blocks.flat_map(str::lines).map(|line| line.split('#').next().unwrap().trim());
    lines.filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
}

/// The directory in which a new user works.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new(world: &World) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        std::os::unix::fs::symlink(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("kustomize"),
            directory.path().join("kustomize"),
        )
        .unwrap();
        std::fs::create_dir(directory.path().join("configmaps")).unwrap();
        let sample = input::fill_in(&input::project_file("configmaps/pv-snap.yaml"), "pacman-ns");
        write("configmaps/pv-snap.yaml", &world.stage.with_storage(&sample));
        write("hub.kubeconfig", &std::fs::read_to_string(world.hub_kubeconfig()).unwrap());
        write("administrator.kubeconfig", &world.stage.kubectl_config(&hub_name(1)));
        for name in world.clusters.keys() {
            write(&format!("{name}.kubeconfig"), &world.stage.kubectl_config(name));
        }
        Self { directory }
    }

    /// A line as the shell takes it, as the administrator of the hub.
    fn shell(&self, line: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_flotilla")).parent().unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-ec", line])
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()))
            .env("HOME", self.directory.path())
            .env("KUBECONFIG", self.directory.path().join("administrator.kubeconfig"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a line to its end; panics when it fails. Answers what it printed.
    async fn run(&self, line: &str) -> String {
        said(line, self.shell(line).output().await.unwrap())
    }

    /// Starts a line that goes on until it is stopped.
    fn start(&self, line: &str) -> Child {
        let log = std::fs::File::create(self.directory.path().join("log")).unwrap();
        self.shell(&format!("exec {line}")).stdout(Stdio::piped()).stderr(log).spawn().unwrap()
    }
}

fn said(line: &str, output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks until the hub says that it is ready.
async fn ready(desk: &Desk, line: &str) {
    let asked = async {
        let mut again = tokio::time::interval(Duration::from_millis(200));
        loop {
            again.tick().await;
            let output = desk.shell(line).output().await.unwrap();
            if output.status.success() && output.stdout.starts_with(b"ok") {
                return;
            }
        }
    };
    tokio::time::timeout(patience(), asked).await.expect("the hub is not ready");
}

/// Waits until a policy of the page is compliant on a cluster.
async fn compliant(world: &World, policy: &str, cluster: &str) {
    let what = format!("{policy} to be compliant on {cluster}");
    world
        .hub
        .wait(&what, "Policy", Some("flotilla-policies"), |policies| {
            let status = policies.get(policy)?["status"]["status"].as_array()?;
            let compliant = |entry: &&serde_json::Value| {
                entry["clustername"] == cluster && entry["compliant"] == "Compliant"
            };
            status.iter().find(compliant).map(|_| ())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_leads_from_a_bare_hub_to_the_first_backup_and_its_restore() {
    for program in ["kubectl", "curl"] {
        if std::process::Command::new(program).arg("--help").output().is_err() {
            println!("skipped: {program} is not installed");
            return;
        }
    }
    let mut worlds = World::start_unjoined(&[&[], &["c1", "c2"]]).await;
    let (world, other) = (worlds.pop().unwrap(), worlds.pop().unwrap());
    world.create_pacman("c1").await;
    let desk = Desk::new(&world);
    if kind() == Kind::Plane {
        // The stage brought them; the page brings them itself.
        desk.run("kubectl delete -k kustomize/crds").await;
    }
    let port = free_port();
    let mut running = Vec::new();
    let mut backup = String::new();
    for command in commands() {
        let line = command.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["flotilla", "hub", ..] => running.push(desk.start(&line)),
            ["curl", ..] => ready(&desk, &line).await,
            ["flotilla", "cluster", "join", cluster, ..] => {
                let (printed, ()) = tokio::join!(desk.run(&line), world.stage.fill_in_token(cluster));
                assert!(printed.contains(&format!("managedcluster/{cluster} created")), "{printed}");
            }
            ["flotilla", "status", "--watch"] => {
                let mut watching = desk.start(&line);
                world.clusters["c1"]
                    .wait("the schedule to be enabled", "Schedule", Some(VELERO), |schedules| {
                        (schedules.get(SCHEDULE)?["status"]["phase"] == "Enabled").then_some(())
                    })
                    .await;
                world.stage.strike(&world.clusters["c1"], SCHEDULE).await;
                backup = pacman::completed_backup(&world, "c1").await;
                compliant(&world, BACKUP, "c1").await;
                watching.kill().await.unwrap();
                let shown = watching.wait_with_output().await.unwrap().stdout;
                assert!(String::from_utf8(shown).unwrap().contains(BACKUP));
            }
            ["kubectl", "label", "managedcluster", "c2", ..] => {
                desk.run(&line.replace("<name of a backup>", &backup)).await;
                compliant(&world, crate::INSTALL, "c2").await;
                prefixes::reads_from(&world, "c2", "c1").await;
                world.stage.let_velero_look().await;
                compliant(&world, crate::RESTORE, "c2").await;
                let restored = world.clusters["c2"].get("Deployment", "pacman-ns", "pacman").await;
                assert!(restored.is_some(), "the app is there");
            }
            ["kubectl", "-n", namespace, "get", "policies,policysets,placements"] => {
                for (kind, name) in [
                    ("Policy", crate::INSTALL),
                    ("Policy", BACKUP),
                    ("Policy", crate::RESTORE),
                    ("PolicySet", "acm-app-backup"),
                    ("PolicySet", "acm-app-restore"),
                    ("Placement", "acm-app-backup-placement"),
                ] {
                    world
                        .hub
                        .wait(name, kind, Some(*namespace), |objects| objects.get(name).map(|_| ()))
                        .await;
                }
                let shown = desk.run(&line).await;
                assert!(shown.contains("acm-app-restore-placement"), "{shown}");
            }
            _ => {
                let shown = desk.run(&line).await;
                if line.ends_with("get schedules,backups") {
                    assert!(shown.contains(SCHEDULE) && shown.contains(&backup), "{shown}");
                }
            }
        }
    }
    assert!(!backup.is_empty(), "the page does not back up");
    assert!(world.hub.get("ManagedCluster", "", "c1").await.is_none(), "c1 has left");
    assert!(world.clusters["c1"].get("Backup", VELERO, &backup).await.is_some(), "its backups stay");
    for mut process in running {
        assert!(process.try_wait().unwrap().is_none(), "the hub ended");
        process.kill().await.unwrap();
    }
    world.stop().await;
    other.stop().await;
}
