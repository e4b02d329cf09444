//! Sprig's functions of regular expressions.
//!
//! The syntax is that of the `regex` crate, which is Go's but for rare escapes; both match in linear time.

use regex::{Regex, RegexBuilder};

use super::super::engine::go::Parameter::{Int, Text};
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{int, ok_text, size, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("mustRegexFind", &[Text, Text], find),
    fixed("mustRegexFindAll", &[Text, Text, Int], find_all),
    fixed("mustRegexMatch", &[Text, Text], is_match),
    fixed("mustRegexReplaceAll", &[Text, Text, Text], |session, a| replace_all(session, a, true)),
    fixed("mustRegexReplaceAllLiteral", &[Text, Text, Text], |session, a| replace_all(session, a, false)),
    fixed("mustRegexSplit", &[Text, Text, Int], split),
    fixed("regexFind", &[Text, Text], find),
    fixed("regexFindAll", &[Text, Text, Int], find_all),
    fixed("regexMatch", &[Text, Text], is_match),
    fixed("regexQuoteMeta", &[Text], |_, a| ok_text(quote_meta(text(a, 0)))),
    fixed("regexReplaceAll", &[Text, Text, Text], |session, a| replace_all(session, a, true)),
    fixed("regexReplaceAllLiteral", &[Text, Text, Text], |session, a| replace_all(session, a, false)),
    fixed("regexSplit", &[Text, Text, Int], split),
];

/// What compiling one pattern costs of a rendering's means, in bytes.
const COST: usize = 20_000;

fn compiled(session: &mut Session<'_>, arguments: &[Value]) -> Result<Regex, String> {
    session.charge(COST)?;
    let pattern = text(arguments, 0);
    RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .build()
        .map_err(|_| format!("error parsing regexp: `{pattern}`"))
}

fn is_match(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(Value::Bool(compiled(session, arguments)?.is_match(text(arguments, 1))))
}

fn find(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let regex = compiled(session, arguments)?;
    ok_text(regex.find(text(arguments, 1)).map_or("", |found| found.as_str()))
}

/// A negative count is no limit.
fn limit(arguments: &[Value]) -> usize {
    let count = int(arguments, 2);
    if count < 0 { usize::MAX } else { size(count) }
}

fn find_all(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let regex = compiled(session, arguments)?;
    let found = regex.find_iter(text(arguments, 1)).take(limit(arguments));
    Ok(found.map(|found| Value::text(found.as_str())).collect::<Vec<_>>().into())
}

fn split(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let regex = compiled(session, arguments)?;
    let parts = regex.splitn(text(arguments, 1), limit(arguments));
    Ok(parts.map(Value::text).collect::<Vec<_>>().into())
}

fn replace_all(session: &mut Session<'_>, arguments: &[Value], expand: bool) -> Result<Value, String> {
    let regex = compiled(session, arguments)?;
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
