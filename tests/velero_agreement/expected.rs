//! What real Velero did, kept in `expected/<area>.yaml`, and the comparison with it.
//!
//! `FLOTILLA_RECORD=1 FLOTILLA_STAGE=plane` writes these files anew. Times, identities, ports and names of requests are
//! kept as shapes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use flotilla::yaml;
use regex::Regex;
use serde_json::{Value, json};

use crate::diary::{Entry, GONE};
use crate::differences;
use crate::support::stage::{Kind, kind};

/// What was seen in one area, by case.
pub(crate) struct Seen {
    area: &'static str,
    cases: BTreeMap<String, Value>,
}

impl Seen {
    /// Nothing yet.
    pub(crate) fn new(area: &'static str) -> Self {
        Self { area, cases: BTreeMap::new() }
    }

    /// Adds anything under the name of a case.
    pub(crate) fn add(&mut self, case: &str, value: Value) {
        let earlier = self.cases.insert(case.to_owned(), normal(value));
        assert!(earlier.is_none(), "two cases are called {case}");
    }

    /// Adds the ladder of an object and its last state.
    pub(crate) fn add_entry(&mut self, case: &str, entry: &Entry) {
        let mut object = plain(&entry.object);
        if entry.phase() == GONE {
            // Whether the end is seen with the last finalizer or without it is the API server's affair.
            object["metadata"].as_object_mut().unwrap().remove("finalizers");
        }
        self.add(case, json!({"phases": entry.phases, "object": object}));
    }

    /// The same for many objects.
    pub(crate) fn add_entries(&mut self, entries: &[(String, Entry)]) {
        for (case, entry) in entries {
            self.add_entry(case, entry);
        }
    }

    /// Compares all of it with what was recorded, or records it.
    pub(crate) fn check(self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/velero_agreement/expected/{}.yaml", self.area));
        let seen: Value = self.cases.into_iter().collect::<serde_json::Map<_, _>>().into();
        if std::env::var_os("FLOTILLA_RECORD").is_some() {
            assert_eq!(kind(), Kind::Plane, "expectations are recorded on real servers alone");
            std::fs::write(&path, yaml::write(&seen).unwrap()).unwrap();
            return;
        }
        let expected = yaml::read_documents(&std::fs::read_to_string(&path).unwrap()).unwrap().remove(0);
        let mut found = Vec::new();
        compare("", &expected, &seen, &mut found);
        if kind() == Kind::StandIn {
            differences::leave_out_known(self.area, &mut found);
        }
        let lines: Vec<String> = found
            .iter()
            .map(|difference| {
                let Difference { path, expected, seen } = difference;
                format!(
                    "{path}\n    expected {}\n    seen     {}",
                    show(expected.as_ref()),
                    show(seen.as_ref())
                )
            })
            .collect();
        assert!(lines.is_empty(), "{} differences in {}:\n{}", lines.len(), self.area, lines.join("\n"));
    }
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// One place where two things are not the same.
#[derive(Debug)]
pub(crate) struct Difference {
    /// Case and fields, each with a slash in front.
    pub(crate) path: String,
    pub(crate) expected: Option<Value>,
    pub(crate) seen: Option<Value>,
}

fn compare(path: &str, expected: &Value, seen: &Value, found: &mut Vec<Difference>) {
    if let (Value::Object(expected), Value::Object(seen)) = (expected, seen) {
        let names: std::collections::BTreeSet<&String> = expected.keys().chain(seen.keys()).collect();
        for name in names {
            let path = format!("{path}/{}", name.replace('/', "~1"));
            match (expected.get(name), seen.get(name)) {
                (Some(expected), Some(seen)) => compare(&path, expected, seen, found),
                (expected, seen) => {
                    found.push(Difference { path, expected: expected.cloned(), seen: seen.cloned() });
                }
            }
        }
    } else if expected != seen {
        found.push(Difference {
            path: path.to_owned(),
            expected: Some(expected.clone()),
            seen: Some(seen.clone()),
        });
    }
}

/// The parts of an object that Velero or its user writes.
pub(crate) fn plain(object: &Value) -> Value {
    let mut plain = json!({"metadata": {}});
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        if !object["metadata"][field].is_null() {
            plain["metadata"][field] = object["metadata"][field].clone();
        }
    }
    for field in ["spec", "status", "data"] {
        if !object[field].is_null() {
            plain[field] = object[field].clone();
        }
    }
    // Whether a location was already looked through for Backups is a matter of seconds.
    if let Some(status) = plain.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("lastSyncedTime");
    }
    // In any order.
    if let Some(plugins) = plain.pointer_mut("/status/plugins").and_then(Value::as_array_mut) {
        plugins.sort_by_key(Value::to_string);
    }
    // Where the object storage is found differs with the stage, and is told to real Velero alone.
    if let Some(config) = plain.pointer_mut("/spec/config").and_then(Value::as_object_mut) {
        config.retain(|key, _| !key.starts_with("s3"));
    }
    if let Some(kept) = kept_for(object) {
        plain["status"]["expiration"] = json!(kept);
    }
    plain
}

/// How long a Backup is kept, in whole minutes from its start.
fn kept_for(object: &Value) -> Option<String> {
    let moment = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    let end = moment(&object["status"]["expiration"])?;
    let start = moment(&object["status"]["startTimestamp"])
        .or_else(|| moment(&object["metadata"]["creationTimestamp"]))?;
    let minutes = (end.as_second() - start.as_second() + 30).div_euclid(60);
    Some(format!("<start> + {minutes}m"))
}

/// A value with shapes in place of what is different each time.
fn normal(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (normal_text(&key), normal(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(normal).collect(),
        Value::String(text) => normal_text(&text).into(),
        other => other,
    }
}

/// What is different each time, and the shape that stands for it.
static SHAPES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\bv1\.36\.\d+\b", "<version of Kubernetes>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
        (r"http://127\.0\.0\.1:\d+", "<storage>"),
        (r"\b\d{14}\b", "<stamp>"),
        (r"RequestID: [^,]*", "RequestID: <id>"),
        (r"HostID: [^,]*", "HostID: <id>"),
    ]
    .map(|(pattern, shape)| (Regex::new(pattern).unwrap(), shape))
    .to_vec()
});

fn normal_text(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, shape) in SHAPES.iter() {
        text = pattern.replace_all(&text, *shape).into_owned();
    }
    text
}
