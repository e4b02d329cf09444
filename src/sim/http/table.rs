//! `meta.k8s.io/v1 Table`: what `kubectl get` prints.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::kinds::Kind;
use super::output::{Include, partial};
use super::table_cells;
use crate::api::object::Manifest;

/// A table without rows.
pub(super) fn head(kind: &Kind, resource_version: &str) -> Value {
    let name = json!({"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0});
    let columns = kind.columns.iter().map(|column| {
        json!({"name": column.name, "type": shown_type(&column.type_name), "format": "",
            "description": "", "priority": column.priority})
    });
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": resource_version},
        "columnDefinitions": std::iter::once(name).chain(columns).collect::<Vec<_>>(), "rows": []})
}

/// Dates are shown as the time that has passed.
fn shown_type(type_name: &str) -> &str {
    if type_name == "date" { "string" } else { type_name }
}

/// The row of an object.
pub(super) fn row(kind: &Kind, object: &Manifest, include: Include, now: Timestamp) -> Value {
    let name = json!(object.name());
    let cells = kind.columns.iter().map(|column| table_cells::value(column, object, now));
    let mut row = json!({"cells": std::iter::once(name).chain(cells).collect::<Vec<_>>()});
    match include {
        Include::None => {}
        Include::Metadata => row["object"] = partial(object),
        Include::Object => row["object"] = object.to_value(),
    }
    row
}
