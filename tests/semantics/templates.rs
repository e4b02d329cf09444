//! Sections 1.1 to 1.3: the template language, what is done to a text before and after, and the functions.

use std::sync::LazyLock;

use flotilla::pipeline::render::HubContext;
use flotilla::pipeline::render::text::{self, Input, Settings};
use serde_json::Value;

use crate::encryption;
use crate::objects::Objects;
use crate::rows::{self, Row, has_part, hold, same};

/// What the templates of these sections may look up.
static CLUSTER: LazyLock<Objects> =
    LazyLock::new(|| Objects::new(rows::file("objects.yaml").as_array().unwrap()));

const INPUTS: &[&str] = &[
    "template",
    "value",
    "yaml",
    "strip",
    "holds",
    "dot",
    "hub",
    "delimiters",
    "namespace",
    "encryption",
    "claims",
    "denied",
    "skipping",
    "indentation",
];
const OUTCOMES: &[&str] = &["gives", "fails", "becomes", "text", "sensitive", "skipped"];

fn settings(row: &Row) -> Settings {
    let mut settings = Settings {
        namespace: row.text("namespace").map(ToOwned::to_owned),
        denied: row.read("denied"),
        claims: row.has("claims").then(|| row.read("claims")),
        context: row.has("dot").then(|| row.get("dot").clone()),
        is_object_template: row.has("skipping"),
        ..Settings::default()
    };
    if let Some(delimiters) = row.text("delimiters") {
        let (left, right) = delimiters.split_once(' ').unwrap();
        (settings.left, settings.right) = (left.to_owned(), right.to_owned());
    }
    if row.has("indentation") {
        settings.additional_indentation = rows::of(row.get("indentation"));
    }
    if row.has("hub") {
        settings.hub = Some(HubContext {
            cluster: row.get("hub")["cluster"].as_str().unwrap_or_default().to_owned(),
            labels: rows::of(&row.get("hub")["labels"]),
            ..HubContext::default()
        });
    }
    if row.has("encryption") {
        let said = row.get("encryption");
        let both = encryption::of(said);
        if said["encrypt"] == true {
            settings.encrypt = Some(both.clone());
        }
        if said["decrypt"] == true {
            settings.decrypt = Some(both);
        }
    }
    settings
}

/// Holds a text, or an error, against what a row says.
fn judge_text(row: &Row, found: Result<String, String>) -> Result<(), String> {
    match (found, row.text("gives"), row.text("fails")) {
        (Ok(found), Some(expected), None) => same("gives", &Value::from(found), &Value::from(expected)),
        (Err(found), None, Some(part)) => has_part("fails", &found, part),
        (found, _, _) => Err(format!("found {found:?}")),
    }
}

fn judge(row: &Row) -> Result<(), String> {
    let settings = settings(row);
    if let Some(template) = row.text("template") {
        return judge_text(
            row,
            text::print(template, &settings, &*CLUSTER).map_err(|error| error.to_string()),
        );
    }
    if let Some(strip) = row.text("strip") {
        return judge_text(row, Ok(text::strip_quotes(strip, &settings.left, &settings.right)));
    }
    if let Some(holds) = row.text("holds") {
        let plain = text::has_template(holds, &settings.left, false);
        let both = text::has_template(holds, &settings.left, true);
        return judge_text(row, Ok(format!("{plain} {both}")));
    }
    let input = match row.text("yaml") {
        Some(text) => Input::Yaml(text),
        None => Input::Value(row.get("value")),
    };
    let (found, _) = text::resolve(input, &settings, &*CLUSTER);
    match (found, row.text("fails")) {
        (Err(error), Some(part)) => has_part("fails", &error.to_string(), part),
        (Err(error), None) => Err(format!("fails with {error}")),
        (Ok(found), Some(_)) => Err(format!("does not fail, but gives {}", found.value)),
        (Ok(found), None) => {
            if row.has("becomes") {
                same("becomes", &found.value, row.get("becomes"))?;
            }
            if let Some(text) = row.text("text") {
                same("text", &Value::from(found.text.as_str()), &Value::from(text))?;
            }
            if row.has("sensitive") {
                same("sensitive", &Value::from(found.sensitive), row.get("sensitive"))?;
            }
            if row.has("skipped") {
                same("skipped", &Value::from(found.skipped), row.get("skipped"))?;
            }
            Ok(())
        }
    }
}

#[test]
fn templates_behave_as_gos() {
    hold("1.1-language.yaml", INPUTS, OUTCOMES, judge);
}

#[test]
fn texts_are_rewritten_and_read() {
    hold("1.2-resolution.yaml", INPUTS, OUTCOMES, judge);
}

#[test]
fn functions_do_what_they_are_for() {
    hold("1.3-functions.yaml", INPUTS, OUTCOMES, judge);
}
