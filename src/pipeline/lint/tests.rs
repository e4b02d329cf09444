//! Policies with a mistake each, and what is found.

use rstest::rstest;

use super::{Finding, Options, lint};

fn policy(spec: &str) -> String {
    format!(
        "apiVersion: policy.open-cluster-management.io/v1\nkind: ConfigurationPolicy\nmetadata:\n  name: p\nspec:\n{spec}"
    )
}

/// `rule:line`.
fn found(text: &str) -> Vec<String> {
    told(&lint(text, &Options { longest_cluster: Some(20) }))
}

fn told(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}:{}", finding.rule.id(), finding.line)).collect()
}

const GOOD: &str = "  remediationAction: inform
  object-templates:
  - complianceType: musthave
    objectDefinition:
      apiVersion: v1
      kind: ConfigMap
      metadata:
        name: '{{ fromClusterClaim \"name\" }}'
        namespace: default
      data:
        a: '{{ (lookup \"v1\" \"Secret\" \"other\" \"x\").data.y | base64dec }}'
";

#[test]
fn a_good_policy_has_no_findings() {
    assert_eq!(found(&policy(GOOD)), Vec::<String>::new());
    assert_eq!(found("apiVersion: v1\nkind: Pod\nspec: {nonsense: '{{ x }}'}\n"), Vec::<String>::new());
}

#[rstest]
#[case("  remediationAction: inform\n", "  remediationAction: enforced\n", &["invalid-value:6"])]
#[case("  remediationAction: inform\n", "", &["remediation-missing:6"])]
#[case("complianceType: musthave", "complianceType: mustHaveAll", &["invalid-value:8"])]
#[case("- complianceType: musthave\n    objectDefinition", "- objectDefinition", &["missing-field:8"])]
#[case("  object-templates:", "  objectTemplates:", &["missing-field:6", "unknown-field:7"])]
#[case("kind: ConfigMap", "Kind: ConfigMap", &["missing-field:10"])]
#[case("fromClusterClaim", "fromClusterClam", &["unknown-function:13"])]
#[case("| base64dec", "| base64dec | env \"A\"", &["refused-function:16"])]
#[case("\"name\" }}", "\"name\" hub}}", &["mixed-delimiters:13"])]
#[case("{{ fromClusterClaim \"name\" }}", "{{hub fromClusterClaim \"name\" hub}}", &["wrong-phase:13"])]
#[case("{{ fromClusterClaim \"name\" }}", "{{ .ManagedClusterName }}", &["wrong-phase:13"])]
#[case("{{ fromClusterClaim \"name\" }}", "{{ if }}", &["template-syntax:13"])]
#[case("'{{ fromClusterClaim \"name\" }}'", "{{ fromClusterClaim \"name\" }}", &["unquoted-template:13"])]
#[case("complianceType: musthave", "complianceType: mustnothave", &["ignored-fields:10"])]
#[case("a: '{{", "a: |\n          x  \n          y\n        b: '{{", &[])]
#[case("a: '{{", "a: |\n          {{ \"x\" }}  \n          y\n        b: '{{", &["template-syntax:17", "trailing-blanks:17"])]
#[case("a: '{{", "list:\n        - '{{ 1 | toInt }}'\n        b: '{{", &["quoted-list-item:17"])]
fn a_mistake_is_found_on_its_line(#[case] good: &str, #[case] bad: &str, #[case] expected: &[&str]) {
    let text = policy(GOOD);
    assert!(text.contains(good), "{good}");
    assert_eq!(found(&text.replacen(good, bad, 1)), expected);
}

const IN_POLICY: &str = "# a comment
---
apiVersion: policy.open-cluster-management.io/v1
kind: Policy
metadata: {name: p, namespace: ns}
spec:
  disabled: false
  remediationAction: inform
  policy-templates:
  - objectDefinition:
      apiVersion: policy.open-cluster-management.io/v1
      kind: ConfigurationPolicy
      metadata: {name: a}
      spec:
        object-templates-raw: |
          {{hub $name := (printf \"%s-%s\" \"x\" .ManagedClusterName) hub}}
          - complianceType: musthave
            objectDefinition:
              apiVersion: velero.io/v1
              kind: Schedule
              metadata:
                name: '{{hub $name hub}}'
                namespace: '{{hub fromConfigMap \"ns\" \"c\" \"d\" hub}}'
              spec:
                skipImmediately: '{{ true | toBool }}'
                template:
                  ttl: 1h0m0s
";

#[test]
fn a_good_whole_policy_has_no_findings() {
    assert_eq!(found(IN_POLICY), Vec::<String>::new());
}

#[rstest]
#[case("fromConfigMap \"ns\"", "fromConfigMap \"other\"", &["lookup-namespace:23"])]
#[case("fromConfigMap \"ns\" \"c\" \"d\"", "(lookup \"v1\" \"Node\" \"\" \"n\").metadata.name", &["lookup-namespace:23"])]
#[case("'{{ true | toBool }}'", "{{ true | toBool }}", &["swallowed-line:25"])]
#[case("'{{ true | toBool }}'", "'{{ true | toBoolean }}'", &["unknown-function:25"])]
#[case("'{{ true | toBool }}'", "'{{ true | toBool '", &["template-syntax:25"])]
#[case("ttl: 1h0m0s", "defaultVolumesToRestic: true", &["deprecated-field:27"])]
#[case("\"%s-%s\"", "\"%s-a-very-long-part-of-the-name-%s\"", &["name-too-long:22"])]
#[case("name: p,", "name: a-policy-with-a-name-that-is-far-too-long-to-be-a-label-of-anything,", &["name-too-long:5"])]
#[case("complianceType: musthave", "complianceType: never", &["invalid-value:17"])]
#[case("  disabled: false\n", "", &["missing-field:7"])]
#[case("{{hub $name hub}}", "{{ hub $name hub }}", &["unknown-function:22"])]
fn a_mistake_in_a_raw_text_is_found_on_its_line(
    #[case] good: &str,
    #[case] bad: &str,
    #[case] expected: &[&str],
) {
    assert!(IN_POLICY.contains(good), "{good}");
    assert_eq!(found(&IN_POLICY.replacen(good, bad, 1)), expected);
}

#[test]
fn names_within_a_policy_must_differ() {
    let template = IN_POLICY.split_once("  policy-templates:\n").unwrap().1;
    assert_eq!(found(&format!("{IN_POLICY}{template}")), ["duplicate-name:31"]);
}

#[test]
fn a_service_account_may_look_anywhere() {
    let text = IN_POLICY.replace("fromConfigMap \"ns\"", "fromConfigMap \"other\"").replace(
        "  disabled: false\n",
        "  disabled: false\n  hubTemplateOptions: {serviceAccountName: reader}\n",
    );
    assert_eq!(found(&text), Vec::<String>::new());
}

#[test]
fn a_document_that_is_no_yaml_is_told_with_its_line() {
    let text = format!("{IN_POLICY}---\na: 1\nb: [\n");
    let findings = lint(&text, &Options::default());
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].line >= 29, "{findings:?}");
    assert_eq!(findings[0].rule.id(), "yaml");
}
