//! Where the letters of a scalar stand in the file: a place in a value, as its reader sees it, to the place in the text.
//!
//! Takes the text of a document and the place where a scalar begins. What it decodes is compared with what the reader made of
//! the scalar; where the two differ, nothing is said.

use super::Mark;

/// The letters of a scalar, each with its place in the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Letters {
    /// The letters of the value and their places; the last one is the place behind it.
    places: Vec<(char, Mark)>,
    end: Mark,
}

impl Letters {
    /// The place in the document of a place in the value.
    pub fn place(&self, wanted: Mark) -> Mark {
        let (mut line, mut column) = (1, 1);
        for (letter, mark) in &self.places {
            if (line, column) >= (wanted.line, wanted.column) {
                return *mark;
            }
            if *letter == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        self.end
    }
}

/// Walks over the text letter by letter.
struct Walk<'t> {
    letters: std::iter::Peekable<std::str::Chars<'t>>,
    mark: Mark,
    places: Vec<(char, Mark)>,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<(char, Mark)> {
        let letter = self.letters.next()?;
        let at = self.mark;
        if letter == '\n' {
            self.mark = Mark { line: at.line + 1, column: 1 };
        } else {
            self.mark.column += 1;
        }
        Some((letter, at))
    }

    fn peek(&mut self) -> Option<char> {
        self.letters.peek().copied()
    }

    fn push(&mut self, letter: char, mark: Mark) {
        self.places.push((letter, mark));
    }

    /// A line end in a flow scalar: one is a blank, more are one less.
    fn fold(&mut self, at: Mark) {
        while self.places.last().is_some_and(|(letter, _)| matches!(letter, ' ' | '\t')) {
            self.places.pop();
        }
        let mut ends = 1;
        while let Some(letter) = self.peek() {
            match letter {
                '\n' => ends += 1,
                ' ' | '\t' | '\r' => {}
                _ => break,
            }
            self.next();
        }
        if ends == 1 {
            self.push(' ', at);
        } else {
            for _ in 1..ends {
                self.push('\n', at);
            }
        }
    }

    fn done(self, end: Mark, value: &str) -> Option<Letters> {
        let same = self.places.iter().map(|(letter, _)| *letter).eq(value.chars());
        same.then_some(Letters { places: self.places, end })
    }
}

/// The letters of the scalar that begins at a place (of a block: in the line below its mark), if it decodes to `value`.
pub fn letters(document: &str, begin: Mark, value: &str) -> Option<Letters> {
    let start = document.split_inclusive('\n').take(begin.line - 1).map(str::len).sum::<usize>();
    let line = document.get(start..)?;
    let offset = line.char_indices().nth(begin.column - 1).map(|(offset, _)| offset)?;
    let text = document.get(start + offset..)?;
    let flow = match text.chars().next()? {
        '\'' => single(text, begin, value),
        '"' => double(text, begin, value),
        _ => plain(text, begin, value),
    };
    flow.or_else(|| block(document, begin, value))
}

fn walk(text: &str, begin: Mark) -> Walk<'_> {
    Walk { letters: text.chars().peekable(), mark: begin, places: Vec::new() }
}

fn single(text: &str, begin: Mark, value: &str) -> Option<Letters> {
    let mut walk = walk(text, begin);
    walk.next()?;
    loop {
        match walk.next()? {
            ('\'', at) if walk.peek() == Some('\'') => {
                walk.next();
                walk.push('\'', at);
            }
            ('\'', at) => return walk.done(at, value),
            ('\n', at) => walk.fold(at),
            ('\r', _) => {}
            (letter, at) => walk.push(letter, at),
        }
    }
}

fn double(text: &str, begin: Mark, value: &str) -> Option<Letters> {
    let mut walk = walk(text, begin);
    walk.next()?;
    loop {
        match walk.next()? {
            ('"', at) => return walk.done(at, value),
            ('\n', at) => walk.fold(at),
            ('\r', _) => {}
            ('\\', at) => {
                let (escape, _) = walk.next()?;
                let letter = match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '0' => '\0',
                    '\n' => {
                        while matches!(walk.peek(), Some(' ' | '\t')) {
                            walk.next();
                        }
                        continue;
                    }
                    'x' | 'u' | 'U' => hexadecimal(&mut walk, escape)?,
                    other => other,
                };
                walk.push(letter, at);
            }
            (letter, at) => walk.push(letter, at),
        }
    }
}

fn hexadecimal(walk: &mut Walk<'_>, escape: char) -> Option<char> {
    let digits = match escape {
        'x' => 2,
        'u' => 4,
        _ => 8,
    };
    let mut number = 0;
    for _ in 0..digits {
        number = number * 16 + walk.next()?.0.to_digit(16)?;
    }
    char::from_u32(number)
}

/// A plain scalar ends where the value does; only its length is known.
fn plain(text: &str, begin: Mark, value: &str) -> Option<Letters> {
    let mut walk = walk(text, begin);
    while walk.places.len() < value.chars().count() {
        match walk.next()? {
            ('\n', at) => walk.fold(at),
            ('\r', _) => {}
            (letter, at) => walk.push(letter, at),
        }
    }
    let end = walk.mark;
    walk.done(end, value)
}

/// A block scalar: `|` keeps its lines, `>` folds them. The indentation is that of its first line with letters.
fn block(document: &str, begin: Mark, value: &str) -> Option<Letters> {
    let lines: Vec<&str> = document.lines().skip(begin.line - 1).collect();
    let first = lines.iter().find(|line| !line.trim().is_empty())?;
    let indent = first.chars().take_while(|letter| *letter == ' ').count();
    let wanted: Vec<char> = value.chars().collect();
    let mut places = Vec::with_capacity(wanted.len());
    let mut end = begin;
    for (index, line) in lines.iter().enumerate() {
        let column = indent + 1;
        for (offset, letter) in line.chars().skip(indent).enumerate() {
            if wanted.get(places.len()) != Some(&letter) {
                return None;
            }
            places.push((letter, Mark { line: begin.line + index, column: column + offset }));
        }
        end = Mark { line: begin.line + index, column: line.chars().count() + 1 };
        if places.len() == wanted.len() {
            break;
        }
        // The end of a line, kept or folded; blank lines of a folded block add less than they have.
        match wanted.get(places.len()) {
            Some(letter @ ('\n' | ' ')) => places.push((*letter, end)),
            Some(_) if line.trim().is_empty() => {}
            Some(_) | None => return None,
        }
        if places.len() == wanted.len() {
            break;
        }
    }
    (places.len() == wanted.len()).then_some(Letters { places, end })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Dialect, read_located, write};
    use super::*;

    /// The letter of the document at the place of each `#` in the value.
    fn found(document: &str, key: &str) -> Vec<(usize, usize)> {
        let located = read_located(document, Dialect::Kubernetes).unwrap();
        let part = located.at(&["data", key]).unwrap();
        let value = part.text().unwrap();
        let letters = letters(document, part.mark(), value).unwrap_or_else(|| panic!("{document}: {part:?}"));
        let places = value.match_indices('#').map(|(offset, _)| letters.place(Mark::at(value, offset)));
        places.map(|mark| (mark.line, mark.column)).collect()
    }

    #[test]
    fn every_way_of_writing_a_text_is_followed_back() {
        for document in [
            "data:\n  k: a #b\n".replace("a #", "a#"),
            "data:\n  k: 'it''s #x'\n".to_owned(),
            "data:\n  k: '\n    {\n      \"a\": #1\n    }'\n".to_owned(),
            "data:\n  k: \"{\n    \\\"a\\\": #1,\\t#2\n\n    }\"\n".to_owned(),
            "data:\n  k: |\n    one\n    t#wo\n".to_owned(),
            "data:\n  k: |-\n    one\n\n      t#wo\n".to_owned(),
            "data:\n  k: >\n    one\n    t#wo\n".to_owned(),
            "data: {k: \"\\u00e4#\"}\n".to_owned(),
            "data:\n  k: one\n    tw#o\n".to_owned(),
        ] {
            let marks = found(&document, "k");
            let expected: Vec<(usize, usize)> = document
                .lines()
                .enumerate()
                .flat_map(|(index, line)| {
                    let columns = line.chars().enumerate().filter(|(_, letter)| *letter == '#');
                    columns.map(move |(column, _)| (index + 1, column + 1)).collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(marks, expected, "{document}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(value in "[ -~\n\t'\"\\\\]{0,30}", line in 1_usize..4, column in 1_usize..9) {
            let document = write(&serde_json::json!({"data": {"k": value}})).unwrap();
            let _ = letters(&document, Mark { line, column }, &value);
            let located = read_located(&document, Dialect::Kubernetes).unwrap();
            let part = located.at(&["data", "k"]).unwrap();
            if let Some(letters) = letters(&document, part.mark(), &value) {
                let behind = letters.place(Mark { line: 99, column: 99 });
                prop_assert!(behind.line >= 1);
            }
        }
    }
}
