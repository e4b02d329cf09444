//! YAML as go-yaml writes it: v3, the text that Open Cluster Management's templates are parsed from, and v2, the text of
//! objects and differences that `sigs.k8s.io/yaml` gives, kubectl's too. Takes JSON values, gives text; never fails.
//!
//! Which style a string gets decides whether the quotes around a template are single, double or none, so the rules of the
//! emitter (`analyze_scalar`, `select_scalar_style`, `write_plain_scalar`) and of plain scalars (`resolve`) are kept. Keys are
//! sorted as go-yaml sorts them.

mod keys;
mod numbers;

use std::fmt::Write;

use serde_json::{Number, Value};

pub(crate) use self::numbers::{float, parse_int};

/// Column after which v2 goes on in the next line, at the next blank.
const WIDTH: usize = 80;

/// The two writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// `gopkg.in/yaml.v2`: lists stand below their key, lines are wrapped at blanks.
    V2,
    /// `gopkg.in/yaml.v3` with an indentation of two: lists are indented, lines never wrapped.
    V3,
}

/// Writes a document with a newline at its end.
pub(crate) fn write(value: &Value, edition: Edition) -> String {
    let mut emitter = Emitter { out: String::with_capacity(512), edition };
    match value {
        Value::Object(fields) if !fields.is_empty() => emitter.write_map(value, 0, true),
        Value::Array(items) if !items.is_empty() => emitter.write_list(items, 0, true),
        other => {
            emitter.write_scalar(other, 2);
            emitter.out.push('\n');
        }
    }
    emitter.out
}

struct Emitter {
    out: String,
    edition: Edition,
}

impl Emitter {
    /// Entries of a mapping. The first line continues where the text stands when `inline`.
    fn write_map(&mut self, value: &Value, indent: usize, inline: bool) {
        let Value::Object(fields) = value else { return };
        let mut sorted: Vec<_> = fields.iter().collect();
        sorted.sort_by(|left, right| keys::natural(left.0, right.0, self.edition));
        let list_indent = match self.edition {
            Edition::V2 => indent,
            Edition::V3 => indent + 2,
        };
        for (index, (key, item)) in sorted.into_iter().enumerate() {
            if index > 0 || !inline {
                self.spaces(indent);
            }
            self.write_text(key, indent, true);
            self.out.push(':');
            match item {
                Value::Object(fields) if !fields.is_empty() => {
                    self.out.push('\n');
                    self.write_map(item, indent + 2, false);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.out.push('\n');
                    self.write_list(items, list_indent, false);
                }
                scalar => {
                    self.out.push(' ');
                    self.write_scalar(scalar, indent + 2);
                    self.out.push('\n');
                }
            }
        }
    }

    fn write_list(&mut self, items: &[Value], indent: usize, inline: bool) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || !inline {
                self.spaces(indent);
            }
            self.out.push_str("- ");
            match item {
                Value::Object(fields) if !fields.is_empty() => self.write_map(item, indent + 2, true),
                Value::Array(items) if !items.is_empty() => self.write_list(items, indent + 2, true),
                scalar => {
                    self.write_scalar(scalar, indent + 2);
                    self.out.push('\n');
                }
            }
        }
    }

    fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }

    /// A scalar or an empty collection, without the newline after it. Further lines stand at `indent`.
    fn write_scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => self.out.push_str(&number_text(number, self.edition)),
            Value::String(text) => self.write_text(text, indent, false),
            Value::Array(_) => self.out.push_str("[]"),
            Value::Object(_) => self.out.push_str("{}"),
        }
    }

    fn write_text(&mut self, text: &str, indent: usize, key: bool) {
        if !key && is_surely_literal(text) {
            return self.write_literal(text, indent);
        }
        match style(text, &Analysis::of(text, self.edition), key) {
            Style::Plain => self.write_flowing(text, indent, key, Quotes::None),
            Style::SingleQuoted => {
                self.out.push('\'');
                self.write_flowing(text, indent, key, Quotes::Single);
                self.out.push('\'');
            }
            Style::DoubleQuoted => {
                self.out.push('"');
                self.write_flowing(text, indent, key, Quotes::Double);
                self.out.push('"');
            }
            Style::Literal => self.write_literal(text, indent),
        }
    }

    /// A text on one line, or wrapped at its blanks.
    fn write_flowing(&mut self, text: &str, indent: usize, key: bool, quotes: Quotes) {
        let may_wrap = self.edition == Edition::V2 && !key && text.len() > WIDTH / 2;
        let mut column = if may_wrap { self.column() } else { 0 };
        let mut characters = text.chars().peekable();
        let (mut after_space, mut is_first) = (false, true);
        while let Some(character) = characters.next() {
            if character == ' ' {
                let next = characters.peek();
                let wraps = may_wrap
                    && !after_space
                    && column > WIDTH
                    && match quotes {
                        Quotes::None => next != Some(&' '),
                        Quotes::Single => !is_first && next.is_some_and(|next| *next != ' '),
                        Quotes::Double => !is_first && next.is_some(),
                    };
                if wraps {
                    self.out.push('\n');
                    self.spaces(indent);
                    column = indent;
                    if quotes == Quotes::Double && next == Some(&' ') {
                        self.out.push('\\');
                        column += 1;
                    }
                } else {
                    self.out.push(' ');
                    column += 1;
                }
                after_space = true;
            } else {
                let before = self.out.len();
                match quotes {
                    Quotes::Single if character == '\'' => self.out.push_str("''"),
                    Quotes::Double => write_escaped(&mut self.out, character),
                    Quotes::None | Quotes::Single => self.out.push(character),
                }
                column += if may_wrap { self.out[before..].chars().count() } else { 0 };
                after_space = false;
            }
            is_first = false;
        }
    }

    /// Characters in the last line.
    fn column(&self) -> usize {
        self.out.rsplit('\n').next().map_or(0, |line| line.chars().count())
    }

    fn write_literal(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        // Only line feeds are left: other breaks are not printable, which rules this style out.
        if text.starts_with([' ', '\n']) {
            self.out.push('2');
        }
        match text.strip_suffix('\n') {
            None => self.out.push('-'),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => self.out.push('+'),
            Some(_) => {}
        }
        // The caller ends the last line.
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.out.push('\n');
            if !line.is_empty() {
                self.spaces(indent);
                self.out.push_str(line);
            }
        }
    }
}

/// What stands around a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

fn number_text(number: &Number, edition: Edition) -> String {
    match number.as_f64() {
        // Its JSON text is that of a whole number, which is what v2 is given.
        Some(value)
            if number.is_f64() && edition == Edition::V2 && value.fract() == 0.0 && value.abs() < 1e18 =>
        {
            format!("{value}")
        }
        Some(value) if number.is_f64() => float(value),
        _ => number.to_string(),
    }
}

/// Whether a long text of several lines needs no further analysis: only printable ASCII, no space before a line end.
fn is_surely_literal(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut previous = 0;
    let mut breaks = false;
    for byte in bytes {
        match byte {
            b'\n' if previous == b' ' => return false,
            b'\n' => breaks = true,
            b' '..=b'~' => {}
            _ => return false,
        }
        previous = *byte;
    }
    breaks && previous != b' '
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

fn style(text: &str, analysis: &Analysis, key: bool) -> Style {
    let style = if text.contains('\n') {
        Style::Literal
    } else if is_plain_string(text) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    let style = match style {
        _ if key && analysis.line_breaks => Style::DoubleQuoted,
        Style::Plain if !analysis.plain_allowed || key && text.is_empty() => Style::SingleQuoted,
        other => other,
    };
    match style {
        Style::SingleQuoted if !analysis.single_quoted_allowed => Style::DoubleQuoted,
        Style::Literal if !analysis.literal_allowed => Style::DoubleQuoted,
        other => other,
    }
}

/// go-yaml's `yaml_emitter_analyze_scalar`, in block context.
#[expect(clippy::struct_excessive_bools, reason = "the emitter's answers")]
struct Analysis {
    line_breaks: bool,
    plain_allowed: bool,
    single_quoted_allowed: bool,
    literal_allowed: bool,
}

impl Analysis {
    fn of(text: &str, edition: Edition) -> Self {
        if text.is_empty() {
            return Self {
                line_breaks: false,
                plain_allowed: true,
                single_quoted_allowed: true,
                literal_allowed: false,
            };
        }
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut line_breaks, mut tabs, mut special) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut previous_space, mut previous_break) = (false, false);
        let mut preceded_by_blank = true;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let followed_by_blank =
                characters.peek().is_none_or(|next| matches!(next, ' ' | '\t') || is_break(*next));
            indicators |= match character {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`'
                    if first =>
                {
                    true
                }
                '?' | '-' if first => followed_by_blank,
                ':' => followed_by_blank,
                '#' => preceded_by_blank,
                _ => false,
            };
            if character == '\t' && edition == Edition::V3 {
                tabs = true;
            } else if !is_printable(character) {
                special = true;
            }
            if character == ' ' {
                break_space |= previous_break;
                (previous_space, previous_break) = (true, false);
            } else if is_break(character) {
                line_breaks = true;
                space_break |= previous_space;
                (previous_space, previous_break) = (false, true);
            } else {
                (previous_space, previous_break) = (false, false);
            }
            preceded_by_blank = matches!(character, ' ' | '\t') || is_break(character);
            first = false;
        }
        let outer = |character: Option<char>| character.is_some_and(|edge| edge == ' ' || is_break(edge));
        let edges = outer(text.chars().next()) || outer(text.chars().next_back());
        let awkward = space_break || tabs || special;
        Self {
            line_breaks,
            plain_allowed: !(edges || break_space || awkward || line_breaks || indicators),
            single_quoted_allowed: !(break_space || awkward),
            literal_allowed: !(text.ends_with(' ') || space_break || special),
        }
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// go-yaml's `is_printable`, which knows nothing above the basic plane.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && character != '\u{feff}'
}

fn write_escaped(out: &mut String, character: char) {
    let escape = match character {
        '\0' => "\\0",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '\u{1b}' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        _ if is_printable(character) => return out.push(character),
        _ => "",
    };
    if !escape.is_empty() {
        return out.push_str(escape);
    }
    let code = u32::from(character);
    // Writing to a String cannot fail.
    match code {
        0..=0xff => write!(out, "\\x{code:02X}"),
        0x100..=0xffff => write!(out, "\\u{code:04X}"),
        _ => write!(out, "\\U{code:08X}"),
    }
    .unwrap_or_default();
}

/// Whether go-yaml reads the text as a string when it stands there without quotes, also by the rules of YAML 1.1.
fn is_plain_string(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    match first {
        'y' | 'Y' | 'n' | 'N' | 't' | 'T' | 'f' | 'F' | 'o' | 'O' | '~' => !matches!(
            text,
            "y" | "Y"
                | "yes"
                | "Yes"
                | "YES"
                | "on"
                | "On"
                | "ON"
                | "n"
                | "N"
                | "no"
                | "No"
                | "NO"
                | "off"
                | "Off"
                | "OFF"
                | "true"
                | "True"
                | "TRUE"
                | "false"
                | "False"
                | "FALSE"
                | "~"
                | "null"
                | "Null"
                | "NULL"
        ),
        '.' => !(matches!(text, ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF") || is_float(text)),
        '+' | '-' | '0'..='9' => !(is_number(text) || is_timestamp(text) || is_base_60(text)),
        _ => true,
    }
}

fn is_number(text: &str) -> bool {
    let plain = text.replace('_', "");
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let is_radix = |prefix: &str, radix: u32| {
        unsigned.strip_prefix(prefix).is_some_and(|digits| u64::from_str_radix(digits, radix).is_ok())
    };
    matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || parse_int(&plain).is_some()
        || unsigned.parse::<u64>().is_ok()
        || is_radix("0b", 2)
        || is_radix("0o", 8)
        || is_radix("0x", 16)
        || is_float(&plain)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    is_mantissa
        && exponent.is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// `2001-2-3`, or with a time.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits(0) != 4 || bytes.get(4) != Some(&b'-') {
        return false;
    }
    let month = digits(5);
    let day_at = 5 + month + 1;
    if !(1..=2).contains(&month) || bytes.get(5 + month) != Some(&b'-') {
        return false;
    }
    let day = digits(day_at);
    if !(1..=2).contains(&day) {
        return false;
    }
    let number = |from: usize, length: usize| text[from..from + length].parse::<u32>().unwrap_or(0);
    if !(1..=12).contains(&number(5, month)) || !(1..=31).contains(&number(day_at, day)) {
        return false;
    }
    let rest = &text[day_at + day..];
    rest.is_empty() || rest.starts_with(['T', 't', ' ']) && is_clock(rest[1..].trim_start())
}

/// `15:04:05` with an optional fraction and zone.
fn is_clock(text: &str) -> bool {
    let end = text.find(['Z', 'z', '+', '-', ' ']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let mut parts = clock.split(':');
    let part = |text: Option<&str>, limit: u32| {
        text.is_some_and(|text| {
            (1..=2).contains(&text.len()) && text.parse::<u32>().is_ok_and(|number| number < limit)
        })
    };
    let hours = part(parts.next(), 24);
    let minutes = part(parts.next(), 60);
    let (seconds, fraction) =
        match parts.next().map(|seconds| seconds.split_once('.').unwrap_or((seconds, "0"))) {
            Some((seconds, fraction)) => (part(Some(seconds), 60), fraction),
            None => (false, ""),
        };
    let zone = zone.trim_start();
    hours
        && minutes
        && seconds
        && parts.next().is_none()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && (zone.is_empty() || matches!(zone, "Z" | "z") || zone.starts_with(['+', '-']))
}

/// `190:20:30.15`, a number in YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.contains(':') {
        return false;
    }
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = whole.split(':');
    let head = parts.next().unwrap_or_default().replace('_', "");
    !head.is_empty()
        && head.bytes().all(|byte| byte.is_ascii_digit())
        && parts
            .all(|part| (1..=2).contains(&part.len()) && part.parse::<u32>().is_ok_and(|number| number < 60))
        && fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_string_gets_go_yamls_style() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", "\"\""),
            ("true", "\"true\""),
            ("yes", "\"yes\""),
            ("null", "\"null\""),
            ("12", "\"12\""),
            ("0o14", "\"0o14\""),
            ("0x1F", "\"0x1F\""),
            ("1e3", "\"1e3\""),
            ("1.2.3", "1.2.3"),
            ("2021-01-01", "\"2021-01-01\""),
            ("2021-01-01T00:00:00Z", "\"2021-01-01T00:00:00Z\""),
            ("1:30", "\"1:30\""),
            ("0 */1 * * *", "0 */1 * * *"),
            ("240h0m0s", "240h0m0s"),
            ("{{ x }}", "'{{ x }}'"),
            ("a {{ x }}", "a {{ x }}"),
            ("{{ \"it's\" }}", "'{{ \"it''s\" }}'"),
            (" edge", "' edge'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("- a", "'- a'"),
            ("-a", "-a"),
            ("tab\there", "\"tab\\there\""),
            ("\u{1f600}", "\"\\U0001F600\""),
            ("é", "é"),
            ("*", "'*'"),
        ] {
            assert_eq!(write(&json!({"k": text}), Edition::V3), format!("k: {expected}\n"), "{text:?}");
        }
    }

    #[test]
    fn several_lines_are_literal_unless_a_space_stands_before_a_break() {
        for (text, expected) in [
            ("a\nb\n", "k: |\n  a\n  b\n"),
            ("a\nb", "k: |-\n  a\n  b\n"),
            ("a\n\n", "k: |+\n  a\n\n"),
            ("\n", "k: |2+\n\n"),
            ("  a\nb\n", "k: |2\n    a\n  b\n"),
            ("a\n\n  b\n", "k: |\n  a\n\n    b\n"),
            ("a \nb\n", "k: \"a \\nb\\n\"\n"),
            ("a\tb\nc", "k: |-\n  a\tb\n  c\n"),
        ] {
            assert_eq!(write(&json!({"k": text}), Edition::V3), expected, "{text:?}");
        }
    }

    #[test]
    fn collections_are_indented_by_two() {
        let value = json!({"b": [1, {"x": [], "a": {"m": null}}, ["q", "r"]], "a": {"c": 1.5, "a2": true, "a10": {}}});
        assert_eq!(
            write(&value, Edition::V3),
            "a:\n  a2: true\n  a10: {}\n  c: 1.5\nb:\n  - 1\n  - a:\n      m: null\n    x: []\n  - - q\n    - r\n"
        );
    }

    /// Worked out by `sigs.k8s.io/yaml` 1.6.0, which writes with go-yaml v2.
    #[test]
    fn objects_are_written_as_kubectl_writes_them() {
        let long = "a very long line of words that goes on and on and on until it must be longer than eighty columns of text";
        let value = json!({
            "labels": {"key10": "a", "key2": "b", "a1": "x", "a-b": "x", "a/b": "c", "1": "one", "true": "t"},
            "list": [" lead", "a: b", "*a", "?", "-", "", "x:", "'q'", "tab\tx", "y", "0o7", "\u{1f600}", 1.0, 1e30, null],
            "lists": [[1, 2], ["a", {"b": 1}]],
            "plain": long,
            "quoted": format!("a: {long}"),
            "double": format!("tab\t{long}  two"),
            "lines": "a\tb\nc",
            "literal": format!("{long}\nb"),
            "word": format!("{} tail", "o".repeat(90)),
        });
        assert_eq!(
            write(&value, Edition::V2),
            "\
double: \"tab\\ta very long line of words that goes on and on and on until it must be
  longer than eighty columns of text  two\"
labels:
  \"1\": one
  a-b: x
  a/b: c
  a1: x
  key2: b
  key10: a
  \"true\": t
lines: \"a\\tb\\nc\"
list:
- ' lead'
- 'a: b'
- '*a'
- '?'
- '-'
- \"\"
- 'x:'
- '''q'''
- \"tab\\tx\"
- \"y\"
- \"0o7\"
- \"\\U0001F600\"
- 1
- 1e+30
- null
lists:
- - 1
  - 2
- - a
  - b: 1
literal: |-
  a very long line of words that goes on and on and on until it must be longer than eighty columns of text
  b
plain: a very long line of words that goes on and on and on until it must be longer
  than eighty columns of text
quoted: 'a: a very long line of words that goes on and on and on until it must be
  longer than eighty columns of text'
word: oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo
  tail
"
        );
    }
}
