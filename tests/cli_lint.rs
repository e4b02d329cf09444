//! `flotilla lint`: the project's own policies are clean, the page has an example of every rule, and the formats are sound.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cli_support;

use std::path::Path;

use cli_support::{flotilla, project, read, shared_data, write};
use flotilla::pipeline::lint::{Options, Rule, lint};
use serde_json::Value;

#[test]
fn the_projects_own_policies_are_clean() {
    let ended = flotilla(["lint", &project("policies"), "--longest-cluster", "20"]).with_code(0);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.starts_with("note: 0 errors and 0 warnings in "), "{}", ended.stderr);
}

#[test]
fn the_policies_that_users_have_are_no_errors() {
    let Some(policies) = shared_data("acm-app-pv-backup/resources") else { return };
    let ended = flotilla(["lint", "-o", "json", &policies.display().to_string()]);
    let errors: Vec<Value> = ended
        .json()
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["level"] == "error")
        .cloned()
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The examples of the page: the rule of each heading, the text below it.
fn examples() -> Vec<(String, String)> {
    let page = read(Path::new(&project("docs/reference/lint.md")));
    page.split("\n## ")
        .skip(1)
        .filter_map(|section| {
            let name = section.lines().next()?.trim_matches('`').to_owned();
            let (_, example) = section.split_once("```yaml\n")?;
            Some((name, example.split_once("```")?.0.to_owned()))
        })
        .collect()
}

#[test]
fn the_page_has_an_example_of_every_rule_which_finds_it() {
    let examples = examples();
    let names: Vec<&str> = examples.iter().map(|(name, _)| name.as_str()).collect();
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    assert_eq!(names, rules);
    for (name, text) in examples {
        // The line is marked in the example.
        let marked = text.lines().position(|line| line.contains("# <-")).map(|index| index + 1);
        let text =
            text.lines().map(|line| line.split("  # <-").next().unwrap()).collect::<Vec<_>>().join("\n");
        let found = lint(&format!("{text}\n"), &Options { longest_cluster: Some(40) });
        let lines: Vec<usize> =
            found.iter().filter(|finding| finding.rule.id() == name).map(|finding| finding.line).collect();
        assert!(!lines.is_empty(), "{name}: {found:?}");
        assert!(marked.is_none_or(|line| lines.contains(&line)), "{name}: {lines:?}, not {marked:?}");
    }
}

const BAD: &str = "\
apiVersion: policy.open-cluster-management.io/v1
kind: ConfigurationPolicy
metadata: {name: p}
spec:
  remediationAction: inform
  object-templates:
  - complianceType: musthave
    objectDefinition:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: '{{ nope }}', namespace: default}
";

#[test]
fn findings_have_place_cause_and_hint_in_every_format() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "p.yaml", BAD);
    let text = flotilla(["lint", &file]).with_code(1);
    assert!(
        text.stdout.starts_with(&format!(
            "{file}:11: error: there is no function \"nope\" [unknown-function]\n  hint: "
        )),
        "{}",
        text.stdout
    );
    let json = flotilla(["lint", "-o", "json", &file]).with_code(1).json();
    assert_eq!((json[0]["line"].as_u64(), json[0]["rule"].as_str()), (Some(11), Some("unknown-function")));
    let sarif = flotilla(["lint", "-o", "sarif", &file]).with_code(1).json();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["results"][0]["ruleId"], "unknown-function");
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), Rule::ALL.len());
}

#[test]
fn warnings_alone_are_no_failure_and_unreadable_files_are_one() {
    let directory = tempfile::tempdir().unwrap();
    let warning = BAD.replace("musthave", "mustnothave").replace("{{ nope }}", "x") + "      data: {a: b}\n";
    let file = write(directory.path(), "p.yaml", &warning);
    let ended = flotilla(["lint", &file]).with_code(0);
    assert!(ended.stdout.contains(" warning: data is not looked at"), "{}", ended.stdout);
    flotilla(["lint", "/does/not/exist.yaml"]).with_code(2);
    flotilla(["lint", "--longest-cluster", "0", &file]).with_code(2);
}

const SETTINGS: &str = "\
# Places are counted by hand.
apiVersion: v1
kind: ConfigMap
metadata:
  name: NAME
data:
  backupNS: acm_backup
  backupSnapshotVolumes: yes
  dpaSpec: '{\"backupLocations\": [{\"velero\": {\"provider\": \"s3\",
    \"default\": \"true\"}}]}'
  backupNSToBackup: \"[shop,
Billing]\"
";

#[test]
fn settings_are_looked_into_with_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "configmap.yaml", &SETTINGS.replace("NAME", "hdr-app-configmap"));
    let text = flotilla(["lint", "-f", &file]).with_code(1);
    for expected in [
        ":7:13: error: backupNS: is not the name of a namespace, found \"acm_backup\", expected the name of a namespace",
        ":8:26: error: backupSnapshotVolumes: is a boolean for YAML, and the API server takes nothing but texts, found \"yes\"",
        ":9:58: error: dpaSpec: backupLocations[0] has provider \"s3\", which OADP does not know [config-refused]",
        ":10:16: error: dpaSpec: has backupLocations[0].velero.default that is a string",
        ":12:1: error: backupNSToBackup: has an entry that is not the name of a namespace, found \"Billing\"",
        ":7:3: error: backupTTL: is missing, expected a Go duration that is not negative",
    ] {
        assert!(text.stdout.contains(&format!("{file}{expected}")), "{expected}\n{}", text.stdout);
    }
    assert!(!text.stdout.contains("backupSnapshotVolumes: is missing"), "{}", text.stdout);
    assert!(
        text.stdout.contains("hint: put it in quotes, backupSnapshotVolumes: \"yes\""),
        "{}",
        text.stdout
    );
    let sarif = flotilla(["lint", "-o", "sarif", "-f", &file]).with_code(1).json();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let provider =
        results.iter().find(|result| result["message"]["text"].as_str().unwrap().contains("\"s3\"")).unwrap();
    let region = &provider["locations"][0]["physicalLocation"]["region"];
    assert_eq!((region["startLine"].as_u64(), region["startColumn"].as_u64()), (Some(9), Some(58)));
    let json = flotilla(["lint", "-o", "json", &file]).with_code(1).json();
    assert!(
        json.as_array().unwrap().iter().any(|one| one["column"] == 58 && one["rule"] == "config-refused")
    );
}

#[test]
fn only_config_maps_with_settings_are_looked_into() {
    let directory = tempfile::tempdir().unwrap();
    let other = write(directory.path(), "other.yaml", &SETTINGS.replace("NAME", "other"));
    assert_eq!(flotilla(["lint", &other]).with_code(0).stdout, "");
    let labelled = SETTINGS.replace("NAME", "other\n  labels: {flotilla.dev/protect: 'true'}");
    let labelled = write(directory.path(), "labelled.yaml", &labelled);
    flotilla(["lint", "-f", &other, "-f", &labelled]).with_code(1);
    let good = project("tests/fixtures/config/good.yaml");
    assert_eq!(flotilla(["lint", "-f", &good]).with_code(0).stdout, "");
    // A place after the file is a policy as before, and one of the two must be there.
    flotilla(["lint"]).with_code(2);
}

#[test]
fn the_samples_that_users_have_name_their_placeholders_where_they_stand() {
    let Some(sample) = shared_data("acm-app-pv-backup/input/pv-snap/hdr-app-configmap.txt") else { return };
    let directory = tempfile::tempdir().unwrap();
    let text = read(&sample);
    let file = write(directory.path(), "configmap.yaml", &text);
    let found = flotilla(["lint", "-o", "json", "-f", &file]).with_code(1).json();
    let found = found.as_array().unwrap();
    let placeholders: Vec<&Value> = found.iter().filter(|one| one["rule"] == "config-placeholder").collect();
    assert_eq!(placeholders.len(), 9, "{found:#?}");
    for one in placeholders.iter().filter(|one| !one["message"].as_str().unwrap().contains("decoded")) {
        let at = |field: &str| usize::try_from(one[field].as_u64().unwrap()).unwrap();
        let line = text.lines().nth(at("line") - 1).unwrap();
        assert_eq!(line.chars().nth(at("column") - 1), Some('<'), "{one}: {line}");
    }
    let errors = found.iter().filter(|one| one["level"] == "error").count();
    assert_eq!(errors, 9, "{found:#?}");
}

#[test]
fn the_schema_is_printed_in_both_formats() {
    let json = flotilla(["schema"]).with_code(0).json();
    assert_eq!(json["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let yaml = flotilla(["schema", "-o", "yaml"]).with_code(0).stdout;
    assert_eq!(flotilla::yaml::read(&yaml, flotilla::yaml::Dialect::Kubernetes).unwrap(), json);
}
