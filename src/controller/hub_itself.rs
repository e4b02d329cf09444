//! A cluster that is the hub itself: whether the hub's own operator would take away what a policy installs there.
//!
//! Takes the subject of an evaluation and what its templates looked up; gives a fault, or what must be watched first. Asks for
//! nothing unless the cluster is the hub and its policy wants Velero in the namespace that the operator claims.

use std::collections::BTreeSet;

use super::evaluate::{Subject, config_map_data};
use crate::api::object::GroupVersionKind;
use crate::pipeline::config;
use crate::pipeline::render::lookup::{Answer, Reference};
use crate::pipeline::sets;
use crate::protection::hub_target::{HUB_BACKUP_NAMESPACE, multi_cluster_hub, multi_cluster_hub_conflict};

/// What the hub's operator would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnBackup {
    /// Nothing that concerns the policy.
    Harmless,
    /// It must be looked at first.
    NotYetKnown,
    /// It would undo the policy, or nobody can say that it would not; a sentence for the status.
    Conflict(String),
}

impl OwnBackup {
    /// Why nothing may be planned.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Harmless | Self::NotYetKnown => None,
            Self::Conflict(sentence) => Some(sentence.clone()),
        }
    }
}

/// Looks at the hub's operator, where that matters, and answers with what was asked for. `read` is what the templates looked up.
pub(super) fn own_backup(
    subject: &Subject<'_>,
    read: &BTreeSet<Reference>,
) -> (OwnBackup, Option<Reference>) {
    if !subject.cluster.is_hub_itself() || !wants_claimed_namespace(subject, read) {
        return (OwnBackup::Harmless, None);
    }
    let gvk = multi_cluster_hub();
    let asked = Reference { gvk: gvk.clone(), namespace: None, name: None };
    let cluster = &subject.cluster.metadata.name;
    let found = match subject.hub.list(&gvk, None) {
        Answer::Found(hubs) => {
            let conflict = multi_cluster_hub_conflict(HUB_BACKUP_NAMESPACE, hubs.iter().map(AsRef::as_ref));
            conflict.map_or(OwnBackup::Harmless, |conflict| {
                OwnBackup::Conflict(format!(
                    "cluster {cluster} is the hub itself, and nothing is changed there: {conflict}"
                ))
            })
        }
        // A hub without Advanced Cluster Management.
        Answer::NotFound | Answer::KindNotInstalled => OwnBackup::Harmless,
        Answer::NotYetKnown => OwnBackup::NotYetKnown,
        Answer::Denied(reason) => OwnBackup::Conflict(format!(
            "cluster {cluster} is the hub itself, and nothing is changed there: backupNS is {HUB_BACKUP_NAMESPACE:?}, and \
             whether MultiClusterHub empties that namespace cannot be read: {reason}"
        )),
    };
    (found, Some(asked))
}

/// Whether a ConfigMap that the templates read puts Velero where the hub's operator has its own.
fn wants_claimed_namespace(subject: &Subject<'_>, read: &BTreeSet<Reference>) -> bool {
    let namespace = &subject.policy.metadata.namespace;
    [config::CONFIG_MAP_NAME, sets::ACCEPTED_NAME].into_iter().any(|name| {
        let reference = Reference {
            gvk: GroupVersionKind::new("v1", "ConfigMap"),
            namespace: Some(namespace.clone()),
            name: Some(name.to_owned()),
        };
        if !read.contains(&reference) {
            return false;
        }
        match subject.hub.get(&reference.gvk, Some(namespace), name) {
            Answer::Found(config_map) => {
                let data = config::with_aliases(&config_map_data(config_map.at(&["data"])));
                data.get("backupNS").is_some_and(|wanted| wanted.trim() == HUB_BACKUP_NAMESPACE)
            }
            // What comes of that, the gate of the configuration says.
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::adapters::source::ObjectLookup;
    use crate::api::object::Manifest;
    use crate::api::ocm::cluster::ManagedCluster;
    use crate::api::ocm::policy::Policy;
    use crate::pipeline::plan::inventory::Inventory;
    use crate::pipeline::plan::target::ClusterFacts;
    use crate::pipeline::render::Ambient;
    use crate::pipeline::render::lookup::Lookup;

    /// A hub that answers for MultiClusterHub as it is told.
    struct Hub {
        objects: ObjectLookup,
        hubs: Answer<Vec<Arc<Manifest>>>,
    }

    impl Lookup for Hub {
        fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
            self.objects.get(gvk, namespace, name)
        }

        fn list(&self, gvk: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
            assert_eq!(*gvk, multi_cluster_hub());
            self.hubs.clone()
        }

        fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
            Some(true)
        }
    }

    fn config_map(name: &str) -> Reference {
        Reference {
            gvk: GroupVersionKind::new("v1", "ConfigMap"),
            namespace: Some("ns".to_owned()),
            name: Some(name.to_owned()),
        }
    }

    fn multi_cluster_hubs(enabled: bool) -> Answer<Vec<Arc<Manifest>>> {
        let hub = json!({"apiVersion": "operator.open-cluster-management.io/v1", "kind": "MultiClusterHub",
            "metadata": {"name": "multiclusterhub", "namespace": "open-cluster-management"},
            "spec": {"overrides": {"components": [{"name": "cluster-backup", "enabled": enabled}]}}});
        Answer::Found(vec![Arc::new(Manifest::parse(hub).unwrap())])
    }

    /// What comes of a cluster with this metadata and of a ConfigMap of this name with this `backupNS`.
    fn look(
        cluster: &Value,
        name: &str,
        backup_namespace: &str,
        hubs: Answer<Vec<Arc<Manifest>>>,
    ) -> (OwnBackup, bool) {
        let objects = ObjectLookup::new([Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "ns"}, "data": {"backupNS": backup_namespace}}))
        .unwrap()]);
        let hub: Arc<dyn Lookup> = Arc::new(Hub { objects, hubs });
        let policy: Policy =
            serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "ns"}})).unwrap();
        let cluster: ManagedCluster = serde_json::from_value(json!({"metadata": cluster})).unwrap();
        let (facts, inventory) = (ClusterFacts::default(), Inventory::default());
        let subject = Subject {
            policy: &policy,
            cluster: &cluster,
            facts: &facts,
            enforced_by_binding: false,
            hub: hub.clone(),
            observed: hub,
            inventory: &inventory,
            unreachable: None,
            compliance: &|_, _| None,
            policies_of_set: &|_, _| None,
            hub_as: None,
            vector: None,
            ambient: Ambient::default(),
        };
        let read = BTreeSet::from([config_map(name)]);
        let (found, asked) = own_backup(&subject, &read);
        (found, asked.is_some())
    }

    #[test]
    fn only_the_hub_itself_with_the_claimed_namespace_is_asked_about() {
        const CLAIMED: &str = "open-cluster-management-backup";
        let named = json!({"name": "local-cluster"});
        let labelled = json!({"name": "hub-1", "labels": {"local-cluster": "true"}});
        for (cluster, namespace, asked) in [
            (named.clone(), CLAIMED, true),
            (labelled, CLAIMED, true),
            (json!({"name": "hub-1", "labels": {"local-cluster": "false"}}), CLAIMED, false),
            (json!({"name": "c1"}), CLAIMED, false),
            (named.clone(), "acm-app-backup", false),
        ] {
            let (found, was_asked) =
                look(&cluster, "hdr-app-configmap", namespace, multi_cluster_hubs(false));
            assert_eq!((found.fault().is_some(), was_asked), (asked, asked), "{cluster} {namespace}");
        }
        let (found, _) = look(&named, "hdr-app-configmap-accepted", CLAIMED, multi_cluster_hubs(false));
        let said = found.fault().unwrap();
        assert!(
            said.starts_with(
                "cluster local-cluster is the hub itself, and nothing is changed there: backupNS is "
            ) && said.contains("enable cluster-backup"),
            "{said}"
        );
    }

    #[test]
    fn what_the_hub_answers_decides() {
        let cluster = json!({"name": "local-cluster"});
        let look = |hubs| look(&cluster, "hdr-app-configmap", HUB_BACKUP_NAMESPACE, hubs).0;
        assert_eq!(look(multi_cluster_hubs(true)), OwnBackup::Harmless);
        assert_eq!(look(Answer::Found(Vec::new())), OwnBackup::Harmless);
        assert_eq!(look(Answer::KindNotInstalled), OwnBackup::Harmless);
        assert_eq!(look(Answer::NotYetKnown), OwnBackup::NotYetKnown);
        let denied = look(Answer::Denied("multiclusterhubs is forbidden".to_owned())).fault().unwrap();
        assert!(denied.ends_with("cannot be read: multiclusterhubs is forbidden"), "{denied}");
    }
}
