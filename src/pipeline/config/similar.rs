//! Names that were probably meant to be another name.

/// Whether two names differ by no more than two letters, or by case and punctuation only.
pub(super) fn is_close(left: &str, right: &str) -> bool {
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let (left, right) = (plain(left), plain(right));
    if left == right {
        return true;
    }
    left.len().min(right.len()) >= 5 && distance(&left, &right) <= 2
}

/// Edit distance of Levenshtein.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let replaced = previous[column] + usize::from(letter != other);
            current.push(replaced.min(previous[column + 1] + 1).min(current[column] + 1));
        }
        previous = current;
    }
    previous.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_close_and_other_words_are_not() {
        for (left, right, expected) in [
            ("backupNs", "backupNS", true),
            ("backup_ttl", "backupTTL", true),
            ("backupSchedul", "backupSchedule", true),
            ("bakcupPrefix", "backupPrefix", true),
            ("backupPrefix", "backupSchedule", false),
            ("dpa", "dpaX", false),
        ] {
            assert_eq!(is_close(left, right), expected, "{left} {right}");
        }
    }
}
