//! Where the rows lie, how they are read, and how what comes of them is held against what they say.

use std::collections::BTreeSet;
use std::path::PathBuf;

use flotilla::yaml::{self, Dialect};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// One row of a file.
pub(crate) struct Row(Map<String, Value>);

impl Row {
    pub(crate) fn id(&self) -> &str {
        self.text("id").unwrap_or_else(|| panic!("a row without an id: {:?}", self.0))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn get(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Null)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| {
            value.as_str().unwrap_or_else(|| panic!("{key} of {:?} is no text: {value}", self.0.get("id")))
        })
    }

    pub(crate) fn list(&self, key: &str) -> &[Value] {
        self.0.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn read<T: DeserializeOwned + Default>(&self, key: &str) -> T {
        self.0.get(key).map(of).unwrap_or_default()
    }

    /// The row with the fields of another one over its own.
    pub(crate) fn with(&self, fields: &Value) -> Self {
        let mut all = self.0.clone();
        all.extend(fields.as_object().unwrap().clone());
        Self(all)
    }
}

/// A value as a type of the API.
pub(crate) fn of<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The folder of the rows.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/semantics")
}

/// The documents of a file in the folder.
pub(crate) fn file(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    yaml::read(&text, Dialect::Template).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The rows of a file.
pub(crate) fn rows(name: &str) -> Vec<Row> {
    let Value::Array(rows) = file(name) else { panic!("{name} is no list") };
    rows.iter().map(|row| Row(row.as_object().unwrap_or_else(|| panic!("{name}: {row}")).clone())).collect()
}

/// Judges every row of a file. `inputs` and `outcomes` are the fields that the judge reads; a row has one outcome at least.
pub(crate) fn hold(
    name: &str,
    inputs: &[&str],
    outcomes: &[&str],
    judge: impl Fn(&Row) -> Result<(), String>,
) {
    let rows = rows(name);
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    for row in &rows {
        let id = row.id();
        assert!(ids.insert(id.to_owned()), "{name}: {id} stands there twice");
        assert!(row.text("rule").is_some_and(|rule| rule.len() > 10), "{name}: {id} says no rule");
        for key in row.0.keys() {
            let known = matches!(key.as_str(), "id" | "rule" | "note")
                || inputs.contains(&key.as_str())
                || outcomes.contains(&key.as_str());
            assert!(known, "{name}: {id} has a field {key:?} that nothing reads");
        }
        let expects = |fields: &Map<String, Value>| outcomes.iter().any(|of| fields.contains_key(*of));
        let mut rounds = row.list("rounds").iter().filter_map(Value::as_object);
        assert!(expects(&row.0) || rounds.any(expects), "{name}: {id} expects nothing");
        if let Err(fault) = judge(row) {
            faults.push(format!("{id}: {}\n{fault}", row.text("rule").unwrap_or_default()));
        }
    }
    assert!(
        faults.is_empty(),
        "{name}: {} of {} rows fail\n\n{}",
        faults.len(),
        rows.len(),
        faults.join("\n\n")
    );
}

/// Holds one value against another.
pub(crate) fn same(what: &str, found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}:\n  expected {expected}\n  found    {found}"))
    }
}

/// Holds that a text has a part.
pub(crate) fn has_part(what: &str, found: &str, part: &str) -> Result<(), String> {
    if found.contains(part) {
        Ok(())
    } else {
        Err(format!("{what}:\n  expected … {part} …\n  found    {found}"))
    }
}

/// Whether everything that `part` says is so in `whole`. Lists have the same length; `null` says that nothing is there.
pub(crate) fn includes(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| includes(whole.get(key).unwrap_or(&Value::Null), part))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| includes(whole, part))
        }
        (whole, part) => whole == part,
    }
}

/// Holds that a value has everything that a part says.
pub(crate) fn within(what: &str, found: &Value, part: &Value) -> Result<(), String> {
    if includes(found, part) {
        Ok(())
    } else {
        Err(format!("{what}:\n  expected in it {part}\n  found          {found}"))
    }
}
