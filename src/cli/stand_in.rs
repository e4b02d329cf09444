//! The stand-in fleet of `flotilla sim` and `flotilla demo`: a hub and clusters in this process, with kubeconfigs on disk.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::exit::Failure;
use super::hub_access::{api_failure, deaf, kubeconfig_failure};
use crate::adapters::api_server::Connection;
use crate::adapters::hub::membership::{self, Member};
use crate::sim::clock::ClockMode;
use crate::sim::server::Server;
use crate::sim::stage::{HUB, SimError, Stage, StageOptions, operators};

/// A running fleet.
pub(crate) struct StandIn {
    /// The servers.
    pub(crate) stage: Stage,
    /// A connection to its hub.
    pub(crate) hub: Connection,
    directory: PathBuf,
}

impl StandIn {
    /// Starts a hub and the clusters, writes their kubeconfigs into the directory and joins the clusters to the hub.
    pub(crate) async fn start(
        clusters: &[String],
        minute: Duration,
        listen: SocketAddr,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let stage = Stage::start(StageOptions {
            clusters: clusters.to_vec(),
            bare: Vec::new(),
            other_hubs: Vec::new(),
            clock: ClockMode::Real { minute },
            listen,
            simulators: operators(),
        })
        .await
        .map_err(|error| start_failure(&error))?;
        prepare(directory)?;
        write_kubeconfig(&path(directory, HUB), stage.hub())?;
        let hub = connect(stage.hub()).await?;
        for (name, server) in stage.clusters() {
            write_kubeconfig(&path(directory, name), server)?;
            // That it answers is part of being ready.
            connect(server).await?;
            let member = Member {
                name: name.clone(),
                labels: std::collections::BTreeMap::new(),
                kubeconfig: SecretString::from(server.kubeconfig()),
            };
            membership::join(&hub, &member)
                .await
                .map_err(|error| api_failure(&format!("failed to join cluster {name}"), &error))?;
        }
        Ok(Self { stage, hub, directory: directory.to_owned() })
    }

    /// Where the kubeconfig of the hub (`hub`) or of a cluster stands.
    pub(crate) fn kubeconfig(&self, name: &str) -> PathBuf {
        path(&self.directory, name)
    }
}

fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.kubeconfig"))
}

async fn connect(server: &Server) -> Result<Connection, Failure> {
    let connection = Connection::from_secret(&SecretString::from(server.kubeconfig()), deaf())
        .await
        .map_err(|error| kubeconfig_failure(&error))?;
    connection
        .probe()
        .await
        .map_err(|error| api_failure(&format!("failed to reach stand-in {}", server.name()), &error))?;
    Ok(connection)
}

fn start_failure(error: &SimError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        SimError::Listen { .. } => failure.hint("choose another address or port with --listen"),
        SimError::Name { .. } => failure,
    }
}

fn prepare(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)
        .map_err(|error| Failure::new(format!("failed to make directory {}: {error}", directory.display())))
}

/// Writes beside the path and moves into place: nobody reads half a file, and nobody else reads it at all.
fn write_kubeconfig(path: &Path, server: &Server) -> Result<(), Failure> {
    let fault =
        |error: &dyn std::fmt::Display| Failure::new(format!("failed to write {}: {error}", path.display()));
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(|error| fault(&error))?;
    file.write_all(server.kubectl_config().as_bytes()).map_err(|error| fault(&error))?;
    file.persist(path).map_err(|error| fault(&error.error))?;
    Ok(())
}
