//! Drives the simulators: after every change of a cluster and once in every simulated minute, until nothing changes.
//!
//! One task waits for changes and one for minutes, whatever the number of clusters.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::clock::SimulatedClock;
use super::server::Server;
use super::simulator::{ObjectStorage, Simulator, Trigger, Write};
use super::status::ApiError;
use super::store::OnChange;

/// Steps after which simulators that never come to rest are left alone until the next change.
const STEPS: usize = 200;

/// The simulators of all clusters.
pub(super) struct Runtime {
    clock: SimulatedClock,
    storage: Arc<Mutex<ObjectStorage>>,
    actors: Mutex<Vec<Arc<Actor>>>,
    changed: Arc<Changed>,
    /// Held by whoever steps the simulators, so that a caller of `settle` waits for a step under way.
    turn: tokio::sync::Mutex<()>,
}

struct Actor {
    server: Arc<Server>,
    simulators: Mutex<Vec<Box<dyn Simulator>>>,
}

/// The clusters whose simulators have something to look at.
#[derive(Default)]
struct Changed {
    clusters: Mutex<BTreeSet<usize>>,
    notify: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runtime {
    pub(super) fn new(clock: SimulatedClock, storage: Arc<Mutex<ObjectStorage>>) -> Self {
        Self {
            clock,
            storage,
            actors: Mutex::default(),
            changed: Arc::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// What the store of the cluster with this index calls when it has changed.
    pub(super) fn mark(&self, index: usize) -> OnChange {
        let changed = Arc::clone(&self.changed);
        Arc::new(move || {
            lock(&changed.clusters).insert(index);
            changed.notify.notify_one();
        })
    }

    /// Adds the next cluster. Its simulators take a first step soon.
    pub(super) fn add(&self, server: Arc<Server>, simulators: Vec<Box<dyn Simulator>>) {
        let mut actors = lock(&self.actors);
        if !simulators.is_empty() {
            lock(&self.changed.clusters).insert(actors.len());
            self.changed.notify.notify_one();
        }
        actors.push(Arc::new(Actor { server, simulators: Mutex::new(simulators) }));
    }

    /// Runs the simulators of all changed clusters until there are none.
    pub(super) async fn settle(&self) {
        let _turn = self.turn.lock().await;
        self.drain().await;
    }

    /// Lets all simulators know that a minute has passed, then settles.
    pub(super) async fn minute(&self) {
        let _turn = self.turn.lock().await;
        let actors = lock(&self.actors).clone();
        for actor in actors {
            self.step(&actor, Trigger::Minute);
            tokio::task::yield_now().await;
        }
        self.drain().await;
    }

    /// Steps after changes until told to stop.
    pub(super) async fn follow_changes(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.changed.notify.notified() => self.settle().await,
            }
        }
    }

    /// Steps at each simulated minute until told to stop.
    pub(super) async fn follow_minutes(self: Arc<Self>, minute: Duration, stop: CancellationToken) {
        let mut minutes = tokio::time::interval(minute);
        minutes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        minutes.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = minutes.tick() => self.minute().await,
            }
        }
    }

    async fn drain(&self) {
        loop {
            let Some(index) = lock(&self.changed.clusters).pop_first() else { return };
            let actor = lock(&self.actors).get(index).cloned();
            if let Some(actor) = actor {
                self.step(&actor, Trigger::Change);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Steps the simulators of a cluster until none of them changes anything.
    fn step(&self, actor: &Actor, trigger: Trigger) {
        let mut simulators = lock(&actor.simulators);
        if simulators.is_empty() {
            return;
        }
        let store = actor.server.store();
        let mut trigger = trigger;
        for _ in 0..STEPS {
            let before = store.version();
            for simulator in simulators.iter_mut() {
                let now = self.clock.now();
                let writes = {
                    let view = store.view();
                    simulator.step(actor.server.name(), &view, &mut lock(&self.storage), now, trigger)
                };
                for write in writes {
                    apply(&actor.server, write);
                }
            }
            trigger = Trigger::Change;
            if store.version() == before {
                return;
            }
        }
        tracing::warn!(cluster = actor.server.name(), "the simulators do not come to rest");
    }
}

/// Applies a simulator's write. What a real controller would try again or leave alone is left alone.
fn apply(server: &Server, write: Write) {
    let store = server.store();
    let outcome = match write {
        Write::Create(object) => store.create(object).map(|_| ()),
        Write::Replace(object) => store.replace(object).map(|_| ()),
        Write::Delete(key) => store.delete(&key),
    };
    match outcome {
        Ok(())
        | Err(
            ApiError::AlreadyExists(_)
            | ApiError::BeingDeleted(_)
            | ApiError::Conflict { .. }
            | ApiError::NotFound(_)
            | ApiError::Forbidden { terminating: Some(_), .. },
        ) => {}
        Err(error) => tracing::warn!(cluster = server.name(), %error, "a simulator's write was refused"),
    }
}
