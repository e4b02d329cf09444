//! Sprig's functions of maps. `set`, `unset`, `merge` and `mergeOverwrite` change the map that they are given, as in Go.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::engine::go::Parameter::{Any, Map as Dictionary, Text};
use super::super::engine::go::value::{Cycle, Map};
use super::super::engine::go::{Function, Value, fixed, variadic};
use super::super::session::Session;
use super::{lists, shown, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("deepCopy", &[Any], deep_copy),
    variadic("dict", &[], Any, dict),
    variadic("dig", &[], Any, dig),
    fixed("get", &[Dictionary, Text], |_, a| Ok(a[0].entry(text(a, 1)).unwrap_or(Value::text("")))),
    fixed("hasKey", &[Dictionary, Text], |_, a| Ok(Value::Bool(a[0].entry(text(a, 1)).is_some()))),
    variadic("keys", &[], Dictionary, |_, a| {
        Ok(lists::keys(a.iter().filter_map(Value::entries).flatten().map(|(key, _)| key)))
    }),
    variadic("merge", &[Dictionary], Dictionary, |session, a| merge_all(session, a, false)),
    variadic("mergeOverwrite", &[Dictionary], Dictionary, |session, a| merge_all(session, a, true)),
    fixed("mustDeepCopy", &[Any], deep_copy),
    variadic("mustMerge", &[Dictionary], Dictionary, |session, a| merge_all(session, a, false)),
    variadic("mustMergeOverwrite", &[Dictionary], Dictionary, |session, a| merge_all(session, a, true)),
    variadic("omit", &[Dictionary], Text, |_, a| Ok(filtered(a, false))),
    variadic("pick", &[Dictionary], Text, |_, a| Ok(filtered(a, true))),
    variadic("pluck", &[Text], Dictionary, |_, a| {
        let found = a[1..].iter().filter_map(|map| map.entry(text(a, 0)));
        Ok(found.collect::<Vec<_>>().into())
    }),
    fixed("set", &[Dictionary, Text, Any], |_, a| {
        let map = changeable(&a[0])?;
        map.set(text(a, 1), a[2].clone()).map_err(cycle)?;
        Ok(Value::Map(map))
    }),
    fixed("unset", &[Dictionary, Text], |_, a| {
        if !a[0].is_present() {
            return Ok(Value::map([]));
        }
        let map = changeable(&a[0])?;
        map.remove(text(a, 1));
        Ok(Value::Map(map))
    }),
    fixed("values", &[Dictionary], |_, a| {
        let entries = a[0].entries().unwrap_or_default();
        Ok(entries.into_iter().map(|(_, value)| value).collect::<Vec<_>>().into())
    }),
];

fn cycle(_: Cycle) -> String {
    "a map cannot hold itself".to_owned()
}

/// The map behind a value. An object of a snapshot is copied: it belongs to everyone.
fn changeable(value: &Value) -> Result<Rc<Map>, String> {
    let copy = match value {
        Value::Map(map) => return Ok(Rc::clone(map)),
        Value::Object(_) => Value::map(value.entries().unwrap_or_default()),
        _ => return Err("assignment to entry in nil map".to_owned()),
    };
    match copy {
        Value::Map(map) => Ok(map),
        _ => Err("assignment to entry in nil map".to_owned()),
    }
}

fn dict(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for pair in arguments.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(""));
        entries.insert(Arc::from(shown(&pair[0])?), value);
    }
    Ok(Value::map(entries))
}

fn filtered(arguments: &[Value], wanted: bool) -> Value {
    let is_named = |key: &str| arguments[1..].iter().any(|name| name.as_text() == Some(key));
    let entries = arguments[0].entries().unwrap_or_default();
    Value::map(entries.into_iter().filter(|(key, _)| is_named(key) == wanted))
}

fn merge_all(session: &mut Session<'_>, arguments: &[Value], overwrite: bool) -> Result<Value, String> {
    let target = changeable(&arguments[0])?;
    for source in &arguments[1..] {
        merge(session, &target, source, overwrite, 100)?;
    }
    Ok(Value::Map(target))
}

/// Empty values of the target give way, all of them where the source overwrites; maps in both are merged. As mergo 1.0 does it.
fn merge(
    session: &mut Session<'_>,
    target: &Rc<Map>,
    source: &Value,
    overwrite: bool,
    depth: usize,
) -> Result<(), String> {
    let depth = depth.checked_sub(1).ok_or("the maps nest too deep")?;
    for (key, value) in source.entries().unwrap_or_default() {
        session.charge(key.len() + 16)?;
        match target.get(&key) {
            // Nothing takes no place of anything, unless it may take every place.
            _ if !value.is_present() && !overwrite => {}
            Some(Value::Map(inner)) if value.entries().is_some() => {
                merge(session, &inner, &value, overwrite, depth)?;
            }
            Some(present) if present.is_true() && !overwrite => {}
            _ => target.set(&key, value).map_err(cycle)?,
        }
    }
    Ok(())
}

fn deep_copy(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    if !arguments[0].is_present() {
        return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
    }
    copy(session, &arguments[0], 100)
}

fn copy(session: &mut Session<'_>, value: &Value, depth: usize) -> Result<Value, String> {
    let depth = depth.checked_sub(1).ok_or("the value nests too deep")?;
    session.charge(16)?;
    if let Some(entries) = value.entries() {
        let mut copied = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            copied.push((key, copy(session, &value, depth)?));
        }
        return Ok(Value::map(copied));
    }
    match value.items() {
        None => Ok(value.clone()),
        Some(items) => {
            let copied: Result<Vec<_>, _> = items.iter().map(|item| copy(session, item, depth)).collect();
            Ok(copied?.into())
        }
    }
}

/// `dig "a" "b" default map`.
fn dig(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let [path @ .., default, map] = arguments else {
        return Err("dig needs at least three arguments".to_owned());
    };
    if path.is_empty() {
        return Err("dig needs at least three arguments".to_owned());
    }
    let mut value = map.clone();
    for key in path {
        let key = key.as_text().ok_or("dig needs keys that are strings")?;
        match value.entry(key) {
            Some(inner) => value = inner,
            None if value.is_map() => return Ok(default.clone()),
            None => {
                let found = if value.is_present() { value.type_name() } else { "nil" };
                return Err(format!(
                    "interface conversion: interface {{}} is {found}, not map[string]interface {{}}"
                ));
            }
        }
    }
    Ok(value)
}
