//! The fleet's index: what a change touches, and that taking changes in one by one ends where a fresh look ends.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::object::GroupVersionKind;

fn now() -> Timestamp {
    "2026-01-05T10:30:20Z".parse().unwrap()
}

fn key(kind: HubKind, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey { gvk: kind.gvk(), namespace: namespace.map(ToOwned::to_owned), name: name.to_owned() }
}

/// Applies an object, or its disappearance when `spec` is `None`.
fn put(
    fleet: &mut Fleet,
    kind: HubKind,
    namespace: Option<&str>,
    name: &str,
    fields: Option<Value>,
) -> Effects {
    let manifest = fields.map(|mut fields| {
        let GroupVersionKind { kind: word, .. } = kind.gvk();
        fields["apiVersion"] = json!(kind.gvk().api_version());
        fields["kind"] = json!(word);
        fields["metadata"]["name"] = json!(name);
        if let Some(namespace) = namespace {
            fields["metadata"]["namespace"] = json!(namespace);
        }
        Manifest::parse(fields).unwrap()
    });
    fleet.apply(kind, &key(kind, namespace, name), manifest.as_ref(), now())
}

fn cluster(fleet: &mut Fleet, name: &str, labels: &Value) -> Effects {
    put(fleet, HubKind::ManagedCluster, None, name, Some(json!({"metadata": {"labels": labels}, "spec": {}})))
}

fn backup_placement(number: Option<u32>) -> Value {
    json!({"metadata": {}, "spec": {"clusterSets": ["default"], "numberOfClusters": number,
        "predicates": [{"requiredClusterSelector": {"labelSelector": {
            "matchExpressions": [{"key": "acm-pv-dr", "operator": "In", "values": ["backup"]}]}}}]}})
}

fn binding() -> Value {
    json!({"metadata": {}, "placementRef": {"kind": "Placement", "name": "backup", "apiGroup": "x"},
        "subjects": [{"kind": "PolicySet", "name": "set", "apiGroup": "x"}]})
}

/// A fleet with one policy in a set, bound to a placement, and the set `default` bound.
fn fleet(number: Option<u32>) -> Fleet {
    let mut fleet = Fleet::default();
    put(
        &mut fleet,
        HubKind::ManagedClusterSetBinding,
        Some("p"),
        "default",
        Some(json!({"metadata": {}, "spec": {"clusterSet": "default"}})),
    );
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(backup_placement(number)));
    put(&mut fleet, HubKind::PlacementBinding, Some("p"), "binding", Some(binding()));
    put(
        &mut fleet,
        HubKind::PolicySet,
        Some("p"),
        "set",
        Some(json!({"metadata": {}, "spec": {"policies": ["install"]}})),
    );
    put(
        &mut fleet,
        HubKind::Policy,
        Some("p"),
        "install",
        Some(json!({"metadata": {}, "spec": {"disabled": false, "policy-templates": []}})),
    );
    fleet
}

fn install() -> PolicyKey {
    PolicyKey::new("p", "install")
}

#[test]
fn a_label_selects_and_concerns_that_cluster_alone() {
    let mut fleet = fleet(None);
    for name in ["c1", "c2"] {
        cluster(&mut fleet, name, &json!({}));
    }
    let effects = cluster(&mut fleet, "c1", &json!({"acm-pv-dr": "backup"}));
    assert_eq!(effects.evaluate.keys().collect::<Vec<_>>(), ["c1"]);
    assert!(effects.placements.contains(&("p".to_owned(), "backup".to_owned())));
    assert!(effects.policies.contains(&install()));
    assert_eq!(fleet.placed_clusters(&install()), BTreeSet::from(["c1".to_owned()]));
    let again = cluster(&mut fleet, "c1", &json!({"acm-pv-dr": "backup"}));
    assert!(again.evaluate.is_empty() && again.placements.is_empty(), "an unchanged cluster concerns nobody");
}

#[test]
fn leaving_is_told_with_its_reason() {
    let mut fleet = fleet(None);
    cluster(&mut fleet, "c1", &json!({"acm-pv-dr": "backup"}));
    cluster(&mut fleet, "c1", &json!({}));
    let why = fleet.why_not(&install(), "c1", now());
    assert_eq!(why.len(), 1);
    assert!(why[0].1.is_deliberately_out(), "{}", why[0].1);
    put(&mut fleet, HubKind::ManagedClusterSetBinding, Some("p"), "default", None);
    let why = fleet.why_not(&install(), "c1", now());
    assert!(!why[0].1.is_deliberately_out(), "a missing binding is nobody's choice: {}", why[0].1);
}

#[test]
fn a_disabled_policy_is_placed_nowhere_and_another_controllers_decisions_are_used() {
    let mut fleet = fleet(None);
    for name in ["c1", "c2"] {
        cluster(&mut fleet, name, &json!({}));
    }
    let foreign = json!({"metadata": {"labels": {"cluster.open-cluster-management.io/placement": "backup"}},
        "status": {"decisions": [{"clusterName": "c2", "reason": ""}]}});
    let effects = put(&mut fleet, HubKind::PlacementDecision, Some("p"), "backup-decision-1", Some(foreign));
    assert_eq!(effects.evaluate.keys().collect::<Vec<_>>(), ["c2"]);
    assert_eq!(fleet.placed_clusters(&install()), BTreeSet::from(["c2".to_owned()]));
    let (_, foreign, _) = fleet.placement(&("p".to_owned(), "backup".to_owned()), now()).unwrap();
    assert!(foreign);
    put(
        &mut fleet,
        HubKind::Policy,
        Some("p"),
        "install",
        Some(json!({"metadata": {}, "spec": {"disabled": true, "policy-templates": []}})),
    );
    assert!(fleet.placed_clusters(&install()).is_empty());
}

#[test]
fn a_malformed_object_is_reported_and_changes_nothing() {
    let mut fleet = fleet(None);
    cluster(&mut fleet, "c1", &json!({"acm-pv-dr": "backup"}));
    let broken = json!({"metadata": {}, "spec": {"predicates": "all"}});
    let effects = put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(broken));
    assert_eq!(effects.malformed.len(), 1);
    assert_eq!(effects.malformed[0].1.name, "p/backup");
    assert_eq!(fleet.placed_clusters(&install()), BTreeSet::from(["c1".to_owned()]));
}

#[derive(Debug, Clone)]
enum Event {
    Cluster(usize, Option<bool>),
    Binding(bool),
    Set(bool),
    Placement(bool),
    PlacementBinding(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..4_usize, proptest::option::of(any::<bool>())).prop_map(|(index, label)| Event::Cluster(index, label)),
        1 => any::<bool>().prop_map(Event::Binding),
        1 => any::<bool>().prop_map(Event::Set),
        1 => any::<bool>().prop_map(Event::Placement),
        1 => any::<bool>().prop_map(Event::PlacementBinding),
    ]
}

fn happen(fleet: &mut Fleet, event: &Event, number: Option<u32>) -> Effects {
    match event {
        Event::Cluster(index, None) => put(fleet, HubKind::ManagedCluster, None, &format!("c{index}"), None),
        Event::Cluster(index, Some(labelled)) => {
            let labels = if *labelled { json!({"acm-pv-dr": "backup"}) } else { json!({}) };
            cluster(fleet, &format!("c{index}"), &labels)
        }
        Event::Binding(there) => {
            let binding = json!({"metadata": {}, "spec": {"clusterSet": "default"}});
            put(fleet, HubKind::ManagedClusterSetBinding, Some("p"), "default", there.then_some(binding))
        }
        Event::Set(there) => {
            let set = json!({"metadata": {}, "spec": {"policies": ["install"]}});
            put(fleet, HubKind::PolicySet, Some("p"), "set", there.then_some(set))
        }
        Event::Placement(there) => {
            let placement = there.then_some(backup_placement(number));
            put(fleet, HubKind::Placement, Some("p"), "backup", placement)
        }
        Event::PlacementBinding(there) => {
            put(fleet, HubKind::PlacementBinding, Some("p"), "binding", there.then_some(binding()))
        }
    }
}

/// The last event of each object, in a fixed order: a fresh look at the same hub.
fn fresh(events: &[Event]) -> Fleet {
    let mut last: BTreeMap<String, &Event> = BTreeMap::new();
    for event in events {
        let object = match event {
            Event::Cluster(index, _) => format!("0-c{index}"),
            Event::Binding(_) => "1-binding".to_owned(),
            Event::Set(_) => "2-set".to_owned(),
            Event::Placement(_) => "3-placement".to_owned(),
            Event::PlacementBinding(_) => "4-placement-binding".to_owned(),
        };
        last.insert(object, event);
    }
    let mut fleet = fleet(None);
    for event in last.values() {
        happen(&mut fleet, event, None);
    }
    fleet
}

proptest! {
    #[test]
    fn one_by_one_ends_where_a_fresh_look_ends(events in proptest::collection::vec(event(), 0..30)) {
        let mut incremental = fleet(None);
        for event in &events {
            happen(&mut incremental, event, None);
        }
        prop_assert_eq!(incremental.placed_clusters(&install()), fresh(&events).placed_clusters(&install()));
    }

    #[test]
    fn every_change_of_placement_is_dispatched(events in proptest::collection::vec(event(), 1..20)) {
        let mut fleet = fleet(None);
        for event in &events {
            let before = fleet.placed_clusters(&install());
            let effects = happen(&mut fleet, event, None);
            let after = fleet.placed_clusters(&install());
            for cluster in before.symmetric_difference(&after) {
                prop_assert!(effects.evaluate.contains_key(cluster), "{cluster} changed by {event:?} unnoticed");
            }
        }
    }

    #[test]
    fn a_number_of_clusters_is_never_exceeded(events in proptest::collection::vec(event(), 0..30), number in 0..3_u32) {
        let mut fleet = fleet(Some(number));
        for event in &events {
            happen(&mut fleet, event, Some(number));
            prop_assert!(fleet.placed_clusters(&install()).len() <= number as usize);
        }
    }
}
