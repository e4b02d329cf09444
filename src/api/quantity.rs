//! How Kubernetes writes amounts (`resource.Quantity`): sign, digits with an optional point, and a binary suffix, a decimal
//! suffix or an exponent.
//!
//! Takes a text, gives its parts as they are written. What to do with amounts, such as comparing or adding them, is the
//! business of those who need it.

/// An amount as it is written: `digits × 10^tens × 2^twos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenQuantity {
    /// Whether it begins with a minus.
    pub is_negative: bool,
    /// The digits before and behind the point; one at least.
    pub digits: String,
    /// The power of ten, digits behind the point taken into account.
    pub tens: i64,
    /// The power of two.
    pub twos: u32,
}

impl WrittenQuantity {
    /// Reads a quantity; `None` for any other text.
    pub fn read(text: &str) -> Option<Self> {
        let (is_negative, unsigned) = match text.strip_prefix('-') {
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
        let tens = tens.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Some(Self { is_negative, digits: format!("{whole}{fraction}"), tens, twos })
    }
}

/// Powers of ten and of two that a suffix stands for.
fn scale(suffix: &str) -> Option<(i64, u32)> {
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.5Gi", Some((false, "15", -1, 30)))]
    #[case("-2k", Some((true, "2", 3, 0)))]
    #[case("+.5", Some((false, "5", -1, 0)))]
    #[case("1E", Some((false, "1", 18, 0)))]
    #[case("1E-3", Some((false, "1", -3, 0)))]
    #[case("007", Some((false, "007", 0, 0)))]
    #[case("", None)]
    #[case(".", None)]
    #[case("1.2.3", None)]
    #[case("1gi", None)]
    #[case("1e", None)]
    #[case("1e99999999999", None)]
    #[case("--1", None)]
    fn parts(#[case] text: &str, #[case] expected: Option<(bool, &str, i64, u32)>) {
        let expected = expected.map(|(is_negative, digits, tens, twos)| WrittenQuantity {
            is_negative,
            digits: digits.to_owned(),
            tens,
            twos,
        });
        assert_eq!(WrittenQuantity::read(text), expected);
    }
}
