//! Schedules: which are enabled, in which words the others are refused, and what Backups become of them.

use serde_json::json;

use crate::diary::Entry;
use crate::expected::Seen;
use crate::fixture::{Fixture, objects};
use crate::support::VELERO;
use crate::support::stage::{Kind, kind};

/// Schedules of every hour that are not paused. Of Backups that are made at once real Velero runs one each minute, hence few.
const HOURLY: [&str; 2] = ["hourly", "every-hour"];

#[tokio::test]
async fn schedules_and_their_backups() {
    let fixture = Fixture::start(&["c1"]).await;
    let c1 = fixture.cluster("c1");
    let mut seen = Seen::new("schedules");

    c1.create("schedules-paused").await;
    seen.add_entries(&c1.settle(&objects("schedules")).await);
    seen.add_entry("Schedule paused, while paused", &c1.diary.all("Schedule")["paused"]);
    for name in ["paused", "paused-bad"] {
        c1.user.merge("Schedule", VELERO, name, &json!({"spec": {"paused": false}})).await;
        let entry = c1.diary.until("Schedule", name, Entry::is_settled).await;
        seen.add_entry(&format!("Schedule {name}, no longer paused"), &entry);
    }
    c1.user.merge("Schedule", VELERO, "minute-60", &json!({"spec": {"schedule": "0 0 1 1 *"}})).await;
    let repaired = c1.diary.until("Schedule", "minute-60", |entry| entry.phase() == "Enabled").await;
    seen.add_entry("Schedule minute-60, repaired", &repaired);
    c1.user.merge("Schedule", VELERO, "skipped", &json!({"spec": {"schedule": "0 0 99 1 *"}})).await;
    let broken = c1.diary.until("Schedule", "skipped", |entry| entry.phase() == "FailedValidation").await;
    seen.add_entry("Schedule skipped, broken", &broken);

    c1.user.delete("Schedule", VELERO, "paused").await;
    // One hour of the simulated clock is one for all.
    let struck = if kind() == Kind::Plane { &HOURLY[..] } else { &HOURLY[..1] };
    for name in struck {
        fixture.stage.strike(&c1.user, name).await;
    }
    for name in HOURLY {
        let prefix = format!("{name}-2");
        let is_done = |backup: &str, entry: &Entry| backup.starts_with(&prefix) && entry.is_settled();
        let mut backup = c1.diary.until_any("Backup", is_done).await;
        if name == "hourly" {
            // How much there is on a whole cluster is not the same on any two.
            backup.object["status"].as_object_mut().unwrap().remove("progress");
        }
        seen.add_entry(&format!("Backup of {name}"), &backup);
        seen.add_entry(&format!("Schedule {name}, struck"), &c1.diary.all("Schedule")[name]);
    }

    fixture.stage.shutdown().await;
    seen.check();
}
