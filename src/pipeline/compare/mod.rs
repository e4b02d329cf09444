//! Desired against observed: takes two objects and the rules of a template, gives whether they agree, the merger to
//! write if not, the patch that writes it and the difference for people.
//!
//! The algorithm is upstream's (`spec/ocm-semantics.md` sections 2.3 and 2.4) with the writing rules of design decision
//! 6. Nothing here knows of clusters, clients or time, and no value of a Secret leaves it through an error or a diff.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::api::object::Manifest;
use crate::api::ocm::configuration_policy::{ComplianceType, MetadataComplianceType};

mod diff;
mod extent;
mod lines;
mod merge;
mod metadata;
mod patch;
pub mod primitives;
mod quantity;
mod redact;
mod written;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use diff::{DIFF_LINES, deletion_diff, diff, object_diff, truncate};
pub use patch::{changes, merge_patch, same_after_dry_run};
pub use redact::{Redaction, redacted};
pub use written::{WrittenLists, written_lists, written_lists_after};

use extent::{Absent, Extent, Likeness, likeness};

/// The annotation in which `kubectl apply` keeps its own copy of the object.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How an object template wants to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `complianceType`.
    pub compliance: ComplianceType,
    /// `metadataComplianceType`, when it differs.
    pub metadata: Option<MetadataComplianceType>,
}

impl Rules {
    fn extent(self) -> Extent {
        match self.compliance {
            ComplianceType::MustHave | ComplianceType::MustNotHave => Extent::AtLeast,
            ComplianceType::MustOnlyHave => Extent::Exactly,
        }
    }

    fn metadata_extent(self) -> Extent {
        match self.metadata {
            None => self.extent(),
            Some(MetadataComplianceType::MustHave) => Extent::AtLeast,
            Some(MetadataComplianceType::MustOnlyHave) => Extent::Exactly,
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// The object is as desired.
    Same,
    /// It is not, or only the API server can tell.
    Different(Difference),
    /// The template cannot be written into this object.
    Invalid(InvalidTemplate),
}

/// How an object differs. Its `Debug` shows no content, which may be a Secret's.
#[derive(Clone, PartialEq)]
pub struct Difference {
    /// The observed object with the desired fields written into it.
    pub merged: Manifest,
    /// `status` differs. It is reported and never written.
    pub status_mismatch: bool,
    /// Anything that can be written differs.
    pub spec_mismatch: bool,
    /// What differs besides `status` is only that zero values are absent: a dry run tells whether the API server would
    /// keep them. Implies `spec_mismatch`.
    pub only_absent_zeros: bool,
}

impl fmt::Debug for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Difference")
            .field("of", &self.merged.key())
            .field("status_mismatch", &self.status_mismatch)
            .field("spec_mismatch", &self.spec_mismatch)
            .field("only_absent_zeros", &self.only_absent_zeros)
            .finish_non_exhaustive()
    }
}

/// Why a template cannot be written into an object; the text is the compliance message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidTemplate {
    /// A mapping meets a list, or one of them a scalar.
    #[error("Error merging changes into key \"{key}\": object type of template and existing do not match")]
    TypeClash {
        /// The top-level field.
        key: String,
    },
}

/// Compares a desired object with the observed one of the same name.
///
/// `written` is what Flotilla wrote into the object's lists earlier: with `musthave` such an entry is dropped from the
/// observed lists when the desired object names the list and no longer holds the entry.
pub fn compare(desired: &Manifest, existing: &Manifest, rules: &Rules, written: &WrittenLists) -> Comparison {
    let fields = writable_form(desired);
    let mut spec = Likeness::Same;
    let mut status_mismatch = false;
    for (key, value) in fields.iter().filter(|(key, _)| is_compared(key)) {
        let observed = existing.fields().get(key).unwrap_or(&Value::Null);
        if clash(key, value, observed) {
            return Comparison::Invalid(InvalidTemplate::TypeClash { key: key.clone() });
        }
        if key == "metadata" {
            spec = spec.max(metadata::likeness(desired, existing, rules.metadata_extent()));
        } else if key == "status" {
            status_mismatch = !likeness(value, observed, rules.extent(), Absent::Differs).holds();
        } else {
            spec = spec.max(field_likeness(desired, key, value, observed, *rules, written));
        }
    }
    if rules.extent() == Extent::Exactly && surplus_keys(&fields, existing).next().is_some() {
        spec = Likeness::Different;
    }
    if spec == Likeness::Same && !status_mismatch {
        return Comparison::Same;
    }
    Comparison::Different(Difference {
        merged: merged(desired, &fields, existing, *rules, written),
        status_mismatch,
        spec_mismatch: spec != Likeness::Same,
        only_absent_zeros: spec == Likeness::SameButAbsent,
    })
}

/// Whether an object is one that a template without a name means: every desired top-level field agrees, absent fields
/// counting as zero values.
pub fn matches(desired: &Manifest, existing: &Manifest, rules: &Rules) -> bool {
    let fields = writable_form(desired);
    fields.iter().filter(|(key, _)| is_compared(key)).all(|(key, value)| {
        let observed = existing.fields().get(key).unwrap_or(&Value::Null);
        if key == "metadata" {
            return metadata::likeness(desired, existing, rules.extent()).holds();
        }
        !clash(key, value, observed)
            && if is_opaque(desired, key) {
                opaque_likeness(value, observed, rules.extent()).holds()
            } else {
                likeness(value, observed, rules.extent(), Absent::EqualsZero).holds()
            }
    })
}

/// Whether an object is a core Secret.
pub(crate) fn is_secret(manifest: &Manifest) -> bool {
    manifest.gvk().same_kind("", "Secret")
}

fn is_compared(key: &str) -> bool {
    !matches!(key, "apiVersion" | "kind")
}

/// Fields whose values are text without meaning to Kubernetes, so that `1.10` and `1.1` are two values.
fn is_opaque(manifest: &Manifest, key: &str) -> bool {
    matches!(key, "data" | "binaryData") && {
        let gvk = manifest.gvk();
        gvk.same_kind("", "ConfigMap") || gvk.same_kind("", "Secret")
    }
}

/// The desired fields in the form in which the API server keeps them: a Secret's `stringData` is part of `data`.
fn writable_form(desired: &Manifest) -> Cow<'_, Map<String, Value>> {
    let fields = desired.fields();
    let plain = fields.get("stringData").and_then(Value::as_object);
    let (true, Some(plain)) = (is_secret(desired), plain) else { return Cow::Borrowed(fields) };
    if !plain.values().all(Value::is_string) {
        return Cow::Borrowed(fields);
    }
    let mut folded = fields.clone();
    let mut data = match folded.remove("data") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(data)) => data,
        Some(_) => return Cow::Borrowed(fields),
    };
    for (key, value) in plain {
        let encoded = STANDARD.encode(value.as_str().unwrap_or_default());
        data.insert(key.clone(), Value::String(encoded));
    }
    folded.remove("stringData");
    folded.insert("data".to_owned(), Value::Object(data));
    Cow::Owned(folded)
}

/// Whether a mapping or a list of the template meets something else in the object.
pub fn clash(key: &str, desired: &Value, observed: &Value) -> bool {
    key != "metadata"
        && match desired {
            Value::Object(_) => !(observed.is_object() || observed.is_null()),
            Value::Array(_) => !(observed.is_array() || observed.is_null()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

fn field_likeness(
    desired: &Manifest,
    key: &str,
    value: &Value,
    observed: &Value,
    rules: Rules,
    written: &WrittenLists,
) -> Likeness {
    if is_opaque(desired, key) {
        return opaque_likeness(value, observed, rules.extent());
    }
    if rules.extent() == Extent::AtLeast
        && matches!(
            written::without_leftovers(written, &written::pointer("", key), value, observed),
            Cow::Owned(_)
        )
    {
        return Likeness::Different;
    }
    likeness(value, observed, rules.extent(), Absent::Differs)
}

/// Compares mappings of opaque text by letter.
fn opaque_likeness(desired: &Value, observed: &Value, extent: Extent) -> Likeness {
    match (desired, observed) {
        (Value::Object(desired), Value::Object(observed)) => {
            metadata::texts_likeness(desired, observed, extent)
        }
        (Value::Object(desired), Value::Null) if desired.is_empty() => Likeness::SameButAbsent,
        _ => likeness(desired, observed, extent, Absent::Differs),
    }
}

/// Top-level fields of the observed object that `mustonlyhave` does not allow.
fn surplus_keys<'a>(
    desired: &'a Map<String, Value>,
    existing: &'a Manifest,
) -> impl Iterator<Item = &'a String> {
    let service_account = existing.gvk().same_kind("", "ServiceAccount");
    existing.fields().keys().filter(move |key| {
        // Kubernetes itself fills the lists of a ServiceAccount.
        let managed = service_account && matches!(key.as_str(), "secrets" | "imagePullSecrets");
        is_compared(key)
            && !matches!(key.as_str(), "status" | "metadata")
            && !managed
            && !desired.contains_key(*key)
    })
}

fn merged(
    desired: &Manifest,
    fields: &Map<String, Value>,
    existing: &Manifest,
    rules: Rules,
    written: &WrittenLists,
) -> Manifest {
    let mut merged = existing.fields().clone();
    if rules.extent() == Extent::Exactly {
        for key in surplus_keys(fields, existing) {
            merged.remove(key);
        }
    }
    for (key, value) in fields.iter().filter(|(key, _)| is_compared(key)) {
        let observed = existing.fields().get(key).unwrap_or(&Value::Null);
        let value = match rules.extent() {
            _ if key == "metadata" => metadata::merged(desired, existing, rules.metadata_extent()),
            Extent::AtLeast => {
                let path = written::pointer("", key);
                let kept = written::without_leftovers(written, &path, value, observed);
                merge::merge(value, &kept, Absent::Differs)
            }
            Extent::Exactly => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    // Both parts are well-formed objects, so the merger is one; the observed object is the honest answer otherwise.
    Manifest::parse(Value::Object(merged)).unwrap_or_else(|_| existing.clone())
}
