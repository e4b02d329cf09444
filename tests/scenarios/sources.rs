//! A git repository drives the fleet: a commit reaches the hub and through it the clusters.

use serde_json::{Value, json};

use crate::support::input::project_file;
use crate::support::stage::{Kind, kind};
use crate::support::{POLICIES, SourceRepository, World, config_map, policy_files, read, ssh_server};
use crate::{INSTALL, SCHEDULE};

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// The configuration with another schedule, as a file of the repository.
fn settings(world: &World, schedule: &str) -> String {
    world.stage.with_storage(&config_map("pv-snap")).replace("0 */1 * * *", schedule)
}

/// Commits change the fleet; what leaves the repository leaves the hub; a commit with a mistake changes nothing; a new process
/// goes on where the last one stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_reach_the_clusters() {
    let mut world = World::start_clusters(&["c1"]).await;
    for name in ["flotilla", POLICIES] {
        world.hub.apply(namespace(name), "").await;
    }
    if kind() == Kind::Plane {
        world.hub.apply_text(&project_file("kustomize/components/source/rbac.yaml"), "flotilla").await;
    }
    let mut repository = SourceRepository::new();
    for file in policy_files() {
        let name = file.file_name().unwrap().to_str().unwrap().replace(".txt", ".yaml");
        repository.write(&format!("hub/{name}"), read(&file));
    }
    repository
        .write("hub/settings.yaml", settings(&world, "0 */1 * * *"))
        .write(
            "hub/set.yaml",
            "apiVersion: cluster.open-cluster-management.io/v1beta2\nkind: ManagedClusterSetBinding\n\
             metadata: {name: default}\nspec: {clusterSet: default}\n",
        )
        .write(
            "hub/notes.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {a: '1'}\n",
        );
    let more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {a: '1'}\n";
    repository.write("hub/more.yaml", more);
    let first = repository.commit();
    let address = repository.address(&format!("&namespace={POLICIES}"));
    world.start_hub_with_source(&address);
    world.source_applied(&first).await;
    world.hub.label("ManagedCluster", "c1", &[("acm-pv-dr", Some("backup"))]).await;
    world.policy_is(INSTALL, "c1", "Compliant").await;
    world.schedule_has(SCHEDULE, "0 */1 * * *").await;

    repository.write("hub/settings.yaml", settings(&world, "20 */3 * * *")).remove("hub/notes.yaml");
    let second = repository.commit();
    world.schedule_has(SCHEDULE, "20 */3 * * *").await;
    world.source_applied(&second).await;
    assert!(world.hub.get("ConfigMap", POLICIES, "notes").await.is_none());

    repository.write("hub/settings.yaml", settings(&world, "20 */3 * * * *")).remove("hub/more.yaml");
    let broken = repository.commit();
    let told = world.source_is("the mistake to be told", |data| data["seen"] == broken.as_str()).await;
    assert_eq!(told["revision"], second.as_str());
    assert!(told["error"].as_str().unwrap().contains("backupSchedule"), "{told:#}");
    let more = world.hub.get("ConfigMap", POLICIES, "more").await;
    assert!(more.is_some(), "nothing of a commit with a mistake is applied");

    world.kill_hub().await;
    repository.write("hub/settings.yaml", settings(&world, "40 */4 * * *"));
    let last = repository.commit();
    world.start_hub_with_source(&address);
    world.schedule_has(SCHEDULE, "40 */4 * * *").await;
    world.source_applied(&last).await;
    let more = world.hub.get("ConfigMap", POLICIES, "more").await;
    assert!(more.is_none(), "what was applied before the restart is taken away after it");
    world.stop().await;
}

/// One ConfigMap in git, with a template of the team's own and a signature: it is rendered with that template, and a commit
/// that nobody trusted has signed changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_repository_brings_its_own_templates() {
    const TEMPLATE: &str = "templates/oadp-hdr-app-backup.yaml.hbs";
    let mut world = World::start_clusters(&["c1"]).await;
    for name in ["flotilla", POLICIES] {
        world.hub.apply(namespace(name), "").await;
    }
    world.bind_set().await;
    if kind() == Kind::Plane {
        world.hub.apply_text(&project_file("kustomize/components/source/rbac.yaml"), "flotilla").await;
    }
    let trusted = ssh_server::key(1);
    let lines = format!("alice@example.org {}\n", ssh_server::public(&trusted));
    let signers = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "signers"},
        "stringData": {"allowed_signers": lines}});
    world.hub.apply(signers, "flotilla").await;
    let ours = |schedule: &str| {
        let text = settings(&world, schedule).replace("\ndata:\n", "\ndata:\n  templates: ours\n");
        text.replacen("metadata:\n", "metadata:\n  labels: {flotilla.dev/protect: 'true'}\n", 1)
    };
    let template = project_file(TEMPLATE).replacen("metadata:\n", "metadata:\n  labels: {team: ours}\n", 1);
    let mut repository = SourceRepository::new();
    repository.write(&format!("hub/{TEMPLATE}"), template).write("hub/settings.yaml", ours("0 */1 * * *"));
    let first = repository.commit_signed(&trusted);
    repository.write("hub/settings.yaml", ours("20 */3 * * *"));
    world.start_hub_with_source(&repository.address(&format!("&namespace={POLICIES}&verify=signers")));
    world.source_applied(&first).await;
    world.label_for_backup("c1").await;
    world.schedule_has(SCHEDULE, "0 */1 * * *").await;
    let policy = world.hub.get("Policy", POLICIES, "oadp-hdr-app-backup").await.unwrap();
    assert_eq!(policy["metadata"]["labels"]["team"], "ours");

    let unsigned = repository.commit();
    let told = world.source_is("the commit to be refused", |data| data["seen"] == unsigned.as_str()).await;
    assert_eq!((&told["revision"], &told["signer"]), (&json!(first), &json!("alice@example.org")));
    assert_eq!(told["error"], "the commit is not signed");
    let last = repository.commit_signed(&trusted);
    world.source_applied(&last).await;
    world.schedule_has(SCHEDULE, "20 */3 * * *").await;
    world.stop().await;
}
