//! What goes into a backup: the objects of the namespaces, their Namespace objects, bound volumes and volume
//! data.
//!
//! Takes the spec of a Backup after its preparation, gives copies of the objects as they are (a restore drops
//! their status, as Velero's does). Left out beside what the spec excludes: events, Velero's own kinds,
//! objects marked `velero.io/exclude-from-backup`. Of cluster-scoped kinds only Namespaces and bound
//! `PersistentVolumes` are known.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::backup_request::{lists, uses_old_filters};
use super::edit::{at, digest, items, key, label_value, name, namespace, set, text, truth};
use super::scene::{API_VERSION, Scene};
use crate::api::object::Manifest;
use crate::api::selector::LabelSelector;

/// On a namespace or object: it is in no backup.
pub(super) const EXCLUDE_LABEL: &str = "velero.io/exclude-from-backup";

/// What a backup holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The objects, Namespaces first.
    pub(super) items: Vec<Value>,
    /// One `PodVolumeBackup` for each volume whose files are copied.
    pub(super) volume_backups: Vec<Value>,
    /// How many volumes are snapshot.
    pub(super) snapshots: usize,
    /// How many things went wrong.
    pub(super) errors: usize,
    /// How many things were skipped with a word about it.
    pub(super) warnings: usize,
    /// Claims, by namespace and name, whose files were meant to be copied: their volumes are not snapshot.
    meant_to_copy: BTreeSet<(String, String)>,
}

/// Collects what the backup holds.
pub(super) fn collect(scene: &Scene<'_>, backup: &Value) -> Contents {
    let filter = Filter::of(backup);
    let namespaces: Vec<Arc<Manifest>> = scene
        .view
        .list("", "Namespace", None)
        .into_iter()
        .filter(|found| found.name().is_some_and(|name| filter.namespaces.namespace(name)))
        .collect();
    let mut contents = Contents::default();
    if filter.lets_namespaces_through() {
        let is_there = |name: &str| scene.view.get(&key("v1", "Namespace", None, name)).is_some();
        contents.errors += filter.namespaces.literal_includes().filter(|name| !is_there(name)).count();
    }
    let mut objects: Vec<Value> = Vec::new();
    for namespace in &namespaces {
        let found = scene.view.contents(namespace.name().unwrap_or_default());
        let taken: Vec<Value> =
            found.iter().filter(|object| filter.takes(object)).map(|object| object.to_value()).collect();
        // Of all namespaces only those are meant that are selected themselves or hold what is selected.
        let is_meant =
            !filter.namespaces.is_everything() || selected(&filter.selectors, namespace) || !taken.is_empty();
        if is_meant && filter.lets_namespaces_through() {
            contents.items.push(namespace.to_value());
        }
        objects.extend(taken);
    }
    let volumes = bound_volumes(scene, &filter, &objects);
    copy_files(scene, backup, &objects, &mut contents);
    count_snapshots(backup, &volumes, &mut contents);
    contents.items.extend(volumes);
    contents.items.extend(objects);
    contents
}

struct Filter {
    namespaces: super::lists::Lists,
    resources: super::lists::Lists,
    cluster_resources: super::lists::Lists,
    old: bool,
    include_cluster_resources: Option<bool>,
    selectors: Vec<LabelSelector>,
}

impl Filter {
    fn of(backup: &Value) -> Self {
        let spec = at(backup, &["spec"]).unwrap_or(&Value::Null);
        let old = uses_old_filters(spec);
        let (resources, cluster_resources) = if old {
            let both = lists(spec, "includedResources", "excludedResources");
            (both.clone(), both)
        } else {
            (
                lists(spec, "includedNamespaceScopedResources", "excludedNamespaceScopedResources"),
                lists(spec, "includedClusterScopedResources", "excludedClusterScopedResources"),
            )
        };
        Self {
            namespaces: lists(spec, "includedNamespaces", "excludedNamespaces"),
            resources,
            cluster_resources,
            old,
            include_cluster_resources: truth(spec, &["includeClusterResources"]),
            selectors: selectors(spec),
        }
    }

    fn takes(&self, object: &Manifest) -> bool {
        let gvk = object.gvk();
        let own_noise =
            gvk.kind == "Event" || ["velero.io", "oadp.openshift.io"].contains(&gvk.group.as_str());
        !own_noise
            && object.label(EXCLUDE_LABEL) != Some("true")
            && self.resources.resource(&gvk.group, &gvk.kind)
            && selected(&self.selectors, object)
    }

    fn lets_namespaces_through(&self) -> bool {
        if self.old {
            self.include_cluster_resources != Some(false) && self.cluster_resources.resource("", "Namespace")
        } else {
            !self.cluster_resources.excludes_resource("", "Namespace")
        }
    }

    /// Volumes come along with their claims, unless they are left out by name.
    fn lets_volumes_through(&self) -> bool {
        let excluded = self.cluster_resources.excludes_resource("", "PersistentVolume");
        match (self.old, self.include_cluster_resources) {
            (true, Some(false)) => false,
            (true, None) => self.cluster_resources.resource("", "PersistentVolume"),
            (true, Some(true)) | (false, _) => !excluded,
        }
    }
}

/// The label selectors of a Backup or Restore; one that matches suffices, none at all means everything.
pub(super) fn selectors(spec: &Value) -> Vec<LabelSelector> {
    let single = at(spec, &["labelSelector"]).into_iter();
    single
        .chain(items(spec, &["orLabelSelectors"]))
        .filter_map(|selector| serde_json::from_value(selector.clone()).ok())
        .collect()
}

/// Whether an object fits one of the selectors.
pub(super) fn selected(selectors: &[LabelSelector], object: &Manifest) -> bool {
    selectors.is_empty() || selectors.iter().any(|selector| selector.matches(&object.labels()))
}

fn is_claim(object: &Value) -> bool {
    text(object, &["kind"]) == "PersistentVolumeClaim" && text(object, &["apiVersion"]) == "v1"
}

fn bound_volumes(scene: &Scene<'_>, filter: &Filter, objects: &[Value]) -> Vec<Value> {
    if !filter.lets_volumes_through() {
        return Vec::new();
    }
    let names: BTreeSet<&str> = objects
        .iter()
        .filter(|object| is_claim(object))
        .map(|claim| text(claim, &["spec", "volumeName"]))
        .filter(|name| !name.is_empty())
        .collect();
    names
        .into_iter()
        .filter_map(|name| scene.view.get(&key("v1", "PersistentVolume", None, name)))
        .map(|volume| volume.to_value())
        .collect()
}

/// Kinds of volumes that no snapshot location can deal with.
const NOT_SNAPSHOT: [&str; 5] = ["nfs", "hostPath", "local", "cephfs", "glusterfs"];

/// Volumes are snapshot unless the spec forbids it, no location is known, or their files are meant to be copied.
fn count_snapshots(backup: &Value, volumes: &[Value], contents: &mut Contents) {
    if !takes_snapshots(backup) {
        return;
    }
    let locations = items(backup, &["spec", "volumeSnapshotLocations"]).len();
    for volume in volumes {
        let claim = ["namespace", "name"].map(|field| text(volume, &["spec", "claimRef", field]).to_owned());
        if contents.meant_to_copy.contains(&claim.into()) || is_copied(volume, &contents.volume_backups) {
            continue;
        }
        if NOT_SNAPSHOT.iter().any(|kind| at(volume, &["spec", kind]).is_some()) {
            contents.warnings += locations;
        } else {
            contents.snapshots += 1;
        }
    }
}

/// Whether the backup snapshots volumes at all.
pub(super) fn takes_snapshots(backup: &Value) -> bool {
    truth(backup, &["spec", "snapshotVolumes"]) != Some(false)
        && !items(backup, &["spec", "volumeSnapshotLocations"]).is_empty()
}

/// Whether the files of a `PersistentVolume` are copied by one of the `PodVolumeBackups`.
pub(super) fn is_copied(volume: &Value, volume_backups: &[Value]) -> bool {
    volume_backups.iter().any(|copy| text(copy, &["spec", "tags", "pv"]) == name(volume))
}

fn copy_files(scene: &Scene<'_>, backup: &Value, objects: &[Value], contents: &mut Contents) {
    let pods = objects
        .iter()
        .filter(|object| text(object, &["kind"]) == "Pod" && text(object, &["apiVersion"]) == "v1");
    for pod in pods {
        let volumes = volumes_to_copy(backup, pod);
        if volumes.is_empty() {
            continue;
        }
        contents.meant_to_copy.extend(volumes.iter().map(|volume| {
            let claim = text(volume, &["persistentVolumeClaim", "claimName"]);
            (namespace(pod).to_owned(), claim.to_owned())
        }));
        let is_running = matches!(text(pod, &["status", "phase"]), "" | "Running");
        if !is_running || !has_node_agent(scene) {
            contents.warnings += volumes.len();
            contents.errors += usize::from(is_running);
            continue;
        }
        for volume in volumes {
            let claim = objects.iter().find(|object| {
                is_claim(object)
                    && namespace(object) == namespace(pod)
                    && name(object) == text(volume, &["persistentVolumeClaim", "claimName"])
            });
            contents.volume_backups.push(volume_backup(scene, backup, pod, volume, claim));
        }
    }
}

fn has_node_agent(scene: &Scene<'_>) -> bool {
    scene.view.list("", "Pod", Some(scene.namespace)).iter().any(|pod| {
        (pod.label("role") == Some("node-agent") || pod.label("name") == Some("node-agent"))
            && pod.text_at(&["status", "phase"]) == Some("Running")
    })
}

/// The volumes of a Pod whose files are copied: all but the excluded ones by default, else those that it
/// names.
fn volumes_to_copy<'a>(backup: &Value, pod: &'a Value) -> Vec<&'a Value> {
    let by_default = truth(backup, &["spec", "defaultVolumesToFsBackup"]).unwrap_or(false);
    let annotation = if by_default {
        "backup.velero.io/backup-volumes-excludes"
    } else {
        "backup.velero.io/backup-volumes"
    };
    let named: BTreeSet<&str> =
        text(pod, &["metadata", "annotations", annotation]).split(',').map(str::trim).collect();
    items(pod, &["spec", "volumes"])
        .iter()
        .filter(|volume| volume.get("persistentVolumeClaim").is_some() || volume.get("emptyDir").is_some())
        .filter(|volume| named.contains(text(volume, &["name"])) != by_default)
        .collect()
}

fn volume_backup(
    scene: &Scene<'_>,
    backup: &Value,
    pod: &Value,
    volume: &Value,
    claim: Option<&Value>,
) -> Value {
    let volume_name = text(volume, &["name"]);
    let identity = format!("{}/{}/{}/{volume_name}", name(backup), namespace(pod), name(pod));
    let backup_uid = text(backup, &["metadata", "uid"]);
    let pod_uid = text(pod, &["metadata", "uid"]);
    let mut object = json!({
        "apiVersion": API_VERSION,
        "kind": "PodVolumeBackup",
        "metadata": {
            "name": format!("{}-{}", name(backup), digest(&identity, 5)),
            "namespace": scene.namespace,
            "labels": {
                "velero.io/backup-name": label_value(name(backup)), "velero.io/backup-uid": backup_uid,
            },
            "ownerReferences": [{
                "apiVersion": API_VERSION, "kind": "Backup", "name": name(backup), "uid": backup_uid,
                "controller": true,
            }],
        },
        "spec": {
            "backupStorageLocation": text(backup, &["spec", "storageLocation"]),
            "node": text(pod, &["spec", "nodeName"]),
            "pod": {"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": pod_uid},
            "repoIdentifier": format!("simulated/kopia/{}", namespace(pod)),
            "tags": {
                "backup": name(backup), "backup-uid": backup_uid, "pod": name(pod), "pod-uid": pod_uid,
                "ns": namespace(pod), "volume": volume_name,
            },
            "uploaderType": "kopia",
            "volume": volume_name,
        },
        "status": {
            "phase": "Completed",
            "path": format!("/host_pods/{pod_uid}/volumes/{volume_name}"),
            "snapshotID": digest(&identity, 32),
            "startTimestamp": scene.time(),
            "completionTimestamp": scene.time(),
            "progress": {"totalBytes": 1_048_576, "bytesDone": 1_048_576},
        },
    });
    if let Some(claim) = claim {
        set(&mut object, &["metadata", "labels", "velero.io/pvc-uid"], text(claim, &["metadata", "uid"]));
        set(&mut object, &["spec", "tags", "pvc-uid"], text(claim, &["metadata", "uid"]));
        // Ours: upstream finds the volume through the claim.
        set(&mut object, &["spec", "tags", "pv"], text(claim, &["spec", "volumeName"]));
    }
    object
}
