//! Faults on demand, one set for each server: what the hub must live with, made repeatable.

use tokio::sync::watch;

/// How a server treats requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Answers.
    #[default]
    None,
    /// Takes requests and never answers; watches go silent.
    Hang,
    /// Answers 503 and closes watches.
    Refuse,
    /// Answers 401 and closes watches.
    Unauthorized,
}

/// What the requests of a server see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FaultState {
    pub(crate) fault: Fault,
    /// Rises when all watches shall end with 410.
    pub(crate) expirations: u64,
    /// Rises when all watches shall end without a word.
    pub(crate) closures: u64,
    /// The kind that nobody may touch.
    forbidden: Option<&'static str>,
    conflicts: u32,
    busy: u32,
}

/// The faults of one server.
#[derive(Debug)]
pub struct Faults {
    state: watch::Sender<FaultState>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { state: watch::channel(FaultState::default()).0 }
    }
}

impl Faults {
    /// Sets how requests are treated from now on; [`Fault::None`] heals the server. Requests that hang then get 503.
    pub fn set(&self, fault: Fault) {
        self.state.send_modify(|state| state.fault = fault);
    }

    /// Answers the next writes of clients with a conflict (409).
    pub fn conflict_next_writes(&self, count: u32) {
        self.state.send_modify(|state| state.conflicts = count);
    }

    /// Writes that will still meet a conflict.
    pub fn conflicts_left(&self) -> u32 {
        self.state.borrow().conflicts
    }

    /// Answers the next requests of clients with 429, as a server does whose storage of a kind is being set up.
    pub fn busy_next_requests(&self, count: u32) {
        self.state.send_modify(|state| state.busy = count);
    }

    /// Requests that will still be told to come again.
    pub fn busy_left(&self) -> u32 {
        self.state.borrow().busy
    }

    /// Answers every request for one kind with 403; `None` allows all again. Watches that stand go on.
    pub fn forbid(&self, kind: Option<&'static str>) {
        self.state.send_modify(|state| state.forbidden = kind);
    }

    /// Whether requests for this kind are refused.
    pub(crate) fn forbids(&self, kind: &str) -> bool {
        self.state.borrow().forbidden == Some(kind)
    }

    /// Closes all watches without a word.
    pub fn close_watches(&self) {
        self.state.send_modify(|state| state.closures += 1);
    }

    /// Ends all watches with 410 Gone. The server's history is forgotten by [`super::server::Server::expire_watches`].
    pub(super) fn expire(&self) {
        self.state.send_modify(|state| state.expirations += 1);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<FaultState> {
        self.state.subscribe()
    }

    /// Whether this write is to meet a conflict.
    pub(crate) fn take_conflict(&self) -> bool {
        self.take(|state| &mut state.conflicts)
    }

    /// Whether this request is told to come again.
    pub(crate) fn take_busy(&self) -> bool {
        self.take(|state| &mut state.busy)
    }

    /// Counts down; nobody who waits for a change of the state is woken.
    fn take(&self, count: impl Fn(&mut FaultState) -> &mut u32) -> bool {
        let mut taken = false;
        self.state.send_if_modified(|state| {
            let left = count(state);
            taken = *left > 0;
            *left = left.saturating_sub(1);
            false
        });
        taken
    }
}
