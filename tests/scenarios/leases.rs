//! Two processes of Flotilla on one hub.

use serde_json::{Value, json};

use crate::INSTALL;
use crate::support::World;

/// Two processes, one Lease: the second does nothing until the first gives it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_hub_waits_for_the_lease() {
    let holder = |leases: &std::collections::BTreeMap<String, Value>| {
        leases.get("flotilla-hub")?["spec"]["holderIdentity"].as_str().map(ToOwned::to_owned)
    };
    let mut world = World::start_without_hub().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flotilla"}});
    world.hub.apply(namespace, "").await;
    let first = world.start_candidate("first");
    world
        .hub
        .wait("the first to hold the Lease", "Lease", Some("flotilla"), |leases| {
            (holder(leases)? == "first").then_some(())
        })
        .await;
    let second = world.start_candidate("second");
    world.apply_own_policies().await;
    world.bind_set().await;
    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", Some("backup"))]).await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    assert_eq!(holder(&world.hub.list("Lease", Some("flotilla")).await).as_deref(), Some("first"));
    first.stop().await;
    world
        .hub
        .wait("the second to hold the Lease", "Lease", Some("flotilla"), |leases| {
            (holder(leases)? == "second").then_some(())
        })
        .await;
    world.hub.label("ManagedCluster", "c2", &[("acm-pv-dr", Some("backup"))]).await;
    world.policy_is(INSTALL, "c2", "Compliant").await;
    second.stop().await;
    world.stop().await;
}
