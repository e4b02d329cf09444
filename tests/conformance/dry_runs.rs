//! Whole ConfigurationPolicies through `flotilla dryrun`.
//!
//! The command is run as a person runs it, so that its output is held as well as what it decides. Besides the cases of others
//! there are some of our own, worked out by hand, and a proof that the comparison finds what is wrong.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cases;

/// Lines of a difference that is not cut: two names, a range, and what a status holds.
const SHORT: usize = 53;

/// What the command said.
struct Outcome {
    code: Option<i32>,
    stderr: String,
    diffs: Vec<Value>,
    messages: Vec<String>,
    status: Value,
}

fn run(folder: &Path, full_diffs: bool) -> Result<Outcome, String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let status = scratch.path().join("status.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_flotilla"));
    command.args(["dryrun", "--no-colors", "--show-secrets"]).arg("--policy").arg(folder.join("policy.yaml"));
    command.arg("--status-path").arg(&status);
    command.arg(format!("--full-diffs={full_diffs}"));
    for inputs in ["objects.yaml", "mappings.yaml"] {
        let path = folder.join(inputs);
        match (inputs, path.is_file()) {
            ("mappings.yaml", true) => command.arg("--mappings-file").arg(path),
            (_, true) => command.arg(path),
            (_, false) => &mut command,
        };
    }
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let stdout = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let (diffs, messages) =
        parse(&stdout).ok_or_else(|| format!("not the known output: {stdout}\n{stderr}"))?;
    let status = std::fs::read_to_string(&status).map_err(|error| error.to_string())?;
    let status = flotilla::yaml::read(&status, flotilla::yaml::Dialect::Template)
        .map_err(|error| format!("{error}: {status}"))?;
    Ok(Outcome { code: output.status.code(), stderr, diffs, messages, status })
}

/// The differences and messages of an output.
fn parse(stdout: &str) -> Option<(Vec<Value>, Vec<String>)> {
    let (_, rest) = stdout.split_once("# Diffs:\n")?;
    let (diffs, messages) = rest.split_once("# Compliance messages:\n")?;
    let mut all: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in diffs.lines() {
        let words: Vec<&str> = line.strip_suffix(':').unwrap_or_default().split(' ').collect();
        // Lines of a difference begin with a sign or a blank, or say that it is cut or withheld.
        let is_heading = words.len() == 3 && !line.starts_with([' ', '+', '-', '@', '#']);
        if is_heading {
            all.push((words, Vec::new()));
        } else {
            all.last_mut()?.1.push(line);
        }
    }
    let diffs = all
        .into_iter()
        .map(|(words, lines)| {
            json!({"apiVersion": words[0], "kind": words[1], "object": words[2], "diff": lines.join("\n")})
        })
        .collect();
    Some((diffs, messages.lines().map(ToOwned::to_owned).collect()))
}

/// Runs the case of a folder and compares.
fn check(folder: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(folder.join("expected.json")).map_err(|error| error.to_string())?;
    let expected: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let expected_diffs = expected["diffs"].as_array().cloned().unwrap_or_default();
    let full = expected_diffs
        .iter()
        .filter_map(|diff| diff["diff"].as_str())
        .any(|diff| !diff.starts_with("# Truncated") && diff.trim_end().lines().count() > SHORT);
    let outcome = run(folder, full)?;
    let mut faults = Vec::new();
    let mut differ = |what: &str, expected: &dyn std::fmt::Display, found: &dyn std::fmt::Display| {
        faults.push(format!("{what}\n  expected: {expected}\n  found:    {found}"));
    };
    if let Some(compliance) = expected["compliance"].as_str() {
        if outcome.status["compliant"] != compliance {
            differ("compliance", &compliance, &outcome.status["compliant"]);
        }
        let code = i32::from(compliance != "Compliant");
        if outcome.code != Some(code) {
            differ("exit code", &code, &format!("{:?}", outcome.code));
        }
    }
    match &expected["message_equals"] {
        Value::String(message) if outcome.messages.last() != Some(message) => {
            differ("message", message, &outcome.messages.join("\n            "));
        }
        Value::Array(messages) if json!(outcome.messages) != json!(messages) => {
            differ("messages", &json!(messages), &json!(outcome.messages));
        }
        _ => {}
    }
    if !includes(&outcome.status, &expected["status_include"]) {
        differ("status", &expected["status_include"], &outcome.status);
    }
    if expected["diffs"].is_array() {
        let shape = |diffs: &[Value]| -> Vec<String> {
            let text = |diff: &Value, field: &str| diff[field].as_str().unwrap_or_default().to_owned();
            diffs
                .iter()
                .map(|diff| {
                    let [version, kind, object, lines] =
                        ["apiVersion", "kind", "object", "diff"].map(|field| text(diff, field));
                    format!("{version} {kind} {object}:\n{}", lines.trim_end())
                })
                .collect()
        };
        let (wanted, found) = (shape(&expected_diffs), shape(&outcome.diffs));
        if wanted != found {
            differ("diffs", &wanted.join("\n"), &found.join("\n"));
        }
    }
    if let Some(reason) = expected["reason"].as_str().filter(|reason| is_known(reason))
        && !reasons(&outcome.status).contains(reason)
    {
        differ("reason", &reason, &format!("{:?}", reasons(&outcome.status)));
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("{}\n{}", faults.join("\n"), outcome.stderr)) }
}

/// Whether everything of `part` is in `whole`; of a list in any order, each entry by another one.
fn includes(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (_, Value::Null) => true,
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| includes(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            let mut used = BTreeSet::new();
            part.iter().all(|part| {
                let found = whole
                    .iter()
                    .enumerate()
                    .find(|(index, whole)| !used.contains(index) && includes(whole, part));
                found.is_some_and(|(index, _)| used.insert(index))
            })
        }
        (whole, part) => whole == part,
    }
}

/// Whether it is a word of a status; a case may explain itself in the same place.
fn is_known(reason: &str) -> bool {
    use flotilla::pipeline::compliance::Reason;
    reason.starts_with("K8s ") || !matches!(Reason::from_text(reason), Reason::Other { .. })
}

/// All reasons of a status.
fn reasons(status: &Value) -> BTreeSet<&str> {
    let lists = ["compliancyDetails", "relatedObjects"].map(|list| status[list].as_array());
    lists
        .into_iter()
        .flatten()
        .flatten()
        .flat_map(|entry| {
            let conditions = entry["conditions"].as_array().into_iter().flatten();
            conditions.chain([entry]).filter_map(|holder| holder["reason"].as_str())
        })
        .collect()
}

#[test]
fn dry_runs_agree() {
    let results: Vec<(String, Result<(), String>)> = cases::folders("configpolicy", "dryrun-")
        .iter()
        .map(|folder| (cases::name(folder), check(folder)))
        .collect();
    cases::all_agree("configpolicy", &results);
}

// === cases of our own ===

/// A folder with a case.
fn case(policy: &str, objects: &str, expected: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    if !objects.is_empty() {
        std::fs::write(folder.path().join("objects.yaml"), objects).unwrap();
    }
    std::fs::write(folder.path().join("expected.json"), expected.to_string()).unwrap();
    folder
}

const POLICY: &str = "\
apiVersion: policy.open-cluster-management.io/v1
kind: ConfigurationPolicy
metadata: {name: quotas}
spec:
  remediationAction: enforce
  object-templates:
  - complianceType: musthave
    objectDefinition:
      apiVersion: v1
      kind: ResourceQuota
      metadata: {name: small, namespace: team}
      spec: {hard: {pods: '4', memory: 1Gi}}
";

const OBJECTS: &str = "\
apiVersion: v1
kind: ResourceQuota
metadata: {name: small, namespace: team}
spec: {hard: {pods: '5', memory: 1024Mi}}
";

const MESSAGE: &str =
    "NonCompliant; violation - resourcequotas [small] found but not as specified in namespace team";

fn expectation() -> Value {
    json!({
        "compliance": "NonCompliant",
        "message_equals": MESSAGE,
        "status_include": {"relatedObjects": [{"compliant": "NonCompliant",
            "object": {"kind": "ResourceQuota", "metadata": {"name": "small", "namespace": "team"}}}]},
        "diffs": [{"apiVersion": "v1", "kind": "ResourceQuota", "object": "team/small", "diff":
            "--- team/small : existing\n+++ team/small : updated\n@@ -3,8 +3,8 @@\n metadata:\n   name: small\n   \
             namespace: team\n spec:\n   hard:\n-    memory: 1024Mi\n-    pods: \"5\"\n+    memory: 1Gi\n+    pods: \"4\"\n "}],
        "reason": "K8s does not have a `must have` object",
    })
}

#[test]
fn a_case_worked_out_by_hand_agrees() {
    let folder = case(POLICY, OBJECTS, &expectation());
    check(folder.path()).unwrap();
    let mut as_list = expectation();
    as_list["message_equals"] = json!([MESSAGE]);
    check(case(POLICY, OBJECTS, &as_list).path()).unwrap();
    let missing = json!({"compliance": "NonCompliant", "diffs": [
        {"apiVersion": "v1", "kind": "ResourceQuota", "object": "team/small", "diff": ""}],
        "message_equals": "NonCompliant; violation - resourcequotas [small] not found in namespace team"});
    check(case(POLICY, "", &missing).path()).unwrap();
}

#[test]
fn the_comparison_finds_what_is_wrong() {
    for (field, wrong) in [
        ("compliance", json!("Compliant")),
        ("message_equals", json!("NonCompliant; something else")),
        ("message_equals", json!([MESSAGE, MESSAGE])),
        ("status_include", json!({"relatedObjects": [{"compliant": "Compliant"}]})),
        ("diffs", json!([])),
        ("reason", json!("K8s `must have` object already exists")),
    ] {
        let mut expected = expectation();
        expected[field] = wrong;
        let fault = check(case(POLICY, OBJECTS, &expected).path());
        assert!(fault.is_err(), "{field} is not compared");
    }
    let mut other_diff = expectation();
    other_diff["diffs"][0]["diff"] = json!("--- x");
    assert!(check(case(POLICY, OBJECTS, &other_diff).path()).is_err());
    let mut explained = expectation();
    explained["reason"] = json!("the template names a quantity");
    check(case(POLICY, OBJECTS, &explained).path()).unwrap();
}
