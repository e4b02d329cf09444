//! `flotilla status`: which policy is compliant on which cluster, and why not.

mod configurations;
mod report;
mod table;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::Notify;

use self::configurations::ConfigurationReport;
use self::report::{Report, SourceReport};
use super::exit::{Exit, Failure, Outcome};
use super::hub_access::hub_failure;
use super::output::{self, Format, Structured};
use super::signals::Signals;
use super::values;
use crate::adapters::api_server::{Change, Ensured, Listener, WatchState};
use crate::adapters::hub::Hub;
use crate::clock;
use crate::controller::{configuration, prepare};
use crate::pipeline::render::lookup::Lookup;
use crate::pipeline::source::SOURCE_LABEL;

/// How long changes are gathered before the status is printed again.
const GATHER: Duration = Duration::from_millis(100);

const EXAMPLES: &str = "\
Examples:
  flotilla status
  flotilla status --cluster c1 --why
  flotilla status --watch
  flotilla status -o json --kubeconfig hub.kubeconfig

Exit codes: 0 whatever the compliance, 2 the hub cannot be read.";

/// Show compliance: clusters by policies, what is wrong, why a cluster is selected or not, and which configurations are in force
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Kubeconfig of the hub. Default: KUBECONFIG, ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Only this cluster; may be given several times
    #[arg(long = "cluster", value_name = "NAME", value_parser = values::cluster_name)]
    clusters: Vec<String>,
    /// Show for each placement why each cluster is in or out, however many there are
    #[arg(long)]
    why: bool,
    /// Print again when something changes, until stopped
    #[arg(short, long)]
    watch: bool,
    /// Output format; with --watch, JSON is one line per change
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let mut signals = Signals::listen()?;
    let changed = Arc::new(Notify::new());
    let hub = Hub::connect(options.kubeconfig.as_deref(), telling(changed.clone()))
        .await
        .map_err(|error| hub_failure(&error))?;
    hub.watch_objects().await.map_err(|error| hub_failure(&error))?;
    if let Err(reason) = hub.watch_source_records(SOURCE_LABEL).await {
        tracing::warn!(reason, "the records of sources cannot be read and are left out");
    }
    if let Err(error) = hub.watch_protected().await {
        tracing::warn!(%error, "the configurations cannot be read and are left out");
    }
    // From here on the snapshots hold the scores of add-ons, if a Placement asks for them.
    prepare::fleet_of(&hub, clock::now()).await;
    if !options.watch {
        output::data(&text(&look(&hub, &options).await?, &options)?)?;
        return Ok(Exit::Success);
    }
    let mut shown = None;
    loop {
        let report = look(&hub, &options).await?;
        if shown.as_ref() != Some(&report) {
            if options.output == Format::Table {
                output::clear_screen()?;
            }
            output::data(&text(&report, &options)?)?;
            shown = Some(report);
        }
        tokio::select! {
            () = signals.received() => return Ok(Exit::Success),
            () = changed.notified() => tokio::time::sleep(GATHER).await,
        }
    }
}

fn telling(changed: Arc<Notify>) -> Listener {
    Arc::new(move |key, change| match change {
        Change::Malformed { name, message } => {
            tracing::warn!(
                kind = key.gvk.kind,
                name,
                message,
                "an object of the hub cannot be read and is left out"
            );
        }
        Change::State(WatchState::Failing { message, .. }) => {
            tracing::warn!(kind = key.gvk.kind, message, "the hub does not answer, trying again");
        }
        Change::Object(_) | Change::State(_) => changed.notify_one(),
    })
}

async fn look(hub: &Hub, options: &Options) -> Result<Report, Failure> {
    let protected = configurations::protected(hub);
    let needed =
        protected.iter().filter_map(|config_map| Some(configuration::needs(config_map.namespace()?)));
    if let Ensured::Disconnected(reason) = hub.connection().ensure(&needed.collect()).await {
        tracing::warn!(reason, "what stands beside the configurations is not known");
    }
    let snapshot = hub.connection().snapshot();
    let only: BTreeSet<String> = options.clusters.iter().cloned().collect();
    let mut report = Report::of(&snapshot, clock::now());
    for configuration in ConfigurationReport::all(&protected, &snapshot) {
        let dated = configuration.clone().dated(hub).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "when a configuration was written cannot be read and is left out");
            configuration
        });
        report.configurations.push(dated);
    }
    report.sources = SourceReport::all(&hub.source_records());
    if let Some(unknown) = only.iter().find(|name| !report.knows(name)) {
        return Err(Failure::new(format!(
            "failed to show cluster {unknown}: the hub has no such ManagedCluster"
        ))
        .hint("`flotilla cluster list` shows those that it has"));
    }
    Ok(if only.is_empty() { report } else { report.only(&only) })
}

fn text(report: &Report, options: &Options) -> Result<String, Failure> {
    match options.output {
        Format::Table => Ok(table::text(report, options.why)),
        Format::Json if options.watch => serde_json::to_string(report)
            .map(|line| format!("{line}\n"))
            .map_err(|error| Failure::new(format!("failed to write the status: {error}"))),
        Format::Json => output::document_text(report, Structured::Json),
        Format::Yaml if options.watch => {
            Ok(format!("---\n{}", output::document_text(report, Structured::Yaml)?))
        }
        Format::Yaml => output::document_text(report, Structured::Yaml),
    }
}

/// The status for a person at one moment.
pub(crate) struct Overview {
    /// As `flotilla status` prints it.
    pub(crate) text: String,
    /// Whether every policy is compliant wherever it is placed.
    pub(crate) compliant: bool,
}

/// The status as it is now.
pub(crate) fn overview(hub: &dyn Lookup) -> Overview {
    let report = Report::of(hub, clock::now());
    Overview { text: table::text(&report, false), compliant: report.is_compliant() }
}
