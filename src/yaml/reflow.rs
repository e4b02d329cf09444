//! Makes a reader that keeps to YAML's specification take what go-yaml takes, by rewriting the text for it.
//!
//! go-yaml does not look at the indentation inside quotes, and templates rely on it: a value of several lines within quotes
//! comes out at the start of a line. White space at the start of such a line has no meaning, so adding some changes nothing.

/// Where a line begins.
enum State {
    /// Outside quotes and block scalars.
    Open,
    /// Inside a quoted scalar that began at a column.
    Quoted { quote: u8, column: usize },
    /// Inside a block scalar whose parent is at a column; its lines are indented deeper. Its `|` or `>` is at `header`,
    /// in bytes from the start of its line.
    Block { parent: usize, header: usize },
}

/// The text with the further lines of quoted scalars indented beyond the column of their quote.
pub(super) fn indent_quoted_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    walk(text, |line, indentation| {
        out.extend(std::iter::repeat_n(' ', indentation));
        out.push_str(line);
    });
    out
}

/// When a text without a last line end stops inside a block scalar: the text with that scalar's line ends stripped.
///
/// go-yaml ends the scalar's value where the text ends; other readers add a line end.
pub(super) fn strip_last_block(text: &str) -> Option<String> {
    if text.ends_with('\n') || !text.contains(['|', '>']) {
        return None;
    }
    let at = walk(text, |_, _| {})?;
    let (before, header) = text.split_at(at);
    let (header, after) = header.split_once('\n')?;
    let plain: String = header.chars().filter(|character| !matches!(character, '+' | '-')).collect();
    let digits = plain[1..].find(|character: char| !character.is_ascii_digit()).unwrap_or(plain.len() - 1);
    let (indicator, comment) = plain.split_at(1 + digits);
    Some(format!("{before}{indicator}-{comment}\n{after}"))
}

/// Goes through the lines with the indentation that each lacks; gives the place of the header of a block scalar that is
/// open at the end.
fn walk(text: &str, mut each: impl FnMut(&str, usize)) -> Option<usize> {
    let mut state = State::Open;
    let mut flow_depth = 0;
    let mut start = 0;
    let mut header_at = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let is_blank = line.trim().is_empty();
        let mut lacking = 0;
        if !matches!(state, State::Block { parent, .. } if is_blank || indent > parent) {
            state = match state {
                State::Block { .. } | State::Open => scan(line, 0, &mut flow_depth),
                State::Quoted { quote, column } => {
                    lacking = if is_blank { 0 } else { column + 1 };
                    match closing(line.as_bytes(), 0, quote) {
                        Some(after) => scan(line, after, &mut flow_depth),
                        None => State::Quoted { quote, column },
                    }
                }
            };
            if let State::Block { header, .. } = state {
                header_at = start + header;
            }
        }
        each(line, lacking);
        start += line.len();
    }
    matches!(state, State::Block { .. }).then_some(header_at)
}

/// The position after the closing quote.
fn closing(line: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    while at < line.len() {
        match line[at] {
            b'\\' if quote == b'"' => at += 1,
            byte if byte == quote => {
                if quote == b'\'' && line.get(at + 1) == Some(&b'\'') {
                    at += 1;
                } else {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Reads a line from a position to its end; tells what the next line begins in.
fn scan(text: &str, from: usize, flow_depth: &mut usize) -> State {
    let line = text.as_bytes();
    let is_blank = |at: usize| line.get(at).is_none_or(u8::is_ascii_whitespace);
    // Whether a scalar may begin here.
    let mut expects = from == 0;
    let mut parent = 0;
    let mut in_prefix = from == 0;
    let mut at = from;
    while at < line.len() {
        let byte = line[at];
        match byte {
            _ if byte.is_ascii_whitespace() => {}
            b'#' if at == 0 || is_blank(at - 1) => break,
            b'-' | b'?' if in_prefix && is_blank(at + 1) => parent = at,
            b'\'' | b'"' if expects => {
                if in_prefix {
                    parent = at;
                }
                match closing(line, at + 1, byte) {
                    Some(after) => at = after - 1,
                    None => return State::Quoted { quote: byte, column: at },
                }
                (expects, in_prefix) = (false, false);
            }
            b'|' | b'>' if expects && *flow_depth == 0 => return State::Block { parent, header: at },
            b'[' | b'{' if expects || *flow_depth > 0 => {
                *flow_depth += 1;
                (expects, in_prefix) = (true, false);
            }
            b']' | b'}' if *flow_depth > 0 => {
                *flow_depth -= 1;
                expects = false;
            }
            b',' if *flow_depth > 0 => expects = true,
            b':' if is_blank(at + 1) || *flow_depth > 0 => expects = true,
            b'!' | b'&' if expects => {
                while !is_blank(at + 1) {
                    at += 1;
                }
            }
            _ => {
                if in_prefix {
                    parent = at;
                }
                (expects, in_prefix) = (false, false);
            }
        }
        at += 1;
    }
    State::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_block_that_is_open_at_the_end_is_stripped() {
        for (text, expected) in [
            ("a: |\n  b", Some("a: |-\n  b")),
            ("a: |+2 # c\n  b\n\n  c", Some("a: |2- # c\n  b\n\n  c")),
            ("a: |\n  b\nc: d", None),
            ("a: |\n  b\n", None),
            ("a: 'x | y'", None),
            ("- a: >\n    b\n- |\n  c | d", Some("- a: >\n    b\n- |-\n  c | d")),
        ] {
            assert_eq!(strip_last_block(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn only_lines_inside_quotes_move() {
        for (text, expected) in [
            ("a:\n  b: 'x\n y'\n", "a:\n  b: 'x\n       y'\n"),
            ("a: \"x\ny\\\"\nz\"\nb: c\n", "a: \"x\n    y\\\"\n    z\"\nb: c\n"),
            ("a: it's\nb: 'it''s\nme'\n", "a: it's\nb: 'it''s\n    me'\n"),
            ("a: |\n  'x\n  y\nb: c\n", "a: |\n  'x\n  y\nb: c\n"),
            ("- k: >-\n    'x\n  l: 'm\nn'\n", "- k: >-\n    'x\n  l: 'm\n      n'\n"),
            ("- |\n 'x\n- 'y\nz'\n", "- |\n 'x\n- 'y\n   z'\n"),
            ("a: [x, 'y\nz', w]\n", "a: [x, 'y\n        z', w]\n"),
            ("a: b # 'c\nd: e\n", "a: b # 'c\nd: e\n"),
            ("a: !!str 'x\ny'\n", "a: !!str 'x\n          y'\n"),
            ("a: 'x\n\ny'\n", "a: 'x\n\n    y'\n"),
        ] {
            assert_eq!(indent_quoted_lines(text), expected, "{text:?}");
        }
    }
}
