//! The hub's objects, typed and indexed: what is placed where, and what a change of one object touches.
//!
//! Takes objects one at a time; gives [`Effects`]. Holds no client and reads no clock. A change of one cluster costs one
//! judgement per Placement, never a walk over the fleet (Placements with `numberOfClusters` excepted).

mod placing;
mod unusable;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use self::placing::{AddOnScores, Selection};
pub use self::unusable::Unusable;
use super::inbox::Portion;
use crate::adapters::hub::HubKind;
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::cluster::{ManagedCluster, ManagedClusterSet, ManagedClusterSetBinding};
use crate::api::ocm::placement::Placement;
use crate::api::ocm::policy::{PlacementBinding, PlacementStatusEntry, Policy, PolicySet, RemainingBinding};
use crate::api::ocm::{self, ParseError, names};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::{
    Bound, Placed, bindings_of, excluding, placed, placement_status, remaining,
};

/// Namespace and name.
pub type Name = (String, String);

/// Which policies of a cluster are concerned.
pub type Policies = Portion<PolicyKey>;

/// What a change touches.
#[derive(Debug, Default)]
pub struct Effects {
    /// Evaluations by cluster.
    pub evaluate: BTreeMap<String, Policies>,
    /// Placements whose decisions and status must be written.
    pub placements: BTreeSet<Name>,
    /// Root policies whose status must be written.
    pub policies: BTreeSet<PolicyKey>,
    /// Policy sets whose status must be written.
    pub policy_sets: BTreeSet<Name>,
    /// Replicated policies that changed, by cluster: an evaluation, unless the worker wrote them itself.
    pub replicas: BTreeMap<String, BTreeSet<PolicyKey>>,
    /// Root policies that are gone or whose bindings changed: clusters that still have a replicated policy look at it again, selected or not.
    pub rebound: BTreeSet<PolicyKey>,
    /// Objects that do not count as they stand: malformed, or changed by hand where the hub renders.
    pub malformed: Vec<(ObjectKey, Unusable)>,
    /// When a toleration runs out.
    pub requeue_at: Option<Timestamp>,
}

impl Effects {
    /// Adds one evaluation.
    fn evaluate_one(&mut self, cluster: &str, policy: PolicyKey) {
        self.evaluate.entry(cluster.to_owned()).or_default().add(policy);
    }

    /// Joins another change's effects.
    pub fn join(&mut self, other: Self) {
        for (cluster, policies) in other.evaluate {
            self.evaluate.entry(cluster).or_default().join(policies);
        }
        for (cluster, policies) in other.replicas {
            self.replicas.entry(cluster).or_default().extend(policies);
        }
        self.placements.extend(other.placements);
        self.policies.extend(other.policies);
        self.policy_sets.extend(other.policy_sets);
        self.rebound.extend(other.rebound);
        self.malformed.extend(other.malformed);
        self.requeue_at = [self.requeue_at, other.requeue_at].into_iter().flatten().min();
    }
}

/// The hub's objects.
#[derive(Debug, Default)]
pub struct Fleet {
    clusters: BTreeMap<String, Arc<ManagedCluster>>,
    sets: BTreeMap<String, Arc<ManagedClusterSet>>,
    set_bindings: BTreeMap<Name, Arc<ManagedClusterSetBinding>>,
    placements: BTreeMap<Name, Arc<Placement>>,
    foreign_decisions: BTreeMap<Name, BTreeMap<String, BTreeSet<String>>>,
    own_decisions: BTreeMap<Name, BTreeMap<String, BTreeSet<String>>>,
    placement_bindings: BTreeMap<Name, Arc<PlacementBinding>>,
    policies: BTreeMap<PolicyKey, Arc<Policy>>,
    /// Policies that are gone, as they last stood, with the clusters that they have not left yet.
    departed: BTreeMap<PolicyKey, (Arc<Policy>, BTreeSet<String>)>,
    policy_sets: BTreeMap<Name, Arc<PolicySet>>,
    selections: BTreeMap<Name, Selection>,
    scores: AddOnScores,
    bound: BTreeMap<PolicyKey, Vec<Bound>>,
    /// Objects that do not count as they stand. Where an earlier version did, that one still counts.
    unusable: BTreeMap<(HubKind, Name), Unusable>,
}

/// One policy on one cluster, as the bindings have it.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The root policy.
    pub policy: Arc<Policy>,
    /// Whether it is placed, and how.
    pub placed: Placed,
}

impl Fleet {
    /// Takes in an object, or its disappearance (`manifest` is `None`).
    pub fn apply(
        &mut self,
        kind: HubKind,
        key: &ObjectKey,
        manifest: Option<&Manifest>,
        now: Timestamp,
    ) -> Effects {
        let name = (key.namespace.clone().unwrap_or_default(), key.name.clone());
        let applied = match unusable::edited(manifest) {
            Some(edited) => Err(edited),
            None => self.take_in(kind, key, manifest, now).map_err(Unusable::from),
        };
        match applied {
            Ok(mut effects) => {
                if self.unusable.remove(&(kind, name)).is_some() {
                    // What was held because of it is looked at again.
                    for cluster in self.clusters.keys() {
                        effects.evaluate.insert(cluster.clone(), Policies::All);
                    }
                }
                effects
            }
            Err(fault) => {
                let told = self.unusable.insert((kind, name), fault.clone());
                let news = told.as_ref() != Some(&fault);
                let malformed = if news { vec![(key.clone(), fault)] } else { Vec::new() };
                Effects { malformed, ..Effects::default() }
            }
        }
    }

    fn take_in(
        &mut self,
        kind: HubKind,
        key: &ObjectKey,
        manifest: Option<&Manifest>,
        now: Timestamp,
    ) -> Result<Effects, ParseError> {
        let name = (key.namespace.clone().unwrap_or_default(), key.name.clone());
        match kind {
            HubKind::ManagedCluster => read(manifest).map(|cluster: Option<Arc<ManagedCluster>>| {
                self.cluster_changed(&key.name, cluster.as_ref(), now)
            }),
            HubKind::ManagedClusterSet => read(manifest).map(|set: Option<Arc<ManagedClusterSet>>| {
                replace(&mut self.sets, key.name.clone(), set);
                let placements: Vec<Name> = self.placements.keys().cloned().collect();
                self.decide_anew(placements, now)
            }),
            HubKind::ManagedClusterSetBinding => {
                read(manifest).map(|binding: Option<Arc<ManagedClusterSetBinding>>| {
                    replace(&mut self.set_bindings, name.clone(), binding);
                    let placements = self
                        .placements
                        .keys()
                        .filter(|(namespace, _)| *namespace == name.0)
                        .cloned()
                        .collect();
                    self.decide_anew(placements, now)
                })
            }
            HubKind::Placement => read(manifest).map(|placement: Option<Arc<Placement>>| {
                let unchanged = match (&placement, self.placements.get(&name)) {
                    (Some(new), Some(old)) => {
                        new.spec == old.spec && new.metadata.annotations == old.metadata.annotations
                    }
                    _ => false,
                };
                replace(&mut self.placements, name.clone(), placement);
                if unchanged { Effects::default() } else { self.decide_anew(vec![name.clone()], now) }
            }),
            HubKind::AddOnPlacementScore => read(manifest).map(|score| self.score_changed(key, score, now)),
            HubKind::PlacementDecision => self.decision_changed(key, manifest, now),
            HubKind::PlacementBinding => read(manifest).map(|binding: Option<Arc<PlacementBinding>>| {
                replace(&mut self.placement_bindings, name.clone(), binding);
                self.rebind(&name.0)
            }),
            HubKind::PolicySet => read(manifest).map(|set: Option<Arc<PolicySet>>| {
                let unchanged = match (&set, self.policy_sets.get(&name)) {
                    (Some(new), Some(old)) => new.spec == old.spec,
                    _ => false,
                };
                replace(&mut self.policy_sets, name.clone(), set);
                let mut effects = if unchanged { Effects::default() } else { self.rebind(&name.0) };
                effects.policy_sets.insert(name.clone());
                effects
            }),
            HubKind::Policy => self.policy_changed(key, manifest),
        }
    }

    /// Why it cannot be said whether a policy that is not placed was taken away by a person: something that decides
    /// over it is missing or does not count as it stands.
    pub fn doubt(&self, policy: &PolicyKey) -> Option<String> {
        let name = (policy.namespace.clone(), policy.name.clone());
        let unusable = self.unusable.get(&(HubKind::Policy, name)).or_else(|| {
            let mut others = self.unusable.iter();
            let found = others.find(|((kind, name), _)| {
                matches!(kind, HubKind::PlacementBinding | HubKind::PolicySet) && name.0 == policy.namespace
            });
            found.map(|(_, fault)| fault)
        });
        if let Some(fault) = unusable {
            return Some(fault.doubt());
        }
        let bound = self.bound.get(policy).into_iter().flatten();
        let mut placements = bound.map(|bound| (policy.namespace.clone(), bound.placement.clone()));
        placements.find(|placement| !self.placements.contains_key(placement)).map(|placement| {
            match self.unusable.get(&(HubKind::Placement, placement.clone())) {
                Some(fault) => fault.doubt(),
                None => format!("Placement {}/{} does not exist", placement.0, placement.1),
            }
        })
    }

    /// The policies bound to a Placement are concerned on these clusters.
    fn membership_changed(&self, placement: &Name, clusters: impl Iterator<Item = String>) -> Effects {
        let mut effects = Effects::default();
        let bound: Vec<&PolicyKey> = self.bound_to(placement).collect();
        for cluster in clusters {
            for policy in &bound {
                effects.evaluate_one(&cluster, (*policy).clone());
            }
        }
        effects.policies.extend(bound.into_iter().cloned());
        effects.policy_sets.extend(self.sets_of_namespace(&placement.0));
        effects
    }

    fn bound_to<'a>(&'a self, placement: &'a Name) -> impl Iterator<Item = &'a PolicyKey> {
        self.bound
            .iter()
            .filter(|(policy, bound)| {
                policy.namespace == placement.0 && bound.iter().any(|bound| bound.placement == placement.1)
            })
            .map(|(policy, _)| policy)
    }

    fn sets_of_namespace(&self, namespace: &str) -> Vec<Name> {
        self.policy_sets.keys().filter(|(of, _)| of == namespace).cloned().collect()
    }

    /// Works out the bindings of every policy of a namespace.
    fn rebind(&mut self, namespace: &str) -> Effects {
        let keys: Vec<PolicyKey> =
            self.policies.keys().filter(|key| key.namespace == namespace).cloned().collect();
        let mut effects = Effects::default();
        for key in keys {
            effects.join(self.rebind_one(&key));
        }
        effects.policy_sets.extend(self.sets_of_namespace(namespace));
        effects
    }

    fn rebind_one(&mut self, key: &PolicyKey) -> Effects {
        let bound = bindings_of(
            key,
            self.placement_bindings.values().map(AsRef::as_ref),
            self.policy_sets.values().map(AsRef::as_ref),
        );
        let before = self.bound.get(key).cloned().unwrap_or_default();
        let mut effects = Effects::default();
        if before != bound {
            let mut concerned = self.clusters_of(key);
            self.bound.insert(key.clone(), bound);
            concerned.extend(self.clusters_of(key));
            for cluster in concerned {
                effects.evaluate_one(&cluster, key.clone());
            }
            effects.policies.insert(key.clone());
            effects.rebound.insert(key.clone());
        }
        effects
    }

    fn policy_changed(
        &mut self,
        key: &ObjectKey,
        manifest: Option<&Manifest>,
    ) -> Result<Effects, ParseError> {
        let namespace = key.namespace.clone().unwrap_or_default();
        let mut effects = Effects::default();
        let labelled = manifest.is_some_and(|manifest| manifest.label(names::ROOT_POLICY_LABEL).is_some());
        // One that is gone, or that somebody took the label from, is known by its name.
        let named = || {
            self.clusters.contains_key(&namespace)
                && PolicyKey::from_replicated(&key.name).is_some_and(|root| {
                    self.policies.contains_key(&root) || self.departed.contains_key(&root)
                })
        };
        if labelled || named() {
            if let Some(root) = PolicyKey::from_replicated(&key.name) {
                if manifest.is_none() {
                    self.has_left(&root, &namespace);
                }
                effects.replicas.entry(namespace).or_default().insert(root.clone());
                if let Some(policy) = self.policies.get(&root) {
                    let sets = self.sets_of_namespace(&policy.metadata.namespace);
                    effects.policy_sets.extend(sets);
                }
                effects.policies.insert(root);
            }
            return Ok(effects);
        }
        let root = PolicyKey { namespace, name: key.name.clone() };
        let policy: Option<Arc<Policy>> = read(manifest)?;
        let before = self.policies.get(&root);
        let unchanged = match (&policy, before) {
            (Some(new), Some(old)) => {
                new.spec == old.spec
                    && new.metadata.annotations == old.metadata.annotations
                    && new.metadata.labels == old.metadata.labels
            }
            _ => false,
        };
        let mut concerned = self.clusters_of(&root);
        let gone = policy.is_none();
        match replace(&mut self.policies, root.clone(), policy) {
            Some(last) if gone && !concerned.is_empty() => {
                self.departed.insert(root.clone(), (last, concerned.clone()));
            }
            _ if gone => {}
            _ => {
                self.departed.remove(&root);
            }
        }
        if gone {
            self.bound.remove(&root);
            effects.rebound.insert(root.clone());
        } else {
            effects.join(self.rebind_one(&root));
            concerned.extend(self.clusters_of(&root));
        }
        if !unchanged {
            for cluster in concerned {
                effects.evaluate_one(&cluster, root.clone());
            }
            effects.policy_sets.extend(self.sets_of_namespace(&root.namespace));
        }
        effects.policies.insert(root);
        Ok(effects)
    }

    /// The clusters that the policy's Placements select.
    fn clusters_of(&self, policy: &PolicyKey) -> BTreeSet<String> {
        self.bound
            .get(policy)
            .into_iter()
            .flatten()
            .filter_map(|bound| self.selections.get(&(policy.namespace.clone(), bound.placement.clone())))
            .flat_map(|selection| selection.selected.iter().cloned())
            .collect()
    }

    /// The clusters where a policy is placed.
    pub fn placed_clusters(&self, policy: &PolicyKey) -> BTreeSet<String> {
        let enabled = self.policies.get(policy).is_some_and(|policy| !policy.spec.disabled);
        if !enabled {
            return BTreeSet::new();
        }
        self.clusters_of(policy)
            .into_iter()
            .filter(|cluster| {
                self.clusters.contains_key(cluster) && self.placed(policy, cluster) != Placed::No
            })
            .collect()
    }

    /// The clusters that these Placements of a namespace select.
    pub fn selected_by<'a>(
        &'a self,
        namespace: &str,
        placements: impl Iterator<Item = &'a str>,
    ) -> BTreeSet<&'a str> {
        placements
            .filter_map(|placement| self.selections.get(&(namespace.to_owned(), placement.to_owned())))
            .flat_map(|selection| selection.selected.iter().map(String::as_str))
            .collect()
    }

    fn placed(&self, policy: &PolicyKey, cluster: &str) -> Placed {
        let bound = self.bound.get(policy).map(Vec::as_slice).unwrap_or_default();
        placed(bound, cluster, |placement| self.selects(&policy.namespace, placement, cluster))
    }

    fn selects(&self, namespace: &str, placement: &str, cluster: &str) -> bool {
        self.selections
            .get(&(namespace.to_owned(), placement.to_owned()))
            .is_some_and(|selection| selection.selected.contains(cluster))
    }

    /// `status.placement` of a root policy.
    pub fn placement_status(&self, policy: &PolicyKey) -> Vec<PlacementStatusEntry> {
        let disabled = self.policies.get(policy).is_some_and(|policy| policy.spec.disabled);
        placement_status(self.bindings(policy), disabled, |placement| {
            let key = (policy.namespace.clone(), placement.to_owned());
            self.placements.get(&key)?;
            self.selections.get(&key).map(|selection| &selection.selected)
        })
    }

    /// The bindings that keep a policy on clusters from which a PolicySet excludes it.
    pub fn remaining_bindings(&self, policy: &PolicyKey) -> BTreeMap<String, Vec<RemainingBinding>> {
        let bindings = self.bindings(policy);
        let excluded: BTreeSet<&String> = bindings.iter().flat_map(|bound| &bound.excluded).collect();
        excluded
            .into_iter()
            .filter_map(|cluster| {
                let names = remaining(bindings, cluster, |placement| {
                    self.selects(&policy.namespace, placement, cluster)
                });
                let entry = |name: &str| RemainingBinding { placement_binding: name.to_owned() };
                (!names.is_empty()).then(|| (cluster.clone(), names.into_iter().map(entry).collect()))
            })
            .collect()
    }

    /// One policy on one cluster; `None` when there is no such policy.
    pub fn assignment(&self, policy: &PolicyKey, cluster: &str) -> Option<Assignment> {
        let found = self.policies.get(policy)?;
        let placed = if found.spec.disabled { Placed::No } else { self.placed(policy, cluster) };
        Some(Assignment { policy: found.clone(), placed })
    }

    /// The policies placed on a cluster.
    pub fn policies_on(&self, cluster: &str) -> BTreeSet<PolicyKey> {
        self.policies
            .iter()
            .filter(|(key, policy)| !policy.spec.disabled && self.placed(key, cluster) != Placed::No)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// A managed cluster.
    pub fn cluster(&self, name: &str) -> Option<Arc<ManagedCluster>> {
        self.clusters.get(name).cloned()
    }

    /// Names of all managed clusters.
    pub fn cluster_names(&self) -> impl Iterator<Item = &str> {
        self.clusters.keys().map(String::as_str)
    }

    /// A root policy as it stands, or as it last stood if it is gone and has not left the cluster yet.
    pub fn last_version(&self, key: &PolicyKey, cluster: &str) -> Option<Arc<Policy>> {
        let departed = || self.departed.get(key).filter(|(_, clusters)| clusters.contains(cluster));
        self.policy(key).or_else(|| departed().map(|(policy, _)| policy.clone()))
    }

    /// The replicated policy is gone from a cluster's namespace.
    fn has_left(&mut self, policy: &PolicyKey, cluster: &str) {
        if let Some((_, clusters)) = self.departed.get_mut(policy) {
            clusters.remove(cluster);
            if clusters.is_empty() {
                self.departed.remove(policy);
            }
        }
    }

    /// A root policy.
    pub fn policy(&self, key: &PolicyKey) -> Option<Arc<Policy>> {
        self.policies.get(key).cloned()
    }

    /// All root policies.
    pub fn policies(&self) -> impl Iterator<Item = (&PolicyKey, &Arc<Policy>)> {
        self.policies.iter()
    }

    /// The PolicySets that keep a policy off a cluster which their Placement selects.
    pub fn excluding_sets(&self, policy: &PolicyKey, cluster: &str) -> BTreeSet<String> {
        let bindings = self.bindings(policy);
        excluding(bindings, cluster, |placement| self.selects(&policy.namespace, placement, cluster))
            .filter_map(|bound| bound.policy_set.clone())
            .collect()
    }

    /// The bindings of a policy.
    pub fn bindings(&self, policy: &PolicyKey) -> &[Bound] {
        self.bound.get(policy).map(Vec::as_slice).unwrap_or_default()
    }

    /// A policy set.
    pub fn policy_set(&self, name: &Name) -> Option<Arc<PolicySet>> {
        self.policy_sets.get(name).cloned()
    }

    /// The policies of a set, by namespace and name.
    pub fn policies_of_set(&self, namespace: &str, name: &str) -> Option<Vec<String>> {
        let set = self.policy_sets.get(&(namespace.to_owned(), name.to_owned()))?;
        Some(set.spec.policies.clone())
    }

    /// All Placements.
    pub fn placements(&self) -> impl Iterator<Item = &Name> {
        self.placements.keys()
    }
}

fn read<T: serde::de::DeserializeOwned>(manifest: Option<&Manifest>) -> Result<Option<Arc<T>>, ParseError> {
    manifest.map(ocm::parse).transpose().map(|object| object.map(Arc::new))
}

/// Sets or removes a value; answers what it was before.
fn replace<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}

#[cfg(test)]
mod tests;
