//! A backup's time to live as Velero reads it.

use super::go_duration::GoDuration;

/// Checks a Go duration that is not negative: `240h0m0s`, `1.5h`, `0`.
pub(super) fn check_ttl(text: &str) -> Result<(), String> {
    let duration: GoDuration =
        text.parse().map_err(|error: super::go_duration::GoDurationError| error.to_string())?;
    if duration < GoDuration::default() { Err("it must not be negative".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velero_decides() {
        for (text, valid) in [
            ("240h0m0s", true),
            ("1.5h", true),
            ("0", true),
            ("720h", true),
            ("10d", false),
            ("240", false),
            ("", false),
            ("-1h", false),
        ] {
            assert_eq!(check_ttl(text).is_ok(), valid, "{text}");
        }
    }
}
