//! What an onlooker sees of Velero's objects: every phase that they go through, and how they end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use flotilla::api::object::GroupVersionKind;
use futures::StreamExt as _;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::VELERO;
use crate::support::stage::patience;

/// The kinds that are watched from the beginning.
const KINDS: [&str; 6] =
    ["BackupStorageLocation", "Backup", "Schedule", "Restore", "DeleteBackupRequest", "ServerStatusRequest"];
/// Stands in a ladder for an object that is no more.
pub(crate) const GONE: &str = "(gone)";
/// Stands in a ladder for an object without a phase.
const NONE: &str = "(none)";

/// One object as it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its phases in order, without repeats.
    pub(crate) phases: Vec<String>,
    /// Its last state; that before its end when it is gone.
    pub(crate) object: Value,
}

impl Entry {
    /// The last phase, or [`GONE`].
    pub(crate) fn phase(&self) -> &str {
        self.phases.last().map_or(NONE, String::as_str)
    }

    /// Whether Velero will do nothing more with it.
    pub(crate) fn is_settled(&self) -> bool {
        let settled = [
            "Available",
            "Unavailable",
            "Enabled",
            "Completed",
            "PartiallyFailed",
            "Failed",
            "FailedValidation",
            "Processed",
        ];
        settled.contains(&self.phase())
    }
}

type Entries = BTreeMap<(String, String), Entry>;

/// The diary of one cluster's Velero namespace, written for as long as this lives.
pub(crate) struct Diary {
    entries: Arc<Mutex<Entries>>,
    changed: Arc<Notify>,
    _watches: JoinSet<()>,
}

/// The resource of a kind, by Kubernetes' rules for plurals.
pub(crate) fn resource(api_version: &str, kind: &str) -> ApiResource {
    let gvk = GroupVersionKind::new(api_version, kind);
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(&gvk.group, &gvk.version, kind))
}

impl Diary {
    /// Opens it.
    pub(crate) fn open(client: &Client) -> Self {
        let entries = Arc::new(Mutex::new(Entries::new()));
        let changed = Arc::new(Notify::new());
        let mut watches = JoinSet::new();
        for kind in KINDS {
            let api = Api::namespaced_with(client.clone(), VELERO, &resource("velero.io/v1", kind));
            watches.spawn(follow(api, kind, Arc::clone(&entries), Arc::clone(&changed)));
        }
        Self { entries, changed, _watches: watches }
    }

    /// What is known of all objects of a kind.
    pub(crate) fn all(&self, kind: &str) -> BTreeMap<String, Entry> {
        let entries = self.entries.lock().unwrap();
        let of_kind = entries.iter().filter(|((own, _), _)| own == kind);
        of_kind.map(|((_, name), entry)| (name.clone(), entry.clone())).collect()
    }

    /// What is known of an object, once it is as it should be.
    pub(crate) async fn until(&self, kind: &str, name: &str, is_reached: impl Fn(&Entry) -> bool) -> Entry {
        let identity = (kind.to_owned(), name.to_owned());
        self.when(|entries| entries.get(&identity).filter(|entry| is_reached(entry)).cloned())
            .await
            .unwrap_or_else(|| panic!("{kind} {name} did not come that far: {:#?}", self.all(kind).get(name)))
    }

    /// The first object of a kind that is as it should be, by name and entry.
    pub(crate) async fn until_any(&self, kind: &str, is_reached: impl Fn(&str, &Entry) -> bool) -> Entry {
        let fits =
            |((own, name), entry): &(&(String, String), &Entry)| own == kind && is_reached(name, entry);
        self.when(|entries| entries.iter().find(fits).map(|(_, entry)| entry.clone()))
            .await
            .unwrap_or_else(|| panic!("no {kind} came that far: {:#?}", self.all(kind)))
    }

    /// What follows from the entries, once it does; `None` when it never did.
    async fn when<T>(&self, look: impl Fn(&Entries) -> Option<T>) -> Option<T> {
        let reached = async {
            loop {
                let changed = self.changed.notified();
                if let Some(found) = look(&self.entries.lock().unwrap()) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience(), reached).await.ok()
    }
}

async fn follow(
    api: Api<DynamicObject>,
    kind: &'static str,
    entries: Arc<Mutex<Entries>>,
    changed: Arc<Notify>,
) {
    let mut events = watcher(api, watcher::Config::default()).boxed();
    while let Some(event) = events.next().await {
        let (object, is_gone) = match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => (object, false),
            Ok(watcher::Event::Delete(object)) => (object, true),
            Ok(watcher::Event::Init | watcher::Event::InitDone) => continue,
            Err(error) => {
                eprintln!("the diary of {kind}: {error}");
                continue;
            }
        };
        let object = serde_json::to_value(object).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let phase = if is_gone { GONE } else { object["status"]["phase"].as_str().unwrap_or(NONE) };
        let mut entries = entries.lock().unwrap();
        let entry = entries
            .entry((kind.to_owned(), name))
            .or_insert_with(|| Entry { phases: Vec::new(), object: Value::Null });
        if entry.phases.last().is_none_or(|last| last != phase) {
            entry.phases.push(phase.to_owned());
        }
        if !is_gone {
            entry.object = object;
        }
        drop(entries);
        changed.notify_waiters();
    }
}
