//! What Velero's types cannot read: one object with a field that is no duration, and the server sees no change of any
//! object of that kind any more, because it cannot list them.
//!
//! Takes the objects of a kind. The schemas let such texts through, and nothing is said about them but in the log.

use serde_json::Value;

use super::scene::Scene;
use crate::pipeline::config::go_duration::GoDuration;

const BACKUP: [&[&str]; 3] =
    [&["spec", "ttl"], &["spec", "csiSnapshotTimeout"], &["spec", "itemOperationTimeout"]];
const SCHEDULE: [&[&str]; 3] = [
    &["spec", "template", "ttl"],
    &["spec", "template", "csiSnapshotTimeout"],
    &["spec", "template", "itemOperationTimeout"],
];
const RESTORE: [&[&str]; 1] = [&["spec", "itemOperationTimeout"]];

/// Whether the server can read all objects of the kind in its namespace.
pub(super) fn can_read_all(scene: &Scene<'_>, kind: &str) -> bool {
    let fields: &[&[&str]] = match kind {
        "Backup" => &BACKUP,
        "Schedule" => &SCHEDULE,
        "Restore" => &RESTORE,
        _ => return true,
    };
    scene.all(kind).iter().all(|object| {
        fields.iter().all(|path| match object.at(path) {
            None | Some(Value::Null) => true,
            Some(value) => value.as_str().is_some_and(|text| text.parse::<GoDuration>().is_ok()),
        })
    })
}
