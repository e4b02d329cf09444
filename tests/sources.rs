//! A git repository as a source of the hub's objects: what is applied, what is taken away, and what never happens.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use flotilla::adapters::source::git::Limits;
use flotilla::controller::{HubOptions, SourceOptions, Trigger};
use russh::keys::ssh_key::{HashAlg, LineEnding};
use serde_json::{Value, json};
use support::git_server::GitServer;
use support::world::source_options;
use support::{POLICIES, SourceRepository, World, ssh_server};

/// A hub without clusters, and what asks it to look at its source now: by itself it would in an hour.
struct Scene {
    world: World,
    trigger: Trigger,
    source: SourceOptions,
}

impl Scene {
    async fn start(address: &str, limits: Limits) -> Self {
        let world = World::start_clusters(&[]).await;
        for name in ["flotilla", POLICIES] {
            world
                .hub
                .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}), "")
                .await;
        }
        let interval = Duration::from_secs(3600);
        let source = SourceOptions { limits, interval, ..source_options(address) };
        Self { world, trigger: Trigger::default(), source }
    }

    fn run(&mut self) {
        let (sources, trigger) = (vec![self.source.clone()], self.trigger.clone());
        self.world.start_hub_with(HubOptions { sources, trigger, ..HubOptions::default() });
    }

    async fn restart(&mut self) {
        self.world.kill_hub().await;
        self.run();
    }

    /// Waits until a fault is told that has all these parts; answers the record.
    async fn told(&self, parts: &[&str]) -> Value {
        self.world
            .source_is(&format!("{parts:?} to be told"), |data| {
                data["error"].as_str().is_some_and(|error| parts.iter().all(|part| error.contains(part)))
            })
            .await
    }

    async fn data(&self, name: &str) -> Option<Value> {
        Some(self.world.hub.get("ConfigMap", POLICIES, name).await?["data"].clone())
    }

    fn inventory(record: &Value) -> Vec<String> {
        let inventory: Value = serde_json::from_str(record["inventory"].as_str().unwrap()).unwrap();
        inventory.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n")
}

/// A repository with the ConfigMaps a, b and c, and its address.
fn three() -> (SourceRepository, String) {
    let mut repository = SourceRepository::new();
    for name in ["a", "b", "c"] {
        repository.write(&format!("hub/{name}.yaml"), config_map(name, "1"));
    }
    repository.write("elsewhere/d.yaml", config_map("d", "1"));
    let address = repository.address(&format!("&namespace={POLICIES}"));
    (repository, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_is_applied_and_what_leaves_is_taken_away() {
    let (mut repository, address) = three();
    let first = repository.commit();
    let mut scene = Scene::start(&address, Limits::default()).await;
    scene.run();
    scene.world.source_applied(&first).await;
    assert!(scene.data("d").await.is_none(), "it stands outside of the path");
    let record = scene.world.source_is("the inventory", |_| true).await;
    assert_eq!(Scene::inventory(&record), ["a", "b", "c"]);

    repository.write("hub/a.yaml", config_map("a", "2")).remove("hub/b.yaml");
    let second = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&second).await;
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "2"}));
    assert!(scene.data("b").await.is_none());

    // A mistake in one file: nothing of the commit is applied, the last good one stays, and all mistakes are told.
    repository
        .write("hub/a.yaml", config_map("a", "3"))
        .write("hub/c.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\n")
        .write("hub/e.yaml", "a: [");
    let broken = repository.commit();
    scene.trigger.pull();
    let record = scene.told(&["Secret is not taken from a source", "failed to read e.yaml"]).await;
    assert_eq!((&record["revision"], &record["seen"]), (&json!(second), &json!(broken)));
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "2"}));
    assert!(scene.data("c").await.is_some());

    // What somebody deletes comes back, though the newest commit cannot be applied.
    scene.world.hub.delete("ConfigMap", POLICIES, "c").await;
    scene.trigger.pull();
    scene
        .world
        .hub
        .wait("c to come back", "ConfigMap", Some(POLICIES), |found| found.contains_key("c").then_some(()))
        .await;

    // A new process goes on from the stored inventory.
    scene.world.kill_hub().await;
    repository.write("hub/a.yaml", config_map("a", "4")).remove("hub/c.yaml").remove("hub/e.yaml");
    let last = repository.commit();
    scene.run();
    scene.world.source_applied(&last).await;
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "4"}));
    assert!(scene.data("c").await.is_none());

    // Nothing changes where nothing is to be changed, over a restart too.
    let version = |object: Option<Value>| object.unwrap()["metadata"]["resourceVersion"].clone();
    let before = version(scene.world.hub.get("ConfigMap", POLICIES, "a").await);
    let record = version(scene.world.hub.get("ConfigMap", "flotilla", "flotilla-source-fleet").await);
    scene.restart().await;
    repository.write("hub/f.yaml", config_map("f", "1"));
    let more = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&more).await;
    assert_eq!(version(scene.world.hub.get("ConfigMap", POLICIES, "a").await), before);
    assert_ne!(version(scene.world.hub.get("ConfigMap", "flotilla", "flotilla-source-fleet").await), record);

    // An empty source takes nothing away.
    repository.remove("hub/a.yaml").remove("hub/f.yaml").write("hub/README.md", "nothing here");
    repository.commit();
    scene.trigger.pull();
    scene.told(&["there are no manifests"]).await;
    assert!(scene.data("a").await.is_some());
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_have_made_or_set_is_left_alone() {
    let (mut repository, address) = three();
    repository.commit();
    let mut scene = Scene::start(&address, Limits::default()).await;
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"key": "theirs"}});
    scene.world.hub.apply(theirs.clone(), POLICIES).await;
    scene.run();
    let record = scene
        .told(&["ConfigMap policies/b is on the hub already and was not applied from this source"])
        .await;
    assert_eq!((record["revision"].as_str(), Scene::inventory(&record).len()), (Some(""), 0));
    assert!(scene.data("a").await.is_none(), "the commit is applied as a whole or not at all");
    assert_eq!(scene.data("b").await.unwrap(), theirs["data"]);

    scene.world.hub.delete("ConfigMap", POLICIES, "b").await;
    let first = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&first).await;

    // What another writer sets in an object of the source is a conflict with a later commit, and is not forced.
    scene
        .world
        .hub
        .merge("ConfigMap", POLICIES, "a", &json!({"data": {"key": "by hand", "more": "by hand"}}))
        .await;
    repository.write("hub/a.yaml", config_map("a", "2")).write("hub/b.yaml", config_map("b", "2"));
    repository.commit();
    scene.trigger.pull();
    let record = scene.told(&["ConfigMap policies/a: Apply failed with 1 conflict", ".data.key"]).await;
    assert_eq!(record["revision"], first.as_str());
    assert_eq!(scene.data("a").await.unwrap()["key"], "by hand");
    assert_eq!(scene.data("b").await.unwrap()["key"], "1", "it was tried before anything was written");
    repository.write("hub/a.yaml", config_map("a", "by hand"));
    let agreed = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&agreed).await;
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "by hand", "more": "by hand"}));

    // An object of the same name that somebody made anew is theirs: it is neither changed nor taken away.
    scene.world.hub.delete("ConfigMap", POLICIES, "c").await;
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"key": "theirs"}});
    scene.world.hub.apply(theirs.clone(), POLICIES).await;
    repository.remove("hub/c.yaml");
    let without = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&without).await;
    assert_eq!(scene.data("c").await.unwrap(), theirs["data"]);
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_outside_of_the_path() {
    let (mut repository, address) = three();
    let first = repository.commit();
    let mut scene = Scene::start(&address, Limits::default()).await;
    scene.run();
    scene.world.source_applied(&first).await;
    for target in ["../elsewhere/d.yaml", "/etc/hostname", "a.yaml"] {
        repository.write("hub/a.yaml", config_map("a", target)).link("hub/out.yaml", target);
        let linked = repository.commit();
        scene.trigger.pull();
        let record = scene
            .world
            .source_is("the link to be told", |data| {
                data["error"].as_str().is_some_and(|error| error.contains("out.yaml: it is a symbolic link"))
            })
            .await;
        assert_eq!(record["revision"], first.as_str(), "{target} {linked}");
    }
    repository
        .remove("hub/out.yaml")
        .link("hub/deep", "../elsewhere")
        .write("hub/a.yaml", config_map("a", "2"));
    let last = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&last).await;
    assert!(scene.data("d").await.is_none(), "a link to a directory is not followed");
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_is_fetched_over_http() {
    let (mut repository, _) = three();
    let first = repository.commit();
    let server = GitServer::open(repository.path());
    // It has another address now: the server says so.
    let address = format!("git+http://{}/old/fleet//hub?ref=main&namespace={POLICIES}", server.address);
    let mut scene = Scene::start(&address, Limits { objects: 12, ..Limits::default() }).await;
    scene.run();
    scene.world.source_applied(&first).await;
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "1"}));
    let request = server.asked().into_iter().find(|asked| asked.line.starts_with("POST ")).unwrap().body;
    assert!(
        request.contains("deepen 1\n") && request.contains(first.trim_start_matches("main@sha1:")),
        "{request}"
    );

    // A commit without the history before it: its pack has 8 objects, 14 with these files.
    repository.write("hub/a.yaml", config_map("a", "2"));
    for number in 0..5 {
        repository.write(&format!("notes/{number}.txt"), number.to_string());
    }
    repository.commit();
    scene.trigger.pull();
    let record = scene.told(&["it has 14 objects or more, 12 are allowed"]).await;
    assert_eq!(record["revision"], first.as_str());
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "1"}));
    for number in 0..5 {
        repository.remove(&format!("notes/{number}.txt"));
    }
    let last = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&last).await;
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pack_that_is_too_large_is_not_taken_in() {
    let (mut repository, _) = three();
    // It does not shrink by compression.
    let mut noise = 1_u64;
    let mut text = String::new();
    for _ in 0..4000 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _written = write!(text, "{noise:016x}");
    }
    repository.write("notes.txt", text).commit();
    let server = GitServer::open(repository.path());
    let address = format!("git+http://{}/fleet.git//hub?ref=main&namespace={POLICIES}", server.address);
    let mut scene = Scene::start(&address, Limits { pack_bytes: 10_000, ..Limits::default() }).await;
    scene.run();
    scene.told(&["failed to read the source: the pack of the commit are more than 10000 bytes"]).await;
    assert!(scene.data("a").await.is_none());
    scene.world.stop().await;
}

fn secret(values: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"}, "stringData": values})
}

/// Credentials go over TLS alone, to who has a certificate of the authority, and none of them is ever told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_open_a_repository_and_are_never_told() {
    let (repository, _) = three();
    let first = repository.commit();
    // `fleet:hunter2`
    let server = GitServer::guarded(repository.path(), "Basic ZmxlZXQ6aHVudGVyMg==");
    let address =
        format!("git+https://{}/fleet.git//hub?ref=main&namespace={POLICIES}&secret=git", server.address);
    let mut scene = Scene::start(&address, Limits::default()).await;
    scene.run();
    scene.told(&["failed to read Secret flotilla/git: there is none"]).await;
    let mut values = json!({"username": "fleet", "password": "hunter2"});
    scene.world.hub.apply(secret(&values), "flotilla").await;
    scene.trigger.pull();
    let unknown = scene.told(&["failed to reach localhost: "]).await;
    assert!(server.asked().is_empty(), "nothing is sent to who is not known: {unknown}");

    values["ca.crt"] = json!(server.certificate);
    values["password"] = json!("hunter3");
    scene.world.hub.apply(secret(&values), "flotilla").await;
    scene.trigger.pull();
    let refused = scene.told(&["failed to log in to localhost: it refuses the credentials"]).await;
    values["password"] = json!("hunter2");
    scene.world.hub.apply(secret(&values), "flotilla").await;
    scene.trigger.pull();
    scene.world.source_applied(&first).await;
    let applied = scene.world.source_is("the record", |_| true).await;
    for told in [unknown, refused, applied] {
        assert!(!told.to_string().contains("hunter"), "{told}");
    }
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_not_sent_in_the_open() {
    let (repository, _) = three();
    repository.commit();
    let server = GitServer::open(repository.path());
    let address =
        format!("git+http://{}/fleet.git//hub?ref=main&namespace={POLICIES}&secret=git", server.address);
    let mut scene = Scene::start(&address, Limits::default()).await;
    scene.world.hub.apply(secret(&json!({"bearerToken": "hunter2"})), "flotilla").await;
    scene.run();
    let record =
        scene.told(&["failed to use Secret flotilla/git: credentials are not sent without encryption"]).await;
    assert!(!record.to_string().contains("hunter2"));
    assert!(server.asked().is_empty());
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_is_fetched_over_ssh_from_a_known_host_alone() {
    let (mut repository, _) = three();
    let first = repository.commit();
    let port = ssh_server::serve(repository.path(), 1, 2).await;
    let address =
        format!("git+ssh://git@localhost:{port}/fleet.git//hub?ref=main&namespace={POLICIES}&secret=git");
    let mut scene = Scene::start(&address, Limits::default()).await;
    for (host, guest, part) in [
        (3, 2, "its key is not in `known_hosts`"),
        (1, 3, "failed to log in to localhost: it refuses the key"),
    ] {
        let values = json!({"identity": ssh_server::identity(guest), "known_hosts": ssh_server::known_host(port, host)});
        scene.world.hub.apply(secret(&values), "flotilla").await;
        scene.restart().await;
        scene.told(&[part]).await;
    }
    let values = json!({"identity": ssh_server::identity(2), "known_hosts": ssh_server::known_host(port, 1)});
    scene.world.hub.apply(secret(&values), "flotilla").await;
    scene.trigger.pull();
    scene.world.source_applied(&first).await;
    repository.write("hub/a.yaml", config_map("a", "2"));
    let second = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&second).await;
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "2"}));
    scene.world.stop().await;
}

/// RSA keys, the host's and the guest's, with today's hashes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_is_fetched_over_ssh_with_rsa_keys() {
    let (repository, _) = three();
    let first = repository.commit();
    let (host, guest) = (ssh_server::rsa_key(1), ssh_server::rsa_key(2));
    let known = ssh_server::public(&host);
    let port = ssh_server::serve_with(repository.path(), host, &guest).await;
    let address =
        format!("git+ssh://git@localhost:{port}/fleet.git//hub?ref=main&namespace={POLICIES}&secret=git");
    let mut scene = Scene::start(&address, Limits::default()).await;
    let values = json!({"identity": ssh_server::in_a_file(&guest), "known_hosts": format!("[localhost]:{port} {known}\n")});
    scene.world.hub.apply(secret(&values), "flotilla").await;
    scene.run();
    scene.world.source_applied(&first).await;
    scene.world.stop().await;
}

/// A commit counts that somebody who is trusted has signed. Any other changes nothing, and that is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_nobody_trusted_signed_are_not_applied() {
    let (mut repository, address) = three();
    let (alice, bob) = (ssh_server::key(1), ssh_server::key(2));
    let first = repository.commit_signed(&alice);
    let mut scene = Scene::start(&format!("{address}&verify=signers"), Limits::default()).await;
    scene.run();
    scene.told(&["failed to read Secret flotilla/signers: there is none"]).await;
    let trust = |lines: String| {
        let mut signers = secret(&json!({"allowed_signers": lines}));
        signers["metadata"]["name"] = json!("signers");
        signers
    };
    let alices = format!("alice@example.org {}\n", ssh_server::public(&alice));
    scene.world.hub.apply(trust(alices.clone()), "flotilla").await;
    scene.trigger.pull();
    scene.world.source_applied(&first).await;
    let record = scene.world.source_is("the signer", |data| data["signer"] == "alice@example.org").await;
    assert_eq!(record["revision"], first.as_str());

    repository.write("hub/a.yaml", config_map("a", "2"));
    let openpgp = |_: &str| "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----".to_owned();
    let elsewhere = |text: &str| {
        let signature =
            alice.sign("git", HashAlg::Sha512, text.replace("change", "else").as_bytes()).unwrap();
        signature.to_pem(LineEnding::LF).unwrap()
    };
    for (commit, part) in [
        (repository.commit(), "the commit is not signed"),
        (repository.commit_signed_with(openpgp), "signed with OpenPGP, which is not read here"),
        (
            repository.commit_signed_with(elsewhere),
            "the signature of alice@example.org does not fit the commit",
        ),
        (repository.commit_signed(&bob), "which is not trusted"),
    ]
    .into_iter()
    .rev()
    {
        repository.set_head(&commit);
        scene.trigger.pull();
        let record = scene.told(&[part]).await;
        assert_eq!((&record["revision"], &record["seen"]), (&json!(first), &json!(commit)), "{part}");
        assert_eq!(scene.data("a").await.unwrap(), json!({"key": "1"}), "{part}");
    }

    // Whoever is trusted now decides, with no new commit.
    let second = repository.commit_signed(&bob);
    scene.trigger.pull();
    scene.told(&["which is not trusted"]).await;
    let bobs = format!("bob {}\n", ssh_server::public(&bob));
    scene.world.hub.apply(trust(format!("{alices}{bobs}")), "flotilla").await;
    scene.trigger.pull();
    scene.world.source_applied(&second).await;
    let record = scene.world.source_is("the signer", |data| data["signer"] == "bob").await;
    assert_eq!(record["revision"], second.as_str());
    assert_eq!(scene.data("a").await.unwrap(), json!({"key": "2"}));
    scene.world.stop().await;
}

/// Templates of the repository take the place of ours; one that does not render stops its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_of_the_repository_take_the_place_of_ours() {
    const TEMPLATE: &str = "templates/oadp-hdr-app-backup.yaml.hbs";
    let settings = support::config_map("pv-snap")
        .replace("\ndata:\n", "\ndata:\n  templates: ours\n")
        .replacen("metadata:\n", "metadata:\n  labels: {flotilla.dev/protect: 'true'}\n", 1);
    let shipped = support::input::project_file(TEMPLATE);
    let noted =
        |note: &str| shipped.replacen("metadata:\n", &format!("metadata:\n  labels: {{note: {note}}}\n"), 1);
    let mut repository = SourceRepository::new();
    repository.write("hub/settings.yaml", settings).write(&format!("hub/{TEMPLATE}"), noted("first"));
    let first = repository.commit();
    let mut scene =
        Scene::start(&repository.address(&format!("&namespace={POLICIES}")), Limits::default()).await;
    scene.run();
    scene.world.source_applied(&first).await;
    let noted_is = async |note: &str| {
        scene
            .world
            .hub
            .wait(&format!("the policy with {note}"), "Policy", Some(POLICIES), |policies| {
                (policies.get("oadp-hdr-app-backup")?["metadata"]["labels"]["note"] == note).then_some(())
            })
            .await;
    };
    noted_is("first").await;
    assert!(scene.data("ours").await.unwrap().get("oadp-hdr-app-backup.yaml.hbs").is_some());

    for (name, text, part) in [
        (TEMPLATE, "{{#if}}".to_owned(), "oadp-hdr-app-backup.yaml.hbs"),
        ("templates/mine.yaml.hbs", noted("x"), "takes the place of none"),
    ] {
        repository.write(&format!("hub/{name}"), text);
        let broken = repository.commit();
        scene.trigger.pull();
        let record = scene.told(&["settings.yaml", part]).await;
        assert_eq!((&record["revision"], &record["seen"]), (&json!(first), &json!(broken)), "{part}");
        repository.remove(&format!("hub/{name}"));
    }
    repository.write(&format!("hub/{TEMPLATE}"), noted("second"));
    let second = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&second).await;
    noted_is("second").await;

    // Without the directory the key leads nowhere: the last good version stays in force, with its templates.
    repository.remove(&format!("hub/{TEMPLATE}"));
    let dangling = repository.commit();
    scene.trigger.pull();
    scene.world.source_applied(&dangling).await;
    scene
        .world
        .event(POLICIES, "hdr-app-configmap", "InvalidConfiguration", "there is no ConfigMap ours")
        .await;
    noted_is("second").await;
    scene.world.stop().await;
}

/// What answers there may be anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_repository_is_told() {
    let (repository, _) = three();
    repository.commit();
    let server = GitServer::open(repository.path());
    for (place, part) in [
        (format!("git+http://{}/page", server.address), "something that is no git repository answers there"),
        (format!("git+http://{}/none", server.address), "it answers with HTTP status 404"),
        ("git+http://localhost:1/fleet".to_owned(), "failed to reach localhost: "),
        ("git+file:///does/not/exist".to_owned(), "failed to read the repository: cannot open it"),
        (
            format!("git+file://{}//none", repository.path().display()),
            "failed to find the directory \"none\"",
        ),
        (
            format!("git+file://{}?ref=other", repository.path().display()),
            "failed to find other in the repository",
        ),
        ("dir:///does/not/exist".to_owned(), "failed to read /does/not/exist: "),
    ] {
        let mut scene = Scene::start(&place, Limits::default()).await;
        scene.run();
        let record = scene.told(&[part]).await;
        assert_eq!(record["revision"], "", "{place}");
        scene.world.stop().await;
    }
}
