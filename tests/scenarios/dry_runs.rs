//! `flotilla dryrun --from-cluster`: a policy is tried on a server, which answers and is not changed.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::World;

/// Runs it; what it prints, and how it ends.
fn dryrun(folder: &Path, kubeconfig: &Path, templates: &Value) -> (String, Option<i32>) {
    let policy = json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
        "metadata": {"name": "tried"}, "spec": {"remediationAction": "enforce", "object-templates": templates}});
    let path = folder.join("policy.json");
    std::fs::write(&path, policy.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_flotilla"))
        .args(["dryrun", "--no-colors", "--from-cluster", "--kubeconfig"])
        .arg(kubeconfig)
        .arg("-p")
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (format!("{}{stderr}", String::from_utf8(output.stdout).unwrap()), output.status.code())
}

fn musthave(object: &Value) -> Value {
    json!([{"complianceType": "musthave", "recordDiff": "InStatus", "objectDefinition": object}])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_tried_on_a_server_that_is_not_changed() {
    let world = World::start_clusters(&["c1"]).await;
    let c1 = &world.clusters["c1"];
    let map = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried", "namespace": "default"},
            "data": {"value": value}})
    };
    c1.apply(map("one"), "default").await;
    let before = c1.get("ConfigMap", "default", "tried").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, world.stage.kubeconfig("c1")).unwrap();
    let run = |templates: Value| dryrun(folder.path(), &kubeconfig, &templates);

    let (said, code) = run(musthave(&map("one")));
    assert!(
        said.ends_with(
            "Compliant; notification - configmaps [tried] found as specified in namespace default\n"
        ),
        "{said}"
    );
    assert_eq!(code, Some(0), "{said}");
    for _ in 0..2 {
        let (said, code) = run(musthave(&map("two")));
        assert!(said.contains("\n-  value: one\n+  value: two\n"), "{said}");
        assert!(
            said.contains("NonCompliant; violation - configmaps [tried] found but not as specified in namespace default\n"),
            "{said}"
        );
        assert_eq!(code, Some(1), "{said}");
    }
    let absent = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "absent", "namespace": "default"}});
    let (said, _) = run(musthave(&absent));
    assert!(
        said.contains("# Diffs:\nv1 ConfigMap default/absent:\n\n# Compliance messages:\nNonCompliant; violation - configmaps [absent] not found in namespace default\n"),
        "{said}"
    );
    let unwanted = json!([{"complianceType": "mustnothave", "objectDefinition": map("one")}]);
    let (said, _) = run(unwanted);
    assert!(said.contains("configmaps [tried] found in namespace default\n"), "{said}");
    let unknown = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}});
    let (said, _) = run(musthave(&unknown));
    assert!(
        said.contains("couldn't find mapping resource with kind Thing in API version example.com/v1"),
        "{said}"
    );

    assert_eq!(c1.get("ConfigMap", "default", "tried").await.unwrap(), before);
    assert!(c1.get("ConfigMap", "default", "absent").await.is_none());
    world.stop().await;
}
