//! Base64, Base32 and hashes. A text that does not decode gives the decoder's complaint as its result, as Sprig does.
//!
//! In the hub phase a token in the place of a protected value is decoded and encoded behind the token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::super::engine::go::Parameter::Text;
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{ok_text, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("adler32sum", &[Text], |_, a| ok_text(adler32(text(a, 0)).to_string())),
    fixed("b32dec", &[Text], |_, a| ok_text(base32_decoded(text(a, 0)))),
    fixed("b32enc", &[Text], |_, a| ok_text(base32_encoded(text(a, 0).as_bytes()))),
    fixed("b64dec", &[Text], |session, a| behind(session, a, decoded)),
    fixed("b64enc", &[Text], |session, a| behind(session, a, encoded)),
    fixed("base64dec", &[Text], |session, a| behind(session, a, decoded)),
    fixed("base64enc", &[Text], |session, a| behind(session, a, encoded)),
    fixed("sha1sum", &[Text], |_, a| ok_text(hexadecimal(&Sha1::digest(text(a, 0).as_bytes())))),
    fixed("sha256sum", &[Text], |_, a| ok_text(hexadecimal(&Sha256::digest(text(a, 0).as_bytes())))),
    fixed("sha512sum", &[Text], |_, a| ok_text(hexadecimal(&Sha512::digest(text(a, 0).as_bytes())))),
];

fn behind(
    session: &mut Session<'_>,
    arguments: &[Value],
    change: fn(&str) -> String,
) -> Result<Value, String> {
    let text = text(arguments, 0);
    match session.behind(text) {
        Some(secret) => {
            let changed = change(secret.expose_secret());
            ok_text(session.wrap(&changed))
        }
        None => ok_text(change(text)),
    }
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

fn decoded(text: &str) -> String {
    match base64_decode(text) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(complaint) => complaint,
    }
}

/// Go's decoder: it passes over line ends, and complains in its own words.
pub(in super::super) fn base64_decode(text: &str) -> Result<Vec<u8>, String> {
    let compact: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    STANDARD.decode(&compact).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                compact.trim_end_matches('=').len()
            }
        };
        format!("illegal base64 data at input byte {at}")
    })
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32_encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut group = [0_u8; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let number = u64::from_be_bytes(group);
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = usize::try_from((number >> (35 - 5 * index)) & 31).unwrap_or(0);
            out.push(if index < digits { char::from(BASE32[digit]) } else { '=' });
        }
    }
    out
}

fn base32_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let (mut number, mut bits) = (0_u64, 0);
    for (index, byte) in text.trim_end_matches('=').bytes().enumerate() {
        let Some(digit) = BASE32.iter().position(|candidate| *candidate == byte) else {
            return format!("illegal base32 data at input byte {index}");
        };
        number = (number << 5 | u64::try_from(digit).unwrap_or(0)) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((number >> bits) & 0xff).unwrap_or(0));
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn adler32(text: &str) -> u32 {
    let (low, high) = text.bytes().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |number: u8| char::from_digit(u32::from(number), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
