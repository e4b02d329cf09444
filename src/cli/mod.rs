//! The command line: one file per command.
//!
//! Takes arguments; runs the driver, the pure pipeline or the stand-in with them. Only `output.rs` prints. Holds no rules of
//! the domain.

mod cluster;
mod completions;
mod demo;
mod diff;
mod dryrun;
mod exit;
mod hub;
mod hub_access;
mod lint;
mod messages;
mod output;
mod plan;
mod preview;
mod render;
mod schema;
mod signals;
mod sim;
mod stand_in;
mod status;
mod telemetry;
mod values;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::exit::{Exit, Failure, Outcome};
use self::telemetry::LogOptions;

const ABOUT: &str = "Protects stateful applications on fleets of Kubernetes clusters with Velero";

const LONG_ABOUT: &str = "\
Flotilla is a hub that runs Open Cluster Management policies on a fleet of Kubernetes clusters and so has Velero back up \
and restore the applications on them.

It is one binary: `flotilla`, or `kubectl flotilla` when it stands on the PATH as kubectl-flotilla.";

const AFTER_HELP: &str = "\
Examples:
  flotilla demo                                     see it work, without any cluster
  flotilla hub --kubeconfig hub.kubeconfig          run the hub
  flotilla cluster join c1 --kubeconfig c1.kubeconfig
  kubectl label managedcluster c1 acm-pv-dr=backup
  flotilla status

Exit codes:
  0  all is well
  1  the command did its work and found something: a policy that cannot be rendered (render), pending changes (plan, diff),
     a policy that is not compliant (dryrun), a mistake in a policy or its settings (lint)
  2  wrong usage, or the command could not do its work; stderr says why";

/// The arguments of `flotilla`.
#[derive(Debug, Parser)]
#[command(name = "flotilla", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
struct Arguments {
    #[command(flatten)]
    logs: LogOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Hub(hub::Options),
    Render(render::Options),
    Plan(plan::Options),
    Diff(diff::Options),
    #[command(name = "dryrun")]
    DryRun(dryrun::Options),
    Lint(lint::Options),
    Schema(schema::Options),
    Status(status::Options),
    Cluster(cluster::Options),
    Sim(sim::Options),
    Demo(demo::Options),
    Completions(completions::Options),
}

impl Command {
    /// The level of logs where nobody asks for another one.
    fn log_level(&self) -> &'static str {
        match self {
            Self::Hub(_) => "info",
            // The story is told on stdout; what the hub in it warns of on the way is part of it.
            Self::Demo(_) => "error",
            Self::Render(_)
            | Self::Plan(_)
            | Self::Diff(_)
            | Self::DryRun(_)
            | Self::Lint(_)
            | Self::Schema(_)
            | Self::Status(_)
            | Self::Cluster(_)
            | Self::Sim(_)
            | Self::Completions(_) => "warn",
        }
    }

    async fn run(self) -> Outcome {
        match self {
            Self::Hub(options) => hub::run(options).await,
            Self::Render(options) => render::run(&options),
            Self::Plan(options) => plan::run(options).await,
            Self::Diff(options) => diff::run(options).await,
            Self::DryRun(options) => dryrun::run(options).await,
            Self::Lint(options) => lint::run(&options),
            Self::Schema(options) => schema::run(&options),
            Self::Status(options) => status::run(options).await,
            Self::Cluster(options) => cluster::run(options).await,
            Self::Sim(options) => sim::run(options).await,
            Self::Demo(options) => Box::pin(demo::run(options)).await,
            Self::Completions(options) => completions::run(&options),
        }
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    match arguments(std::env::args_os().collect()) {
        Ok(arguments) => {
            let exit = match start(arguments) {
                Ok(exit) => exit,
                Err(failure) => {
                    output::failure(&failure);
                    failure.exit()
                }
            };
            exit.into()
        }
        Err(error) => {
            // Where even stderr is closed nobody is left to tell.
            let printed = error.print();
            let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Error.code());
            if printed.is_ok() { code.into() } else { Exit::Error.into() }
        }
    }
}

fn arguments(from: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let mut command = command();
    if is_kubectl_plugin(from.first().map(Path::new)) {
        command = command.bin_name("kubectl flotilla");
    }
    let mut matches = command.try_get_matches_from_mut(from)?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn command() -> clap::Command {
    Arguments::command()
}

/// kubectl runs `kubectl-flotilla` from the PATH as `kubectl flotilla`.
fn is_kubectl_plugin(program: Option<&Path>) -> bool {
    program.and_then(Path::file_stem).is_some_and(|name| name == "kubectl-flotilla")
}

fn start(arguments: Arguments) -> Outcome {
    telemetry::start(&arguments.logs, arguments.command.log_level())?;
    // A second installation changes nothing: the first one stays.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("failed to start the runtime: {error}")))?;
    let outcome = runtime.block_on(arguments.command.run());
    // Tasks that hang on a dead connection must not keep the process.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &mut clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{path} has no example");
            for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
                check(inner, &path);
            }
        }
        let mut command = command();
        command.build();
        check(&mut command, "");
    }

    #[test]
    fn kubectl_finds_itself_in_the_usage() {
        let told = |program: &str| {
            arguments(vec![program.into(), "hub".into(), "--nonsense".into()]).unwrap_err().to_string()
        };
        assert!(
            told("/bin/kubectl-flotilla").contains("Usage: kubectl flotilla hub"),
            "{}",
            told("kubectl-flotilla")
        );
        assert!(told("flotilla").contains("Usage: flotilla hub"));
    }
}
