//! Messages of checks for people: the same words are said once.

use std::collections::BTreeMap;

/// What some checks of a policy say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The checks, in the order in which they were given.
    pub(crate) checks: Vec<String>,
    /// What they say.
    pub(crate) text: String,
}

impl std::fmt::Display for Said {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.checks.join(", "), self.text)
    }
}

/// Joins checks that say the same, in the order in which each text comes first.
pub(crate) fn grouped(messages: impl IntoIterator<Item = (String, String)>) -> Vec<Said> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut said: Vec<Said> = Vec::new();
    for (check, text) in messages {
        let known = places.get(&text).and_then(|place| said.get_mut(*place));
        if let Some(known) = known {
            known.checks.push(check);
        } else {
            places.insert(text.clone(), said.len());
            said.push(Said { checks: vec![check], text });
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_said_once() {
        let message = |check: &str, text: &str| (check.to_owned(), text.to_owned());
        let said = grouped([message("a", "x"), message("b", "y"), message("c", "x")]);
        let lines: Vec<String> = said.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["a, c: x", "b: y"]);
    }
}
