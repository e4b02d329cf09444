//! A managed cluster joins the hub and leaves it: its ManagedCluster, its namespace and the Secret with its kubeconfig.
//!
//! Both ways can be repeated: what is as it should be is left alone.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::credentials::{CLUSTER_LABEL, SECRET_NAME};
use super::{HubKind, MANAGED_BY, MANAGED_BY_LABEL};
use crate::adapters::api_server::put::Change;
use crate::adapters::api_server::{ApiError, Connection};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::names;
use crate::pipeline::placement::scope::DEFAULT_SET;

/// A cluster that joins.
#[derive(Debug)]
pub struct Member {
    /// Its name, on the hub also the name of its namespace.
    pub name: String,
    /// Labels of its ManagedCluster.
    pub labels: BTreeMap<String, String>,
    /// A self-contained kubeconfig.
    pub kubeconfig: SecretString,
}

fn named(gvk: GroupVersionKind, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey { gvk, namespace: namespace.map(ToOwned::to_owned), name: name.to_owned() }
}

fn namespace_key(name: &str) -> ObjectKey {
    named(GroupVersionKind::new("v1", "Namespace"), None, name)
}

/// The Secret that [`join`] writes.
pub fn secret_key(cluster: &str) -> ObjectKey {
    named(GroupVersionKind::new("v1", "Secret"), Some(cluster), SECRET_NAME)
}

/// Makes the ManagedCluster, its namespace and its Secret what they should be.
pub async fn join(hub: &Connection, member: &Member) -> Result<Vec<Change>, ApiError> {
    let name = &member.name;
    let mut labels = json!(member.labels);
    let cluster = named(HubKind::ManagedCluster.gvk(), None, name);
    // Upstream's admission puts a cluster without a set into `default`; not every hub has that admission.
    let is_new = hub.get(&cluster).await?.is_none();
    if is_new && !member.labels.contains_key(names::CLUSTER_SET_LABEL) {
        labels[names::CLUSTER_SET_LABEL] = json!(DEFAULT_SET);
    }
    let accepted = json!({"metadata": {"labels": labels}, "spec": {"hubAcceptsClient": true}});
    let namespace =
        json!({"metadata": {"labels": {"cluster.open-cluster-management.io/managedCluster": name}}});
    let secret = json!({
        "metadata": {"labels": {CLUSTER_LABEL: name, MANAGED_BY_LABEL: MANAGED_BY}},
        "data": {"kubeconfig": STANDARD.encode(member.kubeconfig.expose_secret())},
    });
    // The ManagedCluster comes last: a running hub finds the credentials in place when it hears of the cluster.
    Ok(vec![
        hub.put(&namespace_key(name), &namespace).await?,
        hub.put(&secret_key(name), &secret).await?,
        hub.put(&cluster, &accepted).await?,
    ])
}

/// What goes when a cluster leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceFate {
    /// The namespace stays.
    Keep,
    /// It goes, with all that is in it.
    Delete,
}

/// The replicated policies that Flotilla keeps for a cluster.
pub async fn own_replicas(hub: &Connection, cluster: &str) -> Result<Vec<Manifest>, ApiError> {
    let replicas = hub.list(&HubKind::Policy.gvk(), Some(cluster)).await?;
    Ok(replicas
        .into_iter()
        .filter(|replica| {
            replica.label(names::ROOT_POLICY_LABEL).is_some()
                && replica.annotation(names::INVENTORY_ANNOTATION).is_some()
        })
        .collect())
}

/// Takes a cluster off the hub. Nothing is done on the cluster itself.
///
/// The ManagedCluster goes first: a running hub lets go of the cluster then, and does not mistake what follows for a
/// cluster that lost its credentials.
pub async fn leave(hub: &Connection, name: &str, namespace: NamespaceFate) -> Result<Vec<Change>, ApiError> {
    let mut changes = vec![hub.remove(&named(HubKind::ManagedCluster.gvk(), None, name)).await?];
    changes.push(hub.remove(&secret_key(name)).await?);
    for replica in own_replicas(hub, name).await? {
        if let Some(key) = replica.key() {
            changes.push(hub.remove(&key).await?);
        }
    }
    if namespace == NamespaceFate::Delete {
        changes.push(hub.remove(&namespace_key(name)).await?);
    }
    Ok(changes)
}
