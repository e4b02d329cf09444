//! The templates in a text, found without parsing them: where each begins and ends, which kind it is, and its words.

/// One template: `{{ … }}` or `{{hub … hub}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action<'t> {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// The line on which it begins, from 0.
    pub(super) line: usize,
    /// Whether it is one of the hub's.
    pub(super) hub: bool,
    /// What stands between the delimiters and their trim marks.
    pub(super) body: &'t str,
    /// How it ends.
    pub(super) end: End,
}

/// How a template ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As it began.
    Well,
    /// As the other kind does.
    Mixed,
    /// Not at all.
    Never,
}

const OPEN: &str = "{{";
const HUB_OPEN: &str = "{{hub";
const CLOSE: &str = "}}";
const HUB_CLOSE: &str = "hub}}";

/// All templates of a text, those inside others too, in the order of their beginnings.
pub(super) fn actions(text: &str) -> Vec<Action<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = text[from..].find(OPEN) {
        let start = from + offset;
        let action = action(text, start);
        // Those of the hub may stand inside one of a cluster: go on behind the beginning only.
        from = start + if action.hub { HUB_OPEN.len() } else { OPEN.len() };
        found.push(action);
    }
    found
}

fn action(text: &str, start: usize) -> Action<'_> {
    let hub = text[start..].starts_with(HUB_OPEN) && !text[start + HUB_OPEN.len()..].starts_with(is_word);
    let inside = start + if hub { HUB_OPEN.len() } else { OPEN.len() };
    let close = closing(text, inside, hub);
    let (body_end, end) = match close {
        None => (text[inside..].find('\n').map_or(text.len(), |end| inside + end), End::Never),
        Some(close) => {
            let before = &text[inside..close];
            // `hub}}` ends one of the hub's, if `hub` is not the end of a longer word.
            let closes_hub = before
                .strip_suffix("hub")
                .is_some_and(|rest| rest.is_empty() || rest.ends_with([' ', '\t', '\n', '-', '/']));
            match (hub, closes_hub) {
                (true, true) => (close - "hub".len(), End::Well),
                (false, false) => (close, End::Well),
                (true, false) | (false, true) => (close, End::Mixed),
            }
        }
    };
    let body = text[inside..body_end].trim_start_matches('-').trim_end_matches('-').trim();
    Action { start, line: text[..start].matches('\n').count(), hub, body, end }
}

/// Where the `}}` stands that ends a template. A text in quotes does not end it, and one of the hub's inside does not either.
fn closing(text: &str, inside: usize, hub: bool) -> Option<usize> {
    let mut at = inside;
    while at < text.len() {
        let rest = &text[at..];
        if !hub && rest.starts_with(HUB_OPEN) {
            at += rest.find(HUB_CLOSE)? + HUB_CLOSE.len();
        } else if rest.starts_with(CLOSE) {
            return Some(at);
        } else if let Some(quoted) = quoted(rest) {
            at += if hub || !quoted.contains(OPEN) { quoted.len() } else { 1 };
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// The text in double quotes or back quotes that begins here and ends on the same line.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '`'))?;
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            '\n' => return None,
            '\\' if quote == '"' && !escaped => escaped = true,
            _ if character == quote && !escaped => return Some(&text[..=index]),
            _ => escaped = false,
        }
    }
    None
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// A word of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A text in quotes, without them.
    Text(String),
    /// `(`, `)` or `|`.
    Mark(char),
    /// Anything else: a function, a field, a variable, a number.
    Name(String),
}

/// The words of a template's body.
pub(super) fn words(body: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = body.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(text) = quoted(rest) {
            words.push(Word::Text(text[1..text.len() - 1].replace("\\\"", "\"")));
            rest = &rest[text.len()..];
        } else if matches!(first, '(' | ')' | '|') {
            words.push(Word::Mark(first));
            rest = &rest[1..];
        } else {
            let end = rest
                .find(|character: char| {
                    character.is_whitespace() || matches!(character, '(' | ')' | '|' | '"' | '`')
                })
                .unwrap_or(rest.len())
                .max(first.len_utf8());
            words.push(Word::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(bool, &str, End)> {
        actions(text).into_iter().map(|action| (action.hub, action.body, action.end)).collect()
    }

    #[test]
    fn both_kinds_are_told_apart() {
        assert_eq!(
            shape("a: '{{ .x }}' {{hub- .y -hub}} {{- /* c */ -}}"),
            [(false, ".x", End::Well), (true, ".y", End::Well), (false, "/* c */", End::Well)]
        );
        assert_eq!(
            shape("{{ lookup \"v1\" \"Pod\" \"{{hub $ns hub}}\" \"\" }}"),
            [(false, "lookup \"v1\" \"Pod\" \"{{hub $ns hub}}\" \"\"", End::Well), (true, "$ns", End::Well)]
        );
        assert_eq!(shape("{{ \"}}\" }}"), [(false, "\"}}\"", End::Well)]);
    }

    #[test]
    fn wrong_ends_are_seen() {
        assert_eq!(shape("{{hub .x }}")[0].2, End::Mixed);
        assert_eq!(shape("{{ .x hub}}")[0].2, End::Mixed);
        assert_eq!(shape("{{ .x\nb: c")[0], (false, ".x", End::Never));
        assert_eq!(shape("{{ .github }}")[0].2, End::Well);
        assert_eq!(actions("a\nb\n {{ x }}")[0].line, 2);
    }

    #[test]
    fn words_are_split() {
        assert_eq!(
            words("(fromConfigMap .a \"b c\" `d`)|toInt"),
            [
                Word::Mark('('),
                Word::Name("fromConfigMap".to_owned()),
                Word::Name(".a".to_owned()),
                Word::Text("b c".to_owned()),
                Word::Text("d".to_owned()),
                Word::Mark(')'),
                Word::Mark('|'),
                Word::Name("toInt".to_owned()),
            ]
        );
    }
}
