//! `flotilla cluster`: managed clusters join, leave and are listed.

mod account;
mod join;
mod leave;
mod list;

use clap::{Args, Subcommand};

use super::exit::Outcome;

const EXAMPLES: &str = "\
Examples:
  flotilla cluster join c1 --kubeconfig c1.kubeconfig
  flotilla cluster list
  flotilla cluster leave c1";

/// Join managed clusters to the hub, list them, let them leave
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Join(join::Options),
    Leave(leave::Options),
    List(list::Options),
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    match options.command {
        Command::Join(options) => join::run(options).await,
        Command::Leave(options) => leave::run(options).await,
        Command::List(options) => list::run(options).await,
    }
}
