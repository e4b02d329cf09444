//! When Schedules run and when they do not.

use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;

use super::{minutely, schedule, stage};
use crate::sim::velero::edit::{at, label, name, phase, remove, set, text, texts, truth};
use crate::sim::velero::stage::velero;

#[test]
fn a_schedule_makes_a_backup_each_minute() {
    let mut stage = stage(&["c1"]);
    let mut object = minutely();
    set(&mut object, &["metadata", "annotations", "team"], "games");
    stage.create("c1", object);
    stage.settle();
    let made = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(phase(&made), "Enabled");
    assert_eq!(truth(&made, &["spec", "skipImmediately"]), Some(false));
    assert!(stage.list("c1", "velero.io/v1", "Backup").is_empty(), "no run before the next slot");
    stage.minute();
    stage.minute();
    let backups = stage.list("c1", "velero.io/v1", "Backup");
    let names: Vec<&str> = backups.iter().map(name).collect();
    assert_eq!(names, ["acm-app-dpa-1-c1-20261121100130", "acm-app-dpa-1-c1-20261121100230"]);
    let made = &backups[0];
    assert_eq!(phase(made), "Completed");
    assert_eq!(label(made, "velero.io/schedule-name"), "acm-app-dpa-1-c1");
    assert_eq!((label(made, "cluster-name"), label(made, "cluster-id")), ("c1", "id-1"));
    assert_eq!(text(made, &["metadata", "annotations", "team"]), "games");
    let schedule = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(text(&schedule, &["status", "lastBackup"]), "2026-11-21T10:02:30Z");
}

#[test]
fn missed_slots_are_not_caught_up() {
    let mut stage = stage(&["c1"]);
    stage.create("c1", minutely());
    stage.settle();
    stage.pass(SignedDuration::from_hours(3));
    assert_eq!(stage.list("c1", "velero.io/v1", "Backup").len(), 1);
}

#[test]
fn no_run_begins_while_one_is_under_way_or_the_schedule_is_paused() {
    let mut stage = stage(&["c1"]);
    let mut object = minutely();
    set(&mut object, &["metadata", "annotations", "sim.flotilla.dev/hold-phase"], "InProgress");
    stage.create("c1", object);
    stage.minute();
    stage.minute();
    assert_eq!(stage.list("c1", "velero.io/v1", "Backup").len(), 1);
    let backup = velero("Backup", "acm-app-dpa-1-c1-20261121100130");
    stage.edit("c1", &backup, |object| remove(object, &["metadata", "annotations"]));
    stage.edit("c1", &velero("Schedule", "acm-app-dpa-1-c1"), |object| {
        set(object, &["spec", "paused"], true);
    });
    stage.minute();
    assert_eq!(stage.list("c1", "velero.io/v1", "Backup").len(), 1);
}

#[test]
fn a_skipped_slot_is_noted() {
    let mut stage = stage(&["c1"]);
    let mut object = minutely();
    set(&mut object, &["spec", "schedule"], "0 * * * *");
    set(&mut object, &["spec", "skipImmediately"], true);
    stage.create("c1", object);
    stage.settle();
    let made = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(truth(&made, &["spec", "skipImmediately"]), Some(false));
    assert_eq!(text(&made, &["status", "lastSkipped"]), "2026-11-21T10:00:30Z");
}

#[rstest]
#[case("", "Schedule must be a non-empty valid Cron expression")]
#[case("0 * * *", "invalid schedule: expected exactly 5 fields, found 4: [0 * * *]")]
#[case("60 * * * *", "invalid schedule: end of range (60) above maximum (59): \"60\"")]
fn schedules_that_are_refused(#[case] cron: &str, #[case] fault: &str) {
    let mut stage = stage(&["c1"]);
    stage.create("c1", schedule(json!({"schedule": cron, "template": {}})));
    stage.settle();
    let refused = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(phase(&refused), "FailedValidation");
    assert_eq!(texts(&refused, &["status", "validationErrors"]), [fault]);
    stage.edit("c1", &velero("Schedule", "acm-app-dpa-1-c1"), |object| {
        set(object, &["spec", "schedule"], "@hourly");
    });
    stage.settle();
    let repaired = stage.get("c1", &velero("Schedule", "acm-app-dpa-1-c1")).unwrap();
    assert_eq!(phase(&repaired), "Enabled");
    assert_eq!(at(&repaired, &["status", "validationErrors"]), None);
}

#[test]
fn a_skip_moves_the_next_run() {
    let mut stage = stage(&["c1"]);
    let mut object = minutely();
    set(&mut object, &["spec", "schedule"], "0 * * * *");
    set(&mut object, &["spec", "paused"], true);
    stage.create("c1", object);
    stage.pass(SignedDuration::from_hours(2));
    stage.edit("c1", &velero("Schedule", "acm-app-dpa-1-c1"), |object| {
        set(object, &["spec", "paused"], false);
        set(object, &["spec", "skipImmediately"], true);
    });
    stage.minute();
    assert!(stage.list("c1", "velero.io/v1", "Backup").is_empty());
    stage.pass(SignedDuration::from_hours(1));
    assert_eq!(stage.list("c1", "velero.io/v1", "Backup").len(), 1);
}
