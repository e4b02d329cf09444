//! Dependencies, Pending, template errors and remediation on a cluster.
