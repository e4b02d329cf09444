//! Go's `text/template`: takes a text with actions and a context value, gives the text with the actions carried out.
//!
//! Source: the documentation of Go's `text/template` and `fmt` packages. What a missing key, a nil, a wrong type or a wrong
//! number of arguments does, and how an error names its place, is part of the language that policies are written in, so it
//! is kept here to the letter. Must not touch: policies, clusters, files, clock. Functions get the rendering's
//! [`Session`](super::super::session::Session) and are looked up once, when a text is parsed.
//!
//! The crate `gotmpl` 0.6.1 is not used: it drops what stands after a stray `{{end}}` and takes an `{{if}}` without end, both
//! silently; it does not tell missing from nil, gives no place for an error at run time and cannot change a map (`set`).

mod arguments;
mod ast;
mod builtins;
mod execute;
pub(crate) mod format;
mod lexer;
mod parser;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use builtins::FUNCTIONS as BUILTINS;
pub(crate) use execute::Failure;
pub(crate) use value::Value;

use super::super::session::Session;

/// Name of the one template of a text, as Open Cluster Management's error texts show it.
pub(crate) const NAME: &str = "tmpl";

/// Type of a parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// `interface {}`: a missing value arrives as nil.
    Any,
    /// `reflect.Value`: like [`Parameter::Any`], but a missing value stays missing.
    Raw,
    /// `string`.
    Text,
    /// `int`.
    Int,
    /// `bool`.
    Bool,
    /// `map[string]interface {}`; a missing value arrives as nil.
    Map,
}

/// What a function does with its checked arguments. An error is the text after `error calling NAME: `.
pub(crate) type Call = fn(&mut Session<'_>, &[Value]) -> Result<Value, String>;

/// Where a function may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    /// In every template.
    Everywhere,
    /// In `object-templates` of the cluster phase only.
    ObjectTemplates,
}

/// A function of the language, with what Go's reflection would know of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    /// Its name in templates.
    pub(crate) name: &'static str,
    /// Types of the fixed parameters.
    pub(crate) parameters: &'static [Parameter],
    /// Type of the further arguments of a variadic function.
    pub(crate) rest: Option<Parameter>,
    /// Where it may be used.
    pub(crate) availability: Availability,
    /// Whether its error texts name nothing but what was looked up, so that they may be shown after a Secret was read.
    pub(crate) names_only: bool,
    /// What it does.
    pub(crate) call: Call,
}

/// A function with a fixed number of parameters.
pub(crate) const fn fixed(name: &'static str, parameters: &'static [Parameter], call: Call) -> Function {
    Function { name, parameters, rest: None, availability: Availability::Everywhere, names_only: false, call }
}

/// A function that takes further arguments of one type.
pub(crate) const fn variadic(
    name: &'static str,
    parameters: &'static [Parameter],
    rest: Parameter,
    call: Call,
) -> Function {
    Function { rest: Some(rest), ..fixed(name, parameters, call) }
}

impl Function {
    /// The same function, whose error texts name only what was looked up.
    pub(crate) const fn naming_only(self) -> Self {
        Self { names_only: true, ..self }
    }

    /// Calls it with values whose number and types are checked first.
    pub(crate) fn checked_call(
        &self,
        session: &mut Session<'_>,
        arguments: &[Value],
    ) -> Result<Value, String> {
        let (count, wanted, name) = (arguments.len(), self.parameters.len(), self.name);
        if self.rest.is_some() && count < wanted {
            return Err(format!("wrong number of args for {name}: want at least {wanted} got {count}"));
        }
        if self.rest.is_none() && count != wanted {
            return Err(format!("wrong number of args for {name}: want {wanted} got {count}"));
        }
        let checked: Result<Vec<_>, _> = arguments
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let parameter = self.parameters.get(index).copied().or(self.rest).unwrap_or(Parameter::Any);
                arguments::validated(value.clone(), parameter)
            })
            .collect();
        (self.call)(session, &checked?)
    }

    /// The same function, limited to `object-templates`.
    pub(crate) const fn for_object_templates(self) -> Self {
        Self { availability: Availability::ObjectTemplates, ..self }
    }
}

/// A parsed text. Cheap to share, never changes.
#[derive(Debug)]
pub(crate) struct Template {
    source: Arc<str>,
    root: Vec<ast::Node>,
    definitions: BTreeMap<Arc<str>, Vec<ast::Node>>,
}

impl Template {
    /// Parses a text. The error is Go's, from `template: tmpl:LINE: ` on.
    pub(crate) fn parse(
        source: &str,
        delimiters: (&str, &str),
        functions: &dyn Fn(&str) -> Option<&'static Function>,
    ) -> Result<Self, String> {
        let parsed = parser::parse(source, delimiters, functions)?;
        Ok(Self { source: Arc::from(source), root: parsed.root, definitions: parsed.definitions })
    }

    /// Carries out the actions with `context` as dot. The error is Go's, from `template: tmpl:LINE:COLUMN: ` on.
    pub(crate) fn execute(&self, context: &Value, session: &mut Session<'_>) -> Result<String, Failure> {
        execute::execute(self, context, session)
    }
}
