//! Placements to clusters, decisions and conditions.
