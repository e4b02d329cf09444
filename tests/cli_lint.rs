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
