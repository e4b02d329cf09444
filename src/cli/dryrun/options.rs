//! The options of `flotilla dryrun`: those of Open Cluster Management's own command, and ours behind them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::values;

const EXAMPLES: &str = "\
Examples:
  flotilla dryrun -p policy.yaml objects.yaml
  kubectl get pods -A -o yaml | flotilla dryrun -p policy.yaml -
  flotilla dryrun -p policy.yaml --desired-status expected.yaml --no-colors objects/
  flotilla dryrun -n flotilla-policies -p policies/oadp-hdr-app-backup.yaml --all \\
    --cluster c1 --hub-input configmaps/demo.yaml
  flotilla dryrun -p policy.yaml --from-cluster

The inputs are the objects of an imagined cluster: it has no defaults and no admission, its namespaces need not exist, and an
object without a namespace stands in `default`. Policies are always tried as if they informed only.

Exit codes: 0 compliant, 1 not compliant, or it could not be tried (stderr says `Error: unable to ...`), 2 wrong usage.";

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Differences and messages, as policytools prints them.
    Text,
    /// A list of policies with messages, differences and status.
    Json,
}

/// Try policies on files: differences and compliance messages, without a hub and without a cluster
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the known command")]
pub(crate) struct Options {
    /// Files and directories (one level) with the cluster's objects; `-` is standard input
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// ConfigurationPolicy to try, or a Policy, whose first one is taken; may be given several times
    #[arg(short, long = "policy", value_name = "FILE", required = true)]
    pub(super) policies: Vec<PathBuf>,
    /// Print what would change
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pub(super) print_diffs: bool,
    /// Print without colours
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pub(super) no_colors: bool,
    /// Print differences in full, however long they are
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pub(super) full_diffs: bool,
    /// Print values of Secrets too, where the policy wants the difference recorded (`recordDiff: InStatus`)
    #[arg(long)]
    pub(super) show_secrets: bool,
    /// Status to hold against the one that comes out; what it does not name may be anything
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(super) desired_status: Option<PathBuf>,
    /// Write the status of the policy there
    #[arg(long, value_name = "FILE")]
    pub(super) status_path: Option<PathBuf>,
    /// Write the compliance messages there, one a line, instead of printing them
    #[arg(long, value_name = "FILE")]
    pub(super) messages_path: Option<PathBuf>,
    /// Kinds that the cluster serves, instead of the built-in set
    #[arg(long, value_name = "FILE", env = "DRYRUN_MAPPINGS_FILE")]
    pub(super) mappings_file: Option<PathBuf>,
    /// Look at the cluster of the current kubeconfig instead of files; writes are dry runs there
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, env = "DRYRUN_FROM_CLUSTER")]
    pub(super) from_cluster: bool,
    /// Kubeconfig for --from-cluster. Default: KUBECONFIG, ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Write there what was looked up and compared
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// Carry out the hub's templates for this cluster
    #[arg(long, value_name = "NAME", value_parser = values::cluster_name)]
    pub(super) cluster: Option<String>,
    /// Namespace on the hub of Policies, and of the hub's objects, that name none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    pub(super) namespace: String,
    /// A label of the cluster; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    pub(super) labels: Vec<(String, String)>,
    /// Claims of the cluster: a mapping of names to texts, ClusterClaims, or its ManagedCluster
    #[arg(long, value_name = "FILE")]
    pub(super) claims: Option<PathBuf>,
    /// Objects of the hub, for its templates; may be given several times
    #[arg(long = "hub-input", value_name = "PATH")]
    pub(super) hub_inputs: Vec<PathBuf>,
    /// Every ConfigurationPolicy of a Policy, not only the first
    #[arg(long)]
    pub(super) all: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub(super) output: Form,
}
