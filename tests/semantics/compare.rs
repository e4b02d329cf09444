//! Section 2.4: desired against observed, field by field.

use flotilla::api::object::Manifest;
use flotilla::pipeline::compare::primitives::{Absent, merge};
use flotilla::pipeline::compare::{Comparison, Rules, WrittenLists, compare, matches};
use serde_json::{Value, json};

use crate::rows::{Row, hold, of, same};

/// An object of a row; what it does not say of itself is that of a Schedule.
fn object(value: &Value) -> Manifest {
    let mut object = json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "n", "namespace": "ns"}});
    for (key, field) in value.as_object().unwrap() {
        if key == "metadata" {
            for (key, field) in field.as_object().unwrap() {
                object["metadata"][key] = field.clone();
            }
        } else {
            object[key] = field.clone();
        }
    }
    Manifest::parse(object).unwrap()
}

fn word(comparison: &Comparison) -> String {
    match comparison {
        Comparison::Same => "same".to_owned(),
        Comparison::Invalid(fault) => fault.to_string(),
        Comparison::Different(difference) => {
            match (difference.spec_mismatch, difference.status_mismatch, difference.only_absent_zeros) {
                (true, false, true) => "only absent zeros",
                (true, false, false) => "differs",
                (false, true, _) => "status differs",
                (true, true, _) => "both differ",
                (false, false, _) => "says nothing",
            }
            .to_owned()
        }
    }
}

fn judge(row: &Row) -> Result<(), String> {
    let (desired, existing) = (row.get("desired"), row.get("existing"));
    if row.has("merge") {
        return same("merge", &merge(desired, existing, Absent::Differs), row.get("merge"));
    }
    let (desired, existing) = (object(desired), object(existing));
    for kind in ["musthave", "mustonlyhave"] {
        let rules = Rules {
            compliance: of(&json!(kind)),
            metadata: row.has("metadataComplianceType").then(|| of(row.get("metadataComplianceType"))),
        };
        let comparison = compare(&desired, &existing, &rules, &WrittenLists::default());
        if row.has(kind) {
            same(kind, &json!(word(&comparison)), row.get(kind))?;
        }
        let written = format!("{kind}_writes");
        if row.has(&written) {
            let Comparison::Different(difference) = &comparison else {
                return Err("nothing is written".to_owned());
            };
            for (key, field) in row.get(&written).as_object().unwrap() {
                let found = difference.merged.fields().get(key).cloned().unwrap_or_default();
                same(&format!("{written} {key}"), &found, field)?;
            }
        }
    }
    if row.has("unnamed") {
        let rules = Rules { compliance: of(&json!("musthave")), metadata: None };
        same("unnamed", &json!(matches(&desired, &existing, &rules)), row.get("unnamed"))?;
    }
    Ok(())
}

#[test]
fn objects_are_compared_and_merged() {
    let outcomes = ["musthave", "mustonlyhave", "unnamed", "merge", "musthave_writes", "mustonlyhave_writes"];
    hold("2.4-comparison.yaml", &["desired", "existing", "metadataComplianceType"], &outcomes, judge);
}
