//! Number literals as Go's template parser understands them: bases, separating underscores, hexadecimal fractions.

use super::ast::Constant;
use super::format;

/// A number, or why it is none, in Go's words.
pub(super) fn number(text: &str) -> Result<Constant, String> {
    let illegal = || format!("illegal number syntax: {}", format::quote(text));
    if !separates_digits(text) {
        return Err(illegal());
    }
    let plain = text.replace('_', "");
    if let Some(value) = format::parse_int(&plain) {
        return Ok(Constant::Int(value));
    }
    if fits_unsigned(&plain) {
        // Go finds out when it carries the template out.
        return Ok(Constant::Overflow);
    }
    let is_hexadecimal = plain.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    let value = if is_hexadecimal {
        hexadecimal_float(&plain)
    } else {
        plain.parse().ok().filter(|value: &f64| value.is_finite())
    };
    match value {
        Some(_) if !text.contains(['.', 'e', 'E', 'p', 'P']) => {
            Err(format!("integer overflow: {}", format::quote(text)))
        }
        Some(value) => Ok(Constant::Float(value)),
        None => Err(illegal()),
    }
}

/// Underscores may stand between digits and after the mark of a base, and only in numbers with such a mark or in decimals.
fn separates_digits(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let digits = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let rest = ["0x", "0o", "0b"].iter().find_map(|mark| digits.strip_prefix(mark));
    // After the mark of a base an underscore may come first.
    let (mut before, rest) = (rest.is_some(), rest.unwrap_or(&digits));
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '_' && !(before && characters.peek().is_some_and(char::is_ascii_hexdigit)) {
            return false;
        }
        before = character.is_ascii_hexdigit();
    }
    true
}

fn fits_unsigned(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let marked = |mark: &str, base: u32| {
        lower.strip_prefix(mark).is_some_and(|digits| u64::from_str_radix(digits, base).is_ok())
    };
    let decimal = !lower.starts_with(['+', '0']) && lower.parse::<u64>().is_ok();
    decimal || marked("0x", 16) || marked("0o", 8) || marked("0b", 2)
}

/// `0x1.8p3`.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let (negative, digits) = match lower.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, lower.strip_prefix('+').unwrap_or(&lower)),
    };
    let (mantissa, exponent) = digits.strip_prefix("0x")?.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value.mul_add(16.0, f64::from(digit.to_digit(16)?));
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let value = value * 2.0_f64.powi(exponent.checked_sub(shift)?);
    (value.is_finite() && !(whole.is_empty() && fraction.is_empty())).then_some(if negative {
        -value
    } else {
        value
    })
}
