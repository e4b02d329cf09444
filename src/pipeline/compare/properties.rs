//! Laws of comparing and merging, on random objects.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const MUST_HAVE: Rules = Rules { compliance: ComplianceType::MustHave, metadata: None };
const MUST_ONLY_HAVE: Rules = Rules { compliance: ComplianceType::MustOnlyHave, metadata: None };

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        Just(json!(1.5)),
        prop::sample::select(vec!["", "a", "b", "1", "1.0", "1Gi", "1024Mi"]).prop_map(Value::from),
    ]
}

fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop::sample::select(vec!["name", "k", "l", "m"]);
    prop::collection::vec((key, value), 0..4)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields(inner).prop_map(Value::from),
        ]
    })
}

fn object() -> impl Strategy<Value = Manifest> {
    let labels = prop::collection::btree_map("[ab]", "[xy]", 0..3);
    (fields(value()), value(), labels).prop_map(|(spec, status, labels)| {
        Manifest::parse(json!({"apiVersion": "test/v1", "kind": "Thing", "spec": spec, "status": status,
            "metadata": {"name": "n", "labels": labels}}))
        .unwrap()
    })
}

fn outcome(desired: &Manifest, existing: &Manifest, rules: Rules) -> Comparison {
    compare(desired, existing, &rules, &WrittenLists::default())
}

fn merged_of(comparison: Comparison, existing: &Manifest) -> Option<Manifest> {
    match comparison {
        Comparison::Same => Some(existing.clone()),
        Comparison::Different(difference) => Some(difference.merged),
        Comparison::Invalid(_) => None,
    }
}

/// Lists in another order, by a seed, at every depth.
fn shuffled(value: &Value, seed: usize) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(key, value)| (key.clone(), shuffled(value, seed / 2))).collect(),
        ),
        Value::Array(entries) => {
            let mut entries: Vec<Value> = entries.iter().map(|entry| shuffled(entry, seed / 3)).collect();
            if !entries.is_empty() {
                let middle = seed % entries.len();
                entries.rotate_left(middle);
            }
            if seed % 2 == 1 {
                entries.reverse();
            }
            Value::Array(entries)
        }
        other => other.clone(),
    }
}

fn shuffled_object(object: &Manifest, seed: usize) -> Manifest {
    Manifest::parse(shuffled(&object.to_value(), seed)).unwrap()
}

fn listing(entries: &[Value]) -> Manifest {
    Manifest::parse(json!({"apiVersion": "test/v1", "kind": "Thing", "metadata": {"name": "n"},
        "spec": {"deep": {"list": entries}}}))
    .unwrap()
}

fn entries(object: &Manifest) -> &[Value] {
    object.at(&["spec", "deep", "list"]).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Distinct entries without names, from one of two disjoint sets.
fn distinct(marker: &'static str) -> impl Strategy<Value = Vec<Value>> {
    prop::collection::btree_set(0..6_u8, 0..5).prop_map(move |numbers| {
        numbers.into_iter().map(|number| json!({"id": number, "of": marker})).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_was_merged_is_the_same(desired in object(), existing in object()) {
        for rules in [MUST_HAVE, MUST_ONLY_HAVE] {
            let Some(merged) = merged_of(outcome(&desired, &existing, rules), &existing) else { continue };
            prop_assert_eq!(outcome(&desired, &merged, rules), Comparison::Same);
        }
    }

    #[test]
    fn what_was_merged_merges_to_itself(desired in object(), existing in object()) {
        for key in ["spec", "status"] {
            let (desired, existing) = (&desired.fields()[key], &existing.fields()[key]);
            let once = merge::merge(desired, existing, Absent::Differs);
            let twice = merge::merge(desired, &once, Absent::Differs);
            prop_assert_eq!(extent::likeness(&twice, &once, Extent::Exactly, Absent::Differs), Likeness::Same);
        }
    }

    /// Comparing without merging answers as merging first and comparing then would.
    #[test]
    fn likeness_agrees_with_the_merger(desired in value(), existing in value(), zero in any::<bool>()) {
        let absent = if zero { Absent::EqualsZero } else { Absent::Differs };
        let direct = extent::likeness(&desired, &existing, Extent::AtLeast, absent);
        let merged = merge::merge(&desired, &existing, absent);
        let by_merging = extent::likeness(&merged, &existing, Extent::Exactly, absent);
        if direct.holds() {
            prop_assert!(by_merging.holds(), "{merged} and {existing}");
        }
        if direct == Likeness::Same {
            prop_assert_eq!(by_merging, Likeness::Same);
        }
    }

    #[test]
    fn the_order_of_lists_does_not_matter(desired in object(), existing in object(), seed in 0..1000_usize) {
        let other = shuffled_object(&existing, seed);
        for rules in [MUST_HAVE, MUST_ONLY_HAVE] {
            let (first, second) = (outcome(&desired, &existing, rules), outcome(&desired, &other, rules));
            prop_assert_eq!(first == Comparison::Same, second == Comparison::Same);
        }
        let (first, second) = (matches(&desired, &existing, &MUST_HAVE), matches(&desired, &other, &MUST_HAVE));
        prop_assert_eq!(first, second);
    }

    /// Whatever the API server or others add to entries, and wherever they move them, each entry is found again.
    #[test]
    fn entries_that_grew_are_found_again(
        list in prop::collection::vec((fields(scalar()), fields(scalar())), 0..6), others in prop::collection::vec(value(), 0..3),
        seed in 0..1000_usize,
    ) {
        let written = |fields: &Map<String, Value>| Value::Object(fields.clone());
        let desired = listing(&list.iter().map(|(wanted, _)| written(wanted)).collect::<Vec<_>>());
        let mut observed: Vec<Value> = list
            .iter()
            .map(|(wanted, added)| {
                let mut grown = added.clone();
                // A name is an identity; nobody adds one.
                grown.remove("name");
                grown.extend(wanted.clone());
                Value::Object(grown)
            })
            .collect();
        observed.extend(others);
        let existing = shuffled_object(&listing(&observed), seed);
        prop_assert_eq!(outcome(&desired, &existing, MUST_HAVE), Comparison::Same);
    }

    #[test]
    fn nothing_observed_is_lost(desired in object(), existing in object()) {
        let Some(merged) = merged_of(outcome(&desired, &existing, MUST_HAVE), &existing) else { return Ok(()) };
        let names = |object: &Manifest| object.at(&["spec"]).and_then(Value::as_object).cloned().unwrap_or_default();
        let merged = names(&merged);
        for key in names(&existing).keys() {
            prop_assert!(merged.contains_key(key));
        }
    }

    #[test]
    fn another_writers_entries_survive(
        first in distinct("ours"), second in distinct("ours"), theirs in distinct("theirs"), seed in 0..1000_usize,
    ) {
        let (v1, v2) = (listing(&first), listing(&second));
        let before = shuffled_object(&listing(&theirs), seed);
        let existing = merged_of(outcome(&v1, &before, MUST_HAVE), &before).unwrap();
        let existing = shuffled_object(&existing, seed / 7);
        let written = written_lists(&v1);
        let after = merged_of(compare(&v2, &existing, &MUST_HAVE, &written), &existing).unwrap();
        for entry in &theirs {
            prop_assert_eq!(entries(&after).iter().filter(|other| *other == entry).count(), 1);
        }
        for entry in &second {
            prop_assert_eq!(entries(&after).iter().filter(|other| *other == entry).count(), 1);
        }
        prop_assert_eq!(entries(&after).len(), theirs.len() + second.len());
    }

    #[test]
    fn the_patch_makes_the_merger(desired in object(), existing in object()) {
        for rules in [MUST_HAVE, MUST_ONLY_HAVE] {
            let Some(merged) = merged_of(outcome(&desired, &existing, rules), &existing) else { continue };
            let mut patched = existing.to_value();
            if let Some(patch) = merge_patch(&existing, &merged) {
                prop_assert!(patch.get("status").is_none());
                json_patch::merge(&mut patched, &patch);
            }
            // A patch can neither write the status nor say that a field is null.
            let expected = without_nulls_or_status(&merged.to_value());
            prop_assert_eq!(without_nulls_or_status(&patched), expected);
        }
    }
}

fn without_nulls_or_status(value: &Value) -> Value {
    fn clean(value: &Value) -> Value {
        match value {
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(key, value)| (key.clone(), clean(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
    let mut cleaned = clean(value);
    if let Some(fields) = cleaned.as_object_mut() {
        fields.remove("status");
    }
    cleaned
}
