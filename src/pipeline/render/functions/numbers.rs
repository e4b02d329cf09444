//! Sprig's arithmetic. Every argument is cast: a text is parsed, what cannot be cast is 0.

use super::super::engine::go::Parameter::{Any, Int};
use super::super::engine::go::{Function, Value, fixed, format, variadic};
use super::super::session::Session;
use super::{shown, size};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("add", &[], Any, |_, a| Ok(folded(a, 0, i64::wrapping_add))),
    fixed("add1", &[Any], |_, a| Ok(Value::Int64(to_int64(&a[0]).wrapping_add(1)))),
    fixed("add1f", &[Any], |_, a| Ok(Value::Float(to_float64(&a[0]) + 1.0))),
    variadic("addf", &[], Any, |_, a| Ok(Value::Float(a.iter().map(to_float64).sum()))),
    variadic("biggest", &[Any], Any, |_, a| Ok(extreme(a, i64::max))),
    fixed("ceil", &[Any], |_, a| Ok(Value::Float(to_float64(&a[0]).ceil()))),
    fixed("div", &[Any, Any], |_, a| quotient(a, i64::wrapping_div)),
    variadic("divf", &[Any], Any, quotient_of_floats),
    fixed("float64", &[Any], |_, a| Ok(Value::Float(to_float64(&a[0])))),
    fixed("floor", &[Any], |_, a| Ok(Value::Float(to_float64(&a[0]).floor()))),
    fixed("int", &[Any], |_, a| Ok(Value::Int(to_int64(&a[0])))),
    fixed("int64", &[Any], |_, a| Ok(Value::Int64(to_int64(&a[0])))),
    variadic("max", &[Any], Any, |_, a| Ok(extreme(a, i64::max))),
    variadic("maxf", &[Any], Any, |_, a| Ok(folded_float(a, f64::max))),
    variadic("min", &[Any], Any, |_, a| Ok(extreme(a, i64::min))),
    variadic("minf", &[Any], Any, |_, a| Ok(folded_float(a, f64::min))),
    fixed("mod", &[Any, Any], |_, a| quotient(a, i64::wrapping_rem)),
    variadic("mul", &[Any], Any, |_, a| Ok(folded(a, 1, i64::wrapping_mul))),
    variadic("mulf", &[Any], Any, |_, a| Ok(folded_float(a, |left, right| left * right))),
    variadic("round", &[Any, Int], Any, round),
    fixed("sub", &[Any, Any], |_, a| Ok(Value::Int64(to_int64(&a[0]).wrapping_sub(to_int64(&a[1]))))),
    variadic("subf", &[Any], Any, |_, a| Ok(folded_float(a, |left, right| left - right))),
    fixed("toDecimal", &[Any], |_, a| Ok(Value::Int64(i64::from_str_radix(&shown(&a[0])?, 8).unwrap_or(0)))),
];

/// `cast.ToInt64`.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Bool(value) => i64::from(*value),
        Value::Int(value) | Value::Int64(value) => *value,
        #[expect(clippy::cast_possible_truncation, reason = "truncation is what the cast does")]
        Value::Float(value) => *value as i64,
        Value::Text(text) => parse(text),
        _ => 0,
    }
}

/// A text with a fraction of nothing but zeros is an integer too.
fn parse(text: &str) -> i64 {
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    match format::parse_int(whole) {
        Some(number) => number,
        None if separates_digits(whole) => format::parse_int(&whole.replace('_', "")).unwrap_or(0),
        None => 0,
    }
}

/// Whether every underscore stands between two digits, as Go's literals may have them.
fn separates_digits(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']).as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| digits.get(at)).is_some_and(u8::is_ascii_hexdigit);
    text.contains('_')
        && digits
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'_')
            .all(|(at, _)| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
}

/// `cast.ToFloat64`.
fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        #[expect(clippy::cast_precision_loss, reason = "as Go's conversion")]
        Value::Text(text) if separates_digits(text) => to_int64(value) as f64,
        Value::Text(text) => text.parse().unwrap_or(0.0),
        #[expect(clippy::cast_precision_loss, reason = "as Go's conversion")]
        other => to_int64(other) as f64,
    }
}

fn folded(arguments: &[Value], start: i64, combine: fn(i64, i64) -> i64) -> Value {
    Value::Int64(arguments.iter().map(to_int64).fold(start, combine))
}

fn extreme(arguments: &[Value], choose: fn(i64, i64) -> i64) -> Value {
    Value::Int64(arguments.iter().map(to_int64).reduce(choose).unwrap_or(0))
}

fn folded_float(arguments: &[Value], combine: fn(f64, f64) -> f64) -> Value {
    Value::Float(arguments.iter().map(to_float64).reduce(combine).unwrap_or(0.0))
}

fn quotient(arguments: &[Value], combine: fn(i64, i64) -> i64) -> Result<Value, String> {
    let (left, right) = (to_int64(&arguments[0]), to_int64(&arguments[1]));
    if right == 0 {
        return Err("runtime error: integer divide by zero".to_owned());
    }
    Ok(Value::Int64(combine(left, right)))
}

/// A quotient of decimals, which have no infinity.
fn quotient_of_floats(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    if arguments.iter().skip(1).any(|divisor| to_float64(divisor) == 0.0) {
        return Err("decimal division by 0".to_owned());
    }
    Ok(folded_float(arguments, |left, right| left / right))
}

/// Rounds half up from the third argument on, which is 0.5 when it is missing.
#[expect(clippy::unnecessary_wraps, reason = "the signature of functions")]
fn round(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let half = arguments.get(2).map_or(0.5, to_float64);
    let places = i32::try_from(size(to_int64(&arguments[1])).min(300)).unwrap_or(0);
    let factor = 10_f64.powi(places);
    let scaled = to_float64(&arguments[0]) * factor;
    let rounded = if scaled.fract() >= half { scaled.ceil() } else { scaled.floor() };
    Ok(Value::Float(rounded / factor))
}
