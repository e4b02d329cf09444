//! The seal of a rendered object: an annotation by which everybody sees whether the object is as the hub wrote it.
//!
//! A fleet must not follow a change that the hub is about to take back: in the moment between, a Schedule would be lost.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::api::object::Manifest;
use crate::api::ocm::names;

/// What the API server or other writers keep on an object: no part of what is rendered.
const NOT_RENDERED: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
/// Annotations that say what the policy does on a cluster.
const MEANINGFUL: [&str; 3] =
    [names::ON_DESELECT_ANNOTATION, names::ON_DELETE_ANNOTATION, names::ALLOW_DESTRUCTIVE_ANNOTATION];
/// Between what was rendered and what the API server made of it, where that is not the same.
const BETWEEN: char = '/';
/// Bytes of the digest that are kept.
const KEPT: usize = 16;

/// The fields of an object that are rendered.
pub fn content(object: &Manifest) -> Map<String, Value> {
    let rendered = object.fields().iter().filter(|(name, _)| !NOT_RENDERED.contains(&name.as_str()));
    rendered.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The object with the seal of its content.
pub fn sealed(object: Manifest) -> Manifest {
    let seal = digest(&object);
    with_seal(object, &seal)
}

/// Whether the object is as it was written. One without a seal was written by nobody who seals.
pub fn is_intact(object: &Manifest) -> bool {
    seal(object).is_none_or(|seal| stored(seal) == digest(object))
}

/// What should be there, given what is: where the API server has filled in fields of what was rendered, they are wanted too.
pub fn as_stored(desired: &Manifest, existing: &Manifest) -> Manifest {
    let (Some(wanted), Some(found)) = (seal(desired), seal(existing)) else { return desired.clone() };
    if !is_intact(existing) || rendered(found) != wanted {
        return desired.clone();
    }
    let fields = content(existing).into_iter();
    let filled = fields.fold(desired.clone(), |object, (name, value)| object.with_field(&name, Some(value)));
    with_seal(filled, found)
}

/// The seal that an object must have after it was written, where the API server made something else of it than was sent.
pub fn correction(desired: &Manifest, written: &Manifest) -> Option<String> {
    let wanted = seal(desired)?;
    let found = digest(written);
    (!is_intact(written)).then(|| format!("{}{BETWEEN}{found}", rendered(wanted)))
}

/// Whether an object with such a digest is what the API server made of what was rendered.
pub fn is_sealed_as(object: &Manifest, digest: &str) -> bool {
    seal(object).is_some_and(|seal| stored(seal) == digest)
}

fn seal(object: &Manifest) -> Option<&str> {
    object.annotation(names::RENDERED_CONTENT_ANNOTATION)
}

/// The digest of what was rendered.
fn rendered(seal: &str) -> &str {
    seal.split_once(BETWEEN).map_or(seal, |(rendered, _)| rendered)
}

/// The digest of what was stored.
fn stored(seal: &str) -> &str {
    seal.split_once(BETWEEN).map_or(seal, |(_, stored)| stored)
}

/// The digest of an object as it is.
pub fn digest(object: &Manifest) -> String {
    let annotations: Map<String, Value> = MEANINGFUL
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), json!(object.annotation(name)?))))
        .collect();
    let text = json!([content(object), annotations]).to_string();
    let digest = Sha256::digest(text);
    URL_SAFE_NO_PAD.encode(digest.get(..KEPT).unwrap_or(&digest))
}

fn with_seal(object: Manifest, seal: &str) -> Manifest {
    let mut metadata = object.at(&["metadata"]).cloned().unwrap_or_else(|| json!({}));
    metadata["annotations"][names::RENDERED_CONTENT_ANNOTATION] = json!(seal);
    object.with_field("metadata", Some(metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(spec: &Value) -> Manifest {
        Manifest::parse(
            json!({"apiVersion": "cluster.open-cluster-management.io/v1beta1", "kind": "Placement",
            "metadata": {"name": "p", "namespace": "ns"}, "spec": spec}),
        )
        .unwrap()
    }

    /// The object with another spec and everything else as it is, as `kubectl edit` leaves it.
    fn edited(object: &Manifest, spec: Value) -> Manifest {
        object.clone().with_field("spec", Some(spec))
    }

    #[test]
    fn an_edit_breaks_the_seal_and_a_status_does_not() {
        let object = sealed(placement(&json!({"clusterSets": ["default"]})));
        assert!(is_intact(&object));
        assert!(is_intact(
            &object.clone().with_field("status", Some(json!({"numberOfSelectedClusters": 3})))
        ));
        assert!(!is_intact(&edited(&object, json!({"clusterSets": []}))));
        assert!(is_intact(&placement(&json!({"clusterSets": []}))), "it has no seal");
        let mut metadata = object.at(&["metadata"]).unwrap().clone();
        metadata["annotations"]["theirs"] = json!("x");
        assert!(is_intact(&object.clone().with_field("metadata", Some(metadata.clone()))));
        metadata["annotations"]["flotilla.dev/on-delete"] = json!("remove");
        assert!(!is_intact(&object.with_field("metadata", Some(metadata))));
    }

    /// A definition with defaults makes more of an object than was sent.
    #[test]
    fn what_the_server_fills_in_is_no_edit() {
        let desired = sealed(placement(&json!({"tolerations": [{"key": "a"}]})));
        let stored = edited(&desired, json!({"tolerations": [{"key": "a", "operator": "Equal"}]}));
        let seal = correction(&desired, &stored).unwrap();
        let unsealed = digest(&stored);
        assert!(!is_sealed_as(&desired, &unsealed));
        let stored = with_seal(stored, &seal);
        assert!(is_intact(&stored) && is_sealed_as(&stored, &unsealed));
        assert_eq!(correction(&desired, &stored), None);
        assert_eq!(content(&as_stored(&desired, &stored)), content(&stored));
        // What is edited then, and what is rendered anew, is another matter.
        let by_hand = edited(&stored, json!({"tolerations": []}));
        assert!(!is_intact(&by_hand));
        assert_eq!(as_stored(&desired, &by_hand), desired);
        let anew = sealed(placement(&json!({"tolerations": []})));
        assert_eq!(as_stored(&anew, &stored), anew);
    }
}
