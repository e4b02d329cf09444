//! Tokens in the place of values that a policy protects: made by the hub phase, replaced in the values of the cluster phase.
//!
//! Open Cluster Management encrypts such values on their way to the cluster. Here both phases run in one process, so the plain
//! text stays in memory and only the token is in the rendered policy.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::ProtectedValues;

/// What every token starts with.
pub(crate) const PREFIX: &str = "$flotilla_protected:";

/// The token of the n-th protected value of a rendering. All have one length, so that text can follow directly.
pub(super) fn token(number: usize) -> String {
    format!("{PREFIX}{number:06}")
}

#[expect(clippy::expect_used, reason = "a constant pattern, covered by the tests below")]
static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$flotilla_protected:[0-9]{6}").expect("a valid pattern"));

/// Replaces the tokens in all strings of a value; true when there was one.
pub(super) fn reveal(value: &mut Value, protected: &ProtectedValues) -> bool {
    if protected.0.is_empty() {
        return false;
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => {
            let mut found = false;
            if text.contains(PREFIX) {
                let revealed =
                    TOKEN.replace_all(text, |captures: &Captures<'_>| match protected.0.get(&captures[0]) {
                        Some(secret) => {
                            found = true;
                            secret.expose_secret().to_owned()
                        }
                        None => captures[0].to_owned(),
                    });
                *text = revealed.into_owned();
            }
            found
        }
        Value::Array(items) => items.iter_mut().fold(false, |found, item| reveal(item, protected) | found),
        Value::Object(fields) => {
            fields.values_mut().fold(false, |found, field| reveal(field, protected) | found)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::SecretString;
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_replaced_wherever_a_string_holds_them() {
        let mut protected = ProtectedValues::default();
        protected.0.insert(token(1), Arc::new(SecretString::from("one")));
        protected.0.insert(token(12), Arc::new(SecretString::from("twelve\nlines")));
        let mut value = json!({"a": [format!("<{}{}>", token(1), token(12))], "b": token(7), "c": 1,
            "d": format!("{}2", token(1))});
        assert!(reveal(&mut value, &protected));
        assert_eq!(value, json!({"a": ["<onetwelve\nlines>"], "b": token(7), "c": 1, "d": "one2"}));
        assert!(!reveal(&mut json!({"b": token(7)}), &protected));
    }
}
