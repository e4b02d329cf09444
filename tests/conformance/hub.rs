//! Root policies to replicated policies.
