//! The only file that prints: data to stdout, everything about the work itself to stderr.

#![expect(clippy::print_stderr, reason = "this is the file that prints")]

use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::exit::Failure;
use crate::yaml;

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// How data without a table form is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Structured {
    /// One JSON document.
    Json,
    /// YAML.
    Yaml,
}

/// Prints to stdout as it is and at once.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::new(format!("failed to write the output: {error}")),
    })
}

/// Prints a line to stdout.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    data(&format!("{text}\n"))
}

/// Prints a value as one document.
pub(crate) fn document(value: &impl Serialize, format: Structured) -> Result<(), Failure> {
    data(&document_text(value, format)?)
}

/// The text of [`document`].
pub(crate) fn document_text(value: &impl Serialize, format: Structured) -> Result<String, Failure> {
    let unwritable =
        |error: &dyn std::error::Error| Failure::new(format!("failed to write the output: {error}"));
    match format {
        Structured::Json => serde_json::to_string_pretty(value)
            .map(|text| format!("{text}\n"))
            .map_err(|error| unwritable(&error)),
        Structured::Yaml => {
            let value = serde_json::to_value(value).map_err(|error| unwritable(&error))?;
            yaml::write(&value).map_err(|error| unwritable(&error))
        }
    }
}

/// Clears the screen where stdout is one.
pub(crate) fn clear_screen() -> Result<(), Failure> {
    if std::io::stdout().is_terminal() { data("\x1b[2J\x1b[H") } else { Ok(()) }
}

/// Whether log lines may be coloured.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Something to know, on stderr.
pub(crate) fn note(text: &str) {
    eprintln!("note: {}", one_line(text));
}

/// Something to look into, on stderr.
pub(crate) fn warning(text: &str) {
    eprintln!("warning: {}", one_line(text));
}

/// Something that was left out because it is wrong, on stderr.
pub(crate) fn error(text: &str) {
    eprintln!("error: {}", one_line(text));
}

/// Lines to know before the data, on stderr as they are.
pub(crate) fn ahead(text: &str) {
    eprint!("{text}");
}

/// What ended a command that speaks as Open Cluster Management's own one does, on stderr.
pub(crate) fn plain_error(text: &str) {
    eprintln!("Error: {text}");
}

/// What ended a command, on stderr.
pub(crate) fn failure(failure: &Failure) {
    match failure {
        Failure::Told { message, hints } => {
            error(message);
            for hint in hints {
                eprintln!("hint: {}", one_line(hint));
            }
        }
        Failure::OutputClosed => {}
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Columns that are as wide as their widest cell, as kubectl prints them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With its headings.
    pub(crate) fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        Self { rows: vec![headings.into_iter().map(ToOwned::to_owned).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has headings only.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// The text, one line per row.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width - cell.chars().count() + 3));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["NAME", "STATE"]);
        assert!(table.is_empty());
        table.row(["a-long-name".to_owned(), "Compliant".to_owned()]);
        table.row(["ü".to_owned(), String::new()]);
        assert_eq!(table.text(), "NAME          STATE\na-long-name   Compliant\nü\n");
    }

    #[test]
    fn messages_stay_on_one_line() {
        assert_eq!(one_line("failed:\n  line 1\tcolumn 2"), "failed: line 1 column 2");
    }
}
