//! Who stores where in the bucket: all clusters under one prefix, or each under a folder of its own name.
//!
//! Takes the `dpaSpec` that a user wrote and what stands in the namespace; gives the `dpaSpec` for the accepted copy and the
//! style that counts. A prefix ends with [`MARKER`] there where each cluster has its own; templates put the name in its place.

use std::sync::Arc;

use serde_json::Value;

use super::decide::{ACCEPTED_NAME, is_rendered_by, is_rendered_from};
use crate::api::object::Manifest;
use crate::api::ocm::names;
use crate::pipeline::config::types::{DataProtection, StoragePrefixStyle};

/// Stands for the name of the cluster.
const MARKER: &str = "$(cluster)";

/// The policy that brings the storage locations to the clusters begins so, whoever wrote it.
const POLICIES: &str = "oadp-hdr-app-";

/// The style of what runs already; `None` for a configuration that is new. Nothing that runs is moved to another folder because
/// a default says so.
pub(super) fn style_before(
    namespace: &str,
    accepted: Option<&Manifest>,
    present: &[Arc<Manifest>],
) -> Option<StoragePrefixStyle> {
    let word = |word: Option<&str>| {
        // Configurations from before the key was in force do not name it.
        Some(word.and_then(StoragePrefixStyle::from_word).unwrap_or(StoragePrefixStyle::Shared))
    };
    if let Some(copy) = accepted.filter(|copy| is_rendered_by(copy) && copy.name() == Some(ACCEPTED_NAME)) {
        return word(copy.text_at(&["data", "storagePrefixStyle"]));
    }
    let is_ours = |policy: &Manifest| is_rendered_from(policy, namespace);
    let is_by_hand = |policy: &Manifest| {
        policy.namespace() == Some(namespace) && policy.name().is_some_and(|name| name.starts_with(POLICIES))
    };
    let policies = present.iter().filter(|object| object.kind() == "Policy");
    let running = policies.into_iter().find(|policy| is_ours(policy) || is_by_hand(policy))?;
    word(running.annotation(names::STORAGE_PREFIX_STYLE_ANNOTATION))
}

/// The `dpaSpec` of the accepted copy as JSON. Doing it twice changes nothing.
pub(super) fn per_cluster(protection: &DataProtection) -> Result<String, Vec<String>> {
    let mut spec = protection.spec().clone();
    let mut faults = Vec::new();
    let locations = spec.get_mut("backupLocations").and_then(Value::as_array_mut);
    for (index, location) in locations.into_iter().flatten().enumerate() {
        let Some(storage) = storage_mut(location).and_then(Value::as_object_mut) else { continue };
        let prefix = storage.get("prefix").and_then(Value::as_str).unwrap_or_default().trim_end_matches('/');
        let folder = match prefix.strip_suffix(MARKER) {
            Some(folder) if folder.is_empty() || folder.ends_with('/') => folder.trim_end_matches('/'),
            Some(_) | None => prefix,
        };
        if folder.contains(MARKER) {
            faults.push(format!(
                "error: dpaSpec: backupLocations[{index}] has {MARKER} in the middle of its prefix {prefix:?}; leave it out: \
                 the folder of the cluster comes last"
            ));
            continue;
        }
        let prefix = if folder.is_empty() { MARKER.to_owned() } else { format!("{folder}/{MARKER}") };
        storage.insert("prefix".to_owned(), Value::String(prefix));
    }
    if faults.is_empty() { Ok(Value::Object(spec).to_string()) } else { Err(faults) }
}

/// What is wrong with a `dpaSpec` whose clusters share their prefix.
pub(super) fn shared(protection: &DataProtection) -> Vec<String> {
    let prefixes = protection
        .backup_locations()
        .iter()
        .enumerate()
        .filter_map(|(index, location)| Some((index, storage(location)?.get("prefix")?.as_str()?)));
    prefixes
        .filter(|(_, prefix)| prefix.contains(MARKER))
        .map(|(index, prefix)| {
            format!(
                "error: dpaSpec: backupLocations[{index}] has {MARKER} in its prefix {prefix:?}, but storagePrefixStyle \
                 shared is in force; write per-cluster, or take it out"
            )
        })
        .collect()
}

/// What is said when the style of a running configuration changes: nothing in the bucket moves.
pub(super) fn moved(before: StoragePrefixStyle, now: StoragePrefixStyle) -> Option<String> {
    let consequence = match (before, now) {
        (StoragePrefixStyle::Shared, StoragePrefixStyle::PerCluster) => {
            "each cluster starts anew in a folder of its own name; the backups so far stay in the bucket, in the folder above, \
             and no cluster sees them any more"
        }
        (StoragePrefixStyle::PerCluster, StoragePrefixStyle::Shared) => {
            "the clusters start anew in one folder; the backups so far stay in the bucket, in the folder of each cluster, and \
             no cluster sees them any more. Velero refuses a folder that holds the folders of clusters: write another prefix in \
             dpaSpec"
        }
        (StoragePrefixStyle::Shared, StoragePrefixStyle::Shared)
        | (StoragePrefixStyle::PerCluster, StoragePrefixStyle::PerCluster) => return None,
    };
    Some(format!("storagePrefixStyle is {now} now, it was {before}: {consequence}"))
}

/// Rendered policies that bring `dpaSpec` to clusters with the marker in it, because a user's template does not know it.
pub(super) fn unaware(rendered: &[Manifest]) -> Vec<String> {
    rendered
        .iter()
        .filter(|policy| {
            let text = policy.to_value().to_string();
            text.contains("dpaSpec") && !text.contains(MARKER)
        })
        .map(|policy| {
            format!(
                "error: templates: {} {} reads dpaSpec and would bring the literal {MARKER} to the clusters; write \
                 `| replace \"{MARKER}\" .ManagedClusterName` behind it, or set storagePrefixStyle: shared",
                policy.kind(),
                policy.name().unwrap_or_default()
            )
        })
        .collect()
}

/// Where a location says in what folder it stores: of Velero's own kind, or by reference to a bucket.
fn storage(location: &Value) -> Option<&Value> {
    location.pointer("/velero/objectStorage").or_else(|| location.get("bucket"))
}

fn storage_mut(location: &mut Value) -> Option<&mut Value> {
    if location.pointer("/velero/objectStorage").is_some() {
        return location.pointer_mut("/velero/objectStorage");
    }
    location.get_mut("bucket")
}
