//! Objects that the hub renders from a ConfigMap: created, brought back to what was rendered, deleted. Each write is
//! preconditioned on the version that was looked at.

use serde_json::{Map, Value, json};

use super::{Hub, replicas};
use crate::adapters::api_server::{ApiError, Mode};
use crate::api::object::Manifest;
use crate::api::ocm::names::RENDERED_CONTENT_ANNOTATION;
use crate::pipeline::compare::changes;
use crate::pipeline::sets::seal;

/// Where Flotilla's own labels and annotations are.
const OWN_PREFIX: &str = replicas::OWN_PREFIX;

impl Hub {
    /// Writes a rendered object, if it differs from the one that is there; answers what was written. Labels and annotations of
    /// others stay. Where the API server fills in fields, the seal is set to what it made.
    pub async fn write_rendered(
        &self,
        existing: Option<&Manifest>,
        desired: &Manifest,
    ) -> Result<Option<Manifest>, ApiError> {
        let written = match existing {
            None => self.connection().create(desired, Mode::Real).await?,
            Some(existing) => match (difference(existing, desired), existing.key()) {
                (Some(patch), Some(key)) => self.connection().merge(&key, &patch, Mode::Real).await?,
                (None, _) | (_, None) => return Ok(None),
            },
        };
        match (seal::correction(desired, &written), written.key()) {
            (Some(seal), Some(key)) => {
                let patch = json!({"metadata": {"resourceVersion": written.resource_version(),
                    "annotations": {RENDERED_CONTENT_ANNOTATION: seal}}});
                self.connection().merge(&key, &patch, Mode::Real).await.map(Some)
            }
            (None, _) | (_, None) => Ok(Some(written)),
        }
    }

    /// Deletes a rendered object that is not wanted any more.
    pub async fn delete_rendered(&self, object: &Manifest) -> Result<(), ApiError> {
        match object.key().filter(|_| !object.is_deleting()) {
            Some(key) => self.connection().delete(&key, object.uid()).await,
            None => Ok(()),
        }
    }
}

/// The merge patch from what is there to what was rendered, with its precondition; `None` where nothing differs.
fn difference(existing: &Manifest, desired: &Manifest) -> Option<Value> {
    let desired = &seal::as_stored(desired, existing);
    let mut metadata = Map::new();
    for field in ["labels", "annotations"] {
        let path = ["metadata", field];
        let wanted = desired.at(&path).cloned().unwrap_or_else(|| json!({}));
        let surplus = |name: &str| name.starts_with(OWN_PREFIX);
        if let Some(found) = replicas::corrections(existing.at(&path), &wanted, surplus) {
            metadata.insert(field.to_owned(), Value::Object(found));
        }
    }
    let owners = ["metadata", "ownerReferences"];
    if let Some(wanted) = desired.at(&owners).filter(|wanted| existing.at(&owners) != Some(wanted)) {
        metadata.insert("ownerReferences".to_owned(), wanted.clone());
    }
    let content = |of: &Manifest| Value::Object(seal::content(of));
    let mut patch = match changes(&content(existing), &content(desired)) {
        Some(Value::Object(patch)) => patch,
        Some(_) | None => Map::new(),
    };
    if metadata.is_empty() && patch.is_empty() {
        return None;
    }
    metadata.insert("resourceVersion".to_owned(), json!(existing.resource_version()));
    patch.insert("metadata".to_owned(), Value::Object(metadata));
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(metadata: &Value, policies: &[&str]) -> Manifest {
        Manifest::parse(
            json!({"apiVersion": "policy.open-cluster-management.io/v1beta1", "kind": "PolicySet",
            "metadata": metadata, "spec": {"policies": policies}}),
        )
        .unwrap()
    }

    #[test]
    fn a_hand_edit_is_taken_back_and_what_others_note_stays() {
        let desired =
            set(&json!({"name": "s", "annotations": {"flotilla.dev/rendered-from": "ns/c"}}), &["a"]);
        let there = set(
            &json!({"name": "s", "resourceVersion": "7", "labels": {"theirs": "x"}, "annotations": {"theirs": "y",
                "flotilla.dev/rendered-from": "ns/c", "flotilla.dev/configuration-fault": "old"}}),
            &["a", "b"],
        );
        assert_eq!(
            difference(&there, &desired).unwrap(),
            json!({"metadata": {"resourceVersion": "7", "annotations": {"flotilla.dev/configuration-fault": null}},
                "spec": {"policies": ["a"]}})
        );
    }

    #[test]
    fn nothing_is_written_when_nothing_differs() {
        let desired =
            set(&json!({"name": "s", "labels": {"a": "b"}, "ownerReferences": [{"uid": "u"}]}), &["a"]);
        let there = desired.clone().with_field("status", Some(json!({"compliant": "Compliant"})));
        assert_eq!(difference(&there, &desired), None);
    }
}
