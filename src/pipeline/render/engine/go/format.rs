//! Go's `fmt` and `strconv`: how values print, quote and parse.
//!
//! Source: documentation of the packages `fmt` and `strconv`.

use std::fmt::Write;

use super::value::Value;
pub(crate) use crate::yaml::{float, parse_int};

/// How deep a printed value may nest.
const MAX_DEPTH: usize = 100;
/// How long a printed text may become, in bytes.
pub(crate) const MAX_TEXT: usize = 8 << 20;

/// A printed text became too long or a value nests too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the printed value is too large")
    }
}

/// `fmt.Sprint` of one value.
pub(crate) fn sprint(value: &Value) -> Result<String, TooLarge> {
    let mut out = String::new();
    append(&mut out, value)?;
    Ok(out)
}

/// Appends `%v` of a value.
pub(crate) fn append(out: &mut String, value: &Value) -> Result<(), TooLarge> {
    append_at(out, value, MAX_DEPTH)
}

fn append_at(out: &mut String, value: &Value, depth: usize) -> Result<(), TooLarge> {
    let depth = depth.checked_sub(1).ok_or(TooLarge)?;
    if out.len() > MAX_TEXT {
        return Err(TooLarge);
    }
    match value {
        Value::Missing | Value::Nil => out.push_str("<nil>"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        // Writing to a String cannot fail.
        Value::Int(value) | Value::Int64(value) => drop(write!(out, "{value}")),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Text(text) => out.push_str(text),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                append_at(out, item, depth)?;
            }
            out.push(']');
        }
        Value::Map(_) | Value::Object(_) => {
            out.push_str("map[");
            for (index, (key, item)) in value.entries().unwrap_or_default().iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                append_at(out, item, depth)?;
            }
            out.push(']');
        }
        Value::Struct(value) => {
            if let Some(shown) = &value.shown {
                out.push_str(shown);
                return Ok(());
            }
            out.push('{');
            for (index, (_, field)) in value.fields.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                append_at(out, field, depth)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// `fmt.Sprint` of several values: a space stands between two operands when neither is a string.
pub(crate) fn sprint_all(values: &[Value]) -> Result<String, TooLarge> {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if index > 0 && !is_text(value) && !is_text(&values[index - 1]) {
            out.push(' ');
        }
        append(&mut out, value)?;
    }
    Ok(out)
}

/// `fmt.Sprintln`.
pub(crate) fn sprintln(values: &[Value]) -> Result<String, TooLarge> {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        append(&mut out, value)?;
    }
    out.push('\n');
    Ok(out)
}

/// Flags, width and precision of one verb.
#[derive(Default, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of the format language")]
struct Directive {
    minus: bool,
    plus: bool,
    space: bool,
    sharp: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// The arguments of a format, and which is next.
struct Arguments<'v> {
    values: &'v [Value],
    next: usize,
    /// An index was written: what is left over is not complained about.
    reordered: bool,
    /// The index that was written is none.
    bad_index: bool,
}

impl<'v> Arguments<'v> {
    fn take(&mut self) -> Option<&'v Value> {
        let value = self.values.get(self.next);
        self.next += usize::from(value.is_some());
        value
    }

    /// `[2]`: which argument is next. True if there was one.
    fn index(&mut self, characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
        if characters.next_if_eq(&'[').is_none() {
            return false;
        }
        self.reordered = true;
        let mut ahead = characters.clone();
        let digits: String = ahead.by_ref().take_while(|character| *character != ']').collect();
        let closed = characters.clone().any(|character| character == ']');
        if !closed {
            self.bad_index = true;
            return true;
        }
        *characters = ahead;
        match digits.parse::<usize>() {
            Ok(number) if (1..=self.values.len()).contains(&number) => self.next = number - 1,
            _ => self.bad_index = true,
        }
        true
    }
}

/// `fmt.Sprintf`.
pub(crate) fn sprintf(template: &str, values: &[Value]) -> Result<String, TooLarge> {
    let mut out = String::with_capacity(template.len() + 16);
    let mut arguments = Arguments { values, next: 0, reordered: false, bad_index: false };
    let mut characters = template.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        arguments.bad_index = false;
        let mut directive = Directive::default();
        while let Some(flag) = characters.peek() {
            match flag {
                '-' => directive.minus = true,
                '+' => directive.plus = true,
                ' ' => directive.space = true,
                '#' => directive.sharp = true,
                '0' => directive.zero = true,
                _ => break,
            }
            characters.next();
        }
        let mut after_index = arguments.index(&mut characters);
        match count(&mut characters, &mut arguments) {
            Count::None => {}
            Count::Number { value, from_argument } => {
                if after_index && !from_argument {
                    arguments.bad_index = true;
                }
                after_index = false;
                directive.minus |= value < 0;
                directive.width = usize::try_from(value.unsigned_abs()).unwrap_or(usize::MAX);
            }
            Count::Bad => {
                after_index = false;
                out.push_str("%!(BADWIDTH)");
            }
        }
        if characters.next_if_eq(&'.').is_some() {
            if after_index {
                arguments.bad_index = true;
            }
            after_index = arguments.index(&mut characters);
            directive.precision = match count(&mut characters, &mut arguments) {
                Count::None => Some(0),
                Count::Number { value, .. } => {
                    after_index = false;
                    if value < 0 {
                        out.push_str("%!(BADPREC)");
                    }
                    usize::try_from(value).ok()
                }
                Count::Bad => {
                    after_index = false;
                    out.push_str("%!(BADPREC)");
                    None
                }
            };
        }
        if directive.width > MAX_TEXT || directive.precision.is_some_and(|precision| precision > 1000) {
            return Err(TooLarge);
        }
        if !after_index {
            arguments.index(&mut characters);
        }
        match characters.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) if arguments.bad_index => drop(write!(out, "%!{verb}(BADINDEX)")),
            Some(verb) => match arguments.take() {
                None => drop(write!(out, "%!{verb}(MISSING)")),
                Some(value) => {
                    let printed = verb_text(verb, value, &directive, MAX_DEPTH)?;
                    pad(&mut out, &printed, &directive);
                }
            },
        }
        if out.len() > MAX_TEXT {
            return Err(TooLarge);
        }
    }
    let left = values.get(arguments.next..).unwrap_or_default();
    if !left.is_empty() && !arguments.reordered {
        out.push_str("%!(EXTRA ");
        for (index, value) in left.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            if value.is_present() {
                write!(out, "{}=", value.type_name()).unwrap_or_default();
            }
            append(&mut out, value)?;
        }
        out.push(')');
    }
    Ok(out)
}

/// A width or precision.
enum Count {
    None,
    Number { value: i64, from_argument: bool },
    Bad,
}

fn count(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, arguments: &mut Arguments<'_>) -> Count {
    if characters.next_if_eq(&'*').is_some() {
        let value = arguments.take().and_then(Value::as_int).filter(|value| value.abs() <= 1_000_000);
        return value.map_or(Count::Bad, |value| Count::Number { value, from_argument: true });
    }
    let mut value: Option<i64> = None;
    while let Some(digit) = characters.peek().and_then(|character| character.to_digit(10)) {
        characters.next();
        value = Some((value.unwrap_or(0) * 10 + i64::from(digit)).min(1 << 40));
    }
    value.map_or(Count::None, |value| Count::Number { value, from_argument: false })
}

fn pad(out: &mut String, text: &str, directive: &Directive) {
    let length = text.chars().count();
    let missing = directive.width.saturating_sub(length);
    if directive.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}

fn verb_text(verb: char, value: &Value, directive: &Directive, depth: usize) -> Result<String, TooLarge> {
    let depth = depth.checked_sub(1).ok_or(TooLarge)?;
    if verb == 'T' {
        return Ok(if value.is_present() { value.type_name().to_owned() } else { "<nil>".to_owned() });
    }
    let bad = |value: &Value| -> Result<String, TooLarge> {
        Ok(if value.is_present() {
            format!("%!{verb}({}={})", value.type_name(), sprint(value)?)
        } else {
            format!("%!{verb}(<nil>)")
        })
    };
    match value {
        Value::Missing | Value::Nil if verb == 'v' => Ok("<nil>".to_owned()),
        Value::Struct(_) if matches!(verb, 's' | 'v') => sprint(value),
        Value::Bool(flag) if matches!(verb, 't' | 'v') => Ok(flag.to_string()),
        Value::Missing | Value::Nil | Value::Struct(_) | Value::Bool(_) => bad(value),
        Value::Int(number) | Value::Int64(number) => {
            integer_text(verb, *number, directive).map_or_else(|| bad(value), Ok)
        }
        Value::Float(number) => float_text(verb, *number, directive).map_or_else(|| bad(value), Ok),
        Value::Text(text) => string_text(verb, text, directive).map_or_else(|| bad(value), Ok),
        Value::List(list) => {
            let mut parts = Vec::with_capacity(list.items().len());
            let unpadded = Directive { width: 0, ..directive.clone() };
            for item in list.items() {
                // Nothing has no verb inside of a list.
                let verb = if item.is_present() { verb } else { 'v' };
                parts.push(verb_text(verb, item, &unpadded, depth)?);
            }
            Ok(format!("[{}]", parts.join(" ")))
        }
        Value::Map(_) | Value::Object(_) => {
            let unpadded = Directive { width: 0, ..directive.clone() };
            let mut parts = Vec::new();
            for (key, item) in value.entries().unwrap_or_default() {
                let key = verb_text(verb, &Value::Text(key), &unpadded, depth)?;
                let verb = if item.is_present() { verb } else { 'v' };
                parts.push(format!("{key}:{}", verb_text(verb, &item, &unpadded, depth)?));
            }
            Ok(format!("map[{}]", parts.join(" ")))
        }
    }
}

fn integer_text(verb: char, number: i64, directive: &Directive) -> Option<String> {
    let magnitude = number.unsigned_abs();
    let (digits, prefix) = match verb {
        'd' | 'v' => (magnitude.to_string(), ""),
        'b' => (format!("{magnitude:b}"), if directive.sharp { "0b" } else { "" }),
        'o' => (format!("{magnitude:o}"), if directive.sharp { "0" } else { "" }),
        'O' => (format!("{magnitude:o}"), "0o"),
        'x' => (format!("{magnitude:x}"), if directive.sharp { "0x" } else { "" }),
        'X' => (format!("{magnitude:X}"), if directive.sharp { "0X" } else { "" }),
        'c' => return Some(rune(number).to_string()),
        'q' => return Some(format!("'{}'", escape(rune(number), '\''))),
        'U' => return Some(format!("U+{magnitude:04X}")),
        _ => return None,
    };
    let sign = sign(number < 0, directive);
    let taken = sign.len() + prefix.len();
    let least = match directive.precision {
        Some(precision) => precision,
        None if directive.zero && !directive.minus => directive.width.saturating_sub(taken),
        None => 0,
    };
    let zeros = "0".repeat(least.saturating_sub(digits.len()));
    Some(format!("{sign}{prefix}{zeros}{digits}"))
}

fn sign(negative: bool, directive: &Directive) -> &'static str {
    match () {
        () if negative => "-",
        () if directive.plus => "+",
        () if directive.space => " ",
        () => "",
    }
}

fn rune(number: i64) -> char {
    u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn float_text(verb: char, number: f64, directive: &Directive) -> Option<String> {
    let magnitude = number.abs();
    let precision = directive.precision.unwrap_or(6);
    let digits = match verb {
        'v' | 'g' | 'G' if directive.precision.is_none() => float(magnitude),
        'f' | 'F' => format!("{magnitude:.precision$}"),
        'e' | 'E' => exponent(&format!("{magnitude:.precision$e}")),
        'v' | 'g' | 'G' => general_precision(magnitude, precision.max(1)),
        _ => return None,
    };
    let digits = if matches!(verb, 'E' | 'G') { digits.to_uppercase() } else { digits };
    let sign = sign(number.is_sign_negative(), directive);
    let zeros = if directive.zero && !directive.minus {
        "0".repeat(directive.width.saturating_sub(sign.len() + digits.len()))
    } else {
        String::new()
    };
    Some(format!("{sign}{zeros}{digits}"))
}

/// `1.5e3` as `1.5e+03`.
fn exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `%.Ng`: N significant digits without trailing zeros.
fn general_precision(value: f64, digits: usize) -> String {
    let rounded = format!("{value:.*e}", digits - 1);
    let (mantissa, power) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let trim = |text: &str| -> String {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    let limit = i32::try_from(digits).unwrap_or(i32::MAX);
    if power < -4 || power >= limit {
        exponent(&format!("{}e{power}", trim(mantissa)))
    } else {
        let decimals = usize::try_from(limit - 1 - power).unwrap_or(0);
        trim(&format!("{value:.decimals$}"))
    }
}

fn string_text(verb: char, text: &str, directive: &Directive) -> Option<String> {
    let cut: String = match directive.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let hexadecimal = |upper: bool| -> String {
        cut.bytes().fold(String::new(), |mut out, byte| {
            let pair = if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
            out.push_str(&pair);
            out
        })
    };
    match verb {
        's' | 'v' if directive.sharp && verb == 'v' => Some(quote(&cut)),
        's' | 'v' => Some(cut),
        'q' => Some(quote(&cut)),
        'x' => Some(hexadecimal(false)),
        'X' => Some(hexadecimal(true)),
        _ => None,
    }
}

/// `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        out.push_str(&escape(character, '"'));
    }
    out.push('"');
    out
}

fn escape(character: char, quote: char) -> String {
    match character {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\\' => "\\\\".to_owned(),
        _ if character == quote => format!("\\{quote}"),
        _ if character < ' ' || character == '\u{7f}' => format!("\\x{:02x}", u32::from(character)),
        _ if character.is_control() || (character.is_whitespace() && character != ' ') => {
            format!("\\u{:04x}", u32::from(character))
        }
        _ => character.to_string(),
    }
}

/// `strconv.Unquote` of a double-quoted, back-quoted or single-quoted literal.
pub(crate) fn unquote(literal: &str) -> Option<String> {
    let quote = literal.chars().next()?;
    let inner = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    if quote == '`' {
        return Some(inner.replace('\r', ""));
    }
    if !inner.contains('\\') {
        return Some(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escaped = characters.next()?;
        let plain = match escaped {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            '"' | '\'' if escaped == quote => u8::try_from(escaped).ok()?,
            'x' => u8::try_from(digits(&mut characters, 16, 2)?).ok()?,
            '0'..='7' => {
                let rest = digits(&mut characters, 8, 2)?;
                u8::try_from(escaped.to_digit(8)? * 64 + rest).ok()?
            }
            'u' | 'U' => {
                let length = if escaped == 'u' { 4 } else { 8 };
                let character = char::from_u32(digits(&mut characters, 16, length)?)?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        bytes.push(plain);
    }
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn digits(characters: &mut std::str::Chars<'_>, radix: u32, length: usize) -> Option<u32> {
    (0..length).try_fold(0_u32, |value, _| {
        value.checked_mul(radix)?.checked_add(characters.next()?.to_digit(radix)?)
    })
}

/// `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
