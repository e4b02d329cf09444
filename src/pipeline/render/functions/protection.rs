//! `protect` (hub phase) and `skipObject` (cluster phase).

use super::super::engine::go::Parameter::{Any, Text};
use super::super::engine::go::{Function, Value, fixed, variadic};
use super::super::session::Session;
use super::{ok_text, shown, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("protect", &[Text], protect),
    variadic("skipObject", &[], Any, skip_object).for_object_templates(),
];

fn protect(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    ok_text(session.protect(text(arguments, 0))?)
}

fn skip_object(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    match arguments {
        [] => session.skipped = true,
        [Value::Bool(skip)] => session.skipped |= *skip,
        [other] => return Err(format!("expected boolean but received '{}'", shown(other)?)),
        _ => {
            let count = arguments.len();
            return Err(format!("expected one optional boolean argument but received {count} arguments"));
        }
    }
    ok_text("")
}
