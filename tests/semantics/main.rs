//! Open Cluster Management's semantics, statement by statement.
//!
//! The rows stand in `tests/fixtures/semantics/*.yaml`: an `id` (section, number of the statement in it, a word), the `rule`
//! in our own words, an input and what comes of it. What comes of it was worked out by hand, or taken from Go's
//! text/template, Sprig and go-yaml themselves; never from Flotilla.

#![expect(clippy::disallowed_methods, reason = "reads its rows")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fault here is a failed test")]

mod claims;
mod compare;
mod coverage;
mod encryption;
mod evaluation;
mod hub;
mod objects;
mod placement;
mod policies;
mod policy;
mod rows;
mod templates;
