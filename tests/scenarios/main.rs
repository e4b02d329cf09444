//! The scenarios of the fleet: what a platform team does, and what must come of it on the hub and on the clusters.
//!
//! One code for two stages: `make test` runs them on the stand-in, `make e2e` on real kube-apiserver, etcd, Velero and S3.
//! What is done differently on the two stands in `support/stage.rs` alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a fault here is a failed test"
)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test is a client and reads files"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod changes;
mod checks;
mod collisions;
mod config_map_only;
mod configurations;
mod dry_runs;
mod existing_velero;
mod getting_started;
mod hooks;
mod hub_itself;
mod installing;
mod joining;
mod kinds;
mod leases;
mod pacman;
mod placements;
mod prefixes;
mod previews;
mod restarts;
mod sources;
mod templates;
mod velero_installed;
mod webhook;

/// The policy that installs Velero.
const INSTALL: &str = "oadp-hdr-app-install";
/// The policy that schedules backups.
const BACKUP: &str = "oadp-hdr-app-backup";
/// The policy that restores.
const RESTORE: &str = "oadp-hdr-app-restore";
/// The Schedule of c1 under the `pv-snap` configuration.
const SCHEDULE: &str = "acm-pv-dpa-1-c1";
