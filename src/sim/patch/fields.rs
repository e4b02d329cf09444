//! Sets of fields as server-side apply records them (`fieldsV1`): `f:spec`, `k:{"name":"a"}`, `v:"x"`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::shape::{ListType, Shape, entry_key};

/// The mark of a list entry that is itself owned, beside its fields.
const SELF: &str = ".";
/// The only metadata that has owners.
const OWNED_METADATA: &[&str] = &["annotations", "finalizers", "labels", "ownerReferences"];

/// A set of fields. A field without fields below is owned as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, Self>);

impl Fields {
    /// Reads `fieldsV1`.
    pub(super) fn parse(value: &Value) -> Self {
        let entries = value.as_object().into_iter().flatten();
        Self(entries.map(|(key, value)| (key.clone(), Self::parse(value))).collect())
    }

    /// Writes `fieldsV1`.
    pub(super) fn to_value(&self) -> Value {
        Value::Object(self.0.iter().map(|(key, fields)| (key.clone(), fields.to_value())).collect())
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All fields of an object.
    pub(super) fn of_object(object: &Value, shape: Shape<'_>) -> Self {
        Self::changed_object(None, object, shape)
    }

    /// The fields of an object that are new or different.
    pub(super) fn changed_object(before: Option<&Value>, after: &Value, shape: Shape<'_>) -> Self {
        let none = Map::new();
        let mut fields = BTreeMap::new();
        for (name, value) in after.as_object().unwrap_or(&none) {
            let before = before.and_then(|before| before.get(name));
            let below = match name.as_str() {
                "apiVersion" | "kind" => continue,
                "metadata" => {
                    let shape = shape.field("metadata");
                    let owned = OWNED_METADATA.iter().filter_map(|name| {
                        let before = before.and_then(|before| before.get(name));
                        let below = changed(before, value.get(name)?, shape.field(name))?;
                        Some((format!("f:{name}"), below))
                    });
                    let owned: BTreeMap<String, Self> = owned.collect();
                    (!owned.is_empty()).then_some(Self(owned))
                }
                name => changed(before, value, shape.field(name)),
            };
            if let Some(below) = below {
                fields.insert(format!("f:{name}"), below);
            }
        }
        Self(fields)
    }

    /// Adds the fields of another set.
    pub(super) fn add(&mut self, other: &Self) {
        for (key, below) in &other.0 {
            match self.0.get_mut(key) {
                Some(mine) => mine.add(below),
                None => {
                    self.0.insert(key.clone(), below.clone());
                }
            }
        }
    }

    /// The fields that are not in another set. A field owned as a whole stands for itself, not for those below it.
    #[must_use]
    pub(super) fn without(&self, other: &Self) -> Self {
        let kept = self.0.iter().filter_map(|(key, below)| match other.0.get(key) {
            None => Some((key.clone(), below.clone())),
            Some(whole) if whole.is_empty() && below.is_empty() => None,
            Some(other) if other.is_empty() || below.is_empty() => Some((key.clone(), below.clone())),
            Some(part) => {
                let rest = below.without(part);
                (!rest.is_empty()).then_some((key.clone(), rest))
            }
        });
        Self(kept.collect())
    }

    /// The fields that are in both; where one owns as a whole what the other owns in part, the finer ones.
    #[must_use]
    pub(super) fn common(&self, other: &Self) -> Self {
        let both = self.0.iter().filter_map(|(key, mine)| {
            let theirs = other.0.get(key)?;
            if mine.is_empty() {
                return Some((key.clone(), theirs.clone()));
            }
            if theirs.is_empty() {
                return Some((key.clone(), mine.clone()));
            }
            let below = mine.common(theirs);
            (!below.is_empty()).then_some((key.clone(), below))
        });
        Self(both.collect())
    }

    /// The paths of all fields as people read them: `.spec.containers[name="a"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        for (key, below) in &self.0 {
            let path = if key == SELF { prefix.to_owned() } else { format!("{prefix}{}", readable(key)) };
            if below.is_empty() {
                paths.push(path);
            } else {
                below.collect_paths(&path, paths);
            }
        }
    }

    /// Takes these fields out of a value. Mappings and entries that become empty go too.
    pub(super) fn remove_from(&self, value: &mut Value, shape: Shape<'_>) {
        for (key, below) in &self.0 {
            if let Some(name) = key.strip_prefix("f:") {
                let Some(map) = value.as_object_mut() else { continue };
                let emptied = match map.get_mut(name) {
                    Some(child) if !below.is_empty() => {
                        below.remove_from(child, shape.field(name));
                        is_empty(child)
                    }
                    Some(_) => true,
                    None => false,
                };
                if emptied {
                    map.remove(name);
                }
            } else if let Some(list) = value.as_array_mut() {
                below.remove_entry(key, list, shape);
            }
        }
    }

    fn remove_entry(&self, key: &str, list: &mut Vec<Value>, shape: Shape<'_>) {
        let text = key.get(2..).unwrap_or_default();
        let wanted: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        match shape.list() {
            ListType::Set => list.retain(|entry| *entry != wanted),
            ListType::Map(keys) => {
                if self.0.contains_key(SELF) || self.is_empty() {
                    list.retain(|entry| entry_key(entry, &keys) != wanted);
                } else if let Some(entry) = list.iter_mut().find(|entry| entry_key(entry, &keys) == wanted) {
                    self.remove_from(entry, shape.item());
                }
            }
            ListType::Atomic => {}
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

/// The changed fields of a value below the root; `None` when it is the same.
fn changed(before: Option<&Value>, after: &Value, shape: Shape<'_>) -> Option<Fields> {
    if before == Some(after) {
        return None;
    }
    match after {
        Value::Object(map) if !map.is_empty() && !shape.is_atomic_map() => {
            let fields = map.iter().filter_map(|(name, value)| {
                let before = before.and_then(|before| before.get(name));
                Some((format!("f:{name}"), changed(before, value, shape.field(name))?))
            });
            some(fields.collect())
        }
        Value::Array(list) if !list.is_empty() => match shape.list() {
            ListType::Atomic => Some(Fields::default()),
            ListType::Set => {
                let had = before.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let added = list.iter().filter(|entry| !had.contains(entry));
                some(added.map(|entry| (format!("v:{entry}"), Fields::default())).collect())
            }
            ListType::Map(keys) => some(changed_entries(before, list, &keys, shape)),
        },
        _ => Some(Fields::default()),
    }
}

fn changed_entries(
    before: Option<&Value>,
    list: &[Value],
    keys: &[String],
    shape: Shape<'_>,
) -> BTreeMap<String, Fields> {
    let had = before.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let entries = list.iter().filter_map(|entry| {
        let key = entry_key(entry, keys);
        let before = had.iter().find(|before| entry_key(before, keys) == key);
        let mut below = changed(before, entry, shape.item())?;
        if before.is_none() {
            below.0.insert(SELF.to_owned(), Fields::default());
        }
        Some((format!("k:{key}"), below))
    });
    entries.collect()
}

/// Nothing below means that nothing changed, not that all is owned.
fn some(fields: BTreeMap<String, Fields>) -> Option<Fields> {
    (!fields.is_empty()).then_some(Fields(fields))
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

    fn fields(object: &Value) -> Fields {
        let kinds = Kinds::built_in();
        Fields::of_object(object, Shape::of(kinds.preferred("apps", "Deployment").unwrap()))
    }

    #[test]
    fn fields_are_written_as_the_api_server_writes_them() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "uid": "u", "labels": {"x.io/y": "1"}, "finalizers": ["f"]},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
                "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}],
                "tolerations": [{"key": "k"}]}}}});
        assert_eq!(
            fields(&object).to_value(),
            json!({"f:metadata": {"f:labels": {"f:x.io/y": {}}, "f:finalizers": {"v:\"f\"": {}}},
                "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {
                    "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
                        "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}},
                    "f:tolerations": {}}}}})
        );
    }

    #[test]
    fn sets_are_added_and_taken_away() {
        let set = |value: Value| Fields::parse(&value);
        let a = set(json!({"f:data": {"f:x": {}, "f:y": {}}, "f:type": {}}));
        let b = set(json!({"f:data": {"f:y": {}, "f:z": {}}}));
        assert_eq!(a.without(&b).to_value(), json!({"f:data": {"f:x": {}}, "f:type": {}}));
        assert_eq!(a.common(&b).paths(), [".data.y"]);
        assert_eq!(a.common(&set(json!({"f:data": {}}))).paths(), [".data.x", ".data.y"]);
        let mut sum = a.clone();
        sum.add(&b);
        assert_eq!(sum.paths(), [".data.x", ".data.y", ".data.z", ".type"]);
        assert!(a.without(&a).is_empty());
    }
}
