//! What templates compute with: Go's dynamic values, as far as policies can meet them.
//!
//! Lists and maps are shared, and a map can be changed in place (`set`), as in Go. They belong to one rendering and never
//! leave its thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Number, Value as Json};

use crate::api::object::Manifest;

/// How deep a value may nest before it is refused: a thread's stack is finite.
const MAX_DEPTH: usize = 100;

/// A value.
#[derive(Debug, Clone, Default)]
pub(crate) enum Value {
    /// No value at all: what a missing key gives.
    #[default]
    Missing,
    /// `nil`, or a key that is `null`.
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `int64`: integers of Kubernetes objects, results of Sprig's arithmetic.
    Int64(i64),
    /// `float64`.
    Float(f64),
    /// `string`.
    Text(Arc<str>),
    /// `[]interface {}`.
    List(Rc<List>),
    /// `map[string]interface {}` or `map[string]string`.
    Map(Rc<Map>),
    /// An object of a snapshot, read as `map[string]interface {}` without copying it.
    Object(Arc<Manifest>),
    /// A struct: a context, a semantic version.
    Struct(Rc<Struct>),
}

/// The items of a list.
#[derive(Debug, Default)]
pub(crate) struct List(Vec<Value>);

/// The entries of a map.
#[derive(Debug)]
pub(crate) struct Map {
    entries: RefCell<BTreeMap<Arc<str>, Value>>,
    /// Whether it is a `map[string]string`, of which `index` gives "" for a missing key.
    texts: bool,
}

/// A value with named fields; asking for another field is an error.
#[derive(Debug)]
pub(crate) struct Struct {
    /// Its type, as error texts show it.
    pub(crate) type_name: String,
    /// Its fields.
    pub(crate) fields: Vec<(&'static str, Value)>,
    /// How it prints, where that is not `{field field}`.
    pub(crate) shown: Option<String>,
    /// The time that it is, if it is one.
    pub(crate) moment: Option<jiff::Zoned>,
}

impl Struct {
    /// A struct that prints as Go prints one.
    pub(crate) fn new(type_name: &str, fields: Vec<(&'static str, Value)>) -> Self {
        Self { type_name: type_name.to_owned(), fields, shown: None, moment: None }
    }
}

/// A map would hold itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cycle;

/// A value nests too deep, or is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooDeep;

impl List {
    /// The items.
    pub(crate) fn items(&self) -> &[Value] {
        &self.0
    }
}

impl Map {
    /// The entries in the order of their keys.
    pub(crate) fn entries(&self) -> Vec<(Arc<str>, Value)> {
        self.entries.borrow().iter().map(|(key, value)| (Arc::clone(key), value.clone())).collect()
    }

    /// One entry.
    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.entries.borrow().get(key).cloned()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Whether it is a `map[string]string`.
    pub(crate) fn holds_texts(&self) -> bool {
        self.texts
    }

    /// Sets an entry, unless the map would then hold itself.
    pub(crate) fn set(self: &Rc<Self>, key: &str, value: Value) -> Result<(), Cycle> {
        if value.reaches(self) {
            return Err(Cycle);
        }
        self.entries.borrow_mut().insert(Arc::from(key), value);
        Ok(())
    }

    /// Removes an entry.
    pub(crate) fn remove(&self, key: &str) {
        let removed = self.entries.borrow_mut().remove(key);
        drop(removed);
    }
}

/// Drops what a list or map held without recursion: a template can nest values deeper than a stack is.
fn drop_flat(mut values: Vec<Value>) {
    while let Some(value) = values.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut list) = Rc::into_inner(list) {
                    values.append(&mut list.0);
                }
            }
            Value::Map(map) => {
                if let Some(map) = Rc::into_inner(map) {
                    values.extend(std::mem::take(&mut *map.entries.borrow_mut()).into_values());
                }
            }
            _ => {}
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            drop_flat(std::mem::take(&mut self.0));
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let entries = std::mem::take(self.entries.get_mut());
        if !entries.is_empty() {
            drop_flat(entries.into_values().collect());
        }
    }
}

impl Value {
    /// A `string`.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// A list.
    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(List(items)))
    }

    /// A `map[string]interface {}`.
    pub(crate) fn map(entries: impl IntoIterator<Item = (Arc<str>, Self)>) -> Self {
        let entries = RefCell::new(entries.into_iter().collect());
        Self::Map(Rc::new(Map { entries, texts: false }))
    }

    /// A `map[string]string`.
    pub(crate) fn text_map<'a>(entries: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (Arc::from(key.as_str()), Self::text(value)));
        Self::Map(Rc::new(Map { entries: RefCell::new(entries.collect()), texts: true }))
    }

    /// From JSON as Kubernetes decodes it: whole numbers are `int64`.
    pub(crate) fn from_json(json: &Json) -> Self {
        Self::convert(json, &|number| number.as_i64().map(Self::Int64))
    }

    /// From JSON as Go decodes it without a type: every number is a `float64`.
    pub(crate) fn from_untyped_json(json: &Json) -> Self {
        Self::convert(json, &|_| None)
    }

    /// From YAML as go-yaml decodes it: whole numbers are `int`.
    pub(crate) fn from_yaml(json: &Json) -> Self {
        Self::convert(json, &|number| number.as_i64().map(Self::Int))
    }

    fn convert(json: &Json, whole: &dyn Fn(&Number) -> Option<Self>) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => {
                whole(number).unwrap_or_else(|| Self::Float(number.as_f64().unwrap_or_default()))
            }
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::list(items.iter().map(|item| Self::convert(item, whole)).collect()),
            Json::Object(fields) => Self::map(
                fields.iter().map(|(key, value)| (Arc::from(key.as_str()), Self::convert(value, whole))),
            ),
        }
    }

    /// As JSON. `budget` is how many values may be visited.
    pub(crate) fn to_json(&self, budget: &mut usize) -> Result<Json, TooDeep> {
        self.to_json_at(MAX_DEPTH, budget)
    }

    fn to_json_at(&self, depth: usize, budget: &mut usize) -> Result<Json, TooDeep> {
        *budget = budget.checked_sub(1).ok_or(TooDeep)?;
        let depth = depth.checked_sub(1).ok_or(TooDeep)?;
        Ok(match self {
            Self::Missing | Self::Nil => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) | Self::Int64(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::Text(text) => Json::from(text.as_ref()),
            Self::List(list) => {
                let items = list.items().iter().map(|item| item.to_json_at(depth, budget));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Map(map) => {
                let mut fields = JsonMap::new();
                for (key, value) in map.entries() {
                    fields.insert(key.to_string(), value.to_json_at(depth, budget)?);
                }
                Json::Object(fields)
            }
            Self::Object(object) => object.to_value(),
            Self::Struct(value) => {
                let mut fields = JsonMap::new();
                for (key, value) in &value.fields {
                    fields.insert((*key).to_owned(), value.to_json_at(depth, budget)?);
                }
                Json::Object(fields)
            }
        })
    }

    /// Go's truth: not false, zero, nil or empty.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.0.is_empty(),
            Self::Map(map) => map.len() > 0,
            Self::Object(object) => !object.fields().is_empty(),
            Self::Struct(_) => true,
        }
    }

    /// Neither missing nor nil.
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Missing | Self::Nil)
    }

    /// Name of its Go type.
    pub(crate) fn type_name(&self) -> &str {
        match self {
            Self::Missing | Self::Nil => "interface {}",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(map) if map.texts => "map[string]string",
            Self::Map(_) | Self::Object(_) => "map[string]interface {}",
            Self::Struct(value) => &value.type_name,
        }
    }

    /// Name of its Go kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "slice",
            Self::Map(_) | Self::Object(_) => "map",
            Self::Struct(_) => "struct",
        }
    }

    /// Whether it is a map.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_) | Self::Object(_))
    }

    /// The entry of a map.
    pub(crate) fn entry(&self, key: &str) -> Option<Self> {
        match self {
            Self::Map(map) => map.get(key),
            Self::Object(object) => object.fields().get(key).map(Self::from_json),
            _ => None,
        }
    }

    /// All entries of a map in the order of their keys; `None` when this is no map.
    pub(crate) fn entries(&self) -> Option<Vec<(Arc<str>, Self)>> {
        match self {
            Self::Map(map) => Some(map.entries()),
            Self::Object(object) => {
                let fields = object.fields().iter();
                Some(fields.map(|(key, value)| (Arc::from(key.as_str()), Self::from_json(value))).collect())
            }
            _ => None,
        }
    }

    /// The items of a list; `None` when this is no list.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list.items()),
            _ => None,
        }
    }

    /// The text of a `string`.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer of either kind.
    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Int64(value) => Some(*value),
            _ => None,
        }
    }

    /// Same kind, same content (`reflect.DeepEqual`, without regard to integer types).
    pub(crate) fn deep_equal(&self, other: &Self) -> bool {
        let mut budget = 1_000_000;
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => left == right,
            _ if self.kind().trim_end_matches("64") != other.kind().trim_end_matches("64") => false,
            _ => match (self.to_json(&mut budget), other.to_json(&mut budget)) {
                (Ok(left), Ok(right)) => left == right,
                _ => false,
            },
        }
    }

    /// Whether a map is this value or inside it.
    fn reaches(&self, wanted: &Rc<Map>) -> bool {
        let mut seen = BTreeSet::new();
        let mut left = vec![self.clone()];
        while let Some(value) = left.pop() {
            match value {
                Self::Map(map) => {
                    if Rc::ptr_eq(&map, wanted) {
                        return true;
                    }
                    if seen.insert(Rc::as_ptr(&map) as usize) {
                        left.extend(map.entries.borrow().values().cloned());
                    }
                }
                Self::List(list) if seen.insert(Rc::as_ptr(&list) as usize) => {
                    left.extend(list.items().iter().cloned());
                }
                _ => {}
            }
        }
        false
    }

    /// Roughly how many bytes it takes, without what it holds.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(list) => list.0.len() * size_of::<Self>(),
            Self::Map(map) => map.len() * 3 * size_of::<Self>(),
            _ => 0,
        }
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::list(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_cannot_hold_itself() {
        let Value::Map(inner) = Value::map([]) else { panic!("a map") };
        let outer = Value::list(vec![Value::Map(Rc::clone(&inner))]);
        assert_eq!(inner.set("self", outer), Err(Cycle));
        assert_eq!(inner.set("text", Value::text("x")), Ok(()));
        assert_eq!(inner.len(), 1);
    }

    #[test]
    fn very_deep_values_are_dropped_and_refused_without_recursion() {
        let mut value = Value::Nil;
        for _ in 0..200_000 {
            value = Value::list(vec![value]);
        }
        assert_eq!(value.to_json(&mut 1_000_000), Err(TooDeep));
        drop(value);
    }

    #[test]
    fn numbers_keep_the_type_of_their_decoder() {
        let json = serde_json::json!([1, 1.5]);
        assert_eq!(Value::from_json(&json).items().unwrap()[0].type_name(), "int64");
        assert_eq!(Value::from_untyped_json(&json).items().unwrap()[0].type_name(), "float64");
        assert_eq!(Value::from_yaml(&json).items().unwrap()[0].type_name(), "int");
    }
}
