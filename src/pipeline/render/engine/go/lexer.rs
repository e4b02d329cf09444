//! Cuts a template text into tokens: text outside the delimiters, words inside them.
//!
//! Works ahead of the parser; the first fault ends the list as an error token, which the parser reports when it gets there.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A fault; the token's text says which.
    Error,
    /// End of the text.
    Eof,
    /// Text outside delimiters.
    Text,
    /// `{{`.
    LeftDelimiter,
    /// `}}`.
    RightDelimiter,
    /// `=`.
    Assign,
    /// `:=`.
    Declare,
    /// `|`.
    Pipe,
    /// `(`.
    LeftParenthesis,
    /// `)`.
    RightParenthesis,
    /// White space.
    Space,
    /// A printable character with no meaning of its own, such as a comma.
    Character,
    /// `'x'`.
    CharacterConstant,
    /// `"…"`.
    Quoted,
    /// `` `…` ``.
    RawQuoted,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `.`.
    Dot,
    /// `.name`.
    Field,
    /// A function's name.
    Identifier,
    /// `$name`.
    Variable,
    /// `nil`.
    Nil,
    /// `block`.
    Block,
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `define`.
    Define,
    /// `else`.
    Else,
    /// `end`.
    End,
    /// `if`.
    If,
    /// `range`.
    Range,
    /// `template`.
    Template,
    /// `with`.
    With,
}

/// One token.
#[derive(Debug, Clone)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) text: std::borrow::Cow<'s, str>,
    /// Byte offset in the source.
    pub(super) at: usize,
}

impl Token<'_> {
    /// How error texts show the token.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.to_string(),
            Kind::Block
            | Kind::Break
            | Kind::Continue
            | Kind::Define
            | Kind::Else
            | Kind::End
            | Kind::If
            | Kind::Nil
            | Kind::Range
            | Kind::Template
            | Kind::With => format!("<{}>", self.text),
            _ if self.text.chars().count() > 10 => {
                let start: String = self.text.chars().take(10).collect();
                format!("{}...", super::format::quote(&start))
            }
            _ => super::format::quote(&self.text),
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    start: usize,
    position: usize,
    left: &'s str,
    right: &'s str,
    parentheses: usize,
    tokens: Vec<Token<'s>>,
}

/// Signals that an error token ended the list.
struct Stop;

/// All tokens of a text; the last one is the end or an error.
pub(super) fn tokens<'s>(source: &'s str, left: &'s str, right: &'s str) -> Vec<Token<'s>> {
    let mut lexer = Lexer {
        source,
        start: 0,
        position: 0,
        left,
        right,
        parentheses: 0,
        tokens: Vec::with_capacity(source.len() / 8 + 8),
    };
    if lexer.run().is_ok() {
        lexer.emit(Kind::Eof);
    }
    lexer.tokens
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

impl<'s> Lexer<'s> {
    fn run(&mut self) -> Result<(), Stop> {
        while self.position < self.source.len() {
            let Some(ahead) = self.rest().find(self.left) else {
                self.position = self.source.len();
                self.emit(Kind::Text);
                break;
            };
            self.position += ahead;
            let opened = &self.source[self.position + self.left.len()..];
            let mut text = &self.source[self.start..self.position];
            let trimmed = is_left_trim(opened);
            if trimmed {
                text = text.trim_end_matches(is_space);
            }
            if !text.is_empty() {
                self.push(Kind::Text, text);
            }
            self.start = self.position;
            self.position += self.left.len();
            let marker = if trimmed { 2 } else { 0 };
            if self.source[self.position + marker..].starts_with("/*") {
                self.position += marker;
                self.comment()?;
            } else {
                self.emit(Kind::LeftDelimiter);
                self.position += marker;
                self.start = self.position;
                self.parentheses = 0;
                self.action()?;
            }
        }
        Ok(())
    }

    fn rest(&self) -> &'s str {
        &self.source[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += character.len_utf8();
        Some(character)
    }

    fn push(&mut self, kind: Kind, text: &'s str) {
        self.tokens.push(Token { kind, text: text.into(), at: self.start });
    }

    fn emit(&mut self, kind: Kind) {
        self.push(kind, &self.source[self.start..self.position]);
        self.start = self.position;
    }

    fn fault(&mut self, message: impl Into<String>) -> Stop {
        self.tokens.push(Token { kind: Kind::Error, text: message.into().into(), at: self.start });
        Stop
    }

    /// Whether a closing delimiter is next, and whether it trims.
    fn at_right(&self) -> Option<bool> {
        let rest = self.rest();
        let mut characters = rest.chars();
        if characters.next().is_some_and(is_space)
            && characters.next() == Some('-')
            && rest[2..].starts_with(self.right)
        {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn skip_right(&mut self, trims: bool) {
        if trims {
            self.position += 2;
            self.start = self.position;
        }
        self.position += self.right.len();
    }

    fn trim_after(&mut self, trims: bool) {
        if trims {
            let rest = self.rest();
            self.position += rest.len() - rest.trim_start_matches(is_space).len();
        }
        self.start = self.position;
    }

    fn comment(&mut self) -> Result<(), Stop> {
        let Some(length) = self.rest().find("*/") else { return Err(self.fault("unclosed comment")) };
        self.position += length + 2;
        let Some(trims) = self.at_right() else {
            return Err(self.fault("comment ends before closing delimiter"));
        };
        self.skip_right(trims);
        self.trim_after(trims);
        Ok(())
    }

    fn action(&mut self) -> Result<(), Stop> {
        loop {
            if let Some(trims) = self.at_right() {
                if self.parentheses > 0 {
                    return Err(self.fault("unclosed left paren"));
                }
                self.skip_right(trims);
                self.emit(Kind::RightDelimiter);
                self.trim_after(trims);
                return Ok(());
            }
            self.word()?;
        }
    }

    fn word(&mut self) -> Result<(), Stop> {
        let Some(character) = self.next() else { return Err(self.fault("unclosed action")) };
        match character {
            _ if is_space(character) => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return Err(self.fault("expected :="));
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', "unterminated quoted string", Kind::Quoted)?,
            '\'' => self.quoted('\'', "unterminated character constant", Kind::CharacterConstant)?,
            '`' => self.raw_quoted()?,
            '$' => self.field_or_variable(Kind::Variable)?,
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field)?;
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.position = self.start;
                self.number()?;
            }
            _ if is_word(character) => self.identifier()?,
            '(' => {
                self.parentheses += 1;
                self.emit(Kind::LeftParenthesis);
            }
            ')' => {
                if self.parentheses == 0 {
                    return Err(self.fault("unexpected right paren"));
                }
                self.parentheses -= 1;
                self.emit(Kind::RightParenthesis);
            }
            _ if character.is_ascii_graphic() => self.emit(Kind::Character),
            _ => {
                return Err(
                    self.fault(format!("unrecognized character in action: {}", code_point(character)))
                );
            }
        }
        Ok(())
    }

    /// White space up to a trimming delimiter, whose leading space is the delimiter's own.
    fn space(&mut self) {
        while self.peek().is_some_and(is_space) && self.at_right() != Some(true) {
            self.next();
        }
        self.emit(Kind::Space);
    }

    fn quoted(&mut self, quote: char, fault: &'static str, kind: Kind) -> Result<(), Stop> {
        loop {
            match self.next() {
                Some('\\') if !matches!(self.peek(), None | Some('\n')) => {
                    self.next();
                }
                None | Some('\\' | '\n') => return Err(self.fault(fault)),
                Some(character) if character == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn raw_quoted(&mut self) -> Result<(), Stop> {
        let Some(length) = self.rest().find('`') else {
            return Err(self.fault("unterminated raw quoted string"));
        };
        self.position += length + 1;
        self.emit(Kind::RawQuoted);
        Ok(())
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None => true,
            Some(character) => {
                is_space(character)
                    || matches!(character, '.' | ',' | '|' | ':' | ')' | '(')
                    || self.rest().starts_with(self.right)
            }
        }
    }

    fn bad_character(&mut self) -> Stop {
        let shown = self.peek().map_or_else(|| "EOF".to_owned(), code_point);
        self.fault(format!("bad character {shown}"))
    }

    fn field_or_variable(&mut self, kind: Kind) -> Result<(), Stop> {
        if self.at_terminator() {
            self.emit(if kind == Kind::Variable { Kind::Variable } else { Kind::Dot });
            return Ok(());
        }
        while self.peek().is_some_and(is_word) {
            self.next();
        }
        if !self.at_terminator() {
            return Err(self.bad_character());
        }
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), Stop> {
        while self.peek().is_some_and(is_word) {
            self.next();
        }
        if !self.at_terminator() {
            return Err(self.bad_character());
        }
        let kind = match &self.source[self.start..self.position] {
            "nil" => Kind::Nil,
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        let skip = |lexer: &mut Self, set: &str| {
            while lexer.peek().is_some_and(|character| set.contains(character)) {
                lexer.next();
            }
        };
        let accept = |lexer: &mut Self, set: &str| {
            let found = lexer.peek().is_some_and(|character| set.contains(character));
            if found {
                lexer.next();
            }
            found
        };
        accept(self, "+-");
        let mut digits = "0123456789_";
        if accept(self, "0") {
            if accept(self, "xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if accept(self, "oO") {
                digits = "01234567_";
            } else if accept(self, "bB") {
                digits = "01_";
            }
        }
        skip(self, digits);
        if accept(self, ".") {
            skip(self, digits);
        }
        if digits.len() == 11 && accept(self, "eE") || digits.len() == 23 && accept(self, "pP") {
            accept(self, "+-");
            skip(self, "0123456789_");
        }
        if self.peek().is_some_and(is_word) {
            self.next();
            let text = super::format::quote(&self.source[self.start..self.position]);
            return Err(self.fault(format!("bad number syntax: {text}")));
        }
        self.emit(Kind::Number);
        Ok(())
    }
}

fn is_left_trim(opened: &str) -> bool {
    let mut characters = opened.chars();
    characters.next() == Some('-') && characters.next().is_some_and(is_space)
}

/// `U+0040 '@'`, as Go's `%#U` writes it.
fn code_point(character: char) -> String {
    format!("U+{:04X} '{character}'", u32::from(character))
}
