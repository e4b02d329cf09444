//! Taints and tolerations: upstream's plugin `TaintToleration`.

use jiff::{SignedDuration, Timestamp};

use crate::api::ocm::cluster::{Taint, TaintEffect};
use crate::api::ocm::placement::{Toleration, TolerationOperator};

/// How long a taint is tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    /// Not, or not any more.
    No,
    /// Until then.
    Until(Timestamp),
    /// For as long as nothing changes.
    Unlimited,
}

/// What is wrong with a toleration, in upstream's words.
pub(super) fn fault(toleration: &Toleration) -> Option<&'static str> {
    match toleration.operator {
        None | Some(TolerationOperator::Equal) if toleration.key.is_empty() => {
            Some("If the key is empty, operator must be Exists.")
        }
        Some(TolerationOperator::Exists) if !toleration.value.is_empty() => {
            Some("If the operator is Exists, the value should be empty.")
        }
        None | Some(TolerationOperator::Equal | TolerationOperator::Exists) => None,
    }
}

/// How long the most patient of the tolerations bears the taint.
pub(super) fn tolerance(
    taint: &Taint,
    tolerations: &[Toleration],
    already_selected: bool,
    now: Timestamp,
) -> Tolerance {
    match taint.effect {
        TaintEffect::PreferNoSelect => return Tolerance::Unlimited,
        TaintEffect::NoSelectIfNew if already_selected => return Tolerance::Unlimited,
        TaintEffect::NoSelect | TaintEffect::NoSelectIfNew => {}
    }
    tolerations.iter().map(|toleration| tolerance_of_one(taint, toleration, now)).fold(Tolerance::No, longest)
}

fn longest(left: Tolerance, right: Tolerance) -> Tolerance {
    match (left, right) {
        (Tolerance::Unlimited, _) | (_, Tolerance::Unlimited) => Tolerance::Unlimited,
        (Tolerance::No, other) | (other, Tolerance::No) => other,
        (Tolerance::Until(left), Tolerance::Until(right)) => Tolerance::Until(left.max(right)),
    }
}

fn tolerance_of_one(taint: &Taint, toleration: &Toleration, now: Timestamp) -> Tolerance {
    let effect_fits = toleration.effect.is_none_or(|effect| effect == taint.effect);
    let key_fits = toleration.key.is_empty() || toleration.key == taint.key;
    let value_fits = match toleration.operator {
        None | Some(TolerationOperator::Equal) => toleration.value == taint.value,
        Some(TolerationOperator::Exists) => true,
    };
    if !(effect_fits && key_fits && value_fits) {
        return Tolerance::No;
    }
    let Some(seconds) = toleration.toleration_seconds else { return Tolerance::Unlimited };
    // Upstream's admission always stamps `timeAdded`. Where nothing did, the count cannot have begun.
    let Some(added) = taint.time_added.as_deref().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return Tolerance::Unlimited;
    };
    match added.checked_add(SignedDuration::from_secs(seconds)) {
        Ok(end) if now < end => Tolerance::Until(end),
        Ok(_) => Tolerance::No,
        Err(_) if seconds < 0 => Tolerance::No,
        Err(_) => Tolerance::Unlimited,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_patient_toleration_counts() {
        let taint: Taint = serde_json::from_value(
            json!({"key": "k", "effect": "NoSelect", "timeAdded": "2026-01-01T00:00:00Z"}),
        )
        .unwrap();
        let toleration = |seconds: Option<i64>| -> Toleration {
            serde_json::from_value(json!({"key": "k", "operator": "Exists", "tolerationSeconds": seconds}))
                .unwrap()
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let until = |text| Tolerance::Until(at(text));
        for (seconds, now, expected) in [
            (vec![Some(10)], "2026-01-01T00:00:09Z", until("2026-01-01T00:00:10Z")),
            (vec![Some(10)], "2026-01-01T00:00:10Z", Tolerance::No),
            (vec![Some(10), Some(20)], "2026-01-01T00:00:12Z", until("2026-01-01T00:00:20Z")),
            (vec![Some(10), None], "2026-01-01T00:00:12Z", Tolerance::Unlimited),
            (vec![Some(i64::MAX)], "2026-01-01T00:00:12Z", Tolerance::Unlimited),
            (vec![Some(-1)], "2026-01-01T00:00:00Z", Tolerance::No),
            (vec![], "2026-01-01T00:00:00Z", Tolerance::No),
        ] {
            let tolerations: Vec<_> = seconds.iter().copied().map(toleration).collect();
            assert_eq!(tolerance(&taint, &tolerations, false, at(now)), expected, "{seconds:?} at {now}");
        }
        let unstamped = Taint { time_added: None, ..taint };
        assert_eq!(
            tolerance(&unstamped, &[toleration(Some(1))], false, at("2026-01-01T00:00:00Z")),
            Tolerance::Unlimited
        );
    }
}
