//! Values encrypted as Open Cluster Management does: AES in CBC mode with PKCS #7 padding, behind `$ocm_encrypted:`.
//!
//! Keys and the initialization vector come as values. Must not touch: randomness, clients.
//! Source: go-template-utils and the propagator of Open Cluster Management. Nothing tells whether a value was decrypted with
//! the right key but its padding; so a value must also be text, and both keys are tried.

use std::sync::LazyLock;

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use secrecy::{ExposeSecret, SecretSlice};
use thiserror::Error;

/// What every encrypted value starts with.
pub const PREFIX: &str = "$ocm_encrypted:";
/// The annotation that carries the initialization vector, on the replicated policy and on what is encrypted in it.
pub const VECTOR_ANNOTATION: &str = "policy.open-cluster-management.io/encryption-iv";
/// The Secret in the cluster's namespace that holds the keys.
pub const KEY_SECRET: &str = "policy-encryption-key";

const BLOCK: usize = 16;

#[expect(clippy::expect_used, reason = "a constant pattern, covered by the tests below")]
static ENCRYPTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$ocm_encrypted:([a-zA-Z0-9+/=]+)").expect("a valid pattern"));

/// The keys of one cluster.
#[derive(Clone)]
pub struct EncryptionKeys {
    /// Key of 16, 24 or 32 bytes: 32 where Open Cluster Management made it.
    pub key: SecretSlice<u8>,
    /// The key before the last rotation.
    pub previous: Option<SecretSlice<u8>>,
}

impl std::fmt::Debug for EncryptionKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "EncryptionKeys({} bits)", self.key.expose_secret().len() * 8)
    }
}

/// The keys of one cluster with the initialization vector of one replicated policy.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// The keys.
    pub keys: EncryptionKeys,
    /// The vector: random, not secret, kept over updates of the policy.
    pub vector: [u8; BLOCK],
}

/// Why a value cannot be encrypted or decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncryptionError {
    /// A key has none of the lengths that AES knows.
    #[error("the AES key is invalid: crypto/aes: invalid key size {0}")]
    InvalidKey(usize),
    /// What stands in for the vector is none.
    #[error("initialization vector must be 128 bits")]
    InvalidVector,
    /// The vector is not even Base64.
    #[error("the policy annotation of \"{VECTOR_ANNOTATION}\" is not Base64: {0}")]
    VectorNotBase64(String),
    /// The encrypted value is not Base64.
    #[error("{value}: the encrypted string is invalid base64: {reason}")]
    InvalidBase64 {
        /// The value as it stands.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What came out does not end as what is encrypted here does: a wrong key, a wrong vector or no such value.
    #[error("invalid PCKS7 padding: {0}")]
    Padding(&'static str),
    /// What came out is no text: most likely a wrong key.
    #[error("the decrypted value is not text; it was probably encrypted with another key")]
    NotText,
}

impl EncryptionError {
    /// What is reported of it, in Open Cluster Management's words.
    pub fn report(&self) -> String {
        match self {
            Self::InvalidKey(_) => {
                format!("The \"{KEY_SECRET}\" Secret contains an invalid AES key")
            }
            Self::InvalidVector => {
                format!("The \"{VECTOR_ANNOTATION}\" annotation value is not a valid initialization vector")
            }
            other => other.to_string(),
        }
    }
}

impl EncryptionKeys {
    /// Checks the lengths of the keys.
    pub fn check(&self) -> Result<(), EncryptionError> {
        let previous = self.previous.iter().map(ExposeSecret::expose_secret);
        for key in std::iter::once(self.key.expose_secret()).chain(previous) {
            if !matches!(key.len(), 16 | 24 | 32) {
                return Err(EncryptionError::InvalidKey(key.len()));
            }
        }
        Ok(())
    }
}

impl Encryption {
    /// A value as `protect` leaves it. The empty text needs no protection.
    pub fn encrypt(&self, plain: &str) -> Result<String, EncryptionError> {
        if plain.is_empty() {
            return Ok(String::new());
        }
        let bytes = encrypt_bytes(self.keys.key.expose_secret(), &self.vector, plain.as_bytes())?;
        Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// The value behind the Base64 part of an encrypted one.
    pub fn decrypt(&self, encoded: &str) -> Result<String, EncryptionError> {
        let bytes = super::functions::base64_decode(encoded)
            .map_err(|reason| EncryptionError::InvalidBase64 { value: encoded.to_owned(), reason })?;
        let with = |key: &SecretSlice<u8>| {
            let plain = decrypt_bytes(key.expose_secret(), &self.vector, &bytes)?;
            String::from_utf8(plain).map_err(|_| EncryptionError::NotText)
        };
        let first = with(&self.keys.key);
        match (&first, &self.keys.previous) {
            (Err(_), Some(previous)) => with(previous),
            _ => first,
        }
    }

    /// Replaces every encrypted value in a text; line ends become `\n`, two characters. `found` gets the plain values.
    pub(super) fn decrypt_all(&self, text: &str, found: &mut Vec<String>) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for captures in ENCRYPTED.captures_iter(text) {
            let (Some(whole), Some(encoded)) = (captures.get(0), captures.get(1)) else { continue };
            let plain = self.decrypt(encoded.as_str()).map_err(|error| match error {
                EncryptionError::InvalidKey(_) | EncryptionError::InvalidVector => error.report(),
                other => format!("decryption of {} failed: {other}", whole.as_str()),
            })?;
            out.push_str(&text[end..whole.start()]);
            out.push_str(&plain.replace('\n', "\\n"));
            found.push(plain);
            end = whole.end();
        }
        out.push_str(&text[end..]);
        Ok(out)
    }
}

/// The initialization vector of an annotation's value.
pub fn vector(annotation: &str) -> Result<[u8; BLOCK], EncryptionError> {
    let bytes = super::functions::base64_decode(annotation).map_err(EncryptionError::VectorNotBase64)?;
    bytes.try_into().map_err(|_| EncryptionError::InvalidVector)
}

/// An initialization vector as the annotation carries it.
pub fn annotation(vector: &[u8; BLOCK]) -> String {
    STANDARD.encode(vector)
}

/// Whether the hub templates of a text leave encrypted values, as Open Cluster Management decides it.
pub fn is_used(text: &str, left: &str, right: &str) -> bool {
    static HUB: LazyLock<Option<Regex>> = LazyLock::new(|| pattern("{{hub", "hub}}"));
    let found = |pattern: &Regex| pattern.is_match(text);
    if (left, right) == ("{{hub", "hub}}") {
        HUB.as_ref().is_some_and(found)
    } else {
        pattern(left, right).as_ref().is_some_and(found)
    }
}

fn pattern(left: &str, right: &str) -> Option<Regex> {
    let (left, right) = (regex::escape(left), regex::escape(right));
    let inner = r"\s*fromSecret\s+.*|\s*copySecretData\s+.*|.*\|\s*protect\s*";
    Regex::new(&format!("{left}-?({inner})-?{right}")).ok()
}

/// AES-CBC with PKCS #7 padding.
pub(super) fn encrypt_bytes(
    key: &[u8],
    vector: &[u8; BLOCK],
    plain: &[u8],
) -> Result<Vec<u8>, EncryptionError> {
    let missing = BLOCK - plain.len() % BLOCK;
    let mut padded = plain.to_vec();
    padded.resize(plain.len() + missing, u8::try_from(missing).unwrap_or(0));
    let invalid = || EncryptionError::InvalidKey(key.len());
    Ok(match key.len() {
        16 => cbc::Encryptor::<Aes128>::new_from_slices(key, vector)
            .map_err(|_| invalid())?
            .encrypt_padded_vec::<NoPadding>(&padded),
        24 => cbc::Encryptor::<Aes192>::new_from_slices(key, vector)
            .map_err(|_| invalid())?
            .encrypt_padded_vec::<NoPadding>(&padded),
        32 => cbc::Encryptor::<Aes256>::new_from_slices(key, vector)
            .map_err(|_| invalid())?
            .encrypt_padded_vec::<NoPadding>(&padded),
        _ => return Err(invalid()),
    })
}

/// The opposite of [`encrypt_bytes`].
pub(super) fn decrypt_bytes(
    key: &[u8],
    vector: &[u8; BLOCK],
    encrypted: &[u8],
) -> Result<Vec<u8>, EncryptionError> {
    let uneven = |_| EncryptionError::Padding("the length is no multiple of a block");
    if encrypted.is_empty() {
        return Err(EncryptionError::Padding("the padding length is invalid"));
    }
    let invalid = || EncryptionError::InvalidKey(key.len());
    let mut plain = match key.len() {
        16 => cbc::Decryptor::<Aes128>::new_from_slices(key, vector)
            .map_err(|_| invalid())?
            .decrypt_padded_vec::<NoPadding>(encrypted)
            .map_err(uneven)?,
        24 => cbc::Decryptor::<Aes192>::new_from_slices(key, vector)
            .map_err(|_| invalid())?
            .decrypt_padded_vec::<NoPadding>(encrypted)
            .map_err(uneven)?,
        32 => cbc::Decryptor::<Aes256>::new_from_slices(key, vector)
            .map_err(|_| invalid())?
            .decrypt_padded_vec::<NoPadding>(encrypted)
            .map_err(uneven)?,
        _ => return Err(invalid()),
    };
    let last = plain.last().copied().unwrap_or_default();
    let length = usize::from(last);
    if length == 0 || length > plain.len() {
        return Err(EncryptionError::Padding("the padding length is invalid"));
    }
    let kept = plain.len() - length;
    if plain[kept..].iter().any(|byte| *byte != last) {
        return Err(EncryptionError::Padding("not all the padding bytes match"));
    }
    plain.truncate(kept);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(key: &[u8], previous: Option<&[u8]>) -> Encryption {
        let secret = |bytes: &[u8]| SecretSlice::from(bytes.to_vec());
        let keys = EncryptionKeys { key: secret(key), previous: previous.map(secret) };
        Encryption { keys, vector: *b"IIIIIIIIIIIIIIII" }
    }

    #[test]
    fn the_known_vector_comes_out() {
        let encrypted = "$ocm_encrypted:Eud/p3S7TvuP03S9fuNV+w==";
        let with = encryption(&[b'A'; 32], None);
        assert_eq!(with.encrypt("Raleigh").as_deref(), Ok(encrypted));
        assert_eq!(with.encrypt("").as_deref(), Ok(""));
        assert_eq!(with.decrypt("Eud/p3S7TvuP03S9fuNV+w==").as_deref(), Ok("Raleigh"));
        assert_eq!(
            encryption(&[b'B'; 32], Some(&[b'A'; 32])).decrypt("Eud/p3S7TvuP03S9fuNV+w==").as_deref(),
            Ok("Raleigh")
        );
        assert!(encryption(&[b'B'; 32], None).decrypt("Eud/p3S7TvuP03S9fuNV+w==").is_err());
    }

    #[test]
    fn a_key_that_fits_by_chance_gives_way_to_the_previous_one() {
        // With about one key in 256 the padding looks right; what comes out is no text then.
        let old = encryption(&[b'A'; 32], None);
        let encrypted = old.encrypt("a secret of some length").unwrap();
        let encoded = encrypted.strip_prefix(PREFIX).unwrap();
        for byte in 0..=255_u8 {
            let both = encryption(&[byte; 32], Some(&[b'A'; 32]));
            assert_eq!(both.decrypt(encoded).as_deref(), Ok("a secret of some length"), "{byte}");
        }
    }

    #[test]
    fn what_is_no_encrypted_value_is_an_error() {
        let with = encryption(&[b'A'; 32], None);
        for (encoded, expected) in [
            ("==========", "the encrypted string is invalid base64"),
            ("mXIueuA3HvfBeobZZ0LdzA==", "invalid PCKS7 padding"),
            ("/X3LA2SczM7eqOLhZKAZXg==", "invalid PCKS7 padding"),
            ("YWJj", "no multiple of a block"),
        ] {
            let error = with.decrypt(encoded).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(encryption(b"short", None).encrypt("x"), Err(EncryptionError::InvalidKey(5)));
        assert!(encryption(b"short", None).keys.check().is_err());
        assert_eq!(vector("AAAA"), Err(EncryptionError::InvalidVector));
        assert!(matches!(vector("?"), Err(EncryptionError::VectorNotBase64(_))));
        let some = [7; 16];
        assert_eq!(vector(&annotation(&some)), Ok(some));
    }

    #[test]
    fn keys_of_all_lengths_and_texts_of_all_lengths_come_back() {
        for key in [16, 24, 32] {
            for length in [1, 15, 16, 17, 100] {
                let with = encryption(&vec![9; key], None);
                let plain = "x".repeat(length);
                let encrypted = with.encrypt(&plain).unwrap();
                assert_eq!(with.decrypt(encrypted.strip_prefix(PREFIX).unwrap()), Ok(plain));
            }
        }
    }
}
