//! `flotilla lint`: mistakes in policies and settings that can be seen in their text.

mod sarif;

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::exit::{Exit, Failure, Outcome};
use super::output::{self, Structured};
use crate::adapters::source::read_trees;
use crate::pipeline::lint::{self, Finding, Level};

const EXAMPLES: &str = "\
Examples:
  flotilla lint policies/
  flotilla lint policy.yaml --longest-cluster production-eu-central-1
  flotilla lint policies/ -o sarif > findings.sarif
  flotilla lint -f configmap.yaml                   the ConfigMap with the settings

The rules are described in docs/reference/lint.md. A ConfigMap is looked into if it is called hdr-app-configmap or has the
label flotilla.dev/protect: \"true\". Other files are read as YAML and passed over.

Exit codes: 0 nothing or warnings only, 1 errors, 2 a file cannot be read.";

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line per finding, and one with a hint.
    Text,
    /// A list of findings.
    Json,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
}

/// Find mistakes in policies and in the ConfigMap with their settings without trying them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Files, and directories with all manifests below them
    #[arg(required_unless_present = "files", value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// The same as POLICY, as kubectl takes it: policies, and ConfigMaps with settings
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The longest name of a cluster that the policies are placed on, or how long it is
    #[arg(long, value_name = "NAME|LENGTH", value_parser = cluster_length)]
    longest_cluster: Option<usize>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

/// A name, or its length.
fn cluster_length(text: &str) -> Result<usize, String> {
    let length = text.parse().unwrap_or(text.len());
    if (1..=253).contains(&length) {
        Ok(length)
    } else {
        Err("the name of a cluster has between 1 and 253 characters".to_owned())
    }
}

/// A finding with its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Located {
    file: String,
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    level: &'static str,
    rule: &'static str,
    message: String,
    hint: String,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Outcome {
    let texts = read_trees(options.policies.iter().chain(&options.files).map(PathBuf::as_path))
        .map_err(|error| Failure::new(format!("failed to read the files: {error}")))?;
    let settings = lint::Options { longest_cluster: options.longest_cluster };
    let found: Vec<(String, Finding)> = texts
        .iter()
        .flat_map(|text| {
            lint::lint(&text.text, &settings).into_iter().map(|finding| (text.path.clone(), finding))
        })
        .collect();
    let errors = found.iter().filter(|(_, finding)| finding.level() == Level::Error).count();
    match options.output {
        Form::Text => output::data(&text(&found))?,
        Form::Json => output::document(&located(&found), Structured::Json)?,
        Form::Sarif => output::document(&sarif::log(&found), Structured::Json)?,
    }
    output::note(&format!(
        "{} and {} in {}",
        counted(errors, "error"),
        counted(found.len() - errors, "warning"),
        counted(texts.len(), "file")
    ));
    Ok(if errors > 0 { Exit::Findings } else { Exit::Success })
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A line per finding, and one with its hint.
pub(super) fn text(found: &[(String, Finding)]) -> String {
    let mut text = String::new();
    for (file, finding) in found {
        let Finding { rule, line, column, message, hint } = finding;
        let level = finding.level().as_str();
        let column = column.map(|column| format!(":{column}")).unwrap_or_default();
        let _written = writeln!(text, "{file}:{line}{column}: {level}: {message} [{}]", rule.id());
        if !hint.is_empty() {
            let _written = writeln!(text, "  hint: {hint}");
        }
    }
    text
}

fn located(found: &[(String, Finding)]) -> Vec<Located> {
    found
        .iter()
        .map(|(file, finding)| Located {
            file: file.clone(),
            line: finding.line,
            column: finding.column,
            level: finding.level().as_str(),
            rule: finding.rule.id(),
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_cluster_is_a_name_or_a_length() {
        assert_eq!(cluster_length("c1"), Ok(2));
        assert_eq!(cluster_length("46"), Ok(46));
        assert!(cluster_length("").is_err());
        assert!(cluster_length("300").is_err());
    }
}
