//! The real Velero server of a cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::process::{RunDirectory, ServerProcess, free_port, program};

/// A running Velero server.
#[derive(Debug)]
pub struct VeleroServer {
    _process: ServerProcess,
}

impl VeleroServer {
    /// Starts it for a namespace of the cluster.
    pub fn start(cluster: &str, namespace: &str, kubeconfig: &Path, run: &Arc<RunDirectory>) -> Self {
        let scratch = run.folder(&format!("{cluster}-{namespace}-scratch"));
        let arguments = [
            "server".to_owned(),
            format!("--namespace={namespace}"),
            format!("--plugin-dir={}", plugins(run).display()),
            format!("--metrics-address=127.0.0.1:{}", free_port()),
            format!("--profiler-address=127.0.0.1:{}", free_port()),
            // A minute by default, which only makes the tests longer.
            "--backup-sync-period=5s".to_owned(),
            "--store-validation-frequency=10s".to_owned(),
        ];
        let environment = [
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("POD_NAMESPACE", namespace.to_owned()),
            ("VELERO_NAMESPACE", namespace.to_owned()),
            ("VELERO_SCRATCH_DIR", scratch.display().to_string()),
            ("TMPDIR", scratch.display().to_string()),
        ];
        let log = run.file(&format!("{cluster}-velero.log"));
        Self { _process: ServerProcess::start(&program("velero"), &arguments, &environment, &log) }
    }
}

/// A folder with nothing but the plugins.
fn plugins(run: &RunDirectory) -> PathBuf {
    let folder = run.folder("plugins");
    let link = folder.join("velero-plugin-for-aws");
    if !link.exists() {
        std::fs::hard_link(program("velero-plugin-for-aws"), &link).unwrap();
    }
    folder
}
