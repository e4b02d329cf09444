//! A finding in the user's settings: key, place in the value, cause, what is expected, and a hint.
//!
//! Takes what a rule saw, gives a value that shows itself on one line. Must not touch: the values of secrets.

use std::fmt;

use crate::yaml::Mark;

/// Longest excerpt of a value that is shown, in characters.
const LONGEST_EXCERPT: usize = 80;

/// Whether a finding stops the policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is rendered until it is corrected.
    Error,
    /// Shown, and the work goes on.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// What kind of fault a finding is. The kind decides how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A key that must be there is not.
    Missing,
    /// A value that the API server would not take, because it is no text.
    NotText,
    /// A value of the sample that was never filled in.
    Placeholder,
    /// A value that cannot be read: no YAML, no base64.
    Unreadable,
    /// A value that was read and is not what the key takes.
    Invalid,
    /// A value that Velero or the OADP operator would refuse.
    Refused,
    /// Values that are right by themselves and cannot be used together.
    Conflict,
    /// A key or field that nobody knows and that looks like a known one.
    Unknown,
    /// A value of older versions, which is understood or translated.
    Obsolete,
    /// A value that works, but probably not as meant.
    Doubtful,
}

impl Fault {
    /// Whether it stops the policies.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Missing
            | Self::NotText
            | Self::Placeholder
            | Self::Unreadable
            | Self::Invalid
            | Self::Refused
            | Self::Conflict => Severity::Error,
            Self::Unknown | Self::Obsolete | Self::Doubtful => Severity::Warning,
        }
    }
}

/// Where under a key a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The key itself, or its value as a whole.
    Key,
    /// A place in the value.
    Value(Mark),
    /// A place in the text that the value is the base64 of.
    Decoded(Mark),
}

/// One finding in the ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The key in `data`, as the user wrote it.
    pub key: String,
    /// What kind of fault it is.
    pub fault: Fault,
    /// Where it is.
    pub place: Place,
    /// What is wrong, as the rest of a sentence that begins with the key.
    pub message: String,
    /// What stands there, shortened, on one line. Never a secret.
    pub found: Option<String>,
    /// What may stand there; empty where the message says it.
    pub expected: String,
    /// What to do; empty where there is nothing to add.
    pub hint: String,
}

impl Diagnostic {
    pub(super) fn new(key: &str, fault: Fault, message: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            fault,
            place: Place::Key,
            message: message.into(),
            found: None,
            expected: String::new(),
            hint: String::new(),
        }
    }

    /// Whether it stops the policies.
    pub const fn severity(&self) -> Severity {
        self.fault.severity()
    }

    pub(super) fn found(mut self, text: &str) -> Self {
        self.found = Some(excerpt(text));
        self
    }

    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(super) const fn at(mut self, mark: Mark) -> Self {
        self.place = Place::Value(mark);
        self
    }

    pub(super) const fn decoded_at(mut self, mark: Mark) -> Self {
        self.place = Place::Decoded(mark);
        self
    }

    /// The cause without key, place and hint: what is wrong, what was found, what is expected.
    pub fn cause(&self) -> String {
        let found = self.found.as_ref().map(|found| format!(", found {found:?}")).unwrap_or_default();
        let expected = match self.expected.as_str() {
            "" => String::new(),
            expected => format!(", expected {expected}"),
        };
        format!("{}{found}{expected}", self.message)
    }
}

/// The text on one line, cut to a readable length.
fn excerpt(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= LONGEST_EXCERPT {
        return flat;
    }
    flat.chars().take(LONGEST_EXCERPT).chain("...".chars()).collect()
}

impl fmt::Display for Place {
    /// Nothing where the key alone says it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key | Self::Value(Mark::START) => Ok(()),
            Self::Value(Mark { line, column }) => write!(formatter, " line {line} column {column}"),
            Self::Decoded(Mark { line, column }) => {
                write!(formatter, " line {line} column {column} of the decoded text")
            }
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}{}: {}", self.severity(), self.key, self.place, self.cause())?;
        if self.hint.is_empty() { Ok(()) } else { write!(formatter, "; {}", self.hint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let finding = Diagnostic::new("backupTTL", Fault::Invalid, "is not a duration")
            .found(&format!("10\ndays {}", "x".repeat(100)))
            .expected("a Go duration")
            .hint("for example 240h0m0s");
        let rest = format!(
            "is not a duration, found \"10 days {}...\", expected a Go duration; for example 240h0m0s",
            "x".repeat(72)
        );
        assert_eq!(finding.to_string(), format!("error: backupTTL: {rest}"));
        let mark = Mark { line: 2, column: 7 };
        assert_eq!(finding.clone().at(mark).to_string(), format!("error: backupTTL line 2 column 7: {rest}"));
        assert_eq!(
            finding.decoded_at(mark).to_string(),
            format!("error: backupTTL line 2 column 7 of the decoded text: {rest}")
        );
    }

    #[test]
    fn the_kind_of_fault_says_how_bad_it_is() {
        assert_eq!(Fault::Refused.severity(), Severity::Error);
        assert_eq!(Fault::Obsolete.severity(), Severity::Warning);
        assert!(Severity::Error < Severity::Warning);
    }
}
