//! What comparing finds, from tables worked out by hand.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const MUST_HAVE: Rules = Rules { compliance: ComplianceType::MustHave, metadata: None };
const MUST_ONLY_HAVE: Rules = Rules { compliance: ComplianceType::MustOnlyHave, metadata: None };

fn manifest(value: Value) -> Manifest {
    Manifest::parse(value).unwrap()
}

fn schedule(spec: &Value) -> Manifest {
    manifest(json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "acm-restic", "namespace": "backup"}, "spec": spec}))
}

fn plain(desired: &Manifest, existing: &Manifest, rules: Rules) -> Comparison {
    compare(desired, existing, &rules, &WrittenLists::default())
}

fn difference(comparison: Comparison) -> Difference {
    match comparison {
        Comparison::Different(difference) => difference,
        other => panic!("expected a difference, found {other:?}"),
    }
}

#[derive(Debug, PartialEq)]
enum Found {
    Same,
    OnlyZeros,
    Differs,
}

fn found(comparison: Comparison) -> Found {
    match comparison {
        Comparison::Same => Found::Same,
        Comparison::Different(difference) if difference.only_absent_zeros => Found::OnlyZeros,
        Comparison::Different(_) => Found::Differs,
        Comparison::Invalid(fault) => panic!("{fault}"),
    }
}

#[rstest]
#[case::extra_fields_stay(json!({"schedule": "0 1 * * *"}), json!({"schedule": "0 1 * * *", "skipImmediately": false}), Found::Same, Found::Differs)]
#[case::another_value(json!({"schedule": "0 1 * * *"}), json!({"schedule": "0 2 * * *"}), Found::Differs, Found::Differs)]
#[case::quantities(json!({"memory": "1024Mi"}), json!({"memory": "1Gi"}), Found::Same, Found::Same)]
#[case::a_quantity_is_no_number(json!({"port": "80"}), json!({"port": 80}), Found::Differs, Found::Differs)]
#[case::a_number_may_be_text(json!({"port": 80}), json!({"port": "80"}), Found::Same, Found::Same)]
#[case::false_is_absent(json!({"paused": false}), json!({}), Found::OnlyZeros, Found::OnlyZeros)]
#[case::true_is_not(json!({"paused": true}), json!({}), Found::Differs, Found::Differs)]
#[case::empty_text_is_not_absent(json!({"phase": ""}), json!({}), Found::Differs, Found::Differs)]
#[case::empty_list_is_absent(json!({"list": []}), json!({}), Found::OnlyZeros, Found::OnlyZeros)]
#[case::empty_map_is_not_absent(json!({"map": {}}), json!({}), Found::Differs, Found::Differs)]
#[case::null_is_absent(json!({"map": null}), json!({}), Found::Same, Found::Same)]
#[case::null_keeps_a_map(json!({"map": null}), json!({"map": {"a": 1}}), Found::Same, Found::Differs)]
#[case::null_clears_a_scalar(json!({"priority": null}), json!({"priority": 10}), Found::Differs, Found::Differs)]
#[case::order_of_lists(json!({"list": ["a", "b"]}), json!({"list": ["b", "a"]}), Found::Same, Found::Same)]
#[case::a_longer_list(json!({"list": ["a"]}), json!({"list": ["b", "a"]}), Found::Same, Found::Differs)]
#[case::a_shorter_list(json!({"list": ["a", "b"]}), json!({"list": ["a"]}), Found::Differs, Found::Differs)]
#[case::duplicates_count(json!({"list": ["a", "a"]}), json!({"list": ["a"]}), Found::Differs, Found::Differs)]
#[case::an_entry_may_hold_more(json!({"list": [{"a": 1}]}), json!({"list": [{"a": 1, "b": 2}]}), Found::Same, Found::Differs)]
#[case::no_greedy_choice(json!({"list": [{"a": 1}, {"a": 1, "b": 2}]}), json!({"list": [{"a": 1, "b": 2}, {"a": 1}]}), Found::Same, Found::Same)]
#[case::room_is_made(json!({"list": [{"a": 1}, {"b": 1}]}), json!({"list": [{"a": 1, "b": 1}, {"a": 1, "c": 1}]}), Found::Same, Found::Differs)]
#[case::set_before_absent(json!({"list": [{"k": 1}, {"k": 1, "f": false}]}), json!({"list": [{"k": 1, "y": 1}, {"k": 1, "f": false, "x": 1}]}), Found::Same, Found::Differs)]
#[case::a_map_is_no_list(json!({"x": {"a": 1}}), json!({"x": [1]}), Found::Differs, Found::Differs)]
#[case::included_namespaces_are_velero_s_own(json!({"template": {"ttl": "1h"}}), json!({"template": {"ttl": "1h", "includedNamespaces": ["*"]}}), Found::Same, Found::Differs)]
fn fields(#[case] desired: Value, #[case] existing: Value, #[case] at_least: Found, #[case] exactly: Found) {
    let (desired, existing) = (schedule(&desired), schedule(&existing));
    assert_eq!(found(plain(&desired, &existing, MUST_HAVE)), at_least, "musthave");
    assert_eq!(found(plain(&desired, &existing, MUST_ONLY_HAVE)), exactly, "mustonlyhave");
}

#[test]
fn named_entries_are_merged_and_others_joined() {
    let desired =
        schedule(&json!({"containers": [{"name": "web", "image": "2"}], "rules": [{"verbs": ["get"]}]}));
    let existing = schedule(
        &json!({"containers": [{"name": "side", "image": "9"}, {"name": "web", "image": "1", "port": 80}],
        "rules": [{"verbs": ["get", "list"]}, {"urls": ["/x"]}]}),
    );
    let merged = difference(plain(&desired, &existing, MUST_HAVE)).merged;
    assert_eq!(
        merged.at(&["spec"]).unwrap(),
        &json!({"containers": [{"name": "web", "image": "2", "port": 80}, {"name": "side", "image": "9"}],
            "rules": [{"verbs": ["get", "list"]}, {"urls": ["/x"]}]})
    );
}

#[test]
fn a_status_is_reported_and_not_written() {
    let desired = manifest(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Running"}}),
    );
    let existing = manifest(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "resourceVersion": "7"},
        "status": {"phase": "Failed", "reason": "x"}}),
    );
    let difference = difference(plain(&desired, &existing, MUST_HAVE));
    assert!(difference.status_mismatch && !difference.spec_mismatch);
    assert_eq!(difference.merged.at(&["status"]).unwrap(), &json!({"phase": "Running", "reason": "x"}));
    assert_eq!(merge_patch(&existing, &difference.merged), None);
}

#[test]
fn a_clash_of_types_is_the_templates_fault() {
    let desired =
        manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": ["a"], "metadata": {"name": "c"}}));
    let existing = manifest(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "metadata": {"name": "c"}}),
    );
    let Comparison::Invalid(fault) = plain(&desired, &existing, MUST_HAVE) else { panic!("no fault found") };
    assert_eq!(
        fault.to_string(),
        "Error merging changes into key \"data\": object type of template and existing do not match"
    );
    assert!(!matches(&desired, &existing, &MUST_HAVE));
}

#[test]
fn texts_of_config_maps_and_labels_are_no_quantities() {
    let config_map = |version: &str| {
        manifest(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"version": version}, "metadata": {"name": "c"}}),
        )
    };
    assert_eq!(found(plain(&config_map("1.1"), &config_map("1.10"), MUST_HAVE)), Found::Differs);
    let labelled = |version: &str| {
        manifest(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"version": version}}}),
        )
    };
    assert_eq!(found(plain(&labelled("1.1"), &labelled("1.10"), MUST_HAVE)), Found::Differs);
}

fn namespace(metadata: &Value) -> Manifest {
    manifest(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
}

#[test]
fn must_only_have_metadata_keeps_what_others_must_keep() {
    let desired = namespace(&json!({"name": "n", "annotations": {"mine": "1"}}));
    let existing = namespace(
        &json!({"name": "n", "uid": "u", "labels": {"theirs": "no difference alone"}, "annotations": {
        "mine": "1", "theirs": "2", "openshift.io/sa.scc.mcs": "s0", LAST_APPLIED: "{}"}}),
    );
    let rules = Rules { metadata: Some(MetadataComplianceType::MustOnlyHave), ..MUST_HAVE };
    assert_eq!(found(plain(&desired, &existing, MUST_HAVE)), Found::Same);
    let merged = difference(plain(&desired, &existing, rules)).merged;
    assert_eq!(
        merged.at(&["metadata"]).unwrap(),
        &json!({"name": "n", "uid": "u", "annotations": {
            "mine": "1", "openshift.io/sa.scc.mcs": "s0", LAST_APPLIED: "{}"}})
    );
    assert_eq!(found(plain(&desired, &merged, rules)), Found::Same);
    let only_labels_more = namespace(
        &json!({"name": "n", "labels": {"theirs": "no difference alone"}, "annotations": {"mine": "1"}}),
    );
    assert_eq!(found(plain(&desired, &only_labels_more, rules)), Found::Same);
}

#[test]
fn must_only_have_removes_top_level_fields() {
    let desired = manifest(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}}));
    let existing = manifest(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "b", "resourceVersion": "3"}, "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "Group", "name": "g"}]}));
    assert_eq!(found(plain(&desired, &existing, MUST_HAVE)), Found::Same);
    let merged = difference(plain(&desired, &existing, MUST_ONLY_HAVE)).merged;
    assert_eq!(
        merge_patch(&existing, &merged),
        Some(json!({"subjects": null, "metadata": {"resourceVersion": "3"}}))
    );
}

fn secret(fields: &Value) -> Manifest {
    let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
    for (key, value) in fields.as_object().unwrap() {
        object[key] = value.clone();
    }
    manifest(object)
}

#[test]
fn plain_text_of_a_secret_is_compared_with_its_data() {
    let desired = secret(&json!({"stringData": {"cloud": "key=1"}}));
    let same = secret(&json!({"data": {"cloud": "a2V5PTE=", "other": "eA=="}}));
    assert_eq!(plain(&desired, &same, MUST_HAVE), Comparison::Same);
    assert_eq!(found(plain(&desired, &same, MUST_ONLY_HAVE)), Found::Differs);
    let other = secret(&json!({"data": {"cloud": "b2xk"}}));
    let merged = difference(plain(&desired, &other, MUST_HAVE)).merged;
    assert_eq!(merge_patch(&other, &merged), Some(json!({"data": {"cloud": "a2V5PTE="}})));
    let debug = format!("{:?}", plain(&desired, &other, MUST_HAVE));
    assert!(!debug.contains("a2V5PTE=") && debug.contains("Secret"), "{debug}");
    let shown = diff(Some(&other), &merged, Redaction::Secrets);
    assert!(shown.contains("-  cloud: <redacted 1>\n+  cloud: <redacted 2>\n"), "{shown}");
    assert_eq!(written_lists(&secret(&json!({"data": {"list": ["x"]}}))), WrittenLists::default());
}

#[rstest]
#[case::velero_waits(json!({"status": {"phase": "Completed"}}), true)]
#[case::another_phase(json!({"status": {"phase": "Failed"}}), false)]
#[case::explicit_empty_phase(json!({"status": {"phase": ""}}), false)]
#[case::absent_field_of_any_kind(json!({"status": {"phase": "Completed", "errors": 0, "map": {}}}), true)]
#[case::listed_condition(json!({"status": {"conditions": [{"type": "Reconciled", "reason": "Complete"}]}}), true)]
#[case::label(json!({"metadata": {"labels": {"a": "1"}}}), true)]
#[case::another_label(json!({"metadata": {"labels": {"a": "2"}}}), false)]
fn unnamed_templates(#[case] fields: Value, #[case] expected: bool) {
    let mut desired = json!({"apiVersion": "velero.io/v1", "kind": "Backup"});
    for (key, value) in fields.as_object().unwrap() {
        desired[key] = value.clone();
    }
    let existing = manifest(json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": "b", "labels": {"a": "1"}},
        "status": {"phase": "Completed", "conditions": [{"type": "Reconciled", "reason": "Complete", "message": "m"}]}}));
    assert_eq!(matches(&manifest(desired), &existing, &MUST_HAVE), expected);
}

/// Feature row A90: the region of a snapshot location changes, and one location remains.
#[test]
fn a_changed_entry_replaces_its_predecessor() {
    let with_region = |region: &str| {
        manifest(json!({"apiVersion": "oadp.openshift.io/v1alpha1", "kind": "DataProtectionApplication",
            "metadata": {"name": "dpa", "namespace": "backup"},
            "spec": {"snapshotLocations": [{"velero": {"provider": "aws", "config": {"region": region}}}]}}))
    };
    let (v1, v2) = (with_region("us-east-1"), with_region("us-east-2"));
    let mut observed = v1.to_value();
    let theirs = json!({"velero": {"provider": "gcp"}});
    observed["spec"]["snapshotLocations"].as_array_mut().unwrap().insert(0, theirs.clone());
    let observed = manifest(observed);
    let ours = |object: &Manifest| object.at(&["spec", "snapshotLocations"]).unwrap().clone();

    let upstream = difference(plain(&v2, &observed, MUST_HAVE)).merged;
    assert_eq!(ours(&upstream).as_array().unwrap().len(), 3, "without a record both stay");

    let merged = difference(compare(&v2, &observed, &MUST_HAVE, &written_lists(&v1))).merged;
    assert_eq!(ours(&merged), json!([ours(&v2)[0], theirs]));
    assert_eq!(compare(&v2, &merged, &MUST_HAVE, &written_lists(&v2)), Comparison::Same);
}

#[test]
fn a_list_that_is_emptied_is_emptied_and_one_no_longer_named_stays() {
    let v1 = schedule(&json!({"a": ["x"], "b": ["x"]}));
    let v2 = schedule(&json!({"a": []}));
    let merged = difference(compare(&v2, &v1, &MUST_HAVE, &written_lists(&v1))).merged;
    assert_eq!(merged.at(&["spec"]).unwrap(), &json!({"a": [], "b": ["x"]}));
}

#[test]
fn lists_of_named_entries_are_recorded_by_name() {
    let v1 = schedule(
        &json!({"containers": [{"name": "web", "args": ["--old", "--both"], "ports": [{"port": 80}]}]}),
    );
    let v2 = schedule(&json!({"containers": [{"name": "web", "args": ["--new", "--both"]}]}));
    let existing = schedule(&json!({"containers": [{"name": "web", "restart": true,
        "args": ["--theirs", "--old", "--both"], "ports": [{"port": 80}]}]}));
    let written = written_lists(&v1);
    assert_eq!(
        serde_json::to_value(&written).unwrap()["/spec/containers/[web]/args"],
        json!(["--old", "--both"])
    );
    assert_eq!(
        serde_json::from_value::<WrittenLists>(serde_json::to_value(&written).unwrap()).unwrap(),
        written
    );
    let merged = difference(compare(&v2, &existing, &MUST_HAVE, &written)).merged;
    assert_eq!(
        merged.at(&["spec", "containers"]).unwrap(),
        &json!([{"name": "web", "restart": true, "args": ["--new", "--both", "--theirs"], "ports": [{"port": 80}]}])
    );
}

#[test]
fn entries_are_recognised_with_the_servers_defaults() {
    let v1 = schedule(&json!({"ports": [{"port": 80}, {"port": 22}]}));
    let theirs = schedule(&json!({"ports": [{"port": 22, "protocol": "TCP"}]}));
    let answer =
        schedule(&json!({"ports": [{"port": 80, "protocol": "TCP"}, {"port": 22, "protocol": "TCP"}]}));
    let v2 = schedule(&json!({"ports": [{"port": 81}]}));

    let written = written_lists_after(&v1, Some(&theirs), &answer);
    let merged = difference(compare(&v2, &answer, &MUST_HAVE, &written)).merged;
    assert_eq!(
        merged.at(&["spec", "ports"]).unwrap(),
        &json!([{"port": 81}, {"port": 22, "protocol": "TCP"}]),
        "the entry that stood there before is not ours"
    );
}

#[test]
fn a_dry_run_is_judged_without_bookkeeping() {
    let object = |generation: u32, version: &str, schedule: &str| {
        manifest(json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "spec": {"schedule": schedule},
            "metadata": {"name": "s", "generation": generation, "resourceVersion": version,
                "managedFields": [{"operation": format!("{generation}")}]}}))
    };
    assert!(same_after_dry_run(&object(1, "5", "@daily"), &object(2, "6", "@daily")));
    assert!(!same_after_dry_run(&object(1, "5", "@daily"), &object(2, "6", "@hourly")));
    let mut applied = object(1, "5", "@daily").to_value();
    applied["metadata"]["annotations"] = json!({LAST_APPLIED: "{}"});
    assert!(same_after_dry_run(&manifest(applied), &object(1, "5", "@daily")));
}

#[test]
fn a_patch_says_only_what_changes() {
    let existing =
        manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"keep": "1", "change": "1"},
        "metadata": {"name": "c", "resourceVersion": "41"}}));
    let desired = manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"change": "2"},
        "metadata": {"name": "c", "labels": {"new": "label"}}}));
    let merged = difference(plain(&desired, &existing, MUST_HAVE)).merged;
    assert_eq!(
        merge_patch(&existing, &merged),
        Some(
            json!({"data": {"change": "2"}, "metadata": {"labels": {"new": "label"}, "resourceVersion": "41"}})
        )
    );
    assert_eq!(merge_patch(&existing, &existing), None);
}
