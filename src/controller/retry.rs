//! Back-off: how long to wait before a cluster is tried again.

use std::time::Duration;

/// The first wait after a refusal.
pub(super) const REFUSED: Duration = Duration::from_secs(1);
/// The first wait after a conflict: fresh state is at hand.
pub(super) const CONFLICT: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(60);

/// Doubles from a first wait to a minute with every failure in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and answers how long to wait.
    pub(super) fn failed(&mut self, first: Duration) -> Duration {
        let wait = first.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Failures in a row.
    pub(super) fn failures(self) -> u32 {
        self.failures
    }

    /// It worked: the next failure waits for the first step again.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.failed(REFUSED).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.succeeded();
        assert_eq!(backoff.failed(REFUSED).as_secs(), 1);
        assert_eq!(backoff.failed(CONFLICT).as_millis(), 40);
    }
}
