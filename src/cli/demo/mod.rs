//! `flotilla demo`: the whole story on a stand-in fleet, told as the commands that a user would type.

mod files;
mod story;
mod watching;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use self::story::Story;
use super::exit::{Exit, Failure, Outcome};
use super::hub::run_failure;
use super::signals::Signals;
use super::stand_in::StandIn;
use super::{output, values};
use crate::controller::{self, HubOptions};
use crate::sim::stage::HUB;

const EXAMPLES: &str = "\
Examples:
  flotilla demo
  flotilla demo --keep                               go on by hand with kubectl
  flotilla demo --keep --dir fleet --minute 1s

It needs no cluster, no kubectl and no network: hub and clusters are in-memory stand-ins in this process.
Exit codes: 0 the app was restored, 2 it was not; stderr says what was waited for.";

/// See a backup on one cluster and its restore on another, without any cluster
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Keep the fleet running afterwards, until SIGINT (Ctrl-C) or SIGTERM
    #[arg(long)]
    keep: bool,
    /// How long a minute of the simulated OADP and Velero lasts
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = values::duration)]
    minute: Duration,
    /// Directory for kubeconfigs and manifests. Default: a temporary one, removed in the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How long one step may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::duration)]
    timeout: Duration,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let mut signals = Signals::listen()?;
    let temporary = match &options.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("flotilla-demo.").tempdir().map_err(|error| {
            Failure::new(format!("failed to make a temporary directory: {error}"))
                .hint("name another one with --dir")
        })?),
    };
    let directory = match (&options.dir, &temporary) {
        (Some(directory), _) => directory.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => PathBuf::from("."),
    };
    let clusters = ["c1", "c2", "c3"].map(ToOwned::to_owned);
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let began = tokio::time::Instant::now();
    output::line("Starting a hub and the clusters c1, c2 and c3, all of them stand-ins in this process.")?;
    let fleet = StandIn::start(&clusters, options.minute, listen, &directory).await?;
    files::write(&directory)?;
    let stop = CancellationToken::new();
    let hub = controller::run(
        HubOptions { kubeconfig: Some(fleet.kubeconfig(HUB)), ..HubOptions::default() },
        Arc::default(),
        Arc::default(),
        stop.clone(),
    );
    let story = Story::new(&fleet, &directory, options.timeout, began);
    let told = async {
        story.tell().await?;
        if options.keep {
            story.invite()?;
            std::future::pending::<()>().await;
        }
        Ok(Exit::Success)
    };
    let outcome = tokio::select! {
        ended = hub => match ended {
            Ok(()) => Err(Failure::new("failed to go on with the demo: the hub stopped")),
            Err(error) => Err(run_failure(&error)),
        },
        outcome = told => outcome,
        () = signals.received() => Ok(Exit::Success),
    };
    stop.cancel();
    fleet.stage.shutdown().await;
    outcome
}
