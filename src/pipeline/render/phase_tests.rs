//! Tests of the two phases as their callers see them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::lookup::Reference;
use super::tests::Snapshot;
use super::{
    Asked, ClusterContext, ClusterRendered, HubContext, HubRendered, ObjectVariables, RenderError,
    RenderedEntry, Renderer, VariablesUsed,
};
use crate::api::object::GroupVersionKind;

fn config_map(namespace: &str, name: &str, data: &Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}

fn secret(namespace: &str, name: &str, data: &Json) -> Json {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data})
}

fn snapshot() -> Snapshot {
    Snapshot::of([
        config_map("policies", "cm", &json!({"a": "1", "text": "x\ny"})),
        config_map("other", "cm", &json!({})),
        // Decoded: `hunter2-secret`.
        secret("policies", "s", &json!({"k": "aHVudGVyMi1zZWNyZXQ="})),
        json!({"apiVersion": "cluster.open-cluster-management.io/v1", "kind": "ManagedCluster",
            "metadata": {"name": "c1", "labels": {"x": "y"}}}),
    ])
}

fn on_hub(value: &Json, snapshot: &Snapshot) -> (Result<HubRendered, RenderError>, Asked) {
    let context = HubContext {
        cluster: "c1".to_owned(),
        labels: BTreeMap::from([
            ("site".to_owned(), "berlin".to_owned()),
            ("a/b".to_owned(), "c".to_owned()),
        ]),
        policy_metadata: json!({"name": "p", "namespace": "policies", "labels": {}, "annotations": {}}),
        policy_namespace: "policies".to_owned(),
        ..HubContext::default()
    };
    Renderer::new().hub_phase(&json!({ "value": value }), &context, snapshot)
}

fn hub_value(text: &str) -> Result<Json, String> {
    on_hub(&json!(text), &snapshot())
        .0
        .map(|rendered| rendered.definition["value"].clone())
        .map_err(|error| error.to_string())
}

fn on_cluster(spec: &Json, snapshot: &Snapshot) -> (Result<ClusterRendered, RenderError>, Asked) {
    let policy = json!({"metadata": {"name": "check"}, "spec": spec});
    let context = ClusterContext {
        claims: BTreeMap::from([("name".to_owned(), "c1".to_owned())]),
        ..ClusterContext::default()
    };
    Renderer::new().cluster_phase(&policy, &context, snapshot)
}

fn raw(text: &str) -> Result<Vec<Json>, String> {
    let (rendered, _) = on_cluster(&json!({"object-templates-raw": text}), &snapshot());
    let rendered = rendered.map_err(|error| error.to_string())?;
    let entries = rendered.object_templates.into_iter();
    entries
        .map(|entry| entry.map(|entry| entry.resolved().unwrap().clone()).map_err(|e| e.to_string()))
        .collect()
}

#[test]
fn the_hub_phase_knows_the_target_and_its_policy() {
    for (text, expected) in [
        ("{{hub .ManagedClusterName hub}}", json!("c1")),
        ("{{hub .ManagedClusterLabels.site hub}}", json!("berlin")),
        ("{{hub .ManagedClusterLabels.nope hub}}", json!("<no value>")),
        ("{{hub index .ManagedClusterLabels \"a/b\" hub}}", json!("c")),
        ("x{{hub index .ManagedClusterLabels \"nope\" hub}}", json!("x")),
        ("{{hub .PolicyMetadata.name hub}} {{ left }}", json!("p {{ left }}")),
        ("{{hub (lookup \"v1\" \"ConfigMap\" \"\" \"cm\").data.a | toInt hub}}", json!(1)),
        ("{{hub (lookup \"v1\" \"ConfigMap\" \"policies\" \"nope\") hub}}", json!("map[]")),
        (
            "{{hub (lookup \"cluster.open-cluster-management.io/v1\" \"ManagedCluster\" \"\" \"c1\").metadata.labels.x hub}}",
            json!("y"),
        ),
        ("a\n{{hub- /* comment */ -hub}}\nb", json!("ab")),
    ] {
        assert_eq!(hub_value(text), Ok(expected), "{text}");
    }
}

#[test]
fn the_hub_phase_stays_in_the_policys_namespace() {
    for (text, end) in [
        (
            "{{hub lookup \"v1\" \"ConfigMap\" \"other\" \"cm\" hub}}",
            "error calling lookup: the namespace argument is restricted to policies",
        ),
        (
            "{{hub fromConfigMap \"other\" \"cm\" \"a\" hub}}",
            "failed getting the ConfigMap cm from other: the namespace argument is restricted to policies",
        ),
        (
            "{{hub lookup \"v1\" \"Namespace\" \"\" \"other\" hub}}",
            "error calling lookup: lookup of cluster-scoped resource 'Namespace/other' is not allowed",
        ),
        (
            "{{hub lookup \"cluster.open-cluster-management.io/v1\" \"ManagedCluster\" \"\" \"c2\" hub}}",
            "lookup of cluster-scoped resource 'ManagedCluster/c2' is not allowed",
        ),
        (
            "{{hub .Nope hub}}",
            "can't evaluate field Nope in type struct { ManagedClusterName string; ManagedClusterLabels \
             map[string]string; PolicyMetadata map[string]interface {} }",
        ),
        ("{{hub skipObject hub}}", "function \"skipObject\" not defined"),
    ] {
        let error = hub_value(text).unwrap_err();
        assert!(error.ends_with(end), "{error}");
    }
}

#[test]
fn protected_values_never_stand_in_the_rendered_text() {
    let templates = json!([
        "{{hub fromSecret \"\" \"s\" \"k\" hub}}",
        "{{hub fromSecret \"\" \"s\" \"k\" | base64dec | protect hub}}5",
        "{{hub \"\" | protect hub}}",
        {"data": "{{hub copySecretData \"\" \"s\" hub}}"},
    ]);
    let rendered = on_hub(&templates, &snapshot()).0.unwrap();
    assert_eq!(
        rendered.definition["value"],
        json!([
            "$flotilla_protected:000001", "$flotilla_protected:0000035", "",
            {"data": {"k": "$flotilla_protected:000004"}}
        ])
    );
    assert!(!rendered.sensitive);
    let policy = json!({"spec": {"object-templates": [
        {"complianceType": "musthave", "objectDefinition": rendered.definition}
    ]}});
    let context = ClusterContext {
        claims: BTreeMap::new(),
        protected: rendered.protected,
        ..ClusterContext::default()
    };
    let (rendered, _) = Renderer::new().cluster_phase(&policy, &context, &snapshot());
    let rendered = rendered.unwrap();
    assert!(rendered.sensitive);
    assert_eq!(
        rendered.object_templates[0].as_ref().unwrap().resolved().unwrap()["objectDefinition"]["value"],
        json!(["aHVudGVyMi1zZWNyZXQ=", "hunter2-secret5", "", {"data": {"k": "aHVudGVyMi1zZWNyZXQ="}}])
    );
}

#[test]
fn errors_show_no_secret() {
    for template in [
        "{{ fromSecret \"policies\" \"s\" \"k\" | base64dec | mustFromJson }}",
        "{{ fromSecret \"policies\" \"s\" \"k\" | base64dec | semver }}",
        "{{ fail (fromSecret \"policies\" \"s\" \"k\") }}",
        "{{ range (fromSecret \"policies\" \"s\" \"k\" | base64dec) }}{{ end }}",
        "{{ lookup \"v1\" (lookup \"v1\" \"Secret\" \"policies\" \"s\").data.k \"policies\" \"x\" \"(\" }}",
        "{{ (lookup \"v1\" \"Secret\" \"policies\" \"s\").data.k | fromClusterClaim }}",
        "{{ fromSecret \"policies\" \"s\" \"k\" | base64dec | fromClusterClaim }}",
        "a: b: {{ fromSecret \"policies\" \"s\" \"k\" }}",
        "{{ fromSecret \"policies\" \"s\" \"k\" }}",
    ] {
        let error = raw(template).unwrap_err();
        assert!(!error.contains("hunter2") && !error.contains("aHVudGVyMi1zZWNyZXQ="), "{error}");
    }
    // What was looked up and not found is still named.
    let error = raw("{{ fromSecret \"policies\" \"s\" \"k\" }}{{ fromSecret \"policies\" \"t\" \"k\" }}")
        .unwrap_err();
    assert!(error.ends_with("failed to get the secret t from policies: secrets \"t\" not found"), "{error}");
    let error = hub_value("{{hub \"hunter2\" | protect hub}}{{hub fail \"it is hunter2\" hub}}").unwrap_err();
    assert!(error.ends_with("the reason is withheld because the template read a secret value"), "{error}");
}

#[test]
fn object_templates_raw_is_a_list() {
    let entry = json!({"complianceType": "musthave", "objectDefinition": {"kind": "A"}});
    let text = "- complianceType: musthave\n  objectDefinition:\n    kind: A\n";
    assert_eq!(raw(text), Ok(vec![entry.clone()]));
    assert_eq!(raw(&format!("{{{{ if true }}}}\n{text}{{{{ end }}}}")), Ok(vec![entry]));
    assert_eq!(raw("  \n"), Ok(vec![]));
    assert_eq!(raw("{{ if false }}\n- a: b\n{{ end }}"), Ok(vec![]));
    // Without templates Kubernetes' YAML is read, with them go-yaml's.
    assert_eq!(raw("- a: yes"), Ok(vec![json!({"a": true})]));
    assert_eq!(raw("- a: yes{{ \"\" }}"), Ok(vec![json!({"a": "yes"})]));
    for (text, expected) in [
        (
            "a: b",
            "Error parsing object-templates-raw YAML: error unmarshaling JSON: while decoding JSON: json: \
             cannot unmarshal object into Go value of type []v1.ObjectTemplate",
        ),
        (
            "a: {{ 1 }}",
            "failed unmarshalling resolved object-templates-raw template: json: cannot unmarshal object into Go \
             value of type []v1.ObjectTemplate",
        ),
        (
            "- {{ 1 }}",
            "failed unmarshalling resolved object-templates-raw template: json: cannot unmarshal number into Go \
             value of type v1.ObjectTemplate",
        ),
    ] {
        assert_eq!(raw(text), Err(expected.to_owned()));
    }
    assert!(raw("a: b: c").unwrap_err().starts_with("Error parsing object-templates-raw YAML: "));
    assert!(
        raw("a: b: {{ 1 }}").unwrap_err().starts_with("failed to convert the resolved template to JSON: ")
    );
    assert!(
        raw("{{ .ObjectName }}")
            .unwrap_err()
            .ends_with("at <.ObjectName>: can't evaluate field ObjectName in type struct {}")
    );
    assert!(raw("{{ skipObject }}").unwrap_err().ends_with("function \"skipObject\" not defined"));
    assert!(raw("a: $ocm_encrypted:abcd").unwrap_err().contains("encrypted by another hub"));
}

#[test]
fn an_error_of_an_object_template_is_its_own() {
    let entry =
        |value: &str| json!({"complianceType": "musthave", "objectDefinition": {"data": {"v": value}}});
    let spec = json!({"object-templates": [
        entry("{{ fromClusterClaim \"name\" }}"),
        entry("{{ printf \"%s\" (env \"HOME\") }}\n"),
        entry("{{ if true }}{{ skipObject }}{{ end }}"),
        entry("{{ skipObject \"no\" }}"),
        entry("plain"),
    ]});
    let (rendered, _) = on_cluster(&spec, &snapshot());
    let rendered = rendered.unwrap();
    assert_eq!(rendered.object_templates[0], Ok(RenderedEntry::Resolved(entry("c1"))));
    assert_eq!(
        rendered.object_templates[1].as_ref().unwrap_err().to_string(),
        "failed to resolve the template {\"data\":{\"v\":\"{{ printf \\\"%s\\\" (env \\\"HOME\\\") }}\\n\"}}: template: \
         tmpl:3:20: executing \"tmpl\" at <env \"HOME\">: error calling env: use of denylisted template function: \
         function 'env' is considered a security risk"
    );
    assert!(rendered.object_templates[3].as_ref().unwrap_err().to_string().ends_with("but received 'no'"));
    assert_eq!(rendered.object_templates[4], Ok(RenderedEntry::Resolved(entry("plain"))));
    assert_eq!(rendered.skipped.into_iter().collect::<Vec<_>>(), [2]);
}

#[test]
fn templates_can_be_switched_off() {
    let policy = json!({
        "metadata": {"annotations": {"policy.open-cluster-management.io/disable-templates": "true"}},
        "spec": {"object-templates": [{"objectDefinition": {"a": "{{ x }}"}}]}
    });
    let (rendered, _) = Renderer::new().cluster_phase(&policy, &ClusterContext::default(), &snapshot());
    let untouched = json!({"objectDefinition": {"a": "{{ x }}"}});
    assert_eq!(rendered.unwrap().object_templates, [Ok(RenderedEntry::Resolved(untouched))]);
}

#[test]
fn every_look_up_is_reported() {
    let text = "{{ (lookup \"v1\" \"ConfigMap\" \"policies\" \"cm\").data.a }}{{ lookup \"v1\" \"ConfigMap\" \"x\" \"y\" }}\
                {{ range (lookup \"v1\" \"Secret\" \"policies\" \"\").items }}{{ end }}";
    let (rendered, asked) =
        on_cluster(&json!({"object-templates-raw": format!("- a: '{text}'")}), &snapshot());
    assert!(rendered.unwrap().sensitive);
    let reference = |kind: &str, namespace: &str, name: Option<&str>| Reference {
        gvk: GroupVersionKind::new("v1", kind),
        namespace: Some(namespace.to_owned()),
        name: name.map(ToOwned::to_owned),
    };
    let missing = reference("ConfigMap", "x", Some("y"));
    let expected = [
        reference("ConfigMap", "policies", Some("cm")),
        missing.clone(),
        reference("Secret", "policies", None),
    ];
    assert_eq!(asked.references, expected.into());
    assert_eq!(asked.not_found, [missing].into());
    assert!(asked.not_yet_known.is_empty());
}

#[test]
fn all_that_is_not_known_yet_is_collected_before_the_rendering_ends() {
    let unknown = Snapshot { not_yet_known: ["ConfigMap", "Secret"].into(), ..snapshot() };
    let text = "- a: '{{ fromConfigMap \"x\" \"y\" \"z\" }}{{ fromSecret \"x\" \"s\" \"z\" }}{{ copyConfigMapData \"x\" \"w\" }}\
                {{ index (lookup \"v1\" \"ConfigMap\" \"x\" \"\").items 0 }}'";
    let (rendered, asked) = on_cluster(&json!({ "object-templates-raw": text }), &unknown);
    assert_eq!(
        rendered.unwrap_err(),
        RenderError::NotYetKnown(
            "v1 ConfigMap in x, v1 ConfigMap x/w, v1 ConfigMap x/y, v1 Secret x/s".to_owned()
        )
    );
    assert_eq!(asked.not_yet_known.len(), 4);
    let (rendered, asked) = on_hub(&json!("{{hub fromConfigMap \"\" \"cm\" \"a\" hub}}"), &unknown);
    assert_eq!(rendered.unwrap_err(), RenderError::NotYetKnown("v1 ConfigMap policies/cm".to_owned()));
    assert_eq!(asked.not_yet_known.len(), 1);
}

#[test]
fn a_renderer_forgets_nothing_that_matters() {
    let renderer = Renderer::new();
    for cluster in ["c1", "c2", "c1"] {
        let context = HubContext {
            cluster: cluster.to_owned(),
            labels: BTreeMap::new(),
            policy_metadata: json!({}),
            policy_namespace: "policies".to_owned(),
            ..HubContext::default()
        };
        let definition = json!("{{hub .ManagedClusterName hub}}");
        let result = renderer.hub_phase(&definition, &context, &snapshot()).0;
        assert_eq!(result.unwrap().definition, json!(cluster));
    }
}

#[test]
fn variables_of_the_object_are_found_where_upstream_finds_them() {
    for (text, namespace, name, object) in [
        ("{{ .ObjectNamespace }}", true, false, false),
        ("{{ .ObjectNamespaces }}", true, false, false),
        ("{{ .ObjectName }}", false, true, false),
        ("{{ .ObjectNames }}", false, false, false),
        ("{{ .Object.spec.x }}", false, false, true),
        ("{{ $.Object }}{{ .ObjectName}}", false, true, true),
        ("{{ .Objects }}", false, false, false),
        (".Object and no template", false, false, false),
        ("{{ 1 }} .Object", false, false, true),
    ] {
        let entry = json!({"objectDefinition": {"a": [{"b": text}]}});
        assert_eq!(Renderer::variables(&entry), VariablesUsed { namespace, name, object }, "{text}");
    }
}

#[test]
fn an_entry_that_names_its_object_is_resolved_for_each() {
    let entry = |value: &str| json!({"complianceType": "musthave", "objectDefinition": {"v": value}});
    let policy = json!({"spec": {"object-templates": [
        entry("{{ .ObjectNamespace }}/{{ .ObjectName }}/{{ .Object.data.x }}{{ .Object.metadata.managedFields }}"),
        entry("{{ if not .Object }}{{ skipObject }}{{ fail \"x\" }}{{ end }}"),
        entry("{{ .ObjectName }}"),
    ]}});
    let renderer = Renderer::new();
    let context = ClusterContext::default();
    let (rendered, _) = renderer.cluster_phase(&policy, &context, &snapshot());
    let kinds = rendered.unwrap().object_templates;
    assert!(kinds.iter().all(|entry| matches!(entry, Ok(RenderedEntry::PerObject(used)) if used.any())));
    let render = |index: usize, namespace: &str, name: &str, object: Option<Json>| {
        let variables = ObjectVariables { namespace: namespace.to_owned(), name: name.to_owned(), object };
        renderer.object_template(&policy, index, &variables, &context, &snapshot()).0
    };
    let live = json!({"data": {"x": 5}, "metadata": {"managedFields": [1]}});
    let rendered = render(0, "ns", "n", Some(live)).unwrap();
    assert_eq!(rendered.template["objectDefinition"]["v"], "ns/n/5<no value>");
    assert!(!rendered.skipped && !rendered.sensitive);
    assert!(render(1, "ns", "n", None).unwrap().skipped);
    assert_eq!(render(2, "", "n", None).unwrap().template["objectDefinition"]["v"], "n");
    for (namespace, type_name) in [("ns", "struct { ObjectNamespace string }"), ("", "struct {}")] {
        let error = render(2, namespace, "", None).unwrap_err().to_string();
        assert!(error.ends_with(&format!("can't evaluate field ObjectName in type {type_name}")), "{error}");
    }
    assert!(render(3, "", "", None).is_err());
}
