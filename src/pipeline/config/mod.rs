//! TODO room doc

pub mod cron;
pub mod go_duration;
