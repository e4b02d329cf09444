//! Values of the samples that were never filled in: `<bucket-name>`.

use std::sync::LazyLock;

use regex::Regex;

use crate::yaml::Mark;

#[expect(clippy::expect_used, reason = "the pattern is a constant")]
static PLACEHOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("<[A-Za-z][^<>]*>").expect("the pattern is valid"));

/// Placeholders left in a text, each once, with the place where it stands first.
pub(super) fn placeholders(text: &str) -> Vec<(String, Mark)> {
    let mut found: Vec<(String, Mark)> = Vec::new();
    for place in PLACEHOLDER.find_iter(text) {
        if !found.iter().any(|(known, _)| known == place.as_str()) {
            found.push((place.as_str().to_owned(), Mark::at(text, place.start())));
        }
    }
    found
}

/// Whether a text still has a placeholder.
pub(super) fn has_placeholder(text: &str) -> bool {
    PLACEHOLDER.is_match(text)
}
