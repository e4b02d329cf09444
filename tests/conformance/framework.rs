//! What the framework of a managed cluster makes of the templates of a policy: faults, dependencies, remediation.

use flotilla::api::ocm::policy::{ComplianceState, Policy};
use flotilla::pipeline::compliance::{TemplateMessage, record, replicated_compliance};
use flotilla::pipeline::plan::assess;
use flotilla::pipeline::policy::checks::{self, Check, Remediation};
use flotilla::pipeline::policy::dependencies::DependencyState;
use flotilla::pipeline::policy::templates::{Examined, examine, fault_of_all};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cases;

/// What becomes of each template: its name, and a check or a message.
type Outcome = (String, Result<Check, String>);

fn compliance_of(row: &Value, kind: &str, name: &str) -> Option<String> {
    let existing = row["existing_dependencies"].as_array().into_iter().flatten();
    let of_template = (kind == "ConfigurationPolicy").then(|| &row["template_compliance"][name]);
    existing
        .filter(|object| object["kind"] == kind && object["name"] == name)
        .map(|object| object.get("compliant").unwrap_or(&object["status"]["compliant"]))
        .chain(of_template)
        .find_map(|word| word.as_str().map(ToOwned::to_owned))
}

fn outcomes(row: &Value, policy: &Policy) -> Vec<Outcome> {
    let fault = fault_of_all(policy);
    let parent = checks::parent_remediation(policy, false);
    let templates = policy.spec.policy_templates.iter().enumerate();
    templates
        .map(|(index, template)| {
            let definition = &template.object_definition;
            let name = checks::template_name(definition)
                .map_or_else(|| format!("template-{index}"), ToOwned::to_owned);
            if let Some(fault) = fault {
                return (name, Err(assess::template_error(fault)));
            }
            let of_policy = &policy.spec.dependencies;
            let extra = &template.extra_dependencies;
            let examined = examine(policy, index, definition, of_policy, extra, parent, |dependency| {
                // No other kinds are served on the cluster of these cases.
                let served = dependency.api_version == "policy.open-cluster-management.io/v1";
                match compliance_of(row, &dependency.kind, &dependency.name) {
                    Some(word) if served => DependencyState::Says(word),
                    Some(_) | None => DependencyState::Unknown,
                }
            });
            let outcome = match examined {
                Examined::Check(check) => Ok(*check),
                Examined::Error(text) => Err(assess::template_error(&text)),
                Examined::Refused(text) => Err(assess::violation(&text)),
                Examined::Pending { text, ignored } => Err(assess::pending(&text, ignored)),
            };
            (name, outcome)
        })
        .collect()
}

/// The compliance of the policy, from what its templates say.
fn rolled_up(row: &Value, outcomes: &[Outcome]) -> Option<ComplianceState> {
    let messages: Vec<Vec<String>> = outcomes
        .iter()
        .map(|(name, outcome)| {
            let said = row["template_compliance"][name].as_str();
            let of_check = said.map(|word| format!("{word}; notification - x"));
            outcome.as_ref().err().cloned().or(of_check).into_iter().collect()
        })
        .collect();
    let templates: Vec<TemplateMessage<'_>> = outcomes
        .iter()
        .zip(&messages)
        .map(|((template, _), messages)| TemplateMessage { template, messages })
        .collect();
    let recorded = record(&[], "policies.case", &templates, Timestamp::UNIX_EPOCH);
    replicated_compliance(&recorded.details, None)
}

/// The spec of the ConfigurationPolicy as it would stand on the cluster, with the defaults of its definition.
fn effective_spec(check: &Check) -> Value {
    let mut spec = check.definition["spec"].clone();
    spec["remediationAction"] = json!(action(check));
    let default = |fields: &mut Value, field: &str, value: &str| {
        if fields[field].is_null() {
            fields[field] = json!(value);
        }
    };
    default(&mut spec, "pruneObjectBehavior", "None");
    for template in spec["object-templates"].as_array_mut().into_iter().flatten() {
        default(template, "recreateOption", "None");
    }
    spec
}

fn action(check: &Check) -> &'static str {
    match check.remediation {
        Remediation::Inform => "inform",
        Remediation::Enforce => "enforce",
    }
}

fn run(row: &Value) -> Result<(), String> {
    let policy: Policy =
        serde_json::from_value(row["replicated_policy"].clone()).map_err(|error| error.to_string())?;
    let outcomes = outcomes(row, &policy);
    let expected = row["expected"].as_object().unwrap();
    let said: Vec<&String> = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err()).collect();
    let check = |name: &str| {
        let found = outcomes.iter().find(|(of, _)| of == name);
        found
            .and_then(|(_, outcome)| outcome.as_ref().ok())
            .ok_or_else(|| format!("{name} is no check: {said:?}"))
    };
    for (key, wanted) in expected {
        let agrees = match key.as_str() {
            "compliant" => {
                let found = rolled_up(row, &outcomes).map(|state| state.to_string());
                found.as_deref() == wanted.as_str()
            }
            "detail_message_contains" => {
                said.iter().any(|message| message.contains(wanted.as_str().unwrap_or_default()))
            }
            "detail_message_equals" | "derived_detail_message" => {
                said.iter().any(|message| message.as_str() == wanted.as_str().unwrap_or_default())
            }
            "template_spec_equals" => {
                for (name, spec) in wanted.as_object().into_iter().flatten() {
                    let found = effective_spec(check(name)?);
                    if found != *spec {
                        return Err(format!("{name}: found {found:#}, expected {spec:#}"));
                    }
                }
                true
            }
            "template_remediationAction" => {
                for (name, action_wanted) in wanted.as_object().into_iter().flatten() {
                    let found = action(check(name)?);
                    if !action_wanted.as_str().unwrap_or_default().eq_ignore_ascii_case(found) {
                        return Err(format!("{name}: {found}, expected {action_wanted}"));
                    }
                }
                true
            }
            "note" => true,
            other => return Err(format!("the case asks for {other:?}, which is not known")),
        };
        if !agrees {
            return Err(format!("{key}: expected {wanted}, said {said:#?}"));
        }
    }
    Ok(())
}

#[test]
fn templates_become_checks_or_say_why_not() {
    let rows = cases::rows("framework/cases.jsonl");
    let results: Vec<_> = rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), run(row))).collect();
    cases::all_agree("framework", &results);
}
