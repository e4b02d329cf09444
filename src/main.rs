//! The `flotilla` command: parses the arguments, runs the command, turns its outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    flotilla::cli::main()
}
