//! `meta.k8s.io/v1 Table`: what `kubectl get` prints.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::kinds::{Kind, Origin};
use super::output::{Include, partial};
use super::table_cells;
use crate::api::object::Manifest;

/// What a table says about the name.
const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

/// A table without rows.
pub(super) fn head(kind: &Kind, resource_version: &str) -> Value {
    let name =
        json!({"name": "Name", "type": "string", "format": "name", "description": NAME, "priority": 0});
    let columns = kind.columns.iter().map(|column| {
        json!({"name": column.name, "type": shown_type(kind, &column.type_name), "format": "",
            "description": column.description, "priority": column.priority})
    });
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": resource_version},
        "columnDefinitions": std::iter::once(name).chain(columns).collect::<Vec<_>>(), "rows": []})
}

/// Dates are shown as the time that has passed; those of custom kinds are called dates all the same.
fn shown_type<'a>(kind: &Kind, type_name: &'a str) -> &'a str {
    if type_name == "date" && kind.origin == Origin::BuiltIn { "string" } else { type_name }
}

/// A table of a watch that has told its columns already.
pub(super) fn without_columns(mut table: Value) -> Value {
    table["columnDefinitions"] = Value::Null;
    table
}

/// The cells of an object of which only the version is known.
pub(super) fn empty_cells(kind: &Kind) -> Value {
    std::iter::once(json!("")).chain(kind.columns.iter().map(|_| Value::Null)).collect()
}

/// The row of an object.
pub(super) fn row(kind: &Kind, object: &Manifest, include: Include, now: Timestamp) -> Value {
    let name = json!(object.name());
    let cells = kind.columns.iter().map(|column| table_cells::value(column, object, now));
    let mut row = json!({"cells": std::iter::once(name).chain(cells).collect::<Vec<_>>()});
    match include {
        Include::None => row["object"] = Value::Null,
        Include::Metadata => row["object"] = partial(object),
        Include::Object => row["object"] = object.to_value(),
    }
    row
}
