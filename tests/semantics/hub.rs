//! Section 1.4: the hub's templates for one cluster.

use std::collections::BTreeMap;

use flotilla::pipeline::render::{Asked, HubContext, HubRendered, RenderError, Renderer};
use serde_json::{Value, json};

use crate::encryption;
use crate::objects::Objects;
use crate::rows::{self, Row, has_part, hold, same};

/// The namespace of every root policy.
pub(crate) const NAMESPACE: &str = "policies";

/// Carries the hub's templates out: `hub` of a row says for which cluster, with which objects.
pub(crate) fn phase(definition: &Value, hub: &Value) -> (Result<HubRendered, RenderError>, Asked) {
    let context = HubContext {
        cluster: hub["cluster"].as_str().unwrap_or("c1").to_owned(),
        labels: if hub["labels"].is_null() { BTreeMap::new() } else { rows::of(&hub["labels"]) },
        policy_metadata: json!({"name": "root", "namespace": NAMESPACE, "labels": {"of": "root"},
            "annotations": {"note": "n"}}),
        policy_namespace: NAMESPACE.to_owned(),
        is_restricted: hub["service_account"] != json!(true),
        encryption: (!hub["encryption"].is_null()).then(|| encryption::of(&hub["encryption"])),
        ..HubContext::default()
    };
    let objects = Objects::new(hub["objects"].as_array().into_iter().flatten());
    Renderer::new().hub_phase(definition, &context, &objects)
}

fn judge(row: &Row) -> Result<(), String> {
    let (rendered, asked) = phase(row.get("definition"), row.get("hub"));
    if row.has("asked") {
        let found: Vec<String> = asked.references.iter().map(ToString::to_string).collect();
        same("asked", &json!(found), row.get("asked"))?;
    }
    match (rendered, row.text("fails")) {
        (Err(error), Some(part)) => has_part("fails", &error.to_string(), part),
        (Err(error), None) => Err(format!("fails with {error}")),
        (Ok(rendered), Some(_)) => Err(format!("does not fail, but gives {}", rendered.definition)),
        (Ok(rendered), None) if row.has("becomes") => {
            same("becomes", &rendered.definition, row.get("becomes"))
        }
        (Ok(_), None) => Ok(()),
    }
}

#[test]
fn templates_of_the_hub() {
    hold("1.4-hub.yaml", &["definition", "hub"], &["becomes", "fails", "asked"], judge);
}
