//! `flotilla plan`: what the hub would do on the clusters, with differences, and without doing it.

use std::fmt::Write;

use clap::Args;

use super::exit::{Exit, Outcome};
use super::output::{self, Format, Structured};
use super::preview::{self, Choice, ClusterPlan, Files, Outlook, PolicyPlan};
use super::values;

const EXAMPLES: &str = "\
Examples:
  flotilla plan
  flotilla plan --cluster c1 --policy flotilla-policies/oadp-hdr-app-backup
  flotilla plan -f configmap.yaml                   with this ConfigMap applied, or edited
  flotilla plan -o json --kubeconfig hub.kubeconfig

It reads the hub and the clusters and writes nothing; where a change is planned, the API server is asked by a dry run whether
it would make a difference. Values of Secrets are not shown.

With -f it shows what would come of applying the file to the hub: what the hub renders from the ConfigMap, which clusters are
selected, what is created, changed and deleted there, names that are refused, and what is held because another configuration
came first. Mistakes in the ConfigMap are told first, as `flotilla lint` tells them. What waits for another policy is shown as
it is once that one is Compliant.

Exit codes: 0 nothing to change, 1 changes are pending or the ConfigMap has mistakes, 2 the hub or a cluster cannot be read.";

/// Show what the hub would change on the clusters, and change nothing
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    choice: Choice,
    /// Only this policy; may be given several times
    #[arg(long = "policy", value_name = "NAMESPACE/NAME", value_parser = values::namespaced_name)]
    policies: Vec<(String, String)>,
    #[command(flatten)]
    files: Files,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let outlook = preview::look(&options.choice, &options.policies, &options.files).await?;
    let (plans, failed) = match outlook {
        Outlook::Invalid => return Ok(Exit::Findings),
        Outlook::Clusters { plans, failed } => (plans, failed),
    };
    match options.output {
        Format::Table => output::data(&text(&plans))?,
        Format::Json => output::document(&plans, Structured::Json)?,
        Format::Yaml => output::document(&plans, Structured::Yaml)?,
    }
    let changes = plans.iter().flat_map(|plan| &plan.policies).any(PolicyPlan::changes);
    Ok(match (failed, changes) {
        (true, _) => Exit::Error,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Success,
    })
}

fn text(plans: &[ClusterPlan]) -> String {
    let mut text = String::new();
    for plan in plans.iter().filter(|plan| plan.error.is_none()) {
        for policy in &plan.policies {
            policy.write_text(&plan.cluster, &mut text);
        }
        if !plan.assumed_kinds.is_empty() {
            let kinds = plan.assumed_kinds.join(", ");
            let _written =
                writeln!(text, "{}  not served yet, and taken as if it were: {kinds}", plan.cluster);
        }
    }
    if text.is_empty() && plans.iter().all(|plan| plan.error.is_none()) {
        text.push_str("nothing to change\n");
    }
    text
}
