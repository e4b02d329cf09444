//! Kubernetes quantities: takes two texts, tells whether both are quantities of the same amount (`1Gi` and `1024Mi`).
//!
//! Amounts are compared exactly, by their factors of two and five, so nothing overflows or is rounded.

use crate::api::quantity::WrittenQuantity;

/// An amount in lowest form: `mantissa × 2^twos × 5^fives`, the mantissa free of both factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantity {
    negative: bool,
    mantissa: u128,
    twos: i64,
    fives: i64,
}

impl Quantity {
    /// Reads a quantity; `None` for any other text, and for more digits than a mantissa of 128 bits holds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let WrittenQuantity { is_negative, digits, tens, twos } = WrittenQuantity::read(text)?;
        let significant = digits.trim_start_matches('0');
        let mantissa = if significant.is_empty() { 0 } else { significant.parse().ok()? };
        Some(Self::reduced(is_negative, mantissa, tens.checked_add(i64::from(twos))?, tens))
    }

    fn reduced(negative: bool, mut mantissa: u128, mut twos: i64, mut fives: i64) -> Self {
        if mantissa == 0 {
            return Self { negative: false, mantissa: 0, twos: 0, fives: 0 };
        }
        while mantissa.is_multiple_of(2) {
            mantissa /= 2;
            twos += 1;
        }
        while mantissa.is_multiple_of(5) {
            mantissa /= 5;
            fives += 1;
        }
        Self { negative, mantissa, twos, fives }
    }
}

/// Equality of a desired text with an observed one: by amount when the desired one is a quantity, by letter otherwise.
pub(crate) fn same_text(desired: &str, existing: &str) -> bool {
    desired == existing
        || Quantity::parse(desired).is_some_and(|desired| Some(desired) == Quantity::parse(existing))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1024Mi", "1Gi", true)]
    #[case("1", "1.0", true)]
    #[case("1000m", "1", true)]
    #[case("0.5Gi", "512Mi", true)]
    #[case("1e3", "1k", true)]
    #[case("1E3", "1000", true)]
    #[case("1E", "1000P", true)]
    #[case("1Ei", "1152921504606846976", true)]
    #[case("-0", "0", true)]
    #[case(".5", "500m", true)]
    #[case("007", "7", true)]
    #[case("1Gi", "1G", false)]
    #[case("-1", "1", false)]
    #[case("1", "one", false)]
    #[case("1.2.3", "1.2.3", true)]
    #[case("1.2.3", "1.2.30", false)]
    #[case("", "0", false)]
    #[case("k", "m", false)]
    #[case("1e", "1", false)]
    #[case("1gi", "1Gi", false)]
    #[case(
        "99999999999999999999999999999999999999999999",
        "099999999999999999999999999999999999999999999",
        false
    )]
    fn equality(#[case] desired: &str, #[case] existing: &str, #[case] expected: bool) {
        assert_eq!(same_text(desired, existing), expected, "{desired} and {existing}");
    }
}
