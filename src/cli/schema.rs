//! `flotilla schema`: the JSON Schema of the ConfigMap with the settings.

use clap::Args;

use super::exit::{Exit, Outcome};
use super::output::{self, Structured};
use crate::pipeline::config::json_schema;

const EXAMPLES: &str = "\
Examples:
  flotilla schema > hdr-app-configmap.schema.json
  flotilla schema -o yaml

With a first line `# yaml-language-server: $schema=hdr-app-configmap.schema.json` in the ConfigMap, an editor shows keys and words
while one types. `flotilla lint -f` finds more: rules over several keys, schedules, the specification of the storage.";

/// Print the JSON Schema of the ConfigMap with the settings
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Structured::Json)]
    output: Structured,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Outcome {
    output::document(&json_schema(), options.output)?;
    Ok(Exit::Success)
}
