//! Commands in containers, through a real API server: the stand-in has no exec.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::pacman::completed_backup;
use crate::support::plane::kubelet::{Kubelet, NODE};
use crate::support::{User, VELERO, World, config_map};

/// A Pod on the node of the kubelet, which runs as far as the API knows.
async fn running_pod(cluster: &User, namespace: &str, annotations: &Value) {
    cluster
        .apply(
            json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "mongo", "annotations": annotations, "labels": {"app": "mongo"}},
                "spec": {"nodeName": NODE, "containers": [{"name": "mongo", "image": "mongo:1"}]}}),
            namespace,
        )
        .await;
    cluster
        .merge_status(
            "Pod",
            namespace,
            "mongo",
            &json!({"status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "mongo", "image": "mongo:1", "imageID": "", "ready": true,
                "restartCount": 0, "state": {"running": {"startedAt": "2026-01-05T10:00:00Z"}}}]}}),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs real servers: make e2e"]
async fn a_command_runs_in_a_container_through_the_real_api_server() {
    let world = World::start_clusters(&["c1"]).await;
    let c1 = &world.clusters["c1"];
    let run = Arc::clone(&world.stage.plane().run);
    let script =
        r#"echo "$POD_NAMESPACE/$POD_NAME/$CONTAINER_NAME: $*"; cat; [ "$1" = fail ] && exit 3; exit 0"#;
    let _kubelet = Kubelet::start(c1, script, &run).await;
    world.create_app("c1", "mongo-ns").await;
    running_pod(c1, "mongo-ns", &json!({})).await;

    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(c1.client(), "mongo-ns");
    for (command, status) in [("date", "Success"), ("fail", "Failure")] {
        let parameters = kube::api::AttachParams::default().container("mongo");
        let mut attached = pods.exec("mongo", [command, "now"], &parameters).await.unwrap();
        let ended = attached.take_status().unwrap();
        let mut output = String::new();
        attached.stdout().unwrap().read_to_string(&mut output).await.unwrap();
        assert_eq!(output, format!("mongo-ns/mongo/mongo: {command} now\n"));
        let ended = ended.await.unwrap();
        assert_eq!(ended.status.as_deref(), Some(status), "{ended:?}");
        if status == "Failure" {
            let causes = ended.details.unwrap().causes.unwrap();
            assert_eq!(causes[0].message.as_deref(), Some("3"), "the exit code of the command");
        }
        attached.join().await.unwrap();
    }
    world.stop().await;
}

/// A92: Velero runs what the annotations of a Pod ask for, before and after its backup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs real servers: make e2e"]
async fn backup_hooks_of_a_pod_run_in_its_container() {
    let world = World::start_with(&["c1"]).await;
    let c1 = &world.clusters["c1"];
    let run = Arc::clone(&world.stage.plane().run);
    let ran = run.file("hooks.txt");
    let _kubelet = Kubelet::start(c1, &format!("echo \"$POD_NAME $*\" >> {}", ran.display()), &run).await;
    world.create_pacman("c1").await;
    running_pod(
        c1,
        "pacman-ns",
        &json!({
            "pre.hook.backup.velero.io/container": "mongo",
            "pre.hook.backup.velero.io/command": r#"["/sbin/fsfreeze", "--freeze", "/bitnami/mongodb/data/db"]"#,
            "post.hook.backup.velero.io/container": "mongo",
            "post.hook.backup.velero.io/command": r#"["/sbin/fsfreeze", "--unfreeze", "/bitnami/mongodb/data/db"]"#,
        }),
    )
    .await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.protect("c1").await;
    world.stage.strike(c1, crate::SCHEDULE).await;
    let backup = completed_backup(&world, "c1").await;
    let status = c1.get("Backup", VELERO, &backup).await.unwrap()["status"].take();
    assert_eq!(status["hookStatus"], json!({"hooksAttempted": 2}));
    let expected = "mongo /sbin/fsfreeze --freeze /bitnami/mongodb/data/db\n\
                    mongo /sbin/fsfreeze --unfreeze /bitnami/mongodb/data/db\n";
    assert_eq!(std::fs::read_to_string(ran).unwrap(), expected);
    world.stop().await;
}
