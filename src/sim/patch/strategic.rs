//! Strategic merge patch, for built-in kinds: lists with a merge key merge, `null` and `$patch` delete.

use serde_json::{Map, Value};

use super::super::status::ApiError;
use super::shape::{ListType, Shape};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

/// The object after the patch.
pub(super) fn merge(object: &Value, patch: &Value, shape: Shape<'_>) -> Result<Value, ApiError> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else { return Ok(clean(patch)) };
    Ok(Value::Object(merge_maps(object, patch, shape)?))
}

fn directive(patch: &Value) -> Option<&str> {
    patch.get(DIRECTIVE)?.as_str()
}

fn merge_maps(
    object: &Map<String, Value>,
    patch: &Map<String, Value>,
    shape: Shape<'_>,
) -> Result<Map<String, Value>, ApiError> {
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => return Ok(clean_map(patch)),
        Some("delete") => return Ok(Map::new()),
        Some(_) | None => {}
    }
    let mut merged = object.clone();
    if let Some(retained) = patch.get(RETAIN_KEYS).and_then(Value::as_array) {
        merged.retain(|name, _| retained.iter().any(|retained| retained == name));
    }
    for (name, value) in patch.iter().filter(|(name, _)| !name.starts_with('$')) {
        let merged_value = match (merged.get(name), value) {
            (_, Value::Null) => None,
            (_, value) if directive(value) == Some("delete") => None,
            (Some(Value::Object(live)), Value::Object(patch)) => {
                Some(Value::Object(merge_maps(live, patch, shape.field(name))?))
            }
            (Some(Value::Array(live)), Value::Array(patch)) => {
                Some(Value::Array(merge_lists(live, patch, shape.field(name))?))
            }
            (_, Value::Array(patch)) => Some(Value::Array(merge_lists(&[], patch, shape.field(name))?)),
            (_, value) => Some(clean(value)),
        };
        match merged_value {
            Some(value) => merged.insert(name.clone(), value),
            None => merged.remove(name),
        };
    }
    for (name, value) in patch {
        let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(list) = name.strip_prefix(DELETE_FROM_LIST)
            && let Some(list) = merged.get_mut(list).and_then(Value::as_array_mut)
        {
            list.retain(|entry| !values.contains(entry));
        }
        if let Some(field) = name.strip_prefix(ELEMENT_ORDER)
            && let Some(list) = merged.get_mut(field).and_then(Value::as_array_mut)
        {
            order(list, values, &shape.field(field).list());
        }
    }
    Ok(merged)
}

fn merge_lists(live: &[Value], patch: &[Value], shape: Shape<'_>) -> Result<Vec<Value>, ApiError> {
    let key = match shape.list() {
        ListType::Atomic => {
            return Ok(patch.iter().filter(|entry| directive(entry).is_none()).map(clean).collect());
        }
        ListType::Set => {
            let same = |entry: &Value, other: &Value| entry == other;
            let left = live.iter().filter(|entry| !patch.contains(entry)).cloned().collect();
            return Ok(interleave(left, patch.to_vec(), live, same));
        }
        // The merge key of a patch is one field, the first of the keys of the list.
        ListType::Map(keys) => keys.into_iter().next().unwrap_or_default(),
    };
    let same = |entry: &Value, other: &Value| entry.get(&key).is_some() && other.get(&key) == entry.get(&key);
    let replaces = patch.iter().any(|entry| directive(entry) == Some("replace"));
    let live = if replaces { &[] } else { live };
    let mut left = live.to_vec();
    let mut merged: Vec<Value> = Vec::new();
    for entry in patch {
        if directive(entry) == Some("replace") && entry.get(&key).is_none() {
            continue;
        }
        if entry.get(&key).is_none() {
            return Err(ApiError::Internal(format!(
                "map: {} does not contain declared merge key: {key}",
                go_map(entry)
            )));
        }
        let position = left.iter().position(|other| same(entry, other));
        let before = position.map(|position| left.remove(position));
        if !matches!(directive(entry), Some("delete" | "replace")) {
            merged.push(merge(&before.unwrap_or_else(|| Value::Object(Map::new())), entry, shape.item())?);
        }
    }
    Ok(interleave(left, merged, live, same))
}

/// Joins what the patch does not name with what it names. Where the live list has both, its order decides; else what the
/// patch names comes first (`mergeSortedSlice`).
fn interleave(
    left: Vec<Value>,
    right: Vec<Value>,
    live: &[Value],
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<Value> {
    let place = |entry: &Value| live.iter().position(|other| same(entry, other));
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    let mut joined = Vec::new();
    loop {
        let take_left = match (left.peek(), right.peek()) {
            (Some(one), Some(other)) => {
                matches!((place(one), place(other)), (Some(one), Some(other)) if one < other)
            }
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return joined,
        };
        joined.extend(if take_left { left.next() } else { right.next() });
    }
}

/// A mapping as Go prints it: `map[image:x]`.
pub(in crate::sim) fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// Brings a list into the order that the patch names; entries that it does not name stay behind those it does.
fn order(list: &mut [Value], wanted: &[Value], list_type: &ListType) {
    let same = |entry: &Value, wanted: &Value| match list_type {
        ListType::Map(keys) => {
            keys.first().is_some_and(|key| entry.get(key).is_some() && entry.get(key) == wanted.get(key))
        }
        ListType::Set | ListType::Atomic => entry == wanted,
    };
    list.sort_by_key(|entry| wanted.iter().position(|wanted| same(entry, wanted)).unwrap_or(usize::MAX));
}

/// A value of a patch without nulls and directives.
fn clean(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(clean_map(map)),
        Value::Array(list) => Value::Array(list.iter().map(clean).collect()),
        other => other.clone(),
    }
}

fn clean_map(map: &Map<String, Value>) -> Map<String, Value> {
    let kept = map.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    kept.map(|(name, value)| (name.clone(), clean(value))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::kinds::Kinds;
    use super::*;

    #[test]
    fn lists_merge_by_key_and_directives_delete() {
        let kinds = Kinds::built_in();
        let shape = Shape::of(kinds.preferred("apps", "Deployment").unwrap());
        let spec = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
        let live = json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "x", "value": "1"}]},
            {"name": "b", "image": "2"}], "tolerations": [{"key": "t"}], "nodeName": "n"});
        for (patch, expected) in [
            (
                json!({"containers": [{"name": "a", "image": "9"}]}),
                json!({"containers": [{"name": "a", "image": "9", "env": [{"name": "x", "value": "1"}]},
                    {"name": "b", "image": "2"}], "tolerations": [{"key": "t"}], "nodeName": "n"}),
            ),
            (
                json!({"containers": [{"name": "b", "$patch": "delete"}], "nodeName": null}),
                json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "x", "value": "1"}]}],
                    "tolerations": [{"key": "t"}]}),
            ),
            (
                json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}],
                    "containers": [{"name": "c", "image": "3"}], "tolerations": [{"key": "u"}]}),
                json!({"containers": [{"name": "c", "image": "3"},
                    {"name": "a", "image": "1", "env": [{"name": "x", "value": "1"}]}, {"name": "b", "image": "2"}],
                    "tolerations": [{"key": "u"}], "nodeName": "n"}),
            ),
            (json!({"$patch": "replace", "nodeName": "m"}), json!({"nodeName": "m"})),
        ] {
            let merged = merge(&spec(live.clone()), &spec(patch.clone()), shape).unwrap();
            assert_eq!(merged, spec(expected), "{patch}");
        }
    }

    #[test]
    fn finalizers_are_a_set() {
        let kinds = Kinds::built_in();
        let shape = Shape::of(kinds.preferred("", "ConfigMap").unwrap());
        let live = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}});
        assert_eq!(merge(&live, &patch, shape).unwrap(), json!({"metadata": {"finalizers": ["c", "b"]}}));
    }
}
