//! Root policies' and PolicySets' statuses from those of clusters.
