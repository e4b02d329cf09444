//! Compliance of root policies and PolicySets, rolled up from the clusters.

use std::collections::{BTreeMap, BTreeSet};

use flotilla::api::ocm::policy::{
    ClusterStatus, ComplianceState, PlacementBinding, PlacementStatusEntry, PolicySet, PolicyStatus,
    RemainingBinding,
};
use flotilla::pipeline::compliance::{PolicyInSet, policy_set_status, root_status};
use flotilla::pipeline::policy::PolicyKey;
use flotilla::pipeline::policy::bindings::{Bound, Placed, bindings_of, placed, placement_status, remaining};
use serde_json::{Value, json};

use crate::cases;

const NAMESPACE: &str = "policies";
const POLICY_GROUP: &str = "policy.open-cluster-management.io";

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(read).collect()
}

/// A binding of a row as the API has it. One without subjects binds the policy.
fn binding(row: &Value, policy: &str) -> PlacementBinding {
    let mut value = row.clone();
    value["metadata"] = json!({"name": row["name"], "namespace": NAMESPACE});
    value["placementRef"] = json!({"apiGroup": "cluster.open-cluster-management.io", "kind": "Placement",
        "name": row["placement"]});
    if value["subjects"].is_null() {
        value["subjects"] = json!([{"apiGroup": POLICY_GROUP, "kind": "Policy", "name": policy}]);
    }
    read(&value)
}

/// The Placements of a row with their clusters; those that are missing are not in it.
fn decisions(row: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let missing = texts(&row["missing_placements"]);
    let bound =
        row["bindings"].as_array().into_iter().flatten().map(|binding| read::<String>(&binding["placement"]));
    bound
        .filter(|placement| !missing.contains(placement))
        .map(|placement| {
            let clusters = texts(&row["decisions"][placement.as_str()]).into_iter().collect();
            (placement, clusters)
        })
        .collect()
}

/// One policy of a row: its bindings, and its status as the clusters report.
struct Rolled {
    placement: Vec<PlacementStatusEntry>,
    status: PolicyStatus,
}

fn roll_up(row: &Value, policy: &str, sets: &[PolicySet], disabled: bool, compliance: &Value) -> Rolled {
    let placements = decisions(row);
    let bindings: Vec<PlacementBinding> =
        row["bindings"].as_array().into_iter().flatten().map(|of| binding(of, policy)).collect();
    let bound: Vec<Bound> = bindings_of(&PolicyKey::new(NAMESPACE, policy), bindings.iter(), sets.iter());
    let selects =
        |placement: &str, cluster: &str| placements.get(placement).is_some_and(|of| of.contains(cluster));
    let all: BTreeSet<&String> = placements.values().flatten().collect();
    let on: Vec<&String> = all
        .into_iter()
        .filter(|cluster| {
            !disabled && placed(&bound, cluster, |placement| selects(placement, cluster)) != Placed::No
        })
        .collect();
    let clusters =
        on.iter().map(|cluster| ((*cluster).clone(), state(&compliance[cluster.as_str()]))).collect();
    let remaining: BTreeMap<String, Vec<RemainingBinding>> = on
        .iter()
        .map(|cluster| {
            let names = remaining(&bound, cluster, |placement| selects(placement, cluster));
            let entries =
                names.into_iter().map(|name| RemainingBinding { placement_binding: name.to_owned() });
            ((*cluster).clone(), entries.collect())
        })
        .collect();
    let placement = placement_status(&bound, disabled, |placement| placements.get(placement));
    let status = root_status(&PolicyStatus::default(), &placement, &clusters, &remaining);
    Rolled { placement, status }
}

fn state(compliance: &Value) -> Option<ComplianceState> {
    compliance.as_str().filter(|text| !text.is_empty()).map(|_| read(compliance))
}

fn same(found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("found {found:#}\nexpected {expected:#}")) }
}

fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

fn root(row: &Value) -> Result<(), String> {
    let policy: String = read(&row["policy"]);
    let disabled = row["disabled"] == json!(true);
    let rolled = roll_up(row, &policy, &[], disabled, &row["replicated_compliance"]);
    same(&serde_json::to_value(rolled.status).unwrap(), &row["expected_root_status"])
}

#[test]
fn root_policies_roll_up() {
    let results: Vec<_> =
        cases::rows("aggregation/root_status.jsonl").iter().map(|row| (id(row), root(row))).collect();
    cases::all_agree("aggregation/root", &results);
}

fn policy_set(row: &Value) -> Result<(), String> {
    let name: String = read(&row["policyset"]);
    let set: PolicySet = read(&json!({"metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"policies": row["spec_policies"], "exclusions": row["spec_exclusions"]}}));
    let policies: Vec<(&str, Option<(bool, Rolled)>)> = set
        .spec
        .policies
        .iter()
        .map(|policy| {
            let existing = &row["existing_policies"][policy.as_str()];
            let found = existing.is_object().then(|| {
                let disabled = existing["disabled"] == json!(true);
                let compliance = &existing["replicated_compliance"];
                (disabled, roll_up(row, policy, std::slice::from_ref(&set), disabled, compliance))
            });
            (policy.as_str(), found)
        })
        .collect();
    let placement: BTreeSet<PlacementStatusEntry> = policies
        .iter()
        .filter_map(|(_, found)| found.as_ref())
        .flat_map(|(_, rolled)| rolled.placement.iter().filter(|entry| entry.policy_set == name))
        .map(|entry| PlacementStatusEntry {
            placement_binding: entry.placement_binding.clone(),
            placement: entry.placement.clone(),
            ..PlacementStatusEntry::default()
        })
        .collect();
    let placements = decisions(row);
    let clusters: BTreeSet<&str> = placement
        .iter()
        .filter_map(|entry| placements.get(&entry.placement))
        .flatten()
        .map(String::as_str)
        .collect();
    let reports: Vec<(&str, PolicyInSet<'_>)> = policies
        .iter()
        .map(|(policy, found)| {
            let known = match found {
                None => PolicyInSet::Missing,
                Some((true, _)) => PolicyInSet::Disabled,
                Some((false, rolled)) => {
                    PolicyInSet::Present(rolled.status.status.as_slice() as &[ClusterStatus])
                }
            };
            (*policy, known)
        })
        .collect();
    let placement: Vec<PlacementStatusEntry> = placement.into_iter().collect();
    let status = policy_set_status(&set, &reports, &placement, &clusters);
    same(&serde_json::to_value(status).unwrap(), &row["expected_policyset_status"])
}

#[test]
fn policy_sets_roll_up() {
    let results: Vec<_> = cases::rows("aggregation/policyset_status.jsonl")
        .iter()
        .map(|row| (id(row), policy_set(row)))
        .collect();
    cases::all_agree("aggregation/policyset", &results);
}
