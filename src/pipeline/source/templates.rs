//! A user's own templates in a source: the directory `templates/` becomes the ConfigMap that the key `templates` of a
//! configuration names, so that there is one way for templates to reach the hub.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::contents::SourceFile;
use super::inventory::Identity;
use crate::api::object::Manifest;
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::sets::{self, Neighbourhood};

/// The directory, at the root of the source.
const DIRECTORY: &str = "templates/";
/// Ends the name of every template.
const ENDING: &str = ".yaml.hbs";
/// The key of a configuration that names the ConfigMap with its templates.
const KEY: &str = "templates";

/// Whether a file of a source, by its path from the root, is a template and no manifest.
pub fn is_template(path: &str) -> bool {
    path.strip_prefix(DIRECTORY).is_some_and(|name| !name.contains('/') && name.ends_with(ENDING))
}

/// The objects that the templates of a source become, one in each namespace where a configuration names one; or why they would
/// be of no use.
pub(super) fn config_maps(
    files: &[SourceFile],
    wanted: &[(Identity, Manifest)],
) -> Result<Vec<(Identity, Manifest)>, String> {
    let data: BTreeMap<&str, &str> = files
        .iter()
        .filter(|file| is_template(&file.path))
        .map(|file| (file.path.trim_start_matches(DIRECTORY), file.text.as_str()))
        .collect();
    if data.is_empty() {
        return Ok(Vec::new());
    }
    let named: BTreeSet<(&str, &str)> = configurations(wanted)
        .filter_map(|(identity, manifest)| Some((identity.namespace.as_str(), templates_of(manifest)?)))
        .collect();
    if named.is_empty() {
        return Err(format!(
            "{DIRECTORY}: no labelled {CONFIG_MAP_NAME} of the source has the key `{KEY}`; add `{KEY}: NAME` to the one that is \
             rendered with them, and the ConfigMap NAME is made beside it"
        ));
    }
    let made = named.into_iter().filter_map(|(namespace, name)| {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace}, "data": data});
        let manifest = Manifest::parse(object).ok()?;
        Some((Identity::of(&manifest)?, manifest))
    });
    Ok(made.collect())
}

/// What keeps a configuration of the source from being rendered with the templates beside it, by its identity.
pub(super) fn faults(wanted: &[(Identity, Manifest)]) -> Vec<(&Identity, String)> {
    let config_map = |namespace: &str, name: &str| -> Option<Arc<Manifest>> {
        let found = wanted.iter().find(|(identity, _)| {
            identity.kind == "ConfigMap" && identity.namespace == namespace && identity.name == name
        });
        found.map(|(_, manifest)| Arc::new(manifest.clone()))
    };
    let mut faults = Vec::new();
    for (identity, manifest) in configurations(wanted) {
        let namespace = identity.namespace.as_str();
        // Where the templates come from elsewhere, the hub tells.
        if templates_of(manifest).is_some_and(|name| config_map(namespace, name).is_none()) {
            continue;
        }
        let found = |name: &str| config_map(namespace, name);
        let decision = sets::decide(&Neighbourhood { namespace, config_map: &found, present: &[] });
        faults.extend(decision.faults.into_iter().map(|fault| (identity, fault)));
    }
    faults
}

/// The ConfigMaps from which the hub renders.
fn configurations(wanted: &[(Identity, Manifest)]) -> impl Iterator<Item = &(Identity, Manifest)> {
    wanted.iter().filter(|(identity, manifest)| {
        identity.kind == "ConfigMap" && identity.name == CONFIG_MAP_NAME && sets::is_protected(manifest)
    })
}

fn templates_of(configuration: &Manifest) -> Option<&str> {
    let name = configuration.at(&["data", KEY]).and_then(Value::as_str)?.trim();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_stand_in_one_directory() {
        for (path, expected) in [
            ("templates/oadp-hdr-app-backup.yaml.hbs", true),
            ("templates/more/oadp-hdr-app-backup.yaml.hbs", false),
            ("oadp-hdr-app-backup.yaml.hbs", false),
            ("templates/notes.txt", false),
            ("templates/policy.yaml", false),
        ] {
            assert_eq!(is_template(path), expected, "{path}");
        }
    }
}
