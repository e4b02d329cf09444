//! What an object looks like once the desired fields are written into it: takes a desired and an observed value, gives
//! the merger. The desired value wins; what it does not speak of stays.

use serde_json::{Map, Value};

use super::extent::{Absent, Extent, pair};

/// Merges a desired value into an observed one (`musthave`).
pub fn merge(desired: &Value, existing: &Value, absent: Absent) -> Value {
    match (desired, existing) {
        (Value::Object(desired), Value::Object(existing)) => {
            Value::Object(merge_maps(desired, existing, absent))
        }
        (Value::Array(desired), Value::Array(existing)) => {
            Value::Array(merge_lists(desired, existing, absent))
        }
        (Value::Null, Value::Object(_)) => existing.clone(),
        _ => desired.clone(),
    }
}

/// Merges mappings: the desired fields, and the observed fields that are not desired.
pub(crate) fn merge_maps(
    desired: &Map<String, Value>,
    existing: &Map<String, Value>,
    absent: Absent,
) -> Map<String, Value> {
    let mut merged = existing.clone();
    for (key, value) in desired {
        let value =
            existing.get(key).map_or_else(|| value.clone(), |existing| merge(value, existing, absent));
        merged.insert(key.clone(), value);
    }
    merged
}

/// Merges lists: the desired entries, each merged with the observed entry it stands for, then the other observed
/// entries in their order.
pub(crate) fn merge_lists(desired: &[Value], existing: &[Value], absent: Absent) -> Vec<Value> {
    let pairs = pair(desired, existing, Extent::AtLeast, absent);
    let mut left = vec![true; existing.len()];
    let mut merged = Vec::with_capacity(existing.len().max(desired.len()));
    for (value, pair) in desired.iter().zip(pairs) {
        match pair.existing {
            Some(slot) => {
                left[slot] = false;
                merged.push(merge(value, &existing[slot], absent));
            }
            None => merged.push(value.clone()),
        }
    }
    merged.extend(existing.iter().zip(left).filter(|(_, left)| *left).map(|(value, _)| value.clone()));
    merged
}
