//! Cron expressions with the meaning that Velero gives them.
//!
//! Takes the text of `Schedule.spec.schedule`, gives the moments at which it is due. Must not touch: the
//! clock.
//!
//! Velero 1.18.3 reads schedules with `ParseStandard` of netresearch/go-cron v0.15.0; these are its rules, quirks included:
//! - five fields: minute, hour, day of month, month, day of week; no seconds, no years;
//! - `*` and `?` are the same; lists, ranges and steps; `5/10` means "from 5 to the end by 10"; a range may go over the end
//!   (`22-2`); a step must be smaller than its range (`*/60` is refused);
//! - months `jan`–`dec` and days `sun`–`sat` in any case, also inside ranges; Sunday is 0 and 7;
//! - if day of month and day of week are both restricted, a day must satisfy **both**;
//! - `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, and `@every <Go
//!   duration>`, which counts from the last run and not from midnight, at least one second, fractions of a
//!   second cut off; `@triggered`, `@manual` and `@none` are never due;
//! - `CRON_TZ=Zone ` or `TZ=Zone ` in front sets the time zone; without it UTC, as in Velero's image. Of an hour that daylight
//!   saving skips, the minutes are due in the hour behind it; a local time that comes twice is due twice;
//! - an expression without a moment in the next five years (`0 0 30 2 *`) is accepted and never due.
//!
//! Velero before 1.18.3 reads with robfig/cron v3.0.1, which differs: see [`Older`].

mod problem;
#[cfg(test)]
mod tests;
mod values;

use std::str::FromStr;

use self::values::Values;
use super::go_duration::GoDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

pub use self::problem::{CronError, Problem};
pub use self::values::Field;

/// Bytes that an expression may have.
pub(super) const LONGEST: usize = 1024;

/// A cron expression that has been understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    rule: Rule,
    /// The time zone stands in quotes.
    quoted_zone: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Every {
        seconds: i64,
    },
    Calendar(Box<Calendar>),
    /// `@triggered` and its like.
    Never,
}

/// How Velero before 1.18.3 reads an expression, where it reads it otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Older {
    /// It refuses it.
    Refused,
    /// `1/2` in the day of week ends on Saturday; from 1.18.3 it reaches Sunday, as 7.
    WithoutSunday,
    /// A day that satisfies either of the two restricted fields is due; from 1.18.3 a day must satisfy both.
    EitherDay,
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

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(expression: &str) -> Result<Self, Self::Err> {
        let whole = |problem| CronError::Expression { expression: expression.to_owned(), problem };
        if expression.is_empty() {
            return Err(whole(Problem::Empty));
        }
        if expression.len() > LONGEST {
            return Err(whole(Problem::TooLong { length: expression.len() }));
        }
        let (zone, rest) = split_zone(expression).map_err(whole)?;
        let quoted_zone = expression.len() > rest.len() && expression.contains(['"', '\'']);
        if rest.starts_with('@') {
            return Ok(Self { rule: descriptor(rest, zone).map_err(whole)?, quoted_zone });
        }
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let &[minute, hour, day_of_month, month, day_of_week] = fields.as_slice() else {
            return Err(whole(Problem::FieldCount { count: fields.len(), fields: fields.join(" ") }));
        };
        if fields.iter().any(|field| field.split(',').any(|entry| entry.starts_with('H'))) {
            return Err(whole(Problem::Hashed));
        }
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
            quoted_zone,
        })
    }
}

fn split_zone(expression: &str) -> Result<(TimeZone, &str), Problem> {
    let Some(named) = expression.strip_prefix("CRON_TZ=").or_else(|| expression.strip_prefix("TZ=")) else {
        return Ok((TimeZone::UTC, expression));
    };
    let (name, rest) =
        named.split_once(' ').ok_or_else(|| Problem::ZoneAlone { spec: expression.to_owned() })?;
    let unquoted = ['"', '\''].into_iter().find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote));
    let name = unquoted.unwrap_or(name);
    if name.is_empty() {
        return Err(Problem::EmptyZone);
    }
    if name.len() > 64 {
        return Err(Problem::LongZone { zone: name.to_owned() });
    }
    let allowed =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '/' | '_' | '-' | '+' | ':');
    if let Some((position, letter)) = name.char_indices().find(|(_, letter)| !allowed(*letter)) {
        return Err(Problem::ZoneLetter { zone: name.to_owned(), letter, position });
    }
    // Go's `LoadLocation`: `Local` is the pod's own zone, which is UTC in Velero's image.
    let zone = match name {
        "UTC" | "Local" => TimeZone::UTC,
        other => TimeZone::get(other).map_err(|_| Problem::Zone { zone: other.to_owned() })?,
    };
    match rest.trim() {
        "" => Err(Problem::NothingAfterZone { zone: name.to_owned() }),
        rest => Ok((zone, rest)),
    }
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
        "@triggered" | "@manual" | "@none" => Rule::Never,
        other => {
            let Some(duration) = other.strip_prefix("@every ") else {
                return Err(Problem::Descriptor { descriptor: other.to_owned() });
            };
            let duration: GoDuration =
                duration.parse().map_err(|source| Problem::Every { descriptor: other.to_owned(), source })?;
            match duration.whole_seconds() {
                ..1 => return Err(Problem::TooOften { descriptor: other.to_owned() }),
                seconds => Rule::Every { seconds },
            }
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
            Rule::Never => None,
        }
    }

    /// How Velero before 1.18.3 reads it, where it reads it otherwise.
    pub fn older(&self) -> Option<Older> {
        match &self.rule {
            Rule::Never => Some(Older::Refused),
            _ if self.quoted_zone => Some(Older::Refused),
            Rule::Every { .. } => None,
            Rule::Calendar(calendar) => calendar.older(),
        }
    }

    /// Whether no moment satisfies it.
    pub fn is_never_due(&self) -> bool {
        // The calendar repeats after 28 years.
        let first = Timestamp::UNIX_EPOCH;
        let year = |number: i64| first.checked_add((number * 365 * 24).hours()).unwrap_or(first);
        (0..=28).step_by(4).all(|number| self.next(year(number)).is_none())
    }
}

impl Calendar {
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let fields = [self.minute, self.hour, self.day_of_month, self.month, self.day_of_week];
        if fields.iter().any(|values| values.is_empty()) {
            return None;
        }
        let mut moment = start_of_next_minute(after)?.to_zoned(self.zone.clone());
        let last_year = moment.year().checked_add(5)?;
        // The hour before this one was skipped, and its minutes are due now.
        let mut behind_gap = false;
        while moment.year() <= last_year {
            moment = if !self.month.has(moment.month()) {
                start_of_day(moment.date().first_of_month().checked_add(1.month()).ok()?, &self.zone)?
            } else if !self.day_matches(moment.date()) {
                start_of_day(moment.date().tomorrow().ok()?, &self.zone)?
            } else if !(self.hour.has(moment.hour()) || behind_gap) {
                // In elapsed time, so that an hour which daylight saving skips or repeats is seen as it
                // comes.
                let next = moment.checked_add((60 - i64::from(moment.minute())).minutes()).ok()?;
                behind_gap = next.hour() - moment.hour() == 2 && self.hour.has(next.hour() - 1);
                next
            } else if self.minute.has(moment.minute()) {
                return Some(moment.timestamp());
            } else {
                let next = moment.checked_add(1.minute()).ok()?;
                behind_gap &= next.hour() == moment.hour();
                next
            };
        }
        None
    }

    fn day_matches(&self, date: Date) -> bool {
        self.day_of_month.has(date.day()) && self.day_of_week.has(date.weekday().to_sunday_zero_offset())
    }

    fn older(&self) -> Option<Older> {
        let fields = [self.minute, self.hour, self.day_of_month, self.month, self.day_of_week];
        let both = !self.day_of_month.star && !self.day_of_week.star;
        let refused = fields.iter().any(|values| values.older == Some(Older::Refused));
        match self.day_of_week.older {
            _ if refused => Some(Older::Refused),
            Some(older) => Some(older),
            None => both.then_some(Older::EitherDay),
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
