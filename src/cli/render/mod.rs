//! `flotilla render`: what would be pushed to each cluster, from files alone.

mod configuration;
mod entry;
mod input;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use self::entry::{Entry, Errors};
use self::input::Input;
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, Structured};
use super::values;
use crate::adapters::source::EmptyCluster;
use crate::api::ocm::policy::ComplianceState;
use crate::clock;
use crate::controller::evaluate::{Evaluation, Subject, evaluate};
use crate::controller::prepare;
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::plan::target::ClusterFacts;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::Placed;
use crate::pipeline::render::Renderer;
use crate::pipeline::render::lookup::Lookup;

const EXAMPLES: &str = "\
Examples:
  flotilla render policies configmaps/demo.yaml clusters.yaml
  flotilla render -n flotilla-policies policies config.yaml clusters.yaml --cluster c1 -o json
  kubectl kustomize policies | flotilla render -n flotilla-policies - clusters.yaml
  flotilla render configmaps/pv-snap.yaml

The input needs the policies, their sets, placements and bindings, the objects that they look up on the hub (a ConfigMap, as
a rule), and ManagedClusters with labels; in any order, from files and directories. Look-ups on the clusters find nothing,
and every dependency counts as compliant. From a ConfigMap hdr-app-configmap with the label flotilla.dev/protect the policies
are rendered as the hub does it; without any ManagedCluster they are what is printed.

Exit codes: 0 rendered, 1 a policy or a labelled ConfigMap cannot be rendered, 2 the input cannot be read.";

/// Render policies offline: what would be pushed to each cluster
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Files and directories with the hub's objects; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
    /// Only for this cluster; may be given several times
    #[arg(long = "cluster", value_name = "NAME", value_parser = values::cluster_name)]
    clusters: Vec<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Structured::Yaml)]
    output: Structured,
    /// Print the values of Secrets as they are
    #[arg(long)]
    show_secrets: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Outcome {
    let input = Input::read(&options.paths, &options.namespace, clock::now());
    for error in input.errors.iter().chain(&input.faults) {
        output::error(error);
    }
    for warning in &input.warnings {
        output::warning(warning);
    }
    let is_configured = !input.rendered.is_empty() || !input.faults.is_empty();
    let has_clusters = input.fleet.cluster_names().next().is_some() || !options.clusters.is_empty();
    if is_configured && !has_clusters {
        return hub_objects(&input, options);
    }
    let clusters = chosen_clusters(&input, &options.clusters)?;
    if input.fleet.policies().next().is_none() {
        return Err(Failure::new("failed to render: the input has no Policy")
            .hint("name the files of the policies too"));
    }
    for note in &input.notes {
        output::note(note);
    }
    let renderer = Renderer::default();
    let hub: Arc<dyn Lookup> = Arc::new(input.objects.clone());
    let mut entries = Vec::new();
    for cluster in &clusters {
        let policies = policies_of(&input, cluster);
        if policies.is_empty() {
            for reason in input.reasons_outside(cluster, clock::now()) {
                output::note(&reason);
            }
        }
        for policy in policies {
            entries.extend(render_one(&input, &renderer, &hub, cluster, &policy, options.show_secrets));
        }
    }
    output::data(&entry::text(&entries, options.output)?)?;
    let failed = !input.faults.is_empty() || entries.iter().any(|entry| entry.errors == Errors::Some);
    Ok(match (input.errors.is_empty(), failed) {
        (false, _) => Exit::Error,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Success,
    })
}

/// Without clusters: what the hub would render from the ConfigMap itself.
fn hub_objects(input: &Input, options: &Options) -> Outcome {
    let objects: Vec<_> =
        input.rendered.iter().map(|object| configuration::shown(object, options.show_secrets)).collect();
    let text = match options.output {
        Structured::Json => output::document_text(&objects, Structured::Json)?,
        Structured::Yaml => {
            let mut text = String::new();
            for object in &objects {
                text.push_str("---\n");
                text.push_str(&output::document_text(object, Structured::Yaml)?);
            }
            text
        }
    };
    output::data(&text)?;
    Ok(match (input.errors.is_empty(), input.faults.is_empty()) {
        (false, _) => Exit::Error,
        (true, false) => Exit::Findings,
        (true, true) => Exit::Success,
    })
}

fn chosen_clusters(input: &Input, asked: &[String]) -> Result<BTreeSet<String>, Failure> {
    let known: BTreeSet<String> = input.fleet.cluster_names().map(ToOwned::to_owned).collect();
    if known.is_empty() {
        return Err(Failure::new("failed to render: the input has no ManagedCluster").hint(
            "add a file with ManagedClusters and their labels, for example from `kubectl get managedclusters -o yaml`",
        ));
    }
    if asked.is_empty() {
        return Ok(known);
    }
    match asked.iter().find(|name| !known.contains(*name)) {
        Some(name) => {
            Err(Failure::new(format!("failed to render: the input has no ManagedCluster {name:?}"))
                .hint(format!("it has {}", known.into_iter().collect::<Vec<_>>().join(", "))))
        }
        None => Ok(asked.iter().cloned().collect()),
    }
}

/// The policies placed on a cluster, those first that others depend on.
fn policies_of(input: &Input, cluster: &str) -> Vec<PolicyKey> {
    let mut policies: Vec<PolicyKey> = input.fleet.policies_on(cluster).into_iter().collect();
    policies.sort_by_key(|key| {
        input.fleet.policy(key).is_some_and(|policy| !policy.spec.dependencies.is_empty())
    });
    policies
}

fn render_one(
    input: &Input,
    renderer: &Renderer,
    hub: &Arc<dyn Lookup>,
    cluster: &str,
    policy: &PolicyKey,
    show_secrets: bool,
) -> Option<Entry> {
    let managed = input.fleet.cluster(cluster)?;
    let assignment = input.fleet.assignment(policy, cluster)?;
    let facts = ClusterFacts { name: cluster.to_owned(), ..ClusterFacts::default() };
    let evaluation = evaluate(
        &Subject {
            policy: &assignment.policy,
            cluster: &managed,
            facts: &facts,
            enforced_by_binding: assignment.placed == Placed::Enforced,
            hub: hub.clone(),
            observed: Arc::new(EmptyCluster),
            inventory: &Inventory::default(),
            unreachable: None,
            compliance: &|_, _| Some(ComplianceState::Compliant),
            policies_of_set: &|namespace, name| input.fleet.policies_of_set(namespace, name),
            hub_as: None,
            vector: None,
            ambient: prepare::ambient().unwrap_or_default(),
        },
        renderer,
    );
    Some(match evaluation {
        Evaluation::Ready(evaluated) => Entry::new(cluster, policy, &evaluated, show_secrets),
        Evaluation::Waiting { hub, cluster: wanted, .. } => {
            Entry::unknown(cluster, policy, hub.iter().chain(&wanted))
        }
    })
}
