//! One value under examination: its key, its text, and the findings so far.

use super::diagnostic::{Diagnostic, Fault};
use crate::yaml::Mark;

/// A value while it is read. Readers return `None` once they reported an error.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    /// The key as the user wrote it.
    pub(super) key: &'a str,
    /// The value.
    pub(super) text: &'a str,
    /// What was found wrong with it.
    pub(super) findings: Vec<Diagnostic>,
}

impl<'a> Subject<'a> {
    pub(super) const fn new(key: &'a str, text: &'a str) -> Self {
        Self { key, text, findings: Vec::new() }
    }

    /// A finding about the value; it still has to be reported.
    pub(super) fn finding(&self, fault: Fault, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.key, fault, message)
    }

    pub(super) fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// Reports that the value is not what the key takes; shows it.
    pub(super) fn invalid(&mut self, message: impl Into<String>, expected: &str, hint: &str) {
        let finding = self.finding(Fault::Invalid, message).found(self.text);
        self.report(finding.expected(expected).hint(hint));
    }

    /// Like [`Self::invalid`] for an entry of the value.
    pub(super) fn invalid_entry(
        &mut self,
        mark: Mark,
        found: &str,
        message: impl Into<String>,
        expected: &str,
        hint: &str,
    ) {
        let finding = self.finding(Fault::Invalid, message).found(found).at(mark);
        self.report(finding.expected(expected).hint(hint));
    }

    /// The value of a reader, if nothing that it reported is an error.
    pub(super) fn unless_faulty<T>(&self, value: T) -> Option<T> {
        let faulty = self.findings.iter().any(|finding| finding.severity() == super::Severity::Error);
        (!faulty).then_some(value)
    }
}
