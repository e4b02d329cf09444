//! That every statement of the specification has a row, or is named here with the test that holds it elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::rows;

/// Statements that a row holds not at all or in part, each with a file and the test in it that holds them.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    // The chain as a whole.
    ("0.1", "tests/conformance/placement.rs", "fn placements_select_clusters"),
    ("0.2", "tests/conformance/hub.rs", "fn policies_are_replicated"),
    ("0.3", "tests/conformance/framework.rs", "fn templates_become_checks_or_say_why_not"),
    ("0.4", "tests/conformance/configuration_policies.rs", "fn every_configuration_policy_case_agrees"),
    ("0.5", "tests/conformance/aggregation.rs", "fn root_policies_roll_up"),
    // What needs a hub that watches.
    ("1.4.4", "tests/scenarios/templates.rs", "fn hub_templates_see_what_their_service_account_may_see"),
    ("1.4.5", "tests/drift.rs", "fn a_change_of_a_config_map_concerns_those_who_looked_at_it"),
    ("3.1.2", "tests/bad_input.rs", "fn a_policy_that_is_disabled_prunes"),
    ("3.1.3", "tests/conformance/hub.rs", "fn policies_are_replicated"),
    ("3.1.5", "tests/drift.rs", "fn a_root_policy_tells_where_it_went_and_was_updated"),
    // What needs a server: a conflict is planned anew, and no result is kept for later.
    ("2.4.11", "tests/resilience.rs", "fn conflicts_are_retried_on_fresh_state"),
    ("2.4.14", "tests/drift.rs", "fn a_change_of_a_config_map_concerns_those_who_looked_at_it"),
    // The policies of the main source, whole.
    ("6.1", "tests/bad_input.rs", "fn a_missing_config_map_is_named_and_a_vanished_one_removes_nothing"),
    ("6.8", "src/protection/translate.rs", "fn schedules_of_the_restic_time_are_rewritten"),
    ("6.10", "tests/conformance/hub.rs", "fn dependencies_are_named_as_on_clusters"),
    ("6.11", "tests/scenarios/kinds.rs", "fn a_missing_kind_is_told_and_its_arrival_brings_the_policy_back"),
];

/// Statements about what is optional and not there: `PolicyAutomation` makes `AnsibleJob`s, which Flotilla does not.
const ABSENT: &[&str] = &["3.4.4"];

/// The statements of the specification: bullets, numbered entries, rows of tables and paragraphs, counted in each section.
fn statements(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut section, mut number, mut in_paragraph) = (None, 0, false);
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim();
            let word = heading.split(' ').next().unwrap_or_default().trim_end_matches('.');
            let is_number = word.chars().all(|character| character.is_ascii_digit() || character == '.');
            section = (is_number && !word.is_empty()).then(|| word.to_owned());
            (number, in_paragraph) = (0, false);
            continue;
        }
        let Some(section) = &section else { continue };
        let numbered = line.split_once(". ").is_some_and(|(before, _)| {
            !before.is_empty() && before.bytes().all(|byte| byte.is_ascii_digit())
        });
        let begins = if line.starts_with("|---") {
            // What stood before it was the head of the table.
            found.remove(&format!("{section}.{number}"));
            number -= 1;
            false
        } else if line.starts_with("- ") || numbered || line.starts_with('|') {
            in_paragraph = false;
            true
        } else if line.trim().is_empty() {
            in_paragraph = false;
            false
        } else if line.starts_with(' ') {
            false
        } else {
            !std::mem::replace(&mut in_paragraph, true)
        };
        if begins {
            number += 1;
            found.insert(format!("{section}.{number}"), line.to_owned());
        }
    }
    found
}

/// The statements that rows hold.
fn held() -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for entry in std::fs::read_dir(rows::folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "objects.yaml" || name == "bad-input.yaml" {
            continue;
        }
        for row in rows::rows(&name) {
            held.insert(row.id().split('/').next().unwrap_or_default().to_owned());
        }
    }
    held
}

#[test]
fn every_statement_is_held() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (statement, file, part) in ELSEWHERE {
        let text = std::fs::read_to_string(root.join(file))
            .unwrap_or_else(|error| panic!("{statement} is held by {file}: {error}"));
        assert!(text.contains(part), "{statement} is held by {file}, where {part:?} does not stand");
    }
    let path = root.join("../shared/spec/ocm-semantics.md");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: the specification is not here");
        return;
    };
    let statements = statements(&text);
    assert!(statements.len() > 100, "the specification is not read right: {}", statements.len());
    let held = held();
    let elsewhere: BTreeSet<&str> =
        ELSEWHERE.iter().map(|(statement, ..)| *statement).chain(ABSENT.iter().copied()).collect();
    let missing: Vec<String> = statements
        .iter()
        .filter(|(statement, _)| !held.contains(*statement) && !elsewhere.contains(statement.as_str()))
        .map(|(statement, line)| format!("{statement}: {line}"))
        .collect();
    assert!(missing.is_empty(), "no row holds these statements:\n{}", missing.join("\n"));
    let unknown: Vec<&String> =
        held.iter().filter(|statement| !statements.contains_key(*statement)).collect();
    assert!(unknown.is_empty(), "rows hold what is no statement: {unknown:?}");
}
