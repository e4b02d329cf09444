//! Values of the samples that were never filled in: `<bucket-name>`.

use std::sync::LazyLock;

use regex::Regex;

#[expect(clippy::expect_used, reason = "the pattern is a constant")]
static PLACEHOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("<[A-Za-z][^<>]*>").expect("the pattern is valid"));

/// Placeholders left in a text, each once, with the 1-based line of its first place.
pub(super) fn placeholders(text: &str) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = Vec::new();
    for place in PLACEHOLDER.find_iter(text) {
        if found.iter().any(|(known, _)| known == place.as_str()) {
            continue;
        }
        let line = text[..place.start()].matches('\n').count() + 1;
        found.push((place.as_str().to_owned(), u32::try_from(line).unwrap_or(u32::MAX)));
    }
    found
}

/// Whether a text still has a placeholder.
pub(super) fn has_placeholder(text: &str) -> bool {
    PLACEHOLDER.is_match(text)
}
