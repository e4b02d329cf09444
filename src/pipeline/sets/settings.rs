//! The data of a ConfigMap to what the templates need of it.

use std::collections::BTreeMap;

use super::parameters::Parameters;
use super::rendering::shipped_texts;
use crate::pipeline::config::{self, Diagnostic, Severity};
use crate::protection::departure::{OnDelete, OnDeselect};

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// The data of the accepted copy: aliases resolved, defaults filled in.
    pub(super) data: BTreeMap<String, String>,
    /// What the templates are told; the ConfigMap that the policies read is named elsewhere.
    pub(super) parameters: Parameters,
    /// ConfigMap with the user's templates.
    pub(super) templates: Option<String>,
    /// What becomes of a deselected cluster.
    pub(super) on_deselect: OnDeselect,
    /// What becomes of the clusters when the ConfigMap goes.
    pub(super) on_delete: OnDelete,
}

/// Reads the settings; warnings come beside them, errors in their place.
pub(super) fn read(data: &BTreeMap<String, String>) -> Result<(Settings, Vec<String>), Vec<String>> {
    let data = config::with_aliases(data);
    let texts = shipped_texts().map_err(|fault| vec![fault.to_string()])?;
    let used = config::used_keys(texts.iter().map(|(_, text)| text.as_str()));
    let (errors, warnings): (Vec<Diagnostic>, Vec<Diagnostic>) = config::validate(&data, &used)
        .into_iter()
        .partition(|diagnostic| diagnostic.severity == Severity::Error);
    if !errors.is_empty() {
        return Err(errors.iter().map(ToString::to_string).collect());
    }
    let settings = Settings {
        parameters: Parameters::default(),
        templates: data.get("templates").cloned(),
        on_deselect: OnDeselect::default(),
        on_delete: OnDelete::default(),
        data,
    };
    Ok((settings, warnings.iter().map(ToString::to_string).collect()))
}
