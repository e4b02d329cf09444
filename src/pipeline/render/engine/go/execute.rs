//! Carries out a parsed template. Every rule about missing values, nil, types and the place of an error is Go's.

use std::sync::Arc;

use serde_json::Value as Json;

use super::super::super::functions::{method_of_time, method_of_version};
use super::super::super::session::Session;
use super::ast::{Branch, Command, Constant, Node, Operand, Pipe, Place};
use super::value::Value;
use super::{Function, NAME, Parameter, Template, arguments, format};

/// How deep `{{template}}` may call. Go allows 100,000; a thread's stack does not.
const MAX_DEPTH: usize = 50;
/// How many nodes, commands and rounds of loops one template may take.
const MAX_STEPS: usize = 2_000_000;
/// How long the result may become, in bytes. An object in Kubernetes may have 1.5 MiB.
const MAX_OUTPUT: usize = 8 << 20;

/// Why a template could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

/// What stops the walk through the nodes.
enum Stop {
    Break,
    Continue,
    Fault(Box<str>),
}

type Walk<T> = Result<T, Stop>;

struct Executor<'t, 'x, 's> {
    template: &'t Template,
    session: &'x mut Session<'s>,
    out: String,
    /// Name of the template that is being carried out, for error texts.
    name: Arc<str>,
    /// Part that is being evaluated, for error texts.
    place: Option<Place<'t>>,
    variables: Vec<(Arc<str>, Value)>,
    steps: usize,
    depth: usize,
}

/// `.`, and whether it came out of a list or map, which shows in error texts.
#[derive(Clone)]
struct Dot {
    value: Value,
    boxed: bool,
}

pub(super) fn execute(
    template: &Template,
    context: &Value,
    session: &mut Session<'_>,
) -> Result<String, Failure> {
    let mut executor = Executor {
        template,
        session,
        out: String::with_capacity(template.source.len()),
        name: Arc::from(NAME),
        place: None,
        variables: vec![(Arc::from("$"), context.clone())],
        steps: 0,
        depth: 0,
    };
    let dot = Dot { value: context.clone(), boxed: false };
    match executor.walk(&dot, &template.root) {
        Ok(()) => Ok(executor.out),
        Err(Stop::Fault(text)) => Err(Failure(text.into())),
        // The parser lets them stand in loops only.
        Err(Stop::Break | Stop::Continue) => Err(Failure("break or continue outside a loop".to_owned())),
    }
}

impl<'t> Executor<'t, '_, '_> {
    fn fault<T>(&self, message: impl std::fmt::Display) -> Walk<T> {
        let text = match self.place {
            None => format!("template: {NAME}: {message}"),
            Some(place) => {
                let source = &self.template.source[..place.at()];
                let column = source.rfind('\n').map_or(source.len(), |line| source.len() - line - 1);
                let line = 1 + source.bytes().filter(|byte| *byte == b'\n').count();
                let name = format::quote(&self.name);
                format!("template: {NAME}:{line}:{column}: executing {name} at <{place}>: {message}")
            }
        };
        Err(Stop::Fault(text.into()))
    }

    fn step(&mut self) -> Walk<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return self.fault(format!("the template takes more than {MAX_STEPS} steps"));
        }
        Ok(())
    }

    fn check_output(&self) -> Walk<()> {
        if self.out.len() > MAX_OUTPUT {
            return self.fault(format!("the result is longer than {MAX_OUTPUT} bytes"));
        }
        Ok(())
    }

    fn walk(&mut self, dot: &Dot, nodes: &'t [Node]) -> Walk<()> {
        nodes.iter().try_for_each(|node| self.node(dot, node))
    }

    fn node(&mut self, dot: &Dot, node: &'t Node) -> Walk<()> {
        match node {
            Node::Text(text) => {
                self.out.push_str(text);
                self.check_output()
            }
            Node::Action { pipe, .. } => {
                self.place = Some(Place::Node(node));
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() { self.print(node, &value) } else { Ok(()) }
            }
            Node::If(branch) => self.scoped(|executor| executor.if_or_with(dot, node, branch, false)),
            Node::With(branch) => self.scoped(|executor| executor.if_or_with(dot, node, branch, true)),
            Node::Range(branch) => self.scoped(|executor| executor.range(dot, node, branch)),
            Node::Template { name, pipe, .. } => self.call_template(dot, node, name, pipe.as_ref()),
            Node::Break => Err(Stop::Break),
            Node::Continue => Err(Stop::Continue),
        }
    }

    fn scoped(&mut self, walk: impl FnOnce(&mut Self) -> Walk<()>) -> Walk<()> {
        let mark = self.variables.len();
        let result = walk(self);
        self.variables.truncate(mark);
        result
    }

    fn print(&mut self, node: &'t Node, value: &Value) -> Walk<()> {
        self.place = Some(Place::Node(node));
        match value {
            Value::Missing | Value::Nil => self.out.push_str("<no value>"),
            Value::Text(text) => self.out.push_str(text),
            other => {
                let mut printed = std::mem::take(&mut self.out);
                let result = format::append(&mut printed, other);
                self.out = printed;
                if let Err(error) = result {
                    return self.fault(error);
                }
            }
        }
        self.check_output()
    }

    fn if_or_with(&mut self, dot: &Dot, node: &'t Node, branch: &'t Branch, with: bool) -> Walk<()> {
        self.step()?;
        self.place = Some(Place::Node(node));
        let value = self.pipe(dot, &branch.pipe)?;
        if value.is_true() {
            let inner = if with { Dot { value, boxed: false } } else { dot.clone() };
            self.walk(&inner, &branch.list)
        } else if let Some(otherwise) = &branch.otherwise {
            self.walk(dot, otherwise)
        } else {
            Ok(())
        }
    }

    fn range(&mut self, dot: &Dot, node: &'t Node, branch: &'t Branch) -> Walk<()> {
        self.place = Some(Place::Node(node));
        let value = self.pipe(dot, &branch.pipe)?;
        let empty = match &value {
            Value::Missing | Value::Nil => true,
            Value::List(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    let index = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
                    if !self.round(branch, index, item.clone())? {
                        break;
                    }
                }
                list.items().is_empty()
            }
            Value::Map(_) | Value::Object(_) => {
                let entries = value.entries().unwrap_or_default();
                let empty = entries.is_empty();
                for (key, item) in entries {
                    if !self.round(branch, Value::Text(key), item)? {
                        break;
                    }
                }
                empty
            }
            Value::Int(count) | Value::Int64(count) => {
                if branch.pipe.variables.len() > 1 {
                    return self.fault(format!("can't use {count} to iterate over more than one variable"));
                }
                for number in 0..*count {
                    if !self.round(branch, Value::Int(number), Value::Int(number))? {
                        break;
                    }
                }
                *count <= 0
            }
            other => {
                let shown = self.shown(other);
                return self.fault(format!("range can't iterate over {shown}"));
            }
        };
        match &branch.otherwise {
            Some(otherwise) if empty => self.walk(dot, otherwise),
            _ => Ok(()),
        }
    }

    /// One round of a loop; `false` ends it.
    fn round(&mut self, branch: &'t Branch, index: Value, item: Value) -> Walk<bool> {
        self.step()?;
        let mark = self.variables.len();
        let names = &branch.pipe.variables;
        if branch.pipe.assign {
            if let [first, second] = names.as_slice() {
                self.assign(first, index)?;
                self.assign(second, item.clone())?;
            } else if let [only] = names.as_slice() {
                self.assign(only, item.clone())?;
            }
        } else {
            let values = if names.len() == 2 { vec![index, item.clone()] } else { vec![item.clone()] };
            self.variables.extend(names.iter().cloned().zip(values));
        }
        let result = self.walk(&Dot { value: item, boxed: true }, &branch.list);
        self.variables.truncate(mark);
        match result {
            Ok(()) | Err(Stop::Continue) => Ok(true),
            Err(Stop::Break) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    fn call_template(
        &mut self,
        dot: &Dot,
        node: &'t Node,
        name: &Arc<str>,
        pipe: Option<&'t Pipe>,
    ) -> Walk<()> {
        self.step()?;
        self.place = Some(Place::Node(node));
        let Some(body) = self.template.definitions.get(name) else {
            return self.fault(format!("template {} not defined", format::quote(name)));
        };
        if self.depth >= MAX_DEPTH {
            return self.fault(format!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        let value = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        let outer_variables = std::mem::replace(&mut self.variables, vec![(Arc::from("$"), value.clone())]);
        let outer_name = std::mem::replace(&mut self.name, Arc::clone(name));
        self.depth += 1;
        let result = self.walk(&Dot { value, boxed: false }, body);
        self.depth -= 1;
        self.variables = outer_variables;
        if result.is_ok() {
            self.name = outer_name;
        }
        result
    }

    fn assign(&mut self, name: &str, value: Value) -> Walk<()> {
        match self.variables.iter_mut().rev().find(|(variable, _)| **variable == *name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fault(format!("undefined variable: {name}")),
        }
    }

    fn pipe(&mut self, dot: &Dot, pipe: &'t Pipe) -> Walk<Value> {
        self.place = Some(Place::Pipe(pipe));
        let mut value: Option<Value> = None;
        for command in &pipe.commands {
            let result = self.command(dot, command, value.take())?;
            value = Some(match result {
                Value::Nil => Value::Missing,
                other => other,
            });
        }
        let value = value.unwrap_or_default();
        for name in &pipe.variables {
            if pipe.assign {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((Arc::clone(name), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Dot, command: &'t Command, piped: Option<Value>) -> Walk<Value> {
        self.step()?;
        let first = &command.operands[0];
        match first {
            Operand::Function { function, .. } => {
                self.function(dot, first, function, Some(command), &command.operands[1..], piped)
            }
            Operand::Field { names, .. } => {
                self.place = Some(Place::Operand(first));
                if let Some((method, before)) = method(command, piped.as_ref(), names) {
                    let receiver = self.fields(dot.value.clone(), dot.boxed, before)?;
                    return self.call_method(dot, command, &receiver, method, piped);
                }
                let value = self.fields(dot.value.clone(), dot.boxed, names)?;
                self.only(command, piped.as_ref(), names)?;
                Ok(value)
            }
            Operand::Chain { operand, names, .. } => {
                self.place = Some(Place::Operand(first));
                if let Some((method, before)) = method(command, piped.as_ref(), names) {
                    let receiver = self.chain(dot, first, operand, before)?;
                    return self.call_method(dot, command, &receiver, method, piped);
                }
                let value = self.chain(dot, first, operand, names)?;
                self.only(command, piped.as_ref(), names)?;
                Ok(value)
            }
            Operand::Variable { name, names, .. } => {
                self.place = Some(Place::Operand(first));
                let value = self.variable(name)?;
                if let Some((method, before)) = method(command, piped.as_ref(), names) {
                    let receiver = self.fields(value, false, before)?;
                    return self.call_method(dot, command, &receiver, method, piped);
                }
                self.only(command, piped.as_ref(), names)?;
                self.fields(value, false, names)
            }
            Operand::Pipe(pipe) => {
                self.only(command, piped.as_ref(), &[])?;
                self.pipe(dot, pipe)
            }
            Operand::Dot { .. } | Operand::Nil { .. } | Operand::Literal { .. } => {
                self.place = Some(Place::Operand(first));
                self.only(command, piped.as_ref(), &[])?;
                match first {
                    Operand::Dot { .. } => Ok(dot.value.clone()),
                    Operand::Literal { value, text, .. } => self.constant(value, text),
                    _ => self.fault("nil is not a command"),
                }
            }
        }
    }

    /// Calls a method that takes an argument: a time has one, and versions are compared so.
    fn call_method(
        &mut self,
        dot: &Dot,
        command: &'t Command,
        receiver: &Value,
        method: &Arc<str>,
        piped: Option<Value>,
    ) -> Walk<Value> {
        let is_time = matches!(receiver, Value::Struct(found) if found.moment.is_some());
        let parameter = if is_time { Parameter::Text } else { Parameter::Any };
        let mut arguments = Vec::new();
        for operand in &command.operands[1..] {
            arguments.push(self.argument(dot, parameter, operand)?);
        }
        if let Some(piped) = piped {
            arguments.push(self.checked(piped, parameter)?);
        }
        if let [argument] = arguments.as_slice()
            && let Some(result) =
                method_of_time(receiver, argument).or_else(|| method_of_version(receiver, method, argument))
        {
            return Ok(result);
        }
        self.fault(format!("{method} is not a method but has arguments"))
    }

    /// Refuses arguments of what is no function.
    fn only(&mut self, command: &'t Command, piped: Option<&Value>, names: &[Arc<str>]) -> Walk<()> {
        if piped.is_none() && command.operands.len() == 1 {
            return Ok(());
        }
        if let Some(name) = names.last() {
            self.fault(format!("{name} is not a method but has arguments"))
        } else {
            let first = Place::Operand(&command.operands[0]);
            self.fault(format!("can't give argument to non-function {first}"))
        }
    }

    fn constant(&mut self, constant: &Constant, text: &str) -> Walk<Value> {
        match constant.value() {
            Some(value) => Ok(value),
            None => self.fault(format!("{text} overflows int")),
        }
    }

    fn variable(&mut self, name: &str) -> Walk<Value> {
        match self.variables.iter().rev().find(|(variable, _)| **variable == *name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.fault(format!("undefined variable: {name}")),
        }
    }

    fn chain(
        &mut self,
        dot: &Dot,
        place: &'t Operand,
        operand: &'t Operand,
        names: &[Arc<str>],
    ) -> Walk<Value> {
        if let Operand::Nil { .. } = operand {
            return self.fault(format!("indirection through explicit nil in {}", Place::Operand(place)));
        }
        let value = self.argument_value(dot, operand)?;
        self.fields(value, false, names)
    }

    /// Follows a chain of field names.
    fn fields(&mut self, receiver: Value, boxed: bool, names: &[Arc<str>]) -> Walk<Value> {
        if let Value::Object(object) = &receiver
            && !names.is_empty()
        {
            return self.object_fields(object.fields(), names);
        }
        let (mut receiver, mut boxed) = (receiver, boxed);
        for name in names {
            receiver = self.field(&receiver, boxed, name)?;
            boxed = true;
        }
        Ok(receiver)
    }

    /// The same for an object of a snapshot, of which only what is at the end of the chain gets copied.
    fn object_fields(&mut self, fields: &serde_json::Map<String, Json>, names: &[Arc<str>]) -> Walk<Value> {
        let Some((first, rest)) = names.split_first() else { return Ok(Value::Missing) };
        let Some(mut json) = fields.get(first.as_ref()) else { return Ok(Value::Missing) };
        for (index, name) in rest.iter().enumerate() {
            let Json::Object(inner) = json else {
                return self.fields(Value::from_json(json), true, &rest[index..]);
            };
            match inner.get(name.as_ref()) {
                Some(next) => json = next,
                None => return Ok(Value::Missing),
            }
        }
        Ok(Value::from_json(json))
    }

    fn field(&mut self, receiver: &Value, boxed: bool, name: &str) -> Walk<Value> {
        match receiver {
            Value::Missing => return Ok(Value::Missing),
            Value::Nil => return self.fault(format!("nil pointer evaluating interface {{}}.{name}")),
            Value::Struct(value) => {
                if let Some((_, value)) = value.fields.iter().find(|(field, _)| *field == name) {
                    return Ok(value.clone());
                }
            }
            other if other.is_map() => return Ok(other.entry(name).unwrap_or_default()),
            _ => {}
        }
        let type_name = if boxed { "interface {}" } else { receiver.type_name() };
        self.fault(format!("can't evaluate field {name} in type {type_name}"))
    }

    /// The value of an argument, before its type is checked.
    fn argument_value(&mut self, dot: &Dot, operand: &'t Operand) -> Walk<Value> {
        self.place = Some(Place::Operand(operand));
        match operand {
            Operand::Dot { .. } => Ok(dot.value.clone()),
            Operand::Nil { .. } => Ok(Value::Nil),
            Operand::Field { names, .. } => self.fields(dot.value.clone(), dot.boxed, names),
            Operand::Variable { name, names, .. } => {
                let value = self.variable(name)?;
                self.fields(value, false, names)
            }
            Operand::Chain { operand: inner, names, .. } => self.chain(dot, operand, inner, names),
            Operand::Pipe(pipe) => self.pipe(dot, pipe),
            Operand::Function { function, .. } => self.function(dot, operand, function, None, &[], None),
            Operand::Literal { value, text, .. } => self.constant(value, text),
        }
    }

    fn argument(&mut self, dot: &Dot, parameter: Parameter, operand: &'t Operand) -> Walk<Value> {
        let value = self.argument_value(dot, operand)?;
        match operand {
            Operand::Nil { .. } => match parameter {
                Parameter::Any | Parameter::Raw | Parameter::Map => Ok(Value::Nil),
                _ => self.fault(format!("cannot assign nil to {}", parameter.type_name())),
            },
            Operand::Literal { text, .. } => match arguments::literal(&value, parameter) {
                Ok(value) => Ok(value),
                Err("map") => {
                    let expected = parameter.type_name();
                    self.fault(format!("can't handle {text} for arg of type {expected}"))
                }
                Err(expected) => self.fault(format!("expected {expected}; found {text}")),
            },
            _ => self.checked(value, parameter),
        }
    }

    fn checked(&mut self, value: Value, parameter: Parameter) -> Walk<Value> {
        arguments::validated(value, parameter).or_else(|reason| self.fault(reason))
    }

    fn function(
        &mut self,
        dot: &Dot,
        place: &'t Operand,
        function: &'static Function,
        command: Option<&'t Command>,
        operands: &'t [Operand],
        piped: Option<Value>,
    ) -> Walk<Value> {
        self.place = Some(Place::Operand(place));
        if self.session.denies(function.name) {
            let name = function.name;
            return self.fault(format!(
                "error calling {name}: use of denylisted template function: function '{name}' is not allowed"
            ));
        }
        let count = operands.len() + usize::from(piped.is_some());
        let wanted = function.parameters.len();
        let name = function.name;
        if function.rest.is_some() && count < wanted {
            return self.fault(format!(
                "wrong number of args for {name}: want at least {wanted} got {}",
                operands.len()
            ));
        }
        if function.rest.is_none() && count != wanted {
            return self.fault(format!("wrong number of args for {name}: want {wanted} got {count}"));
        }
        if let "and" | "or" = name {
            return self.short_circuit(dot, name == "or", operands, piped);
        }
        let parameter = |index: usize| {
            function.parameters.get(index).copied().or(function.rest).unwrap_or(Parameter::Any)
        };
        let mut arguments = Vec::with_capacity(count);
        for (index, operand) in operands.iter().enumerate() {
            arguments.push(self.argument(dot, parameter(index), operand)?);
        }
        if let Some(piped) = piped {
            arguments.push(self.checked(piped, parameter(operands.len()))?);
        }
        let result = (function.call)(self.session, &arguments).and_then(|value| {
            self.session.charge(value.weight())?;
            Ok(value)
        });
        match result {
            Ok(value) => Ok(value),
            Err(reason) => {
                self.place = Some(command.map_or(Place::Operand(place), Place::Command));
                let reason = self.session.censor(reason, function.names_only);
                self.fault(format!("error calling {name}: {reason}"))
            }
        }
    }

    /// `and` and `or` evaluate no further than they need.
    fn short_circuit(
        &mut self,
        dot: &Dot,
        until: bool,
        operands: &'t [Operand],
        piped: Option<Value>,
    ) -> Walk<Value> {
        let mut value = Value::Missing;
        for operand in operands {
            value = self.argument(dot, Parameter::Raw, operand)?;
            if value.is_true() == until {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    /// A value in an error text; not after a Secret was read.
    fn shown(&self, value: &Value) -> String {
        let text = format::sprint(value).unwrap_or_else(|error| error.to_string());
        self.session.censor(text, false)
    }
}

/// The methods that take an argument: of a time, and of a version.
const METHODS: [&str; 7] =
    ["Format", "Compare", "Equal", "GreaterThan", "GreaterThanEqual", "LessThan", "LessThanEqual"];

/// The last name of a chain, if it may be a method because it has arguments.
fn method<'n>(
    command: &Command,
    piped: Option<&Value>,
    names: &'n [Arc<str>],
) -> Option<(&'n Arc<str>, &'n [Arc<str>])> {
    let (last, before) = names.split_last()?;
    let has_arguments = piped.is_some() || command.operands.len() > 1;
    (has_arguments && METHODS.contains(&last.as_ref())).then_some((last, before))
}
