//! Between texts and values: JSON, YAML, and the three functions that take the quotes from a value.

use super::super::engine::go::Parameter::{Any, Text};
use super::super::engine::go::{Function, Value, fixed, format};
use super::super::go_json;
use super::super::session::Session;
use super::numbers::to_int64;
use super::{ok_text, text};
use crate::yaml::{self, Dialect};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("atoi", &[Text], |_, a| Ok(Value::Int(text(a, 0).parse().unwrap_or(0)))),
    fixed("fromJSON", &[Text], |_, a| Ok(from_json(a).unwrap_or(Value::Nil))),
    fixed("fromJson", &[Text], |_, a| Ok(from_json(a).unwrap_or(Value::Nil))),
    fixed("fromYAML", &[Text], from_yaml),
    fixed("fromYaml", &[Text], from_yaml),
    fixed("mustFromJSON", &[Text], |_, a| from_json(a)),
    fixed("mustFromJson", &[Text], |_, a| from_json(a)),
    fixed("mustToJSON", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, true))),
    fixed("mustToJson", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, true))),
    fixed("mustToPrettyJson", &[Any], |session, a| to_json(session, a, go_json::encode_pretty)),
    fixed("mustToRawJSON", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, false))),
    fixed("mustToRawJson", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, false))),
    fixed("toBool", &[Text], |_, a| Ok(Value::Bool(format::parse_bool(text(a, 0)).unwrap_or(false)))),
    fixed("toInt", &[Any], |_, a| Ok(Value::Int(to_int64(&a[0])))),
    fixed("toJSON", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, true))),
    fixed("toJson", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, true))),
    fixed("toLiteral", &[Text], to_literal),
    fixed("toPrettyJson", &[Any], |session, a| to_json(session, a, go_json::encode_pretty)),
    fixed("toRawJSON", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, false))),
    fixed("toRawJson", &[Any], |session, a| to_json(session, a, |json| go_json::encode(json, false))),
    fixed("toYAML", &[Any], |session, a| to_json(session, a, yaml_text)),
    fixed("toYaml", &[Any], |session, a| to_json(session, a, yaml_text)),
];

fn to_literal(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    if text(arguments, 0).contains('\n') {
        return Err("new lines are not allowed in the string passed to the toLiteral function".to_owned());
    }
    Ok(arguments[0].clone())
}

fn from_json(arguments: &[Value]) -> Result<Value, String> {
    let json = go_json::decode(text(arguments, 0))?;
    Ok(Value::from_untyped_json(&json))
}

fn from_yaml(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let json = yaml::read(text(arguments, 0), Dialect::Template).map_err(|error| error.to_string())?;
    Ok(Value::from_yaml(&json))
}

fn to_json(
    session: &mut Session<'_>,
    arguments: &[Value],
    write: fn(&serde_json::Value) -> String,
) -> Result<Value, String> {
    let mut budget = 1_000_000;
    let json = arguments[0]
        .to_json(&mut budget)
        .map_err(|_| "the value is too large or nests too deep".to_owned())?;
    session.charge(1_000_000 - budget)?;
    ok_text(write(&json))
}

fn yaml_text(json: &serde_json::Value) -> String {
    yaml::template_text(json).trim_end_matches('\n').to_owned()
}
