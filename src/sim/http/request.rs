//! A request taken apart: query, path, body.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, Method, Uri};

use super::super::kinds::{Kind, Kinds, Origin, Scope};
use super::super::server::Server;
use super::super::status::{ApiError, Subject};
use super::super::store::{FieldValidation, Part, Place, WriteOptions};

/// One request.
pub(super) struct Call {
    pub(super) server: Arc<Server>,
    pub(super) method: Method,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Query parameters.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(uri: &Uri) -> Self {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        Self(pairs.map(|pairs| pairs.0).unwrap_or_default())
    }

    /// A parameter that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(key, value)| key == name && !value.is_empty())?;
        Some(&pair.1)
    }

    /// A boolean parameter.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), Some("true" | "1" | "True"))
    }

    /// A number, if it is one.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

/// The endpoint under a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The resource itself.
    Main,
    /// `/status`.
    Status,
    /// `/finalize` of a namespace.
    Finalize,
}

/// What a path points to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) kind: Arc<Kind>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) endpoint: Endpoint,
}

impl Target {
    /// From the path segments after group and version.
    pub(super) fn parse(kinds: &Kinds, group: &str, version: &str, rest: &[&str]) -> Result<Self, ApiError> {
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, endpoint) = match rest {
            [plural] => (plural, None, Endpoint::Main),
            [plural, name] => (plural, Some((*name).to_owned()), Endpoint::Main),
            [plural, name, other] if is_custom(kinds, group, version, plural, other) => {
                let kind = kinds.at_path(group, version, plural).ok_or(ApiError::UnknownPath)?;
                return Err(ApiError::NotFound(Subject::new(kind, name)));
            }
            [plural, name, "status"] => (plural, Some((*name).to_owned()), Endpoint::Status),
            [plural @ "namespaces", name, "finalize"] => {
                (plural, Some((*name).to_owned()), Endpoint::Finalize)
            }
            ["pods", _, "log" | "exec" | "attach" | "portforward", ..] => {
                return Err(ApiError::NotImplemented("the processes of pods"));
            }
            _ => return Err(ApiError::UnknownPath),
        };
        let kind = Arc::clone(kinds.at_path(group, version, plural).ok_or(ApiError::UnknownPath)?);
        let scoped = match kind.scope {
            Scope::Cluster => namespace.is_none(),
            Scope::Namespaced => namespace.is_some() || name.is_none(),
        };
        if !scoped || (endpoint == Endpoint::Status && !kind.status_subresource) {
            return Err(ApiError::UnknownPath);
        }
        Ok(Self { kind, namespace, name, endpoint })
    }

    /// Where the object lies.
    pub(super) fn place(&self) -> Place {
        Place::new(self.namespace.as_deref().unwrap_or_default(), self.name.as_deref().unwrap_or_default())
    }

    /// The object in texts.
    pub(super) fn subject(&self) -> Subject {
        Subject::new(&self.kind, self.name.as_deref().unwrap_or_default())
    }
}

/// Whether a path leads below an object of a custom kind to a subresource that it does not have.
fn is_custom(kinds: &Kinds, group: &str, version: &str, plural: &str, subresource: &str) -> bool {
    kinds.at_path(group, version, plural).is_some_and(|kind| {
        kind.origin == Origin::Custom && (subresource != "status" || !kind.status_subresource)
    })
}

impl Call {
    /// The media type of the body without parameters.
    pub(super) fn media_type(&self) -> &str {
        super::header(&self.headers, &CONTENT_TYPE).split(';').next().unwrap_or_default().trim()
    }

    /// How the request wants its write done.
    pub(super) fn write_options(&self, endpoint: Endpoint) -> WriteOptions {
        WriteOptions {
            dry_run: self.query.text("dryRun") == Some("All"),
            manager: Some(self.manager()),
            part: match endpoint {
                Endpoint::Main => Part::Main,
                Endpoint::Status => Part::Status,
                Endpoint::Finalize => Part::Whole,
            },
            validation: match self.query.text("fieldValidation") {
                Some("Strict") => FieldValidation::Strict,
                Some("Ignore") => FieldValidation::Ignore,
                _ => FieldValidation::Warn,
            },
            ..WriteOptions::whole()
        }
    }

    /// The field manager: named, or else the first word of the user agent.
    fn manager(&self) -> String {
        let agent = super::header(&self.headers, &USER_AGENT).split('/').next().unwrap_or_default();
        let agent = if agent.is_empty() { "unknown" } else { agent };
        self.query.text("fieldManager").unwrap_or(agent).to_owned()
    }
}

/// Decodes `%3A` and the like in a path segment.
pub(super) fn percent_decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let hex = segment.get(index + 1..index + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(value) = hex.filter(|_| *byte == b'%') {
            decoded.push(value);
            index += 3;
        } else {
            decoded.push(*byte);
            index += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_point_to_resources() {
        let kinds = Kinds::built_in();
        let parse = |group: &str, path: &str| {
            let rest: Vec<&str> = path.split('/').collect();
            Target::parse(&kinds, group, "v1", &rest)
                .ok()
                .map(|target| (target.kind.kind.clone(), target.namespace, target.name, target.endpoint))
        };
        let some = |text: &str| Some(text.to_owned());
        let kind = |text: &str| text.to_owned();
        for (group, path, expected) in [
            ("", "namespaces", Some((kind("Namespace"), None, None, Endpoint::Main))),
            ("", "namespaces/a", Some((kind("Namespace"), None, some("a"), Endpoint::Main))),
            ("", "namespaces/a/status", Some((kind("Namespace"), None, some("a"), Endpoint::Status))),
            ("", "namespaces/a/pods", Some((kind("Pod"), some("a"), None, Endpoint::Main))),
            ("", "namespaces/a/pods/b/status", Some((kind("Pod"), some("a"), some("b"), Endpoint::Status))),
            ("", "pods", Some((kind("Pod"), None, None, Endpoint::Main))),
            ("", "pods/b", None),
            ("", "namespaces/a/nodes/b", None),
            ("", "namespaces/a/configmaps/b/status", None),
            (
                "apps",
                "namespaces/a/deployments/b",
                Some((kind("Deployment"), some("a"), some("b"), Endpoint::Main)),
            ),
            ("apps", "namespaces/a/none", None),
        ] {
            assert_eq!(parse(group, path), expected, "{group} {path}");
        }
    }

    #[test]
    fn segments_are_decoded() {
        assert_eq!(percent_decode("system%3Anode"), "system:node");
        assert_eq!(percent_decode("100%"), "100%");
    }
}
