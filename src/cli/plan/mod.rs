//! `flotilla plan`: what the hub would do on the clusters, with differences, and without doing it.

mod change;
mod cluster;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;
use serde::Serialize;

use self::change::PolicyPlan;
use super::exit::{Exit, Failure, Outcome};
use super::hub_access::{deaf, hub_failure};
use super::output::{self, Format, Structured};
use super::values;
use crate::adapters::hub::Hub;
use crate::clock;
use crate::controller::fleet::Fleet;
use crate::controller::prepare;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::Renderer;

/// How many clusters are planned at the same time.
const AT_ONCE: usize = 8;

const EXAMPLES: &str = "\
Examples:
  flotilla plan
  flotilla plan --cluster c1 --policy flotilla-policies/oadp-hdr-app-backup
  flotilla plan -o json --kubeconfig hub.kubeconfig

It reads the hub and the clusters and writes nothing; where a change is planned, the API server is asked by a dry run whether
it would make a difference. Values of Secrets are not shown.

Exit codes: 0 nothing to change, 1 changes are pending, 2 the hub or a cluster cannot be read.";

/// Show what the hub would change on the clusters, and change nothing
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Kubeconfig of the hub. Default: KUBECONFIG, ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Only this cluster; may be given several times
    #[arg(long = "cluster", value_name = "NAME", value_parser = values::cluster_name)]
    clusters: Vec<String>,
    /// Only this policy; may be given several times
    #[arg(long = "policy", value_name = "NAMESPACE/NAME", value_parser = values::namespaced_name)]
    policies: Vec<(String, String)>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// One cluster.
#[derive(Debug, Serialize)]
struct ClusterPlan {
    cluster: String,
    /// Why it cannot be planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    policies: Vec<PolicyPlan>,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let hub =
        Hub::connect(options.kubeconfig.as_deref(), deaf()).await.map_err(|error| hub_failure(&error))?;
    hub.watch().await.map_err(|error| hub_failure(&error))?;
    let (fleet, effects) = prepare::fleet_of(&hub, clock::now()).await;
    for (_, error) in &effects.malformed {
        output::error(&error.to_string());
    }
    let clusters = chosen_clusters(&fleet, &options.clusters)?;
    let policies = chosen_policies(&fleet, &options.policies)?;
    let renderer = Renderer::default();
    let look = cluster::Look { hub: &hub, fleet: &fleet, renderer: &renderer, only: policies.as_ref() };
    let plans: Vec<ClusterPlan> = futures::stream::iter(clusters)
        .map(|name| {
            let look = &look;
            async move {
                match look.plan(&name).await {
                    Ok(policies) => ClusterPlan { cluster: name, error: None, policies },
                    Err(error) => ClusterPlan { cluster: name, error: Some(error), policies: Vec::new() },
                }
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    match options.output {
        Format::Table => output::data(&text(&plans))?,
        Format::Json => output::document(&plans, Structured::Json)?,
        Format::Yaml => output::document(&plans, Structured::Yaml)?,
    }
    let errors: Vec<&String> = plans.iter().filter_map(|plan| plan.error.as_ref()).collect();
    for error in &errors {
        output::error(&format!("failed to plan: {error}"));
    }
    let changes = plans.iter().flat_map(|plan| &plan.policies).any(PolicyPlan::changes);
    Ok(match (errors.is_empty() && effects.malformed.is_empty(), changes) {
        (false, _) => Exit::Error,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Success,
    })
}

fn chosen_clusters(fleet: &Fleet, asked: &[String]) -> Result<BTreeSet<String>, Failure> {
    match asked.iter().find(|name| fleet.cluster(name).is_none()) {
        Some(name) => Err(Failure::new(format!("failed to plan: the hub has no ManagedCluster {name:?}"))
            .hint("`flotilla cluster list` shows those that it has")),
        None if asked.is_empty() => Ok(fleet.cluster_names().map(ToOwned::to_owned).collect()),
        None => Ok(asked.iter().cloned().collect()),
    }
}

fn chosen_policies(
    fleet: &Fleet,
    asked: &[(String, String)],
) -> Result<Option<BTreeSet<PolicyKey>>, Failure> {
    let keys: BTreeSet<PolicyKey> =
        asked.iter().map(|(namespace, name)| PolicyKey::new(namespace, name)).collect();
    match keys.iter().find(|key| fleet.policy(key).is_none()) {
        Some(key) => {
            let known: Vec<String> = fleet.policies().map(|(key, _)| key.to_string()).collect();
            Err(Failure::new(format!("failed to plan: the hub has no Policy {key}")).hint(format!(
                "it has {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )))
        }
        None => Ok((!keys.is_empty()).then_some(keys)),
    }
}

fn text(plans: &[ClusterPlan]) -> String {
    let mut text = String::new();
    for plan in plans.iter().filter(|plan| plan.error.is_none()) {
        for policy in &plan.policies {
            policy.write_text(&plan.cluster, &mut text);
        }
    }
    if text.is_empty() && plans.iter().all(|plan| plan.error.is_none()) {
        text.push_str("nothing to change\n");
    }
    text
}
