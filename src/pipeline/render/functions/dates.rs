//! Sprig's functions of dates. The moment that `now` gives comes with the rendering; the local zone is UTC, as it is in
//! the controllers of Open Cluster Management.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::super::engine::go::Parameter::{Any, Text};
use super::super::engine::go::value::Struct;
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{go_time, ok_text, text};
use crate::pipeline::config::go_duration::GoDuration;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("ago", &[Any], ago),
    fixed("date", &[Text, Any], |session, a| ok_text(go_time::format(&at(session, &a[1]), text(a, 0)))),
    fixed("dateInZone", &[Text, Any, Text], |session, a| {
        ok_text(in_zone(session, text(a, 0), &a[1], text(a, 2)))
    }),
    fixed("dateModify", &[Text, Any], |_, a| modified(a).or_else(|_| time_argument(&a[1]).map(time_value))),
    fixed("date_in_zone", &[Text, Any, Text], |session, a| {
        ok_text(in_zone(session, text(a, 0), &a[1], text(a, 2)))
    }),
    fixed("date_modify", &[Text, Any], |_, a| modified(a).or_else(|_| time_argument(&a[1]).map(time_value))),
    fixed("duration", &[Any], duration),
    fixed("durationRound", &[Any], duration_round),
    fixed("htmlDate", &[Any], |session, a| ok_text(go_time::format(&at(session, &a[0]), "2006-01-02"))),
    fixed("htmlDateInZone", &[Any, Text], |session, a| {
        ok_text(in_zone(session, "2006-01-02", &a[0], text(a, 1)))
    }),
    fixed("mustDateModify", &[Text, Any], |_, a| modified(a)),
    fixed("mustToDate", &[Text, Text], |_, a| go_time::parse(text(a, 0), text(a, 1)).map(time_value)),
    fixed("must_date_modify", &[Text, Any], |_, a| modified(a)),
    fixed("now", &[], |session, _| Ok(time_value(session.rules.ambient.now.to_zoned(TimeZone::UTC)))),
    fixed("toDate", &[Text, Text], |_, a| {
        Ok(time_value(go_time::parse(text(a, 0), text(a, 1)).unwrap_or_else(|_| go_time::zero())))
    }),
    fixed("unixEpoch", &[Any], |_, a| ok_text(time_argument(&a[0])?.timestamp().as_second().to_string())),
];

/// Layouts that methods of times use.
const RFC_3339: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// A time as templates see it: its methods without arguments are fields.
pub(super) fn time_value(time: Zoned) -> Value {
    let number = |number: i64| Value::Int(number);
    let fields = vec![
        ("Year", number(time.year().into())),
        ("Month", Value::text(go_time::month_name(&time))),
        ("Day", number(time.day().into())),
        ("YearDay", number(time.day_of_year().into())),
        ("Weekday", Value::text(go_time::weekday_name(&time))),
        ("Hour", number(time.hour().into())),
        ("Minute", number(time.minute().into())),
        ("Second", number(time.second().into())),
        ("Nanosecond", number(time.subsec_nanosecond().into())),
        ("Unix", Value::Int64(time.timestamp().as_second())),
        ("UnixMilli", Value::Int64(time.timestamp().as_millisecond())),
        ("IsZero", Value::Bool(time == go_time::zero())),
        ("String", Value::text(go_time::shown(&time))),
        ("RFC3339", Value::text(go_time::format(&time, RFC_3339))),
    ];
    Value::Struct(std::rc::Rc::new(Struct {
        type_name: "time.Time".to_owned(),
        fields,
        shown: Some(go_time::shown(&time)),
        moment: Some(time),
    }))
}

/// The only method of a time that takes an argument and is known here.
pub(in super::super) fn method_of_time(value: &Value, layout: &Value) -> Option<Value> {
    let (Value::Struct(value), Some(layout)) = (value, layout.as_text()) else { return None };
    value.moment.as_ref().map(|time| Value::text(go_time::format(time, layout)))
}

fn time_argument(value: &Value) -> Result<Zoned, String> {
    match value {
        Value::Struct(found) => match &found.moment {
            Some(time) => Ok(time.clone()),
            None => Err(format!("wrong type for value; expected time.Time; got {}", found.type_name)),
        },
        Value::Missing | Value::Nil => Err("invalid value; expected time.Time".to_owned()),
        other => Err(format!("wrong type for value; expected time.Time; got {}", other.type_name())),
    }
}

/// What Sprig takes for a time: a time, seconds since 1970; now, if it is anything else.
fn at(session: &Session<'_>, value: &Value) -> Zoned {
    let now = session.rules.ambient.now;
    match value {
        Value::Struct(found) => match &found.moment {
            Some(time) => time.clone(),
            None => now.to_zoned(TimeZone::UTC),
        },
        other => other
            .as_int()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .unwrap_or(now)
            .to_zoned(TimeZone::UTC),
    }
}

fn in_zone(session: &Session<'_>, layout: &str, value: &Value, zone: &str) -> String {
    let zone = match zone {
        "" | "UTC" | "Local" => TimeZone::UTC,
        name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    };
    go_time::format(&at(session, value).with_time_zone(zone), layout)
}

fn modified(arguments: &[Value]) -> Result<Value, String> {
    let time = time_argument(&arguments[1])?;
    let duration: GoDuration = text(arguments, 0).parse().map_err(|error| format!("{error}"))?;
    let shifted = time.checked_add(SignedDuration::from_nanos(duration.nanoseconds()));
    shifted.map(time_value).map_err(|_| "the date is out of range".to_owned())
}

/// Nanoseconds from a time to now.
fn since(session: &Session<'_>, time: &Zoned) -> i64 {
    let passed = session.rules.ambient.now.duration_since(time.timestamp());
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}

fn ago(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let passed = since(session, &at(session, &arguments[0]));
    let second = 1_000_000_000;
    let half = if passed < 0 { -second / 2 } else { second / 2 };
    ok_text(GoDuration::from_seconds(passed.saturating_add(half) / second).to_string())
}

fn duration(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let seconds = match &arguments[0] {
        Value::Text(text) => text.parse().unwrap_or(0),
        Value::Int64(seconds) => *seconds,
        _ => 0,
    };
    ok_text(GoDuration::from_seconds(seconds).to_string())
}

/// The largest unit of which there is more than one, cut off.
fn duration_round(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let nanoseconds = match &arguments[0] {
        Value::Text(text) => text.parse::<GoDuration>().map_or(0, GoDuration::nanoseconds),
        Value::Int64(nanoseconds) => *nanoseconds,
        value @ Value::Struct(_) => since(session, &at(session, value)),
        _ => 0,
    };
    let size = nanoseconds.unsigned_abs();
    let second = 1_000_000_000_u64;
    let units = [
        (365 * 24 * 3600 * second, "y"),
        (30 * 24 * 3600 * second, "mo"),
        (24 * 3600 * second, "d"),
        (3600 * second, "h"),
        (60 * second, "m"),
        (second, "s"),
    ];
    match units.iter().find(|(unit, _)| size > *unit) {
        Some((unit, name)) => ok_text(format!("{}{name}", size / unit)),
        None => ok_text("0s"),
    }
}
