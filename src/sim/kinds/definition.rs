//! `CustomResourceDefinition`s: from a row of the table to a definition, and from a definition to the kinds it offers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{AGE, Cell, CellRow, Column, Kind, Origin, ResourceId, Row, Scope};

/// Group of definitions.
pub const GROUP: &str = "apiextensions.k8s.io";
/// Kind of definitions.
pub const KIND: &str = "CustomResourceDefinition";
/// Finalizer that holds a definition until its objects are gone.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The definition of a kind of the table, with an open schema.
pub fn of_row(row: &Row) -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let columns: Vec<Value> = row
        .columns
        .iter()
        .filter_map(|column| {
            let CellRow::Path(path) = column.cell else { return None };
            let mut value = json!({"name": column.name, "type": column.type_name, "jsonPath": path});
            if column.priority != 0 {
                value["priority"] = json!(column.priority);
            }
            Some(value)
        })
        .collect();
    let mut version = json!({
        "name": row.version, "served": true, "storage": true,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"spec": open, "status": open}}},
    });
    if row.status_subresource {
        version["subresources"] = json!({"status": {}});
    }
    if !columns.is_empty() {
        version["additionalPrinterColumns"] = json!(columns);
    }
    let mut names = json!({"kind": row.kind, "listKind": format!("{}List", row.kind), "plural": row.plural,
        "singular": row.kind.to_lowercase()});
    if !row.short_names.is_empty() {
        names["shortNames"] = json!(row.short_names);
    }
    if !row.categories.is_empty() {
        names["categories"] = json!(row.categories);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": KIND,
        "metadata": {"name": format!("{}.{}", row.plural, row.group)},
        "spec": {
            "group": row.group, "names": names, "versions": [version],
            "scope": match row.scope { Scope::Cluster => "Cluster", Scope::Namespaced => "Namespaced" },
            "conversion": {"strategy": "None"},
        },
    })
}

/// The kinds that a definition offers, one for each served version, the preferred one first.
pub fn kinds(definition: &Value) -> Vec<Kind> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let storage_version = versions.iter().find(|version| version["storage"] == true);
    let storage_version = storage_version.map(|version| text(&version["name"])).unwrap_or_default();
    let (group, kind, plural) = (text(&spec["group"]), text(&names["kind"]), text(&names["plural"]));
    let or = |value: &Value, other: String| value.as_str().map_or(other, ToOwned::to_owned);
    let mut kinds: Vec<Kind> = versions
        .iter()
        .filter(|version| version["served"] == true)
        .map(|version| Kind {
            group: group.clone(),
            version: text(&version["name"]),
            list_kind: or(&names["listKind"], format!("{kind}List")),
            singular: or(&names["singular"], kind.to_lowercase()),
            kind: kind.clone(),
            plural: plural.clone(),
            short_names: texts(&names["shortNames"]),
            categories: texts(&names["categories"]),
            scope: if spec["scope"] == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
            status_subresource: version["subresources"]["status"].is_object(),
            columns: columns(&version["additionalPrinterColumns"]),
            schema: Some(Arc::new(version["schema"]["openAPIV3Schema"].clone())),
            origin: Origin::Custom,
            storage: ResourceId::new(&group, &plural),
            storage_version: storage_version.clone(),
        })
        .collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(super::version_priority(&kind.version)));
    kinds
}

fn columns(columns: &Value) -> Vec<Column> {
    let or = |value: &Value, other: String| value.as_str().map_or(other, ToOwned::to_owned);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match columns.as_array() {
        Some(columns) if !columns.is_empty() => columns
            .iter()
            .map(|column| Column {
                name: text(&column["name"]),
                type_name: text(&column["type"]),
                cell: Cell::Path(text(&column["jsonPath"])),
                description: or(
                    &column["description"],
                    format!(
                        "Custom resource definition column (in JSONPath format): {}",
                        text(&column["jsonPath"])
                    ),
                ),
                priority: column["priority"].as_i64().unwrap_or(0),
            })
            .collect(),
        _ => vec![AGE.to_column()],
    }
}

/// Status of a definition whose names were accepted.
pub fn established(definition: &Value, time: &str) -> Value {
    let condition = |type_name, reason, message| {
        json!({"type": type_name, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": time})
    };
    let versions = definition["spec"]["versions"].as_array();
    let stored: Vec<&Value> = versions
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| &version["name"])
        .collect();
    json!({
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::super::{HUB, MANAGED};
    use super::*;

    #[test]
    fn a_row_survives_the_way_through_a_definition() {
        for row in HUB.iter().chain(MANAGED) {
            let kinds = kinds(&of_row(row));
            let [kind] = kinds.as_slice() else { panic!("{} has {} versions", row.kind, kinds.len()) };
            let expected = row.to_kind();
            assert_eq!(kind.gvk(), expected.gvk());
            assert_eq!((kind.scope, kind.status_subresource), (expected.scope, expected.status_subresource));
            let shown = |kind: &Kind| {
                let columns = kind.columns.iter();
                columns
                    .map(|column| (column.name.clone(), column.cell.clone(), column.priority))
                    .collect::<Vec<_>>()
            };
            assert_eq!(shown(kind), shown(&expected));
            assert_eq!(kind.short_names, expected.short_names);
        }
    }
}
