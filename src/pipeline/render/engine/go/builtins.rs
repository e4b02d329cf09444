//! The functions that Go's `text/template` itself brings. `and` and `or` are carried out by the executor.

use std::cmp::Ordering;
use std::fmt::Write;

use super::super::super::session::Session;
use super::value::Value;
use super::{Function, Parameter, fixed, format, variadic};

use Parameter::{Any, Raw, Text};

/// All of them; `slice` is not among them because Sprig's takes its place.
pub(crate) const FUNCTIONS: &[Function] = &[
    variadic("and", &[Raw], Raw, first_argument),
    variadic("or", &[Raw], Raw, first_argument),
    fixed("not", &[Raw], |_, arguments| Ok(Value::Bool(!arguments[0].is_true()))),
    variadic("eq", &[Raw], Raw, equal),
    fixed("ne", &[Raw, Raw], |_, arguments| Ok(Value::Bool(!same(&arguments[0], &arguments[1])?))),
    fixed("lt", &[Raw, Raw], |_, arguments| compare(arguments, |order| order == Ordering::Less)),
    fixed("le", &[Raw, Raw], |_, arguments| compare(arguments, |order| order != Ordering::Greater)),
    fixed("gt", &[Raw, Raw], |_, arguments| compare(arguments, |order| order == Ordering::Greater)),
    fixed("ge", &[Raw, Raw], |_, arguments| compare(arguments, |order| order != Ordering::Less)),
    variadic("print", &[], Any, |_, arguments| printed(format::sprint_all(arguments))),
    variadic("println", &[], Any, |_, arguments| printed(format::sprintln(arguments))),
    variadic("printf", &[Text], Any, |_, arguments| {
        printed(format::sprintf(arguments[0].as_text().unwrap_or_default(), &arguments[1..]))
    }),
    fixed("len", &[Raw], length),
    variadic("index", &[Raw], Raw, index),
    variadic("call", &[Raw], Raw, |_, arguments| {
        Err(if arguments[0].is_present() {
            format!("non-function of type {}", arguments[0].type_name())
        } else {
            "call of nil".to_owned()
        })
    }),
    variadic("html", &[], Any, |_, arguments| escaped(arguments, html)),
    variadic("js", &[], Any, |_, arguments| escaped(arguments, javascript)),
    variadic("urlquery", &[], Any, |_, arguments| escaped(arguments, url_query)),
];

#[expect(clippy::unnecessary_wraps, reason = "the signature of functions")]
fn first_argument(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(arguments[0].clone())
}

fn printed(result: Result<String, format::TooLarge>) -> Result<Value, String> {
    result.map(Value::text).map_err(|error| error.to_string())
}

/// What `eq` takes two values for.
#[derive(PartialEq, Eq)]
enum Basic {
    Bool,
    Int,
    Float,
    Text,
    Other,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(_) | Value::Int64(_) => Basic::Int,
        Value::Float(_) => Basic::Float,
        Value::Text(_) => Basic::Text,
        _ => Basic::Other,
    }
}

fn equal(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    if arguments.len() < 2 {
        return Err("missing argument for comparison".to_owned());
    }
    for other in &arguments[1..] {
        if same(&arguments[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn same(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        #[expect(clippy::float_cmp, reason = "as Go compares")]
        (Value::Float(left), Value::Float(right)) => Ok(left == right),
        _ => match (left.as_int(), right.as_int()) {
            (Some(left), Some(right)) => Ok(left == right),
            _ if !left.is_present() || !right.is_present() => Ok(left.is_present() == right.is_present()),
            _ if basic(left) != basic(right) => Err("incompatible types for comparison".to_owned()),
            _ => Err(format!("non-comparable type {}", left.type_name())),
        },
    }
}

fn compare(arguments: &[Value], holds: fn(Ordering) -> bool) -> Result<Value, String> {
    let (left, right) = (&arguments[0], &arguments[1]);
    let kinds = (basic(left), basic(right));
    if kinds.0 == Basic::Other || kinds.1 == Basic::Other || kinds.0 == Basic::Bool && kinds.0 == kinds.1 {
        return Err("invalid type for comparison".to_owned());
    }
    let order = match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        _ => match (left.as_int(), right.as_int()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => return Err("incompatible types for comparison".to_owned()),
        },
    };
    Ok(Value::Bool(order.is_some_and(holds)))
}

fn length(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let value = &arguments[0];
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.len(),
        Value::Object(object) => object.fields().len(),
        Value::Missing | Value::Nil => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        _ => return Err(format!("len of type {}", value.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    if !arguments[0].is_present() {
        return Err("index of untyped nil".to_owned());
    }
    arguments[1..].iter().try_fold(arguments[0].clone(), |value, index| {
        if !value.is_present() {
            return Err("index of nil pointer".to_owned());
        }
        match &value {
            Value::List(list) => {
                let position = position(index, list.items().len())?;
                Ok(list.items()[position].clone())
            }
            Value::Text(text) => {
                let position = position(index, text.len())?;
                Ok(Value::Int(i64::from(text.as_bytes()[position])))
            }
            Value::Map(_) | Value::Object(_) => {
                let Value::Text(key) = index else {
                    return Err(if index.is_present() {
                        format!("value has type {}; should be string", index.type_name())
                    } else {
                        "value is nil; should be of type string".to_owned()
                    });
                };
                let absent = match &value {
                    Value::Map(map) if map.holds_texts() => Value::text(""),
                    _ => Value::Nil,
                };
                Ok(value.entry(key).unwrap_or(absent))
            }
            other => Err(format!("can't index item of type {}", other.type_name())),
        }
    })
}

fn position(index: &Value, length: usize) -> Result<usize, String> {
    match index.as_int() {
        // Go looks one too far, and reflection finds it.
        Some(number) if usize::try_from(number) == Ok(length) => {
            Err("reflect: slice index out of range".to_owned())
        }
        Some(number) => usize::try_from(number)
            .ok()
            .filter(|position| *position < length)
            .ok_or_else(|| format!("index out of range: {number}")),
        None if index.is_present() => {
            Err(format!("cannot index slice/array with type {}", index.type_name()))
        }
        None => Err("cannot index slice/array with nil".to_owned()),
    }
}

fn escaped(arguments: &[Value], escape: fn(char, &mut String)) -> Result<Value, String> {
    let text = match arguments {
        [Value::Text(text)] => text.to_string(),
        [value] if !value.is_present() => "<no value>".to_owned(),
        _ => format::sprint_all(arguments).map_err(|error| error.to_string())?,
    };
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| escape(character, &mut out));
    Ok(Value::text(out))
}

fn html(character: char, out: &mut String) {
    match character {
        '\0' => out.push('\u{fffd}'),
        '"' => out.push_str("&#34;"),
        '\'' => out.push_str("&#39;"),
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        _ => out.push(character),
    }
}

fn javascript(character: char, out: &mut String) {
    match character {
        '\\' => out.push_str("\\\\"),
        '\'' => out.push_str("\\'"),
        '"' => out.push_str("\\\""),
        '<' | '>' | '&' | '=' => unicode(character, out),
        _ if character.is_control() => unicode(character, out),
        _ => out.push(character),
    }
}

/// `\uXXXX`. Writing to a String cannot fail.
fn unicode(character: char, out: &mut String) {
    write!(out, "\\u{:04X}", u32::from(character)).unwrap_or_default();
}

fn url_query(character: char, out: &mut String) {
    match character {
        ' ' => out.push('+'),
        _ if character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '~') => {
            out.push(character);
        }
        _ => {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                write!(out, "%{byte:02X}").unwrap_or_default();
            }
        }
    }
}
