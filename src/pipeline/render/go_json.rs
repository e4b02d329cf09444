//! JSON as Go's `encoding/json` writes it (compact, sorted keys, shortest numbers, `<`, `>` and `&` escaped), and its complaints
//! about what is none.

use std::fmt::Write;

use serde_json::{Number, Value};

/// `json.Unmarshal` of one value, with its words where the text ends too early, begins with something else or goes on.
pub(crate) fn decode(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        let before: usize =
            text.split('\n').take(error.line().saturating_sub(1)).map(|line| line.len() + 1).sum();
        let at = before + error.column().saturating_sub(1).min(line.len());
        let character = text.get(at..).and_then(|rest| rest.chars().next());
        let shown = |character: char| match character {
            '\'' => r"'\''".to_owned(),
            other => format!("'{}'", other.escape_debug().to_string().replace("\\\"", "\"")),
        };
        let said = error.to_string();
        match character {
            _ if error.is_eof() => "unexpected end of JSON input".to_owned(),
            Some(found) if said.starts_with("expected value") => {
                format!("invalid character {} looking for beginning of value", shown(found))
            }
            Some(found) if said.starts_with("trailing characters") => {
                format!("invalid character {} after top-level value", shown(found))
            }
            Some(found) if said.starts_with("key must be a string") => {
                format!("invalid character {} looking for beginning of object key string", shown(found))
            }
            Some(found) if said.starts_with("expected `:`") => {
                format!("invalid character {} after object key", shown(found))
            }
            Some(found) if said.starts_with("expected `,` or `}`") => {
                format!("invalid character {} after object key:value pair", shown(found))
            }
            Some(found) if said.starts_with("expected `,` or `]`") => {
                format!("invalid character {} after array element", shown(found))
            }
            Some(_) | None => said,
        }
    })
}

/// `json.Marshal`. Without `escape_html` as `SetEscapeHTML(false)`.
pub(crate) fn encode(value: &Value, escape_html: bool) -> String {
    let mut out = String::new();
    write_value(&mut out, value, escape_html, None);
    out
}

/// `json.MarshalIndent(value, "", "  ")`.
pub(crate) fn encode_pretty(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, true, Some(0));
    out
}

fn write_value(out: &mut String, value: &Value, escape_html: bool, depth: Option<usize>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_text(out, text, escape_html),
        Value::Array(items) => {
            let inner = depth.map(|depth| depth + 1);
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                new_line(out, inner);
                write_value(out, item, escape_html, inner);
            }
            if !items.is_empty() {
                new_line(out, depth);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let inner = depth.map(|depth| depth + 1);
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, item)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                new_line(out, inner);
                write_text(out, key, escape_html);
                out.push(':');
                if inner.is_some() {
                    out.push(' ');
                }
                write_value(out, item, escape_html, inner);
            }
            if !fields.is_empty() {
                new_line(out, depth);
            }
            out.push('}');
        }
    }
}

fn new_line(out: &mut String, depth: Option<usize>) {
    if let Some(depth) = depth {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    }
}

/// A number: floats without a needless `.0`, with an exponent below 1e-6 and from 1e21 on.
fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}

fn write_text(out: &mut String, text: &str, escape_html: bool) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' if escape_html => escape(out, character),
            '\u{2028}' | '\u{2029}' => escape(out, character),
            _ if character < ' ' => escape(out, character),
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, character: char) {
    // Writing to a String cannot fail.
    write!(out, "\\u{:04x}", u32::from(character)).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_gos() {
        let value = json!({"b": [1, 1.0, 2.5, 1e21, 1e-7], "a": "<é\u{1}>", "c": {}});
        assert_eq!(encode(&value, true), r#"{"a":"\u003cé\u0001\u003e","b":[1,1,2.5,1e+21,1e-7],"c":{}}"#);
        assert_eq!(encode(&json!("<a>"), false), "\"<a>\"");
        assert_eq!(encode_pretty(&json!({"a": [1], "b": []})), "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}");
    }
}
