//! Sprig's functions of regular expressions.
//!
//! The syntax is that of the `regex` crate, which is Go's but for rare escapes; both match in linear time.

use regex::{Regex, RegexBuilder};

use super::super::engine::go::Parameter::{Int, Text};
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{int, ok_text, size, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("mustRegexFind", &[Text, Text], |session, a| find(session, a, compiled)),
    fixed("mustRegexFindAll", &[Text, Text, Int], |session, a| find_all(session, a, compiled)),
    fixed("mustRegexMatch", &[Text, Text], must_match),
    fixed("mustRegexReplaceAll", &[Text, Text, Text], |session, a| replace_all(session, a, true, compiled)),
    fixed("mustRegexReplaceAllLiteral", &[Text, Text, Text], |session, a| {
        replace_all(session, a, false, compiled)
    }),
    fixed("mustRegexSplit", &[Text, Text, Int], |session, a| split(session, a, compiled)),
    fixed("regexFind", &[Text, Text], |session, a| find(session, a, compiled_or_panic)),
    fixed("regexFindAll", &[Text, Text, Int], |session, a| find_all(session, a, compiled_or_panic)),
    fixed("regexMatch", &[Text, Text], is_match),
    fixed("regexQuoteMeta", &[Text], |_, a| ok_text(quote_meta(text(a, 0)))),
    fixed("regexReplaceAll", &[Text, Text, Text], |session, a| {
        replace_all(session, a, true, compiled_or_panic)
    }),
    fixed("regexReplaceAllLiteral", &[Text, Text, Text], |session, a| {
        replace_all(session, a, false, compiled_or_panic)
    }),
    fixed("regexSplit", &[Text, Text, Int], |session, a| split(session, a, compiled_or_panic)),
];

/// How a pattern becomes a regular expression, or fails.
type Compile = fn(&mut Session<'_>, &[Value]) -> Result<Regex, String>;

/// What compiling one pattern costs of a rendering's means, in bytes.
const COST: usize = 20_000;

fn compiled(session: &mut Session<'_>, arguments: &[Value]) -> Result<Regex, String> {
    session.charge(COST)?;
    let pattern = text(arguments, 0);
    RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .build()
        .map_err(|error| format!("error parsing regexp: {}", complaint(pattern, &error.to_string())))
}

/// What is wrong with a pattern, in Go's words where it has words for it.
fn complaint(pattern: &str, reason: &str) -> String {
    let reason = reason.rsplit("error: ").next().unwrap_or(reason).trim();
    let from = |wanted: char| pattern.find(wanted).map_or(pattern, |at| &pattern[at..]);
    if reason.starts_with("unclosed group") {
        format!("missing closing ): `{pattern}`")
    } else if reason.starts_with("unopened group") {
        format!("unexpected ): `{pattern}`")
    } else if reason.starts_with("unclosed character class") {
        format!("missing closing ]: `{}`", from('['))
    } else if reason.starts_with("repetition operator missing expression") {
        let operator = pattern.find(['*', '+', '?']).map_or(pattern, |at| &pattern[at..=at]);
        format!("missing argument to repetition operator: `{operator}`")
    } else if reason.starts_with("unrecognized escape sequence") {
        let escape: String = from('\\').chars().take(2).collect();
        format!("invalid escape sequence: `{escape}`")
    } else if reason.contains("look-around") {
        format!(
            "invalid or unsupported Perl syntax: `{}`",
            pattern.find("(?").map_or("(?", |at| &pattern[at..])
        )
    } else {
        format!("`{pattern}`: {reason}")
    }
}

/// The same for functions of which Go's would panic.
fn compiled_or_panic(session: &mut Session<'_>, arguments: &[Value]) -> Result<Regex, String> {
    let pattern = text(arguments, 0);
    compiled(session, arguments).map_err(|reason| format!("regexp: Compile(`{pattern}`): {reason}"))
}

fn must_match(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(Value::Bool(compiled(session, arguments)?.is_match(text(arguments, 1))))
}

/// A pattern that is none matches nothing.
fn is_match(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    session.charge(COST)?;
    Ok(Value::Bool(compiled(session, arguments).is_ok_and(|regex| regex.is_match(text(arguments, 1)))))
}

fn find(session: &mut Session<'_>, arguments: &[Value], compile: Compile) -> Result<Value, String> {
    let regex = compile(session, arguments)?;
    ok_text(regex.find(text(arguments, 1)).map_or("", |found| found.as_str()))
}

/// A negative count is no limit.
fn limit(arguments: &[Value]) -> usize {
    let count = int(arguments, 2);
    if count < 0 { usize::MAX } else { size(count) }
}

fn find_all(session: &mut Session<'_>, arguments: &[Value], compile: Compile) -> Result<Value, String> {
    let regex = compile(session, arguments)?;
    let found = regex.find_iter(text(arguments, 1)).take(limit(arguments));
    Ok(found.map(|found| Value::text(found.as_str())).collect::<Vec<_>>().into())
}

fn split(session: &mut Session<'_>, arguments: &[Value], compile: Compile) -> Result<Value, String> {
    let regex = compile(session, arguments)?;
    let (whole, limit) = (text(arguments, 1), limit(arguments));
    if limit == 0 {
        return Ok(Vec::new().into());
    }
    if whole.is_empty() && !regex.as_str().is_empty() {
        return Ok(vec![Value::text("")].into());
    }
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for found in regex.find_iter(whole).take(limit) {
        if parts.len() + 1 == limit {
            break;
        }
        end = found.start();
        // Nothing before the start is no part.
        if found.end() != 0 {
            parts.push(Value::text(&whole[begin..end]));
        }
        begin = found.end();
    }
    if end != whole.len() {
        parts.push(Value::text(&whole[begin..]));
    }
    Ok(parts.into())
}

fn replace_all(
    session: &mut Session<'_>,
    arguments: &[Value],
    expand: bool,
    compile: Compile,
) -> Result<Value, String> {
    let regex = compile(session, arguments)?;
    let (whole, replacement) = (text(arguments, 1), text(arguments, 2));
    session.charge((whole.len() + 1).saturating_mul(replacement.len()))?;
    ok_text(if expand {
        regex.replace_all(whole, replacement)
    } else {
        regex.replace_all(whole, regex::NoExpand(replacement))
    })
}

fn quote_meta(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
