//! The real Velero server of a cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::process::{RunDirectory, ServerProcess, free_port, program};

/// A running Velero server. What is declared first ends first.
#[derive(Debug)]
pub struct VeleroServer {
    process: ServerProcess,
    _sockets: SocketFolder,
}

impl VeleroServer {
    /// Starts it for a namespace of the cluster, with the arguments of its container.
    pub fn start(
        cluster: &str,
        namespace: &str,
        arguments: &[String],
        kubeconfig: &Path,
        run: &Arc<RunDirectory>,
    ) -> Self {
        let scratch = run.folder(&format!("{cluster}-{namespace}-scratch"));
        let sockets = SocketFolder::new();
        let own = [
            format!("--namespace={namespace}"),
            format!("--plugin-dir={}", plugins(run).display()),
            format!("--metrics-address=127.0.0.1:{}", free_port()),
            format!("--profiler-address=127.0.0.1:{}", free_port()),
            // Due at every look, which it takes once a minute.
            "--backup-sync-period=5s".to_owned(),
            // Not a divisor of what else happens once a minute: Velero writes the file of the credentials anew whenever it needs
            // them, and who reads it in that moment finds it empty, which makes the location unavailable.
            "--store-validation-frequency=65s".to_owned(),
            // Velero 1.18 notes a Backup as running after it let it start: one that is refused at once stays noted for good, and
            // with one place the queue then stands still.
            "--concurrent-backups=4".to_owned(),
        ];
        // Of two that say different things the last one counts.
        let arguments: Vec<String> =
            [&["server".to_owned()], arguments, &own[..]].into_iter().flatten().cloned().collect();
        let environment = [
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("POD_NAMESPACE", namespace.to_owned()),
            ("VELERO_NAMESPACE", namespace.to_owned()),
            ("VELERO_SCRATCH_DIR", scratch.display().to_string()),
            ("TMPDIR", scratch.display().to_string()),
            ("PLUGIN_UNIX_SOCKET_DIR", sockets.path.display().to_string()),
        ];
        let log = run.file(&format!("{cluster}-velero.log"));
        let process = ServerProcess::start(&program("velero"), &arguments, &environment, &log);
        Self { process, _sockets: sockets }
    }

    /// Whether it runs. It ends where it cannot work, as where a definition of its kinds is missing; a Deployment would
    /// start it again.
    pub fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }
}

/// Where the plugins put their sockets: the path of one may have 107 bytes only, which a run directory easily exceeds.
#[derive(Debug)]
struct SocketFolder {
    path: PathBuf,
}

impl SocketFolder {
    fn new() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("velero-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self { path }
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("failed to remove {}: {error}", self.path.display());
        }
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
