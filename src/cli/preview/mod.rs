//! What `flotilla plan` and `flotilla diff` show: the clusters as the hub would change them, all of them at once.

mod change;
mod cluster;
mod files;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;
use serde::Serialize;

use self::files::Applied;
use super::exit::Failure;
use super::hub_access::{deaf, hub_failure};
use super::output;
use super::values;
use crate::adapters::hub::Hub;
use crate::clock;
use crate::controller::fleet::Fleet;
use crate::controller::prepare;
use crate::controller::preview::{Look, Prospect};
use crate::pipeline::placement::claims;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::Renderer;

pub(super) use self::change::{Change, Kind, PolicyPlan};
pub(super) use self::files::Files;

/// How many clusters are looked at at the same time.
const AT_ONCE: usize = 8;

/// Options of commands that look at clusters through the hub.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Kubeconfig of the hub. Default: KUBECONFIG, ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Only this cluster; may be given several times
    #[arg(long = "cluster", value_name = "NAME", value_parser = values::cluster_name)]
    clusters: Vec<String>,
}

/// One cluster.
#[derive(Debug, Serialize)]
pub(super) struct ClusterPlan {
    pub(super) cluster: String,
    /// Why it cannot be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Kinds that it does not serve yet and that are taken as if it did.
    #[serde(rename = "assumedKinds", skip_serializing_if = "Vec::is_empty")]
    pub(super) assumed_kinds: Vec<String>,
    pub(super) policies: Vec<PolicyPlan>,
    /// Texts in which it differs from other clusters, with what stands for them.
    #[serde(skip)]
    pub(super) own_names: Vec<(String, &'static str)>,
}

/// What came of looking.
pub(super) enum Outlook {
    /// The ConfigMap cannot be used; that was told.
    Invalid,
    /// The clusters were looked at.
    Clusters {
        /// What would be done on each.
        plans: Vec<ClusterPlan>,
        /// Whether a cluster or an object of the hub could not be read; that was told.
        failed: bool,
    },
}

/// Looks at the clusters, with the files applied. What is wrong is told on stderr.
pub(super) async fn look(
    choice: &Choice,
    policies: &[(String, String)],
    files: &Files,
) -> Result<Outlook, Failure> {
    let applied = match files.read()? {
        Applied::Invalid => return Ok(Outlook::Invalid),
        Applied::Nothing => None,
        Applied::Objects(objects) => Some(objects),
    };
    let hub =
        Hub::connect(choice.kubeconfig.as_deref(), deaf()).await.map_err(|error| hub_failure(&error))?;
    hub.watch().await.map_err(|error| hub_failure(&error))?;
    let prospect = match applied {
        None => Prospect::as_it_is(&hub, clock::now()).await,
        Some(objects) => Prospect::after(&hub, objects, clock::now()).await.map_err(Failure::new)?,
    };
    for error in &prospect.malformed {
        output::error(error);
    }
    for warning in &prospect.warnings {
        output::warning(warning);
    }
    if !prospect.faults.is_empty() {
        for fault in &prospect.faults {
            output::error(fault);
        }
        return Ok(Outlook::Invalid);
    }
    for (placement, why) in prospect.idle_placements(clock::now()) {
        output::note(&format!("Placement {placement} selects no cluster: {why}"));
    }
    let clusters = chosen_clusters(&prospect.fleet, &choice.clusters)?;
    let policies = chosen_policies(&prospect.fleet, policies)?;
    let renderer = Renderer::default();
    let look = Look { hub: &hub, prospect: &prospect, renderer: &renderer, only: policies.as_ref() };
    let plans: Vec<ClusterPlan> = futures::stream::iter(clusters)
        .map(|name| cluster_plan(&look, name))
        .buffered(AT_ONCE)
        .collect()
        .await;
    for error in plans.iter().filter_map(|plan| plan.error.as_ref()) {
        output::error(&format!("failed to plan: {error}"));
    }
    let failed = !prospect.malformed.is_empty() || plans.iter().any(|plan| plan.error.is_some());
    Ok(Outlook::Clusters { plans, failed })
}

async fn cluster_plan(look: &Look<'_>, name: String) -> ClusterPlan {
    let mut own_names = vec![(name.clone(), "$(cluster)")];
    if let Some(managed) = look.prospect.fleet.cluster(&name)
        && let Some(id) = claims::claims(&managed).get("id.openshift.io")
    {
        own_names.push((id.clone(), "$(cluster-id)"));
    }
    let mut plan = ClusterPlan {
        cluster: name,
        error: None,
        assumed_kinds: Vec::new(),
        policies: Vec::new(),
        own_names,
    };
    match look.cluster(&plan.cluster, deaf()).await {
        Ok(None) => {}
        Ok(Some(preview)) => {
            plan.assumed_kinds = preview.assumed_kinds.iter().map(ToString::to_string).collect();
            for policy in &preview.policies {
                match cluster::policy(&plan.cluster, policy, &preview.link.connection).await {
                    Ok(policy) => plan.policies.push(policy),
                    Err(error) => {
                        plan.error = Some(prepare::unreachable(&plan.cluster, &error.to_string()));
                        plan.policies.clear();
                        break;
                    }
                }
            }
        }
        Err(error) => plan.error = Some(error),
    }
    plan
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
