//! One policy on one cluster as it would be, before the other policies there are asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::configuration::config_maps;
use super::super::contention::claims_of;
use super::super::evaluate::{CheckState, Evaluated};
use super::super::fleet::{Assignment, Fleet};
use super::super::prepare::{self, KnownCompliance, Link, Origin, Plain, Request, Sight};
use super::prospect::Imagining;
use crate::adapters::api_server::Ensured;
use crate::adapters::hub::Hub;
use crate::api::object::Manifest;
use crate::api::ocm::cluster::ManagedCluster;
use crate::clock;
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::plan::collisions::Claims;
use crate::pipeline::plan::inventory::Inventory;
use crate::pipeline::plan::{PrunePlan, Waiting, prune};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::Placed;
use crate::pipeline::render::Renderer;
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::pipeline::render::overlay::Overlay;
use crate::pipeline::sets;
use crate::protection::departure::Departure;

/// What would become of a policy on a cluster.
pub(super) enum Fate {
    /// Another controller propagates it.
    Foreign,
    /// It is placed there. The second: what its checks waited for is taken as done.
    Placed(Box<Evaluated>, bool),
    /// It leaves, and these are pruned.
    Leaves(Vec<PrunePlan>),
    /// It leaves, and these Schedules are paused.
    Pauses(Vec<Arc<Manifest>>),
    /// It leaves, and nothing is touched, for this reason.
    Keeps(String),
}

/// A policy on a cluster.
pub(super) struct Draft {
    pub(super) fate: Fate,
    pub(super) claims: Claims,
    pub(super) inventory: Inventory,
    /// Why its inventory cannot be read.
    pub(super) spoilt: Option<String>,
}

/// Where policies are looked at.
pub(super) struct Scene<'a> {
    pub(super) hub: &'a Hub,
    pub(super) renderer: &'a Renderer,
    pub(super) cluster: &'a str,
    pub(super) link: &'a Link,
    pub(super) replicas: &'a BTreeMap<PolicyKey, Arc<Manifest>>,
    pub(super) fleet: &'a Fleet,
    /// What is imagined on the hub.
    pub(super) overlay: Option<&'a Overlay>,
}

impl Scene<'_> {
    /// Looks at one policy. The error says why the hub or the cluster does not answer.
    pub(super) async fn draft(&self, key: &PolicyKey) -> Result<Draft, String> {
        let replica = self.replicas.get(key).map(AsRef::as_ref);
        if replica.is_some_and(prepare::is_foreign) {
            let (claims, inventory) = (Claims::default(), Inventory::default());
            return Ok(Draft { fate: Fate::Foreign, claims, inventory, spoilt: None });
        }
        let (inventory, spoilt) = match prepare::inventory(replica) {
            Ok(inventory) => (inventory, None),
            Err(error) => (Inventory::default(), Some(error.to_string())),
        };
        let assignment = self.fleet.assignment(key, self.cluster);
        let placed = assignment.filter(|assignment| assignment.placed != Placed::No);
        let (fate, claims) = match (placed, self.fleet.cluster(self.cluster)) {
            (Some(assignment), Some(managed)) => {
                let (evaluated, assumed) = self.placed(&assignment, &managed, &inventory, replica).await?;
                let claims = claims_of(&evaluated, None, &inventory);
                (Fate::Placed(evaluated, assumed), claims)
            }
            _ => self.leaving(key, replica, &inventory, spoilt.as_deref()).await?,
        };
        let connection = &self.link.connection;
        if let Ensured::Disconnected(reason) = connection.ensure(&claims.unseen()).await {
            return Err(prepare::unreachable(self.cluster, &reason));
        }
        let claims = claims.seeing(&connection.snapshot());
        Ok(Draft { fate, claims, inventory, spoilt })
    }

    /// Evaluates a policy. Where something is imagined, what waits for another policy is looked at as if that one had come
    /// through: nothing of what is imagined has.
    async fn placed(
        &self,
        assignment: &Assignment,
        managed: &ManagedCluster,
        inventory: &Inventory,
        replica: Option<&Manifest>,
    ) -> Result<(Box<Evaluated>, bool), String> {
        let known = || {
            prepare::compliance(self.replicas.iter().map(|(key, replica)| (key.clone(), replica.as_ref())))
        };
        let mut evaluated = self.evaluate(assignment, managed, inventory, replica, &known).await?;
        let waits = evaluated.checks.iter().any(|check| matches!(check.state, CheckState::Reported(_)));
        if self.overlay.is_none() || !waits || !prepare::has_dependencies(&assignment.policy) {
            return Ok((evaluated, false));
        }
        let through = || prepare::all_compliant(self.fleet);
        let assumed = self.evaluate(assignment, managed, inventory, replica, &through).await?;
        let mut differs = false;
        for (check, other) in evaluated.checks.iter_mut().zip(assumed.checks) {
            if let (CheckState::Reported(_), CheckState::Planned { .. }) = (&check.state, &other.state) {
                *check = other;
                differs = true;
            }
        }
        Ok((evaluated, differs))
    }

    async fn evaluate(
        &self,
        assignment: &Assignment,
        managed: &ManagedCluster,
        inventory: &Inventory,
        replica: Option<&Manifest>,
        compliance: &(dyn Fn() -> KnownCompliance + Sync),
    ) -> Result<Box<Evaluated>, String> {
        let imagining = self.overlay.map(Imagining);
        let sight: &dyn Sight = imagining.as_ref().map_or(&Plain as &dyn Sight, |imagining| imagining);
        prepare::evaluate_until_known(&Request {
            renderer: self.renderer,
            hub: self.hub,
            link: self.link,
            policy: &assignment.policy,
            managed,
            enforced: assignment.placed == Placed::Enforced,
            inventory,
            replica,
            compliance,
            policies_of_set: &|namespace, name| self.fleet.policies_of_set(namespace, name),
            sight,
        })
        .await
        .map_err(|reason| prepare::unreachable(self.cluster, &reason))
    }

    /// A policy that is not placed there any more.
    async fn leaving(
        &self,
        key: &PolicyKey,
        replica: Option<&Manifest>,
        inventory: &Inventory,
        spoilt: Option<&str>,
    ) -> Result<(Fate, Claims), String> {
        let nothing = || Claims::left_behind(None, inventory);
        let Some(replica) = replica else { return Ok((Fate::Leaves(Vec::new()), Claims::default())) };
        if let Some(reason) = prepare::reason_to_keep(self.fleet, key, self.cluster, clock::now()) {
            return Ok((Fate::Keeps(reason), nothing()));
        }
        if let Some(error) = spoilt {
            return Ok((Fate::Keeps(error.to_owned()), Claims::default()));
        }
        let root = self.fleet.policy(key);
        let rendered = prepare::is_rendered(root.as_deref(), replica);
        let (source, accepted) =
            if rendered { self.config_maps_of(&key.namespace).await? } else { (None, None) };
        let origin = Origin {
            source: source.as_deref(),
            accepted: accepted.as_deref(),
            bound: !self.fleet.bindings(key).is_empty(),
        };
        let departure = prepare::departure_of(key, root.as_deref(), replica, &origin);
        let destructive = prepare::may_destroy(departure, root.as_deref(), replica);
        match departure {
            Departure::Nothing => {
                let claims = if root.is_some() { nothing() } else { Claims::default() };
                Ok((
                    Fate::Keeps(
                        "it is rendered no more: onDelete is keep, or its ConfigMap is still there"
                            .to_owned(),
                    ),
                    claims,
                ))
            }
            Departure::Pause => {
                let schedules = self.known(|snapshot| prune::running_schedules(inventory, snapshot)).await?;
                Ok((Fate::Pauses(schedules), nothing()))
            }
            Departure::Ordinary => {
                let last = self.fleet.last_version(key, self.cluster);
                let standing = prepare::standing(last.as_deref(), replica, inventory);
                let plans = self
                    .known(|snapshot| prune::deselected(inventory, &standing, destructive, snapshot))
                    .await?;
                Ok((Fate::Leaves(plans), Claims::default()))
            }
            Departure::Remove | Departure::Replace => {
                let plans = self.known(|snapshot| prune::removed(inventory, destructive, snapshot)).await?;
                Ok((Fate::Leaves(plans), Claims::default()))
            }
        }
    }

    /// The ConfigMap that the policies of a namespace are rendered from, and the copy of it that is in force, as they would be.
    async fn config_maps_of(
        &self,
        namespace: &str,
    ) -> Result<(Option<Arc<Manifest>>, Option<Arc<Manifest>>), String> {
        let reference = Reference { gvk: config_maps(), namespace: Some(namespace.to_owned()), name: None };
        if let Ensured::Disconnected(reason) = self.hub.connection().ensure(&[reference].into()).await {
            return Err(format!("the hub does not answer look-ups: {reason}"));
        }
        let snapshot: Arc<dyn Lookup> = Arc::new(self.hub.connection().snapshot());
        let hub = self.overlay.map_or(snapshot.clone(), |overlay| overlay.over(snapshot));
        let look = |name: &str| match hub.get(&config_maps(), Some(namespace), name) {
            Answer::Found(found) => Some(found),
            Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
        };
        Ok((look(CONFIG_MAP_NAME), look(sets::ACCEPTED_NAME)))
    }

    /// What comes of a look at the cluster, once all is known that it asks for.
    async fn known<T>(&self, look: impl Fn(&dyn Lookup) -> Result<T, Waiting>) -> Result<T, String> {
        loop {
            match look(&self.link.connection.snapshot()) {
                Ok(found) => return Ok(found),
                Err(waiting) => {
                    let ensured = self.link.connection.ensure(&waiting.references).await;
                    if let Ensured::Disconnected(reason) = ensured {
                        return Err(prepare::unreachable(self.cluster, &reason));
                    }
                }
            }
        }
    }
}
