//! Whose turn it is to be the hub: what a process may do with the Lease. Pure: the Lease and the time are arguments.

use jiff::{SignedDuration, Timestamp};

/// How long a Lease holds without being renewed.
pub(super) const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(15);
/// How often the holder renews it.
pub(super) const RENEW_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// What stands in a `coordination.k8s.io/v1 Lease`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    /// `spec.holderIdentity`; empty when it was given back.
    pub(super) holder: String,
    /// `spec.renewTime`.
    pub(super) renewed: Option<Timestamp>,
    /// `spec.leaseDurationSeconds`.
    pub(super) duration: SignedDuration,
    /// `spec.leaseTransitions`.
    pub(super) transitions: u32,
}

/// What a process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is no Lease: make one.
    Create,
    /// It is free or has run out: take it, with this many transitions.
    Take {
        /// `spec.leaseTransitions` to write.
        transitions: u32,
    },
    /// It is its own: renew it.
    Renew,
    /// Another process holds it until then, unless it renews it.
    Wait {
        /// When it would run out.
        until: Timestamp,
    },
}

/// Whose turn it is.
pub(super) fn turn(lease: Option<&Lease>, identity: &str, now: Timestamp) -> Turn {
    let Some(lease) = lease else { return Turn::Create };
    if lease.holder == identity {
        return Turn::Renew;
    }
    let take = Turn::Take { transitions: lease.transitions.saturating_add(1) };
    match lease.renewed.and_then(|renewed| renewed.checked_add(lease.duration).ok()) {
        _ if lease.holder.is_empty() => take,
        Some(until) if until > now => Turn::Wait { until },
        Some(_) | None => take,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn lease(holder: &str) -> Lease {
        Lease {
            holder: holder.to_owned(),
            renewed: Some(at("2026-01-05T10:00:00Z")),
            duration: LEASE_DURATION,
            transitions: 3,
        }
    }

    #[test]
    fn a_lease_is_taken_only_when_it_is_free_or_has_run_out() {
        let early = at("2026-01-05T10:00:14Z");
        let late = at("2026-01-05T10:00:15Z");
        assert_eq!(turn(None, "me", early), Turn::Create);
        assert_eq!(turn(Some(&lease("me")), "me", early), Turn::Renew);
        assert_eq!(
            turn(Some(&lease("other")), "me", early),
            Turn::Wait { until: at("2026-01-05T10:00:15Z") }
        );
        assert_eq!(turn(Some(&lease("other")), "me", late), Turn::Take { transitions: 4 });
        assert_eq!(turn(Some(&lease("")), "me", early), Turn::Take { transitions: 4 });
        let never = Lease { renewed: None, ..lease("other") };
        assert_eq!(turn(Some(&never), "me", early), Turn::Take { transitions: 4 });
    }
}
