//! One cluster: all its policies, those that collide, and who inherits what one of them gives up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::contention::{Contention, created};
use super::super::evaluate::{CheckState, Evaluated};
use super::super::fleet::Fleet;
use super::super::prepare::{self, Link};
use super::draft::{Draft, Fate, Scene};
use super::prospect::Prospect;
use crate::adapters::api_server::Listener;
use crate::adapters::hub::Hub;
use crate::api::object::{GroupVersionKind, Manifest};
use crate::api::ocm::policy::Policy;
use crate::pipeline::plan::collisions::{Claims, HeldTemplates, Party, held};
use crate::pipeline::plan::{PruneAction, PrunePlan};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::Renderer;
use crate::pipeline::render::lookup::{Answer, Lookup};
use crate::pipeline::render::overlay::Overlay;

/// What a preview is made from.
pub struct Look<'a> {
    /// The hub.
    pub hub: &'a Hub,
    /// Its objects, as they are or would be.
    pub prospect: &'a Prospect,
    /// Renders.
    pub renderer: &'a Renderer,
    /// The policies that are asked for; `None` for all. Others are looked at where they matter to these.
    pub only: Option<&'a BTreeSet<PolicyKey>>,
}

/// What the hub would do on one cluster.
pub struct ClusterPreview {
    /// The connection, to ask the API server what a write would come to.
    pub link: Link,
    /// Its policies.
    pub policies: Vec<PolicyPreview>,
    /// Kinds that the cluster does not serve yet and that are taken as if it did.
    pub assumed_kinds: Vec<GroupVersionKind>,
}

/// What the hub would do there for one policy.
pub struct PolicyPreview {
    /// The policy.
    pub key: PolicyKey,
    /// What becomes of it.
    pub turn: Turn,
    /// What it has to do with collisions: nothing of the plans of templates that are held is carried out.
    pub contention: Contention,
    /// Why its inventory cannot be read, in which case nothing is pruned by it.
    pub spoilt: Option<String>,
}

/// What becomes of a policy on a cluster.
pub enum Turn {
    /// Another controller propagates it: the hub stands down.
    Foreign,
    /// It is placed there.
    Placed {
        /// Its checks with their plans.
        evaluated: Box<Evaluated>,
        /// Whether some of them wait for another policy and are looked at as if that one had come through.
        assumed: bool,
    },
    /// It leaves, and these are pruned.
    Leaves(Vec<PrunePlan>),
    /// It leaves, and these Schedules are paused.
    Pauses(Vec<Arc<Manifest>>),
    /// It leaves, and nothing is touched, for this reason.
    Keeps(String),
}

type Drafts = Vec<(PolicyKey, Draft)>;

impl Look<'_> {
    /// Looks at all policies of a cluster; `None` when none of those that are asked for is there. The error says why the
    /// cluster cannot be looked at.
    pub async fn cluster(&self, cluster: &str, listener: Listener) -> Result<Option<ClusterPreview>, String> {
        let replicas = prepare::replicas(&self.hub.connection().snapshot(), cluster);
        let keys = keys_on(&self.prospect.fleet, cluster, &replicas);
        if !keys.iter().any(|key| self.is_asked_for(key)) {
            return Ok(None);
        }
        let link = prepare::connect(self.hub, cluster, listener).await?;
        let imagined = self.prospect.imagined.as_ref();
        let scene = |fleet, overlay| Scene {
            hub: self.hub,
            renderer: self.renderer,
            cluster,
            link: &link,
            replicas: &replicas,
            fleet,
            overlay,
        };
        let overlay = imagined.map(|imagined| &imagined.overlay);
        let drafts = drafts(&scene(&self.prospect.fleet, overlay), &keys).await?;
        let after = held_of(&drafts, &self.prospect.fleet);
        let mut relevant: BTreeSet<PolicyKey> =
            keys.iter().filter(|key| self.is_asked_for(key)).cloned().collect();
        if let Some(imagined) = imagined
            && keys.iter().any(|key| !relevant.contains(key))
        {
            // Of the others only what changes for them with what is imagined.
            let keys = keys_on(&imagined.before, cluster, &replicas);
            let nothing = Overlay::default();
            let before_drafts = self::drafts(&scene(&imagined.before, Some(&nothing)), &keys).await?;
            let before = held_of(&before_drafts, &imagined.before);
            let changed = drafts.iter().filter(|(key, _)| {
                Contention::of(key, cluster, &after) != Contention::of(key, cluster, &before)
            });
            relevant.extend(changed.map(|(key, _)| key.clone()));
        }
        let heirs = Heirs::of(&drafts, &self.prospect.fleet, cluster);
        let snapshot = link.connection.snapshot();
        let assumed_kinds = if imagined.is_some() { unserved(&drafts, &snapshot) } else { Vec::new() };
        let policies = drafts
            .into_iter()
            .filter(|(key, _)| relevant.contains(key))
            .map(|(key, draft)| {
                let contention = Contention::of(&key, cluster, &after);
                preview(key, draft, contention, &heirs)
            })
            .collect();
        Ok(Some(ClusterPreview { link, policies, assumed_kinds }))
    }

    fn is_asked_for(&self, key: &PolicyKey) -> bool {
        self.only.is_none_or(|only| only.contains(key)) && self.prospect.concerns(key)
    }
}

/// The policies that are placed on a cluster, or leave it; those that wait for others come last.
fn keys_on(fleet: &Fleet, cluster: &str, replicas: &BTreeMap<PolicyKey, Arc<Manifest>>) -> Vec<PolicyKey> {
    let all: BTreeSet<PolicyKey> =
        fleet.policies_on(cluster).into_iter().chain(replicas.keys().cloned()).collect();
    let mut keys: Vec<PolicyKey> = all.into_iter().collect();
    keys.sort_by_key(|key| fleet.policy(key).is_some_and(|policy| prepare::has_dependencies(&policy)));
    keys
}

async fn drafts(scene: &Scene<'_>, keys: &[PolicyKey]) -> Result<Drafts, String> {
    let mut drafts = Vec::new();
    for key in keys {
        drafts.push((key.clone(), scene.draft(key).await?));
    }
    Ok(drafts)
}

fn held_of(drafts: &Drafts, fleet: &Fleet) -> HeldTemplates {
    let roots: Vec<Option<Arc<Policy>>> = drafts.iter().map(|(key, _)| fleet.policy(key)).collect();
    let parties: Vec<Party<'_>> = drafts
        .iter()
        .zip(&roots)
        .map(|((policy, draft), root)| Party {
            policy,
            created: created(root.as_deref()),
            claims: &draft.claims,
            inventory: &draft.inventory,
        })
        .collect();
    held(&parties)
}

/// Kinds of what was looked at that the cluster does not serve.
fn unserved(drafts: &Drafts, snapshot: &dyn Lookup) -> Vec<GroupVersionKind> {
    let references = drafts.iter().filter_map(|(_, draft)| match &draft.fate {
        Fate::Placed(evaluated, _) => Some(&evaluated.cluster_references),
        Fate::Foreign | Fate::Leaves(_) | Fate::Pauses(_) | Fate::Keeps(_) => None,
    });
    let kinds: BTreeSet<&GroupVersionKind> = references.flatten().map(|reference| &reference.gvk).collect();
    kinds.into_iter().filter(|gvk| snapshot.kind(gvk) == Answer::KindNotInstalled).cloned().collect()
}

/// Which placed policy wants what, so that it stays when another one gives it up.
struct Heirs(Vec<(PolicyKey, Claims)>);

impl Heirs {
    fn of(drafts: &Drafts, fleet: &Fleet, cluster: &str) -> Self {
        let placed = fleet.policies_on(cluster);
        let placed = drafts.iter().filter(|(key, _)| placed.contains(key));
        Self(placed.map(|(key, draft)| (key.clone(), draft.claims.clone())).collect())
    }

    /// What another policy wants is not deleted.
    fn settle(&self, key: &PolicyKey, plans: &mut [PrunePlan]) {
        for plan in plans.iter_mut().filter(|plan| plan.action == PruneAction::Delete) {
            let object = plan.entry.key();
            let heir = self
                .0
                .iter()
                .find(|(other, claims)| other != key && claims.template_that_wants(&object).is_some());
            if let Some((heir, _)) = heir {
                plan.action = PruneAction::Hold(format!("policy {heir} wants it too, and takes it over"));
            }
        }
    }
}

fn preview(key: PolicyKey, draft: Draft, contention: Contention, heirs: &Heirs) -> PolicyPreview {
    let turn = match draft.fate {
        Fate::Foreign => Turn::Foreign,
        Fate::Placed(mut evaluated, assumed) => {
            for check in &mut evaluated.checks {
                if let CheckState::Planned { plan, .. } = &mut check.state {
                    heirs.settle(&key, &mut plan.prune);
                }
            }
            Turn::Placed { evaluated, assumed }
        }
        Fate::Leaves(mut plans) => {
            heirs.settle(&key, &mut plans);
            Turn::Leaves(plans)
        }
        Fate::Pauses(schedules) => Turn::Pauses(schedules),
        Fate::Keeps(reason) => Turn::Keeps(reason),
    };
    PolicyPreview { key, turn, contention, spoilt: draft.spoilt }
}
