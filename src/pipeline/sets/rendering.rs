//! Templates and parameters to objects: the same values always give the same objects in the same order.

use std::collections::BTreeSet;

use super::engine;
use super::fault::TemplateFault;
use super::parameters::Parameters;
use super::templates::{Overrides, SHIPPED};
use crate::api::object::{Manifest, ObjectKey};
use crate::yaml;

/// API groups and kinds that templates may render, in the order in which the objects are written.
pub const KINDS: [(&str, &str); 4] = [
    ("policy.open-cluster-management.io/v1", "Policy"),
    ("policy.open-cluster-management.io/v1beta1", "PolicySet"),
    ("cluster.open-cluster-management.io/v1beta1", "Placement"),
    ("policy.open-cluster-management.io/v1", "PlacementBinding"),
];

/// Renders the templates of the parameters' mode into a namespace. All faults are told.
pub fn render(
    namespace: &str,
    parameters: &Parameters,
    overrides: &Overrides,
) -> Result<Vec<Manifest>, Vec<TemplateFault>> {
    let value = parameters.to_value();
    let mut manifests = Vec::new();
    let mut faults = Vec::new();
    let mut seen: BTreeSet<ObjectKey> = BTreeSet::new();
    for (name, text) in overrides.in_force(parameters.install_mode) {
        match engine::render(name, text, &value).and_then(|text| documents(name, &text, namespace)) {
            Ok(documents) => {
                for manifest in documents {
                    if let Some(key) = manifest.key().filter(|key| !seen.insert(key.clone())) {
                        faults
                            .push(TemplateFault::new(name, format!("renders {key}, which is there already")));
                    }
                    manifests.push(manifest);
                }
            }
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    manifests.sort_by_key(rank);
    Ok(manifests)
}

/// The shipped templates of the default mode as text, with the default parameters: file name of `policies/` and content.
pub fn shipped_texts() -> Result<Vec<(String, String)>, TemplateFault> {
    let parameters = Parameters::default();
    let value = parameters.to_value();
    SHIPPED
        .iter()
        .filter(|shipped| shipped.counts_for(parameters.install_mode))
        .map(|shipped| {
            let file = shipped.name.trim_end_matches(".hbs").to_owned();
            Ok((file, engine::render(shipped.name, shipped.text, &value)?))
        })
        .collect()
}

/// Where an object stands in the order of writing.
pub(super) fn rank(manifest: &Manifest) -> usize {
    KINDS.iter().position(|(_, kind)| *kind == manifest.kind()).unwrap_or(KINDS.len())
}

fn documents(name: &str, text: &str, namespace: &str) -> Result<Vec<Manifest>, TemplateFault> {
    let documents = yaml::read_documents(text).map_err(|error| {
        TemplateFault::new(
            name,
            format!("what it renders is no YAML, line {}", error.line.unwrap_or_default()),
        )
        .hint("`flotilla render` shows what a template renders")
    })?;
    documents
        .into_iter()
        .map(|document| {
            let manifest =
                Manifest::parse(document).map_err(|error| TemplateFault::new(name, error.to_string()))?;
            checked(name, manifest, namespace)
        })
        .collect()
}

fn checked(name: &str, manifest: Manifest, namespace: &str) -> Result<Manifest, TemplateFault> {
    let kind = manifest.kind().to_owned();
    if !KINDS.contains(&(manifest.api_version(), manifest.kind())) {
        let known: Vec<String> = KINDS.iter().map(|(version, kind)| format!("{kind} ({version})")).collect();
        return Err(TemplateFault::new(name, format!("renders a {kind} of {}", manifest.api_version()))
            .hint(format!("only {} are rendered", known.join(", "))));
    }
    if manifest.name().is_none() {
        return Err(TemplateFault::new(name, format!("renders a {kind} without a name")));
    }
    if let Some(other) = manifest.namespace().filter(|other| *other != namespace) {
        return Err(TemplateFault::new(name, format!("renders a {kind} into namespace {other}"))
            .hint(format!("leave the namespace out: it is that of the ConfigMap, {namespace}")));
    }
    Ok(manifest.with_namespace(Some(namespace)))
}
