//! I/O, one concern each: converts to and from the types of the pipeline and decides nothing.

pub mod api_server;
pub mod cluster;
pub mod hub;
pub mod source;
