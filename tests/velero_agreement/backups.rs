//! Storage locations and Backups: which run, and which are refused in which words.

use crate::diary::GONE;
use crate::expected::Seen;
use crate::fixture::{Fixture, objects};
use crate::support::VELERO;

#[tokio::test]
async fn locations_and_backups() {
    let fixture = Fixture::start(&["c1"]).await;
    let c1 = fixture.cluster("c1");
    let mut seen = Seen::new("backups");

    seen.add_entries(&c1.settle(&fixture.with_storage(&objects("locations"))).await);
    seen.add_entries(&c1.settle(&objects("backups")).await);
    seen.add_entries(&c1.settle(&objects("backups-with-two-snapshot-locations")).await);

    seen.add_entries(&c1.settle(&fixture.with_storage(&objects("backups-of-volumes"))).await);
    c1.user.delete("Backup", VELERO, "twice").await;
    c1.diary.until("Backup", "twice", |entry| entry.phase() == GONE).await;
    for (_, again) in c1.settle(&objects("backups-again")).await {
        seen.add_entry("Backup twice, again", &again);
    }

    fixture.stage.shutdown().await;
    seen.check();
}
