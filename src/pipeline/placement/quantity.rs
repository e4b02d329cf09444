//! Kubernetes quantities as amounts that can be ordered and added: `500m`, `1.5Gi`, `3e2`.
//!
//! Amounts are counted in billionths, the finest that Kubernetes itself keeps; what is finer is rounded away from zero.

use crate::api::quantity::WrittenQuantity;

/// Billionths of one.
pub(super) const ONE: i128 = 1_000_000_000;

/// Reads a quantity as billionths; `None` for any other text and for amounts beyond all reason.
pub(super) fn parse(text: &str) -> Option<i128> {
    let WrittenQuantity { is_negative, digits, tens, twos } = WrittenQuantity::read(text)?;
    let mut amount: i128 = if digits.bytes().all(|digit| digit == b'0') { 0 } else { digits.parse().ok()? };
    amount = amount.checked_mul(1_i128.checked_shl(twos)?)?;
    // The nine that make billionths.
    let tens = i32::try_from(tens.checked_add(9)?).ok()?;
    let power = 10_i128.checked_pow(tens.unsigned_abs());
    amount = match (tens >= 0, power) {
        _ if amount == 0 => 0,
        (true, Some(power)) => amount.checked_mul(power)?,
        (true, None) => return None,
        (false, Some(power)) => amount.checked_add(power - 1)? / power,
        (false, None) => 1,
    };
    Some(if is_negative { -amount } else { amount })
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
