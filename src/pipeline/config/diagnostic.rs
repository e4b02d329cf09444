//! A finding in the user's settings: place, cause and hint on one line.

use std::fmt;

/// Longest excerpt of a value that is shown.
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

/// One finding in the ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The key in `data`.
    pub key: String,
    /// Whether it stops the policies.
    pub severity: Severity,
    /// 1-based line inside the value (inside the decoded value for base64), when the value has several.
    pub line: Option<u32>,
    /// What stands there, shortened; empty when there is nothing to show. Never a secret.
    pub found: String,
    /// What is wrong, as the rest of a sentence that begins with the key.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Diagnostic {
    pub(super) fn error(key: &str, message: impl Into<String>) -> Self {
        Self::new(key, Severity::Error, message.into())
    }

    pub(super) fn warning(key: &str, message: impl Into<String>) -> Self {
        Self::new(key, Severity::Warning, message.into())
    }

    fn new(key: &str, severity: Severity, message: String) -> Self {
        let (found, hint) = (String::new(), String::new());
        Self { key: key.to_owned(), severity, line: None, found, message, hint }
    }

    pub(super) fn found(mut self, text: &str) -> Self {
        self.found = excerpt(text);
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(super) fn line(mut self, line: Option<u32>) -> Self {
        self.line = line;
        self
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

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.severity, self.key)?;
        if let Some(line) = self.line {
            write!(formatter, " line {line}")?;
        }
        write!(formatter, ": {}", self.message)?;
        if !self.found.is_empty() {
            write!(formatter, ", found {:?}", self.found)?;
        }
        if !self.hint.is_empty() {
            write!(formatter, "; {}", self.hint)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let finding = Diagnostic::error("backupTTL", "is not a duration")
            .found(&format!("10\ndays {}", "x".repeat(100)))
            .hint("for example 240h0m0s")
            .line(Some(2));
        assert_eq!(
            finding.to_string(),
            format!(
                "error: backupTTL line 2: is not a duration, found \"10 days {}...\"; for example 240h0m0s",
                "x".repeat(72)
            )
        );
    }
}
