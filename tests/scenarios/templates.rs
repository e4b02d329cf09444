//! Templates that look things up on the hub with rights of their own.

use serde_json::{Value, json};

use crate::support::input::{binding, placement_of};
use crate::support::{POLICIES, World, stage};

const POLICY: &str = "colours";
const ACCOUNT: &str = "reader";
const ELSEWHERE: &str = "elsewhere";

/// A ConfigMap on the cluster with a value from a namespace that is not the policy's.
fn policy() -> Value {
    json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy", "metadata": {"name": POLICY},
        "spec": {"disabled": false, "remediationAction": "enforce",
            "hubTemplateOptions": {"serviceAccountName": ACCOUNT},
            "policy-templates": [{"objectDefinition": {
                "apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
                "metadata": {"name": POLICY},
                "spec": {"severity": "low", "object-templates": [{"complianceType": "musthave",
                    "objectDefinition": {"apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": {"name": POLICY, "namespace": "default"},
                        "data": {"main": "{{hub fromConfigMap \"elsewhere\" \"colours\" \"main\" hub}}"}}}]}}}]}})
}

/// Gives a service account a right in a namespace of the hub.
async fn allow(world: &World, account: (&str, &str), namespace: &str, rule: Value) {
    let (of, name) = account;
    let role = format!("{of}-{name}");
    let rbac = "rbac.authorization.k8s.io";
    world
        .hub
        .apply(
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": role},
                "rules": [rule]}),
            namespace,
        )
        .await;
    world
        .hub
        .apply(
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role},
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": of}]}),
            namespace,
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hub_templates_see_what_their_service_account_may_see() {
    let world = World::start().await;
    for namespace in [POLICIES, ELSEWHERE] {
        world
            .hub
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}), "")
            .await;
    }
    let colours = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"},
        "data": {"main": "blue"}});
    world.hub.apply(colours, ELSEWHERE).await;
    world.bind_set().await;
    for object in [placement_of("c1", POLICY), policy(), binding(POLICY, POLICY)] {
        world.hub.apply(object, POLICIES).await;
    }
    world.template_says(POLICY, "c1", POLICY, "(policies/reader) does not exist").await;

    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}});
    world.hub.apply(account, POLICIES).await;
    // The stand-in asks nobody for rights.
    let asks_for_rights = stage::kind() == stage::Kind::Plane;
    if asks_for_rights {
        world.template_says(POLICY, "c1", POLICY, "flotilla\" cannot impersonate").await;
    }
    let act = json!({"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": [ACCOUNT],
        "verbs": ["impersonate"]});
    allow(&world, ("flotilla", "flotilla"), POLICIES, act).await;
    if asks_for_rights {
        let refused = "User \"system:serviceaccount:policies:reader\" cannot list resource \"configmaps\"";
        world.template_says(POLICY, "c1", POLICY, refused).await;
    }
    let read = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]});
    allow(&world, (POLICIES, ACCOUNT), ELSEWHERE, read).await;
    let main_is = async |colour: &str| {
        world.clusters["c1"]
            .wait(&format!("the colour to be {colour}"), "ConfigMap", Some("default"), |maps| {
                (maps.get(POLICY)?["data"]["main"] == colour).then_some(())
            })
            .await;
    };
    main_is("blue").await;

    // What the account sees is watched.
    world.hub.merge("ConfigMap", ELSEWHERE, "colours", &json!({"data": {"main": "green"}})).await;
    main_is("green").await;
    assert!(world.hub.list("Policy", Some("c2")).await.is_empty(), "the expression chooses c1 alone");
    world.stop().await;
}
