//! What is wrong with a template: its name, the line, the cause and what to do.

use std::fmt;

/// A template that does not come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// Name of the template.
    pub template: String,
    /// 1-based line, where it is known: of the template, or of its result when `message` says so.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

impl TemplateFault {
    pub(super) fn new(template: &str, message: impl Into<String>) -> Self {
        Self { template: template.to_owned(), line: None, message: message.into(), hint: String::new() }
    }

    pub(super) fn line(mut self, line: Option<u64>) -> Self {
        self.line = line;
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "template {}", self.template)?;
        if let Some(line) = self.line {
            write!(formatter, " line {line}")?;
        }
        write!(formatter, ": {}", self.message)?;
        if !self.hint.is_empty() {
            write!(formatter, "; {}", self.hint)?;
        }
        Ok(())
    }
}
