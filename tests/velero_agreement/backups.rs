//! Storage locations and Backups: which run, and which are refused in which words.

use crate::expected::Seen;
use crate::fixture::{Fixture, objects};

#[tokio::test]
async fn locations_and_backups() {
    let fixture = Fixture::start(&["c1"]).await;
    let c1 = fixture.cluster("c1");
    let mut seen = Seen::new("backups");

    seen.add_entries(&c1.settle(&fixture.with_storage(&objects("locations"))).await);
    seen.add_entries(&c1.settle(&objects("backups")).await);
    seen.add_entries(&c1.settle(&objects("backups-with-two-snapshot-locations")).await);

    fixture.stage.shutdown().await;
    seen.check();
}
