//! The primitives of merging and comparing.
