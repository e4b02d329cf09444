//! What waits to be done: sets of keys, so that a flood of events for one thing is one piece of work.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// A value that grows by merging until it is taken.
pub(super) struct Inbox<T> {
    pending: Mutex<T>,
    notify: Notify,
}

impl<T: Default> Default for Inbox<T> {
    fn default() -> Self {
        Self { pending: Mutex::new(T::default()), notify: Notify::new() }
    }
}

impl<T: Default> Inbox<T> {
    /// Adds to what waits and wakes the one who takes it.
    pub(super) fn post(&self, add: impl FnOnce(&mut T)) {
        add(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        self.notify.notify_one();
    }

    /// Takes what waits, at once and without waiting.
    pub(super) fn take(&self) -> T {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something was posted since the last take.
    pub(super) async fn posted(&self) {
        self.notify.notified().await;
    }
}

/// Some keys, or all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Portion<K: Ord> {
    /// These.
    Some(BTreeSet<K>),
    /// All.
    All,
}

impl<K: Ord> Default for Portion<K> {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl<K: Ord> Portion<K> {
    /// Adds one key.
    pub fn add(&mut self, key: K) {
        match self {
            Self::Some(keys) => {
                keys.insert(key);
            }
            Self::All => {}
        }
    }

    /// Joins two scopes.
    pub fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (Self::Some(keys), Self::Some(more)) => keys.extend(more),
            (Self::Some(_), Self::All) => *self = Self::All,
        }
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Some(keys) => keys.is_empty(),
            Self::All => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_swallows_some() {
        let mut scope = Portion::default();
        assert!(scope.is_empty());
        scope.add(1);
        scope.join(Portion::Some(BTreeSet::from([2])));
        assert_eq!(scope, Portion::Some(BTreeSet::from([1, 2])));
        scope.join(Portion::All);
        scope.add(3);
        assert_eq!(scope, Portion::All);
    }
}
