//! The time of a stage: the wall clock, made faster or slower, or one that a test moves by hand.
//!
//! Every timestamp that a stand-in server writes, and the minutes that drive the simulators, come from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Seconds in a simulated minute.
const MINUTE: i64 = 60;

/// How the simulated time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// From the wall clock's now on; a simulated minute lasts as long as given.
    Real {
        /// Real duration of a simulated minute; shorter than a millisecond counts as a millisecond.
        minute: Duration,
    },
    /// Stands still until it is advanced.
    Manual {
        /// The first time shown.
        start: Timestamp,
    },
}

/// A clock that all servers of a stage share; clones show the same time.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    start: Timestamp,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Real { began: tokio::time::Instant, minute: Duration },
    Manual(Arc<AtomicI64>),
}

impl SimulatedClock {
    /// A clock in the mode given.
    pub fn new(mode: ClockMode) -> Self {
        match mode {
            ClockMode::Real { minute } => Self {
                start: crate::clock::now(),
                source: Source::Real {
                    began: tokio::time::Instant::now(),
                    minute: minute.max(Duration::from_millis(1)),
                },
            },
            ClockMode::Manual { start } => Self { start, source: Source::Manual(Arc::default()) },
        }
    }

    /// The simulated time.
    pub fn now(&self) -> Timestamp {
        let passed = match &self.source {
            Source::Real { began, minute } => scale(began.elapsed(), *minute),
            Source::Manual(seconds) => SignedDuration::from_secs(seconds.load(Ordering::SeqCst)),
        };
        self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// The simulated time as API servers write it: UTC, whole seconds.
    pub fn text(&self) -> String {
        seconds_text(self.now())
    }

    /// Moves a manual clock forward by a minute; a real one moves by itself.
    pub fn advance_minute(&self) {
        if let Source::Manual(seconds) = &self.source {
            seconds.fetch_add(MINUTE, Ordering::SeqCst);
        }
    }

    /// How long a simulated minute lasts in real time; `None` for a manual clock.
    pub fn minute(&self) -> Option<Duration> {
        match &self.source {
            Source::Real { minute, .. } => Some(*minute),
            Source::Manual(_) => None,
        }
    }
}

/// A time in UTC with whole seconds, as `metav1.Time` is written.
pub fn seconds_text(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

fn scale(elapsed: Duration, minute: Duration) -> SignedDuration {
    let nanoseconds = elapsed.as_nanos().saturating_mul(60_000_000_000) / minute.as_nanos();
    let nanoseconds = i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    SignedDuration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock =
            SimulatedClock::new(ClockMode::Manual { start: "2024-01-31T23:59:30.5Z".parse().unwrap() });
        assert_eq!(clock.text(), "2024-01-31T23:59:30Z");
        clock.clone().advance_minute();
        assert_eq!(clock.text(), "2024-02-01T00:00:30Z");
        assert_eq!(clock.minute(), None);
    }

    #[test]
    fn a_minute_can_be_short() {
        assert_eq!(scale(Duration::from_millis(500), Duration::from_secs(1)), SignedDuration::from_secs(30));
        assert_eq!(scale(Duration::from_secs(120), Duration::from_secs(60)), SignedDuration::from_secs(120));
    }
}
