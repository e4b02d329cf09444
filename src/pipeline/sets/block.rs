//! A value as a block of YAML inside a template, in the style of the committed policies: lists stand two columns deeper than
//! their key.

use serde_json::Value;

use crate::yaml::{self, YamlError};

/// What follows the colon of a key: a scalar on the same line, or lines of their own that begin at column `indent`.
pub(super) fn after_key(value: &Value, indent: usize) -> Result<String, YamlError> {
    match value {
        Value::Object(fields) if !fields.is_empty() => Ok(format!("\n{}", lines(value, indent)?)),
        Value::Array(entries) if !entries.is_empty() => Ok(format!("\n{}", lines(value, indent)?)),
        Value::Object(_) => Ok(" {}".to_owned()),
        Value::Array(_) => Ok(" []".to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Ok(format!(" {}", scalar(value)?))
        }
    }
}

fn lines(value: &Value, indent: usize) -> Result<String, YamlError> {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(fields) => {
            let written: Result<Vec<String>, YamlError> = fields
                .iter()
                .map(|(key, value)| {
                    let key = scalar(&Value::String(key.clone()))?;
                    Ok(format!("{margin}{key}:{}", after_key(value, indent + 2)?))
                })
                .collect();
            Ok(written?.join("\n"))
        }
        Value::Array(entries) => {
            let written: Result<Vec<String>, YamlError> = entries
                .iter()
                .map(|entry| {
                    let inner = lines(entry, indent + 2)?;
                    Ok(format!("{margin}- {}", inner.trim_start()))
                })
                .collect();
            Ok(written?.join("\n"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => scalar(value),
    }
}

/// One line, quoted where it must be.
fn scalar(value: &Value) -> Result<String, YamlError> {
    match value {
        // A text is no template: what looks like one is written so that the policy does not take it for one.
        Value::String(text) if text.contains("{{") || text.contains("}}") => {
            Ok(value.to_string().replace('{', "\\u007b").replace('}', "\\u007d"))
        }
        Value::String(text) if text.contains('\n') => Ok(value.to_string()),
        _ => Ok(yaml::write(value)?.trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::Dialect;

    #[test]
    fn lists_stand_deeper_than_their_key() {
        let value = json!({"matchExpressions": [{"key": "env", "operator": "In", "values": ["prod", "yes"]}],
            "matchLabels": {"a": "true", "b": "x y"}});
        let text = format!("selector:{}\n", after_key(&value, 2).unwrap());
        assert_eq!(
            text.lines().take(5).collect::<Vec<_>>(),
            ["selector:", "  matchExpressions:", "    - key: env", "      operator: In", "      values:"]
        );
        let read = yaml::read(&text, Dialect::Kubernetes).unwrap();
        assert_eq!(read["selector"], value, "{text}");
    }

    #[test]
    fn what_is_short_stays_on_the_line() {
        for (value, expected) in [
            (json!({}), " {}"),
            (json!([]), " []"),
            (json!("prod"), " prod"),
            (json!(3), " 3"),
            (json!("a\nb"), " \"a\\nb\""),
            (json!("{{ x }}"), r#" "\u007b\u007b x \u007d\u007d""#),
        ] {
            assert_eq!(after_key(&value, 2).unwrap(), expected);
        }
    }
}
