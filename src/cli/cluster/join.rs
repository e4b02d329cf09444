//! `flotilla cluster join`: the hub's account on the cluster, and on the hub the ManagedCluster, its namespace and the Secret
//! with the account's kubeconfig, in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::account::{self, Rights};
use crate::adapters::api_server::put::Change;
use crate::adapters::api_server::{ApiError, Connection};
use crate::adapters::cluster::access::{self, AccessError};
use crate::adapters::hub::membership::{self, Member};
use crate::adapters::source::kubeconfig::{FlattenError, Flattened, flatten, flatten_with_token};
use crate::api::object::GroupVersionKind;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::hub_access::{api_failure, connect, deaf};
use crate::cli::{output, values};
use crate::pipeline::config::CONFIG_MAP_NAME;

/// The key of the ConfigMap that names the namespace of Velero.
const VELERO_NAMESPACE_KEY: &str = "backupNS";

const EXAMPLES: &str = "\
Examples:
  flotilla cluster join c1 --kubeconfig c1.kubeconfig
  flotilla cluster join c1 --kubeconfig ~/.kube/config --context c1 --label acm-pv-dr=backup
  flotilla cluster join c1 --kubeconfig c1.kubeconfig --velero-namespace openshift-adp
  flotilla cluster join c1 --kubeconfig c1.kubeconfig --install-velero
  flotilla cluster join c1 --kubeconfig account.kubeconfig --as-given

Your own credentials are used once: to make the account flotilla-access/flotilla-hub on the cluster, with the rights that
Flotilla's policies need. The kubeconfig of that account is stored in Secret c1/flotilla-kubeconfig on the hub.
Joining again updates what has changed.";

/// Join a cluster to the hub
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Name of the cluster, on the hub also the name of its namespace
    #[arg(value_parser = values::cluster_name)]
    name: String,
    /// Kubeconfig of the cluster that joins, of a user who may give rights there
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
    /// Namespace on the cluster in which Velero is or will be; the hub may read and write Secrets there. May be given again.
    /// Default: backupNS of every ConfigMap hdr-app-configmap on the hub
    #[arg(long = "velero-namespace", value_name = "NAME", value_parser = values::cluster_name, conflicts_with = "as_given")]
    velero_namespaces: Vec<String>,
    /// Let the hub install Velero itself, as `installMode: velero` asks: it may then bind cluster-admin, and is an administrator of
    /// the cluster
    #[arg(long, conflicts_with = "as_given")]
    install_velero: bool,
    /// Store the kubeconfig as it is and make nothing on the cluster: for an account that was made for Flotilla already
    #[arg(long)]
    as_given: bool,
    /// Join it even if it does not answer from here
    #[arg(long, requires = "as_given")]
    no_check: bool,
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    let name = &options.name;
    let hub = connect(options.hub_kubeconfig.as_deref()).await?;
    let flattened = if options.as_given { given(&options).await? } else { entered(&options, &hub).await? };
    if let Some(address) = loopback(&flattened.server) {
        output::note(&format!(
            "cluster {name} is reached at {address}, an address that only leads there from this machine"
        ));
    }
    let member = Member {
        name: name.clone(),
        labels: options.labels.iter().cloned().collect::<BTreeMap<_, _>>(),
        kubeconfig: flattened.text,
    };
    let changes = membership::join(&hub, &member).await.map_err(|error| join_failure(name, &error))?;
    tell(&changes)?;
    Ok(Exit::Success)
}

/// The person's own kubeconfig, for the hub to use.
async fn given(options: &Options) -> Result<Flattened, Failure> {
    let flattened =
        flatten(&options.kubeconfig, options.context.as_deref()).map_err(|error| flatten_failure(&error))?;
    let connection = Connection::from_secret(&flattened.text, deaf()).await.map_err(|error| {
        Failure::new(error.to_string()).hint(format!("it was read from {}", options.kubeconfig.display()))
    })?;
    if !options.no_check {
        connection.probe().await.map_err(|error| {
            join_failure(&options.name, &error)
                .hint("with --no-check the cluster joins although it does not answer from here")
        })?;
    }
    Ok(flattened)
}

/// The kubeconfig of an account that is made on the cluster with the person's credentials.
async fn entered(options: &Options, hub: &Connection) -> Result<Flattened, Failure> {
    let (path, context) = (&options.kubeconfig, options.context.as_deref());
    let connection = Connection::from_context(path, context, deaf()).await.map_err(|error| {
        Failure::new(error.to_string()).hint(format!("it was read from {}", path.display()))
    })?;
    connection.probe().await.map_err(|error| join_failure(&options.name, &error))?;
    let namespaces = if options.velero_namespaces.is_empty() {
        configured_namespaces(hub).await.map_err(|error| join_failure(&options.name, &error))?
    } else {
        options.velero_namespaces.iter().cloned().collect()
    };
    if namespaces.is_empty() {
        output::note(&format!(
            "no ConfigMap {CONFIG_MAP_NAME} on the hub says where Velero will be, so the hub may not write there yet: join \
             again once there is one, or with --velero-namespace"
        ));
    }
    let rights = if options.install_velero { Rights::Install } else { Rights::Configure };
    let changes = access::grant(&connection, &account::objects(&namespaces, rights)?)
        .await
        .map_err(|error| access_failure(&options.name, &error))?;
    output::line(&format!("on cluster {}:", options.name))?;
    tell(&changes)?;
    output::line("on the hub:")?;
    let token = access::token(&connection).await.map_err(|error| access_failure(&options.name, &error))?;
    flatten_with_token(path, context, &token).map_err(|error| flatten_failure(&error))
}

/// The namespaces of Velero that the ConfigMaps on the hub name.
async fn configured_namespaces(hub: &Connection) -> Result<BTreeSet<String>, ApiError> {
    let found = hub.namesakes(&GroupVersionKind::new("v1", "ConfigMap"), CONFIG_MAP_NAME).await?;
    let named = found.iter().filter_map(|config_map| config_map.text_at(&["data", VELERO_NAMESPACE_KEY]));
    // What cannot be the name of a namespace is the ConfigMap's mistake, and told where it is checked.
    Ok(named.filter_map(|name| values::cluster_name(name.trim()).ok()).collect())
}

fn tell(changes: &[Change]) -> Result<(), Failure> {
    for change in changes {
        output::line(&format!("{} {}", change.object, change.done.as_str()))?;
    }
    Ok(())
}

fn join_failure(name: &str, error: &ApiError) -> Failure {
    api_failure(&format!("failed to join cluster {name}"), error)
}

fn access_failure(name: &str, error: &AccessError) -> Failure {
    let failure = Failure::new(format!("failed to join cluster {name}: {error}"));
    match error {
        AccessError::Write { source: ApiError::Forbidden { .. }, .. } => failure
            .hint("joining gives the hub rights on the cluster: take the kubeconfig of an administrator of it")
            .hint(
                "or have an administrator apply kustomize/managed-cluster there, and join with --as-given and the \
                 kubeconfig of that account",
            ),
        AccessError::NoToken => failure
            .hint("is kube-controller-manager running on the cluster? It fills in tokens of service accounts")
            .hint("with --as-given and a kubeconfig of your own making the cluster joins without it"),
        AccessError::Write { .. } | AccessError::Read { .. } | AccessError::NotText => failure,
    }
}

fn flatten_failure(error: &FlattenError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        FlattenError::Plugin { .. } => failure
            .hint("without --as-given, Flotilla logs in once from here and makes an account of its own on the cluster"),
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

/// Host and port of a server on this machine, without the user and password that its URL may carry.
fn loopback(server: &str) -> Option<String> {
    let uri: http::Uri = server.parse().ok()?;
    let host = uri.host()?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    is_here.then(|| uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_told_without_a_password() {
        for (server, expected) in [
            ("https://127.0.0.1:6443", Some("127.0.0.1:6443")),
            ("https://localhost", Some("localhost")),
            ("https://[::1]:6443/path", Some("[::1]:6443")),
            ("http://user:password@127.0.0.1:80/clusters/c1", Some("127.0.0.1:80")),
            ("https://10.0.0.1:6443", None),
            ("https://c1.example.org", None),
        ] {
            assert_eq!(loopback(server).as_deref(), expected, "{server}");
        }
    }
}
