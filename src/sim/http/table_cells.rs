//! The cells of a table: JSON paths of printer columns and the few cells that are computed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::kinds::{Cell, Column};
use crate::api::object::Manifest;

/// What a column shows of an object.
pub(super) fn value(column: &Column, object: &Manifest, now: Timestamp) -> Value {
    let shown = match &column.cell {
        Cell::Path(path) => return path_cell(column, path, object, now),
        Cell::Count(fields) => {
            let count =
                |field: &&str| object.at(&[field]).and_then(Value::as_object).map_or(0, serde_json::Map::len);
            // The type of the column is string, its cells are numbers.
            return json!(fields.iter().map(count).sum::<usize>());
        }
        Cell::RoleRef => {
            let part = |field| object.text_at(&["roleRef", field]).unwrap_or_default();
            format!("{}/{}", part("kind"), part("name"))
        }
        Cell::PodReady => {
            let statuses = list(object, &["status", "containerStatuses"]);
            let ready = statuses.iter().filter(|status| status["ready"] == true).count();
            format!("{ready}/{}", list(object, &["spec", "containers"]).len())
        }
        Cell::PodRestarts => {
            let statuses = list(object, &["status", "containerStatuses"]).iter();
            statuses.filter_map(|status| status["restartCount"].as_u64()).sum::<u64>().to_string()
        }
        Cell::ReplicasReady => {
            let number = |path: &[&str], or| object.at(path).and_then(Value::as_u64).unwrap_or(or);
            format!("{}/{}", number(&["status", "readyReplicas"], 0), number(&["spec", "replicas"], 1))
        }
        Cell::AccessModes => {
            let modes = list(object, &["spec", "accessModes"]).iter().filter_map(Value::as_str);
            modes.map(short_access_mode).collect::<Vec<_>>().join(",")
        }
        Cell::EventObject => {
            let about = |field| {
                object
                    .text_at(&["involvedObject", field])
                    .or_else(|| object.text_at(&["regarding", field]))
                    .unwrap_or_default()
            };
            format!("{}/{}", about("kind").to_lowercase(), about("name"))
        }
        Cell::ServicePorts => {
            let port =
                |port: &Value| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap_or("TCP"));
            list(object, &["spec", "ports"]).iter().map(port).collect::<Vec<_>>().join(",")
        }
        Cell::NodeStatus => {
            let conditions = list(object, &["status", "conditions"]);
            let ready = conditions
                .iter()
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            if ready { "Ready" } else { "NotReady" }.to_owned()
        }
    };
    json!(shown)
}

fn list<'a>(object: &'a Manifest, path: &[&str]) -> &'a [Value] {
    object.at(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn short_access_mode(mode: &str) -> &str {
    match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    }
}

fn path_cell(column: &Column, path: &str, object: &Manifest, now: Timestamp) -> Value {
    let whole = Value::Object(object.fields().clone());
    let Some(found) = find(&whole, path).into_iter().next() else {
        // The API server leaves the cell of a missing creation time unknown and every other one empty.
        return if path == ".metadata.creationTimestamp" { json!("<unknown>") } else { Value::Null };
    };
    match column.type_name.as_str() {
        "date" => json!(found.as_str().map_or_else(|| "<unknown>".to_owned(), |text| age(text, now))),
        "string" => json!(as_text(found)),
        _ => found.clone(),
    }
}

/// The values at a JSON path of printer columns: fields, `[0]`, `[*]`, `[?(@.type=="Ready")]`, `\.` in names.
pub(super) fn find<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    steps(path)
        .iter()
        .fold(vec![value], |values, step| values.into_iter().flat_map(|value| step.follow(value)).collect())
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Where { field: Vec<String>, text: String },
}

impl Step {
    fn follow<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().filter(|value| !value.is_null()).collect(),
            Self::Index(index) => {
                let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let index = if *index < 0 { index + length } else { *index };
                usize::try_from(index).ok().and_then(|index| list.get(index)).into_iter().collect()
            }
            Self::All => match value {
                Value::Array(list) => list.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            },
            Self::Where { field, text } => value
                .as_array()
                .into_iter()
                .flatten()
                .filter(|entry| {
                    let found = field.iter().try_fold(*entry, |value, name| value.get(name));
                    found.is_some_and(|found| as_text(found) == *text)
                })
                .collect(),
        }
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = bracket_end(inside);
            steps.push(bracket(&inside[..end]));
            rest = inside.get(end + 1..).unwrap_or_default();
        } else {
            let after_dot = rest.strip_prefix('.').unwrap_or(rest);
            let (name, after) = field_name(after_dot);
            if !name.is_empty() {
                steps.push(if name == "*" { Step::All } else { Step::Field(name) });
            }
            rest = after;
        }
    }
    steps
}

fn field_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => name.extend(characters.next().map(|(_, character)| character)),
            '.' | '[' => return (name, &text[index..]),
            other => name.push(other),
        }
    }
    (name, "")
}

/// Where the bracket closes; brackets in quotes do not count.
fn bracket_end(text: &str) -> usize {
    let mut quote = None;
    for (index, character) in text.char_indices() {
        match (quote, character) {
            (None, ']') => return index,
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    text.len()
}

fn bracket(text: &str) -> Step {
    let unquote = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    if text == "*" {
        return Step::All;
    }
    if let Ok(index) = text.parse() {
        return Step::Index(index);
    }
    if let Some((field, value)) = text
        .strip_prefix("?(")
        .and_then(|text| text.strip_suffix(')'))
        .and_then(|condition| condition.split_once("=="))
    {
        let field = field.trim().trim_start_matches('@').trim_start_matches('.');
        return Step::Where {
            field: field.split('.').map(ToOwned::to_owned).collect(),
            text: unquote(value),
        };
    }
    Step::Field(unquote(text))
}

/// The time since a timestamp, as `duration.HumanDuration` writes it: `5s`, `3m20s`, `2d4h`.
fn age(timestamp: &str, now: Timestamp) -> String {
    let Ok(then) = timestamp.parse::<Timestamp>() else { return "<invalid>".to_owned() };
    human_duration(now.as_second() - then.as_second())
}

fn human_duration(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let pair = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => pair(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_printer_columns_are_followed() {
        let object = json!({"status": {"conditions": [{"type": "A", "status": "True"}, {"type": "B.c", "status": "False"}],
            "n": 3, "a.b": "dotted"}, "list": ["x", "y"]});
        for (path, expected) in [
            (".status.n", vec![json!(3)]),
            (r#".status.conditions[?(@.type=="A")].status"#, vec![json!("True")]),
            (".status.conditions[?(@.type=='B.c')].status", vec![json!("False")]),
            (".status.conditions[*].type", vec![json!("A"), json!("B.c")]),
            (".list[-1]", vec![json!("y")]),
            (".list[7]", vec![]),
            (r".status.a\.b", vec![json!("dotted")]),
            (".status['a.b']", vec![json!("dotted")]),
            (".none.at.all", vec![]),
        ] {
            assert_eq!(find(&object, path), expected.iter().collect::<Vec<_>>(), "{path}");
        }
    }

    #[test]
    fn ages_are_written_as_kubectl_writes_them() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (659, "10m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (86_400, "24h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (864_000, "10d"),
            (31_536_000, "365d"),
            (63_072_000, "2y"),
            (-5, "<invalid>"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }
}
