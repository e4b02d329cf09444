//! Plays the Velero server (1.18) of every cluster that runs one.
//!
//! Takes the objects of a cluster, the object storage that clusters share, and the time; gives what the
//! server's controllers would write. A server runs in every namespace that holds a running Velero Pod, and
//! looks nowhere else. What it was read from stands in each module. Must not touch: clock, network.
//!
//! Simpler than the original: a backup copies its objects in one moment; data of volumes is counted, not
//! moved; hooks, CSI snapshots, the data mover, downloads and resource modifiers are not played. Tests steer
//! it by the annotations [`edit::OUTCOME`] (`PartiallyFailed` or `Failed`) and [`edit::HOLD_PHASE`], which a
//! Backup inherits from its Schedule.

mod backup_request;
mod backups;
mod contents;
mod deletion;
pub mod edit;
mod lists;
mod locations;
mod program;
mod readable;
mod requests;
mod resources;
mod restore_items;
mod restores;
mod scene;
mod schedules;
#[cfg(test)]
pub(in crate::sim) mod stage;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use self::program::Program;
use self::readable::can_read_all;
use self::scene::Scene;
use crate::api::object::Manifest;
use crate::sim::made::is_running;
use crate::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};

pub use self::program::SERVER_VERSION;

/// Seconds between two collections of expired backups.
const COLLECTION_PERIOD: i64 = 60 * 60;

/// The simulated Velero servers of all clusters.
#[derive(Debug, Default)]
pub struct Velero {
    servers: BTreeMap<Place, Server>,
}

/// Cluster and namespace of a server.
type Place = (String, String);

/// What a server keeps in memory.
#[derive(Debug)]
struct Server {
    /// Identity of its Pod; another one means that the server started anew.
    pod: String,
    collected: Option<Timestamp>,
}

impl Velero {
    /// No server has started yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes which Pod serves the place; whether it took over from another one.
    fn has_restarted(&mut self, place: &Place, pod: &str) -> bool {
        match self.servers.get_mut(place) {
            None => {
                let server = Server { pod: pod.to_owned(), collected: None };
                self.servers.insert(place.clone(), server);
                false
            }
            Some(server) if server.pod == pod => false,
            Some(server) => {
                pod.clone_into(&mut server.pod);
                true
            }
        }
    }

    fn is_collection_due(&mut self, place: &Place, now: Timestamp) -> bool {
        let Some(server) = self.servers.get_mut(place) else {
            return false;
        };
        let due = server.collected.is_none_or(|last| now.as_second() - last.as_second() >= COLLECTION_PERIOD);
        if due {
            server.collected = Some(now);
        }
        due
    }
}

impl Simulator for Velero {
    fn step(
        &mut self,
        cluster: &str,
        view: &dyn View,
        storage: &mut ObjectStorage,
        now: Timestamp,
        trigger: Trigger,
    ) -> Vec<Write> {
        let mut writes = Vec::new();
        for (namespace, pod) in running_servers(view) {
            let program = Program::of(&pod);
            let scene = Scene { cluster, namespace: &namespace, program: &program, view, now };
            let place = (cluster.to_owned(), namespace.clone());
            if self.has_restarted(&place, pod.uid().unwrap_or_default()) {
                writes.extend(backups::fail_interrupted(&scene, "Backup"));
                writes.extend(backups::fail_interrupted(&scene, "Restore"));
                continue;
            }
            writes.extend(locations::writes(&scene, storage, trigger));
            if can_read_all(&scene, "Schedule") {
                writes.extend(schedules::writes(&scene, trigger));
            }
            writes.extend(deletion::writes(&scene, storage));
            if can_read_all(&scene, "Backup") {
                writes.extend(backups::writes(&scene, storage));
            }
            if can_read_all(&scene, "Restore") {
                writes.extend(restores::writes(&scene, storage));
            }
            writes.extend(requests::writes(&scene));
            if trigger == Trigger::Minute && self.is_collection_due(&place, now) {
                writes.extend(deletion::collect_expired(&scene));
            }
        }
        writes
    }
}

/// Namespaces with a running server, and its Pod.
fn running_servers(view: &dyn View) -> BTreeMap<String, Arc<Manifest>> {
    let pods = view.list("", "Pod", None).into_iter().filter(|pod| is_server(pod) && is_running(pod));
    pods.filter_map(|pod| Some((pod.namespace()?.to_owned(), pod))).collect()
}

/// Whether a Pod is one of Velero's server, by the labels of `velero install`, OADP and the Helm chart.
pub fn is_server(pod: &Manifest) -> bool {
    (pod.label("app.kubernetes.io/name") == Some("velero") || pod.label("deploy") == Some("velero"))
        && pod.label("role") != Some("node-agent")
}
