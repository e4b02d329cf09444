//! A running Flotilla process: inside this one, where the test owns its counters, or of its own, where it can be killed.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flotilla::controller::{Candidate, HubOptions, Metrics, RunError};
use tokio_util::sync::CancellationToken;

use super::plane::process::{ServerProcess, free_port};

/// A running Flotilla.
pub enum HubProcess {
    /// Tasks of this process.
    Inside {
        /// Its end.
        task: tokio::task::JoinHandle<Result<(), RunError>>,
        /// Asks it to end.
        stop: CancellationToken,
        /// What it counts.
        metrics: Arc<Metrics>,
    },
    /// `flotilla hub`.
    Own {
        /// The process.
        process: ServerProcess,
        /// Where it serves its metrics.
        port: u16,
    },
}

impl HubProcess {
    /// Starts one inside this process; a candidate works only while it holds the Lease.
    pub fn inside(kubeconfig: PathBuf, candidate: Option<Candidate>) -> Self {
        Self::with_options(HubOptions { kubeconfig: Some(kubeconfig), candidate, ..HubOptions::default() })
    }

    /// Starts one inside this process with options of choice.
    pub fn with_options(options: HubOptions) -> Self {
        let stop = CancellationToken::new();
        let metrics: Arc<Metrics> = Arc::default();
        let ready = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(flotilla::controller::run(options, metrics.clone(), ready, stop.clone()));
        Self::Inside { task, stop, metrics }
    }

    /// Starts the built program, with further arguments.
    pub fn own(kubeconfig: &Path, log: &Path, more: &[String]) -> Self {
        let port = free_port();
        let mut arguments = vec![
            "hub".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--listen=127.0.0.1:{port}"),
        ];
        arguments.extend_from_slice(more);
        let mut environment = Vec::new();
        if let Ok(filter) = std::env::var("RUST_LOG") {
            environment.push(("RUST_LOG", filter));
        }
        let program = Path::new(env!("CARGO_BIN_EXE_flotilla"));
        Self::Own { process: ServerProcess::start(program, &arguments, &environment, log), port }
    }

    /// What it counts, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        match self {
            Self::Inside { metrics, .. } => metrics.text().unwrap(),
            Self::Own { port, .. } => {
                let mut stream = std::net::TcpStream::connect(("127.0.0.1", *port)).unwrap();
                stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                text
            }
        }
    }

    /// Stops it in order; panics when it had ended by itself.
    pub async fn stop(self) {
        match self {
            Self::Inside { task, stop, .. } => {
                stop.cancel();
                task.await.unwrap().unwrap();
            }
            Self::Own { mut process, .. } => {
                process.assert_runs();
                process.kill();
            }
        }
    }

    /// Kills it in the middle of whatever it does.
    pub async fn kill(self) {
        match self {
            Self::Inside { task, .. } => {
                task.abort();
                // It ended as it was told to: cancelled.
                let _ = task.await;
            }
            Self::Own { mut process, .. } => process.kill(),
        }
    }
}
