//! `ServerStatusRequests`: answered with the version, removed some minutes later.

use serde_json::json;

use super::edit::{moment, phase, replace, set};
use super::scene::Scene;
use crate::sim::simulator::Write;

/// An answer is worth a minute, but is looked at again only after five (`statusRequestResyncPeriod`).
const SECONDS_KEPT: i64 = 5 * 60;

/// The writes for all requests of the namespace.
pub(super) fn writes(scene: &Scene<'_>) -> Vec<Write> {
    let mut writes = Vec::new();
    for request in scene.all("ServerStatusRequest").iter().filter(|request| !request.is_deleting()) {
        let mut object = request.to_value();
        match phase(&object) {
            "" | "New" => {
                let plugins: Vec<_> = scene
                    .program
                    .plugins()
                    .into_iter()
                    .map(|(name, kind)| json!({"name": name, "kind": kind}))
                    .collect();
                set(&mut object, &["status", "phase"], "Processed");
                set(&mut object, &["status", "processedTimestamp"], scene.time());
                set(&mut object, &["status", "serverVersion"], scene.program.version.clone());
                set(&mut object, &["status", "plugins"], plugins);
                writes.extend(replace(request, object));
            }
            _ => {
                let processed = moment(&object, &["status", "processedTimestamp"]);
                if processed.is_some_and(|moment| scene.now.as_second() - moment.as_second() >= SECONDS_KEPT)
                {
                    writes.extend(request.key().map(Write::Delete));
                }
            }
        }
    }
    writes
}
