//! Durations as Kubernetes objects write them: `240h0m0s`, `1.5h`, `-1m`, `300ms`.
//!
//! Takes text, gives nanoseconds; the same texts are accepted, refused and explained as by Go's
//! `time.ParseDuration`, because Velero and OADP read their `metav1.Duration` fields with it. Must not touch:
//! clock, files.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use thiserror::Error;

/// A duration in nanoseconds, as Go's `time.Duration`. At most about 292 years either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration {
    nanoseconds: i64,
}

/// Why a text is no duration; the words are Go's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GoDurationError {
    /// Empty, no number where one must stand, or too large.
    #[error("time: invalid duration {text:?}")]
    Invalid {
        /// The whole text.
        text: String,
    },
    /// A number without a unit: `90` (only `0` may stand alone).
    #[error("time: missing unit in duration {text:?}")]
    MissingUnit {
        /// The whole text.
        text: String,
    },
    /// A unit that Go does not know, such as `d` for days.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The whole text.
        text: String,
    },
}

const NANOSECOND: u64 = 1;
const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// The magnitude of the smallest duration; one more than that of the largest.
const LIMIT: u64 = 1 << 63;

impl GoDuration {
    /// From nanoseconds.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self { nanoseconds }
    }

    /// From whole seconds; what does not fit becomes the nearest end of the range.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { nanoseconds: seconds.saturating_mul(1_000_000_000) }
    }

    /// In nanoseconds.
    pub const fn nanoseconds(self) -> i64 {
        self.nanoseconds
    }

    /// In whole seconds, fractions cut off towards zero.
    pub const fn whole_seconds(self) -> i64 {
        self.nanoseconds / 1_000_000_000
    }

    /// Whether it is zero, which Velero's fields treat as "not set".
    pub const fn is_zero(self) -> bool {
        self.nanoseconds == 0
    }

    /// For arithmetic with timestamps.
    pub const fn signed(self) -> SignedDuration {
        SignedDuration::from_nanos(self.nanoseconds)
    }
}

fn unit_of(name: &str) -> Option<u64> {
    match name {
        "ns" => Some(NANOSECOND),
        // The micro sign and the Greek letter look alike; Go takes both.
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(MICROSECOND),
        "ms" => Some(MILLISECOND),
        "s" => Some(SECOND),
        "m" => Some(MINUTE),
        "h" => Some(HOUR),
        _ => None,
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The part of a unit that a decimal fraction stands for, rounded down.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    // Eighteen digits are finer than any unit can show, and keep the product within 128 bits.
    let digits = digits.get(..18).unwrap_or(digits);
    let scale = (0..digits.len()).fold(1_u128, |scale, _| scale * 10);
    let value = digits.parse::<u128>().unwrap_or(0);
    u64::try_from(value * u128::from(unit) / scale).unwrap_or(0)
}

impl FromStr for GoDuration {
    type Err = GoDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || GoDurationError::Invalid { text: text.to_owned() };
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if unsigned == "0" {
            return Ok(Self::default());
        }
        if unsigned.is_empty() {
            return Err(invalid());
        }
        let mut magnitude: u64 = 0;
        let mut rest = unsigned;
        while !rest.is_empty() {
            let (whole, after) = split_digits(rest);
            let (fraction, after) = match after.strip_prefix('.') {
                Some(after) => split_digits(after),
                None => ("", after),
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(invalid());
            }
            let unit_end = after
                .find(|character: char| character == '.' || character.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit_name, after) = after.split_at(unit_end);
            if unit_name.is_empty() {
                return Err(GoDurationError::MissingUnit { text: text.to_owned() });
            }
            let unit = unit_of(unit_name).ok_or_else(|| GoDurationError::UnknownUnit {
                unit: unit_name.to_owned(),
                text: text.to_owned(),
            })?;
            let count = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| invalid())? };
            magnitude = count
                .checked_mul(unit)
                .and_then(|value| value.checked_add(fraction_of(fraction, unit)))
                .and_then(|value| magnitude.checked_add(value))
                .filter(|&value| value <= LIMIT)
                .ok_or_else(invalid)?;
            rest = after;
        }
        match (negative, i64::try_from(magnitude)) {
            (false, Ok(nanoseconds)) => Ok(Self { nanoseconds }),
            (true, Ok(nanoseconds)) => Ok(Self { nanoseconds: -nanoseconds }),
            (true, Err(_)) => Ok(Self { nanoseconds: i64::MIN }),
            (false, Err(_)) => Err(invalid()),
        }
    }
}

/// As Go prints it: `240h0m0s`, `1m30s`, `1.5s`, `2ms`, `0s`.
impl fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.nanoseconds.unsigned_abs();
        if magnitude == 0 {
            return formatter.write_str("0s");
        }
        if self.nanoseconds < 0 {
            formatter.write_str("-")?;
        }
        let small = [(MILLISECOND, "ms"), (MICROSECOND, "\u{b5}s"), (NANOSECOND, "ns")];
        if magnitude < SECOND {
            let (unit, name) =
                small.into_iter().find(|(unit, _)| magnitude >= *unit).unwrap_or((NANOSECOND, "ns"));
            return write!(formatter, "{}{name}", Decimal { value: magnitude, unit });
        }
        let (hours, minutes) = (magnitude / HOUR, magnitude % HOUR / MINUTE);
        if hours > 0 {
            write!(formatter, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(formatter, "{minutes}m")?;
        }
        write!(formatter, "{}s", Decimal { value: magnitude % MINUTE, unit: SECOND })
    }
}

/// A value in a unit as a decimal without trailing zeros.
struct Decimal {
    value: u64,
    unit: u64,
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.value / self.unit)?;
        let remainder = self.value % self.unit;
        if remainder == 0 {
            return Ok(());
        }
        let width = usize::try_from(self.unit.ilog10()).unwrap_or(0);
        let digits = format!("{remainder:0width$}");
        write!(formatter, ".{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", 0)]
    #[case("-0", 0)]
    #[case("0s", 0)]
    #[case("5s", 5_000_000_000)]
    #[case("+5s", 5_000_000_000)]
    #[case("-5.5s", -5_500_000_000)]
    #[case("240h0m0s", 864_000_000_000_000)]
    #[case("1h30m", 5_400_000_000_000)]
    #[case("1.5h", 5_400_000_000_000)]
    #[case(".5m", 30_000_000_000)]
    #[case("5.s", 5_000_000_000)]
    #[case("10.5s4m", 250_500_000_000)]
    #[case("12\u{b5}s", 12_000)]
    #[case("12\u{3bc}s10ns", 12_010)]
    #[case("0.3333333333333333333h", 1_200_000_000_000 - 1)]
    #[case("9223372036854775807ns", i64::MAX)]
    #[case("-9223372036854775808ns", i64::MIN)]
    fn texts_that_go_reads(#[case] text: &str, #[case] nanoseconds: i64) {
        assert_eq!(text.parse::<GoDuration>().map(GoDuration::nanoseconds), Ok(nanoseconds));
    }

    #[rstest]
    #[case("", "time: invalid duration \"\"")]
    #[case("-", "time: invalid duration \"-\"")]
    #[case("3", "time: missing unit in duration \"3\"")]
    #[case("1h30", "time: missing unit in duration \"1h30\"")]
    #[case("s", "time: invalid duration \"s\"")]
    #[case(".s", "time: invalid duration \".s\"")]
    #[case("10d", "time: unknown unit \"d\" in duration \"10d\"")]
    #[case("1h 30m", "time: unknown unit \"h \" in duration \"1h 30m\"")]
    #[case("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\"")]
    #[case("3000000h", "time: invalid duration \"3000000h\"")]
    fn texts_that_go_refuses(#[case] text: &str, #[case] error: &str) {
        assert_eq!(text.parse::<GoDuration>().unwrap_err().to_string(), error);
    }

    #[rstest]
    #[case(0, "0s")]
    #[case(1, "1ns")]
    #[case(1_100, "1.1\u{b5}s")]
    #[case(2_200_000, "2.2ms")]
    #[case(3_300_000_000, "3.3s")]
    #[case(300_000_000_000, "5m0s")]
    #[case(864_000_000_000_000, "240h0m0s")]
    #[case(-5_400_000_000_001, "-1h30m0.000000001s")]
    fn as_go_prints_it(#[case] nanoseconds: i64, #[case] text: &str) {
        assert_eq!(GoDuration::from_nanoseconds(nanoseconds).to_string(), text);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(nanoseconds in any::<i64>()) {
            let duration = GoDuration::from_nanoseconds(nanoseconds);
            prop_assert_eq!(duration.to_string().parse::<GoDuration>(), Ok(duration));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[-+0-9.hmsnu \u{b5}]{0,20}") {
            let _ = text.parse::<GoDuration>();
        }
    }
}
