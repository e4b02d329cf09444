//! Plays the Velero server (1.18) of a cluster.

pub mod edit;

use jiff::Timestamp;

use crate::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};

/// The simulated Velero servers of all clusters.
#[derive(Debug, Default)]
pub struct Velero {}

impl Velero {
    /// A new one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Simulator for Velero {
    fn step(
        &mut self,
        _cluster: &str,
        _view: &dyn View,
        _storage: &mut ObjectStorage,
        _now: Timestamp,
        _trigger: Trigger,
    ) -> Vec<Write> {
        Vec::new()
    }
}
