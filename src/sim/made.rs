//! What one controller makes for an object of another kind: bringing it about, its metadata, its conditions, its end.
//!
//! Takes objects and what they should be, gives writes. Shared by the players of OADP and of the workload controllers; knows
//! neither.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::simulator::{View, Write};
use super::velero::edit;
use crate::api::object::{Manifest, ObjectKey};

/// Which object a simulated one was made for, as `Kind/name`; what lost its owner is deleted.
const OWNER: &str = "sim.flotilla.dev/owner";

/// What brings an object to the wanted state: creates it, or overwrites the fields that differ. One that is
/// held by annotation stays as it is, so that a test can stop a Pod.
pub(super) fn ensure(view: &dyn View, key: &ObjectKey, wanted: Value) -> Option<Write> {
    let Some(found) = view.get(key) else {
        return Some(Write::Create(wanted));
    };
    let mut object = found.to_value();
    let held = found.annotation(edit::HOLD_PHASE).is_some();
    if edit::covers(&wanted, &object) || found.is_deleting() || held {
        return None;
    }
    overlay(&mut object, wanted);
    edit::replace(&found, object)
}

/// Lays the fields of one value over another; lists and scalars are replaced.
pub(super) fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                overlay(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// Metadata of an object that belongs to another one of the same namespace.
pub(super) fn metadata(name: &str, owner: &Manifest, labels: &Value) -> Value {
    json!({
        "name": name,
        "namespace": owner.namespace(),
        "labels": labels,
        "annotations": {OWNER: owner_text(owner)},
    })
}

/// Whether an object was made for this one.
pub(super) fn is_made_for(object: &Manifest, owner: &Manifest) -> bool {
    object.namespace() == owner.namespace() && object.annotation(OWNER) == Some(&owner_text(owner))
}

fn owner_text(owner: &Manifest) -> String {
    format!("{}/{}", owner.kind(), owner.name().unwrap_or_default())
}

/// Whether the object is one of ours whose owner, of the kind in question, is gone.
pub(super) fn is_orphan(object: &Manifest, owner_kind: &str, owners: &[&Manifest]) -> bool {
    let Some(owner) = object.annotation(OWNER).filter(|_| !object.is_deleting()) else {
        return false;
    };
    owner.split_once('/').is_some_and(|(kind, _)| kind == owner_kind)
        && !owners.iter().any(|candidate| !candidate.is_deleting() && is_made_for(object, candidate))
}

/// The status of a Pod that runs and is ready.
pub(super) fn running() -> Value {
    json!({
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "ContainersReady", "status": "True"},
        ],
    })
}

/// Whether a Pod runs and is ready.
pub(super) fn is_running(pod: &Manifest) -> bool {
    let value = pod.to_value();
    let unready = edit::items(&value, &["status", "conditions"])
        .iter()
        .any(|condition| edit::text(condition, &["type"]) == "Ready" && condition["status"] != "True");
    edit::phase(&value) == "Running" && !unready && !pod.is_deleting()
}

/// The conditions with this one as it is now; its time moves with its status alone. Nothing when it stands there already.
pub(super) fn with_condition(conditions: &[Value], mut wanted: Value, now: Timestamp) -> Option<Vec<Value>> {
    let same = |condition: &&Value| condition["type"] == wanted["type"];
    let found = conditions.iter().find(same);
    if found.is_some_and(|found| edit::covers(&wanted, found)) {
        return None;
    }
    let since = found
        .filter(|found| found["status"] == wanted["status"])
        .map_or_else(|| edit::time(now), |found| edit::text(found, &["lastTransitionTime"]).to_owned());
    let mut all: Vec<Value> =
        conditions.iter().filter(|condition| condition["type"] != wanted["type"]).cloned().collect();
    edit::set(&mut wanted, &["lastTransitionTime"], since);
    all.push(wanted);
    Some(all)
}
