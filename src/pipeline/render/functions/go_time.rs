//! Times as Go's `time` package writes and reads them: a layout shows what Monday, 2 January 2006, 15:04:05, seven hours
//! west of Greenwich, would look like.
//!
//! Source: the documentation of Go's package `time`. Must not touch: clock.

use std::fmt::Write;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// An element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperHalf,
    LowerHalf,
    ZoneName,
    /// `Z07:00` and its kin.
    Zone(ZoneStyle),
    /// `.000` or `.999`: how many digits, whether trailing zeros stay.
    Fraction {
        digits: usize,
        fixed: bool,
    },
}

/// How a zone's offset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ZoneStyle {
    /// `Z` stands for none.
    zulu: bool,
    colons: bool,
    to: Precision,
}

/// How far down an offset goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Hours,
    Minutes,
    Seconds,
}

const fn zone(zulu: bool, colons: bool, to: Precision) -> Element {
    Element::Zone(ZoneStyle { zulu, colons, to })
}

/// `-0700`.
const PLAIN_ZONE: ZoneStyle = ZoneStyle { zulu: false, colons: false, to: Precision::Minutes };

/// Longer ones first, where one begins like another.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::LongMonth),
    ("Jan", Element::Month),
    ("Monday", Element::LongWeekday),
    ("Mon", Element::Weekday),
    ("MST", Element::ZoneName),
    ("01", Element::ZeroMonth),
    ("002", Element::ZeroYearDay),
    ("02", Element::ZeroDay),
    ("03", Element::ZeroHour12),
    ("04", Element::ZeroMinute),
    ("05", Element::ZeroSecond),
    ("06", Element::Year),
    ("15", Element::Hour),
    ("1", Element::NumberMonth),
    ("2006", Element::LongYear),
    ("2", Element::Day),
    ("__2", Element::UnderYearDay),
    ("_2", Element::UnderDay),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::UpperHalf),
    ("pm", Element::LowerHalf),
    ("-07:00:00", zone(false, true, Precision::Seconds)),
    ("-070000", zone(false, false, Precision::Seconds)),
    ("-07:00", zone(false, true, Precision::Minutes)),
    ("-0700", zone(false, false, Precision::Minutes)),
    ("-07", zone(false, false, Precision::Hours)),
    ("Z07:00:00", zone(true, true, Precision::Seconds)),
    ("Z070000", zone(true, false, Precision::Seconds)),
    ("Z07:00", zone(true, true, Precision::Minutes)),
    ("Z0700", zone(true, false, Precision::Minutes)),
    ("Z07", zone(true, false, Precision::Hours)),
];

/// The text before the next element, the element as it stands, its meaning, and the rest.
fn next(layout: &str) -> Option<(&str, &str, Element, &str)> {
    for (at, character) in layout.char_indices() {
        let rest = &layout[at..];
        let found = ELEMENTS.iter().find(|(text, element)| {
            rest.starts_with(text)
                // `Janice` is a name, not a month; `_2006` is a blank and a year.
                && !(*element == Element::Month && rest[3..].starts_with(|next: char| next.is_ascii_lowercase()))
                && !(*element == Element::UnderDay && rest.starts_with("_2006"))
        });
        if let Some((text, element)) = found {
            return Some((&layout[..at], text, *element, &rest[text.len()..]));
        }
        if matches!(character, '.' | ',') {
            let digit = rest[1..].chars().next().filter(|digit| matches!(digit, '0' | '9'));
            if let Some(digit) = digit {
                let digits = rest[1..].chars().take_while(|next| *next == digit).count();
                let after = &rest[1 + digits..];
                if !after.starts_with(|next: char| next.is_ascii_digit()) {
                    let element = Element::Fraction { digits, fixed: digit == '0' };
                    return Some((&layout[..at], &rest[..=digits], element, after));
                }
            }
        }
    }
    None
}

/// Abbreviation of a time's zone; without one its offset, as Go writes it.
fn zone_name(time: &Zoned) -> String {
    let fixed = time.time_zone().to_fixed_offset().is_ok();
    if fixed && time.offset() == Offset::UTC {
        return "UTC".to_owned();
    }
    if fixed {
        return zone_text(time, PLAIN_ZONE);
    }
    time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_owned()
}

fn zone_text(time: &Zoned, style: ZoneStyle) -> String {
    let offset = time.offset().seconds();
    if style.zulu && offset == 0 {
        return "Z".to_owned();
    }
    let magnitude = offset.unsigned_abs();
    let colon = if style.colons { ":" } else { "" };
    let mut out = format!("{}{:02}", if offset < 0 { '-' } else { '+' }, magnitude / 3600);
    // Writing to a String cannot fail.
    if style.to >= Precision::Minutes {
        write!(out, "{colon}{:02}", magnitude / 60 % 60).unwrap_or_default();
    }
    if style.to == Precision::Seconds {
        write!(out, "{colon}{:02}", magnitude % 60).unwrap_or_default();
    }
    out
}

fn name_of(names: &'static [&'static str], number: i8) -> &'static str {
    usize::try_from(number).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

/// Name of a month, from 1 on.
pub(super) fn month_name(time: &Zoned) -> &'static str {
    name_of(&MONTHS, time.month() - 1)
}

/// Name of the day of the week.
pub(super) fn weekday_name(time: &Zoned) -> &'static str {
    name_of(&DAYS, time.weekday().to_sunday_zero_offset())
}

/// `Time.Format`.
pub(super) fn format(time: &Zoned, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    let hour12 = if time.hour() % 12 == 0 { 12 } else { time.hour() % 12 };
    while let Some((before, text, element, after)) = next(rest) {
        out.push_str(before);
        rest = after;
        let piece = match element {
            Element::LongMonth => month_name(time).to_owned(),
            Element::Month => month_name(time).chars().take(3).collect(),
            Element::NumberMonth => time.month().to_string(),
            Element::ZeroMonth => format!("{:02}", time.month()),
            Element::LongWeekday => weekday_name(time).to_owned(),
            Element::Weekday => weekday_name(time).chars().take(3).collect(),
            Element::Day => time.day().to_string(),
            Element::UnderDay => format!("{:2}", time.day()),
            Element::ZeroDay => format!("{:02}", time.day()),
            Element::UnderYearDay => format!("{:3}", time.day_of_year()),
            Element::ZeroYearDay => format!("{:03}", time.day_of_year()),
            Element::Hour => format!("{:02}", time.hour()),
            Element::Hour12 => hour12.to_string(),
            Element::ZeroHour12 => format!("{hour12:02}"),
            Element::Minute => time.minute().to_string(),
            Element::ZeroMinute => format!("{:02}", time.minute()),
            Element::Second => time.second().to_string(),
            Element::ZeroSecond => format!("{:02}", time.second()),
            Element::LongYear => format!("{:04}", time.year()),
            Element::Year => format!("{:02}", time.year().rem_euclid(100)),
            Element::UpperHalf => if time.hour() >= 12 { "PM" } else { "AM" }.to_owned(),
            Element::LowerHalf => if time.hour() >= 12 { "pm" } else { "am" }.to_owned(),
            Element::ZoneName => zone_name(time),
            Element::Zone(style) => zone_text(time, style),
            Element::Fraction { digits, fixed } => {
                let all = format!("{:09}", time.subsec_nanosecond());
                let padded: String = all.chars().chain(std::iter::repeat('0')).take(digits).collect();
                let kept = if fixed { padded.as_str() } else { padded.trim_end_matches('0') };
                if kept.is_empty() { String::new() } else { format!("{}{kept}", &text[..1]) }
            }
        };
        out.push_str(&piece);
    }
    out.push_str(rest);
    out
}

/// How `%v` shows a time.
pub(super) fn shown(time: &Zoned) -> String {
    format(time, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// Go's zero time, the first of January of the year 1.
pub(super) fn zero() -> Zoned {
    Timestamp::from_second(-62_135_596_800).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC)
}

/// What has been read of a text.
struct Reading {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    afternoon: Option<bool>,
    offset: Option<i32>,
}

/// Digits at the start of a text: between `least` and `most` of them.
fn digits(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn named<'t>(text: &'t str, names: &[&str], short: bool) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { &name[..3] } else { name };
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (index, &text[name.len()..]))
    })
}

fn zone_read(text: &str, style: ZoneStyle) -> Option<(i32, &str)> {
    if style.zulu
        && let Some(rest) = text.strip_prefix('Z')
    {
        return Some((0, rest));
    }
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+'])?;
    let (hours, after) = digits(rest, 2, 2)?;
    rest = after;
    let mut total = hours * 3600;
    for (wanted, unit) in [(style.to >= Precision::Minutes, 60), (style.to == Precision::Seconds, 1)] {
        if wanted {
            if style.colons {
                rest = rest.strip_prefix(':')?;
            }
            let (number, after) = digits(rest, 2, 2)?;
            total += number * unit;
            rest = after;
        }
    }
    Some((if negative { -total } else { total }, rest))
}

/// A zone's abbreviation: three or four capitals, or an offset.
fn zone_name_read(text: &str) -> Option<(Option<i32>, &str)> {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    if (3..=5).contains(&letters) {
        return Some((Some(0), &text[letters..]));
    }
    zone_read(text, ZoneStyle { to: Precision::Hours, ..PLAIN_ZONE })
        .map(|(offset, rest)| (Some(offset), rest))
}

/// `time.Parse`. The error is Go's.
pub(super) fn parse(layout: &str, value: &str) -> Result<Zoned, String> {
    let quote = super::super::engine::go::format::quote;
    let mismatch = |rest: &str, element: &str| {
        let (value, layout) = (quote(value), quote(layout));
        format!("parsing time {value} as {layout}: cannot parse {} as {}", quote(rest), quote(element))
    };
    let out_of_range = |what: &str| format!("parsing time {}: {what} out of range", quote(value));
    let mut reading = Reading {
        year: 0,
        month: None,
        day: None,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        afternoon: None,
        offset: None,
    };
    let (mut layout_rest, mut rest) = (layout, value);
    while let Some((before, text, element, after)) = next(layout_rest) {
        rest = rest.strip_prefix(before).ok_or_else(|| mismatch(rest, before))?;
        layout_rest = after;
        let fault = || mismatch(rest, text);
        rest = reading.element(element, rest, layout_rest).ok_or_else(fault)?;
        reading.check().map_err(&out_of_range)?;
    }
    rest = rest.strip_prefix(layout_rest).ok_or_else(|| mismatch(rest, layout_rest))?;
    if !rest.is_empty() {
        return Err(format!("parsing time {}: extra text: {}", quote(value), quote(rest)));
    }
    reading.finish().map_err(&out_of_range)
}

impl Reading {
    /// Reads one element; gives the rest.
    fn element<'t>(&mut self, element: Element, text: &'t str, layout_rest: &str) -> Option<&'t str> {
        let small = |least: usize, most: usize| -> Option<(i8, &'t str)> {
            let (number, rest) = digits(text, least, most)?;
            Some((i8::try_from(number).ok()?, rest))
        };
        let rest = match element {
            Element::LongYear => {
                let (year, rest) = digits(text, 4, 4)?;
                self.year = i16::try_from(year).ok()?;
                rest
            }
            Element::Year => {
                let (year, rest) = digits(text, 2, 2)?;
                let year = i16::try_from(year).ok()?;
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
                rest
            }
            Element::LongMonth | Element::Month => {
                let (index, rest) = named(text, &MONTHS, element == Element::Month)?;
                self.month = i8::try_from(index + 1).ok();
                rest
            }
            Element::NumberMonth | Element::ZeroMonth => {
                let (month, rest) = small(if element == Element::ZeroMonth { 2 } else { 1 }, 2)?;
                self.month = Some(month);
                rest
            }
            Element::LongWeekday | Element::Weekday => named(text, &DAYS, element == Element::Weekday)?.1,
            Element::Day | Element::UnderDay | Element::ZeroDay => {
                let trimmed =
                    if element == Element::UnderDay { text.strip_prefix(' ').unwrap_or(text) } else { text };
                let least = if element == Element::ZeroDay { 2 } else { 1 };
                let (day, rest) = digits(trimmed, least, 2)?;
                self.day = i8::try_from(day).ok();
                rest
            }
            Element::UnderYearDay | Element::ZeroYearDay => {
                let (day, rest) = digits(text.trim_start_matches(' '), 1, 3)?;
                self.year_day = i16::try_from(day).ok();
                rest
            }
            Element::Hour => {
                let (hour, rest) = small(1, 2)?;
                self.hour = hour;
                rest
            }
            Element::Hour12 | Element::ZeroHour12 => {
                let (hour, rest) = small(if element == Element::ZeroHour12 { 2 } else { 1 }, 2)?;
                self.hour = hour;
                rest
            }
            Element::Minute | Element::ZeroMinute => {
                let (minute, rest) = small(if element == Element::ZeroMinute { 2 } else { 1 }, 2)?;
                self.minute = minute;
                rest
            }
            Element::Second | Element::ZeroSecond => {
                let (second, rest) = small(if element == Element::ZeroSecond { 2 } else { 1 }, 2)?;
                self.second = second;
                // A fraction may follow the seconds even where the layout has none.
                let wanted = next(layout_rest).is_some_and(|(before, _, element, _)| {
                    before.is_empty() && matches!(element, Element::Fraction { .. })
                });
                if wanted { rest } else { self.fraction(rest, None).unwrap_or(rest) }
            }
            Element::UpperHalf | Element::LowerHalf => {
                let half = text.get(..2)?;
                let (am, pm) = if element == Element::UpperHalf { ("AM", "PM") } else { ("am", "pm") };
                self.afternoon = if half == pm {
                    Some(true)
                } else if half == am {
                    Some(false)
                } else {
                    return None;
                };
                &text[2..]
            }
            Element::ZoneName => {
                let (offset, rest) = zone_name_read(text)?;
                self.offset = offset;
                rest
            }
            Element::Zone(style) => {
                let (offset, rest) = zone_read(text, style)?;
                self.offset = Some(offset);
                rest
            }
            Element::Fraction { digits, fixed: true } => self.fraction(text, Some(digits))?,
            Element::Fraction { fixed: false, .. } => self.fraction(text, None).unwrap_or(text),
        };
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str, exactly: Option<usize>) -> Option<&'t str> {
        let digits = text.strip_prefix(['.', ','])?;
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        let count = exactly.unwrap_or(count);
        if count == 0 || digits.len() < count || !digits[..count].bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let padded: String = digits[..count].chars().chain(std::iter::repeat('0')).take(9).collect();
        self.nanosecond = padded.parse().ok()?;
        Some(&digits[count..])
    }

    fn check(&self) -> Result<(), &'static str> {
        match self {
            _ if self.month.is_some_and(|month| !(1..=12).contains(&month)) => Err("month"),
            _ if self.hour > 23 => Err("hour"),
            _ if self.minute > 59 => Err("minute"),
            _ if self.second > 59 => Err("second"),
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Zoned, &'static str> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = match self.year_day {
            Some(day) => {
                let first = Date::new(self.year, 1, 1).map_err(|_| "year")?;
                first.with().day_of_year(day).build().map_err(|_| "day-of-year")?
            }
            None => {
                Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).map_err(|_| "day")?
            }
        };
        let time = Time::new(hour, self.minute, self.second, self.nanosecond).map_err(|_| "hour")?;
        let zone = match self.offset {
            None | Some(0) => TimeZone::UTC,
            Some(offset) => TimeZone::fixed(Offset::from_seconds(offset).map_err(|_| "time zone offset")?),
        };
        DateTime::from_parts(date, time).to_zoned(zone).map_err(|_| "year")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Zoned {
        "2023-12-31T17:04:09.050Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC)
    }

    #[test]
    fn layouts_write_times() {
        for (layout, expected) in [
            ("2006-01-02 15:04:05", "2023-12-31 17:04:09"),
            ("Mon Jan _2 3:4:5 PM 06", "Sun Dec 31 5:4:9 PM 23"),
            ("Monday, 02-January-2006 03:04:05pm", "Sunday, 31-December-2023 05:04:09pm"),
            ("2006-01-02T15:04:05Z07:00", "2023-12-31T17:04:09Z"),
            ("15:04:05.000 -0700 MST", "17:04:09.050 +0000 UTC"),
            ("05.999 002 __2", "09.05 365 365"),
            ("20060102T150405", "20231231T170409"),
            ("Janet ran", "Janet ran"),
        ] {
            assert_eq!(format(&moment(), layout), expected, "{layout}");
        }
        assert_eq!(shown(&moment()), "2023-12-31 17:04:09.05 +0000 UTC");
        assert_eq!(shown(&zero()), "0001-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn layouts_read_times() {
        for (layout, text, expected) in [
            ("2006-01-02", "2023-12-31", "2023-12-31 00:00:00 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2023-12-31T10:00:00+02:00", "2023-12-31 10:00:00 +0200 +0200"),
            ("02 Jan 06 15:04 MST", "01 Feb 24 08:09 UTC", "2024-02-01 08:09:00 +0000 UTC"),
            ("3:04PM", "12:30AM", "0000-01-01 00:30:00 +0000 UTC"),
            ("15:04:05", "01:02:03.5", "0000-01-01 01:02:03.5 +0000 UTC"),
        ] {
            assert_eq!(parse(layout, text).map(|time| shown(&time)).as_deref(), Ok(expected), "{text}");
        }
        for (layout, text, expected) in [
            ("2006-01-02", "x", "parsing time \"x\" as \"2006-01-02\": cannot parse \"x\" as \"2006\""),
            ("2006-01-02", "2023-13-01", "parsing time \"2023-13-01\": month out of range"),
            ("2006-01-02", "2023-02-30", "parsing time \"2023-02-30\": day out of range"),
            ("2006-01-02", "2023-02-03 ", "parsing time \"2023-02-03 \": extra text: \" \""),
        ] {
            assert_eq!(parse(layout, text), Err(expected.to_owned()));
        }
    }
}
