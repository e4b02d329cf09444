//! `--log`: what was read, looked up and compared, for whoever wonders about a result; and the differences that policies
//! want in the log (`recordDiff: Log`).

use std::collections::BTreeSet;
use std::fmt::Write;

use super::report::Trial;
use crate::pipeline::plan::CheckPlan;
use crate::pipeline::render::lookup::Reference;

/// The log.
#[derive(Default)]
pub(super) struct Log {
    text: String,
}

impl Log {
    /// A file was read.
    pub(super) fn read(&mut self, path: &str, objects: usize) {
        self.line(&format!("read {path}: {objects} objects"));
    }

    /// These were looked up, by templates and by the plan.
    pub(super) fn looked_up(&mut self, policy: &str, references: &BTreeSet<Reference>) {
        for reference in references {
            self.line(&format!("{policy}: looked up {reference}"));
        }
    }

    /// A policy was planned.
    pub(super) fn planned(&mut self, policy: &str, plan: &CheckPlan) {
        for (index, template) in plan.templates.iter().enumerate() {
            for object in &template.objects {
                let what = object.key.as_ref().map_or_else(|| template.plural.clone(), ToString::to_string);
                let reason = object.finding.reason.as_str();
                self.line(&format!("{policy}: object template {index}: {what}: {reason}"));
            }
        }
    }

    /// A policy was tried.
    pub(super) fn tried(&mut self, trial: &Trial) {
        for diff in &trial.logged {
            self.line(&format!("{}: the difference of {} {}:", trial.policy, diff.kind, diff.object));
            self.text.push_str(&diff.diff);
        }
        for message in &trial.messages {
            self.line(&format!("{}: {message}", trial.policy));
        }
    }

    fn line(&mut self, line: &str) {
        let _written = writeln!(self.text, "{line}");
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
