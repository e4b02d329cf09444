//! Sprig's functions of strings, and `indent`, which is Open Cluster Management's own.

use super::super::engine::go::Parameter::{Any, Int, Text};
use super::super::engine::go::{Function, Value, fixed, format, variadic};
use super::super::session::Session;
use super::{int, ok_text, shown, size, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("abbrev", &[Int, Text], |_, a| ok_text(abbreviate(0, int(a, 0), text(a, 1)))),
    fixed("abbrevboth", &[Int, Int, Text], |_, a| ok_text(abbreviate(int(a, 0), int(a, 1), text(a, 2)))),
    fixed("autoindent", &[Text], |_, _| {
        Err("an unexpected error occurred where autoindent could not be processed".to_owned())
    }),
    variadic("cat", &[], Any, cat),
    fixed("contains", &[Text, Text], |_, a| Ok(Value::Bool(text(a, 1).contains(text(a, 0))))),
    fixed("hasPrefix", &[Text, Text], |_, a| Ok(Value::Bool(text(a, 1).starts_with(text(a, 0))))),
    fixed("hasSuffix", &[Text, Text], |_, a| Ok(Value::Bool(text(a, 1).ends_with(text(a, 0))))),
    fixed("indent", &[Int, Text], indent),
    fixed("initials", &[Text], |_, a| {
        ok_text(text(a, 0).split_whitespace().filter_map(|word| word.chars().next()).collect::<String>())
    }),
    fixed("lower", &[Text], |_, a| ok_text(text(a, 0).to_lowercase())),
    fixed("nindent", &[Int, Text], |session, a| {
        let padded = pad(session, count(int(a, 0))?, text(a, 1))?;
        ok_text(format!("\n{padded}"))
    }),
    fixed("nospace", &[Text], |_, a| {
        ok_text(text(a, 0).chars().filter(|character| !character.is_whitespace()).collect::<String>())
    }),
    fixed("plural", &[Text, Text, Int], |_, a| ok_text(text(a, usize::from(int(a, 2) != 1)))),
    variadic("quote", &[], Any, |_, a| quoted(a, |value| Ok(format::quote(&shown(value)?)))),
    fixed("repeat", &[Int, Text], |session, a| {
        let (count, unit) = (count(int(a, 0))?, text(a, 1));
        session.charge(unit.len().saturating_mul(count))?;
        ok_text(unit.repeat(count))
    }),
    fixed("replace", &[Text, Text, Text], replace),
    variadic("squote", &[], Any, |_, a| {
        quoted(a, |value| Ok(format!("'{}'", format::sprint(value).map_err(|error| error.to_string())?)))
    }),
    fixed("substr", &[Int, Int, Text], |_, a| ok_text(substring(int(a, 0), int(a, 1), text(a, 2))?)),
    fixed("swapcase", &[Text], |_, a| ok_text(swap_case(text(a, 0)))),
    fixed("toString", &[Any], |_, a| ok_text(shown(&a[0])?)),
    fixed("trim", &[Text], |_, a| ok_text(text(a, 0).trim())),
    fixed("trimAll", &[Text, Text], |_, a| ok_text(trim_all(a))),
    fixed("trimPrefix", &[Text, Text], |_, a| {
        let whole = text(a, 1);
        ok_text(whole.strip_prefix(text(a, 0)).unwrap_or(whole))
    }),
    fixed("trimSuffix", &[Text, Text], |_, a| {
        let whole = text(a, 1);
        ok_text(whole.strip_suffix(text(a, 0)).unwrap_or(whole))
    }),
    fixed("trimall", &[Text, Text], |_, a| ok_text(trim_all(a))),
    fixed("trunc", &[Int, Text], |_, a| ok_text(truncate(int(a, 0), text(a, 1)))),
    fixed("untitle", &[Text], |_, a| ok_text(each_word_lower(text(a, 0)))),
    fixed("upper", &[Text], |_, a| ok_text(text(a, 0).to_uppercase())),
    fixed("wrap", &[Int, Text], |_, a| ok_text(wrap(size(int(a, 0)), "\n", false, text(a, 1)))),
    fixed("wrapWith", &[Int, Text, Text], |_, a| {
        ok_text(wrap(size(int(a, 0)), text(a, 1), true, text(a, 2)))
    }),
];

/// Every line gets spaces before it, then the whole is trimmed.
fn indent(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let further = i64::try_from(session.rules.additional_indentation).unwrap_or(0);
    let padded = pad(session, count(int(arguments, 0).saturating_add(further))?, text(arguments, 1))?;
    ok_text(padded.trim())
}

/// How often something is repeated.
fn count(number: i64) -> Result<usize, String> {
    usize::try_from(number).map_err(|_| "strings: negative Repeat count".to_owned())
}

fn pad(session: &mut Session<'_>, spaces: usize, text: &str) -> Result<String, String> {
    let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
    session.charge(spaces.saturating_mul(lines))?;
    let padding = " ".repeat(spaces);
    Ok(format!("{padding}{}", text.replace('\n', &format!("\n{padding}"))))
}

fn cat(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let words: Result<Vec<_>, _> = arguments.iter().filter(|value| value.is_present()).map(shown).collect();
    ok_text(words?.join(" "))
}

fn quoted(arguments: &[Value], quote: impl Fn(&Value) -> Result<String, String>) -> Result<Value, String> {
    let words: Result<Vec<_>, _> = arguments.iter().filter(|value| value.is_present()).map(quote).collect();
    ok_text(words?.join(" "))
}

fn replace(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let (old, new, whole) = (text(arguments, 0), text(arguments, 1), text(arguments, 2));
    let most = if old.is_empty() { whole.len() + 1 } else { whole.len() / old.len() };
    session.charge(most.saturating_mul(new.len()))?;
    ok_text(whole.replace(old, new))
}

fn trim_all(arguments: &[Value]) -> String {
    let (set, whole) = (text(arguments, 0), text(arguments, 1));
    whole.trim_matches(|character| set.contains(character)).to_owned()
}

/// Go cuts bytes; a cut inside a character leaves nothing readable, so it is moved to the character's start.
fn cut(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn truncate(count: i64, text: &str) -> &str {
    let length = size(count.saturating_abs());
    if count < 0 && text.len() > length {
        return &text[cut(text, text.len() - length)..];
    }
    if count >= 0 && text.len() > length { &text[..cut(text, length)] } else { text }
}

fn substring(start: i64, end: i64, text: &str) -> Result<&str, String> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let outside = |shown: String| format!("runtime error: slice bounds out of range [{shown}");
    if start < 0 {
        return match end {
            _ if end < 0 => Err(outside(format!(":{end}]"))),
            _ if end > length => Err(outside(format!(":{end}] with length {length}"))),
            _ => Ok(&text[..cut(text, size(end))]),
        };
    }
    let end = if end < 0 || end > length { length } else { end };
    if start > end {
        return Err(outside(format!("{start}:{end}]")));
    }
    Ok(text.get(cut(text, size(start))..cut(text, size(end))).unwrap_or_default())
}

/// `goutils.AbbreviateFull`.
fn abbreviate(offset: i64, width: i64, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (offset, width) = (size(offset), size(width));
    if width < 4 || offset > 0 && width < 7 || characters.len() <= width {
        return text.to_owned();
    }
    let piece = |from: usize, to: usize| characters[from..to].iter().collect::<String>();
    let mut offset = offset.min(characters.len());
    if characters.len() - offset < width - 3 {
        offset = characters.len() - (width - 3);
    }
    if offset <= 4 {
        return format!("{}...", piece(0, width - 3));
    }
    if offset + width - 3 < characters.len() {
        return format!(
            "...{}",
            abbreviate(0, i64::try_from(width - 3).unwrap_or(0), &piece(offset, characters.len()))
        );
    }
    format!("...{}", piece(characters.len() - (width - 3), characters.len()))
}

/// Every word begins small; words are separated by white space.
fn each_word_lower(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    for character in text.chars() {
        if at_start {
            out.extend(character.to_lowercase());
        } else {
            out.push(character);
        }
        at_start = character.is_whitespace();
    }
    out
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_uppercase() {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
    }
    out
}

/// Breaks at spaces; a word longer than a line is broken only when `long_words` says so.
fn wrap(width: usize, separator: &str, long_words: bool, text: &str) -> String {
    let width = width.max(1);
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().map(|line| line.chars().count()).unwrap_or_default();
            let needed = line + usize::from(line > 0) + word.len();
            if needed <= width || line == 0 && !long_words {
                break;
            }
            if line > 0 {
                lines.push(String::new());
                continue;
            }
            let rest = word.split_off(width.min(word.len()));
            lines.push(String::new());
            let at = lines.len() - 2;
            lines[at] = word.into_iter().collect();
            word = rest;
            if word.is_empty() {
                break;
            }
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word);
        }
    }
    lines.join(separator)
}
