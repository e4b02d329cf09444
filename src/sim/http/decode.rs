//! Bodies of requests: read, or refused with the words of the API server's decoders.

use std::collections::BTreeSet;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::super::kinds::{Kind, Kinds, Origin};
use super::super::status::{ApiError, Cause, Subject};
use super::super::store::go_type;
use super::protobuf;
use super::request::{Call, Target};
use crate::api::object::GroupVersionKind;
use crate::yaml::{self, Dialect};

/// Media types of bodies that every kind reads.
const MEDIA_TYPES: &[&str] = &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
/// As much of a body as a refusal shows.
const SHOWN: usize = 30;

impl Call {
    /// The body of a write, which is an object.
    pub(super) fn body_object(&self, kind: &Kind) -> Result<Value, ApiError> {
        let fault = |problem: &str| {
            let shown = summary(&self.body);
            ApiError::BadRequest(format!(
                "the object provided is unrecognized (must be of type {}): {problem} ({shown})",
                kind.kind
            ))
        };
        let value = match self.media_type() {
            "application/vnd.kubernetes.protobuf" => {
                return protobuf::read(&self.body)
                    .ok_or_else(|| ApiError::UnsupportedMediaType(MEDIA_TYPES.to_vec()));
            }
            "application/yaml" => read_yaml(&self.body).map_err(|problem| fault(&problem))?,
            "" | "application/json" => serde_json::from_slice(&self.body).map_err(|error| {
                let problem = json_problem(&self.body, &error);
                fault(&format!("couldn't get version/kind; json parse error: {problem}"))
            })?,
            _ => return Err(ApiError::UnsupportedMediaType(MEDIA_TYPES.to_vec())),
        };
        if !value.is_object() {
            return Err(fault(&format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct \
                 {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
                go_type(&value)
            )));
        }
        if kind.origin == Origin::Custom && value["kind"].as_str().is_none_or(str::is_empty) {
            let text = String::from_utf8_lossy(&self.body);
            return Err(fault(&format!("Object 'Kind' is missing in '{text}'")));
        }
        Ok(value)
    }

    /// The body of a patch.
    pub(super) fn body_patch(&self, prefix: &str) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::BadRequest(format!("{prefix}{}", json_problem(&self.body, &error))))
    }

    /// The body of a server-side apply, JSON or YAML.
    pub(super) fn body_apply(&self) -> Result<Value, ApiError> {
        read_yaml(&self.body).map_err(|problem| {
            ApiError::BadRequest(format!("error decoding YAML: error converting YAML to JSON: {problem}"))
        })
    }

    /// The body of a deletion, nothing by default.
    pub(super) fn body_options(&self) -> Result<Value, ApiError> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body).or_else(|error| {
            protobuf::read(&self.body).ok_or_else(|| {
                let problem = json_problem(&self.body, &error);
                ApiError::BadRequest(format!("couldn't get version/kind; json parse error: {problem}"))
            })
        })
    }
}

fn read_yaml(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    yaml::read(text, Dialect::Kubernetes).map_err(|error| error.to_string())
}

/// What Go's decoder says about a text that is no JSON.
pub(super) fn json_problem(text: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = line.get(error.column().saturating_sub(1)).or(line.first()).copied().unwrap_or_default();
    let shown = if found.is_ascii() { char::from(found).to_string() } else { format!("\\u{found:04x}") };
    format!("invalid character '{shown}' looking for beginning of value")
}

fn summary(body: &[u8]) -> String {
    let (part, more) = match body.get(..SHOWN) {
        Some(part) if body.len() > SHOWN => (part, " ..."),
        _ => (body, ""),
    };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(part)),
        Some(_) => {
            let digits: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}{more}", digits.concat())
        }
    }
}

/// Refuses an object of another type than the path's.
pub(super) fn check_type(kinds: &Kinds, target: &Target, object: &Value) -> Result<(), ApiError> {
    let kind = &target.kind;
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, name) = (text("apiVersion"), text("kind"));
    let same =
        |found: &str, wanted: &str| found == wanted || (found.is_empty() && kind.origin != Origin::Custom);
    if !object.is_object() || (same(api_version, &kind.api_version()) && same(name, &kind.kind)) {
        return Ok(());
    }
    if kind.origin == Origin::Custom {
        return Err(if api_version == kind.api_version() {
            let object_name = object["metadata"]["name"].as_str().unwrap_or_default();
            let cause = Cause::invalid("kind", &Value::from(name), &format!("must be {}", kind.kind));
            let subject = Subject::of(&kind.group, &kind.plural, name, object_name);
            ApiError::Invalid { subject, causes: vec![cause] }
        } else {
            ApiError::BadRequest(format!(
                "the API version in the data ({api_version}) does not match the expected API version ({})",
                kind.api_version()
            ))
        });
    }
    let own = kind.api_version();
    let found = GroupVersionKind::new(
        if api_version.is_empty() { &own } else { api_version },
        if name.is_empty() { &kind.kind } else { name },
    );
    let problem = match kinds.of(&found) {
        Some(other) if other.origin != Origin::Custom && other.version == found.version => format!(
            "converting ({}.{}) to ({}.{}): unknown conversion",
            other.version,
            other.kind,
            if kind.group.is_empty() { "core" } else { kind.group.split('.').next().unwrap_or_default() },
            kind.kind
        ),
        _ => not_registered(&found),
    };
    Err(ApiError::BadRequest(format!(
        "{} in version {:?} cannot be handled as a {}: {problem}",
        found.kind, found.version, kind.kind
    )))
}

/// What the decoder says about a kind that it does not know.
pub(super) fn not_registered(found: &GroupVersionKind) -> String {
    let version = if found.group.is_empty() {
        found.version.clone()
    } else {
        format!("{}/{}", found.group, found.version)
    };
    format!(
        "no kind {:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\"",
        found.kind
    )
}

/// The paths of fields that a JSON text names twice.
pub(super) fn duplicates(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let seed = Twice { path: String::new(), found: &mut found };
    // A text that is no JSON has been refused already, or is YAML, which names nothing twice.
    let _ = seed.deserialize(&mut serde_json::Deserializer::from_slice(text));
    found
}

struct Twice<'a> {
    path: String,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Twice<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Twice<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if !seen.insert(key) {
                self.found.push(path.clone());
            }
            map.next_value_seed(Twice { path, found: self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while list
            .next_element_seed(Twice { path: format!("{}[{index}]", self.path), found: self.found })?
            .is_some()
        {
            index += 1;
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_named_twice_are_found() {
        let text = br#"{"a": 1, "b": {"c": [{"d": 1, "d": 2}]}, "a": null}"#;
        assert_eq!(duplicates(text), ["b.c[0].d", "a"]);
        assert!(duplicates(b"{").is_empty());
    }
}
