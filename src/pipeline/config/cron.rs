//! Cron expressions with the meaning that Velero gives them.
//!
//! Takes the text of `Schedule.spec.schedule`, gives the moments at which it is due. Must not touch: the
//! clock.
//!
//! Velero reads schedules with `ParseStandard` of robfig/cron v3.0.1; these are its rules, quirks included:
//! - five fields: minute, hour, day of month, month, day of week; no seconds, no years;
//! - `*` and `?` are the same; lists, ranges and steps; `5/10` means "from 5 to the end by 10";
//! - months `jan`–`dec` and days `sun`–`sat` in any case, also inside ranges; **Sunday is 0 only, 7 is
//!   refused**;
//! - if day of month and day of week are both restricted, a day that satisfies **either** is due. `*/2`
//!   counts as restricted, `*/1` does not;
//! - `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, and `@every <Go
//!   duration>`, which counts from the last run and not from midnight, at least one second, fractions of a
//!   second cut off;
//! - `CRON_TZ=Zone ` or `TZ=Zone ` in front sets the time zone; without it UTC, as in Velero's image. A local
//!   time that daylight saving skips is not due that day; one that comes twice is due twice (upstream misses
//!   a slot where the clock is shifted by half an hour, on Lord Howe Island; we do not);
//! - an expression without a moment in the next five years (`0 0 30 2 *`) is accepted and never due.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use thiserror::Error;

use super::go_duration::{GoDuration, GoDurationError};

/// A cron expression that has been understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Every { seconds: i64 },
    Calendar(Box<Calendar>),
}

#[derive(Debug, Clone, PartialEq)]
struct Calendar {
    minute: Values,
    hour: Values,
    day_of_month: Values,
    month: Values,
    day_of_week: Values,
    zone: TimeZone,
}

/// The five places of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// 0–59.
    Minute,
    /// 0–23.
    Hour,
    /// 1–31.
    DayOfMonth,
    /// 1–12 or `jan`–`dec`.
    Month,
    /// 0–6 or `sun`–`sat`; Sunday is 0.
    DayOfWeek,
}

impl Field {
    const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    const fn bounds(self) -> (u32, u32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 6),
        }
    }

    /// Names of the values, the first standing for the lowest value.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour | Self::DayOfMonth => &[],
            Self::Month => {
                &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            }
            Self::DayOfWeek => &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// An expression that Velero would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CronError {
    /// The expression as a whole has another form.
    #[error("failed to read the schedule {expression:?}: {problem}")]
    Expression {
        /// The whole expression.
        expression: String,
        /// What is wrong, in upstream's words.
        problem: Problem,
    },
    /// One of the five fields is wrong.
    #[error("failed to read the schedule {expression:?}: the {field} field: {problem}")]
    Field {
        /// The whole expression.
        expression: String,
        /// The field at fault.
        field: Field,
        /// What is wrong, in upstream's words.
        problem: Problem,
    },
}

impl CronError {
    /// What is wrong in the words that Velero writes behind `invalid schedule: `.
    pub const fn problem(&self) -> &Problem {
        match self {
            Self::Expression { problem, .. } | Self::Field { problem, .. } => problem,
        }
    }
}

/// What is wrong with an expression; the texts are robfig/cron's, so that they equal what Velero shows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Nothing there.
    #[error("empty spec string")]
    Empty,
    /// Not five fields.
    #[error("expected exactly 5 fields, found {count}: [{fields}]")]
    FieldCount {
        /// How many there are.
        count: usize,
        /// The fields, separated by blanks.
        fields: String,
    },
    /// `@something` that is no descriptor.
    #[error("unrecognized descriptor: {descriptor}")]
    Descriptor {
        /// As written.
        descriptor: String,
    },
    /// `@every` with something that is no duration.
    #[error("failed to parse duration {descriptor}: {source}")]
    Every {
        /// The whole descriptor.
        descriptor: String,
        /// Why.
        source: GoDurationError,
    },
    /// A time zone that is not in the time zone database.
    #[error("provided bad location {zone}: unknown time zone {zone}")]
    Zone {
        /// Its name as written.
        zone: String,
    },
    /// A time zone without an expression behind it. Upstream panics here; this text is ours.
    #[error("no schedule after the time zone")]
    ZoneAlone,
    /// No number and no name where one must stand.
    #[error("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax")]
    Number {
        /// What stands there.
        text: String,
    },
    /// `1-2-3`.
    #[error("too many hyphens: {text}")]
    Hyphens {
        /// The entry as written.
        text: String,
    },
    /// `1/2/3`.
    #[error("too many slashes: {text}")]
    Slashes {
        /// The entry as written.
        text: String,
    },
    /// Day 0, month 0.
    #[error("beginning of range ({start}) below minimum ({minimum}): {text}")]
    BelowMinimum {
        /// The value.
        start: u32,
        /// The lowest allowed.
        minimum: u32,
        /// The entry as written.
        text: String,
    },
    /// Minute 60, Sunday as 7.
    #[error("end of range ({end}) above maximum ({maximum}): {text}")]
    AboveMaximum {
        /// The value.
        end: u32,
        /// The highest allowed.
        maximum: u32,
        /// The entry as written.
        text: String,
    },
    /// `5-1`.
    #[error("beginning of range ({start}) beyond end of range ({end}): {text}")]
    Backwards {
        /// The first value.
        start: u32,
        /// The last value.
        end: u32,
        /// The entry as written.
        text: String,
    },
    /// `*/0`.
    #[error("step of range should be a positive number: {text}")]
    ZeroStep {
        /// The entry as written.
        text: String,
    },
}

/// The allowed values of a field, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Values {
    bits: u64,
    /// Written as `*` or `?` without a step above one.
    star: bool,
}

impl Values {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits & (1 << value) != 0)
    }

    fn one(value: u32) -> Self {
        Self { bits: 1 << value, star: false }
    }

    fn all(field: Field) -> Self {
        let (minimum, maximum) = field.bounds();
        Self { bits: (minimum..=maximum).fold(0, |bits, value| bits | 1 << value), star: true }
    }

    fn read(text: &str, field: Field) -> Result<Self, Problem> {
        let mut values = Self { bits: 0, star: false };
        for entry in text.split(',').filter(|entry| !entry.is_empty()) {
            let one = Self::read_entry(entry, field)?;
            values = Self { bits: values.bits | one.bits, star: values.star || one.star };
        }
        Ok(values)
    }

    fn read_entry(text: &str, field: Field) -> Result<Self, Problem> {
        let (minimum, maximum) = field.bounds();
        let owned = || text.to_owned();
        let parts: Vec<&str> = text.split('/').collect();
        let range: Vec<&str> = parts[0].split('-').collect();
        let any = range[0] == "*" || range[0] == "?";
        let (start, mut end) = match (any, range.as_slice()) {
            (true, _) => (minimum, maximum),
            (false, [single]) => {
                let value = number_or_name(single, field)?;
                (value, value)
            }
            (false, [first, last]) => (number_or_name(first, field)?, number_or_name(last, field)?),
            (false, _) => return Err(Problem::Hyphens { text: owned() }),
        };
        let step = match parts.as_slice() {
            [_] => 1,
            [_, step] => {
                if range.len() == 1 {
                    end = maximum;
                }
                number(step)?
            }
            _ => return Err(Problem::Slashes { text: owned() }),
        };
        if start < minimum {
            return Err(Problem::BelowMinimum { start, minimum, text: owned() });
        }
        if end > maximum {
            return Err(Problem::AboveMaximum { end, maximum, text: owned() });
        }
        if start > end {
            return Err(Problem::Backwards { start, end, text: owned() });
        }
        if step == 0 {
            return Err(Problem::ZeroStep { text: owned() });
        }
        let stride = usize::try_from(step).unwrap_or(usize::MAX);
        let bits = (start..=end).step_by(stride).fold(0, |bits, value| bits | 1 << value);
        Ok(Self { bits, star: any && step == 1 })
    }
}

fn number_or_name(text: &str, field: Field) -> Result<u32, Problem> {
    let lower = text.to_ascii_lowercase();
    let (minimum, _) = field.bounds();
    match field.names().iter().zip(minimum..).find(|(name, _)| **name == lower) {
        Some((_, value)) => Ok(value),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| Problem::Number { text: text.to_owned() })
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(expression: &str) -> Result<Self, Self::Err> {
        let whole = |problem| CronError::Expression { expression: expression.to_owned(), problem };
        if expression.is_empty() {
            return Err(whole(Problem::Empty));
        }
        let (zone, rest) = split_zone(expression).map_err(whole)?;
        if rest.starts_with('@') {
            return Ok(Self { rule: descriptor(rest, zone).map_err(whole)? });
        }
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let &[minute, hour, day_of_month, month, day_of_week] = fields.as_slice() else {
            return Err(whole(Problem::FieldCount { count: fields.len(), fields: fields.join(" ") }));
        };
        let read = |text, field| {
            Values::read(text, field).map_err(|problem| CronError::Field {
                expression: expression.to_owned(),
                field,
                problem,
            })
        };
        Ok(Self {
            rule: Rule::Calendar(Box::new(Calendar {
                minute: read(minute, Field::Minute)?,
                hour: read(hour, Field::Hour)?,
                day_of_month: read(day_of_month, Field::DayOfMonth)?,
                month: read(month, Field::Month)?,
                day_of_week: read(day_of_week, Field::DayOfWeek)?,
                zone,
            })),
        })
    }
}

fn split_zone(expression: &str) -> Result<(TimeZone, &str), Problem> {
    let Some(named) = expression.strip_prefix("CRON_TZ=").or_else(|| expression.strip_prefix("TZ=")) else {
        return Ok((TimeZone::UTC, expression));
    };
    let (name, rest) = named.split_once(' ').ok_or(Problem::ZoneAlone)?;
    // Go's `LoadLocation`: the empty name is UTC, `Local` is the pod's own zone, which is UTC in Velero's
    // image.
    let zone = match name {
        "" | "UTC" | "Local" => TimeZone::UTC,
        other => TimeZone::get(other).map_err(|_| Problem::Zone { zone: other.to_owned() })?,
    };
    Ok((zone, rest.trim()))
}

fn descriptor(text: &str, zone: TimeZone) -> Result<Rule, Problem> {
    let calendar = |hour, day_of_month, month, day_of_week| {
        Rule::Calendar(Box::new(Calendar {
            minute: Values::one(0),
            hour,
            day_of_month,
            month,
            day_of_week,
            zone,
        }))
    };
    let [_, every_hour, every_day, every_month, every_weekday] = Field::ALL.map(Values::all);
    Ok(match text {
        "@yearly" | "@annually" => calendar(Values::one(0), Values::one(1), Values::one(1), every_weekday),
        "@monthly" => calendar(Values::one(0), Values::one(1), every_month, every_weekday),
        "@weekly" => calendar(Values::one(0), every_day, every_month, Values::one(0)),
        "@daily" | "@midnight" => calendar(Values::one(0), every_day, every_month, every_weekday),
        "@hourly" => calendar(every_hour, every_day, every_month, every_weekday),
        other => {
            let Some(duration) = other.strip_prefix("@every ") else {
                return Err(Problem::Descriptor { descriptor: other.to_owned() });
            };
            let duration: GoDuration =
                duration.parse().map_err(|source| Problem::Every { descriptor: other.to_owned(), source })?;
            Rule::Every { seconds: duration.whole_seconds().max(1) }
        }
    })
}

impl Cron {
    /// The first moment after the given one at which the schedule is due; `None` when there is none within
    /// five years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every { seconds } => Timestamp::from_second(after.as_second().checked_add(*seconds)?).ok(),
            Rule::Calendar(calendar) => calendar.next(after),
        }
    }
}

impl Calendar {
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut moment = start_of_next_minute(after)?.to_zoned(self.zone.clone());
        let last_year = moment.year().checked_add(5)?;
        while moment.year() <= last_year {
            moment = if !self.month.has(moment.month()) {
                start_of_day(moment.date().first_of_month().checked_add(1.month()).ok()?, &self.zone)?
            } else if !self.day_matches(moment.date()) {
                start_of_day(moment.date().tomorrow().ok()?, &self.zone)?
            } else if !self.hour.has(moment.hour()) {
                // In elapsed time, so that an hour which daylight saving skips or repeats is seen as it
                // comes.
                moment.checked_add((60 - i64::from(moment.minute())).minutes()).ok()?
            } else if self.minute.has(moment.minute()) {
                return Some(moment.timestamp());
            } else {
                moment.checked_add(1.minute()).ok()?
            };
        }
        None
    }

    fn day_matches(&self, date: Date) -> bool {
        let month_day = self.day_of_month.has(date.day());
        let week_day = self.day_of_week.has(date.weekday().to_sunday_zero_offset());
        if self.day_of_month.star || self.day_of_week.star {
            month_day && week_day
        } else {
            month_day || week_day
        }
    }
}

fn start_of_next_minute(after: Timestamp) -> Option<Timestamp> {
    let minutes = after.as_second().div_euclid(60).checked_add(1)?;
    Timestamp::from_second(minutes.checked_mul(60)?).ok()
}

fn start_of_day(date: Date, zone: &TimeZone) -> Option<Zoned> {
    date.to_zoned(zone.clone()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    // Expected values worked out by hand from the calendar; 2026-11-21 is a Saturday.
    #[rstest]
    #[case("*/1 * * * *", "2026-11-21T10:00:00Z", "2026-11-21T10:01:00Z")]
    #[case("*/1 * * * *", "2026-11-21T10:00:59.999Z", "2026-11-21T10:01:00Z")]
    #[case("0 */1 * * *", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")]
    #[case("0 */1 * * *", "2026-11-21T09:59:59Z", "2026-11-21T10:00:00Z")]
    #[case("15,45 * * * *", "2026-11-21T10:20:00Z", "2026-11-21T10:45:00Z")]
    #[case("5/20 * * * *", "2026-11-21T10:26:00Z", "2026-11-21T10:45:00Z")]
    #[case("5/20 * * * *", "2026-11-21T10:45:00Z", "2026-11-21T11:05:00Z")]
    #[case("10-30/10 3 * * ?", "2026-11-21T03:20:00Z", "2026-11-21T03:30:00Z")]
    #[case("0 0 31 * *", "2026-11-21T00:00:00Z", "2026-12-31T00:00:00Z")]
    #[case("0 0 29 2 *", "2026-11-21T00:00:00Z", "2028-02-29T00:00:00Z")]
    #[case("30 4 * jan,JUL *", "2026-11-21T00:00:00Z", "2027-01-01T04:30:00Z")]
    #[case("0 12 * * mon-FRI", "2026-11-21T00:00:00Z", "2026-11-23T12:00:00Z")]
    #[case("0 12 * * 0", "2026-11-21T00:00:00Z", "2026-11-22T12:00:00Z")]
    // Both days restricted: either suffices. The 25th is a Wednesday, the 22nd a Sunday.
    #[case("0 0 25 * sun", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case("0 0 25 * sun", "2026-11-22T00:00:00Z", "2026-11-25T00:00:00Z")]
    // A star beside a restricted day: both must hold, that is, the restricted one.
    #[case("0 0 */1 * sun", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z")]
    // A stepped star counts as restricted: odd days or Sundays.
    #[case("0 0 */2 * sun", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case("0 0 */2 * sun", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")]
    #[case("@hourly", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")]
    #[case("@daily", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z")]
    #[case("@midnight", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z")]
    #[case("@weekly", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z")]
    #[case("@monthly", "2026-11-21T10:00:00Z", "2026-12-01T00:00:00Z")]
    #[case("@yearly", "2026-11-21T10:00:00Z", "2027-01-01T00:00:00Z")]
    #[case("@annually", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z")]
    #[case("@every 1h30m", "2026-11-21T10:00:07.5Z", "2026-11-21T11:30:07Z")]
    #[case("@every 1500ms", "2026-11-21T10:00:00Z", "2026-11-21T10:00:01Z")]
    #[case("@every -1h", "2026-11-21T10:00:00Z", "2026-11-21T10:00:01Z")]
    #[case("CRON_TZ=UTC 0 6 * * *", "2026-11-21T10:00:00Z", "2026-11-22T06:00:00Z")]
    #[case("TZ=  @daily", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z")]
    // Berlin is one hour ahead in winter, two in summer.
    #[case("CRON_TZ=Europe/Berlin 0 6 * * *", "2026-11-21T10:00:00Z", "2026-11-22T05:00:00Z")]
    #[case("TZ=Europe/Berlin 0 6 * * *", "2026-07-01T10:00:00Z", "2026-07-02T04:00:00Z")]
    // 2026-03-29: 02:00 becomes 03:00, so half past two is not due that day.
    #[case("TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z")]
    // 2026-10-25: 03:00 becomes 02:00, so half past two comes twice.
    #[case("TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z")]
    #[case("TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z")]
    // Upstream ignores what follows a star before the slash.
    #[case("*-5 * * * *", "2026-11-21T10:30:00Z", "2026-11-21T10:31:00Z")]
    fn due_next(#[case] expression: &str, #[case] after: &str, #[case] expected: &str) {
        let cron: Cron = expression.parse().unwrap();
        assert_eq!(cron.next(at(after)), Some(at(expected)), "{expression} after {after}");
    }

    #[rstest]
    #[case("0 0 30 2 *")]
    #[case(", * * * *")]
    fn accepted_and_never_due(#[case] expression: &str) {
        let cron: Cron = expression.parse().unwrap();
        assert_eq!(cron.next(at("2026-11-21T10:00:00Z")), None);
    }

    #[rstest]
    #[case("", None, "empty spec string")]
    #[case("* * * *", None, "expected exactly 5 fields, found 4: [* * * *]")]
    #[case("0 0 0 * * *", None, "expected exactly 5 fields, found 6: [0 0 0 * * *]")]
    #[case(" @daily", None, "expected exactly 5 fields, found 1: [@daily]")]
    #[case("@Daily", None, "unrecognized descriptor: @Daily")]
    #[case("@every", None, "unrecognized descriptor: @every")]
    #[case(
        "@every 1d",
        None,
        "failed to parse duration @every 1d: time: unknown unit \"d\" in duration \"1d\""
    )]
    #[case(
        "CRON_TZ=Mars/Base * * * * *",
        None,
        "provided bad location Mars/Base: unknown time zone Mars/Base"
    )]
    #[case("TZ=UTC", None, "no schedule after the time zone")]
    #[case("60 * * * *", Some(Field::Minute), "end of range (60) above maximum (59): 60")]
    #[case("* 24 * * *", Some(Field::Hour), "end of range (24) above maximum (23): 24")]
    #[case("* * 0 * *", Some(Field::DayOfMonth), "beginning of range (0) below minimum (1): 0")]
    #[case("* * * 13 *", Some(Field::Month), "end of range (13) above maximum (12): 13")]
    #[case("* * * * 7", Some(Field::DayOfWeek), "end of range (7) above maximum (6): 7")]
    #[case("30-10 * * * *", Some(Field::Minute), "beginning of range (30) beyond end of range (10): 30-10")]
    #[case("1-2-3 * * * *", Some(Field::Minute), "too many hyphens: 1-2-3")]
    #[case("*/2/3 * * * *", Some(Field::Minute), "too many slashes: */2/3")]
    #[case("* */0 * * *", Some(Field::Hour), "step of range should be a positive number: */0")]
    #[case(
        "* * * * sunday",
        Some(Field::DayOfWeek),
        "failed to parse int from sunday: strconv.Atoi: parsing \"sunday\": invalid syntax"
    )]
    #[case(
        "-5 * * * *",
        Some(Field::Minute),
        "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"
    )]
    fn refused(#[case] expression: &str, #[case] field: Option<Field>, #[case] problem: &str) {
        let error = expression.parse::<Cron>().unwrap_err();
        assert_eq!(error.problem().to_string(), problem);
        match (&error, field) {
            (CronError::Expression { .. }, None) => {}
            (CronError::Field { field: found, .. }, Some(field)) => {
                assert_eq!(*found, field);
                assert!(error.to_string().contains(&format!("the {field} field")), "{error}");
            }
            (other, expected) => panic!("{other:?} instead of {expected:?}"),
        }
    }

    fn entry(minimum: u32, maximum: u32) -> impl Strategy<Value = String> {
        prop_oneof![
            Just("*".to_owned()),
            (minimum..=maximum).prop_map(|value| value.to_string()),
            (minimum..=maximum, minimum..=maximum).prop_map(|(one, other)| format!(
                "{}-{}",
                one.min(other),
                one.max(other)
            )),
            (1_u32..=30).prop_map(|step| format!("*/{step}")),
        ]
    }

    proptest! {
        #[test]
        fn next_is_later_and_matches_the_fields(
            minute in entry(0, 59), hour in entry(0, 23), month in entry(1, 12), week_day in entry(0, 6),
            second in 1_600_000_000_i64..2_000_000_000,
        ) {
            let cron: Cron = format!("{minute} {hour} * {month} {week_day}").parse().unwrap();
            let after = Timestamp::from_second(second).unwrap();
            let next = cron.next(after).unwrap();
            prop_assert!(next > after);
            let due = next.to_zoned(TimeZone::UTC);
            prop_assert_eq!(due.second(), 0);
            for (text, field, value) in [
                (&minute, Field::Minute, due.minute()), (&hour, Field::Hour, due.hour()),
                (&month, Field::Month, due.month()),
                (&week_day, Field::DayOfWeek, due.weekday().to_sunday_zero_offset()),
            ] {
                prop_assert!(Values::read(text, field).unwrap().has(value), "{} at {}", text, due);
            }
            // Nothing between: the moment before the next one leads to it too.
            let just_before = Timestamp::from_second(next.as_second() - 1).unwrap();
            prop_assert_eq!(cron.next(just_before), Some(next));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "(TZ=UTC )?[-*/?,@0-9a-z ]{0,24}") {
            let _ = text.parse::<Cron>();
        }
    }
}
