//! `flotilla sim`: the stand-in fleet alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Outcome};
use super::signals::Signals;
use super::stand_in::StandIn;
use super::{output, values};

const EXAMPLES: &str = "\
Examples:
  flotilla sim --clusters 3 --dir fleet --minute 1s
  flotilla hub --kubeconfig fleet/hub.kubeconfig     in a second shell
  kubectl --kubeconfig fleet/hub.kubeconfig get managedclusters

It prints `ready` when all servers answer and runs until SIGTERM or SIGINT.";

/// Run a stand-in fleet: an in-memory hub and clusters with simulated OADP and Velero
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// How many managed clusters: c1, c2 and so on
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=5000))]
    clusters: u16,
    /// Directory for hub.kubeconfig, c1.kubeconfig and so on; made when it is missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// How long a minute of the simulated OADP and Velero lasts
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = values::duration)]
    minute: Duration,
    /// Where the servers listen; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let mut signals = Signals::listen()?;
    let clusters: Vec<String> = (1..=options.clusters).map(|number| format!("c{number}")).collect();
    let start = StandIn::start(&clusters, options.minute, options.listen, &options.dir);
    let fleet = tokio::select! {
        fleet = start => fleet?,
        () = signals.received() => return Ok(Exit::Success),
    };
    output::line("ready")?;
    signals.received().await;
    fleet.stage.shutdown().await;
    Ok(Exit::Success)
}
