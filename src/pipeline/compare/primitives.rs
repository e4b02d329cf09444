//! What comparing is made of, value by value, for whoever holds it against the rules one by one.

pub use super::clash;
pub use super::diff::unified;
pub use super::extent::{Absent, Extent, Likeness, likeness, lists, maps};
pub use super::merge::merge;
