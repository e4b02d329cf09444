//! What a restore does with each object of a backup.
//!
//! Takes a validated Restore and the stored backup, gives the writes in the order in which Velero makes them,
//! and what went wrong. Upstream: `pkg/restore/restore.go` and its item actions. Pod volumes are provisioned
//! anew without their data; resource modifiers, restore hooks and `restoreStatus` are not played.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::backup_request::lists;
use super::contents::{is_copied, selected, selectors, takes_snapshots};
use super::edit::{at, key, label, label_value, name, namespace, remove, set, text, truth};
use super::lists::Lists;
use super::scene::Scene;
use super::sync::is_volume_backup;
use crate::api::object::Manifest;
use crate::api::selector::LabelSelector;
use crate::sim::simulator::{StoredBackup, Write};

const BACKUP_LABEL: &str = "velero.io/backup-name";
const RESTORE_LABEL: &str = "velero.io/restore-name";

/// Kinds that come first, in this order; all others follow by name of their kind.
const ORDER: [&str; 9] = [
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Secret",
    "ConfigMap",
    "ServiceAccount",
    "LimitRange",
    "Pod",
    "ReplicaSet",
];

/// What became of a restore.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) writes: Vec<Write>,
    pub(super) warnings: Vec<String>,
    pub(super) errors: Vec<String>,
    /// How many items were looked at or made, a new namespace among them.
    pub(super) total: usize,
}

/// Restores the objects of a stored backup as the spec wants it.
pub(super) fn restore(scene: &Scene<'_>, restore: &Value, stored: &StoredBackup) -> Restored {
    let plan = Plan::of(scene, restore, stored);
    let mut items: Vec<&Value> = stored.contents.iter().filter(|item| plan.takes(item)).collect();
    items.sort_by_key(|item| order(item));
    let mut restored = Restored { total: items.len(), ..Restored::default() };
    if stored.contents.is_empty() {
        restored.warnings.push("the backup holds no resources".to_owned());
    }
    let mut namespaces = BTreeSet::new();
    for item in items {
        let origin = namespace(item);
        if !origin.is_empty() && namespaces.insert(origin.to_owned()) {
            let made = plan.namespace(scene, stored, origin);
            restored.total += usize::from(made.is_some());
            restored.writes.extend(made);
        }
        plan.item(scene, item, &mut restored);
    }
    // Namespaces first, so that nothing is refused for want of one.
    restored.writes.sort_by_key(|write| !is_namespace_write(write));
    restored
}

fn is_namespace_write(write: &Write) -> bool {
    matches!(write, Write::Create(object) if text(object, &["kind"]) == "Namespace")
}

fn order(item: &Value) -> (usize, String, String, String) {
    let kind = text(item, &["kind"]);
    let position = ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len());
    (position, kind.to_owned(), namespace(item).to_owned(), name(item).to_owned())
}

/// What to do with an object that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Keep,
    Update,
}

struct Plan {
    restore_label: String,
    backup_label: String,
    namespaces: Lists,
    resources: Lists,
    selectors: Vec<LabelSelector>,
    mapping: BTreeMap<String, String>,
    existing: Existing,
    preserve_node_ports: bool,
    /// Volumes that come back with their claim; the claims of others are provisioned anew.
    volumes: BTreeSet<String>,
    storage_classes: Result<BTreeMap<String, String>, String>,
}

impl Plan {
    fn of(scene: &Scene<'_>, restore: &Value, stored: &StoredBackup) -> Self {
        let spec = at(restore, &["spec"]).unwrap_or(&Value::Null);
        let mapping = at(spec, &["namespaceMapping"]).and_then(Value::as_object);
        let mut plan = Self {
            restore_label: label_value(name(restore)),
            backup_label: label_value(text(spec, &["backupName"])),
            namespaces: lists(spec, "includedNamespaces", "excludedNamespaces"),
            resources: lists(spec, "includedResources", "excludedResources"),
            selectors: selectors(spec),
            mapping: text_map(mapping),
            existing: match text(spec, &["existingResourcePolicy"]) {
                "update" => Existing::Update,
                _ => Existing::Keep,
            },
            preserve_node_ports: truth(spec, &["preserveNodePorts"]).unwrap_or(false),
            volumes: BTreeSet::new(),
            storage_classes: storage_class_map(scene),
        };
        if truth(spec, &["includeClusterResources"]) != Some(false) {
            plan.volumes = plan.restorable_volumes(stored);
        }
        plan
    }

    /// Volumes of restored claims that were snapshot, or that outlive their claim.
    fn restorable_volumes(&self, stored: &StoredBackup) -> BTreeSet<String> {
        let copies: Vec<Value> =
            stored.contents.iter().filter(|item| is_volume_backup(item)).cloned().collect();
        let claimed: BTreeSet<&str> = stored
            .contents
            .iter()
            .filter(|item| is_kind(item, "PersistentVolumeClaim") && self.takes(item))
            .map(|claim| text(claim, &["spec", "volumeName"]))
            .collect();
        stored
            .contents
            .iter()
            .filter(|item| is_kind(item, "PersistentVolume") && claimed.contains(name(item)))
            .filter(|volume| {
                let deleted_with_claim = text(volume, &["spec", "persistentVolumeReclaimPolicy"]) == "Delete";
                !is_copied(volume, &copies) && (takes_snapshots(&stored.backup) || !deleted_with_claim)
            })
            .map(|volume| name(volume).to_owned())
            .collect()
    }

    fn takes(&self, item: &Value) -> bool {
        let Ok(manifest) = Manifest::parse(item.clone()) else {
            return false;
        };
        let gvk = manifest.gvk();
        if gvk.group == "velero.io" || is_kind(item, "Namespace") || is_finished(item) {
            return false;
        }
        let wanted = match manifest.namespace() {
            Some(namespace) => self.namespaces.namespace(namespace),
            None => !is_kind(item, "PersistentVolume") || self.volumes.contains(name(item)),
        };
        wanted && self.resources.resource(&gvk.group, &gvk.kind) && selected(&self.selectors, &manifest)
    }

    fn target<'a>(&'a self, origin: &'a str) -> &'a str {
        self.mapping.get(origin).map_or(origin, String::as_str)
    }

    /// Makes the namespace unless it is there; one that is there is never changed.
    fn namespace(&self, scene: &Scene<'_>, stored: &StoredBackup, origin: &str) -> Option<Write> {
        let target = self.target(origin);
        if scene.view.get(&key("v1", "Namespace", None, target)).is_some() {
            return None;
        }
        let kept = stored.contents.iter().find(|item| is_kind(item, "Namespace") && name(item) == origin);
        let mut object =
            serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": target}});
        for field in ["labels", "annotations"] {
            if let Some(value) = kept.and_then(|kept| at(kept, &["metadata", field])) {
                set(&mut object, &["metadata", field], value.clone());
            }
        }
        let name_label = "kubernetes.io/metadata.name";
        if !label(&object, name_label).is_empty() {
            set(&mut object, &["metadata", "labels", name_label], target);
        }
        Some(Write::Create(object))
    }

    fn item(&self, scene: &Scene<'_>, item: &Value, restored: &mut Restored) {
        let mut object = item.clone();
        reset(&mut object);
        let place = format!("{} {}/{}", text(item, &["kind"]), namespace(item), name(item));
        if let Err(fault) = self.change_storage_class(scene, &mut object) {
            restored.errors.push(format!("error preparing {place}: {fault}"));
            return;
        }
        self.adapt(&mut object);
        if !namespace(item).is_empty() {
            set(&mut object, &["metadata", "namespace"], self.target(namespace(item)));
        }
        let api_version = text(&object, &["apiVersion"]);
        let own_namespace = Some(namespace(&object)).filter(|namespace| !namespace.is_empty());
        let found = scene.view.get(&key(api_version, text(&object, &["kind"]), own_namespace, name(&object)));
        set(&mut object, &["metadata", "labels", RESTORE_LABEL], self.restore_label.as_str());
        set(&mut object, &["metadata", "labels", BACKUP_LABEL], self.backup_label.as_str());
        match found {
            None => restored.writes.push(Write::Create(object)),
            Some(found) => self.meet(&found, object, restored),
        }
    }

    /// Deals with an object that is there already.
    fn meet(&self, found: &Manifest, wanted: Value, restored: &mut Restored) {
        let mut current = found.to_value();
        reset(&mut current);
        set(&mut current, &["metadata", "labels", RESTORE_LABEL], self.restore_label.as_str());
        set(&mut current, &["metadata", "labels", BACKUP_LABEL], self.backup_label.as_str());
        let differs = current != wanted || is_rewritten(&wanted);
        // Service accounts are joined silently; their tokens belong to the cluster.
        if is_kind(&wanted, "ServiceAccount") {
            return;
        }
        if self.existing == Existing::Keep {
            if differs {
                restored.warnings.push(format!(
                    "could not restore, {}:{} already exists. Warning: the in-cluster version is different \
                     than the backed-up version",
                    text(&wanted, &["kind"]),
                    name(&wanted)
                ));
            }
            return;
        }
        let immutable = ["PersistentVolume", "PersistentVolumeClaim"].contains(&text(&wanted, &["kind"]));
        let mut updated = found.to_value();
        if immutable && wanted.get("spec") != current.get("spec") {
            restored.warnings.push(format!(
                "{} {:?} is invalid: spec: Forbidden: spec is immutable after creation",
                text(&wanted, &["kind"]),
                name(&wanted)
            ));
            for field in [RESTORE_LABEL, BACKUP_LABEL] {
                set(&mut updated, &["metadata", "labels", field], label(&wanted, field));
            }
        } else {
            take_over(&mut updated, wanted);
        }
        restored.writes.extend(super::edit::replace(found, updated));
    }

    fn change_storage_class(&self, scene: &Scene<'_>, object: &mut Value) -> Result<(), String> {
        let kind = text(object, &["kind"]);
        if !["PersistentVolumeClaim", "PersistentVolume", "StatefulSet"].contains(&kind) {
            return Ok(());
        }
        let map = self.storage_classes.as_ref().map_err(Clone::clone)?;
        let mapped = |class: &str| -> Result<Option<&String>, String> {
            let Some(new) = map.get(class) else {
                return Ok(None);
            };
            match scene.view.get(&key("storage.k8s.io/v1", "StorageClass", None, new)) {
                Some(_) => Ok(Some(new)),
                None => Err(format!(
                    "error getting storage class {new} from API: storageclasses.storage.k8s.io {new:?} not \
                     found"
                )),
            }
        };
        if kind == "StatefulSet" {
            let templates = object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
            for template in templates.into_iter().flatten() {
                if let Some(new) = mapped(text(template, &["spec", "storageClassName"]))? {
                    set(template, &["spec", "storageClassName"], new.as_str());
                }
            }
        } else if let Some(new) = mapped(text(object, &["spec", "storageClassName"]))? {
            set(object, &["spec", "storageClassName"], new.as_str());
        }
        Ok(())
    }

    /// What belongs to the old cluster goes.
    fn adapt(&self, object: &mut Value) {
        match text(object, &["kind"]).to_owned().as_str() {
            "Pod" => remove(object, &["spec", "nodeName"]),
            "PersistentVolumeClaim" => {
                for annotation in [
                    "pv.kubernetes.io/bind-completed",
                    "pv.kubernetes.io/bound-by-controller",
                    "volume.kubernetes.io/storage-provisioner",
                    "volume.beta.kubernetes.io/storage-provisioner",
                    "volume.kubernetes.io/selected-node",
                ] {
                    remove(object, &["metadata", "annotations", annotation]);
                }
                let volume = text(object, &["spec", "volumeName"]);
                if !volume.is_empty() && !self.volumes.contains(volume) {
                    remove(object, &["spec", "volumeName"]);
                }
            }
            "PersistentVolume" => {
                let claimed_from = text(object, &["spec", "claimRef", "namespace"]).to_owned();
                if !claimed_from.is_empty() {
                    let target = self.target(&claimed_from).to_owned();
                    set(object, &["spec", "claimRef", "namespace"], target);
                }
                remove(object, &["spec", "claimRef", "uid"]);
                remove(object, &["spec", "claimRef", "resourceVersion"]);
            }
            "Service" => self.adapt_service(object),
            "Job" => {
                for path in [
                    &["spec", "selector", "matchLabels"][..],
                    &["spec", "template", "metadata", "labels"][..],
                ] {
                    for name in ["controller-uid", "batch.kubernetes.io/controller-uid"] {
                        let path: Vec<&str> = path.iter().copied().chain([name]).collect();
                        remove(object, &path);
                    }
                }
            }
            _ => {}
        }
    }

    fn adapt_service(&self, object: &mut Value) {
        if text(object, &["spec", "clusterIP"]) != "None" {
            remove(object, &["spec", "clusterIP"]);
            remove(object, &["spec", "clusterIPs"]);
        }
        let ports = object.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
        if !self.preserve_node_ports {
            for port in ports.into_iter().flatten() {
                remove(port, &["nodePort"]);
            }
        }
    }
}

fn is_kind(item: &Value, kind: &str) -> bool {
    text(item, &["kind"]) == kind && text(item, &["apiVersion"]) == "v1"
}

/// Kinds that pass through Go's types on their way, which leaves an empty status behind: Velero then finds each one that is
/// there already to be different.
fn is_rewritten(item: &Value) -> bool {
    match text(item, &["apiVersion"]) {
        "v1" => ["Pod", "Service", "PersistentVolumeClaim"].contains(&text(item, &["kind"])),
        "batch/v1" => text(item, &["kind"]) == "Job",
        _ => false,
    }
}

/// Pods and Jobs that came to their end are not started again; mirror Pods belong to their node.
fn is_finished(item: &Value) -> bool {
    match text(item, &["kind"]) {
        "Pod" => {
            ["Succeeded", "Failed"].contains(&text(item, &["status", "phase"]))
                || !text(item, &["metadata", "annotations", "kubernetes.io/config.mirror"]).is_empty()
        }
        "Job" => !text(item, &["status", "completionTime"]).is_empty(),
        _ => false,
    }
}

/// Drops what the API server writes, the owners and the status.
fn reset(object: &mut Value) {
    for field in [
        "generateName",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
        "managedFields",
    ] {
        remove(object, &["metadata", field]);
    }
    remove(object, &["status"]);
}

/// Everything but identity and status becomes as wanted; fields that are not wanted go, as with upstream's
/// merge patch.
fn take_over(current: &mut Value, wanted: Value) {
    let Value::Object(mut wanted) = wanted else {
        return;
    };
    for field in ["labels", "annotations"] {
        match wanted.get("metadata").and_then(|metadata| metadata.get(field)) {
            Some(value) => set(current, &["metadata", field], value.clone()),
            None => remove(current, &["metadata", field]),
        }
    }
    if let Some(fields) = current.as_object_mut() {
        fields.retain(|field, _| field == "metadata" || field == "status" || wanted.contains_key(field));
        wanted.remove("metadata");
        fields.extend(wanted);
    }
}

fn text_map(map: Option<&Map<String, Value>>) -> BTreeMap<String, String> {
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The mapping of storage classes that applies to all restores of the namespace; two of them are one too
/// many.
fn storage_class_map(scene: &Scene<'_>) -> Result<BTreeMap<String, String>, String> {
    let found: Vec<_> = scene
        .view
        .list("", "ConfigMap", Some(scene.namespace))
        .into_iter()
        .filter(|map| {
            map.label("velero.io/plugin-config").is_some()
                && map.label("velero.io/change-storage-class") == Some("RestoreItemAction")
        })
        .collect();
    match found.as_slice() {
        [] => Ok(BTreeMap::new()),
        [one] => Ok(text_map(one.at(&["data"]).and_then(Value::as_object))),
        several => {
            let names: Vec<&str> = several.iter().filter_map(|map| map.name()).collect();
            Err(format!(
                "found more than one ConfigMap matching label selector \
                 \"velero.io/plugin-config,velero.io/change-storage-class=RestoreItemAction\": [{}]",
                names.join(" ")
            ))
        }
    }
}
