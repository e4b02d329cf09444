//! Logs: on stderr, as text or JSON, filtered by level.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::exit::Failure;
use super::output;

/// The options of every command that concern logs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogOptions {
    /// Which logs to show on stderr: error, warn, info, debug, trace, off, or a filter like
    /// `flotilla=debug,kube=info`. Default: info for `hub`, error for `demo`, warn for
    /// the others
    #[arg(long, global = true, env = "RUST_LOG", value_name = "LEVEL", hide_env_values = true)]
    log_level: Option<String>,
    /// How logs are written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    log_format: LogFormat,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging. `default` is the level of Flotilla's own logs where nobody asks for another one.
pub(crate) fn start(options: &LogOptions, default: &str) -> Result<(), Failure> {
    let asked = options.log_level.as_deref().map(str::trim).filter(|level| !level.is_empty());
    let directives = directives(asked.unwrap_or(default));
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        Failure::new(format!("failed to read the log level {:?}: {error}", asked.unwrap_or(default)))
            .hint("use error, warn, info, debug, trace, off, or a filter like `flotilla=debug,kube=info`")
    })?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match options.log_format {
        LogFormat::Text => subscriber.with_ansi(output::stderr_is_terminal()).with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::new(format!("failed to start logging: {error}")))
}

/// A bare level is meant for Flotilla. The libraries below it stay quiet: what they would log as an error is an ordinary
/// value here, and told in the status of a policy or as the command's own error.
fn directives(text: &str) -> String {
    let is_level =
        ["error", "warn", "info", "debug", "trace"].iter().any(|level| text.eq_ignore_ascii_case(level));
    if is_level { format!("error,kube_client=off,flotilla={text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("info", "error,kube_client=off,flotilla=info")]
    #[case("off", "off")]
    #[case("flotilla=debug,kube=info", "flotilla=debug,kube=info")]
    fn a_level_is_for_flotilla(#[case] asked: &str, #[case] expected: &str) {
        assert_eq!(directives(asked), expected);
        assert!(EnvFilter::try_new(directives(asked)).is_ok());
    }
}
