//! Checks the arguments of functions against the types of their parameters, in Go's words.

use super::Parameter;
use super::value::Value;

/// Go's `validateType`: a value for a parameter, or why it is none.
pub(super) fn validated(value: Value, parameter: Parameter) -> Result<Value, String> {
    match (parameter, &value) {
        (Parameter::Any | Parameter::Map, Value::Missing) => Ok(Value::Nil),
        (Parameter::Any | Parameter::Raw, _)
        | (Parameter::Text, Value::Text(_))
        | (Parameter::Int, Value::Int(_) | Value::Int64(_))
        | (Parameter::Bool, Value::Bool(_))
        | (Parameter::Map, Value::Map(_) | Value::Object(_)) => Ok(value),
        (_, Value::Missing) => Err(format!("invalid value; expected {}", parameter.type_name())),
        _ => {
            let (expected, found) = (parameter.type_name(), value.type_name());
            Err(format!("wrong type for value; expected {expected}; got {found}"))
        }
    }
}

/// A literal as an argument, or what was expected in its place.
pub(super) fn literal(value: &Value, parameter: Parameter) -> Result<Value, &'static str> {
    match (parameter, value) {
        (Parameter::Any | Parameter::Raw, _)
        | (Parameter::Text, Value::Text(_))
        | (Parameter::Int, Value::Int(_))
        | (Parameter::Bool, Value::Bool(_)) => Ok(value.clone()),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
        (Parameter::Int, Value::Float(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Ok(Value::Int(*number as i64))
        }
        (Parameter::Text, _) => Err("string"),
        (Parameter::Int, _) => Err("integer"),
        (Parameter::Bool, _) => Err("bool"),
        (Parameter::Map, _) => Err("map"),
    }
}

impl Parameter {
    /// Name of its Go type.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Raw => "reflect.Value",
            Self::Text => "string",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
        }
    }
}
