//! What a server answered, step by step, in a form in which two runs can be compared; and the comparison with the expected
//! answers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use flotilla::yaml;
use regex::{Captures, Regex};
use serde_json::{Map, Value};
use similar::TextDiff;

use crate::differences::DIFFERENCES;
use crate::support::stage;

/// Begins a step in a file of expected answers.
const HEAD: &str = "=== ";

/// Stands for the latest version of the whole server: other tests raise it.
const LATEST: &str = "<latest>";

static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap());
static UID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap());
/// Other texts that differ from run to run, and what is written in their place.
static OTHERS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\b\d+ \(\d+\)", "<old> (<oldest>)"),
        (r"in record \(\d+\)", "in record (<version>)"),
        (r", current: \d+", ", current: <latest>"),
        (r"^\d+s$", "<age>"),
        (r"(?i)\b(generated|upper)-[a-z0-9]{5}\b", "$1-<random>"),
        // The whole object as it would have become: its fields stand in the order of Go's structures.
        (r#""\{\\".*\}": "#, "<object>: "),
        (r#"(resourceVersion"?: ?)"\d+""#, "$1<version>"),
    ]
    .map(|(pattern, text)| (Regex::new(pattern).unwrap(), text))
    .into()
});

/// One request with its answer.
#[derive(Debug)]
pub struct Step {
    name: String,
    text: String,
}

impl Step {
    /// A step of a test; its name is unique there.
    pub fn new(name: &str, request: &str) -> Self {
        Self { name: name.to_owned(), text: format!("{request}\n") }
    }

    pub fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub fn value(&mut self, value: &Value) {
        self.text.push_str(&yaml::write(value).unwrap());
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Numbers for what differs from run to run, in the order in which they are met: equal things keep equal numbers.
#[derive(Debug, Default)]
struct Marks(HashMap<String, usize>);

impl Marks {
    fn of(&mut self, text: &str) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(text.to_owned()).or_insert(next)
    }
}

/// The steps of a test.
#[derive(Debug)]
pub struct Recorder {
    place: String,
    steps: Vec<Step>,
    /// Whether `managedFields` are recorded. They are long and say little where they are not the subject.
    pub managed_fields: bool,
    /// Texts in paths that differ from run to run.
    pub hidden: Vec<String>,
    choose: Option<fn(&mut Value)>,
    versions: Mutex<Marks>,
    uids: Mutex<Marks>,
}

impl Recorder {
    pub fn new(subject: &str, name: &str) -> Self {
        Self {
            place: format!("{subject}/{name}"),
            steps: Vec::new(),
            managed_fields: false,
            hidden: Vec::new(),
            choose: None,
            versions: Mutex::default(),
            uids: Mutex::default(),
        }
    }

    pub fn push(&mut self, step: Step) {
        assert!(self.steps.iter().all(|other| other.name != step.name), "two steps are called {}", step.name);
        self.steps.push(step);
    }

    /// From now on, takes out of answers what is no part of the agreement.
    pub fn normalise_with(&mut self, choose: fn(&mut Value)) {
        self.choose = Some(choose);
    }

    /// Whether there is a step of this name.
    pub fn has(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step.name == name)
    }

    /// A request without what differs from run to run.
    pub fn path(&self, path: &str) -> String {
        self.hidden.iter().fold(path.to_owned(), |path, hidden| path.replace(hidden.as_str(), "<hidden>"))
    }

    /// What a program printed, without what differs from run to run: ages, and with them the widths of columns.
    pub fn printed(&self, text: &str) -> String {
        static AGE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?m)(^|\s)(\d+s|\d+m\d+s|\d+m)(\s|$)").unwrap());
        static GAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\S) {2,}").unwrap());
        static VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"Resource Version:( +)\d+").unwrap());
        static FOLDER: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"/tmp/(LIVE|MERGED)-\d+([^\s]*)(\t[\d-]+ [\d:.]+ \+0000)?").unwrap()
        });
        let text = self.text(text);
        let text = AGE.replace_all(&text, "$1<age>$3");
        let text = VERSION.replace_all(&text, "Resource Version:$1<version>");
        let text = FOLDER.replace_all(&text, "/tmp/$1$2");
        let text = GAP.replace_all(&text, "$1  ");
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// An answer without what differs from run to run.
    pub fn normalised(&self, value: &Value) -> Value {
        let mut value = value.clone();
        if let Some(choose) = self.choose.filter(|_| value.is_object()) {
            choose(&mut value);
        }
        let is_list = value["items"].is_array() || value["rows"].is_array();
        let is_bookmark = value["metadata"]["name"].is_null() && value["metadata"]["uid"].is_null();
        if (is_list || is_bookmark) && value["metadata"]["resourceVersion"].is_string() {
            value["metadata"]["resourceVersion"] = Value::from(LATEST);
        }
        if let Some(causes) = value.pointer_mut("/details/causes").and_then(Value::as_array_mut)
            && causes.iter().all(|cause| cause["reason"] == "FieldManagerConflict")
        {
            // They come in no order.
            causes.sort_by_key(Value::to_string);
        }
        self.normalise(&mut value);
        value
    }

    fn normalise(&self, value: &mut Value) {
        match value {
            Value::Object(map) => self.normalise_map(map),
            Value::Array(list) => list.iter_mut().for_each(|entry| self.normalise(entry)),
            Value::String(text) => *text = self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn normalise_map(&self, map: &mut Map<String, Value>) {
        if !self.managed_fields {
            map.remove("managedFields");
        }
        if let Some(managers) = map.get_mut("managedFields").and_then(Value::as_array_mut) {
            // They are ordered by time, in seconds: which of two is the older depends on when the second ends.
            managers.sort_by_key(|entry| {
                ["operation", "manager", "subresource"].map(|field| entry[field].to_string())
            });
        }
        if map.get("annotations").is_some_and(|all| !all["k8s.io/initial-events-end"].is_null()) {
            // The row of a bookmark in a table.
            map.insert("resourceVersion".to_owned(), Value::from(LATEST));
        }
        for (field, value) in map.iter_mut() {
            match (field.as_str(), value.as_str()) {
                ("resourceVersion", Some(text)) if text.parse::<u64>().is_ok() => {
                    *value = format!("<version {}>", self.versions.lock().unwrap().of(text)).into();
                }
                ("continue", Some(text)) if !text.is_empty() => *value = "<continue>".into(),
                _ => self.normalise(value),
            }
        }
    }

    /// A text without what differs from run to run.
    pub fn text(&self, text: &str) -> String {
        let text = TIME.replace_all(text, "<time>");
        let text = UID.replace_all(&text, |found: &Captures<'_>| {
            format!("<uid {}>", self.uids.lock().unwrap().of(&found[0]))
        });
        OTHERS.iter().fold(text.into_owned(), |text, (pattern, instead)| {
            pattern.replace_all(&text, *instead).into_owned()
        })
    }

    fn file(&self) -> PathBuf {
        folder().join(format!("{}.txt", self.place))
    }

    /// Compares all steps with the expected answers, or writes these.
    pub fn finish(self) {
        let text: String =
            self.steps.iter().map(|step| [HEAD, &step.name, "\n", &step.text, "\n"].concat()).collect();
        let kind = stage::kind();
        if records() {
            assert_eq!(kind, stage::Kind::Plane, "only a real server says what is right");
            std::fs::create_dir_all(self.file().parent().unwrap()).unwrap();
            std::fs::write(self.file(), text).unwrap();
            return;
        }
        let expected = std::fs::read_to_string(self.file())
            .unwrap_or_else(|error| panic!("{}: {error}", self.file().display()));
        let (expected, found) = (steps_of(&expected), steps_of(&text));
        let names = |steps: &[(String, String)]| -> Vec<String> {
            steps.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&found), names(&expected), "{}: other steps were recorded", self.place);
        let mut faults = Vec::new();
        for ((name, expected), (_, found)) in expected.iter().zip(&found) {
            let step = format!("{}/{name}", self.place);
            let known = kind == stage::Kind::StandIn
                && DIFFERENCES.iter().any(|row| row.steps.contains(&step.as_str()));
            if known && expected == found {
                faults
                    .push(format!("{step}: the stages agree; its row in DIFFERENCES has no reason any more"));
            }
            if !known && expected != found {
                let diff = TextDiff::from_lines(expected.as_str(), found.as_str());
                let diff = diff.unified_diff().context_radius(4).header("expected", "found").to_string();
                faults.push(format!("{step}:\n{diff}"));
            }
        }
        assert!(
            faults.is_empty(),
            "{} of {} steps differ\n\n{}",
            faults.len(),
            found.len(),
            faults.join("\n")
        );
    }
}

/// Whether the answers are to be written as the expected ones.
pub fn records() -> bool {
    std::env::var("FLOTILLA_RECORD").is_ok()
}

/// Where the expected answers lie.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/agreement/expected")
}

/// Name and text of each step of a file.
pub fn steps_of(text: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(HEAD) {
            steps.push((name.to_owned(), String::new()));
        } else if let Some((_, text)) = steps.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    steps
}
