//! The judgement on a ConfigMap that somebody wants to write: an `AdmissionReview` in, an `AdmissionReview` out.
//!
//! Takes the text of a review (`admission.k8s.io/v1`); gives the answer. Pure: it sees nothing but the review.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thiserror::Error;

use crate::api::ocm::names::PROTECT_LABEL;
use crate::pipeline::config::{CONFIG_MAP_NAME, Config, Fault, Severity};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A request that is no review. The sender gets the text with status 400.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum BadReview {
    /// It is not JSON.
    #[error("failed to read the review: it is not JSON: {0}")]
    NotJson(String),
    /// It is something else.
    #[error(
        "failed to read the review: apiVersion is {version} and kind is {kind}, expected {API_VERSION} and {KIND}"
    )]
    OtherKind {
        /// What `apiVersion` says.
        version: String,
        /// What `kind` says.
        kind: String,
    },
    /// A field that every review has is missing.
    #[error("failed to read the review: {0} is missing")]
    Missing(&'static str),
}

/// What is thought of a write.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    /// Why it is refused; it is let through when there is nothing here.
    refusal: Vec<String>,
    /// What is said all the same.
    warnings: Vec<String>,
}

/// Answers a review.
pub(super) fn review(body: &[u8]) -> Result<Value, BadReview> {
    let review: Value =
        serde_json::from_slice(body).map_err(|error| BadReview::NotJson(error.to_string()))?;
    if review["apiVersion"] != API_VERSION || review["kind"] != KIND {
        let (version, kind) = (review["apiVersion"].to_string(), review["kind"].to_string());
        return Err(BadReview::OtherKind { version, kind });
    }
    let request = &review["request"];
    if !request.is_object() {
        return Err(BadReview::Missing("request"));
    }
    let uid = request["uid"].as_str().filter(|uid| !uid.is_empty());
    let uid = uid.ok_or(BadReview::Missing("request.uid"))?;
    let Verdict { refusal, warnings } = judge(request)?;
    let mut response = json!({"uid": uid, "allowed": refusal.is_empty()});
    if !warnings.is_empty() {
        response["warnings"] = json!(warnings);
    }
    if !refusal.is_empty() {
        response["status"] = json!({"code": 422, "reason": "Invalid", "message": message(&refusal)});
    }
    Ok(json!({"apiVersion": API_VERSION, "kind": KIND, "response": response}))
}

fn message(refusal: &[String]) -> String {
    let findings = match refusal.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let mut text = format!("ConfigMap {CONFIG_MAP_NAME} has {findings}:");
    for finding in refusal {
        text.push_str("\n  ");
        text.push_str(finding);
    }
    text
}

fn judge(request: &Value) -> Result<Verdict, BadReview> {
    let writes = matches!(request["operation"].as_str(), Some("CREATE" | "UPDATE"));
    let kind = &request["kind"];
    let is_config_map = kind["group"] == "" && kind["kind"] == "ConfigMap";
    if !writes || !is_config_map {
        return Ok(Verdict::default());
    }
    let object = &request["object"];
    if !object.is_object() {
        return Err(BadReview::Missing("request.object"));
    }
    if object["metadata"]["name"] != CONFIG_MAP_NAME {
        return Ok(Verdict::default());
    }
    let (mut refusal, mut warnings) = (Vec::new(), Vec::new());
    for finding in Config::read(&data(object)).findings {
        match weight(finding.fault, asks_for_protection(object)) {
            Severity::Error => refusal.push(finding.to_string()),
            Severity::Warning => warnings.push(finding.to_string()),
        }
    }
    if means_the_same(&request["oldObject"], object) {
        // It was let through with its mistakes when no hub was there: who touches another part of it, a label or a
        // finalizer, is not the one to be stopped.
        warnings.splice(0..0, refusal);
        return Ok(Verdict { refusal: Vec::new(), warnings });
    }
    Ok(Verdict { refusal, warnings })
}

/// How much a fault weighs here. Policies that a person applied may do without some of the keys.
fn weight(fault: Fault, asks_for_protection: bool) -> Severity {
    match fault {
        Fault::Missing if !asks_for_protection => Severity::Warning,
        fault => fault.severity(),
    }
}

/// Whether the hub is to render policies from the ConfigMap.
fn asks_for_protection(object: &Value) -> bool {
    object["metadata"]["labels"][PROTECT_LABEL] == "true"
}

fn data(object: &Value) -> BTreeMap<String, String> {
    let entries = object["data"].as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether an update leaves alone what the hub reads.
fn means_the_same(before: &Value, after: &Value) -> bool {
    before.is_object()
        && data(before) == data(after)
        && asks_for_protection(before) == asks_for_protection(after)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const BROKEN: (&str, &str) = ("backupTTL", "S");
    const ALSO_BROKEN: (&str, &str) = ("backupSchedule", "now");
    /// One entry too many, which does no harm.
    const DOUBTFUL: (&str, &str) = ("backupNSToBackup", r#"["pacman", "pacman"]"#);

    fn named(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": CONFIG_MAP_NAME, "namespace": "policies"}})
    }

    /// The ConfigMap of the demo, with these entries put in.
    fn config_map(entries: &[(&str, &str)]) -> Value {
        let text = include_str!("../../../configmaps/demo.yaml");
        let mut data = crate::yaml::read_documents(text).unwrap().remove(0)["data"].take();
        for (key, value) in entries {
            data[*key] = json!(value);
        }
        named(&data)
    }

    fn protected(config_map: Value) -> Value {
        labelled(config_map, PROTECT_LABEL, "true")
    }

    fn labelled(mut config_map: Value, label: &str, value: &str) -> Value {
        config_map["metadata"]["labels"][label] = json!(value);
        config_map
    }

    fn request(operation: &str, old: &Value, object: &Value) -> Value {
        json!({"uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "operation": operation, "object": object, "oldObject": old})
    }

    fn asked(request: &Value) -> Value {
        let text = json!({"apiVersion": API_VERSION, "kind": KIND, "request": request}).to_string();
        let answer = review(text.as_bytes()).unwrap();
        assert_eq!((&answer["apiVersion"], &answer["kind"]), (&json!(API_VERSION), &json!(KIND)));
        assert_eq!(answer["response"]["uid"], "u-1");
        answer["response"].clone()
    }

    #[rstest]
    #[case::a_good_one(request("CREATE", &Value::Null, &config_map(&[])), true, 0)]
    #[case::a_good_one_to_protect(request("CREATE", &Value::Null, &protected(config_map(&[]))), true, 0)]
    #[case::a_broken_one(request("CREATE", &Value::Null, &config_map(&[BROKEN])), false, 0)]
    #[case::a_broken_one_to_protect(request("CREATE", &Value::Null, &protected(config_map(&[BROKEN]))), false, 0)]
    #[case::with_a_warning(request("CREATE", &Value::Null, &config_map(&[DOUBTFUL])), true, 1)]
    #[case::with_both(request("CREATE", &Value::Null, &config_map(&[BROKEN, DOUBTFUL])), false, 1)]
    #[case::broken_by_an_update(request("UPDATE", &config_map(&[]), &config_map(&[BROKEN])), false, 0)]
    #[case::broken_otherwise(
        request("UPDATE", &config_map(&[BROKEN]), &config_map(&[BROKEN, ALSO_BROKEN])), false, 0)]
    #[case::corrected(request("UPDATE", &config_map(&[BROKEN]), &config_map(&[])), true, 0)]
    #[case::broken_before(
        request("UPDATE", &config_map(&[BROKEN]), &labelled(config_map(&[BROKEN]), "team", "a")), true, 1)]
    #[case::broken_and_now_to_protect(
        request("UPDATE", &config_map(&[BROKEN]), &protected(config_map(&[BROKEN]))), false, 0)]
    #[case::deleted(request("DELETE", &config_map(&[BROKEN]), &Value::Null), true, 0)]
    fn a_config_map_is_judged(#[case] request: Value, #[case] allowed: bool, #[case] warnings: usize) {
        let response = asked(&request);
        assert_eq!(response["allowed"], allowed, "{response}");
        assert_eq!(response["warnings"].as_array().map_or(0, Vec::len), warnings, "{response}");
        assert_eq!(response["status"]["message"].is_string(), !allowed, "{response}");
    }

    #[test]
    fn what_policies_of_a_person_may_do_without_is_only_missed_when_the_hub_makes_them() {
        let empty = named(&json!({}));
        let response = asked(&request("CREATE", &Value::Null, &empty));
        assert_eq!(response["allowed"], true, "{response}");
        let warnings = response["warnings"].as_array().unwrap().iter();
        let missed = warnings.filter(|warning| warning.as_str().unwrap().contains(": is missing")).count();
        assert!(missed > 5, "{response}");
        let response = asked(&request("CREATE", &Value::Null, &protected(empty)));
        assert_eq!(response["allowed"], false, "{response}");
        let told = response["status"]["message"].as_str().unwrap();
        assert_eq!(told.lines().filter(|line| line.contains(": is missing")).count(), missed, "{told}");
    }

    #[test]
    fn a_refusal_tells_all_mistakes() {
        let response = asked(&request("CREATE", &Value::Null, &config_map(&[BROKEN, ALSO_BROKEN])));
        let message = response["status"]["message"].as_str().unwrap();
        let lines: Vec<_> = message.lines().collect();
        assert_eq!(lines[0], "ConfigMap hdr-app-configmap has 2 mistakes:");
        assert!(lines[1].starts_with("  error: backupSchedule"), "{message}");
        assert!(lines[2].starts_with("  error: backupTTL"), "{message}");
        assert_eq!(
            (&response["status"]["code"], &response["status"]["reason"]),
            (&json!(422), &json!("Invalid"))
        );
    }

    #[test]
    fn other_objects_are_none_of_its_business() {
        let mut other = config_map(&[BROKEN]);
        other["metadata"]["name"] = json!("another");
        assert_eq!(asked(&request("CREATE", &Value::Null, &other))["allowed"], true);
        let mut secret = request("CREATE", &Value::Null, &config_map(&[BROKEN]));
        secret["kind"]["kind"] = json!("Secret");
        assert_eq!(asked(&secret)["allowed"], true);
    }

    #[rstest]
    #[case::text("S3CRET", "failed to read the review: it is not JSON: ")]
    #[case::nothing("", "failed to read the review: it is not JSON: ")]
    #[case::a_list(
        "[]",
        "failed to read the review: apiVersion is null and kind is null, expected admission.k8s.io/v1"
    )]
    #[case::an_old_version(
        r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
        "failed to read the review: apiVersion is \"admission.k8s.io/v1beta1\" and kind is \"AdmissionReview\""
    )]
    #[case::no_request(
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
        "failed to read the review: request is missing"
    )]
    #[case::no_uid(
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}"#,
        "failed to read the review: request.uid is missing"
    )]
    #[case::no_object(
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
            "kind":{"group":"","kind":"ConfigMap"}}}"#,
        "failed to read the review: request.object is missing")]
    fn what_is_no_review_is_told(#[case] body: &str, #[case] told: &str) {
        let error = review(body.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(told) && !error.contains("S3CRET"), "{error}");
    }

    #[test]
    fn no_review_makes_it_panic() {
        let odd = [json!(1), json!("x"), json!([]), json!({}), Value::Null];
        for value in &odd {
            for field in ["kind", "object", "oldObject", "operation", "uid"] {
                let mut request = request("UPDATE", &config_map(&[]), &config_map(&[BROKEN]));
                request[field] = value.clone();
                let text = json!({"apiVersion": API_VERSION, "kind": KIND, "request": request}).to_string();
                let _judged = review(text.as_bytes());
            }
            let mut object = config_map(&[]);
            object["data"] = value.clone();
            asked(&request("CREATE", &Value::Null, &object));
            object["metadata"]["labels"] = value.clone();
            asked(&request("UPDATE", &object.clone(), &object));
        }
    }
}
