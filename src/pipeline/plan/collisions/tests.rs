//! The rule as a table, and its laws.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::object::{GroupVersionKind, Manifest};
use crate::api::ocm::configuration_policy::{ComplianceType, MetadataComplianceType, PruneObjectBehavior};
use crate::pipeline::compare::Rules;
use crate::pipeline::plan::CheckPlan;
use crate::pipeline::plan::inventory::{CheckInventory, Entry};
use crate::pipeline::render::lookup::{Answer, Lookup};

/// The one template of most parties.
const TEMPLATE: &str = "template";

fn musthave() -> Rules {
    Rules { compliance: ComplianceType::MustHave, metadata: None }
}

fn mustonlyhave() -> Rules {
    Rules { compliance: ComplianceType::MustOnlyHave, metadata: Some(MetadataComplianceType::MustHave) }
}

fn present(value: Value, rules: Rules) -> Claim {
    let desired = Manifest::parse(value).unwrap();
    let key = desired.key().unwrap();
    Claim { key, wish: Wish::Present { desired: Arc::new(desired), rules }, changes: false, observed: None }
}

fn absent(value: Value) -> Claim {
    Claim { wish: Wish::Absent, ..present(value, musthave()) }
}

fn changing(claim: Claim) -> Claim {
    Claim { changes: true, ..claim }
}

fn schedule(namespaces: &[&str]) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "s", "namespace": "velero"},
        "spec": {"schedule": "0 1 * * *", "template": {"includedNamespaces": namespaces}}})
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn config_map(name: &str, labels: Value, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "velero", "labels": labels}, "data": data})
}

fn application(name: &str, namespace: &str) -> Value {
    json!({"apiVersion": "oadp.openshift.io/v1alpha1", "kind": "DataProtectionApplication",
        "metadata": {"name": name, "namespace": namespace}, "spec": {"configuration": {"velero": {}}}})
}

fn location(name: &str, namespace: &str, default: bool) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
        "metadata": {"name": name, "namespace": namespace}, "spec": {"provider": "aws", "default": default}})
}

/// A Schedule of a name and a namespace that backs these up.
fn protecting(name: &str, namespace: &str, included: &[&str], excluded: &[&str]) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"includedNamespaces": included, "excludedNamespaces": excluded}}})
}

fn claims(templates: &[(&str, Vec<Claim>)]) -> Claims {
    let plans: Vec<CheckPlan> = templates
        .iter()
        .map(|(name, claims)| CheckPlan {
            name: (*name).to_owned(),
            templates: Vec::new(),
            prune: Vec::new(),
            claims: claims.clone(),
            notes: Vec::new(),
            sensitive: false,
        })
        .collect();
    Claims::new(plans.iter().map(|plan| (plan.name.as_str(), Some(plan))), None, &Inventory::default())
}

/// The inventory of a party that has the objects of these claims.
fn having(claims: &Claims, created: bool) -> Inventory {
    let checks = claims.templates().map(|(name, claims)| {
        let objects = claims.iter().map(|claim| Entry { created, ..Entry::new(&claim.key) }).collect();
        (name.to_owned(), CheckInventory { prune: PruneObjectBehavior::None, objects })
    });
    Inventory { checks: checks.collect(), ..Inventory::default() }
}

/// A party of its own, to be borrowed from.
#[derive(Debug, Clone)]
struct Owned {
    policy: PolicyKey,
    created: Option<String>,
    claims: Claims,
    inventory: Inventory,
}

impl Owned {
    fn new(name: &str, created: &str, claims: Vec<Claim>) -> Self {
        Self {
            policy: PolicyKey::new(name, "policy"),
            created: Some(format!("2026-01-{created}T00:00:00Z")),
            claims: self::claims(&[(TEMPLATE, claims)]),
            inventory: Inventory::default(),
        }
    }

    fn having(self, created: bool) -> Self {
        Self { inventory: having(&self.claims, created), ..self }
    }

    fn party(&self) -> Party<'_> {
        Party {
            policy: &self.policy,
            created: self.created.as_deref(),
            claims: &self.claims,
            inventory: &self.inventory,
        }
    }
}

fn held_of(parties: &[Owned]) -> HeldTemplates {
    held(&parties.iter().map(Owned::party).collect::<Vec<_>>())
}

/// Who is held by whom, in words.
fn told(parties: &[Owned]) -> Vec<String> {
    let held = held_of(parties);
    let lines = held.iter().flat_map(|(policy, templates)| {
        templates.iter().map(move |(template, collision)| {
            format!("{}/{template} by {}: {:?}", policy.namespace, collision.with.namespace, collision.why)
        })
    });
    lines.collect()
}

#[test]
fn what_cannot_both_be() {
    let namespace = |labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": labels}});
    let subjects = |name: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
            "subjects": [{"kind": "User", "name": name}]})
    };
    let classes = |name: &str| {
        config_map(name, json!({"velero.io/change-storage-class": "RestoreItemAction"}), json!({"a": "b"}))
    };
    let status = json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "s", "namespace": "velero"}, "status": {"phase": "Enabled"}});
    let beta = {
        let mut beta = schedule(&["a"]);
        beta["apiVersion"] = json!("velero.io/v2alpha1");
        beta
    };
    let secret = |text: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"cloud": text}});
    let narrowed = {
        let mut narrowed = schedule(&["a"]);
        narrowed["spec"]["template"]["labelSelector"] = json!({"matchLabels": {"app": "a"}});
        narrowed
    };
    for (case, one, other, why) in [
        (
            "the same schedule for other namespaces",
            present(schedule(&["a"]), mustonlyhave()),
            present(schedule(&["b"]), mustonlyhave()),
            Some(Why::Content),
        ),
        (
            "musthave would join the lists",
            present(schedule(&["a"]), musthave()),
            present(schedule(&["b"]), musthave()),
            Some(Why::Content),
        ),
        (
            "joined, the one would narrow the other",
            present(schedule(&["a"]), musthave()),
            present(narrowed, musthave()),
            Some(Why::Content),
        ),
        (
            "the same content",
            present(schedule(&["a", "b"]), mustonlyhave()),
            present(schedule(&["b", "a"]), musthave()),
            None,
        ),
        (
            "the version does not matter",
            present(schedule(&["a"]), musthave()),
            present(beta, musthave()),
            None,
        ),
        ("a look at the status", present(schedule(&["a"]), musthave()), present(status, musthave()), None),
        (
            "labels are joined",
            present(namespace(json!({"a": "1"})), musthave()),
            present(namespace(json!({"b": "1"})), musthave()),
            None,
        ),
        (
            "a label has one value",
            present(namespace(json!({"a": "1"})), musthave()),
            present(namespace(json!({"a": "2"})), musthave()),
            Some(Why::Content),
        ),
        (
            "lists of others are joined, as upstream joins them",
            present(subjects("a"), musthave()),
            present(subjects("b"), musthave()),
            None,
        ),
        (
            "but not into a mustonlyhave",
            present(subjects("a"), mustonlyhave()),
            present(subjects("b"), musthave()),
            Some(Why::Content),
        ),
        (
            "credentials",
            present(secret("YQ=="), musthave()),
            present(secret("Yg=="), musthave()),
            Some(Why::Content),
        ),
        (
            "the same credentials",
            present(secret("YQ=="), musthave()),
            present(secret("YQ=="), musthave()),
            None,
        ),
        ("mustnothave", present(secret("YQ=="), musthave()), absent(secret("YQ==")), Some(Why::Presence)),
        ("mustnothave twice", absent(secret("YQ==")), absent(secret("YQ==")), None),
        (
            "two storage class maps",
            present(classes("one"), musthave()),
            present(classes("two"), musthave()),
            Some(Why::Only(crate::protection::single::Single::StorageClassMap)),
        ),
        (
            "one storage class map",
            present(classes("one"), musthave()),
            present(classes("one"), musthave()),
            None,
        ),
        (
            "an ordinary ConfigMap beside it",
            present(classes("one"), musthave()),
            present(config_map("two", json!({}), json!({})), musthave()),
            None,
        ),
        (
            "data of a map of Velero is one thing",
            present(classes("one"), musthave()),
            present(
                config_map(
                    "one",
                    json!({"velero.io/change-storage-class": "RestoreItemAction"}),
                    json!({"c": "d"}),
                ),
                musthave(),
            ),
            Some(Why::Content),
        ),
        (
            "two applications",
            present(application("one", "velero"), musthave()),
            present(application("two", "velero"), musthave()),
            Some(Why::Only(crate::protection::single::Single::Application)),
        ),
        (
            "an application beside a Velero without operator",
            present(application("one", "velero"), musthave()),
            present(
                json!({"apiVersion": "apps/v1", "kind": "Deployment",
                    "metadata": {"name": "velero", "namespace": "velero"}, "spec": {"replicas": 1}}),
                musthave(),
            ),
            Some(Why::Only(crate::protection::single::Single::Application)),
        ),
        (
            "two default storage locations",
            present(location("one", "velero", true), musthave()),
            present(location("two", "velero", true), musthave()),
            Some(Why::Only(crate::protection::single::Single::DefaultLocation)),
        ),
        (
            "a storage location beside the default one",
            present(location("one", "velero", true), musthave()),
            present(location("two", "velero", false), musthave()),
            None,
        ),
        (
            "default storage locations of two namespaces",
            present(location("one", "velero", true), musthave()),
            present(location("one", "oadp", true), musthave()),
            None,
        ),
        (
            "two applications in two namespaces",
            present(application("one", "velero"), musthave()),
            present(application("one", "oadp"), musthave()),
            None,
        ),
    ] {
        let first = Owned::new("a", "01", vec![one.clone()]);
        let second = Owned::new("b", "02", vec![other.clone()]);
        let found = held_of(&[first.clone(), second.clone()]);
        let found = found.get(&second.policy).map(|templates| templates[TEMPLATE].why.clone());
        assert_eq!(found, why, "{case}");
        let (first, second) = (Owned::new("a", "01", vec![other]), Owned::new("b", "02", vec![one]));
        let turned = held_of(&[first, second.clone()]);
        assert_eq!(
            turned.get(&second.policy).map(|templates| templates[TEMPLATE].why.clone()),
            why,
            "turned: {case}"
        );
    }
}

#[test]
fn who_came_first() {
    let claim = |namespace: &str| vec![present(schedule(&[namespace]), mustonlyhave())];
    let old = || Owned::new("z", "01", claim("z"));
    let young = || Owned::new("a", "02", claim("a"));
    let gone = || Owned { created: None, ..old() };
    for (case, parties, expected) in [
        ("the older one", vec![young(), old()], vec!["a/template by z: Content"]),
        ("the one that made it", vec![young().having(true), old()], vec!["z/template by a: Content"]),
        ("the one that found it", vec![young().having(false), old()], vec!["z/template by a: Content"]),
        (
            "making it counts more than finding it",
            vec![young().having(true), old().having(false)],
            vec!["z/template by a: Content"],
        ),
        (
            "both have it: the older one",
            vec![young().having(true), old().having(true)],
            vec!["a/template by z: Content"],
        ),
        (
            "of the same age: by name",
            vec![Owned::new("b", "01", claim("b")), Owned::new("a", "01", claim("a"))],
            vec!["b/template by a: Content"],
        ),
        ("one that the hub has no more", vec![young(), gone()], vec!["z/template by a: Content"]),
        (
            "all others are held by the first",
            vec![Owned::new("m", "03", claim("m")), young(), old()],
            vec!["a/template by z: Content", "m/template by z: Content"],
        ),
        ("one alone", vec![young()], vec![]),
    ] {
        assert_eq!(told(&parties), expected, "{case}");
    }
}

/// Schedules of different names, in the same Velero or in two, that back up the same namespaces.
#[test]
fn namespaces_are_protected_by_one_configuration() {
    let mine = |included: &[&str], excluded: &[&str]| protecting("mine", "velero", included, excluded);
    let theirs = |included: &[&str], excluded: &[&str]| protecting("theirs", "velero", included, excluded);
    let elsewhere = |included: &[&str]| protecting("mine", "oadp", included, &[]);
    let with = |mut schedule: Value, field: &str, value: Value| {
        let spec = if field == "paused" { &mut schedule["spec"] } else { &mut schedule["spec"]["template"] };
        spec[field] = value;
        schedule
    };
    for (case, one, other, shared) in [
        ("the same namespace", mine(&["a", "b"], &[]), theirs(&["b"], &[]), Some("namespace b")),
        ("two namespaces", mine(&["a"], &[]), theirs(&["b"], &[]), None),
        ("two Veleros, one namespace", mine(&["a"], &[]), elsewhere(&["a"]), Some("namespace a")),
        ("two Veleros, two namespaces", mine(&["a"], &[]), elsewhere(&["b"]), None),
        ("all namespaces", mine(&["*"], &[]), theirs(&["app-*"], &[]), Some("namespaces app-*")),
        ("no list is all namespaces", mine(&[], &[]), theirs(&["a"], &[]), Some("namespace a")),
        ("a glob", mine(&["app-*"], &[]), theirs(&["app-1"], &[]), Some("namespace app-1")),
        ("another glob", mine(&["app-*"], &[]), theirs(&["web-*"], &[]), None),
        ("excluded", mine(&["*"], &["a"]), theirs(&["a"], &[]), None),
        ("one of them paused", with(mine(&["a"], &[]), "paused", json!(true)), theirs(&["a"], &[]), None),
        (
            "a part of a namespace",
            with(mine(&["a"], &[]), "labelSelector", json!({"matchLabels": {"app": "x"}})),
            theirs(&["a"], &[]),
            None,
        ),
    ] {
        let why = shared.map(|shared| Why::Protected(shared.to_owned()));
        let (one, other) = (present(one, mustonlyhave()), present(other, mustonlyhave()));
        for (first, second) in [(one.clone(), other.clone()), (other, one)] {
            let parties = [Owned::new("a", "01", vec![first]), Owned::new("b", "02", vec![second])];
            let found = held_of(&parties);
            let found = found.get(&parties[1].policy).map(|templates| templates[TEMPLATE].why.clone());
            assert_eq!(found, why, "{case}");
        }
    }

    // One configuration may back up a namespace twice.
    let of_one = |name: &str| Owned {
        policy: PolicyKey::new("ns", name),
        ..Owned::new("ns", "01", vec![present(protecting(name, "velero", &["a"], &[]), mustonlyhave())])
    };
    assert_eq!(told(&[of_one("hourly"), of_one("weekly")]), Vec::<String>::new());
}

/// Who protects a namespace already stays in force, whoever is older.
#[test]
fn a_schedule_counts_for_what_it_backs_up_now() {
    let found = |claim: Claim, now: &[&str]| {
        let name = claim.key.name.clone();
        let observed = Manifest::parse(protecting(&name, "velero", now, &[])).unwrap();
        Claim { observed: Some(Arc::new(observed)), ..claim }
    };
    let wanting =
        |name: &str, wanted: &[&str]| present(protecting(name, "velero", wanted, &[]), mustonlyhave());
    let party = |name: &str, created: &str, claim: Claim| Owned::new(name, created, vec![claim]).having(true);
    let old = |wanted: &[&str]| party("old", "01", found(wanting("old", wanted), &["a"]));
    let young = || party("young", "02", found(wanting("young", &["b"]), &["b"]));
    assert_eq!(told(&[old(&["a"]), young()]), Vec::<String>::new());
    let why = "Protected(\"namespace b\")";
    assert_eq!(told(&[old(&["a", "b"]), young()]), [format!("old/template by young: {why}")]);
    // Where both do already, as before there was this rule, the older one.
    let both = party("old", "01", found(wanting("old", &["b"]), &["b"]));
    assert_eq!(told(&[both, young()]), [format!("young/template by old: {why}")]);

    // One that cannot be evaluated protects what its Schedule backs up.
    let inventory = old(&["a"]).inventory;
    let unknown = Claims::new([(TEMPLATE, None)], None, &inventory);
    assert_eq!(unknown.unseen().len(), 1);
    let seen = Owned { claims: unknown.clone().seeing(&OneSchedule), ..old(&["a"]) };
    let newcomer = || Owned::new("new", "03", vec![wanting("new", &["a"])]);
    assert_eq!(told(&[seen, newcomer()]), ["new/template by old: Protected(\"namespace a\")"]);
    let blind = Owned { claims: unknown, ..old(&["a"]) };
    assert_eq!(told(&[blind, newcomer()]), Vec::<String>::new());
}

/// A cluster with a Schedule `velero/old` that backs up namespace `a`.
struct OneSchedule;

impl Lookup for OneSchedule {
    fn get(&self, _: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        match (namespace, name) {
            (Some("velero"), "old") => {
                Answer::Found(Arc::new(Manifest::parse(protecting("old", "velero", &["a"], &[])).unwrap()))
            }
            _ => Answer::NotFound,
        }
    }

    fn list(&self, _: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        Answer::NotYetKnown
    }

    fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
        Some(true)
    }
}

#[test]
fn what_is_held_holds_no_other_and_only_the_template_is_held() {
    let map = |name: &str, value: &str| present(config_map(name, json!({}), json!({"k": value})), musthave());
    // b is held by a for one; c collides with b alone, for two.
    let a = Owned::new("a", "01", vec![map("one", "a")]);
    let b = Owned::new("b", "02", vec![map("one", "b"), map("two", "b")]);
    let c = Owned::new("c", "03", vec![map("two", "c")]);
    assert_eq!(told(&[a.clone(), b.clone(), c.clone()]), ["b/template by a: Content"]);
    assert_eq!(told(&[b, c]), ["c/template by b: Content"]);

    let two_templates = Owned {
        claims: claims(&[("one", vec![map("one", "b")]), ("two", vec![map("two", "b")])]),
        ..Owned::new("b", "02", Vec::new())
    };
    assert_eq!(told(&[a, two_templates]), ["b/one by a: Content"]);

    let itself = Owned {
        claims: claims(&[("one", vec![map("one", "a")]), ("two", vec![map("one", "b")])]),
        ..Owned::new("a", "01", Vec::new())
    };
    assert_eq!(told(&[itself]), Vec::<String>::new(), "a policy does not collide with itself");
}

#[test]
fn in_a_circle_the_oldest_is_in_force() {
    let map = |name: &str, value: &str| present(config_map(name, json!({}), json!({"k": value})), musthave());
    let party = |name: &str, created: &str, has: &str, wants: &str| {
        let party = Owned::new(name, created, vec![map(has, name), map(wants, name)]);
        let inventory = having(&claims(&[(TEMPLATE, vec![map(has, name)])]), true);
        Owned { inventory, ..party }
    };
    let circle =
        [party("a", "01", "one", "three"), party("b", "02", "two", "one"), party("c", "03", "three", "two")];
    assert_eq!(told(&circle), ["b/template by a: Content", "c/template by a: Content"]);
}

#[test]
fn a_policy_that_cannot_be_evaluated_keeps_what_it_has() {
    let wanted = claims(&[(TEMPLATE, vec![present(schedule(&["a"]), mustonlyhave())])]);
    let inventory = having(&wanted, true);
    let second = |claim: Claim| Owned::new("b", "02", vec![claim]);
    let first =
        |claims: Claims| Owned { claims, inventory: inventory.clone(), ..Owned::new("a", "01", Vec::new()) };

    // After a restart nothing is known but that it wrote the object.
    let unknown = first(Claims::new([(TEMPLATE, None)], None, &inventory));
    let other = present(schedule(&["b"]), mustonlyhave());
    assert_eq!(told(&[unknown.clone(), second(changing(other.clone()))]), ["b/template by a: Unknown"]);
    let same = present(schedule(&["a"]), mustonlyhave());
    assert_eq!(told(&[unknown.clone(), second(same.clone())]), Vec::<String>::new());
    assert_eq!(
        told(&[first(Claims::left_behind(None, &inventory)), second(changing(other.clone()))]).len(),
        1
    );

    // What it wanted before is remembered, so that drift of what both want is corrected by the other.
    let remembered = first(Claims::new([(TEMPLATE, None)], Some(&wanted), &inventory));
    assert_eq!(told(&[remembered.clone(), second(changing(other))]), ["b/template by a: Content"]);
    assert_eq!(told(&[remembered, second(changing(same))]), Vec::<String>::new());

    // What it never wrote it does not have.
    let nothing = Claims::new([(TEMPLATE, None)], Some(&wanted), &Inventory::default());
    assert!(nothing.is_empty());
}

#[test]
fn sentences_name_both_and_what_to_do() {
    let first = Owned::new("a", "01", vec![present(application("one", "velero"), musthave())]);
    let second = Owned::new("b", "02", vec![present(application("two", "velero"), musthave())]);
    let held = held_of(&[first, second.clone()]);
    let collision = &held[&second.policy][TEMPLATE];
    assert_eq!(
        collision.held("c1"),
        "collision on cluster c1: DataProtectionApplication velero/two would stand beside DataProtectionApplication \
         velero/one of policy a/policy (template template), and a namespace has one Velero, made of one \
         DataProtectionApplication or of one Deployment; that policy came first and stays in force, and nothing of this template is written there until one of \
         them gives way: let the Placement of only one of them select the cluster, or change names or settings in one \
         ConfigMap"
    );
    assert_eq!(
        collision.in_force("c1", &second.policy, TEMPLATE),
        "collision on cluster c1: DataProtectionApplication velero/two of policy b/policy (template template) would stand \
         beside DataProtectionApplication velero/one, and a namespace has one Velero, made of one DataProtectionApplication \
         or of one Deployment; this policy came first and stays in force, the other is held there: let the Placement of only one of them select \
         the cluster, or change names or settings in one ConfigMap"
    );
}

/// A party that wants some of three ConfigMaps, with one of two contents each, and has some of them.
fn any_party(name: usize) -> impl Strategy<Value = Owned> {
    let wish = (0..3_usize, 0..3_u8, 0..3_u8);
    (1..4_u8, proptest::collection::vec(wish, 0..4)).prop_map(move |(created, wishes)| {
        let mut templates: Vec<(&str, Vec<Claim>)> = vec![("one", Vec::new()), ("two", Vec::new())];
        let mut inventory = Inventory::default();
        let mut seen = BTreeSet::new();
        for (position, (map, content, has)) in wishes.into_iter().enumerate() {
            if !seen.insert(map) {
                continue;
            }
            let value = config_map(&format!("map-{map}"), json!({}), json!({"k": content.to_string()}));
            let claim = if content == 2 { absent(value) } else { present(value, musthave()) };
            let (template, claims) = &mut templates[position % 2];
            if has > 0 {
                let check = inventory.checks.entry((*template).to_owned()).or_insert_with(|| {
                    CheckInventory { prune: PruneObjectBehavior::None, objects: Vec::new() }
                });
                check.objects.push(Entry { created: has == 2, ..Entry::new(&claim.key) });
            }
            claims.push(claim);
        }
        let claims = claims(&templates);
        Owned { claims, inventory, ..Owned::new(&format!("p{name}"), &format!("0{created}"), Vec::new()) }
    })
}

fn parties() -> impl Strategy<Value = Vec<Owned>> {
    (any_party(0), any_party(1), any_party(2), any_party(3)).prop_map(|(a, b, c, d)| vec![a, b, c, d])
}

proptest! {
    #[test]
    fn the_order_of_policies_does_not_matter(
        (parties, turned) in parties().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        prop_assert_eq!(held_of(&parties), held_of(&turned));
    }

    #[test]
    fn what_is_in_force_agrees_and_what_is_held_does_not(parties in parties()) {
        let held = held_of(&parties);
        let is_held = |policy: &PolicyKey, template: &str| held.get(policy).is_some_and(|of| of.contains_key(template));
        // Left with what is in force, nobody is held.
        let in_force: Vec<Owned> = parties
            .iter()
            .map(|party| {
                let rest: Vec<(&str, Vec<Claim>)> = party
                    .claims
                    .templates()
                    .filter(|(template, _)| !is_held(&party.policy, template))
                    .map(|(template, claims)| (template, claims.to_vec()))
                    .collect();
                Owned { claims: claims(&rest), ..party.clone() }
            })
            .collect();
        prop_assert!(held_of(&in_force).is_empty());
        // And everyone who is held is held by somebody in force.
        for templates in held.values() {
            for collision in templates.values() {
                prop_assert!(!is_held(&collision.with, &collision.template));
            }
        }
    }
}
