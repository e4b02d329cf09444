//! Folders of clusters and short names: what is decided, and what comes of it on a cluster.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Decision;
use super::tests::{after, decided, good, manifest, own_templates, source, with};
use crate::api::object::Manifest;
use crate::pipeline::render::tests::Snapshot;
use crate::pipeline::render::{ClusterContext, HubContext, Renderer};

const STYLE: &str = "storagePrefixStyle";

fn style(decision: &Decision) -> Option<&str> {
    assert_eq!(decision.faults, [""; 0]);
    decision.desired[0].text_at(&["data", STYLE])
}

/// What is said of the change of the style.
fn said(decision: &Decision) -> Vec<&str> {
    let warnings = decision.warnings.iter().map(String::as_str);
    warnings.filter(|warning| warning.starts_with(STYLE)).collect()
}

fn prefix(decision: &Decision) -> Value {
    let spec = decision.desired[0].text_at(&["data", "dpaSpec"]).unwrap();
    let spec = crate::yaml::read_documents(spec).unwrap().remove(0);
    spec["backupLocations"][0]["velero"]["objectStorage"]["prefix"].clone()
}

#[test]
fn a_new_configuration_gives_each_cluster_a_folder() {
    let decision = decided(&[source(&good())], &[]);
    assert_eq!(style(&decision), Some("per-cluster"));
    assert_eq!(prefix(&decision), "p/$(cluster)");
    assert_eq!(said(&decision), [""; 0]);
    for object in &decision.desired {
        let expected = matches!(object.kind(), "Policy" | "PolicySet").then_some("per-cluster");
        assert_eq!(object.annotation("flotilla.dev/storage-prefix-style"), expected);
    }
    let (copy, objects) = after(&decision);
    assert_eq!(decided(&[source(&good()), copy.clone()], &objects), decision, "once is enough");
    let broken = decided(&[source(&with(&[("backupTTL", "10d")])), copy], &objects);
    assert_eq!(prefix(&broken), "p/$(cluster)");
    assert_eq!(broken.desired.len(), decision.desired.len());
}

#[test]
fn what_runs_is_not_moved_by_a_default() {
    let (copy, objects) = after(&decided(&[source(&with(&[(STYLE, "shared")]))], &[]));
    let kept = decided(&[source(&good()), copy], &objects);
    assert_eq!((style(&kept), prefix(&kept)), (Some("shared"), json!("p")));
    assert_eq!(said(&kept), [""; 0]);

    // The copy is lost; so are ConfigMap, copy and policies, but the replicated policies are there; applied by hand.
    let kept = decided(&[source(&good())], &objects);
    assert_eq!(style(&kept), Some("shared"), "told by what is rendered");
    let policy = |namespace: &str, name: &str, annotations: Value, labels: Value| {
        manifest(json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy", "metadata":
            {"name": name, "namespace": namespace, "annotations": annotations, "labels": labels}}))
    };
    let root = json!({"policy.open-cluster-management.io/root-policy": "ns.oadp-hdr-app-install"});
    let from = |namespace: &str, style: Option<&str>| {
        let mut annotations = json!({"flotilla.dev/rendered-from": format!("{namespace}/hdr-app-configmap")});
        if let Some(style) = style {
            annotations["flotilla.dev/storage-prefix-style"] = json!(style);
        }
        policy("c1", "ns.oadp-hdr-app-install", annotations, root.clone())
    };
    for (present, expected) in [
        (from("ns", None), "shared"),
        (from("ns", Some("shared")), "shared"),
        (from("ns", Some("per-cluster")), "per-cluster"),
        (from("another", None), "per-cluster"),
        (policy("ns", "oadp-hdr-app-restore", json!({}), json!({})), "shared"),
        (policy("ns", "of-somebody", json!({}), json!({})), "per-cluster"),
    ] {
        let decision = decided(&[source(&good())], std::slice::from_ref(&present));
        assert_eq!(style(&decision), Some(expected), "{:?}", present.to_value());
        assert_eq!(decision.surplus, []);
    }
}

#[test]
fn a_change_of_the_style_is_made_and_said() {
    let (copy, objects) = after(&decided(&[source(&with(&[(STYLE, "shared")]))], &[]));
    let moved = decided(&[source(&with(&[(STYLE, "per-cluster")])), copy], &objects);
    assert_eq!((style(&moved), prefix(&moved)), (Some("per-cluster"), json!("p/$(cluster)")));
    let warnings = said(&moved);
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.contains("no cluster sees them any more"), "{warning}");
    let (copy, objects) = after(&moved);
    let settled = decided(&[source(&with(&[(STYLE, "per-cluster")])), copy.clone()], &objects);
    assert_eq!(said(&settled), [""; 0], "it is said once");
    let back = decided(&[source(&with(&[(STYLE, "shared")])), copy], &objects);
    assert_eq!((style(&back), prefix(&back)), (Some("shared"), json!("p")));
    assert!(said(&back)[0].contains("write another prefix"), "{:?}", back.warnings);
}

#[test]
fn the_folder_of_the_cluster_comes_last() {
    let spec = |prefix: &str| good()["dpaSpec"].replace("prefix: p", &format!("prefix: {prefix}"));
    for (given, expected) in
        [("a/b/", "a/b/$(cluster)"), ("$(cluster)", "$(cluster)"), ("a/$(cluster)/", "a/$(cluster)")]
    {
        let decision = decided(&[source(&with(&[("dpaSpec", &spec(given))]))], &[]);
        assert_eq!(style(&decision), Some("per-cluster"));
        assert_eq!(prefix(&decision), expected, "{given}");
    }
    for (style, given, expected) in [
        ("per-cluster", "a/$(cluster)/b", "in the middle of its prefix \"a/$(cluster)/b\""),
        ("per-cluster", "a-$(cluster)", "in the middle of its prefix"),
        ("shared", "a/$(cluster)", "storagePrefixStyle shared is in force"),
    ] {
        let data = with(&[("dpaSpec", &spec(given)), (STYLE, style)]);
        let complaint = decided(&[source(&data)], &[]).complaint().unwrap();
        assert!(complaint.contains(expected), "{given}: {complaint}");
    }
    let templates = own_templates(&json!({"oadp-hdr-app-install.yaml.hbs":
        "apiVersion: policy.open-cluster-management.io/v1\nkind: Policy\nmetadata: {name: own}\nspec: {x: '\\{{hub \
         fromConfigMap \"\" \"{{configMap}}\" \"dpaSpec\" hub}}'}\n"}));
    let unaware = decided(&[source(&with(&[("templates", "mine")])), templates.clone()], &[]);
    let complaint = unaware.complaint().unwrap();
    assert!(
        complaint.contains("Policy own reads dpaSpec and would bring the literal $(cluster)"),
        "{complaint}"
    );
    let shared = decided(&[source(&with(&[("templates", "mine"), (STYLE, "shared")])), templates], &[]);
    assert_eq!(style(&shared), Some("shared"));
}

/// The rendered policies of a configuration, and its copy.
fn rendered(data: &BTreeMap<String, String>) -> Vec<Manifest> {
    let decision = decided(&[source(data)], &[]);
    assert_eq!(decision.faults, [""; 0]);
    decision.desired
}

/// One check of a rendered policy on a cluster: its object templates, or the words of the failure.
fn on_cluster(
    rendered: &[Manifest],
    (policy, check): (&str, &str),
    (cluster, labels): (&str, &[(&str, &str)]),
    objects: &[Value],
) -> Result<Vec<Value>, String> {
    let policy = rendered.iter().find(|object| object.name() == Some(policy)).unwrap();
    let templates = policy.at(&["spec", "policy-templates"]).unwrap().as_array().unwrap();
    let definition = templates
        .iter()
        .map(|template| &template["objectDefinition"])
        .find(|definition| definition["metadata"]["name"] == check)
        .unwrap();
    let context = HubContext {
        cluster: cluster.to_owned(),
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        policy_metadata: json!({"name": policy.name(), "namespace": "ns"}),
        policy_namespace: "ns".to_owned(),
        ..HubContext::default()
    };
    let hub = Snapshot::of([rendered[0].to_value()]);
    let renderer = Renderer::new();
    let on_hub = renderer.hub_phase(definition, &context, &hub).0.map_err(|error| error.to_string())?;
    let context = ClusterContext {
        cluster: cluster.to_owned(),
        claims: BTreeMap::from([("id.openshift.io".to_owned(), "id".to_owned())]),
        ..ClusterContext::default()
    };
    let there = Snapshot::of(objects.iter().cloned());
    let on_cluster =
        renderer.cluster_phase(&on_hub.definition, &context, &there).0.map_err(|error| error.to_string())?;
    on_cluster
        .object_templates
        .into_iter()
        .map(|entry| {
            let entry = entry.map_err(|error| error.to_string())?;
            Ok(entry.resolved().unwrap()["objectDefinition"].clone())
        })
        .collect()
}

fn own_location(cluster: &str) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
        "metadata": {"name": "dpa-1", "namespace": "velero-ns", "labels": {"openshift.io/oadp": "True"}},
        "spec": {"provider": "aws", "default": true, "config": {"region": "us-east-1"},
            "credential": {"name": "cloud-credentials", "key": "cloud"},
            "objectStorage": {"bucket": "b", "prefix": format!("p/{cluster}")}}})
}

#[test]
fn a_cluster_stores_under_its_own_name() {
    let rendered = rendered(&good());
    for cluster in ["c1", "c2"] {
        let application =
            on_cluster(&rendered, ("oadp-hdr-app-install", "create-oadp-dpa-resource"), (cluster, &[]), &[]);
        let spec = &application.unwrap()[0]["spec"];
        let location = &spec["backupLocations"][0]["velero"]["objectStorage"];
        assert_eq!(location, &json!({"bucket": "b", "prefix": format!("p/{cluster}")}));
    }
}

#[test]
fn the_location_of_the_source_is_that_of_the_cluster_with_another_folder() {
    let rendered = rendered(&good());
    let check = ("oadp-hdr-app-restore", "create-source-location");
    let backup = "velero.io/v1";
    let restore = |name: &str, from: Option<&str>, objects: &[Value]| {
        let mut labels = vec![("acm-app-restore", name)];
        labels.extend(from.map(|from| ("flotilla.dev/restore-from", from)));
        on_cluster(&rendered, check, ("c3", &labels), objects)
    };
    let long = "c".repeat(63);
    let cut = format!("dpa-from-{}-", "c".repeat(43));
    for (name, from, location, prefix) in [
        ("acm-app-dpa-1-c1-20261122010203", None, "dpa-from-c1", "p/c1"),
        ("acm-app-dpa-1-c-1-20261122010203", None, "dpa-from-c-1", "p/c-1"),
        ("anything", Some("gone"), "dpa-from-gone", "p/gone"),
        ("acm-app-dpa-1-c1-20261122010203", Some("c2"), "dpa-from-c2", "p/c2"),
        ("anything", Some(long.as_str()), cut.as_str(), "p/ccc"),
    ] {
        let made = restore(name, from, &[own_location("c3")]).unwrap();
        let [made] = made.as_slice() else { panic!("{made:?}") };
        let told = made["metadata"]["name"].as_str().unwrap();
        assert!(told == location || (told.starts_with(location) && told.len() == 63), "{told}");
        let stored = made["spec"]["objectStorage"]["prefix"].as_str().unwrap();
        assert!(stored == prefix || stored == format!("p/{long}"), "{stored}");
        assert_eq!(made["spec"]["accessMode"], "ReadOnly");
        assert_eq!(made["spec"]["default"], Value::Null);
        for field in ["provider", "config", "credential"] {
            assert_eq!(made["spec"][field], own_location("c3")["spec"][field], "{field}");
        }
        assert_eq!(made["spec"]["objectStorage"]["bucket"], "b");
        assert!(made["metadata"]["labels"]["flotilla.dev/restore-from"].is_string());
    }
    let own = restore("acm-app-dpa-1-c3-20261122010203", None, &[own_location("c3")]);
    assert_eq!(own, Ok(vec![]), "its own backups are there already");
    let shortened = format!("acm-app-dpa-1-{}-0123456789-20261122010203", "c".repeat(23));
    for name in ["by-hand", "other-dpa-1-c1-20261122010203", &shortened] {
        let error = restore(name, None, &[own_location("c3")]).unwrap_err();
        assert!(error.contains("does not tell which cluster made it: name that cluster"), "{error}");
        let known = json!({"apiVersion": backup, "kind": "Backup", "metadata": {"name": name, "namespace": "velero-ns"}});
        assert_eq!(
            restore(name, None, &[own_location("c3"), known]),
            Ok(vec![]),
            "what is known is restored"
        );
    }
    let name = "acm-app-dpa-1-c1-20261122010203";
    assert_eq!(restore(name, None, &[]), Ok(vec![]), "Velero is not there yet");
    let error = restore(name, None, &[own_location("shared")]).unwrap_err();
    assert!(error.contains("does not store under the cluster's own name yet"), "{error}");
}

/// The name of the Schedule on a cluster, as each check of the policy that names it does.
fn schedule_name(data: &BTreeMap<String, String>, cluster: &str) -> String {
    let rendered = rendered(data);
    let schedule =
        on_cluster(&rendered, ("oadp-hdr-app-backup", "create-schedule-resource"), (cluster, &[]), &[])
            .unwrap();
    let name = schedule[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let completed =
        on_cluster(&rendered, ("oadp-hdr-app-backup", "check-backup-completed"), (cluster, &[]), &[])
            .unwrap();
    assert_eq!(completed[0]["metadata"]["labels"]["velero.io/schedule-name"], name.as_str());
    name
}

fn named(prefix: &str, location: &str) -> BTreeMap<String, String> {
    let mut data = with(&[("backupNameStyle", "short"), ("backupPrefix", prefix)]);
    data.insert("backupVolumeSnapshotLocation".to_owned(), location.to_owned());
    if location.is_empty() {
        data.insert("backupSnapshotVolumes".to_owned(), "false".to_owned());
        data.insert("restoreRestorePVs".to_owned(), "false".to_owned());
    }
    data
}

#[test]
fn a_name_that_fits_stays_and_a_longer_one_is_cut() {
    let cluster = "production-frankfurt-eu-central-1";
    assert_eq!(
        schedule_name(&named("acm-pv", "dpa-1"), cluster),
        "acm-pv-dpa-1-production-frankfurt-eu-central-1"
    );
    // sha256 of "acm-stateful/dpa-1/production-frankfurt-eu-central-1".
    let digest = "5d5b43a66c";
    assert_eq!(
        schedule_name(&named("acm-stateful", "dpa-1"), cluster),
        format!("acm-stateful-dpa-1-production-frankf-{digest}")
    );
    let legacy = with(&[("backupPrefix", "acm-stateful")]);
    assert_eq!(
        schedule_name(&legacy, cluster),
        format!("acm-stateful-dpa-1-{cluster}"),
        "legacy names are refused elsewhere"
    );
}

fn part() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Short names are names, are never too long, and no two clusters or prefixes have the same.
    #[test]
    fn short_names_are_short_valid_stable_and_distinct(
        prefixes in prop::collection::btree_set("[a-z]([a-z0-9-]{0,18}[a-z0-9])?", 1..3),
        clusters in prop::collection::btree_set(part(), 1..4),
    ) {
        let valid = regex::Regex::new("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$").unwrap();
        let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
        for prefix in &prefixes {
            for cluster in &clusters {
                let name = schedule_name(&named(prefix, "dpa-1"), cluster);
                prop_assert!(name.len() <= 47, "{name}");
                prop_assert!(valid.is_match(&name), "{name}");
                prop_assert_eq!(&schedule_name(&named(prefix, "dpa-1"), cluster), &name);
                let full = format!("{prefix}-dpa-1-{cluster}");
                prop_assert_eq!(name == full, full.len() <= 47, "{}", full);
                let of = (prefix.clone(), cluster.clone());
                if full.len() > 47 {
                    let other = seen.insert(name.clone(), of.clone());
                    prop_assert!(other.is_none(), "{name}: {other:?} and {of:?}");
                }
            }
        }
    }
}
