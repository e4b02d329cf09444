//! Label and field selectors of lists and watches.

use serde_json::Value;

use super::super::kinds::Kind;
use super::super::status::ApiError;
use super::request::{Query, Target};
use crate::api::object::Manifest;
use crate::api::selector::{self, Requirement};

/// Fields beyond name and namespace by which built-in kinds can be selected.
const FIELDS: &[(&str, &str, &[&str])] = &[
    (
        "",
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    (
        "events.k8s.io",
        "Event",
        &["regarding.kind", "regarding.name", "regarding.namespace", "reason", "type"],
    ),
    (
        "",
        "Pod",
        &["spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"],
    ),
    ("", "Namespace", &["status.phase"]),
    ("", "Secret", &["type"]),
    ("", "Node", &["spec.unschedulable"]),
    ("", "ReplicationController", &["status.replicas"]),
    ("batch", "Job", &["status.successful"]),
];

#[derive(Debug, Clone)]
struct FieldRequirement {
    path: String,
    equal: bool,
    value: String,
}

/// What a list or watch keeps.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

impl Filter {
    /// From the query; a name in the path is a field selector too.
    pub(super) fn parse(query: &Query, target: &Target) -> Result<Self, ApiError> {
        let labels = selector::parse_text(query.text("labelSelector").unwrap_or_default())
            .map_err(|error| ApiError::BadRequest(format!("unable to parse requirement: {error}")))?;
        let mut fields = parse_fields(query.text("fieldSelector").unwrap_or_default(), &target.kind)?;
        if let Some(name) = &target.name {
            fields.push(FieldRequirement {
                path: "metadata.name".to_owned(),
                equal: true,
                value: name.clone(),
            });
        }
        Ok(Self { labels, fields })
    }

    /// Whether everything is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object is kept.
    pub(super) fn keeps(&self, object: &Manifest) -> bool {
        let labels = || {
            let labels = object.labels();
            self.labels.iter().all(|requirement| requirement.matches(&labels))
        };
        self.fields.iter().all(|field| (field_text(object, &field.path) == field.value) == field.equal)
            && (self.labels.is_empty() || labels())
    }
}

fn field_text(object: &Manifest, path: &str) -> String {
    let path: Vec<&str> = path.split('.').collect();
    match object.at(&path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        // `source` of an event selects by its component.
        Some(Value::Object(map)) => {
            map.get("component").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        Some(other) => other.to_string(),
    }
}

fn parse_fields(text: &str, kind: &Kind) -> Result<Vec<FieldRequirement>, ApiError> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (path, true, value)
            } else {
                return Err(ApiError::BadRequest(format!("invalid field selector: {text:?}")));
            };
            let known = matches!(path, "metadata.name" | "metadata.namespace")
                || FIELDS.iter().any(|(group, name, paths)| kind.is(group, name) && paths.contains(&path));
            if !known {
                return Err(ApiError::BadRequest(format!(
                    "Unable to find {:?} that match label selector \"\", field selector {text:?}: field label not supported: {path}",
                    kind.gvk().to_string()
                )));
            }
            // Events are stored in the shape of the core group.
            let path = path.replacen("regarding.", "involvedObject.", 1);
            Ok(FieldRequirement { path, equal, value: value.to_owned() })
        })
        .collect()
}
