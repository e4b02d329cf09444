//! Random values. They come from the seed of the rendering: the same seed gives the same values, and the edge gives a new
//! seed for every evaluation, so that they change each time, as in Open Cluster Management.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::rand_core::Rng;

use super::super::engine::go::Parameter::{Int, Text};
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{int, ok_text, size, text};

const DIGITS: &str = "0123456789";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS_AND_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("randAlpha", &[Int], |session, a| drawn(session, a, LETTERS)),
    fixed("randAlphaNum", &[Int], |session, a| drawn(session, a, LETTERS_AND_DIGITS)),
    fixed("randAscii", &[Int], |session, a| {
        let printable: String = (' '..='~').collect();
        drawn(session, a, &printable)
    }),
    fixed("randBytes", &[Int], |session, a| {
        let mut bytes = vec![0; length(session, a)?];
        session.chance().fill_bytes(&mut bytes);
        ok_text(STANDARD.encode(bytes))
    }),
    fixed("randInt", &[Int, Int], |session, a| {
        let (least, end) = (int(a, 0), int(a, 1));
        let range = end.checked_sub(least).and_then(|range| u64::try_from(range).ok()).unwrap_or(0);
        if range == 0 {
            return Err("invalid argument to Intn".to_owned());
        }
        let offset = below(session, range);
        Ok(Value::Int(least.saturating_add(i64::try_from(offset).unwrap_or(0))))
    }),
    fixed("randNumeric", &[Int], |session, a| drawn(session, a, DIGITS)),
    fixed("shuffle", &[Text], |session, a| {
        let mut characters: Vec<char> = text(a, 0).chars().collect();
        for last in (1..characters.len()).rev() {
            let chosen = usize::try_from(below(session, last as u64 + 1)).unwrap_or(0);
            characters.swap(last, chosen);
        }
        ok_text(characters.into_iter().collect::<String>())
    }),
    fixed("uuidv4", &[], |session, _| {
        let mut bytes = [0; 16];
        session.chance().fill_bytes(&mut bytes);
        ok_text(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }),
];

/// How many are asked for; as many are charged.
fn length(session: &mut Session<'_>, arguments: &[Value]) -> Result<usize, String> {
    let length = size(int(arguments, 0));
    session.charge(length)?;
    Ok(length)
}

/// A number below a bound, all of them as likely: what would favour some is drawn again.
fn below(session: &mut Session<'_>, bound: u64) -> u64 {
    let bound = bound.max(1);
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let number = session.chance().next_u64();
        if number < fair {
            return number % bound;
        }
    }
}

fn drawn(session: &mut Session<'_>, arguments: &[Value], from: &str) -> Result<Value, String> {
    let length = length(session, arguments)?;
    let mut out = String::with_capacity(length);
    for _ in 0..length {
        let index = usize::try_from(below(session, from.len() as u64)).unwrap_or(0);
        out.push(char::from(from.as_bytes().get(index).copied().unwrap_or(b'0')));
    }
    ok_text(out)
}
