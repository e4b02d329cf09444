//! The status of the fleet as data, from the hub's objects alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::configurations::ConfigurationReport;
use crate::adapters::hub::HubKind;
use crate::api::object::Manifest;
use crate::api::ocm;
use crate::api::ocm::policy::{ComplianceState, PolicySet};
use crate::cli::messages::grouped;
use crate::controller::fleet::Fleet;
use crate::controller::prepare;
use crate::pipeline::policy::PolicyKey;
use crate::pipeline::render::lookup::{Answer, Lookup};
use crate::pipeline::source::{Record, SOURCE_LABEL};

/// The whole status.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) clusters: Vec<ClusterReport>,
    pub(super) policies: Vec<PolicyReport>,
    pub(super) policy_sets: Vec<SetReport>,
    pub(super) placements: Vec<PlacementReport>,
    /// ConfigMaps that ask for protection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) configurations: Vec<ConfigurationReport>,
    /// Sources whose objects are applied to the hub.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sources: Vec<SourceReport>,
    /// Objects of the hub that cannot be read, or were changed by hand where the hub renders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) malformed: Vec<String>,
}

/// A managed cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterReport {
    pub(super) name: String,
    pub(super) policies: Vec<PlacedReport>,
}

/// A policy on a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlacedReport {
    /// `namespace/name`.
    pub(super) policy: String,
    /// `null` while nothing is reported.
    pub(super) compliant: Option<ComplianceState>,
    /// Whether it is placed there now; one that is not is on its way out.
    pub(super) placed: bool,
    /// What checks that are not compliant say.
    pub(super) messages: Vec<MessageReport>,
}

/// What some checks of a policy say.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageReport {
    pub(super) checks: Vec<String>,
    pub(super) message: String,
}

/// A root policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyReport {
    pub(super) policy: String,
    pub(super) disabled: bool,
    pub(super) compliant: Option<ComplianceState>,
}

/// A policy set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetReport {
    pub(super) policy_set: String,
    pub(super) compliant: Option<ComplianceState>,
    pub(super) message: String,
}

/// A placement.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlacementReport {
    pub(super) placement: String,
    pub(super) decided_by: DecidedBy,
    pub(super) clusters: Vec<VerdictReport>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceReport {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) record: Record,
}

impl SourceReport {
    /// From the records that the hub has, sorted by name.
    pub(super) fn all(records: &[Arc<Manifest>]) -> Vec<Self> {
        let mut sources: Vec<Self> = records
            .iter()
            .filter_map(|record| {
                Some(Self { name: record.label(SOURCE_LABEL)?.to_owned(), record: Record::read(record) })
            })
            .collect();
        sources.sort_by(|left, right| left.name.cmp(&right.name));
        sources
    }
}

/// Who decides for a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum DecidedBy {
    Flotilla,
    AnotherController,
}

/// A cluster against a placement.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerdictReport {
    pub(super) cluster: String,
    pub(super) selected: bool,
    pub(super) reason: String,
}

impl Report {
    /// From a snapshot of the hub.
    pub(super) fn of(hub: &dyn Lookup, now: Timestamp) -> Self {
        let mut fleet = Fleet::default();
        let effects = prepare::take_in_everything(&mut fleet, hub, now);
        Self {
            clusters: fleet.cluster_names().map(|cluster| cluster_report(&fleet, hub, cluster)).collect(),
            policies: fleet
                .policies()
                .map(|(key, policy)| PolicyReport {
                    policy: key.to_string(),
                    disabled: policy.spec.disabled,
                    compliant: policy.status.compliant,
                })
                .collect(),
            policy_sets: set_reports(hub),
            placements: fleet.placements().filter_map(|name| placement_report(&fleet, name, now)).collect(),
            configurations: Vec::new(),
            sources: Vec::new(),
            malformed: effects.malformed.iter().map(|(_, error)| error.to_string()).collect(),
        }
    }

    /// Whether every policy is compliant wherever it is placed.
    pub(super) fn is_compliant(&self) -> bool {
        self.clusters
            .iter()
            .flat_map(|cluster| &cluster.policies)
            .all(|placed| placed.compliant == Some(ComplianceState::Compliant))
            && self.policy_sets.iter().all(|set| set.compliant == Some(ComplianceState::Compliant))
    }

    /// Whether the hub has this cluster.
    pub(super) fn knows(&self, cluster: &str) -> bool {
        self.clusters.iter().any(|known| known.name == cluster)
    }

    /// What concerns these clusters.
    pub(super) fn only(mut self, clusters: &BTreeSet<String>) -> Self {
        self.clusters.retain(|cluster| clusters.contains(&cluster.name));
        for placement in &mut self.placements {
            placement.clusters.retain(|verdict| clusters.contains(&verdict.cluster));
        }
        self
    }
}

fn cluster_report(fleet: &Fleet, hub: &dyn Lookup, cluster: &str) -> ClusterReport {
    let replicas = prepare::replicas(hub, cluster);
    let placed = fleet.policies_on(cluster);
    let all: BTreeSet<&PolicyKey> = placed.iter().chain(replicas.keys()).collect();
    let policies =
        all.into_iter()
            .map(|key| {
                let status = replicas.get(key).map(|replica| prepare::status_of(replica)).unwrap_or_default();
                let unwell = status.details.into_iter().filter(|detail| {
                    detail.compliant.is_some_and(|state| state != ComplianceState::Compliant)
                });
                let messages = unwell.filter_map(|detail| {
                    let newest = detail.history.into_iter().next()?;
                    Some((detail.template_meta.name, newest.message))
                });
                PlacedReport {
                    policy: key.to_string(),
                    compliant: status.compliant,
                    placed: placed.contains(key),
                    messages: grouped(messages)
                        .into_iter()
                        .map(|said| MessageReport { checks: said.checks, message: said.text })
                        .collect(),
                }
            })
            .collect();
    ClusterReport { name: cluster.to_owned(), policies }
}

fn set_reports(hub: &dyn Lookup) -> Vec<SetReport> {
    let Answer::Found(sets) = hub.list(&HubKind::PolicySet.gvk(), None) else { return Vec::new() };
    sets.iter()
        .filter_map(|manifest| ocm::parse::<PolicySet>(manifest).ok())
        .map(|set| SetReport {
            policy_set: format!("{}/{}", set.metadata.namespace, set.metadata.name),
            compliant: set.status.compliant,
            message: set.status.status_message,
        })
        .collect()
}

fn placement_report(fleet: &Fleet, name: &(String, String), now: Timestamp) -> Option<PlacementReport> {
    let (_, foreign, decisions) = fleet.placement(name, now)?;
    let placement = format!("{}/{}", name.0, name.1);
    if foreign {
        let selected = fleet.selected_by(&name.0, [name.1.as_str()].into_iter());
        let clusters = fleet
            .cluster_names()
            .map(|cluster| {
                let selected = selected.contains(cluster);
                let verb = if selected { "names" } else { "does not name" };
                VerdictReport {
                    cluster: cluster.to_owned(),
                    selected,
                    reason: format!("the PlacementDecision of another controller {verb} it"),
                }
            })
            .collect();
        return Some(PlacementReport { placement, decided_by: DecidedBy::AnotherController, clusters });
    }
    let verdicts: BTreeMap<String, _> = decisions.verdicts;
    let clusters = verdicts
        .into_iter()
        .map(|(cluster, verdict)| VerdictReport {
            cluster,
            selected: verdict.is_in(),
            reason: verdict.to_string(),
        })
        .collect();
    Some(PlacementReport { placement, decided_by: DecidedBy::Flotilla, clusters })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::adapters::source::ObjectLookup;

    pub(crate) fn sample() -> Report {
        let detail = |name: &str, state: &str, message: &str| {
            json!({"templateMeta": {"name": name, "creationTimestamp": null}, "compliant": state, "history": [
                {"lastTimestamp": "2026-01-01T00:00:00Z", "message": message, "eventName": "e"},
                {"lastTimestamp": "2026-01-01T00:00:00Z", "message": "older", "eventName": "d"}]})
        };
        let objects: Vec<Value> = vec![
            json!({"apiVersion": "cluster.open-cluster-management.io/v1", "kind": "ManagedCluster",
                "metadata": {"name": "c1", "labels": {"backup": "yes"}}}),
            json!({"apiVersion": "cluster.open-cluster-management.io/v1", "kind": "ManagedCluster",
                "metadata": {"name": "c2"}}),
            json!({"apiVersion": "cluster.open-cluster-management.io/v1beta2", "kind": "ManagedClusterSetBinding",
                "metadata": {"name": "default", "namespace": "ns"}, "spec": {"clusterSet": "default"}}),
            json!({"apiVersion": "cluster.open-cluster-management.io/v1beta1", "kind": "Placement",
                "metadata": {"name": "backup", "namespace": "ns"}, "spec": {"predicates": [{"requiredClusterSelector":
                    {"labelSelector": {"matchLabels": {"backup": "yes"}}}}]}}),
            json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "PlacementBinding",
                "metadata": {"name": "b", "namespace": "ns"},
                "placementRef": {"apiGroup": "cluster.open-cluster-management.io", "kind": "Placement", "name": "backup"},
                "subjects": [{"apiGroup": "policy.open-cluster-management.io", "kind": "PolicySet", "name": "set"}]}),
            json!({"apiVersion": "policy.open-cluster-management.io/v1beta1", "kind": "PolicySet",
                "metadata": {"name": "set", "namespace": "ns"}, "spec": {"policies": ["install", "backup"]},
                "status": {"compliant": "NonCompliant", "statusMessage": "All policies are reporting status"}}),
            json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
                "metadata": {"name": "install", "namespace": "ns"}, "spec": {"disabled": false},
                "status": {"compliant": "NonCompliant"}}),
            json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
                "metadata": {"name": "backup", "namespace": "ns"}, "spec": {"disabled": false}}),
            json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "Policy",
                "metadata": {"name": "ns.install", "namespace": "c1",
                    "labels": {"policy.open-cluster-management.io/root-policy": "ns.install"}},
                "status": {"compliant": "NonCompliant", "details": [
                    detail("one", "NonCompliant", "NonCompliant; violation - no ConfigMap"),
                    detail("two", "Compliant", "Compliant; notification - fine"),
                    detail("three", "NonCompliant", "NonCompliant; violation - no ConfigMap")]}}),
        ];
        let lookup = ObjectLookup::new(objects.into_iter().map(|object| Manifest::parse(object).unwrap()));
        Report::of(&lookup, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn messages_that_are_the_same_are_told_once() {
        let report = sample();
        assert_eq!(report.clusters.len(), 2);
        let install = &report.clusters[0].policies[1];
        assert_eq!(
            (install.policy.as_str(), install.compliant),
            ("ns/install", Some(ComplianceState::NonCompliant))
        );
        assert_eq!(install.messages.len(), 1);
        assert_eq!(install.messages[0].checks, ["one", "three"]);
        assert_eq!(report.clusters[0].policies[0].compliant, None, "nothing is reported yet");
        assert!(report.clusters[1].policies.is_empty());
    }

    #[test]
    fn every_cluster_has_a_reason() {
        let report = sample();
        let verdicts = &report.placements[0].clusters;
        assert_eq!(verdicts.iter().map(|verdict| verdict.selected).collect::<Vec<_>>(), [true, false]);
        assert!(verdicts[1].reason.contains("label backup is not set"), "{}", verdicts[1].reason);
    }

    #[test]
    fn it_can_be_narrowed_to_clusters() {
        let report = sample().only(&BTreeSet::from(["c2".to_owned()]));
        assert_eq!((report.clusters.len(), report.placements[0].clusters.len()), (1, 1));
        assert!(report.knows("c2") && !report.knows("c1"));
    }

    #[test]
    fn tables_fit_few_and_many_policies() {
        let report = sample();
        let text = super::super::table::text(&report, false);
        assert!(
            text.starts_with(
                "CLUSTER   backup    install\nc1        Unknown   NonCompliant\nc2        -         -\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("c1  ns/install  one, three: NonCompliant; violation - no ConfigMap\n"),
            "{text}"
        );
        assert!(text.contains("ns/backup: 1 of 2 clusters\n  c1  in   "), "{text}");
        assert!(text.contains("ns/set       NonCompliant   All policies are reporting status\n"), "{text}");
    }

    #[test]
    fn sources_are_told_with_what_is_wrong() {
        let record = |name: &str, revision: &str, seen: &str, error: &str| {
            Arc::new(
                Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "r", "labels": {"flotilla.dev/source": name}},
                    "data": {"address": "dir:///a", "revision": revision, "seen": seen, "error": error}}))
                .unwrap(),
            )
        };
        let mut report = sample();
        report.sources =
            SourceReport::all(&[record("two", "r1", "r2", "one\ntwo"), record("one", "", "", "gone")]);
        let text = super::super::table::text(&report, false);
        assert!(
            text.ends_with(
                "source one (dir:///a): nothing yet\n  not applied as it is:\n    gone\n\
                 source two (dir:///a): r1\n  not applied: r2\n    one\n    two\n"
            ),
            "{text}"
        );
        assert_eq!(serde_json::to_value(&report).unwrap()["sources"][1]["seen"], "r2");
    }
}
