//! Texts of templates to values, single functions, and whole policies.
