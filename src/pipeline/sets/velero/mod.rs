//! What `velero install` would write, from the specification that OADP reads: the Deployment of the server and the `DaemonSet` of
//! the node agent, for the templates of `installMode: velero`.
//!
//! Takes a version, the specification and two names; gives the parameters `velero` of the templates. Must not touch: clients,
//! credentials. What the specification may not ask for in this mode was refused by the configuration.

mod defaults;
mod node_agent;
mod part;
mod pods;
mod server;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use self::part::Part;
use crate::pipeline::config::types::VeleroVersion;
use crate::pipeline::velero::{Release, role_binding_name};

/// What an installation follows from.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// `veleroVersion`.
    pub(super) version: VeleroVersion,
    /// Its release.
    pub(super) release: Release,
    /// `dpaSpec`.
    pub(super) specification: &'a Value,
    /// `backupNS`.
    pub(super) namespace: &'a str,
    /// `dpaBackupCloudCredentialsName`: the Secret with the credentials file.
    pub(super) credentials: &'a str,
}

impl<'a> Wanted<'a> {
    fn specification(&self) -> Part<'a> {
        Part(Some(self.specification))
    }

    /// The image of the server and of the node agent.
    fn image(&self) -> String {
        let other = self.specification().at(&["unsupportedOverrides", "veleroImageFqin"]).text();
        other.map_or_else(|| format!("velero/velero:v{}", self.version), ToOwned::to_owned)
    }

    /// As `velero install` chooses it: only a tag other than `latest` is taken for one that does not move.
    fn pull_policy(&self, image: &str) -> String {
        if let Some(policy) = self.specification().at(&["imagePullPolicy"]).text() {
            return policy.to_owned();
        }
        let parts: Vec<&str> = image.split(':').collect();
        let pinned = parts.len() == 2 && parts.get(1) != Some(&"latest");
        if pinned { "IfNotPresent" } else { "Always" }.to_owned()
    }

    /// `--features` of both: what the specification names, and what its plugin `csi` stands for since Velero has it built in.
    fn features(&self) -> String {
        let velero = self.specification().at(&["configuration", "velero"]);
        let mut features = velero.at(&["featureFlags"]).texts();
        if velero.at(&["defaultPlugins"]).texts().contains(&"csi") && !features.contains(&"EnableCSI") {
            features.push("EnableCSI");
        }
        format!("--features={}", features.join(","))
    }
}

/// The parameters `velero`: the specs of the two workloads, what the API server fills in included.
pub(super) fn parameters(wanted: &Wanted<'_>) -> Value {
    let node_agent = wanted.specification().at(&["configuration", "nodeAgent", "enable"]).is_true();
    json!({
        "version": wanted.version.to_string(),
        "roleBinding": role_binding_name(wanted.namespace),
        "server": defaults::deployment(server::spec(wanted)),
        "nodeAgent": if node_agent { defaults::daemon_set(node_agent::spec(wanted)) } else { Value::Null },
    })
}
