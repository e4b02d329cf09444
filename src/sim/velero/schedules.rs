//! Schedules: validated when they change, and each minute asked whether a Backup is due.
//!
//! Takes Schedules, gives their status and Backups. Upstream: `schedule_controller`. One difference: a slot
//! that falls exactly on the simulated minute is due at once, because simulated minutes, unlike real ones,
//! meet slots exactly.

use serde_json::{Map, Value, json};

use super::edit::{
    as_written_by_velero, at, moment, name, phase, remove, replace, set, text, texts, time, truth,
};
use super::scene::{API_VERSION, Scene};
use crate::api::object::Manifest;
use crate::pipeline::config::cron::{Cron, CronError};
use crate::sim::simulator::{Trigger, Write};

/// The label by which a Backup knows its Schedule. The name is not shortened.
pub(super) const SCHEDULE_LABEL: &str = "velero.io/schedule-name";

/// The writes for all Schedules of the namespace. Paused ones are not looked at.
pub(super) fn writes(scene: &Scene<'_>, trigger: Trigger) -> Vec<Write> {
    scene
        .all("Schedule")
        .iter()
        .filter(|schedule| {
            !schedule.is_deleting() && schedule.at(&["spec", "paused"]) != Some(&Value::Bool(true))
        })
        .flat_map(|schedule| process(scene, schedule, trigger))
        .collect()
}

fn process(scene: &Scene<'_>, schedule: &Manifest, trigger: Trigger) -> Vec<Write> {
    let mut object = schedule.to_value();
    match truth(&object, &["spec", "skipImmediately"]) {
        Some(false) => {}
        skip => {
            set(&mut object, &["spec", "skipImmediately"], false);
            if skip == Some(true) {
                set(&mut object, &["status", "lastSkipped"], time(scene.now));
            }
        }
    }
    let mut writes = Vec::new();
    match read_cron(text(&object, &["spec", "schedule"])) {
        Err(fault) => {
            if phase(&object) != "FailedValidation"
                || texts(&object, &["status", "validationErrors"]) != [&*fault]
            {
                set(&mut object, &["status", "phase"], "FailedValidation");
                set(&mut object, &["status", "validationErrors"], vec![fault]);
            }
        }
        Ok(cron) => {
            if phase(&object) != "Enabled" {
                set(&mut object, &["status", "phase"], "Enabled");
                remove(&mut object, &["status", "validationErrors"]);
            }
            // A label value of more than 63 characters is refused by the API server, and the Backup with it.
            let can_be_labelled = name(&object).len() <= 63;
            let due = trigger == Trigger::Minute && is_due(scene, &object, &cron);
            if due && can_be_labelled && !has_backup_under_way(scene, &object) {
                writes.push(Write::Create(backup(scene, &object)));
                set(&mut object, &["status", "lastBackup"], time(scene.now));
            }
        }
    }
    writes.extend(replace(schedule, object));
    writes
}

fn read_cron(expression: &str) -> Result<Cron, String> {
    if expression.is_empty() {
        return Err("Schedule must be a non-empty valid Cron expression".to_owned());
    }
    expression.parse().map_err(|error: CronError| format!("invalid schedule: {}", error.problem()))
}

/// Missed runs are not caught up: one run is due once the slot after the last run (or creation, or skip) has
/// come.
fn is_due(scene: &Scene<'_>, schedule: &Value, cron: &Cron) -> bool {
    let last_run = moment(schedule, &["status", "lastBackup"])
        .or_else(|| moment(schedule, &["metadata", "creationTimestamp"]));
    let skipped = moment(schedule, &["status", "lastSkipped"]);
    let last = last_run.max(skipped);
    last.and_then(|last| cron.next(last)).is_some_and(|next| next <= scene.now)
}

fn has_backup_under_way(scene: &Scene<'_>, schedule: &Value) -> bool {
    scene.all("Backup").iter().any(|backup| {
        backup.label(SCHEDULE_LABEL) == Some(name(schedule))
            && matches!(backup.text_at(&["status", "phase"]).unwrap_or_default(), "" | "New" | "InProgress")
    })
}

fn backup(scene: &Scene<'_>, schedule: &Value) -> Value {
    let stamp = time(scene.now).replace(['-', ':', 'T', 'Z'], "");
    let template = at(schedule, &["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    let own_labels = at(&template, &["metadata", "labels"]).filter(|labels| labels.is_object());
    let labels = own_labels.or_else(|| at(schedule, &["metadata", "labels"])).cloned();
    let mut backup = json!({
        "apiVersion": API_VERSION,
        "kind": "Backup",
        "metadata": {
            "name": format!("{}-{stamp}", name(schedule)),
            "namespace": scene.namespace,
            "labels": labels.unwrap_or_else(|| Value::Object(Map::new())),
        },
        "spec": template,
    });
    set(&mut backup, &["metadata", "labels", SCHEDULE_LABEL], name(schedule));
    // The labels of the template and those of the Backup are the same map upstream.
    if at(&backup, &["spec", "metadata", "labels"]).is_some() {
        set(&mut backup, &["spec", "metadata", "labels", SCHEDULE_LABEL], name(schedule));
    }
    as_written_by_velero(&mut backup);
    if let Some(annotations) = at(schedule, &["metadata", "annotations"]).and_then(Value::as_object) {
        set(&mut backup, &["metadata", "annotations"], Value::Object(annotations.clone()));
    }
    if truth(schedule, &["spec", "useOwnerReferencesInBackup"]).unwrap_or(false) {
        let owner = json!({
            "apiVersion": API_VERSION,
            "kind": "Schedule",
            "name": name(schedule),
            "uid": text(schedule, &["metadata", "uid"]),
            "controller": true,
        });
        set(&mut backup, &["metadata", "ownerReferences"], vec![owner]);
    }
    backup
}
