//! What the scenarios stand on: a stage, the hub process in it, and a user with the Kubernetes API.
//!
//! Everything goes through the API as a user's would, so that the same scenarios run on the stand-in and on real servers
//! ([`stage`]).

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test binary uses its part")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test is a client, reads files and starts programs"
)]
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fault here is a failed test"
)]

pub mod existing;
pub mod git_server;
pub mod hub_process;
pub mod input;
pub mod plane;
pub mod repository;
pub mod ssh_server;
pub mod stage;
pub mod user;
pub mod world;

pub use input::{
    config_map, fill_in, manifest, others_are_absent, own_policy_files, policy_files, read, shared_data,
};
pub use repository::SourceRepository;
pub use user::User;
pub use world::{World, newest};

/// The namespace of the policies.
pub const POLICIES: &str = "policies";
/// The Velero namespace of the sample ConfigMaps.
pub const VELERO: &str = "acm-app-backup";
