//! What object templates know of the object that they are resolved for: `.ObjectNamespace`, `.ObjectName` and `.Object`.
//!
//! Source: the config-policy-controller of Open Cluster Management. A variable is a field of the context only where it can be
//! known; asking for it elsewhere is Go's error for a field that does not exist.

use std::rc::Rc;

use serde_json::Value as Json;

use super::engine::go::Value;
use super::engine::go::value::Struct;
use super::hub::holds;
use super::{ObjectVariables, VariablesUsed};

/// Which variables the templates of an entry of `object-templates` name. Words outside of templates count too, as in Open
/// Cluster Management.
pub(super) fn used(entry: &Json) -> VariablesUsed {
    let Some(definition) = entry.get("objectDefinition") else { return VariablesUsed::default() };
    if !holds(definition, ".Object") || !holds(definition, "{{") {
        return VariablesUsed::default();
    }
    let text = definition.to_string();
    VariablesUsed {
        namespace: text.contains(".ObjectNamespace"),
        name: ends_as_word(&text, ".ObjectName"),
        object: ends_as_word(&text, ".Object"),
    }
}

/// Whether the text stands somewhere with a byte behind it that is not part of a word.
fn ends_as_word(text: &str, wanted: &str) -> bool {
    text.match_indices(wanted).any(|(at, _)| {
        let behind = text.as_bytes().get(at + wanted.len());
        behind.is_some_and(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
    })
}

/// The context of an entry that is not resolved for an object, and of `object-templates-raw`.
pub(super) fn no_fields() -> Value {
    context(Vec::new(), "struct {}")
}

/// The context of an entry that is resolved for an object.
pub(super) fn struct_of(variables: &ObjectVariables) -> Value {
    let namespace = ("ObjectNamespace", Value::text(&variables.namespace));
    let name = ("ObjectName", Value::text(&variables.name));
    match (variables.name.is_empty(), variables.namespace.is_empty()) {
        (false, false) => context(
            vec![("Object", live(variables)), namespace, name],
            "struct { Object map[string]interface {}; ObjectNamespace string; ObjectName string }",
        ),
        (false, true) => context(
            vec![("Object", live(variables)), name],
            "struct { Object map[string]interface {}; ObjectName string }",
        ),
        (true, false) => context(vec![namespace], "struct { ObjectNamespace string }"),
        (true, true) => no_fields(),
    }
}

/// The context of upstream's command line tool: names alone, whether they are set or not.
pub(super) fn names_of(variables: &ObjectVariables) -> Value {
    let fields = vec![
        ("ObjectNamespace", Value::text(&variables.namespace)),
        ("ObjectName", Value::text(&variables.name)),
    ];
    context(fields, "templates.TemplateContext")
}

/// The object as it is on the cluster; an empty map where there is none.
fn live(variables: &ObjectVariables) -> Value {
    let Some(object) = &variables.object else { return Value::map([]) };
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.remove("managedFields");
    }
    Value::from_json(&object)
}

fn context(fields: Vec<(&'static str, Value)>, type_name: &str) -> Value {
    Value::Struct(Rc::new(Struct::new(type_name, fields)))
}
