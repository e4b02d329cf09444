//! Holds the documents to what they speak of: rows, tests, dependencies, keys, links.

#![expect(clippy::disallowed_methods, reason = "reads the documents")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fault here is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

/// Where the tests lie that `make e2e` runs on real servers.
const BOTH_STAGES: [&str; 4] = [
    "tests/scenarios/",
    "tests/agreement/",
    "tests/velero_agreement/",
    "tests/conformance/configuration_policies",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Fails with all faults, one a line.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The cells of all table rows whose first cell matches.
fn rows(document: &str, first: &Regex) -> Vec<Vec<String>> {
    document
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cells| first.is_match(&cells[0]))
        .collect()
}

/// The texts between backticks.
fn code_words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn feature_rows() -> Vec<Vec<String>> {
    rows(&read("docs/features.md"), &Regex::new(r"^[AGVRPS]\d+$").unwrap())
}

#[test]
fn every_feature_has_its_line() {
    let Ok(specification) = std::fs::read_to_string(root().join("../shared/spec/features.md")) else {
        println!("skipped: ../shared/spec/features.md is not there");
        return;
    };
    let id = Regex::new(r"^[AGVRPS]\d+$").unwrap();
    let ids = |rows: Vec<Vec<String>>| rows.into_iter().map(|mut cells| cells.remove(0)).collect::<Vec<_>>();
    let wanted = ids(rows(&specification, &id));
    let found = ids(feature_rows());
    let missing: Vec<_> = wanted.iter().filter(|id| !found.contains(id)).collect();
    let unknown: Vec<_> = found.iter().filter(|id| !wanted.contains(id)).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
    assert_eq!(found, wanted, "once each, in the order of the specification");
    assert!(found.len() > 300);
}

#[test]
fn what_is_claimed_is_proven_by_a_test_that_exists() {
    let mut faults = Vec::new();
    for cells in feature_rows() {
        let [id, state, proof, real] = cells.as_slice() else { panic!("not four cells: {cells:?}") };
        let tests = code_words(proof);
        let on_real_servers = tests
            .iter()
            .any(|test| BOTH_STAGES.iter().any(|folder| test.starts_with(folder)) && !skips(test));
        match (real.as_str(), on_real_servers) {
            ("yes", true) | ("", false) => {}
            ("yes", false) => faults.push(format!("{id}: no named test runs on real servers")),
            ("", true) => faults.push(format!("{id}: a named test runs on real servers, and it is not said")),
            _ => faults.push(format!("{id}: {real:?} is neither yes nor empty")),
        }
        match (state.as_str(), tests.is_empty()) {
            ("done" | "partly", false) | ("not yet", true) => {}
            ("done" | "partly", true) => faults.push(format!("{id}: {state} and no test is named")),
            ("not yet", false) => faults.push(format!("{id}: not yet and a test is named")),
            _ => faults.push(format!("{id}: unknown state {state:?}")),
        }
        for test in tests {
            if !is_test(test) {
                faults.push(format!("{id}: {test} does not exist"));
            }
        }
    }
    none(&faults);
}

/// Whether a scenario says that it proves nothing on real servers.
fn skips(test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else { return false };
    let Ok(text) = std::fs::read_to_string(root().join(file)) else { return false };
    let after = text.split_once(&format!("fn {name}(")).map_or("", |(_, after)| after);
    let body = after.split_once("\n}\n").map_or(after, |(body, _)| body);
    body.contains("Kind::Plane {\n        println!(\"skipped: ")
}

/// Whether `file::name` names a test: a function with a test attribute above it, or a property.
fn is_test(test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else { return false };
    let Ok(text) = std::fs::read_to_string(root().join(file)) else { return false };
    let function = Regex::new(&format!(r"(?m)^ *(async )?fn {name}\(")).unwrap();
    let Some(found) = function.find(&text) else { return false };
    let above =
        text[..found.start()].lines().rev().take_while(|line| !line.trim().is_empty() && line.trim() != "}");
    above.into_iter().any(|line| {
        let line = line.trim();
        line.ends_with("test]") || line == "#[rstest]" || line.starts_with("#[tokio::test")
    })
}

fn dependencies() -> BTreeSet<String> {
    let manifest = read("Cargo.toml");
    let mut dependencies = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = matches!(line, "[dependencies]" | "[dev-dependencies]" | "[build-dependencies]");
        } else if inside && let Some((name, _)) = line.split_once('=') {
            dependencies.insert(name.trim().to_owned());
        }
    }
    assert!(dependencies.len() > 10, "the dependencies cannot be read");
    dependencies
}

#[test]
fn every_dependency_has_its_line() {
    let lines = rows(&read("docs/dependencies.md"), &Regex::new("^`").unwrap());
    let mut faults = Vec::new();
    let mut described = BTreeSet::new();
    for cells in lines {
        let name = code_words(&cells[0])[0].to_owned();
        if cells.len() != 4 || cells.iter().any(String::is_empty) {
            faults.push(format!("{name}: what for, licence and who looks after it must be said"));
        }
        if !described.insert(name.clone()) {
            faults.push(format!("{name}: has two lines"));
        }
    }
    let wanted = dependencies();
    faults.extend(wanted.difference(&described).map(|name| format!("{name}: has no line")));
    faults.extend(described.difference(&wanted).map(|name| format!("{name}: is no dependency")));
    none(&faults);
}

/// What `deny.toml` allows.
fn allowed_licences() -> BTreeSet<String> {
    let policy = read("deny.toml");
    let list = policy.split_once("allow = [").unwrap().1.split_once("\n]").unwrap().0;
    list.lines().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

/// Whether an SPDX expression (with `/` for `OR`, as older crates write) can be met.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    // No crate needs more than one level of parentheses, all of them around a choice.
    expression.split(" AND ").all(|part| {
        part.trim_matches(|character| "() ".contains(character))
            .split(" OR ")
            .any(|licence| allowed.contains(licence.trim()))
    })
}

#[test]
fn licences_of_the_whole_tree_are_allowed() {
    let allowed = allowed_licences();
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let in_tree: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let mut faults = Vec::new();
    let mut used: BTreeMap<&str, usize> = allowed.iter().map(|licence| (licence.as_str(), 0)).collect();
    for package in metadata["packages"].as_array().unwrap() {
        if !in_tree.contains(package["id"].as_str().unwrap()) {
            continue;
        }
        let (name, expression) = (&package["name"], package["license"].as_str().unwrap_or_default());
        if !is_met(expression, &allowed) {
            faults.push(format!("{name}: {expression:?} is not allowed by deny.toml"));
        }
        for (licence, count) in &mut used {
            *count += usize::from(expression.contains(licence));
        }
    }
    faults.extend(
        used.iter()
            .filter(|(_, count)| **count == 0)
            .map(|(licence, _)| format!("{licence}: no crate has it")),
    );
    none(&faults);
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "BSD-3-Clause".to_owned()]);
    for (expression, met) in [
        ("MIT", true),
        ("Apache-2.0", false),
        ("Apache-2.0 OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("(Apache-2.0 OR MIT) AND BSD-3-Clause", true),
        ("MIT AND Zlib", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}

#[test]
fn every_key_of_the_config_map_is_described() {
    let wanted: BTreeSet<String> =
        flotilla::pipeline::config::KEYS.iter().map(|key| key.name.to_owned()).collect();
    let page = read("docs/reference/configmap.md");
    let table = page.split("<!-- keys -->").nth(1).unwrap().split("<!-- end of keys -->").next().unwrap();
    let described: BTreeSet<String> = rows(table, &Regex::new("^`").unwrap())
        .iter()
        .map(|cells| code_words(&cells[0])[0].to_owned())
        .collect();
    assert_eq!(described, wanted);
}

/// What a command says with `--help`.
fn help(command: &[String]) -> String {
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_flotilla"))
        .args(command)
        .arg("--help")
        .output()
        .unwrap();
    assert!(told.status.success(), "{command:?}");
    String::from_utf8(told.stdout).unwrap()
}

/// All commands without subcommands of their own, each with its help.
fn commands(path: &[String]) -> Vec<(String, String)> {
    let text = help(path);
    let Some((_, list)) = text.split_once("\nCommands:\n") else { return vec![(path.join(" "), text)] };
    let name = Regex::new(r"^  ([a-z]+) ").unwrap();
    list.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| Some(name.captures(line)?[1].to_owned()))
        .filter(|name| name != "help")
        .flat_map(|name| commands(&[path, &[name]].concat()))
        .collect()
}

/// The long options at the beginning of lines or table rows, without those of every command.
fn long_options(text: &str) -> BTreeSet<String> {
    let option = Regex::new(r"(?m)^(?:\| `| +)(?:-\w(?:`?, `?))?(--[a-z-]+)").unwrap();
    option
        .captures_iter(text)
        .map(|found| found[1].to_owned())
        .filter(|name| !matches!(name.as_str(), "--help" | "--version" | "--log-level" | "--log-format"))
        .collect()
}

#[test]
fn every_command_is_described_with_its_options() {
    let document = read("docs/reference/commands.md");
    let mut faults = Vec::new();
    let commands = commands(&[]);
    assert!(commands.len() > 5, "{commands:?}");
    for (command, help) in commands {
        let section =
            document.split("\n## ").find(|section| section.starts_with(&format!("`flotilla {command}")));
        let Some(section) = section else {
            faults.push(format!("flotilla {command}: has no section"));
            continue;
        };
        let (wanted, found) = (long_options(&help), long_options(section));
        faults.extend(
            wanted.difference(&found).map(|option| format!("flotilla {command}: {option} is missing")),
        );
        faults.extend(found.difference(&wanted).map(|option| format!("flotilla {command}: has no {option}")));
    }
    none(&faults);
}

#[test]
fn every_decision_is_in_the_list() {
    let list = read("docs/adr/README.md");
    let mut faults = Vec::new();
    let mut numbers = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("docs/adr")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        if !list.contains(&format!("({name})")) {
            faults.push(format!("{name}: is not in docs/adr/README.md"));
        }
        let text = read(&format!("docs/adr/{name}"));
        for heading in ["**Context.**", "**Decision.**", "**Consequences.**"] {
            if !text.contains(heading) {
                faults.push(format!("{name}: has no {heading}"));
            }
        }
        numbers.insert(name[..4].parse::<usize>().expect("four digits"));
    }
    assert_eq!(numbers.iter().copied().collect::<Vec<_>>(), (1..=numbers.len()).collect::<Vec<_>>());
    none(&faults);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut files =
        vec![root().join("README.md"), root().join("CONTRIBUTING.md"), root().join("CHANGELOG.md")];
    collect(&root().join("docs"), &mut files);
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let path = Regex::new(r"`((?:src|tests|benches|docs|policies|configmaps|kustomize)/[\w./-]+)`").unwrap();
    let mut faults = Vec::new();
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let shown = file.strip_prefix(root()).unwrap().display();
        for target in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            seen += 1;
            let (target, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let target = file.parent().unwrap().join(target);
            if !target.exists() {
                faults.push(format!("{shown}: {} does not exist", target.display()));
            } else if !anchor.is_empty() && !anchors(&target).contains(anchor) {
                faults.push(format!("{shown}: {} has no heading #{anchor}", target.display()));
            }
        }
        for named in path.captures_iter(&text).map(|found| found[1].to_owned()) {
            seen += 1;
            if !root().join(&named).exists() {
                faults.push(format!("{shown}: {named} does not exist"));
            }
        }
    }
    assert!(seen > 50, "the links cannot be read");
    none(&faults);
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(file: &Path) -> BTreeSet<String> {
    let Ok(text) = std::fs::read_to_string(file) else { return BTreeSet::new() };
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|character| character.is_alphanumeric() || " -_".contains(*character))
                .map(|character| if character == ' ' { '-' } else { character })
                .collect()
        })
        .collect()
}
