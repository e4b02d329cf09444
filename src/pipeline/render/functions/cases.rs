//! The cases of words: `snakecase`, `kebabcase`, `camelcase` and `title`.
//!
//! Source: `ToSnakeCase`, `ToKebabCase` and `ToPascalCase` of huandu/xstrings 1.5, `strings.Title` of Go. What counts as a word, and
//! where a number belongs, is theirs to the letter.

use super::super::engine::go::Parameter::Text;
use super::super::engine::go::{Function, fixed};
use super::{ok_text, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("camelcase", &[Text], |_, a| ok_text(pascal_case(text(a, 0)))),
    fixed("kebabcase", &[Text], |_, a| ok_text(lower_case(text(a, 0), '-'))),
    fixed("snakecase", &[Text], |_, a| ok_text(lower_case(text(a, 0), '_'))),
    fixed("title", &[Text], |_, a| ok_text(title(text(a, 0)))),
];

/// What separates words.
fn is_connector(character: char) -> bool {
    matches!(character, '-' | '_') || character.is_whitespace()
}

/// A letter of a script that has words.
fn is_letter(character: char) -> bool {
    let is_ideograph =
        matches!(character, '\u{3400}'..='\u{4D85}' | '\u{4E00}'..='\u{9FCC}' | '\u{20000}'..='\u{2B81D}');
    character.is_alphabetic() && !is_ideograph
}

/// Go's `unicode.IsPunct`, for ASCII; symbols such as `$` and `+` are none.
fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation()
        && !matches!(character, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    /// All capitals, or one capital and what follows it.
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// A run of characters.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    kind: Kind,
    characters: &'a [char],
}

/// The words of a text, one after the other.
struct Words<'a>(&'a [char]);

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let (kind, length) = word(self.0)?;
        let (characters, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(Word { kind, characters })
    }
}

/// The kind and the length of the first word.
fn word(rest: &[char]) -> Option<(Kind, usize)> {
    let first = *rest.first()?;
    let run = |from: usize, belongs: &dyn Fn(char) -> bool| {
        from + rest[from..].iter().take_while(|character| belongs(**character)).count()
    };
    let is_lower_letter = |character: char| is_letter(character) && !character.is_uppercase();
    Some(if is_connector(first) {
        (Kind::Connector, run(1, &is_connector))
    } else if is_punctuation(first) {
        (Kind::Punctuation, run(1, &is_punctuation))
    } else if first.is_uppercase() {
        let length = match rest.get(1) {
            Some(second) if second.is_uppercase() => {
                let capitals = run(1, &char::is_uppercase);
                // `HTTPStatus` is `HTTP` and `Status`.
                if rest.get(capitals).is_some_and(|next| is_letter(*next)) { capitals - 1 } else { capitals }
            }
            Some(second) if is_letter(*second) => run(1, &is_lower_letter),
            Some(_) | None => 1,
        };
        (Kind::Upper, length)
    } else if is_letter(first) {
        (Kind::Letters, run(1, &is_lower_letter))
    } else if first.is_numeric() {
        (Kind::Number, run(1, &char::is_numeric))
    } else {
        let is_other = |character: char| {
            !is_connector(character)
                && !is_letter(character)
                && !character.is_numeric()
                && !is_punctuation(character)
        };
        (Kind::Other, run(1, &is_other))
    })
}

/// Words in lower case with a connector between them.
fn lower_case(text: &str, connector: char) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut words = Words(&characters);
    let mut out = String::with_capacity(text.len() + 8);
    let Some(mut word) = words.next() else { return out };
    while !words.0.is_empty() {
        if word.kind != Kind::Connector {
            push(&mut out, word, connector);
        }
        let before = word;
        let mut current = words.next();
        match before.kind {
            Kind::Number => {
                current = through(&mut out, &mut words, current, connector);
                separate(&mut out, current, connector);
            }
            Kind::Connector => push(&mut out, before, connector),
            Kind::Punctuation => {}
            Kind::Upper | Kind::Letters | Kind::Other => match current {
                Some(number) if number.kind == Kind::Number && !words.0.is_empty() => {
                    current = words.next();
                    if current.is_some_and(|next| next.kind == Kind::Letters) {
                        // `HTTP2xx` is `http` and `2xx`.
                        out.push(connector);
                        push(&mut out, number, connector);
                        current = through(&mut out, &mut words, current, connector);
                    } else {
                        // `Bld4Floor` is `bld4` and `floor`.
                        push(&mut out, number, connector);
                    }
                    separate(&mut out, current, connector);
                }
                Some(number) if number.kind == Kind::Number => {}
                other => separate(&mut out, other, connector),
            },
        }
        match current {
            Some(next) => word = next,
            None => return out,
        }
    }
    push(&mut out, word, connector);
    out
}

/// Numbers and the letters behind them are one word.
fn through<'a>(
    out: &mut String,
    words: &mut Words<'a>,
    mut current: Option<Word<'a>>,
    connector: char,
) -> Option<Word<'a>> {
    while let Some(word) = current.filter(|word| matches!(word.kind, Kind::Letters | Kind::Number)) {
        push(out, word, connector);
        current = words.next();
    }
    current
}

/// A connector before a word that does not bring its own separation.
fn separate(out: &mut String, next: Option<Word<'_>>, connector: char) {
    if next.is_some_and(|word| !matches!(word.kind, Kind::Connector | Kind::Punctuation)) {
        out.push(connector);
    }
}

fn push(out: &mut String, word: Word<'_>, connector: char) {
    for character in word.characters {
        match word.kind {
            Kind::Upper => out.extend(character.to_lowercase()),
            Kind::Connector => out.push(connector),
            Kind::Number | Kind::Letters | Kind::Punctuation | Kind::Other => out.push(*character),
        }
    }
}

/// Words begin with a capital and stand together; what connects at the start, or doubly, stays.
fn pascal_case(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let Some(start) = characters.iter().position(|character| !is_connector(*character)) else {
        return text.to_owned();
    };
    out.extend(&characters[..start]);
    let upper = |character: char| character.to_uppercase().next().unwrap_or(character);
    let lower = |character: char| character.to_lowercase().next().unwrap_or(character);
    // Whether the word began with capitals and has had nothing else.
    let mut in_capitals = characters[start].is_uppercase();
    let mut before = upper(characters[start]);
    for &character in &characters[start + 1..] {
        let mut current = character;
        if is_connector(before) {
            if is_connector(character) {
                out.push(before);
                before = character;
                continue;
            }
            in_capitals = character.is_uppercase();
            current = upper(character);
        } else {
            if in_capitals {
                if character.is_uppercase() {
                    current = lower(character);
                } else {
                    in_capitals = false;
                }
            }
            out.push(before);
        }
        before = current;
    }
    out.push(before);
    out
}

/// Every word begins with a capital. A word is what stands between characters that are neither letters, digits nor underscores.
fn title(text: &str) -> String {
    let is_separator = |character: char| {
        if character.is_ascii() {
            !character.is_ascii_alphanumeric() && character != '_'
        } else {
            character.is_whitespace()
        }
    };
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for character in text.chars() {
        if is_separator(before) {
            out.extend(character.to_uppercase());
        } else {
            out.push(character);
        }
        before = character;
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The samples of the library's own documentation.
    #[rstest]
    #[case("FirstName", "first_name")]
    #[case("HTTPServer", "http_server")]
    #[case("NoHTTPS", "no_https")]
    #[case("GO_PATH", "go_path")]
    #[case("GO PATH", "go_path")]
    #[case("GO-PATH", "go_path")]
    #[case("http2xx", "http_2xx")]
    #[case("HTTP20xOK", "http_20x_ok")]
    #[case("Duration2m3s", "duration_2m3s")]
    #[case("Bld4Floor3rd", "bld4_floor_3rd")]
    #[case("foo-bar_baz.qux", "foo_bar_baz.qux")]
    #[case("  two  spaces ", "__two__spaces_")]
    #[case("line1\nline2", "line1_line2")]
    #[case("-5", "_5")]
    #[case("1.9", "1.9")]
    #[case("", "")]
    fn snake(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(lower_case(text, '_'), expected);
        assert_eq!(lower_case(text, '-'), expected.replace('_', "-"));
    }

    #[rstest]
    #[case("some_words", "SomeWords")]
    #[case("http_server", "HttpServer")]
    #[case("_complex__case_", "_Complex_Case_")]
    #[case("GOLANG_IS_GREAT", "GolangIsGreat")]
    #[case("ABC def", "AbcDef")]
    #[case("1.9", "1.9")]
    #[case("-", "-")]
    fn pascal(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(pascal_case(text), expected);
    }

    #[rstest]
    #[case("foo-bar_baz.qux", "Foo-Bar_baz.Qux")]
    #[case("it's", "It'S")]
    #[case("a,b", "A,B")]
    fn titles(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(title(text), expected);
    }
}
