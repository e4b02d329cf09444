//! A node that can do one thing: run commands in containers, which is to say a script that the test supplies.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::json;

use super::process::{RunDirectory, ServerProcess, free_port, program};
use crate::support::user::User;

/// Name of the Node; a Pod with it as `spec.nodeName` can be entered.
pub const NODE: &str = "node";

/// A running kubelet.
#[derive(Debug)]
pub struct Kubelet {
    _process: ServerProcess,
}

impl Kubelet {
    /// Starts it and makes its Node known to the cluster. The script (of `/bin/sh`) gets the command as its arguments, and
    /// `POD_NAMESPACE`, `POD_NAME`, `CONTAINER_NAME` in its environment.
    pub async fn start(cluster: &User, script: &str, run: &Arc<RunDirectory>) -> Self {
        let port = free_port();
        let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = (run.file("kubelet.crt"), run.file("kubelet.key"));
        std::fs::write(&certificate, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        let program_of_containers = run.file("container.sh");
        std::fs::write(&program_of_containers, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program_of_containers, std::fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = [
            format!("127.0.0.1:{port}"),
            certificate.display().to_string(),
            key.display().to_string(),
            program_of_containers.display().to_string(),
        ];
        let mut process =
            ServerProcess::start(&program("kubelet"), &arguments, &[], &run.file("kubelet.log"));
        process.listens(port).await;
        cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}), "").await;
        cluster
            .merge_status(
                "Node",
                "",
                NODE,
                &json!({"status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}}),
            )
            .await;
        Self { _process: process }
    }
}
