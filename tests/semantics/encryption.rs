//! Section 1.5: values that are encrypted on the hub and decrypted on the cluster.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flotilla::pipeline::render::encryption::{self, Encryption, EncryptionKeys};
use secrecy::SecretSlice;
use serde_json::Value;

use crate::rows::{Row, has_part, hold, same};

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// The keys that a row names: a text in Base64, or `32xA`.
fn key(text: &str) -> SecretSlice<u8> {
    let repeated = text.split_once('x').and_then(|(count, unit)| Some(unit.repeat(count.parse().ok()?)));
    SecretSlice::from(repeated.map_or_else(|| bytes(text), String::into_bytes))
}

/// The keys of a row.
pub(crate) fn keys(said: &Value) -> EncryptionKeys {
    EncryptionKeys {
        key: key(said["key"].as_str().unwrap_or("32xA")),
        previous: said["previousKey"].as_str().map(key),
    }
}

/// Keys and vector of a row; the vector is sixteen times `I` where it says nothing else.
pub(crate) fn of(said: &Value) -> Encryption {
    let vector = said["vector"].as_str().map_or(*b"IIIIIIIIIIIIIIII", |text| {
        encryption::vector(text).unwrap_or_else(|error| panic!("{error}"))
    });
    Encryption { keys: keys(said), vector }
}

fn judge(row: &Row) -> Result<(), String> {
    if let Some(text) = row.text("uses") {
        let (left, right) = row.text("delimiters").unwrap_or("{{hub hub}}").split_once(' ').unwrap();
        return same("used", &Value::from(encryption::is_used(text, left, right)), row.get("used"));
    }
    if let Some(vector) = row.text("annotation") {
        let found = encryption::vector(vector).map_err(|error| error.report());
        return match (found, row.text("fails")) {
            (Err(error), Some(part)) => has_part("fails", &error, part),
            (Ok(vector), None) => {
                same("vector", &Value::from(String::from_utf8_lossy(&vector)), row.get("gives"))
            }
            (found, _) => Err(format!("found {found:?}")),
        };
    }
    let with = of(row.get("with"));
    if let Err(error) = with.keys.check() {
        return has_part("fails", &error.report(), row.text("fails").unwrap_or("no fault of the key"));
    }
    let found = match (row.text("encrypt"), row.text("decrypt")) {
        (Some(plain), None) => with.encrypt(plain),
        (None, Some(encrypted)) => with.decrypt(encrypted.trim_start_matches("$ocm_encrypted:")),
        _ => return Err("says neither what to encrypt nor what to decrypt".to_owned()),
    };
    match (found, row.text("gives"), row.text("fails")) {
        (Ok(found), Some(expected), None) => same("gives", &Value::from(found), &Value::from(expected)),
        (Err(error), None, Some(part)) => has_part("fails", &error.report(), part),
        (found, _, _) => Err(format!("found {found:?}")),
    }
}

#[test]
fn values_are_encrypted_as_the_field_does() {
    let inputs = ["uses", "delimiters", "annotation", "with", "encrypt", "decrypt"];
    hold("1.5-encryption.yaml", &inputs, &["gives", "fails", "used"], judge);
}
