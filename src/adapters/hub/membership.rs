//! A managed cluster joins the hub and leaves it: its ManagedCluster, its namespace and the Secret with its kubeconfig.
//!
//! Both ways can be repeated: what is as it should be is left alone.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::credentials::{CLUSTER_LABEL, SECRET_NAME};
use super::{HubKind, MANAGED_BY, MANAGED_BY_LABEL};
use crate::adapters::api_server::{ApiError, Connection, Mode};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::names;
use crate::pipeline::placement::scope::DEFAULT_SET;

/// How often a write is tried again on fresh state.
const ATTEMPTS: usize = 5;

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

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `managedcluster/c1`.
    pub object: String,
    /// What was done.
    pub done: Done,
}

/// What was done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was created.
    Created,
    /// It was changed.
    Configured,
    /// It was as it should be.
    Unchanged,
    /// It was deleted.
    Deleted,
    /// It was not there.
    Absent,
}

impl Done {
    /// The word that kubectl uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Absent => "not found",
        }
    }
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
        put(hub, &namespace_key(name), &namespace).await?,
        put(hub, &secret_key(name), &secret).await?,
        put(hub, &cluster, &accepted).await?,
    ])
}

/// Creates the object with these fields, or merges them into what is there.
async fn put(hub: &Connection, key: &ObjectKey, fields: &Value) -> Result<Change, ApiError> {
    let object = format!("{}/{}", key.gvk.kind.to_lowercase(), key.name);
    let change = |done| Ok(Change { object: object.clone(), done });
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let written = match hub.get(key).await? {
            None => hub.create(&whole(key, fields)?, Mode::Real).await.map(|_| Done::Created),
            Some(existing) if covers(&existing.to_value(), fields) => return change(Done::Unchanged),
            Some(existing) => {
                let mut patch = fields.clone();
                patch["metadata"]["resourceVersion"] = json!(existing.resource_version());
                hub.merge(key, &patch, Mode::Real).await.map(|_| Done::Configured)
            }
        };
        match written {
            Ok(done) => return change(done),
            // Somebody else, upstream's controllers for instance, was faster: look again.
            Err(error @ (ApiError::AlreadyExists { .. } | ApiError::Conflict { .. })) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(ApiError::Conflict { message: format!("{object} changes all the time") }))
}

fn whole(key: &ObjectKey, fields: &Value) -> Result<Manifest, ApiError> {
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), json!(key.gvk.api_version()));
    object.insert("kind".to_owned(), json!(key.gvk.kind));
    object.extend(fields.as_object().cloned().unwrap_or_default());
    let manifest = Manifest::parse(Value::Object(object))
        .map_err(|error| ApiError::Invalid { message: error.to_string() })?;
    Ok(manifest.with_name(&key.name).with_namespace(key.namespace.as_deref()))
}

fn covers(existing: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => {
            fields.iter().all(|(field, value)| covers(existing.get(field).unwrap_or(&Value::Null), value))
        }
        other => existing == other,
    }
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
    let mut changes = vec![remove(hub, &named(HubKind::ManagedCluster.gvk(), None, name)).await?];
    changes.push(remove(hub, &secret_key(name)).await?);
    for replica in own_replicas(hub, name).await? {
        if let Some(key) = replica.key() {
            changes.push(remove(hub, &key).await?);
        }
    }
    if namespace == NamespaceFate::Delete {
        changes.push(remove(hub, &namespace_key(name)).await?);
    }
    Ok(changes)
}

async fn remove(hub: &Connection, key: &ObjectKey) -> Result<Change, ApiError> {
    let object = format!("{}/{}", key.gvk.kind.to_lowercase(), key.name);
    let done = match hub.get(key).await? {
        None => Done::Absent,
        Some(existing) => {
            hub.delete(key, existing.uid()).await?;
            Done::Deleted
        }
    };
    Ok(Change { object, done })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_is_covered() {
        let existing =
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"hubAcceptsClient": true}});
        assert!(covers(
            &existing,
            &json!({"metadata": {"labels": {"a": "1"}}, "spec": {"hubAcceptsClient": true}})
        ));
        assert!(!covers(&existing, &json!({"metadata": {"labels": {"a": "2"}}})));
        assert!(!covers(&existing, &json!({"data": {"kubeconfig": "x"}})));
    }

    #[test]
    fn an_object_has_its_identity() {
        let secret =
            whole(&secret_key("c1"), &json!({"metadata": {"labels": {"l": "v"}}, "data": {}})).unwrap();
        assert_eq!(secret.key(), Some(secret_key("c1")));
        assert_eq!(secret.label("l"), Some("v"));
    }
}
