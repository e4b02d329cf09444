//! Sets of fields as server-side apply records them (`fieldsV1`): `f:spec`, `k:{"name":"a"}`, `v:"x"`.
//!
//! The rules are those of `sigs.k8s.io/structured-merge-diff`: what a configuration owns (`ToFieldSet`), what a change
//! adds, changes and removes (`Compare`), and what goes when it is no longer owned (`RemoveItems`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::shape::{ListType, Shape, entry_key};

/// The mark of a place that is itself owned, beside places below it.
const SELF: &str = ".";
/// Metadata that the server keeps and nobody owns.
const SERVERS_METADATA: &[&str] = &[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// A set of places in an object. Each may be owned itself or only lead to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// Whether this place itself is in the set.
    own: bool,
    below: BTreeMap<String, Self>,
}

/// What differs between two states of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Places that are new or have another value.
    pub(super) changed: Fields,
    /// Places that are gone.
    pub(super) removed: Fields,
}

impl Fields {
    fn owned() -> Self {
        Self { own: true, below: BTreeMap::new() }
    }

    /// Reads `fieldsV1`.
    pub(super) fn parse(value: &Value) -> Self {
        let entries = value.as_object().into_iter().flatten();
        let below = entries.filter(|(key, _)| *key != SELF).map(|(key, value)| {
            let mut fields = Self::parse(value);
            fields.own = value.get(SELF).is_some() || value.as_object().is_none_or(Map::is_empty);
            (key.clone(), fields)
        });
        Self { own: false, below: below.collect() }
    }

    /// Writes `fieldsV1`.
    pub(super) fn to_value(&self) -> Value {
        let below = self.below.iter().map(|(key, fields)| (key.clone(), fields.to_value()));
        let mut map: Map<String, Value> = below.collect();
        if self.own && !map.is_empty() {
            map.insert(SELF.to_owned(), json!({}));
        }
        Value::Object(map)
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        !self.own && self.below.values().all(Self::is_empty)
    }

    fn of(own: bool, below: impl Iterator<Item = (String, Self)>) -> Self {
        Self { own, below: below.filter(|(_, fields)| !fields.is_empty()).collect() }
    }

    /// Adds the places of another set.
    pub(super) fn add(&mut self, other: &Self) {
        self.own |= other.own;
        for (key, below) in &other.below {
            self.below.entry(key.clone()).or_default().add(below);
        }
    }

    /// The places that are not in another set.
    #[must_use]
    pub(super) fn without(&self, other: &Self) -> Self {
        let below = self.below.iter().map(|(key, mine)| {
            let rest = other.below.get(key).map_or_else(|| mine.clone(), |theirs| mine.without(theirs));
            (key.clone(), rest)
        });
        Self::of(self.own && !other.own, below)
    }

    /// The places that are in both.
    #[must_use]
    pub(super) fn common(&self, other: &Self) -> Self {
        let below = self
            .below
            .iter()
            .filter_map(|(key, mine)| Some((key.clone(), mine.common(other.below.get(key)?))));
        Self::of(self.own && other.own, below)
    }

    /// The places as people read them: `.spec.containers[name="a"].image`. Those of one level come before those below.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        let owned = self.below.iter().filter(|(_, below)| below.own);
        paths.extend(owned.map(|(key, _)| format!("{prefix}{}", readable(key))));
        for (key, below) in &self.below {
            below.collect_paths(&format!("{prefix}{}", readable(key)), paths);
        }
    }

    /// What someone who wants this object owns.
    pub(super) fn of_object(object: &Value, shape: Shape<'_>) -> Self {
        let mut fields = Self::default();
        wanted(object, shape, &mut fields);
        fields.without_the_servers()
    }

    fn without_the_servers(mut self) -> Self {
        self.below.remove("f:apiVersion");
        self.below.remove("f:kind");
        if let Some(metadata) = self.below.get_mut("f:metadata") {
            metadata.own = false;
            for name in SERVERS_METADATA {
                metadata.below.remove(&format!("f:{name}"));
            }
        }
        Self::of(false, self.below.into_iter())
    }

    /// The same with the fields of structures that lead to its places.
    #[must_use]
    pub(super) fn with_leading_fields(&self, shape: Shape<'_>) -> Self {
        let below = self.below.iter().map(|(key, fields)| {
            let name = key.strip_prefix("f:");
            let mut deeper = fields.with_leading_fields(name.map_or(shape.item(), |name| shape.field(name)));
            if name.is_some_and(|name| shape.declares(name)) && !deeper.below.is_empty() {
                deeper.own = true;
            }
            (key.clone(), deeper)
        });
        Self { own: self.own, below: below.collect() }
    }

    /// Takes these places out of a value. What becomes empty by that goes too.
    pub(super) fn remove_from(&self, value: &mut Value, shape: Shape<'_>) {
        match value {
            Value::Object(map) if !shape.is_atomic_map() => {
                let mut emptied = Vec::new();
                map.retain(|name, _| !self.below.get(&format!("f:{name}")).is_some_and(|fields| fields.own));
                for (name, child) in map.iter_mut() {
                    let Some(fields) = self.below.get(&format!("f:{name}")) else { continue };
                    let was_empty = is_empty(child);
                    fields.remove_from(child, shape.field(name));
                    if !was_empty && is_empty(child) {
                        emptied.push(name.clone());
                    }
                }
                map.retain(|name, _| !emptied.contains(name));
            }
            Value::Array(list) => {
                let kind = shape.list();
                list.retain_mut(|entry| {
                    let Some(fields) = item_key(entry, &kind).and_then(|key| self.below.get(&key)) else {
                        return true;
                    };
                    if !fields.own {
                        fields.remove_from(entry, shape.item());
                    }
                    !fields.own
                });
            }
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn readable(key: &str) -> String {
    let rest = key.get(2..).unwrap_or_default();
    match key.get(..2) {
        Some("f:") => format!(".{rest}"),
        Some("k:") => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        Some("v:") => format!("[={rest}]"),
        _ => format!("[{rest}]"),
    }
}

/// How an entry of a list is named in a set; `None` where the list is one value.
fn item_key(entry: &Value, kind: &ListType) -> Option<String> {
    match kind {
        ListType::Atomic => None,
        ListType::Set => Some(format!("v:{entry}")),
        ListType::Map(keys) => Some(format!("k:{}", entry_key(entry, keys))),
    }
}

fn wanted(value: &Value, shape: Shape<'_>, fields: &mut Fields) {
    match value {
        Value::Object(map) if !shape.is_atomic_map() => {
            for (name, value) in map {
                let mut below = Fields::default();
                wanted(value, shape.field(name), &mut below);
                let empty_map = value.as_object().is_some_and(Map::is_empty);
                below.own |= value.is_null() || empty_map || !shape.declares(name);
                if !below.is_empty() {
                    fields.below.insert(format!("f:{name}"), below);
                }
            }
        }
        Value::Array(list) if shape.list() != ListType::Atomic => {
            let kind = shape.list();
            for entry in list {
                let Some(key) = item_key(entry, &kind) else { continue };
                let mut below = Fields::owned();
                if entry.is_object() {
                    wanted(entry, shape.item(), &mut below);
                }
                fields.below.insert(key, below);
            }
        }
        _ => fields.own = true,
    }
}

/// What differs between two states of an object.
pub(super) fn compare(before: Option<&Value>, after: &Value, shape: Shape<'_>) -> Comparison {
    let empty = json!({});
    let mut comparison = Comparison::default();
    compare_maps(
        before.unwrap_or(&empty).as_object(),
        after.as_object(),
        shape,
        &mut comparison.changed,
        &mut comparison.removed,
    );
    Comparison {
        changed: comparison.changed.without_the_servers(),
        removed: comparison.removed.without_the_servers(),
    }
}

fn compare_maps(
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    shape: Shape<'_>,
    changed: &mut Fields,
    removed: &mut Fields,
) {
    let names: std::collections::BTreeSet<&String> =
        before.into_iter().flatten().chain(after.into_iter().flatten()).map(|(name, _)| name).collect();
    for name in names {
        let sides = [before, after].map(|map| map.and_then(|map| map.get(name)));
        let mut places = [Fields::default(), Fields::default()];
        let [more, less] = &mut places;
        compare_values(sides, shape.field(name), shape.is_always_there(name), more, less);
        store(&format!("f:{name}"), places, changed, removed);
    }
}

fn store(key: &str, places: [Fields; 2], changed: &mut Fields, removed: &mut Fields) {
    for (place, set) in places.into_iter().zip([changed, removed]) {
        if !place.is_empty() {
            set.below.insert(key.to_owned(), place);
        }
    }
}

/// `always`: the server's structure of a built-in kind has the field even where it is empty, so it is never new.
fn compare_values(
    [before, after]: [Option<&Value>; 2],
    shape: Shape<'_>,
    always: bool,
    changed: &mut Fields,
    removed: &mut Fields,
) {
    let holds = |value: Option<&Value>| value.is_some_and(|value| !is_empty(value) && !value.is_null());
    let any = after.or(before);
    let is_map = any.is_some_and(Value::is_object) && before.is_none_or(Value::is_object);
    let is_list = any.is_some_and(Value::is_array) && before.is_none_or(Value::is_array);
    let in_parts = (holds(before) || holds(after))
        && ((is_map && !shape.is_atomic_map()) || (is_list && shape.list() != ListType::Atomic));
    if !in_parts {
        match (before, after) {
            (None, Some(_)) => changed.own = true,
            (Some(_), None) => removed.own = true,
            (Some(before), Some(after)) if before != after => changed.own = true,
            _ => {}
        }
        return;
    }
    if is_map {
        let [before, after] = [before, after].map(|side| side.and_then(Value::as_object));
        compare_maps(before, after, shape, changed, removed);
    } else {
        let [before, after] = [before, after].map(|side| side.and_then(Value::as_array));
        compare_lists([before, after], shape, changed, removed);
    }
    changed.own |= before.is_none() && !always;
    removed.own |= after.is_none() && !always;
}

fn compare_lists(
    sides: [Option<&Vec<Value>>; 2],
    shape: Shape<'_>,
    changed: &mut Fields,
    removed: &mut Fields,
) {
    let kind = shape.list();
    let [before, after] = sides.map(|list| {
        let entries = list.into_iter().flatten();
        entries.filter_map(|entry| Some((item_key(entry, &kind)?, entry))).collect::<BTreeMap<_, _>>()
    });
    for key in before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>() {
        let mut places = [Fields::default(), Fields::default()];
        let [more, less] = &mut places;
        let sides = [before.get(key).copied(), after.get(key).copied()];
        compare_values(sides, shape.item(), false, more, less);
        store(key, places, changed, removed);
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manager {
    pub(super) name: String,
    /// `Apply` or `Update`.
    pub(super) operation: String,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: String,
    pub(super) fields: Fields,
}

impl Manager {
    /// Reads all entries of an object.
    pub(super) fn all(object: &Value) -> Vec<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = object["metadata"]["managedFields"].as_array();
        entries
            .into_iter()
            .flatten()
            .filter(|entry| entry["fieldsV1"].is_object())
            .map(|entry| Self {
                name: text(&entry["manager"]),
                operation: text(&entry["operation"]),
                api_version: text(&entry["apiVersion"]),
                subresource: text(&entry["subresource"]),
                time: text(&entry["time"]),
                fields: Fields::parse(&entry["fieldsV1"]),
            })
            .collect()
    }

    /// Whether it is the entry of a manager, operation and subresource.
    pub(super) fn is(&self, name: &str, operation: &str, subresource: &str) -> bool {
        self.name == name && self.operation == operation && self.subresource == subresource
    }

    /// Writes the entries that own something into the object: applies before updates, the older first.
    pub(super) fn store(mut all: Vec<Self>, object: &mut Value) {
        all.retain(|manager| !manager.fields.is_empty());
        all.sort_by(|a, b| (&a.operation, &a.time, &a.name).cmp(&(&b.operation, &b.time, &b.name)));
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        if all.is_empty() {
            metadata.remove("managedFields");
            return;
        }
        metadata.insert("managedFields".to_owned(), all.iter().map(Self::to_value).collect());
    }

    fn to_value(&self) -> Value {
        let mut value = json!({"manager": self.name, "operation": self.operation,
            "apiVersion": self.api_version, "time": self.time, "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.to_value()});
        if !self.subresource.is_empty() {
            value["subresource"] = json!(self.subresource);
        }
        value
    }

    /// As conflicts name it.
    pub(super) fn printed(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {:?}", self.subresource);
        }
        if self.operation == "Update" {
            text = format!("{text} using {}", self.api_version);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kinds::Kinds;
    use super::*;

    #[test]
    fn fields_are_written_as_the_api_server_writes_them() {
        let kinds = Kinds::built_in();
        let shape = Shape::of(kinds.preferred("apps", "Deployment").unwrap());
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "uid": "u", "labels": {"x.io/y": "1"}, "finalizers": ["f"]},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
                "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}],
                "tolerations": [{"key": "k"}]}}}});
        let spec = json!({"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {
            "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
                "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}},
            "f:tolerations": {}}}});
        assert_eq!(
            Fields::of_object(&object, shape).to_value(),
            json!({"f:metadata": {"f:labels": {"f:x.io/y": {}}, "f:finalizers": {"v:\"f\"": {}}}, "f:spec": spec})
        );
        let created = compare(None, &object, shape).changed.to_value();
        assert_eq!(
            created["f:metadata"],
            json!({"f:labels": {".": {}, "f:x.io/y": {}}, "f:finalizers": {".": {}, "v:\"f\"": {}}})
        );
    }

    #[test]
    fn changes_are_told_place_by_place() {
        let kinds = Kinds::built_in();
        let shape = Shape::of(kinds.preferred("", "ConfigMap").unwrap());
        let before = json!({"data": {"a": "1", "b": "2"}, "binaryData": {"c": "3"}});
        let after = json!({"data": {"a": "9", "d": "4"}});
        let comparison = compare(Some(&before), &after, shape);
        assert_eq!(comparison.changed.paths(), [".data.a", ".data.d"]);
        assert_eq!(comparison.removed.paths(), [".binaryData", ".binaryData.c", ".data.b"]);
    }

    #[test]
    fn sets_are_added_and_taken_away() {
        let set = |value: Value| Fields::parse(&value);
        let a = set(json!({"f:data": {".": {}, "f:x": {}, "f:y": {}}, "f:type": {}}));
        let b = set(json!({"f:data": {"f:y": {}, "f:z": {}}}));
        assert_eq!(a.without(&b).to_value(), json!({"f:data": {".": {}, "f:x": {}}, "f:type": {}}));
        assert_eq!(a.common(&b).paths(), [".data.y"]);
        assert!(a.common(&set(json!({"f:data": {}}))).to_value() == json!({"f:data": {}}));
        let mut sum = a.clone();
        sum.add(&b);
        assert_eq!(sum.paths(), [".data", ".type", ".data.x", ".data.y", ".data.z"]);
        assert!(a.without(&a).is_empty());
    }
}
