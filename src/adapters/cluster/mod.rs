//! One managed cluster: its connection, the account under which the hub enters it, and the pushing of a plan to it.
//!
//! Takes plans; gives what came of every step. "Not connected" is an ordinary value. Must not touch: the hub, compliance.

pub mod access;
mod facts;
mod push;

pub use facts::{FACT_GROUPS, facts};
pub use push::{Pushed, pause, paused, prune, push, rehearse};
