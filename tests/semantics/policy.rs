//! Section 3: policies, bindings, templates, dependencies and the roll-up.

use std::collections::{BTreeMap, BTreeSet};

use flotilla::api::ocm::policy::{
    ClusterStatus, ComplianceState, Dependency, PlacementBinding, Policy, PolicySet, PolicyStatus,
    TemplateDetail,
};
use flotilla::pipeline::compliance::{
    PolicyInSet, TemplateMessage, policy_set_status, record, replicated_compliance, root_status,
};
use flotilla::pipeline::plan::assess;
use flotilla::pipeline::policy::PolicyKey;
use flotilla::pipeline::policy::bindings::{Placed, bindings_of, placed, placement_status};
use flotilla::pipeline::policy::checks::{Remediation, parent_remediation};
use flotilla::pipeline::policy::dependencies::{DependencyState, canonical};
use flotilla::pipeline::policy::replicate::{ReplicatedTemplate, replicated_policy};
use flotilla::pipeline::policy::templates::{Examined, examine, fault_of_all};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::rows::{Row, has_part, hold, of, same, within};

const NAMESPACE: &str = "policies";

/// The replicated policy of a root, for cluster `c1`.
fn replicated(row: &Row) -> Result<(), String> {
    let root: Policy = of(row.get("root"));
    let policies_of_set = |_: &str, name: &str| {
        let policies = &row.get("sets")[name];
        (!policies.is_null()).then(|| of(policies))
    };
    let canonical = |list: &[Dependency]| canonical(list, &root.metadata.namespace, policies_of_set);
    let templates = root.spec.policy_templates.iter().map(|template| {
        let definition = template.object_definition.clone();
        match row.text("error") {
            Some(error) => ReplicatedTemplate::Failed { definition, error: error.to_owned() },
            None => ReplicatedTemplate::Resolved(definition),
        }
    });
    let extra: Vec<Vec<Dependency>> =
        root.spec.policy_templates.iter().map(|template| canonical(&template.extra_dependencies)).collect();
    let enforced = row.get("enforced") == &json!(true);
    let of_policy = canonical(&root.spec.dependencies);
    let found = replicated_policy(&root, "c1", templates.collect(), &of_policy, &extra, enforced);
    for (path, expected) in row.get("replicated").as_object().unwrap() {
        let value = found.pointer(path).cloned().unwrap_or_default();
        same(path, &value, expected)?;
    }
    Ok(())
}

/// What the bindings of a policy `root` make of it on the clusters of their placements.
fn bound(row: &Row) -> Result<(), String> {
    let bindings: Vec<PlacementBinding> = row.list("bindings").iter().map(of).collect();
    let sets: Vec<PolicySet> = row.list("policy_sets").iter().map(of).collect();
    let bound = bindings_of(&PolicyKey::new(NAMESPACE, "root"), bindings.iter(), sets.iter());
    let decisions: BTreeMap<String, BTreeSet<String>> = of(row.get("decisions"));
    if row.has("placed") {
        let mut found = serde_json::Map::new();
        for cluster in decisions.values().flatten() {
            let selects = |placement: &str| decisions.get(placement).is_some_and(|of| of.contains(cluster));
            let word = match placed(&bound, cluster, selects) {
                Placed::No => "no",
                Placed::Yes => "yes",
                Placed::Enforced => "enforced",
            };
            found.insert(cluster.clone(), json!(word));
        }
        same("placed", &Value::Object(found), row.get("placed"))?;
    }
    if row.has("placement_status") {
        let found = placement_status(&bound, false, |placement| decisions.get(placement));
        same("placement status", &json!(found), row.get("placement_status"))?;
    }
    Ok(())
}

/// What becomes of the templates of a replicated policy.
fn examined(row: &Row) -> Result<(), String> {
    let policy: Policy = of(row.get("policy"));
    let parent = parent_remediation(&policy, row.get("enforced") == &json!(true));
    let said = row.get("compliance");
    let state =
        |dependency: &Dependency| match &said[format!("{} {}", dependency.kind, dependency.name).as_str()] {
            Value::String(word) => DependencyState::Says(word.clone()),
            Value::Bool(_) => DependencyState::Unknown,
            _ => DependencyState::Absent,
        };
    let found: Vec<String> = policy
        .spec
        .policy_templates
        .iter()
        .enumerate()
        .map(|(index, template)| {
            if let Some(fault) = fault_of_all(&policy) {
                return assess::template_error(fault);
            }
            let extra = &template.extra_dependencies;
            let definition = &template.object_definition;
            match examine(&policy, index, definition, &policy.spec.dependencies, extra, parent, state) {
                Examined::Check(check) => match check.remediation {
                    Remediation::Inform => "inform".to_owned(),
                    Remediation::Enforce => "enforce".to_owned(),
                },
                Examined::Error(text) => assess::template_error(&text),
                Examined::Refused(text) => assess::violation(&text),
                Examined::Pending { text, ignored } => assess::pending(&text, ignored),
            }
        })
        .collect();
    if let Some(part) = row.text("examined_has") {
        return has_part("examined", &found.join(" | "), part);
    }
    same("examined", &json!(found), row.get("examined"))
}

fn state(word: &Value) -> Option<ComplianceState> {
    (!word.is_null()).then(|| of(word))
}

/// The details of a replicated policy after its templates said something, one message list after the other.
fn recorded(row: &Row) -> Result<(), String> {
    let mut details: Vec<TemplateDetail> = Vec::new();
    let mut compliance = state(row.get("before"));
    for (second, round) in row.list("said").iter().enumerate() {
        let said: Vec<(String, Vec<String>)> = round
            .as_object()
            .unwrap()
            .iter()
            .map(|(template, messages)| (template.clone(), of(messages)))
            .collect();
        let messages: Vec<TemplateMessage<'_>> =
            said.iter().map(|(template, messages)| TemplateMessage { template, messages }).collect();
        let now = Timestamp::from_second(1_700_000_000 + i64::try_from(second).unwrap()).unwrap();
        details = record(&details, "policies.root", &messages, now).details;
        compliance = replicated_compliance(&details, compliance);
    }
    if row.has("details") {
        within("details", &json!(details), row.get("details"))?;
    }
    if row.has("history_lengths") {
        let found: Vec<usize> = details.iter().map(|detail| detail.history.len()).collect();
        same("history lengths", &json!(found), row.get("history_lengths"))?;
    }
    same("compliant", &json!(compliance), row.get("compliant"))
}

fn rolled_up(row: &Row) -> Result<(), String> {
    let clusters = row.get("clusters").as_object().unwrap();
    let clusters = clusters.iter().map(|(name, word)| (name.clone(), state(word))).collect();
    let placement: Vec<_> = row.list("placement").iter().map(of).collect();
    let status = root_status(&PolicyStatus::default(), &placement, &clusters, &BTreeMap::new());
    same("root status", &json!(status), row.get("root_status"))
}

fn set(row: &Row) -> Result<(), String> {
    let set: PolicySet = of(&json!({"spec": {"policies": [], "exclusions": row.list("exclusions")}}));
    let reports: Vec<(String, Value, Vec<ClusterStatus>)> = row
        .list("policies_of_set")
        .iter()
        .map(|policy| {
            let clusters = policy["clusters"].as_object().into_iter().flatten();
            let clusters = clusters
                .map(|(name, word)| ClusterStatus {
                    clustername: name.clone(),
                    clusternamespace: name.clone(),
                    compliant: state(word),
                    remaining_bindings: Vec::new(),
                })
                .collect();
            (of(&policy["name"]), policy["is"].clone(), clusters)
        })
        .collect();
    let policies: Vec<(&str, PolicyInSet<'_>)> = reports
        .iter()
        .map(|(name, is, clusters)| {
            let known = match is.as_str() {
                Some("missing") => PolicyInSet::Missing,
                Some("disabled") => PolicyInSet::Disabled,
                _ => PolicyInSet::Present(clusters.as_slice()),
            };
            (name.as_str(), known)
        })
        .collect();
    let selected: Vec<String> = of(row.get("selected"));
    let selected = selected.iter().map(String::as_str).collect();
    let placement: Vec<_> = row.list("placement").iter().map(of).collect();
    same(
        "set status",
        &json!(policy_set_status(&set, &policies, &placement, &selected)),
        row.get("set_status"),
    )
}

/// Judges a row.
type Judge = fn(&Row) -> Result<(), String>;

fn judge(row: &Row) -> Result<(), String> {
    let judges: [(&str, Judge); 6] = [
        ("root", replicated),
        ("bindings", bound),
        ("policy", examined),
        ("said", recorded),
        ("clusters", rolled_up),
        ("policies_of_set", set),
    ];
    let (_, judge) =
        judges.iter().find(|(input, _)| row.has(input)).ok_or("says nothing that could be judged")?;
    judge(row)
}

#[test]
fn policies_reach_clusters_and_their_states_come_back() {
    let inputs = [
        "root",
        "sets",
        "error",
        "enforced",
        "bindings",
        "policy_sets",
        "decisions",
        "policy",
        "compliance",
        "said",
        "before",
        "clusters",
        "placement",
        "policies_of_set",
        "selected",
        "exclusions",
    ];
    let outcomes = [
        "replicated",
        "placed",
        "placement_status",
        "examined",
        "examined_has",
        "details",
        "history_lengths",
        "compliant",
        "root_status",
        "set_status",
    ];
    hold("3-policy.yaml", &inputs, &outcomes, judge);
}
