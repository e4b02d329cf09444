//! `flotilla dryrun`: what it prints, how it ends, and what bad input gets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cli_support;

use std::path::Path;

use cli_support::{Ended, Fleet, flotilla, flotilla_with_input, project, read, write};
use serde_json::json;

const PODS: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: nginx, image: 'nginx:1.25', ports: [{containerPort: 80}]}
";

/// A ConfigurationPolicy with one object template.
fn policy(kind: &str, object: &str) -> String {
    policy_with(
        "",
        &format!("  object-templates:\n  - complianceType: {kind}\n    objectDefinition: {object}\n"),
    )
}

fn policy_with(more: &str, templates: &str) -> String {
    format!(
        "apiVersion: policy.open-cluster-management.io/v1\nkind: ConfigurationPolicy\nmetadata: {{name: trial}}\n\
         spec:\n  remediationAction: enforce\n{more}{templates}"
    )
}

/// Runs it on a policy and objects.
fn dryrun(policy: &str, objects: &str, arguments: &[&str]) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    let policy = write(directory.path(), "policy.yaml", policy);
    let objects = write(directory.path(), "objects.yaml", objects);
    flotilla(["dryrun", "--no-colors", "-p", &policy, &objects].iter().chain(arguments))
}

/// The messages that it prints.
fn messages(ended: &Ended) -> &str {
    ended.stdout.split_once("# Compliance messages:\n").unwrap().1
}

#[test]
fn differences_and_messages_are_printed_as_policy_authors_know_them() {
    let object = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {containers: [{name: nginx, image: 'nginx:1.27'}]}}";
    let ended = dryrun(&policy("musthave", object), PODS, &[]).with_code(1);
    assert_eq!(
        ended.stdout,
        "# Diffs:\nv1 Pod default/web:\n--- default/web : existing\n+++ default/web : updated\n@@ -5,10 +5,10 @@\n     app: web\n   \
         name: web\n   namespace: default\n spec:\n   containers:\n-  - image: nginx:1.25\n+  - image: nginx:1.27\n     name: nginx\n     \
         ports:\n     - containerPort: 80\n \n# Compliance messages:\n\
         NonCompliant; violation - pods [web] found but not as specified in namespace default\n"
    );
    assert_eq!(ended.stderr, "Error: policy is NonCompliant\n");
    let quiet = dryrun(&policy("musthave", object), PODS, &["--print-diffs=false"]).with_code(1);
    assert!(quiet.stdout.starts_with("# Compliance messages:\n"), "{}", quiet.stdout);
    let good = dryrun(
        &policy("mustnothave", "{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: default}}"),
        PODS,
        &[],
    );
    assert_eq!(good.with_code(0).stderr, "");
}

#[test]
fn changed_lines_are_coloured_unless_it_is_unwanted() {
    let object =
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default, labels: {app: other}}}";
    let directory = tempfile::tempdir().unwrap();
    let policy = write(directory.path(), "policy.yaml", &policy("musthave", object));
    let objects = write(directory.path(), "objects.yaml", PODS);
    let ended = flotilla(["dryrun", "-p", &policy, &objects]).with_code(1);
    assert!(
        ended.stdout.contains("\x1b[31m-    app: web\x1b[0m\n\x1b[32m+    app: other\x1b[0m\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("\n--- default/web : existing\n"), "{}", ended.stdout);
}

const OTHERS: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {team: 'yes'}}
---
apiVersion: v1
kind: Namespace
metadata: {name: team-b, labels: {team: 'yes'}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: team-a}
spec: {limits: [{type: Container, max: {cpu: 1000m}}, {type: Pod}]}
---
apiVersion: v1
kind: Secret
metadata: {name: access, namespace: team-a}
data: {password: aHVudGVyMg==}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]
";

/// Policies of every sort, with what is said of them.
#[test]
fn the_messages_are_those_of_a_cluster() {
    let namespaces = "  namespaceSelector: {matchLabels: {team: 'yes'}}\n";
    let limits = "    objectDefinition: {apiVersion: v1, kind: LimitRange, metadata: {name: limits}}\n";
    let raw = |text: &str| policy_with("", &format!("  object-templates-raw: |\n{text}"));
    for (what, policy, expected) in [
        (
            "two namespaces",
            policy_with(namespaces, &format!("  object-templates:\n  - complianceType: musthave\n{limits}")),
            "NonCompliant; violation - limitranges [limits] not found in namespace team-b",
        ),
        (
            "both namespaces",
            policy_with(
                namespaces,
                &format!(
                    "  object-templates:\n  - complianceType: mustnothave\n{}",
                    limits.replace("limits}", "other}")
                ),
            ),
            "Compliant; notification - limitranges [other] missing as expected in namespaces: team-a, team-b",
        ),
        (
            "unnamed, a quantity and a list in another order",
            policy(
                "musthave",
                "{apiVersion: v1, kind: LimitRange, metadata: {namespace: team-a}, spec: {limits: [{type: Pod}, {type: Container, max: {cpu: '1'}}]}}",
            ),
            "Compliant; notification - limitranges [limits] found as specified in namespace team-a",
        ),
        (
            "unnamed and not wanted",
            policy("mustnothave", "{apiVersion: v1, kind: LimitRange, metadata: {namespace: team-a}}"),
            "NonCompliant; violation - limitranges [limits] found in namespace team-a",
        ),
        (
            "no such object at all",
            policy("musthave", "{apiVersion: v1, kind: Pod, metadata: {namespace: team-a}}"),
            "NonCompliant; violation - pods not found in namespace team-a",
        ),
        (
            "no more than that",
            policy(
                "mustonlyhave",
                "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: reader}, rules: [{apiGroups: [''], resources: [pods], verbs: [get, list]}]}",
            ),
            "NonCompliant; violation - clusterroles [reader] found but not as specified",
        ),
        (
            "no namespace",
            policy("musthave", "{apiVersion: v1, kind: Pod, metadata: {name: x}}"),
            "NonCompliant; violation - namespaced object x of kind Pod has no namespace specified from the policy namespaceSelector nor the object metadata",
        ),
        (
            "a kind that is not served",
            policy("mustnothave", "{apiVersion: example.com/v1, kind: Thing, metadata: {name: x}}"),
            "NonCompliant; violation - couldn't find mapping resource with kind Thing in API version example.com/v1, please check if you have CRD deployed",
        ),
        (
            "no kind",
            policy("musthave", "{apiVersion: v1, metadata: {name: x}}"),
            "NonCompliant; violation - The kind and apiVersion fields are required on the object template at index 0 in policy trial",
        ),
        (
            "a label selector",
            policy_with(
                "",
                "  object-templates:\n  - complianceType: musthave\n    objectSelector: {matchLabels: {team: 'yes'}}\n    objectDefinition: {apiVersion: v1, kind: Namespace, metadata: {labels: {checked: 'yes'}}}\n",
            ),
            "NonCompliant; violation - namespaces [team-a, team-b] found but not as specified",
        ),
        (
            "raw, with a look-up of an input",
            raw(
                "    {{- range (lookup \"v1\" \"Namespace\" \"\" \"\" \"team=yes\").items }}\n    - complianceType: musthave\n      objectDefinition:\n        apiVersion: v1\n        kind: LimitRange\n        metadata: {name: limits, namespace: '{{ .metadata.name }}'}\n    {{- end }}\n",
            ),
            "NonCompliant; notification - limitranges [limits] found as specified in namespace team-a; violation - limitranges [limits] not found in namespace team-b",
        ),
        (
            "raw, with nothing in it",
            raw("    {{- if false }}x{{ end }}\n"),
            "Compliant; notification - trial contains no object templates to check, and thus has no violations",
        ),
        (
            "the author's own words",
            policy_with(
                "  customMessage: {noncompliant: 'please call us: {{ .DefaultMessage }}'}\n",
                "  object-templates:\n  - complianceType: musthave\n    objectDefinition: {apiVersion: v1, kind: Pod, metadata: {name: x, namespace: a}}\n",
            ),
            "NonCompliant; please call us: NonCompliant; violation - pods [x] not found in namespace a",
        ),
    ] {
        let ended = dryrun(&policy, OTHERS, &[]);
        assert_eq!(messages(&ended).trim_end(), expected, "{what}");
        ended.with_code(i32::from(expected.starts_with("Non")));
    }
}

#[test]
fn values_of_secrets_show_nowhere() {
    let object =
        "{apiVersion: v1, kind: Secret, metadata: {name: access, namespace: team-a}, data: {password: bmV3}}";
    let ended = dryrun(&policy("musthave", object), OTHERS, &["-o", "json"]).with_code(1);
    assert!(!ended.stdout.contains("aHVudGVyMg") && !ended.stdout.contains("bmV3"), "{}", ended.stdout);
    let diff = ended.json()[0]["diffs"][0]["diff"].as_str().unwrap().to_owned();
    assert!(diff.starts_with("# "), "{diff}");
    let wanted = policy("musthave", object)
        .replace("    objectDefinition", "    recordDiff: InStatus\n    objectDefinition");
    let hidden = dryrun(&wanted, OTHERS, &[]).with_code(1);
    assert!(
        hidden.stdout.contains("+  password: <redacted 2>") && !hidden.stdout.contains("bmV3"),
        "{}",
        hidden.stdout
    );
    let shown = dryrun(&wanted, OTHERS, &["--show-secrets"]).with_code(1);
    assert!(shown.stdout.contains("-  password: aHVudGVyMg==\n+  password: bmV3\n"), "{}", shown.stdout);
}

/// The text is that of `sigs.k8s.io/yaml`, which upstream compares.
#[test]
fn differences_are_written_as_kubectl_writes_objects() {
    let object = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default, annotations: {a: '*x', b: 'y: z', \
                  k10: v, k2: v, long: 'a very long line of words that goes on and on and on until it is longer than eighty columns'}}}";
    let ended = dryrun(&policy("musthave", object), PODS, &[]).with_code(1);
    assert!(
        ended.stdout.contains(
            "+  annotations:\n+    a: '*x'\n+    b: 'y: z'\n+    k2: v\n+    k10: v\n+    long: a very long line of words that goes \
             on and on and on until it is longer\n+      than eighty columns\n"
        ),
        "{}",
        ended.stdout
    );
}

/// There is no admission: what a server would refuse is taken as upstream's controller takes it.
#[test]
fn words_that_an_api_server_refuses_are_tried_all_the_same() {
    let object =
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default, labels: {app: other}}}";
    let odd =
        policy("must have", object).replace("  remediationAction", "  severity: dire\n  remediationAction");
    let ended = dryrun(&odd, PODS, &[]).with_code(1);
    assert_eq!(
        messages(&ended),
        "NonCompliant; violation - pods [web] found but not as specified in namespace default\n"
    );
}

/// A field of another type is told twice, as by a cluster: what was found, and why it cannot be compared.
#[test]
fn a_field_of_another_type_is_told_in_two_messages() {
    let object = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: []}";
    let ended = dryrun(&policy("musthave", object), PODS, &[]).with_code(1);
    assert_eq!(
        messages(&ended),
        "NonCompliant; violation - pods [web] found but not as specified in namespace default\n\
         NonCompliant; violation - Error merging changes into key \"spec\": object type of template and existing do not match\n"
    );
}

#[test]
fn an_object_without_a_difference_has_an_empty_line_and_an_unnamed_one_a_dash() {
    let object = "{apiVersion: v1, kind: Pod, metadata: {namespace: default}, spec: {hostNetwork: true}}";
    let ended = dryrun(&policy("musthave", object), PODS, &[]).with_code(1);
    assert!(
        ended.stdout.starts_with("# Diffs:\nv1 Pod default/-:\n\n# Compliance messages:\n"),
        "{}",
        ended.stdout
    );
    let cluster_wide =
        dryrun(&policy("musthave", "{apiVersion: v1, kind: Namespace, metadata: {name: default}}"), "", &[]);
    assert!(cluster_wide.with_code(0).stdout.starts_with("# Diffs:\nv1 Namespace default:\n\n#"));
}

#[test]
fn long_differences_are_cut_unless_they_are_wanted_in_full() {
    let data: Vec<String> = (0..80).map(|index| format!("k{index:02}: v")).collect();
    let labels = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: web, namespace: default, labels: {{{}}}}}}}",
        data.join(", ")
    );
    let cut = dryrun(&policy("musthave", &labels), PODS, &[]).with_code(1);
    assert!(cut.stdout.contains("# Truncated: showing 50/"), "{}", cut.stdout);
    let full = dryrun(&policy("musthave", &labels), PODS, &["--full-diffs"]).with_code(1);
    assert!(!full.stdout.contains("# Truncated") && full.stdout.contains("+    k79: v"), "{}", full.stdout);
    let as_json = dryrun(&policy("musthave", &labels), PODS, &["--full-diffs", "-o", "json"]).with_code(1);
    let status = &as_json.json()[0]["status"]["relatedObjects"][0]["properties"]["diff"];
    assert!(status.as_str().unwrap().contains("+    k79: v"), "{status}");
}

#[test]
fn an_expected_status_is_compared_field_by_field() {
    let directory = tempfile::tempdir().unwrap();
    let expected = write(
        directory.path(),
        "expected.yaml",
        "compliant: Compliant\nrelatedObjects:\n- object: {kind: Pod, metadata: {name: web}}\n  compliant: NonCompliant\n\
         compliancyDetails:\n- Compliant: Compliant\n",
    );
    let object =
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default, labels: {app: other}}}";
    let ended = dryrun(&policy("musthave", object), PODS, &["-c", &expected]).with_code(1);
    assert!(
        ended.stdout.starts_with(
            "# Status compare:\n.compliancyDetails[0] does not match any elements\n.compliancyDetails does not match the elements\n\
             .compliant: 'Compliant' does not match 'NonCompliant'\n.relatedObjects[0] matches\n.relatedObjects matches\n \
             Expected status does not match the actual status\n\n# Diffs:\n"
        ),
        "{}",
        ended.stdout
    );
    let good = write(directory.path(), "good.yaml", "compliant: NonCompliant\n");
    let ended = dryrun(&policy("musthave", object), PODS, &["--desired-status", &good]).with_code(1);
    assert!(ended.stdout.contains("\n Expected status matches the actual status\n\n"), "{}", ended.stdout);
}

#[test]
fn status_messages_and_log_go_to_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let object = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}}";
    let ended = dryrun(
        &policy("musthave", object),
        PODS,
        &["--status-path", &path("s"), "--messages-path", &path("m"), "--log", &path("l")],
    )
    .with_code(0);
    assert_eq!(ended.stdout, "# Diffs:\nv1 Pod default/web:\n\n");
    assert_eq!(
        read(Path::new(&path("m"))),
        "Compliant; notification - pods [web] found as specified in namespace default\n"
    );
    let status = read(Path::new(&path("s")));
    assert!(status.starts_with("compliancyDetails:\n- Compliant: Compliant\n"), "{status}");
    assert!(read(Path::new(&path("l"))).contains("trial: looked up v1 Pod default/web"));
}

const WHOLE: &str = "\
apiVersion: policy.open-cluster-management.io/v1
kind: Policy
metadata: {name: whole, namespace: policies}
spec:
  disabled: false
  remediationAction: inform
  policy-templates:
  - objectDefinition:
      apiVersion: policy.open-cluster-management.io/v1
      kind: ConfigurationPolicy
      metadata: {name: first}
      spec:
        object-templates:
        - complianceType: musthave
          objectDefinition:
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: '{{hub .ManagedClusterName hub}}-{{ fromClusterClaim \"region\" }}', namespace: default}
            data:
              tier: '{{hub index .ManagedClusterLabels \"tier\" hub}}'
              key: '{{hub fromConfigMap \"\" \"settings\" \"key\" hub}}'
  - objectDefinition:
      apiVersion: policy.open-cluster-management.io/v1
      kind: ConfigurationPolicy
      metadata: {name: second}
      spec:
        object-templates:
        - complianceType: mustnothave
          objectDefinition: {apiVersion: v1, kind: Pod, metadata: {name: x, namespace: default}}
";

#[test]
fn a_policy_with_templates_of_the_hub_is_tried_for_a_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| write(directory.path(), name, text);
    let hub =
        file("hub.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {key: value}\n");
    let claims = file("claims.yaml", "region: eu\n");
    let existing =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c1-eu}\ndata: {tier: gold, key: value}\n";
    let all = ["--cluster", "c1", "--label", "tier=gold", "--claims", &claims, "--hub-input", &hub];
    let ended = dryrun(WHOLE, existing, &all).with_code(0);
    assert!(ended.stdout.starts_with("Ignoring additional ConfigurationPolicy in input policy\n# Diffs:\n"));
    assert_eq!(
        messages(&ended),
        "Compliant; notification - configmaps [c1-eu] found as specified in namespace default\n"
    );
    let every = dryrun(WHOLE, existing, &[&all[..], &["--all", "-o", "json"]].concat()).with_code(0).json();
    let names: Vec<&str> =
        every.as_array().unwrap().iter().map(|one| one["policy"].as_str().unwrap()).collect();
    assert_eq!(names, ["policies/whole/first", "policies/whole/second"]);
    assert_eq!(
        every[0]["diffs"][0],
        json!({"apiVersion": "v1", "kind": "ConfigMap", "object": "default/c1-eu", "diff": ""})
    );
    let without = dryrun(WHOLE, existing, &[]).with_code(1);
    assert!(
        without.stderr.contains("note: policies/whole/first has templates of the hub"),
        "{}",
        without.stderr
    );
}

#[test]
fn several_policies_are_tried_one_after_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let bad = write(
        directory.path(),
        "bad.yaml",
        &policy("musthave", "{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: default}}"),
    );
    let good = policy("mustnothave", "{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: default}}");
    let ended = dryrun(&good, PODS, &["-p", &bad]).with_code(1);
    assert_eq!(ended.stdout.matches("# Policy: trial\n").count(), 2, "{}", ended.stdout);
    assert_eq!(ended.stdout.matches("# Compliance messages:\n").count(), 2);
}

#[test]
fn inputs_come_from_files_directories_and_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let policy = write(
        directory.path(),
        "policy.yaml",
        &policy("musthave", "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}}"),
    );
    write(directory.path(), "objects/pods.yaml", PODS);
    write(directory.path(), "deep/er/pods.yaml", PODS);
    let objects = directory.path().join("objects").display().to_string();
    let deep = directory.path().join("deep").display().to_string();
    flotilla(["dryrun", "-p", &policy, &objects]).with_code(0);
    flotilla(["dryrun", "-p", &policy, &deep]).with_code(1);
    flotilla_with_input(["dryrun", "-p", &policy, "-"], PODS).with_code(0);
    flotilla_with_input(["dryrun", "-p", &policy], PODS).with_code(0);
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}", PODS.trim_end().replace('\n', "\n  "));
    flotilla_with_input(["dryrun", "-p", &policy, "-"], &list).with_code(0);
}

#[test]
fn kinds_of_ones_own_need_a_mapping() {
    let thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {size: 1}\n";
    let policy = policy(
        "musthave",
        "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t, namespace: default}, spec: {size: 1}}",
    );
    let unknown = dryrun(&policy, thing, &[]).with_code(1);
    assert!(
        unknown.stderr.starts_with(
            "Error: unable to apply input resources: the resource version was not found for kind Thing: if this is a custom \
             resource, it may need an entry in the mappings file"
        ),
        "{}",
        unknown.stderr
    );
    let directory = tempfile::tempdir().unwrap();
    let mappings = write(
        directory.path(),
        "mappings.yaml",
        "- {group: example.com, version: v1, kind: Thing, singular: thing, plural: thingies, scope: namespace}\n",
    );
    let metrics = write(
        directory.path(),
        "metrics.yaml",
        "- {group: example.com, version: v1, kind: Thing, plural: things, scope: namespace, verbs: [get, list]}\n",
    );
    let unwatchable = dryrun(&policy, thing, &["--mappings-file", &metrics]).with_code(1);
    assert!(
        unwatchable.stderr.starts_with(
            "Error: unable to apply input resources: example.com/v1, Kind=Thing cannot be watched: "
        ),
        "{}",
        unwatchable.stderr
    );
    let known = dryrun(&policy, thing, &["--mappings-file", &mappings]).with_code(0);
    assert_eq!(
        messages(&known),
        "Compliant; notification - thingies [t] found as specified in namespace default\n"
    );
}

#[test]
fn bad_input_is_told_in_the_words_of_the_known_command() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| write(directory.path(), name, text);
    let good = file(
        "good.yaml",
        &policy("musthave", "{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: a}}"),
    );
    let broken = file("broken.yaml", "a: [\n");
    let pod = file("pod.yaml", PODS);
    let typo = file("typo.yaml", &policy_with("  objectTemplates: []\n", ""));
    for (arguments, expected) in [
        (
            vec!["-p", "/nowhere.yaml"],
            "unable to read input policy: open /nowhere.yaml: no such file or directory\n",
        ),
        (vec!["-p", &broken], "unable to read input policy: could not decode file "),
        (
            vec!["-p", &typo],
            "unable to read input policy: could not unmarshal input to a ConfigurationPolicy: error unmarshaling JSON",
        ),
        (
            vec!["-p", &good, "/nowhere.yaml"],
            "unable to read input resources: could not open file /nowhere.yaml: stat /nowhere.yaml: no such file or directory\n",
        ),
        (vec!["-p", &good, &broken], "unable to read input resources: could not decode file "),
        (vec!["-p", &good, "-c", &broken], "unable to compare desired status: "),
        (vec!["-p", &good, "--mappings-file", &broken], "unable to setup the dryrun reconciler: "),
        (vec!["-p", &good, "--claims", &broken], "unable to read the description of the cluster: "),
        (
            vec!["-p", &good, "-c", "/nowhere"],
            "unable to compare desired status: open /nowhere: no such file",
        ),
        (
            vec!["-p", &good, "--status-path", "/nowhere/s"],
            "unable to save the resulting policy state: open /nowhere/s: no such file or directory\n",
        ),
        (
            vec!["-p", &good, "--messages-path", "/nowhere/m"],
            "unable to save the compliance messages: open /nowhere/m: no such file or directory\n",
        ),
        (
            vec!["-p", &pod],
            "unable to read input policy: unsupported apiVersion: v1, the input policy must be \
             'policy.open-cluster-management.io/v1'\n",
        ),
    ] {
        let ended = flotilla(["dryrun"].iter().chain(&arguments)).with_code(1);
        assert!(ended.stderr.contains(&format!("Error: {expected}")), "{arguments:?}: {}", ended.stderr);
    }
    flotilla(["dryrun", &good]).with_code(2);
}

#[test]
fn the_projects_own_policies_can_be_tried() {
    let policy = project("policies/oadp-hdr-app-backup.yaml");
    let config = project("configmaps/demo.yaml");
    let ended = flotilla([
        "dryrun",
        "--no-colors",
        "--all",
        "-o",
        "json",
        "-n",
        "flotilla-policies",
        "-p",
        &policy,
        "--cluster",
        "c1",
        "--hub-input",
        &config,
    ])
    .with_code(1);
    let trials = ended.json();
    assert_eq!(
        trials[0]["messages"],
        json!([
            "NonCompliant; violation - schedules [acm-app-dpa-1-c1] not found in namespace acm-app-backup"
        ])
    );
    assert!(trials.as_array().unwrap().len() > 3);
}

#[test]
fn a_cluster_is_looked_at_and_nothing_is_written_there() {
    let fleet = Fleet::start(1, "10s");
    let kubeconfig = fleet.kubeconfig("c1").display().to_string();
    let directory = tempfile::tempdir().unwrap();
    let policy = write(
        directory.path(),
        "policy.yaml",
        &policy(
            "musthave",
            "{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {tried: 'yes'}}}",
        ),
    );
    for _ in 0..2 {
        let ended =
            flotilla(["dryrun", "--no-colors", "-p", &policy, "--from-cluster", "--kubeconfig", &kubeconfig])
                .with_code(1);
        assert!(ended.stdout.contains("+    tried: \"yes\"\n"), "{}", ended.stdout);
        assert_eq!(
            messages(&ended),
            "NonCompliant; violation - namespaces [default] found but not as specified\n"
        );
    }
}

/// Runs what a line of a guide says in a directory.
fn in_directory(line: &str, directory: &Path) -> Ended {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("flotilla"), "{line}");
    let output = std::process::Command::new(cli_support::FLOTILLA)
        .args(words)
        .current_dir(directory)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn the_guide_says_what_happens() {
    let guide = read(Path::new(&project("docs/guides/policies.md")));
    let directory = tempfile::tempdir().unwrap();
    for folder in ["policies", "configmaps"] {
        std::os::unix::fs::symlink(project(folder), directory.path().join(folder)).unwrap();
    }
    for block in guide.split("```yaml\n# ").skip(1) {
        let (name, text) = block.split_once("```").unwrap().0.split_once('\n').unwrap();
        write(directory.path(), name, text);
    }
    let mut commands = 0;
    for block in guide.split("```console\n").skip(1) {
        let block = block.split_once("```").unwrap().0;
        let (line, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let ended = in_directory(line, directory.path());
        match expected.split_once("…\n") {
            Some((start, end)) => {
                assert!(
                    ended.stdout.starts_with(start) && ended.stdout.ends_with(end),
                    "{line}: {}",
                    ended.stdout
                );
            }
            None => assert_eq!(ended.stdout, expected, "{line}: {}", ended.stderr),
        }
        commands += 1;
    }
    assert_eq!(commands, 3);
}
