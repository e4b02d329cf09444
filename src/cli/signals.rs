//! SIGTERM and SIGINT, and SIGHUP for who wants it.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Failure;

/// Listens from when it is made, so that no signal is lost in between.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts listening.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            terminate: Self::of(SignalKind::terminate())?,
            interrupt: Self::of(SignalKind::interrupt())?,
        })
    }

    fn of(kind: SignalKind) -> Result<Signal, Failure> {
        signal(kind).map_err(|error| Failure::new(format!("failed to listen for signals: {error}")))
    }

    /// Waits for the next one.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Listens for SIGHUP, which otherwise ends a process.
pub(crate) struct Hangups(Signal);

impl Hangups {
    /// Starts listening.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Signals::of(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one.
    pub(crate) async fn received(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
