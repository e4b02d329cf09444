//! Flotilla: a hub that protects stateful applications on fleets of Kubernetes clusters with Velero.
//!
//! ```text
//! hub objects ─► snapshot ─► placement ─► render (hub phase) ─┐
//!                                                             ▼   per cluster, isolated, bounded
//!                 observed objects of the cluster ─► render (cluster phase) ─► compare ─► plan ─► push ─► observe
//!                                                                                                   │
//! Policy / PolicySet status, events, metrics, CLI  ◄── roll up ◄── compliance per object ◄─────────┘
//! ```
//!
//! Everything left of `push` is a pure function of values: no client, clock, file system, environment or randomness.
//! The rooms and what each may name are listed in `docs/architecture.md` and held by `tests/architecture.rs`.

pub mod adapters;
pub mod api;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod pipeline;
pub mod protection;
pub mod server;
pub mod sim;
pub mod yaml;
