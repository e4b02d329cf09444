//! Plans against a small cluster: what is found, the step that follows, and that a pushed plan leaves nothing to do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::check::{Entries, Situation, plan};
use super::collisions::Wish;
use super::inventory::{Inventory, intended, recorded};
use super::target::ClusterFacts;
use super::*;
use crate::api::object::GroupVersionKind;
use crate::pipeline::plan::assess;
use crate::pipeline::policy::checks::{self, Check};
use crate::pipeline::render::lookup::{Answer, Lookup};
use crate::pipeline::render::{ObjectVariables, RenderedEntry};

/// Per pruned object, whether it is gone.
type Pruned = Vec<Option<Result<(), String>>>;

/// A cluster of a few objects.
#[derive(Default, Clone)]
struct Cluster {
    objects: BTreeMap<ObjectKey, Arc<Manifest>>,
    writes: u64,
}

impl Cluster {
    fn put(&mut self, value: Value) -> Manifest {
        self.writes += 1;
        let mut value = value;
        value["metadata"]["resourceVersion"] = json!(self.writes.to_string());
        if value["metadata"]["uid"].is_null() {
            value["metadata"]["uid"] = json!(format!("uid-{}", self.writes));
        }
        let manifest = Manifest::parse(value).unwrap();
        self.objects.insert(manifest.key().unwrap(), Arc::new(manifest.clone()));
        manifest
    }

    /// Carries out a plan as the push does.
    fn push(&mut self, plan: &CheckPlan) -> (Vec<Vec<StepResult>>, Pruned) {
        let mut results = Vec::new();
        for template in &plan.templates {
            let mut of_template = Vec::new();
            for object in &template.objects {
                of_template.push(match &object.step {
                    Step::Create { desired } => StepResult::Created(Box::new(self.put(desired.to_value()))),
                    Step::Update { merged, .. } => StepResult::Updated(Box::new(self.put(merged.to_value()))),
                    Step::Delete { existing } => {
                        self.objects.remove(&existing.key().unwrap());
                        StepResult::Deleted
                    }
                    Step::Probe { merged, .. } => StepResult::Differs(Box::new(merged.clone())),
                    Step::Nothing | Step::StatusDiffers { .. } | Step::Hold { .. } => StepResult::NotTaken,
                });
            }
            results.push(of_template);
        }
        let pruned = plan.prune.iter().map(|prune| match prune.action {
            PruneAction::Delete => {
                self.objects.remove(&prune.entry.key());
                Some(Ok(()))
            }
            PruneAction::Hold(_)
            | PruneAction::Unreadable(_)
            | PruneAction::Leaving
            | PruneAction::Forget => None,
        });
        (results, pruned.collect())
    }
}

impl Lookup for Cluster {
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        if gvk.group == "missing.io" {
            return Answer::KindNotInstalled;
        }
        let key = ObjectKey {
            gvk: gvk.clone(),
            namespace: namespace.map(ToOwned::to_owned),
            name: name.to_owned(),
        };
        self.objects.get(&key).map_or(Answer::NotFound, |found| Answer::Found(found.clone()))
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        let of_kind = self.objects.iter().filter(|(key, _)| key.gvk == *gvk);
        let here = of_kind.filter(|(key, _)| namespace.is_none() || key.namespace.as_deref() == namespace);
        Answer::Found(here.map(|(_, found)| found.clone()).collect())
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        (gvk.group != "missing.io").then_some(gvk.kind != "Namespace")
    }

    fn kind(&self, gvk: &GroupVersionKind) -> Answer<crate::pipeline::render::lookup::KindFacts> {
        match self.is_namespaced(gvk) {
            Some(namespaced) => Answer::Found(crate::pipeline::render::lookup::KindFacts {
                plural: format!("{}s", gvk.kind.to_lowercase()),
                namespaced,
            }),
            None => Answer::KindNotInstalled,
        }
    }
}

fn check(remediation: &str, spec: Value) -> Check {
    let mut spec = spec;
    spec["remediationAction"] = json!(remediation);
    let definition = json!({"apiVersion": "policy.open-cluster-management.io/v1", "kind": "ConfigurationPolicy",
        "metadata": {"name": "check"}, "spec": spec});
    checks::read(0, &definition, None).unwrap()
}

fn planned(check: &Check, templates: &[Value], cluster: &Cluster, inventory: &Inventory) -> CheckPlan {
    let resolved: Vec<_> =
        templates.iter().cloned().map(|entry| Ok(RenderedEntry::Resolved(entry))).collect();
    let per_object = |_: usize, _: &ObjectVariables| Err(BTreeSet::new());
    let entries =
        Entries { resolved: &resolved, skipped: &BTreeSet::new(), sensitive: false, per_object: &per_object };
    let facts = ClusterFacts { name: "c1".to_owned(), ..ClusterFacts::default() };
    let situation = Situation {
        observed: cluster,
        cluster: &facts,
        inventory,
        allow_destructive: false,
        may_prune: true,
    };
    plan(check, &entries, &situation).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn template(compliance: &str, definition: Value) -> Value {
    json!({"complianceType": compliance, "objectDefinition": definition})
}

fn config_map(name: Option<&str>, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}, "data": data})
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Nothing | Step::StatusDiffers { .. } => "nothing",
        Step::Create { .. } => "create",
        Step::Update { .. } => "update",
        Step::Probe { .. } => "probe",
        Step::Delete { .. } => "delete",
        Step::Hold { .. } => "hold",
    }
}

#[test]
fn every_case_has_its_step_and_its_words() {
    let mut cluster = Cluster::default();
    cluster.put(config_map(Some("there"), &json!({"a": "1"})));
    cluster.put(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}));
    let one = json!({"a": "1"});
    let two = json!({"a": "2"});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}});
    let missing_kind =
        json!({"apiVersion": "missing.io/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": "n"}});
    for (remediation, compliance, definition, step, says) in [
        (
            "inform",
            "musthave",
            config_map(Some("new"), &one),
            "nothing",
            "NonCompliant; violation - configmaps [new] not found in namespace n",
        ),
        (
            "enforce",
            "musthave",
            config_map(Some("new"), &one),
            "create",
            "NonCompliant; violation - configmaps [new] not found in namespace n",
        ),
        (
            "enforce",
            "musthave",
            config_map(Some("there"), &one),
            "nothing",
            "Compliant; notification - configmaps [there] found as specified in namespace n",
        ),
        (
            "inform",
            "musthave",
            config_map(Some("there"), &two),
            "probe",
            "NonCompliant; violation - configmaps [there] found but not as specified in namespace n",
        ),
        (
            "enforce",
            "musthave",
            config_map(Some("there"), &two),
            "update",
            "NonCompliant; violation - configmaps [there] found but not as specified in namespace n",
        ),
        (
            "inform",
            "mustnothave",
            config_map(Some("there"), &two),
            "nothing",
            "NonCompliant; violation - configmaps [there] found in namespace n",
        ),
        (
            "enforce",
            "mustnothave",
            config_map(Some("there"), &two),
            "delete",
            "NonCompliant; violation - configmaps [there] found in namespace n",
        ),
        (
            "enforce",
            "mustnothave",
            config_map(Some("new"), &one),
            "nothing",
            "Compliant; notification - configmaps [new] missing as expected in namespace n",
        ),
        (
            "enforce",
            "musthave",
            config_map(None, &one),
            "nothing",
            "Compliant; notification - configmaps [there] found as specified in namespace n",
        ),
        (
            "enforce",
            "musthave",
            config_map(None, &two),
            "nothing",
            "NonCompliant; violation - configmaps found but not as specified in namespace n",
        ),
        (
            "inform",
            "mustnothave",
            config_map(None, &one),
            "nothing",
            "NonCompliant; violation - configmaps [there] found in namespace n",
        ),
        (
            "inform",
            "mustnothave",
            config_map(None, &two),
            "nothing",
            "Compliant; notification - configmaps missing as expected in namespace n",
        ),
        (
            "enforce",
            "musthave",
            missing_kind,
            "nothing",
            "NonCompliant; violation - couldn't find mapping resource with kind Thing in API version missing.io/v1, please check if you have CRD deployed",
        ),
    ] {
        let plan = planned(
            &check(remediation, json!({})),
            &[template(compliance, definition.clone())],
            &cluster,
            &Inventory::default(),
        );
        assert_eq!(word(&plan.templates[0].objects[0].step), step, "{remediation} {compliance} {definition}");
        assert_eq!(assess::planned(&plan), says, "{remediation} {compliance} {definition}");
    }
    let held = planned(
        &check("enforce", json!({})),
        &[template("mustnothave", secret)],
        &cluster,
        &Inventory::default(),
    );
    assert_eq!(word(&held.templates[0].objects[0].step), "hold");
    assert!(
        assess::planned(&held).starts_with("NonCompliant; violation - secrets [s] found in namespace n (")
    );
}

#[test]
fn a_template_without_namespace_goes_where_the_selector_says() {
    let mut cluster = Cluster::default();
    for name in ["app1", "app2", "other"] {
        cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
    let mut definition = config_map(Some("x"), &json!({}));
    definition["metadata"]["namespace"] = Value::Null;
    let selecting = check("enforce", json!({"namespaceSelector": {"include": ["app*"]}}));
    let plan =
        planned(&selecting, &[template("musthave", definition.clone())], &cluster, &Inventory::default());
    let keys: Vec<String> = plan.templates[0]
        .objects
        .iter()
        .filter_map(|object| object.key.as_ref())
        .map(ToString::to_string)
        .collect();
    assert_eq!(keys, ["ConfigMap app1/x", "ConfigMap app2/x"]);
    let lost = planned(
        &check("enforce", json!({})),
        &[template("musthave", definition)],
        &cluster,
        &Inventory::default(),
    );
    assert_eq!(
        assess::planned(&lost),
        "NonCompliant; violation - namespaced object x of kind ConfigMap has no namespace specified from the policy \
         namespaceSelector nor the object metadata"
    );
}

#[test]
fn a_restore_waits_for_its_backup_and_goes_on_when_it_is_there() {
    let restore = json!({"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": {"name": "restore-b", "namespace": "n"},
        "spec": {"backupName": "b"}});
    let enforce = check("enforce", json!({}));
    let mut cluster = Cluster::default();
    let held = planned(&enforce, &[template("musthave", restore.clone())], &cluster, &Inventory::default());
    assert_eq!(word(&held.templates[0].objects[0].step), "hold");
    assert!(assess::planned(&held).starts_with("Pending; "), "{}", assess::planned(&held));
    cluster.put(
        json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b", "namespace": "n"},
        "status": {"phase": "Completed"}}),
    );
    let open = planned(&enforce, &[template("musthave", restore)], &cluster, &Inventory::default());
    assert_eq!(word(&open.templates[0].objects[0].step), "create");
}

/// Plans, writes the intent down, pushes and records: one round of the hub.
fn round(check: &Check, templates: &[Value], cluster: &mut Cluster, inventory: &mut Inventory) -> CheckPlan {
    let plan = planned(check, templates, cluster, inventory);
    let intent = intended(inventory, check, &plan);
    let (results, pruned) = cluster.push(&plan);
    *inventory = recorded(&intent, check, &plan, &results, &pruned);
    plan
}

#[test]
fn a_renamed_object_is_pruned_only_if_it_was_created_here() {
    let pruning = check("enforce", json!({"pruneObjectBehavior": "DeleteIfCreated"}));
    let mut cluster = Cluster::default();
    cluster.put(config_map(Some("old-theirs"), &json!({"a": "1"})));
    let mut inventory = Inventory::default();
    let wanted = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| template("musthave", config_map(Some(name), &json!({"a": "1"})))).collect()
    };
    round(&pruning, &wanted(&["old-ours", "old-theirs"]), &mut cluster, &mut inventory);
    round(&pruning, &wanted(&["old-ours", "old-theirs"]), &mut cluster, &mut inventory);
    round(&pruning, &wanted(&["new"]), &mut cluster, &mut inventory);
    let names: Vec<&str> = cluster.objects.keys().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["new", "old-theirs"]);
}

#[test]
fn what_an_intent_says_is_known_after_a_crash() {
    let pruning = check("enforce", json!({"pruneObjectBehavior": "DeleteIfCreated"}));
    let templates = [template("musthave", config_map(Some("x"), &json!({})))];
    let mut cluster = Cluster::default();
    let plan = planned(&pruning, &templates, &cluster, &Inventory::default());
    // The process dies after the push and before it records what came of it.
    let mut inventory = intended(&Inventory::default(), &pruning, &plan);
    cluster.push(&plan);
    round(&pruning, &templates, &mut cluster, &mut inventory);
    round(&pruning, &[], &mut cluster, &mut inventory);
    assert!(cluster.objects.is_empty(), "the object is known to be ours");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|value| json!(value)),
        (0..3_i32).prop_map(|value| json!(value)),
        "[ab]{0,2}".prop_map(|value| json!(value))
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map("[xyz]", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// Convergence and idempotence: whatever was there before, one push leaves nothing to do, or a second one does. The second
    /// is needed where an entry of a list differs from its successor only in zero values that are absent: the first write
    /// joins them, the next look takes the earlier one away.
    #[test]
    fn a_pushed_plan_leaves_nothing_to_do(
        existing in proptest::option::of(value()), first in value(), second in value(), only in any::<bool>(),
    ) {
        let compliance = if only { "mustonlyhave" } else { "musthave" };
        let thing = |spec: &Value| {
            json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "n"}, "spec": {"f": spec}})
        };
        let mut cluster = Cluster::default();
        if let Some(existing) = existing {
            cluster.put(thing(&existing));
        }
        let enforce = check("enforce", json!({}));
        let mut inventory = Inventory::default();
        for desired in [&first, &second] {
            let templates = [template(compliance, thing(desired))];
            let plan = round(&enforce, &templates, &mut cluster, &mut inventory);
            if assess::planned(&plan).contains("existing do not match") {
                return Ok(());
            }
            round(&enforce, &templates, &mut cluster, &mut inventory);
            let again = planned(&enforce, &templates, &cluster, &inventory);
            prop_assert!(!again.changes(), "{}", assess::planned(&again));
        }
    }
}

#[test]
fn what_is_taken_over_is_pruned_and_its_lists_are_replaced() {
    let binding = |user: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "a", "namespace": "n"}, "subjects": [{"kind": "User", "user": user}]})
    };
    let mut cluster = Cluster::default();
    let check = check("enforce", json!({"pruneObjectBehavior": "DeleteIfCreated"}));
    let mut first = Inventory::default();
    round(&check, &[template("musthave", binding("first"))], &mut cluster, &mut first);
    let entry = first.checks["check"].objects[0].clone();
    assert!(entry.created);

    let mut second = Inventory::default();
    second.take_over("check", &entry, entry.created);
    round(&check, &[template("musthave", binding("second"))], &mut cluster, &mut second);
    let made = cluster.objects.values().next().unwrap();
    assert_eq!(made.at(&["subjects"]), Some(&json!([{"kind": "User", "user": "second"}])));

    // Once more: what is known already is joined.
    let mut third = Inventory::default();
    third.take_over("check", &entry, false);
    assert!(!third.checks["check"].objects[0].created);
    third.take_over("check", &second.checks["check"].objects[0], true);
    round(&check, &[template("musthave", binding("third"))], &mut cluster, &mut third);
    let made = cluster.objects.values().next().unwrap();
    assert_eq!(made.at(&["subjects"]), Some(&json!([{"kind": "User", "user": "third"}])));
    round(&check, &[], &mut cluster, &mut third);
    assert!(cluster.objects.is_empty(), "the last one deletes it");
}

#[test]
fn what_a_failing_template_had_made_is_still_claimed() {
    let check = check("enforce", json!({"pruneObjectBehavior": "DeleteIfCreated"}));
    let mut cluster = Cluster::default();
    let mut inventory = Inventory::default();
    let good = |name: &str| template("musthave", config_map(Some(name), &json!({"a": "1"})));
    let bad = json!({"complianceType": "musthave", "objectDefinition": {"kind": "ConfigMap"}});
    let claimed = |plan: &CheckPlan| -> Vec<(String, bool)> {
        let claims = plan.claims.iter();
        claims.map(|claim| (claim.key.name.clone(), claim.wish == Wish::AsItIs)).collect()
    };
    let plan = round(&check, &[good("one"), good("two")], &mut cluster, &mut inventory);
    assert_eq!(claimed(&plan), [("one".to_owned(), false), ("two".to_owned(), false)]);
    for _ in 0..2 {
        let plan = round(&check, &[good("one"), bad.clone()], &mut cluster, &mut inventory);
        assert_eq!(claimed(&plan), [("one".to_owned(), false), ("two".to_owned(), true)]);
        assert!(plan.prune.iter().all(PrunePlan::is_doubtful));
    }
    let plan = round(&check, &[good("one")], &mut cluster, &mut inventory);
    assert_eq!(claimed(&plan), [("one".to_owned(), false)], "no longer wanted");

    let informing = self::check("inform", json!({}));
    assert_eq!(planned(&informing, &[good("one")], &cluster, &inventory).claims, []);
}

fn velero(kind: &str, name: &str, labels: &Value, spec: &Value) -> Value {
    json!({"apiVersion": "velero.io/v1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "namespace": "n", "labels": labels}})
}

fn going(plans: &[PrunePlan]) -> Vec<String> {
    let going = plans.iter().filter(|plan| plan.action == PruneAction::Delete);
    going.map(|plan| plan.entry.name.clone()).collect()
}

/// The location for reading goes, after the records that came by it; every other location stays with its backups.
#[test]
fn what_was_made_for_reading_goes_with_what_came_by_it() {
    let check = check("enforce", json!({"pruneObjectBehavior": "DeleteIfCreated"}));
    let spec = json!({"accessMode": "ReadOnly", "provider": "aws"});
    let reading = |name: &str| {
        template(
            "musthave",
            velero("BackupStorageLocation", name, &json!({"flotilla.dev/restore-from": "c1"}), &spec),
        )
    };
    let own =
        template("musthave", velero("BackupStorageLocation", "own", &json!({}), &json!({"provider": "aws"})));
    let mut cluster = Cluster::default();
    let mut inventory = Inventory::default();
    round(&check, &[reading("from-c1"), own.clone()], &mut cluster, &mut inventory);
    for (name, location) in [("b1", "from-c1"), ("b2", "own"), ("b3", "from-c1")] {
        let labels = json!({"velero.io/storage-location": location});
        cluster.put(velero("Backup", name, &labels, &json!({})));
        cluster.put(velero("BackupRepository", &format!("r-{name}"), &labels, &json!({})));
    }
    let with_it = ["b1", "b3", "r-b1", "r-b3", "from-c1"];
    let left = prune::deselected(&inventory, &|_| None, false, &cluster).unwrap();
    assert_eq!(going(&left), with_it);
    let held: Vec<&str> = left
        .iter()
        .filter(|plan| matches!(plan.action, PruneAction::Hold(_)))
        .map(|plan| plan.entry.name.as_str())
        .collect();
    assert_eq!(held, ["own"]);
    let paused = prune::made_for_reading(&inventory, &cluster).unwrap();
    assert_eq!(going(&paused), with_it);
    let removed = prune::removed(&inventory, false, &cluster).unwrap();
    assert_eq!(going(&removed), with_it);

    // Another backup is to be restored: the location gives way to the next one, and the inventory knows that one alone.
    let plan = round(&check, &[reading("from-c2"), own.clone()], &mut cluster, &mut inventory);
    assert_eq!(going(&plan.prune), with_it);
    let known: Vec<&str> = inventory.entries().map(|(_, _, entry)| entry.name.as_str()).collect();
    assert_eq!(known, ["from-c2", "own"]);
    assert_eq!(going(&prune::deselected(&inventory, &|_| None, false, &cluster).unwrap()), ["from-c2"]);

    // Somebody else's of the same name is not the policy's to delete.
    let mut another = Cluster::default();
    another.put(velero(
        "BackupStorageLocation",
        "from-c2",
        &json!({"flotilla.dev/restore-from": "c1"}),
        &spec,
    ));
    assert_eq!(going(&prune::deselected(&inventory, &|_| None, false, &another).unwrap()), [""; 0]);
}
