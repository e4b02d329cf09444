//! The shape of a cron expression.

/// Checks the shape of what Velero reads as a schedule: five fields or a descriptor, with an optional time
/// zone.
pub(super) fn check_schedule(text: &str) -> Result<(), String> {
    let text = text.trim();
    let expression = match text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) {
        Some(rest) => match rest.split_once(' ') {
            Some((zone, expression)) if !zone.is_empty() => expression.trim(),
            _ => return Err("a time zone must be followed by a schedule".to_owned()),
        },
        None => text,
    };
    if let Some(interval) = expression.strip_prefix("@every ") {
        return super::ttl::check_ttl(interval.trim());
    }
    if expression.starts_with('@') {
        let known = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
        return if known.contains(&expression) {
            Ok(())
        } else {
            Err(format!("descriptors are {} and @every <duration>", known.join(", ")))
        };
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if fields.len() != 5 {
        let count = fields.len();
        return Err(format!("five fields are needed (minute hour day month weekday), there are {count}"));
    }
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "*/,-?".contains(letter);
    match fields.iter().find(|field| !field.chars().all(is_allowed)) {
        Some(field) => Err(format!("field {field:?} has characters that no schedule has")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_checked() {
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
