//! Sprig's functions of emptiness, choice and types.

use super::super::engine::go::Parameter::{Any, Bool, Text};
use super::super::engine::go::{Function, Value, fixed, variadic};
use super::{ok_text, text};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("all", &[], Any, |_, a| Ok(Value::Bool(a.iter().all(Value::is_true)))),
    variadic("any", &[], Any, |_, a| Ok(Value::Bool(a.iter().any(Value::is_true)))),
    variadic("coalesce", &[], Any, |_, a| {
        Ok(a.iter().find(|value| value.is_true()).cloned().unwrap_or(Value::Nil))
    }),
    fixed("deepEqual", &[Any, Any], |_, a| Ok(Value::Bool(a[0].deep_equal(&a[1])))),
    variadic("default", &[Any], Any, |_, a| {
        Ok(a.get(1).filter(|value| value.is_true()).unwrap_or(&a[0]).clone())
    }),
    fixed("empty", &[Any], |_, a| Ok(Value::Bool(!a[0].is_true()))),
    fixed("fail", &[Text], |_, a| Err(text(a, 0).to_owned())),
    fixed("hello", &[], |_, _| ok_text("Hello!")),
    fixed("kindIs", &[Text, Any], |_, a| Ok(Value::Bool(a[1].kind() == text(a, 0)))),
    fixed("kindOf", &[Any], |_, a| ok_text(a[0].kind())),
    fixed("ternary", &[Any, Any, Bool], |_, a| Ok(a[usize::from(!a[2].is_true())].clone())),
    fixed("typeIs", &[Text, Any], |_, a| Ok(Value::Bool(type_of(&a[1]) == text(a, 0)))),
    fixed("typeIsLike", &[Text, Any], |_, a| {
        let wanted = text(a, 0);
        Ok(Value::Bool(type_of(&a[1]) == wanted.strip_prefix('*').unwrap_or(wanted)))
    }),
    fixed("typeOf", &[Any], |_, a| ok_text(type_of(&a[0]))),
];

/// `fmt.Sprintf("%T", value)`.
fn type_of(value: &Value) -> &str {
    if value.is_present() { value.type_name() } else { "<nil>" }
}
