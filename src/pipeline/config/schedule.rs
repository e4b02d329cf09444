//! A schedule as Velero reads it.

use super::cron::Cron;

/// Checks a cron expression; the error says what Velero would object to.
pub(super) fn check_schedule(text: &str) -> Result<(), String> {
    text.parse::<Cron>().map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velero_decides() {
        for (text, valid) in [
            ("0 */1 * * *", true),
            ("@daily", true),
            ("@every 1h30m", true),
            ("CRON_TZ=Europe/Berlin 0 2 * * MON-FRI", true),
            ("0 0 */1 * * *", false),
            ("0 2 * *", false),
            ("@sometimes", false),
            ("@every day", false),
            ("CRON_TZ=Europe/Berlin", false),
            ("0 2 * * $", false),
            ("", false),
        ] {
            assert_eq!(check_schedule(text).is_ok(), valid, "{text}");
        }
    }
}
