//! `flotilla cluster join`: the ManagedCluster, its namespace and the Secret with its kubeconfig in one go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::adapters::api_server::Connection;
use crate::adapters::hub::membership::{self, Member};
use crate::adapters::source::kubeconfig::{FlattenError, flatten};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::hub_access::{api_failure, connect, deaf};
use crate::cli::{output, values};

const EXAMPLES: &str = "\
Examples:
  flotilla cluster join c1 --kubeconfig c1.kubeconfig
  flotilla cluster join c1 --kubeconfig ~/.kube/config --context c1 --label acm-pv-dr=backup
  flotilla cluster join c1 --kubeconfig c1.kubeconfig --hub-kubeconfig hub.kubeconfig

The kubeconfig is stored in Secret c1/flotilla-kubeconfig on the hub, so it must not refer to a program of this machine.
Joining again updates what has changed.";

/// Join a cluster to the hub
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Name of the cluster, on the hub also the name of its namespace
    #[arg(value_parser = values::cluster_name)]
    name: String,
    /// Kubeconfig of the cluster that joins; what it refers to is embedded
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Context of that kubeconfig to use. Default: its current context
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Kubeconfig of the hub. Default: KUBECONFIG, ~/.kube/config
    #[arg(long, value_name = "FILE")]
    hub_kubeconfig: Option<PathBuf>,
    /// Labels of the ManagedCluster, by which placements select it
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    labels: Vec<(String, String)>,
    /// Join it even if it does not answer from here
    #[arg(long)]
    no_check: bool,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let name = &options.name;
    let flattened =
        flatten(&options.kubeconfig, options.context.as_deref()).map_err(|error| flatten_failure(&error))?;
    let connection = Connection::from_secret(&flattened.text, deaf()).await.map_err(|error| {
        Failure::new(error.to_string()).hint(format!("it was read from {}", options.kubeconfig.display()))
    })?;
    if !options.no_check {
        connection.probe().await.map_err(|error| {
            api_failure(&format!("failed to join cluster {name}"), &error)
                .hint("with --no-check the cluster joins although it does not answer from here")
        })?;
    }
    if is_loopback(&flattened.server) {
        output::note(&format!(
            "cluster {name} is reached at {}, an address that only leads there from this machine",
            connection.server()
        ));
    }
    let hub = connect(options.hub_kubeconfig.as_deref()).await?;
    let member = Member {
        name: name.clone(),
        labels: options.labels.iter().cloned().collect::<BTreeMap<_, _>>(),
        kubeconfig: flattened.text,
    };
    let changes = membership::join(&hub, &member)
        .await
        .map_err(|error| api_failure(&format!("failed to join cluster {name}"), &error))?;
    for change in changes {
        output::line(&format!("{} {}", change.object, change.done.as_str()))?;
    }
    Ok(Exit::Success)
}

fn flatten_failure(error: &FlattenError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        FlattenError::Plugin { .. } => failure.hint(
            "give Flotilla a user of its own: make a ServiceAccount on the cluster, bind it to cluster-admin or to the kinds \
             of your policies, and put its token into a kubeconfig (`kubectl create token`)",
        ),
        FlattenError::Context { contexts, .. } if contexts.is_empty() => failure,
        FlattenError::Context { contexts, .. } => {
            failure.hint(format!("choose one with --context: {}", contexts.join(", ")))
        }
        FlattenError::NotKubeconfig { .. } => {
            failure.hint("`kubectl config view --raw --flatten --minify` prints one")
        }
        FlattenError::Unreadable { .. }
        | FlattenError::Dangling { .. }
        | FlattenError::Referred { .. }
        | FlattenError::Unwritable { .. } => failure,
    }
}

fn is_loopback(server: &str) -> bool {
    let uri: Option<http::Uri> = server.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_known() {
        for (server, expected) in [
            ("https://127.0.0.1:6443", true),
            ("https://localhost:6443", true),
            ("https://[::1]:6443/path", true),
            ("https://10.0.0.1:6443", false),
            ("https://c1.example.org", false),
        ] {
            assert_eq!(is_loopback(server), expected, "{server}");
        }
    }
}
