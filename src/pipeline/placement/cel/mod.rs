//! `celSelector`: expressions in the Common Expression Language over a whole ManagedCluster.
//!
//! Takes the text of an expression once, then a cluster and its scores; gives true, false, or why it cannot be said. The variable
//! is `managedCluster`; the functions are the language's own, its string library and those of `functions`. The one variable is a map
//! of anything, as upstream declares it: an unknown field of it fails where it is read, an unknown function is a misconfiguration.
//!
//! An expression comes from a user. Before the parser sees one, its length is bounded (`limits`); what it may cost is worked out
//! from its loops before it is run.

mod functions;
mod inspect;
mod limits;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::{Context, Env, ExecutionError, Program, Value, to_value};
use jiff::Timestamp;

use self::inspect::Findings;
use super::surroundings::Scores;
use crate::api::ocm::cluster::ManagedCluster;

/// The one variable.
const VARIABLE: &str = "managedCluster";

/// A compiled expression.
#[derive(Clone)]
pub(super) struct Expression {
    text: String,
    program: Arc<Program>,
    env: Arc<Env>,
    findings: Findings,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What an expression says of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The cluster is wanted.
    True,
    /// It is not.
    False {
        /// Whether that follows from what a person says of the cluster, and not from what machines report.
        chosen: bool,
    },
    /// It cannot be said.
    Fault(String),
}

impl Expression {
    /// Compiles expressions; the error is the text of upstream's condition, as far as the parsers agree.
    pub(super) fn compile(texts: &[String]) -> Result<Vec<Self>, String> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let env =
            Arc::new(functions::environment().map_err(|error| format!("instantiation failed: {error}"))?);
        texts.iter().map(|text| Self::compile_one(text, &env)).collect()
    }

    fn compile_one(text: &str, env: &Arc<Env>) -> Result<Self, String> {
        let failed = |reason: String| format!("compilation failed: {reason}");
        limits::check_text(text).map_err(failed)?;
        // The parser is a foreign one: should it panic on some text, the text is at fault, not the hub.
        let program = catch_unwind(AssertUnwindSafe(|| env.compile(text)))
            .map_err(|_| failed("the expression cannot be read".to_owned()))?
            .map_err(|errors| failed(errors.to_string()))?;
        let findings = inspect::inspect(program.expression());
        if let Some(name) = &findings.undeclared {
            return Err(failed(format!("undeclared reference to '{name}' (in container '')")));
        }
        limits::check_loops(findings.loops).map_err(failed)?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program), env: env.clone(), findings })
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it asks for scores of add-ons.
    pub(super) fn uses_scores(&self) -> bool {
        self.findings.uses_scores
    }

    /// Evaluates it for a cluster.
    pub(super) fn evaluate(&self, cluster: &ManagedCluster, scores: Scores<'_>, now: Timestamp) -> Answer {
        match self.run(cluster, scores, now) {
            Ok(Value::Bool(true)) => Answer::True,
            Ok(Value::Bool(false)) => Answer::False { chosen: self.findings.by_people },
            Ok(other) => Answer::Fault(format!("its value is a {} and not true or false", other.type_of())),
            // A label that is not there: somebody did not give it, or took it away.
            Err(Fault::Execution(ExecutionError::NoSuchKey(key)))
                if self.findings.by_people && self.findings.label_keys.contains(key.as_str()) =>
            {
                Answer::False { chosen: true }
            }
            Err(Fault::Execution(error)) => Answer::Fault(error.to_string()),
            Err(Fault::Other(text)) => Answer::Fault(text),
        }
    }

    fn run(&self, cluster: &ManagedCluster, scores: Scores<'_>, now: Timestamp) -> Result<Value, Fault> {
        let other = |text: String| Fault::Other(text);
        let scores = match (self.findings.uses_scores, scores) {
            (true, Scores::NotKnown(reason)) => return Err(Fault::Other(reason.to_owned())),
            (true, Scores::Known(all)) => functions::scores_of(all, &cluster.metadata.name, now),
            (false, _) => Vec::new(),
        };
        let json = serde_json::to_value(cluster).map_err(|error| other(error.to_string()))?;
        limits::check_cost(&self.findings, &json, &scores).map_err(other)?;
        let value = to_value(&json).map_err(|error| other(error.to_string()))?;
        catch_unwind(AssertUnwindSafe(|| {
            let mut context = Context::with_env(self.env.clone());
            context.add_variable_from_value(VARIABLE, value);
            functions::add(&mut context, scores).map_err(|error| Fault::Other(error.to_string()))?;
            self.program.execute(&context).map_err(Fault::Execution)
        }))
        .unwrap_or_else(|_| Err(Fault::Other("it cannot be evaluated".to_owned())))
    }
}

enum Fault {
    Execution(ExecutionError),
    Other(String),
}

/// Names that an expression may call.
fn is_declared(name: &str) -> bool {
    functions::STANDARD.contains(&name) || functions::OWN.contains(&name)
}

/// Keys of labels and annotations that stand in an expression as they are.
type LabelKeys = BTreeSet<String>;

#[cfg(test)]
mod tests;
