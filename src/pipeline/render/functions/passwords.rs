//! Sprig's functions of passwords and of encryption with a password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::rand_core::Rng;
use sha2::Sha256;

use super::super::encryption::{decrypt_bytes, encrypt_bytes};
use super::super::engine::go::Parameter::{Int, Text};
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{base64_decode, int, ok_text, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("bcrypt", &[Text], |session, a| hashed(session, text(a, 0)).and_then(ok_text)),
    fixed("decryptAES", &[Text, Text], decrypt),
    fixed("derivePassword", &[Int, Text, Text, Text, Text], derive),
    fixed("encryptAES", &[Text, Text], encrypt),
    fixed("htpasswd", &[Text, Text], |session, a| {
        let user = text(a, 0);
        if user.contains(':') {
            return ok_text(format!("invalid username: {user}"));
        }
        let hash = hashed(session, text(a, 1))?;
        ok_text(format!("{user}:{hash}"))
    }),
];

/// What hashing one password costs of a rendering's means, in bytes.
const HASH_COST: usize = 4 << 20;
/// What deriving one costs: it takes 32 MiB of memory for a moment.
const DERIVE_COST: usize = 8 << 20;
/// Go's `bcrypt.DefaultCost`.
const ROUNDS: u32 = 10;

fn hashed(session: &mut Session<'_>, password: &str) -> Result<String, String> {
    session.charge(HASH_COST)?;
    if password.len() > 72 {
        return Ok("failed to encrypt string with bcrypt".to_owned());
    }
    let mut salt = [0; 16];
    session.chance().fill_bytes(&mut salt);
    bcrypt::hash_with_salt(password, ROUNDS, salt)
        .map(|parts| parts.format_for_version(bcrypt::Version::TwoA))
        .map_err(|_| "failed to encrypt string with bcrypt".to_owned())
}

/// The first 32 bytes of a password, filled up with zeros.
fn aes_key(password: &str) -> [u8; 32] {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(password.bytes()) {
        *slot = byte;
    }
    key
}

fn encrypt(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let (password, plain) = (text(arguments, 0), text(arguments, 1));
    if plain.is_empty() {
        return ok_text("");
    }
    let mut vector = [0; 16];
    session.chance().fill_bytes(&mut vector);
    let encrypted =
        encrypt_bytes(&aes_key(password), &vector, plain.as_bytes()).map_err(|error| error.to_string())?;
    ok_text(STANDARD.encode([vector.as_slice(), &encrypted].concat()))
}

fn decrypt(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let (password, encoded) = (text(arguments, 0), text(arguments, 1));
    if encoded.is_empty() {
        return ok_text("");
    }
    let bytes = base64_decode(encoded)?;
    let Some((vector, encrypted)) = bytes.split_first_chunk::<16>() else {
        return Err("the encrypted text is too short".to_owned());
    };
    let plain = decrypt_bytes(&aes_key(password), vector, encrypted).map_err(|error| error.to_string())?;
    ok_text(String::from_utf8_lossy(&plain))
}

/// The scheme of "Master Password": what marks it, and what its passwords are put together from.
const SCHEME: &[u8] = b"com.lyndir.masterpassword";

/// Shapes of passwords by kind.
fn shapes(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

/// Characters by the letter that stands for them in a shape.
fn characters(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derive(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let word = |index: usize| text(arguments, index);
    let (kind, password, user, site) = (word(1), word(2), word(3), word(4));
    let counter = u32::try_from(int(arguments, 0)).unwrap_or(0);
    let Some(shapes) = shapes(kind) else {
        return ok_text(format!("cannot find password template {kind}"));
    };
    session.charge(DERIVE_COST)?;
    let failed = || "failed to derive password".to_owned();
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SCHEME, &length(user), user.as_bytes()].concat();
    let parameters = scrypt::Params::new(15, 8, 2).map_err(|_| failed())?;
    let mut key = [0; 64];
    scrypt::scrypt(password.as_bytes(), &salt, &parameters, &mut key).map_err(|_| failed())?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| failed())?;
    mac.update(&[SCHEME, &length(site), site.as_bytes(), &counter.to_be_bytes()].concat());
    let seed = mac.finalize().into_bytes();
    let shape = shapes[usize::from(seed[0]) % shapes.len()];
    let password: String = shape
        .bytes()
        .zip(seed.iter().skip(1))
        .map(|(letter, number)| {
            let from = characters(letter);
            char::from(from[usize::from(*number) % from.len()])
        })
        .collect();
    ok_text(password)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Snapshot, render_text};

    #[test]
    fn passwords_are_derived_as_elsewhere() {
        for (kind, expected) in [
            ("long", "ZedaFaxcZaso9*"),
            ("maximum", "pf4zS1LjCg&LjhsZ7T2~"),
            ("medium", "ZedJuz8$"),
            ("basic", "pIS54PLs"),
            ("short", "Zed5"),
            ("pin", "6685"),
        ] {
            let template = format!(r#"{{{{ derivePassword 1 "{kind}" "password" "user" "example.com" }}}}"#);
            assert_eq!(render_text(&template, &Snapshot::default()).as_deref(), Ok(expected), "{kind}");
        }
    }
}
