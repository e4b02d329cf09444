//! Reads the YAML that most manifests and policies are written in, many times faster than a full reader.
//!
//! Takes block mappings and lists, scalars on one line, literal blocks and flow collections on one line, in ASCII. Whatever
//! else it meets, or is in doubt about, it gives up, and the full reader reads the text: it never decides alone that a text
//! is wrong. Where both read a text, they agree (see the tests).

use serde_json::{Map, Value};

use super::Dialect;

/// How deep collections may nest here.
const MAX_DEPTH: usize = 40;

/// A line without its indentation.
#[derive(Clone, Copy)]
struct Line<'t> {
    indent: usize,
    text: &'t str,
    /// The line as it is, without its line end.
    raw: &'t str,
}

struct Reader<'t> {
    lines: Vec<Line<'t>>,
    next: usize,
    dialect: Dialect,
    ends_with_newline: bool,
}

/// The value of a text, or `None` when the full reader must decide.
pub(super) fn read(text: &str, dialect: Dialect) -> Option<Value> {
    if !text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let lines = text.lines().map(|raw| {
        let text = raw.trim_start_matches(' ');
        Line { indent: raw.len() - text.len(), text: text.trim_end_matches(' '), raw }
    });
    let mut reader =
        Reader { lines: lines.collect(), next: 0, dialect, ends_with_newline: text.ends_with('\n') };
    let value = reader.block(0, MAX_DEPTH)?;
    reader.skip_blank();
    (reader.next == reader.lines.len()).then_some(value)
}

impl<'t> Reader<'t> {
    fn skip_blank(&mut self) {
        while self.lines.get(self.next).is_some_and(|line| line.text.is_empty() || line.text.starts_with('#'))
        {
            self.next += 1;
        }
    }

    /// The next line that holds something.
    fn peek(&mut self) -> Option<Line<'t>> {
        self.skip_blank();
        self.lines.get(self.next).copied()
    }

    /// The collection that begins at the next line, which must be indented at least so far.
    fn block(&mut self, least: usize, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let line = self.peek()?;
        if line.indent < least {
            return None;
        }
        if is_item(line.text) { self.list(line.indent, depth) } else { self.map(line.indent, depth) }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        while let Some(line) = self.peek() {
            if line.indent < indent || line.indent == indent && !is_item(line.text) {
                break;
            }
            if line.indent > indent {
                return None;
            }
            let rest = line.text[1..].trim_start_matches(' ');
            if rest.is_empty() || rest.starts_with('#') {
                self.next += 1;
                items.push(self.nested(indent, false, depth)?);
            } else if is_item(rest) || split_key(rest).is_some() {
                // The rest of the line is the first line of a collection of its own.
                let column = indent + line.text.len() - rest.len();
                self.lines[self.next] = Line { indent: column, text: rest, raw: line.raw };
                items.push(self.block(column, depth)?);
            } else {
                self.next += 1;
                items.push(self.scalar(rest, indent)?);
            }
        }
        Some(Value::Array(items))
    }

    fn map(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut fields = Map::new();
        while let Some(line) = self.peek() {
            if line.indent < indent {
                break;
            }
            if line.indent > indent || is_item(line.text) {
                return None;
            }
            let (key, rest) = split_key(line.text)?;
            let key = match key.as_bytes()[0] {
                b'"' | b'\'' => quoted(key)?,
                _ => match plain(key, self.dialect)? {
                    Value::String(key) => key,
                    _ => return None,
                },
            };
            self.next += 1;
            let rest = rest.trim_start_matches(' ');
            let value = if rest.is_empty() || rest.starts_with('#') {
                self.nested(indent, true, depth)?
            } else {
                self.scalar(rest, indent)?
            };
            if fields.insert(key, value).is_some() {
                return None;
            }
        }
        Some(Value::Object(fields))
    }

    /// What stands below a key or dash; a list below a key may stand as far left as the key.
    fn nested(&mut self, indent: usize, below_key: bool, depth: usize) -> Option<Value> {
        let Some(line) = self.peek() else { return Some(Value::Null) };
        if line.indent > indent {
            // A scalar on a line of its own is left to the full reader.
            if !is_item(line.text) {
                split_key(line.text)?;
            }
            return self.block(indent + 1, depth);
        }
        if below_key && line.indent == indent && is_item(line.text) {
            return self.list(indent, depth.checked_sub(1)?);
        }
        Some(Value::Null)
    }

    /// A scalar or flow collection that must end on its line, or a literal block.
    fn scalar(&mut self, text: &'t str, indent: usize) -> Option<Value> {
        let value = match text.as_bytes()[0] {
            b'|' => return self.literal(text, indent),
            b'"' | b'\'' => Value::String(quoted(text)?),
            b'{' | b'[' => {
                let mut flow = Flow { text: text.as_bytes(), at: 0, source: text, dialect: self.dialect };
                let value = flow.value(MAX_DEPTH)?;
                if flow.at != text.len() {
                    return None;
                }
                value
            }
            _ if text.contains(": ") || text.ends_with(':') || text.contains(" #") => return None,
            _ => plain(text, self.dialect)?,
        };
        match self.peek() {
            Some(line) if line.indent > indent => None,
            _ => Some(value),
        }
    }

    fn literal(&mut self, header: &str, indent: usize) -> Option<Value> {
        let strips = match header {
            "|" => false,
            "|-" => true,
            _ => return None,
        };
        let mut found = self.lines[self.next..].iter();
        let column = found.find(|line| !line.text.is_empty())?.indent;
        if column <= indent {
            return None;
        }
        let mut content = String::new();
        while let Some(line) = self.lines.get(self.next) {
            if !line.text.is_empty() && line.indent < column {
                if line.indent > indent {
                    return None;
                }
                break;
            }
            content.push_str(line.raw.get(column..).unwrap_or_default());
            content.push('\n');
            self.next += 1;
        }
        let at_end = self.next == self.lines.len() && !self.ends_with_newline;
        content.truncate(content.trim_end_matches('\n').len());
        if content.starts_with([' ', '\n']) && content.trim_start_matches('\n').starts_with(' ') {
            return None;
        }
        if !strips && !at_end {
            content.push('\n');
        }
        Some(Value::String(content))
    }
}

/// Whether a line is an item of a list.
fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// `key: value` as key and value; the key must be one word or quoted.
fn split_key(text: &str) -> Option<(&str, &str)> {
    let first = *text.as_bytes().first()?;
    let end = if matches!(first, b'"' | b'\'') {
        quoted_length(text)?
    } else if first.is_ascii_alphabetic() || first == b'_' {
        text.find(|character: char| {
            !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '/'))
        })?
    } else {
        return None;
    };
    let (key, rest) = text.split_at(end);
    let rest = rest.strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with(' ')).then_some((key, rest))
}

/// Length of a quoted scalar at the start of a text, quotes included.
fn quoted_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = bytes[0];
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            byte if byte != quote => at += 1,
            _ if quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 2,
            _ => return Some(at + 1),
        }
    }
}

/// The text of a quoted scalar that is all there is.
fn quoted(text: &str) -> Option<String> {
    if quoted_length(text)? != text.len() {
        return None;
    }
    let inner = &text[1..text.len() - 1];
    if text.starts_with('\'') {
        return Some(inner.replace("''", "'"));
    }
    if !inner.contains('\\') {
        return Some(inner.to_owned());
    }
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                '"' => '"',
                '\\' => '\\',
                '/' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

/// A scalar without quotes, when there is no doubt about its type.
fn plain(text: &str, dialect: Dialect) -> Option<Value> {
    let string = || Some(Value::String(text.to_owned()));
    match text.as_bytes()[0] {
        b'0'..=b'9' => {
            if text.bytes().all(|byte| byte.is_ascii_digit()) {
                let leads = text.len() > 1 && text.starts_with('0');
                return if leads || text.len() > 18 {
                    None
                } else {
                    Some(Value::from(text.parse::<i64>().ok()?))
                };
            }
            let numeric = |byte: u8| byte.is_ascii_hexdigit() || b".+-_xXoO:TtZz ".contains(&byte);
            if text.bytes().all(numeric) { None } else { string() }
        }
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'i' | b'I'
            if text.len() <= 8 =>
        {
            match text {
                "null" | "Null" | "NULL" => Some(Value::Null),
                "true" | "True" | "TRUE" => Some(Value::Bool(true)),
                "false" | "False" | "FALSE" => Some(Value::Bool(false)),
                _ => match text.to_ascii_lowercase().as_str() {
                    "null" | "true" | "false" | "inf" | "infinity" | "nan" => None,
                    "y" | "n" | "yes" | "no" | "on" | "off" if dialect == Dialect::Kubernetes => None,
                    _ => string(),
                },
            }
        }
        b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'/' | b'$' | b'(' => string(),
        b'<' if !text.starts_with("<<") => string(),
        _ => None,
    }
}

/// A flow collection on one line.
struct Flow<'t> {
    text: &'t [u8],
    source: &'t str,
    at: usize,
    dialect: Dialect,
}

impl Flow<'_> {
    fn skip_spaces(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    /// Whether a byte is next, which is then passed.
    fn accept(&mut self, byte: u8) -> bool {
        self.skip_spaces();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        if self.accept(b'[') {
            let mut items = Vec::new();
            while !self.accept(b']') {
                items.push(self.value(depth)?);
                self.skip_spaces();
                if !self.accept(b',') && self.text.get(self.at) != Some(&b']') {
                    return None;
                }
            }
            return Some(Value::Array(items));
        }
        if self.accept(b'{') {
            let mut fields = Map::new();
            while !self.accept(b'}') {
                let Value::String(key) = self.value(depth)? else { return None };
                let was_quoted = matches!(self.text.get(self.at - 1), Some(b'"' | b'\''));
                if !self.accept(b':') || !was_quoted && self.text.get(self.at) != Some(&b' ') {
                    return None;
                }
                if fields.insert(key, self.value(depth)?).is_some() {
                    return None;
                }
                self.skip_spaces();
                if !self.accept(b',') && self.text.get(self.at) != Some(&b'}') {
                    return None;
                }
            }
            return Some(Value::Object(fields));
        }
        self.skip_spaces();
        let rest = &self.source[self.at..];
        if rest.starts_with(['"', '\'']) {
            let length = quoted_length(rest)?;
            self.at += length;
            return Some(Value::String(quoted(&rest[..length])?));
        }
        let is_word = |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
        let word = &rest[..rest.find(|character| !is_word(character)).unwrap_or(rest.len())];
        self.at += word.len();
        if word.is_empty() { None } else { plain(word, self.dialect) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{full, write};
    use super::*;

    #[test]
    fn the_usual_is_read() {
        let text = "\n- kind: Pod # no\n";
        assert_eq!(read(text, Dialect::Template), None);
        let text = "# c\na:\n- b: 1\n  c: 'it''s'\n-\n  - x\n  - - y\nd: |\n  l1\n\n    l2\ne: {\"f\":[1, g,], h: true, }\ni:\nj: 240h0m0s\n";
        let expected = json!({"a": [{"b": 1, "c": "it's"}, ["x", ["y"]]], "d": "l1\n\n  l2\n",
            "e": {"f": [1, "g"], "h": true}, "i": null, "j": "240h0m0s"});
        assert_eq!(read(text, Dialect::Template), Some(expected.clone()));
        assert_eq!(full(text, Dialect::Template), Ok(expected));
    }

    #[test]
    fn doubtful_texts_are_left_to_the_full_reader() {
        for text in [
            "a: b: c",
            "a: 'x\ny'",
            "a: b\n  c",
            "a: 0644",
            "a: 1.5",
            "a: 2021-01-01",
            "a: &x 1",
            "a: *x",
            "a: !!str 1",
            "a: >\n  b",
            "a: |2\n  b",
            "---\na: 1",
            "a: 1\na: 2",
            "a: [1\n]",
            "a: \u{e9}",
            "a:\tb",
            "? a\n: b",
            "a: .5",
            "<<: 1",
            "12: a",
            "true: a",
            "a: ~",
            "plain",
            "a: 1\n b: 2",
            "- a\nb: c",
            "a: |\n    x\n  y\n",
            "a: @b",
        ] {
            assert_eq!(read(text, Dialect::Template), None, "{text:?}");
        }
        assert_eq!(read("a: yes", Dialect::Kubernetes), None);
        assert_eq!(read("a: yes", Dialect::Template), Some(json!({"a": "yes"})));
    }

    fn values() -> impl Strategy<Value = Value> {
        let words = prop_oneof![
            "[ -~]{0,12}",
            "[a-z]{1,6}(\n| \n|\n\n)?[ a-z]{0,5}\n?",
            prop::sample::select(vec![
                "yes",
                "no",
                "null",
                "Inf",
                "nan",
                "NaN",
                "1e3",
                "0x1",
                "-",
                "- a",
                "a: b",
                "a #b",
                "~",
                "|",
                "''",
                "0 */1 * * *",
                "<no value>",
                "{}",
                "[]",
                "{a: b}",
                "on",
                "y",
            ])
            .prop_map(String::from),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            words.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,6}|[a-z]{1,4}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Pieces of YAML, right or wrong.
    fn texts() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "a",
            "b: ",
            "- ",
            "  ",
            "\n",
            "\n  ",
            "\n    ",
            "'x'",
            "\"y\\n\"",
            "12",
            ": ",
            "|\n  ",
            "|-\n  ",
            "{a: 1, }",
            "[x, \"y\"]",
            "# c",
            "yes",
            "''",
            "'",
            "key:",
            "\n- ",
            "{",
            "]",
            ",",
            "0",
            "a.b/c: ",
        ]);
        prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_alike(value in values()) {
            let text = write(&value).unwrap();
            for dialect in [Dialect::Template, Dialect::Kubernetes] {
                if let Some(read) = read(&text, dialect) {
                    prop_assert_eq!(Ok(read), full(&text, dialect), "{}", text);
                }
            }
        }

        #[test]
        fn whatever_is_read_is_read_alike(text in texts()) {
            for dialect in [Dialect::Template, Dialect::Kubernetes] {
                if let Some(read) = read(&text, dialect) {
                    prop_assert_eq!(Ok(read), full(&text, dialect), "{:?}", text);
                }
            }
        }
    }
}
