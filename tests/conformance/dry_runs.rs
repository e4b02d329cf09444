//! Whole ConfigurationPolicies through `flotilla dryrun`.
