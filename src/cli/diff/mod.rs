//! `flotilla diff`: what applying a ConfigMap would change on the clusters, as `kubectl diff` shows what applying an object would.

mod group;

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use self::group::{Difference, differences, named};
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, Format, Structured};
use super::preview::{self, Choice, ClusterPlan, Files, Kind, Outlook};

const EXAMPLES: &str = "\
Examples:
  flotilla diff -f configmap.yaml
  flotilla diff -f configmap.yaml --cluster c1 | less
  kubectl get configmap hdr-app-configmap -n flotilla-policies -o yaml | sed 's/240h/48h/' | flotilla diff -f -
  flotilla diff -f configmap.yaml -o json

It compares each object of the clusters as it is with how it would be, and writes nothing. Clusters on which the same would
change are shown once. It looks exactly where `flotilla plan -f` looks, which also shows what is only reported. Values of
Secrets are not shown.

Exit codes, as those of kubectl diff: 0 no differences, 1 differences, 2 the ConfigMap has mistakes, or the hub or a cluster
cannot be read.";

/// Show what applying a ConfigMap would change on the clusters, object by object
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    files: Files,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// The whole answer.
#[derive(Debug, Serialize)]
struct Report {
    differences: Vec<Difference>,
    /// What is not carried out, by cluster.
    held: Vec<Held>,
    /// What the policies report besides: names that are refused, templates that fail, who leaves.
    messages: Vec<Message>,
    /// Why clusters cannot be looked at.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, String>,
    summary: Summary,
}

/// Something that is held back on a cluster.
#[derive(Debug, Serialize)]
struct Held {
    cluster: String,
    policy: String,
    kind: String,
    name: String,
    reason: String,
}

/// What a policy reports, and where.
#[derive(Debug, Serialize)]
struct Message {
    policy: String,
    #[serde(rename = "message")]
    text: String,
    clusters: Vec<String>,
}

/// Counts of objects.
#[derive(Debug, Default, Serialize)]
struct Summary {
    clusters: usize,
    changed: usize,
    created: usize,
    updated: usize,
    deleted: usize,
    held: usize,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    if options.files.are_none() {
        return Err(Failure::new("failed to compare: no file is named")
            .hint("name the ConfigMap with -f; `flotilla plan` shows what is due without one"));
    }
    let outlook = preview::look(&options.choice, &[], &options.files).await?;
    let (plans, failed) = match outlook {
        Outlook::Invalid => return Ok(Exit::Error),
        Outlook::Clusters { plans, failed } => (plans, failed),
    };
    let report = Report::of(&plans);
    match options.output {
        Format::Table => output::data(&text(&report))?,
        Format::Json => output::document(&report, Structured::Json)?,
        Format::Yaml => output::document(&report, Structured::Yaml)?,
    }
    for held in &report.held {
        let Held { cluster, kind, name, reason, .. } = held;
        output::warning(&format!("{cluster}: {kind} {name} stays as it is: {reason}"));
    }
    for Message { policy, text, clusters } in &report.messages {
        output::note(&format!("{}: {policy}: {text}", named(clusters)));
    }
    output::note(&report.summary.sentence());
    Ok(match (failed, report.differences.is_empty()) {
        (true, _) => Exit::Error,
        (false, false) => Exit::Findings,
        (false, true) => Exit::Success,
    })
}

impl Report {
    fn of(plans: &[ClusterPlan]) -> Self {
        let mut summary = Summary { clusters: plans.len(), ..Summary::default() };
        let mut held = Vec::new();
        for plan in plans {
            let mut changed = false;
            for (policy, change) in plan
                .policies
                .iter()
                .flat_map(|policy| policy.changes.iter().map(move |change| (policy, change)))
            {
                changed |= change.changes();
                match change.action {
                    Kind::Create => summary.created += 1,
                    Kind::Update => summary.updated += 1,
                    Kind::Delete => summary.deleted += 1,
                    Kind::Hold => {
                        summary.held += 1;
                        held.push(Held {
                            cluster: plan.cluster.clone(),
                            policy: policy.policy.clone(),
                            kind: change.kind.clone(),
                            name: change.full_name(),
                            reason: change.reason.clone().unwrap_or_default(),
                        });
                    }
                    Kind::Differ => {}
                }
            }
            summary.changed += usize::from(changed);
        }
        let errors =
            plans.iter().filter_map(|plan| Some((plan.cluster.clone(), plan.error.clone()?))).collect();
        Self { differences: differences(plans), held, messages: messages(plans), errors, summary }
    }
}

/// The same words of a policy are said once.
fn messages(plans: &[ClusterPlan]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for plan in plans {
        for (policy, message) in plan
            .policies
            .iter()
            .flat_map(|policy| policy.messages.iter().map(move |message| (policy, message)))
        {
            let known =
                messages.iter_mut().find(|known| known.policy == policy.policy && known.text == *message);
            match known {
                Some(known) => known.clusters.push(plan.cluster.clone()),
                None => messages.push(Message {
                    policy: policy.policy.clone(),
                    text: message.clone(),
                    clusters: vec![plan.cluster.clone()],
                }),
            }
        }
    }
    messages
}

impl Summary {
    fn sentence(&self) -> String {
        let Self { clusters, changed, created, updated, deleted, held } = self;
        format!(
            "{changed} of {clusters} clusters would change: {created} objects created, {updated} changed, {deleted} deleted; \
             {held} held back"
        )
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        let reason =
            difference.change.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let _written = writeln!(
            text,
            "{} {} {} on {}{reason}",
            difference.change.action.word(),
            difference.change.kind,
            difference.change.full_name(),
            difference.whereabouts()
        );
        if let Some(diff) = &difference.change.diff {
            text.push_str(diff);
        }
    }
    text
}
