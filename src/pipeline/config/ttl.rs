//! The shape of a Go duration.

/// Checks the shape of a Go duration that is not negative: `240h0m0s`, `1.5h`, `0`.
pub(super) fn check_ttl(text: &str) -> Result<(), String> {
    const UNITS: [&str; 8] = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
    if text.starts_with('-') {
        return Err("it must not be negative".to_owned());
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '.')).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        if digits == 0 || number.len() - digits > 1 {
            return Err("a number is needed before each unit".to_owned());
        }
        let end = tail.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        if !UNITS.contains(&unit) {
            return Err("units are h, m, s, ms, us and ns".to_owned());
        }
        rest = tail;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_checked() {
        for (text, valid) in [
            ("240h0m0s", true),
            ("1.5h", true),
            ("0", true),
            ("+1h", true),
            ("300ms", true),
            ("10d", false),
            ("240", false),
            ("h", false),
            ("1.2.3h", false),
            ("-1h", false),
            ("", false),
            ("1h 30m", false),
        ] {
            assert_eq!(check_ttl(text).is_ok(), valid, "{text}");
        }
    }
}
