//! `flotilla completions`: a script that completes commands and options in a shell.

use clap::Args;
use clap_complete::Shell;

use super::exit::{Exit, Outcome};
use super::output;

const EXAMPLES: &str = "\
Examples:
  flotilla completions bash > ~/.local/share/bash-completion/completions/flotilla
  flotilla completions zsh > \"${fpath[1]}/_flotilla\"
  flotilla completions fish > ~/.config/fish/completions/flotilla.fish";

/// Print a script that completes commands and options in a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut super::command(), "flotilla", &mut script);
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
