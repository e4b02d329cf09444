//! Sections 1.6, 2 and 6: whole ConfigurationPolicies on a cluster, from their text to messages, status and steps.

use flotilla::api::object::Manifest;
use flotilla::api::ocm::configuration_policy_status::ConfigurationPolicyStatus;
use flotilla::pipeline::plan::inventory::Inventory;
use flotilla::pipeline::plan::{CheckPlan, Step};
use flotilla::pipeline::render::ProtectedValues;
use serde_json::{Value, json};

use crate::encryption;
use crate::evaluation::{After, Before, Server, evaluate, pruned, told};
use crate::hub;
use crate::rows::{self, Row, has_part, hold, same, within};

const INPUTS: &[&str] =
    &["spec", "hub", "annotations", "objects", "claims", "encryption", "server", "rounds", "destructive"];
const OUTCOMES: &[&str] = &[
    "message",
    "messages",
    "message_has",
    "details",
    "related",
    "steps",
    "written",
    "pruned",
    "status",
    "fails",
    "diff_has",
    "diff_lacks",
];

fn server(row: &Row) -> Server<'_> {
    match row.text("server").unwrap_or("takes").split_once(": ") {
        None => match row.text("server").unwrap_or("takes") {
            "takes" => Server::Takes,
            "keeps" => Server::Keeps,
            "immutable" => Server::Immutable,
            "lingers" => Server::Lingers,
            other => panic!("no server {other}"),
        },
        Some(("unknown", words)) => Server::Unknown(words),
        Some(("refuses", words)) => Server::Refuses(words),
        Some((other, _)) => panic!("no server {other}"),
    }
}

fn judge(row: &Row) -> Result<(), String> {
    let rounds = row.list("rounds");
    let all: Vec<Row> = if rounds.is_empty() {
        vec![row.with(&json!({}))]
    } else {
        rounds.iter().map(|round| row.with(round)).collect()
    };
    let mut status = ConfigurationPolicyStatus::default();
    let mut inventory = Inventory::default();
    for (index, round) in all.iter().enumerate() {
        let mut spec = round.get("spec").clone();
        let mut protected = ProtectedValues::default();
        if round.has("hub") {
            match (hub::phase(&json!({"spec": spec}), round.get("hub")).0, round.text("fails")) {
                (Ok(rendered), _) => {
                    spec = rendered.definition["spec"].clone();
                    protected = rendered.protected;
                }
                (Err(error), Some(part)) => return has_part("fails", &error.to_string(), part),
                (Err(error), None) => return Err(format!("the hub's templates fail with {error}")),
            }
        }
        let before = Before {
            spec: &spec,
            annotations: round.get("annotations"),
            objects: round.list("objects"),
            claims: round.read("claims"),
            keys: round.has("encryption").then(|| encryption::keys(round.get("encryption"))),
            protected,
            allow_destructive: round.get("destructive") == &json!(true),
            server: server(round),
            status,
            inventory,
            round: 1,
        };
        let after = match (evaluate(&before), round.text("fails")) {
            (Ok(after), None) => after,
            (Err(error), Some(part)) => return has_part("fails", &error, part),
            (Err(error), None) => return Err(format!("fails with {error}")),
            (Ok(after), Some(_)) => {
                return Err(format!("does not fail, but says {:?}", after.assessment.messages));
            }
        };
        compare(round, &after).map_err(|fault| format!("round {}: {fault}", index + 1))?;
        status = after.assessment.status;
        inventory = after.inventory;
    }
    Ok(())
}

fn compare(row: &Row, after: &After) -> Result<(), String> {
    let messages = &after.assessment.messages;
    if row.has("messages") {
        same("messages", &json!(messages), row.get("messages"))?;
    }
    if row.has("message") {
        same("message", &json!(messages.last()), row.get("message"))?;
    }
    if let Some(part) = row.text("message_has") {
        has_part("message", messages.last().map_or("", String::as_str), part)?;
    }
    let status = serde_json::to_value(&after.assessment.status).unwrap();
    if row.has("details") {
        let of = |detail: &Value| {
            let condition = &detail["conditions"][0];
            json!({"compliant": detail["Compliant"], "type": condition["type"], "reason": condition["reason"],
                "message": condition["message"]})
        };
        let found: Vec<Value> =
            status["compliancyDetails"].as_array().into_iter().flatten().map(of).collect();
        within("details", &json!(found), row.get("details"))?;
    }
    if row.has("related") {
        let found: Vec<Value> =
            status["relatedObjects"].as_array().into_iter().flatten().map(related).collect();
        within("related", &json!(found), row.get("related"))?;
    }
    if row.has("status") {
        within("status", &status, row.get("status"))?;
    }
    for (key, wanted) in [("diff_has", true), ("diff_lacks", false)] {
        for part in row.list(key) {
            let diff = status["relatedObjects"][0]["properties"]["diff"].as_str().unwrap_or_default();
            if diff.contains(part.as_str().unwrap()) != wanted {
                return Err(format!("{key} {part}: {diff}"));
            }
        }
    }
    let none = Vec::new();
    let templates = after.plan.as_ref().map_or(&none, |plan| &plan.templates);
    if row.has("steps") {
        let found: Vec<String> =
            templates.iter().flat_map(|template| &template.objects).filter_map(told).collect();
        same("steps", &json!(found), row.get("steps"))?;
    }
    if row.has("written") {
        let found = after.plan.as_ref().map(written).unwrap_or_default();
        same("written", &json!(found), row.get("written"))?;
    }
    if row.has("pruned") {
        same("pruned", &json!(after.plan.as_ref().map(pruned).unwrap_or_default()), row.get("pruned"))?;
    }
    Ok(())
}

/// A related object, flat.
fn related(entry: &Value) -> Value {
    let object = &entry["object"];
    let mut flat = json!({"kind": object["kind"], "name": object["metadata"]["name"],
        "namespace": object["metadata"]["namespace"], "compliant": entry["compliant"], "reason": entry["reason"]});
    for (key, value) in entry["properties"].as_object().into_iter().flatten() {
        flat[key] = value.clone();
    }
    flat
}

/// The objects as they would be written.
fn written(plan: &CheckPlan) -> Vec<Value> {
    let object = |step: &Step| -> Option<Manifest> {
        match step {
            Step::Create { desired } => Some(desired.clone()),
            Step::Update { merged, .. } | Step::Probe { merged, .. } | Step::StatusDiffers { merged } => {
                Some(merged.clone())
            }
            Step::Nothing | Step::Delete { .. } | Step::Hold { .. } => None,
        }
    };
    let objects = plan.templates.iter().flat_map(|template| &template.objects);
    objects.filter_map(|planned| Some(object(&planned.step)?.to_value())).collect()
}

fn section(file: &str) {
    hold(file, INPUTS, OUTCOMES, judge);
}

#[test]
fn templates_of_object_templates() {
    section("1.6-cluster.yaml");
}

#[test]
fn targets_are_selected() {
    section("2.2-targets.yaml");
}

#[test]
fn named_and_unnamed_templates() {
    section("2.3-named.yaml");
}

#[test]
fn what_the_server_says_to_a_difference() {
    section("2.4-server.yaml");
}

#[test]
fn objects_are_created_and_deleted() {
    section("2.5-create-delete.yaml");
}

#[test]
fn messages_are_worded() {
    section("2.6-messages.yaml");
}

#[test]
fn statuses_are_written() {
    section("2.7-status.yaml");
}

#[test]
fn what_is_no_longer_wanted_is_pruned() {
    section("2.8-pruning.yaml");
}

#[test]
fn defaults_of_a_spec() {
    section("2.1-spec.yaml");
}

#[test]
fn the_traps_of_the_main_policies() {
    section("6-traps.yaml");
}

#[test]
fn malformed_policies_are_told() {
    section("bad-input.yaml");
}

#[test]
fn every_file_of_rows_is_read() {
    let here = std::fs::read_dir(rows::folder()).unwrap();
    let sources: String =
        ["claims", "compare", "encryption", "hub", "placement", "policies", "policy", "templates"]
            .iter()
            .map(|module| {
                let path = format!("{}/tests/semantics/{module}.rs", env!("CARGO_MANIFEST_DIR"));
                std::fs::read_to_string(path).unwrap()
            })
            .collect();
    for entry in here {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(sources.contains(&format!("\"{name}\"")), "{name} is read by no test");
    }
}
