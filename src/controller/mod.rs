//! The driver: which policy is evaluated for which cluster when, and the steps of one evaluation in order.
//!
//! Takes changes from the adapters; calls the pipeline's pure functions and the adapters in the order of the flow
//! (`docs/architecture.md`). Must not hold rules of the domain, and must not name clap, axum or a template engine.

pub mod carry_out;
pub mod configuration;
mod contention;
pub mod evaluate;
pub mod fleet;
mod hub_itself;
mod hub_loop;
mod hub_templates;
mod inbox;
pub mod interval;
mod leader;
mod metrics;
pub mod prepare;
pub mod preview;
mod reporter;
mod retry;
mod sets;
mod source;
mod spellings;
mod turn;
pub mod wording;
mod worker;

pub use hub_loop::{HubOptions, RunError, run};
pub use leader::Candidate;
pub use metrics::Metrics;
pub use source::{SourceOptions, Trigger};
