//! The fleet's index: what a change touches, and that taking changes in one by one ends where a fresh look ends.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::object::GroupVersionKind;
use crate::pipeline::sets::seal;

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
fn a_policy_that_is_gone_is_known_until_it_has_left_its_clusters() {
    let mut fleet = fleet(None);
    for name in ["c1", "c2"] {
        cluster(&mut fleet, name, &json!({"acm-pv-dr": "backup"}));
    }
    let informs = json!({"metadata": {}, "spec": {"disabled": false, "remediationAction": "inform",
        "policy-templates": []}});
    put(&mut fleet, HubKind::Policy, Some("p"), "install", Some(informs.clone()));
    put(&mut fleet, HubKind::Policy, Some("p"), "install", None);
    let last = fleet.last_version(&install(), "c1").unwrap();
    assert!(last.spec.remediation_action.is_some(), "as it last stood");
    assert_eq!(fleet.last_version(&install(), "c3"), None);
    put(&mut fleet, HubKind::Policy, Some("c1"), "p.install", None);
    assert_eq!(fleet.last_version(&install(), "c1"), None, "it has left c1");
    assert!(fleet.last_version(&install(), "c2").is_some());
    put(&mut fleet, HubKind::Policy, Some("p"), "install", Some(informs));
    assert_eq!(fleet.last_version(&install(), "c1"), fleet.policy(&install()));
    assert!(fleet.departed.is_empty());
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
    assert!(effects.malformed[0].1.to_string().starts_with("failed to read Placement \"p/backup\": "));
    assert_eq!(fleet.placed_clusters(&install()), BTreeSet::from(["c1".to_owned()]));
}

/// An object that the hub rendered, perhaps with another spec than that.
fn rendered(fields: Value, spec: Option<Value>) -> Value {
    let mut fields = fields;
    fields["apiVersion"] = json!("x/v1");
    fields["kind"] = json!("X");
    fields["metadata"]["annotations"]["flotilla.dev/rendered-from"] = json!("p/hdr-app-configmap");
    let mut sealed = seal::sealed(Manifest::parse(fields).unwrap()).to_value();
    if let Some(spec) = spec {
        sealed["spec"] = spec;
    }
    sealed
}

/// The hub is about to take it back: following it for that long would cost the cluster its Schedule.
#[test]
fn what_was_edited_by_hand_counts_for_nothing() {
    let mut fleet = fleet(None);
    cluster(&mut fleet, "c1", &json!({"acm-pv-dr": "backup"}));
    let mut put_placement = |spec: Option<Value>| {
        put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(rendered(backup_placement(None), spec)))
    };
    put_placement(None);
    let effects = put_placement(Some(json!({"clusterSets": []})));
    assert!(effects.evaluate.is_empty() && effects.placements.is_empty());
    let told = effects.malformed[0].1.to_string();
    assert!(told.starts_with("Placement p/backup is rendered from ConfigMap hdr-app-configmap"), "{told}");
    assert!(put_placement(Some(json!({"clusterSets": []}))).malformed.is_empty(), "it is told once");
    assert!(put_placement(None).malformed.is_empty());
    assert_eq!(fleet.placed_clusters(&install()), names(&["c1"]));

    // A policy keeps what it asked for.
    let policy = json!({"metadata": {}, "spec": {"disabled": false, "policy-templates": []}});
    put(&mut fleet, HubKind::Policy, Some("p"), "install", Some(rendered(policy.clone(), None)));
    let spec = json!({"disabled": true, "policy-templates": []});
    put(&mut fleet, HubKind::Policy, Some("p"), "install", Some(rendered(policy, Some(spec))));
    assert_eq!(fleet.placed_clusters(&install()), names(&["c1"]));
}

/// A process that finds the edit when it starts knows no earlier version: nothing is removed on its account.
#[test]
fn what_was_edited_while_nobody_looked_takes_nothing_away() {
    let mut fleet = fleet(None);
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", None);
    cluster(&mut fleet, "c1", &json!({"acm-pv-dr": "backup"}));
    let edited = rendered(backup_placement(None), Some(json!({"clusterSets": []})));
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(edited));
    assert!(fleet.doubt(&install()).is_some_and(|doubt| doubt.contains("taken back")));
    let effects = put(
        &mut fleet,
        HubKind::Placement,
        Some("p"),
        "backup",
        Some(rendered(backup_placement(None), None)),
    );
    assert!(effects.evaluate.contains_key("c1"), "what was held is looked at again");
    assert_eq!((fleet.doubt(&install()), fleet.placed_clusters(&install())), (None, names(&["c1"])));
}

fn placement(spec: &Value) -> Value {
    json!({"metadata": {}, "spec": spec})
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

fn score(fleet: &mut Fleet, cluster: &str, value: i32) -> Effects {
    let fields = json!({"metadata": {}, "status": {"scores": [{"name": "free", "value": value}]}});
    put(fleet, HubKind::AddOnPlacementScore, Some(cluster), "capacity", Some(fields))
}

#[test]
fn after_a_restart_what_was_selected_stays() {
    let mut fleet = fleet(None);
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", None);
    for name in ["c1", "c2", "c3"] {
        cluster(&mut fleet, name, &json!({"acm-pv-dr": "backup"}));
    }
    let own = json!({"metadata": {"labels": {"cluster.open-cluster-management.io/placement": "backup",
        "app.kubernetes.io/managed-by": "flotilla"}}, "status": {"decisions": [{"clusterName": "c3", "reason": ""}]}});
    let place = |kind: &HubKind| HubKind::ALL.iter().position(|of| of == kind);
    assert!(place(&HubKind::PlacementDecision) < place(&HubKind::Placement), "decisions are read first");
    put(&mut fleet, HubKind::PlacementDecision, Some("p"), "backup-decision-1", Some(own));
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(backup_placement(Some(1))));
    assert_eq!(fleet.placed_clusters(&install()), names(&["c3"]));
}

#[test]
fn a_faulty_placement_keeps_what_it_selected_and_takes_nothing_new() {
    for fault in [
        json!({"tolerations": [{"value": "x"}]}),
        json!({"prioritizerPolicy": {"mode": "Best"}}),
        json!({"predicates": [{"requiredClusterSelector": {"celSelector": {"celExpressions": ["managedCluster."]}}}]}),
        json!({"predicates": [{"requiredClusterSelector": {"labelSelector": {
            "matchExpressions": [{"key": "a", "operator": "In"}]}}}]}),
    ] {
        let mut fleet = fleet(None);
        cluster(&mut fleet, "c1", &json!({"acm-pv-dr": "backup"}));
        let effects = put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(placement(&fault)));
        assert!(effects.evaluate.is_empty(), "{fault}");
        cluster(&mut fleet, "c2", &json!({"acm-pv-dr": "backup"}));
        assert_eq!(fleet.placed_clusters(&install()), names(&["c1"]), "{fault}");
        let (_, _, decisions) = fleet.placement(&("p".to_owned(), "backup".to_owned()), now()).unwrap();
        assert_eq!(decisions.conditions[0].status, "True", "{fault}");
        assert_eq!(decisions.conditions[1].status, "False", "{fault}");
        put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(backup_placement(None)));
        assert_eq!(fleet.placed_clusters(&install()), names(&["c1", "c2"]), "{fault}");
    }
}

#[test]
fn scores_rank_clusters_once_they_are_read() {
    let mut fleet = fleet(None);
    for name in ["c1", "c2"] {
        cluster(&mut fleet, name, &json!({}));
    }
    assert!(!fleet.needs_scores());
    let ranked = placement(
        &json!({"numberOfClusters": 1, "prioritizerPolicy": {"mode": "Exact", "configurations": [
        {"scoreCoordinate": {"type": "AddOn", "addOn": {"resourceName": "capacity", "scoreName": "free"}}}]}}),
    );
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(ranked));
    assert!(fleet.needs_scores());
    score(&mut fleet, "c2", 90);
    assert_eq!(
        fleet.placed_clusters(&install()),
        names(&[]),
        "nothing is chosen by scores that are not known"
    );
    fleet.scores_read(Ok(()), now());
    assert_eq!(fleet.placed_clusters(&install()), names(&["c2"]));
    let effects = score(&mut fleet, "c1", 91);
    assert_eq!(fleet.placed_clusters(&install()), names(&["c1"]));
    assert_eq!(effects.evaluate.len(), 2);
    assert!(score(&mut fleet, "c1", 91).evaluate.is_empty(), "the same score concerns nobody");
    fleet.scores_read(Err("the watch is gone".to_owned()), now());
    score(&mut fleet, "c2", 99);
    assert_eq!(fleet.placed_clusters(&install()), names(&["c1"]), "what was selected stays");
}

#[test]
fn an_expression_sees_scores_and_reports_of_one_cluster() {
    let mut fleet = fleet(None);
    let by = |text: &str| {
        placement(
            &json!({"predicates": [{"requiredClusterSelector": {"celSelector": {"celExpressions": [text]}}}]}),
        )
    };
    let version = |fleet: &mut Fleet, name: &str, version: &str| {
        let fields = json!({"metadata": {}, "status": {"version": {"kubernetes": version}}});
        put(fleet, HubKind::ManagedCluster, None, name, Some(fields))
    };
    let wanted = by("managedCluster.status.version.kubernetes == 'v1.31.0'");
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(wanted));
    version(&mut fleet, "c1", "v1.30.0");
    version(&mut fleet, "c2", "v1.30.0");
    assert_eq!(fleet.placed_clusters(&install()), names(&[]));
    let effects = version(&mut fleet, "c1", "v1.31.0");
    assert_eq!(effects.evaluate.keys().collect::<Vec<_>>(), ["c1"]);
    assert_eq!(fleet.placed_clusters(&install()), names(&["c1"]));

    let scored = by("managedCluster.scores('capacity').exists(s, s.value > 50)");
    put(&mut fleet, HubKind::Placement, Some("p"), "backup", Some(scored));
    assert_eq!(
        fleet.placed_clusters(&install()),
        names(&["c1"]),
        "scores are not known: what was selected stays"
    );
    fleet.scores_read(Ok(()), now());
    let effects = score(&mut fleet, "c2", 60);
    assert_eq!(effects.evaluate.keys().collect::<Vec<_>>(), ["c2"]);
    assert_eq!(fleet.placed_clusters(&install()), names(&["c2"]));
}

#[test]
fn a_set_may_exclude_a_cluster() {
    let mut fleet = fleet(None);
    for name in ["c1", "c2"] {
        cluster(&mut fleet, name, &json!({"acm-pv-dr": "backup"}));
    }
    let set = json!({"metadata": {}, "spec": {"policies": ["install"],
        "exclusions": [{"policyName": "install", "clusterNames": ["c2"]}]}});
    let effects = put(&mut fleet, HubKind::PolicySet, Some("p"), "set", Some(set));
    assert!(effects.evaluate.contains_key("c2"));
    assert_eq!(fleet.placed_clusters(&install()), names(&["c1"]));
    assert_eq!(fleet.excluding_sets(&install(), "c2"), names(&["set"]));
    let direct = json!({"metadata": {}, "placementRef": {"kind": "Placement", "name": "backup", "apiGroup": "x"},
        "subjects": [{"kind": "Policy", "name": "install", "apiGroup": "x"}]});
    put(&mut fleet, HubKind::PlacementBinding, Some("p"), "direct", Some(direct));
    assert_eq!(fleet.placed_clusters(&install()), names(&["c1", "c2"]));
    assert_eq!(fleet.remaining_bindings(&install()).keys().collect::<Vec<_>>(), ["c2"]);
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
