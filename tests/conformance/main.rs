//! The test cases of the Open Cluster Management projects, read from `../shared/data/conformance` where it lies beside the
//! repository (its `INDEX.md` explains the formats). The project copies none of them.
//!
//! Every case that is there is run, however many there are: nothing here may depend on their number or names. A case that is
//! judged wrong upstream stands in [`judged`] with its reason, and in `docs/conformance.md`.

#![expect(clippy::disallowed_methods, reason = "the cases are files")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fault here is a failed test")]
#![expect(clippy::print_stdout, reason = "what was left out, and how long the rest took")]
#![expect(clippy::disallowed_types, reason = "a test is a client")]

#[path = "../support/mod.rs"]
mod support;

mod aggregation;
mod cases;
mod configuration_policies;
mod dry_runs;
mod framework;
mod hub;
mod judged;
mod merge;
mod messages;
mod placement;
mod templates;
