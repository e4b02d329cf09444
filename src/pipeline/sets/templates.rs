//! The templates: those that are shipped, and what a user puts in their place.

use std::collections::BTreeMap;

use super::fault::TemplateFault;

/// A shipped template: its name and text.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// File name in `templates/`; a user's template of this name takes its place.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
}

const fn shipped(name: &'static str, text: &'static str) -> Shipped {
    Shipped { name, text }
}

/// All of them, in the order in which their objects build on each other.
pub const SHIPPED: [Shipped; 5] = [
    shipped(
        "oadp-hdr-app-install.yaml.hbs",
        include_str!("../../../templates/oadp-hdr-app-install.yaml.hbs"),
    ),
    shipped("oadp-hdr-app-backup.yaml.hbs", include_str!("../../../templates/oadp-hdr-app-backup.yaml.hbs")),
    shipped(
        "oadp-hdr-app-restore.yaml.hbs",
        include_str!("../../../templates/oadp-hdr-app-restore.yaml.hbs"),
    ),
    shipped(
        "acm-app-backup-policy-set.yaml.hbs",
        include_str!("../../../templates/acm-app-backup-policy-set.yaml.hbs"),
    ),
    shipped(
        "acm-app-restore-policy-set.yaml.hbs",
        include_str!("../../../templates/acm-app-restore-policy-set.yaml.hbs"),
    ),
];

/// Ends the name of every template.
const ENDING: &str = ".yaml.hbs";

/// Whether a key of a ConfigMap names a template and not a setting.
pub(super) fn is_template_name(key: &str) -> bool {
    key.ends_with(ENDING)
}

/// A user's templates by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, String>);

impl Overrides {
    /// From the data of a ConfigMap, every key of which must be the name of a shipped template.
    pub fn read(data: &BTreeMap<String, String>) -> Result<Self, Vec<TemplateFault>> {
        let known = || SHIPPED.iter().map(|shipped| shipped.name);
        let faults: Vec<TemplateFault> = data
            .keys()
            .filter(|name| !known().any(|known| known == name.as_str()))
            .map(|name| {
                TemplateFault::new(name, "takes the place of none: there is no template of this name")
                    .hint(format!("name it as one of {}", known().collect::<Vec<_>>().join(", ")))
            })
            .collect();
        if faults.is_empty() { Ok(Self(data.clone())) } else { Err(faults) }
    }

    /// By name.
    pub(super) fn texts(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// What counts, in the order of [`SHIPPED`]: the user's text where there is one.
    pub(super) fn in_force(&self) -> impl Iterator<Item = (&'static str, &str)> {
        SHIPPED
            .iter()
            .map(|shipped| (shipped.name, self.0.get(shipped.name).map_or(shipped.text, String::as_str)))
    }
}
