//! The preview of one cluster as changes that can be printed. Updates are rehearsed on the cluster's API server.

use super::change::{Change, Kind, PolicyPlan};
use crate::adapters::api_server::{ApiError, Connection};
use crate::adapters::cluster;
use crate::api::object::{Manifest, ObjectKey};
use crate::cli::messages::grouped;
use crate::controller::evaluate::{CheckState, Evaluated};
use crate::controller::preview::{PolicyPreview, Turn};
use crate::pipeline::compare::{Redaction, same_after_dry_run};
use crate::pipeline::compliance::Reason;
use crate::pipeline::plan::assess;
use crate::pipeline::plan::{CheckPlan, ObjectPlan, PruneAction, PrunePlan, Step};
use crate::pipeline::render::lookup::{Answer, Lookup};

/// One policy as it is printed.
pub(super) async fn policy(
    cluster: &str,
    preview: &PolicyPreview,
    connection: &Connection,
) -> Result<PolicyPlan, ApiError> {
    let mut plan = PolicyPlan::new(&preview.key);
    if let Some(error) = &preview.spoilt {
        plan.messages.push(format!("{error}; nothing is pruned by it"));
    }
    match &preview.turn {
        Turn::Foreign => {
            plan.messages.push("another controller propagates this policy: the hub stands down".to_owned());
        }
        Turn::Placed { evaluated, assumed } => {
            if *assumed {
                let text = "what waits for another policy is shown as it is once that one is Compliant";
                plan.messages.push(text.to_owned());
            }
            placed(cluster, preview, evaluated, connection, &mut plan).await?;
        }
        Turn::Leaves(prunes) => {
            plan.changes.extend(prunes.iter().filter_map(|prune| pruned("", prune, connection)));
            plan.messages.push("it leaves the cluster".to_owned());
        }
        Turn::Pauses(schedules) => {
            for schedule in schedules {
                let Some(key) = schedule.key() else { continue };
                plan.changes.push(
                    Change::new("", &key, Kind::Update)
                        .showing(Some(schedule), &cluster::paused(schedule), Redaction::Secrets)
                        .because("onDeselect is pause".to_owned()),
                );
            }
            plan.messages.push("it leaves the cluster".to_owned());
        }
        Turn::Keeps(reason) => {
            plan.messages.push(format!("it leaves the cluster, but nothing is removed: {reason}"));
        }
    }
    plan.messages.extend(preview.contention.in_force.values().cloned());
    Ok(plan)
}

async fn placed(
    cluster: &str,
    preview: &PolicyPreview,
    evaluated: &Evaluated,
    connection: &Connection,
    plan: &mut PolicyPlan,
) -> Result<(), ApiError> {
    let mut messages = Vec::new();
    for check in &evaluated.checks {
        match (&check.state, preview.contention.held.get(&check.name)) {
            (CheckState::Reported(message), _) => messages.push((check.name.clone(), message.clone())),
            (CheckState::Planned { .. }, Some(collision)) => plan.changes.push(
                Change::new(&check.name, &collision.object, Kind::Hold)
                    .because(collision.held(cluster))
                    .colliding(&collision.with),
            ),
            (CheckState::Planned { plan: planned, .. }, None) => {
                for object in planned.templates.iter().flat_map(|template| &template.objects) {
                    plan.changes.extend(change(planned, object, connection).await?);
                }
                let prunes = planned.prune.iter();
                plan.changes.extend(prunes.filter_map(|prune| pruned(&check.name, prune, connection)));
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
            let update = Change::new(check, key, Kind::Update);
            match cluster::rehearse(connection, existing, merged).await {
                Ok(answer) if same_after_dry_run(existing, &answer) => None,
                Ok(answer) => Some(update.showing(Some(existing), &answer, redaction)),
                Err(ApiError::Conflict { .. }) => Some(update.showing(Some(existing), merged, redaction)),
                Err(error) if error.concerns_connection() => return Err(error),
                Err(error) => Some(
                    update
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
        Step::Delete { .. } => Some(deletion(check, key, object.observed.as_deref(), redaction)),
        Step::Hold { message } => Some(Change::new(check, key, Kind::Hold).because(message.clone())),
    })
}

fn deletion(check: &str, key: &ObjectKey, observed: Option<&Manifest>, redaction: Redaction) -> Change {
    let change = Change::new(check, key, Kind::Delete);
    match observed {
        Some(observed) => change.losing(observed, redaction),
        None => change,
    }
}

fn pruned(check: &str, plan: &PrunePlan, connection: &Connection) -> Option<Change> {
    let key = plan.entry.key();
    let hold = |why: String| Some(Change::new(check, &key, Kind::Hold).because(why));
    match &plan.action {
        PruneAction::Delete => {
            let observed = match connection.snapshot().get(&key.gvk, key.namespace.as_deref(), &key.name) {
                Answer::Found(observed) => Some(observed),
                Answer::NotFound | Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => None,
            };
            Some(
                deletion(check, &key, observed.as_deref(), Redaction::Secrets)
                    .because("the policy created it and no longer wants it".to_owned()),
            )
        }
        PruneAction::Hold(why) => hold(format!("it is kept: {why}")),
        PruneAction::Unreadable(why) => hold(format!("it is kept until it can be read: {why}")),
        PruneAction::Leaving => hold("it is being deleted".to_owned()),
        PruneAction::Forget => None,
    }
}
