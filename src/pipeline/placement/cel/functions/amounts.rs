//! Quantities and versions: reading them, comparing them, and the sums of quantities.

use std::cmp::Ordering;
use std::sync::Arc;

use cel::extractors::{Arguments, This};
use cel::{Context, DeclarationError, ExecutionError, Value};

use super::super::super::quantity;
use super::typed::Typed;
use super::version::Version;
use super::{Answer, failed};

pub(super) fn add(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("isQuantity", |text: Arc<String>| -> bool { quantity::parse(&text).is_some() })?;
    context.add_function("quantity", |text: Arc<String>| -> Answer {
        let amount = quantity::parse(&text)
            .ok_or_else(|| failed("quantity", format!("{:?} is not a quantity", text.as_str())))?;
        Ok(Typed::Quantity(amount).into_value())
    })?;
    context.add_function("isSemver", |Arguments(arguments): Arguments| -> Answer {
        Ok(Value::Bool(version("isSemver", &arguments)?.is_some()))
    })?;
    context.add_function("semver", |Arguments(arguments): Arguments| -> Answer {
        let version = version("semver", &arguments)?
            .ok_or_else(|| failed("semver", "the text is not a semantic version".to_owned()))?;
        Ok(Typed::Version(version).into_value())
    })?;
    for (name, wanted) in [("isGreaterThan", Ordering::Greater), ("isLessThan", Ordering::Less)] {
        context.add_function(name, move |This(left): This<Value>, right: Value| -> Answer {
            Ok(Value::Bool(compare(name, &left, &right)? == wanted))
        })?;
    }
    context.add_function("compareTo", |This(left): This<Value>, right: Value| -> Answer {
        Ok(Value::Int(compare("compareTo", &left, &right)? as i64))
    })?;
    for (name, direction) in [("add", 1), ("sub", -1)] {
        context.add_function(name, move |This(left): This<Value>, right: Value| -> Answer {
            let right = match right {
                Value::Int(number) => i128::from(number).checked_mul(quantity::ONE),
                other => Some(quantity_of(name, &other)?),
            };
            let sum = right
                .and_then(|right| right.checked_mul(direction))
                .and_then(|right| quantity_of(name, &left).ok()?.checked_add(right));
            sum.map(|sum| Typed::Quantity(sum).into_value())
                .ok_or_else(|| failed(name, "the amounts cannot be added".to_owned()))
        })?;
    }
    context.add_function("sign", |This(amount): This<Value>| -> Answer {
        i64::try_from(quantity_of("sign", &amount)?.signum())
            .map(Value::Int)
            .map_err(|error| failed("sign", error.to_string()))
    })?;
    context.add_function("isInteger", |This(amount): This<Value>| -> Answer {
        Ok(Value::Bool(whole(quantity_of("isInteger", &amount)?).is_some()))
    })?;
    context.add_function("asInteger", |This(amount): This<Value>| -> Answer {
        whole(quantity_of("asInteger", &amount)?)
            .map(Value::Int)
            .ok_or_else(|| failed("asInteger", "cannot convert value to integer".to_owned()))
    })?;
    context.add_function("asApproximateFloat", |This(amount): This<Value>| -> Answer {
        Ok(Value::Float(quantity::approximately(quantity_of("asApproximateFloat", &amount)?)))
    })?;
    for (name, part) in [("major", 0), ("minor", 1), ("patch", 2)] {
        context.add_function(name, move |This(version): This<Value>| -> Answer {
            match Typed::of(&version) {
                Some(Typed::Version(version)) => {
                    Ok(Value::Int(version.numbers.get(part).copied().unwrap_or(0)))
                }
                _ => Err(failed(name, "not a version".to_owned())),
            }
        })?;
    }
    Ok(())
}

/// The version that a text names; with `true` behind it, as people write versions.
fn version(function: &str, arguments: &[Value]) -> Result<Option<Version>, ExecutionError> {
    match arguments {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => Ok(Version::parse(text)),
        [Value::String(text), Value::Bool(true)] => Ok(Version::parse_loosely(text)),
        _ => Err(failed(function, "it takes a text, and maybe whether to normalize it".to_owned())),
    }
}

/// Whole ones of an amount.
fn whole(amount: i128) -> Option<i64> {
    (amount % quantity::ONE == 0).then(|| i64::try_from(amount / quantity::ONE).ok()).flatten()
}

fn quantity_of(function: &str, value: &Value) -> Result<i128, ExecutionError> {
    match Typed::of(value) {
        Some(Typed::Quantity(amount)) => Ok(amount),
        _ => Err(failed(function, "not a quantity".to_owned())),
    }
}

fn compare(function: &str, left: &Value, right: &Value) -> Result<Ordering, ExecutionError> {
    match (Typed::of(left), Typed::of(right)) {
        (Some(Typed::Quantity(left)), Some(Typed::Quantity(right))) => Ok(left.cmp(&right)),
        (Some(Typed::Version(left)), Some(Typed::Version(right))) => Ok(left.cmp(&right)),
        _ => Err(failed(function, "it takes two quantities or two versions".to_owned())),
    }
}
