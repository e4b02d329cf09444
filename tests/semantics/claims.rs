//! Section 5: the claims that stand for the labels of a cluster.

use flotilla::pipeline::placement::claims::claims;
use serde_json::json;

use crate::rows::{Row, hold, of, same};

fn judge(row: &Row) -> Result<(), String> {
    let found = claims(&of(row.get("cluster")));
    if row.has("claims") {
        same("claims", &json!(found), row.get("claims"))?;
    }
    for (name, value) in row.get("has").as_object().into_iter().flatten() {
        same(name, &json!(found.get(name)), value)?;
    }
    Ok(())
}

#[test]
fn labels_are_claims() {
    hold("5-claims.yaml", &["cluster"], &["claims", "has"], judge);
}
