//! Server-side apply: merges what a manager wants, takes away what it no longer wants, refuses what others own.

use serde_json::Value;

use super::super::kinds::Kind;
use super::super::status::ApiError;
use super::super::store::Part;
use super::fields::{Comparison, Fields, Manager, compare};
use super::shape::{ListType, Shape, entry_key};

/// Who applies and how.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Applier<'a> {
    pub(in crate::sim) manager: &'a str,
    pub(in crate::sim) force: bool,
    pub(in crate::sim) part: Part,
    pub(in crate::sim) time: &'a str,
}

/// The object after an apply, with its record of managers. `live` is `None` when the object is new.
pub(in crate::sim) fn apply(
    kind: &Kind,
    live: Option<&Value>,
    wanted: &Value,
    applier: &Applier<'_>,
) -> Result<Value, ApiError> {
    let shape = Shape::of(kind);
    let wanted = relevant(kind, wanted, applier.part);
    let subresource = if applier.part == Part::Status { "status" } else { "" };
    let owned = Fields::of_object(&wanted, shape);
    let Some(live) = live else {
        let mut object = wanted;
        Manager::store(vec![entry(kind, owned, subresource, applier)], &mut object);
        return Ok(object);
    };
    let mut managers = Manager::all(live);
    if managers.is_empty() {
        // What is there without a record belongs to someone from before.
        managers.push(Manager {
            name: "before-first-apply".to_owned(),
            operation: "Update".to_owned(),
            ..entry(kind, compare(None, live, shape).changed, "", applier)
        });
    }
    let position = managers.iter().position(|manager| manager.is(applier.manager, "Apply", subresource));
    let previous = position.map(|position| managers.remove(position));

    let mut object = merge(live, &wanted, shape);
    if let Some(previous) = &previous {
        let mut kept = owned.clone();
        for manager in &managers {
            kept.add(&manager.fields);
        }
        let dropped = previous.fields.with_leading_fields(shape);
        dropped.without(&kept.with_leading_fields(shape)).remove_from(&mut object, shape);
    }
    let comparison = compare(Some(live), &object, shape);
    settle_conflicts(&mut managers, &comparison, applier.force)?;
    managers.push(entry(kind, owned, subresource, applier));
    Manager::store(managers, &mut object);
    Ok(object)
}

fn entry(kind: &Kind, fields: Fields, subresource: &str, applier: &Applier<'_>) -> Manager {
    Manager {
        name: applier.manager.to_owned(),
        operation: "Apply".to_owned(),
        api_version: kind.api_version(),
        subresource: subresource.to_owned(),
        time: applier.time.to_owned(),
        fields,
    }
}

/// The part of an apply that its endpoint may change, without nulls and without metadata that the server keeps.
fn relevant(kind: &Kind, wanted: &Value, part: Part) -> Value {
    let mut wanted = wanted.clone();
    drop_nulls(&mut wanted);
    if let Some(fields) = wanted.as_object_mut() {
        match part {
            Part::Main if kind.status_subresource => {
                fields.remove("status");
            }
            Part::Status => {
                fields.retain(|field, _| {
                    matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status")
                });
                if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.retain(|field, _| matches!(field.as_str(), "name" | "namespace"));
                }
            }
            Part::Main | Part::Whole => {}
        }
    }
    wanted
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn settle_conflicts(managers: &mut [Manager], comparison: &Comparison, force: bool) -> Result<(), ApiError> {
    let mut conflicts: Vec<(String, String)> = Vec::new();
    for manager in managers {
        if force {
            manager.fields = manager.fields.without(&comparison.changed);
        } else {
            let common = manager.fields.common(&comparison.changed);
            conflicts.extend(common.paths().into_iter().map(|path| (manager.printed(), path)));
        }
        manager.fields = manager.fields.without(&comparison.removed);
    }
    match conflicts.as_slice() {
        [] => Ok(()),
        [(manager, path)] => {
            let message = format!("Apply failed with 1 conflict: conflict with {manager}: {path}");
            Err(ApiError::ApplyConflict { message, conflicts })
        }
        many => {
            let mut lines = Vec::new();
            let mut names: Vec<&String> = many.iter().map(|(manager, _)| manager).collect();
            names.sort();
            names.dedup();
            for name in names {
                lines.push(format!("conflicts with {name}:"));
                let paths = many.iter().filter(|(manager, _)| manager == name);
                lines.extend(paths.map(|(_, path)| format!("- {path}")));
            }
            let message = format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"));
            Err(ApiError::ApplyConflict { message, conflicts })
        }
    }
}

fn merge(live: &Value, wanted: &Value, shape: Shape<'_>) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) if !shape.is_atomic_map() => {
            let mut merged = live.clone();
            for (name, value) in wanted {
                let value = match live.get(name) {
                    Some(live) => merge(live, value, shape.field(name)),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(wanted)) => match shape.list() {
            ListType::Atomic => Value::Array(wanted.clone()),
            ListType::Set => merge_entries(live, wanted, &|entry| entry.clone(), shape),
            ListType::Map(keys) => merge_entries(live, wanted, &|entry| entry_key(entry, &keys), shape),
        },
        (_, wanted) => wanted.clone(),
    }
}

/// Entries keep the order of the live list, but where what is wanted orders them otherwise.
fn merge_entries(live: &[Value], wanted: &[Value], key: &dyn Fn(&Value) -> Value, shape: Shape<'_>) -> Value {
    let find = |list: &[Value], entry: &Value| list.iter().position(|other| key(other) == key(entry));
    let mut merged = Vec::new();
    let mut done = vec![false; live.len()];
    let mut rest = 0;
    for entry in wanted {
        while rest < live.len() && (done[rest] || find(wanted, &live[rest]).is_none()) {
            if !done[rest] {
                merged.push(live[rest].clone());
            }
            rest += 1;
        }
        match find(live, entry) {
            Some(position) => {
                done[position] = true;
                merged.push(merge(&live[position], entry, shape.item()));
            }
            None => merged.push(entry.clone()),
        }
    }
    let left = live.iter().zip(&done).skip(rest).filter(|(_, done)| !**done);
    merged.extend(left.map(|(entry, _)| entry.clone()));
    Value::Array(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::kinds::Kinds;
    use super::*;

    fn config_map(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
    }

    fn apply_data(live: Option<&Value>, manager: &str, force: bool, data: &Value) -> Result<Value, String> {
        let kinds = Kinds::built_in();
        let kind = kinds.preferred("", "ConfigMap").unwrap();
        let applier = Applier { manager, force, part: Part::Main, time: "2024-01-01T00:00:00Z" };
        apply(kind, live, &config_map(data), &applier).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_manager_no_longer_wants_goes_unless_another_wants_it() {
        let first = apply_data(None, "x", false, &json!({"a": "1", "b": "2"})).unwrap();
        let shared = apply_data(Some(&first), "y", false, &json!({"b": "2", "c": "3"})).unwrap();
        assert_eq!(shared["data"], json!({"a": "1", "b": "2", "c": "3"}));
        let less = apply_data(Some(&shared), "x", false, &json!({})).unwrap();
        assert_eq!(less["data"], json!({"b": "2", "c": "3"}));
        let none = apply_data(Some(&less), "y", false, &json!({})).unwrap();
        assert!(none.get("data").is_none(), "{none}");
    }

    proptest::proptest! {
        /// A key is there as long as someone wants it, with the value of who forced it last; then it is gone.
        #[test]
        fn keys_live_as_long_as_someone_wants_them(
            x in proptest::collection::btree_map("[a-d]", "[12]", 0..4),
            y in proptest::collection::btree_map("[a-d]", "[12]", 0..4),
        ) {
            let first = apply_data(None, "x", true, &json!(x)).unwrap();
            let both = apply_data(Some(&first), "y", true, &json!(y)).unwrap();
            let twice = apply_data(Some(&both), "y", true, &json!(y)).unwrap();
            proptest::prop_assert_eq!(&both, &twice);
            let mut expected = x.clone();
            expected.extend(y.clone());
            let data = |object: &Value| object.get("data").cloned().unwrap_or_else(|| json!({}));
            proptest::prop_assert_eq!(data(&both), json!(expected));
            let only_y = apply_data(Some(&both), "x", true, &json!({})).unwrap();
            proptest::prop_assert_eq!(data(&only_y), json!(y));
            let none = apply_data(Some(&only_y), "y", true, &json!({})).unwrap();
            proptest::prop_assert_eq!(data(&none), json!({}));
        }
    }

    #[test]
    fn another_managers_value_is_a_conflict_unless_forced() {
        let first = apply_data(None, "x", false, &json!({"a": "1", "b": "2"})).unwrap();
        assert_eq!(
            apply_data(Some(&first), "y", false, &json!({"a": "9"})).unwrap_err(),
            r#"Apply failed with 1 conflict: conflict with "x": .data.a"#
        );
        assert_eq!(
            apply_data(Some(&first), "y", false, &json!({"a": "9", "b": "9"})).unwrap_err(),
            "Apply failed with 2 conflicts: conflicts with \"x\":\n- .data.a\n- .data.b"
        );
        let forced = apply_data(Some(&first), "y", true, &json!({"a": "9"})).unwrap();
        assert_eq!(forced["data"], json!({"a": "9", "b": "2"}));
        let back = apply_data(Some(&forced), "x", false, &json!({"a": "9", "b": "2"})).unwrap();
        let owners = back["metadata"]["managedFields"].as_array().unwrap();
        assert_eq!(owners.len(), 2, "an equal value is shared");
    }

    #[test]
    fn entries_of_keyed_lists_merge() {
        let kinds = Kinds::built_in();
        let kind = kinds.preferred("", "Pod").unwrap();
        let pod = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}});
        let run = |live: Option<&Value>, manager, containers| {
            let applier = Applier { manager, force: false, part: Part::Main, time: "t" };
            apply(kind, live, &pod(containers), &applier).unwrap()
        };
        let first = run(None, "x", json!([{"name": "a", "image": "1"}]));
        let second = run(Some(&first), "y", json!([{"name": "b", "image": "2"}, {"name": "a", "tty": true}]));
        assert_eq!(
            second["spec"]["containers"],
            json!([{"name": "b", "image": "2"}, {"name": "a", "image": "1", "tty": true}])
        );
        let third = run(Some(&second), "y", json!([{"name": "a", "tty": true}]));
        assert_eq!(third["spec"]["containers"], json!([{"name": "a", "image": "1", "tty": true}]));
    }
}
