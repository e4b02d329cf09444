//! `flotilla cluster list`: the managed clusters of the hub, and whether Flotilla can reach them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;
use serde::Serialize;

use crate::adapters::api_server::Connection;
use crate::adapters::hub::credentials::{self, Credentials, CredentialsError};
use crate::adapters::hub::{Hub, HubKind};
use crate::api::object::Manifest;
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::{self, names};
use crate::cli::exit::{Exit, Outcome};
use crate::cli::hub_access::{deaf, hub_failure};
use crate::cli::output::{self, Format, Structured, Table};
use crate::pipeline::placement::scope::DEFAULT_SET;
use crate::pipeline::render::lookup::{Answer, Lookup};

/// How many clusters are asked at the same time.
const AT_ONCE: usize = 16;

const EXAMPLES: &str = "\
Examples:
  flotilla cluster list
  flotilla cluster list --check --kubeconfig hub.kubeconfig
  flotilla cluster list -o json";

/// List the managed clusters of the hub
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Kubeconfig of the hub. Default: KUBECONFIG, ~/.kube/config
    #[arg(long, visible_alias = "hub-kubeconfig", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Ask every cluster whether it answers
    #[arg(long)]
    check: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// One managed cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    accepted: bool,
    cluster_set: String,
    labels: BTreeMap<String, String>,
    /// Secret with the kubeconfig.
    credentials: Option<String>,
    /// Why the credentials cannot be used, or the cluster does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reachable: Option<bool>,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let hub =
        Hub::connect(options.kubeconfig.as_deref(), deaf()).await.map_err(|error| hub_failure(&error))?;
    hub.watch().await.map_err(|error| hub_failure(&error))?;
    let secrets = hub.credential_secrets();
    let clusters = match hub.connection().snapshot().list(&HubKind::ManagedCluster.gvk(), None) {
        Answer::Found(clusters) => clusters,
        Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => Vec::new(),
    };
    let check = options.check;
    let rows: Vec<Row> = futures::stream::iter(clusters)
        .map(|cluster| {
            let secret =
                secrets.iter().find(|secret| credentials::cluster_of(secret).as_deref() == cluster.name());
            let read = secret.map(|secret| credentials::read(secret));
            async move { row(&cluster, read, check).await }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    match options.output {
        Format::Table => output::data(&table(&rows, check))?,
        Format::Json => output::document(&rows, Structured::Json)?,
        Format::Yaml => output::document(&rows, Structured::Yaml)?,
    }
    Ok(Exit::Success)
}

async fn row(cluster: &Manifest, read: Option<Result<Credentials, CredentialsError>>, check: bool) -> Row {
    let labels = cluster.labels();
    let (credentials, mut problem) = match &read {
        None => (None, Some("no kubeconfig Secret".to_owned())),
        Some(Ok(credentials)) => (Some(credentials.secret.clone()), None),
        Some(Err(error)) => (None, Some(error.to_string())),
    };
    let mut reachable = None;
    if check && let Some(Ok(credentials)) = &read {
        match answers(credentials).await {
            Ok(()) => reachable = Some(true),
            Err(reason) => {
                reachable = Some(false);
                problem = Some(reason);
            }
        }
    }
    Row {
        name: cluster.name().unwrap_or_default().to_owned(),
        accepted: ocm::parse::<ManagedCluster>(cluster).is_ok_and(|cluster| cluster.spec.hub_accepts_client),
        cluster_set: labels.get(names::CLUSTER_SET_LABEL).cloned().unwrap_or_else(|| DEFAULT_SET.to_owned()),
        labels,
        credentials,
        problem,
        reachable,
    }
}

async fn answers(credentials: &Credentials) -> Result<(), String> {
    let connection =
        Connection::from_secret(&credentials.kubeconfig, deaf()).await.map_err(|error| error.to_string())?;
    connection.probe().await.map_err(|error| error.to_string())
}

fn table(rows: &[Row], check: bool) -> String {
    let mut table = Table::new(
        ["NAME", "ACCEPTED", "SET", "CREDENTIALS", "LABELS"].into_iter().chain(check.then_some("ANSWERS")),
    );
    for row in rows {
        let credentials = match (&row.credentials, &row.problem) {
            (Some(secret), _) => secret.clone(),
            (None, problem) => problem.clone().unwrap_or_default(),
        };
        let labels: Vec<String> = row
            .labels
            .iter()
            .filter(|(key, _)| *key != names::CLUSTER_SET_LABEL)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let labels = if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") };
        let answers = match (row.reachable, &row.problem) {
            (Some(true), _) => "yes".to_owned(),
            (Some(false), problem) => format!("no: {}", problem.clone().unwrap_or_default()),
            (None, _) => "-".to_owned(),
        };
        let accepted = if row.accepted { "true" } else { "false" }.to_owned();
        table.row(
            [row.name.clone(), accepted, row.cluster_set.clone(), credentials, labels]
                .into_iter()
                .chain(check.then_some(answers)),
        );
    }
    if table.is_empty() {
        "no managed clusters; `flotilla cluster join` adds one\n".to_owned()
    } else {
        table.text()
    }
}
