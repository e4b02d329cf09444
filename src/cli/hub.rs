//! `flotilla hub`: the process that drives the fleet.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure, Outcome};
use super::hub_access::hub_failure;
use super::output;
use super::signals::{Hangups, Signals};
use crate::adapters::source::git::Limits;
use crate::controller::{self, Candidate, HubOptions, Metrics, RunError, SourceOptions, Trigger};
use crate::pipeline::config::go_duration::{GoDuration, GoDurationError};
use crate::pipeline::source::SourceAddress;
use crate::server::{Health, ListenError, Server, Webhook, WebhookStartError};

const EXAMPLES: &str = "\
Examples:
  flotilla hub                                       in a Pod, or with the current kubeconfig
  flotilla hub --kubeconfig hub.kubeconfig --listen 127.0.0.1:8080
  flotilla hub --webhook                             with the admission webhook on port 8443
  curl http://127.0.0.1:8080/readyz
  flotilla hub --source 'git+https://git.example.org/fleet.git//hub?ref=main&namespace=policies'
  flotilla hub --source 'git+ssh://git@git.example.org/fleet.git?ref=v2&secret=fleet-git' --source 'dir:///etc/fleet?name=local'
  curl -X POST http://127.0.0.1:8080/sources/look

It stops on SIGTERM and SIGINT, and looks at its sources on SIGHUP. Exit codes: 0 stopped, 2 could not run.";

/// Run the hub: select clusters, render policies, push them, report compliance
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Kubeconfig of the hub. Default: KUBECONFIG, ~/.kube/config, or the Pod's service account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Where to serve /healthz, /readyz and /metrics; port 0 takes any free one and prints it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Serve the admission webhook as well: HTTPS /validate, with which the API server of the hub refuses a ConfigMap
    /// hdr-app-configmap that has mistakes in it (kustomize/components/webhook). Port 0 takes any free one and prints it
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "0.0.0.0:8443")]
    webhook: Option<SocketAddr>,
    /// Namespace on the hub of the webhook's Service and of the Secret with its certificate
    #[arg(long, value_name = "NAMESPACE", env = "FLOTILLA_WEBHOOK_NAMESPACE", default_value = "flotilla")]
    webhook_namespace: String,
    /// Namespace on the hub of the Lease flotilla-hub, which only one process holds; the others wait. Without it, this
    /// process takes it for granted that it is alone
    #[arg(long, value_name = "NAMESPACE", env = "FLOTILLA_LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Name of this process in the Lease. Default: a random one
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    identity: Option<String>,
    /// Apply what a git repository or a directory holds to the hub; the examples below show addresses. May be given several
    /// times, with another name= each
    #[arg(long = "source", value_name = "ADDRESS")]
    sources: Vec<String>,
    /// How often sources are looked at, as in 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = interval)]
    source_interval: Duration,
    /// Namespace on the hub of the sources' records (ConfigMaps flotilla-source-NAME) and credentials. Default: that of the
    /// Lease, or flotilla
    #[arg(long, value_name = "NAMESPACE")]
    source_namespace: Option<String>,
}

/// At least a second: a source is asked no more often.
fn interval(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error: GoDurationError| error.to_string())?;
    match u64::try_from(duration.nanoseconds()) {
        Ok(nanoseconds) if nanoseconds >= 1_000_000_000 => Ok(Duration::from_nanos(nanoseconds)),
        Ok(_) | Err(_) => Err("it must be a second or more".to_owned()),
    }
}

/// The sources, each with a name of its own. The addresses are read here and not by clap, whose errors repeat the argument: it
/// might hold a password.
fn sources(options: &Options) -> Result<Vec<SourceOptions>, Failure> {
    let namespace = options
        .source_namespace
        .clone()
        .or_else(|| options.lease_namespace.clone())
        .unwrap_or_else(|| "flotilla".to_owned());
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for text in &options.sources {
        let address = SourceAddress::parse(text).map_err(|error| {
            Failure::new(error.to_string()).hint("`flotilla hub --help` shows what an address looks like")
        })?;
        if !names.insert(address.name.clone()) {
            let told = format!("failed to read the sources: two have the name {}", address.name);
            return Err(Failure::new(told).hint("give each another one: ?name=NAME"));
        }
        let (namespace, interval) = (namespace.clone(), options.source_interval);
        sources.push(SourceOptions { address, namespace, interval, limits: Limits::default() });
    }
    Ok(sources)
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let mut signals = Signals::listen()?;
    let mut hangups = Hangups::listen()?;
    let sources = sources(&options)?;
    let trigger = Trigger::default();
    let stop = CancellationToken::new();
    let ready = Arc::new(AtomicBool::new(false));
    let metrics = Arc::new(Metrics::default());
    let health = Health {
        ready: ready.clone(),
        stop: stop.clone(),
        metrics: metrics.clone(),
        trigger: (!sources.is_empty()).then(|| trigger.clone()),
    };
    let server = Server::start(options.listen, health).await.map_err(|error| listen_failure(&error))?;
    tracing::info!(address = %server.address(), "serving /healthz, /readyz and /metrics");
    if options.listen.port() == 0 {
        output::line(&format!("listening on {}", server.address()))?;
    }
    let webhook = match options.webhook {
        Some(listen) => Some(start_webhook(listen, &options).await?),
        None => None,
    };
    let candidate = options.lease_namespace.map(|namespace| Candidate {
        namespace,
        identity: options.identity.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
    });
    let work = controller::run(
        HubOptions { kubeconfig: options.kubeconfig, candidate, sources, trigger: trigger.clone() },
        metrics,
        ready,
        stop.clone(),
    );
    tokio::pin!(work);
    // It answers to the end.
    let _webhook = webhook;
    loop {
        tokio::select! {
            ended = &mut work => return ended.map(|()| Exit::Success).map_err(|error| run_failure(&error)),
            () = signals.received() => {
                if stop.is_cancelled() {
                    // Asked twice: what still hangs is left behind.
                    return Ok(Exit::Success);
                }
                stop.cancel();
            }
            () = hangups.received() => trigger.pull(),
        }
    }
}

async fn start_webhook(listen: SocketAddr, options: &Options) -> Result<Webhook, Failure> {
    let started = Webhook::start(listen, options.kubeconfig.as_deref(), &options.webhook_namespace).await;
    let webhook = started.map_err(|error| match &error {
        WebhookStartError::Listen(error) => Failure::new(error.to_string())
            .hint("choose another address or port with --webhook, or port 0 for any free one"),
        WebhookStartError::Hub(error) => hub_failure(error),
        WebhookStartError::Tls(message) => Failure::new(message),
    })?;
    tracing::info!(address = %webhook.address(), "serving the admission webhook");
    if listen.port() == 0 {
        output::line(&format!("webhook on {}", webhook.address()))?;
    }
    Ok(webhook)
}

/// The words for a hub that cannot run.
pub(crate) fn run_failure(error: &RunError) -> Failure {
    match error {
        RunError::Hub(error) => hub_failure(error),
        RunError::Lease { .. } => Failure::new(error.to_string()).hint(
            "the namespace must exist, and the hub must be allowed to get, create and patch Leases in it",
        ),
        RunError::LeaseLost { .. } => {
            Failure::new(error.to_string()).hint("start it again: it waits until the Lease is free")
        }
    }
}

fn listen_failure(error: &ListenError) -> Failure {
    Failure::new(error.to_string())
        .hint("choose another address or port with --listen, or port 0 for any free one")
}
