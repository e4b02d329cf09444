//! Expected moments and words are those of go-cron v0.15.0 itself, printed by a program that calls `ParseStandard` and `Next`.

use proptest::prelude::*;
use rstest::rstest;

use super::values::Values;
use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[rstest]
#[case("*/1 * * * *", "2026-11-21T10:00:00Z", "2026-11-21T10:01:00Z", "2026-11-21T10:02:00Z")]
#[case("*/1 * * * *", "2026-11-21T10:00:59.999Z", "2026-11-21T10:01:00Z", "2026-11-21T10:02:00Z")]
#[case("0 */1 * * *", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z")]
#[case("0 */1 * * *", "2026-11-21T09:59:59Z", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")]
#[case("15,45 * * * *", "2026-11-21T10:20:00Z", "2026-11-21T10:45:00Z", "2026-11-21T11:15:00Z")]
#[case("5/20 * * * *", "2026-11-21T10:26:00Z", "2026-11-21T10:45:00Z", "2026-11-21T11:05:00Z")]
#[case("5/20 * * * *", "2026-11-21T10:45:00Z", "2026-11-21T11:05:00Z", "2026-11-21T11:25:00Z")]
#[case("10-30/10 3 * * ?", "2026-11-21T03:20:00Z", "2026-11-21T03:30:00Z", "2026-11-22T03:10:00Z")]
#[case("0 0 31 * *", "2026-11-21T00:00:00Z", "2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z")]
#[case("0 0 29 2 *", "2026-11-21T00:00:00Z", "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z")]
#[case("30 4 * jan,JUL *", "2026-11-21T00:00:00Z", "2027-01-01T04:30:00Z", "2027-01-02T04:30:00Z")]
#[case("0 12 * * mon-FRI", "2026-11-21T00:00:00Z", "2026-11-23T12:00:00Z", "2026-11-24T12:00:00Z")]
#[case("0 12 * * 0", "2026-11-21T00:00:00Z", "2026-11-22T12:00:00Z", "2026-11-29T12:00:00Z")]
#[case("0 0 25 * sun", "2026-11-21T00:00:00Z", "2027-04-25T00:00:00Z", "2027-07-25T00:00:00Z")]
#[case("0 0 25 * sun", "2026-11-22T00:00:00Z", "2027-04-25T00:00:00Z", "2027-07-25T00:00:00Z")]
#[case("0 0 */1 * sun", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z")]
#[case("0 0 */2 * sun", "2026-11-21T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-13T00:00:00Z")]
#[case("0 0 */2 * sun", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-13T00:00:00Z")]
#[case("@hourly", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z")]
#[case("@daily", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")]
#[case("@midnight", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")]
#[case("@weekly", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z")]
#[case("@monthly", "2026-11-21T10:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")]
#[case("@yearly", "2026-11-21T10:00:00Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z")]
#[case("@annually", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z")]
#[case("@every 1h30m", "2026-11-21T10:00:07.5Z", "2026-11-21T11:30:07Z", "2026-11-21T13:00:07Z")]
#[case("@every 1500ms", "2026-11-21T10:00:00Z", "2026-11-21T10:00:01Z", "2026-11-21T10:00:02Z")]
#[case("CRON_TZ=UTC 0 6 * * *", "2026-11-21T10:00:00Z", "2026-11-22T06:00:00Z", "2026-11-23T06:00:00Z")]
#[case(
    "CRON_TZ=Europe/Berlin 0 6 * * *",
    "2026-11-21T10:00:00Z",
    "2026-11-22T05:00:00Z",
    "2026-11-23T05:00:00Z"
)]
#[case("TZ=Europe/Berlin 0 6 * * *", "2026-07-01T10:00:00Z", "2026-07-02T04:00:00Z", "2026-07-03T04:00:00Z")]
#[case("TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z")]
#[case("TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z")]
#[case("TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z")]
#[case("*-5 * * * *", "2026-11-21T10:30:00Z", "2026-11-21T10:31:00Z", "2026-11-21T10:32:00Z")]
#[case("0 0 * * 7", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z")]
#[case("0 0 * * 5-7", "2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z")]
#[case("0 0 * * fri-mon", "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z")]
#[case("0 22-2 * * *", "2026-11-21T02:00:00Z", "2026-11-21T22:00:00Z", "2026-11-21T23:00:00Z")]
#[case("50-10/5 * * * *", "2026-11-21T10:10:00Z", "2026-11-21T10:50:00Z", "2026-11-21T10:55:00Z")]
#[case("50-10/7 * * * *", "2026-11-21T10:51:00Z", "2026-11-21T10:57:00Z", "2026-11-21T11:04:00Z")]
#[case("0 0 1 11-2 *", "2026-11-21T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")]
#[case("0 0 1,15 * 1", "2026-11-21T00:00:00Z", "2027-02-01T00:00:00Z", "2027-02-15T00:00:00Z")]
#[case("0 0 29-2 * *", "2026-11-21T00:00:00Z", "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z")]
#[case(
    "TZ=Europe/Berlin 15 2,3 29 3 *",
    "2026-03-28T12:00:00Z",
    "2026-03-29T01:15:00Z",
    "2027-03-29T00:15:00Z"
)]
#[case("TZ=Europe/Berlin 0 2 29 3 *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z", "2027-03-29T00:00:00Z")]
#[case(
    "TZ=America/Sao_Paulo 0 0 * * *",
    "2018-11-03T12:00:00Z",
    "2018-11-05T02:00:00Z",
    "2018-11-06T02:00:00Z"
)]
#[case(
    "TZ=America/Sao_Paulo 30 0 * * *",
    "2018-11-03T12:00:00Z",
    "2018-11-05T02:30:00Z",
    "2018-11-06T02:30:00Z"
)]
#[case(
    "TZ=Australia/Lord_Howe 15 2 * * *",
    "2026-10-03T00:00:00Z",
    "2026-10-04T15:15:00Z",
    "2026-10-05T15:15:00Z"
)]
fn due_next(#[case] expression: &str, #[case] after: &str, #[case] first: &str, #[case] second: &str) {
    let cron: Cron = expression.parse().unwrap();
    assert_eq!(cron.next(at(after)), Some(at(first)), "{expression} after {after}");
    assert_eq!(cron.next(at(first)), Some(at(second)), "{expression} after {first}");
}

#[rstest]
#[case("0 0 30 2 *")]
#[case(", * * * *")]
#[case("@triggered")]
fn accepted_and_never_due(#[case] expression: &str) {
    let cron: Cron = expression.parse().unwrap();
    assert_eq!(cron.next(at("2026-11-21T10:00:00Z")), None);
    assert!(cron.is_never_due());
    assert!(!"0 0 29 2 1".parse::<Cron>().unwrap().is_never_due());
}

#[rstest]
#[case("* * * * 7")]
#[case("30-10 * * * *")]
#[case("0 0 * * 7")]
#[case("0 0 * * 5-7")]
#[case("0 0 * * 7-2")]
#[case("0 0 * * 6-7")]
#[case("0 0 * * FRI-MON")]
#[case("0 22-2 * * *")]
#[case("50-10 * * * *")]
#[case("50-10/5 * * * *")]
#[case("*/59 * * * *")]
#[case("5/20 * * * *")]
#[case("1-5/4 * * * *")]
#[case("0 0 * JUL THU")]
#[case("@triggered")]
#[case("@manual")]
#[case("@none")]
#[case("@every 1500ms")]
#[case("TZ=\"Europe/Berlin\" 0 0 * * *")]
#[case("TZ='UTC' 0 0 * * *")]
#[case("TZ=Local 0 0 * * *")]
#[case("+5 * * * *")]
#[case("5-+7 * * * *")]
#[case("*-5 * * * *")]
#[case("?/15 * * * *")]
#[case(", * * * *")]
#[case(" 0 0 * * *")]
#[case("0	0 * * *")]
#[case("*/1 * * * *")]
#[case("0 0 30 2 *")]
#[case("0 0 ?/2 * *")]
#[case("0 0 1,15 * 1")]
fn accepted(#[case] expression: &str) {
    assert!(expression.parse::<Cron>().is_ok(), "{expression}");
}

#[rstest]
#[case("@every -1h", "@every duration must be at least 1s: \"@every -1h\"")]
#[case("TZ=  @daily", "invalid timezone \"\": empty timezone string")]
#[case("* * * *", "expected exactly 5 fields, found 4: [* * * *]")]
#[case("0 0 0 * * *", "expected exactly 5 fields, found 6: [0 0 0 * * *]")]
#[case(" @daily", "expected exactly 5 fields, found 1: [@daily]")]
#[case("@Daily", "unrecognized descriptor: \"@Daily\"")]
#[case("@every", "unrecognized descriptor: \"@every\"")]
#[case("TZ=UTC", "missing fields after timezone in spec \"TZ=UTC\"")]
#[case("60 * * * *", "end of range (60) above maximum (59): \"60\"")]
#[case("* 24 * * *", "end of range (24) above maximum (23): \"24\"")]
#[case("* * 0 * *", "beginning of range (0) below minimum (1): \"0\"")]
#[case("* * * 13 *", "end of range (13) above maximum (12): \"13\"")]
#[case("1-2-3 * * * *", "too many hyphens: \"1-2-3\"")]
#[case("*/2/3 * * * *", "too many slashes: \"*/2/3\"")]
#[case("* */0 * * *", "step of range must be a positive number: \"*/0\"")]
#[case("@every 1d", "failed to parse duration \"@every 1d\": time: unknown unit \"d\" in duration \"1d\"")]
#[case("CRON_TZ=Mars/Base * * * * *", "unknown time zone \"Mars/Base\": unknown time zone Mars/Base")]
#[case(
    "* * * * sunday",
    "failed to parse int from \"sunday\": strconv.Atoi: parsing \"sunday\": invalid syntax"
)]
#[case("-5 * * * *", "failed to parse int from \"\": strconv.Atoi: parsing \"\": invalid syntax")]
#[case("*/60 * * * *", "step (60) must be less than range size (60): \"*/60\"")]
#[case("*/61 * * * *", "step (61) must be less than range size (60): \"*/61\"")]
#[case("0 */24 * * *", "step (24) must be less than range size (24): \"*/24\"")]
#[case("0 0 */31 * *", "step (31) must be less than range size (31): \"*/31\"")]
#[case("5/55 * * * *", "step (55) must be less than range size (55): \"5/55\"")]
#[case("1-5/5 * * * *", "step (5) must be less than range size (5): \"1-5/5\"")]
#[case(
    "0 0 L * *",
    "extended day-of-month syntax requires DomL option (for L, L-n) or DomW option (for nW, LW) to be enabled"
)]
#[case(
    "0 0 15W * *",
    "extended day-of-month syntax requires DomL option (for L, L-n) or DomW option (for nW, LW) to be enabled"
)]
#[case(
    "0 0 LW * *",
    "extended day-of-month syntax requires DomL option (for L, L-n) or DomW option (for nW, LW) to be enabled"
)]
#[case("0 0 * * 5#2", "#n/#L syntax requires DowNth or DowLast option to be enabled")]
#[case("H * * * *", "h expressions require hash option to be enabled")]
#[case("H(0-30) * * * *", "h expressions require hash option to be enabled")]
#[case("0 0 * jul l", "failed to parse int from \"l\": strconv.Atoi: parsing \"l\": invalid syntax")]
#[case(
    "0 0 jul * *",
    "extended day-of-month syntax requires DomL option (for L, L-n) or DomW option (for nW, LW) to be enabled"
)]
#[case("@every 0s", "@every duration must be at least 1s: \"@every 0s\"")]
#[case("@every 500ms", "@every duration must be at least 1s: \"@every 500ms\"")]
#[case("@every  1h", "failed to parse duration \"@every  1h\": time: invalid duration \" 1h\"")]
#[case("@Every 1h", "unrecognized descriptor: \"@Every 1h\"")]
#[case(
    "TZ='UTC\" 0 0 * * *",
    "invalid timezone \"'UTC\\\"\": invalid character '\\'' at position 0 in timezone"
)]
#[case("TZ= 0 0 * * *", "invalid timezone \"\": empty timezone string")]
#[case("TZ=UTC ", "missing fields after timezone \"UTC\"")]
#[case("CRON_TZ=UTC   ", "missing fields after timezone \"UTC\"")]
#[case("CRON_TZ=  @daily", "invalid timezone \"\": empty timezone string")]
#[case(
    "TZ=Europe/Ber$lin 0 0 * * *",
    "invalid timezone \"Europe/Ber$lin\": invalid character '$' at position 10 in timezone"
)]
#[case("* * * * 8", "end of range (8) above maximum (7): \"8\"")]
#[case("* * * * 0-8", "end of range (8) above maximum (7): \"0-8\"")]
#[case("99999999999 * * * *", "end of range (99999999999) above maximum (59): \"99999999999\"")]
#[case(
    "99999999999999999999 * * * *",
    "failed to parse int from \"99999999999999999999\": strconv.Atoi: parsing \"99999999999999999999\": value out of range"
)]
fn refused(#[case] expression: &str, #[case] problem: &str) {
    let error = expression.parse::<Cron>().unwrap_err();
    assert_eq!(error.problem().to_string(), problem);
}

#[test]
fn the_field_at_fault_is_named() {
    for (expression, field) in [
        ("60 * * * *", Field::Minute),
        ("0 24 * * *", Field::Hour),
        ("0 0 L * *", Field::DayOfMonth),
        ("0 0 1 13 *", Field::Month),
        ("0 0 * * 8", Field::DayOfWeek),
    ] {
        let error = expression.parse::<Cron>().unwrap_err();
        assert!(error.to_string().contains(&format!("the {field} field")), "{error}");
    }
}

/// Checked against robfig/cron v3.0.1 by reading its parser: Sunday is 0 only, ranges do not wrap, either day suffices.
#[rstest]
#[case("0 0 * * 0", None)]
#[case("0 0 * * sun", None)]
#[case("0 0 1 * *", None)]
#[case("0 0 */1 * 1", None)]
#[case("@every 6h", None)]
#[case("0 0 * * 7", Some(Older::Refused))]
#[case("0 0 * * 5-7", Some(Older::Refused))]
#[case("0 22-2 * * *", Some(Older::Refused))]
#[case("@manual", Some(Older::Refused))]
#[case("TZ='UTC' 0 0 * * *", Some(Older::Refused))]
#[case("0 0 * * 1/2", Some(Older::WithoutSunday))]
#[case("0 0 25 * sun", Some(Older::EitherDay))]
#[case("0 0 */2 * sun", Some(Older::EitherDay))]
fn how_older_velero_reads_it(#[case] expression: &str, #[case] expected: Option<Older>) {
    assert_eq!(expression.parse::<Cron>().unwrap().older(), expected, "{expression}");
}

fn entry(minimum: u64, maximum: u64) -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        (minimum..=maximum).prop_map(|value| value.to_string()),
        (minimum..=maximum, minimum..=maximum).prop_map(|(one, other)| format!(
            "{}-{}",
            one.min(other),
            one.max(other)
        )),
        (1..=(maximum - minimum)).prop_map(|step| format!("*/{step}")),
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
    fn no_text_breaks_the_reader(text in "(TZ=UTC )?[-*/?,@0-9a-zHLW ]{0,24}") {
        let _ = text.parse::<Cron>();
    }
}
