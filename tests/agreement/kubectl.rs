//! Stock kubectl: what it prints and how it ends must be the same on both stages.

use std::process::Stdio;

use serde_json::json;

use crate::ground::*;
use crate::record::Step;

/// kubectl with a home of its own, whose working directory is there.
struct Kubectl {
    case: Case,
    home: tempfile::TempDir,
}

impl Kubectl {
    /// `None` where it is not installed.
    async fn start(name: &str) -> Option<Self> {
        if std::process::Command::new("kubectl").arg("help").output().is_err() {
            println!("skipped: kubectl is not installed");
            return None;
        }
        let case = Case::start("kubectl", name).await;
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config"), case.ground.kubectl_config()).unwrap();
        Some(Self { case, home })
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.home.path().join(name), text).unwrap();
    }

    /// Runs and records a command, whose words are split at blanks.
    async fn run(&mut self, command: &str) {
        let run = tokio::process::Command::new("kubectl")
            .args(command.split_whitespace())
            .arg("--namespace")
            .arg(&self.case.namespace)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.home.path().join("config"))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, run).await.expect("kubectl ends in time").unwrap();
        let mut step = Step::new(command, &format!("kubectl {command}"));
        step.line(&format!("-> {}", output.status.code().unwrap_or(-1)));
        for (name, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            if !bytes.is_empty() {
                step.line(&format!("{name}:"));
                step.line(&self.case.recorder.printed(&String::from_utf8(bytes).unwrap()));
            }
        }
        self.case.recorder.push(step);
    }

    fn finish(self) {
        self.case.finish();
    }
}

const MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: conf\n  labels:\n    app: web\ndata:\n  k: v\n";
const SHIP: &str = "apiVersion: agreement.flotilla.dev/v1\nkind: Ship\nmetadata:\n  name: pequod\nspec:\n  captain: Ahab\n  rig: Ketch\n";

#[tokio::test]
async fn it_reads() {
    let Some(mut kubectl) = Kubectl::start("reads").await else { return };
    kubectl.run("get configmaps").await;
    for body in [config_map("conf", "1"), labelled("other", &json!({"app": "web"}))] {
        kubectl.case.prepare(post(CONFIG_MAPS, &body)).await;
    }
    kubectl.case.prepare(post(SHIPS, &ship("pequod", &json!({"captain": "Ahab", "rig": "Ketch"})))).await;
    kubectl.case.prepare(post(BUOYS, &buoy("b1", &json!({})))).await;
    kubectl.case.prepare(post(SECRETS, &json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}}))).await;
    for command in [
        "get cm",
        "get cm conf",
        "get cm conf other",
        "get configmaps --show-labels",
        "get cm -l app=web",
        "get cm -L app",
        "get cm -o wide",
        "get cm -o name",
        "get cm conf -o yaml",
        "get cm conf -o json",
        "get cm conf -o jsonpath={.data.key}",
        "get cm -o jsonpath={.items[*].metadata.name}",
        "get cm -o custom-columns=NAME:.metadata.name,KEY:.data.key",
        "get cm --field-selector metadata.name=conf",
        "get cm --field-selector data.key=1",
        "get cm --no-headers",
        "get cm,secret",
        "get cm --chunk-size=1",
        "get ships",
        "get sh pequod",
        "get ship -o wide",
        "get ships.v1beta1.agreement.flotilla.dev pequod -o yaml",
        "get buoys",
        "get fleet",
        "get secret s",
        "get secret s -o yaml",
        "get ns kubectl-reads",
        "get cm none",
        "get cm conf none",
        "get nothing",
        "get oceans",
        "get cm --raw /nothing",
        "describe cm conf",
        "describe secret s",
        "describe ship pequod",
        "describe cm none",
        "api-resources --api-group=agreement.flotilla.dev",
        "api-resources --api-group=agreement.flotilla.dev -o wide",
        "auth can-i delete pods",
        "auth can-i --list --no-headers",
        "get --raw /apis/agreement.flotilla.dev/v1/namespaces/kubectl-reads/ships/none",
        "explain ships.spec",
    ] {
        kubectl.run(command).await;
    }
    kubectl.run("get ships -A --field-selector metadata.namespace=kubectl-reads").await;
    kubectl.finish();
}

#[tokio::test]
async fn it_applies() {
    let Some(mut kubectl) = Kubectl::start("applies").await else { return };
    kubectl.file("all.yaml", &format!("{MAP}---\n{SHIP}"));
    kubectl.run("diff -f all.yaml").await;
    kubectl.run("apply -f all.yaml --dry-run=server").await;
    kubectl.run("apply -f all.yaml").await;
    kubectl.run("apply -f ./all.yaml").await;
    kubectl.run("get cm conf -o yaml --show-managed-fields").await;
    kubectl.file("all.yaml", &format!("{MAP}  new: one\n---\n{SHIP}  speed: 7\n"));
    kubectl.run("diff -f ./all.yaml").await;
    kubectl.run("apply -f all.yaml -o name").await;
    kubectl.run("get cm conf -o jsonpath={.data}").await;
    kubectl.file("less.yaml", &MAP.replace("  k: v\n", "  new: two\n"));
    kubectl.run("apply -f less.yaml").await;
    kubectl.run("get cm conf -o yaml").await;
    kubectl.file("wrong.yaml", &SHIP.replace("captain: Ahab", "captain: ahab\n  odd: 1"));
    kubectl.run("apply -f wrong.yaml").await;
    kubectl.run("apply -f wrong.yaml --validate=false").await;
    kubectl.run("apply -f wrong.yaml --validate=warn").await;
    kubectl.run("create -f all.yaml").await;
    kubectl.run("replace -f all.yaml").await;
    kubectl.run("apply view-last-applied cm conf").await;
    kubectl.run("delete -f all.yaml").await;
    kubectl.run("delete -f ./all.yaml").await;
    kubectl.run("delete -f all.yaml --ignore-not-found").await;
    kubectl.finish();
}

#[tokio::test]
async fn it_applies_on_the_server() {
    let Some(mut kubectl) = Kubectl::start("server-side").await else { return };
    kubectl.file("all.yaml", &format!("{MAP}---\n{SHIP}"));
    kubectl.run("apply --server-side -f all.yaml").await;
    kubectl.run("apply --server-side -f ./all.yaml").await;
    kubectl.run("get cm conf -o yaml --show-managed-fields").await;
    kubectl.file("all.yaml", &format!("{MAP}---\n{SHIP}").replace("k: v", "k: w").replace("Ahab", "Bligh"));
    kubectl.run("apply --server-side --field-manager=other -f all.yaml").await;
    kubectl.run("diff --server-side --field-manager=other --force-conflicts -f all.yaml").await;
    kubectl.run("apply --server-side --field-manager=other --force-conflicts -f all.yaml").await;
    kubectl.run("get ship pequod -o yaml --show-managed-fields").await;
    kubectl.run("apply --server-side --dry-run=server -f all.yaml").await;
    kubectl.file("wrong.yaml", &SHIP.replace("captain: Ahab", "captain: Ahab\n  odd: 1"));
    kubectl.run("apply --server-side -f wrong.yaml").await;
    kubectl.run("apply -f all.yaml").await;
    kubectl.finish();
}

#[tokio::test]
async fn it_changes() {
    let Some(mut kubectl) = Kubectl::start("changes").await else { return };
    kubectl.file("ship.yaml", SHIP);
    for command in [
        "create configmap conf --from-literal=k=v",
        "create configmap conf --from-literal=k=v",
        "create secret generic s --from-literal=a=b",
        "create namespace kubectl-changes-2",
        "create namespace Bad_Name",
        "create serviceaccount robot",
        "create role reader --verb=get --resource=pods",
        "create rolebinding readers --role=reader --user=anna",
        "create -f ship.yaml",
        "create -f ship.yaml -o yaml --dry-run=server",
        "label cm conf app=web",
        "label cm conf app=api",
        "label cm conf app=api --overwrite",
        "label cm conf app-",
        "label cm conf app-bad=b!c",
        "label cm none a=b",
        "annotate ship pequod note=hello",
        "annotate ship pequod note-",
        r#"patch cm conf -p {"data":{"p":"1"}}"#,
        r#"patch cm conf -p {"data":{"p":"1"}} -o name"#,
        r#"patch cm conf --type=merge -p {"data":{"p":null}}"#,
        r#"patch cm conf --type=json -p [{"op":"add","path":"/data/j","value":"2"}]"#,
        r#"patch cm conf --type=json -p [{"op":"test","path":"/data/j","value":"3"}]"#,
        r#"patch ship pequod -p {"spec":{"speed":3}}"#,
        r#"patch ship pequod --type=merge -p {"spec":{"speed":3}}"#,
        r#"patch ship pequod --type=merge -p {"spec":{"speed":99}}"#,
        r#"patch ship pequod --type=merge --subresource=status -p {"status":{"phase":"Afloat"}}"#,
        "get ship pequod",
        "wait --for=jsonpath={.status.phase}=Afloat ship/pequod --timeout=5s",
        "wait --for=condition=Ready ship/pequod --timeout=1s",
        "wait --for=delete ship/none --timeout=5s",
        "get role reader",
        "get rolebinding readers",
        "get sa robot",
        "get cm conf -o yaml --show-managed-fields",
        "delete cm conf --dry-run=server",
        "delete cm conf",
        "delete cm conf --ignore-not-found",
        "delete cm --all",
        "delete ship pequod --wait=false",
        "delete ship none",
        "delete ships -l a=b",
    ] {
        if kubectl.case.recorder.has(command) {
            kubectl.run(&format!("{command} ")).await;
        } else {
            kubectl.run(command).await;
        }
    }
    kubectl.finish();
}
