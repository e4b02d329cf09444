//! Parameters of requests that the API server checks before anything else.

use serde_json::{Value, json};

use super::super::status::{ApiError, Cause, Subject};
use super::request::{Call, Query};

/// Longest name of a field manager, bytes.
const LONGEST_MANAGER: usize = 128;

/// Which options a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Options {
    /// `POST`.
    Create,
    /// `PUT`.
    Update,
    /// `PATCH`, with server-side apply or without.
    Patch {
        /// Whether it is server-side apply.
        apply: bool,
    },
    /// `DELETE`.
    Delete,
}

fn refused(kind: &str, causes: Vec<Cause>) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::Invalid { subject: Subject::of("meta.k8s.io", "", kind, ""), causes })
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

impl Options {
    fn kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch { .. } => "PatchOptions",
            Self::Delete => "DeleteOptions",
        }
    }

    /// Refuses values that the API server does not know.
    pub(super) fn check(self, call: &Call) -> Result<(), ApiError> {
        let query = &call.query;
        let mut causes = Vec::new();
        if let Self::Patch { apply } = self {
            if apply && query.text("fieldManager").is_none() {
                causes.push(Cause::required("fieldManager", "is required for apply patch"));
            }
            if !apply && query.flag("force") {
                causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
            }
        }
        if query.text("fieldManager").is_some_and(|manager| manager.len() > LONGEST_MANAGER) {
            causes.push(Cause::too_long("fieldManager", LONGEST_MANAGER));
        }
        if let Some(other) = query.text("dryRun").filter(|value| *value != "All") {
            causes.push(Cause::unsupported("dryRun", &json!([other]), &texts(&["All"])));
        }
        let known = ["", "Ignore", "Strict", "Warn"];
        if let Some(other) = query.text("fieldValidation").filter(|value| !known.contains(value)) {
            causes.push(Cause::unsupported("fieldValidation", &json!(other), &texts(&known)));
        }
        refused(self.kind(), causes)
    }

    /// Refuses contradictions in the body of a deletion.
    pub(super) fn check_deletion(body: &Value, propagation: &str) -> Result<(), ApiError> {
        let mut causes = Vec::new();
        if !propagation.is_empty() && body["orphanDependents"].is_boolean() {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            causes.push(Cause::invalid("propagationPolicy", &json!(propagation), detail));
        }
        if !matches!(propagation, "" | "Foreground" | "Background" | "Orphan") {
            let known = texts(&["Foreground", "Background", "Orphan", "nil"]);
            causes.push(Cause::unsupported("propagationPolicy", &json!(propagation), &known));
        }
        refused(Self::Delete.kind(), causes)
    }
}

/// Which version a list or watch asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The latest, or any that is not older than one.
    Latest {
        /// The oldest that will do.
        at_least: u64,
    },
    /// This one.
    Exactly(u64),
}

/// Checks the versions of a list.
pub(super) fn of_list(query: &Query) -> Result<Wanted, ApiError> {
    let (version, matching) = (query.text("resourceVersion"), query.text("resourceVersionMatch"));
    let mut causes = Vec::new();
    let forbidden = |detail: &str| Cause::forbidden("resourceVersionMatch", detail);
    if matching.is_some() && version.is_none() {
        causes.push(forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
    }
    match matching {
        Some("Exact") if version == Some("0") => {
            causes.push(forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
        }
        None | Some("Exact" | "NotOlderThan") => {}
        Some(other) => {
            let known = texts(&["Exact", "NotOlderThan", ""]);
            causes.push(Cause::unsupported("resourceVersionMatch", &json!(other), &known));
        }
    }
    if query.text("sendInitialEvents").is_some() {
        causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    refused("ListOptions", causes)?;
    if query.text("continue").is_some() && version.is_some_and(|version| version != "0") {
        let problem = "specifying resource version is not allowed when using continue";
        return Err(ApiError::BadRequest(problem.to_owned()));
    }
    let number = version
        .map_or(Ok(0), number)
        .map_err(|problem| ApiError::BadRequest(format!("invalid resource version: {problem}")))?;
    Ok(if matching == Some("Exact") { Wanted::Exactly(number) } else { Wanted::Latest { at_least: number } })
}

/// Checks the versions of a watch. Gives where it begins; 0 with everything that is there.
pub(super) fn of_watch(query: &Query) -> Result<u64, ApiError> {
    let matching = query.text("resourceVersionMatch");
    let mut causes = Vec::new();
    let forbidden = |detail: &str| Cause::forbidden("resourceVersionMatch", detail);
    match (query.text("sendInitialEvents"), matching) {
        (None, Some(_)) => causes.push(forbidden(
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        )),
        (Some(_), matching) if matching != Some("NotOlderThan") => {
            causes.push(forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
            if let Some(other) = matching {
                let known = texts(&["NotOlderThan"]);
                causes.push(Cause::unsupported("resourceVersionMatch", &json!(other), &known));
            }
        }
        _ => {}
    }
    refused("ListOptions", causes)?;
    query.text("resourceVersion").map_or(Ok(0), number).map_err(ApiError::Internal)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        )
    })
}

/// The longest page of a list; 0 for all.
pub(super) fn limit(query: &Query) -> Result<usize, ApiError> {
    let Some(text) = query.text("limit") else { return Ok(0) };
    text.parse()
        .map_err(|_| ApiError::BadRequest(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
}
