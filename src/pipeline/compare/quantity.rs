//! Kubernetes quantities: takes two texts, tells whether both are quantities of the same amount (`1Gi` and `1024Mi`).
//!
//! The grammar is `resource.Quantity`'s: sign, digits with an optional point, and a binary suffix, a decimal suffix or
//! an exponent. Amounts are compared exactly, by their factors of two and five, so nothing overflows or is rounded.

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
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let number_end = unsigned
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (tens, twos) = scale(suffix)?;
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let mantissa = if significant.is_empty() { 0 } else { significant.parse().ok()? };
        let tens = tens.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Some(Self::reduced(negative, mantissa, tens.checked_add(twos)?, tens))
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

/// Powers of ten and of two that a suffix stands for.
fn scale(suffix: &str) -> Option<(i64, i64)> {
    let scale = match suffix {
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
            (i64::from(exponent.parse::<i32>().ok()?), 0)
        }
    };
    Some(scale)
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
