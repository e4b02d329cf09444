//! Why a cron expression is refused, in the words that Velero shows.

use thiserror::Error;

use super::LONGEST;
use super::values::Field;
use crate::pipeline::config::go_duration::GoDurationError;

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

/// What is wrong with an expression; the texts are go-cron's, so that they equal what Velero shows behind `invalid
/// schedule: `.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Longer than the reader takes.
    #[error("spec too long: {length} > {LONGEST}")]
    TooLong {
        /// Bytes of the expression.
        length: usize,
    },
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
    #[error("unrecognized descriptor: {descriptor:?}")]
    Descriptor {
        /// As written.
        descriptor: String,
    },
    /// `@every` with something that is no duration.
    #[error("failed to parse duration {descriptor:?}: {source}")]
    Every {
        /// The whole descriptor.
        descriptor: String,
        /// Why.
        source: GoDurationError,
    },
    /// A time zone that is not in the time zone database.
    #[error("unknown time zone {zone:?}: unknown time zone {zone}")]
    Zone {
        /// Its name as written.
        zone: String,
    },
    /// A time zone without a blank behind it.
    #[error("missing fields after timezone in spec {spec:?}")]
    ZoneAlone {
        /// The whole expression.
        spec: String,
    },
    /// A time zone with nothing but blanks behind it.
    #[error("missing fields after timezone {zone:?}")]
    NothingAfterZone {
        /// Its name.
        zone: String,
    },
    /// `TZ= `.
    #[error("invalid timezone \"\": empty timezone string")]
    EmptyZone,
    /// A name with more than 64 characters.
    #[error("invalid timezone {zone:?}: timezone string too long (max 64 chars)")]
    LongZone {
        /// Its name.
        zone: String,
    },
    /// A letter that the name of no time zone has.
    #[error("invalid timezone {zone:?}: invalid character {letter:?} at position {position} in timezone")]
    ZoneLetter {
        /// The name.
        zone: String,
        /// The letter.
        letter: char,
        /// Bytes before it.
        position: usize,
    },
    /// `@every 0s`.
    #[error("@every duration must be at least 1s: {descriptor:?}")]
    TooOften {
        /// The whole descriptor.
        descriptor: String,
    },
    /// `H`.
    #[error("h expressions require hash option to be enabled")]
    Hashed,
    /// `L`, `15W`.
    #[error(
        "extended day-of-month syntax requires DomL option (for L, L-n) or DomW option (for nW, LW) to be enabled"
    )]
    ExtendedDay,
    /// `5#2`.
    #[error("#n/#L syntax requires DowNth or DowLast option to be enabled")]
    NthWeekday,
    /// A number that does not fit.
    #[error("failed to parse int from {text:?}: strconv.Atoi: parsing {text:?}: value out of range")]
    NumberTooLarge {
        /// What stands there.
        text: String,
    },
    /// No number and no name where one must stand.
    #[error("failed to parse int from {text:?}: strconv.Atoi: parsing {text:?}: invalid syntax")]
    Number {
        /// What stands there.
        text: String,
    },
    /// `1-2-3`.
    #[error("too many hyphens: {text:?}")]
    Hyphens {
        /// The entry as written.
        text: String,
    },
    /// `1/2/3`.
    #[error("too many slashes: {text:?}")]
    Slashes {
        /// The entry as written.
        text: String,
    },
    /// Day 0, month 0.
    #[error("beginning of range ({start}) below minimum ({minimum}): {text:?}")]
    BelowMinimum {
        /// The value.
        start: u64,
        /// The lowest allowed.
        minimum: u64,
        /// The entry as written.
        text: String,
    },
    /// Minute 60.
    #[error("end of range ({end}) above maximum ({maximum}): {text:?}")]
    AboveMaximum {
        /// The value.
        end: u64,
        /// The highest allowed.
        maximum: u64,
        /// The entry as written.
        text: String,
    },
    /// `*/0`.
    #[error("step of range must be a positive number: {text:?}")]
    ZeroStep {
        /// The entry as written.
        text: String,
    },
    /// `*/60`.
    #[error("step ({step}) must be less than range size ({size}): {text:?}")]
    LargeStep {
        /// The step.
        step: u64,
        /// How many values the range has.
        size: u64,
        /// The entry as written.
        text: String,
    },
}
