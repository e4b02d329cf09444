//! Sprig's functions of lists, and those that make lists of numbers or of a string.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::engine::go::Parameter::{Any, Int, Text};
use super::super::engine::go::{Function, Value, fixed, variadic};
use super::super::session::Session;
use super::numbers::to_int64;
use super::{int, items, ok_text, shown, size, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("append", &[Any, Any], append),
    fixed("chunk", &[Int, Any], chunk),
    fixed("compact", &[Any], compact),
    variadic("concat", &[], Any, concat),
    fixed("first", &[Any], first),
    fixed("has", &[Any, Any], has),
    fixed("initial", &[Any], initial),
    fixed("join", &[Text, Any], |_, a| ok_text(texts(&a[1])?.join(text(a, 0)))),
    fixed("last", &[Any], last),
    variadic("list", &[], Any, |_, a| Ok(a.to_vec().into())),
    fixed("mustAppend", &[Any, Any], append),
    fixed("mustChunk", &[Int, Any], chunk),
    fixed("mustCompact", &[Any], compact),
    fixed("mustFirst", &[Any], first),
    fixed("mustHas", &[Any, Any], has),
    fixed("mustInitial", &[Any], initial),
    fixed("mustLast", &[Any], last),
    fixed("mustPrepend", &[Any, Any], prepend),
    fixed("mustPush", &[Any, Any], append),
    fixed("mustRest", &[Any], rest),
    fixed("mustReverse", &[Any], reverse),
    variadic("mustSlice", &[Any], Any, slice),
    fixed("mustUniq", &[Any], uniq),
    variadic("mustWithout", &[Any], Any, without),
    fixed("prepend", &[Any, Any], prepend),
    fixed("push", &[Any, Any], append),
    fixed("rest", &[Any], rest),
    fixed("reverse", &[Any], reverse),
    variadic("seq", &[], Int, seq),
    variadic("slice", &[Any], Any, slice),
    fixed("sortAlpha", &[Any], |_, a| {
        let mut sorted = if a[0].is_present() { texts(&a[0])? } else { vec![shown(&a[0])?] };
        sorted.sort();
        Ok(text_list(sorted))
    }),
    fixed("split", &[Text, Text], |_, a| Ok(numbered(pieces(text(a, 0), text(a, 1), None)))),
    fixed("splitList", &[Text, Text], |_, a| Ok(text_list(pieces(text(a, 0), text(a, 1), None)))),
    fixed("splitn", &[Text, Int, Text], |_, a| {
        Ok(numbered(pieces(text(a, 0), text(a, 2), (int(a, 1) >= 0).then(|| size(int(a, 1))))))
    }),
    fixed("toStrings", &[Any], |_, a| Ok(text_list(texts(&a[0])?))),
    variadic("tuple", &[], Any, |_, a| Ok(a.to_vec().into())),
    fixed("uniq", &[Any], uniq),
    fixed("until", &[Int], |session, a| {
        let count = int(a, 0);
        steps(session, 0, count, if count < 0 { -1 } else { 1 })
    }),
    fixed("untilStep", &[Int, Int, Int], |session, a| steps(session, int(a, 0), int(a, 1), int(a, 2))),
    variadic("without", &[Any], Any, without),
];

fn text_list(texts: Vec<String>) -> Value {
    texts.into_iter().map(Value::text).collect::<Vec<_>>().into()
}

/// Sprig's `strslice`: the items as texts, nil ones left out; anything else is a list of itself.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Nil | Value::Missing => Ok(Vec::new()),
        Value::List(list) => list.items().iter().filter(|item| item.is_present()).map(shown).collect(),
        other => Ok(vec![shown(other)?]),
    }
}

/// `strings.SplitN`.
fn pieces(separator: &str, whole: &str, limit: Option<usize>) -> Vec<String> {
    let owned = |pieces: Vec<&str>| pieces.into_iter().map(ToOwned::to_owned).collect();
    if separator.is_empty() {
        let mut characters: Vec<String> = whole.chars().map(String::from).collect();
        if let Some(limit) = limit.filter(|limit| *limit < characters.len()) {
            let rest = characters.split_off(limit.saturating_sub(1)).concat();
            characters.push(rest);
        }
        return characters;
    }
    match limit {
        Some(0) => Vec::new(),
        Some(limit) => owned(whole.splitn(limit, separator).collect()),
        None => owned(whole.split(separator).collect()),
    }
}

/// `{_0: …, _1: …}`.
fn numbered(pieces: Vec<String>) -> Value {
    let entries: BTreeMap<String, String> =
        pieces.into_iter().enumerate().map(|(index, piece)| (format!("_{index}"), piece)).collect();
    Value::text_map(&entries)
}

fn steps(session: &mut Session<'_>, start: i64, end: i64, step: i64) -> Result<Value, String> {
    if step == 0 || start == end || (end > start) != (step > 0) {
        return Ok(Vec::new().into());
    }
    let count = end.saturating_sub(start).unsigned_abs().div_ceil(step.unsigned_abs());
    session.charge(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(16))?;
    let values = (0..count).map(|index| {
        Value::Int(start.wrapping_add(step.wrapping_mul(i64::try_from(index).unwrap_or(i64::MAX))))
    });
    Ok(values.collect::<Vec<_>>().into())
}

/// The numbers of `seq`, separated by spaces.
fn seq(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let direction = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match arguments {
        [end] => (1, direction(1, to_int64(end)), to_int64(end)),
        [start, end] => (to_int64(start), direction(to_int64(start), to_int64(end)), to_int64(end)),
        [start, step, end] => (to_int64(start), to_int64(step), to_int64(end)),
        _ => return ok_text(""),
    };
    if step == 0 || step.signum() != direction(start, end) {
        return ok_text("");
    }
    let numbers = steps(session, start, end.saturating_add(step.signum()), step)?;
    ok_text(texts(&numbers)?.join(" "))
}

fn append(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let mut list = items(&arguments[0], "push")?.to_vec();
    list.push(arguments[1].clone());
    Ok(list.into())
}

fn prepend(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let mut list = vec![arguments[1].clone()];
    list.extend_from_slice(items(&arguments[0], "prepend")?);
    Ok(list.into())
}

fn concat(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let mut list = Vec::new();
    for argument in arguments {
        list.extend_from_slice(items(argument, "concat").map_err(|fault| {
            fault.replace("concat on type", "concat type")
                + if argument.is_present() { " as list" } else { "" }
        })?);
    }
    Ok(list.into())
}

fn first(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(items(&arguments[0], "find first")?.first().cloned().unwrap_or(Value::Nil))
}

fn last(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(items(&arguments[0], "find last")?.last().cloned().unwrap_or(Value::Nil))
}

fn rest(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let list = items(&arguments[0], "find rest")?;
    Ok(list.get(1..).unwrap_or_default().to_vec().into())
}

fn initial(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let list = items(&arguments[0], "find initial")?;
    Ok(list[..list.len().saturating_sub(1)].to_vec().into())
}

fn reverse(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(items(&arguments[0], "find reverse")?.iter().rev().cloned().collect::<Vec<_>>().into())
}

fn compact(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let list = items(&arguments[0], "compact")?.iter().filter(|item| item.is_true());
    Ok(list.cloned().collect::<Vec<_>>().into())
}

fn uniq(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let list = items(&arguments[0], "find uniq")?;
    session.charge(list.len().saturating_mul(list.len()))?;
    let mut unique: Vec<Value> = Vec::new();
    for item in list {
        if !unique.iter().any(|known| known.deep_equal(item)) {
            unique.push(item.clone());
        }
    }
    Ok(unique.into())
}

fn without(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let list = items(&arguments[0], "find without")?.iter();
    let kept = list.filter(|item| !arguments[1..].iter().any(|unwanted| unwanted.deep_equal(item)));
    Ok(kept.cloned().collect::<Vec<_>>().into())
}

fn has(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    if !arguments[1].is_present() {
        return Ok(Value::Bool(false));
    }
    let list = items(&arguments[1], "find has")?;
    Ok(Value::Bool(list.iter().any(|item| item.deep_equal(&arguments[0]))))
}

fn slice(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let bound = |index: usize, default: usize| match arguments.get(index) {
        None => Ok(default),
        Some(value) => usize::try_from(to_int64(value))
            .map_err(|_| "reflect.Value.Slice: slice index out of bounds".to_owned()),
    };
    // Go's own `slice` cuts strings; Sprig's takes its place and does not.
    let list = items(&arguments[0], "slice").map_err(|fault| {
        fault.replace("Cannot slice on type", "list should be type of slice or array but")
    })?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let (start, end) = (bound(1, 0)?, bound(2, list.len())?);
    match list.get(start..end) {
        Some(part) => Ok(part.to_vec().into()),
        None => Err("reflect.Value.Slice: slice index out of bounds".to_owned()),
    }
}

fn chunk(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let list = items(&arguments[1], "chunk").map_err(|fault| fault.replace("chunk on type", "chunk type"))?;
    let length = size(int(arguments, 0));
    if length == 0 {
        return Err("the size of a chunk must be positive".to_owned());
    }
    Ok(list.chunks(length).map(|chunk| chunk.to_vec().into()).collect::<Vec<Value>>().into())
}

/// Keys as a list of texts.
pub(super) fn keys(entries: impl IntoIterator<Item = Arc<str>>) -> Value {
    entries.into_iter().map(Value::Text).collect::<Vec<_>>().into()
}
