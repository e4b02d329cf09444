//! The plan of one cluster: its policies, and those that leave it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Change, Kind, PolicyPlan};
use crate::adapters::api_server::{ApiError, Connection, Ensured};
use crate::adapters::cluster;
use crate::adapters::hub::Hub;
use crate::api::object::Manifest;
use crate::cli::hub_access::deaf;
use crate::cli::messages::grouped;
use crate::clock;
use crate::controller::evaluate::{CheckState, Evaluated, allows_destructive};
use crate::controller::fleet::Fleet;
use crate::controller::prepare::{self, Link, Request};
use crate::pipeline::compare::{Redaction, same_after_dry_run};
use crate::pipeline::compliance::Reason;
use crate::pipeline::plan::assess;
use crate::pipeline::plan::{CheckPlan, ObjectPlan, PruneAction, PrunePlan, Step, prune};
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::policy::bindings::Placed;
use crate::pipeline::render::Renderer;

/// What a plan is made from.
pub(super) struct Look<'a> {
    pub(super) hub: &'a Hub,
    pub(super) fleet: &'a Fleet,
    pub(super) renderer: &'a Renderer,
    pub(super) only: Option<&'a BTreeSet<PolicyKey>>,
}

impl Look<'_> {
    /// Plans all policies of a cluster. The error says why the cluster cannot be planned.
    pub(super) async fn plan(&self, cluster: &str) -> Result<Vec<PolicyPlan>, String> {
        let replicas = prepare::replicas(&self.hub.connection().snapshot(), cluster);
        let placed = self.fleet.policies_on(cluster);
        let leaving = replicas.keys().filter(|key| !placed.contains(*key));
        let mut keys: Vec<PolicyKey> = placed
            .iter()
            .chain(leaving)
            .filter(|key| self.only.is_none_or(|only| only.contains(*key)))
            .cloned()
            .collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        keys.sort_by_key(|key| {
            self.fleet.policy(key).is_some_and(|policy| !policy.spec.dependencies.is_empty())
        });
        let link = prepare::connect(self.hub, cluster, deaf()).await?;
        let mut plans = Vec::new();
        for key in keys {
            let replica = replicas.get(&key).map(AsRef::as_ref);
            let plan = if placed.contains(&key) {
                self.policy(cluster, &key, &link, replica, &replicas).await?
            } else {
                self.leaving(cluster, &key, &link, replica).await?
            };
            plans.push(plan);
        }
        Ok(plans)
    }

    async fn policy(
        &self,
        cluster: &str,
        key: &PolicyKey,
        link: &Link,
        replica: Option<&Manifest>,
        replicas: &BTreeMap<PolicyKey, Arc<Manifest>>,
    ) -> Result<PolicyPlan, String> {
        let mut plan = PolicyPlan::new(key);
        if replica.is_some_and(prepare::is_foreign) {
            plan.messages.push("another controller propagates this policy: the hub stands down".to_owned());
            return Ok(plan);
        }
        let (Some(managed), Some(assignment)) =
            (self.fleet.cluster(cluster), self.fleet.assignment(key, cluster))
        else {
            return Ok(plan);
        };
        let inventory = prepare::inventory(replica).unwrap_or_else(|error| {
            plan.messages.push(format!("{error}; nothing is pruned by it"));
            crate::pipeline::plan::inventory::Inventory::default()
        });
        let evaluated = prepare::evaluate_until_known(&Request {
            renderer: self.renderer,
            hub: self.hub,
            link,
            policy: &assignment.policy,
            managed: &managed,
            enforced: assignment.placed == Placed::Enforced,
            inventory: &inventory,
            replica,
            compliance: &|| {
                prepare::compliance(replicas.iter().map(|(key, replica)| (key.clone(), replica.as_ref())))
            },
            policies_of_set: &|namespace, name| self.fleet.policies_of_set(namespace, name),
        })
        .await
        .map_err(|reason| prepare::unreachable(cluster, &reason))?;
        self.describe(&evaluated, &link.connection, &mut plan)
            .await
            .map_err(|error| prepare::unreachable(cluster, &error.to_string()))?;
        Ok(plan)
    }

    async fn describe(
        &self,
        evaluated: &Evaluated,
        connection: &Connection,
        plan: &mut PolicyPlan,
    ) -> Result<(), ApiError> {
        let mut messages = Vec::new();
        for check in &evaluated.checks {
            match &check.state {
                CheckState::Reported(message) => messages.push((check.name.clone(), message.clone())),
                CheckState::Planned { plan: planned, .. } => {
                    for object in planned.templates.iter().flat_map(|template| &template.objects) {
                        plan.changes.extend(change(planned, object, connection).await?);
                    }
                    plan.changes.extend(planned.prune.iter().filter_map(|prune| pruned(&check.name, prune)));
                    if has_errors(planned) {
                        messages.push((check.name.clone(), assess::planned(planned)));
                    }
                    messages.extend(planned.notes.iter().map(|note| (check.name.clone(), note.clone())));
                }
            }
        }
        plan.messages.extend(grouped(messages).iter().map(ToString::to_string));
        Ok(())
    }

    /// A policy that is no longer placed: what it created goes, if a person took the cluster out.
    async fn leaving(
        &self,
        cluster: &str,
        key: &PolicyKey,
        link: &Link,
        replica: Option<&Manifest>,
    ) -> Result<PolicyPlan, String> {
        let mut plan = PolicyPlan::new(key);
        let Some(replica) = replica.filter(|replica| !prepare::is_foreign(replica)) else { return Ok(plan) };
        if let Some(reason) = prepare::reason_to_keep(self.fleet, key, cluster, clock::now()) {
            plan.messages.push(format!("it leaves the cluster, but nothing is removed: {reason}"));
            return Ok(plan);
        }
        let inventory = match prepare::inventory(Some(replica)) {
            Ok(inventory) => inventory,
            Err(error) => {
                plan.messages.push(format!("it leaves the cluster, but nothing is removed: {error}"));
                return Ok(plan);
            }
        };
        let policy = self.fleet.last_version(key, cluster);
        let destructive = self.fleet.policy(key).is_some_and(|policy| allows_destructive(&policy));
        let standing = prepare::standing(policy.as_deref(), replica, &inventory);
        let prunes = loop {
            match prune::deselected(&inventory, &standing, destructive, &link.connection.snapshot()) {
                Ok(prunes) => break prunes,
                Err(waiting) => {
                    if let Ensured::Disconnected(reason) = link.connection.ensure(&waiting.references).await {
                        return Err(prepare::unreachable(cluster, &reason));
                    }
                }
            }
        };
        plan.changes.extend(prunes.iter().filter_map(|prune| pruned("", prune)));
        plan.messages.push("it leaves the cluster".to_owned());
        Ok(plan)
    }
}

fn has_errors(plan: &CheckPlan) -> bool {
    plan.templates
        .iter()
        .flat_map(|template| &template.objects)
        .any(|object| !object.finding.compliant && matches!(object.finding.reason, Reason::Other { .. }))
}

/// What is done about one object. Updates that the API server would not notice are none.
async fn change(
    plan: &CheckPlan,
    object: &ObjectPlan,
    connection: &Connection,
) -> Result<Option<Change>, ApiError> {
    let check = plan.name.as_str();
    // Where values of Secrets went into a template, they may stand in any kind of object.
    let redaction = if plan.sensitive { Redaction::Everything } else { Redaction::Secrets };
    let Some(key) = &object.key else { return Ok(None) };
    Ok(match &object.step {
        Step::Nothing | Step::StatusDiffers { .. } => None,
        Step::Create { desired } => {
            Some(Change::new(check, key, Kind::Create).showing(None, desired, redaction))
        }
        Step::Update { existing, merged, .. } => {
            match cluster::rehearse(connection, existing, merged).await {
                Ok(answer) if same_after_dry_run(existing, &answer) => None,
                Ok(_) | Err(ApiError::Conflict { .. }) => {
                    Some(Change::new(check, key, Kind::Update).showing(Some(existing), merged, redaction))
                }
                Err(error) if error.concerns_connection() => return Err(error),
                Err(error) => Some(
                    Change::new(check, key, Kind::Update)
                        .showing(Some(existing), merged, redaction)
                        .because(format!("the API server would refuse it: {error}")),
                ),
            }
        }
        Step::Probe { existing, merged, .. } => match cluster::rehearse(connection, existing, merged).await {
            Ok(answer) if same_after_dry_run(existing, &answer) => None,
            Ok(_) | Err(ApiError::Conflict { .. }) => Some(
                Change::new(check, key, Kind::Differ)
                    .showing(Some(existing), merged, redaction)
                    .because("the check may only inform".to_owned()),
            ),
            Err(error) if error.concerns_connection() => return Err(error),
            Err(error) => Some(
                Change::new(check, key, Kind::Differ)
                    .showing(Some(existing), merged, redaction)
                    .because(error.to_string()),
            ),
        },
        Step::Delete { .. } => Some(Change::new(check, key, Kind::Delete)),
        Step::Hold { message } => Some(Change::new(check, key, Kind::Hold).because(message.clone())),
    })
}

fn pruned(check: &str, plan: &PrunePlan) -> Option<Change> {
    let key = plan.entry.key();
    match &plan.action {
        PruneAction::Delete => Some(
            Change::new(check, &key, Kind::Delete)
                .because("the policy created it and no longer wants it".to_owned()),
        ),
        PruneAction::Hold(why) => {
            Some(Change::new(check, &key, Kind::Hold).because(format!("it is kept: {why}")))
        }
        PruneAction::Unreadable(why) => Some(
            Change::new(check, &key, Kind::Hold).because(format!("it is kept until it can be read: {why}")),
        ),
        PruneAction::Leaving => {
            Some(Change::new(check, &key, Kind::Hold).because("it is being deleted".to_owned()))
        }
        PruneAction::Forget => None,
    }
}
