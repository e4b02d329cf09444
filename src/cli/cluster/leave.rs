//! `flotilla cluster leave`: takes a cluster off the hub, and leaves the cluster itself alone.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use crate::adapters::api_server::put::Done;
use crate::adapters::hub::membership::{self, NamespaceFate};
use crate::api::object::Manifest;
use crate::api::ocm::names;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::hub_access::{api_failure, connect};
use crate::cli::{output, values};
use crate::pipeline::plan::inventory::Inventory;

const EXAMPLES: &str = "\
Examples:
  flotilla cluster leave c1
  flotilla cluster leave c1 --delete-namespace --hub-kubeconfig hub.kubeconfig

What the policies created on the cluster stays there. To have it removed first, take the labels away that select the
cluster (`kubectl label managedcluster c1 acm-pv-dr-`) and wait until `flotilla status` no longer lists the policies.";

/// Take a cluster off the hub
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Name of the cluster
    #[arg(value_parser = values::cluster_name)]
    name: String,
    /// Kubeconfig of the hub. Default: KUBECONFIG, ~/.kube/config
    #[arg(long, value_name = "FILE")]
    hub_kubeconfig: Option<PathBuf>,
    /// Delete the cluster's namespace on the hub as well, with everything in it
    #[arg(long)]
    delete_namespace: bool,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let name = &options.name;
    let what = format!("failed to take cluster {name} off the hub");
    let hub = connect(options.hub_kubeconfig.as_deref()).await?;
    let replicas = membership::own_replicas(&hub, name).await.map_err(|error| api_failure(&what, &error))?;
    let fate = if options.delete_namespace { NamespaceFate::Delete } else { NamespaceFate::Keep };
    let changes = membership::leave(&hub, name, fate).await.map_err(|error| api_failure(&what, &error))?;
    if changes.iter().all(|change| change.done == Done::Absent) {
        return Err(Failure::new(format!("{what}: the hub knows no such cluster"))
            .hint("`flotilla cluster list` shows those that it knows"));
    }
    for change in &changes {
        output::line(&format!("{} {}", change.object, change.done.as_str()))?;
    }
    if fate == NamespaceFate::Keep {
        output::note(&format!("namespace {name} on the hub is kept; --delete-namespace removes it"));
    }
    let left = left_behind(&replicas);
    if !left.is_empty() {
        output::note(&format!(
            "these stay on cluster {name}: {}",
            left.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(Exit::Success)
}

/// What the policies created on the cluster.
fn left_behind(replicas: &[Manifest]) -> BTreeSet<String> {
    replicas
        .iter()
        .filter_map(|replica| Some((replica.name()?, replica.annotation(names::INVENTORY_ANNOTATION)?)))
        .filter_map(|(name, text)| Inventory::parse(name, text).ok())
        .flat_map(|inventory| {
            let created = inventory.entries().filter(|(_, _, entry)| entry.created);
            created.map(|(_, _, entry)| entry.key().to_string()).collect::<Vec<_>>()
        })
        .collect()
}
