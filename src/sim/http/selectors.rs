//! Label and field selectors of lists and watches.

use serde_json::Value;

use super::super::kinds::{Kind, Origin};
use super::super::status::ApiError;
use super::super::store::key_problems;
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
        let labels = parse_labels(query.text("labelSelector").unwrap_or_default())?;
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

fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    let fault = |problem: &str| ApiError::BadRequest(problem.to_owned());
    let requirements = selector::parse_text(text).map_err(|error| {
        if text.trim_end().ends_with(" in") || text.trim_end().ends_with(" notin") {
            return fault("unable to parse requirement: found '' expected: '('");
        }
        fault(&format!("unable to parse requirement: {error}"))
    })?;
    for requirement in &requirements {
        if let Some(problem) = key_problems(&requirement.key).first() {
            let key = &requirement.key;
            return Err(fault(&format!(
                "unable to parse requirement: <nil>: Invalid value: {key:?}: {problem}"
            )));
        }
        for value in &requirement.values {
            if let Some(second) = value.split_whitespace().nth(1) {
                return Err(fault(&format!("found '{second}', expected: ',' or 'end of string'")));
            }
        }
    }
    Ok(requirements)
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
                return Err(ApiError::BadRequest(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                )));
            };
            let known = matches!(path, "metadata.name" | "metadata.namespace")
                || FIELDS.iter().any(|(group, name, paths)| kind.is(group, name) && paths.contains(&path));
            if !known {
                let listed = FIELDS.iter().any(|(group, name, _)| kind.is(group, name));
                return Err(ApiError::BadRequest(if listed || kind.origin == Origin::Custom {
                    format!("field label not supported: {path}")
                } else {
                    format!("{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
                }));
            }
            // Events are stored in the shape of the core group.
            let path = path.replacen("regarding.", "involvedObject.", 1);
            Ok(FieldRequirement { path, equal, value: value.to_owned() })
        })
        .collect()
}
