//! Who owns which fields after a write that is no server-side apply.

use serde_json::Value;

use super::super::kinds::Kind;
use super::super::store::Part;
use super::fields::{Manager, compare};
use super::shape::Shape;

/// Records in `metadata.managedFields` that a manager created or changed the object.
pub(in crate::sim) fn record_update(
    kind: &Kind,
    before: Option<&Value>,
    object: &mut Value,
    name: &str,
    part: Part,
    time: &str,
) {
    let shape = Shape::of(kind);
    let subresource = if part == Part::Status { "status" } else { "" };
    let comparison = compare(before, object, shape);

    // A write may change the record itself; one that leaves it out keeps it.
    let given = object["metadata"]["managedFields"].as_array().is_some_and(|list| !list.is_empty());
    let mut managers = match before {
        Some(before) if !given => Manager::all(before),
        Some(_) | None => Manager::all(object),
    };
    for manager in &mut managers {
        let own = manager.is(name, "Update", subresource);
        manager.fields = manager.fields.without(&comparison.removed);
        if !own {
            manager.fields = manager.fields.without(&comparison.changed);
        }
    }
    if !comparison.changed.is_empty() {
        let own = managers.iter_mut().find(|manager| manager.is(name, "Update", subresource));
        match own {
            Some(manager) => {
                manager.fields.add(&comparison.changed);
                time.clone_into(&mut manager.time);
            }
            None => managers.push(Manager {
                name: name.to_owned(),
                operation: "Update".to_owned(),
                api_version: kind.api_version(),
                subresource: subresource.to_owned(),
                time: time.to_owned(),
                fields: comparison.changed,
            }),
        }
    }
    Manager::store(managers, object);
}

/// Whether two states of an object differ in nothing but the times of the record.
pub(in crate::sim) fn same_but_times(a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    let fields = |object: &Value, wanted: &str| object.get(wanted).cloned();
    let (Some(left), Some(right)) = (a.as_object(), b.as_object()) else { return false };
    if left.keys().chain(right.keys()).any(|field| field != "metadata" && left.get(field) != right.get(field))
    {
        return false;
    }
    timeless(fields(a, "metadata")) == timeless(fields(b, "metadata"))
}

fn timeless(metadata: Option<Value>) -> Option<Value> {
    let mut metadata = metadata?;
    for entry in metadata.get_mut("managedFields").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("time");
        }
    }
    Some(metadata)
}
