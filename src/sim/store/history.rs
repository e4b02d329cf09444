//! The latest changes of a store, for watches: a bounded window in the order of resource versions.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::kinds::ResourceId;
use super::super::status::ApiError;
use crate::api::object::Manifest;

/// How many changes a server remembers. A watch that lags further behind gets 410 and lists anew.
const WINDOW: usize = 10_000;

/// What happened to an object.
#[derive(Debug, Clone)]
pub(crate) enum ChangeKind {
    /// It is new.
    Added,
    /// It was this before.
    Modified(Arc<Manifest>),
    /// It is gone; it was this before.
    Deleted(Arc<Manifest>),
}

/// One change.
#[derive(Debug)]
pub(crate) struct Change {
    /// Resource version of the change.
    pub(crate) version: u64,
    /// Which resource.
    pub(crate) resource: ResourceId,
    /// What happened.
    pub(crate) kind: ChangeKind,
    /// The object after the change; for a deletion its last state with the deletion's resource version.
    pub(crate) object: Arc<Manifest>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct History {
    changes: VecDeque<Arc<Change>>,
    forgotten: u64,
}

impl History {
    pub(super) fn push(&mut self, change: Change) {
        if self.changes.len() >= WINDOW
            && let Some(oldest) = self.changes.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.changes.push_back(Arc::new(change));
    }

    pub(super) fn forget(&mut self, version: u64) {
        self.changes = VecDeque::new();
        self.forgotten = version;
    }

    /// The changes after a resource version, or that it is too old.
    pub(super) fn since(&self, version: u64) -> Result<impl Iterator<Item = &Arc<Change>>, ApiError> {
        if version < self.forgotten {
            return Err(ApiError::Expired(format!(
                "too old resource version: {version} ({})",
                self.forgotten + 1
            )));
        }
        let start = self.changes.partition_point(|change| change.version <= version);
        Ok(self.changes.range(start..))
    }
}
