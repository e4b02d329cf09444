//! Clusters that cannot be reached, will not let in or lack a kind: they say so, slow no other, and converge when they are well.

mod support;

use support::{POLICIES, VELERO, World, config_map};

const INSTALL: &str = "oadp-hdr-app-install";
const BACKUP: &str = "oadp-hdr-app-backup";

/// What the policies of c2 say while its kubeconfig Secret is as given; c1 goes on meanwhile, and c2 follows when the
/// Secret is right.
async fn faulty_credentials(kubeconfig: &str, parts: &[&str]) {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.write_credentials("c2", kubeconfig).await;
    world.label_for_backup("c2").await;
    world.protect("c1").await;
    for (policy, template) in [(INSTALL, "create-ns-oadp-operators"), (BACKUP, "create-schedule-resource")] {
        let said = world.template_says(policy, "c2", template, "cluster c2").await;
        assert!(said.starts_with("NonCompliant; violation - cluster c2"), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} in {said}");
        }
        assert!(!said.contains("S3CRET"), "{said}");
    }
    world.policy_is(INSTALL, "c2", "NonCompliant").await;
    assert!(world.clusters["c2"].get("Namespace", "", VELERO).await.is_none());

    world.write_credentials("c2", &world.clusters["c2"].kubeconfig).await;
    world.protect("c2").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kubeconfig_that_does_not_parse_is_told() {
    faulty_credentials("S3CRET: [", &["Secret c2/flotilla-kubeconfig", "failed to read the kubeconfig"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kubeconfig_with_a_plugin_is_refused() {
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: \
                      'http://127.0.0.1:1'}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, \
                      user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/S3CRET}}}]\n";
    faulty_credentials(kubeconfig, &["Secret c2/flotilla-kubeconfig", "`exec`", "use a token"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_accepted_is_told() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    let wrong = world.clusters["c2"].kubeconfig.replace(&world.server("c2").token(), "S3CRET");
    world.write_credentials("c2", &wrong).await;
    world.label_for_backup("c2").await;
    world.protect("c1").await;
    let said = world.template_says(INSTALL, "c2", "create-ns-oadp-operators", "failed to log in").await;
    assert!(said.contains("check its kubeconfig Secret in namespace c2 on the hub"), "{said}");
    assert!(!said.contains("S3CRET"), "{said}");

    world.write_credentials("c2", &world.clusters["c2"].kubeconfig).await;
    world.protect("c2").await;

    // Credentials that are spoilt later: the connection that was made from the good ones is not used any more.
    world.write_credentials("c2", &wrong).await;
    world.template_says(INSTALL, "c2", "create-ns-oadp-operators", "failed to log in").await;
    assert!(world.clusters["c2"].get("Schedule", VELERO, "acm-pv-dpa-1-c2").await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_a_secret_is_told_how_to_join() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.hub.delete("Secret", "c2", "flotilla-kubeconfig").await;
    world.label_for_backup("c2").await;
    world.protect("c1").await;
    let said = world.template_says(INSTALL, "c2", "create-ns-oadp-operators", "cluster c2").await;
    assert_eq!(
        said,
        "NonCompliant; violation - cluster c2 is not joined: there is no kubeconfig Secret for it on the hub; run \
         `flotilla cluster join c2 --kubeconfig FILE`"
    );
    world.write_credentials("c2", &world.clusters["c2"].kubeconfig).await;
    world.protect("c2").await;

    // Taken away again: nothing is removed, and it is told again.
    world.hub.delete("Secret", "c2", "flotilla-kubeconfig").await;
    world.template_says(INSTALL, "c2", "create-ns-oadp-operators", "is not joined").await;
    assert!(world.clusters["c2"].get("Schedule", VELERO, "acm-pv-dpa-1-c2").await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_refuses_slows_no_other_and_converges_when_it_is_back() {
    use flotilla::sim::faults::Fault;
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.server("c2").faults().set(Fault::Refuse);
    world.label_for_backup("c2").await;
    world.protect("c1").await;
    let said = world.template_says(BACKUP, "c2", "create-schedule-resource", "cannot be reached").await;
    assert!(said.contains("nothing is changed there until it answers"), "{said}");
    world.server("c2").faults().set(Fault::None);
    world.protect("c2").await;

    // It refuses again, now that it has been in use, and loses its label meanwhile.
    world.server("c2").faults().set(Fault::Refuse);
    world.template_says(BACKUP, "c2", "create-schedule-resource", "cannot be reached").await;
    world.unlabel("c2").await;
    world.policy_is(BACKUP, "c1", "Compliant").await;
    world.server("c2").faults().set(Fault::None);
    world.schedule_is_gone("c2").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_hangs_slows_no_other() {
    use flotilla::sim::faults::Fault;
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.server("c2").faults().set(Fault::Hang);
    world.label_for_backup("c2").await;
    world.protect("c1").await;
    world.protect("c3").await;
    assert!(
        world.hub.list("Policy", Some("c2")).await.is_empty(),
        "the others are done before c2 is given up"
    );
    let said = world.template_says(BACKUP, "c2", "create-schedule-resource", "cannot be reached").await;
    assert!(said.contains("no answer within 5 s"), "{said}");
    world.server("c2").faults().set(Fault::None);
    world.protect("c2").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_may_not_be_read_concerns_those_who_look_at_it() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    world.apply_policies(&config).await;
    world.server("c2").faults().forbid(Some("Schedule"));
    world.label_for_backup("c2").await;
    let said =
        world.template_says(BACKUP, "c2", "create-schedule-resource", "Error retrieving an object").await;
    assert!(said.starts_with("NonCompliant; violation - ") && said.contains("forbidden"), "{said}");
    world.policy_is(INSTALL, "c2", "Compliant").await;
    world.server("c2").faults().forbid(None);
    world.protected("c2").await;
    world.stop().await;
}

/// Found with a real API server: while the storage of a kind is set up, it answers 429.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_busy_is_waited_for() {
    let mut world = World::start_without_hub().await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.label_for_backup("c1").await;
    world.stand_in().hub().faults().busy_next_requests(3);
    world.server("c1").faults().busy_next_requests(3);
    world.start_hub();
    world.protected("c1").await;
    assert_eq!(world.stand_in().hub().faults().busy_left(), 0, "the kinds were asked for again");
    assert_eq!(world.server("c1").faults().busy_left(), 0);

    // The lists that follow the end of a watch, too; what is known stays true meanwhile.
    world.server("c1").faults().busy_next_requests(3);
    world.server("c1").expire_watches();
    world.configure(&[("backupSchedule", Some("10 */2 * * *"))]).await;
    world.clusters["c1"]
        .wait("the new schedule", "Schedule", Some(VELERO), |schedules| {
            schedules.values().any(|schedule| schedule["spec"]["schedule"] == "10 */2 * * *").then_some(())
        })
        .await;
    world.policy_is(BACKUP, "c1", "Compliant").await;
    world.stop().await;
}

/// Found with a real API server, which refuses everything for some seconds while it starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_read_when_a_policy_leaves_is_removed_once_it_may() {
    let mut world = World::start().await;
    world.apply_policies(&config_map("pv-snap")).await;
    world.protect("c2").await;
    world.kill_hub().await;
    world.server("c2").faults().forbid(Some("Schedule"));
    world.unlabel("c2").await;
    world.start_hub();
    let event = world.event(POLICIES, BACKUP, "Kept", "cannot see there what it made").await;
    assert!(event["message"].as_str().unwrap().contains("acm-pv-dpa-1-c2"), "{event}");
    world.server("c2").faults().forbid(None);
    world.schedule_is_gone("c2").await;
    world
        .hub
        .wait("the replicated policy to go", "Policy", Some("c2"), |policies| {
            policies.is_empty().then_some(())
        })
        .await;
    world.stop().await;
}
