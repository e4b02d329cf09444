//! The room from outside: what stands in a namespace in, what should stand there out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::api::object::Manifest;
use crate::pipeline::config::types::InstallMode;
use crate::yaml;

const SECRET: &str = "W2RlZmF1bHRdCmF3c19zZWNyZXRfYWNjZXNzX2tleT1oaWRkZW4K";

/// A configuration that can be used.
pub(super) fn good() -> BTreeMap<String, String> {
    [
        ("backupNS", "velero-ns"),
        ("channel", "stable-1.5"),
        ("dpaAwsBackupCloudCredentials", SECRET),
        (
            "dpaSpec",
            "{backupLocations: [{velero: {provider: aws, default: true, config: {profile: default, region: us-east-1}, \
             credential: {name: cloud-credentials, key: cloud}, objectStorage: {bucket: b, prefix: p}}}], \
             snapshotLocations: [{velero: {provider: aws, config: {profile: default, region: us-east-1}}}], \
             configuration: {velero: {defaultPlugins: [openshift, aws]}}}",
        ),
        ("backupSnapshotVolumes", "true"),
        ("backupDefaultVolumesToRestic", "false"),
        ("backupVolumeSnapshotLocation", "dpa-1"),
        ("backupSchedule", "0 */1 * * *"),
        ("backupTTL", "240h0m0s"),
        ("backupNSToBackup", "[\"app\"]"),
        ("restoreRestorePVs", "true"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

pub(super) fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut data = good();
    data.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    data
}

pub(super) fn manifest(value: Value) -> Arc<Manifest> {
    Arc::new(Manifest::parse(value).unwrap())
}

pub(super) fn source(data: &BTreeMap<String, String>) -> Arc<Manifest> {
    manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {"name": "hdr-app-configmap", "namespace": "ns", "uid": "u1",
            "labels": {"flotilla.dev/protect": "true"}}}))
}

pub(super) fn decided(config_maps: &[Arc<Manifest>], present: &[Arc<Manifest>]) -> Decision {
    let config_map =
        |name: &str| config_maps.iter().find(|config_map| config_map.name() == Some(name)).cloned();
    decide(&Neighbourhood { namespace: "ns", config_map: &config_map, present })
}

/// The namespace after what was decided was done.
pub(super) fn after(decision: &Decision) -> (Arc<Manifest>, Vec<Arc<Manifest>>) {
    let mut objects: Vec<Arc<Manifest>> = decision.desired.iter().cloned().map(Arc::new).collect();
    (objects.remove(0), objects)
}

fn named(decision: &Decision) -> Vec<String> {
    decision.desired.iter().filter_map(|object| Some(object.key()?.to_string())).collect()
}

const ALL: [&str; 10] = [
    "ConfigMap ns/hdr-app-configmap-accepted",
    "Policy ns/oadp-hdr-app-install",
    "Policy ns/oadp-hdr-app-backup",
    "Policy ns/oadp-hdr-app-restore",
    "PolicySet ns/acm-app-backup",
    "PolicySet ns/acm-app-restore",
    "Placement ns/acm-app-backup-placement",
    "Placement ns/acm-app-restore-placement",
    "PlacementBinding ns/acm-app-backup-placement-binding",
    "PlacementBinding ns/acm-app-restore-placement-binding",
];

#[test]
fn one_config_map_gives_everything() {
    let decision = decided(&[source(&good())], &[]);
    assert_eq!(decision.faults, [""; 0]);
    assert_eq!(named(&decision), ALL);
    for object in &decision.desired {
        assert_eq!(object.annotation("flotilla.dev/rendered-from"), Some("ns/hdr-app-configmap"));
        assert_eq!(object.at(&["metadata", "ownerReferences"]).unwrap()[0]["uid"], "u1");
        let text = object.to_value().to_string();
        assert_eq!(text.contains(SECRET), object.kind() == "ConfigMap", "{}", object.kind());
        let reads_the_copy = !text.contains("\\\"hdr-app-configmap\\\"");
        assert!(reads_the_copy, "{text}");
    }
    let copy = &decision.desired[0];
    assert_eq!(copy.text_at(&["data", "dpaName"]), Some("dpa"), "defaults are filled in");
    assert_eq!(decided(&[source(&good())], &[]), decision, "the same values give the same objects");
}

#[test]
fn the_settings_choose_the_clusters() {
    let data = with(&[
        ("backupClusterSelector", "env=prod,tier in (a,b)"),
        ("restoreClusterSelector", "env=prod"),
        ("clusterSets", "[edge, core]"),
    ]);
    let decision = decided(&[source(&data)], &[]);
    assert_eq!(decision.faults, [""; 0]);
    let spec = |name: &str| {
        let placement = decision.desired.iter().find(|object| object.name() == Some(name)).unwrap();
        placement.at(&["spec"]).unwrap().clone()
    };
    let selector = |spec: &Value| spec["predicates"][0]["requiredClusterSelector"]["labelSelector"].clone();
    let backup = spec("acm-app-backup-placement");
    assert_eq!(backup["clusterSets"], json!(["edge", "core"]));
    assert_eq!(
        selector(&backup)["matchExpressions"],
        json!([{"key": "env", "operator": "In", "values": ["prod"]},
            {"key": "tier", "operator": "In", "values": ["a", "b"]}])
    );
    assert_eq!(
        selector(&spec("acm-app-restore-placement"))["matchExpressions"],
        json!([{"key": "env", "operator": "In", "values": ["prod"]},
            {"key": "acm-app-restore", "operator": "Exists"}]),
        "what to restore is always named by the label"
    );
}

#[test]
fn an_invalid_edit_leaves_the_last_good_version_in_force() {
    let (copy, objects) = after(&decided(&[source(&good())], &[]));
    let broken = with(&[("backupTTL", "10d"), ("backupSchedule", "0 0 1 1 *")]);
    let decision = decided(&[source(&broken), copy.clone()], &objects);
    assert_eq!(named(&decision), ALL);
    assert_eq!(decision.desired[0], *copy, "the copy does not take the edit");
    let complaint = decision.complaint().unwrap();
    assert!(
        complaint.contains("its last good version stays in force") && complaint.contains("backupTTL"),
        "{complaint}"
    );
    for object in &decision.desired {
        let told = object.annotation("flotilla.dev/configuration-fault");
        let expected = (object.kind() == "PolicySet").then_some(complaint.as_str());
        assert_eq!(told, expected, "{}", object.kind());
    }

    let first = decided(&[source(&broken)], &[]);
    assert_eq!(
        (first.desired.len(), first.surplus.len()),
        (0, 0),
        "a first version that is broken renders nothing"
    );
    assert!(first.complaint().unwrap().contains("nothing is rendered"));
    let lost = decided(&[source(&broken)], &objects);
    assert_eq!((lost.desired.len(), lost.surplus.len()), (0, 0), "without the copy, what is there stays");
}

#[test]
fn what_a_user_wrote_is_never_overwritten() {
    let own = manifest(json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
        "metadata": {"name": "oadp-hdr-app-backup", "namespace": "ns"}, "spec": {"policy-templates": []}}));
    let decision = decided(&[source(&good())], &[own]);
    assert_eq!(decision.desired.len(), ALL.len() - 1);
    assert!(!named(&decision).contains(&"Policy ns/oadp-hdr-app-backup".to_owned()));
    assert!(decision.occupied().unwrap().contains("Policy ns/oadp-hdr-app-backup"));
    assert_eq!(decision.surplus, []);
    let set = decision.desired.iter().find(|object| object.kind() == "PolicySet").unwrap();
    assert!(set.annotation("flotilla.dev/configuration-fault").unwrap().contains("oadp-hdr-app-backup"));

    let copy = manifest(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "hdr-app-configmap-accepted", "namespace": "ns"}, "data": {"mine": "x"}}));
    let decision = decided(&[source(&good()), copy], &[]);
    assert_eq!(decision.desired, [], "nothing would read the right copy");
    assert!(decision.complaint().unwrap().contains("hdr-app-configmap-accepted"));
}

#[test]
fn what_was_rendered_goes_with_its_config_map() {
    let (copy, objects) = after(&decided(&[source(&good())], &[]));
    let replica = manifest(json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
        "metadata": {"name": "other.p", "namespace": "ns", "annotations":
            {"flotilla.dev/rendered-from": "other/hdr-app-configmap"}}}));
    let own = manifest(json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
        "metadata": {"name": "mine", "namespace": "ns"}}));
    let mut present = objects.clone();
    present.extend([replica, own]);
    let unlabelled = manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": good(),
        "metadata": {"name": "hdr-app-configmap", "namespace": "ns", "uid": "u1"}}));
    for config_maps in [vec![copy.clone()], vec![copy.clone(), unlabelled]] {
        let decision = decided(&config_maps, &present);
        assert_eq!((decision.owner, decision.desired.len()), (Owner::Released, 0));
        let mut going: Vec<String> =
            decision.surplus.iter().filter_map(|object| Some(object.key()?.to_string())).collect();
        assert_eq!(going.remove(going.len() - 1), ALL[0], "the copy goes last");
        going.sort();
        let mut expected: Vec<String> = ALL[1..].iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(going, expected);
    }
}

#[test]
fn the_wishes_for_leaving_stand_on_the_policies() {
    let data = with(&[("onDeselect", "pause"), ("onDelete", "remove")]);
    let mut value = source(&data).to_value();
    value["metadata"]["annotations"] = json!({"flotilla.dev/allow-destructive": "true"});
    let decision = decided(&[manifest(value)], &[]);
    for policy in decision.desired.iter().filter(|object| object.kind() == "Policy") {
        assert_eq!(policy.annotation("flotilla.dev/on-deselect"), Some("pause"));
        assert_eq!(policy.annotation("flotilla.dev/on-delete"), Some("remove"));
        assert_eq!(policy.annotation("flotilla.dev/allow-destructive"), Some("true"));
    }
}

pub(super) fn own_templates(data: &Value) -> Arc<Manifest> {
    manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {"name": "mine", "namespace": "ns"}}))
}

#[test]
fn templates_of_the_user_take_the_place_of_ours_by_name() {
    let data = with(&[("templates", "mine"), ("team", "blue")]);
    let text = "apiVersion: policy.open-cluster-management.io/v1beta1\nkind: PolicySet\n\
        metadata:\n  name: acm-app-restore\nspec:\n  description: '{{own.team}} in {{settings.backupNS}} \\{{hub x hub}}'\n  \
        policies: []\n";
    let templates = own_templates(&json!({"acm-app-restore-policy-set.yaml.hbs": text}));
    let decision = decided(&[source(&data), templates], &[]);
    assert_eq!(decision.faults, [""; 0]);
    let set = decision.desired.iter().find(|object| object.name() == Some("acm-app-restore")).unwrap();
    assert_eq!(set.text_at(&["spec", "description"]), Some("blue in velero-ns {{hub x hub}}"));
    assert_eq!(decision.desired.len(), ALL.len() - 2, "its Placement and binding are no longer rendered");

    // The copy keeps the templates too: they stay in force while the newest do not come out.
    let (copy, objects) = after(&decision);
    let broken = own_templates(&json!({"acm-app-restore-policy-set.yaml.hbs": "{{nothing}}"}));
    let kept = decided(&[source(&data), broken, copy], &objects);
    assert_eq!(kept.desired.len(), decision.desired.len());
    assert!(
        kept.complaint().unwrap().contains("acm-app-restore-policy-set.yaml.hbs line 1"),
        "{:?}",
        kept.faults
    );
}

#[test]
fn a_template_that_does_not_come_out_is_told_with_its_line() {
    let deep = "{{#if own}}".repeat(9);
    let loops = "{{#each own}}{{#each ../own}}{{#each ../../own}}x{{/each}}{{/each}}{{/each}}";
    let rendered = |kind: &str| format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}\n");
    for (text, expected) in [
        ("a: b\nc: {{settings.backupNs}}\n".to_owned(), "line 2: settings.backupNs is not known; there are"),
        ("{{settings.dpaAwsBackupCloudCredentials}}".to_owned(), "line 1: settings.dpaAwsBackupCloudCredentials is not known"),
        ("a: '{{hub fromConfigMap \"\" \"x\" \"y\" hub}}'".to_owned(), "written with a backslash"),
        ("a: {{#if own}}".to_owned(), "is no Handlebars expression"),
        ("{{> other}}".to_owned(), "partials and decorators are not available"),
        ("{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}}".to_owned(), "partials and decorators are not available"),
        (deep, "blocks are nested more than 8 deep"),
        (loops.to_owned(), "more than 2 loops inside each other"),
        (format!("{{{{lookup {}own}}}}", "(".repeat(40)), "more than 32 brackets"),
        ("x".repeat(300_000), "is longer than 262144 bytes"),
        ("a: [".to_owned(), "what it renders is no YAML"),
        (rendered("Secret"), "renders a Secret of v1; only Policy ("),
        (
            "apiVersion: policy.open-cluster-management.io/v1\nkind: Policy\nmetadata: {name: a, namespace: b}\n".to_owned(),
            "renders a Policy into namespace b; leave the namespace out",
        ),
        (
            "apiVersion: policy.open-cluster-management.io/v1\nkind: Policy\nmetadata: {name: oadp-hdr-app-install}\n"
                .to_owned(),
            "renders Policy ns/oadp-hdr-app-install, which is there already",
        ),
    ] {
        let templates = own_templates(&json!({"oadp-hdr-app-backup.yaml.hbs": text}));
        let decision = decided(&[source(&with(&[("templates", "mine")])), templates], &[]);
        let complaint = decision.complaint().unwrap_or_default();
        assert!(complaint.contains("template oadp-hdr-app-backup.yaml.hbs"), "{text:.80}: {complaint}");
        assert!(complaint.contains(expected), "{text:.80}: {complaint}");
        assert!(!complaint.contains(SECRET), "{complaint}");
    }
    let misnamed = own_templates(&json!({"backup.yaml.hbs": ""}));
    let complaint = decided(&[source(&with(&[("templates", "mine")])), misnamed], &[]).complaint().unwrap();
    assert!(
        complaint
            .contains("there is no template of this name; name it as one of oadp-hdr-app-install.yaml.hbs"),
        "{complaint}"
    );
    let complaint = decided(&[source(&with(&[("templates", "mine")]))], &[]).complaint().unwrap();
    assert!(complaint.contains("there is no ConfigMap mine in namespace ns"), "{complaint}");
}

#[test]
fn the_mode_chooses_the_install_policy() {
    for mode in [InstallMode::Oadp, InstallMode::Velero, InstallMode::Existing] {
        let velero = json!({"version": "1.18.3", "roleBinding": "velero", "server": {}, "nodeAgent": null});
        let parameters = Parameters { install_mode: mode, velero, ..Parameters::default() };
        let rendered = render("ns", &parameters, &Overrides::default()).unwrap();
        let named = |kind: &str| -> Vec<&str> {
            rendered.iter().filter(|object| object.kind() == kind).filter_map(Manifest::name).collect()
        };
        let expected = install_policy(mode);
        assert_eq!(named("Policy"), [expected, "oadp-hdr-app-backup", "oadp-hdr-app-restore"]);
        for (set, other) in
            [("acm-app-backup", "oadp-hdr-app-backup"), ("acm-app-restore", "oadp-hdr-app-restore")]
        {
            let find = |name: &str| rendered.iter().find(|object| object.name() == Some(name)).unwrap();
            assert_eq!(find(set).at(&["spec", "policies"]).unwrap(), &json!([expected, other]));
            assert_eq!(find(other).at(&["spec", "dependencies"]).unwrap()[0]["name"], expected);
        }
    }
}

#[test]
fn an_install_policy_gives_way_to_one_that_installs() {
    let accepted = |mode: &str| {
        Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"installMode": mode}}))
            .unwrap()
    };
    for (policy, mode, expected) in [
        ("oadp-hdr-app-install", "velero", true),
        ("velero-hdr-app-install", "oadp", true),
        ("oadp-hdr-app-install", "oadp", false),
        ("oadp-hdr-app-install", "none", false),
        ("velero-hdr-app-install", "none", false),
        ("velero-hdr-app-check", "velero", false),
        ("oadp-hdr-app-backup", "velero", false),
    ] {
        assert_eq!(is_replaced(policy, &accepted(mode)), expected, "{policy} {mode}");
        let other = policy != "oadp-hdr-app-backup" && (policy, mode) != ("oadp-hdr-app-install", "oadp");
        assert_eq!(is_of_another_mode(policy, &accepted(mode)), other, "{policy} {mode}");
    }
}

/// `good`, for the hub to install Velero.
fn installed_by_the_hub() -> BTreeMap<String, String> {
    let specification = good()["dpaSpec"].replace("[openshift, aws]", "[aws, csi]").replace(
        "configuration: {",
        "configuration: {nodeAgent: {enable: true, uploaderType: kopia, podConfig: {labels: {note: \"{{hub x hub}}\"}}}, ",
    );
    with(&[("installMode", "velero"), ("dpaSpec", &specification)])
}

#[test]
fn the_hub_installs_velero() {
    let decision = decided(&[source(&installed_by_the_hub())], &[]);
    assert_eq!(decision.faults, [""; 0]);
    let policy =
        decision.desired.iter().find(|object| object.name() == Some("velero-hdr-app-install")).unwrap();
    let templates = policy.at(&["spec", "policy-templates"]).unwrap().as_array().unwrap();
    let raw = |name: &str| {
        let template =
            templates.iter().find(|template| template["objectDefinition"]["metadata"]["name"] == name);
        template.unwrap()["objectDefinition"]["spec"]["object-templates-raw"].as_str().unwrap().to_owned()
    };
    assert!(raw("create-velero-definitions").contains(r#"veleroDefinitions "1.18.3""#));
    assert!(raw("create-velero-account").contains("name: velero-velero-ns\n"));
    let server = raw("create-velero-deployment");
    assert!(
        server.contains("image: velero/velero:v1.18.3") && server.contains("--features=EnableCSI"),
        "{server}"
    );
    let agent = raw("create-node-agent-daemonset");
    assert!(!agent.contains("{{hub x"), "what a user wrote is no template: {agent}");
    assert!(agent.contains(r#"note: "\u007b\u007bhub x hub\u007d\u007d""#), "{agent}");
    let enforcing =
        |template: &&Value| template["objectDefinition"]["spec"]["remediationAction"] == "enforce";
    for template in templates.iter().filter(enforcing) {
        assert_eq!(template["extraDependencies"][0]["name"], "check-no-oadp", "{template}");
    }
    assert!(!policy.to_value().to_string().contains(SECRET));
    assert!(policy.to_value().to_string().len() < 40_000, "the definitions are not in the policy");

    let without =
        with(&[("installMode", "velero"), ("dpaSpec", &good()["dpaSpec"].replace("openshift, ", ""))]);
    let decision = decided(&[source(&without)], &[]);
    assert_eq!(decision.faults, [""; 0]);
    assert!(
        !decision.desired.iter().any(|object| object.to_value().to_string().contains("create-node-agent"))
    );
}

#[test]
fn what_the_hub_cannot_install_is_told() {
    for (key, value, expected) in [
        ("dpaSpec", good()["dpaSpec"].clone(), "the plugin openshift, which comes with OADP"),
        ("veleroVersion", "1.16.2".to_owned(), "is not a release that the hub can install"),
    ] {
        let mut data = installed_by_the_hub();
        data.insert(key.to_owned(), value);
        let complaint = decided(&[source(&data)], &[]).complaint().unwrap();
        assert!(complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn a_template_of_another_mode_waits_for_it() {
    let unused = "velero-hdr-app-check.yaml.hbs";
    let templates = own_templates(&json!({unused: "{{nothing}}"}));
    let decision = decided(&[source(&with(&[("templates", "mine")])), templates], &[]);
    assert_eq!((decision.faults.clone(), named(&decision)), (vec![], ALL.map(str::to_owned).to_vec()));
    assert_eq!(decision.desired[0].text_at(&["data", unused]), Some("{{nothing}}"), "it is kept");
}

#[test]
fn what_is_shipped_is_yaml_of_the_known_kinds() {
    for (file, text) in shipped_texts().unwrap() {
        for document in yaml::read_documents(&text).unwrap() {
            let kind = document["kind"].as_str().unwrap();
            assert!(KINDS.iter().any(|(_, known)| *known == kind), "{file}: {kind}");
        }
    }
}

proptest::proptest! {
    /// Whatever a user writes ends in objects or in a fault.
    #[test]
    fn no_template_is_too_strange(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "{{", "}}", "\\{{", "{{{", "}}}", "{{#if own}}", "{{/if}}", "{{else}}", "{{#each settings}}", "{{/each}}",
                "{{this}}", "{{@key}}", "{{@root.own}}", "{{../x}}", "{{#with own}}", "{{/with}}", "{{^}}", "{{!-- c --}}",
                "{{block own 4}}", "{{block own -1}}", "{{block own 1.5}}", "{{block}}", "{{lookup own 'a'}}", "{{lookup}}",
                "{{(a b)}}", "{{((a) b)}}", "{{a (b c=(d))}}", "{{#a as |b c|}}", "{{[x y]}}", "{{{{raw}}}}", "{{{{/raw}}}}",
                "{{~", "~}}", "{{len own}}", "{{len 3}}", "{{eq 1}}", "{{> p}}", "{{#> p}}", "{{* d}}", "a: b\n", "- ", "\u{e9}", " ", "\n",
            ]),
            0..14,
        )
    ) {
        let text = parts.concat();
        let overrides = Overrides::read(&BTreeMap::from([("oadp-hdr-app-backup.yaml.hbs".to_owned(), text)]));
        let _rendered = render("ns", &Parameters::default(), &overrides.unwrap());
    }
}
