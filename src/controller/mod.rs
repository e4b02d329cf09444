//! TODO room doc
pub mod evaluate;
