//! The parsed form of a template, and how its parts read in error texts.

use std::fmt;
use std::sync::Arc;

use super::Function;
use super::value::Value;

/// A part of a template outside or around actions.
#[derive(Debug)]
pub(super) enum Node {
    /// Text that is copied.
    Text(Arc<str>),
    /// `{{pipeline}}`.
    Action { at: usize, pipe: Pipe },
    /// `{{if}}`.
    If(Branch),
    /// `{{with}}`.
    With(Branch),
    /// `{{range}}`.
    Range(Branch),
    /// `{{template "name" pipeline}}`.
    Template { at: usize, name: Arc<str>, pipe: Option<Pipe> },
    /// `{{break}}`.
    Break,
    /// `{{continue}}`.
    Continue,
}

/// What `if`, `with` and `range` have in common.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) list: Vec<Node>,
    pub(super) otherwise: Option<Vec<Node>>,
}

/// Commands joined by `|`, with the variables that take the result.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) at: usize,
    /// `=` rather than `:=`.
    pub(super) assign: bool,
    pub(super) variables: Vec<Arc<str>>,
    pub(super) commands: Vec<Command>,
}

/// A value, or a function with its arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) at: usize,
    /// Never empty.
    pub(super) operands: Vec<Operand>,
}

/// A word of a command.
#[derive(Debug)]
pub(super) enum Operand {
    /// A function.
    Function { at: usize, function: &'static Function },
    /// `.a.b`.
    Field { at: usize, names: Vec<Arc<str>> },
    /// `$x` or `$x.a.b`.
    Variable { at: usize, name: Arc<str>, names: Vec<Arc<str>> },
    /// `(…).a.b`.
    Chain { at: usize, operand: Box<Self>, names: Vec<Arc<str>> },
    /// `.`.
    Dot { at: usize },
    /// `nil`.
    Nil { at: usize },
    /// `true`, a number or a string, with its text in the source.
    Literal { at: usize, value: Constant, text: Box<str> },
    /// `(…)`.
    Pipe(Pipe),
}

/// A literal's value; shared between threads, unlike [`Value`].
#[derive(Debug, Clone)]
pub(super) enum Constant {
    /// `true` or `false`.
    Bool(bool),
    /// An integer or character.
    Int(i64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// A string.
    Text(Arc<str>),
    /// An integer too large for `int`.
    Overflow,
}

impl Constant {
    /// The value that a template works with; `None` for an integer that does not fit.
    pub(super) fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(value) => Value::Text(Arc::clone(value)),
            Self::Overflow => return None,
        })
    }
}

impl Operand {
    /// Where it stands in the source, in bytes.
    pub(super) fn at(&self) -> usize {
        match self {
            Self::Function { at, .. }
            | Self::Field { at, .. }
            | Self::Variable { at, .. }
            | Self::Chain { at, .. }
            | Self::Dot { at }
            | Self::Nil { at }
            | Self::Literal { at, .. } => *at,
            Self::Pipe(pipe) => pipe.at,
        }
    }
}

/// A part that an error can be at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'t> {
    Node(&'t Node),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
}

impl Place<'_> {
    /// Where it stands in the source, in bytes.
    pub(super) fn at(&self) -> usize {
        match self {
            Self::Node(Node::Action { at, .. } | Node::Template { at, .. }) => *at,
            Self::Node(Node::If(branch) | Node::With(branch) | Node::Range(branch)) => branch.pipe.at,
            Self::Node(Node::Text(_) | Node::Break | Node::Continue) => 0,
            Self::Pipe(pipe) => pipe.at,
            Self::Command(command) => command.at,
            Self::Operand(operand) => operand.at(),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(formatter),
            Self::Pipe(pipe) => pipe.fmt(formatter),
            Self::Command(command) => command.fmt(formatter),
            Self::Operand(operand) => operand.fmt(formatter),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Action { pipe, .. } => write!(formatter, "{{{{{pipe}}}}}"),
            Self::If(branch) => write!(formatter, "{{{{if {}}}}}", branch.pipe),
            Self::With(branch) => write!(formatter, "{{{{with {}}}}}", branch.pipe),
            Self::Range(branch) => write!(formatter, "{{{{range {}}}}}", branch.pipe),
            Self::Template { name, pipe: None, .. } => write!(formatter, "{{{{template {name:?}}}}}"),
            Self::Template { name, pipe: Some(pipe), .. } => {
                write!(formatter, "{{{{template {name:?} {pipe}}}}}")
            }
            Self::Break => formatter.write_str("{{break}}"),
            Self::Continue => formatter.write_str("{{continue}}"),
        }
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            formatter.write_str(&self.variables.join(", "))?;
            formatter.write_str(if self.assign { " = " } else { " := " })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" | ")?;
            }
            command.fmt(formatter)?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.operands.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            match operand {
                Operand::Pipe(pipe) => write!(formatter, "({pipe})")?,
                other => other.fmt(formatter)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = |formatter: &mut fmt::Formatter<'_>, names: &[Arc<str>]| {
            names.iter().try_for_each(|name| write!(formatter, ".{name}"))
        };
        match self {
            Self::Function { function, .. } => formatter.write_str(function.name),
            Self::Field { names, .. } => chain(formatter, names),
            Self::Variable { name, names, .. } => {
                formatter.write_str(name)?;
                chain(formatter, names)
            }
            Self::Chain { operand, names, .. } => {
                match operand.as_ref() {
                    Self::Pipe(pipe) => write!(formatter, "({pipe})")?,
                    other => other.fmt(formatter)?,
                }
                chain(formatter, names)
            }
            Self::Dot { .. } => formatter.write_str("."),
            Self::Nil { .. } => formatter.write_str("nil"),
            Self::Literal { text, .. } => formatter.write_str(text),
            Self::Pipe(pipe) => pipe.fmt(formatter),
        }
    }
}
