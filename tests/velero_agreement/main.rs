//! Real Velero and its simulator side by side: the same objects in, the same ladder of phases and the same fields out.
//!
//! The expectations are what real Velero 1.18 does; `FLOTILLA_STAGE=plane` checks that, the default checks the simulator.
//! [`expected`] says how they are recorded.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a fault here is a failed test"
)]
#[path = "../support/mod.rs"]
mod support;

mod backups;
mod diary;
mod differences;
mod expected;
mod fixture;
mod restores;
mod schedules;
mod shared_storage;
