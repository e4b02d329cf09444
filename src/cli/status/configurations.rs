//! The configurations of the hub: which version of each is in force, since when, and what is wrong with the newest.
//!
//! Worked out anew from the ConfigMaps by the function that the hub itself decides with: there is no state that could lag behind.

use std::sync::Arc;

use serde::Serialize;

use crate::adapters::api_server::ApiError;
use crate::adapters::hub::Hub;
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::names::PROTECT_LABEL;
use crate::controller::configuration::{self, Configuration};
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::render::lookup::Lookup;
use crate::pipeline::sets::ACCEPTED_NAME;

/// Which version is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum InForce {
    /// The newest.
    Newest,
    /// The newest will be: the hub has not taken it up yet.
    NotYet,
    /// An earlier one, because the newest cannot be used.
    LastGood,
    /// None, because the newest cannot be used.
    Nothing,
    /// None: the hub renders from ConfigMaps of one name alone.
    Ignored,
    /// That cannot be seen.
    Unknown,
}

/// A ConfigMap that asks for protection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigurationReport {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) in_force: InForce,
    /// When the newest version was written (RFC 3339).
    pub(super) edited: Option<String>,
    /// When the version that is in force was taken up (RFC 3339).
    pub(super) accepted: Option<String>,
    /// What keeps the newest version from being in force as a whole.
    pub(super) findings: Vec<String>,
    /// What may be a mistake.
    pub(super) warnings: Vec<String>,
}

/// The ConfigMaps that ask for protection, while they are watched, by namespace.
pub(super) fn protected(hub: &Hub) -> Vec<Arc<Manifest>> {
    let mut protected = hub.protected_config_maps();
    protected.retain(|config_map| config_map.label(PROTECT_LABEL) == Some("true"));
    protected.sort_by_key(|config_map| config_map.key());
    protected
}

impl ConfigurationReport {
    /// All of them.
    pub(super) fn all(protected: &[Arc<Manifest>], hub: &dyn Lookup) -> Vec<Self> {
        protected.iter().map(|config_map| Self::of(config_map, hub)).collect()
    }

    fn of(config_map: &Manifest, hub: &dyn Lookup) -> Self {
        let mut report = Self {
            namespace: config_map.namespace().unwrap_or_default().to_owned(),
            name: config_map.name().unwrap_or_default().to_owned(),
            in_force: InForce::Unknown,
            edited: None,
            accepted: None,
            findings: Vec::new(),
            warnings: Vec::new(),
        };
        if report.name != CONFIG_MAP_NAME {
            report.in_force = InForce::Ignored;
            report.findings.push(format!(
                "the label {PROTECT_LABEL} counts on a ConfigMap named {CONFIG_MAP_NAME}: rename it, or take the label off"
            ));
            return report;
        }
        match configuration::read(hub, &report.namespace) {
            Ok(found) => {
                report.in_force = in_force(&found);
                let occupied = found.decision.occupied();
                report.findings = found.decision.faults.into_iter().chain(occupied).collect();
                report.warnings = found.decision.warnings;
            }
            Err(reason) => report.findings.push(reason),
        }
        report
    }

    /// The same with the times, which only the API server knows.
    pub(super) async fn dated(self, hub: &Hub) -> Result<Self, ApiError> {
        let written = async |name: &str| {
            let (gvk, namespace) = (configuration::config_maps(), Some(self.namespace.clone()));
            hub.connection().data_written(&ObjectKey { gvk, namespace, name: name.to_owned() }).await
        };
        let edited = written(&self.name).await?;
        let accepted = match self.in_force {
            InForce::Newest | InForce::LastGood => written(ACCEPTED_NAME).await?,
            InForce::NotYet | InForce::Nothing | InForce::Ignored | InForce::Unknown => None,
        };
        Ok(Self { edited, accepted, ..self })
    }

    /// How it stands, in one line.
    pub(super) fn sentence(&self) -> String {
        let since =
            |time: &Option<String>| time.as_ref().map(|time| format!(" since {time}")).unwrap_or_default();
        let state = match self.in_force {
            InForce::Newest => format!("in force{}", since(&self.accepted)),
            InForce::NotYet => "not taken up yet; is the hub running?".to_owned(),
            InForce::LastGood => format!(
                "invalid{}; its last good version stays in force, as it was{}",
                since(&self.edited),
                since(&self.accepted)
            ),
            InForce::Nothing => format!("invalid{}; nothing is rendered from it", since(&self.edited)),
            InForce::Ignored => "ignored".to_owned(),
            InForce::Unknown => "not known".to_owned(),
        };
        format!("configuration {}/{}: {state}", self.namespace, self.name)
    }
}

fn in_force(found: &Configuration) -> InForce {
    let decision = &found.decision;
    if !decision.faults.is_empty() {
        return if decision.desired.is_empty() { InForce::Nothing } else { InForce::LastGood };
    }
    let wanted = decision.desired.iter().find(|object| object.name() == Some(ACCEPTED_NAME));
    let data = |of: &Manifest| of.at(&["data"]).cloned();
    let taken_up = wanted.and_then(data) == found.accepted.as_deref().and_then(data);
    if taken_up { InForce::Newest } else { InForce::NotYet }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::adapters::source::{ObjectLookup, read_stream};

    /// The demo's ConfigMap in the namespace `ns`, with another schedule.
    fn config_map(name: &str, schedule: &str) -> Manifest {
        let mut gathered = crate::adapters::source::Gathered::default();
        read_stream("demo.yaml", include_str!("../../../configmaps/demo.yaml"), &mut gathered);
        let demo = gathered.objects.remove(0).manifest;
        let mut data = demo.at(&["data"]).unwrap().clone();
        data["backupSchedule"] = json!(schedule);
        let metadata = json!({"name": name, "namespace": "ns", "labels": {"flotilla.dev/protect": "true"}});
        demo.with_field("data", Some(data)).with_field("metadata", Some(metadata))
    }

    /// What the hub makes of a ConfigMap.
    fn taken_up(config_map: &Manifest) -> Vec<Manifest> {
        let hub = ObjectLookup::new([config_map.clone()]);
        configuration::read(&hub, "ns").unwrap().decision.desired
    }

    fn report(config_map: &Manifest, beside: Vec<Manifest>) -> ConfigurationReport {
        let hub = ObjectLookup::new(beside.into_iter().chain([config_map.clone()]));
        ConfigurationReport::all(&[Arc::new(config_map.clone())], &hub).remove(0)
    }

    #[test]
    fn each_configuration_says_which_version_is_in_force() {
        let good = config_map("hdr-app-configmap", "0 1 * * *");
        let bad = config_map("hdr-app-configmap", "0 1 * * * *");
        for (now, beside, sentence, findings) in [
            (&good, taken_up(&good), "in force", 0),
            (&good, Vec::new(), "not taken up yet; is the hub running?", 0),
            (&bad, taken_up(&good), "invalid; its last good version stays in force, as it was", 1),
            (&bad, Vec::new(), "invalid; nothing is rendered from it", 1),
        ] {
            let report = report(now, beside);
            assert_eq!(report.sentence(), format!("configuration ns/hdr-app-configmap: {sentence}"));
            assert_eq!(report.findings.len(), findings, "{:?}", report.findings);
            assert!(report.findings.iter().all(|finding| finding.contains("backupSchedule: ")));
        }
        let misnamed = report(&config_map("settings", "0 1 * * *"), Vec::new());
        assert_eq!(misnamed.sentence(), "configuration ns/settings: ignored");
        assert!(misnamed.findings[0].contains("rename it"));
    }

    #[test]
    fn scripts_read_the_same() {
        let bad = config_map("hdr-app-configmap", "0 1 * * * *");
        let value = serde_json::to_value(report(&bad, Vec::new())).unwrap();
        assert_eq!((&value["inForce"], &value["accepted"]), (&json!("nothing"), &Value::Null));
    }
}
