//! The command line itself: help, completions, usage errors, exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cli_support;

use std::io::Read;
use std::process::{Command, Stdio};

use cli_support::{FLOTILLA, flotilla};

const COMMANDS: [&[&str]; 12] = [
    &[],
    &["hub"],
    &["render"],
    &["plan"],
    &["diff"],
    &["status"],
    &["cluster"],
    &["cluster", "join"],
    &["cluster", "leave"],
    &["cluster", "list"],
    &["sim"],
    &["demo"],
];

#[test]
fn help_of_every_command_has_an_example() {
    for command in COMMANDS.iter().copied().chain([&["completions"][..]]) {
        let help = flotilla(command.iter().copied().chain(["--help"])).with_code(0);
        assert!(help.stdout.contains("\nExamples:\n"), "{command:?}: {}", help.stdout);
        assert!(help.stdout.contains("--log-level"), "{command:?}");
    }
    let help = flotilla(["--help"]).with_code(0);
    assert!(help.stdout.contains("Exit codes:"), "{}", help.stdout);
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = flotilla(["completions", shell]).with_code(0);
        assert!(script.stdout.contains("flotilla") && script.stdout.contains("hub"), "{shell}");
        assert_eq!(script.stderr, "");
    }
}

#[test]
fn wrong_usage_ends_with_two() {
    let cases: [&[&str]; 9] = [
        &[],
        &["nonsense"],
        &["render"],
        &["sim", "--dir", "/tmp/x", "--minute", "soon"],
        &["plan", "--policy", "without-namespace"],
        &["diff"],
        &["diff", "-f", "/does/not/exist.yaml"],
        &["cluster", "join", "Not A Name", "--kubeconfig", "x"],
        &["hub", "--log-level", "flotilla=shout"],
    ];
    for arguments in cases {
        let ended = flotilla(arguments.iter().copied()).with_code(2);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
    let ended = flotilla(["hub", "--log-level", "flotilla=shout"]);
    assert_eq!(ended.lines("hint:").len(), 1, "{}", ended.stderr);
}

#[test]
fn a_source_that_cannot_be_used_is_told_without_what_may_be_a_password() {
    for (sources, part) in [
        (&["git+https://fleet:hunter2@h/r"][..], "credentials do not belong in an address"),
        (&["git+https://h/r?password=hunter2"], "there is no parameter \"password\""),
        (&["https://fleet:hunter2@h/r"], "its scheme must be git+https"),
        (&["git+https://h/r", "dir:///etc/fleet"], "two have the name fleet"),
    ] {
        let arguments = sources.iter().flat_map(|source| ["--source", source]);
        let ended = flotilla(["hub"].into_iter().chain(arguments)).with_code(2);
        assert_eq!(ended.lines("error: failed to read the source").len(), 1, "{}", ended.stderr);
        assert_eq!(ended.lines("hint: ").len(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(part) && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    let ended = flotilla(["hub", "--source", "dir:///a", "--source-interval", "10ms"]).with_code(2);
    assert!(ended.stderr.contains("it must be a second or more"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = Command::new(FLOTILLA)
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn kubectl_runs_it_as_a_plugin() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = directory.path().join("kubectl-flotilla");
    std::os::unix::fs::symlink(FLOTILLA, &plugin).unwrap();
    let output = Command::new(plugin).args(["status", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Usage: kubectl flotilla status"), "{help}");
}

#[test]
fn a_hub_that_is_not_there_is_told_in_one_line_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let gone = cli_support::write(
        directory.path(),
        "gone.kubeconfig",
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {server: \"http://127.0.0.1:1\"}\n\
         users:\n- name: c\n  user: {token: top-secret}\ncontexts:\n- name: c\n  context: {cluster: c, user: c}\n",
    );
    for command in [&["status"][..], &["plan"], &["cluster", "list"], &["hub", "--listen", "127.0.0.1:0"]] {
        for kubeconfig in [gone.as_str(), "/does/not/exist"] {
            let ended = flotilla(command.iter().copied().chain(["--kubeconfig", kubeconfig])).with_code(2);
            assert_eq!(ended.lines("error: failed to ").len(), 1, "{command:?}: {}", ended.stderr);
            assert_eq!(ended.lines("hint: ").len(), 1, "{command:?}: {}", ended.stderr);
            assert!(!ended.stderr.contains("top-secret"));
        }
    }
}
