//! What `kubectl apply -k` puts on a hub or a cluster, as stock kubectl builds it, and the image that it runs.

#![expect(clippy::disallowed_methods, reason = "reads the project's files")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use flotilla::adapters::cluster::access::{ACCESS_NAMESPACE, ACCOUNT};
use flotilla::adapters::hub::LEASE_NAME;
use flotilla::adapters::hub::webhook::WEBHOOK_NAME;
use flotilla::api::definitions::definitions;
use flotilla::pipeline::config::CONFIG_MAP_NAME;
use flotilla::yaml;
use rstest::rstest;
use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The objects of a kustomization by `Kind namespace/name`. `None` where kubectl is not installed.
fn built(directory: &Path) -> Option<BTreeMap<String, Value>> {
    let Ok(output) = Command::new("kubectl").arg("kustomize").arg(directory).output() else {
        println!("skipped: kubectl is not installed");
        return None;
    };
    assert!(output.status.success(), "{}: {}", directory.display(), String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let objects = yaml::read_documents(&String::from_utf8(output.stdout).unwrap()).unwrap();
    Some(objects.into_iter().map(|object| (name(&object), object)).collect())
}

fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, metadata) = (text(&object["kind"]), &object["metadata"]);
    format!("{kind} {}/{}", text(&metadata["namespace"]), text(&metadata["name"]))
}

/// An overlay with components, as a user's own kustomization takes them.
fn with_components(overlay: &str, components: &[&str]) -> Option<BTreeMap<String, Value>> {
    // kustomize takes directories by relative paths only.
    let directory =
        tempfile::Builder::new().prefix("kustomization").tempdir_in(root().join("target")).unwrap();
    let paths =
        |names: &[&str]| names.iter().map(|name| format!("../../kustomize/{name}")).collect::<Vec<_>>();
    let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": paths(&[overlay]), "components": paths(components)});
    std::fs::write(directory.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    built(directory.path())
}

fn container(objects: &BTreeMap<String, Value>) -> &Value {
    &objects["Deployment flotilla/flotilla"]["spec"]["template"]["spec"]["containers"][0]
}

#[rstest]
#[case::in_one_step("", true)]
#[case::without_open_cluster_management("overlays/standalone", true)]
#[case::with_open_cluster_management("overlays/ocm", false)]
fn the_hub_is_installed(#[case] overlay: &str, #[case] brings_kinds: bool) {
    let Some(mut objects) = built(&root().join("kustomize").join(overlay)) else { return };
    let kinds: BTreeSet<String> = objects
        .keys()
        .filter_map(|name| name.strip_prefix("CustomResourceDefinition /"))
        .map(ToOwned::to_owned)
        .collect();
    let ours: BTreeSet<String> =
        definitions().iter().map(|kind| kind["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, if brings_kinds { ours } else { BTreeSet::new() });
    objects.retain(|name, _| !name.starts_with("CustomResourceDefinition"));
    assert_eq!(
        objects.keys().collect::<Vec<_>>(),
        [
            "ClusterRole /flotilla",
            "ClusterRole /flotilla-additional",
            "ClusterRoleBinding /flotilla",
            "ClusterRoleBinding /flotilla-additional",
            "Deployment flotilla/flotilla",
            "ManagedClusterSetBinding flotilla-policies/default",
            "Namespace /flotilla",
            "Namespace /flotilla-policies",
            "Role flotilla/flotilla",
            "RoleBinding flotilla/flotilla",
            "ServiceAccount flotilla/flotilla",
        ]
    );
    assert_eq!(container(&objects)["args"], json!(["hub"]));
    assert_eq!(objects["Role flotilla/flotilla"]["rules"][1]["resourceNames"], json!([LEASE_NAME]));
    bindings_lead_somewhere(&objects);
}

/// Every binding names a role and an account that are there.
fn bindings_lead_somewhere(objects: &BTreeMap<String, Value>) {
    for (name, binding) in objects.iter().filter(|(name, _)| name.contains("Binding ")) {
        let Some(role) = binding.get("roleRef") else { continue };
        let kind = role["kind"].as_str().unwrap();
        let namespace = if kind == "Role" { binding["metadata"]["namespace"].as_str().unwrap() } else { "" };
        let role = format!("{kind} {namespace}/{}", role["name"].as_str().unwrap());
        assert!(objects.contains_key(&role), "{name}: {role} is not there");
        for subject in binding["subjects"].as_array().unwrap() {
            let text = |field: &str| subject[field].as_str().unwrap();
            let account = format!("{} {}/{}", text("kind"), text("namespace"), text("name"));
            assert!(objects.contains_key(&account), "{name}: {account} is not there");
        }
    }
}

#[test]
fn the_webhook_is_added_by_a_component() {
    let Some(objects) = with_components("overlays/standalone", &["components/webhook"]) else { return };
    bindings_lead_somewhere(&objects);
    let container = container(&objects);
    assert_eq!(container["args"], json!(["hub", "--webhook"]));
    let ports: Vec<_> = container["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
    assert_eq!(ports, ["http", "webhook"]);
    let service = &objects[&format!("Service flotilla/{WEBHOOK_NAME}")]["spec"];
    assert_eq!(service["ports"][0]["targetPort"], "webhook");
    let labels = &objects["Deployment flotilla/flotilla"]["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&service["selector"], labels);

    let webhooks = &objects["ValidatingWebhookConfiguration /flotilla"]["webhooks"];
    assert_eq!(webhooks.as_array().unwrap().len(), 1);
    let webhook = &webhooks[0];
    assert_eq!(webhook["clientConfig"]["service"]["name"], WEBHOOK_NAME);
    assert_eq!(webhook["clientConfig"]["service"]["namespace"], "flotilla");
    assert_eq!(webhook["failurePolicy"], "Ignore", "a hub that is down locks nothing");
    assert!(webhook["timeoutSeconds"].as_i64().unwrap() <= 5);
    assert_eq!(webhook["rules"][0]["resources"], json!(["configmaps"]));
    let only = format!("object.metadata.name == {CONFIG_MAP_NAME:?}");
    assert_eq!(webhook["matchConditions"][0]["expression"], only, "no other ConfigMap is sent to the hub");
    let named = &objects["ClusterRole /flotilla-webhook"]["rules"][1]["resourceNames"];
    assert_eq!(named, &json!(["flotilla"]));
    assert_eq!(objects["Role flotilla/flotilla-webhook"]["rules"][1]["resourceNames"], json!([WEBHOOK_NAME]));
}

#[test]
fn a_source_is_prepared_by_a_component() {
    let Some(objects) = with_components("overlays/ocm", &["components/webhook", "components/source"]) else {
        return;
    };
    bindings_lead_somewhere(&objects);
    let pod = &objects["Deployment flotilla/flotilla"]["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][0]["emptyDir"]["sizeLimit"], "256Mi");
    let container = container(&objects);
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/tmp");
    assert_eq!(container["args"], json!(["hub", "--webhook"]), "both components together");
    assert!(objects.contains_key("Service flotilla/flotilla"));
}

#[test]
fn a_managed_cluster_gets_the_account_and_nothing_that_runs() {
    let Some(objects) = built(&root().join("kustomize/managed-cluster")) else { return };
    bindings_lead_somewhere(&objects);
    assert!(objects.contains_key(&format!("ServiceAccount {ACCESS_NAMESPACE}/{ACCOUNT}")));
    let kinds: BTreeSet<&str> = objects.keys().filter_map(|name| name.split(' ').next()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["ClusterRole", "ClusterRoleBinding", "Namespace", "RoleBinding", "Secret", "ServiceAccount"]
    );
}

/// Rights that would be all rights, or would give others.
#[rstest]
#[case("kustomize/base/rbac.yaml")]
#[case("kustomize/components/webhook/rbac.yaml")]
#[case("kustomize/components/source/rbac.yaml")]
#[case("kustomize/managed-cluster/roles.yaml")]
fn no_role_gives_more_than_it_says(#[case] file: &str) {
    let mut faults = Vec::new();
    for role in yaml::read_documents(&read(file)).unwrap() {
        for rule in role["rules"].as_array().into_iter().flatten() {
            let words = |field: &str| -> Vec<String> {
                let list = rule[field].as_array().into_iter().flatten();
                list.map(|word| word.as_str().unwrap().to_owned()).collect()
            };
            let (groups, resources, verbs) = (words("apiGroups"), words("resources"), words("verbs"));
            let only_looks = verbs.iter().all(|verb| ["get", "list", "watch"].contains(&verb.as_str()));
            let is_wide = groups.contains(&"*".to_owned()) || resources.contains(&"*".to_owned());
            let gives = groups.iter().any(|group| group == "rbac.authorization.k8s.io")
                || verbs.iter().any(|verb| {
                    ["*", "bind", "escalate", "impersonate", "deletecollection"].contains(&verb.as_str())
                })
                || resources
                    .iter()
                    .any(|resource| resource.ends_with("/token") || resource.ends_with("/exec"));
            if gives || (is_wide && !only_looks) || groups.contains(&"*".to_owned()) {
                faults.push(format!("{}: {rule}", name(&role)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_pod_is_as_restricted_as_the_image_allows() {
    let deployment = yaml::read_documents(&read("kustomize/base/deployment.yaml")).unwrap().remove(0);
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let security = &pod["containers"][0]["securityContext"];
    assert_eq!(
        security,
        &json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
    );
    let user = &pod["securityContext"]["runAsUser"];
    assert!(read("Containerfile").lines().any(|line| line == format!("USER {user}:{user}")));
}

#[test]
fn the_image_is_built_with_the_toolchain_of_the_project() {
    let toolchain = read("rust-toolchain.toml");
    let version =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let containerfile = read("Containerfile");
    assert!(containerfile.contains(&format!("FROM docker.io/library/rust:{version}-alpine AS build")));
    assert!(containerfile.contains(&format!("RUSTUP_TOOLCHAIN={version}")));
    // Everything that a source file includes at build time must be let into the build.
    let ignored = read(".dockerignore");
    let let_in: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for needed in
        ["Cargo.toml", "Cargo.lock", "src", "benches", "kustomize", "policies", "configmaps", "templates"]
    {
        assert!(let_in.contains(needed), "{needed}");
    }
}
