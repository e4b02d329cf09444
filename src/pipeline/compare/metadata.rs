//! Labels and annotations, the only metadata that templates may write: takes the metadata of two objects, gives their
//! likeness and their merger. Texts are compared by letter: the label `1.10` is not `1.1`.

use serde_json::{Map, Value};

use super::LAST_APPLIED;
use super::extent::{Extent, Likeness};
use crate::api::object::Manifest;

/// The two mappings of metadata that templates may write.
const WRITABLE: [&str; 2] = ["labels", "annotations"];

/// OpenShift gives each namespace its ranges of user ids in annotations of this prefix.
const NAMESPACE_RANGES: &str = "openshift.io/sa.scc.";

/// Compares labels and annotations, each only when the desired object names it.
pub(crate) fn likeness(desired: &Manifest, existing: &Manifest, extent: Extent) -> Likeness {
    WRITABLE
        .iter()
        .filter_map(|field| Some((*field, desired_texts(desired, field)?)))
        .map(|(field, texts)| {
            let observed = comparable(existing, field, extent);
            texts_likeness(&texts, &observed, extent)
        })
        .max()
        .unwrap_or(Likeness::Same)
}

/// Compares two mappings of text.
pub(crate) fn texts_likeness(
    desired: &Map<String, Value>,
    observed: &Map<String, Value>,
    extent: Extent,
) -> Likeness {
    let surplus = extent == Extent::Exactly && observed.keys().any(|key| !desired.contains_key(key));
    let differs = desired.iter().any(|(key, value)| match observed.get(key) {
        Some(observed) => observed != value,
        None => !value.is_null(),
    });
    if surplus || differs { Likeness::Different } else { Likeness::Same }
}

/// The observed metadata with the desired labels and annotations. With [`Extent::Exactly`], what the template does not name goes
/// whenever the object is written, as with upstream: it is no difference of its own, however.
pub(crate) fn merged(desired: &Manifest, existing: &Manifest, extent: Extent) -> Value {
    let mut metadata = metadata_of(existing).cloned().unwrap_or_default();
    for field in WRITABLE {
        let texts = match (desired_texts(desired, field), extent) {
            (Some(texts), _) => texts,
            (None, Extent::AtLeast) => continue,
            (None, Extent::Exactly) => Map::new(),
        };
        let observed = texts_of(existing, field);
        let mut merged = match extent {
            Extent::AtLeast => observed,
            Extent::Exactly => {
                observed.into_iter().filter(|(key, _)| is_kept(existing, field, key)).collect()
            }
        };
        merged.extend(texts);
        if merged.is_empty() {
            metadata.remove(field);
        } else {
            metadata.insert(field.to_owned(), Value::Object(merged));
        }
    }
    Value::Object(metadata)
}

fn metadata_of(manifest: &Manifest) -> Option<&Map<String, Value>> {
    manifest.fields().get("metadata").and_then(Value::as_object)
}

fn texts_of(manifest: &Manifest, field: &str) -> Map<String, Value> {
    metadata_of(manifest)
        .and_then(|metadata| metadata.get(field))
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// What the template says of a field; `None` when it says nothing.
fn desired_texts(desired: &Manifest, field: &str) -> Option<Map<String, Value>> {
    let texts = metadata_of(desired)?.get(field)?.as_object()?;
    Some(texts.iter().filter(|(key, _)| *key != LAST_APPLIED).map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn comparable(existing: &Manifest, field: &str, extent: Extent) -> Map<String, Value> {
    let texts = texts_of(existing, field);
    match extent {
        Extent::AtLeast => texts,
        Extent::Exactly => texts.into_iter().filter(|(key, _)| !is_kept(existing, field, key)).collect(),
    }
}

/// Annotations that even `mustonlyhave` leaves alone.
fn is_kept(existing: &Manifest, field: &str, key: &str) -> bool {
    field == "annotations"
        && (key == LAST_APPLIED
            || (existing.gvk().same_kind("", "Namespace") && key.starts_with(NAMESPACE_RANGES)))
}
