//! Turns tokens into the parsed form; refuses what Go's parser refuses, in its words.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Branch, Command, Constant, Node, Operand, Pipe};
use super::lexer::{self, Kind, Token};
use super::{Function, NAME, format, numbers};

/// How deep blocks and parentheses may nest. Go has no such limit; a thread's stack has.
const MAX_DEPTH: usize = 100;

/// A parsed text.
pub(super) struct Parsed {
    pub(super) root: Vec<Node>,
    pub(super) definitions: BTreeMap<Arc<str>, Vec<Node>>,
}

/// What ended a list of nodes.
#[derive(Clone, Copy)]
enum Ending {
    End,
    Else,
}

impl Ending {
    fn shown(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

/// A node, or what ends the list that it would be in.
enum Item {
    Node(Node),
    Ending(Ending),
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Token<'s>>,
    /// Index of the next token.
    next: usize,
    /// Index of the last token that was looked at: where an error is.
    seen: usize,
    functions: &'s dyn Fn(&str) -> Option<&'static Function>,
    variables: Vec<Arc<str>>,
    definitions: BTreeMap<Arc<str>, Vec<Node>>,
    range_depth: usize,
    depth: usize,
    action_line: usize,
}

/// Parses a text; the error is complete.
pub(super) fn parse<'s>(
    source: &'s str,
    delimiters: (&'s str, &'s str),
    functions: &'s dyn Fn(&str) -> Option<&'static Function>,
) -> Result<Parsed, String> {
    let mut parser = Parser {
        source,
        tokens: lexer::tokens(source, delimiters.0, delimiters.1),
        next: 0,
        seen: 0,
        functions,
        variables: vec![Arc::from("$")],
        definitions: BTreeMap::new(),
        range_depth: 0,
        depth: 0,
        action_line: 0,
    };
    let root = parser.root()?;
    Ok(Parsed { root, definitions: parser.definitions })
}

impl<'s> Parser<'s> {
    fn token(&mut self) -> Token<'s> {
        let index = self.next.min(self.tokens.len() - 1);
        self.seen = self.seen.max(index);
        self.next = index + 1;
        self.tokens[index].clone()
    }

    fn back(&mut self) {
        self.next -= 1;
    }

    fn peek(&mut self) -> Kind {
        let index = self.next.min(self.tokens.len() - 1);
        self.seen = self.seen.max(index);
        self.tokens[index].kind
    }

    fn word(&mut self) -> Token<'s> {
        loop {
            let token = self.token();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_word(&mut self) -> Kind {
        while self.peek() == Kind::Space {
            self.next += 1;
        }
        self.peek()
    }

    fn word_at(&mut self) -> usize {
        self.peek_word();
        self.tokens[self.next.min(self.tokens.len() - 1)].at
    }

    fn line(&self, at: usize) -> usize {
        1 + self.source[..at.min(self.source.len())].matches('\n').count()
    }

    fn fault(&self, message: impl std::fmt::Display) -> String {
        let line = self.line(self.tokens[self.seen].at);
        format!("template: {NAME}:{line}: {message}")
    }

    fn unexpected(&self, token: &Token<'_>, context: &str) -> String {
        if token.kind != Kind::Error {
            return self.fault(format!("unexpected {} in {context}", token.shown()));
        }
        let mut started = String::new();
        if self.action_line != 0 && self.action_line != self.line(token.at) {
            started = format!(" in action started at {NAME}:{}", self.action_line);
            if token.text.ends_with(" action") {
                started = started[" in action".len()..].to_owned();
            }
        }
        self.fault(format!("{}{started}", token.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<(), String> {
        let token = self.word();
        if token.kind == kind { Ok(()) } else { Err(self.unexpected(&token, context)) }
    }

    fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(format!("the template nests deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn root(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while self.peek() != Kind::Eof {
            if self.peek() == Kind::LeftDelimiter {
                let start = self.next;
                self.token();
                if self.word().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.next = start;
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => return Err(self.fault(format!("unexpected {}", ending.shown()))),
            }
        }
        Ok(nodes)
    }

    fn list(&mut self) -> Result<(Vec<Node>, Ending), String> {
        self.enter()?;
        let mut nodes = Vec::new();
        while self.peek_word() != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => {
                    self.depth -= 1;
                    return Ok((nodes, ending));
                }
            }
        }
        Err(self.fault("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Item, String> {
        let token = self.word();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(Arc::from(token.text.as_ref())))),
            Kind::LeftDelimiter => {
                self.action_line = self.line(token.at);
                let item = self.action()?;
                self.action_line = 0;
                Ok(item)
            }
            _ => Err(self.unexpected(&token, "input")),
        }
    }

    fn action(&mut self) -> Result<Item, String> {
        let token = self.word();
        let node = match token.kind {
            Kind::If => Node::If(self.branch("if")?),
            Kind::With => Node::With(self.branch("with")?),
            Kind::Range => Node::Range(self.branch("range")?),
            Kind::Template => self.template(token.at)?,
            Kind::Block => self.block(token.at)?,
            Kind::Break => self.loop_control("{{break}}", Node::Break)?,
            Kind::Continue => self.loop_control("{{continue}}", Node::Continue)?,
            Kind::End => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Kind::Else => {
                if !matches!(self.peek_word(), Kind::If | Kind::With) {
                    self.expect(Kind::RightDelimiter, "else")?;
                }
                return Ok(Item::Ending(Ending::Else));
            }
            _ => {
                self.back();
                let pipe = self.pipe("command", Kind::RightDelimiter)?;
                Node::Action { at: pipe.at, pipe }
            }
        };
        Ok(Item::Node(node))
    }

    fn loop_control(&mut self, shown: &str, node: Node) -> Result<Node, String> {
        self.expect(Kind::RightDelimiter, shown)?;
        if self.range_depth == 0 {
            return Err(self.fault(format!("{shown} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    fn branch(&mut self, context: &'static str) -> Result<Branch, String> {
        let variables = self.variables.len();
        let pipe = self.pipe(context, Kind::RightDelimiter)?;
        let ranges = usize::from(context == "range");
        self.range_depth += ranges;
        let (list, ending) = self.list()?;
        self.range_depth -= ranges;
        let otherwise = match (ending, context) {
            (Ending::End, _) => None,
            (Ending::Else, "if") if self.peek() == Kind::If => {
                self.token();
                Some(vec![self.nested("if", Node::If)?])
            }
            (Ending::Else, "with") if self.peek() == Kind::With => {
                self.token();
                Some(vec![self.nested("with", Node::With)?])
            }
            (Ending::Else, _) => {
                let (list, ending) = self.list()?;
                if let Ending::Else = ending {
                    return Err(self.fault(format!("expected end; found {}", ending.shown())));
                }
                Some(list)
            }
        };
        self.variables.truncate(variables);
        Ok(Branch { pipe, list, otherwise })
    }

    /// `else if`: a chain of them nests as deep as it is long.
    fn nested(&mut self, context: &'static str, node: fn(Branch) -> Node) -> Result<Node, String> {
        self.enter()?;
        let branch = self.branch(context)?;
        self.depth -= 1;
        Ok(node(branch))
    }

    fn name(&mut self, context: &str) -> Result<Arc<str>, String> {
        let token = self.word();
        match token.kind {
            Kind::Quoted | Kind::RawQuoted => {
                let name = format::unquote(&token.text).ok_or_else(|| self.fault("invalid syntax"))?;
                Ok(Arc::from(name))
            }
            _ => Err(self.unexpected(&token, context)),
        }
    }

    fn definition(&mut self) -> Result<(), String> {
        let context = "define clause";
        let name = self.name(context)?;
        self.expect(Kind::RightDelimiter, context)?;
        self.body(name, context)
    }

    /// The body of a `define` or `block`: variables and loops outside do not reach in.
    fn body(&mut self, name: Arc<str>, context: &str) -> Result<(), String> {
        let variables = std::mem::replace(&mut self.variables, vec![Arc::from("$")]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (list, ending) = self.list()?;
        if let Ending::Else = ending {
            return Err(self.fault(format!("unexpected {} in {context}", ending.shown())));
        }
        self.variables = variables;
        self.range_depth = range_depth;
        let is_empty = |nodes: &[Node]| {
            nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        match self.definitions.get(&name) {
            Some(earlier) if !is_empty(earlier) => {
                if !is_empty(&list) {
                    return Err(self.fault(format!("multiple definition of template {name:?}")));
                }
            }
            _ => {
                self.definitions.insert(name, list);
            }
        }
        Ok(())
    }

    fn template(&mut self, at: usize) -> Result<Node, String> {
        let context = "template clause";
        let name = self.name(context)?;
        let pipe = if self.word().kind == Kind::RightDelimiter {
            None
        } else {
            self.back();
            Some(self.pipe(context, Kind::RightDelimiter)?)
        };
        Ok(Node::Template { at, name, pipe })
    }

    fn block(&mut self, at: usize) -> Result<Node, String> {
        let context = "block clause";
        let name = self.name(context)?;
        let pipe = self.pipe(context, Kind::RightDelimiter)?;
        self.body(Arc::clone(&name), context)?;
        Ok(Node::Template { at, name, pipe: Some(pipe) })
    }

    fn pipe(&mut self, context: &'static str, end: Kind) -> Result<Pipe, String> {
        let mut pipe =
            Pipe { at: self.word_at(), assign: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.word();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharacterConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawQuoted
                | Kind::Quoted
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    self.back();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
        if pipe.commands.is_empty() {
            return Err(self.fault(format!("missing value for {context}")));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if let Operand::Literal { .. } | Operand::Dot { .. } | Operand::Nil { .. } = command.operands[0] {
                return Err(self.fault(format!("non executable command in pipeline stage {}", index + 1)));
            }
        }
        Ok(pipe)
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &'static str) -> Result<(), String> {
        while self.peek_word() == Kind::Variable {
            let start = self.next;
            let name: Arc<str> = Arc::from(self.token().text.as_ref());
            let next = self.word();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assign = next.kind == Kind::Assign;
                    pipe.variables.push(Arc::clone(&name));
                    self.variables.push(name);
                    return Ok(());
                }
                Kind::Character if next.text == "," => {
                    pipe.variables.push(Arc::clone(&name));
                    self.variables.push(name);
                    if context != "range" || pipe.variables.len() >= 2 {
                        return Err(self.fault(format!("too many declarations in {context}")));
                    }
                    if !matches!(
                        self.peek_word(),
                        Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis
                    ) {
                        return Err(self.fault("range can only initialize variables"));
                    }
                }
                _ => {
                    self.next = start;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, String> {
        let mut command = Command { at: self.word_at(), operands: Vec::new() };
        loop {
            self.peek_word();
            if let Some(operand) = self.operand()? {
                command.operands.push(operand);
            }
            let token = self.token();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelimiter | Kind::RightParenthesis => self.back(),
                Kind::Pipe => {}
                _ => return Err(self.unexpected(&token, "operand")),
            }
            break;
        }
        if command.operands.is_empty() {
            return Err(self.fault("empty command"));
        }
        Ok(command)
    }

    fn operand(&mut self) -> Result<Option<Operand>, String> {
        let Some(operand) = self.term()? else { return Ok(None) };
        if self.peek() != Kind::Field {
            return Ok(Some(operand));
        }
        // Go places a chain at its first dot, not at what stands before it.
        let chained_at = self.tokens[self.next].at;
        let mut further = Vec::new();
        while self.peek() == Kind::Field {
            further.push(Arc::from(&self.token().text[1..]));
        }
        Ok(Some(match operand {
            Operand::Field { mut names, .. } => {
                names.append(&mut further);
                Operand::Field { at: chained_at, names }
            }
            Operand::Variable { name, .. } => Operand::Variable { at: chained_at, name, names: further },
            Operand::Literal { .. } | Operand::Nil { .. } | Operand::Dot { .. } => {
                let shown = format::quote(&operand.to_string());
                return Err(self.fault(format!("unexpected . after term {shown}")));
            }
            other => Operand::Chain { at: chained_at, operand: Box::new(other), names: further },
        }))
    }

    fn term(&mut self) -> Result<Option<Operand>, String> {
        let token = self.word();
        let at = token.at;
        let literal = |value| Operand::Literal { at, value, text: token.text.as_ref().into() };
        Ok(Some(match token.kind {
            Kind::Identifier => {
                if let Some(function) = (self.functions)(&token.text) {
                    Operand::Function { at, function }
                } else {
                    let name = format::quote(&token.text);
                    return Err(self.fault(format!("function {name} not defined")));
                }
            }
            Kind::Dot => Operand::Dot { at },
            Kind::Nil => Operand::Nil { at },
            Kind::Variable => {
                if !self.variables.iter().any(|name| **name == token.text) {
                    let name = format::quote(&token.text);
                    return Err(self.fault(format!("undefined variable {name}")));
                }
                Operand::Variable { at, name: Arc::from(token.text.as_ref()), names: Vec::new() }
            }
            Kind::Field => Operand::Field { at, names: vec![Arc::from(&token.text[1..])] },
            Kind::Bool => literal(Constant::Bool(token.text == "true")),
            Kind::Number => {
                let value = numbers::number(&token.text).map_err(|reason| self.fault(reason))?;
                literal(value)
            }
            Kind::CharacterConstant => match format::unquote(&token.text) {
                Some(text) if text.chars().count() == 1 => {
                    literal(Constant::Int(i64::from(text.chars().next().map_or(0, u32::from))))
                }
                _ => return Err(self.fault(format!("malformed character constant: {}", token.text))),
            },
            Kind::Quoted | Kind::RawQuoted => match format::unquote(&token.text) {
                Some(text) => literal(Constant::Text(Arc::from(text))),
                None => return Err(self.fault("invalid syntax")),
            },
            Kind::LeftParenthesis => {
                self.enter()?;
                let pipe = self.pipe("parenthesized pipeline", Kind::RightParenthesis)?;
                self.depth -= 1;
                Operand::Pipe(pipe)
            }
            _ => {
                self.back();
                return Ok(None);
            }
        }))
    }
}
