//! Strategic merge patch, for built-in kinds: lists with a merge key merge, `null` and `$patch` delete.

use serde_json::{Map, Value};

use super::shape::{ListType, Shape};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

/// The object after the patch.
pub(super) fn merge(object: &Value, patch: &Value, shape: Shape<'_>) -> Value {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else { return clean(patch) };
    Value::Object(merge_maps(object, patch, shape))
}

fn directive(patch: &Value) -> Option<&str> {
    patch.get(DIRECTIVE)?.as_str()
}

fn merge_maps(
    object: &Map<String, Value>,
    patch: &Map<String, Value>,
    shape: Shape<'_>,
) -> Map<String, Value> {
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => return clean_map(patch),
        Some("delete") => return Map::new(),
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
                Some(Value::Object(merge_maps(live, patch, shape.field(name))))
            }
            (Some(Value::Array(live)), Value::Array(patch)) => {
                Some(Value::Array(merge_lists(live, patch, shape.field(name))))
            }
            (_, Value::Array(patch)) => Some(Value::Array(merge_lists(&[], patch, shape.field(name)))),
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
    merged
}

fn merge_lists(live: &[Value], patch: &[Value], shape: Shape<'_>) -> Vec<Value> {
    let key = match shape.list() {
        ListType::Atomic => {
            return patch.iter().filter(|entry| directive(entry).is_none()).map(clean).collect();
        }
        ListType::Set => {
            let added = patch.iter().filter(|entry| !live.contains(entry));
            return live.iter().chain(added).cloned().collect();
        }
        // The merge key of a patch is one field, the first of the keys of the list.
        ListType::Map(keys) => keys.into_iter().next().unwrap_or_default(),
    };
    let replaces = patch.iter().any(|entry| directive(entry) == Some("replace"));
    let mut merged = if replaces { Vec::new() } else { live.to_vec() };
    for entry in patch {
        let same = |other: &Value| entry.get(&key).is_some() && other.get(&key) == entry.get(&key);
        let position = merged.iter().position(same);
        match (directive(entry), position) {
            (Some("delete"), Some(position)) => {
                merged.remove(position);
            }
            (Some("delete" | "replace"), _) => {}
            (_, Some(position)) => merged[position] = merge(&merged[position], entry, shape.item()),
            (_, None) => merged.push(merge(&Value::Object(Map::new()), entry, shape.item())),
        }
    }
    merged
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
            assert_eq!(merge(&spec(live.clone()), &spec(patch.clone()), shape), spec(expected), "{patch}");
        }
    }

    #[test]
    fn finalizers_are_a_set() {
        let kinds = Kinds::built_in();
        let shape = Shape::of(kinds.preferred("", "ConfigMap").unwrap());
        let live = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}});
        assert_eq!(merge(&live, &patch, shape), json!({"metadata": {"finalizers": ["b", "c"]}}));
    }
}
