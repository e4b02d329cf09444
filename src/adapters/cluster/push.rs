//! Carries out the steps of a plan, one after the other, each preconditioned on what the plan saw.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::adapters::api_server::{ApiError, Connection, Mode};
use crate::api::object::{Manifest, ObjectKey};
use crate::pipeline::compare::same_after_dry_run;
use crate::pipeline::plan::{
    CheckPlan, ObjectPlan, PruneAction, PrunePlan, Recreation, Refusal, Step, StepResult,
};

/// How often the creation of an object is tried after it was deleted for that.
const CREATIONS: u32 = 3;
/// How long it waits in between for the deleted object to go.
const BETWEEN_CREATIONS: Duration = Duration::from_secs(1);

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Pushed {
    /// Per object template, per object.
    pub results: Vec<Vec<StepResult>>,
    /// Per pruned object: `None` where nothing had to be done, else whether it is gone or the server's words.
    pub pruned: Vec<Option<Result<(), String>>>,
    /// The connection failed on the way: what is left was not tried.
    pub disconnected: Option<String>,
    /// Something changed under the plan: plan again on fresh state.
    pub stale: bool,
}

/// Pushes a check's plan. Objects are created in the order of the policy.
pub async fn push(connection: &Connection, plan: &CheckPlan) -> Pushed {
    let mut pushed = Pushed::default();
    for template in &plan.templates {
        let mut results = Vec::new();
        for object in &template.objects {
            results.push(take_step(connection, object, &mut pushed).await);
        }
        pushed.results.push(results);
    }
    for prune in &plan.prune {
        let result = take_prune(connection, prune, &mut pushed).await;
        pushed.pruned.push(result);
    }
    pushed
}

/// Deletes what a plan prunes.
pub async fn prune(connection: &Connection, plans: &[PrunePlan]) -> Pushed {
    let mut pushed = Pushed::default();
    for plan in plans {
        let result = take_prune(connection, plan, &mut pushed).await;
        pushed.pruned.push(result);
    }
    pushed
}

/// Pauses Schedules of Velero, each as it was seen.
pub async fn pause(connection: &Connection, schedules: &[Arc<Manifest>]) -> Pushed {
    let mut pushed = Pushed::default();
    for schedule in schedules {
        let Some(key) = schedule.key() else { continue };
        let paused = match connection.replace(&paused(schedule), Mode::Real).await {
            Ok(_) => Ok(()),
            Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => {
                stale(connection, &key, &mut pushed).await;
                Ok(())
            }
            Err(error) => Err(note(&error, &mut pushed)),
        };
        pushed.pruned.push(Some(paused));
    }
    pushed
}

/// A Schedule as it is while it is paused.
pub fn paused(schedule: &Manifest) -> Manifest {
    let mut spec = schedule.at(&["spec"]).cloned().unwrap_or_else(|| json!({}));
    spec["paused"] = json!(true);
    schedule.clone().with_field("spec", Some(spec))
}

async fn take_prune(
    connection: &Connection,
    plan: &PrunePlan,
    pushed: &mut Pushed,
) -> Option<Result<(), String>> {
    match &plan.action {
        PruneAction::Hold(_) | PruneAction::Unreadable(_) | PruneAction::Leaving | PruneAction::Forget => {
            None
        }
        PruneAction::Delete if pushed.disconnected.is_some() => {
            Some(Err("the cluster is not connected".to_owned()))
        }
        PruneAction::Delete => {
            let deleted = connection.delete(&plan.entry.key(), plan.entry.uid.as_deref()).await;
            Some(deleted.map_err(|error| note(&error, pushed)))
        }
    }
}

fn note(error: &ApiError, pushed: &mut Pushed) -> String {
    let text = error.to_string();
    if error.concerns_connection() {
        pushed.disconnected = Some(text.clone());
    }
    text
}

async fn take_step(connection: &Connection, object: &ObjectPlan, pushed: &mut Pushed) -> StepResult {
    let Some(key) = &object.key else { return StepResult::NotTaken };
    if !matches!(object.step, Step::Nothing | Step::StatusDiffers { .. } | Step::Hold { .. })
        && pushed.disconnected.is_some()
    {
        return StepResult::NotTaken;
    }
    match &object.step {
        Step::Nothing | Step::StatusDiffers { .. } | Step::Hold { .. } => StepResult::NotTaken,
        Step::Create { desired } => match connection.create(desired, Mode::Real).await {
            Ok(created) => StepResult::Created(Box::new(created)),
            Err(ApiError::AlreadyExists { .. } | ApiError::Conflict { .. }) => {
                stale(connection, key, pushed).await
            }
            Err(error) => refused(&error, pushed),
        },
        Step::Update { existing, merged, recreation, .. } => {
            update(connection, key, object, (existing, merged, recreation), pushed).await
        }
        Step::Probe { existing, merged, .. } => match rehearse(connection, existing, merged).await {
            Ok(answer) if same_after_dry_run(existing, &answer) => StepResult::Unchanged(Box::new(answer)),
            Ok(answer) => StepResult::Differs(Box::new(answer)),
            Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => {
                stale(connection, key, pushed).await
            }
            Err(error) => refused(&error, pushed),
        },
        Step::Delete { existing } => delete(connection, key, existing.uid(), pushed).await,
    }
}

/// Asks what an update would come to, and changes nothing: the very request that [`push`] makes, as a dry run.
pub async fn rehearse(
    connection: &Connection,
    existing: &Manifest,
    merged: &Manifest,
) -> Result<Manifest, ApiError> {
    connection.replace(&replacement(existing, merged), Mode::DryRun).await
}

/// What is written: the status is never part of it.
fn replacement(existing: &Manifest, merged: &Manifest) -> Manifest {
    merged.clone().with_field("status", existing.fields().get("status").cloned())
}

async fn update(
    connection: &Connection,
    key: &ObjectKey,
    object: &ObjectPlan,
    (existing, merged, recreation): (&Manifest, &Manifest, &Recreation),
    pushed: &mut Pushed,
) -> StepResult {
    let body = replacement(existing, merged);
    let mode = if *recreation == Recreation::Always { Mode::DryRun } else { Mode::Real };
    match connection.replace(&body, mode).await {
        Ok(answer) if mode == Mode::DryRun && same_after_dry_run(existing, &answer) => {
            StepResult::Unchanged(Box::new(answer))
        }
        Ok(_) if mode == Mode::DryRun => recreate(connection, key, object, existing, pushed).await,
        Ok(updated) if updated.resource_version() == existing.resource_version() => {
            StepResult::Unchanged(Box::new(updated))
        }
        Ok(updated) => StepResult::Updated(Box::new(updated)),
        Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => stale(connection, key, pushed).await,
        Err(ApiError::Unprocessable { .. })
            if matches!(recreation, Recreation::Always | Recreation::IfRequired) =>
        {
            recreate(connection, key, object, existing, pushed).await
        }
        Err(error) => refused(&error, pushed),
    }
}

/// Deletes the object and creates it as the template has it. A finalizer may keep the old one for a while.
async fn recreate(
    connection: &Connection,
    key: &ObjectKey,
    object: &ObjectPlan,
    existing: &Manifest,
    pushed: &mut Pushed,
) -> StepResult {
    let Some(desired) = &object.desired else { return StepResult::NotTaken };
    match connection.delete(key, existing.uid()).await {
        Ok(()) => {}
        Err(ApiError::Conflict { .. }) => return stale(connection, key, pushed).await,
        Err(error) => {
            return StepResult::Refused { message: note(&error, pushed), refusal: Refusal::Deletion };
        }
    }
    for attempt in 1..=CREATIONS {
        match connection.create(desired, Mode::Real).await {
            Ok(created) => return StepResult::Recreated(Box::new(created)),
            Err(ApiError::AlreadyExists { .. } | ApiError::Conflict { .. }) if attempt < CREATIONS => {
                tokio::time::sleep(BETWEEN_CREATIONS).await;
            }
            Err(ApiError::AlreadyExists { .. } | ApiError::Conflict { .. }) => break,
            Err(error) => {
                let message = note(&error, pushed);
                return StepResult::Refused { message, refusal: Refusal::Recreation };
            }
        }
    }
    StepResult::NotGone
}

async fn delete(
    connection: &Connection,
    key: &ObjectKey,
    uid: Option<&str>,
    pushed: &mut Pushed,
) -> StepResult {
    match connection.delete(key, uid).await {
        Ok(()) => StepResult::Deleted,
        Err(ApiError::Conflict { .. }) => stale(connection, key, pushed).await,
        Err(error) => refused(&error, pushed),
    }
}

/// The plan was made from something old: the caches are set right, so that the next one is not.
async fn stale(connection: &Connection, key: &ObjectKey, pushed: &mut Pushed) -> StepResult {
    pushed.stale = true;
    if let Err(error) = connection.refresh(key).await {
        note(&error, pushed);
    }
    StepResult::NotTaken
}

fn refused(error: &ApiError, pushed: &mut Pushed) -> StepResult {
    if let ApiError::Busy { .. } = error {
        // Not a word about what was asked for: the same again, soon.
        pushed.stale = true;
        return StepResult::NotTaken;
    }
    let refusal = match error {
        ApiError::Invalid { message, .. } if message.contains("strict decoding error") => {
            Refusal::UnknownField
        }
        ApiError::Unprocessable { .. } => Refusal::Content,
        _ => Refusal::Other,
    };
    StepResult::Refused { message: note(error, pushed), refusal }
}
