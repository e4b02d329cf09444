//! Whole ConfigurationPolicies, step by step, against API servers.
