//! The templates: those that are shipped, and what a user puts in their place.

use std::collections::BTreeMap;

use super::fault::TemplateFault;
use crate::api::object::Manifest;
use crate::pipeline::config::types::InstallMode;

/// A shipped template: its name, its text, and when it counts.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// File name in `templates/`; a user's template of this name takes its place.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
    /// The modes in which it is rendered.
    modes: &'static [InstallMode],
}

impl Shipped {
    /// Whether it is rendered when Velero comes onto the clusters in this way.
    pub fn counts_for(&self, mode: InstallMode) -> bool {
        self.modes.contains(&mode)
    }
}

/// The key of the ConfigMap that says the mode.
const MODE_KEY: &str = "installMode";

/// Every mode.
const ALWAYS: &[InstallMode] = &[InstallMode::Oadp, InstallMode::Velero, InstallMode::Existing];

/// The policy that puts Velero there, or looks whether it is there: the others wait for it to be Compliant.
pub const fn install_policy(mode: InstallMode) -> &'static str {
    match mode {
        InstallMode::Oadp => "oadp-hdr-app-install",
        InstallMode::Velero => "velero-hdr-app-install",
        InstallMode::Existing => "velero-hdr-app-check",
    }
}

/// Whether an install policy gave way to that of another mode, which installs Velero anew: the user changed `installMode`. With
/// `none` whatever is there is to stay, whoever installed it. `accepted` is the copy of the configuration in force.
pub fn is_replaced(policy: &str, accepted: &Manifest) -> bool {
    let mode = accepted.text_at(&["data", MODE_KEY]).and_then(InstallMode::from_word);
    let installs = |mode: InstallMode| matches!(mode, InstallMode::Oadp | InstallMode::Velero);
    mode.filter(|mode| installs(*mode)).is_some_and(|mode| {
        [InstallMode::Oadp, InstallMode::Velero]
            .into_iter()
            .any(|other| other != mode && install_policy(other) == policy)
    })
}

/// Whether an install policy is one of another mode than the configuration in force: it is about to go, and what it reads is no
/// longer meant for it.
pub fn is_of_another_mode(policy: &str, accepted: &Manifest) -> bool {
    let Some(mode) = accepted.text_at(&["data", MODE_KEY]).and_then(InstallMode::from_word) else {
        return false;
    };
    let installs = [InstallMode::Oadp, InstallMode::Velero, InstallMode::Existing];
    policy != install_policy(mode) && installs.into_iter().any(|other| install_policy(other) == policy)
}

const fn shipped(name: &'static str, text: &'static str, modes: &'static [InstallMode]) -> Shipped {
    Shipped { name, text, modes }
}

/// All of them, in the order in which their objects build on each other.
pub const SHIPPED: [Shipped; 7] = [
    shipped(
        "oadp-hdr-app-install.yaml.hbs",
        include_str!("../../../templates/oadp-hdr-app-install.yaml.hbs"),
        &[InstallMode::Oadp],
    ),
    shipped(
        "velero-hdr-app-install.yaml.hbs",
        include_str!("../../../templates/velero-hdr-app-install.yaml.hbs"),
        &[InstallMode::Velero],
    ),
    shipped(
        "velero-hdr-app-check.yaml.hbs",
        include_str!("../../../templates/velero-hdr-app-check.yaml.hbs"),
        &[InstallMode::Existing],
    ),
    shipped(
        "oadp-hdr-app-backup.yaml.hbs",
        include_str!("../../../templates/oadp-hdr-app-backup.yaml.hbs"),
        ALWAYS,
    ),
    shipped(
        "oadp-hdr-app-restore.yaml.hbs",
        include_str!("../../../templates/oadp-hdr-app-restore.yaml.hbs"),
        ALWAYS,
    ),
    shipped(
        "acm-app-backup-policy-set.yaml.hbs",
        include_str!("../../../templates/acm-app-backup-policy-set.yaml.hbs"),
        ALWAYS,
    ),
    shipped(
        "acm-app-restore-policy-set.yaml.hbs",
        include_str!("../../../templates/acm-app-restore-policy-set.yaml.hbs"),
        ALWAYS,
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

    /// What counts in a mode, in the order of [`SHIPPED`]: the user's text where there is one. A user's text for a template
    /// that does not count waits for its mode.
    pub(super) fn in_force(&self, mode: InstallMode) -> impl Iterator<Item = (&'static str, &str)> {
        SHIPPED
            .iter()
            .filter(move |shipped| shipped.counts_for(mode))
            .map(|shipped| (shipped.name, self.0.get(shipped.name).map_or(shipped.text, String::as_str)))
    }
}
