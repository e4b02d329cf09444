//! The agreement of the two stages about the Kubernetes API: the same requests, the same answers.
//!
//! The answers under `expected/` are those of a real kube-apiserver. Every test asks a server and compares; with
//! `FLOTILLA_STAGE=plane` that is the real one, else the stand-in. What the stand-in answers differently and why stands in
//! [`differences`], and nowhere else.
//!
//! `FLOTILLA_RECORD=1 FLOTILLA_STAGE=plane cargo test --test agreement` writes the expected answers anew.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test is a client, reads files and starts programs; a fault here is a failed test"
)]

mod apply;
mod clients;
mod definition;
mod deletion;
mod differences;
mod discovery;
mod errors;
mod ground;
mod kubectl;
mod lists;
mod metadata;
mod patches;
mod record;
mod schema;
#[path = "../support/mod.rs"]
mod support;
mod watch;
mod writes;
