//! Kubernetes quantities as amounts that can be ordered and added: `500m`, `1.5Gi`, `3e2`.
//!
//! Amounts are counted in billionths, the finest that Kubernetes itself keeps; what is finer is rounded away from zero.

/// Billionths of one.
pub(super) const ONE: i128 = 1_000_000_000;

/// Reads a quantity as billionths; `None` for any other text and for amounts beyond all reason.
pub(super) fn parse(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end =
        unsigned.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let (tens, twos) = scale(suffix)?;
    let digits = format!("{whole}{fraction}");
    let mut amount: i128 = if digits.bytes().all(|digit| digit == b'0') { 0 } else { digits.parse().ok()? };
    amount = amount.checked_mul(1_i128.checked_shl(twos)?)?;
    // The digits behind the point, and the nine that make billionths.
    let tens = tens.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let power = 10_i128.checked_pow(tens.unsigned_abs());
    amount = match (tens >= 0, power) {
        _ if amount == 0 => 0,
        (true, Some(power)) => amount.checked_mul(power)?,
        (true, None) => return None,
        (false, Some(power)) => amount.checked_add(power - 1)? / power,
        (false, None) => 1,
    };
    Some(if negative { -amount } else { amount })
}

/// Powers of ten and of two that a suffix stands for.
fn scale(suffix: &str) -> Option<(i32, u32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 10),
        "Mi" => (0, 20),
        "Gi" => (0, 30),
        "Ti" => (0, 40),
        "Pi" => (0, 50),
        "Ei" => (0, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            (exponent.parse().ok()?, 0)
        }
    })
}

/// The amount as Kubernetes approximates it.
#[expect(clippy::cast_precision_loss, reason = "an approximation is asked for")]
pub(super) fn approximately(amount: i128) -> f64 {
    amount as f64 / ONE as f64
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", Some(0))]
    #[case("1", Some(ONE))]
    #[case("500m", Some(ONE / 2))]
    #[case("1.5Gi", Some(ONE * 3 * 512 * 1024 * 1024))]
    #[case("-2k", Some(-2000 * ONE))]
    #[case("+.5", Some(ONE / 2))]
    #[case("3e2", Some(300 * ONE))]
    #[case("1E", Some(1_000_000_000_000_000_000 * ONE))]
    #[case("1E-3", Some(ONE / 1000))]
    #[case("1n", Some(1))]
    #[case("0.0000000001", Some(1))]
    #[case("000000000000000000000000000000000000000000000000", Some(0))]
    #[case("", None)]
    #[case(".", None)]
    #[case("1.2.3", None)]
    #[case("1gi", None)]
    #[case("1e", None)]
    #[case("1e99999999999", None)]
    #[case("1e2000000000", None)]
    #[case("99999999999999999999999999999999999999999", None)]
    #[case("9999999999999999999Ei", None)]
    fn amounts(#[case] text: &str, #[case] expected: Option<i128>) {
        assert_eq!(parse(text), expected);
    }
}
