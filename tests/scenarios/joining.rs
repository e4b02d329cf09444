//! A cluster joins with an account of its own, and the hub does its work with the rights of that account and no others.

use serde_json::json;

use crate::support::stage::{Kind, kind};
use crate::support::{User, VELERO, World};

/// The Schedule of c1 under the demo's configuration.
const SCHEDULE: &str = "acm-app-dpa-1-c1";
/// Somewhere that is none of the hub's business.
const ELSEWHERE: &str = "kube-system";

/// What an account may do: verb, group, resource, namespace (`""` for all of them).
type Right = (&'static str, &'static str, &'static str, &'static str);

async fn rights_are(user: &User, rights: &[Right], expected: bool) {
    // The stand-in knows no rights.
    if kind() == Kind::StandIn {
        return;
    }
    let mut wrong = Vec::new();
    for (verb, group, resource, namespace) in rights {
        if user.may(verb, group, resource, namespace).await != expected {
            wrong.push(format!("{verb} {resource}.{group} in {namespace:?}"));
        }
    }
    assert_eq!(wrong, [""; 0], "expected {expected}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_joining_gives_are_enough_to_back_up_and_restore() {
    let mut world = World::start_unjoined(&[&["c1", "c2"]]).await.remove(0);
    world.create_app("c1", "pacman").await;
    world.apply_own_policies().await;
    world.bind_set().await;
    // Where Velero will be is taken from the ConfigMap on the hub.
    let told = world.join_by_command("c1", &["--label", "name=c1"]).await;
    for line in [
        "serviceaccount/flotilla-hub created",
        "clusterrole/flotilla-access created",
        "rolebinding/flotilla-access created",
        "secret/flotilla-kubeconfig created",
        "managedcluster/c1 created",
    ] {
        assert!(told.lines().any(|said| said == line), "{line:?} in {told}");
    }
    let again = world.join_by_command("c1", &["--label", "name=c1"]).await;
    assert!(!again.contains("created") && !again.contains("configured"), "{again}");
    world.join_by_command("c2", &["--velero-namespace", VELERO, "--label", "name=c2"]).await;

    world.start_hub();
    world.label_for_backup("c1").await;
    let c1 = &world.clusters["c1"];
    c1.wait("the schedule to be enabled", "Schedule", Some(VELERO), |schedules| {
        (schedules.get(SCHEDULE)?["status"]["phase"] == "Enabled").then_some(())
    })
    .await;
    world.stage.strike(c1, SCHEDULE).await;
    let backup = crate::pacman::completed_backup(&world, "c1").await;
    for policy in [crate::INSTALL, crate::BACKUP] {
        world.policy_is(policy, "c1", "Compliant").await;
    }
    world.label_for_restore("c2", &backup).await;
    world.policy_is(crate::INSTALL, "c2", "Compliant").await;
    world.stage.let_velero_look().await;
    world.policy_is(crate::RESTORE, "c2", "Compliant").await;
    assert!(world.clusters["c2"].get("Deployment", "pacman", "pacman").await.is_some());
    world.unlabel("c1").await;
    c1.wait("the schedule to go", "Schedule", Some(VELERO), |schedules| {
        (!schedules.contains_key(SCHEDULE)).then_some(())
    })
    .await;

    let account = User::new(world.given_kubeconfig("c1").await).await;
    rights_are(
        &account,
        &[
            ("create", "", "namespaces", ""),
            ("list", "", "secrets", VELERO),
            ("update", "", "secrets", VELERO),
            ("delete", "velero.io", "schedules", VELERO),
            ("create", "velero.io", "restores", VELERO),
            ("delete", "velero.io", "backups", VELERO),
            ("delete", "velero.io", "backuprepositories", VELERO),
            ("create", "operators.coreos.com", "subscriptions", VELERO),
            ("list", "apiextensions.k8s.io", "customresourcedefinitions", ""),
        ],
        true,
    )
    .await;
    rights_are(
        &account,
        &[
            ("list", "", "secrets", ""),
            ("get", "", "secrets", ELSEWHERE),
            ("get", "", "secrets", "flotilla-access"),
            ("get", "", "configmaps", ELSEWHERE),
            ("delete", "", "namespaces", ""),
            ("create", "", "pods", VELERO),
            ("create", "", "pods/exec", VELERO),
            ("create", "", "serviceaccounts/token", VELERO),
            ("create", "apps", "deployments", VELERO),
            // What is in the bucket is deleted by such a request alone.
            ("create", "velero.io", "deletebackuprequests", VELERO),
            ("create", "velero.io", "backups", VELERO),
            ("update", "velero.io", "backups", VELERO),
            ("create", "velero.io", "restores", ELSEWHERE),
            ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
            ("create", "rbac.authorization.k8s.io", "clusterrolebindings", ""),
            ("create", "rbac.authorization.k8s.io", "rolebindings", VELERO),
            ("escalate", "rbac.authorization.k8s.io", "clusterroles", ""),
            ("update", "apiextensions.k8s.io", "customresourcedefinitions", ""),
            ("impersonate", "", "users", ""),
        ],
        false,
    )
    .await;
    if kind() == Kind::Plane {
        // Not by its word alone.
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "more"}, "rules": []});
        let refused = account.try_create(&role, "", false).await.unwrap_err();
        assert!(refused.contains("cannot create resource \"clusterroles\""), "{refused}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hub_itself_may_do_no_more_than_it_needs() {
    let world = World::start_unjoined(&[&[]]).await.remove(0);
    let hub = User::new(std::fs::read_to_string(world.hub_kubeconfig()).unwrap()).await;
    let (cluster, policy) = ("cluster.open-cluster-management.io", "policy.open-cluster-management.io");
    rights_are(
        &hub,
        &[
            ("watch", "", "secrets", ""),
            ("create", policy, "policies", "c1"),
            ("patch", policy, "policies/status", "c1"),
            ("create", "", "secrets", "flotilla"),
            ("watch", "operator.open-cluster-management.io", "multiclusterhubs", ""),
        ],
        true,
    )
    .await;
    rights_are(
        &hub,
        &[
            ("create", "", "secrets", "policies"),
            ("patch", "", "secrets", ""),
            ("delete", "", "secrets", "flotilla"),
            ("update", "", "configmaps", ""),
            ("patch", "", "configmaps", "policies"),
            ("delete", "", "configmaps", "policies"),
            ("create", "", "namespaces", ""),
            ("create", "", "pods", "flotilla"),
            ("create", "", "serviceaccounts/token", "policies"),
            ("impersonate", "", "serviceaccounts", "policies"),
            ("patch", cluster, "managedclusters", ""),
            ("patch", "operator.open-cluster-management.io", "multiclusterhubs", ""),
            ("create", cluster, "managedclustersetbindings", "policies"),
            ("update", policy, "policies", ""),
            ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
            ("create", "rbac.authorization.k8s.io", "rolebindings", "flotilla"),
            ("create", "admissionregistration.k8s.io", "validatingwebhookconfigurations", ""),
            ("patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations", ""),
        ],
        false,
    )
    .await;
    world.stop().await;
}
