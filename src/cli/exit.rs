//! How a command ends: its exit code, and the error that a person reads.

use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command did its work and found nothing wrong.
    Success,
    /// The command did its work and found something: policies that cannot be rendered, changes that are pending.
    Findings,
    /// The command was used wrongly, or could not do its work.
    Error,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Findings => 1,
            Self::Error => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What a command comes to.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a command could not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Told to the person in one line, with hints.
    Told {
        /// `failed to <verb> <thing>: <cause>`.
        message: String,
        /// What to do about it, one sentence each.
        hints: Vec<String>,
    },
    /// Nobody reads the output any more (`flotilla … | head`): stop without a word.
    OutputClosed,
}

impl Failure {
    /// From its line, without `error: ` in front.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Told { message: message.into(), hints: Vec::new() }
    }

    /// With a hint more.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Told { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// The exit code that goes with it.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Told { .. } => Exit::Error,
            Self::OutputClosed => Exit::Success,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_code() {
        assert_eq!([Exit::Success, Exit::Findings, Exit::Error].map(Exit::code), [0, 1, 2]);
        assert_eq!(Failure::new("failed to do it").exit(), Exit::Error);
        assert_eq!(Failure::OutputClosed.exit(), Exit::Success);
    }

    #[test]
    fn hints_stay_in_order() {
        let failure = Failure::new("failed to do it").hint("first").hint("second");
        let Failure::Told { message, hints } = failure else { panic!("told") };
        assert_eq!(
            (message.as_str(), hints),
            ("failed to do it", vec!["first".to_owned(), "second".to_owned()])
        );
    }
}
