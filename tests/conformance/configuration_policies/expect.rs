//! What a case expects of a policy's status and of objects (`INDEX.md` names the keys).

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::{Value, json};

use super::objects::Objects;
use super::steps::{Memory, key_of, policy_key};
use flotilla::api::object::{Manifest, ObjectKey};

/// Keys that say nothing of the moment, or are looked at elsewhere.
const ELSEWHERE: &[&str] = &["policy", "note", "consistently_s", "history_stable_s", "stable_s", "timeout_s"];

/// What is there at one moment.
pub(super) struct Seen {
    policy: Option<Value>,
    objects: Vec<(Value, ObjectKey, Option<Manifest>)>,
}

type Judgement = Result<(), String>;

impl Seen {
    pub(super) async fn look(
        expected: &Value,
        objects: &Arc<Objects>,
        memory: &mut Memory,
    ) -> Result<Self, String> {
        let policy = match expected["policy"].as_str() {
            Some(name) => objects.get(&policy_key(name)).await?.map(|policy| policy.to_value()),
            None => None,
        };
        let mut found = Vec::new();
        for wanted in expected["objects"].as_array().into_iter().flatten() {
            let key = key_of(wanted)?;
            let object = objects.get(&key).await?;
            if let Some(uid) = object.as_ref().and_then(|object| object.uid()) {
                memory.uids.entry(key.clone()).or_insert_with(|| uid.to_owned());
            }
            found.push((wanted.clone(), key, object));
        }
        Ok(Self { policy, objects: found })
    }

    pub(super) fn status(&self) -> &Value {
        self.policy.as_ref().map_or(&Value::Null, |policy| &policy["status"])
    }

    fn history(&self) -> Vec<&str> {
        let history = self.status()["history"].as_array().map(Vec::as_slice).unwrap_or_default();
        history.iter().filter_map(|event| event["message"].as_str()).collect()
    }

    pub(super) fn history_length(&self) -> usize {
        self.history().len()
    }

    /// Remembers what later expectations refer to.
    pub(super) fn remember(&self, expected: &Value, memory: &mut Memory) {
        if let Some(name) = expected["policy"].as_str() {
            memory.statuses.insert(name.to_owned(), self.status().clone());
        }
    }

    pub(super) fn agrees(
        &self,
        expected: &Value,
        before: &BTreeMap<String, Value>,
        memory: &Memory,
    ) -> Judgement {
        let before = expected["policy"].as_str().and_then(|name| before.get(name)).unwrap_or(&Value::Null);
        for (key, wanted) in expected.as_object().into_iter().flatten() {
            if ELSEWHERE.contains(&key.as_str()) || key.starts_with("derived_") {
                continue;
            }
            if key == "objects" {
                for (wanted, key, object) in &self.objects {
                    self.judge_object(wanted, key, object.as_ref(), memory)?;
                }
                continue;
            }
            self.judge(key, wanted, before)
                .map_err(|fault| format!("{key}: {fault}; the status is {:#}", self.status()))?;
        }
        Ok(())
    }

    fn judge(&self, key: &str, wanted: &Value, before: &Value) -> Judgement {
        let status = self.status();
        let text = wanted.as_str().unwrap_or_default();
        if let Some(way) = key.strip_prefix("detail0_message_") {
            let message = status["compliancyDetails"][0]["conditions"][0]["message"].as_str();
            return judge_text(way, message.ok_or("there is no message")?, wanted);
        }
        if let Some(way) = key.strip_prefix("diff0_") {
            let properties = &status["relatedObjects"][0]["properties"];
            let diff = properties["diff"].as_str().unwrap_or_default();
            let diff = diff.replace(
                properties["uid"].as_str().filter(|uid| !uid.is_empty()).unwrap_or("<no uid>"),
                "<UID>",
            );
            return judge_text(way, &diff, wanted);
        }
        if let Some(way) = key.strip_prefix("history0_") {
            return judge_text(way, self.history().first().ok_or("there is no history")?, wanted);
        }
        match key {
            "compliance" => same(status.get("compliant").unwrap_or(&json!("")), wanted),
            "policy_absent" => {
                holds(self.policy.is_none() == wanted.as_bool().unwrap_or(true), "it is there")
            }
            "details_count" => same(&json!(length(&status["compliancyDetails"])), wanted),
            "details" => judge_details(&status["compliancyDetails"], wanted),
            "related_objects_count" => same(&json!(length(&status["relatedObjects"])), wanted),
            "related_namespaces" => {
                let related = status["relatedObjects"].as_array().map(Vec::as_slice).unwrap_or_default();
                let mut found: Vec<&Value> =
                    related.iter().map(|object| &object["object"]["metadata"]["namespace"]).collect();
                let mut wanted: Vec<&Value> = wanted.as_array().into_iter().flatten().collect();
                found.sort_by_key(ToString::to_string);
                wanted.sort_by_key(ToString::to_string);
                holds(found == wanted, &format!("found {found:?}"))
            }
            "status_field_unchanged" => {
                let unchanged = at(status, text) == at(before, text);
                holds(unchanged, &format!("it was {:?}", at(before, text)))
            }
            "history_count" => same(&json!(self.history_length()), wanted),
            "history_delta" => {
                let grown = self.history_length().saturating_sub(length(&before["history"]));
                same(&json!(grown), wanted)
            }
            "history_noncompliant_max" => {
                let count =
                    self.history().iter().filter(|message| message.starts_with("NonCompliant")).count();
                holds(count as u64 <= wanted.as_u64().unwrap_or_default(), &format!("there are {count}"))
            }
            "history_contains_equals" => {
                let wanted = texts(wanted);
                holds(wanted.iter().all(|text| self.history().contains(text)), "not in the history")
            }
            "history_contains_regex" | "history_all_regex" | "history_none_regex" => {
                for pattern in texts(wanted) {
                    let pattern = regex(pattern)?;
                    let mut matches = self.history().into_iter().map(|message| pattern.is_match(message));
                    let good = match key {
                        "history_contains_regex" => matches.any(|matched| matched),
                        "history_all_regex" => matches.all(|matched| matched),
                        _ => !matches.any(|matched| matched),
                    };
                    holds(good, pattern.as_str())?;
                }
                Ok(())
            }
            _ => match key.strip_prefix("related") {
                Some(index) if index.parse::<usize>().is_ok() => {
                    let index: usize = index.parse().unwrap_or_default();
                    judge_paths(&status["relatedObjects"][index], wanted)
                }
                Some(_) | None => Err("the harness does not know this key".to_owned()),
            },
        }
    }

    fn judge_object(
        &self,
        wanted: &Value,
        key: &ObjectKey,
        object: Option<&Manifest>,
        memory: &Memory,
    ) -> Judgement {
        if wanted["absent"] == json!(true) {
            return holds(object.is_none(), &format!("{key} is there"));
        }
        let Some(object) = object else {
            return Err(format!("there is no {key}; the status is {:#}", self.status()));
        };
        let value = object.to_value();
        let fault = |what: &str| format!("{key}: {what}, in {value:#}; the status is {:#}", self.status());
        if let Some(part) = wanted.get("contains") {
            holds(contains(&value, part), &fault(&format!("not found: {part}")))?;
        }
        for (path, wanted) in wanted["list_lengths"].as_object().into_iter().flatten() {
            let found = at(&value, path).map_or(0, length);
            holds(json!(found) == *wanted, &fault(&format!("{path} has {found} entries, not {wanted}")))?;
        }
        for (path, wanted) in wanted["set_equals"].as_object().into_iter().flatten() {
            let found = at(&value, path).cloned().unwrap_or_default();
            holds(sorted(&found) == sorted(wanted), &fault(&format!("{path} is not the set {wanted}")))?;
        }
        for path in texts(&wanted["absent_paths"]) {
            holds(at(&value, path).is_none(), &fault(&format!("{path} is there")))?;
        }
        for path in texts(&wanted["null_or_absent_paths"]) {
            holds(at(&value, path).is_none_or(Value::is_null), &fault(&format!("{path} is there")))?;
        }
        if wanted["uid_changed"] == json!(true) {
            let changed = object.uid() != memory.uids.get(key).map(String::as_str);
            holds(changed, &fault("it is the same object as before"))?;
        }
        Ok(())
    }
}

fn judge_text(way: &str, found: &str, wanted: &Value) -> Judgement {
    let text = wanted.as_str().unwrap_or_default();
    let good = match way {
        "equals" => found == text,
        "contains" | "contains_all" => texts(wanted).iter().all(|text| found.contains(text)),
        "not_contains" => !texts(wanted).iter().any(|text| found.contains(text)),
        "regex" => regex(text)?.is_match(found),
        "suffix" => found.ends_with(text),
        "prefix" => found.starts_with(text),
        "length" => json!(found.len()) == *wanted,
        _ => return Err("the harness does not know this key".to_owned()),
    };
    holds(good, &format!("wanted {wanted}, found {found:?}"))
}

/// Each expected detail as subset, or as the keys of a message.
fn judge_details(details: &Value, wanted: &Value) -> Judgement {
    for (index, wanted) in wanted.as_array().into_iter().flatten().enumerate() {
        let index =
            wanted["index"].as_u64().map_or(index, |index| usize::try_from(index).unwrap_or_default());
        let detail = &details[index];
        let condition = &detail["conditions"][0];
        let message = condition["message"].as_str().unwrap_or_default();
        if let Some(text) = wanted.as_str() {
            judge_text("equals", message, &json!(text))?;
            continue;
        }
        for (key, wanted) in wanted.as_object().into_iter().flatten() {
            match key.as_str() {
                "index" | "note" => {}
                "compliance" | "compliant" => same(&detail["Compliant"], wanted)?,
                "message" => judge_text("equals", message, wanted)?,
                "reason" | "type" | "status" => same(&condition[key], wanted)?,
                other => match other.strip_prefix("message_") {
                    Some(way) => judge_text(way, message, wanted)?,
                    None => {
                        holds(contains(&detail[other], wanted), &format!("{other} is {}", detail[other]))?;
                    }
                },
            }
        }
    }
    Ok(())
}

/// Values at dotted paths: the very value, one of several, or anything.
fn judge_paths(value: &Value, wanted: &Value) -> Judgement {
    for (path, wanted) in wanted.as_object().into_iter().flatten() {
        let found = at(value, path).unwrap_or(&Value::Null);
        let good = match wanted {
            Value::String(text) if text == "<non-empty>" => !found.is_null() && *found != json!(""),
            Value::Array(any) => any.contains(found),
            other => found == other,
        };
        holds(good, &format!("{path} is {found}, not {wanted}"))?;
    }
    Ok(())
}

/// Whether a value holds a part: maps by key, lists entry by entry when they are as long, else as a set.
fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => {
            part.iter().all(|(key, part)| contains(value.get(key).unwrap_or(&Value::Null), part))
        }
        (Value::Array(value), Value::Array(part)) => {
            value.len() == part.len() && value.iter().zip(part).all(|(value, part)| contains(value, part))
                || (!part.is_empty()
                    && part.iter().all(|part| value.iter().any(|value| contains(value, part))))
        }
        (Value::Null, Value::Array(part)) => part.is_empty(),
        (value, part) => value == part,
    }
}

/// The value at a dotted path; labels and annotations may have dots in their names.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let (first, rest) = (&path[..dot], &path[dot + 1..]);
        let next = match value {
            Value::Array(entries) => entries.get(first.parse::<usize>().ok()?)?,
            other => other.get(first)?,
        };
        at(next, rest)
    })
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(entries) => {
            let mut entries: Vec<Value> = entries.iter().map(sorted).collect();
            entries.sort_by_key(Value::to_string);
            Value::Array(entries)
        }
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        other => other.clone(),
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| error.to_string())
}

fn same(found: &Value, wanted: &Value) -> Judgement {
    holds(found == wanted, &format!("wanted {wanted}, found {found}"))
}

fn holds(condition: bool, fault: &str) -> Judgement {
    if condition { Ok(()) } else { Err(fault.to_owned()) }
}
