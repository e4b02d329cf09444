//! Two clusters with one storage: what one backs up the other sees, and what is deleted is gone for both.

use crate::diary::{Entry, GONE};
use crate::expected::Seen;
use crate::fixture::{Fixture, objects};
use crate::support::VELERO;

#[tokio::test]
async fn backups_are_shared_and_deleted() {
    let fixture = Fixture::start(&["c1", "c2"]).await;
    let (c1, c2) = (fixture.cluster("c1"), fixture.cluster("c2"));
    let mut seen = Seen::new("shared_storage");

    seen.add_entries(&c1.settle(&objects("requests")).await);
    seen.add_entries(&c1.settle(&objects("shared")).await);
    fixture.stage.let_velero_look().await;
    for name in ["whole", "doomed", "partial"] {
        let synced = c2.diary.until("Backup", name, Entry::is_settled).await;
        seen.add_entry(&format!("Backup {name}, on the other cluster"), &synced);
    }
    assert!(!c2.diary.all("Backup").contains_key("refused"), "what never ran is not stored");
    seen.add_entries(&c2.settle(&objects("moved")).await);

    c2.user.delete("Backup", VELERO, "partial").await;
    c2.diary.until("Backup", "partial", |entry| entry.phases.contains(&GONE.to_owned())).await;

    seen.add_entries(&c1.settle(&objects("deletions-refused")).await);
    for file in ["deletions", "deletions-of-refused"] {
        let created = c1.create(file).await;
        for (kind, name) in created {
            let entry = c1.diary.until(&kind, &name, |entry| entry.phase() == GONE).await;
            seen.add_entry(&format!("{kind} {name}"), &entry);
            let backup = c1.diary.until("Backup", &name, |entry| entry.phase() == GONE).await;
            seen.add_entry(&format!("Backup {name}, deleted"), &backup);
        }
    }
    let restore = c1.diary.until("Restore", "of-doomed", |entry| entry.phase() == GONE).await;
    seen.add_entry("Restore of-doomed, deleted", &restore);
    // One look shows both what is back and what has no data any more.
    fixture.stage.let_velero_look().await;
    let back = c2.diary.until("Backup", "partial", |entry| entry.phase() != GONE).await;
    seen.add_entry("Backup partial, deleted on the other cluster", &back);
    let orphan = c2.diary.until("Backup", "doomed", |entry| entry.phase() == GONE).await;
    seen.add_entry("Backup doomed, an orphan", &orphan);

    c2.create("unreadable").await;
    seen.add_entries(&c2.settle(&objects("behind-unreadable")).await);
    for name in ["unreadable", "behind-unreadable"] {
        for kind in ["Backup", "Schedule"] {
            seen.add_entry(&format!("{kind} {name}"), &c2.diary.all(kind)[name]);
        }
    }

    fixture.stage.shutdown().await;
    seen.check();
}
