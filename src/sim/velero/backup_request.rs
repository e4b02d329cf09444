//! What Velero makes of a Backup before it starts: defaults written into the spec, locations chosen,
//! everything validated.
//!
//! Takes a Backup that is ready to start, gives it as it is written back and the faults that keep it from
//! running. Upstream: `prepareBackupRequest` and `validateAndGetSnapshotLocations` of `backup_controller`,
//! texts included.

use std::collections::BTreeMap;

use serde_json::Value;

use super::edit::{at, items, key, label_value, remove, set, text, texts, time, truth};
use super::lists::Lists;
use super::locations::{is_available, is_read_only};
use super::scene::{Scene, not_found};
use super::sync::STORAGE_LOCATION_LABEL;
use crate::pipeline::config::go_duration::GoDuration;

const DEFAULT_TTL: &str = "720h0m0s";
/// Kinds that every backup leaves out, because Velero handles them itself.
const NAMESPACED_LEFT_OUT: &str = "volumesnapshots.snapshot.storage.k8s.io";
const CLUSTER_SCOPED_LEFT_OUT: &str = "volumesnapshotcontents.snapshot.storage.k8s.io";

/// Two lists of a spec by the names of their fields.
pub(super) fn lists(spec: &Value, includes: &str, excludes: &str) -> Lists {
    Lists { includes: texts(spec, &[includes]), excludes: texts(spec, &[excludes]) }
}

/// Whether the old filters are used; without them those by scope hold, even when they are empty.
pub(super) fn uses_old_filters(spec: &Value) -> bool {
    !items(spec, &["includedResources"]).is_empty()
        || !items(spec, &["excludedResources"]).is_empty()
        || truth(spec, &["includeClusterResources"]).is_some()
}

fn uses_scoped_filters(spec: &Value) -> bool {
    [
        "includedClusterScopedResources",
        "excludedClusterScopedResources",
        "includedNamespaceScopedResources",
        "excludedNamespaceScopedResources",
    ]
    .iter()
    .any(|field| !items(spec, &[field]).is_empty())
}

/// Completes the Backup and names what is wrong with it.
pub(super) fn prepare(scene: &Scene<'_>, backup: &mut Value) -> Vec<String> {
    let mut faults = Vec::new();
    write_defaults(scene, backup);
    faults.extend(choose_storage_location(scene, backup));
    match snapshot_locations(scene, backup) {
        Ok(names) if names.is_empty() => remove(backup, &["spec", "volumeSnapshotLocations"]),
        Ok(names) => set(backup, &["spec", "volumeSnapshotLocations"], names),
        Err(more) => faults.extend(more),
    }
    for (annotation, value) in [
        ("velero.io/source-cluster-k8s-gitversion", "v1.36.0"),
        ("velero.io/source-cluster-k8s-major-version", "1"),
        ("velero.io/source-cluster-k8s-minor-version", "36"),
        ("velero.io/resource-timeout", "10m0s"),
    ] {
        set(backup, &["metadata", "annotations", annotation], value);
    }
    exclude_marked_namespaces(scene, backup);
    faults.extend(check_resource_lists(backup));
    if items(backup, &["spec", "includedNamespaces"]).is_empty() {
        set(backup, &["spec", "includedNamespaces"], vec!["*"]);
    }
    let spec = at(backup, &["spec"]).unwrap_or(&Value::Null);
    let namespaces = lists(spec, "includedNamespaces", "excludedNamespaces");
    faults.extend(
        namespaces
            .namespace_faults()
            .into_iter()
            .map(|fault| format!("Invalid included/excluded namespace lists: {fault}")),
    );
    let given = |field| at(spec, &[field]).is_some_and(|selector| !selector.is_null());
    if given("labelSelector") && given("orLabelSelectors") {
        faults.push(
            "encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"
                .to_owned(),
        );
    }
    let policies = text(spec, &["resourcePolicy", "name"]);
    if !policies.is_empty()
        && scene.view.get(&key("v1", "ConfigMap", Some(scene.namespace), policies)).is_none()
    {
        faults.push(format!(
            "invalid resource policies: fail to get ResourcePolicies {}/{policies} ConfigMap: ConfigMap \
             {policies:?} not found",
            scene.namespace
        ));
    }
    faults
}

fn write_defaults(scene: &Scene<'_>, backup: &mut Value) {
    set(backup, &["status", "version"], 1);
    set(backup, &["status", "formatVersion"], "1.1.0");
    for (field, default) in
        [("ttl", DEFAULT_TTL), ("csiSnapshotTimeout", "10m0s"), ("itemOperationTimeout", "4h0m0s")]
    {
        let written = text(backup, &["spec", field]).parse::<GoDuration>();
        if !written.is_ok_and(|written| !written.is_zero()) {
            set(backup, &["spec", field], default);
        }
    }
    if text(backup, &["spec", "volumeGroupSnapshotLabelKey"]).is_empty() {
        set(backup, &["spec", "volumeGroupSnapshotLabelKey"], "velero.io/volume-group");
    }
    let kept = text(backup, &["spec", "ttl"]).parse::<GoDuration>().unwrap_or_default();
    // A TTL beyond the end of time means a backup that never expires.
    if let Ok(expiration) = scene.now.checked_add(kept.signed()) {
        set(backup, &["status", "expiration"], time(expiration));
    }
    if truth(backup, &["spec", "defaultVolumesToRestic"]) == Some(true) {
        set(backup, &["spec", "defaultVolumesToFsBackup"], true);
    }
    for field in ["defaultVolumesToFsBackup", "snapshotMoveData"] {
        if truth(backup, &["spec", field]).is_none() {
            set(backup, &["spec", field], false);
        }
    }
}

fn choose_storage_location(scene: &Scene<'_>, backup: &mut Value) -> Vec<String> {
    let written = text(backup, &["spec", "storageLocation"]).to_owned();
    let chosen = if written.is_empty() {
        scene
            .all("BackupStorageLocation")
            .iter()
            .find(|location| location.at(&["spec", "default"]) == Some(&Value::Bool(true)))
            .and_then(|location| location.name())
            .unwrap_or("default")
            .to_owned()
    } else {
        written.clone()
    };
    set(backup, &["spec", "storageLocation"], chosen.as_str());
    set(backup, &["metadata", "labels", STORAGE_LOCATION_LABEL], label_value(&chosen));
    let Some(location) = scene.one("BackupStorageLocation", &chosen) else {
        let ending = if written.is_empty() {
            format!("the server default {chosen} does not exist")
        } else {
            format!("the default {chosen} was not found")
        };
        return vec![format!(
            "an existing backup storage location was not specified at backup creation time and {ending}. \
             Please address this issue (see `velero backup-location -h` for options) and create a new \
             backup. Error: {}",
            not_found("BackupStorageLocation", &chosen)
        )];
    };
    let location = location.to_value();
    let mut faults = Vec::new();
    if is_read_only(&location) {
        faults.push(format!(
            "backup can't be created because backup storage location {chosen} is currently in read-only mode"
        ));
    }
    if !is_available(&location) {
        faults.push(format!(
            "backup can't be created because BackupStorageLocation {chosen} is in Unavailable status."
        ));
    }
    faults
}

/// One location for each provider: the named ones, and the only one of every other provider. Checked even
/// when no volume is to be snapshot, so that an empty name fails.
fn snapshot_locations(scene: &Scene<'_>, backup: &Value) -> Result<Vec<String>, Vec<String>> {
    let mut faults = Vec::new();
    let mut chosen: BTreeMap<String, String> = BTreeMap::new();
    for wanted in texts(backup, &["spec", "volumeSnapshotLocations"]) {
        let found = scene.one("VolumeSnapshotLocation", &wanted).filter(|_| !wanted.is_empty());
        let Some(found) = found else {
            faults.push(format!(
                "a VolumeSnapshotLocation CRD for the location {wanted} with the name specified in the \
                 backup spec needs to be created before this snapshot can be executed. Error: {}",
                not_found("VolumeSnapshotLocation", &wanted)
            ));
            continue;
        };
        let provider = found.text_at(&["spec", "provider"]).unwrap_or_default().to_owned();
        match chosen.get(&provider) {
            Some(earlier) if *earlier != wanted => faults.push(format!(
                "more than one VolumeSnapshotLocation name specified for provider {provider}: {wanted}; \
                 unexpected name was {earlier}"
            )),
            Some(_) => {}
            None => {
                chosen.insert(provider, wanted);
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut by_provider: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for location in scene.all("VolumeSnapshotLocation") {
        let provider = location.text_at(&["spec", "provider"]).unwrap_or_default().to_owned();
        by_provider.entry(provider).or_default().extend(location.name().map(ToOwned::to_owned));
    }
    for (provider, names) in by_provider {
        match (chosen.contains_key(&provider), names.as_slice()) {
            (true, _) | (false, []) => {}
            (false, [only]) => {
                chosen.insert(provider, only.clone());
            }
            (false, _) => faults.push(format!(
                "provider {provider} has more than one possible volume snapshot location, and none were \
                 specified explicitly or as a default"
            )),
        }
    }
    if faults.is_empty() { Ok(chosen.into_values().collect()) } else { Err(faults) }
}

fn exclude_marked_namespaces(scene: &Scene<'_>, backup: &mut Value) {
    let marked: Vec<String> = scene
        .view
        .list("", "Namespace", None)
        .iter()
        .filter(|namespace| namespace.label(super::contents::EXCLUDE_LABEL) == Some("true"))
        .filter_map(|namespace| Some(namespace.name()?.to_owned()))
        .collect();
    if !marked.is_empty() {
        let mut excluded = texts(backup, &["spec", "excludedNamespaces"]);
        excluded.extend(marked);
        set(backup, &["spec", "excludedNamespaces"], excluded);
    }
}

fn check_resource_lists(backup: &mut Value) -> Vec<String> {
    let spec = at(backup, &["spec"]).cloned().unwrap_or_default();
    let mut faults = Vec::new();
    if uses_old_filters(&spec) && uses_scoped_filters(&spec) {
        faults.push(
            "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n\
             include-cluster-scoped-resources, exclude-cluster-scoped-resources, \
             include-namespace-scoped-resources and exclude-namespace-scoped-resources are new filter \
             parameters.\nThey cannot be used together"
                .to_owned(),
        );
    }
    if uses_old_filters(&spec) {
        let found = lists(&spec, "includedResources", "excludedResources").faults();
        if found.is_empty() {
            leave_out(backup, "excludedResources", &[NAMESPACED_LEFT_OUT, CLUSTER_SCOPED_LEFT_OUT]);
        }
        faults.extend(found.iter().map(|fault| format!("Invalid included/excluded resource lists: {fault}")));
        return faults;
    }
    for (scope, includes, excludes, left_out) in [
        (
            "cluster",
            "includedClusterScopedResources",
            "excludedClusterScopedResources",
            CLUSTER_SCOPED_LEFT_OUT,
        ),
        (
            "namespace",
            "includedNamespaceScopedResources",
            "excludedNamespaceScopedResources",
            NAMESPACED_LEFT_OUT,
        ),
    ] {
        let found = lists(&spec, includes, excludes).scoped_faults();
        if found.is_empty() {
            leave_out(backup, excludes, &[left_out]);
        }
        faults.extend(
            found
                .iter()
                .map(|fault| format!("Invalid {scope}-scoped included/excluded resource lists: {fault}")),
        );
    }
    faults
}

fn leave_out(backup: &mut Value, field: &str, kinds: &[&str]) {
    let mut excluded = texts(backup, &["spec", field]);
    for kind in kinds {
        if !excluded.iter().any(|entry| entry == kind) {
            excluded.push((*kind).to_owned());
        }
    }
    set(backup, &["spec", field], excluded);
}
