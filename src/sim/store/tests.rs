//! The rules of the store, as a client would see them.

use serde_json::{Value, json};

use super::*;
use crate::sim::clock::ClockMode;

fn store(role: Role) -> Store {
    let clock = SimulatedClock::new(ClockMode::Manual { start: "2024-01-01T00:00:00Z".parse().unwrap() });
    let store = Store::new(&Seed::new(role, &clock), "c1", Arc::new(|| {}));
    store.create(namespace("ns")).unwrap();
    store
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "ns"},
        "data": {"a": "1"}})
}

fn key(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey {
        gvk: GroupVersionKind::new(api_version, kind),
        namespace: namespace.map(ToOwned::to_owned),
        name: name.to_owned(),
    }
}

fn map_key(name: &str) -> ObjectKey {
    key("v1", "ConfigMap", Some("ns"), name)
}

/// Writes as a client does.
fn client(part: Part) -> WriteOptions {
    WriteOptions { part, manager: Some("test".to_owned()), ..WriteOptions::whole() }
}

fn update(
    store: &Store,
    key: &ObjectKey,
    part: Part,
    edit: impl FnOnce(&mut Value),
) -> Result<Value, ApiError> {
    let (kind, place) = store.locate(&key.gvk, key.namespace.as_deref(), &key.name)?;
    let change = |object: &Value| {
        let mut object = object.clone();
        edit(&mut object);
        Ok(object)
    };
    let written = store.write(|state| state.update(&kind, &place, &client(part), change))?;
    Ok(written.object.to_value())
}

fn delete(store: &Store, key: &ObjectKey, propagation: Propagation) -> Result<Deleted, ApiError> {
    let (kind, place) = store.locate(&key.gvk, key.namespace.as_deref(), &key.name)?;
    let options = DeleteOptions { propagation, ..DeleteOptions::default() };
    store.write(|state| state.delete(&kind, &place, &options))
}

fn number(object: &Manifest) -> u64 {
    object.resource_version().unwrap().parse().unwrap()
}

#[test]
fn creation_sets_what_the_server_keeps() {
    let store = store(Role::Managed);
    let before = store.version();
    let mut object = config_map("");
    object["metadata"]["generateName"] = json!("a-");
    let created = store.create(object).unwrap();
    assert!(created.name().unwrap().starts_with("a-"));
    assert_eq!(created.creation_timestamp(), Some("2024-01-01T00:00:00Z"));
    assert_eq!(created.uid().unwrap().len(), 36);
    assert_eq!(number(&created), before + 1);
    assert_eq!(created.at(&["metadata", "generation"]), None, "a ConfigMap has no generation");
}

#[test]
fn refusals_of_creation_have_the_servers_words() {
    let store = store(Role::Managed);
    store.create(config_map("a")).unwrap();
    let refuse = |object: Value| store.create(object).unwrap_err().to_string();
    assert_eq!(refuse(config_map("a")), r#"configmaps "a" already exists"#);
    let mut elsewhere = config_map("a");
    elsewhere["metadata"]["namespace"] = json!("nowhere");
    assert_eq!(refuse(elsewhere), r#"namespaces "nowhere" not found"#);
    assert!(
        refuse(config_map("A"))
            .starts_with(r#"ConfigMap "A" is invalid: metadata.name: Invalid value: "A": "#)
    );
    let number = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "ns"},
        "data": {"a": 1}});
    assert!(
        refuse(number)
            .ends_with("cannot unmarshal number into Go struct field ConfigMap.data of type string")
    );
    let unknown = json!({"apiVersion": "x/v1", "kind": "Y", "metadata": {"name": "b"}});
    assert_eq!(refuse(unknown), "the server could not find the requested resource");
}

#[test]
fn a_write_that_changes_nothing_raises_no_version() {
    let store = store(Role::Managed);
    let created = store.create(config_map("a")).unwrap();
    let same = update(&store, &map_key("a"), Part::Main, |_| {}).unwrap();
    assert_eq!(same["metadata"]["resourceVersion"], created.resource_version().unwrap());
    assert_eq!(store.replace(created.to_value()).unwrap().resource_version(), created.resource_version());
    assert_eq!(store.version(), number(&created));
}

#[test]
fn a_stale_version_is_a_conflict() {
    let store = store(Role::Managed);
    let old = store.create(config_map("a")).unwrap().to_value();
    update(&store, &map_key("a"), Part::Main, |object| object["data"]["a"] = json!("2")).unwrap();
    let error = store.replace(old.clone()).unwrap_err();
    assert_eq!(error.code(), 409);
    assert!(error.to_string().contains("the object has been modified"), "{error}");
    let mut foreign = old;
    foreign["metadata"]["uid"] = json!("other");
    assert!(store.replace(foreign).unwrap_err().to_string().contains("UID in precondition: other"));
}

#[test]
fn status_and_spec_have_their_own_endpoints_where_the_kind_says_so() {
    let store = store(Role::Hub);
    let placement = key("cluster.open-cluster-management.io/v1beta1", "Placement", Some("ns"), "p");
    let object = json!({"apiVersion": "cluster.open-cluster-management.io/v1beta1", "kind": "Placement",
        "metadata": {"name": "p", "namespace": "ns"}, "spec": {"a": 1}, "status": {"b": 1}});
    let kind = store.kinds().of(&placement.gvk).unwrap().clone();
    let created = store.write(|state| state.create(&kind, Some("ns"), object, &client(Part::Main))).unwrap();
    assert_eq!(created.object.at(&["status"]), None, "the status of a new object is dropped");
    let both = |object: &mut Value| {
        object["spec"]["a"] = json!(2);
        object["status"] = json!({"b": 2});
    };
    let main = update(&store, &placement, Part::Main, both).unwrap();
    assert_eq!((&main["spec"]["a"], &main["status"]), (&json!(2), &Value::Null));
    assert_eq!(main["metadata"]["generation"], 2);
    let status = update(&store, &placement, Part::Status, |object| {
        object["spec"]["a"] = json!(3);
        object["status"] = json!({"b": 3});
    })
    .unwrap();
    assert_eq!((&status["spec"]["a"], &status["status"]["b"]), (&json!(2), &json!(3)));
    assert_eq!(status["metadata"]["generation"], 2, "the status does not count");
    let managers = status["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.len(), 2);
    assert!(managers.iter().any(|manager| manager["subresource"] == "status"));
}

#[test]
fn velero_kinds_take_their_status_on_the_main_endpoint() {
    let store = store(Role::Managed);
    let backup = key("velero.io/v1", "Backup", Some("ns"), "b");
    store
        .create(json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b", "namespace": "ns"}}))
        .unwrap();
    let changed =
        update(&store, &backup, Part::Main, |object| object["status"] = json!({"phase": "New"})).unwrap();
    assert_eq!(changed["status"]["phase"], "New");
    assert_eq!(changed["metadata"]["generation"], 2);
    let labelled =
        update(&store, &backup, Part::Main, |object| object["metadata"]["labels"] = json!({"a": "b"}));
    assert_eq!(labelled.unwrap()["metadata"]["generation"], 2, "metadata does not count");
}

#[test]
fn finalizers_hold_an_object() {
    let store = store(Role::Managed);
    let mut object = config_map("a");
    object["metadata"]["finalizers"] = json!(["x.io/y"]);
    store.create(object).unwrap();
    let Deleted::Waiting(waiting) = delete(&store, &map_key("a"), Propagation::Background).unwrap() else {
        panic!("nothing held it")
    };
    assert!(waiting.is_deleting());
    let added = update(&store, &map_key("a"), Part::Main, |object| {
        object["metadata"]["finalizers"] = json!(["x.io/y", "z.io/z"]);
    });
    assert!(added.unwrap_err().to_string().contains(r#"found new finalizers []string{"z.io/z"}"#));
    update(&store, &map_key("a"), Part::Main, |object| {
        object["metadata"]["finalizers"] = json!([]);
    })
    .unwrap();
    assert!(store.get(&map_key("a")).is_none());
}

#[test]
fn a_namespace_takes_its_contents_along_and_waits_for_those_that_are_held() {
    let store = store(Role::Managed);
    let ns = key("v1", "Namespace", None, "ns");
    store.create(config_map("free")).unwrap();
    let mut held = config_map("held");
    held["metadata"]["finalizers"] = json!(["x.io/y"]);
    store.create(held).unwrap();
    store.delete(&ns).unwrap();
    let terminating = store.get(&ns).unwrap();
    assert_eq!(terminating.text_at(&["status", "phase"]), Some("Terminating"));
    assert!(store.get(&map_key("free")).is_none());
    let refused = store.create(config_map("late")).unwrap_err();
    assert_eq!(refused.code(), 403);
    assert_eq!(refused.to_status()["details"]["causes"][0]["reason"], "NamespaceTerminating");
    store
        .edit(&map_key("held"), |object| {
            object["metadata"]["finalizers"] = json!([]);
        })
        .unwrap();
    assert!(store.get(&ns).is_none());
    assert_eq!(store.delete(&key("v1", "Namespace", None, "default")).unwrap_err().code(), 403);
}

fn owned(name: &str, owners: &[&Manifest]) -> Value {
    let mut object = config_map(name);
    let owners = owners.iter().map(
        |owner| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name(), "uid": owner.uid()}),
    );
    object["metadata"]["ownerReferences"] = owners.collect();
    object
}

#[test]
fn dependents_share_their_owners_fate() {
    let store = store(Role::Managed);
    let owner = store.create(config_map("owner")).unwrap();
    let other = store.create(config_map("other")).unwrap();
    let child = store.create(owned("child", &[&owner])).unwrap();
    store.create(owned("grandchild", &[&child])).unwrap();
    store.create(owned("shared", &[&owner, &other])).unwrap();
    delete(&store, &map_key("owner"), Propagation::Background).unwrap();
    assert!(store.get(&map_key("child")).is_none() && store.get(&map_key("grandchild")).is_none());
    let shared = store.get(&map_key("shared")).unwrap();
    assert_eq!(shared.at(&["metadata", "ownerReferences"]).unwrap().as_array().unwrap().len(), 1);
    delete(&store, &map_key("other"), Propagation::Orphan).unwrap();
    assert_eq!(store.get(&map_key("shared")).unwrap().at(&["metadata", "ownerReferences"]), None);
}

#[test]
fn an_owner_deleted_in_the_foreground_goes_last() {
    let store = store(Role::Managed);
    let owner = store.create(config_map("owner")).unwrap();
    let mut child = owned("child", &[&owner]);
    child["metadata"]["finalizers"] = json!(["x.io/y"]);
    store.create(child).unwrap();
    delete(&store, &map_key("owner"), Propagation::Foreground).unwrap();
    assert!(store.get(&map_key("owner")).unwrap().is_deleting());
    store
        .edit(&map_key("child"), |object| {
            object["metadata"]["finalizers"] = json!([]);
        })
        .unwrap();
    assert!(store.get(&map_key("child")).is_none() && store.get(&map_key("owner")).is_none());
}

#[test]
fn an_object_whose_owner_never_was_is_collected() {
    let store = store(Role::Managed);
    let owner = store.create(config_map("owner")).unwrap();
    store.delete(&map_key("owner")).unwrap();
    store.create(owned("late", &[&owner])).unwrap();
    assert!(store.get(&map_key("late")).is_none());
}

#[test]
fn kinds_come_and_go_with_their_definitions() {
    let store = store(Role::Managed);
    let definition = key("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "backups.velero.io");
    let backup =
        json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b", "namespace": "ns"}});
    store.create(backup.clone()).unwrap();
    let kept = store.get(&definition).unwrap().to_value();
    assert_eq!(kept["status"]["conditions"][1]["type"], "Established");
    store.delete(&definition).unwrap();
    assert!(store.get(&definition).is_none());
    assert_eq!(store.create(backup.clone()).unwrap_err(), ApiError::UnknownPath);
    let mut again = kept;
    again["metadata"] = json!({"name": "backups.velero.io"});
    store.create(again).unwrap();
    assert_eq!(store.list("velero.io", "Backup", None).len(), 0, "the objects are gone");
    store.create(backup).unwrap();
}

#[test]
fn a_hub_gives_managed_clusters_a_set_and_a_namespace() {
    let store = store(Role::Hub);
    let cluster = |name: &str, labels: Value| {
        json!({"apiVersion": "cluster.open-cluster-management.io/v1", "kind": "ManagedCluster",
            "metadata": {"name": name, "labels": labels}})
    };
    let label = "cluster.open-cluster-management.io/clusterset";
    let created = store.create(cluster("c1", json!({"a": "b"}))).unwrap();
    assert_eq!((created.label(label), created.label("a")), (Some("default"), Some("b")));
    assert_eq!(store.create(cluster("c2", json!({label: "mine"}))).unwrap().label(label), Some("mine"));
    assert!(store.get(&key("v1", "Namespace", None, "c1")).is_some());
    let sets = store.list("cluster.open-cluster-management.io", "ManagedClusterSet", None);
    assert_eq!(sets.iter().map(|set| set.name().unwrap()).collect::<Vec<_>>(), ["default", "global"]);
}

#[test]
fn secrets_take_plain_text() {
    let store = store(Role::Managed);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"},
        "data": {"a": "YQ=="}, "stringData": {"b": "b"}});
    let created = store.create(secret).unwrap().to_value();
    assert_eq!((&created["data"], &created["type"]), (&json!({"a": "YQ==", "b": "Yg=="}), &json!("Opaque")));
    assert!(created.get("stringData").is_none());
    let changed = update(&store, &key("v1", "Secret", Some("ns"), "s"), Part::Main, |object| {
        object["type"] = json!("Other");
    });
    assert!(changed.unwrap_err().to_string().contains("field is immutable"));
}

#[test]
fn history_tells_every_change_until_it_is_forgotten() {
    let store = store(Role::Managed);
    let start = store.version();
    store.create(config_map("a")).unwrap();
    store.edit(&map_key("a"), |object| object["data"]["a"] = json!("2")).unwrap();
    store.delete(&map_key("a")).unwrap();
    let tell = |from| {
        store.read(|state| {
            let changes = state.since(from).map_err(|error| error.code())?;
            Ok(changes
                .map(|change| match change.kind {
                    ChangeKind::Added => "added",
                    ChangeKind::Modified(_) => "modified",
                    ChangeKind::Deleted(_) => "deleted",
                })
                .collect::<Vec<_>>())
        })
    };
    assert_eq!(tell(start), Ok(vec!["added", "modified", "deleted"]));
    assert_eq!(tell(start + 2), Ok(vec!["deleted"]));
    store.forget_history();
    assert_eq!(tell(start), Err(410));
    assert_eq!(tell(store.version()), Ok(vec![]));
}

#[test]
fn a_dry_run_checks_and_leaves_no_trace() {
    let store = store(Role::Managed);
    let before = store.version();
    let kind = store.kinds().preferred("", "ConfigMap").unwrap().clone();
    let options = WriteOptions { dry_run: true, ..client(Part::Main) };
    let dry = store.write(|state| state.create(&kind, Some("ns"), config_map("a"), &options)).unwrap();
    assert!(dry.object.uid().is_some() && dry.object.resource_version().is_none());
    assert!(store.get(&map_key("a")).is_none());
    assert_eq!(store.version(), before);
}
