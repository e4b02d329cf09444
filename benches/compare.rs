//! What comparing costs: the idle fleet compares everything that is watched and finds nothing to do.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use flotilla::api::object::Manifest;
use flotilla::api::ocm::configuration_policy::ComplianceType;
use flotilla::api::ocm::policy::{ComplianceState, PolicyStatus};
use flotilla::pipeline::compare::{
    Comparison, Rules, WrittenLists, compare, matches, merge_patch, written_lists,
};
use flotilla::pipeline::compliance::{ClusterReport, RootTally, root_status, update_cluster};
use serde_json::{Value, json};

const RULES: Rules = Rules { compliance: ComplianceType::MustHave, metadata: None };

fn manifest(value: Value) -> Option<Manifest> {
    Manifest::parse(value).ok()
}

fn schedule(cron: &str, namespaces: usize) -> Option<Manifest> {
    let namespaces: Vec<String> = (0..namespaces).map(|index| format!("application-{index}")).collect();
    manifest(json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "acm-restic", "namespace": "backup", "labels": {"app": "flotilla"}, "resourceVersion": "1"},
        "spec": {"schedule": cron, "template": {"includedNamespaces": namespaces, "ttl": "720h",
            "defaultVolumesToFsBackup": true, "storageLocation": "default"}}}))
}

fn rules_list(count: usize, reversed: bool) -> Option<Manifest> {
    let mut rules: Vec<Value> = (0..count)
        .map(|index| json!({"apiGroups": [format!("group-{index}")], "verbs": ["get", "list", "watch"]}))
        .collect();
    if reversed {
        rules.reverse();
        for rule in &mut rules {
            rule["resources"] = json!(["added"]);
        }
    }
    manifest(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "role"}, "rules": rules}))
}

fn comparing(criterion: &mut Criterion) {
    let none = WrittenLists::default();
    if let (Some(desired), Some(other)) = (schedule("0 1 * * *", 20), schedule("0 2 * * *", 20)) {
        let written = written_lists(&desired);
        criterion.bench_function("compare: same schedule", |bencher| {
            bencher.iter(|| black_box(compare(&desired, &desired, &RULES, &written)));
        });
        criterion.bench_function("compare: changed schedule and its patch", |bencher| {
            bencher.iter(|| match compare(&desired, &other, &RULES, &written) {
                Comparison::Different(difference) => black_box(merge_patch(&other, &difference.merged)),
                Comparison::Same | Comparison::Invalid(_) => None,
            });
        });
    }
    if let (Some(desired), Some(existing)) = (rules_list(100, false), rules_list(100, true)) {
        criterion.bench_function("compare: 100 unnamed entries in reverse", |bencher| {
            bencher.iter(|| black_box(compare(&desired, &existing, &RULES, &none)));
        });
    }
}

/// A template without a name looks at every object of the kind.
fn looking_through(criterion: &mut Criterion) {
    let backup = |index: usize| {
        manifest(json!({"apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"name": format!("backup-{index}"), "namespace": "backup", "labels": {"app": "flotilla"},
                "resourceVersion": index.to_string(), "uid": format!("uid-{index}")},
            "spec": {"includedNamespaces": [format!("application-{index}")], "ttl": "720h", "storageLocation": "default"},
            "status": {"phase": if index.is_multiple_of(2) { "Completed" } else { "Failed" }, "progress": {"itemsBackedUp": index}}}))
    };
    let existing: Vec<Manifest> = (0..1000).filter_map(backup).collect();
    let desired = manifest(json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"namespace": "backup", "labels": {"app": "flotilla"}},
        "spec": {"storageLocation": "default"}, "status": {"phase": "Failed"}}));
    if let Some(desired) = desired {
        criterion.bench_function("compare: 1000 objects under an unnamed check", |bencher| {
            bencher.iter(|| existing.iter().filter(|existing| matches(&desired, existing, &RULES)).count());
        });
    }
}

fn rolling_up(criterion: &mut Criterion) {
    let compliant = Some(ComplianceState::Compliant);
    let clusters = (0..5000).map(|index| (format!("cluster-{index:04}"), compliant)).collect();
    criterion.bench_function("root status: 5000 clusters from scratch", |bencher| {
        bencher.iter(|| black_box(root_status(&PolicyStatus::default(), &[], &clusters, &BTreeMap::new())));
    });
    let mut status = root_status(&PolicyStatus::default(), &[], &clusters, &BTreeMap::new());
    let mut tally = RootTally::of(&status.status);
    criterion.bench_function("root status: one cluster of 5000", |bencher| {
        bencher.iter(|| {
            for state in [Some(ComplianceState::NonCompliant), compliant] {
                black_box(update_cluster(
                    &mut status,
                    &mut tally,
                    "cluster-2500",
                    ClusterReport::Placed(state),
                ));
            }
        });
    });
}

criterion_group!(benches, comparing, looking_through, rolling_up);
criterion_main!(benches);
