//! The stand-in servers as clients see them: kube-rs, and stock kubectl where it is on the path.
#![expect(clippy::disallowed_types, reason = "the test is a client")]
#![expect(clippy::disallowed_methods, reason = "the test reads and writes files")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail as tests do"
)]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use flotilla::api::object::{GroupVersionKind, ObjectKey};
use flotilla::sim::clock::ClockMode;
use flotilla::sim::faults::Fault;
use flotilla::sim::server::Server;
use flotilla::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};
use flotilla::sim::stage::{SimulatorFactory, Stage, StageOptions};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind as KubeKind};
use serde_json::{Value, json};

/// What no answer of a test may take longer than.
const PATIENCE: Duration = Duration::from_secs(5);

async fn stage(clusters: &[&str]) -> Stage {
    stage_with(clusters, Vec::new()).await
}

async fn stage_with(clusters: &[&str], simulators: Vec<SimulatorFactory>) -> Stage {
    let start = "2024-01-01T00:00:00Z".parse().unwrap();
    Stage::start(StageOptions {
        clusters: clusters.iter().map(|name| (*name).to_owned()).collect(),
        clock: ClockMode::Manual { start },
        simulators,
        ..StageOptions::default()
    })
    .await
    .unwrap()
}

async fn client(server: &Server) -> kube::Client {
    let config = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    // By default the client tries again for minutes when a server answers 503.
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

fn placements(client: &kube::Client) -> Api<DynamicObject> {
    let kind = KubeKind::gvk("cluster.open-cluster-management.io", "v1beta1", "Placement");
    Api::namespaced_with(client.clone(), "default", &ApiResource::from_gvk(&kind))
}

fn config_map(name: &str, labels: &Value, data: &Value) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "data": data})).unwrap()
}

fn code<T>(result: Result<T, kube::Error>) -> u16 {
    match result.map(|_| ()).unwrap_err() {
        kube::Error::Api(status) => status.code,
        other => panic!("no answer of the API: {other}"),
    }
}

async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("the watch says nothing")
}

#[tokio::test]
async fn objects_are_written_and_read() {
    let stage = stage(&[]).await;
    let maps: Api<ConfigMap> = Api::namespaced(client(stage.hub()).await, "default");
    let post = PostParams::default();
    let created = maps.create(&post, &config_map("a", &json!({}), &json!({"x": "1"}))).await.unwrap();
    assert_eq!(created.metadata.creation_timestamp.unwrap().0.to_string(), "2024-01-01T00:00:00Z");
    assert_eq!(code(maps.create(&post, &config_map("a", &json!({}), &json!({}))).await), 409);

    let mut changed = maps.get("a").await.unwrap();
    changed.data = Some(BTreeMap::from([("x".to_owned(), "2".to_owned())]));
    let replaced = maps.replace("a", &post, &changed).await.unwrap();
    assert_ne!(replaced.metadata.resource_version, changed.metadata.resource_version);
    assert_eq!(code(maps.replace("a", &post, &changed).await), 409, "the version is stale");

    let patch = Patch::Merge(json!({"metadata": {"labels": {"l": "v"}}, "data": {"x": null, "y": "3"}}));
    let patched = maps.patch("a", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.data.unwrap(), BTreeMap::from([("y".to_owned(), "3".to_owned())]));

    maps.create(&post, &config_map("b", &json!({"l": "w"}), &json!({}))).await.unwrap();
    let list = maps.list(&ListParams::default().labels("l in (v)")).await.unwrap();
    assert_eq!(list.items.iter().map(|map| map.metadata.name.clone().unwrap()).collect::<Vec<_>>(), ["a"]);
    let field = maps.list(&ListParams::default().fields("metadata.name=b")).await.unwrap();
    assert_eq!(field.items.len(), 1);

    let mut page = ListParams::default().limit(1);
    let mut names = Vec::new();
    loop {
        let list = maps.list(&page).await.unwrap();
        names.extend(list.items.into_iter().filter_map(|map| map.metadata.name));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b"]);

    maps.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(code(maps.get("a").await), 404);
    maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("l")).await.unwrap();
    assert!(maps.list(&ListParams::default()).await.unwrap().items.is_empty());
    stage.shutdown().await;
}

#[tokio::test]
async fn a_watch_follows_what_its_selector_keeps() {
    let stage = stage(&[]).await;
    let maps: Api<ConfigMap> = Api::namespaced(client(stage.hub()).await, "default");
    let post = PostParams::default();
    maps.create(&post, &config_map("a", &json!({"on": "yes"}), &json!({}))).await.unwrap();
    let version = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let watch = maps.watch(&WatchParams::default().labels("on=yes"), &version).await.unwrap();
    let mut watch = pin!(watch);

    let label = |value: Value| Patch::Merge(json!({"metadata": {"labels": {"on": value}}}));
    maps.create(&post, &config_map("b", &json!({}), &json!({}))).await.unwrap();
    maps.patch("b", &PatchParams::default(), &label(json!("yes"))).await.unwrap();
    maps.patch("b", &PatchParams::default(), &label(json!("no"))).await.unwrap();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(match next(&mut watch).await.unwrap().unwrap() {
            WatchEvent::Added(map) => format!("added {}", map.metadata.name.unwrap()),
            WatchEvent::Modified(map) => format!("modified {}", map.metadata.name.unwrap()),
            WatchEvent::Deleted(map) => format!("deleted {}", map.metadata.name.unwrap()),
            WatchEvent::Bookmark(_) => "bookmark".to_owned(),
            WatchEvent::Error(status) => panic!("{status:?}"),
        });
    }
    assert_eq!(told, ["added b", "deleted b", "deleted a"]);
    tokio::time::timeout(PATIENCE, stage.shutdown()).await.expect("an open watch keeps the stage");
    assert!(next(&mut watch).await.is_none_or(|event| event.is_err()));
}

#[tokio::test]
async fn a_streaming_list_ends_with_a_bookmark() {
    let stage = stage(&[]).await;
    let namespaces: Api<Namespace> = Api::all(client(stage.hub()).await);
    let watch = namespaces.watch(&WatchParams::streaming_lists(), "0").await.unwrap();
    let mut watch = pin!(watch);
    let mut names = Vec::new();
    let bookmark = loop {
        match next(&mut watch).await.unwrap().unwrap() {
            WatchEvent::Added(namespace) => names.push(namespace.metadata.name.unwrap()),
            WatchEvent::Bookmark(bookmark) => break bookmark,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(names, ["default", "kube-public", "kube-system"]);
    assert_eq!(bookmark.metadata.annotations["k8s.io/initial-events-end"], "true");
    stage.shutdown().await;
}

#[tokio::test]
async fn an_applier_meets_the_owner_of_a_field() {
    let stage = stage(&[]).await;
    let placements = placements(&client(stage.hub()).await);
    let wanted = |count: u64| {
        Patch::Apply(json!({"apiVersion": "cluster.open-cluster-management.io/v1beta1", "kind": "Placement",
            "metadata": {"name": "p"}, "spec": {"numberOfClusters": count}}))
    };
    placements.patch("p", &PatchParams::apply("x"), &wanted(1)).await.unwrap();
    let kube::Error::Api(status) =
        placements.patch("p", &PatchParams::apply("y"), &wanted(2)).await.unwrap_err()
    else {
        panic!("no conflict")
    };
    assert_eq!(
        (status.code, status.message.as_str()),
        (409, r#"Apply failed with 1 conflict: conflict with "x": .spec.numberOfClusters"#)
    );
    let forced = placements.patch("p", &PatchParams::apply("y").force(), &wanted(2)).await.unwrap();
    assert_eq!(forced.data["spec"]["numberOfClusters"], 2);
    let again = placements.patch("p", &PatchParams::apply("y"), &wanted(2)).await.unwrap();
    assert_eq!(again.metadata.resource_version, forced.metadata.resource_version, "nothing changed");

    let status =
        Patch::Merge(json!({"spec": {"numberOfClusters": 9}, "status": {"numberOfSelectedClusters": 1}}));
    let after = placements.patch_status("p", &PatchParams::default(), &status).await.unwrap();
    assert_eq!(
        (&after.data["spec"]["numberOfClusters"], &after.data["status"]["numberOfSelectedClusters"]),
        (&json!(2), &json!(1))
    );
    stage.shutdown().await;
}

#[tokio::test]
async fn only_the_token_opens_a_server() {
    let stage = stage(&["c1"]).await;
    let mut config = kube::Config::new(stage.hub().url().parse().unwrap());
    config.auth_info.token = Some(stage.cluster("c1").unwrap().token().into());
    let stranger: Api<Namespace> = Api::all(kube::Client::try_from(config).unwrap());
    assert_eq!(code(stranger.list(&ListParams::default()).await), 401);
    stage.shutdown().await;
}

#[tokio::test]
async fn the_api_tells_what_it_offers() {
    let stage = stage(&["c1"]).await;
    let client = client(stage.cluster("c1").unwrap()).await;
    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
    assert_eq!(client.list_core_api_versions().await.unwrap().versions, ["v1"]);
    let groups = client.list_api_groups().await.unwrap().groups;
    let velero = groups.iter().find(|group| group.name == "velero.io").unwrap();
    assert_eq!(velero.preferred_version.as_ref().unwrap().version, "v1");
    let resources = client.list_api_group_resources("velero.io/v1").await.unwrap().resources;
    let locations = resources.iter().find(|resource| resource.kind == "BackupStorageLocation").unwrap();
    assert_eq!((locations.namespaced, locations.short_names.clone()), (true, Some(vec!["bsl".to_owned()])));
    assert!(!resources.iter().any(|resource| resource.name == "backups/status"));
    assert!(!groups.iter().any(|group| group.name.starts_with("policy.open-cluster")), "a hub's kind");
    stage.shutdown().await;
}

#[tokio::test]
async fn faults_come_and_go_on_demand() {
    let stage = stage(&["c1", "c2"]).await;
    let (one, two) = (stage.cluster("c1").unwrap(), stage.cluster("c2").unwrap());
    let maps: Api<ConfigMap> = Api::namespaced(client(one).await, "default");
    let others: Api<ConfigMap> = Api::namespaced(client(two).await, "default");
    let list = ListParams::default();

    one.faults().set(Fault::Refuse);
    assert_eq!(code(maps.list(&list).await), 503);
    one.faults().set(Fault::Unauthorized);
    assert_eq!(code(maps.list(&list).await), 401);
    others.list(&list).await.expect("a fault is one server's own");

    one.faults().set(Fault::Hang);
    let hanging = tokio::time::timeout(Duration::from_millis(100), maps.list(&list)).await;
    assert!(hanging.is_err(), "it answered");
    others.list(&list).await.unwrap();
    one.faults().set(Fault::None);
    maps.list(&list).await.unwrap();

    one.faults().conflict_next_writes(1);
    let post = PostParams::default();
    assert_eq!(code(maps.create(&post, &config_map("a", &json!({}), &json!({}))).await), 409);
    maps.create(&post, &config_map("a", &json!({}), &json!({}))).await.unwrap();
    assert_eq!(one.faults().conflicts_left(), 0);

    let old = maps.list(&list).await.unwrap().metadata.resource_version.unwrap();
    maps.create(&post, &config_map("b", &json!({}), &json!({}))).await.unwrap();
    let current = maps.list(&list).await.unwrap().metadata.resource_version.unwrap();
    let mut watch = pin!(maps.watch(&WatchParams::default(), &current).await.unwrap());
    let mut closed = pin!(others.watch(&WatchParams::default(), "0").await.unwrap());
    one.expire_watches();
    let expired = |event: Option<Result<WatchEvent<ConfigMap>, kube::Error>>| match event {
        Some(Ok(WatchEvent::Error(status))) => status.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(expired(next(&mut watch).await), 410);
    assert!(next(&mut watch).await.is_none());
    let mut late = pin!(maps.watch(&WatchParams::default(), &old).await.unwrap());
    assert_eq!(expired(next(&mut late).await), 410);
    two.faults().close_watches();
    assert!(next(&mut closed).await.is_none());
    stage.shutdown().await;
}

/// Marks each ConfigMap labelled `count` with how many minutes it has seen, and copies its data to a Secret.
struct Counter;

impl Simulator for Counter {
    fn step(
        &mut self,
        cluster: &str,
        view: &dyn View,
        _: &mut ObjectStorage,
        _: jiff::Timestamp,
        trigger: Trigger,
    ) -> Vec<Write> {
        let maps = view.list("", "ConfigMap", None);
        let counted = maps.iter().filter(|map| map.label("count").is_some());
        counted
            .flat_map(|map| {
                let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": map.name(),
                    "namespace": map.namespace()}, "stringData": {"cluster": cluster}});
                let mut changed = map.to_value();
                let minutes =
                    map.text_at(&["data", "minutes"]).and_then(|text| text.parse().ok()).unwrap_or(0_u32);
                changed["data"]["minutes"] =
                    json!((minutes + u32::from(trigger == Trigger::Minute)).to_string());
                [Write::Create(secret), Write::Replace(changed)]
            })
            .collect()
    }
}

#[tokio::test]
async fn simulators_answer_changes_at_once_and_minutes_on_time() {
    let factory: SimulatorFactory = Box::new(|_| Box::new(Counter));
    let stage = stage_with(&["c1", "c2"], vec![factory]).await;
    let server: &Arc<Server> = stage.cluster("c2").unwrap();
    let client = client(server).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let secrets: Api<Secret> = Api::namespaced(client, "default");
    let mut watch = pin!(secrets.watch(&WatchParams::default(), "0").await.unwrap());
    maps.create(&PostParams::default(), &config_map("a", &json!({"count": ""}), &json!({}))).await.unwrap();
    let WatchEvent::Added(secret) = next(&mut watch).await.unwrap().unwrap() else { panic!("no secret") };
    assert_eq!(secret.data.unwrap()["cluster"].0, b"c2");

    stage.advance_minutes(3).await;
    let key = ObjectKey {
        gvk: GroupVersionKind::new("v1", "ConfigMap"),
        namespace: Some("default".to_owned()),
        name: "a".to_owned(),
    };
    assert_eq!(server.store().get(&key).unwrap().text_at(&["data", "minutes"]), Some("3"));
    assert_eq!(stage.clock().text(), "2024-01-01T00:03:00Z");
    stage.shutdown().await;
}

#[tokio::test]
async fn minutes_of_a_real_clock_can_be_short() {
    let factory: SimulatorFactory = Box::new(|_| Box::new(Counter));
    let options = StageOptions {
        clusters: vec!["c1".to_owned()],
        clock: ClockMode::Real { minute: Duration::from_millis(20) },
        simulators: vec![factory],
        ..StageOptions::default()
    };
    let stage = Stage::start(options).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client(stage.cluster("c1").unwrap()).await, "default");
    maps.create(&PostParams::default(), &config_map("a", &json!({"count": ""}), &json!({}))).await.unwrap();
    let mut watch = pin!(maps.watch(&WatchParams::default(), "0").await.unwrap());
    loop {
        let (WatchEvent::Added(map) | WatchEvent::Modified(map)) = next(&mut watch).await.unwrap().unwrap()
        else {
            panic!("an odd event")
        };
        if map.data.is_some_and(|data| data.get("minutes").is_some_and(|minutes| minutes == "3")) {
            break;
        }
    }
    stage.shutdown().await;
}

#[tokio::test]
async fn the_published_definitions_are_accepted_and_enforced() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crds");
    if !directory.is_dir() {
        println!("skipped: no definitions at {}", directory.display());
        return;
    }
    let stage = stage(&["c1"]).await;
    let server = stage.cluster("c1").unwrap();
    let mut count = 0;
    for file in ["cluster", "policy", "payload"]
        .iter()
        .flat_map(|sub| std::fs::read_dir(directory.join(sub)).unwrap())
    {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for definition in flotilla::yaml::read_documents(&text).unwrap() {
            server.store().put(definition).unwrap();
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
    let kind = ApiResource::from_gvk(&KubeKind::gvk("velero.io", "v1", "Schedule"));
    let schedules: Api<DynamicObject> = Api::namespaced_with(client(server).await, "default", &kind);
    let schedule = |spec: Value| -> DynamicObject {
        serde_json::from_value(json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "x"}, "spec": spec}))
        .unwrap()
    };
    let post = PostParams::default();
    let kube::Error::Api(status) =
        schedules.create(&post, &schedule(json!({"template": {}}))).await.unwrap_err()
    else {
        panic!("accepted")
    };
    assert_eq!(
        (status.code, status.message.as_str()),
        (422, r#"Schedule.velero.io "x" is invalid: spec.schedule: Required value"#)
    );
    let created = schedules
        .create(&post, &schedule(json!({"schedule": "0 1 * * *", "template": {}, "odd": 1})))
        .await
        .unwrap();
    assert_eq!(created.data["spec"].get("odd"), None, "unknown fields are pruned");
    stage.shutdown().await;
}

/// kubectl against one server, with its own home.
struct Kubectl {
    home: tempfile::TempDir,
}

impl Kubectl {
    /// `None` when there is no kubectl on the path.
    fn new(server: &Server) -> Option<Self> {
        if std::process::Command::new("kubectl").arg("help").output().is_err() {
            println!("skipped: kubectl is not on the path");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config"), server.kubectl_config()).unwrap();
        Some(Self { home })
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Exit code, and both outputs together.
    async fn try_run(&self, arguments: &str) -> (bool, String) {
        let run = tokio::process::Command::new("kubectl")
            .args(arguments.split_whitespace())
            .env("KUBECONFIG", self.home.path().join("config"))
            .env("HOME", self.home.path())
            .output();
        let output = tokio::time::timeout(PATIENCE, run).await.expect("kubectl waits too long").unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.success(), text)
    }

    async fn run(&self, arguments: &str) -> String {
        let (success, text) = self.try_run(arguments).await;
        assert!(success, "kubectl {arguments}: {text}");
        text
    }
}

#[tokio::test]
async fn kubectl_applies_labels_and_deletes() {
    let stage = stage(&[]).await;
    let Some(kubectl) = Kubectl::new(stage.hub()) else { return };
    kubectl.file("k/kustomization.yaml", "resources: [all.yaml]\n");
    let manifest = "apiVersion: v1\nkind: Namespace\nmetadata: {name: policies}\n---\n\
        apiVersion: cluster.open-cluster-management.io/v1\nkind: ManagedCluster\nmetadata: {name: c1}\n\
        spec: {hubAcceptsClient: true}\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, namespace: policies}\ndata: {k: v, gone: soon}\n";
    kubectl.file("k/all.yaml", manifest);
    let directory = kubectl.home.path().join("k").display().to_string();
    let applied = kubectl.run(&format!("apply -k {directory}")).await;
    assert_eq!(applied.matches(" created").count(), 3, "{applied}");
    let again = kubectl.run(&format!("apply -k {directory}")).await;
    assert_eq!(again.matches(" unchanged").count(), 3, "{again}");

    kubectl.file("k/all.yaml", &manifest.replace(", gone: soon", ", new: one"));
    kubectl.run(&format!("apply -k {directory}")).await;
    assert_eq!(
        kubectl.run("get cm conf -n policies -o jsonpath={.data}").await,
        r#"{"k":"v","new":"one"}"#,
        "three-way: what the manifest dropped is gone"
    );
    kubectl.run("label managedcluster c1 acm-pv-dr=backup").await;
    let table = kubectl.run("get mcl -l acm-pv-dr=backup").await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0],
        ["NAME", "HUB", "ACCEPTED", "MANAGED", "CLUSTER", "URLS", "JOINED", "AVAILABLE", "AGE"]
    );
    assert_eq!(lines[1], ["c1", "true", "0s"]);
    stage.advance_minutes(5).await;
    assert!(kubectl.run("get mcl c1").await.trim_end().ends_with("5m"));
    assert!(kubectl.run("describe mcl c1").await.contains("acm-pv-dr=backup"));
    assert_eq!(kubectl.run("get cm -A -o name").await, "configmap/conf\n");
    kubectl.run("create secret generic s -n c1 --from-literal=a=b").await;
    assert_eq!(kubectl.run("get secret s -n c1 -o jsonpath={.data.a}").await, "Yg==");
    assert_eq!(kubectl.run("auth can-i delete pods").await, "yes\n");
    assert!(kubectl.run("api-resources").await.contains("policysets"));
    assert!(kubectl.run(&format!("delete -k {directory}")).await.contains(r#"namespace "policies" deleted"#));
    let (found, text) = kubectl.try_run("get cm conf -n policies").await;
    assert!(!found && text.contains("NotFound"), "{text}");
    stage.shutdown().await;
}

#[tokio::test]
async fn kubectl_waits_for_conditions_and_for_deletion() {
    let stage = stage(&[]).await;
    let Some(kubectl) = Kubectl::new(stage.hub()) else { return };
    let file = kubectl.file(
        "p.yaml",
        "apiVersion: policy.open-cluster-management.io/v1\nkind: Policy\n\
        metadata: {name: p, namespace: default, finalizers: [x.io/y]}\nspec: {disabled: false}\n",
    );
    kubectl.run(&format!("apply --server-side -f {file}")).await;
    let wait = kubectl.run("wait --for=jsonpath={.status.compliant}=Compliant policy/p --timeout=4s");
    let patch = r#"patch policy p --type=merge --subresource=status -p {"status":{"compliant":"Compliant"}}"#;
    let (waited, _) = tokio::join!(wait, kubectl.run(patch));
    assert!(waited.contains("condition met"), "{waited}");
    let delete = kubectl.run("delete policy p --timeout=4s");
    let release = async {
        kubectl.run("wait --for=jsonpath={.metadata.deletionTimestamp} policy/p --timeout=4s").await;
        kubectl.run(r#"patch policy p --type=json -p [{"op":"remove","path":"/metadata/finalizers"}]"#).await
    };
    let (deleted, _) = tokio::join!(delete, release);
    assert!(deleted.contains("deleted"), "{deleted}");
    stage.shutdown().await;
}
