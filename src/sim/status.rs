//! What goes wrong in a stand-in server, and how the Kubernetes API says it (`metav1.Status`).

use serde_json::{Value, json};
use thiserror::Error;

use super::kinds::Kind;

/// The object or collection that a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// API group, empty for core.
    pub group: Box<str>,
    /// Plural of the resource.
    pub plural: Box<str>,
    /// Kind of the resource.
    pub kind: Box<str>,
    /// Name of the object, empty when unknown.
    pub name: Box<str>,
}

impl Subject {
    /// An object of a kind.
    pub fn new(kind: &Kind, name: &str) -> Self {
        Self::of(&kind.group, &kind.plural, &kind.kind, name)
    }

    /// From its parts.
    pub fn of(group: &str, plural: &str, kind: &str, name: &str) -> Self {
        Self { group: group.into(), plural: plural.into(), kind: kind.into(), name: name.into() }
    }

    fn resource(&self) -> String {
        qualified(&self.plural, &self.group)
    }

    fn kind(&self) -> String {
        qualified(&self.kind, &self.group)
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// One field at fault (`field.Error`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Path of the field, `spec.schedule`.
    pub field: String,
    /// `FieldValueRequired`, `FieldValueInvalid`…
    pub reason: &'static str,
    /// `Required value`, `Invalid value: "x": must be…`
    pub message: String,
}

impl Cause {
    /// A field that must be set.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self { field: field.into(), reason: "FieldValueRequired", message: join("Required value", detail) }
    }

    /// A field whose value breaks a rule.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let message = join(&format!("Invalid value: {value}"), detail);
        Self { field: field.into(), reason: "FieldValueInvalid", message }
    }

    /// A field whose value has another type than the schema's.
    pub fn wrong_type(field: impl Into<String>, value: &str, detail: &str) -> Self {
        let message = join(&format!("Invalid value: {value:?}"), detail);
        Self { field: field.into(), reason: "FieldValueTypeInvalid", message }
    }

    /// A value that is not one of those allowed.
    pub fn unsupported(field: impl Into<String>, value: &Value, allowed: &[String]) -> Self {
        let allowed: Vec<String> = allowed.iter().map(|value| format!("{value:?}")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", allowed.join(", "));
        Self { field: field.into(), reason: "FieldValueNotSupported", message }
    }

    /// A text that is too long.
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        let message = format!("Too long: may not be more than {limit} bytes");
        Self { field: field.into(), reason: "FieldValueTooLong", message }
    }

    /// A field that must not be set or changed.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { field: field.into(), reason: "FieldValueForbidden", message: join("Forbidden", detail) }
    }
}

fn join(head: &str, detail: &str) -> String {
    if detail.is_empty() { head.to_owned() } else { format!("{head}: {detail}") }
}

/// A refusal of a stand-in server. The texts are those of the Kubernetes API server, which clients match on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApiError {
    /// The object is not there.
    #[error("{} {:?} not found", .0.resource(), .0.name)]
    NotFound(Subject),
    /// No such path or resource, where a built-in group answers.
    #[error("the server could not find the requested resource")]
    UnknownPath,
    /// No such path at all: a text, no `Status`.
    #[error("404 page not found")]
    NoPage,
    /// An object of that name is there already.
    #[error("{} {:?} already exists", .0.resource(), .0.name)]
    AlreadyExists(Subject),
    /// An object of that name is there and waits for its finalizers.
    #[error("object is being deleted: {} {:?} already exists", .0.resource(), .0.name)]
    BeingDeleted(Subject),
    /// A precondition does not hold.
    #[error("Operation cannot be fulfilled on {} {:?}: {problem}", subject.resource(), subject.name)]
    Conflict {
        /// What was to be written.
        subject: Subject,
        /// Which precondition failed.
        problem: String,
    },
    /// Fields of a server-side apply belong to other managers.
    #[error("{message}")]
    ApplyConflict {
        /// The whole text.
        message: String,
        /// Manager (as printed) and field of each conflict.
        conflicts: Vec<(String, String)>,
    },
    /// The object breaks rules of its kind.
    #[error("{} {:?} is invalid: {}", subject.kind(), subject.name, causes_text(causes))]
    Invalid {
        /// The object.
        subject: Subject,
        /// Every fault found.
        causes: Vec<Cause>,
    },
    /// The request itself cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// A patch that cannot be carried out.
    #[error("the server rejected our request due to an error in our request")]
    Unprocessable,
    /// No or another bearer token.
    #[error("Unauthorized")]
    Unauthorized,
    /// Not allowed in this state.
    #[error("{} {:?} is forbidden: {problem}", subject.resource(), subject.name)]
    Forbidden {
        /// What was to be written.
        subject: Subject,
        /// Why not.
        problem: String,
        /// The namespace, when it is being terminated.
        terminating: Option<String>,
    },
    /// The resource version or continue token has left the window of history.
    #[error("{0}")]
    Expired(String),
    /// The verb does not exist here.
    #[error("the server does not allow this method on the requested resource")]
    MethodNotAllowed,
    /// The verb does not exist for a custom kind or one of its subresources.
    #[error("{verb} is not supported on resources of kind {:?}", subject.resource())]
    VerbNotSupported {
        /// The verb.
        verb: &'static str,
        /// The collection.
        subject: Subject,
    },
    /// The patch is in a format that a built-in kind does not read.
    #[error("415: Unsupported Media Type")]
    UnsupportedPatch,
    /// None of the forms that the client accepts is there.
    #[error("{0}")]
    NotAcceptable(&'static str),
    /// A resource version that the server has not reached yet.
    #[error("Timeout: Too large resource version: {asked}, current: {current}")]
    TooLargeVersion {
        /// The version asked for.
        asked: u64,
        /// The latest one.
        current: u64,
    },
    /// A refusal of an object in which something is to be warned of as well.
    #[error("{error}")]
    Warned {
        /// The refusal.
        error: Box<Self>,
        /// For the `Warning` header.
        warnings: Vec<String>,
    },
    /// The body is in a format that this resource does not read.
    #[error(
        "the body of the request was in an unknown format - accepted media types include: {}", .0.join(", ")
    )]
    UnsupportedMediaType(Vec<&'static str>),
    /// A part of the API that the stand-in does not have.
    #[error("the stand-in does not offer {0}")]
    NotImplemented(&'static str),
    /// The server refuses for now.
    #[error("the server is currently unable to handle the request")]
    Unavailable,
    /// The server asks to come again.
    #[error("storage is (re)initializing")]
    Busy,
    /// Something that the real server answers with 500.
    #[error("{0}")]
    Internal(String),
}

/// The text names a fault once, the list of causes as often as it was found.
fn causes_text(causes: &[Cause]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes {
        let text = format!("{}: {}", cause.field, cause.message);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.len() == 1 { texts.concat() } else { format!("[{}]", texts.join(", ")) }
}

impl ApiError {
    /// The conflict of a stale resource version.
    pub fn stale(subject: Subject) -> Self {
        Self::Conflict {
            subject,
            problem:
                "the object has been modified; please apply your changes to the latest version and try again"
                    .to_owned(),
        }
    }

    /// HTTP status code.
    pub fn code(&self) -> u16 {
        match self {
            Self::NotFound(_) | Self::UnknownPath | Self::NoPage => 404,
            Self::AlreadyExists(_)
            | Self::BeingDeleted(_)
            | Self::Conflict { .. }
            | Self::ApplyConflict { .. } => 409,
            Self::Invalid { .. } | Self::Unprocessable => 422,
            Self::BadRequest(_) => 400,
            Self::Unauthorized => 401,
            Self::Forbidden { .. } => 403,
            Self::Expired(_) => 410,
            Self::MethodNotAllowed | Self::VerbNotSupported { .. } => 405,
            Self::NotAcceptable(_) => 406,
            Self::UnsupportedMediaType(_) | Self::UnsupportedPatch => 415,
            Self::TooLargeVersion { .. } => 504,
            Self::Warned { error, .. } => error.code(),
            Self::NotImplemented(_) => 501,
            Self::Unavailable => 503,
            Self::Busy => 429,
            Self::Internal(_) => 500,
        }
    }

    /// `Status.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) | Self::UnknownPath | Self::NoPage => "NotFound",
            Self::AlreadyExists(_) | Self::BeingDeleted(_) => "AlreadyExists",
            Self::Conflict { .. } | Self::ApplyConflict { .. } => "Conflict",
            Self::Invalid { .. } | Self::Unprocessable => "Invalid",
            Self::BadRequest(_) => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::Expired(_) => "Expired",
            Self::MethodNotAllowed | Self::VerbNotSupported { .. } => "MethodNotAllowed",
            Self::NotAcceptable(_) => "NotAcceptable",
            Self::UnsupportedMediaType(_) | Self::UnsupportedPatch => "UnsupportedMediaType",
            Self::TooLargeVersion { .. } => "Timeout",
            Self::Warned { error, .. } => error.reason(),
            Self::Unavailable => "ServiceUnavailable",
            Self::Busy => "TooManyRequests",
            Self::NotImplemented(_) | Self::Internal(_) => "",
        }
    }

    /// The whole `metav1.Status`.
    pub fn to_status(&self) -> Value {
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.to_string(), "code": self.code()});
        if !self.reason().is_empty() {
            status["reason"] = json!(self.reason());
        }
        let details = self.details();
        if !details.is_null() {
            status["details"] = details;
        }
        status
    }

    fn details(&self) -> Value {
        let of = |subject: &Subject, kind: &str| {
            let parts = [("name", &*subject.name), ("kind", kind), ("group", &*subject.group)];
            let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
            parts.map(|(field, text)| (field.to_owned(), json!(text))).collect::<Value>()
        };
        match self {
            Self::NotFound(subject)
            | Self::AlreadyExists(subject)
            | Self::BeingDeleted(subject)
            | Self::VerbNotSupported { subject, .. }
            | Self::Conflict { subject, .. }
            | Self::Forbidden { subject, terminating: None, .. } => of(subject, &subject.plural),
            Self::Forbidden { subject, terminating: Some(namespace), .. } => {
                let mut details = of(subject, &subject.plural);
                details["causes"] = json!([{"reason": "NamespaceTerminating", "field": "metadata.namespace",
                    "message": format!("namespace {namespace} is being terminated")}]);
                details
            }
            Self::Invalid { subject, causes } => {
                let mut details = of(subject, &subject.kind);
                details["causes"] = causes
                    .iter()
                    .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
                    .collect();
                details
            }
            Self::ApplyConflict { conflicts, .. } => {
                let causes = conflicts.iter().map(|(manager, field)| {
                    json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"),
                        "field": field})
                });
                json!({"causes": causes.collect::<Vec<_>>()})
            }
            Self::Unavailable | Self::Busy => json!({"retryAfterSeconds": 1}),
            Self::TooLargeVersion { .. } => json!({"retryAfterSeconds": 1, "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}),
            Self::Warned { error, .. } => error.details(),
            Self::UnknownPath | Self::Unprocessable | Self::MethodNotAllowed | Self::UnsupportedPatch => {
                json!({})
            }
            Self::NotAcceptable(text) if text.starts_with("406") => json!({}),
            Self::NoPage
            | Self::BadRequest(_)
            | Self::Unauthorized
            | Self::Expired(_)
            | Self::NotAcceptable(_)
            | Self::UnsupportedMediaType(_)
            | Self::NotImplemented(_)
            | Self::Internal(_) => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject::of("velero.io", "schedules", "Schedule", "x")
    }

    #[test]
    fn texts_are_those_of_the_api_server() {
        let invalid = |causes| ApiError::Invalid { subject: subject(), causes };
        for (error, text) in [
            (ApiError::NotFound(subject()), r#"schedules.velero.io "x" not found"#),
            (ApiError::AlreadyExists(subject()), r#"schedules.velero.io "x" already exists"#),
            (
                invalid(vec![Cause::required("spec.schedule", "")]),
                r#"Schedule.velero.io "x" is invalid: spec.schedule: Required value"#,
            ),
            (
                invalid(vec![
                    Cause::invalid("spec.a", &json!(-1), "must be positive"),
                    Cause::unsupported("spec.b", &json!("z"), &["x".to_owned(), "y".to_owned()]),
                ]),
                r#"Schedule.velero.io "x" is invalid: [spec.a: Invalid value: -1: must be positive, spec.b: Unsupported value: "z": supported values: "x", "y"]"#,
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_status_says_what_it_is_about() {
        let status = ApiError::NotFound(subject()).to_status();
        assert_eq!(status["code"], 404);
        assert_eq!(status["details"], json!({"name": "x", "group": "velero.io", "kind": "schedules"}));
    }
}
