//! The form in which objects are answered: whole, their metadata alone, or as a table for people.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use serde_json::{Map, Value, json};

use super::super::kinds::{Kind, Origin};
use super::super::status::ApiError;
use super::table;
use crate::api::object::Manifest;
use jiff::Timestamp;

/// What the `Accept` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The objects.
    Whole,
    /// `meta.k8s.io/v1 Table`, with how much of each object.
    Table(Include),
    /// `meta.k8s.io/v1 PartialObjectMetadata`.
    Metadata,
}

/// What a client hears that accepts JSON in an unknown form alone, and one that accepts no JSON.
const OTHER_FORM: &str = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
const OTHER_TYPE: &str = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/// `includeObject` of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    /// Nothing.
    None,
    /// The metadata.
    Metadata,
    /// The whole object.
    Object,
}

/// What a list is about beside its items.
pub(super) struct ListFacts {
    pub(super) resource_version: String,
    pub(super) continue_token: String,
    pub(super) remaining: Option<usize>,
}

impl Form {
    /// The first form that the client names and the server has.
    pub(super) fn negotiate(headers: &HeaderMap, include: Option<&str>) -> Result<Self, ApiError> {
        let mut other_form = false;
        let accept = super::header(headers, &ACCEPT);
        if accept.trim().is_empty() {
            return Ok(Self::Whole);
        }
        for choice in accept.split(',') {
            let mut parts = choice.split(';').map(str::trim);
            if !matches!(
                parts.next(),
                Some("application/json" | "application/yaml" | "*/*" | "application/*")
            ) {
                continue;
            }
            let parameters: Vec<&str> = parts.collect();
            let named = |name: &str| {
                parameters
                    .iter()
                    .find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
                    .unwrap_or_default()
            };
            match (named("as"), named("v")) {
                ("", _) => return Ok(Self::Whole),
                ("Table", "v1") => {
                    return Ok(Self::Table(match include {
                        Some("None") => Include::None,
                        Some("Object") => Include::Object,
                        _ => Include::Metadata,
                    }));
                }
                ("PartialObjectMetadata" | "PartialObjectMetadataList", "v1") => return Ok(Self::Metadata),
                _ => other_form = true,
            }
        }
        Err(ApiError::NotAcceptable(if other_form { OTHER_FORM } else { OTHER_TYPE }))
    }

    /// One object.
    pub(super) fn object(self, kind: &Kind, object: &Manifest, now: Timestamp) -> Value {
        match self {
            Self::Whole => object.to_value(),
            Self::Metadata => partial(object),
            Self::Table(include) => {
                let version = object.resource_version().unwrap_or_default();
                let mut table = table::head(kind, version);
                table["rows"] = json!([table::row(kind, object, include, now)]);
                table
            }
        }
    }

    /// A list of objects.
    pub(super) fn list(
        self,
        kind: &Kind,
        items: &[Arc<Manifest>],
        facts: &ListFacts,
        now: Timestamp,
    ) -> Value {
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), json!(facts.resource_version));
        if !facts.continue_token.is_empty() {
            metadata.insert("continue".to_owned(), json!(facts.continue_token));
        }
        if let Some(remaining) = facts.remaining {
            metadata.insert("remainingItemCount".to_owned(), json!(remaining));
        }
        match self {
            Self::Whole => {
                if kind.origin == Origin::Custom {
                    // Lists of custom kinds are untyped in the server: there is no `omitempty`.
                    metadata.entry("continue").or_insert_with(|| json!(""));
                }
                let items: Vec<Value> = items.iter().map(|item| item_of_list(kind, item)).collect();
                json!({"apiVersion": kind.api_version(), "kind": kind.list_kind, "metadata": metadata,
                    "items": items})
            }
            Self::Metadata => {
                let items: Vec<Value> = items.iter().map(|item| partial(item)).collect();
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
                    "metadata": metadata, "items": items})
            }
            Self::Table(include) => {
                let mut table = table::head(kind, &facts.resource_version);
                table["metadata"] = Value::Object(metadata);
                table["rows"] = items.iter().map(|item| table::row(kind, item, include, now)).collect();
                table
            }
        }
    }
}

/// Items of lists of built-in kinds carry no type, those of custom kinds do.
fn item_of_list(kind: &Kind, item: &Manifest) -> Value {
    let mut fields = item.fields().clone();
    if kind.origin == Origin::BuiltIn {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    Value::Object(fields)
}

/// The metadata of an object.
pub(super) fn partial(object: &Manifest) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": object.at(&["metadata"])})
}
